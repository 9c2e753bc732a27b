//! What a build in bubblewrap sees of this machine's files: the system and the toolchains, to
//! read. What is not listed here is not there.

use std::{
    collections::BTreeSet,
    fs,
    path::{Component, Path, PathBuf},
};

use rustix::process::geteuid;

use super::{Ambient, closed};

/// Where systems keep programs, libraries and their settings.
const SYSTEM: &[&str] = &[
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/etc",
    "/opt",
    "/nix",
    "/gnu",
    "/snap",
    "/sys",
    "/var/lib/dpkg",
];

/// What is in [`SYSTEM`] and yet no build's business, whoever may read it.
const SYSTEM_SECRETS: &[&str] = &[
    "/etc/sudoers.d",
    "/etc/ssh",
    "/etc/ssl/private",
    "/etc/kubernetes",
    "/etc/docker",
];

/// Where settings lie that are for some users' eyes only.
const SETTINGS: &[&str] = &["/etc", "/opt"];

/// Where toolchains live below a home directory. Everything else there stays out of sight: keys,
/// tokens, settings, the credentials of cargo, other projects.
const TOOLCHAINS: &[&str] = &[
    ".asdf",
    ".bun/bin",
    ".cargo/bin",
    ".deno/bin",
    ".dotnet",
    ".elan",
    ".ghcup",
    ".goenv",
    ".jenv",
    ".juliaup",
    ".linuxbrew",
    ".local/bin",
    ".local/lib",
    ".local/share/fnm",
    ".local/share/mise",
    ".local/share/pipx",
    ".local/share/pnpm",
    ".local/share/uv",
    ".nix-profile",
    ".nodenv",
    ".nvm",
    ".opam",
    ".pyenv",
    ".rbenv",
    ".rustup",
    ".sdkman",
    ".swiftly",
    ".volta",
    "go/bin",
    "sdk",
];

/// Directories of which only `bin` belongs to a toolchain.
const ONLY_BIN_OF: &[&str] = &[".cargo", ".local"];

/// Where a sandbox has mounts of its own: nothing of the machine is shown below them.
const OWN: &[&str] = &[
    "/proc",
    "/dev",
    "/tmp",
    "/run",
    "/var/tmp",
    "/var/run",
    super::ROOM,
    "/pipewright",
];

/// One thing to mount, in this order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Mount {
    /// The directory or file, under its own name, to read.
    ReadOnly(PathBuf),
    Symlink {
        target: PathBuf,
        at: PathBuf,
    },
    /// An empty directory over one that is there.
    HideDirectory(PathBuf),
    /// A device that cannot be opened over a file that is there.
    HideFile(PathBuf),
}

/// What is mounted, of this machine as it is now.
pub(crate) fn mounts(ambient: &Ambient, hidden: &[PathBuf]) -> Vec<Mount> {
    mounts_beside(OWN, ambient, hidden)
}

fn mounts_beside(own: &[&str], ambient: &Ambient, hidden: &[PathBuf]) -> Vec<Mount> {
    let mut mounts = Vec::new();
    let mut shown = BTreeSet::new();
    for path in SYSTEM.iter().map(Path::new) {
        match fs::symlink_metadata(path) {
            Ok(metadata) if metadata.is_symlink() => {
                if let Ok(target) = fs::read_link(path) {
                    shown.insert(path.to_owned());
                    mounts.push(Mount::Symlink {
                        target,
                        at: path.to_owned(),
                    });
                }
            }
            Ok(_) => show(path.to_owned(), &mut shown, &mut mounts),
            Err(_) => {}
        }
    }
    // The name server's address is often in a file below /run, which is not shown.
    if let Ok(resolver) = fs::canonicalize("/etc/resolv.conf") {
        show(resolver, &mut shown, &mut mounts);
    }
    let toolchains = toolchains(own, ambient);
    for path in &toolchains {
        show(path.clone(), &mut shown, &mut mounts);
    }
    let mut secrets: Vec<PathBuf> = SYSTEM_SECRETS.iter().map(PathBuf::from).collect();
    if geteuid().is_root() {
        let settings = SETTINGS.iter().map(Path::new);
        secrets.extend(settings.flat_map(|path| closed::to_others(path, &toolchains)));
    }
    for path in secrets.into_iter().chain(hidden.iter().cloned()) {
        hide(&path, &shown, &mut mounts);
    }
    mounts
}

fn show(path: PathBuf, shown: &mut BTreeSet<PathBuf>, mounts: &mut Vec<Mount>) {
    if !is_below_one(&path, shown) {
        shown.insert(path.clone());
        mounts.push(Mount::ReadOnly(path));
    }
}

fn hide(path: &Path, shown: &BTreeSet<PathBuf>, mounts: &mut Vec<Mount>) {
    // The real name and the one that was given may both be visible.
    let real = fs::canonicalize(path).ok();
    for path in real.into_iter().chain([path.to_owned()]) {
        if !is_below_one(&path, shown) {
            continue;
        }
        let mount = match fs::symlink_metadata(&path) {
            Ok(metadata) if metadata.is_dir() => Mount::HideDirectory(path),
            Ok(metadata) if metadata.is_file() => Mount::HideFile(path),
            // A symlink's target is hidden under its own name.
            Ok(_) | Err(_) => continue,
        };
        if !mounts.contains(&mount) {
            mounts.push(mount);
        }
    }
}

fn is_below_one(path: &Path, shown: &BTreeSet<PathBuf>) -> bool {
    path.ancestors().any(|ancestor| shown.contains(ancestor))
}

fn toolchains(own: &[&str], ambient: &Ambient) -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> = ambient.rustup_home.iter().cloned().collect();
    if let Some(home) = &ambient.home {
        all.extend(TOOLCHAINS.iter().map(|below| home.join(below)));
    }
    all.extend(
        std::env::split_paths(&ambient.path)
            .filter(|path| is_plain(own, path))
            .map(|path| prefix(&path, ambient.home.as_deref()).unwrap_or(path)),
    );
    all.retain(|path| path.is_dir() && is_plain(own, path));
    all
}

/// An absolute path below the root, without `..`, and outside of the sandbox's own mounts.
fn is_plain(own: &[&str], path: &Path) -> bool {
    path.is_absolute()
        && path.parent().is_some()
        && path.components().all(|c| c != Component::ParentDir)
        && !own.iter().any(|own| path.starts_with(own))
}

/// The toolchain around a directory of programs: `/data/jdk` for `/data/jdk/bin`.
fn prefix(programs: &Path, home: Option<&Path>) -> Option<PathBuf> {
    let prefix = programs.parent().filter(|_| programs.ends_with("bin"))?;
    let is_top = prefix.components().count() <= 2;
    let is_around_home = home.is_some_and(|home| home.starts_with(prefix));
    let is_only_bin = ONLY_BIN_OF.iter().any(|name| prefix.ends_with(name));
    // A checkout with a `bin` of its own is somebody's project, not a toolchain.
    let is_checkout = prefix.join(".git").exists();
    (!is_top && !is_around_home && !is_only_bin && !is_checkout).then(|| prefix.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home() -> (tempfile::TempDir, Ambient) {
        let directory = tempfile::tempdir().unwrap();
        let home = directory.path().join("home/ann");
        for name in [
            ".ssh",
            ".aws",
            ".config",
            ".cargo/bin",
            ".rustup",
            ".local/bin",
            ".local/share/keyrings",
            "tools/jdk/bin",
            "project/bin",
            "project/.git",
            "bin",
            "data",
        ] {
            fs::create_dir_all(home.join(name)).unwrap();
        }
        fs::write(home.join("tools/jdk/token"), "x").unwrap();
        let path = [
            "bin",
            ".cargo/bin",
            ".local/bin",
            "tools/jdk/bin",
            "project/bin",
            ".ssh/..",
        ]
        .iter()
        .map(|below| home.join(below));
        let ambient = Ambient {
            path: std::env::join_paths(path).unwrap(),
            home: Some(home),
            ..Ambient::default()
        };
        (directory, ambient)
    }

    /// As [`mounts`], where the test's temporary directory is none of the sandbox's own mounts.
    fn mounts_of_test(ambient: &Ambient, hidden: &[PathBuf]) -> Vec<Mount> {
        mounts_beside(&["/proc", "/dev"], ambient, hidden)
    }

    fn shown_below(ambient: &Ambient, mounts: &[Mount]) -> Vec<String> {
        let home = ambient.home.as_deref().unwrap();
        let below = |mount: &Mount| match mount {
            Mount::ReadOnly(path) => {
                assert!(!home.starts_with(path), "{} is around home", path.display());
                path.strip_prefix(home)
                    .ok()
                    .map(|p| p.display().to_string())
            }
            Mount::Symlink { .. } | Mount::HideDirectory(_) | Mount::HideFile(_) => None,
        };
        mounts.iter().filter_map(below).collect()
    }

    #[test]
    fn of_a_home_directory_only_the_toolchains_are_visible() {
        let (_directory, ambient) = home();
        let shown = shown_below(&ambient, &mounts_of_test(&ambient, &[]));
        let wanted = [
            ".cargo/bin",
            ".local/bin",
            ".rustup",
            "bin",
            "tools/jdk",
            "project/bin",
        ];
        assert_eq!(shown, wanted);
    }

    #[test]
    fn what_is_hidden_is_hidden_even_in_a_visible_place() {
        let (_directory, ambient) = home();
        let home = ambient.home.clone().unwrap();
        let hidden = [
            home.join("tools/jdk/bin"),
            home.join("tools/jdk/token"),
            home.join("data"),
            home.join("absent"),
        ];
        let mounts = mounts_of_test(&ambient, &hidden);
        assert!(mounts.contains(&Mount::HideDirectory(hidden[0].clone())));
        assert!(mounts.contains(&Mount::HideFile(hidden[1].clone())));
        let last = mounts.last().unwrap();
        assert_eq!(
            *last,
            Mount::HideFile(hidden[1].clone()),
            "the rest is out of sight anyway"
        );
    }

    #[test]
    fn nothing_is_shown_below_a_mount_of_the_sandboxes_own() {
        let (directory, ambient) = home();
        let own = directory.path().to_str().unwrap();
        let mounts = mounts_beside(&[own], &ambient, &[]);
        assert_eq!(shown_below(&ambient, &mounts), [""; 0]);
    }

    #[test]
    fn what_the_system_shows_already_is_not_mounted_again() {
        let ambient = Ambient {
            path: "/bin:/usr/bin:/usr/local/bin".into(),
            ..Ambient::default()
        };
        assert_eq!(mounts(&ambient, &[]), mounts(&Ambient::default(), &[]));
    }

    #[test]
    fn a_directory_of_programs_stands_for_its_toolchain_unless_it_is_more_than_that() {
        let of = |path: &str| prefix(Path::new(path), Some(Path::new("/home/ann")));
        assert_eq!(of("/data/jdk/bin"), Some("/data/jdk".into()));
        assert_eq!(of("/home/ann/bin"), None);
        assert_eq!(of("/home/ann/.cargo/bin"), None);
        assert_eq!(of("/data/bin"), None);
        assert_eq!(of("/data/jdk/programs"), None);
    }
}
