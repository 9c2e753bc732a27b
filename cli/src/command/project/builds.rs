//! Builds that no pipeline asked for.

use std::{
    thread,
    time::{Duration, Instant},
};

use model::Timestamp;
use serde_json::{Value, json};

use super::ask_codebuild;
use crate::{
    args::{BuildArgs, BuildsArgs, Output},
    client::{
        Client, Service, answer,
        api::{self, now},
        log::{GOES_MAX, Log},
        table::{Table, status},
        when,
    },
    clock,
    exit::Exit,
    failure::Failure,
    terminal::{Style, Terminal, harmless, paint},
};

/// How often a build is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// How long a build may take: CodeBuild's own limit, and the time in its queue.
const BUILD_WITHIN: Duration = Duration::from_hours(48);

pub(super) fn build(
    client: &Client,
    args: &BuildArgs,
    terminal: Terminal,
) -> Result<Exit, Failure> {
    let waits = args.wait || args.logs;
    if args.timeout.is_some() && !waits {
        return Err(
            Failure::usage("--timeout says how long to wait, and nothing waits")
                .with_help("add --wait or --logs"),
        );
    }
    let mut input = json!({"projectName": args.name, "idempotencyToken": api::token()});
    if !args.variables.is_empty() {
        let variable = |(name, value): &(String, String)| json!({"name": name, "value": value, "type": "PLAINTEXT"});
        input["environmentVariablesOverride"] = args.variables.iter().map(variable).collect();
    }
    if let Some(version) = &args.source_version {
        input["sourceVersion"] = json!(version);
    }
    let mut answer = ask_codebuild(client, "StartBuild", &input).map_err(|error| {
        let is_missing = error.is_not_found();
        let failure = Failure::from(error);
        if is_missing {
            return failure.with_help("pipewright project list");
        }
        failure
    })?;
    let build = answer["build"].take();
    let id = build["id"].as_str().unwrap_or_default().to_owned();
    if !waits {
        if terminal.output == Output::Text {
            answer::text(&format!("{id}\n"))?;
            terminal.say(&format!(
                "Started. See how it stands: pipewright project builds {}",
                args.name
            ));
        } else {
            answer::one(terminal, &build)?;
        }
        return Ok(Exit::Succeeded);
    }
    wait(client, &id, args, terminal)
}

fn wait(client: &Client, id: &str, args: &BuildArgs, terminal: Terminal) -> Result<Exit, Failure> {
    let timeout = args.timeout;
    let mut log = Log::default();
    let deadline = Instant::now() + timeout.unwrap_or(BUILD_WITHIN);
    let mut phase = String::new();
    loop {
        let build = get(client, id)?;
        let current = build["currentPhase"].as_str().unwrap_or_default();
        if current != phase && !current.is_empty() {
            current.clone_into(&mut phase);
            terminal.say(&format!("{} {phase}", clock::time_of_day(now())));
        }
        let word = build["buildStatus"].as_str().unwrap_or_default();
        let is_over = build["buildComplete"] == json!(true) || !matches!(word, "" | "IN_PROGRESS");
        if args.logs {
            read(client, id, is_over, &mut log, terminal)?;
        }
        if is_over {
            return ended(&build, terminal);
        }
        if Instant::now() >= deadline {
            let time = clock::duration(timeout.unwrap_or(BUILD_WITHIN));
            let failure = Failure::new(
                Exit::TimedOut,
                format!("build {id} takes longer than {time}, and goes on"),
            );
            return Err(failure.with_help("give it more with --timeout TIME"));
        }
        thread::sleep(LOOK);
    }
}

/// Prints what is new in the log, where there is one.
fn read(
    client: &Client,
    id: &str,
    is_over: bool,
    log: &mut Log,
    terminal: Terminal,
) -> Result<(), Failure> {
    let mut print = |line: &str| terminal.insist(&harmless(line));
    for _ in 0..GOES_MAX {
        match log.read_events(client, id, is_over, &mut print) {
            // A build that has just begun has written nothing yet.
            Err(error) if error.is_not_found() => return Ok(()),
            // What is left of a build that goes on comes with the next look.
            read => {
                if read? || !is_over {
                    return Ok(());
                }
            }
        }
    }
    terminal.insist(&format!("warning: the log of {id} has more lines"));
    Ok(())
}

fn get(client: &Client, id: &str) -> Result<Value, Failure> {
    let mut answer = ask_codebuild(client, "BatchGetBuilds", &json!({"ids": [id]}))?;
    match answer["builds"].take() {
        Value::Array(mut builds) if !builds.is_empty() => Ok(builds.remove(0)),
        _ => Err(Failure::not_found(format!("there is no build `{id}`"))),
    }
}

fn ended(build: &Value, terminal: Terminal) -> Result<Exit, Failure> {
    let word = build["buildStatus"].as_str().unwrap_or_default();
    if terminal.output == Output::Text {
        let style = if word == "SUCCEEDED" {
            Style::Good
        } else {
            Style::Bad
        };
        let took = match when::timestamp(&build["startTime"]) {
            Some(_) => format!("  in {}", took(build, now())),
            None => String::new(),
        };
        answer::text(&format!("{}{took}\n", paint(word, style, terminal.colour)))?;
        for reason in reasons(build) {
            terminal.insist(&reason);
        }
    } else {
        answer::one(terminal, build)?;
    }
    Ok(match word {
        "SUCCEEDED" => Exit::Succeeded,
        "STOPPED" => Exit::Stopped,
        "TIMED_OUT" => Exit::TimedOut,
        _ => Exit::Failed,
    })
}

/// What the phases say that did not succeed.
fn reasons(build: &Value) -> Vec<String> {
    let none = Vec::new();
    let phases = build["phases"].as_array().unwrap_or(&none);
    let mut reasons = Vec::new();
    for phase in phases {
        let word = phase["phaseStatus"].as_str().unwrap_or("SUCCEEDED");
        if word == "SUCCEEDED" {
            continue;
        }
        for context in phase["contexts"].as_array().unwrap_or(&none) {
            let text = |key: &str| harmless(context[key].as_str().unwrap_or_default());
            let name = phase["phaseType"].as_str().unwrap_or_default();
            reasons.push(format!(
                "{name}: {} {}",
                text("statusCode"),
                text("message")
            ));
        }
    }
    reasons
}

fn took(build: &Value, now: Timestamp) -> String {
    let from = when::timestamp(&build["startTime"]);
    let until = when::timestamp(&build["endTime"]).unwrap_or(now);
    from.map_or_else(|| "-".to_owned(), |from| clock::between(from, until))
}

pub(super) fn list(
    client: &Client,
    args: &BuildsArgs,
    terminal: Terminal,
) -> Result<Exit, Failure> {
    super::find(client, &args.name)?;
    let input = json!({"projectName": args.name, "sortOrder": "DESCENDING"});
    let most = usize::try_from(args.limit).unwrap_or(usize::MAX);
    let ids = client.list(
        Service::CodeBuild,
        "ListBuildsForProject",
        &input,
        "ids",
        most,
    )?;
    let mut builds = Vec::new();
    if !ids.is_empty() {
        let mut answer = ask_codebuild(client, "BatchGetBuilds", &json!({"ids": ids}))?;
        if let Value::Array(found) = answer["builds"].take() {
            builds = found;
        }
    }
    if terminal.output != Output::Text {
        answer::list(terminal, "builds", builds)?;
    } else if builds.is_empty() {
        let name = &args.name;
        terminal.say(&format!(
            "{name} has no builds yet: pipewright project build {name}"
        ));
    } else {
        answer::text(&table(&builds, now()).render(terminal.colour))?;
    }
    Ok(Exit::Succeeded)
}

fn table(builds: &[Value], now: Timestamp) -> Table {
    let mut table = Table::new(&["BUILD", "STATUS", "PHASE", "STARTED", "TOOK", "BY"]);
    for build in builds {
        let text = |key: &str| build[key].as_str().unwrap_or_default();
        table.row(vec![
            text("id").into(),
            status(text("buildStatus")),
            text("currentPhase").into(),
            when::ago_value(&build["startTime"], now).into(),
            took(build, now).into(),
            text("initiator").into(),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn a_list_of_builds() {
        let builds = [json!({
            "id": "tests:5f1c", "buildStatus": "FAILED", "currentPhase": "COMPLETED",
            "startTime": 1_799_999_900, "endTime": 1_799_999_931.5, "initiator": "codepipeline/web",
        })];
        expect![[r#"
            BUILD       STATUS  PHASE      STARTED  TOOK   BY
            tests:5f1c  FAILED  COMPLETED  1m ago   31.5s  codepipeline/web
        "#]]
        .assert_eq(&table(&builds, Timestamp(1_800_000_000_000)).render(false));
    }

    #[test]
    fn a_build_that_failed_says_why() {
        let build = json!({"phases": [
            {"phaseType": "INSTALL", "phaseStatus": "SUCCEEDED", "contexts": [{"message": ""}]},
            {"phaseType": "BUILD", "phaseStatus": "FAILED", "contexts": [
                {"statusCode": "COMMAND_EXECUTION_ERROR", "message": "exit status 1"}]},
        ]});
        assert_eq!(
            reasons(&build),
            ["BUILD: COMMAND_EXECUTION_ERROR exit status 1"]
        );
    }
}
