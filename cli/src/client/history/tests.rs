//! Answers of the API in, what a person sees out.

use expect_test::{Expect, expect};
use model::declaration::read::{Format, read};

use super::*;
use crate::progress::{
    Progress,
    lines::line,
    tree::{Canvas, render, verdict},
};

const PIPELINE: &str = "
name: web
roleArn: arn:aws:iam::000000000000:role/r
pipelineType: V2
stages:
- name: Source
  actions:
  - {name: get, actionTypeId: {category: Source, owner: AWS, provider: CodeCommit, version: '1'}, outputArtifacts: [{name: Code}]}
- name: Build
  actions:
  - {name: compile, actionTypeId: &build {category: Build, owner: AWS, provider: CodeBuild, version: '1'}, inputArtifacts: [{name: Code}]}
  - {name: lint, actionTypeId: *build, inputArtifacts: [{name: Code}]}
- name: Deploy
  actions:
  - {name: ok, actionTypeId: {category: Approval, owner: AWS, provider: Manual, version: '1'}}
";
const BEGIN: i64 = 1_800_000_000;
const EXECUTION: &str = "5f1c9e7a-0000-4000-8000-000000000000";

/// Plays answers to a history.
struct Play {
    history: History,
    progress: Progress,
    lines: Vec<String>,
}

impl Play {
    fn new() -> Self {
        let document = read(PIPELINE, Format::Yaml, &[]).expect("a pipeline");
        let execution = EXECUTION.parse().expect("an id");
        let started = Some(Timestamp(BEGIN * 1_000));
        Self {
            history: History::new(&document.declaration, execution, started),
            progress: Progress::new(&document.declaration, execution),
            lines: Vec::new(),
        }
    }

    /// One look: the status of the execution, and its actions as `id stage/action kind from-to word`.
    fn look(&mut self, status: &str, actions: &[&str]) -> &mut Self {
        let snapshot = Snapshot {
            execution: json!({
                "status": status,
                "artifactRevisions": [{"name": "Code", "revisionId": "3be91ac0ffee",
                                       "revisionSummary": "Fix rounding"}],
            }),
            actions: actions.iter().rev().map(|line| detail(line)).collect(),
        };
        let now = Timestamp((BEGIN + 100) * 1_000);
        for change in self.history.changes(&snapshot, now) {
            assert!(self.progress.apply(&change));
            self.lines.push(line(&self.progress, &change));
        }
        self
    }

    fn check(&self, expected: &Expect) {
        let canvas = Canvas {
            width: 80,
            height: 24,
            colour: false,
            now: Timestamp((BEGIN + 100) * 1_000),
        };
        let mut shown = self.lines.clone();
        shown.extend(render(&self.progress, canvas));
        shown.push(verdict(&self.progress, false));
        expected.assert_eq(&shown.join("\n"));
    }
}

fn detail(line: &str) -> Value {
    let words: Vec<&str> = line.split(' ').collect();
    let [id, name, provider, from, to, word] = words[..] else {
        panic!("{line}");
    };
    let (stage, action) = name.split_once('/').expect("a stage");
    let category = match provider {
        "CodeCommit" => "Source",
        "Manual" => "Approval",
        _ => "Build",
    };
    let seconds = |text: &str| BEGIN + text.parse::<i64>().expect("a number");
    let error = (word == "Failed").then(|| json!({"code": "JobFailed", "message": "exit 101"}));
    json!({
        "actionExecutionId": id,
        "stageName": stage,
        "actionName": action,
        "startTime": seconds(from),
        "lastUpdateTime": seconds(to),
        "status": word,
        "input": {
            "actionTypeId": {"category": category, "owner": "AWS", "provider": provider, "version": "1"},
            "configuration": {"CustomData": "Ship it?"},
        },
        "output": {
            "outputArtifacts": if category == "Source" { json!([{"name": "Code"}]) } else { json!([]) },
            "executionResult": {"errorDetails": error},
        },
    })
}

#[test]
fn looks_become_changes_and_nothing_is_told_twice() {
    Play::new()
        .look("InProgress", &[])
        .look("InProgress", &["1 Source/get CodeCommit 1 1 InProgress"])
        .look("InProgress", &["1 Source/get CodeCommit 1 1 InProgress"])
        .look(
            "InProgress",
            &[
                "1 Source/get CodeCommit 1 2 Succeeded",
                "2 Build/compile CodeBuild 3 30 Succeeded",
                "3 Build/lint CodeBuild 3 9 Succeeded",
                "4 Deploy/ok Manual 31 31 InProgress",
            ],
        )
        .check(&expect![[r#"
            08:00:00Z web InProgress
            08:00:01Z Source InProgress
            08:00:01Z Source/get InProgress
            08:00:02Z Source/get Succeeded 1.0s  3be91ac0 Fix rounding
            08:00:02Z Source Succeeded 1.0s
            08:00:03Z Build InProgress
            08:00:03Z Build/compile InProgress
            08:00:03Z Build/lint InProgress
            08:00:09Z Build/lint Succeeded 6.0s
            08:00:30Z Build/compile Succeeded 27.0s
            08:00:30Z Build Succeeded 27.0s
            08:00:31Z Deploy InProgress
            08:00:31Z Deploy/ok Waiting
              Pipeline  web v1 (V2, SUPERSEDED) · 3 stages · 4 actions · execution 5f1c9e7a
             Source   get      ✔ 1.0s     3be91ac0 Fix rounding
              Build ┬ compile  ✔ 27.0s
                    └ lint     ✔ 6.0s
             Deploy   ok       ⏸ 1m 09s
            Waiting  (critical path Source/get → Build/compile)"#]]);
}

#[test]
fn a_failure_and_its_retry() {
    let first = [
        "1 Source/get CodeCommit 1 2 Succeeded",
        "2 Build/compile CodeBuild 3 30 Failed",
        "3 Build/lint CodeBuild 3 9 Succeeded",
    ];
    let mut retried = first.to_vec();
    retried.extend([
        "4 Build/compile CodeBuild 50 60 Succeeded",
        "5 Deploy/ok Manual 61 70 Succeeded",
    ]);
    Play::new()
        .look("Failed", &first)
        .look("Failed", &first)
        .look("InProgress", &retried[..3])
        .look("Succeeded", &retried)
        .check(&expect![[r#"
            08:00:00Z web InProgress
            08:00:01Z Source InProgress
            08:00:01Z Source/get InProgress
            08:00:02Z Source/get Succeeded 1.0s  3be91ac0 Fix rounding
            08:00:02Z Source Succeeded 1.0s
            08:00:03Z Build InProgress
            08:00:03Z Build/compile InProgress
            08:00:03Z Build/lint InProgress
            08:00:09Z Build/lint Succeeded 6.0s
            08:00:30Z Build/compile Failed 27.0s  exit 101
            08:00:30Z Build Failed 27.0s
            08:00:30Z web Failed 30.0s
            08:01:40Z web InProgress
            08:00:50Z Build InProgress
            08:00:50Z Build/compile InProgress (attempt 2)
            08:01:00Z Build/compile Succeeded (attempt 2) 10.0s
            08:01:00Z Build Succeeded 57.0s
            08:01:01Z Deploy InProgress
            08:01:01Z Deploy/ok Waiting
            08:01:10Z Deploy/ok Succeeded 9.0s
            08:01:10Z Deploy Succeeded 9.0s
            08:01:10Z web Succeeded 1m 10s
              Pipeline  web v1 (V2, SUPERSEDED) · 3 stages · 4 actions · execution 5f1c9e7a
             Source   get      ✔ 1.0s     3be91ac0 Fix rounding
              Build ┬ compile  ✔ 10.0s    attempt 2 ·
                    └ lint     ✔ 6.0s
             Deploy   ok       ✔ 9.0s
            Succeeded  in 1m 10s  (critical path Source/get → Build/compile → Deploy/ok)"#]]);
}

#[test]
fn what_is_stopped_ends_with_what_was_abandoned() {
    Play::new()
        .look("InProgress", &["1 Source/get CodeCommit 1 1 InProgress"])
        .look("Stopping", &["1 Source/get CodeCommit 1 1 InProgress"])
        .look("Stopped", &["1 Source/get CodeCommit 1 5 Abandoned"])
        .check(&expect![[r#"
            08:00:00Z web InProgress
            08:00:01Z Source InProgress
            08:00:01Z Source/get InProgress
            08:01:40Z web Stopping
            08:00:05Z Source/get Abandoned 4.0s
            08:00:05Z Source Stopped 4.0s
            08:00:05Z web Stopped 5.0s
              Pipeline  web v1 (V2, SUPERSEDED) · 3 stages · 4 actions · execution 5f1c9e7a
             Source   get      ■ 4.0s
              Build ┬ compile  ·
                    └ lint     ·
             Deploy   ok       ·
            Stopped  in 5.0s"#]]);
}

#[test]
fn one_that_never_began_may_be_superseded() {
    Play::new()
        .look("InProgress", &[])
        .look("Superseded", &[])
        .check(&expect![[r#"
            08:00:00Z web InProgress
            08:01:40Z web Superseded 1m 40s
              Pipeline  web v1 (V2, SUPERSEDED) · 3 stages · 4 actions · execution 5f1c9e7a
             Source   get      ·
              Build ┬ compile  ·
                    └ lint     ·
             Deploy   ok       ·
            Superseded  in 1m 40s"#]]);
}

#[test]
fn what_is_not_understood_is_passed_over() {
    let mut play = Play::new();
    let snapshot = Snapshot {
        execution: json!({"status": "Dreaming"}),
        actions: vec![
            json!({}),
            json!({"actionExecutionId": "x", "status": "InProgress", "input": {"actionTypeId": 7}}),
        ],
    };
    let changes = play.history.changes(&snapshot, Timestamp(0));
    assert!(
        changes
            .iter()
            .all(|change| !matches!(change.subject, Subject::Action(_)))
    );
    assert_eq!(snapshot.status(), "Dreaming");
    assert_eq!(state("Dreaming"), EventState::Started);
    assert_eq!(attempt_id("not a uuid"), attempt_id("not a uuid"));
}

#[test]
fn an_approval_asks_with_what_was_resolved() {
    let detail = |input: Value| question(&json!({"input": input}));
    assert_eq!(detail(json!({})), "may it go on?");
    assert_eq!(
        detail(json!({
            "configuration": {"CustomData": "#{v.x}"},
            "resolvedConfiguration": {"CustomData": "Ship 3?", "ExternalEntityLink": "http://x"},
        })),
        "Ship 3?  (http://x)"
    );
}
