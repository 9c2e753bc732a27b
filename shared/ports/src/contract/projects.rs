//! What every [`ProjectStore`] and every [`ProjectRecords`] does, one property a function.
//!
//! `project_store_contract!` makes a test of each; an adapter gives it a [`Harness`].

#![expect(
    clippy::missing_panics_doc,
    reason = "a property that does not hold is told by a panic: these are the bodies of tests"
)]

use std::sync::Arc;

use async_trait::async_trait;
use model::{
    Timestamp,
    project::{Project, Settings, Tag},
};

use crate::{
    ProjectRecords, ProjectStore, StoreError,
    projects::{CreateProjectError, ProjectRecord},
};

/// A store to be tried.
#[async_trait]
pub trait Harness: Send {
    fn projects(&self) -> Arc<dyn ProjectStore>;

    /// The same projects, as the API has them.
    fn records(&self) -> Arc<dyn ProjectRecords>;

    /// Ends the store as a crash would and opens it again.
    async fn reopen(&mut self);
}

fn project(name: &str, timeout: u32) -> Project {
    let json = format!(
        r#"{{"name": "{name}", "timeoutInMinutes": {timeout},
            "environment": {{"image": "rust:1.95"}}, "cache": {{"type": "LOCAL"}}}}"#
    );
    serde_json::from_str(&json).expect("the project above is one")
}

pub async fn a_project_is_read_as_it_was_put_after_a_crash(harness: &mut dyn Harness) {
    let store = harness.projects();
    for name in ["a", "b"] {
        let put = store.put_project(&project(name, 5)).await;
        put.expect("the store writes");
    }
    let replaced = store.put_project(&project("a", 7)).await;
    replaced.expect("the store writes");
    drop(store);
    harness.reopen().await;
    let store = harness.projects();
    for (name, timeout) in [("a", 7), ("b", 5)] {
        let found = store.project(name).await.expect("the store reads");
        assert_eq!(found, Some(project(name, timeout)));
    }
    let unknown = store.project("c").await.expect("the store reads");
    assert_eq!(unknown, None);
}

pub async fn a_project_that_does_not_fit_is_refused(harness: &mut dyn Harness) {
    let store = harness.projects();
    let mut large = project("a", 5);
    large.description = Some("x".repeat(500 * 1024));
    let refused = store.put_project(&large).await;
    assert!(matches!(refused, Err(StoreError::TooLarge { .. })));
    let found = store.project("a").await.expect("the store reads");
    assert_eq!(found, None);
}

fn record(name: &str, at: i64) -> ProjectRecord {
    ProjectRecord {
        settings: Settings::of_pipeline(&project(name, 5)),
        created: Some(Timestamp(at)),
        modified: Some(Timestamp(at)),
    }
}

pub async fn a_record_is_created_once_and_replaced_by_who_saw_it(harness: &mut dyn Harness) {
    let store = harness.records();
    let first = record("a", 1);
    let created = store.create_project(&first, 9).await;
    created.expect("the store writes");
    let again = store.create_project(&record("a", 2), 9).await;
    assert!(matches!(again, Err(CreateProjectError::Exists)));
    let mut second = first.clone();
    second.settings.tags.push(Tag {
        key: "k".to_owned(),
        value: "v".to_owned(),
    });
    let replaced = store.replace_project(&first, &second).await;
    replaced.expect("the store writes");
    let late = store.replace_project(&first, &first).await;
    assert!(matches!(late, Err(StoreError::Conflict)));
    let unknown = record("b", 1);
    let refused = store.replace_project(&unknown, &unknown).await;
    assert!(matches!(refused, Err(StoreError::Conflict)));
    drop(store);
    harness.reopen().await;
    let found = harness.records().project_record("a").await;
    assert_eq!(found.expect("the store reads"), Some(second));
    let project_of = harness.projects().project("a").await;
    assert_eq!(project_of.expect("the store reads"), Some(project("a", 5)));
}

pub async fn no_more_projects_are_created_than_may_be_and_names_are_in_order(
    harness: &mut dyn Harness,
) {
    let store = harness.records();
    for (name, at) in [("b", 1), ("a", 2)] {
        let created = store.create_project(&record(name, at), 2).await;
        created.expect("the store writes");
    }
    let third = store.create_project(&record("c", 3), 2).await;
    assert!(matches!(third, Err(CreateProjectError::TooMany)));
    let names = store.project_names().await.expect("the store reads");
    let told: Vec<_> = names.iter().map(|it| (&*it.name, it.created.0)).collect();
    assert_eq!(told, [("a", 2), ("b", 1)]);
    for _ in 0..2 {
        let deleted = store.delete_project("b").await;
        deleted.expect("the store writes");
    }
    let names = store.project_names().await.expect("the store reads");
    assert_eq!(names.len(), 1);
    let found = store.project_record("b").await.expect("the store reads");
    assert_eq!(found, None);
    let put = harness.projects().put_project(&project("d", 5)).await;
    put.expect("the store writes");
    let names = store.project_names().await.expect("the store reads");
    assert_eq!(names[1].created, Timestamp(0), "nobody said when");
}

/// Makes a test of each property, for the adapter that the expression gives a harness of.
#[macro_export]
macro_rules! project_store_contract {
    ($new:expr) => {
        $crate::project_store_contract!(@each $new;
            a_project_is_read_as_it_was_put_after_a_crash
            a_project_that_does_not_fit_is_refused
            a_record_is_created_once_and_replaced_by_who_saw_it
            no_more_projects_are_created_than_may_be_and_names_are_in_order
        );
    };
    (@each $new:expr; $($property:ident)*) => {
        $(
            #[tokio::test]
            async fn $property() {
                let mut harness = $new;
                $crate::contract::projects::$property(&mut harness).await;
            }
        )*
    };
}
