//! The end of the following: how the execution went, and what can be done next.

use model::change::EventState;
use serde_json::{Value, json};

use super::{
    follow::{Ending, Follower},
    logs::Logs,
};
use crate::{
    args::Output,
    client::{
        answer,
        api::now,
        find::{self, short},
        log::Of,
    },
    clock, diagnostics,
    exit::Exit,
    failure::{Failure, Finding},
    progress::{ActionRow, Progress, Status, tree, word},
    terminal::{Style, harmless, paint},
};

/// How many executions are looked through for one that has just ended.
const LOOKED_THROUGH: usize = 100;
/// How much of a failed action's log is shown.
const TAIL_LINES: usize = 20;
/// The longest line of it.
const TAIL_CHARACTERS: usize = 500;

/// Tells how it went; the code says so, too.
pub(super) fn finish(mut follower: Follower<'_>, ending: Ending) -> Result<Exit, Failure> {
    let exit = exit(&follower.progress, ending);
    read_reason(&mut follower)?;
    tail(&mut follower);
    let terminal = follower.terminal;
    if terminal.output == Output::Text && ending != Ending::Interrupted {
        let verdict = tree::verdict(&follower.progress, terminal.colour);
        answer::text(&format!("{verdict}\n"))?;
    }
    if let Some(finding) = finding(&follower, ending) {
        let (width, _) = terminal.size();
        terminal.insist(&diagnostics::text(&finding, terminal.colour, width));
    }
    let document = document(&follower.progress, exit);
    let told = follower.show.result(&document, now());
    told.map_err(|error| Failure::system("write the result", &error))?;
    Ok(exit)
}

/// Why it was stopped, which only the list of executions tells.
fn read_reason(follower: &mut Follower<'_>) -> Result<(), Failure> {
    let progress = &mut follower.progress;
    if progress.state != Some(EventState::Stopped) || progress.comment.is_some() {
        return Ok(());
    }
    let found = &follower.found;
    let newest = find::executions(follower.client, &found.pipeline, LOOKED_THROUGH)?;
    let own = newest
        .iter()
        .find(|one| one["pipelineExecutionId"] == found.execution.as_str());
    let reason = own.and_then(|one| one["stopTrigger"]["reason"].as_str());
    progress.comment = reason.map(str::to_owned);
    Ok(())
}

fn exit(progress: &Progress, ending: Ending) -> Exit {
    match ending {
        Ending::Interrupted => return Exit::Interrupted,
        // Time alone would not have helped where a person must answer.
        Ending::TimedOut if only_waits(progress) => return Exit::WaitingForApproval,
        Ending::TimedOut => return Exit::TimedOut,
        Ending::Over => {}
    }
    match progress.state {
        Some(EventState::Succeeded) => Exit::Succeeded,
        Some(EventState::Stopped | EventState::Superseded | EventState::Canceled) => Exit::Stopped,
        Some(
            EventState::Failed
            | EventState::Abandoned
            | EventState::Started
            | EventState::Resumed
            | EventState::Stopping,
        )
        | None => Exit::Failed,
    }
}

/// Whether nothing is going on but approvals.
fn only_waits(progress: &Progress) -> bool {
    let of = |status| progress.actions().any(|(_, row)| row.status == status);
    of(Status::Waiting) && !of(Status::InProgress)
}

/// The end of the log of the action that failed.
fn tail(follower: &mut Follower<'_>) {
    let Some((stage, action)) = follower.progress.failed() else {
        return;
    };
    let Some(id) = action.id.map(|id| id.to_string()) else {
        return;
    };
    let title = format!("{}/{}, the end of its log:", stage.name, action.name);
    if follower.manner.with_logs || !Logs::has_log(action.kind.category) {
        return;
    }
    let of = Of {
        pipeline: &follower.found.pipeline,
        execution: &follower.found.execution,
        action_execution: &id,
        build: action.output.external_execution_id.as_deref(),
        is_over: true,
    };
    // Whoever may not read it, or cannot for now, still gets the verdict.
    if let Err(error) = follower.logs.read_to_end(follower.client, of) {
        let failure = Failure::from(error);
        let message = format!(
            "warning: the end of the log of {}/{}: {failure}",
            stage.name, action.name
        );
        follower.terminal.insist(&message);
        return;
    }
    let lines = follower.logs.tail(&id);
    let shown: Vec<&String> = lines.iter().filter(|line| says_something(line)).collect();
    if shown.is_empty() {
        return;
    }
    let terminal = follower.terminal;
    terminal.insist(&paint(&title, Style::Bold, terminal.colour));
    for line in &shown[shown.len().saturating_sub(TAIL_LINES)..] {
        let line: String = harmless(line).chars().take(TAIL_CHARACTERS).collect();
        terminal.insist(&format!("  {line}"));
    }
}

/// Whether a line is more than the course of a build that CodeBuild's logs are full of.
fn says_something(line: &str) -> bool {
    let of_course = line.strip_prefix("[Container] ").is_some_and(|line| {
        line.contains("Entering phase ")
            || line.ends_with(" State: SUCCEEDED")
            || line.ends_with("Phase context status code:  Message: ")
    });
    !of_course && !line.trim().is_empty()
}

/// What is to be said at the end, when not all went well.
fn finding(follower: &Follower<'_>, ending: Ending) -> Option<Finding> {
    let progress = &follower.progress;
    let pipeline = &follower.found.pipeline;
    let id = short(&follower.found.execution);
    match ending {
        Ending::Interrupted => {
            let finding = Finding::warning("the execution goes on without being watched");
            return Some(finding.with_help(format!(
                "watch it again: pipewright watch {id}\nstop it: pipewright exec stop {id}"
            )));
        }
        Ending::TimedOut => {
            let time = clock::duration(follower.manner.timeout.unwrap_or_default());
            let waits = progress
                .actions()
                .find(|(_, action)| action.status == Status::Waiting);
            if let Some((stage, action)) = waits.filter(|_| only_waits(progress)) {
                let (stage, action) = (&stage.name, &action.name);
                let message =
                    format!("{stage}/{action} has waited for an approval longer than {time}");
                let help = format!("pipewright approve {pipeline}/{stage}/{action}");
                return Some(Finding::error(message).with_help(help));
            }
            let message = format!("the execution takes longer than {time}, and goes on");
            let mut help = format!("wait for it: pipewright wait {id}");
            if let Some(waits) = &follower.waits {
                help = format!("it {waits}\n{help}");
            }
            return Some(Finding::error(message).with_help(help));
        }
        Ending::Over => {}
    }
    failed(progress, id, !follower.logs.is_absent()).or_else(|| unfinished(progress, pipeline))
}

/// Which action failed, why, and what to type next.
pub(in crate::command) fn failed(progress: &Progress, id: &str, has_logs: bool) -> Option<Finding> {
    let (stage, action) = progress.failed()?;
    let error = action.error.as_ref();
    let why = error.map_or(String::new(), |e| format!(": {}", harmless(&e.message)));
    let name = format!("{}/{}", stage.name, action.name);
    let mut help = String::new();
    if has_logs && Logs::has_log(action.kind.category) {
        help = format!("the whole log: pipewright logs {id} --action {name}\n");
    }
    help.push_str("try it again: pipewright exec retry ");
    help.push_str(id);
    Some(Finding::error(format!("{name} failed{why}")).with_help(help))
}

/// What became of an execution that neither succeeded nor has a failed action.
fn unfinished(progress: &Progress, pipeline: &str) -> Option<Finding> {
    let said = progress.comment.as_deref().map(harmless);
    let said = said.map_or(String::new(), |said| format!(": {said}"));
    match progress.state? {
        EventState::Superseded => Some(
            Finding::error("a newer execution took its place").with_help(format!(
                "wait for that one: pipewright wait {pipeline} --follow-superseding"
            )),
        ),
        EventState::Canceled => Some(
            Finding::error("the pipeline was changed or deleted while it ran")
                .with_help(format!("pipewright start {pipeline}")),
        ),
        EventState::Stopped | EventState::Abandoned => Some(
            Finding::error(format!("the execution was stopped{said}"))
                .with_help(format!("pipewright start {pipeline}")),
        ),
        EventState::Failed => Some(
            Finding::error(format!("the execution failed{said}"))
                .with_help(format!("pipewright start {pipeline}")),
        ),
        EventState::Succeeded
        | EventState::Started
        | EventState::Resumed
        | EventState::Stopping => None,
    }
}

/// The whole execution for programs. `v` counts the changes that would break a reader.
pub(in crate::command) fn document(progress: &Progress, exit: Exit) -> Value {
    let millis = match (progress.started, progress.ended) {
        (Some(started), Some(ended)) => Some(ended.since(started).as_millis()),
        _ => None,
    };
    let stages = progress.stages.iter().map(|stage| {
        let actions: Vec<Value> = stage.actions.iter().map(action).collect();
        json!({
            "name": stage.name,
            "status": stage.state.map_or("NotRun", word),
            "actions": actions,
        })
    });
    json!({
        "v": 1,
        "pipeline": progress.pipeline,
        "version": progress.version,
        "execution": progress.execution.to_string(),
        "status": progress.state.map_or("InProgress", word),
        "statusSummary": progress.comment,
        "exitCode": exit.code(),
        "started": progress.started.map(clock::date_and_time),
        "ended": progress.ended.map(clock::date_and_time),
        "durationMillis": millis,
        "stages": stages.collect::<Vec<_>>(),
    })
}

fn action(row: &ActionRow) -> Value {
    let millis = match (row.started, row.ended) {
        (Some(started), Some(ended)) => Some(ended.since(started).as_millis()),
        _ => None,
    };
    json!({
        "name": row.name,
        "status": row.status.word(),
        "attempt": row.attempt,
        "id": row.id.map(|id| id.to_string()),
        "durationMillis": millis,
        "summary": row.output.summary,
        "revision": row.output.revision.as_ref().map(|revision| &revision.revision_id),
        "error": row.error,
    })
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use model::{
        ExecutionId, Timestamp,
        declaration::read::{Format, read},
        job::ErrorDetails,
    };

    use super::*;

    const PIPELINE: &str = "
name: web
roleArn: arn:aws:iam::000000000000:role/r
stages:
- name: Source
  actions:
  - {name: get, actionTypeId: {category: Source, owner: AWS, provider: S3, version: '1'}}
- name: Build
  actions:
  - {name: compile, actionTypeId: {category: Build, owner: AWS, provider: CodeBuild, version: '1'}}
";

    fn progress(state: Option<EventState>, compile: Status) -> Progress {
        let document = read(PIPELINE, Format::Yaml, &[]).expect("a pipeline");
        let id: ExecutionId = "5f1c9e7a-0000-4000-8000-000000000000"
            .parse()
            .expect("an id");
        let mut progress = Progress::new(&document.declaration, id);
        progress.state = state;
        let row = progress.action_mut("Build", "compile").expect("a row");
        row.status = compile;
        row.ended = Some(Timestamp(1));
        row.error = Some(ErrorDetails::job_failed("exit 101"));
        progress
    }

    #[test]
    fn the_exit_code_says_how_it_ended() {
        for (state, exit_code) in [
            (Some(EventState::Succeeded), Exit::Succeeded),
            (Some(EventState::Failed), Exit::Failed),
            (Some(EventState::Stopped), Exit::Stopped),
            (Some(EventState::Superseded), Exit::Stopped),
            (Some(EventState::Canceled), Exit::Stopped),
            (None, Exit::Failed),
        ] {
            let progress = progress(state, Status::NotRun);
            assert_eq!(exit(&progress, Ending::Over), exit_code, "{state:?}");
            assert_eq!(exit(&progress, Ending::TimedOut), Exit::TimedOut);
            assert_eq!(exit(&progress, Ending::Interrupted), Exit::Interrupted);
        }
        let waits = progress(Some(EventState::Started), Status::Waiting);
        assert_eq!(exit(&waits, Ending::TimedOut), Exit::WaitingForApproval);
    }

    #[test]
    fn a_failure_says_what_to_type_next() {
        let progress = progress(Some(EventState::Failed), Status::Failed);
        let shown = |has_logs| {
            let finding = failed(&progress, "5f1c9e7a", has_logs).expect("a failure");
            diagnostics::text(&finding, false, 100)
        };
        expect![[r#"
            error: Build/compile failed: exit 101
              help: the whole log: pipewright logs 5f1c9e7a --action Build/compile
                    try it again: pipewright exec retry 5f1c9e7a"#]]
        .assert_eq(&shown(true));
        expect![[r#"
            error: Build/compile failed: exit 101
              help: try it again: pipewright exec retry 5f1c9e7a"#]]
        .assert_eq(&shown(false));
        let document = document(&progress, Exit::Failed);
        assert_eq!(
            document["stages"][1]["actions"][0]["error"]["message"],
            "exit 101"
        );
    }

    #[test]
    fn what_has_no_failed_action_is_told_by_its_state() {
        let shown = |state, comment: Option<&str>| {
            let mut progress = progress(Some(state), Status::NotRun);
            progress.comment = comment.map(str::to_owned);
            unfinished(&progress, "web").map(|finding| finding.message)
        };
        assert_eq!(
            shown(EventState::Stopped, Some("tea")).as_deref(),
            Some("the execution was stopped: tea")
        );
        assert_eq!(
            shown(EventState::Failed, None).as_deref(),
            Some("the execution failed")
        );
        assert_eq!(
            shown(EventState::Superseded, None).as_deref(),
            Some("a newer execution took its place")
        );
        assert!(shown(EventState::Canceled, None).is_some());
        assert_eq!(shown(EventState::Succeeded, None), None);
    }

    #[test]
    fn a_log_is_shown_without_the_course_of_its_build() {
        for (line, says) in [
            (
                "[Container] 2026/11/21 16:52:12.681514 Entering phase INSTALL",
                false,
            ),
            (
                "[Container] x Phase complete: INSTALL State: SUCCEEDED",
                false,
            ),
            ("[Container] x Running command make", true),
            ("error: oops", true),
            ("  ", false),
        ] {
            assert_eq!(says_something(line), says, "{line}");
        }
    }
}
