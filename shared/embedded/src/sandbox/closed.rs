//! What of this machine's settings is for some users' eyes only. A runner that is root could read it
//! all, and so could its builds: it is hidden from them.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// How much of one entry of a directory of settings is looked at. What has more is hidden whole, as
/// is what has more closed parts than [`CLOSED_MAX`]: each of them is a mount of its own.
const LOOKED_AT_MAX: usize = 5_000;
const CLOSED_MAX: usize = 32;

/// How many mounts all of it may take; after that, what has a closed part is hidden whole.
const MOUNTS_MAX: usize = 300;

/// What may be read of a file, and of a directory, by everybody.
const READABLE: u32 = 0o004;
const OPEN: u32 = 0o005;

/// What below a directory only its owner or group may read. The toolchains in `spared` are left as
/// they are: whoever has them on the path wants builds to use them.
pub(super) fn to_others(directory: &Path, spared: &[PathBuf]) -> Vec<PathBuf> {
    let mut closed = Vec::new();
    let real = spared.iter().filter_map(|path| fs::canonicalize(path).ok());
    let spared: Vec<PathBuf> = real.chain(spared.iter().cloned()).collect();
    // A link is looked at where it leads to: only there can anything be hidden.
    let Ok(directory) = fs::canonicalize(directory) else {
        return closed;
    };
    for child in children(&directory) {
        let most = if closed.len() < MOUNTS_MAX {
            CLOSED_MAX
        } else {
            1
        };
        let search = Search {
            spared: &spared,
            most,
            left: LOOKED_AT_MAX,
            found: Vec::new(),
        };
        closed.extend(search.of(&child));
    }
    closed
}

/// The entries of a directory by name; none of one that cannot be read.
fn children(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

struct Search<'a> {
    spared: &'a [PathBuf],
    /// How many closed parts may be hidden one by one.
    most: usize,
    /// How many entries may still be looked at.
    left: usize,
    found: Vec<PathBuf>,
}

impl Search<'_> {
    /// The closed parts of something, or all of it.
    fn of(mut self, path: &Path) -> Vec<PathBuf> {
        let mut waiting = vec![path.to_owned()];
        while let Some(next) = waiting.pop() {
            let is_too_much = self.left == 0 || self.found.len() > self.most;
            if is_too_much && !self.holds_spared(path) {
                return vec![path.to_owned()];
            }
            if is_too_much {
                break;
            }
            self.left -= 1;
            let is_spared = self.spared.iter().any(|spared| next.starts_with(spared));
            let Ok(metadata) = fs::symlink_metadata(&next) else {
                continue;
            };
            // A link has no rights of its own.
            if is_spared || metadata.is_symlink() {
                continue;
            }
            let wanted = if metadata.is_dir() { OPEN } else { READABLE };
            let is_open = metadata.mode() & wanted == wanted;
            if metadata.is_dir() && (is_open || self.holds_spared(&next)) {
                waiting.extend(children(&next));
            } else if !is_open {
                self.found.push(next);
            }
        }
        self.found
    }

    fn holds_spared(&self, path: &Path) -> bool {
        self.spared.iter().any(|spared| spared.starts_with(path))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    struct Settings(tempfile::TempDir);

    impl Settings {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn at(&self, name: &str) -> PathBuf {
            self.0.path().canonicalize().unwrap().join(name)
        }

        fn file(&self, name: &str, mode: u32) {
            fs::create_dir_all(self.at(name).parent().unwrap()).unwrap();
            fs::write(self.at(name), "x").unwrap();
            self.mode(name, mode);
        }

        fn mode(&self, name: &str, mode: u32) {
            fs::set_permissions(self.at(name), fs::Permissions::from_mode(mode)).unwrap();
        }

        fn closed(&self, spared: &[&str]) -> Vec<PathBuf> {
            let spared: Vec<_> = spared.iter().map(|name| self.at(name)).collect();
            to_others(self.0.path(), &spared)
        }
    }

    #[test]
    fn what_is_closed_to_others_is_found() {
        let settings = Settings::new();
        settings.file("open/public", 0o644);
        settings.file("open/deep/key", 0o640);
        settings.file("closed/public", 0o644);
        settings.file("secret", 0o600);
        settings.mode("closed", 0o750);
        symlink("/etc/shadow", settings.at("link")).unwrap();
        let wanted = ["closed", "open/deep/key", "secret"].map(|name| settings.at(name));
        assert_eq!(settings.closed(&[]), wanted);
        assert!(to_others(&settings.at("gone"), &[]).is_empty());
    }

    #[test]
    fn a_toolchain_on_the_path_stays_visible_whatever_its_mode() {
        let settings = Settings::new();
        settings.file("jdk/bin/java", 0o750);
        settings.mode("jdk", 0o750);
        settings.file("all/tool/bin/run", 0o755);
        settings.file("all/token", 0o600);
        settings.mode("all", 0o710);
        assert_eq!(
            settings.closed(&[]),
            [settings.at("all"), settings.at("jdk")]
        );
        let spared = ["jdk", "all/tool"];
        assert_eq!(settings.closed(&spared), [settings.at("all/token")]);
    }

    #[test]
    fn what_has_too_much_is_hidden_whole_and_nothing_else_is() {
        let settings = Settings::new();
        for number in 0..=CLOSED_MAX + 1 {
            settings.file(&format!("many/{number}"), 0o600);
        }
        for number in 0..=LOOKED_AT_MAX {
            settings.file(&format!("large/{number}"), 0o644);
        }
        settings.file("z/key", 0o600);
        settings.file("z/public", 0o644);
        let wanted = ["large", "many", "z/key"].map(|name| settings.at(name));
        assert_eq!(settings.closed(&[]), wanted);
        assert!(settings.closed(&["large/1", "many", "z"]).is_empty());
    }
}
