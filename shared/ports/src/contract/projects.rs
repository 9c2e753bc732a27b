//! What every [`ProjectStore`] does, one property a function.
//!
//! `project_store_contract!` makes a test of each; an adapter gives it a [`Harness`].

#![expect(
    clippy::missing_panics_doc,
    reason = "a property that does not hold is told by a panic: these are the bodies of tests"
)]

use std::sync::Arc;

use async_trait::async_trait;
use model::project::Project;

use crate::{ProjectStore, StoreError};

/// A store to be tried.
#[async_trait]
pub trait Harness: Send {
    fn projects(&self) -> Arc<dyn ProjectStore>;

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

/// Makes a test of each property, for the adapter that the expression gives a harness of.
#[macro_export]
macro_rules! project_store_contract {
    ($new:expr) => {
        $crate::project_store_contract!(@each $new;
            a_project_is_read_as_it_was_put_after_a_crash
            a_project_that_does_not_fit_is_refused
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
