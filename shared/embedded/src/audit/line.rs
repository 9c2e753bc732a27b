//! One line of the trail: a record between its number and its hash.

use sha2::{Digest, Sha256};

use super::RECORD_BYTES_MAX;

/// The longest line: a record, and what stands around it.
pub(super) const LINE_BYTES_MAX: usize = RECORD_BYTES_MAX + 256;

pub(super) type Hash = [u8; 32];

/// What stands before the first record.
pub(super) const GENESIS: Link = Link {
    seq: 0,
    hash: [0; 32],
};

/// A record's place in the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) seq: u64,
    pub(super) hash: Hash,
}

/// A line as it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line<'a> {
    pub(super) previous: Hash,
    pub(super) record: &'a [u8],
    pub(super) link: Link,
}

impl Link {
    /// The link that a record makes behind this one.
    pub(super) fn next(self, record: &[u8]) -> Self {
        let seq = self.seq + 1;
        let hash = hash(self.hash, seq, record);
        Self { seq, hash }
    }
}

fn hash(previous: Hash, seq: u64, record: &[u8]) -> Hash {
    let mut digest = Sha256::new();
    digest.update(previous);
    digest.update(seq.to_be_bytes());
    digest.update(record);
    digest.finalize().into()
}

/// Writes the line of a record behind the link `previous`, whose link is `link`.
pub(super) fn write(into: &mut Vec<u8>, previous: Link, record: &[u8], link: Link) {
    into.extend_from_slice(before(previous.hash, link.seq).as_bytes());
    into.extend_from_slice(record);
    into.extend_from_slice(after(link.hash).as_bytes());
    into.push(b'\n');
}

/// Reads a line without its end. There is one way to write a line, so no byte of it can be changed
/// unseen; `None` is a line that was not written so, or whose hash is not its own.
pub(super) fn read(line: &[u8]) -> Option<Line<'_>> {
    let rest = line.strip_prefix(b"{\"seq\":")?;
    let digits = rest.iter().position(|byte| !byte.is_ascii_digit())?;
    let seq: u64 = std::str::from_utf8(&rest[..digits]).ok()?.parse().ok()?;
    let rest = rest[digits..].strip_prefix(b",\"previousHash\":\"")?;
    let previous: Hash = hex::decode(rest.get(..64)?).ok()?.try_into().ok()?;
    let record = line.strip_prefix(before(previous, seq).as_bytes())?;
    let record = record.get(..record.len().checked_sub(after([0; 32]).len())?)?;
    let hash = hash(previous, seq, record);
    line.ends_with(after(hash).as_bytes()).then_some(Line {
        previous,
        record,
        link: Link { seq, hash },
    })
}

fn before(previous: Hash, seq: u64) -> String {
    let previous = hex::encode(previous);
    format!("{{\"seq\":{seq},\"previousHash\":\"{previous}\",\"record\":")
}

fn after(hash: Hash) -> String {
    format!(",\"hash\":\"{}\"}}", hex::encode(hash))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(records: &[&str]) -> Vec<u8> {
        let (mut text, mut previous) = (Vec::new(), GENESIS);
        for record in records {
            let link = previous.next(record.as_bytes());
            write(&mut text, previous, record.as_bytes(), link);
            previous = link;
        }
        text
    }

    #[test]
    fn a_line_is_json_and_is_read_as_it_was_written() {
        let text = lines(&["{\"a\":1}", "{}"]);
        let mut previous = GENESIS;
        for line in text
            .split(|byte| *byte == b'\n')
            .filter(|it| !it.is_empty())
        {
            let json: serde_json::Value = serde_json::from_slice(line).unwrap();
            let read = read(line).unwrap();
            assert_eq!(json["seq"], read.link.seq);
            assert_eq!(read.previous, previous.hash);
            assert_eq!(json["record"].to_string().as_bytes(), read.record);
            previous = read.link;
        }
        assert_eq!(previous.seq, 2);
    }

    #[test]
    fn no_byte_of_a_line_can_be_changed() {
        let text = lines(&["{\"eventName\":\"StartPipelineExecution\"}"]);
        let line = &text[..text.len() - 1];
        assert!(read(line).is_some());
        for at in 0..line.len() {
            for change in [1, 0x20, 0x80] {
                let mut changed = line.to_vec();
                changed[at] ^= change;
                assert_eq!(read(&changed), None, "byte {at}");
            }
            assert_eq!(read(&line[..at]), None);
        }
    }

    #[test]
    fn there_is_one_way_to_write_a_number() {
        let text = String::from_utf8(lines(&["{}"])).unwrap();
        let line = text.trim_end().replace("{\"seq\":1,", "{\"seq\":01,");
        assert_eq!(read(line.as_bytes()), None);
    }
}
