//! The program under test is the real binary, called as people call it.

use std::{
    ffi::OsStr,
    fs,
    path::Path,
    process::{Child, Command, Stdio},
};

/// The real binary, without anything to read and without the habits of whoever runs the tests.
pub(crate) fn pipewright<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pipewright"));
    command
        .args(arguments)
        .stdin(Stdio::null())
        .env("CI", "true")
        .env("NO_COLOR", "1");
    command
}

/// A process that ends with the test, whatever becomes of the test.
pub(crate) struct Process(pub(crate) Child);

impl Process {
    /// Starts the program, unheard.
    pub(crate) fn start<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Self {
        let mut command = pipewright(arguments);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        Self(child.expect("the program was built with its tests"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended; then there is nothing to kill.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// How a call of the program ended.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// Fails the test, with everything that was said, unless the exit code is this one.
    pub(crate) fn expect(self, code: i32) -> Self {
        let Self {
            code: found,
            stdout,
            stderr,
        } = &self;
        assert_eq!(*found, Some(code), "\n{stdout}\n{stderr}");
        self
    }
}

/// Calls the program and waits for its end.
pub(crate) fn run<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Ended {
    let output = pipewright(arguments)
        .output()
        .expect("the program was built with its tests");
    Ended {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// What a file holds; nothing when it is not there.
pub(crate) fn content(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}
