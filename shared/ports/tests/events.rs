//! Every sample change as the event that it becomes.

use std::{collections::BTreeSet, fs, path::PathBuf};

use expect_test::{Expect, expect};
use model::{Change, ExecutionId, Subject, Timestamp, change::EventState};
use pipewright_ports::{Account, Event};

const SAMPLES: [&str; 13] = [
    "action-abandoned",
    "action-failed",
    "action-failed-at-once",
    "action-started",
    "action-succeeded",
    "approval-rejected",
    "approval-started",
    "pipeline-started",
    "pipeline-stopping",
    "pipeline-superseded",
    "source-stage-started",
    "stage-resumed",
    "stage-started",
];

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/changes")
}

fn sample(name: &str) -> Change {
    let json = fs::read_to_string(folder().join(format!("{name}.json"))).expect("it exists");
    serde_json::from_str(&json).expect("the sample is a change")
}

fn account() -> Account {
    Account {
        id: "000000000000".to_owned(),
        region: "us-east-1".to_owned(),
    }
}

#[track_caller]
fn check(name: &str, expected: &Expect) {
    let event = Event::of(&sample(name), &account());
    let text = serde_json::to_string_pretty(&event).expect("it can be written");
    expected.assert_eq(&text);
    let tree: serde_json::Value = serde_json::from_str(&event.to_json()).expect("it is JSON");
    assert_eq!(tree, event.to_value());
}

#[test]
fn no_sample_is_left_out() {
    let files = fs::read_dir(folder()).expect("there are samples");
    let names: BTreeSet<String> = files
        .map(|file| file.expect("it can be read").path())
        .filter_map(|path| Some(path.file_stem()?.to_string_lossy().into_owned()))
        .collect();
    assert_eq!(names, SAMPLES.map(str::to_owned).into());
}

#[test]
#[expect(clippy::too_many_lines, reason = "there is a line for each member")]
fn each_sample_is_the_event_that_aws_sends() {
    check(
        "action-abandoned",
        &expect![[r#"
        {
          "version": "0",
          "id": "24cec01c-9624-4d9f-ae71-f77f9b22d10c",
          "detail-type": "CodePipeline Action Execution State Change",
          "source": "aws.codepipeline",
          "account": "000000000000",
          "time": "2023-10-26T13:49:39Z",
          "region": "us-east-1",
          "resources": [
            "arn:aws:codepipeline:us-east-1:000000000000:web"
          ],
          "detail": {
            "pipeline": "web",
            "execution-id": "00000000-0000-4000-8000-000000000001",
            "start-time": "2023-10-26T13:49:38.001Z",
            "stage": "Build",
            "action-execution-id": "00000000-0000-4000-8000-00000000000a",
            "action": "Compile",
            "state": "ABANDONED",
            "region": "us-east-1",
            "type": {
              "category": "Build",
              "owner": "AWS",
              "provider": "CodeBuild",
              "version": "1"
            },
            "version": 4.0,
            "pipeline-execution-attempt": 1.0
          }
        }"#]],
    );
    check(
        "action-failed",
        &expect![[r#"
        {
          "version": "0",
          "id": "ff9c1262-0aa6-41c2-8ce0-7c3ea5a32bc1",
          "detail-type": "CodePipeline Action Execution State Change",
          "source": "aws.codepipeline",
          "account": "000000000000",
          "time": "2023-10-26T13:49:39Z",
          "region": "us-east-1",
          "resources": [
            "arn:aws:codepipeline:us-east-1:000000000000:web"
          ],
          "detail": {
            "pipeline": "web",
            "execution-id": "00000000-0000-4000-8000-000000000001",
            "start-time": "2023-10-26T13:49:38.001Z",
            "stage": "Build",
            "execution-result": {
              "external-execution-summary": "Build terminated with state: FAILED",
              "external-execution-id": "unit-tests:1",
              "error-code": "JobFailed"
            },
            "action-execution-id": "00000000-0000-4000-8000-00000000000a",
            "action": "Compile",
            "state": "FAILED",
            "region": "us-west-2",
            "type": {
              "category": "Build",
              "owner": "AWS",
              "provider": "CodeBuild",
              "version": "1"
            },
            "version": 4.0,
            "pipeline-execution-attempt": 1.0
          }
        }"#]],
    );
    check(
        "action-failed-at-once",
        &expect![[r#"
        {
          "version": "0",
          "id": "ff9c1262-0aa6-41c2-8ce0-7c3ea5a32bc1",
          "detail-type": "CodePipeline Action Execution State Change",
          "source": "aws.codepipeline",
          "account": "000000000000",
          "time": "2023-10-26T13:49:39Z",
          "region": "us-east-1",
          "resources": [
            "arn:aws:codepipeline:us-east-1:000000000000:web"
          ],
          "detail": {
            "pipeline": "web",
            "execution-id": "00000000-0000-4000-8000-000000000001",
            "start-time": "2023-10-26T13:49:38.001Z",
            "stage": "Build",
            "execution-result": {
              "external-execution-summary": "no bucket has the name `nowhere`",
              "error-code": "ConfigurationError"
            },
            "action-execution-id": "00000000-0000-4000-8000-00000000000a",
            "action": "Compile",
            "state": "FAILED",
            "region": "us-east-1",
            "type": {
              "category": "Build",
              "owner": "AWS",
              "provider": "CodeBuild",
              "version": "1"
            },
            "version": 4.0,
            "pipeline-execution-attempt": 1.0
          }
        }"#]],
    );
    check(
        "action-started",
        &expect![[r#"
        {
          "version": "0",
          "id": "6e003ae8-0f9f-487b-be94-b2ea769fa62a",
          "detail-type": "CodePipeline Action Execution State Change",
          "source": "aws.codepipeline",
          "account": "000000000000",
          "time": "2023-10-26T13:49:39Z",
          "region": "us-east-1",
          "resources": [
            "arn:aws:codepipeline:us-east-1:000000000000:web"
          ],
          "detail": {
            "pipeline": "web",
            "execution-id": "00000000-0000-4000-8000-000000000001",
            "start-time": "2023-10-26T13:49:38.001Z",
            "stage": "Build",
            "input-artifacts": [
              {
                "name": "Source",
                "s3location": {
                  "bucket": "artifacts",
                  "key": "web/Source/aBcDeFg"
                }
              }
            ],
            "action-execution-id": "00000000-0000-4000-8000-00000000000a",
            "action": "Compile",
            "state": "STARTED",
            "region": "us-east-1",
            "type": {
              "category": "Build",
              "owner": "AWS",
              "provider": "CodeBuild",
              "version": "1"
            },
            "version": 4.0,
            "pipeline-execution-attempt": 1.0
          }
        }"#]],
    );
    check(
        "action-succeeded",
        &expect![[r#"
        {
          "version": "0",
          "id": "ff9c1262-0aa6-41c2-8ce0-7c3ea5a32bc1",
          "detail-type": "CodePipeline Action Execution State Change",
          "source": "aws.codepipeline",
          "account": "000000000000",
          "time": "2023-10-26T13:49:39Z",
          "region": "us-east-1",
          "resources": [
            "arn:aws:codepipeline:us-east-1:000000000000:web"
          ],
          "detail": {
            "pipeline": "web",
            "execution-id": "00000000-0000-4000-8000-000000000001",
            "start-time": "2023-10-26T13:49:38.001Z",
            "stage": "Build",
            "execution-result": {
              "external-execution-url": "https://ci.example.org/builds/1",
              "external-execution-summary": "42 tests passed",
              "external-execution-id": "unit-tests:1"
            },
            "output-artifacts": [
              {
                "name": "Binary",
                "s3location": {
                  "bucket": "artifacts",
                  "key": "web/Binary/hIjKlMn"
                }
              }
            ],
            "action-execution-id": "00000000-0000-4000-8000-00000000000a",
            "action": "Compile",
            "state": "SUCCEEDED",
            "region": "us-east-1",
            "type": {
              "category": "Build",
              "owner": "AWS",
              "provider": "CodeBuild",
              "version": "1"
            },
            "version": 4.0,
            "pipeline-execution-attempt": 1.0
          }
        }"#]],
    );
    check(
        "approval-rejected",
        &expect![[r#"
        {
          "version": "0",
          "id": "883396e1-6bf3-47d7-9714-be78f1abfa58",
          "detail-type": "CodePipeline Action Execution State Change",
          "source": "aws.codepipeline",
          "account": "000000000000",
          "time": "2023-10-26T13:49:39Z",
          "region": "us-east-1",
          "resources": [
            "arn:aws:codepipeline:us-east-1:000000000000:web"
          ],
          "detail": {
            "pipeline": "web",
            "execution-id": "00000000-0000-4000-8000-000000000001",
            "start-time": "2023-10-26T13:49:38.001Z",
            "stage": "Release",
            "execution-result": {
              "external-execution-summary": "Rejected by arn:aws:iam::000000000000:user/ann: not on a Friday",
              "error-code": "JobFailed"
            },
            "action-execution-id": "00000000-0000-4000-8000-00000000000a",
            "action": "Approve",
            "state": "FAILED",
            "region": "us-east-1",
            "type": {
              "category": "Approval",
              "owner": "AWS",
              "provider": "Manual",
              "version": "1"
            },
            "version": 4.0,
            "pipeline-execution-attempt": 1.0
          }
        }"#]],
    );
    check(
        "approval-started",
        &expect![[r#"
        {
          "version": "0",
          "id": "24cec01c-9624-4d9f-ae71-f77f9b22d10c",
          "detail-type": "CodePipeline Action Execution State Change",
          "source": "aws.codepipeline",
          "account": "000000000000",
          "time": "2023-10-26T13:49:39Z",
          "region": "us-east-1",
          "resources": [
            "arn:aws:codepipeline:us-east-1:000000000000:web"
          ],
          "detail": {
            "pipeline": "web",
            "execution-id": "00000000-0000-4000-8000-000000000001",
            "start-time": "2023-10-26T13:49:38.001Z",
            "stage": "Release",
            "action-execution-id": "00000000-0000-4000-8000-00000000000a",
            "action": "Approve",
            "state": "STARTED",
            "region": "us-east-1",
            "type": {
              "category": "Approval",
              "owner": "AWS",
              "provider": "Manual",
              "version": "1"
            },
            "version": 4.0,
            "pipeline-execution-attempt": 1.0
          }
        }"#]],
    );
    check(
        "pipeline-started",
        &expect![[r#"
        {
          "version": "0",
          "id": "7522022f-149f-4254-9dce-5d8a996a020b",
          "detail-type": "CodePipeline Pipeline Execution State Change",
          "source": "aws.codepipeline",
          "account": "000000000000",
          "time": "2023-10-26T13:49:39Z",
          "region": "us-east-1",
          "resources": [
            "arn:aws:codepipeline:us-east-1:000000000000:web"
          ],
          "detail": {
            "pipeline": "web",
            "execution-id": "00000000-0000-4000-8000-000000000001",
            "start-time": "2023-10-26T13:49:38.001Z",
            "execution-trigger": {
              "trigger-type": "StartPipelineExecution",
              "trigger-detail": "arn:aws:iam::000000000000:user/ann"
            },
            "state": "STARTED",
            "version": 4.0,
            "pipeline-execution-attempt": 1.0
          }
        }"#]],
    );
    check(
        "pipeline-stopping",
        &expect![[r#"
        {
          "version": "0",
          "id": "883396e1-6bf3-47d7-9714-be78f1abfa58",
          "detail-type": "CodePipeline Pipeline Execution State Change",
          "source": "aws.codepipeline",
          "account": "000000000000",
          "time": "2023-10-26T13:49:39Z",
          "region": "us-east-1",
          "resources": [
            "arn:aws:codepipeline:us-east-1:000000000000:web"
          ],
          "detail": {
            "pipeline": "web",
            "execution-id": "00000000-0000-4000-8000-000000000001",
            "start-time": "2023-10-26T13:49:38.001Z",
            "stop-execution-comments": "the wrong branch",
            "state": "STOPPING",
            "version": 4.0,
            "pipeline-execution-attempt": 1.0
          }
        }"#]],
    );
    check(
        "pipeline-superseded",
        &expect![[r#"
        {
          "version": "0",
          "id": "8a4f18e9-0a18-4a5a-be8e-9d2392f85d61",
          "detail-type": "CodePipeline Pipeline Execution State Change",
          "source": "aws.codepipeline",
          "account": "000000000000",
          "time": "2023-10-26T13:49:39Z",
          "region": "us-east-1",
          "resources": [
            "arn:aws:codepipeline:us-east-1:000000000000:web"
          ],
          "detail": {
            "pipeline": "web",
            "execution-id": "00000000-0000-4000-8000-000000000001",
            "start-time": "2023-10-26T13:49:38.001Z",
            "state": "SUPERSEDED",
            "version": 4.0,
            "pipeline-execution-attempt": 1.0
          }
        }"#]],
    );
    check(
        "source-stage-started",
        &expect![[r#"
        {
          "version": "0",
          "id": "333bff83-d063-4e22-b5ca-4a3d1bd22829",
          "detail-type": "CodePipeline Stage Execution State Change",
          "source": "aws.codepipeline",
          "account": "000000000000",
          "time": "2023-10-26T13:49:39Z",
          "region": "us-east-1",
          "resources": [
            "arn:aws:codepipeline:us-east-1:000000000000:web"
          ],
          "detail": {
            "pipeline": "web",
            "execution-id": "00000000-0000-4000-8000-000000000001",
            "start-time": "2023-10-26T13:49:38.001Z",
            "stage": "Source",
            "state": "STARTED",
            "version": 4.0,
            "pipeline-execution-attempt": 0.0
          }
        }"#]],
    );
    check(
        "stage-resumed",
        &expect![[r#"
        {
          "version": "0",
          "id": "601dde6d-6073-4075-b484-4598b74323dd",
          "detail-type": "CodePipeline Stage Execution State Change",
          "source": "aws.codepipeline",
          "account": "000000000000",
          "time": "2023-10-26T13:49:39Z",
          "region": "us-east-1",
          "resources": [
            "arn:aws:codepipeline:us-east-1:000000000000:web"
          ],
          "detail": {
            "pipeline": "web",
            "execution-id": "00000000-0000-4000-8000-000000000001",
            "start-time": "2023-10-26T13:49:38.001Z",
            "stage": "Build",
            "stage-last-retry-attempt-time": "2023-10-26T13:49:39.200Z",
            "state": "RESUMED",
            "version": 4.0,
            "pipeline-execution-attempt": 2.0
          }
        }"#]],
    );
    check(
        "stage-started",
        &expect![[r#"
        {
          "version": "0",
          "id": "ea58e0be-aa38-4f3c-a51b-898f286fa6ae",
          "detail-type": "CodePipeline Stage Execution State Change",
          "source": "aws.codepipeline",
          "account": "000000000000",
          "time": "2023-10-26T13:49:39Z",
          "region": "us-east-1",
          "resources": [
            "arn:aws:codepipeline:us-east-1:000000000000:web"
          ],
          "detail": {
            "pipeline": "web",
            "execution-id": "00000000-0000-4000-8000-000000000001",
            "start-time": "2023-10-26T13:49:38.001Z",
            "stage": "Build",
            "state": "STARTED",
            "version": 4.0,
            "pipeline-execution-attempt": 1.0
          }
        }"#]],
    );
}

#[test]
fn each_state_has_its_name_for_each_subject() {
    let states = [
        (EventState::Started, "STARTED"),
        (EventState::Resumed, "RESUMED"),
        (EventState::Stopping, "STOPPING"),
        (EventState::Stopped, "STOPPED"),
        (EventState::Succeeded, "SUCCEEDED"),
        (EventState::Superseded, "SUPERSEDED"),
        (EventState::Failed, "FAILED"),
        (EventState::Abandoned, "ABANDONED"),
        (EventState::Canceled, "CANCELED"),
    ];
    for (state, name) in states {
        let of_pipeline = Subject::Pipeline {
            state,
            trigger: None,
            comment: None,
        };
        let of_stage = Subject::Stage {
            stage: "Build".to_owned(),
            state,
            last_retry: None,
        };
        let Subject::Action(mut action) = sample("action-started").subject else {
            panic!("it is of an action");
        };
        action.state = state;
        let subjects = [
            ("Pipeline", of_pipeline),
            ("Stage", of_stage),
            ("Action", Subject::Action(action)),
        ];
        for (kind, subject) in subjects {
            let change = Change {
                subject,
                ..sample("stage-started")
            };
            let event = Event::of(&change, &account()).to_value();
            assert_eq!(event["detail"]["state"], name);
            let detail_type = format!("CodePipeline {kind} Execution State Change");
            assert_eq!(event["detail-type"], detail_type.as_str());
            let text = event.to_string();
            assert_eq!(
                text.contains("input-artifacts"),
                kind == "Action" && name == "STARTED"
            );
            assert_eq!(
                text.contains("output-artifacts"),
                kind == "Action" && name == "SUCCEEDED"
            );
        }
    }
}

#[test]
fn the_id_is_of_the_change_and_of_nothing_else() {
    let change = sample("stage-started");
    let id = Event::of(&change, &account()).id;
    let again = Change {
        at: Timestamp(0),
        pipeline: "renamed".to_owned(),
        ..change.clone()
    };
    assert_eq!(Event::of(&again, &account()).id, id);
    let next = Change {
        sequence: change.sequence + 1,
        ..change.clone()
    };
    assert_ne!(Event::of(&next, &account()).id, id);
    let other: ExecutionId = "00000000-0000-4000-8000-000000000002"
        .parse()
        .expect("an id");
    let elsewhere = Change {
        execution: other,
        ..change
    };
    assert_ne!(Event::of(&elsewhere, &account()).id, id);
}

#[test]
fn a_summary_is_cut_to_what_the_api_holds() {
    let mut change = sample("action-failed");
    if let Subject::Action(action) = &mut change.subject
        && let Some(error) = &mut action.error
    {
        error.message = "ü".repeat(5_000);
    }
    let result = Event::of(&change, &account()).detail.execution_result;
    let summary = result.and_then(|result| result.external_execution_summary);
    assert_eq!(summary.map(|text| text.chars().count()), Some(2_048));
}
