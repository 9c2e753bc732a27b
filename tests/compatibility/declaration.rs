//! The features of a declaration, each tried.

use model::{PipelineDeclaration, declaration::support};
use serde_json::{Value, json};

use crate::table;

/// A feature with what uses it: the place in a declaration and the value there.
type Feature = (&'static str, String, Value);

fn features() -> Vec<Feature> {
    [of_pipelines(), of_actions(), of_stages()].concat()
}

fn of_pipelines() -> Vec<Feature> {
    let push = json!({"push": [{"branches": {"includes": ["main"]}}], "sourceActionName": "A"});
    let triggers = json!([{"providerType": "CodeStarSourceConnection", "gitConfiguration": push}]);
    vec![
        (
            "execution mode SUPERSEDED",
            "/executionMode".to_owned(),
            json!("SUPERSEDED"),
        ),
        (
            "execution mode QUEUED",
            "/executionMode".to_owned(),
            json!("QUEUED"),
        ),
        (
            "execution mode PARALLEL",
            "/executionMode".to_owned(),
            json!("PARALLEL"),
        ),
        (
            "pipeline variables",
            "/variables".to_owned(),
            json!([{"name": "Environment"}]),
        ),
        (
            "artifact stores by Region (`artifactStores`), of one",
            "/artifactStores".to_owned(),
            json!({"eu-west-1": {"type": "S3", "location": "one"}}),
        ),
        (
            "artifact stores of several Regions, and so actions in them",
            "/artifactStores".to_owned(),
            json!({
                "eu-west-1": {"type": "S3", "location": "one"},
                "us-east-1": {"type": "S3", "location": "two"},
            }),
        ),
        (
            "a key of one's own for artifacts (`encryptionKey`)",
            "/artifactStore".to_owned(),
            json!({
                "type": "S3", "location": "one",
                "encryptionKey": {"id": "alias/mine", "type": "KMS"},
            }),
        ),
        ("triggers with filters", "/triggers".to_owned(), triggers),
    ]
}

fn of_actions() -> Vec<Feature> {
    let variables = json!([{"name": "A", "value": "b", "type": "SECRETS_MANAGER"}]);
    let of_action =
        |name, field: &str, value| (name, format!("/stages/0/actions/0/{field}"), value);
    vec![
        of_action("actions in parallel (`runOrder`)", "runOrder", json!(2)),
        of_action(
            "output variables (`namespace`)",
            "namespace",
            json!("source"),
        ),
        of_action("commands of a Compute action", "commands", json!(["make"])),
        of_action(
            "environment variables of a Compute action",
            "environmentVariables",
            variables,
        ),
        of_action("approval timeout", "timeoutInMinutes", json!(60)),
    ]
}

fn of_stages() -> Vec<Feature> {
    let rule = json!({
        "name": "Window", "ruleTypeId": {"category": "Rule", "provider": "DeploymentWindow"}
    });
    let conditions = json!({"conditions": [{"result": "FAIL", "rules": [rule]}]});
    let of_stage = |name, field: &str, value| (name, format!("/stages/0/{field}"), value);
    vec![
        of_stage("conditions before entry", "beforeEntry", conditions.clone()),
        of_stage("conditions on success", "onSuccess", conditions.clone()),
        of_stage("conditions on failure", "onFailure", conditions),
        of_stage(
            "automatic retry on failure",
            "onFailure",
            json!({"result": "RETRY"}),
        ),
        of_stage(
            "automatic rollback on failure",
            "onFailure",
            json!({"result": "ROLLBACK"}),
        ),
    ]
}

pub(crate) fn section() -> String {
    let rows: Vec<Vec<String>> = features()
        .into_iter()
        .map(|(name, place, value)| {
            let refused = !support::refusals(&declaration(&place, value)).is_empty();
            vec![
                name.to_owned(),
                if refused { "refused" } else { "runs" }.to_owned(),
            ]
        })
        .collect();
    let table = table(&["feature", "here"], &rows);
    format!(
        "## Declarations\n\nThe whole declaration is read and validated, V1 and V2, YAML and JSON, \
         with every published rule.\n\n{table}"
    )
}

/// A small pipeline that uses the feature.
fn declaration(place: &str, value: Value) -> PipelineDeclaration {
    let mut pipeline = json!({
        "name": "p",
        "roleArn": "arn:aws:iam::000000000000:role/r",
        "pipelineType": "V2",
        "stages": [{"name": "S", "actions": [{
            "name": "A",
            "actionTypeId": {"category": "Source", "owner": "AWS", "provider": "S3", "version": "1"},
        }]}],
    });
    let (parent, key) = place.rsplit_once('/').expect("a place begins with a slash");
    let parent = pipeline.pointer_mut(parent).expect("the parent is there");
    parent[key] = value;
    serde_json::from_value(pipeline).expect("the declaration has the form of one")
}

#[test]
fn a_feature_that_is_not_there_yet_is_refused_and_one_that_is_there_is_not() {
    let triggers = declaration(
        "/triggers",
        json!([
            {"providerType": "CodeStarSourceConnection", "gitConfiguration": {"sourceActionName": "A"}}
        ]),
    );
    assert_eq!(support::refusals(&triggers).len(), 1);
    assert!(support::refusals(&declaration("/executionMode", json!("QUEUED"))).is_empty());
}
