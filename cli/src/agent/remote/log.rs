//! The log: stdout, which the container's log driver carries away line by line.

use std::io::{self, Stdout, Write};

/// Secrets are masked in what comes here, and the agent proper keeps it below its cap.
#[derive(Debug)]
pub(super) struct Log(Stdout);

impl Log {
    pub(super) fn open() -> Self {
        Self(io::stdout())
    }

    pub(super) fn line(&mut self, line: &str) {
        let mut out = self.0.lock();
        // A log that nobody reads is no reason to end a build.
        let _ = out
            .write_all(format!("{line}\n").as_bytes())
            .and_then(|()| out.flush());
    }

    /// Writes a line of the agent's own.
    pub(super) fn note(&mut self, text: &str) {
        self.line(&format!("[Pipewright] {text}"));
    }
}
