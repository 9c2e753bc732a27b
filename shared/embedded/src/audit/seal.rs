//! Head and anchors: which record was the last one at some time, signed.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::Path,
};

use hmac::{Hmac, KeyInit, Mac};
use model::Timestamp;
use ports::audit::AuditError;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::line::{Hash, Link};

pub(super) const HEAD: &str = "head";
pub(super) const ANCHORS: &str = "anchors.jsonl";

/// How long the head is, so that writing it over never changes the length of the file; one sector,
/// which disks write as a whole.
const HEAD_BYTES: usize = 512;

/// The longest file of anchors: more than a hundred years of hours.
const ANCHORS_BYTES_MAX: u64 = 512 * 1024 * 1024;

/// How many characters name a key.
const KEY_NAME_LENGTH: usize = 16;

/// The word of whoever had the key that this was the last record then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Seal {
    pub(super) seq: u64,
    /// The record's hash.
    hash: String,
    at: i64,
    /// Which key signed it: a hash of it.
    key: String,
    mac: String,
}

/// What a seal is worth to somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signature {
    Good,
    /// Another key signed it.
    OtherKey,
    Bad,
}

/// What is found where the head should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Head {
    Seal(Seal),
    Missing,
    Unreadable,
}

impl Seal {
    pub(super) fn new(key: &[u8; 32], link: Link, at: Timestamp) -> Self {
        Self {
            seq: link.seq,
            hash: hex::encode(link.hash),
            at: at.0,
            key: key_name(key),
            mac: hex::encode(mac(key, link.seq, &hex::encode(link.hash), at.0)),
        }
    }

    /// The record that it names; no hash is the one of a record if it cannot be read.
    pub(super) fn names(&self, link: Link) -> bool {
        self.seq == link.seq && self.hash == hex::encode(link.hash)
    }

    pub(super) fn check(&self, key: &[u8; 32]) -> Signature {
        if self.key != key_name(key) {
            return Signature::OtherKey;
        }
        let said = hex::decode(&self.mac).unwrap_or_default();
        let wanted = mac(key, self.seq, &self.hash, self.at);
        if bool::from(wanted.as_slice().ct_eq(&said)) {
            Signature::Good
        } else {
            Signature::Bad
        }
    }

    fn line(&self) -> io::Result<String> {
        let json = serde_json::to_string(self).map_err(io::Error::other)?;
        Ok(format!("{json}\n"))
    }
}

fn key_name(key: &[u8; 32]) -> String {
    let mut name = hex::encode(Sha256::digest(key));
    name.truncate(KEY_NAME_LENGTH);
    name
}

fn mac(key: &[u8; 32], seq: u64, hash: &str, at: i64) -> Hash {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length is taken");
    mac.update(&seq.to_be_bytes());
    mac.update(&at.to_be_bytes());
    mac.update(hash.as_bytes());
    mac.finalize().into_bytes().into()
}

/// The head of the trail.
pub(super) fn read_head(directory: &Path) -> io::Result<Head> {
    let mut text = Vec::new();
    match File::open(directory.join(HEAD)) {
        Ok(file) => file.take(HEAD_BYTES as u64 + 1).read_to_end(&mut text)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Head::Missing),
        Err(error) => return Err(error),
    };
    Ok(match serde_json::from_slice(&text) {
        Ok(seal) if text.len() == HEAD_BYTES => Head::Seal(seal),
        Ok(_) | Err(_) => Head::Unreadable,
    })
}

/// Opens the file of the head, for this user alone.
pub(super) fn open_head(directory: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600);
    options.open(directory.join(HEAD))
}

/// Writes the head over the old one. It need not be synced: an older head is true as well.
pub(super) fn write_head(file: &File, seal: &Seal) -> io::Result<()> {
    let line = seal.line()?;
    let padded = format!("{:<1$}\n", line.trim_end(), HEAD_BYTES - 1);
    file.write_all_at(padded.as_bytes(), 0)
}

/// Every anchor that was written, in order. What a crash left of a last one does not count.
pub(super) fn read_anchors(directory: &Path) -> io::Result<Vec<Option<Seal>>> {
    let mut text = Vec::new();
    match File::open(directory.join(ANCHORS)) {
        Ok(file) => file.take(ANCHORS_BYTES_MAX).read_to_end(&mut text)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let whole = text.iter().rposition(|byte| *byte == b'\n');
    let lines = text[..whole.unwrap_or(0)].split(|byte| *byte == b'\n');
    let lines = lines.filter(|_| whole.is_some());
    Ok(lines
        .map(|line| serde_json::from_slice(line).ok())
        .collect())
}

/// Opens the anchors to write behind the last whole one.
pub(super) fn open_anchors(directory: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true).mode(0o600);
    let mut file = options.open(directory.join(ANCHORS))?;
    let length = file.metadata()?.len();
    // An anchor fits in a head.
    let tail_from = length.saturating_sub(HEAD_BYTES as u64);
    file.seek(SeekFrom::Start(tail_from))?;
    let mut tail = Vec::new();
    (&mut file).take(HEAD_BYTES as u64).read_to_end(&mut tail)?;
    let whole = tail.iter().rposition(|byte| *byte == b'\n');
    let whole = whole.map_or(0, |at| at as u64 + 1);
    if tail_from + whole < length && (whole > 0 || tail_from == 0) {
        file.set_len(tail_from + whole)?;
    }
    Ok(file)
}

/// Writes an anchor, which is on disk when this returns.
pub(super) fn write_anchor(file: &mut File, seal: &Seal) -> io::Result<()> {
    file.write_all(seal.line()?.as_bytes())?;
    file.sync_data()
}

/// Signs the head with a new key, and adds an anchor: what is to be done before `new` takes the place
/// of `old`. Nothing happens where there is no trail, or where it was done. A head that `old` did
/// not sign is left alone, and nothing is signed.
pub fn sign_again(
    directory: &Path,
    old: &[u8; 32],
    new: &[u8; 32],
    now: Timestamp,
) -> Result<(), AuditError> {
    let failed = |error: io::Error| {
        AuditError::Unavailable(format!(
            "to sign it again in {}: {error}",
            directory.display()
        ))
    };
    let seal = match read_head(directory).map_err(failed)? {
        Head::Missing => return Ok(()),
        Head::Seal(seal) if seal.check(new) == Signature::Good => return Ok(()),
        Head::Seal(seal) if seal.check(old) == Signature::Good => seal,
        Head::Seal(_) | Head::Unreadable => {
            let why = "its head was not signed with the key that is to be replaced; run \
                       `pipewright audit verify`";
            return Err(AuditError::Unavailable(why.to_owned()));
        }
    };
    let write = || -> io::Result<()> {
        let hash: Option<Hash> = hex::decode(&seal.hash)
            .ok()
            .and_then(|it| it.try_into().ok());
        let hash = hash.ok_or_else(|| io::Error::other("its head names no hash"))?;
        let link = Link {
            seq: seal.seq,
            hash,
        };
        let seal = Seal::new(new, link, now);
        write_anchor(&mut open_anchors(directory)?, &seal)?;
        let head = open_head(directory)?;
        write_head(&head, &seal)?;
        head.sync_all()?;
        File::open(directory)?.sync_all()
    };
    write().map_err(failed)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const LINK: Link = Link {
        seq: 7,
        hash: [3; 32],
    };

    fn seal(key: u8) -> Seal {
        Seal::new(&[key; 32], LINK, Timestamp(5))
    }

    #[test]
    fn a_seal_is_good_for_its_key_alone_and_as_it_was_made() {
        assert_eq!(seal(1).check(&[1; 32]), Signature::Good);
        assert_eq!(seal(1).check(&[2; 32]), Signature::OtherKey);
        let changes: [fn(&mut Seal); 4] = [
            |seal| seal.seq -= 1,
            |seal| seal.hash = "00".repeat(32),
            |seal| seal.at += 1,
            |seal| seal.mac = "no digits".to_owned(),
        ];
        for change in changes {
            let mut changed = seal(1);
            change(&mut changed);
            assert_eq!(changed.check(&[1; 32]), Signature::Bad, "{changed:?}");
        }
    }

    #[test]
    fn the_head_is_written_over_in_place() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read_head(folder.path()).unwrap(), Head::Missing);
        let file = open_head(folder.path()).unwrap();
        assert_eq!(read_head(folder.path()).unwrap(), Head::Unreadable);
        for seq in [u64::MAX, 1] {
            let link = Link { seq, ..LINK };
            let written = Seal::new(&[1; 32], link, Timestamp(i64::MIN));
            write_head(&file, &written).unwrap();
            assert_eq!(read_head(folder.path()).unwrap(), Head::Seal(written));
            assert_eq!(file.metadata().unwrap().len(), HEAD_BYTES as u64);
        }
        file.set_len(100).unwrap();
        assert_eq!(read_head(folder.path()).unwrap(), Head::Unreadable);
    }

    #[test]
    fn what_a_crash_left_of_an_anchor_does_not_count() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read_anchors(folder.path()).unwrap(), []);
        let path = folder.path().join(ANCHORS);
        for torn in ["", "{\"seq\":"] {
            fs::write(&path, torn).unwrap();
            write_anchor(&mut open_anchors(folder.path()).unwrap(), &seal(1)).unwrap();
            assert_eq!(read_anchors(folder.path()).unwrap(), [Some(seal(1))]);
            let text = fs::read_to_string(&path).unwrap();
            fs::write(&path, format!("{text}{torn}")).unwrap();
            assert_eq!(read_anchors(folder.path()).unwrap(), [Some(seal(1))]);
            write_anchor(&mut open_anchors(folder.path()).unwrap(), &seal(2)).unwrap();
            let both = [Some(seal(1)), Some(seal(2))];
            assert_eq!(read_anchors(folder.path()).unwrap(), both);
        }
        fs::write(&path, "nonsense\n").unwrap();
        assert_eq!(read_anchors(folder.path()).unwrap(), [None]);
    }

    #[test]
    fn a_new_key_signs_only_what_the_old_one_did() {
        let folder = tempfile::tempdir().unwrap();
        let again = |old, new| sign_again(folder.path(), &[old; 32], &[new; 32], Timestamp(9));
        again(1, 2).unwrap();
        assert_eq!(read_head(folder.path()).unwrap(), Head::Missing);
        let file = open_head(folder.path()).unwrap();
        assert!(again(1, 2).is_err());
        write_head(&file, &seal(1)).unwrap();
        assert!(
            again(3, 2)
                .unwrap_err()
                .to_string()
                .contains("audit verify")
        );
        for _ in 0..2 {
            again(1, 2).unwrap();
            let Head::Seal(head) = read_head(folder.path()).unwrap() else {
                panic!("it was written");
            };
            assert_eq!(head.check(&[2; 32]), Signature::Good);
            assert!(head.names(LINK));
            assert_eq!(read_anchors(folder.path()).unwrap().len(), 1);
        }
    }
}
