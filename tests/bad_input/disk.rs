//! A server whose disk is full.

use std::{
    process::{Command, Stdio},
    thread,
    time::Instant,
};

use serde_json::{Value, json};

use crate::{
    crash::{MOUNT, can_mount, within},
    program::content,
    served::{LOOK, PATIENCE, Server, address_in, approval, arguments, pipeline, source},
};

/// How many executions are asked for at most until the disk is full.
const STARTS_MAX: usize = 5_000;

/// A pipeline with a variable that takes room.
fn roomy() -> Value {
    let mut declaration = pipeline("roomy", "PARALLEL", &[approval("Ask")]);
    declaration["pipeline"]["variables"] = json!([{"name": "Room", "defaultValue": "none"}]);
    declaration
}

#[test]
fn a_full_disk_costs_nothing_that_was_acknowledged() {
    if !can_mount() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let repository = source(folder);
    let data = folder.join("data");
    std::fs::create_dir(&data).expect("a folder");
    // The server over a small disk with some ballast on it, and, when that has ended, again over
    // the same disk without the ballast.
    let script = format!(
        "{MOUNT}; shift; head -c 2000000 /dev/zero > '{data}/ballast'; \"$@\"; \
         rm '{data}/ballast'; exec \"$@\"",
        data = data.display()
    );
    let options = ["--runner", "process", "--repository", repository.as_str()];
    let mut command = within(&["sh", "-c", &script, "sh"]);
    command
        .arg(&data)
        .arg(env!("CARGO_BIN_EXE_pipewright"))
        .args(arguments(&data, &options))
        .env("NO_COLOR", "1")
        .stdin(Stdio::null());
    let inside = |process: u32| {
        // Whoever is outside sees the small disk through the process that is inside.
        let place = format!("/proc/{process}/root{}", data.display());
        std::path::PathBuf::from(place)
    };
    let mut server = Server::start_seen(command, folder, inside);
    let first = content(&inside(server.process.id()).join("lock"));

    server.expect("CreatePipeline", &roomy());
    let room = "x".repeat(1_000);
    let mut acknowledged = Vec::new();
    let mut refusals = 0;
    for number in 0..STARTS_MAX {
        let input = json!({
            "name": "roomy",
            "variables": [{"name": "Room", "value": room}],
            "clientRequestToken": format!("token-{number}"),
        });
        let answer = server
            .call("StartPipelineExecution", &input)
            .expect("an answer");
        match answer.status {
            200 => acknowledged.push(answer.json()["pipelineExecutionId"].clone()),
            503 => {
                let said = answer.exception();
                assert_eq!(
                    said.as_deref(),
                    Some("ServiceUnavailableException"),
                    "{answer:?}"
                );
                refusals += 1;
            }
            _ => {
                // As many as go on at a time: the newest ends, so that the next one can begin.
                let said = answer.exception().unwrap_or_default();
                let full = "ConcurrentPipelineExecutionsLimitExceededException";
                assert_eq!(said, full, "{answer:?}");
                let newest = acknowledged.last().expect("some were begun");
                let input = json!({
                    "pipelineName": "roomy", "pipelineExecutionId": newest, "abandon": true,
                });
                let answer = server
                    .call("StopPipelineExecution", &input)
                    .expect("an answer");
                assert!([200, 400, 503].contains(&answer.status), "{answer:?}");
            }
        }
        if refusals > 3 {
            break;
        }
    }
    assert!(
        refusals > 3,
        "the disk was never full: {}",
        acknowledged.len()
    );
    assert!(!acknowledged.is_empty(), "it was full from the beginning");
    // Reading goes on, or says that it cannot.
    let answer = server.call("ListPipelines", &json!({})).expect("an answer");
    assert!([200, 503].contains(&answer.status), "{answer:?}");
    assert_eq!(server.get("/healthz").status, 200);
    server.check_errors();

    let sent = Command::new("kill").arg(first.trim()).status();
    assert!(sent.expect("kill is there").success());
    let old = server.address;
    let began = Instant::now();
    let ended = |errors: &str| errors.matches("listens on").count() > 1;
    while !ended(&content(&server.errors)) || address_in(&content(&server.errors)).is_none() {
        assert!(began.elapsed() < PATIENCE, "it does not start again");
        thread::sleep(LOOK);
    }
    server.address = address_in(&content(&server.errors)).unwrap_or(old);
    for id in &acknowledged {
        let input = json!({"pipelineName": "roomy", "pipelineExecutionId": id});
        server.expect("GetPipelineExecution", &input);
    }
    // And it takes new ones: the room is there again.
    let began = Instant::now();
    loop {
        let input = json!({"name": "roomy", "clientRequestToken": "afterwards"});
        let answer = server
            .call("StartPipelineExecution", &input)
            .expect("an answer");
        if answer.status == 200 {
            break;
        }
        let said = answer.exception().unwrap_or_default();
        assert!(
            said.starts_with("ConcurrentPipelineExecutions"),
            "{answer:?}"
        );
        let newest = acknowledged.pop().expect("one of them goes on");
        let input = json!({
            "pipelineName": "roomy", "pipelineExecutionId": newest, "abandon": true,
        });
        let _ = server.call("StopPipelineExecution", &input);
        assert!(began.elapsed() < PATIENCE, "it takes nothing new");
        thread::sleep(LOOK);
    }
    server.check_errors();
}
