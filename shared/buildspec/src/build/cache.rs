//! A cache keeps files from one build to the next (spec 70 §6.3).
//!
//! It is a directory that the caller gives. An entry is a directory in it, named by the digest of
//! the cache's paths and of its key, with one archive for files of the source tree, one for files
//! of the home directory and one for files elsewhere. An entry that was saved under a key never
//! changes; without a key there is one entry, which each build replaces. Nothing about a cache
//! ever fails a build.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::{
    archive::{self, ArchiveError, Existing, Item, Limits},
    glob::{self, GlobError, Links},
};

/// An entry unpacks to no more.
const CACHE_MAX_BYTES: u64 = 20 * 1024 * 1024 * 1024;
/// How many entries are looked at for a fallback key.
const ENTRIES_LOOKED_AT_MAX: usize = 10_000;
/// What a build left half written is removed when it is older.
const PARTIAL_MAX_AGE: Duration = Duration::from_hours(24);
const PARTIAL: &str = ".partial-";
const DESCRIPTION: &str = "entry.json";

#[derive(Debug, Error)]
pub(super) enum CacheError {
    #[error("failed to {doing} {path}")]
    Io {
        doing: &'static str,
        path: String,
        #[source]
        source: io::Error,
    },
    #[error("its files cannot be found")]
    Glob(#[from] GlobError),
    #[error("its files cannot be packed or unpacked")]
    Archive(#[from] ArchiveError),
}

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> CacheError {
    let path = path.display().to_string();
    move |source| CacheError::Io {
        doing,
        path,
        source,
    }
}

/// Where the files of an entry belong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Root {
    Source,
    Home,
    Machine,
}

const ROOTS: [(Root, &str); 3] = [
    (Root::Source, "source.zip"),
    (Root::Home, "home.zip"),
    (Root::Machine, "machine.zip"),
];

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Description {
    key: Option<String>,
    saved_ms: i64,
}

/// A cache with its key and paths expanded.
pub(super) struct Cache<'c> {
    pub(super) directory: &'c Path,
    pub(super) source: &'c Path,
    pub(super) home: &'c Path,
    pub(super) key: Option<String>,
    pub(super) fallback_keys: Vec<String>,
    pub(super) paths: Vec<String>,
    /// The paths as written: what they expand to may differ from build to build.
    pub(super) written_paths: &'c [String],
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Saved {
    /// So many files.
    Yes(usize),
    /// The key has an entry already.
    KeyExists,
    NothingFound,
}

impl Cache<'_> {
    /// Puts back what an earlier build saved; answers with the key that it was saved under.
    pub(super) fn restore(&self) -> Result<Option<String>, CacheError> {
        let Some((entry, key)) = self.look_up()? else {
            return Ok(None);
        };
        let limits = Limits {
            bytes: CACHE_MAX_BYTES,
            ratio: u64::MAX,
            ..Limits::default()
        };
        for (root, file) in ROOTS {
            let packed = entry.join(file);
            if packed.is_file() {
                let into = self.root(root);
                archive::extract_over(&packed, into, &limits, Existing::Replace)?;
            }
        }
        Ok(Some(key.unwrap_or_default()))
    }

    /// Keeps the files of the paths for later builds.
    pub(super) fn save(&self, now_ms: i64) -> Result<Saved, CacheError> {
        let version = self.directory.join(self.version());
        let entry = version.join(entry_name(self.key.as_deref()));
        if self.key.is_some() && entry.is_dir() {
            return Ok(Saved::KeyExists);
        }
        let groups = self.collect()?;
        let count = groups.values().map(BTreeMap::len).sum();
        if count == 0 {
            return Ok(Saved::NothingFound);
        }
        fs::create_dir_all(&version).map_err(failed("make the directory", &version))?;
        remove_leftovers(&version);
        let partial = version.join(partial_name());
        let written = self
            .write(&groups, &partial, now_ms)
            .and_then(|()| self.seal(&partial, &entry));
        if written.is_err() {
            let _ = fs::remove_dir_all(&partial);
        }
        written.map(|is_ours| {
            if is_ours {
                Saved::Yes(count)
            } else {
                Saved::KeyExists
            }
        })
    }

    /// Entries of other paths are other caches.
    fn version(&self) -> String {
        let mut digest = Sha256::new();
        for path in self.written_paths {
            digest.update(path.as_bytes());
            digest.update([0]);
        }
        hex::encode(digest.finalize())
    }

    fn root(&self, root: Root) -> &Path {
        match root {
            Root::Source => self.source,
            Root::Home => self.home,
            Root::Machine => Path::new("/"),
        }
    }

    fn look_up(&self) -> Result<Option<(PathBuf, Option<String>)>, CacheError> {
        let version = self.directory.join(self.version());
        let exact = version.join(entry_name(self.key.as_deref()));
        if exact.is_dir() {
            return Ok(Some((exact, self.key.clone())));
        }
        if self.key.is_none() || self.fallback_keys.is_empty() || !version.is_dir() {
            return Ok(None);
        }
        let mut entries = Vec::new();
        let listed = fs::read_dir(&version).map_err(failed("list", &version))?;
        for entry in listed.take(ENTRIES_LOOKED_AT_MAX) {
            let path = entry.map_err(failed("list", &version))?.path();
            // What cannot be read is being written or was never finished.
            let Ok(text) = fs::read_to_string(path.join(DESCRIPTION)) else {
                continue;
            };
            let Ok(description) = serde_json::from_str::<Description>(&text) else {
                continue;
            };
            if let Some(key) = description.key {
                entries.push((description.saved_ms, key, path));
            }
        }
        let newest = |prefix: &String| {
            entries
                .iter()
                .filter(|(_, key, _)| key.starts_with(prefix.as_str()))
                .max()
        };
        Ok(self
            .fallback_keys
            .iter()
            .find_map(newest)
            .map(|(_, key, path)| (path.clone(), Some(key.clone()))))
    }

    /// The files by where they belong. `~` and `/root` mean the home directory of the build,
    /// which is elsewhere here (spec 70 §8).
    fn collect(&self) -> Result<BTreeMap<Root, BTreeMap<String, Item>>, CacheError> {
        let mut groups: BTreeMap<Root, Vec<String>> = BTreeMap::new();
        let home = format!("{}/", self.home.display());
        let source = format!("{}/", self.source.display());
        for path in &self.paths {
            let below_home = ["~/", "/root/", &home]
                .iter()
                .find_map(|p| path.strip_prefix(p));
            let (root, pattern) = if let Some(below) = below_home {
                (Root::Home, below)
            } else if let Some(below) = path.strip_prefix(&source) {
                (Root::Source, below)
            } else if path.starts_with('/') {
                (Root::Machine, path.as_str())
            } else {
                (Root::Source, path.as_str())
            };
            groups.entry(root).or_default().push(pattern.to_owned());
        }
        let mut found = BTreeMap::new();
        for (root, patterns) in groups {
            let items = glob::find(self.root(root), &patterns, &[], Links::KeepInternal)?.items;
            if !items.is_empty() {
                found.insert(root, items);
            }
        }
        Ok(found)
    }

    fn write(
        &self,
        groups: &BTreeMap<Root, BTreeMap<String, Item>>,
        partial: &Path,
        now_ms: i64,
    ) -> Result<(), CacheError> {
        let _ = fs::remove_dir_all(partial);
        fs::create_dir_all(partial).map_err(failed("make the directory", partial))?;
        for (root, file) in ROOTS {
            if let Some(items) = groups.get(&root) {
                archive::pack(items, &partial.join(file))?;
            }
        }
        let description = Description {
            key: self.key.clone(),
            saved_ms: now_ms,
        };
        let path = partial.join(DESCRIPTION);
        let text = serde_json::to_vec(&description).map_err(io::Error::from);
        fs::write(&path, text.map_err(failed("write", &path))?).map_err(failed("write", &path))
    }

    /// Gives the entry its name; says whether it was not there already.
    fn seal(&self, partial: &Path, entry: &Path) -> Result<bool, CacheError> {
        if self.key.is_none() && entry.is_dir() {
            fs::remove_dir_all(entry).map_err(failed("replace", entry))?;
        }
        match fs::rename(partial, entry) {
            Ok(()) => Ok(true),
            // A directory that holds something is not replaced: another build was first.
            Err(_) if entry.is_dir() => {
                fs::remove_dir_all(partial).map_err(failed("remove", partial))?;
                Ok(false)
            }
            Err(error) => Err(failed("write", entry)(error)),
        }
    }
}

/// A name that no other build uses, in this process or another; the rename picks one of two that
/// save at once.
fn partial_name() -> String {
    static SAVES: AtomicU64 = AtomicU64::new(0);
    let save = SAVES.fetch_add(1, Ordering::Relaxed);
    format!("{PARTIAL}{}-{save}", process::id())
}

fn remove_leftovers(version: &Path) {
    let Ok(entries) = fs::read_dir(version) else {
        return;
    };
    for entry in entries.take(ENTRIES_LOOKED_AT_MAX).flatten() {
        let is_partial = entry.file_name().to_string_lossy().starts_with(PARTIAL);
        let modified = entry.metadata().and_then(|found| found.modified());
        let age = modified
            .ok()
            .and_then(|at| SystemTime::now().duration_since(at).ok());
        if is_partial && age.is_some_and(|age| age > PARTIAL_MAX_AGE) {
            // What cannot be removed is tried again by the next build.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

fn entry_name(key: Option<&str>) -> String {
    key.map_or_else(
        || "latest".to_owned(),
        |key| hex::encode(Sha256::digest(key.as_bytes())),
    )
}
