//! Cursors in the table are where they were left.

use pipewright_aws::{Clients, Cursors, Settings, Table};
use pipewright_tests::emulator::Emulator;
use ports::Cursors as _;
use uuid::Uuid;

async fn cursors() -> Cursors {
    let settings = Settings::of(
        [
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("AWS_ENDPOINT_URL", &Emulator::shared().endpoint()),
            ("PIPEWRIGHT_TABLE", &format!("cursors-{}", Uuid::new_v4())),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned())),
    );
    let clients = Clients::new(&settings).expect("everything is there");
    let table = Table::of(&clients, &settings).expect("it is named");
    table.create().await.expect("the emulator makes it");
    Cursors::new(table)
}

#[tokio::test]
async fn a_cursor_is_where_it_was_left() {
    let cursors = cursors().await;
    assert_eq!(cursors.get("a").await.expect("it is read"), None);
    for commit in [7, u64::MAX] {
        cursors.set("a", commit).await.expect("it is set");
        assert_eq!(cursors.get("a").await.expect("it is read"), Some(commit));
    }
}

#[tokio::test]
async fn what_is_not_kept_is_forgotten() {
    let cursors = cursors().await;
    for name in ["a", "b", "c"] {
        cursors.set(name, 1).await.expect("it is set");
    }
    let kept = ["b".to_owned(), "new".to_owned()];
    cursors.keep_only(&kept).await.expect("they are forgotten");
    assert_eq!(cursors.get("a").await.expect("it is read"), None);
    assert_eq!(cursors.get("b").await.expect("it is read"), Some(1));
    assert_eq!(cursors.get("new").await.expect("it is read"), None);
}
