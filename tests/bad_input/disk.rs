//! A server whose disk is full.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::Instant,
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    crash::{MOUNT, can_mount, within},
    program::content,
    served::{
        LOOK, PATIENCE, Server, address_in, approval, arguments, pipeline, source, wire::Answer,
    },
};

/// How often the full disk is tried.
const REFUSALS: usize = 4;

/// How many characters the variable of an execution has.
const ROOM: usize = 1_000;

/// How many executions are asked for at most until the disk is full.
const STARTS_MAX: usize = 5_000;

/// A pipeline with a variable that takes room.
fn roomy() -> Value {
    let mut declaration = pipeline("roomy", "PARALLEL", &[approval("Ask")]);
    declaration["pipeline"]["variables"] = json!([{"name": "Room", "defaultValue": "none"}]);
    declaration
}

/// A server over a small disk with some ballast on it; when it ends, one begins over the same disk
/// without the ballast.
struct Afloat {
    server: Server,
    folder: TempDir,
}

impl Afloat {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let repository = source(folder.path());
        let data = folder.path().join("data");
        fs::create_dir(&data).expect("a folder");
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
        let seen = |process| seen(process, &data);
        let server = Server::start_seen(command, folder.path(), seen);
        Self { server, folder }
    }

    /// Asks for an execution; where as many go on as may, the newest of them is stopped instead.
    fn start(&self, token: &str, newest: Option<&Value>) -> Answer {
        let input = json!({
            "name": "roomy",
            "variables": [{"name": "Room", "value": "x".repeat(ROOM)}],
            "clientRequestToken": token,
        });
        let answer = self.server.call("StartPipelineExecution", &input);
        let answer = answer.expect("an answer");
        let full = "ConcurrentPipelineExecutionsLimitExceededException";
        if answer.status == 400 && answer.exception().as_deref() == Some(full) {
            let input = json!({
                "pipelineName": "roomy",
                "pipelineExecutionId": newest.expect("some were begun"),
                "abandon": true,
            });
            let stopped = self.server.call("StopPipelineExecution", &input);
            let stopped = stopped.expect("an answer");
            assert!([200, 400, 503].contains(&stopped.status), "{stopped:?}");
        }
        answer
    }

    /// Asks for executions until nothing can be stored any more; answers with those that were
    /// acknowledged.
    fn fill(&self) -> Vec<Value> {
        let (mut acknowledged, mut refusals) = (Vec::new(), 0);
        for number in 0..STARTS_MAX {
            let answer = self.start(&format!("token-{number}"), acknowledged.last());
            match answer.status {
                200 => acknowledged.push(answer.json()["pipelineExecutionId"].clone()),
                503 => {
                    let said = answer.exception();
                    let expected = "ServiceUnavailableException";
                    assert_eq!(said.as_deref(), Some(expected), "{answer:?}");
                    refusals += 1;
                }
                _ => assert_eq!(answer.status, 400, "{answer:?}"),
            }
            if refusals == REFUSALS {
                return acknowledged;
            }
        }
        panic!("the disk was never full: {}", acknowledged.len());
    }

    /// Ends the first server and waits for the second one.
    fn lighten(&mut self) {
        let data = self.folder.path().join("data");
        let holder = seen(self.server.process.id(), &data).join("lock");
        let sent = Command::new("kill").arg(content(&holder).trim()).status();
        assert!(sent.expect("kill is there").success());
        let began = Instant::now();
        loop {
            let errors = content(&self.server.errors);
            let address = address_in(&errors);
            if let (2, Some(address)) = (errors.matches("listens on").count(), address) {
                self.server.address = address;
                return;
            }
            assert!(began.elapsed() < PATIENCE, "no second one: {errors}");
            thread::sleep(LOOK);
        }
    }
}

/// The data as they are seen from outside of the mount namespace in which the process is.
fn seen(process: u32, data: &Path) -> PathBuf {
    PathBuf::from(format!("/proc/{process}/root{}", data.display()))
}

#[test]
fn a_full_disk_costs_nothing_that_was_acknowledged() {
    if !can_mount() {
        return;
    }
    let mut afloat = Afloat::new();
    afloat.server.expect("CreatePipeline", &roomy());
    let mut acknowledged = afloat.fill();
    assert!(!acknowledged.is_empty(), "it was full from the beginning");
    // Reading goes on, or says that it cannot.
    let answer = afloat.server.call("ListPipelines", &json!({}));
    let answer = answer.expect("an answer");
    assert!([200, 503].contains(&answer.status), "{answer:?}");
    assert_eq!(afloat.server.get("/healthz").status, 200);
    afloat.server.check_errors();

    afloat.lighten();
    for id in &acknowledged {
        let input = json!({"pipelineName": "roomy", "pipelineExecutionId": id});
        afloat.server.expect("GetPipelineExecution", &input);
    }
    // And it takes new ones: there is room again.
    let began = Instant::now();
    while afloat.start("afterwards", acknowledged.last()).status != 200 {
        acknowledged.pop();
        assert!(began.elapsed() < PATIENCE, "it takes nothing new");
        thread::sleep(LOOK);
    }
    afloat.server.check_errors();
}
