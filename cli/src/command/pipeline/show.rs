//! Pipelines as they are: their definitions, and how their stages stand.

use model::Timestamp;
use serde_json::{Value, json};

use crate::{
    args::{ListArgs, Output, ShowArgs},
    client::{
        Client, answer,
        api::now,
        find::{self, short},
        table::{Cell, Table, status},
        when, yaml,
    },
    exit::Exit,
    failure::Failure,
    terminal::{Style, Terminal, harmless, paint},
};

pub(super) fn show(client: &Client, args: &ShowArgs, terminal: Terminal) -> Result<Exit, Failure> {
    let name = &args.name;
    let mut input = json!({"name": name});
    if let Some(version) = args.version {
        input["version"] = json!(version);
    }
    let answer = client
        .call("GetPipeline", &input)
        .map_err(|error| find::refused(client, error, name))?;
    match terminal.output {
        Output::Yaml => {
            // Without the metadata it is a file that can be applied.
            answer::text(&yaml::render(&json!({"pipeline": answer["pipeline"]})))?;
        }
        Output::Json | Output::Jsonl => answer::one(terminal, &answer)?,
        Output::Text => {
            let state = client.call("GetPipelineState", &json!({"name": name}))?;
            answer::text(&page(&answer, &state, now(), terminal.colour))?;
        }
    }
    Ok(Exit::Succeeded)
}

/// Everything about a pipeline on one screen.
fn page(answer: &Value, state: &Value, now: Timestamp, colour: bool) -> String {
    let (pipeline, metadata) = (&answer["pipeline"], &answer["metadata"]);
    let text = |value: &Value| harmless(value.as_str().unwrap_or_default());
    let mut page = format!(
        "{} v{} ({}, {}) · created {} · updated {}\n{}\n\n",
        paint(&text(&pipeline["name"]), Style::Bold, colour),
        pipeline["version"],
        text(&pipeline["pipelineType"]),
        text(&pipeline["executionMode"]),
        when::ago_value(&metadata["created"], now),
        when::ago_value(&metadata["updated"], now),
        paint(&text(&metadata["pipelineArn"]), Style::Dim, colour),
    );
    let none = Vec::new();
    let list = |value: &Value, key: &str| value[key].as_array().unwrap_or(&none).clone();
    let states = list(state, "stageStates");
    let mut table = Table::new(&[
        "STAGE",
        "ACTION",
        "PROVIDER",
        "STATUS",
        "CHANGED",
        "EXECUTION",
    ]);
    let mut notes = Vec::new();
    for stage in list(pipeline, "stages") {
        let found = states.iter().find(|s| s["stageName"] == stage["name"]);
        let stage_state = found.cloned().unwrap_or_default();
        notes.extend(notes_of(&stage, &stage_state, now));
        for (at, action) in list(&stage, "actions").iter().enumerate() {
            let states = list(&stage_state, "actionStates");
            let found = states.iter().find(|s| s["actionName"] == action["name"]);
            let latest = found.map_or(Value::Null, |s| s["latestExecution"].clone());
            table.row(row(at, &stage, action, &stage_state, &latest, now));
        }
    }
    page.push_str(&table.render(colour));
    let variables = list(pipeline, "variables");
    if !variables.is_empty() {
        let mut table = Table::new(&["VARIABLE", "DEFAULT", "DESCRIPTION"]);
        for variable in &variables {
            table.row(vec![
                text(&variable["name"]).into(),
                text(&variable["defaultValue"]).into(),
                text(&variable["description"]).into(),
            ]);
        }
        page.push('\n');
        page.push_str(&table.render(colour));
    }
    for note in notes {
        page.push('\n');
        page.push_str(&paint(&note, Style::Attention, colour));
        page.push('\n');
    }
    page
}

fn row(
    at: usize,
    stage: &Value,
    action: &Value,
    stage_state: &Value,
    latest: &Value,
    now: Timestamp,
) -> Vec<Cell> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let kind = &action["actionTypeId"];
    let waits = kind["category"] == "Approval" && latest["status"] == "InProgress";
    let word = if waits {
        "Waiting".to_owned()
    } else {
        text(&latest["status"])
    };
    let changed = if latest.is_null() {
        String::new()
    } else {
        when::ago_value(&latest["lastStatusChange"], now)
    };
    let execution = text(&stage_state["latestExecution"]["pipelineExecutionId"]);
    vec![
        Cell::styled(
            if at == 0 {
                text(&stage["name"])
            } else {
                String::new()
            },
            Style::Bold,
        ),
        text(&action["name"]).into(),
        text(&kind["provider"]).into(),
        status(&word),
        changed.into(),
        if latest.is_null() {
            "".into()
        } else {
            short(&execution).into()
        },
    ]
}

/// What is worth knowing of a stage beside its actions: who waits before it, and why.
fn notes_of(stage: &Value, state: &Value, now: Timestamp) -> Vec<String> {
    let name = stage["name"].as_str().unwrap_or_default();
    let mut notes = Vec::new();
    let transition = &state["inboundTransitionState"];
    if transition["enabled"] == json!(false) {
        let reason = harmless(transition["disabledReason"].as_str().unwrap_or_default());
        let since = when::ago_value(&transition["lastChangedAt"], now);
        notes.push(format!("The way into {name} was closed {since}: {reason}"));
    }
    let none = Vec::new();
    let inbound = state["inboundExecutions"].as_array().unwrap_or(&none);
    let one = &state["inboundExecution"];
    let waiting: Vec<&str> = inbound
        .iter()
        .chain(inbound.is_empty().then_some(one))
        .filter_map(|execution| execution["pipelineExecutionId"].as_str())
        .map(short)
        .collect();
    if !waiting.is_empty() {
        notes.push(format!("Before {name} waits {}", waiting.join(", ")));
    }
    notes
}

pub(super) fn list(client: &Client, args: &ListArgs, terminal: Terminal) -> Result<Exit, Failure> {
    let mut pipelines = find::pipelines(client)?;
    if args.latest {
        for pipeline in &mut pipelines {
            let name = pipeline["name"].as_str().unwrap_or_default();
            match find::executions(client, name, 1) {
                Ok(newest) => {
                    pipeline["latestExecution"] = newest.into_iter().next().unwrap_or_default();
                }
                // It was deleted since it was listed.
                Err(error) if error.is_not_found() => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    if terminal.output != Output::Text {
        answer::list(terminal, "pipelines", pipelines)?;
        return Ok(Exit::Succeeded);
    }
    if pipelines.is_empty() {
        terminal.say("There are no pipelines yet. Create one: pipewright pipeline create FILE");
        return Ok(Exit::Succeeded);
    }
    let table = table(&pipelines, args.latest, now());
    answer::text(&table.render(terminal.colour))?;
    Ok(Exit::Succeeded)
}

fn table(pipelines: &[Value], latest: bool, now: Timestamp) -> Table {
    let mut headings = vec!["NAME", "VERSION", "TYPE", "MODE", "UPDATED"];
    if latest {
        headings.extend(["EXECUTION", "STATUS", "STARTED"]);
    }
    let mut table = Table::new(&headings);
    for pipeline in pipelines {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let mut row: Vec<Cell> = vec![
            text(&pipeline["name"]).into(),
            pipeline["version"].to_string().into(),
            text(&pipeline["pipelineType"]).into(),
            text(&pipeline["executionMode"]).into(),
            when::ago_value(&pipeline["updated"], now).into(),
        ];
        let newest = &pipeline["latestExecution"];
        if newest.is_object() {
            row.push(short(&text(&newest["pipelineExecutionId"])).into());
            row.push(status(&text(&newest["status"])));
            row.push(when::ago_value(&newest["startTime"], now).into());
        }
        table.row(row);
    }
    table
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    const NOW: Timestamp = Timestamp(1_800_000_000_000);

    #[test]
    fn a_pipeline_fits_on_a_screen() {
        let answer = json!({
            "pipeline": {
                "name": "web", "version": 7, "pipelineType": "V2", "executionMode": "QUEUED",
                "variables": [{"name": "Env", "defaultValue": "dev"}],
                "stages": [
                    {"name": "Source", "actions": [
                        {"name": "get", "actionTypeId": {"category": "Source", "provider": "S3"}}]},
                    {"name": "Deploy", "actions": [
                        {"name": "ok", "actionTypeId": {"category": "Approval", "provider": "Manual"}},
                        {"name": "ship", "actionTypeId": {"category": "Deploy", "provider": "S3"}}]},
                ],
            },
            "metadata": {"pipelineArn": "arn:aws:codepipeline:us-east-1:000000000000:web",
                         "created": 1_799_000_000, "updated": 1_799_999_000},
        });
        let state = json!({"stageStates": [
            {"stageName": "Source",
             "latestExecution": {"pipelineExecutionId": "6a2d0000-0", "status": "Succeeded"},
             "actionStates": [{"actionName": "get", "latestExecution":
                {"status": "Succeeded", "lastStatusChange": 1_799_999_998}}]},
            {"stageName": "Deploy",
             "latestExecution": {"pipelineExecutionId": "5f1c9e7a-0", "status": "InProgress"},
             "inboundExecutions": [{"pipelineExecutionId": "6a2d0000-0"}],
             "inboundTransitionState": {"enabled": false, "disabledReason": "freeze",
                                        "lastChangedAt": 1_799_996_400},
             "actionStates": [{"actionName": "ok", "latestExecution":
                {"status": "InProgress", "lastStatusChange": 1_799_999_900}}, {"actionName": "ship"}]},
        ]});
        expect![[r#"
            web v7 (V2, QUEUED) · created 11d ago · updated 16m ago
            arn:aws:codepipeline:us-east-1:000000000000:web

            STAGE   ACTION  PROVIDER  STATUS     CHANGED   EXECUTION
            Source  get     S3        Succeeded  just now  6a2d0000
            Deploy  ok      Manual    Waiting    1m ago    5f1c9e7a
                    ship    S3

            VARIABLE  DEFAULT  DESCRIPTION
            Env       dev

            The way into Deploy was closed 1h ago: freeze

            Before Deploy waits 6a2d0000
        "#]]
        .assert_eq(&page(&answer, &state, NOW, false));
    }

    #[test]
    fn a_list_has_a_row_for_each() {
        let mut pipelines = vec![
            json!({"name": "api", "version": 1, "pipelineType": "V1",
                   "executionMode": "SUPERSEDED", "updated": 1_799_990_000}),
            json!({"name": "web-shop", "version": 12, "pipelineType": "V2",
                   "executionMode": "QUEUED", "updated": 1_799_999_999}),
        ];
        expect![[r#"
            NAME      VERSION  TYPE  MODE        UPDATED
            api       1        V1    SUPERSEDED  2h ago
            web-shop  12       V2    QUEUED      just now
        "#]]
        .assert_eq(&table(&pipelines, false, NOW).render(false));
        pipelines[1]["latestExecution"] = json!({
            "pipelineExecutionId": "5f1c9e7a-0", "status": "Failed", "startTime": 1_799_999_000
        });
        expect![[r#"
            NAME      VERSION  TYPE  MODE        UPDATED   EXECUTION  STATUS  STARTED
            api       1        V1    SUPERSEDED  2h ago
            web-shop  12       V2    QUEUED      just now  5f1c9e7a   Failed  16m ago
        "#]]
        .assert_eq(&table(&pipelines, true, NOW).render(false));
    }
}
