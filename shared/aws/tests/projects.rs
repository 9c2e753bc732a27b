//! Projects in the table pass the contract of every store of them.

use std::sync::Arc;

use async_trait::async_trait;
use pipewright_aws::{Clients, Projects, Settings, Table};
use pipewright_tests::emulator::Emulator;
use ports::{
    ProjectRecords, ProjectStore,
    contract::projects::Harness,
    projects::{CreateProjectError, ProjectRecord},
};
use uuid::Uuid;

struct InTable {
    projects: Arc<Projects>,
}

impl InTable {
    async fn new() -> Self {
        let settings = Settings::of(
            [
                ("AWS_REGION", "us-east-1"),
                ("AWS_ACCESS_KEY_ID", "test"),
                ("AWS_SECRET_ACCESS_KEY", "test"),
                ("AWS_ENDPOINT_URL", &Emulator::shared().endpoint()),
                ("PIPEWRIGHT_TABLE", &format!("projects-{}", Uuid::new_v4())),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned())),
        );
        let clients = Clients::new(&settings).expect("everything is there");
        let table = Table::of(&clients, &settings).expect("it is named");
        table.create().await.expect("the emulator makes it");
        Self {
            projects: Arc::new(Projects::new(table)),
        }
    }
}

#[async_trait]
impl Harness for InTable {
    fn projects(&self) -> Arc<dyn ProjectStore> {
        Arc::clone(&self.projects) as Arc<dyn ProjectStore>
    }

    fn records(&self) -> Arc<dyn ProjectRecords> {
        Arc::clone(&self.projects) as Arc<dyn ProjectRecords>
    }

    /// Nothing of the store is kept anywhere but in the table.
    async fn reopen(&mut self) {}
}

ports::project_store_contract!(InTable::new().await);

fn record(name: &str) -> ProjectRecord {
    let json = format!(
        r#"{{"settings": {{"name": "{name}", "source": {{"type": "NO_SOURCE"}},
            "artifacts": {{"type": "NO_ARTIFACTS"}}, "environment": {{}}}}}}"#
    );
    serde_json::from_str(&json).expect("the record above is one")
}

#[tokio::test]
async fn no_more_projects_are_created_than_may_be_by_many_at_once() {
    let store = InTable::new().await.projects;
    let creating: Vec<_> = (0..6)
        .map(|number| {
            let store = Arc::clone(&store);
            let record = record(&format!("p{number}"));
            tokio::spawn(async move { store.create_project(&record, 3).await })
        })
        .collect();
    let mut created = 0;
    for creating in creating {
        match creating.await.expect("it ends") {
            Ok(()) => created += 1,
            Err(error) => assert!(matches!(error, CreateProjectError::TooMany), "{error}"),
        }
    }
    assert_eq!(created, 3);
    let names = store.project_names().await.expect("the store reads");
    assert_eq!(names.len(), 3);
    for name in &names {
        let deleted = store.delete_project(&name.name).await;
        deleted.expect("the store writes");
    }
    let created = store.create_project(&record("next"), 1).await;
    created.expect("there is room again");
    let exists = store.create_project(&record("next"), 1).await;
    assert!(matches!(exists, Err(CreateProjectError::Exists)));
}

#[tokio::test]
async fn there_is_no_project_of_a_name_that_the_table_does_not_take() {
    let store = InTable::new().await.projects;
    for name in ["", &"x".repeat(2_000)] {
        let found = store.project_record(name).await.expect("the store reads");
        assert_eq!(found, None);
        let deleted = store.delete_project(name).await;
        deleted.expect("it was never there");
    }
}
