//! The end of a run: what came of it, where its results are, and what can be done next.

use std::fmt::Write as _;

use model::{ActionCategory, PipelineDeclaration, change::EventState, job::FailureType};
use serde_json::{Value, json};

use super::{
    Data, Order,
    follow::{Ending, Follower},
    results::{self, Results},
};
use crate::{
    args::Output,
    clock, diagnostics,
    exit::Exit,
    failure::{Failure, Finding},
    local::Running,
    progress::{ActionRow, Progress, Status, tree, word},
    select::Selection,
    terminal::{self, Style, Terminal, harmless, paint},
};

/// How much of a failed action's log is shown.
const TAIL_LINES: usize = 20;
/// How much of it is looked through for lines that say something.
const TAIL_SEARCHED: usize = 200;
/// The longest line of it.
const TAIL_CHARACTERS: usize = 500;

/// Writes the results and tells of them; the code says how the execution went.
pub(super) async fn finish(
    order: &Order,
    running: &Running,
    mut follower: Follower<'_>,
    ending: &Ending,
    terminal: Terminal,
) -> Result<Exit, Failure> {
    let mut results = results::write(&order.results_folder(), running, &follower.progress).await?;
    let exit = exit(&follower.progress, *ending, &results);
    let document = document(&follower.progress, &results, exit);
    results::seal(&mut results, &document);
    let progress = &follower.progress;
    tail(progress, running, terminal);
    // What was deployed and is nowhere is no success that anybody may be told of.
    if terminal.output == Output::Text && results.lost.is_empty() {
        let text = text(progress, &results, terminal.colour);
        terminal::print(&text).map_err(|error| Failure::system("write the result", &error))?;
    }
    for trouble in &results.troubles {
        terminal.insist(&format!("warning: {trouble}"));
    }
    let (width, _) = terminal.size();
    for lost in &results.lost {
        let message = format!("what was deployed could not be written: {lost}");
        let finding = Finding::error(message)
            .with_help("make room and run it again; with --keep the state outlives the run");
        terminal.insist(&diagnostics::text(&finding, terminal.colour, width));
    }
    if let Some(finding) = finding(order, progress, &results, *ending) {
        terminal.insist(&diagnostics::text(&finding, terminal.colour, width));
    }
    let now = running.world.clock.now();
    let told = follower.show.result(&document, now);
    told.map_err(|error| Failure::system("write the result", &error))?;
    Ok(exit)
}

fn exit(progress: &Progress, ending: Ending, results: &Results) -> Exit {
    match ending {
        Ending::Interrupted | Ending::Terminated => return Exit::Interrupted,
        Ending::TimedOut => return Exit::TimedOut,
        Ending::Over | Ending::Waits => {}
    }
    match progress.state {
        Some(EventState::Succeeded) if !results.lost.is_empty() => Exit::Internal,
        Some(EventState::Succeeded) => Exit::Succeeded,
        Some(EventState::Failed | EventState::Abandoned) => Exit::Failed,
        Some(EventState::Stopped | EventState::Superseded | EventState::Canceled) => Exit::Stopped,
        Some(EventState::Started | EventState::Resumed | EventState::Stopping) | None => {
            Exit::WaitingForApproval
        }
    }
}

/// The result lines, which are data.
fn text(progress: &Progress, results: &Results, colour: bool) -> String {
    let mut text = format!("{}\n", tree::verdict(progress, colour));
    // Writing to a string cannot fail.
    if !results.logs.is_empty() {
        let _ = writeln!(text, "logs       {}", results.folder.join("logs").display());
    }
    for artifact in &results.artifacts {
        let size = size(artifact.bytes);
        let _ = writeln!(text, "artifact   {} ({size})", artifact.path.display());
    }
    for deployed in &results.deployed {
        let (files, bucket) = (deployed.files, &deployed.bucket);
        let ending = if files == 1 { "" } else { "s" };
        let folder = deployed.folder.display();
        let _ = writeln!(
            text,
            "deployed   s3://{bucket} → {folder} ({files} file{ending})"
        );
    }
    for first in results
        .deployed
        .iter()
        .filter_map(|deployed| deployed.first.as_ref())
    {
        let _ = writeln!(text, "open       {}", first.display());
    }
    text
}

fn size(bytes: u64) -> String {
    const KILO: u64 = 1000;
    match bytes {
        0..KILO => format!("{bytes} B"),
        KILO..1_000_000 => format!("{}.{} kB", bytes / KILO, bytes % KILO / 100),
        1_000_000..1_000_000_000 => {
            format!("{}.{} MB", bytes / 1_000_000, bytes % 1_000_000 / 100_000)
        }
        _ => format!(
            "{}.{} GB",
            bytes / 1_000_000_000,
            bytes % 1_000_000_000 / 100_000_000
        ),
    }
}

/// The end of the log of the action that failed.
fn tail(progress: &Progress, running: &Running, terminal: Terminal) {
    let Some((stage, action)) = progress.failed() else {
        return;
    };
    let Some(stream) = stream(action) else { return };
    let all = running
        .logs
        .tail(&stream, TAIL_SEARCHED)
        .unwrap_or_default();
    let mut lines: Vec<_> = all
        .iter()
        .rev()
        .filter(|l| says_something(l))
        .take(TAIL_LINES)
        .collect();
    if lines.is_empty() {
        return;
    }
    lines.reverse();
    let title = format!("{}/{}, the end of its log:", stage.name, action.name);
    terminal.insist(&paint(&title, Style::Bold, terminal.colour));
    for line in lines {
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

fn stream(action: &ActionRow) -> Option<String> {
    action
        .output
        .log_stream
        .clone()
        .or_else(|| action.id.map(|id| id.to_string()))
}

/// What is to be said at the end, when not all went well.
fn finding(
    order: &Order,
    progress: &Progress,
    results: &Results,
    ending: Ending,
) -> Option<Finding> {
    let file = order.args.file.display();
    let id = progress.execution.to_string();
    let is_kept = matches!(order.data, Data::Kept(_));
    let resume = order.resume_command(&id[..8]);
    match ending {
        Ending::Waits if progress.ended.is_none() => {
            let (stage, action) = progress
                .actions()
                .find(|(_, action)| action.status == Status::Waiting)?;
            let question = action.question.clone().unwrap_or_default();
            let message = format!(
                "{}/{} waits for an approval: {question}",
                stage.name, action.name
            );
            let help = if is_kept {
                format!("continue it with `{resume} --approve auto`, or `--approve prompt`")
            } else {
                format!(
                    "run it with `pipewright run {file} --approve auto`, or at a terminal; with \
                     --keep it can be continued"
                )
            };
            return Some(Finding::error(message).with_help(help));
        }
        Ending::Terminated => {
            let finding = Finding::error("told to end while the execution goes on");
            return Some(if is_kept {
                finding.with_help(format!("continue it with `{resume}`"))
            } else {
                finding.with_help("with --keep it could be continued")
            });
        }
        Ending::TimedOut => {
            let time = clock::duration(order.args.timeout.unwrap_or_default());
            let message = format!("the execution took longer than {time} and was abandoned");
            return Some(Finding::error(message).with_help("give it more with --timeout TIME"));
        }
        Ending::Interrupted => {
            let finding = Finding::error("interrupted: what was in progress was abandoned");
            return Some(finding.with_help(format!("run it again: pipewright run {file}")));
        }
        Ending::Waits | Ending::Over => {}
    }
    let (stage, action) = progress.failed()?;
    let error = action.error.as_ref();
    let why = error.map_or(String::new(), |error| {
        format!(": {}", harmless(&error.message))
    });
    let message = format!("{}/{} failed{why}", stage.name, action.name);
    let mut finding = Finding::error(message).with_help(next(order, results, stage, action));
    finding.exception = error.map(|error| code(error.code));
    Some(finding)
}

/// Commands that exist, for somebody whose action failed.
fn next(
    order: &Order,
    results: &Results,
    stage: &crate::progress::StageRow,
    action: &ActionRow,
) -> String {
    let file = order.args.file.display();
    let mut help = String::new();
    let logs = results.logs.iter().rev();
    let own = |log: &&results::Log| log.stage == stage.name && log.action == action.name;
    if let Some(log) = logs.clone().find(own) {
        let _ = write!(help, "the whole log: {}", log.path.display());
    }
    let one = format!("{}/{}", stage.name, action.name);
    let only = Selection {
        only: Some(one.clone()),
        ..Selection::default()
    };
    let until = Selection {
        until: Some(stage.name.clone()),
        ..Selection::default()
    };
    // A rejection is a decision, and what is configured wrongly fails again.
    let is_decided = action.kind.category == ActionCategory::Approval;
    let is_misconfigured = action
        .error
        .as_ref()
        .is_some_and(|error| error.code == FailureType::ConfigurationError);
    let again = if is_decided || is_misconfigured {
        None
    } else if let Ok(part) = only.apply(&order.file.declaration) {
        let given = given(order, &part);
        Some(format!("pipewright run {file} --only {one}{given} -v"))
    } else if let Ok(part) = until.apply(&order.file.declaration) {
        let (stage, given) = (&stage.name, given(order, &part));
        Some(format!("pipewright run {file} --until {stage}{given} -v"))
    } else {
        None
    };
    if let Some(again) = again {
        let separator = if help.is_empty() { "" } else { "\n" };
        let _ = write!(help, "{separator}try it again: {again}");
    }
    help
}

/// What the command line said that a run of this part must say again.
fn given(order: &Order, part: &PipelineDeclaration) -> String {
    let mut given = String::new();
    for (name, value) in &order.args.variables {
        let _ = write!(given, " -V {}", shell_word(&format!("{name}={value}")));
    }
    for (name, value) in &order.args.sources {
        if part.stages.iter().any(|stage| stage.action(name).is_some()) {
            let word = shell_word(&format!("{name}={value}"));
            let _ = write!(given, " --source {word}");
        }
    }
    given
}

/// The text as one word of a shell's command line.
fn shell_word(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "=_-./:@,+".contains(c);
    if text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

fn code(code: FailureType) -> &'static str {
    use FailureType as Code;
    match code {
        Code::JobFailed => "JobFailed",
        Code::ConfigurationError => "ConfigurationError",
        Code::PermissionError => "PermissionError",
        Code::RevisionOutOfSync => "RevisionOutOfSync",
        Code::RevisionUnavailable => "RevisionUnavailable",
        Code::SystemUnavailable => "SystemUnavailable",
    }
}

/// The whole run for programs. `v` counts the changes that would break a reader.
fn document(progress: &Progress, results: &Results, exit: Exit) -> Value {
    let millis = match (progress.started, progress.ended) {
        (Some(started), Some(ended)) => Some(ended.since(started).as_millis()),
        _ => None,
    };
    let status = progress.state.map_or("InProgress", word);
    json!({
        "v": 1,
        "pipeline": progress.pipeline,
        "version": progress.version,
        "execution": progress.execution.to_string(),
        "status": status,
        "exitCode": exit.code(),
        "started": progress.started.map(clock::date_and_time),
        "ended": progress.ended.map(clock::date_and_time),
        "milliseconds": millis,
        "stages": progress.stages.iter().map(|stage| json!({
            "name": stage.name,
            "status": stage.state.map(word),
            "actions": stage.actions.iter().map(|row| action(row, stage, results)).collect::<Vec<_>>(),
        })).collect::<Vec<_>>(),
        "criticalPath": progress.critical_path().iter()
            .map(|(stage, action)| format!("{stage}/{action}")).collect::<Vec<_>>(),
        "results": results.folder,
        "artifacts": results.artifacts.iter().map(|artifact| json!({
            "name": artifact.name, "path": artifact.path, "bytes": artifact.bytes,
        })).collect::<Vec<_>>(),
        "deployed": results.deployed.iter().map(|deployed| json!({
            "bucket": deployed.bucket, "path": deployed.folder, "files": deployed.files,
        })).collect::<Vec<_>>(),
    })
}

fn action(row: &ActionRow, stage: &crate::progress::StageRow, results: &Results) -> Value {
    let log = results.logs.iter().find(|log| {
        log.stage == stage.name && log.action == row.name && log.attempt == row.attempt
    });
    let millis = match (row.started, row.ended) {
        (Some(started), Some(ended)) => Some(ended.since(started).as_millis()),
        _ => None,
    };
    json!({
        "name": row.name,
        "category": format!("{:?}", row.kind.category),
        "provider": row.kind.provider,
        "status": row.status.word(),
        "attempt": row.attempt,
        "id": row.id.map(|id| id.to_string()),
        "started": row.started.map(clock::date_and_time),
        "ended": row.ended.map(clock::date_and_time),
        "milliseconds": millis,
        "summary": row.output.summary,
        "externalExecutionId": row.output.external_execution_id,
        "revision": row.output.revision.as_ref().map(|revision| &revision.revision_id),
        "outputVariables": *row.output.variables,
        "error": row.error,
        "log": log.map(|log| &log.path),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_course_of_a_build_does_not_crowd_out_what_it_said() {
        for line in [
            "",
            "  ",
            "[Container] 2026/11/21 11:33:41.970302 Entering phase POST_BUILD",
            "[Container] 2026/11/21 11:33:41.970348 Phase complete: POST_BUILD State: SUCCEEDED",
            "[Container] 2026/11/21 11:33:41.970386 Phase context status code:  Message: ",
        ] {
            assert!(!says_something(line), "{line}");
        }
        for line in [
            "error: it broke",
            "Entering phase two of my own script",
            "[Container] 2026/11/21 11:33:41.950066 Running command make",
            "[Container] 2026/11/21 11:33:41.969759 Phase complete: BUILD State: FAILED",
        ] {
            assert!(says_something(line), "{line}");
        }
    }

    #[test]
    fn a_command_can_be_copied_into_a_shell() {
        assert_eq!(shell_word("Environment=dev"), "Environment=dev");
        assert_eq!(
            shell_word("Greeting=it's $HOME"),
            r"'Greeting=it'\''s $HOME'"
        );
    }

    #[test]
    fn a_size_has_the_unit_that_matters() {
        for (bytes, shown) in [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1.0 kB"),
            (8_249_000, "8.2 MB"),
            (3_100_000_000, "3.1 GB"),
        ] {
            assert_eq!(size(bytes), shown);
        }
    }
}
