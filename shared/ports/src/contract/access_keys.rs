//! What every [`AccessKeys`] does, one property a function.
//!
//! `access_keys_contract!` makes a test of each; an adapter gives it a [`Harness`].

#![expect(
    clippy::missing_panics_doc,
    reason = "a property that does not hold is told by a panic: these are the bodies of tests"
)]

use std::sync::Arc;

use async_trait::async_trait;
use model::Timestamp;

use crate::{
    AccessKeys,
    access_keys::{AccessKey, AccessKeysError, KeyStatus, NEW, SealedSession, StoredKey},
};

/// A store to be tried.
#[async_trait]
pub trait Harness: Send {
    fn keys(&self) -> Arc<dyn AccessKeys>;

    /// Ends the store as a crash would and opens it again.
    async fn reopen(&mut self);
}

fn key(id: &str) -> AccessKey {
    AccessKey {
        id: id.to_owned(),
        sealed_secret: vec![0, 1, 255],
        user: "ann".to_owned(),
        policies: vec!["{}".to_owned(), "{\"ü\":\"\\n\"}".to_owned()],
        status: KeyStatus::Enabled,
        created: Timestamp(7),
        disabled_at: None,
        last_used: None,
        description: None,
        session: None,
    }
}

async fn stored(keys: &dyn AccessKeys, id: &str) -> Option<StoredKey> {
    keys.get(id).await.expect("the store reads")
}

pub async fn a_key_is_read_as_it_was_put_after_a_crash(harness: &mut dyn Harness) {
    let keys = harness.keys();
    let plain = key("A");
    let mut full = key("B");
    full.status = KeyStatus::Disabled;
    full.disabled_at = Some(Timestamp(-1));
    full.last_used = Some(Timestamp(i64::MAX));
    full.description = Some("of the build server".to_owned());
    full.session = Some(SealedSession {
        sealed_token: Vec::new(),
        expires: Timestamp(9),
    });
    full.policies.clear();
    for key in [&plain, &full] {
        keys.put(key, NEW).await.expect("the store writes");
    }
    drop(keys);
    harness.reopen().await;
    let keys = harness.keys();
    for key in [plain, full] {
        let found = stored(&*keys, &key.id).await.expect("it was put");
        assert_eq!(found.key, key);
    }
    assert_eq!(stored(&*keys, "C").await, None);
}

pub async fn only_the_version_that_was_seen_is_written(harness: &mut dyn Harness) {
    let keys = harness.keys();
    let first = keys.put(&key("A"), NEW).await.expect("it is new");
    let mut changed = key("A");
    changed.user = "bob".into();
    for wrong in [NEW, first + 1] {
        let refused = keys.put(&changed, wrong).await;
        assert!(matches!(refused, Err(AccessKeysError::Conflict)), "{wrong}");
    }
    assert_eq!(
        stored(&*keys, "A").await.map(|it| it.key.user),
        Some("ann".into())
    );
    let second = keys.put(&changed, first).await.expect("nobody was faster");
    assert_ne!(second, first);
    let found = stored(&*keys, "A").await;
    let expected = StoredKey {
        key: changed,
        version: second,
    };
    assert_eq!(found, Some(expected));
    let absent = keys.put(&key("B"), 1).await;
    assert!(matches!(absent, Err(AccessKeysError::Conflict)));
    assert_eq!(stored(&*keys, "B").await, None);
}

pub async fn a_deleted_key_stays_deleted(harness: &mut dyn Harness) {
    let keys = harness.keys();
    let version = keys.put(&key("A"), NEW).await.expect("it is new");
    let moved = keys.delete("A", version + 1).await;
    assert!(matches!(moved, Err(AccessKeysError::Conflict)));
    keys.delete("A", version).await.expect("nobody was faster");
    let again = keys.delete("A", version).await;
    assert!(matches!(again, Err(AccessKeysError::Conflict)));
    drop(keys);
    harness.reopen().await;
    assert_eq!(stored(&*harness.keys(), "A").await, None);
}

pub async fn keys_are_listed_in_order_page_by_page(harness: &mut dyn Harness) {
    let keys = harness.keys();
    for id in ["C", "A", "D", "B"] {
        keys.put(&key(id), NEW).await.expect("the store writes");
    }
    let mut found = Vec::new();
    let mut after = String::new();
    for _ in 0..3 {
        let page = keys.list(&after, 3).await.expect("the store reads");
        assert!(page.len() <= 3);
        found.extend(page.into_iter().map(|stored| stored.key.id));
        after = found.last().cloned().unwrap_or_default();
    }
    assert_eq!(found, ["A", "B", "C", "D"]);
}

/// Makes a test of each property, for the adapter that the expression gives a harness of.
#[macro_export]
macro_rules! access_keys_contract {
    ($new:expr) => {
        $crate::access_keys_contract!(@each $new;
            a_key_is_read_as_it_was_put_after_a_crash
            only_the_version_that_was_seen_is_written
            a_deleted_key_stays_deleted
            keys_are_listed_in_order_page_by_page
        );
    };
    (@each $new:expr; $($property:ident)*) => {
        $(
            #[tokio::test]
            async fn $property() {
                let mut harness = $new;
                $crate::contract::access_keys::$property(&mut harness).await;
            }
        )*
    };
}
