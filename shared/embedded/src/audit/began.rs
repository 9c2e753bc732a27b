//! How a trail begins: with a record of its own, so that one that was emptied is not a new one.

use std::path::Path;

use model::Timestamp;
use ports::{Account, audit::AuditRecord};
use serde_json::{Value, json};

use crate::data_dir;

/// The name of the first record.
pub(super) const EVENT: &str = "AuditTrailBegan";

/// Whether a server has used the data directory around a trail. The access keys are what tells: a
/// server makes their file after the first record of its trail is surely on disk.
pub(super) fn was_in_use(directory: &Path) -> bool {
    directory
        .with_file_name(data_dir::ACCESS_KEYS)
        .symlink_metadata()
        .is_ok()
}

/// The first record; `is_first_start` is false where another trail must have been before.
pub(super) fn record(is_first_start: bool, now: Timestamp, account: &Account) -> AuditRecord {
    let mut record = AuditRecord::of_service(now, &account.id, &account.region, EVENT);
    record.additional = json!({"firstStart": is_first_start});
    record
}

/// What the first record tells of a loss.
pub(super) fn told(record: &[u8]) -> Option<String> {
    let record: Value = serde_json::from_slice(record).ok()?;
    if record["eventName"] != EVENT || record["eventType"] != "AwsServiceEvent" {
        return None;
    }
    if record["additionalEventData"]["firstStart"] != false {
        return None;
    }
    let at = record["eventTime"].as_str().unwrap_or("an unknown day");
    Some(format!(
        "the trail began anew at {at} although the server had been in use: what came before is gone"
    ))
}
