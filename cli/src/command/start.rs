//! `start`: an execution on a server.

use serde_json::{Value, json};

use super::watch::{self, follow::Manner};
use crate::{
    args::StartArgs,
    client::{
        Client, answer, api,
        find::{self, Found, short},
    },
    exit::Exit,
    failure::Failure,
    terminal::Terminal,
};

pub(super) fn run(args: &StartArgs, terminal: Terminal) -> Result<Exit, Failure> {
    let waits = args.wait || args.logs;
    if args.timeout.is_some() && !waits {
        return Err(
            Failure::usage("--timeout says how long to wait, and nothing waits")
                .with_help("add --wait or --logs"),
        );
    }
    let client = Client::open(&args.connection)?;
    let mut input = json!({"name": args.name, "clientRequestToken": api::token()});
    if !args.variables.is_empty() {
        let variable = |(name, value): &(String, String)| json!({"name": name, "value": value});
        input["variables"] = args.variables.iter().map(variable).collect();
    }
    if !args.revisions.is_empty() {
        input["sourceRevisions"] = revisions(&client, args)?;
    }
    let answer = client
        .call("StartPipelineExecution", &input)
        .map_err(|error| find::refused(&client, error, &args.name))?;
    let id = answer["pipelineExecutionId"].as_str().unwrap_or_default();
    if !waits {
        if terminal.output == crate::args::Output::Text {
            // The id alone is data, so that a script can take it.
            answer::text(&format!("{id}\n"))?;
            let id = short(id);
            terminal.say(&format!(
                "Started {}. Watch it: pipewright watch {id}",
                args.name
            ));
            return Ok(Exit::Succeeded);
        }
        let document = json!({"v": 1, "pipeline": args.name, "execution": id});
        answer::one(terminal, &document)?;
        return Ok(Exit::Succeeded);
    }
    let found = Found {
        pipeline: args.name.clone(),
        execution: id.to_owned(),
        started: Some(api::now()),
    };
    let manner = Manner {
        timeout: args.timeout,
        with_logs: args.logs,
        ..Manner::default()
    };
    watch::follow(&client, found, manner, terminal)
}

/// The overrides, with the type that the provider of each action has for its revisions.
fn revisions(client: &Client, args: &StartArgs) -> Result<Value, Failure> {
    let answer = client
        .call("GetPipeline", &json!({"name": args.name}))
        .map_err(|error| find::refused(client, error, &args.name))?;
    let revisions: Result<Vec<Value>, Failure> = args
        .revisions
        .iter()
        .map(|(action, revision)| override_of(&answer["pipeline"], action, revision))
        .collect();
    Ok(Value::Array(revisions?))
}

fn override_of(pipeline: &Value, action: &str, revision: &str) -> Result<Value, Failure> {
    let none = Vec::new();
    let sources = pipeline["stages"][0]["actions"].as_array().unwrap_or(&none);
    let Some(source) = sources.iter().find(|source| source["name"] == action) else {
        let names: Vec<&str> = sources.iter().filter_map(|s| s["name"].as_str()).collect();
        let message = format!("the pipeline has no source action `{action}`");
        return Err(
            Failure::not_found(message).with_help(format!("there are: {}", names.join(", ")))
        );
    };
    let kind = match source["actionTypeId"]["provider"]
        .as_str()
        .unwrap_or_default()
    {
        "S3" => "S3_OBJECT_VERSION_ID",
        "ECR" => "IMAGE_DIGEST",
        _ => "COMMIT_ID",
    };
    Ok(json!({"actionName": action, "revisionType": kind, "revisionValue": revision}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_provider_of_a_source_says_what_its_revisions_are() {
        let pipeline = json!({"stages": [{"actions": [
            {"name": "code", "actionTypeId": {"provider": "CodeCommit"}},
            {"name": "data", "actionTypeId": {"provider": "S3"}},
            {"name": "image", "actionTypeId": {"provider": "ECR"}},
        ]}]});
        for (action, kind) in [
            ("code", "COMMIT_ID"),
            ("data", "S3_OBJECT_VERSION_ID"),
            ("image", "IMAGE_DIGEST"),
        ] {
            let found = override_of(&pipeline, action, "x").expect("an override");
            assert_eq!(found["revisionType"], kind);
        }
        let failure = override_of(&pipeline, "cod", "x").expect_err("no such action");
        assert_eq!(failure.exit, Exit::NotFound);
        assert_eq!(
            failure.findings[0].help.as_deref(),
            Some("there are: code, data, image")
        );
    }
}
