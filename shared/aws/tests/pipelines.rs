//! The table of DynamoDB passes the contract of every store of pipelines; and what only it can do
//! wrong: pages read in the middle of a commit, answers that do not come, items without room.

#[path = "pipelines/crowds.rs"]
mod crowds;
#[path = "pipelines/table.rs"]
mod table;
#[path = "pipelines/trouble.rs"]
mod trouble;

use std::sync::Arc;

use async_trait::async_trait;
use pipewright_aws::Store;
use ports::{PipelineStore, contract::pipelines::Harness};
use table::Fresh;

struct InTable {
    fresh: Fresh,
    store: Arc<Store>,
}

impl InTable {
    async fn new() -> Self {
        let fresh = Fresh::new().await;
        let store = Arc::new(fresh.store());
        Self { fresh, store }
    }
}

#[async_trait]
impl Harness for InTable {
    fn store(&self) -> Arc<dyn PipelineStore> {
        Arc::clone(&self.store) as Arc<dyn PipelineStore>
    }

    /// A function that starts anew knows nothing but the table.
    async fn reopen(&mut self) {
        self.store = Arc::new(self.fresh.store());
    }
}

ports::pipeline_store_contract!(InTable::new().await);
