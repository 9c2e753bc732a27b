//! The function as Lambda calls it: who is asked when an approval began, through which topic.

use std::{
    fs,
    path::PathBuf,
    sync::{Arc, Mutex},
};

use access::link::LinkKey;
use aws::{Meter, Notice, Telemetry, TopicError};
use model::ExecutionId;
use notification::{
    Links,
    lambda::{Function, Publisher},
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::bench::Bench;

/// The execution that the samples speak of.
const EXECUTION: u128 = 0x0000_0000_0000_4000_8000_0000_0000_0001;

const TOPIC: &str = "arn:aws:sns:us-east-1:000000000000:approvals";

#[derive(Clone, Default)]
struct Published(Arc<Mutex<Vec<Notice>>>);

#[async_trait::async_trait]
impl Publisher for Published {
    async fn publish(&self, notice: Notice) -> Result<(), TopicError> {
        self.0.lock().expect("nobody panicked").push(notice);
        Ok(())
    }
}

impl Published {
    fn take(&self) -> Vec<Notice> {
        std::mem::take(&mut *self.0.lock().expect("nobody panicked"))
    }
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../events/notification")
}

fn event(name: &str) -> Value {
    let json = fs::read_to_string(folder().join(format!("{name}.json"))).expect("it exists");
    serde_json::from_str(&json).expect("the sample is JSON")
}

/// A function whose approval has that configuration and waits for an answer.
async fn waiting(configuration: &str) -> (Bench, Published, Function) {
    let bench = Bench::with(configuration).await;
    let execution = bench.start(EXECUTION).await;
    bench.fetch(execution, Ok("Repair the login")).await;
    let published = Published::default();
    let function = Function {
        world: bench.world.clone(),
        links: Links {
            base: "https://ci.example.org".to_owned(),
            key: bench.key.clone(),
        },
        publisher: Box::new(published.clone()),
        topic: TOPIC.to_owned(),
        telemetry: Telemetry::new("notification", Meter::default()),
    };
    (bench, published, function)
}

/// Whom the link in a message was made for.
fn recipient(key: &LinkKey, notice: &Notice) -> String {
    let message: Value = serde_json::from_str(&notice.json).expect("it is JSON");
    let link = message["approval"]["approvalReviewLink"].as_str();
    let token = link.and_then(|link| link.strip_prefix("https://ci.example.org/approvals/"));
    let link = key.verify(token.expect("it is a link of ours"), crate::bench::NOW);
    link.expect("it is good").recipient
}

#[tokio::test]
async fn of_the_samples_one_asks() {
    for file in fs::read_dir(folder()).expect("there are samples") {
        let path = file.expect("it can be read").path();
        let name = path.file_stem().expect("it has a name").to_string_lossy();
        let (_bench, published, function) = waiting("{}").await;
        let answer = function.handle(event(&name)).await;
        assert_eq!(answer.expect("it is handled"), Value::Null);
        assert_eq!(
            published.take().len(),
            usize::from(name == "approval-began"),
            "{name}"
        );
    }
}

#[tokio::test]
async fn who_subscribed_is_asked_with_the_message_that_aws_sends_and_as_people_read_it() {
    let (bench, published, function) = waiting("{}").await;
    for _ in 0..2 {
        let answer = function.handle(event("approval-began")).await;
        answer.expect("it is handled");
    }
    let [first, second] = published.take().try_into().expect("two notices");
    assert_eq!(first, second, "a repeat is the same");
    assert_eq!(first.topic, TOPIC);
    assert_eq!(recipient(&bench.key, &first), TOPIC);
    assert_eq!(
        first.subject,
        "APPROVAL NEEDED: AWS CodePipeline web for action Approve"
    );
    assert!(
        first.text.contains("https://ci.example.org/approvals/"),
        "{}",
        first.text
    );
    let of = |name: &str, value: String| (name.to_owned(), value);
    let attributes: Vec<_> = first
        .attributes
        .iter()
        .map(|(n, v)| of(n, v.clone()))
        .collect();
    let expected = [
        of("pipeline", "web".to_owned()),
        of("stage", "Release".to_owned()),
        of("action", "Approve".to_owned()),
        of(
            "execution_id",
            ExecutionId(Uuid::from_u128(EXECUTION)).to_string(),
        ),
    ];
    assert_eq!(attributes, expected);
}

#[tokio::test]
async fn an_action_may_name_another_topic() {
    let other = "arn:aws:sns:us-east-1:000000000000:releases";
    let configuration = json!({ "NotificationArn": other }).to_string();
    let (bench, published, function) = waiting(&configuration).await;
    let answer = function.handle(event("approval-began")).await;
    answer.expect("it is handled");
    let [notice] = published.take().try_into().expect("one notice");
    assert_eq!(
        (
            notice.topic.as_str(),
            recipient(&bench.key, &notice).as_str()
        ),
        (other, other)
    );
}

#[tokio::test]
async fn what_nobody_waits_for_is_not_asked() {
    let (bench, published, function) = waiting("{}").await;
    bench.clock.advance(std::time::Duration::from_hours(24 * 8));
    let answer = function.handle(event("approval-began")).await;
    answer.expect("it is handled");
    let mut other = event("approval-began");
    other["detail"]["action-execution-id"] = json!(Uuid::from_u128(1));
    function.handle(other).await.expect("it is handled");
    assert_eq!(published.take(), []);
}

#[tokio::test]
async fn what_is_no_event_fails_the_call() {
    let (_bench, _, function) = waiting("{}").await;
    let mut odd = event("approval-began");
    odd["detail"] = json!({});
    for event in [json!({}), odd] {
        assert!(function.handle(event.clone()).await.is_err(), "{event}");
    }
}
