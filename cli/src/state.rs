//! The folder of runs: their results, and their state when it is kept.

use std::{fs, io, os::unix::fs::DirBuilderExt as _, path::Path};

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
}
