//! A table of one test.

use pipewright_aws::{Clients, Settings, Store, Table};
use pipewright_tests::emulator::Emulator;
use uuid::Uuid;

/// A new table of the emulator.
pub(crate) struct Fresh {
    name: String,
    endpoint: String,
}

impl Fresh {
    pub(crate) async fn new() -> Self {
        let fresh = Self {
            name: format!("pipewright-{}", Uuid::new_v4()),
            endpoint: Emulator::shared().endpoint(),
        };
        let (table, _) = fresh.open();
        table.create().await.expect("the emulator makes it");
        fresh
    }

    /// The same table with clients of its own.
    pub(crate) fn open(&self) -> (Table, Clients) {
        self.open_at(&self.endpoint)
    }

    /// The same table, asked at another address.
    pub(crate) fn open_at(&self, endpoint: &str) -> (Table, Clients) {
        let settings = [
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("AWS_ENDPOINT_URL", endpoint),
            ("AWS_LAMBDA_FUNCTION_NAME", "tests"),
            ("PIPEWRIGHT_TABLE", &self.name),
        ];
        let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let settings = Settings::of(settings);
        let clients = Clients::new(&settings).expect("everything is there");
        let table = Table::of(&clients, &settings).expect("it is named");
        (table, clients)
    }

    /// A store that remembers nothing yet.
    pub(crate) fn store(&self) -> Store {
        Store::new(self.open().0)
    }
}
