//! The bench: a folder with pipeline files, and the program called in it.

use std::{
    ffi::OsStr,
    fs,
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStderr, ChildStdin, Command, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;

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
          configuration: {S3Bucket: incoming, S3ObjectKey: site.zip}
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

/// A source and an action that runs for as long as it is told.
pub(crate) const WORK: &str = "
pipeline:
  name: work
  pipelineType: V2
  stages:
    - name: Source
      actions:
        - name: get
          actionTypeId: {category: Source, owner: AWS, provider: CodeCommit, version: '1'}
          configuration: {RepositoryName: here, BranchName: main}
          outputArtifacts: [{name: Code}]
    - name: Work
      actions:
        - name: do
          actionTypeId: {category: Compute, owner: AWS, provider: Commands, version: '1'}
          commands: ['COMMAND']
          inputArtifacts: [{name: Code}]
";

pub(crate) struct Bench {
    folder: TempDir,
}

pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// Fails the test, with everything that was said, unless the code is this one.
    pub(crate) fn expect(self, code: i32) -> Self {
        let Self {
            code: found,
            stdout,
            stderr,
        } = &self;
        assert_eq!(*found, code, "\nstdout:\n{stdout}\nstderr:\n{stderr}");
        self
    }

    /// Fails the test unless standard error holds each of these.
    pub(crate) fn says(self, parts: &[&str]) -> Self {
        for part in parts {
            assert!(
                self.stderr.contains(part),
                "no `{part}` in:\n{}",
                self.stderr
            );
        }
        self
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).expect("one JSON document")
    }
}

impl Bench {
    /// A folder with a site to deploy and no pipeline.
    pub(crate) fn new() -> Self {
        let bench = Self {
            folder: TempDir::new().expect("a folder"),
        };
        bench.write("site/index.html", "<h1>Hello</h1>\n");
        bench.write("site/about/us.html", "<h1>Us</h1>\n");
        bench
    }

    /// The folder with this pipeline in it.
    pub(crate) fn with(pipeline: &str) -> Self {
        let bench = Self::new();
        bench.write("p.yml", pipeline);
        bench
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("make a folder");
        fs::write(path, content).expect("write");
    }

    pub(crate) fn read(&self, name: impl AsRef<Path>) -> String {
        let path = self.folder.path().join(name);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    pub(crate) fn command<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pipewright"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .env_remove("NO_COLOR")
            .env_remove("CI");
        command
    }

    pub(crate) fn call<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Ended {
        ended(&self.command(arguments).output().expect("the program runs"))
    }

    /// Calls the program and writes to its standard input, which then ends.
    pub(crate) fn call_with(&self, input: &str, arguments: &[&str]) -> Ended {
        let mut command = self.command(arguments);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program runs");
        // It may have ended without reading.
        let _ = child
            .stdin
            .take()
            .expect("a pipe")
            .write_all(input.as_bytes());
        ended(&child.wait_with_output().expect("an end"))
    }

    /// Starts the program with standard input open.
    pub(crate) fn start(&self, arguments: &[&str]) -> Going {
        let mut command = self.command(arguments);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program runs");
        let stdin = child.stdin.take();
        let stderr = BufReader::new(child.stderr.take().expect("a pipe"));
        Going {
            child,
            _stdin: stdin,
            stderr,
            said: String::new(),
        }
    }

    /// Runs git in the folder.
    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        let output = Command::new("git")
            .args(["-c", "user.name=T", "-c", "user.email=t@example.com"])
            .args(arguments)
            .current_dir(self.folder.path())
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .output()
            .expect("git is there");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }
}

fn ended(output: &std::process::Output) -> Ended {
    Ended {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// The program while it runs.
pub(crate) struct Going {
    child: Child,
    _stdin: Option<ChildStdin>,
    stderr: BufReader<ChildStderr>,
    said: String,
}

impl Going {
    /// Waits until standard error holds this.
    pub(crate) fn until(&mut self, part: &str) {
        while !self.said.contains(part) {
            let mut bytes = Vec::new();
            // A prompt does not end its line, so that what is there is taken as it comes.
            let there = self.stderr.fill_buf().expect("read").to_vec();
            bytes.extend_from_slice(&there);
            assert!(
                !there.is_empty(),
                "it ended without `{part}`:\n{}",
                self.said
            );
            self.stderr.consume(there.len());
            self.said.push_str(&String::from_utf8_lossy(&bytes));
        }
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let id = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(id, signal).expect("it runs");
    }

    /// The exit code.
    pub(crate) fn end(mut self) -> i32 {
        // The rest is read, so that it never waits for a full pipe.
        let mut line = String::new();
        while self.stderr.read_line(&mut line).expect("read") > 0 {
            self.said.push_str(&line);
            line.clear();
        }
        self.child.wait().expect("an end").code().unwrap_or(-1)
    }
}

impl Drop for Going {
    fn drop(&mut self) {
        // A test that failed leaves nothing running; one that did not has waited already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
