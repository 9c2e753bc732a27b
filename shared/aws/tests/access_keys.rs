//! Access keys in the table pass the contract of every store of them.

use std::sync::Arc;

use async_trait::async_trait;
use pipewright_aws::{AccessKeyStore, Clients, Settings, SystemClock, Table};
use pipewright_tests::emulator::Emulator;
use ports::{AccessKeys, contract::access_keys::Harness};
use uuid::Uuid;

struct InTable {
    table: Table,
}

impl InTable {
    async fn new() -> Self {
        let settings = Settings::of(
            [
                ("AWS_REGION", "us-east-1"),
                ("AWS_ACCESS_KEY_ID", "test"),
                ("AWS_SECRET_ACCESS_KEY", "test"),
                ("AWS_ENDPOINT_URL", &Emulator::shared().endpoint()),
                ("PIPEWRIGHT_TABLE", &format!("keys-{}", Uuid::new_v4())),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned())),
        );
        let clients = Clients::new(&settings).expect("everything is there");
        let table = Table::of(&clients, &settings).expect("it is named");
        table.create().await.expect("the emulator makes it");
        Self { table }
    }
}

#[async_trait]
impl Harness for InTable {
    fn keys(&self) -> Arc<dyn AccessKeys> {
        Arc::new(AccessKeyStore::new(
            self.table.clone(),
            Arc::new(SystemClock),
        ))
    }

    /// Nothing of the store is kept anywhere but in the table.
    async fn reopen(&mut self) {}
}

ports::access_keys_contract!(InTable::new().await);

#[tokio::test]
async fn there_is_no_key_of_a_name_that_the_table_does_not_take() {
    let keys = InTable::new().await.keys();
    for id in ["", &"x".repeat(2_000)] {
        assert_eq!(keys.get(id).await.expect("the store reads"), None);
    }
}
