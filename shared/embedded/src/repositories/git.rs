//! The program `git`, called in a way that depends on nothing but the repository.

use std::{
    ffi::OsStr,
    io::{self, Read, Write},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
};

use ports::repositories::RepositoryError;

/// How much of an answer is taken: the list of 100,000 files with long names fits.
const ANSWER_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// How much of what git says about a failure is kept.
const SAID_BYTES_MAX: u64 = 4 * 1024;

/// Git in one folder.
pub(super) struct Git<'a> {
    repository: &'a str,
    folder: &'a Path,
    environment: Vec<(&'static str, PathBuf)>,
}

struct Answer {
    status: ExitStatus,
    out: Vec<u8>,
    said: String,
}

impl<'a> Git<'a> {
    pub(super) fn new(repository: &'a str, folder: &'a Path) -> Self {
        Self {
            repository,
            folder,
            environment: Vec::new(),
        }
    }

    #[must_use]
    pub(super) fn with(mut self, name: &'static str, value: PathBuf) -> Self {
        self.environment.push((name, value));
        self
    }

    /// What the command prints.
    pub(super) fn bytes(&self, doing: &str, args: &[&str]) -> Result<Vec<u8>, RepositoryError> {
        self.bytes_from(doing, args, Vec::new())
    }

    /// What the command prints when it gets that input.
    pub(super) fn bytes_from(
        &self,
        doing: &str,
        args: &[&str],
        input: Vec<u8>,
    ) -> Result<Vec<u8>, RepositoryError> {
        let answer = self.run(doing, args, input)?;
        if answer.status.success() {
            return Ok(answer.out);
        }
        Err(self.failed(doing, &answer.said))
    }

    pub(super) fn text(&self, doing: &str, args: &[&str]) -> Result<String, RepositoryError> {
        let bytes = self.bytes(doing, args)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The one line that the command prints.
    pub(super) fn line(&self, doing: &str, args: &[&str]) -> Result<String, RepositoryError> {
        Ok(self.text(doing, args)?.trim_end_matches('\n').to_owned())
    }

    /// The one line that the command prints, or nothing when it fails in silence.
    pub(super) fn line_if_found(
        &self,
        doing: &str,
        args: &[&str],
    ) -> Result<Option<String>, RepositoryError> {
        let answer = self.run(doing, args, Vec::new())?;
        if answer.status.success() {
            let text = String::from_utf8_lossy(&answer.out);
            return Ok(Some(text.trim_end_matches('\n').to_owned()));
        }
        Ok(None)
    }

    /// The folder inside the repository that is the source, with `/` at its end; empty when the
    /// whole working tree is.
    pub(super) fn prefix(&self) -> Result<String, RepositoryError> {
        self.line("look", &["rev-parse", "--show-prefix"])
    }

    /// The top folder of the working tree.
    pub(super) fn top(&self) -> Result<PathBuf, RepositoryError> {
        let top = self.line("look", &["rev-parse", "--show-toplevel"])?;
        Ok(PathBuf::from(top))
    }

    /// A command that goes on for as long as it is asked things.
    pub(super) fn spawn(&self, doing: &str, args: &[&str]) -> Result<Child, RepositoryError> {
        let mut command = self.command(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        command
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| self.not_started(doing, error))
    }

    pub(super) fn failed(&self, doing: &str, said: &str) -> RepositoryError {
        let said = said.trim();
        let said = if said.is_empty() { "nothing" } else { said };
        RepositoryError::Git {
            repository: self.repository.to_owned(),
            doing: doing.to_owned(),
            said: said.to_owned(),
        }
    }

    fn not_started(&self, doing: &str, source: io::Error) -> RepositoryError {
        if source.kind() == io::ErrorKind::NotFound {
            return self.failed(doing, "the program `git` is not installed");
        }
        RepositoryError::Io {
            doing: format!("run git to {doing}"),
            source,
        }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new("git");
        command.env_clear();
        for name in ["PATH", "TMPDIR"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_OPTIONAL_LOCKS", "0")
            .env("GIT_NO_REPLACE_OBJECTS", "1")
            .env("LC_ALL", "C.UTF-8")
            .env("TZ", "UTC");
        for (name, value) in &self.environment {
            command.env(name, value);
        }
        // Whoever declared the repository named this folder, so its owner need not be asked.
        let mut safe = OsStr::new("safe.directory=").to_owned();
        safe.push("*");
        command.arg("-c").arg(safe);
        for setting in [
            "core.hooksPath=/dev/null",
            "core.fsmonitor=false",
            "gc.auto=0",
        ] {
            command.args(["-c", setting]);
        }
        command.arg("-C").arg(self.folder).arg("--no-pager");
        command.args(args);
        command
    }

    fn run(&self, doing: &str, args: &[&str], input: Vec<u8>) -> Result<Answer, RepositoryError> {
        let failed = |source| RepositoryError::Io {
            doing: format!("run git to {doing}"),
            source,
        };
        let mut command = self.command(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| self.not_started(doing, error))?;
        let (stdin, stderr) = (child.stdin.take(), child.stderr.take());
        // All three pipes move at once: none of them can fill up and hold the others.
        let writer = thread::spawn(move || stdin.map(|mut pipe| pipe.write_all(&input)));
        let listener = thread::spawn(move || stderr.map(said));
        let mut out = Vec::new();
        if let Some(stdout) = child.stdout.take() {
            let read = stdout.take(ANSWER_BYTES_MAX + 1).read_to_end(&mut out);
            read.map_err(failed)?;
        }
        let status = child.wait().map_err(failed)?;
        // Git may end before it has read everything; its status says whether that was a failure.
        let _ = writer.join();
        let said = listener.join().ok().flatten().unwrap_or_default();
        if out.len() as u64 > ANSWER_BYTES_MAX {
            let text = format!("more than {ANSWER_BYTES_MAX} bytes");
            return Err(self.failed(doing, &text));
        }
        Ok(Answer { status, out, said })
    }
}

fn said(mut pipe: impl Read) -> String {
    let mut kept = Vec::new();
    // What cannot be read of the explanation is left out; the status tells of the failure.
    let _ = pipe.by_ref().take(SAID_BYTES_MAX).read_to_end(&mut kept);
    let _ = io::copy(&mut pipe, &mut io::sink());
    String::from_utf8_lossy(&kept).into_owned()
}
