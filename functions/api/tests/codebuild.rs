//! The protocol of CodeBuild and of the logs of its builds, without a signature around it.

use std::sync::Arc;

use access::Caller;
use api::{ApiError, Call, Reply, Service, codebuild::CodeBuild, logs::Logs};
use embedded::{GitRepositories, ManualClock, Objects, SeededRandom, Store, logs::LOG_BYTES};
use model::Timestamp;
use ports::{Account, World, nobody::Nobody};
use serde_json::{Value, json};
use tempfile::TempDir;

struct Bench {
    codebuild: CodeBuild,
    logs: Logs,
    written: embedded::Logs,
    _folder: TempDir,
}

impl Bench {
    fn new() -> Self {
        let clock = ManualClock::new(Timestamp(1_547_106_937_250));
        let store = Arc::new(Store::in_memory().expect("it needs no file"));
        let folder = tempfile::tempdir().expect("there is room");
        let objects = Objects::temporary(Arc::new(clock.clone())).expect("there is room");
        let world = World {
            account: Arc::new(Account {
                id: "111122223333".to_owned(),
                region: "us-east-1".to_owned(),
            }),
            clock: Arc::new(clock),
            random: Arc::new(SeededRandom::new(1)),
            pipelines: store.clone(),
            objects: Arc::new(objects),
            queues: Arc::new(Nobody),
            bus: Arc::new(Nobody),
            builds: Arc::new(Nobody),
            projects: store.clone(),
            repositories: Arc::new(GitRepositories::new([].into(), folder.path())),
        };
        let operations = operations::codebuild::CodeBuild {
            world: world.clone(),
            projects: store.clone(),
            builds: store.clone(),
            runner: Arc::new(Nobody),
            nudge: Arc::new(|| {}),
        };
        let logs = folder.path().join("logs");
        let written = embedded::Logs::open(&logs, Arc::new(|_, _| {}));
        let written = written.expect("there is room");
        Self {
            codebuild: CodeBuild::new(operations, [7; 32]),
            logs: Logs {
                world,
                builds: store,
                logs: Arc::new(written.clone()),
            },
            written,
            _folder: folder,
        }
    }

    async fn ask(&self, operation: &str, input: Value) -> Result<Value, ApiError> {
        ask(&self.codebuild, operation, input).await
    }

    /// The exception and the message that a request is refused with.
    async fn refused(&self, operation: &str, input: Value) -> (&'static str, String) {
        let refused = self.ask(operation, input).await;
        let error = refused.expect_err("it is refused");
        (error.exception, error.message)
    }

    /// Starts a build of a project that it makes, and gives the build's id.
    async fn build(&self) -> String {
        let made = self.ask("CreateProject", project("web")).await;
        made.expect("it is a project");
        let started = self.ask("StartBuild", json!({"projectName": "web"})).await;
        let started = started.expect("it is begun");
        let id = started["build"]["id"].as_str().expect("it has an id");
        id.to_owned()
    }
}

async fn ask(service: &dyn Service, operation: &str, input: Value) -> Result<Value, ApiError> {
    let body = input.to_string();
    let call = Call {
        operation,
        caller: Caller::owner("arn:aws:iam::111122223333:user/ann"),
        input,
        body: &body,
    };
    service.call(call).await.map(|reply| match reply {
        Reply::Value(output) => output,
        Reply::Ready(text) => serde_json::from_slice(&text).expect("an answer is JSON"),
    })
}

fn project(name: &str) -> Value {
    json!({
        "name": name,
        "source": {"type": "NO_SOURCE", "buildspec": "version: 0.2\n"},
        "artifacts": {"type": "NO_ARTIFACTS"},
        "environment": {"type": "LINUX_CONTAINER", "image": "x",
            "computeType": "BUILD_GENERAL1_SMALL",
            "environmentVariables": [{"name": "A", "value": "1", "type": "PLAINTEXT"}]},
        "serviceRole": "arn:aws:iam::111122223333:role/build",
    })
}

#[tokio::test]
async fn a_project_comes_back_as_it_was_sent() {
    let bench = Bench::new();
    let mut sent = project("web");
    sent["description"] = Value::Null;
    sent["tags"] = json!([{"key": "k", "value": "v"}]);
    let answer = bench.ask("CreateProject", sent).await;
    let made = answer.expect("it is a project")["project"].clone();
    let mut expected = project("web");
    expected["environment"]["privilegedMode"] = json!(false);
    expected["tags"] = json!([{"key": "k", "value": "v"}]);
    expected["arn"] = json!("arn:aws:codebuild:us-east-1:111122223333:project/web");
    expected["badge"] = json!({"badgeEnabled": false});
    expected["cache"] = json!({"type": "NO_CACHE"});
    expected["created"] = json!(1_547_106_937.25);
    expected["lastModified"] = json!(1_547_106_937.25);
    expected["projectVisibility"] = json!("PRIVATE");
    expected["queuedTimeoutInMinutes"] = json!(480);
    expected["timeoutInMinutes"] = json!(60);
    assert_eq!(made, expected);
}

#[tokio::test]
async fn every_refusal_is_an_exception_of_the_service() {
    let bench = Bench::new();
    let with = |path: &str, value: Value| {
        let mut input = project("web");
        input[path] = value;
        input
    };
    let invalid = "InvalidInputException";
    for (input, named) in [
        (json!({"name": "web"}), "4 validation errors"),
        (
            with("timeoutInMinutes", json!(4)),
            "greater than or equal to 5",
        ),
        (with("vpcConfig", json!({"vpcId": "v"})), "vpcConfig"),
        (with("name", json!("-")), "Invalid project name"),
    ] {
        let (exception, message) = bench.refused("CreateProject", input).await;
        assert_eq!(exception, invalid);
        assert!(message.contains(named), "{message}");
    }
    let (exception, _) = bench.refused("CreateProject", with("name", json!(1))).await;
    assert_eq!(exception, "SerializationException");
    for (operation, input, expected) in [
        (
            "UpdateProject",
            json!({"name": "no"}),
            "ResourceNotFoundException",
        ),
        (
            "StartBuild",
            json!({"projectName": "no"}),
            "ResourceNotFoundException",
        ),
        (
            "RetryBuild",
            json!({"id": "no:1"}),
            "ResourceNotFoundException",
        ),
        ("RetryBuild", json!({}), invalid),
        ("StopBuild", json!({"id": "no"}), invalid),
        ("ListProjects", json!({"nextToken": "x"}), invalid),
        ("ListBuilds", json!({"nextToken": "x"}), invalid),
        ("ListBuilds", json!({"sortOrder": "UP"}), invalid),
        ("BatchGetBuilds", json!({"ids": []}), invalid),
        ("BatchGetProjects", json!({}), invalid),
        ("ListFleets", json!({}), "UnknownOperationException"),
    ] {
        let (exception, message) = bench.refused(operation, input).await;
        assert_eq!(exception, expected, "{operation}: {message}");
    }
    let made = bench.ask("CreateProject", project("web")).await;
    made.expect("it is a project");
    let (exception, _) = bench.refused("CreateProject", project("web")).await;
    assert_eq!(exception, "ResourceAlreadyExistsException");
    let deleted = bench.ask("DeleteProject", json!({"name": "web"})).await;
    assert_eq!(deleted, Ok(json!({})));
}

#[tokio::test]
async fn a_build_in_progress_says_what_is_known() {
    let bench = Bench::new();
    let id = bench.build().await;
    let stopped = bench.ask("StopBuild", json!({"id": id})).await;
    let build = stopped.expect("it is there")["build"].clone();
    let uuid = id.strip_prefix("web:").expect("it is the project's");
    assert_eq!(build["buildStatus"], "IN_PROGRESS");
    assert_eq!(build["buildComplete"], false);
    assert_eq!(build["currentPhase"], "SUBMITTED");
    assert_eq!(
        build["phases"],
        json!([{"phaseType": "SUBMITTED", "startTime": 1_547_106_937.25}])
    );
    assert_eq!(build["logs"]["groupName"], "/aws/codebuild/web");
    assert_eq!(build["logs"]["streamName"], uuid);
    assert_eq!(build["artifacts"], json!({"location": ""}));
    assert_eq!(build["initiator"], "ann");
    assert_eq!(build["endTime"], Value::Null);
    let listed = bench.ask("ListBuilds", json!({})).await;
    assert_eq!(listed, Ok(json!({"ids": [id]})));
    let found = bench
        .ask("BatchGetBuilds", json!({"ids": [id, "x:1"]}))
        .await;
    assert_eq!(
        found.expect("one is there")["buildsNotFound"],
        json!(["x:1"])
    );
}

#[tokio::test]
async fn a_log_is_read_forwards_backwards_and_from_its_end() {
    let bench = Bench::new();
    let id = bench.build().await;
    let stream = id.strip_prefix("web:").expect("it is the project's");
    let log = bench.written.writer(stream, LOG_BYTES);
    let mut log = log.expect("there is room");
    for at in 0..5 {
        log.line(&format!("line {at}")).expect("there is room");
    }
    let get = async |more: Value| {
        let mut input = json!({"logGroupName": "/aws/codebuild/web", "logStreamName": stream});
        for (name, value) in more.as_object().expect("it is one") {
            input[name] = value.clone();
        }
        ask(&bench.logs, "GetLogEvents", input).await
    };
    let told = |answer: &Value| -> Vec<String> {
        let events = answer["events"].as_array().cloned().unwrap_or_default();
        let text = |event: &Value| event["message"].as_str().unwrap_or_default().to_owned();
        events.iter().map(text).collect()
    };
    let end = get(json!({"limit": 2})).await.expect("it is there");
    assert_eq!(told(&end), ["line 3", "line 4"]);
    assert_eq!(end["events"][0]["timestamp"], 1_547_106_937_250_i64);
    let before = get(json!({"limit": 2, "nextToken": end["nextBackwardToken"]})).await;
    assert_eq!(told(&before.expect("it is there")), ["line 1", "line 2"]);
    let after = get(json!({"nextToken": end["nextForwardToken"]})).await;
    let after = after.expect("it is there");
    assert!(told(&after).is_empty());
    assert_eq!(after["nextForwardToken"], end["nextForwardToken"]);
    let head = get(json!({"limit": 1, "startFromHead": true})).await;
    let head = head.expect("it is there");
    assert_eq!(told(&head), ["line 0"]);
    let next = get(json!({"limit": 1, "nextToken": head["nextForwardToken"]})).await;
    assert_eq!(told(&next.expect("it is there")), ["line 1"]);
    for (more, expected) in [
        (json!({"nextToken": "x"}), "InvalidParameterException"),
        (json!({"limit": 0}), "InvalidParameterException"),
        (
            json!({"logGroupName": "/other"}),
            "ResourceNotFoundException",
        ),
        (
            json!({"logStreamName": "none"}),
            "ResourceNotFoundException",
        ),
        (json!({"logGroupName": null}), "InvalidParameterException"),
    ] {
        let refused = get(more).await.expect_err("it is refused");
        assert_eq!(refused.exception, expected);
    }
    let other = ask(&bench.logs, "FilterLogEvents", json!({})).await;
    let other = other.expect_err("it is not there");
    assert_eq!(other.exception, "UnknownOperationException");
    assert!(other.message.contains("FilterLogEvents"));
}

#[tokio::test]
async fn a_place_beyond_the_end_of_a_log_is_no_failure() {
    let bench = Bench::new();
    let id = bench.build().await;
    let stream = id.strip_prefix("web:").expect("it is the project's");
    let log = bench.written.writer(stream, LOG_BYTES);
    let written = log.expect("there is room").line("the line");
    written.expect("there is room");
    for (way, expected) in [("f", 0), ("b", 1)] {
        let input = json!({
            "logGroupName": "/aws/codebuild/web",
            "logStreamName": stream,
            "nextToken": format!("{way}/{}", u64::MAX),
        });
        let page = ask(&bench.logs, "GetLogEvents", input).await;
        let page = page.expect("it is answered");
        let events = page["events"].as_array().expect("a list");
        assert_eq!(events.len(), expected, "{page}");
    }
}
