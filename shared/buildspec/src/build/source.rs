//! The source tree of a build: its inputs, put where the commands look for them.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use thiserror::Error;

use super::{
    order::{Input, Order},
    process::{Interruption, Watch},
};
use crate::archive::{self, ArchiveError, Limits};

/// What a build finds when it starts.
pub(super) struct Tree {
    pub(super) home: PathBuf,
    pub(super) sources: Vec<Source>,
    /// The directory of the primary source; without inputs, an empty one.
    pub(super) primary: PathBuf,
}

pub(super) struct Source {
    pub(super) name: String,
    pub(super) directory: PathBuf,
    pub(super) is_primary: bool,
    pub(super) repo_url: Option<String>,
    pub(super) version: Option<String>,
    pub(super) resolved_version: Option<String>,
}

#[derive(Debug, Error)]
pub(super) enum SourceError {
    #[error("the input name {0:?} cannot be used")]
    BadName(String),
    #[error("two inputs have the name {0}")]
    DuplicateName(String),
    #[error("the input {name} is refused")]
    Refused {
        name: String,
        #[source]
        source: ArchiveError,
    },
    #[error("failed to {doing} {path}")]
    Io {
        doing: &'static str,
        path: String,
        #[source]
        source: io::Error,
    },
    #[error("the build was interrupted")]
    Interrupted(Interruption),
}

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> SourceError {
    let path = path.display().to_string();
    move |source| SourceError::Io {
        doing,
        path,
        source,
    }
}

/// The place of every input, before anything is put there.
pub(super) fn plan(order: &Order) -> Result<Tree, SourceError> {
    let marked = order
        .inputs
        .iter()
        .position(|input| input.primary)
        .unwrap_or(0);
    let mut sources: Vec<Source> = Vec::new();
    for (index, input) in order.inputs.iter().enumerate() {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if input.name.is_empty() || !input.name.chars().all(plain) {
            return Err(SourceError::BadName(input.name.clone()));
        }
        if sources.iter().any(|source| source.name == input.name) {
            return Err(SourceError::DuplicateName(input.name.clone()));
        }
        let is_primary = index == marked;
        let directory = if is_primary {
            order.work.join("src")
        } else {
            order.work.join("inputs").join(&input.name)
        };
        sources.push(Source {
            name: input.name.clone(),
            directory,
            is_primary,
            repo_url: input.repo_url.clone(),
            version: input.source_version.clone(),
            resolved_version: input.resolved_source_version.clone(),
        });
    }
    Ok(Tree {
        home: order.work.join("home"),
        primary: order.work.join("src"),
        sources,
    })
}

/// Puts all inputs in place.
pub(super) fn fetch(order: &Order, tree: &Tree, watch: &Watch) -> Result<(), SourceError> {
    for directory in [&tree.home, &tree.primary] {
        fs::create_dir_all(directory).map_err(failed("make the directory", directory))?;
    }
    for (input, source) in order.inputs.iter().zip(&tree.sources) {
        if let Some(interruption) = watch.interruption() {
            return Err(SourceError::Interrupted(interruption));
        }
        let into = &source.directory;
        fs::create_dir_all(into).map_err(failed("make the directory", into))?;
        place(input, into)?;
    }
    Ok(())
}

fn place(input: &Input, into: &Path) -> Result<(), SourceError> {
    let from = &input.location;
    let refused = |source: ArchiveError| SourceError::Refused {
        name: input.name.clone(),
        source,
    };
    if from.is_dir() {
        copy_directory(from, into)
    } else if archive::is_zip(from).map_err(failed("read the input", from))? {
        archive::extract(from, into, &Limits::default())
            .map(drop)
            .map_err(refused)
    } else {
        // A file that is no archive is a source of one file.
        let own = from
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or("source");
        let name = input.file_name.as_deref().unwrap_or(own);
        let is_plain =
            !name.is_empty() && !name.contains(['/', '\0']) && name != "." && name != "..";
        if !is_plain {
            return Err(SourceError::BadName(name.to_owned()));
        }
        let to = into.join(name);
        fs::copy(from, &to)
            .map(drop)
            .map_err(failed("copy the input to", &to))
    }
}

/// Copies a tree with its modes and its links, which are copied as they are.
fn copy_directory(from: &Path, into: &Path) -> Result<(), SourceError> {
    for entry in fs::read_dir(from).map_err(failed("list", from))? {
        let entry = entry.map_err(failed("list", from))?;
        let (path, to) = (entry.path(), into.join(entry.file_name()));
        let kind = entry.file_type().map_err(failed("look at", &path))?;
        if kind.is_dir() {
            fs::create_dir_all(&to).map_err(failed("make the directory", &to))?;
            copy_directory(&path, &to)?;
        } else if kind.is_symlink() {
            let target = fs::read_link(&path).map_err(failed("read the link", &path))?;
            std::os::unix::fs::symlink(target, &to).map_err(failed("make the link", &to))?;
        } else if kind.is_file() {
            fs::copy(&path, &to).map_err(failed("copy the input to", &to))?;
        }
    }
    Ok(())
}
