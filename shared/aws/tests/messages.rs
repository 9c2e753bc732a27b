//! Queues, the bus and topics against the emulator: what arrives, in which form, and what is told
//! when nothing can be sent.

use std::{collections::HashMap, sync::Arc, time::Duration};

use model::{
    ActionOutput, AttemptKey, Change, ExecutionId, Input, Job, Subject, Timestamp,
    change::EventState, job::ActionResult,
};
use pipewright_aws::{Bus, Clients, HOPS_MAX, Notice, Queues, Settings, Topics};
use pipewright_tests::emulator::Emulator;
use ports::{EventBus, Queues as _, StoreError};
use serde_json::{Value, json};
use uuid::Uuid;

const SOURCE: &str = "pipewright.codepipeline";

/// Queues, a bus and a topic of a test's own.
struct Bench {
    clients: Clients,
    settings: HashMap<&'static str, String>,
}

impl Bench {
    async fn new() -> Self {
        let mut settings = HashMap::from([
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", "test".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
            ("AWS_ENDPOINT_URL", Emulator::shared().endpoint()),
            ("PIPEWRIGHT_ACCOUNT", "000000000000".to_owned()),
        ]);
        let clients = Clients::new(&of(&settings)).expect("everything is there");
        let name = format!("m-{}", Uuid::new_v4());
        let fifo = queue(&clients, &format!("{name}.fifo"), true).await;
        let jobs = queue(&clients, &name, false).await;
        settings.insert("PIPEWRIGHT_INPUTS_QUEUE", fifo);
        settings.insert("PIPEWRIGHT_JOBS_QUEUE", jobs);
        let bus = clients.eventbridge().create_event_bus().name(&name).send();
        bus.await.expect("the emulator makes it");
        settings.insert("PIPEWRIGHT_BUS", name);
        Self { clients, settings }
    }

    fn queues(&self) -> Queues {
        Queues::new(&self.clients, &of(&self.settings)).expect("they are named")
    }

    fn bus(&self) -> Bus {
        Bus::new(&self.clients, &of(&self.settings)).expect("it is named")
    }

    /// What is in a queue: the body and the group of each message.
    async fn received(&self, queue: &str) -> Vec<(Value, Option<String>)> {
        let mut all = Vec::new();
        loop {
            let request = self.clients.sqs().receive_message();
            let request = request.queue_url(queue).max_number_of_messages(10);
            let request = request.message_system_attribute_names("All".into());
            let found = request.send().await.expect("the queue is there");
            let found = found.messages.unwrap_or_default();
            if found.is_empty() {
                return all;
            }
            for message in found {
                let body = message.body.unwrap_or_default();
                let body = serde_json::from_str(&body).expect("it is JSON");
                let groups = message.attributes.unwrap_or_default().into_iter();
                let mut groups = groups.filter(|(name, _)| name.as_str() == "MessageGroupId");
                all.push((body, groups.next().map(|(_, group)| group)));
                let receipt = message.receipt_handle.unwrap_or_default();
                let done = self.clients.sqs().delete_message();
                let done = done.queue_url(queue).receipt_handle(receipt).send();
                done.await.expect("it is there");
            }
        }
    }
}

fn of(settings: &HashMap<&'static str, String>) -> Settings {
    let all = settings.iter();
    Settings::of(all.map(|(name, value)| ((*name).to_owned(), value.clone())))
}

async fn queue(clients: &Clients, name: &str, is_fifo: bool) -> String {
    let mut request = clients.sqs().create_queue().queue_name(name);
    if is_fifo {
        request = request.attributes("FifoQueue".into(), "true");
    }
    let made = request.send().await.expect("the emulator makes it");
    made.queue_url.expect("it has a URL")
}

fn key(attempt: u32) -> AttemptKey {
    AttemptKey {
        pipeline: "web".to_owned(),
        execution: ExecutionId(Uuid::from_u128(1)),
        stage: "Build".to_owned(),
        action: "Test".to_owned(),
        attempt,
        token: Uuid::from_u128(attempt.into()),
    }
}

fn job() -> Job {
    serde_json::from_value(json!({
        "key": key(1),
        "action_execution_id": Uuid::from_u128(10),
        "action_type": {"category": "Test", "owner": "AWS", "provider": "CodeBuild", "version": "1"},
        "pipeline_version": 1, "configuration": {}, "role_arn": "arn:aws:iam::0:role/p",
        "started": 1, "until": 2,
    }))
    .expect("it is a job")
}

fn finished(attempt: u32) -> Input {
    Input::ActionFinished {
        key: key(attempt),
        result: ActionResult::Succeeded(ActionOutput::default()),
    }
}

#[tokio::test]
async fn inputs_are_in_order_within_their_pipeline_and_a_result_is_there_once() {
    let bench = Bench::new().await;
    let queues = bench.queues();
    for input in [
        finished(1),
        finished(1),
        Input::Tick,
        Input::Tick,
        finished(2),
    ] {
        queues.send("web", input).await.expect("it is sent");
    }
    let received = bench
        .received(&bench.settings["PIPEWRIGHT_INPUTS_QUEUE"])
        .await;
    let groups: Vec<_> = received
        .iter()
        .filter_map(|(_, group)| group.as_deref())
        .collect();
    assert_eq!(groups, ["web"; 4]);
    let inputs: Vec<&Value> = received.iter().map(|(body, _)| &body["input"]).collect();
    let attempt = |input: &Value| input["ActionFinished"]["key"]["attempt"].clone();
    assert_eq!(
        (attempt(inputs[0]), attempt(inputs[3])),
        (json!(1), json!(2))
    );
    assert_eq!((inputs[1], inputs[2]), (&json!("Tick"), &json!("Tick")));
    assert!(received.iter().all(|(body, _)| body["pipeline"] == "web"));
}

#[tokio::test]
async fn a_worker_is_told_everything_that_it_is_to_do() {
    let bench = Bench::new().await;
    let queues = bench.queues();
    let job = job();
    queues
        .offer(Arc::new(job.clone()))
        .await
        .expect("it is sent");
    queues.cancel(&key(1)).await.expect("it is sent");
    queues.wake("a-build").await.expect("it is sent");
    queues.settle().await.expect("it is sent");
    let again = queues.look_again(&job, 4, Duration::ZERO).await;
    assert!(again.expect("it is sent"));
    let over = queues.look_again(&job, HOPS_MAX, Duration::ZERO).await;
    assert!(!over.expect("nothing is sent"));
    let mut bodies: Vec<Value> = bench
        .received(&bench.settings["PIPEWRIGHT_JOBS_QUEUE"])
        .await
        .into_iter()
        .map(|(body, _)| body)
        .collect();
    bodies.sort_by_key(ToString::to_string);
    let expected = [
        json!({"cancelled": key(1), "hops": 0}),
        json!({"due": job, "hops": 5}),
        json!({"hops": 0, "offered": job}),
        json!({"settle": true}),
        json!({"wake": "a-build"}),
    ];
    assert_eq!(bodies, expected);
}

#[tokio::test]
async fn what_is_to_be_looked_at_later_is_not_there_yet() {
    let bench = Bench::new().await;
    let pause = Duration::from_hours(1);
    let again = bench.queues().look_again(&job(), 0, pause).await;
    assert!(again.expect("no queue keeps it back for longer than it can"));
    let received = bench
        .received(&bench.settings["PIPEWRIGHT_JOBS_QUEUE"])
        .await;
    assert_eq!(received, []);
}

#[tokio::test]
async fn what_cannot_be_sent_is_told() {
    let mut bench = Bench::new().await;
    let gone = format!("{}-gone", bench.settings["PIPEWRIGHT_JOBS_QUEUE"]);
    bench.settings.insert("PIPEWRIGHT_JOBS_QUEUE", gone);
    let error = bench
        .queues()
        .wake("a")
        .await
        .expect_err("there is no such queue");
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error}");
    let large = bench.queues().wake(&"a".repeat(2_000_000)).await;
    assert!(matches!(large, Err(StoreError::TooLarge { .. })));
}

fn change(sequence: u32) -> Change {
    Change {
        pipeline: "web".to_owned(),
        execution: ExecutionId(Uuid::from_u128(1)),
        sequence,
        at: Timestamp(1_547_106_937_250),
        pipeline_version: 1,
        attempt: 1,
        started: Timestamp(1_547_106_937_000),
        subject: Subject::Pipeline {
            state: EventState::Started,
            trigger: None,
            comment: None,
        },
    }
}

#[tokio::test]
async fn changes_arrive_as_events_under_our_own_source() {
    let bench = Bench::new().await;
    let (name, url) = (
        &bench.settings["PIPEWRIGHT_BUS"],
        &bench.settings["PIPEWRIGHT_JOBS_QUEUE"],
    );
    let events = bench.clients.eventbridge();
    let pattern = json!({"source": [SOURCE]}).to_string();
    let rule = events.put_rule().name(name).event_bus_name(name);
    let rule = rule.event_pattern(pattern).send();
    rule.await.expect("the emulator makes it");
    let queue = url.rsplit('/').next().expect("it has a name");
    let target = aws_sdk_eventbridge::types::Target::builder()
        .id("queue")
        .arn(format!("arn:aws:sqs:us-east-1:000000000000:{queue}"))
        .build()
        .expect("it is a target");
    let put = events.put_targets().rule(name).event_bus_name(name);
    put.targets(target).send().await.expect("the rule is there");
    let changes: Vec<Change> = (1..=25).map(change).collect();
    bench.bus().publish(&changes).await.expect("they are put");
    bench
        .bus()
        .publish(&[])
        .await
        .expect("there is nothing to put");
    let received = bench.received(url).await;
    assert_eq!(received.len(), 25);
    for (event, _) in received {
        assert_eq!(event["source"], SOURCE);
        let expected = "CodePipeline Pipeline Execution State Change";
        assert_eq!(event["detail-type"], expected);
        let resource = "arn:aws:codepipeline:us-east-1:000000000000:web";
        assert_eq!(event["resources"], json!([resource]));
        assert_eq!(event["detail"]["state"], "STARTED");
        assert_eq!(event["detail"]["start-time"], "2019-01-10T07:55:37.000Z");
    }
}

#[tokio::test]
async fn a_topic_gets_a_text_for_people_and_one_for_programs() {
    let bench = Bench::new().await;
    let (name, url) = (
        &bench.settings["PIPEWRIGHT_BUS"],
        &bench.settings["PIPEWRIGHT_JOBS_QUEUE"],
    );
    let sns = bench.clients.sns();
    let topic = sns.create_topic().name(name).send().await;
    let topic = topic.expect("the emulator makes it").topic_arn;
    let topic = topic.expect("it has a name");
    let queue = url.rsplit('/').next().expect("it has a name");
    let subscribed = sns.subscribe().topic_arn(&topic).protocol("sqs");
    let subscribed = subscribed.endpoint(format!("arn:aws:sqs:us-east-1:000000000000:{queue}"));
    subscribed.send().await.expect("the topic is there");
    let topics = Topics::new(&bench.clients);
    let notice = Notice {
        topic,
        subject: "APPROVAL NEEDED: größer".to_owned(),
        json: r#"{"approval":{}}"#.to_owned(),
        text: "web waits".to_owned(),
        attributes: vec![("pipeline", "web".to_owned())],
    };
    topics
        .publish(notice.clone())
        .await
        .expect("it is published");
    let received = bench.received(url).await;
    let (message, _) = received.first().expect("it arrived");
    assert_eq!(message["Message"], notice.json);
    assert_eq!(message["Subject"], "APPROVAL NEEDED: gr??er");
    assert_eq!(message["MessageAttributes"]["pipeline"]["Value"], "web");
    let mut gone = notice;
    gone.topic.push_str("-gone");
    let error = topics
        .publish(gone)
        .await
        .expect_err("there is no such topic");
    assert!(error.to_string().contains("-gone"), "{error}");
}
