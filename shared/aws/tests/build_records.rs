//! Records of builds in the table pass the contract of every store of them.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use async_trait::async_trait;
use model::Timestamp;
use pipewright_aws::{BuildHistory, Clients, Settings, SystemClock, Table};
use pipewright_tests::emulator::Emulator;
use ports::{
    BuildRecords, StoreError,
    build_records::{BuildOwner, BuildRecord, BuildToken, ListBuilds},
    contract::build_records::Harness,
};
use uuid::Uuid;

struct InTable {
    table: Table,
    builds: Arc<BuildHistory>,
}

fn history(table: &Table) -> Arc<BuildHistory> {
    let kept = Duration::from_hours(24);
    let history = BuildHistory::new(table.clone(), Arc::new(SystemClock), kept);
    Arc::new(history)
}

impl InTable {
    async fn new() -> Self {
        let settings = Settings::of(
            [
                ("AWS_REGION", "us-east-1"),
                ("AWS_ACCESS_KEY_ID", "test"),
                ("AWS_SECRET_ACCESS_KEY", "test"),
                ("AWS_ENDPOINT_URL", &Emulator::shared().endpoint()),
                ("PIPEWRIGHT_TABLE", &format!("builds-{}", Uuid::new_v4())),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned())),
        );
        let clients = Clients::new(&settings).expect("everything is there");
        let table = Table::of(&clients, &settings).expect("it is named");
        table.create().await.expect("the emulator makes it");
        let builds = history(&table);
        Self { table, builds }
    }
}

#[async_trait]
impl Harness for InTable {
    fn builds(&self) -> Arc<dyn BuildRecords> {
        Arc::clone(&self.builds) as Arc<dyn BuildRecords>
    }

    /// Goes on in another execution environment, which knows nothing of the places of the first one.
    async fn reopen(&mut self) {
        self.builds = history(&self.table);
    }
}

ports::build_records_contract!(InTable::new().await);

fn build(id: &str) -> BuildRecord {
    let json = format!(
        r#"{{"id": "{id}", "initiator": "ann", "owner": "caller", "started": 1000000000,
            "settings": {{"name": "a", "source": {{"type": "NO_SOURCE"}},
            "artifacts": {{"type": "NO_ARTIFACTS"}}, "environment": {{}}}}}}"#
    );
    let build: BuildRecord = serde_json::from_str(&json).expect("the record above is one");
    assert_eq!(build.owner, BuildOwner::Caller);
    build
}

#[tokio::test]
async fn builds_that_begin_at_once_have_numbers_and_places_of_their_own() {
    let bench = InTable::new().await;
    let beginning: Vec<_> = (0..4)
        .map(|number| {
            // Each in an environment of its own.
            let store = history(&bench.table);
            tokio::spawn(async move { store.begin_build(&build(&format!("b{number}"))).await })
        })
        .collect();
    let (mut numbers, mut places) = (BTreeSet::new(), BTreeSet::new());
    for beginning in beginning {
        let begun = beginning.await.expect("it ends").expect("the store writes");
        numbers.insert(begun.number);
        places.insert((begun.number, begun.place));
    }
    assert_eq!(numbers, BTreeSet::from([1, 2, 3, 4]));
    let by_number: Vec<u64> = places.into_iter().map(|(_, place)| place).collect();
    assert!(by_number.is_sorted_by(|first, second| first < second));
}

#[tokio::test]
async fn a_token_starts_one_build_of_many_at_once_however_long_it_is() {
    let bench = InTable::new().await;
    let beginning: Vec<_> = (0..4)
        .map(|number| {
            let store = history(&bench.table);
            let mut build = build(&format!("b{number}"));
            build.token = Some(BuildToken {
                token: "t".repeat(5_000),
                request: "r".to_owned(),
            });
            tokio::spawn(async move { store.begin_build(&build).await })
        })
        .collect();
    let mut begun = BTreeSet::new();
    for beginning in beginning {
        begun.insert(
            beginning
                .await
                .expect("it ends")
                .expect("the store writes")
                .id,
        );
    }
    assert_eq!(begun.len(), 1);
    let all = ListBuilds {
        project: None,
        behind: None,
        newest_first: true,
        limit: 9,
    };
    let all = bench
        .builds
        .list_builds(all)
        .await
        .expect("the store reads");
    assert_eq!(all.len(), 1);
}

#[tokio::test]
async fn a_record_that_is_too_large_is_refused_and_nothing_is_begun() {
    let bench = InTable::new().await;
    let mut large = build("large");
    large.initiator = "x".repeat(5 * 1024 * 1024);
    let refused = bench.builds.begin_build(&large).await;
    assert!(matches!(refused, Err(StoreError::TooLarge { .. })));
    let count = bench.builds.count_open_builds(None).await;
    assert_eq!(count.expect("the store reads"), 0);
    let mut long = build("long");
    long.initiator = "a long text that repeats itself ".repeat(60_000);
    let begun = bench.builds.begin_build(&long).await;
    let begun = begun.expect("it fits when it is deflated");
    let found = bench.builds.build("long").await.expect("the store reads");
    assert_eq!(found, Some(begun));
    assert_eq!(long.started, Timestamp(1_000_000_000));
    for id in ["", &"x".repeat(3_000)] {
        let found = bench.builds.build(id).await.expect("the store reads");
        assert_eq!(found, None);
    }
}
