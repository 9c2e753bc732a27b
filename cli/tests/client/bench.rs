//! The bench: a folder, a server that keeps its state there, and the program that asks it.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use serde_json::Value;
use tempfile::TempDir;

/// How often something is looked at that has to become true.
const LOOK: Duration = Duration::from_millis(50);
/// How many looks it gets: a minute.
const LOOKS_MAX: usize = 1_200;

/// A source, an approval and a deployment: nothing is built, so it needs no sandbox.
pub(crate) const SHIP: &str = "
pipeline:
  name: ship
  pipelineType: V2
  variables: [{name: Folder, defaultValue: v1}]
  stages:
    - name: Source
      actions:
        - name: get
          actionTypeId: {category: Source, owner: AWS, provider: S3, version: '1'}
          configuration: {S3Bucket: incoming, S3ObjectKey: site.zip, PollForSourceChanges: 'false'}
          outputArtifacts: [{name: Site}]
    - name: Approve
      actions:
        - name: ok
          actionTypeId: {category: Approval, owner: AWS, provider: Manual, version: '1'}
          configuration: {CustomData: 'Ship it?'}
    - name: Deploy
      actions:
        - name: upload
          actionTypeId: {category: Deploy, owner: AWS, provider: S3, version: '1'}
          configuration: {BucketName: the-site, Extract: 'true', ObjectKey: '#{variables.Folder}'}
          inputArtifacts: [{name: Site}]
resources:
  buckets:
    incoming: {site.zip: site}
";

/// A source and a command, which runs without a sandbox.
pub(crate) const WORK: &str = "
pipeline:
  name: work
  pipelineType: V2
  stages:
    - name: Source
      actions:
        - name: get
          actionTypeId: {category: Source, owner: AWS, provider: S3, version: '1'}
          configuration: {S3Bucket: incoming, S3ObjectKey: site.zip, PollForSourceChanges: 'false'}
          outputArtifacts: [{name: Site}]
    - name: Work
      actions:
        - name: do
          actionTypeId: {category: Compute, owner: AWS, provider: Commands, version: '1'}
          commands: ['COMMAND']
          inputArtifacts: [{name: Site}]
";

pub(crate) struct Bench {
    folder: TempDir,
    server: Child,
    /// Where it listens.
    address: String,
}

pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// Fails the test, with everything that was said, unless the code is this one.
    pub(crate) fn expect(self, code: i32) -> Self {
        let (stdout, stderr) = (&self.stdout, &self.stderr);
        assert_eq!(self.code, code, "\nstdout:\n{stdout}\nstderr:\n{stderr}");
        self
    }

    /// Fails the test unless both streams together hold each of these.
    pub(crate) fn says(self, parts: &[&str]) -> Self {
        let said = format!("{}\n{}", self.stdout, self.stderr);
        for part in parts {
            assert!(said.contains(part), "no `{part}` in:\n{said}");
        }
        self
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).expect("one JSON document")
    }

    /// What was printed, without the line break.
    pub(crate) fn line(&self) -> String {
        self.stdout.trim().to_owned()
    }
}

impl Bench {
    /// A server with a site to deploy, and no pipeline that anybody would start.
    pub(crate) fn start() -> Self {
        let folder = TempDir::new().expect("a folder");
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().expect("a parent")).expect("make a folder");
            fs::write(path, text).expect("write");
        };
        write("site/index.html", "<h1>Hello</h1>\n");
        write("seed.yml", &SHIP.replace("name: ship", "name: seed"));
        write("ship.yml", SHIP);
        // A run leaves its buckets in the state that the server then serves.
        let seed = [
            "run",
            "seed.yml",
            "--approve",
            "auto",
            "--data",
            ".pipewright",
        ];
        let seeded = program(folder.path(), &seed).output().expect("it runs");
        let said = String::from_utf8_lossy(&seeded.stderr);
        assert!(seeded.status.success(), "{said}");
        let (server, address) = listen(folder.path(), "127.0.0.1:0");
        Self {
            folder,
            server,
            address,
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("write");
    }

    /// The program with these arguments, as a user without any AWS settings.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        program(self.folder.path(), arguments)
    }

    pub(crate) fn call(&self, arguments: &[&str]) -> Ended {
        let output = self.command(arguments).output().expect("it runs");
        Ended {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Calls the program until what it prints satisfies the test.
    pub(crate) fn until(&self, arguments: &[&str], is_true: impl Fn(&Ended) -> bool) -> Ended {
        for _ in 0..LOOKS_MAX {
            let ended = self.call(arguments);
            if is_true(&ended) {
                return ended;
            }
            thread::sleep(LOOK);
        }
        panic!("{arguments:?} never came to say it");
    }

    /// Creates the pipeline that runs this command, and waits for its first execution.
    pub(crate) fn work(&self, command: &str) {
        self.write("work.yml", &WORK.replace("COMMAND", command));
        self.call(&["pipeline", "create", "work.yml"]).expect(0);
    }

    /// Kills the server, which says nothing to anybody.
    pub(crate) fn kill(&mut self) {
        self.server.kill().expect("it runs");
        self.server.wait().expect("it ends");
    }

    /// Starts a server that was killed again, where it was.
    pub(crate) fn restart(&mut self) {
        self.server = listen(self.folder.path(), &self.address).0;
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn program(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pipewright"));
    command
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .env("HOME", folder)
        .env_remove("NO_COLOR")
        .env_remove("CI");
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("AWS_") {
            command.env_remove(name);
        }
    }
    command
}

/// Starts the server and waits until it listens; gives back where.
fn listen(folder: &Path, address: &str) -> (Child, String) {
    let arguments = ["serve", "--listen", address, "--runner", "process"];
    let mut command = program(folder, &arguments);
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    let mut server = command.spawn().expect("it starts");
    let mut lines = BufReader::new(server.stderr.take().expect("a pipe")).lines();
    let mut said = Vec::new();
    let address = loop {
        let Some(Ok(line)) = lines.next() else {
            panic!("the server ended:\n{}", said.join("\n"));
        };
        if let Some((_, address)) = line.split_once("listens on http://") {
            break address.trim().to_owned();
        }
        said.push(line);
    };
    // The rest is read, so that the server never waits for a full pipe.
    thread::spawn(move || lines.for_each(drop));
    (server, address)
}
