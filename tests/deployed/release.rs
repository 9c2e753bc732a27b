//! Pipelines, and a source for them, made with the plain AWS CLI.

use std::{fs, path::Path, process::Command};

use serde_json::{Value, json};

use crate::cli::Cli;

/// The bucket that a source is uploaded to and the one that a release goes to.
pub(crate) const SOURCES: &str = "pipewright-sources";
pub(crate) const RELEASES: &str = "pipewright-releases";

/// What the build makes of the source.
pub(crate) const BUILT: &str = "built from one";

const BUILDSPEC: &str = "version: 0.2
phases:
  build:
    commands:
      - echo \"built from $(cat source.txt)\" > release.txt
artifacts:
  files:
    - release.txt
";

const ROLE: &str = "arn:aws:iam::000000000000:role/pipeline";

/// Both buckets, with versions; S3 tells EventBridge of what is put into the sources.
pub(crate) fn make_buckets(aws: &Cli) {
    for bucket in [SOURCES, RELEASES] {
        aws.run(&["s3api", "create-bucket", "--bucket", bucket]);
        aws.run(&[
            "s3api",
            "put-bucket-versioning",
            "--bucket",
            bucket,
            "--versioning-configuration",
            "Status=Enabled",
        ]);
    }
    aws.run(&[
        "s3api",
        "put-bucket-notification-configuration",
        "--bucket",
        SOURCES,
        "--notification-configuration",
        r#"{"EventBridgeConfiguration": {}}"#,
    ]);
}

/// A project of CodeBuild whose builds make `release.txt` of `source.txt`.
pub(crate) fn make_project(pipewright: &Cli) {
    let project = json!({
        "name": "release",
        "source": {"type": "CODEPIPELINE", "buildspec": BUILDSPEC},
        "artifacts": {"type": "CODEPIPELINE"},
        "environment": {
            "type": "LINUX_CONTAINER",
            "image": "aws/codebuild/standard:7.0",
            "computeType": "BUILD_GENERAL1_SMALL",
        },
        "serviceRole": ROLE,
    });
    let project = project.to_string();
    pipewright.run(&["codebuild", "create-project", "--cli-input-json", &project]);
}

/// What differs between the pipelines of this test.
pub(crate) struct Pipeline<'a> {
    pub(crate) name: &'a str,
    pub(crate) source_bucket: &'a str,
    pub(crate) source_key: &'a str,
    pub(crate) mode: &'a str,
    pub(crate) is_built: bool,
    /// Asked by an approval, told by this topic; none: no approval.
    pub(crate) topic: Option<&'a str>,
    pub(crate) release: Value,
}

impl Pipeline<'_> {
    /// Makes it, with its artifacts in the bucket of the stack.
    pub(crate) fn make(&self, pipewright: &Cli, bucket: &str) {
        let source = json!({
            "S3Bucket": self.source_bucket,
            "S3ObjectKey": self.source_key,
            "PollForSourceChanges": "false",
        });
        let mut stages = vec![stage("Source", &action("Source", "S3", &source))];
        if self.is_built {
            let project = json!({"ProjectName": "release"});
            stages.push(stage("Build", &action("Build", "CodeBuild", &project)));
        }
        if let Some(topic) = self.topic {
            let asked = json!({"NotificationArn": topic, "CustomData": "Is it good?"});
            stages.push(stage("Approve", &action("Approval", "Manual", &asked)));
        }
        let mut deploy = action("Deploy", "S3", &self.release);
        if !self.is_built {
            deploy["inputArtifacts"][0]["name"] = json!("Sources");
        }
        stages.push(stage("Deploy", &deploy));
        let pipeline = json!({"pipeline": {
            "name": self.name,
            "roleArn": ROLE,
            "artifactStore": {"type": "S3", "location": bucket},
            "pipelineType": "V2",
            "executionMode": self.mode,
            "stages": stages,
        }});
        let pipeline = pipeline.to_string();
        pipewright.run(&[
            "codepipeline",
            "create-pipeline",
            "--cli-input-json",
            &pipeline,
        ]);
    }
}

fn stage(name: &str, action: &Value) -> Value {
    json!({"name": name, "actions": [action]})
}

fn action(category: &str, provider: &str, configuration: &Value) -> Value {
    let artifact = |name: &str| json!([{"name": name}]);
    let (inputs, outputs) = match category {
        "Source" => (json!([]), artifact("Sources")),
        "Build" => (artifact("Sources"), artifact("Release")),
        "Deploy" => (artifact("Release"), json!([])),
        _ => (json!([]), json!([])),
    };
    json!({
        "name": category,
        "actionTypeId": {"category": category, "owner": "AWS", "provider": provider, "version": "1"},
        "configuration": configuration,
        "inputArtifacts": inputs,
        "outputArtifacts": outputs,
        "runOrder": 1,
    })
}

/// Uploads a source whose `source.txt` says `one`.
pub(crate) fn upload(aws: &Cli, folder: &Path, bucket: &str, key: &str) {
    let source = folder.join("source");
    fs::create_dir_all(&source).expect("a folder");
    fs::write(source.join("source.txt"), "one\n").expect("a file");
    let mut zip = Command::new("python3");
    zip.current_dir(&source)
        .args(["-m", "zipfile", "-c", "../source.zip", "source.txt"]);
    assert!(zip.status().expect("python3 is here").success(), "{zip:?}");
    let zip = folder.join("source.zip");
    let zip = zip.to_string_lossy();
    aws.run(&[
        "s3api",
        "put-object",
        "--bucket",
        bucket,
        "--key",
        key,
        "--body",
        &zip,
    ]);
}

/// The executions of a pipeline, newest first.
pub(crate) fn executions(pipewright: &Cli, pipeline: &str) -> Vec<Value> {
    let listed = pipewright.ask(&[
        "codepipeline",
        "list-pipeline-executions",
        "--pipeline-name",
        pipeline,
    ]);
    let listed = listed.unwrap_or_default();
    listed["pipelineExecutionSummaries"]
        .as_array()
        .cloned()
        .unwrap_or_default()
}

/// Panics with what its actions say if an execution has not succeeded and never will.
pub(crate) fn insist(pipewright: &Cli, pipeline: &str, execution: &str) {
    let all = executions(pipewright, pipeline);
    let own = all
        .iter()
        .find(|one| one["pipelineExecutionId"] == *execution);
    let status = own
        .and_then(|own| own["status"].as_str())
        .unwrap_or_default();
    assert!(
        ["InProgress", "Succeeded"].contains(&status),
        "{status}: {:#}",
        details(pipewright, pipeline, execution)
    );
}

fn details(pipewright: &Cli, pipeline: &str, execution: &str) -> Value {
    let listed = pipewright.run(&[
        "codepipeline",
        "list-action-executions",
        "--pipeline-name",
        pipeline,
        "--filter",
        &format!("pipelineExecutionId={execution}"),
    ]);
    listed["actionExecutionDetails"].clone()
}

/// What became of the actions of an execution: name and status, sorted.
pub(crate) fn actions(pipewright: &Cli, pipeline: &str, execution: &str) -> Vec<(String, String)> {
    let details = details(pipewright, pipeline, execution);
    let details = details.as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut actions: Vec<_> = details
        .iter()
        .map(|one| (text(&one["actionName"]), text(&one["status"])))
        .collect();
    actions.sort();
    actions
}
