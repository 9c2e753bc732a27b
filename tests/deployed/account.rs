//! The same template in a real account, for whoever has one.
//!
//!     PIPEWRIGHT_REAL_AWS=1 AWS_REGION=… cargo test -p pipewright-tests --test deployed real
//!
//! Credentials and region are taken from the environment. A stack is made, released through, and
//! deleted; what the template retains (bucket, table, secret, audit trail) is named at the end.

use std::{fs, time::Duration};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    cli::{Cli, wait},
    release::{self, Pipeline},
    stack,
};

const ASKED_FOR: &str = "PIPEWRIGHT_REAL_AWS";

const PIPELINE: &str = "account";
const KEY: &str = "account.zip";

const FOLLOWS_WITHIN: Duration = Duration::from_mins(5);

pub(crate) fn release() {
    if std::env::var_os(ASKED_FOR).is_none() {
        eprintln!("SKIPPED: no real account was asked for ({ASKED_FOR}=1)");
        return;
    }
    let folder = TempDir::new().expect("a folder");
    let aws = Cli::of_account(folder.path());
    let name = format!("pipewright-test-{}", std::process::id());
    stack::lay_out(folder.path(), &stack::build());
    stack::sam_deploy(folder.path(), &aws, &name, &[]);
    let outputs = stack::outputs(&aws, &name);
    let key = stack::first_key(&aws, &outputs["ApiFunction"], folder.path());
    let key = key.unwrap_or_else(|error| panic!("{error}"));
    let pipewright = aws.with(&outputs["Endpoint"], (&key.0, &key.1));
    let (bucket, sources) = (&outputs["Bucket"], &outputs["SourceBucket"]);
    Pipeline {
        name: PIPELINE,
        source_bucket: sources,
        source_key: KEY,
        mode: "QUEUED",
        // The image of builds has to be pushed first: infra/build-image says how.
        is_built: false,
        topic: Some(&outputs["ApprovalTopic"]),
        release: json!({"BucketName": bucket, "Extract": "true", "ObjectKey": "released"}),
    }
    .make(&pipewright, bucket);
    release::upload(&aws, folder.path(), sources, KEY);
    approve(&pipewright);
    let file = folder.path().join("released.txt");
    wait("deployed object", FOLLOWS_WITHIN, || {
        let path = file.to_string_lossy();
        let key = "released/source.txt";
        let get = [
            "s3api",
            "get-object",
            "--bucket",
            bucket,
            "--key",
            key,
            &path,
        ];
        aws.ask(&get).ok()
    });
    assert_eq!(
        fs::read_to_string(&file).expect("the CLI wrote it"),
        "one\n"
    );
    let mut delete = stack::sam(&aws);
    delete.args(["delete", "--no-prompts", "--stack-name", &name]);
    let deleted = delete.status().expect("it was installed");
    assert!(deleted.success(), "{name} is still there");
    eprintln!("kept, as the template says: {outputs:?}");
}

fn approve(pipewright: &Cli) {
    let token = wait("approval that waits", FOLLOWS_WITHIN, || token(pipewright));
    pipewright.run(&[
        "codepipeline",
        "put-approval-result",
        "--pipeline-name",
        PIPELINE,
        "--stage-name",
        "Approve",
        "--action-name",
        "Approval",
        "--result",
        "summary=good,status=Approved",
        "--token",
        &token,
    ]);
}

/// The token of the approval, once it waits.
fn token(pipewright: &Cli) -> Option<String> {
    let state = pipewright.run(&["codepipeline", "get-pipeline-state", "--name", PIPELINE]);
    let stages = state["stageStates"].as_array().into_iter().flatten();
    let actions = stages.flat_map(|stage| stage["actionStates"].as_array().into_iter().flatten());
    let mut tokens =
        actions.filter_map(|action: &Value| action["latestExecution"]["token"].as_str());
    tokens.next().map(str::to_owned)
}
