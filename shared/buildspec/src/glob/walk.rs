//! A walk over the directories that a pattern leads through.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use globset::GlobSet;

use super::{Found, GlobError, Links, Pattern, WALK_MAX_DEPTH, WALK_MAX_ENTRIES};
use crate::archive::{ENTRIES_MAX, Item, climbs_no_higher};

pub(super) struct Walk<'w> {
    base: &'w Path,
    /// The base as the system knows it, to tell internal links from others.
    real_base: Option<PathBuf>,
    exclude: &'w GlobSet,
    links: Links,
    seen: usize,
    pub(super) found: Found,
}

/// The directories above the one being walked, to notice a link that leads back into them.
type Above = Vec<(u64, u64)>;

impl<'w> Walk<'w> {
    pub(super) fn new(base: &'w Path, exclude: &'w GlobSet, links: Links) -> Self {
        let real_base = fs::canonicalize(base).ok();
        Self {
            base,
            real_base,
            exclude,
            links,
            seen: 0,
            found: Found::default(),
        }
    }

    pub(super) fn pattern(&mut self, pattern: &Pattern) -> Result<(), GlobError> {
        let start = pattern.start(self.base);
        let Some(matcher) = &pattern.matcher else {
            match fs::symlink_metadata(&start) {
                Ok(found) if found.is_symlink() => {
                    // A directory that is named adds nothing; nor does a link to one.
                    if !start.is_dir() {
                        self.link(&start, &pattern.literal);
                    }
                }
                Ok(found) if found.is_file() => self.add(&pattern.literal, Item::File(start)),
                Ok(_) => {}
                Err(_) => self.found.missing.push(pattern.written.clone()),
            }
            return Ok(());
        };
        if !start.is_dir() {
            return Ok(());
        }
        // How deep the wildcards can reach is known unless one of them crosses directories.
        let crosses = pattern.rest.split('/').any(|part| part.contains("**"));
        let alternates = pattern.rest.contains('{');
        let depth = if crosses || alternates {
            WALK_MAX_DEPTH
        } else {
            pattern.rest.split('/').count()
        };
        let matches = |name: &str| matcher.is_match(name);
        self.directory(&start, &pattern.literal, depth, &matches, &mut Vec::new())
    }

    fn directory(
        &mut self,
        path: &Path,
        prefix: &str,
        depth: usize,
        matches: &dyn Fn(&str) -> bool,
        above: &mut Above,
    ) -> Result<(), GlobError> {
        let Ok(itself) = fs::metadata(path) else {
            self.found.skipped.push(path.display().to_string());
            return Ok(());
        };
        let identity = (itself.dev(), itself.ino());
        if depth == 0 {
            return Ok(());
        }
        if above.contains(&identity) {
            self.found.skipped.push(path.display().to_string());
            return Ok(());
        }
        above.push(identity);
        for (last, path) in sorted_entries(path)? {
            self.seen += 1;
            if self.seen > WALK_MAX_ENTRIES {
                return Err(GlobError::TooManyEntries {
                    limit: WALK_MAX_ENTRIES,
                });
            }
            let name = join(prefix, &last);
            let Ok(kind) = fs::symlink_metadata(&path) else {
                continue;
            };
            if kind.is_dir() {
                self.directory(&path, &name, depth - 1, matches, above)?;
            } else if kind.is_symlink() && path.is_dir() {
                if self.kept_target(&path, &name).is_none() {
                    self.directory(&path, &name, depth - 1, matches, above)?;
                } else if matches(&name) || matches(&join(&name, "x")) {
                    // A kept link to a directory stands for what is below it as well.
                    self.link(&path, &name);
                }
            } else if matches(&name) {
                if kind.is_symlink() {
                    self.link(&path, &name);
                } else if kind.is_file() {
                    self.add(&name, Item::File(path));
                }
            }
        }
        above.pop();
        Ok(())
    }

    fn add(&mut self, name: &str, item: Item) {
        if !self.exclude.is_match(name) && self.found.items.len() <= ENTRIES_MAX {
            self.found.items.insert(name.to_owned(), item);
        }
    }

    fn link(&mut self, path: &Path, name: &str) {
        if let Some(target) = self.kept_target(path, name) {
            self.add(name, Item::Link(target));
        } else if path.is_file() {
            self.add(name, Item::File(path.to_path_buf()));
        } else {
            self.found.skipped.push(path.display().to_string());
        }
    }

    /// The target of a link that is kept: it is relative, and what it leads to, by whatever
    /// way, is below the base.
    fn kept_target(&self, path: &Path, name: &str) -> Option<String> {
        if self.links == Links::Follow {
            return None;
        }
        let target = fs::read_link(path)
            .ok()?
            .into_os_string()
            .into_string()
            .ok()?;
        let leads_to = fs::canonicalize(path).ok()?;
        let is_internal = leads_to.starts_with(self.real_base.as_ref()?);
        (is_internal && climbs_no_higher(name, &target)).then_some(target)
    }
}

/// The entries of a directory by name; names that are no text are left out, because a pattern
/// cannot name them either.
pub(super) fn sorted_entries(path: &Path) -> Result<Vec<(String, PathBuf)>, GlobError> {
    let failed = |source| GlobError::Io {
        path: path.display().to_string(),
        source,
    };
    let mut entries = Vec::new();
    for entry in fs::read_dir(path).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if let Ok(name) = entry.file_name().into_string() {
            entries.push((name, entry.path()));
        }
    }
    entries.sort();
    Ok(entries)
}

pub(super) fn join(prefix: &str, name: &str) -> String {
    if prefix.is_empty() {
        name.to_owned()
    } else {
        format!("{prefix}/{name}")
    }
}
