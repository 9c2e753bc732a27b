//! `exec`: executions on a server.

use model::{ExecutionId, PipelineDeclaration, Timestamp};
use serde_json::{Value, json};

use super::watch::{self, finish, follow::Manner};
use crate::{
    args::{ExecArgs, ExecListArgs, ExecVerb, Output, RetryArgs, StopArgs, TargetArgs},
    client::{
        Client, answer,
        api::now,
        find::{self, Found, short},
        history::{History, Snapshot},
        table::{Table, status},
        when,
    },
    clock, diagnostics,
    exit::Exit,
    failure::Failure,
    plan,
    progress::{
        Progress, Status,
        tree::{self, Canvas},
    },
    terminal::{Terminal, harmless},
};

/// The longest reason that the API keeps.
const REASON_CHARACTERS_MAX: usize = 200;
/// How much of a revision is shown in a list.
const REVISION_CHARACTERS_MAX: usize = 60;

pub(super) fn run(args: &ExecArgs, terminal: Terminal) -> Result<Exit, Failure> {
    let client = Client::open(&args.connection)?;
    match &args.verb {
        ExecVerb::List(args) => list(&client, args, terminal),
        ExecVerb::Show(target) => show(&client, target, terminal),
        ExecVerb::Stop(args) => stop(&client, args, terminal),
        ExecVerb::Retry(args) => retry(&client, args, terminal),
    }
}

fn list(client: &Client, args: &ExecListArgs, terminal: Terminal) -> Result<Exit, Failure> {
    let name = &args.name;
    let most = usize::try_from(args.limit).unwrap_or(usize::MAX);
    let executions =
        find::executions(client, name, most).map_err(|error| find::refused(client, error, name))?;
    if terminal.output != Output::Text {
        answer::list(terminal, "executions", executions)?;
    } else if executions.is_empty() {
        terminal.say(&format!(
            "{name} has no execution yet. Start one: pipewright start {name}"
        ));
    } else {
        answer::text(&table(&executions, now()).render(terminal.colour))?;
    }
    Ok(Exit::Succeeded)
}

fn table(executions: &[Value], now: Timestamp) -> Table {
    let mut table = Table::new(&[
        "EXECUTION",
        "STATUS",
        "STARTED",
        "TOOK",
        "TRIGGER",
        "REVISION",
    ]);
    for execution in executions {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let word = text(&execution["status"]);
        let started = when::timestamp(&execution["startTime"]);
        let ended = match word.as_str() {
            "InProgress" | "Stopping" => Some(now),
            _ => when::timestamp(&execution["lastUpdateTime"]),
        };
        let took = started.zip(ended);
        table.row(vec![
            short(&text(&execution["pipelineExecutionId"])).into(),
            status(&word),
            when::ago_value(&execution["startTime"], now).into(),
            took.map_or_else(
                || "-".to_owned(),
                |(from, until)| clock::between(from, until),
            )
            .into(),
            text(&execution["trigger"]["triggerType"]).into(),
            revision(execution).into(),
        ]);
    }
    table
}

/// `3be91ac0 Fix rounding in cart`, and how many more there are.
fn revision(execution: &Value) -> String {
    let none = Vec::new();
    let revisions = execution["sourceRevisions"].as_array().unwrap_or(&none);
    let Some(first) = revisions.first() else {
        return String::new();
    };
    let id = first["revisionId"].as_str().unwrap_or_default();
    let summary = first["revisionSummary"].as_str().unwrap_or_default();
    let line = plan::cut(&format!("{} {summary}", short(id)), REVISION_CHARACTERS_MAX);
    let line = line.trim();
    match revisions.len() {
        1 => line.to_owned(),
        count => format!("{line} (+{} more)", count - 1),
    }
}

fn show(client: &Client, target: &TargetArgs, terminal: Terminal) -> Result<Exit, Failure> {
    let found = find::execution(client, target)?;
    let snapshot = Snapshot::take(client, &found.pipeline, &found.execution)?;
    if terminal.output != Output::Text {
        let document = json!({
            "v": 1,
            "execution": snapshot.execution,
            "actions": snapshot.actions,
        });
        answer::one(terminal, &document)?;
        return Ok(Exit::Succeeded);
    }
    let progress = progress(client, &found, &snapshot)?;
    let (width, _) = terminal.size();
    let canvas = Canvas {
        width,
        // Nothing is folded away: it is not drawn again.
        height: usize::MAX,
        colour: terminal.colour,
        now: now(),
    };
    let mut text = tree::render(&progress, canvas).join("\n");
    text.push('\n');
    text.push_str(&facts(&snapshot, found.started));
    text.push_str(&tree::verdict(&progress, terminal.colour));
    text.push('\n');
    answer::text(&text)?;
    let id = short(&found.execution);
    match snapshot.status() {
        "Failed" => {
            if let Some(finding) = finish::failed(&progress, id, true) {
                terminal.say(&diagnostics::text(&finding, terminal.colour, width));
            }
        }
        "InProgress" | "Stopping" => {
            if let Some(why) = stands_still(client, &found, &progress) {
                terminal.say(&why);
            }
            terminal.say(&format!("Watch it: pipewright watch {id}"));
        }
        _ => {}
    }
    Ok(Exit::Succeeded)
}

/// Why nothing happens in an execution that goes on, with what to type.
fn stands_still(client: &Client, found: &Found, progress: &Progress) -> Option<String> {
    let of = |status| {
        let mut all = progress.actions();
        all.find(move |(_, row)| row.status == status)
    };
    if of(Status::InProgress).is_some() {
        return None;
    }
    if let Some((stage, row)) = of(Status::Waiting) {
        let place = format!("{}/{}", stage.name, row.name);
        let name = format!("{}/{place}", found.pipeline);
        return Some(format!(
            "{place} waits for an approval\n  pipewright approve {name}"
        ));
    }
    // The execution was shown; a key that may not look at its pipeline is no reason to fail.
    let state = client.call("GetPipelineState", &json!({"name": found.pipeline}));
    let reason = watch::waits::reason(&state.ok()?, &found.execution)?;
    Some(format!("It {reason}"))
}

fn progress(client: &Client, found: &Found, snapshot: &Snapshot) -> Result<Progress, Failure> {
    let version = &snapshot.execution["pipelineVersion"];
    let input = json!({"name": found.pipeline, "version": version});
    let mut answer = client.call("GetPipeline", &input)?;
    let declaration: PipelineDeclaration = serde_json::from_value(answer["pipeline"].take())
        .map_err(|error| {
            let message = format!("the definition is not understood: {error}");
            Failure::new(Exit::Unreachable, message)
                .with_help("-o json shows the execution as it is")
        })?;
    let id: ExecutionId = found
        .execution
        .parse()
        .map_err(|_| Failure::not_found(format!("`{}` is no execution id", found.execution)))?;
    let mut progress = Progress::new(&declaration, id);
    let mut history = History::new(&declaration, id, found.started);
    for change in history.changes(snapshot, now()) {
        progress.apply(&change);
    }
    for detail in &snapshot.actions {
        let text = |key: &str| detail[key].as_str().unwrap_or_default();
        if let Some(row) = progress.action_mut(text("stageName"), text("actionName"))
            && row.question.is_none()
        {
            row.question = Some(crate::client::history::question(detail));
        }
    }
    Ok(progress)
}

/// What an execution ran with.
fn facts(snapshot: &Snapshot, started: Option<Timestamp>) -> String {
    let execution = &snapshot.execution;
    let text = |value: &Value| harmless(value.as_str().unwrap_or_default());
    let mut lines = Vec::new();
    let id = text(&execution["pipelineExecutionId"]);
    lines.push(("execution", id));
    if let Some(started) = started {
        lines.push(("started", clock::date_and_time(started)));
    }
    let trigger = &execution["trigger"];
    if trigger.is_object() {
        let (kind, detail) = (
            text(&trigger["triggerType"]),
            text(&trigger["triggerDetail"]),
        );
        lines.push(("trigger", format!("{kind} {detail}").trim().to_owned()));
    }
    let none = Vec::new();
    for revision in execution["artifactRevisions"].as_array().unwrap_or(&none) {
        let (name, id) = (text(&revision["name"]), text(&revision["revisionId"]));
        let summary = text(&revision["revisionSummary"]);
        lines.push((
            "revision",
            format!("{name} {id} {summary}").trim().to_owned(),
        ));
    }
    for variable in execution["variables"].as_array().unwrap_or(&none) {
        let (name, value) = (text(&variable["name"]), text(&variable["resolvedValue"]));
        lines.push(("variable", format!("{name}={value}")));
    }
    let summary = text(&execution["statusSummary"]);
    if !summary.is_empty() {
        lines.push(("summary", summary));
    }
    let line = |(key, value): &(&str, String)| format!("{key:<11}{value}\n");
    lines.iter().map(line).collect()
}

fn stop(client: &Client, args: &StopArgs, terminal: Terminal) -> Result<Exit, Failure> {
    let reason = args.message.clone().unwrap_or_default();
    if reason.chars().count() > REASON_CHARACTERS_MAX {
        let message = format!("the reason is longer than {REASON_CHARACTERS_MAX} characters");
        return Err(Failure::usage(message).with_help("say it in fewer"));
    }
    let found = find::execution(client, &args.target)?;
    let mut input = json!({
        "pipelineName": found.pipeline,
        "pipelineExecutionId": found.execution,
        "abandon": args.abandon,
    });
    if !reason.is_empty() {
        input["reason"] = json!(reason);
    }
    let id = short(&found.execution);
    client
        .call("StopPipelineExecution", &input)
        .map_err(|error| {
            let is_double = error.name() == Some("DuplicatedStopRequestException");
            let failure = Failure::from(error);
            if is_double && !args.abandon {
                let help =
                    format!("do not wait for its actions: pipewright exec stop {id} --abandon");
                return failure.with_help(help);
            }
            failure
        })?;
    let line = if args.abandon {
        format!("Stopping {id} of {} at once", found.pipeline)
    } else {
        format!(
            "Stopping {id} of {} when its actions have ended",
            found.pipeline
        )
    };
    let document = json!({"pipeline": found.pipeline, "execution": found.execution});
    answer::done(terminal, &line, document)?;
    terminal.say(&format!("Wait for it: pipewright wait {id}"));
    Ok(Exit::Succeeded)
}

fn retry(client: &Client, args: &RetryArgs, terminal: Terminal) -> Result<Exit, Failure> {
    if args.timeout.is_some() && !args.wait {
        return Err(
            Failure::usage("--timeout says how long to wait, and nothing waits")
                .with_help("add --wait"),
        );
    }
    let found = find::execution(client, &args.target)?;
    let stage = match &args.stage {
        Some(stage) => stage.clone(),
        None => failed_stage(client, &found)?,
    };
    let mode = if args.all_actions {
        "ALL_ACTIONS"
    } else {
        "FAILED_ACTIONS"
    };
    let input = json!({
        "pipelineName": found.pipeline,
        "stageName": stage,
        "pipelineExecutionId": found.execution,
        "retryMode": mode,
    });
    let id = short(&found.execution);
    client
        .call("RetryStageExecution", &input)
        .map_err(|error| {
            let is_old = error.name() == Some("NotLatestPipelineExecutionException");
            let failure = Failure::from(error);
            if is_old {
                return failure.with_help(format!(
                    "a newer execution has entered {stage}: pipewright exec list {}",
                    found.pipeline
                ));
            }
            failure
        })?;
    if args.wait {
        let manner = Manner {
            timeout: args.timeout,
            ..Manner::default()
        };
        return watch::follow(client, found, manner, terminal);
    }
    let line = format!("Retrying {stage} of {id} of {}", found.pipeline);
    let document = json!({
        "pipeline": found.pipeline, "execution": found.execution, "stage": stage, "mode": mode,
    });
    answer::done(terminal, &line, document)?;
    terminal.say(&format!("Watch it: pipewright watch {id}"));
    Ok(Exit::Succeeded)
}

/// The stage in which an execution failed or was stopped.
fn failed_stage(client: &Client, found: &Found) -> Result<String, Failure> {
    let state = client.call("GetPipelineState", &json!({"name": found.pipeline}))?;
    if let Some(stage) = stopped_in(&state, &found.execution) {
        return Ok(stage);
    }
    // Executions that run side by side are in no stage's state: what failed tells.
    let snapshot = Snapshot::take(client, &found.pipeline, &found.execution)?;
    let progress = progress(client, found, &snapshot)?;
    if let Some((stage, _)) = progress.failed() {
        return Ok(stage.name.clone());
    }
    let document = finish::document(&progress, Exit::Usage);
    let status = document["status"].as_str().unwrap_or_default().to_owned();
    let id = short(&found.execution);
    let message = format!("no stage of {id} has failed: it is {status}");
    Err(Failure::usage(message).with_help(format!("pipewright exec show {id}")))
}

fn stopped_in(state: &Value, execution: &str) -> Option<String> {
    let stages = state["stageStates"].as_array()?;
    let stage = stages.iter().find(|stage| {
        let latest = &stage["latestExecution"];
        let word = latest["status"].as_str().unwrap_or_default();
        latest["pipelineExecutionId"] == execution && matches!(word, "Failed" | "Stopped")
    })?;
    stage["stageName"].as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    const NOW: Timestamp = Timestamp(1_800_000_000_000);

    #[test]
    fn a_list_says_what_ran_when_and_why() {
        let executions = [
            json!({"pipelineExecutionId": "6a2d0000-1", "status": "InProgress",
                   "startTime": 1_799_999_990, "lastUpdateTime": 1_799_999_995,
                   "trigger": {"triggerType": "StartPipelineExecution"}}),
            json!({"pipelineExecutionId": "5f1c9e7a-1", "status": "Failed",
                   "startTime": 1_799_990_000, "lastUpdateTime": 1_799_990_058.5,
                   "trigger": {"triggerType": "CreatePipeline"},
                   "sourceRevisions": [
                       {"revisionId": "3be91ac0ffee", "revisionSummary": "Fix rounding\nin cart"},
                       {"revisionId": "x"}]}),
        ];
        expect![[r#"
            EXECUTION  STATUS      STARTED  TOOK   TRIGGER                 REVISION
            6a2d0000   InProgress  10s ago  10.0s  StartPipelineExecution
            5f1c9e7a   Failed      2h ago   58.5s  CreatePipeline          3be91ac0 Fix rounding… (+1 more)
        "#]].assert_eq(&table(&executions, NOW).render(false));
    }

    #[test]
    fn the_stage_to_retry_is_the_one_that_this_execution_failed_in() {
        let state = json!({"stageStates": [
            {"stageName": "A", "latestExecution": {"pipelineExecutionId": "e2", "status": "Failed"}},
            {"stageName": "B", "latestExecution": {"pipelineExecutionId": "e1", "status": "Stopped"}},
        ]});
        assert_eq!(stopped_in(&state, "e1").as_deref(), Some("B"));
        assert_eq!(stopped_in(&state, "e3"), None);
        assert_eq!(stopped_in(&json!({}), "e1"), None);
    }

    #[test]
    fn an_execution_says_what_it_ran_with() {
        let snapshot = Snapshot {
            execution: json!({
                "pipelineExecutionId": "5f1c9e7a-1",
                "trigger": {"triggerType": "StartPipelineExecution", "triggerDetail": "arn:me"},
                "artifactRevisions": [{"name": "Code", "revisionId": "3be9", "revisionSummary": "Fix"}],
                "variables": [{"name": "Env", "resolvedValue": "dev"}],
                "statusSummary": "why",
            }),
            actions: vec![],
        };
        expect![[r#"
            execution  5f1c9e7a-1
            started    2027-01-15T08:00:00.000Z
            trigger    StartPipelineExecution arn:me
            revision   Code 3be9 Fix
            variable   Env=dev
            summary    why
        "#]]
        .assert_eq(&facts(&snapshot, Some(NOW)));
    }
}
