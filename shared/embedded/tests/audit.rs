//! The audit trail in files passes the contract of every audit trail.

use std::{fs, sync::Arc};

use async_trait::async_trait;
use model::Timestamp;
use pipewright_embedded::{
    AuditLog, DataDir, ManualClock,
    audit::{AuditOptions, FILE_BYTES_MAX, Records, directory, verify},
};
use ports::{Account, AuditTrail, contract::audit::Harness};
use serde_json::Value;
use tempfile::TempDir;

const KEY: [u8; 32] = [1; 32];

struct InFiles {
    folder: TempDir,
    log: AuditLog,
}

impl InFiles {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("there is room");
        let log = opened(&folder);
        Self { folder, log }
    }
}

fn opened(folder: &TempDir) -> AuditLog {
    let data = DataDir::open(folder.path()).expect("nobody else has it");
    let options = AuditOptions {
        key: KEY,
        clock: Arc::new(ManualClock::new(Timestamp(1))),
        account: Arc::new(Account {
            id: "000000000000".to_owned(),
            region: "us-east-1".to_owned(),
        }),
        file_bytes_max: FILE_BYTES_MAX,
    };
    AuditLog::open(&data, options).expect("it is a trail")
}

#[async_trait]
impl Harness for InFiles {
    fn trail(&self) -> Arc<dyn AuditTrail> {
        Arc::new(self.log.clone())
    }

    /// Goes on with a copy of the files as they are while the trail is open: what a crash leaves.
    async fn reopen(&mut self) {
        let left = tempfile::tempdir().expect("there is room");
        fs::create_dir(directory(left.path())).expect("there is room");
        for entry in fs::read_dir(directory(self.folder.path())).expect("it is there") {
            let entry = entry.expect("it is there");
            let to = directory(left.path()).join(entry.file_name());
            fs::copy(entry.path(), to).expect("there is room");
        }
        self.log = opened(&left);
        self.folder = left;
    }

    fn records(&self) -> Vec<Value> {
        let folder = directory(self.folder.path());
        let found = verify(&folder, Some(&KEY)).expect("it is there");
        assert_eq!(found.wrong, []);
        let records = Records::open(&folder).expect("it is there");
        let records = records.map(|entry| entry.expect("it is a record").record);
        records
            .filter(|record| {
                let name = record["eventName"].as_str();
                !name.is_some_and(|name| name.starts_with("AuditTrail"))
            })
            .collect()
    }
}

ports::audit_trail_contract!(InFiles::new());
