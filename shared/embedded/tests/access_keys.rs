//! The file of access keys passes the contract of every store of them.

use std::{fs, sync::Arc};

use async_trait::async_trait;
use pipewright_embedded::{AccessKeyStore, DataDir};
use ports::{AccessKeys, contract::access_keys::Harness};
use tempfile::TempDir;

struct InFile {
    folder: TempDir,
    keys: AccessKeyStore,
}

impl InFile {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("there is room");
        let data = DataDir::open(folder.path()).expect("nobody else has it");
        let keys = AccessKeyStore::open(&data).expect("it is new");
        Self { folder, keys }
    }
}

#[async_trait]
impl Harness for InFile {
    fn keys(&self) -> Arc<dyn AccessKeys> {
        Arc::new(self.keys.clone())
    }

    /// Goes on with a copy of the files as they are while the store is open: what a crash leaves.
    async fn reopen(&mut self) {
        let left = tempfile::tempdir().expect("there is room");
        for name in ["access.db", "access.db-wal"] {
            fs::copy(self.folder.path().join(name), left.path().join(name)).expect("there is room");
        }
        let data = DataDir::open(left.path()).expect("nobody else has it");
        self.keys = AccessKeyStore::open(&data).expect("it is a database");
        self.folder = left;
    }
}

ports::access_keys_contract!(InFile::new());
