//! What rows hold: their numbers, the lists in them, their JSON.

use std::sync::Arc;

use model::{AttemptKey, Change, ExecutionId, Job, effect::ApprovalRequest};
use ports::{StoreError, store::Audit};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use uuid::Uuid;

use super::database::corrupt;

/// The most bytes of one item: what DynamoDB takes, so that both stores refuse the same.
pub const ITEM_BYTES_MAX: usize = 400 * 1024;

/// The most bytes of a pipeline's head, which every commit writes.
pub const HEAD_BYTES_MAX: usize = 64 * 1024;

/// The most bytes of a journal row: it repeats the output of every action that ended in the commit.
pub const JOURNAL_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The most attempts that one commit begins: DynamoDB takes 100 items in a transaction.
pub const BEGUN_MAX: usize = 100;

/// How many bits of an action's row number tell its place in the commit.
const PLACE_BITS: u32 = 8;

/// The number of a row that belongs to a pipeline.
pub(super) fn in_pipeline(pipeline: u32, item: u32) -> u64 {
    (u64::from(pipeline) << u32::BITS) | u64::from(item)
}

/// The pipeline that the row of this number belongs to.
pub(super) fn pipeline_of(number: u64) -> u64 {
    number >> u32::BITS
}

/// The number of the row of an attempt: its commit, and its place among the attempts that began.
pub(super) fn in_commit(commit: u64, place: usize) -> u64 {
    (commit << PLACE_BITS) | u64::try_from(place).unwrap_or(u64::MAX)
}

/// An attempt, as its execution's row lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Attempt {
    /// Its row in `action`.
    pub(super) row: u64,
    /// A worker has its job to do.
    pub(super) is_open: bool,
    /// Its output variables are part of the execution's state.
    pub(super) has_outputs: bool,
}

const IS_OPEN: u64 = 0b01;
const HAS_OUTPUTS: u64 = 0b10;
const FLAG_BITS: u32 = 2;

pub(super) fn write_attempts(attempts: impl Iterator<Item = Attempt>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(attempts.size_hint().0 * size_of::<u64>());
    for attempt in attempts {
        let open = if attempt.is_open { IS_OPEN } else { 0 };
        let outputs = if attempt.has_outputs { HAS_OUTPUTS } else { 0 };
        let word = (attempt.row << FLAG_BITS) | open | outputs;
        bytes.extend_from_slice(&word.to_le_bytes());
    }
    bytes
}

pub(super) fn read_attempts(bytes: &[u8]) -> Result<Vec<Attempt>, StoreError> {
    let (words, rest) = bytes.as_chunks();
    if !rest.is_empty() {
        return Err(corrupt("list of attempts", "its length is odd"));
    }
    let attempt = |word: &[u8; size_of::<u64>()]| {
        let word = u64::from_le_bytes(*word);
        Attempt {
            row: word >> FLAG_BITS,
            is_open: word & IS_OPEN != 0,
            has_outputs: word & HAS_OUTPUTS != 0,
        }
    };
    Ok(words.iter().map(attempt).collect())
}

pub(super) fn write_sequences(sequences: impl Iterator<Item = u32>) -> Vec<u8> {
    sequences.flat_map(u32::to_le_bytes).collect()
}

pub(super) fn read_sequences(bytes: &[u8]) -> Result<Vec<u32>, StoreError> {
    let (words, rest) = bytes.as_chunks();
    if !rest.is_empty() {
        return Err(corrupt("list of live executions", "its length is odd"));
    }
    Ok(words.iter().map(|word| u32::from_le_bytes(*word)).collect())
}

/// A journal row's entry.
#[derive(Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) audit: Audit,
    #[serde(with = "super::changes")]
    pub(super) changes: Vec<Change>,
}

/// What a commit ordered, as the journal keeps it.
#[derive(Serialize, Deserialize)]
pub(super) enum Order {
    /// The job of the attempt at this place among those that the commit began.
    #[serde(rename = "j")]
    Begun(usize),
    /// A job that began earlier.
    #[serde(rename = "J")]
    Job(Arc<Job>),
    #[serde(rename = "x")]
    Cancel(AttemptKey),
    #[serde(rename = "a")]
    Ask(ApprovalRequest),
    /// The next one of the entry's changes.
    #[serde(rename = "c")]
    Change,
}

pub(super) fn encoded<T: Serialize + ?Sized>(
    value: &T,
    what: impl Fn() -> String,
    limit: usize,
) -> Result<Vec<u8>, StoreError> {
    let bytes = serde_json::to_vec(value).map_err(|error| corrupt(what(), error))?;
    if bytes.len() > limit {
        return Err(StoreError::TooLarge {
            what: what(),
            bytes: bytes.len(),
            limit,
        });
    }
    Ok(bytes)
}

pub(super) fn decoded<T: DeserializeOwned>(
    bytes: &[u8],
    what: impl FnOnce() -> String,
) -> Result<T, StoreError> {
    serde_json::from_slice(bytes).map_err(|error| corrupt(what(), error))
}

pub(super) fn of_execution(id: ExecutionId) -> impl Fn() -> String {
    move || format!("execution {id}")
}

pub(super) fn of_attempt(id: Uuid) -> impl Fn() -> String {
    move || format!("action execution {id}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_as_they_were_written() {
        let attempts = [
            (1, true, false),
            (in_commit(9, 3), false, true),
            (77, false, false),
        ];
        let attempts = attempts.map(|(row, is_open, has_outputs)| Attempt {
            row,
            is_open,
            has_outputs,
        });
        let bytes = write_attempts(attempts.into_iter());
        assert_eq!(read_attempts(&bytes).unwrap(), attempts);
        let bytes = write_sequences([1, 300, u32::MAX].into_iter());
        assert_eq!(read_sequences(&bytes).unwrap(), [1, 300, u32::MAX]);
    }

    #[test]
    fn a_list_that_was_cut_is_corrupt() {
        assert!(matches!(
            read_attempts(&[0; 9]),
            Err(StoreError::Corrupt { .. })
        ));
        assert!(matches!(
            read_sequences(&[0; 3]),
            Err(StoreError::Corrupt { .. })
        ));
    }

    #[test]
    fn a_number_tells_the_pipeline_of_its_row() {
        assert_eq!(pipeline_of(in_pipeline(7, u32::MAX)), 7);
        assert!(in_pipeline(7, u32::MAX) < in_pipeline(8, 0));
        assert!(in_commit(7, BEGUN_MAX) < in_commit(8, 0));
    }

    #[test]
    fn what_is_too_large_is_refused_by_name() {
        let error = encoded("12345678", || "text".to_owned(), 9).unwrap_err();
        assert_eq!(
            error.to_string(),
            "text takes 10 bytes, and the most is 9".to_owned()
        );
    }
}
