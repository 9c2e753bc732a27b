//! The real server as tests use it: started, asked with signed requests, stopped or killed.

pub(crate) mod chance;
pub(crate) mod key;
pub(crate) mod wire;

use std::{
    fs::{self, File},
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::program::{content, pipewright};
use key::{Key, Signable};
use wire::{Answer, Wire};

/// How long a server may take until it listens; only a broken one takes that long.
const START_WITHIN: Duration = Duration::from_secs(20);

/// How long anything may take before a test gives up.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// How often a test looks whether something has happened.
pub(crate) const LOOK: Duration = Duration::from_millis(3);

/// A server, and where it is. It ends with the test, whatever becomes of the test.
pub(crate) struct Server {
    pub(crate) process: Child,
    pub(crate) address: SocketAddr,
    pub(crate) key: Key,
    /// What it said so far.
    pub(crate) errors: PathBuf,
    /// From the call of the program to its first answer to a signed request.
    pub(crate) first_answer: Duration,
}

impl Server {
    /// Starts a server whose log goes to `folder/errors`; its data is in `folder/data`.
    pub(crate) fn start(folder: &Path, more: &[&str]) -> Self {
        let command = pipewright(arguments(&folder.join("data"), more));
        Self::start_as(command, folder, &folder.join("data"))
    }

    /// Starts a server by whatever command runs it in the end.
    pub(crate) fn start_as(command: Command, folder: &Path, data: &Path) -> Self {
        Self::start_seen(command, folder, |_| data.to_owned())
    }

    /// The same where the data of a process is seen elsewhere than by the process itself.
    pub(crate) fn start_seen(
        mut command: Command,
        folder: &Path,
        data: impl Fn(u32) -> PathBuf,
    ) -> Self {
        let errors = folder.join("errors");
        let log = File::create(&errors).expect("a file");
        let began = Instant::now();
        let child = command.stdout(Stdio::null()).stderr(log).spawn();
        let mut process = child.expect("the program was built with its tests");
        let address = loop {
            if let Some(address) = address_in(&content(&errors)) {
                break address;
            }
            let ended = process.try_wait().expect("it can be waited for");
            let late = began.elapsed() > START_WITHIN;
            assert!(
                ended.is_none() && !late,
                "the server does not listen: {ended:?}\n{}",
                content(&errors)
            );
            thread::sleep(LOOK);
        };
        let credentials = data(process.id()).join("credentials");
        let key = Key::read(&content(&credentials));
        let mut server = Self {
            process,
            address,
            key,
            errors,
            first_answer: Duration::ZERO,
        };
        let answer = server.call("ListPipelines", &json!({}));
        assert_eq!(answer.expect("it answers").status, 200);
        server.first_answer = began.elapsed();
        server
    }

    /// Calls an operation of CodePipeline on a connection of its own.
    pub(crate) fn call(&self, operation: &str, input: &Value) -> io::Result<Answer> {
        call(self.address, &self.key, operation, input)
    }

    /// Calls an operation that must succeed.
    pub(crate) fn expect(&self, operation: &str, input: &Value) -> Value {
        let answer = self.call(operation, input).expect("the server answers");
        assert_eq!(answer.status, 200, "{operation} {input}: {answer:?}");
        answer.json()
    }

    /// Calls any operation, which must succeed.
    pub(crate) fn call_target(&self, target: &str, input: &Value) -> Value {
        let request = Signable::target(self.address, target, input.to_string().as_bytes());
        let mut wire = Wire::open(self.address).expect("it can be reached");
        wire.send(&request.closing().signed(&self.key))
            .expect("it reads");
        let answer = wire.answer().expect("it answers").expect("it answers");
        assert_eq!(answer.status, 200, "{target} {input}: {answer:?}");
        answer.json()
    }

    /// Reads a page that needs no key.
    pub(crate) fn get(&self, path: &str) -> Answer {
        let head = format!(
            "GET {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n",
            self.address
        );
        let mut wire = Wire::open(self.address).expect("it can be reached");
        wire.send(head.as_bytes()).expect("it reads");
        wire.answer().expect("it answers").expect("it answers")
    }

    /// Sends a signal: `TERM`, `KILL`.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.process.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status();
        assert!(sent.expect("kill is there").success());
    }

    /// Ends it as a power cut would.
    pub(crate) fn kill(&mut self) {
        self.process.kill().expect("it can be killed");
        self.process.wait().expect("it ends");
    }

    /// What it said; fails when it said that there is a defect in it.
    pub(crate) fn check_errors(&self) -> String {
        let errors = content(&self.errors);
        for sign in ["panicked", "status=500", "failed unexpectedly"] {
            let line = errors.lines().find(|line| line.contains(sign));
            assert_eq!(line, None, "the server says so");
        }
        errors
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended; then there is nothing to kill.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The arguments of a server that keeps its data there.
pub(crate) fn arguments(data: &Path, more: &[&str]) -> Vec<String> {
    let fixed = ["serve", "--listen", "127.0.0.1:0", "--data"];
    let data = data.to_string_lossy().into_owned();
    let words = fixed.iter().map(|word| (*word).to_owned());
    words
        .chain([data])
        .chain(more.iter().map(|word| (*word).to_owned()))
        .collect()
}

/// Calls an operation of CodePipeline on a connection of its own.
pub(crate) fn call(
    address: SocketAddr,
    key: &Key,
    operation: &str,
    input: &Value,
) -> io::Result<Answer> {
    let request = Signable::operation(address, operation, input);
    let mut wire = Wire::open(address)?;
    wire.send(&request.closing().signed(key))?;
    wire.answer()?
        .ok_or_else(|| io::Error::new(io::ErrorKind::UnexpectedEof, "no answer came"))
}

/// The address in the last greeting, once it is there whole.
pub(crate) fn address_in(errors: &str) -> Option<SocketAddr> {
    let (_, rest) = errors.rsplit_once("listens on http://")?;
    let (address, _) = rest.split_once('\n')?;
    // The files that clients need are written by then, and so is what comes after the address.
    rest.contains("AWS_PROFILE").then(|| address.parse().ok())?
}

/// A folder whose source the pipelines of these tests take.
pub(crate) fn source(folder: &Path) -> String {
    let source = folder.join("source");
    fs::create_dir(&source).expect("a folder");
    fs::write(source.join("file.txt"), "content\n").expect("a file");
    format!("source={}", source.display())
}

/// A declaration with those stages behind its source.
pub(crate) fn pipeline(name: &str, mode: &str, stages: &[Value]) -> Value {
    let checkout = json!({
        "name": "checkout",
        "actionTypeId": {
            "category": "Source", "owner": "AWS", "provider": "CodeCommit", "version": "1"
        },
        "configuration": {
            "RepositoryName": "source", "BranchName": "main", "PollForSourceChanges": "false"
        },
        "outputArtifacts": [{"name": "Source"}],
    });
    let mut all = vec![json!({"name": "Source", "actions": [checkout]})];
    all.extend_from_slice(stages);
    json!({"pipeline": {
        "name": name,
        "pipelineType": "V2",
        "executionMode": mode,
        "roleArn": "arn:aws:iam::000000000000:role/pipeline",
        "artifactStore": {"type": "S3", "location": "artifacts"},
        "stages": all,
    }})
}

/// A stage in which a person is asked.
pub(crate) fn approval(stage: &str) -> Value {
    json!({"name": stage, "actions": [{
        "name": "approve",
        "actionTypeId": {
            "category": "Approval", "owner": "AWS", "provider": "Manual", "version": "1"
        },
    }]})
}

/// A stage with one action that runs shell commands; they know their execution as `$EXECUTION`.
pub(crate) fn commands(stage: &str, commands: &[&str]) -> Value {
    json!({"name": stage, "actions": [{
        "name": stage.to_lowercase(),
        "actionTypeId": {
            "category": "Compute", "owner": "AWS", "provider": "Commands", "version": "1"
        },
        "commands": commands,
        "environmentVariables": [
            {"name": "EXECUTION", "value": "#{codepipeline.PipelineExecutionId}"}
        ],
        "inputArtifacts": [{"name": "Source"}],
    }]})
}
