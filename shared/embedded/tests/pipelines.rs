//! SQLite passes the contracts of pipelines, projects and records of builds, in a file and in memory.

use std::{fs, sync::Arc};

use async_trait::async_trait;
use pipewright_embedded::{DataDir, Store};
use ports::{
    BuildRecords, PipelineStore, ProjectRecords, ProjectStore,
    contract::{build_records, pipelines, projects},
};
use tempfile::TempDir;

struct InFile {
    folder: TempDir,
    store: Arc<Store>,
}

impl InFile {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("there is room");
        let data = DataDir::open(folder.path()).expect("nobody else has it");
        let store = Arc::new(Store::open(&data).expect("it is a database"));
        Self { folder, store }
    }
}

#[async_trait]
impl pipelines::Harness for InFile {
    fn store(&self) -> Arc<dyn PipelineStore> {
        Arc::clone(&self.store) as Arc<dyn PipelineStore>
    }

    /// Goes on with a copy of the files as they are while the store is open: what a crash leaves.
    async fn reopen(&mut self) {
        let left = tempfile::tempdir().expect("there is room");
        for name in ["pipewright.db", "pipewright.db-wal"] {
            fs::copy(self.folder.path().join(name), left.path().join(name)).expect("there is room");
        }
        let data = DataDir::open(left.path()).expect("nobody else has it");
        self.store = Arc::new(Store::open(&data).expect("it is a database"));
        self.folder = left;
    }
}

#[async_trait]
impl projects::Harness for InFile {
    fn projects(&self) -> Arc<dyn ProjectStore> {
        Arc::clone(&self.store) as Arc<dyn ProjectStore>
    }

    fn records(&self) -> Arc<dyn ProjectRecords> {
        Arc::clone(&self.store) as Arc<dyn ProjectRecords>
    }

    async fn reopen(&mut self) {
        pipelines::Harness::reopen(self).await;
    }
}

#[async_trait]
impl build_records::Harness for InFile {
    fn builds(&self) -> Arc<dyn BuildRecords> {
        Arc::clone(&self.store) as Arc<dyn BuildRecords>
    }

    async fn reopen(&mut self) {
        pipelines::Harness::reopen(self).await;
    }
}

struct InMemory {
    store: Store,
}

impl InMemory {
    fn new() -> Self {
        let store = Store::in_memory().expect("it needs no file");
        Self { store }
    }
}

#[async_trait]
impl pipelines::Harness for InMemory {
    fn store(&self) -> Arc<dyn PipelineStore> {
        Arc::new(self.store.clone())
    }

    async fn reopen(&mut self) {
        self.store = self.store.clone().crash().expect("it was not closed");
    }
}

#[async_trait]
impl projects::Harness for InMemory {
    fn projects(&self) -> Arc<dyn ProjectStore> {
        Arc::new(self.store.clone())
    }

    fn records(&self) -> Arc<dyn ProjectRecords> {
        Arc::new(self.store.clone())
    }

    async fn reopen(&mut self) {
        pipelines::Harness::reopen(self).await;
    }
}

#[async_trait]
impl build_records::Harness for InMemory {
    fn builds(&self) -> Arc<dyn BuildRecords> {
        Arc::new(self.store.clone())
    }

    async fn reopen(&mut self) {
        pipelines::Harness::reopen(self).await;
    }
}

mod in_a_file {
    use super::InFile;

    ports::pipeline_store_contract!(InFile::new());
    ports::project_store_contract!(InFile::new());
    ports::build_records_contract!(InFile::new());
}

mod in_memory {
    use super::InMemory;

    ports::pipeline_store_contract!(InMemory::new());
    ports::project_store_contract!(InMemory::new());
    ports::build_records_contract!(InMemory::new());
}
