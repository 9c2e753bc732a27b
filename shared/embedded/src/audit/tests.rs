use std::{fs, path::Path};

use model::Timestamp;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::{ManualClock, SeededRandom};

mod changed;
mod emptied;
mod recovered;
mod written;

const KEY: [u8; 32] = [7; 32];

/// So short that a few records fill a file.
const SHORT_FILE: u64 = 5_000;

fn options(file_bytes_max: u64) -> AuditOptions {
    AuditOptions {
        key: KEY,
        clock: Arc::new(ManualClock::new(Timestamp(1_700_000_000_000))),
        account: Arc::new(Account {
            id: "000000000000".to_owned(),
            region: "us-east-1".to_owned(),
        }),
        file_bytes_max,
    }
}

fn record(name: &str) -> AuditRecord {
    AuditRecord::of_service(Timestamp(0), "000000000000", "us-east-1", name)
}

fn opened(folder: &Path) -> AuditLog {
    let data = DataDir::open(folder).unwrap();
    AuditLog::open(&data, options(SHORT_FILE)).unwrap()
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_time().build().unwrap().block_on(future)
}

/// A trail of so many records that was closed, the first of which it made itself.
fn trail(records: usize) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    append(folder.path(), records);
    folder
}

fn append(folder: &Path, records: usize) {
    let is_new = !directory(folder).exists();
    let log = opened(folder);
    block_on(async {
        for number in usize::from(is_new)..records {
            // Each in a write of its own, so that files end where they may.
            log.record_durably(record(&format!("Event{number}")))
                .await
                .unwrap();
        }
        log.close().await.unwrap();
    });
}

fn verified(folder: &Path) -> Verification {
    verify(&directory(folder), Some(&KEY)).unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    let records = Records::open(&directory(folder)).unwrap();
    let name = |entry: Entry| entry.record["eventName"].as_str().unwrap().to_owned();
    records.filter_map(|entry| entry.ok().map(name)).collect()
}

fn file(folder: &Path, name: &str) -> PathBuf {
    directory(folder).join(name)
}
