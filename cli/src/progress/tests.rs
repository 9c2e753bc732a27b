//! Transcripts: changes in, what a person sees out.

use expect_test::expect;
use model::{
    Timestamp,
    declaration::read::{Format, read},
    job::FailureType,
    state::SourceRevision,
};

use super::{
    lines::line,
    tree::{Canvas, render, verdict},
    *,
};

const PIPELINE: &str = "
name: web-shop
roleArn: arn:aws:iam::000000000000:role/r
pipelineType: V2
executionMode: QUEUED
stages:
- name: Source
  actions:
  - {name: checkout, actionTypeId: {category: Source, owner: AWS, provider: CodeCommit, version: '1'}, outputArtifacts: [{name: Code}]}
- name: Build
  actions:
  - {name: compile, actionTypeId: &build {category: Build, owner: AWS, provider: CodeBuild, version: '1'}, inputArtifacts: [{name: Code}]}
  - {name: lint, actionTypeId: *build, inputArtifacts: [{name: Code}]}
  - {name: unit, runOrder: 2, actionTypeId: *build, inputArtifacts: [{name: Code}]}
- name: Deploy
  actions:
  - {name: approve, actionTypeId: {category: Approval, owner: AWS, provider: Manual, version: '1'}}
";

/// A day's beginning, so that times of day are easy to read.
const BEGIN: i64 = 1_800_000_000_000;

/// Plays changes to a progress.
struct Play {
    progress: Progress,
    sequence: u32,
    lines: Vec<String>,
}

impl Play {
    fn new() -> Self {
        let document = read(PIPELINE, Format::Yaml, &[]).expect("a pipeline");
        let execution = ExecutionId(Uuid::from_u128(0x5f1c_9e7a << 96));
        Self {
            progress: Progress::new(&document.declaration, execution),
            sequence: 0,
            lines: vec![],
        }
    }

    fn change(&mut self, started: i64, at: i64, subject: Subject) {
        self.sequence += 1;
        let change = Change {
            pipeline: "web-shop".into(),
            execution: self.progress.execution,
            sequence: self.sequence,
            at: Timestamp(BEGIN + at),
            pipeline_version: 7,
            attempt: 1,
            started: Timestamp(BEGIN + started),
            subject,
        };
        assert!(self.progress.apply(&change));
        assert!(!self.progress.apply(&change), "a repeat changes nothing");
        self.lines.push(line(&self.progress, &change));
    }

    fn pipeline(&mut self, at: i64, state: EventState) {
        self.change(
            0,
            at,
            Subject::Pipeline {
                state,
                trigger: None,
                comment: None,
            },
        );
    }

    fn stage(&mut self, stage: &str, started: i64, at: i64, state: EventState) {
        self.change(
            started,
            at,
            Subject::Stage {
                stage: stage.into(),
                state,
                last_retry: None,
            },
        );
    }

    fn action(&mut self, action: (&str, &str), started: i64, at: i64, end: End) {
        let (stage, name) = action;
        let (state, output, error) = match end {
            End::Begins => (EventState::Started, None, None),
            End::Succeeds(summary) => {
                let output = ActionOutput {
                    summary: Some(summary.into()),
                    ..Default::default()
                };
                (EventState::Succeeded, Some(output), None)
            }
            End::Finds(revision, summary) => {
                let revision = SourceRevision {
                    revision_id: revision.into(),
                    revision_summary: Some(summary.into()),
                    revision_url: None,
                    revision_change_identifier: None,
                    created: None,
                };
                let output = ActionOutput {
                    summary: Some(summary.into()),
                    revision: Some(revision),
                    ..Default::default()
                };
                (EventState::Succeeded, Some(output), None)
            }
            End::Fails(message) => {
                let error = ErrorDetails {
                    code: FailureType::JobFailed,
                    message: message.into(),
                };
                (EventState::Failed, None, Some(error))
            }
        };
        let kind = self
            .progress
            .action(stage, name)
            .expect("an action")
            .kind
            .clone();
        let change = ActionChange {
            stage: stage.into(),
            action: name.into(),
            attempt: 1,
            state,
            action_execution_id: id(name),
            action_type: kind,
            region: None,
            artifacts: vec![],
            error,
            output,
        };
        self.change(started, at, Subject::Action(Box::new(change)));
    }

    /// The tree with a margin, which keeps its indentation in the snapshots.
    fn tree(&self, at: i64, height: usize) -> String {
        self.tree_on(90, at, height)
    }

    fn tree_on(&self, width: usize, at: i64, height: usize) -> String {
        let canvas = Canvas {
            width,
            height,
            colour: false,
            now: Timestamp(BEGIN + at),
        };
        let lines = render(&self.progress, canvas);
        lines
            .iter()
            .map(|line| format!("|{line}"))
            .collect::<Vec<_>>()
            .join("\n")
    }
}

#[derive(Clone, Copy)]
enum End {
    Begins,
    Succeeds(&'static str),
    Finds(&'static str, &'static str),
    Fails(&'static str),
}

fn id(action: &str) -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, action.as_bytes())
}

const SOURCE: (&str, &str) = ("Source", "checkout");
const COMPILE: (&str, &str) = ("Build", "compile");
const LINT: (&str, &str) = ("Build", "lint");

/// Until two builds run beside each other.
fn building() -> Play {
    let mut play = Play::new();
    play.pipeline(0, EventState::Started);
    play.stage("Source", 0, 0, EventState::Started);
    play.action(SOURCE, 0, 0, End::Begins);
    play.action(
        SOURCE,
        0,
        420,
        End::Finds("3be91ac0f00d", "Fix rounding in cart\n\nBody."),
    );
    play.stage("Source", 0, 430, EventState::Succeeded);
    play.stage("Build", 430, 430, EventState::Started);
    play.action(COMPILE, 440, 440, End::Begins);
    play.action(LINT, 440, 440, End::Begins);
    play
}

#[test]
fn a_tree_shows_what_is_done_what_runs_and_what_is_to_come() {
    let mut play = building();
    let stream = id("compile").to_string();
    let owner = play
        .progress
        .log(&stream, "\u{1b}[32mCompiling\u{1b}[0m cart v0.1.0");
    assert_eq!(owner, Some(("Build".into(), "compile".into())));
    expect![[r#"
        |  Pipeline  web-shop v7 (V2, QUEUED) · 3 stages · 5 actions · execution 5f1c9e7a
        | Source   checkout  ✔ 0.4s     3be91ac0 Fix rounding in cart
        |  Build ┬ compile   ▶ 11.9s    Compiling cart v0.1.0
        |        └ lint      ▶ 11.9s
        |          unit      ·
        | Deploy   approve   ·"#]]
    .assert_eq(&play.tree(12_345, 24));
}

#[test]
fn a_narrow_screen_still_tells_the_execution() {
    let mut play = building();
    let stream = id("compile").to_string();
    let line = "[Container] 2026/11/21 11:33:41.970302 Running command make";
    play.progress.log(&stream, line);
    expect![[r#"
        |  Pipeline  web-shop v7 · execution 5f1c9e7a
        | Source   checkout  ✔ 0.4s     3be91ac0 Fix roundi…
        |  Build ┬ compile   ▶ 11.9s    Running command make
        |        └ lint      ▶ 11.9s
        |          unit      ·
        | Deploy   approve   ·"#]]
    .assert_eq(&play.tree_on(52, 12_345, 24));
}

#[test]
fn a_log_has_one_line_per_change() {
    let mut play = building();
    play.action(LINT, 440, 6_540, End::Succeeds("Succeeded"));
    play.action(
        COMPILE,
        440,
        32_240,
        End::Fails("Build terminated with state: FAILED"),
    );
    play.stage("Build", 430, 32_250, EventState::Failed);
    play.pipeline(32_260, EventState::Failed);
    expect![[r#"
        08:00:00Z web-shop InProgress
        08:00:00Z Source InProgress
        08:00:00Z Source/checkout InProgress
        08:00:00Z Source/checkout Succeeded 0.4s  3be91ac0 Fix rounding in cart
        08:00:00Z Source Succeeded 0.4s
        08:00:00Z Build InProgress
        08:00:00Z Build/compile InProgress
        08:00:00Z Build/lint InProgress
        08:00:06Z Build/lint Succeeded 6.1s  Succeeded
        08:00:32Z Build/compile Failed 31.8s  Build terminated with state: FAILED
        08:00:32Z Build Failed 31.8s
        08:00:32Z web-shop Failed 32.2s"#]]
    .assert_eq(&play.lines.join("\n"));
    assert!(play.progress.is_over());
    let (stage, action) = play.progress.failed().expect("a failed action");
    assert_eq!((stage.name.as_str(), action.name.as_str()), COMPILE);
    expect!["Failed  in 32.2s  (critical path Source/checkout → Build/compile)"]
        .assert_eq(&verdict(&play.progress, false));
}

#[test]
fn a_failure_ends_the_critical_path_although_others_go_on() {
    let mut play = building();
    play.action(COMPILE, 440, 1_000, End::Fails("exit 1"));
    play.action(LINT, 440, 9_000, End::Succeeds("Succeeded"));
    let path = play.progress.critical_path();
    assert_eq!(path, [SOURCE, COMPILE]);
}

#[test]
fn an_approval_waits_for_a_person() {
    let mut play = building();
    let approve = ("Deploy", "approve");
    play.action(approve, 500, 500, End::Begins);
    play.progress
        .action_mut("Deploy", "approve")
        .expect("the action")
        .question = Some("Ship it?".into());
    let tree = play.tree(1_500, 24);
    assert!(tree.ends_with("approve   ⏸ 1.0s     Ship it?"), "{tree}");
    assert!(!play.progress.is_over());
}

#[test]
fn a_low_screen_gets_a_shorter_tree() {
    let play = building();
    expect![[r#"
        |  Pipeline  web-shop v7 (V2, QUEUED) · 3 stages · 5 actions · execution 5f1c9e7a
        | Source   checkout  ✔ 0.4s     3be91ac0 Fix rounding in cart
        |  Build ┬ compile   ▶ 0.5s
        |   … and 3 more rows"#]]
    .assert_eq(&play.tree(1_000, 5));
    assert_eq!(play.tree(1_000, 1).lines().count(), 3);
}

#[test]
fn changes_of_other_executions_and_lines_of_other_logs_are_not_taken_in() {
    let mut play = Play::new();
    let before = play.progress.clone();
    let foreign = Change {
        pipeline: "web-shop".into(),
        execution: ExecutionId(Uuid::from_u128(9)),
        sequence: 1,
        at: Timestamp(BEGIN),
        pipeline_version: 1,
        attempt: 1,
        started: Timestamp(BEGIN),
        subject: Subject::Stage {
            stage: "Source".into(),
            state: EventState::Started,
            last_retry: None,
        },
    };
    assert!(!play.progress.apply(&foreign));
    assert_eq!(play.progress.log("not-a-uuid", "x"), None);
    assert_eq!(play.progress.log(&id("nobody").to_string(), "x"), None);
    assert_eq!(play.progress, before);
}
