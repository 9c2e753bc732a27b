//! The master key: 32 bytes in a file of their own, from which every other key of this installation
//! is derived. Whoever copies a database without this file has no secret and cannot sign.
//!
//! A new key is staged beside the old one, everything that the old one sealed is sealed again, and
//! then the new one takes its place. A crash on the way leaves both, and the way is gone again.

use std::{
    fmt, fs,
    fs::{File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use hmac::{Hmac, KeyInit, Mac};
use ports::Random;
use sha2::Sha256;
use thiserror::Error;

use crate::data_dir::{self, DataDir};

/// How many bytes the key has.
pub const MASTER_KEY_BYTES: usize = 32;

/// The permission bits of a file that others than its owner could read or change.
const OTHERS: u32 = 0o077;

/// What a key is derived for; no two purposes share a key.
const ACCESS_KEYS: &str = "pipewright access keys";
const AUDIT: &str = "pipewright audit trail";

/// The master key of one data directory. It is never printed.
#[derive(Clone)]
pub struct MasterKey {
    bytes: [u8; MASTER_KEY_BYTES],
}

#[derive(Debug, Error)]
pub enum MasterKeyError {
    #[error("failed to read the master key in `{}`", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("failed to write the master key in `{}`", path.display())]
    Write {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error(
        "the master key in `{0}` can be read by others: run `chmod 600 {0}`, and give out new \
         access keys if somebody could have read it", path.display()
    )]
    Exposed { path: PathBuf },
    #[error(
        "`{}` is no master key: it must be {MASTER_KEY_BYTES} bytes as hexadecimal digits; put the \
         file back from a backup", path.display()
    )]
    Malformed { path: PathBuf },
    /// A new master key would make everything unreadable that the lost one sealed.
    #[error(
        "the master key `{}` is missing, and there are access keys that it sealed; put the file \
         back from a backup, or remove `{}` and give out new access keys",
        path.display(), sealed.display()
    )]
    Lost { path: PathBuf, sealed: PathBuf },
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(****)")
    }
}

impl MasterKey {
    /// The key of the data directory, made when there is none and nothing that one had sealed.
    pub fn open(data: &DataDir, random: &dyn Random) -> Result<Self, MasterKeyError> {
        let path = data.master_key();
        if let Some(key) = read(&path)? {
            return Ok(key);
        }
        let sealed = data.access_keys();
        if sealed.exists() {
            return Err(MasterKeyError::Lost { path, sealed });
        }
        let key = Self::new(random);
        key.put_in(&path)?;
        Ok(key)
    }

    /// The key of a data directory that another process may hold, or of a copy of one; none where
    /// there is no file of it. Nothing is written.
    pub fn read(directory: &Path) -> Result<Option<Self>, MasterKeyError> {
        read(&directory.join(data_dir::MASTER_KEY))
    }

    /// Makes a key that is to follow, and keeps it beside the present one; the same one again, if
    /// an earlier process did not come to [`MasterKey::promote`].
    pub fn stage(data: &DataDir, random: &dyn Random) -> Result<Self, MasterKeyError> {
        if let Some(staged) = Self::staged(data)? {
            return Ok(staged);
        }
        let key = Self::new(random);
        key.put_in(&staged_path(data))?;
        Ok(key)
    }

    /// The key that is to follow, if there is one: what it is for was not finished.
    pub fn staged(data: &DataDir) -> Result<Option<Self>, MasterKeyError> {
        read(&staged_path(data))
    }

    /// Puts the staged key in the place of the present one, which nothing may need any more.
    pub fn promote(data: &DataDir) -> Result<(), MasterKeyError> {
        let (from, path) = (staged_path(data), data.master_key());
        let moved = fs::rename(from, &path).and_then(|()| sync_folder(data.path()));
        moved.map_err(|source| MasterKeyError::Write { path, source })
    }

    fn new(random: &dyn Random) -> Self {
        let mut bytes = [0; MASTER_KEY_BYTES];
        random.fill(&mut bytes);
        Self { bytes }
    }

    /// The key that seals the secrets of access keys.
    pub fn for_access_keys(&self) -> [u8; 32] {
        self.derive(ACCESS_KEYS)
    }

    /// The key that signs the audit trail.
    pub fn for_audit(&self) -> [u8; 32] {
        self.derive(AUDIT)
    }

    /// The key for a purpose, named by a text that nothing else uses.
    pub fn derive(&self, purpose: &str) -> [u8; 32] {
        mac(&self.bytes, purpose)
    }

    /// Writes the key where nothing is yet: the whole of it or, after a crash, nothing.
    fn put_in(&self, path: &Path) -> Result<(), MasterKeyError> {
        let write = || -> io::Result<()> {
            let new = path.with_extension("tmp");
            let mut file = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&new)?;
            writeln!(file, "{}", hex::encode(self.bytes))?;
            file.sync_all()?;
            fs::rename(&new, path)?;
            sync_folder(path.parent().unwrap_or(Path::new("/")))
        };
        write().map_err(|source| MasterKeyError::Write {
            path: path.to_owned(),
            source,
        })
    }
}

fn mac(key: &[u8], purpose: &str) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length is taken");
    mac.update(purpose.as_bytes());
    mac.finalize().into_bytes().into()
}

fn staged_path(data: &DataDir) -> PathBuf {
    data.master_key().with_extension("key.next")
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// The key in a file, which only its owner may be able to read.
fn read(path: &Path) -> Result<Option<MasterKey>, MasterKeyError> {
    let failed = |source| MasterKeyError::Read {
        path: path.to_owned(),
        source,
    };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    if file.metadata().map_err(failed)?.mode() & OTHERS != 0 {
        return Err(MasterKeyError::Exposed {
            path: path.to_owned(),
        });
    }
    // Two digits a byte, the end of the line, and one more that must not be there.
    let most = 2 * MASTER_KEY_BYTES as u64 + 2;
    let mut text = Vec::new();
    file.take(most).read_to_end(&mut text).map_err(failed)?;
    let bytes = hex::decode(text.trim_ascii_end()).ok();
    match bytes.and_then(|bytes| bytes.try_into().ok()) {
        Some(bytes) => Ok(Some(MasterKey { bytes })),
        None => Err(MasterKeyError::Malformed {
            path: path.to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::{OsRandom, SeededRandom};

    fn data() -> (tempfile::TempDir, DataDir) {
        let folder = tempfile::tempdir().unwrap();
        let data = DataDir::open(folder.path()).unwrap();
        (folder, data)
    }

    #[test]
    fn a_key_is_made_once_for_this_user_alone() {
        let (_folder, data) = data();
        assert!(MasterKey::read(data.path()).unwrap().is_none());
        let made = MasterKey::open(&data, &OsRandom).unwrap();
        let mode = fs::metadata(data.master_key())
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        let again = MasterKey::open(&data, &OsRandom).unwrap();
        let read = MasterKey::read(data.path()).unwrap().unwrap();
        assert_eq!(made.bytes, again.bytes);
        assert_eq!(made.bytes, read.bytes);
        assert_eq!(format!("{made:?}"), "MasterKey(****)");
    }

    #[test]
    fn each_purpose_has_a_key_of_its_own() {
        let key = MasterKey::new(&SeededRandom::new(1));
        let all = [key.for_access_keys(), key.for_audit(), key.bytes];
        assert_ne!(all[0], all[1]);
        assert_ne!(all[0], all[2]);
        assert_ne!(all[1], all[2]);
        assert_eq!(key.for_audit(), key.for_audit());
    }

    #[test]
    fn a_file_that_others_can_read_is_refused_with_the_fix() {
        let (_folder, data) = data();
        MasterKey::open(&data, &OsRandom).unwrap();
        for mode in [0o640, 0o604, 0o620] {
            let permissions = fs::Permissions::from_mode(mode);
            fs::set_permissions(data.master_key(), permissions).unwrap();
            let error = MasterKey::open(&data, &OsRandom).unwrap_err();
            assert!(matches!(error, MasterKeyError::Exposed { .. }));
            assert!(error.to_string().contains("chmod 600"), "{error}");
        }
    }

    #[test]
    fn a_file_that_is_no_key_is_refused_and_left_alone() {
        let (_folder, data) = data();
        let good = "0".repeat(2 * MASTER_KEY_BYTES);
        for text in ["", "00", "zz", &format!("{good}0"), &format!("{good}00\n")] {
            fs::write(data.master_key(), text).unwrap();
            let permissions = fs::Permissions::from_mode(0o600);
            fs::set_permissions(data.master_key(), permissions).unwrap();
            let error = MasterKey::open(&data, &OsRandom).unwrap_err();
            assert!(matches!(error, MasterKeyError::Malformed { .. }), "{text}");
            assert_eq!(fs::read_to_string(data.master_key()).unwrap(), text);
        }
    }

    #[test]
    fn a_lost_key_is_not_replaced_silently() {
        let (_folder, data) = data();
        fs::write(data.access_keys(), "sealed").unwrap();
        let error = MasterKey::open(&data, &OsRandom).unwrap_err();
        assert!(matches!(error, MasterKeyError::Lost { .. }));
        assert!(!data.master_key().exists());
    }

    #[test]
    fn a_folder_in_the_way_is_an_error_that_names_it() {
        let (_folder, data) = data();
        fs::create_dir(data.master_key()).unwrap();
        fs::set_permissions(data.master_key(), fs::Permissions::from_mode(0o700)).unwrap();
        let error = MasterKey::open(&data, &OsRandom).unwrap_err();
        assert!(matches!(error, MasterKeyError::Read { .. }));
        fs::remove_dir(data.master_key()).unwrap();
        fs::create_dir(data.path().join("master.tmp")).unwrap();
        let error = MasterKey::open(&data, &OsRandom).unwrap_err();
        assert!(matches!(error, MasterKeyError::Write { .. }));
    }

    #[test]
    fn a_staged_key_waits_until_it_is_promoted() {
        let (_folder, data) = data();
        let first = MasterKey::open(&data, &OsRandom).unwrap();
        assert!(MasterKey::staged(&data).unwrap().is_none());
        let next = MasterKey::stage(&data, &OsRandom).unwrap();
        assert_eq!(
            MasterKey::stage(&data, &OsRandom).unwrap().bytes,
            next.bytes
        );
        assert_eq!(
            MasterKey::open(&data, &OsRandom).unwrap().bytes,
            first.bytes
        );
        MasterKey::promote(&data).unwrap();
        assert_eq!(MasterKey::open(&data, &OsRandom).unwrap().bytes, next.bytes);
        assert!(MasterKey::staged(&data).unwrap().is_none());
        let error = MasterKey::promote(&data).unwrap_err();
        assert!(matches!(error, MasterKeyError::Write { .. }));
    }
}
