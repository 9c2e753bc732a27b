//! One release, from the event of its source to the deployed object, and what it leaves behind.

use std::time::{Duration, Instant};

use pipewright_tests::http::Message;
use serde_json::{Value, json};

use crate::{
    cli::wait,
    release::{self, BUILT, Pipeline, RELEASES, SOURCES},
    sink::Sink,
    stack::Stack,
};

const PIPELINE: &str = "story";
const KEY: &str = "story.zip";

/// How long one thing may take to follow from another.
const FOLLOWS_WITHIN: Duration = Duration::from_mins(2);

pub(crate) fn release(stack: &Stack) {
    let sink = Sink::start();
    let topic = &stack.outputs["ApprovalTopic"];
    subscribe(stack, topic, &sink);
    let queue = listen(stack);
    Pipeline {
        name: PIPELINE,
        source_bucket: SOURCES,
        source_key: KEY,
        mode: "QUEUED",
        is_built: true,
        topic: Some(topic),
        release: json!({"BucketName": RELEASES, "Extract": "true"}),
    }
    .make(&stack.pipewright, &stack.outputs["Bucket"]);
    let begun = Instant::now();
    release::upload(&stack.aws, stack.folder.path(), SOURCES, KEY);
    let id = wait("execution that the upload started", FOLLOWS_WITHIN, || {
        let all = release::executions(&stack.pipewright, PIPELINE);
        let started = all
            .iter()
            .find(|one| one["trigger"]["triggerType"] == "CloudWatchEvent");
        started.and_then(|one| one["pipelineExecutionId"].as_str().map(str::to_owned))
    });
    let link = wait("link to approve by", FOLLOWS_WITHIN, || {
        release::insist(&stack.pipewright, PIPELINE, &id);
        link(&sink.told())
    });
    let asked = begun.elapsed();
    approve(stack, &link);
    let approved = Instant::now();
    wait("deployed object", FOLLOWS_WITHIN, || {
        release::insist(&stack.pipewright, PIPELINE, &id);
        deployed(stack)
    });
    eprintln!(
        "from the source event to the question: {asked:.1?}; from the answer to the deployed \
         object: {:.1?}",
        approved.elapsed()
    );
    wait("end of the execution", FOLLOWS_WITHIN, || {
        let all = release::executions(&stack.pipewright, PIPELINE);
        let own = all.iter().find(|one| one["pipelineExecutionId"] == *id);
        own.filter(|one| one["status"] == "Succeeded").map(drop)
    });
    let names = ["Approval", "Build", "Deploy", "Source"];
    let succeeded = names.map(|name| (name.to_owned(), "Succeeded".to_owned()));
    assert_eq!(
        release::actions(&stack.pipewright, PIPELINE, &id),
        succeeded
    );
    heard(stack, &queue, &id);
    measured(stack);
}

fn subscribe(stack: &Stack, topic: &str, sink: &Sink) {
    stack.aws.run(&[
        "sns",
        "subscribe",
        "--topic-arn",
        topic,
        "--protocol",
        "http",
        "--notification-endpoint",
        &sink.url(),
    ]);
}

/// A queue of the test's own behind a rule on the bus: its URL.
fn listen(stack: &Stack) -> String {
    let queue = stack
        .aws
        .run(&["sqs", "create-queue", "--queue-name", "heard"]);
    let queue = queue["QueueUrl"].as_str().unwrap_or_default().to_owned();
    let arn = "arn:aws:sqs:us-east-1:000000000000:heard";
    let policy = json!({"Policy": json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": arn,
        }],
    }).to_string()});
    let policy = policy.to_string();
    stack.aws.run(&[
        "sqs",
        "set-queue-attributes",
        "--queue-url",
        &queue,
        "--attributes",
        &policy,
    ]);
    let bus = &stack.outputs["Bus"];
    let pattern = json!({"source": ["pipewright.codepipeline"]}).to_string();
    stack.aws.run(&[
        "events",
        "put-rule",
        "--name",
        "heard",
        "--event-bus-name",
        bus,
        "--event-pattern",
        &pattern,
    ]);
    let target = format!("Id=heard,Arn={arn}");
    stack.aws.run(&[
        "events",
        "put-targets",
        "--rule",
        "heard",
        "--event-bus-name",
        bus,
        "--targets",
        &target,
    ]);
    queue
}

/// The link in the message to whoever approves.
fn link(told: &[Value]) -> Option<String> {
    let messages = told.iter().filter_map(|told| told["Message"].as_str());
    let mut words =
        messages.flat_map(|message| message.split(|c: char| c.is_whitespace() || c == '"'));
    words
        .find(|word| word.contains("/approvals/"))
        .map(str::to_owned)
}

/// Opens the link and sends its form, as a browser would.
fn approve(stack: &Stack, link: &str) {
    let page = browse(stack, link, None);
    assert_eq!(page.status(), 200, "{link}: {}", page.text());
    let answered = browse(stack, link, Some("decision=approve&comment=good"));
    assert!(
        (200..400).contains(&answered.status()),
        "{link}: {}",
        answered.text()
    );
}

fn browse(stack: &Stack, url: &str, form: Option<&str>) -> Message {
    let host = url
        .strip_prefix("http://")
        .and_then(|rest| rest.split('/').next());
    let method = if form.is_some() { "POST" } else { "GET" };
    let headers = [
        ("Host", host.unwrap_or_default()),
        ("Content-Type", "application/x-www-form-urlencoded"),
    ];
    let request = Message {
        first: format!("{method} {url} HTTP/1.1"),
        headers: headers
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec(),
        body: form.unwrap_or_default().as_bytes().to_vec(),
    };
    request
        .send(stack.proxy.address())
        .expect("the proxy answers")
}

fn deployed(stack: &Stack) -> Option<()> {
    let file = stack.folder.path().join("release.txt");
    let path = file.to_string_lossy();
    let got = stack.aws.ask(&[
        "s3api",
        "get-object",
        "--bucket",
        RELEASES,
        "--key",
        "release.txt",
        &path,
    ]);
    got.ok()?;
    let text = std::fs::read_to_string(&file).expect("the CLI wrote it");
    assert_eq!(text.trim(), BUILT);
    Some(())
}

/// Every change of the execution, its stages and its actions was told on the bus.
fn heard(stack: &Stack, queue: &str, execution: &str) {
    let mut heard: Vec<String> = Vec::new();
    let wanted = [
        "Pipeline STARTED",
        "Pipeline SUCCEEDED",
        "Stage STARTED",
        "Stage SUCCEEDED",
        "Action STARTED",
        "Action SUCCEEDED",
    ];
    wait("all events", FOLLOWS_WITHIN, || {
        let got = stack.aws.run(&[
            "sqs",
            "receive-message",
            "--queue-url",
            queue,
            "--max-number-of-messages",
            "10",
        ]);
        for message in got["Messages"].as_array().into_iter().flatten() {
            let body = message["Body"].as_str().unwrap_or_default();
            let event: Value = serde_json::from_str(body).unwrap_or_default();
            assert_eq!(event["detail"]["pipeline"], PIPELINE, "{event}");
            // The execution that a pipeline begins with had no source yet.
            if event["detail"]["execution-id"] != execution {
                continue;
            }
            let kind = event["detail-type"].as_str().unwrap_or_default();
            let kind = kind.split(' ').nth(1).unwrap_or_default();
            let state = event["detail"]["state"].as_str().unwrap_or_default();
            heard.push(format!("{kind} {state}"));
        }
        let all = wanted.iter().all(|wanted| {
            // The event of a pipeline is called "CodePipeline Pipeline Execution State Change".
            heard.iter().any(|heard| heard == wanted)
        });
        all.then_some(())
    });
}

/// The metrics are lines of the logs that CloudWatch reads (EMF).
fn measured(stack: &Stack) {
    let lines = stack.log("stage-transition");
    let mut metrics = lines
        .iter()
        .filter_map(|line| serde_json::from_str::<Value>(line.trim()).ok());
    let is_metric =
        |line: &Value| line["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "Pipewright";
    assert!(
        metrics.any(|line| is_metric(&line)),
        "no metrics in {lines:?}"
    );
}
