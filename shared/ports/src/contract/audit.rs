//! What every [`AuditTrail`] does, one property a function.
//!
//! `audit_trail_contract!` makes a test of each; an adapter gives it a [`Harness`].

#![expect(
    clippy::missing_panics_doc,
    reason = "a property that does not hold is told by a panic: these are the bodies of tests"
)]

use std::sync::Arc;

use async_trait::async_trait;
use model::Timestamp;
use serde_json::Value;

use crate::{AuditTrail, audit::AuditRecord};

/// How many records a test makes: more than one write takes.
const MANY: usize = 300;

/// A trail to be tried.
#[async_trait]
pub trait Harness: Send {
    fn trail(&self) -> Arc<dyn AuditTrail>;

    /// Ends the trail as a crash would and opens it again.
    async fn reopen(&mut self);

    /// Every record that is on disk, in order; what the trail says of itself is left out.
    fn records(&self) -> Vec<Value>;
}

fn record(name: &str) -> AuditRecord {
    let mut record = AuditRecord::of_service(Timestamp(1_000), "000000000000", "us-east-1", name);
    record.is_service_event = false;
    record
}

fn names(harness: &dyn Harness) -> Vec<String> {
    let name = |record: &Value| record["eventName"].as_str().unwrap_or_default().to_owned();
    harness.records().iter().map(name).collect()
}

pub async fn what_was_recorded_durably_is_there_after_a_crash(harness: &mut dyn Harness) {
    let trail = harness.trail();
    let mut odd = record("Odd");
    odd.user_agent = "a \"quoted\"\nline \u{1f600}".into();
    let taken = trail.record_durably(odd.clone()).await;
    taken.expect("the trail writes");
    assert_eq!(harness.records(), [odd.document()]);
    drop(trail);
    harness.reopen().await;
    let trail = harness.trail();
    let taken = trail.record_durably(record("Next")).await;
    taken.expect("the trail writes");
    assert_eq!(names(harness), ["Odd", "Next"]);
}

pub async fn a_flush_puts_everything_before_it_on_disk_in_order(harness: &mut dyn Harness) {
    let trail = harness.trail();
    let wanted: Vec<String> = (0..MANY).map(|number| format!("Event{number}")).collect();
    for name in &wanted {
        trail
            .record(record(name))
            .await
            .expect("the trail takes it");
    }
    trail.flush().await.expect("the trail writes");
    assert_eq!(names(harness), wanted);
    trail.flush().await.expect("there is nothing to write");
    drop(trail);
    harness.reopen().await;
    assert_eq!(names(harness), wanted);
}

/// Makes a test of each property, for the adapter that the expression gives a harness of.
#[macro_export]
macro_rules! audit_trail_contract {
    ($new:expr) => {
        $crate::audit_trail_contract!(@each $new;
            what_was_recorded_durably_is_there_after_a_crash
            a_flush_puts_everything_before_it_on_disk_in_order
        );
    };
    (@each $new:expr; $($property:ident)*) => {
        $(
            #[tokio::test]
            async fn $property() {
                let mut harness = $new;
                $crate::contract::audit::$property(&mut harness).await;
            }
        )*
    };
}
