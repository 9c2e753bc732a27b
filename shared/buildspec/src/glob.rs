//! A glob is a file pattern of a buildspec; this finds the files that a set of them means
//! (spec 70 §6.1).
//!
//! `*` stays within one component, `**` crosses any number of directories, `?`, `[..]` and
//! `{a,b}` are as in a shell; a pattern that ends in `/` means everything below. Dot files match
//! like any others. A directory that is named without a pattern adds nothing.

mod walk;

use std::{
    collections::BTreeMap,
    io,
    path::{Component, Path, PathBuf},
};

use globset::{Glob, GlobBuilder, GlobMatcher, GlobSet, GlobSetBuilder};
use thiserror::Error;

use crate::archive::{ENTRIES_MAX, Item};

/// How many directory entries one set of patterns may look at.
pub const WALK_MAX_ENTRIES: usize = 2_000_000;
/// How deep a tree is walked.
pub const WALK_MAX_DEPTH: usize = 256;
/// The longest pattern.
const PATTERN_MAX_BYTES: usize = 4096;
const META: [char; 5] = ['*', '?', '[', '{', '\\'];

#[derive(Debug, Error)]
pub enum GlobError {
    #[error("the pattern {pattern:?} cannot be read: {reason}")]
    Pattern { pattern: String, reason: String },
    #[error("the patterns match more than {limit} files")]
    TooManyFiles { limit: usize },
    #[error("the patterns lead through more than {limit} directory entries")]
    TooManyEntries { limit: usize },
    #[error("failed to list {path}")]
    Io {
        path: String,
        #[source]
        source: io::Error,
    },
}

/// What becomes of symbolic links.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Links {
    /// A link stands for what it leads to.
    Follow,
    /// A link that stays below the base is kept; others are followed.
    KeepInternal,
}

/// The files that a set of patterns means.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// What to pack, by path relative to the base; of a pattern that leads outside the base, the
    /// path without its root or its `..`.
    pub items: BTreeMap<String, Item>,
    /// Patterns without wildcards that name nothing.
    pub missing: Vec<String>,
    /// Links that lead nowhere or in circles, and names that are no text.
    pub skipped: Vec<String>,
}

/// Finds the files below `base` that match a pattern and no exclusion.
pub fn find(
    base: &Path,
    patterns: &[String],
    exclude: &[String],
    links: Links,
) -> Result<Found, GlobError> {
    let exclude = exclusions(exclude)?;
    let mut walk = walk::Walk::new(base, &exclude, links);
    for pattern in patterns {
        let pattern = Pattern::read(pattern)?;
        walk.pattern(&pattern)?;
        if walk.found.items.len() > ENTRIES_MAX {
            return Err(GlobError::TooManyFiles { limit: ENTRIES_MAX });
        }
    }
    Ok(walk.found)
}

/// Finds the directories below `base` that a base directory names, itself perhaps a pattern of
/// directories.
pub fn directories(base: &Path, pattern: &str) -> Result<Vec<PathBuf>, GlobError> {
    let trimmed = pattern.trim_end_matches('/');
    let pattern = Pattern::read(if trimmed.is_empty() { "/" } else { trimmed })?;
    let start = pattern.start(base);
    let Some(matcher) = &pattern.matcher else {
        return Ok(if start.is_dir() {
            vec![start]
        } else {
            Vec::new()
        });
    };
    let depth = pattern.rest.split('/').count();
    let mut level = vec![(start, String::new())];
    for _ in 0..depth {
        let mut next = Vec::new();
        for (directory, prefix) in level {
            for (name, path) in walk::sorted_entries(&directory)?
                .into_iter()
                .take(ENTRIES_MAX)
            {
                if path.is_dir() {
                    next.push((path, walk::join(&prefix, &name)));
                }
            }
        }
        if next.len() > ENTRIES_MAX {
            return Err(GlobError::TooManyEntries { limit: ENTRIES_MAX });
        }
        level = next;
    }
    let prefix = pattern.literal.clone();
    Ok(level
        .into_iter()
        .filter(|(_, name)| matcher.is_match(walk::join(&prefix, name)))
        .map(|(path, _)| path)
        .collect())
}

/// A pattern, split where its first wildcard is.
struct Pattern {
    written: String,
    /// Where it starts: at the base, or outside of it.
    root: Root,
    /// The components before the first wildcard.
    literal: String,
    /// The components from there on; empty when there is no wildcard.
    rest: String,
    /// Matches the path relative to the root, when there is a wildcard.
    matcher: Option<GlobMatcher>,
}

enum Root {
    Base,
    /// So many directories above the base.
    Above(usize),
    Absolute,
}

impl Pattern {
    fn read(written: &str) -> Result<Self, GlobError> {
        let bad = |reason: &str| GlobError::Pattern {
            pattern: written.to_owned(),
            reason: reason.to_owned(),
        };
        if written.is_empty() || written.len() > PATTERN_MAX_BYTES || written.contains('\0') {
            return Err(bad("it is empty, or longer than a path can be"));
        }
        let mut root = if written.starts_with('/') {
            Root::Absolute
        } else {
            Root::Base
        };
        let mut parts: Vec<&str> = Vec::new();
        for part in written
            .split('/')
            .filter(|part| !part.is_empty() && *part != ".")
        {
            if part != ".." {
                parts.push(part);
            } else if parts.last().is_some_and(|last| last.contains(META)) {
                return Err(bad("it climbs with .. after a wildcard"));
            } else if parts.pop().is_none() {
                root = match root {
                    Root::Base => Root::Above(1),
                    Root::Above(levels) => Root::Above(levels + 1),
                    Root::Absolute => Root::Absolute,
                };
            }
        }
        // `dir/` means everything below; so does `**/` (spec 70 §6.1).
        if written.ends_with('/') {
            if parts.last() == Some(&"**") {
                parts.pop();
            }
            parts.extend(["**", "*"]);
        }
        let wild = parts
            .iter()
            .position(|part| part.contains(META))
            .unwrap_or(parts.len());
        let matcher = if wild < parts.len() {
            Some(compile(&parts.join("/"), written)?.compile_matcher())
        } else {
            None
        };
        Ok(Self {
            written: written.to_owned(),
            root,
            literal: parts[..wild].join("/"),
            rest: parts[wild..].join("/"),
            matcher,
        })
    }

    /// The directory below which the wildcards match, or the very path that is named.
    fn start(&self, base: &Path) -> PathBuf {
        let mut start = match self.root {
            Root::Base => base.to_path_buf(),
            Root::Absolute => PathBuf::from("/"),
            Root::Above(levels) => base.ancestors().nth(levels).unwrap_or(base).to_path_buf(),
        };
        if !self.literal.is_empty() {
            start.extend(Path::new(&self.literal).components().filter(is_plain));
        }
        start
    }
}

fn is_plain(component: &Component<'_>) -> bool {
    matches!(component, Component::Normal(_))
}

fn compile(pattern: &str, written: &str) -> Result<Glob, GlobError> {
    GlobBuilder::new(pattern)
        .literal_separator(true)
        .build()
        .map_err(|error| GlobError::Pattern {
            pattern: written.to_owned(),
            reason: error.kind().to_string(),
        })
}

/// Exclusions are relative to the base, whatever the patterns are (spec 70 §6.1).
fn exclusions(patterns: &[String]) -> Result<GlobSet, GlobError> {
    let mut set = GlobSetBuilder::new();
    for written in patterns {
        let mut pattern = written
            .trim_start_matches("./")
            .trim_start_matches('/')
            .to_owned();
        if pattern.ends_with('/') {
            pattern.push_str("**");
        }
        set.add(compile(&pattern, written)?);
    }
    set.build().map_err(|error| GlobError::Pattern {
        pattern: patterns.join(" "),
        reason: error.kind().to_string(),
    })
}

#[cfg(test)]
mod tests;
