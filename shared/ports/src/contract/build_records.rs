//! What every [`BuildRecords`] does, one property a function.
//!
//! `build_records_contract!` makes a test of each; an adapter gives it a [`Harness`].

#![expect(
    clippy::missing_panics_doc,
    reason = "a property that does not hold is told by a panic: these are the bodies of tests"
)]

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use model::{
    Timestamp,
    build::{BuildReport, BuildStatus},
    project::Settings,
};

use crate::{
    BuildRecords, StoreError,
    build_records::{BuildEnd, BuildOwner, BuildRecord, BuildToken, ListBuilds, TOKEN_MILLIS},
};

/// A store to be tried.
#[async_trait]
pub trait Harness: Send {
    fn builds(&self) -> Arc<dyn BuildRecords>;

    /// Ends the store as a crash would and opens it again.
    async fn reopen(&mut self);
}

fn build(project: &str, id: &str) -> BuildRecord {
    let json = format!(
        r#"{{"name": "{project}", "source": {{"type": "NO_SOURCE"}},
            "artifacts": {{"type": "NO_ARTIFACTS"}}, "environment": {{}}}}"#
    );
    let settings: Settings = serde_json::from_str(&json).expect("the settings above are some");
    BuildRecord {
        id: id.to_owned(),
        initiator: "ann".to_owned(),
        owner: BuildOwner::Caller,
        started: Timestamp(1_000_000_000),
        settings,
        resolved_source_version: None,
        outputs: Vec::new(),
        is_stopping: false,
        end: None,
        token: None,
        place: 0,
        number: 0,
        version: 0,
    }
}

fn ended(build: &BuildRecord) -> BuildRecord {
    let report = BuildReport {
        status: BuildStatus::Succeeded,
        phases: Vec::new(),
        exported_variables: BTreeMap::from([("A".to_owned(), "1".to_owned())]),
        test_reports: Vec::new(),
        isolation: "process".to_owned(),
        log_stream: build.id.clone(),
        retries_wanted: None,
    };
    BuildRecord {
        end: Some(BuildEnd {
            at: Timestamp(1_000_000_009),
            report,
        }),
        ..build.clone()
    }
}

pub async fn a_build_is_read_as_it_was_kept_after_a_crash(harness: &mut dyn Harness) {
    let store = harness.builds();
    let mut kept = Vec::new();
    for (project, id) in [("a", "1"), ("b", "2"), ("a", "3")] {
        let begun = store.begin_build(&build(project, id)).await;
        kept.push(begun.expect("the store writes"));
    }
    let numbers: Vec<u64> = kept.iter().map(|build| build.number).collect();
    assert_eq!(numbers, [1, 1, 2]);
    assert!(kept.is_sorted_by_key(|build| build.place));
    let over = ended(&kept[0]);
    let replaced = store.replace_build(&over).await;
    replaced.expect("the store writes");
    drop(store);
    harness.reopen().await;
    let store = harness.builds();
    let found = store.build("1").await.expect("the store reads");
    let version = kept[0].version + 1;
    assert_eq!(found, Some(BuildRecord { version, ..over }));
    let found = store.build("3").await.expect("the store reads");
    assert_eq!(found.as_ref(), Some(&kept[2]));
    assert_eq!(store.build("4").await.expect("the store reads"), None);
    let again = store.begin_build(&build("a", "1")).await;
    assert_eq!(again.expect("the store reads").number, 1, "it is there");
}

pub async fn only_the_version_that_was_seen_is_replaced_and_nothing_that_is_over(
    harness: &mut dyn Harness,
) {
    let store = harness.builds();
    let seen = store.begin_build(&build("a", "1")).await;
    let seen = seen.expect("the store writes");
    let stopping = BuildRecord {
        is_stopping: true,
        ..seen.clone()
    };
    let first = store.replace_build(&stopping).await;
    first.expect("the store writes");
    let late = store.replace_build(&ended(&seen)).await;
    assert!(matches!(late, Err(StoreError::Conflict)));
    let now = store.build("1").await.expect("the store reads");
    let now = now.expect("it is there");
    assert!(now.is_stopping);
    let end = store.replace_build(&ended(&now)).await;
    end.expect("the store writes");
    let over = store.build("1").await.expect("the store reads");
    let over = over.expect("it is there");
    let after = store.replace_build(&over).await;
    assert!(matches!(after, Err(StoreError::Conflict)));
    let unknown = store.replace_build(&build("a", "9")).await;
    assert!(matches!(unknown, Err(StoreError::Conflict)));
}

pub async fn a_token_starts_one_build_in_its_time(harness: &mut dyn Harness) {
    let store = harness.builds();
    let with = |id: &str, token: &str, after: i64| {
        let mut build = build("a", id);
        build.started = Timestamp(build.started.0 + after);
        build.token = Some(BuildToken {
            token: token.to_owned(),
            request: "r".to_owned(),
        });
        build
    };
    let begin = async |build: BuildRecord| {
        let begun = store.begin_build(&build).await;
        begun.expect("the store writes").id
    };
    assert_eq!(begin(with("1", "t", 0)).await, "1");
    assert_eq!(begin(with("2", "t", TOKEN_MILLIS - 1)).await, "1");
    assert_eq!(begin(with("3", "u", 0)).await, "3");
    assert_eq!(begin(with("4", "t", TOKEN_MILLIS)).await, "4");
    assert_eq!(begin(build("a", "5")).await, "5");
    assert_eq!(begin(build("a", "6")).await, "6", "none has no token");
}

pub async fn builds_are_listed_in_either_order_page_by_page(harness: &mut dyn Harness) {
    let store = harness.builds();
    for id in ["1", "2", "3", "4", "5"] {
        let project = if id == "3" { "b" } else { "a" };
        let begun = store.begin_build(&build(project, id)).await;
        begun.expect("the store writes");
    }
    for (project, newest_first, expected) in [
        (None, false, "1 2 3 4 5"),
        (None, true, "5 4 3 2 1"),
        (Some("a"), false, "1 2 4 5"),
        (Some("a"), true, "5 4 2 1"),
        (Some("c"), true, ""),
    ] {
        let mut found = Vec::new();
        let mut behind = None;
        for _ in 0..3 {
            let request = ListBuilds {
                project,
                behind,
                newest_first,
                limit: 2,
            };
            let page = store.list_builds(request).await.expect("the store reads");
            assert!(page.len() <= 2);
            behind = page.last().map(|build| build.place).or(behind);
            found.extend(page.into_iter().map(|build| build.id));
        }
        assert_eq!(found.join(" "), expected);
    }
}

pub async fn open_builds_are_found_until_they_are_over(harness: &mut dyn Harness) {
    let store = harness.builds();
    for (project, id) in [("a", "1"), ("b", "2"), ("a", "3")] {
        let begun = store.begin_build(&build(project, id)).await;
        begun.expect("the store writes");
    }
    let one = store.build("1").await.expect("the store reads");
    let over = ended(&one.expect("it is there"));
    store.replace_build(&over).await.expect("the store writes");
    drop(store);
    harness.reopen().await;
    let store = harness.builds();
    let open = store.open_builds(0, 9).await.expect("the store reads");
    let ids: Vec<&str> = open.iter().map(|build| build.id.as_str()).collect();
    assert_eq!(ids, ["2", "3"]);
    let rest = store.open_builds(open[0].place, 9).await;
    assert_eq!(rest.expect("the store reads").len(), 1);
    for (project, count) in [(Some("a"), 1), (Some("b"), 1), (Some("c"), 0), (None, 2)] {
        let open = store.count_open_builds(project).await;
        assert_eq!(open.expect("the store reads"), count, "{project:?}");
    }
}

/// Makes a test of each property, for the adapter that the expression gives a harness of.
#[macro_export]
macro_rules! build_records_contract {
    ($new:expr) => {
        $crate::build_records_contract!(@each $new;
            a_build_is_read_as_it_was_kept_after_a_crash
            only_the_version_that_was_seen_is_replaced_and_nothing_that_is_over
            a_token_starts_one_build_in_its_time
            builds_are_listed_in_either_order_page_by_page
            open_builds_are_found_until_they_are_over
        );
    };
    (@each $new:expr; $($property:ident)*) => {
        $(
            #[tokio::test]
            async fn $property() {
                let mut harness = $new;
                $crate::contract::build_records::$property(&mut harness).await;
            }
        )*
    };
}
