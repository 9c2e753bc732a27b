//! A job is in one hand at a time.

use model::Timestamp;
use pipewright_aws::{Clients, Leases, Settings, Table};
use pipewright_tests::emulator::Emulator;
use uuid::Uuid;

async fn leases() -> (Leases, Table) {
    let settings = Settings::of(
        [
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("AWS_ENDPOINT_URL", &Emulator::shared().endpoint()),
            ("PIPEWRIGHT_TABLE", &format!("leases-{}", Uuid::new_v4())),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned())),
    );
    let clients = Clients::new(&settings).expect("everything is there");
    let table = Table::of(&clients, &settings).expect("it is named");
    table.create().await.expect("the emulator makes it");
    (Leases::new(table.clone()), table)
}

#[tokio::test]
async fn whoever_has_a_job_keeps_it_until_the_end_of_the_call() {
    let (leases, _) = leases().await;
    let (job, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let take = async |job, now| {
        let (now, until) = (Timestamp(now), Timestamp(now + 60_000));
        let taken = leases.take(job, Uuid::new_v4(), now, until).await;
        taken.expect("the table answers")
    };
    assert!(take(job, 1_000_000).await);
    assert!(!take(job, 1_000_000).await, "a repeat of the message");
    assert!(!take(job, 1_059_000).await, "the sweep, a minute later");
    assert!(take(other, 1_000_000).await);
    assert!(take(job, 1_063_000).await, "whoever had it is gone");
    assert!(!take(job, 1_063_000).await);
}

#[tokio::test]
async fn a_call_without_an_end_has_the_longest_there_is() {
    let (leases, _) = leases().await;
    let job = Uuid::from_u128(1);
    let take = async |now| {
        let taken = leases.take(job, Uuid::new_v4(), Timestamp(now), Timestamp(i64::MAX));
        taken.await.expect("the table answers")
    };
    assert!(take(0).await);
    assert!(!take(15 * 60_000).await);
    assert!(take(15 * 60_000 + 3_000).await);
}

#[tokio::test]
async fn a_job_that_was_let_go_of_is_free_at_once() {
    let (leases, table) = leases().await;
    let job = Uuid::from_u128(1);
    let (now, until) = (Timestamp(1_000_000), Timestamp(1_300_000));
    let take = async || {
        let taken = leases.take(job, Uuid::new_v4(), now, until).await;
        taken.expect("the table answers")
    };
    assert!(take().await);
    leases.release(job).await.expect("the table answers");
    assert!(take().await);
    // Nobody lets go of what is another one's: this one's time was over, and somebody took it.
    let later = (Timestamp(1_400_000), Timestamp(1_700_000));
    let theirs = Leases::new(table.clone());
    let taken = theirs.take(job, Uuid::new_v4(), later.0, later.1).await;
    assert!(taken.expect("the table answers"));
    leases.release(job).await.expect("the table answers");
    let again = leases.take(job, Uuid::new_v4(), later.0, later.1).await;
    assert!(!again.expect("the table answers"), "it is still theirs");
}
