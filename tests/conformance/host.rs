//! A server for the suites, and processes that end.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

/// How long a server may take to listen, and to stop.
const SERVER_WITHIN: Duration = Duration::from_mins(1);

/// How often a process is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// How many lines of the log a failed test shows.
const LOG_LINES: usize = 20;

/// A running server; it ends with the test, whatever becomes of the test.
pub(crate) struct Host {
    process: Child,
    data: PathBuf,
    log: PathBuf,
}

impl Host {
    /// Starts a server on a free port and waits until it listens.
    ///
    /// Its builds are plain processes, as bubblewrap is not everywhere; that builds are kept apart
    /// is no matter of the API.
    pub(crate) fn start(folder: &Path) -> Self {
        let (data, log) = (folder.join("data"), folder.join("log"));
        let process = Command::new(env!("CARGO_BIN_EXE_pipewright"))
            .args(["serve", "--listen", "127.0.0.1:0", "--runner", "process"])
            .arg("--data")
            .arg(&data)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log).expect("a file"))
            .spawn();
        let process = process.expect("the program was built with its tests");
        let mut host = Self { process, data, log };
        let until = Instant::now() + SERVER_WITHIN;
        // The file is written when the address is known, which is when connections are taken.
        while !(host.config().is_file() && host.credentials().is_file()) {
            let ended = host.process.try_wait().expect("it can be waited for");
            let is_late = Instant::now() > until;
            assert!(ended.is_none() && !is_late, "{ended:?}: {}", host.told());
            thread::sleep(LOOK);
        }
        host
    }

    fn config(&self) -> PathBuf {
        self.data.join("config")
    }

    fn credentials(&self) -> PathBuf {
        self.data.join("credentials")
    }

    /// What the server's greeting tells people to export.
    pub(crate) fn environment(&self) -> [(&'static str, PathBuf); 3] {
        [
            ("AWS_CONFIG_FILE", self.config()),
            ("AWS_SHARED_CREDENTIALS_FILE", self.credentials()),
            ("AWS_PROFILE", PathBuf::from("pipewright")),
        ]
    }

    /// The end of its log.
    fn told(&self) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(LOG_LINES)..].join("\n")
    }

    /// Stops it as an administrator would; returns the end of its log.
    pub(crate) fn stop(mut self) -> String {
        let pid = rustix::process::Pid::from_child(&self.process);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("it runs");
        let ended = wait(&mut self.process, SERVER_WITHIN);
        let told = self.told();
        assert!(ended.is_some_and(|status| status.success()), "{told}");
        told
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // It may have ended; then there is nothing to kill.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn wait(process: &mut Child, within: Duration) -> Option<ExitStatus> {
    let until = Instant::now() + within;
    loop {
        let ended = process.try_wait().expect("it can be waited for");
        if ended.is_some() || Instant::now() > until {
            return ended;
        }
        thread::sleep(LOOK);
    }
}

/// How a command ended, and what it said.
pub(crate) struct Ran {
    pub(crate) is_success: bool,
    pub(crate) told: String,
}

/// Runs a command to its end, or kills it when it takes too long; what it says goes to a file.
pub(crate) fn finish(mut command: Command, told: &Path, within: Duration) -> Ran {
    let file = File::create(told).expect("a file");
    let errors = file.try_clone().expect("a file can be written by two");
    let child = command
        .stdin(Stdio::null())
        .stdout(file)
        .stderr(errors)
        .spawn();
    let mut child = child.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let ended = wait(&mut child, within);
    if ended.is_none() {
        child.kill().expect("it runs");
        child.wait().expect("it was killed");
    }
    let text = fs::read_to_string(told).unwrap_or_default();
    let told = match ended {
        Some(_) => text,
        None => format!("{text}\nkilled after {within:?}"),
    };
    Ran {
        is_success: ended.is_some_and(|status| status.success()),
        told,
    }
}
