//! The newest versions of a bucket as plain files, for people to open.

use std::{
    collections::BTreeSet,
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use ports::{ObjectStore, objects::ObjectError};
use sha2::{Digest, Sha256};

use super::{LIST_MAX, Objects, io_failed, system};

/// How many objects are exported at most.
const EXPORT_OBJECTS_MAX: usize = 200_000;

/// What most file systems take as the name of one file.
const NAME_BYTES_MAX: usize = 255;

/// How much of a name that is too long is kept, and how many digits tell it from others then.
const CUT_BYTES: usize = 200;
const MARK_DIGITS: usize = 12;

/// One object as a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    pub key: String,
    pub path: PathBuf,
    pub size: u64,
}

impl Objects {
    /// Writes the newest version of every key as a file below `folder`, which is made if it is not
    /// there. No key leads out of the folder, and no two keys end in one file.
    pub async fn export(&self, bucket: &str, folder: &Path) -> Result<Vec<Exported>, ObjectError> {
        let doing = || format!("export bucket `{bucket}` to {}", folder.display());
        fs::create_dir_all(folder).map_err(|error| io_failed(doing(), error))?;
        let mut places = Places::default();
        let mut exported: Vec<Exported> = Vec::new();
        loop {
            let after = exported.last().map_or("", |object| object.key.as_str());
            let page = self.list(bucket, "", after, LIST_MAX).await?;
            if page.is_empty() {
                return Ok(exported);
            }
            if exported.len() + page.len() > EXPORT_OBJECTS_MAX {
                let why = format!("it has more than {EXPORT_OBJECTS_MAX} objects");
                return Err(system(doing(), why));
            }
            for object in page {
                let path = places.place(&object.key);
                let to = make_room(folder, &path).map_err(|error| io_failed(doing(), error))?;
                let version = Some(object.version_id.as_str());
                self.get(bucket, &object.key, version, &to).await?;
                let mode = fs::Permissions::from_mode(0o644);
                fs::set_permissions(&to, mode).map_err(|error| io_failed(doing(), error))?;
                exported.push(Exported {
                    key: object.key,
                    path: to,
                    size: object.size,
                });
            }
        }
    }
}

/// Which files and folders are spoken for; `a` and `a/b` are both good keys, but not good files.
#[derive(Default)]
struct Places {
    files: BTreeSet<PathBuf>,
    folders: BTreeSet<PathBuf>,
}

impl Places {
    fn place(&mut self, key: &str) -> PathBuf {
        let mut path: PathBuf = key
            .split('/')
            .filter(|segment| !segment.is_empty())
            .map(file_name)
            .collect();
        let is_taken = path.as_os_str().is_empty()
            || self.files.contains(&path)
            || self.folders.contains(&path)
            || path.ancestors().any(|folder| self.files.contains(folder));
        if is_taken {
            path = PathBuf::from(marked(&key.replace('/', "%2F"), key));
        }
        let parents = path.ancestors().skip(1).map(Path::to_owned);
        self.folders.extend(parents);
        self.files.insert(path.clone());
        path
    }
}

/// One segment of a key as a name that stays where it is put.
fn file_name(segment: &str) -> String {
    let name: String = segment
        .chars()
        .map(|c| if c.is_control() { '_' } else { c })
        .collect();
    if name == "." || name == ".." {
        return "_".repeat(name.len());
    }
    if name.len() > NAME_BYTES_MAX {
        return marked(&name, segment);
    }
    name
}

/// A name cut short, with a mark that only `whole` gives.
fn marked(name: &str, whole: &str) -> String {
    let mut end = name.len().min(CUT_BYTES);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    let digest = hex::encode(Sha256::digest(whole.as_bytes()));
    format!("{}~{}", &name[..end], &digest[..MARK_DIGITS])
}

/// Makes the folders above a file, and refuses to go through a link that somebody put there.
fn make_room(root: &Path, path: &Path) -> io::Result<PathBuf> {
    let mut folder = root.to_owned();
    for segment in path.parent().into_iter().flat_map(Path::components) {
        folder.push(segment);
        match fs::symlink_metadata(&folder) {
            Ok(found) if found.is_dir() => {}
            Ok(_) => {
                let text = format!("{} is in the way", folder.display());
                return Err(io::Error::new(io::ErrorKind::NotADirectory, text));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => fs::create_dir(&folder)?,
            Err(error) => return Err(error),
        }
    }
    Ok(root.join(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_leads_out_of_the_folder_and_no_two_share_a_file() {
        let mut places = Places::default();
        let keys = [
            "../../etc/passwd",
            "/etc/passwd",
            "a",
            "a/b",
            "a//b",
            "x/./y",
            "/",
            "tab\there",
            &"n".repeat(300),
        ];
        let paths: Vec<_> = keys.iter().map(|key| places.place(key)).collect();
        let shown: Vec<_> = paths
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        assert_eq!(shown[..3], ["__/__/etc/passwd", "etc/passwd", "a"]);
        assert!(shown[3].starts_with("a%2Fb~"), "{}", shown[3]);
        assert!(shown[4].starts_with("a%2F%2Fb~"), "{}", shown[4]);
        assert_eq!(shown[5], "x/_/y");
        assert!(shown[6].starts_with("%2F~"));
        assert_eq!(shown[7], "tab_here");
        assert!(shown[8].len() <= NAME_BYTES_MAX);
        assert_eq!(paths.iter().collect::<BTreeSet<_>>().len(), keys.len());
    }

    #[test]
    fn a_link_in_the_way_is_not_followed() {
        let root = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), root.path().join("site")).unwrap();
        let error = make_room(root.path(), Path::new("site/index.html")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotADirectory);
    }
}
