//! The artifacts of a build: found by their patterns, packed, put where the order wants them
//! (spec 70 §6.1).

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use thiserror::Error;

use super::{log::Log, order::Output, report::Artifact};
use crate::{
    archive::{self, ArchiveError, Item},
    document::{Artifacts, FileSet},
    glob::{self, GlobError, Links},
};

#[derive(Debug, Error)]
pub(super) enum UploadError {
    #[error("no matching artifact paths found")]
    NothingFound,
    #[error("no matching base directory path found for {0}")]
    NoBaseDirectory(String),
    #[error("no artifact is defined for the output {0}")]
    NoDefinition(String),
    #[error("the artifact {name} cannot be found")]
    Glob {
        name: String,
        #[source]
        source: GlobError,
    },
    #[error("the artifact {name} cannot be packed")]
    Archive {
        name: String,
        #[source]
        source: ArchiveError,
    },
}

impl UploadError {
    /// Whether this machine is to blame, rather than the build.
    pub(super) fn is_fault(&self) -> bool {
        matches!(
            self,
            Self::Archive {
                source: ArchiveError::Io { .. },
                ..
            }
        )
    }
}

/// The files of each output. One output is the primary artifact; of several, each is the
/// secondary artifact of its name.
pub(super) fn assign<'a>(
    artifacts: Option<&'a Artifacts>,
    outputs: &'a [Output],
) -> Result<Vec<(&'a Output, &'a FileSet)>, UploadError> {
    let Some(artifacts) = artifacts else {
        return if outputs.is_empty() {
            Ok(Vec::new())
        } else {
            Err(UploadError::NothingFound)
        };
    };
    if let [output] = outputs {
        return Ok(vec![(output, &artifacts.primary)]);
    }
    outputs
        .iter()
        .map(|output| {
            let set = artifacts.secondary.get(&output.name);
            set.map(|set| (output, set))
                .ok_or_else(|| UploadError::NoDefinition(output.name.clone()))
        })
        .collect()
}

/// Finds and packs one artifact.
pub(super) fn artifact(
    output: &Output,
    set: &FileSet,
    file_name: Option<String>,
    source: &Path,
    log: &mut Log,
) -> Result<Artifact, UploadError> {
    let items = collect(output, set, source, log)?;
    log.say(&format!("Found {} file(s)", items.len()));
    let packed =
        archive::pack(&items, &output.location).map_err(|source| UploadError::Archive {
            name: output.name.clone(),
            source,
        })?;
    Ok(Artifact {
        name: output.name.clone(),
        location: output.location.clone(),
        file_name,
        sha256: packed.sha256,
        files: packed.files,
        bytes: packed.bytes,
    })
}

fn collect(
    output: &Output,
    set: &FileSet,
    source: &Path,
    log: &mut Log,
) -> Result<BTreeMap<String, Item>, UploadError> {
    let unfit = |source| UploadError::Glob {
        name: output.name.clone(),
        source,
    };
    let links = if set.enable_symlinks {
        Links::KeepInternal
    } else {
        Links::Follow
    };
    let mut items = BTreeMap::new();
    for base in bases(set, source, log).map_err(unfit)?? {
        log.say("Assembling file list");
        for pattern in &set.files {
            log.say(&format!("Expanding {pattern}"));
        }
        let shown = set.base_directory.as_deref().unwrap_or(".");
        log.say(&format!("Expanding file paths for base directory {shown}"));
        let found = glob::find(&base, &set.files, &set.exclude_paths, links).map_err(unfit)?;
        for path in &found.missing {
            log.say(&format!("Skipping invalid file path {path}"));
        }
        for path in &found.skipped {
            log.say(&format!(
                "Skipping {path}: it leads nowhere, in a circle, or is no file"
            ));
        }
        if set.discard_paths {
            items.extend(
                found
                    .items
                    .into_iter()
                    .filter_map(|(name, item)| flattened(&base, &name, item)),
            );
        } else {
            items.extend(found.items);
        }
    }
    if items.is_empty() {
        return Err(UploadError::NothingFound);
    }
    Ok(items)
}

/// Without its directories a link would lead elsewhere, so the file that it means goes in.
fn flattened(base: &Path, name: &str, item: Item) -> Option<(String, Item)> {
    let last = name.rsplit('/').next().unwrap_or(name).to_owned();
    match item {
        Item::File(path) => Some((last, Item::File(path))),
        Item::Link(_) => {
            let path = base.join(name);
            path.is_file().then_some((last, Item::File(path)))
        }
        Item::Directory => None,
    }
}

type Bases = Result<Vec<PathBuf>, UploadError>;

fn bases(set: &FileSet, source: &Path, log: &mut Log) -> Result<Bases, GlobError> {
    let shown = set.base_directory.as_deref().unwrap_or(".");
    log.say(&format!("Expanding base directory path: {shown}"));
    let Some(pattern) = &set.base_directory else {
        return Ok(Ok(vec![source.to_path_buf()]));
    };
    let found = glob::directories(source, pattern)?;
    if found.is_empty() {
        return Ok(Err(UploadError::NoBaseDirectory(pattern.clone())));
    }
    Ok(Ok(found))
}
