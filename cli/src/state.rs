//! The folder of runs: their results, and their state when it is kept.

use std::{fs, io, os::unix::fs::DirBuilderExt as _, path::Path};

use crate::{exit::Exit, failure::Failure};

/// Where state and results are kept when nobody names a directory.
pub const DEFAULT_DIRECTORY: &str = ".pipewright";

/// Makes the folder, for this user alone; nothing happens when it is there.
///
/// A new one keeps itself out of the commits, and so of the sources, of whoever works around it.
pub fn make(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)?;
    fs::write(folder.join(".gitignore"), "*\n")
}

/// As [`make`], for a folder that somebody named.
pub fn make_named(folder: &Path) -> Result<(), Failure> {
    make(folder).map_err(|error| {
        let message = format!(
            "failed to make the data directory `{}`: {error}",
            folder.display()
        );
        Failure::new(exit_of(&error), message).with_help("name a directory of its own: --data DIR")
    })
}

/// What it means that a named folder cannot be had: mostly that another one is to be named.
pub fn exit_of(error: &io::Error) -> Exit {
    match error.kind() {
        io::ErrorKind::NotFound
        | io::ErrorKind::AlreadyExists
        | io::ErrorKind::NotADirectory
        | io::ErrorKind::IsADirectory
        | io::ErrorKind::PermissionDenied
        | io::ErrorKind::ReadOnlyFilesystem
        | io::ErrorKind::InvalidInput
        | io::ErrorKind::InvalidFilename => Exit::Usage,
        // A full disk, or one that fails.
        _ => Exit::Internal,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_new_folder_is_private_and_ignored_and_an_old_one_is_left_alone() {
        let root = tempfile::tempdir().expect("a folder");
        let new = root.path().join("new");
        make(&new).expect("make");
        make(&new).expect("make again");
        assert_eq!(
            fs::metadata(&new).expect("there").permissions().mode() & 0o777,
            0o700
        );
        assert_eq!(
            fs::read_to_string(new.join(".gitignore")).expect("read"),
            "*\n"
        );
        let old = root.path().join("old");
        fs::create_dir(&old).expect("make");
        make(&old).expect("nothing");
        assert_eq!(fs::read_dir(&old).expect("list").count(), 0);
    }

    #[test]
    fn a_folder_that_cannot_be_had_is_named_and_is_no_defect() {
        let root = tempfile::tempdir().expect("a folder");
        let file = root.path().join("file");
        fs::write(&file, "x").expect("write");
        for folder in [file.as_path(), &file.join("in"), Path::new("/proc/pw")] {
            let failure = make_named(folder).expect_err("it cannot be made");
            assert_eq!(failure.exit, Exit::Usage, "{failure}");
            let name = format!("the data directory `{}`", folder.display());
            assert!(failure.to_string().contains(&name), "{failure}");
            assert!(failure.findings[0].help.is_some());
        }
        make_named(&root.path().join("new")).expect("make");
        let full = io::Error::from(io::ErrorKind::StorageFull);
        assert_eq!(exit_of(&full), Exit::Internal);
    }
}
