//! The folder of objects passes the contract of every object store.

use std::{path::PathBuf, sync::Arc};

use async_trait::async_trait;
use model::Timestamp;
use pipewright_embedded::Objects;
use ports::{Clock, ObjectStore, contract::objects::Harness};
use tempfile::TempDir;

struct At;

impl Clock for At {
    fn now(&self) -> Timestamp {
        Timestamp(1_700_000_000_000)
    }
}

struct Folder {
    folder: TempDir,
    objects: Objects,
}

impl Folder {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        Self {
            objects: opened(&folder),
            folder,
        }
    }
}

fn opened(folder: &TempDir) -> Objects {
    let folder = folder.path().join("objects");
    Objects::open(&folder, Arc::new(At)).expect("the store can be opened")
}

#[async_trait]
impl Harness for Folder {
    fn store(&self) -> Arc<dyn ObjectStore> {
        Arc::new(self.objects.clone())
    }

    async fn reopen(&mut self) {
        self.objects = opened(&self.folder);
    }

    fn folder(&self) -> PathBuf {
        self.folder.path().to_owned()
    }
}

ports::object_store_contract!(async { Folder::new() });
