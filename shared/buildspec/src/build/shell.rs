//! A shell runs all commands of a build one after the other, so that what one of them changes the
//! next one sees: directory, variables, functions (spec 70 §5).
//!
//! The shell reads its orders from a pipe. Each order names a file with the command, which the
//! shell reads in its own process with `/dev/null` as standard input, and then reports: its
//! exported variables and its directory in files, the exit status through a named pipe. The
//! named pipe is opened by its path each time, so a command may do what it likes with the
//! shell's file descriptors.
//!
//! When a command ends the shell, its status is the command's; the next command gets a new shell
//! with the variables and the directory that were reported last.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions, Permissions},
    io::{self, Read, Write},
    os::unix::{
        fs::{PermissionsExt, chown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    time::Instant,
};

use rustix::process::Pid;
use thiserror::Error;

use super::{
    log::Log,
    process::{self, Ending, GRACE, Output, Watch},
    user::User,
};
use crate::document::ShellKind;

/// What the shell says about itself is read up to this size; a longer text counts as none.
const ANSWER_MAX_BYTES: u64 = 16 * 1024 * 1024;
/// Ends what the shell says when it could say it.
const CAPTURED: &str = ".";
/// What the shell says about a command through its named pipe is shorter.
const STATUS_MAX_BYTES: usize = 256;

#[derive(Debug, Error)]
pub(super) enum ShellError {
    #[error("the shell {0} is not on this machine")]
    Missing(&'static str),
    #[error("failed to {doing}")]
    Io {
        doing: &'static str,
        #[source]
        source: io::Error,
    },
}

fn failed(doing: &'static str) -> impl FnOnce(io::Error) -> ShellError {
    move |source| ShellError::Io { doing, source }
}

/// What every shell of a build starts from.
pub(super) struct Setting {
    pub(super) kind: ShellKind,
    pub(super) environment: BTreeMap<String, String>,
    /// Where the first command starts.
    pub(super) directory: PathBuf,
    /// Below it, each shell has a directory of its own for its orders and its answers.
    pub(super) control: PathBuf,
    /// Version 0.1: each command in a shell of its own, with nothing carried over.
    pub(super) isolates: bool,
}

/// The shells of one build.
pub(super) struct Session {
    setting: Setting,
    started: usize,
    current: Option<Shell>,
    user: Option<User>,
    /// What the last command left: the text that restores its variables, and its directory.
    exports: Option<Vec<u8>>,
    directory: PathBuf,
    /// Groups of shells that are gone but left something running.
    leftover: Vec<Pid>,
}

struct Shell {
    child: Child,
    orders: ChildStdin,
    output: Output,
    group: Option<Pid>,
    control: PathBuf,
    answers: File,
    given: usize,
}

impl Session {
    pub(super) fn new(setting: Setting) -> Self {
        let directory = setting.directory.clone();
        Self {
            setting,
            started: 0,
            current: None,
            user: None,
            exports: None,
            directory,
            leftover: Vec::new(),
        }
    }

    /// Runs the commands that follow as this user; none is the agent's own.
    pub(super) fn set_user(
        &mut self,
        user: Option<User>,
        watch: &Watch,
        log: &mut Log,
    ) -> Result<(), ShellError> {
        if self.user != user {
            self.end_shell(watch, log)?;
            self.user = user;
        }
        Ok(())
    }

    /// Sets a variable of the shells that are started from here on.
    pub(super) fn set_variable(&mut self, name: &str, value: &str) {
        self.setting
            .environment
            .insert(name.to_owned(), value.to_owned());
    }

    /// Runs one command to its end and passes its output on.
    pub(super) fn run(
        &mut self,
        command: &str,
        watch: &Watch,
        log: &mut Log,
    ) -> Result<Ending, ShellError> {
        if let Some(interruption) = watch.interruption() {
            return Ok(Ending::Interrupted(interruption));
        }
        let mut shell = match self.current.take() {
            Some(shell) => shell,
            None => self.start()?,
        };
        let said = shell.run(command, watch, log);
        match said {
            Err(error) => {
                // It is ended with the session.
                self.current = Some(shell);
                Err(error)
            }
            Ok(Said::Done(status)) => {
                self.exports = shell.answer("exports").ok();
                if let Ok(directory) = shell.answer("directory") {
                    let text = String::from_utf8_lossy(&directory);
                    self.directory = PathBuf::from(text.trim_end_matches('\n'));
                }
                self.current = Some(shell);
                if self.setting.isolates {
                    self.end_shell(watch, log)?;
                }
                Ok(Ending::Exited(status))
            }
            Ok(Said::Gone(status)) => {
                self.forget(&shell);
                Ok(Ending::Exited(status))
            }
            Ok(Said::Interrupted(interruption)) => {
                self.current = Some(shell);
                Ok(Ending::Interrupted(interruption))
            }
        }
    }

    /// What `text` prints to its standard output when the shell runs it beside the commands; its
    /// errors go to the log.
    pub(super) fn capture(
        &mut self,
        text: &str,
        watch: &Watch,
        log: &mut Log,
    ) -> Result<Option<String>, ShellError> {
        let file = self.setting.control.join("captured");
        self.prepare_capture(&file)?;
        // The last byte says that it went well; the order itself always does, because a shell
        // with `set -e` would end otherwise.
        let order = format!(
            "( (\n{text}\n) && printf {CAPTURED} ) >|{} || :",
            quoted(&file)
        );
        self.run(&order, watch, log)?;
        let captured = read_bounded(&file).map_err(failed("read what the shell said"))?;
        let text = String::from_utf8_lossy(&captured).into_owned();
        Ok(text.strip_suffix(CAPTURED).map(str::to_owned))
    }

    fn prepare_capture(&self, file: &Path) -> Result<(), ShellError> {
        let doing = "make a file for the shell to write";
        fs::create_dir_all(&self.setting.control).map_err(failed(doing))?;
        File::create(file).map_err(failed(doing))?;
        self.give(file).map_err(failed(doing))
    }

    /// Ends everything that the build started; what does not end when asked is killed.
    pub(super) fn interrupt(&mut self, log: &mut Log) -> Result<(), ShellError> {
        let Some(mut shell) = self.current.take() else {
            self.leftover.drain(..).for_each(process::kill);
            return Ok(());
        };
        let mut groups = std::mem::take(&mut self.leftover);
        groups.extend(shell.group);
        process::end_groups(&mut shell.child, &mut shell.output, &groups, log)
            .map_err(failed("end the build's processes"))
    }

    /// Lets the shell end by itself, with its exit traps, and kills what is left: the machine of
    /// a build ends with it.
    pub(super) fn finish(&mut self, watch: &Watch, log: &mut Log) -> Result<(), ShellError> {
        self.end_shell(watch, log)?;
        self.leftover.drain(..).for_each(process::kill);
        Ok(())
    }

    fn end_shell(&mut self, watch: &Watch, log: &mut Log) -> Result<(), ShellError> {
        let Some(mut shell) = self.current.take() else {
            return Ok(());
        };
        let doing = "end the shell";
        drop(shell.orders);
        let patience = Instant::now() + GRACE;
        while shell.child.try_wait().map_err(failed(doing))?.is_none() {
            if watch.interruption().is_some() || Instant::now() >= patience {
                shell.group.into_iter().for_each(process::kill);
                shell.child.wait().map_err(failed(doing))?;
                break;
            }
            shell
                .output
                .wait(None::<&File>, log)
                .map_err(failed(doing))?;
        }
        shell.output.drain(log).map_err(failed(doing))?;
        log.flush();
        self.leftover
            .extend(shell.group.filter(|group| process::is_alive(*group)));
        Ok(())
    }

    fn forget(&mut self, shell: &Shell) {
        self.leftover
            .extend(shell.group.filter(|group| process::is_alive(*group)));
    }

    fn start(&mut self) -> Result<Shell, ShellError> {
        self.started += 1;
        let control = self.setting.control.join(self.started.to_string());
        let doing = "start the shell";
        fs::create_dir_all(&control).map_err(failed(doing))?;
        fs::set_permissions(&control, Permissions::from_mode(0o700)).map_err(failed(doing))?;
        self.give(&control).map_err(failed(doing))?;
        let answers = self
            .named_pipe(&control.join("status"))
            .map_err(failed(doing))?;
        let mut command = Command::new(self.program()?);
        command
            .arg("-s")
            .env_clear()
            .envs(&self.setting.environment)
            .stdin(Stdio::piped());
        let kept = self.directory.is_dir() && !self.setting.isolates;
        command.current_dir(if kept {
            &self.directory
        } else {
            &self.setting.directory
        });
        if let Some(user) = &self.user {
            command.uid(user.uid).gid(user.gid);
        }
        let (mut child, output) = Output::spawn(&mut command).map_err(failed(doing))?;
        let Some(orders) = child.stdin.take() else {
            return Err(failed(doing)(io::ErrorKind::BrokenPipe.into()));
        };
        let group = process::group_of(&child);
        let mut shell = Shell {
            child,
            orders,
            output,
            group,
            control,
            answers,
            given: 0,
        };
        if let Some(exports) = self.exports.as_ref().filter(|_| !self.setting.isolates) {
            shell.restore(exports, self).map_err(failed(doing))?;
        }
        Ok(shell)
    }

    fn program(&self) -> Result<PathBuf, ShellError> {
        match self.setting.kind {
            ShellKind::Sh => Ok(PathBuf::from("/bin/sh")),
            ShellKind::Bash => {
                let path = self
                    .setting
                    .environment
                    .get("PATH")
                    .map_or("", String::as_str);
                path.split(':')
                    .chain(["/bin"])
                    .map(|directory| Path::new(directory).join("bash"))
                    .find(|program| program.is_file())
                    .ok_or(ShellError::Missing("bash"))
            }
        }
    }

    /// A named pipe that is open at both ends here, so that neither side ever waits for the
    /// other to open it.
    fn named_pipe(&self, path: &Path) -> io::Result<File> {
        let made = Command::new("mkfifo")
            .arg("-m")
            .arg("600")
            .arg(path)
            .output()?;
        if !made.status.success() {
            return Err(io::Error::other(
                String::from_utf8_lossy(&made.stderr).into_owned(),
            ));
        }
        self.give(path)?;
        OpenOptions::new().read(true).write(true).open(path)
    }

    /// Lets the user of the commands own a file.
    fn give(&self, path: &Path) -> io::Result<()> {
        match &self.user {
            Some(user) => chown(path, Some(user.uid), Some(user.gid)),
            None => Ok(()),
        }
    }
}

impl Drop for Session {
    /// Nothing of a build outlives it, even when it ends by a panic of the sink.
    fn drop(&mut self) {
        let current = self.current.as_ref().and_then(|shell| shell.group);
        self.leftover
            .iter()
            .copied()
            .chain(current)
            .for_each(process::kill);
    }
}

/// What is heard of a command.
enum Said {
    Done(i32),
    /// The shell itself ended.
    Gone(i32),
    Interrupted(process::Interruption),
}

impl Shell {
    fn restore(&mut self, exports: &[u8], session: &Session) -> io::Result<()> {
        let file = self.control.join("restored");
        fs::write(&file, exports)?;
        session.give(&file)?;
        writeln!(self.orders, "{{ . {}; }} 2>/dev/null", quoted(&file))
    }

    fn run(&mut self, command: &str, watch: &Watch, log: &mut Log) -> Result<Said, ShellError> {
        let doing = "give a command to the shell";
        self.given += 1;
        let file = self.control.join("command");
        fs::write(&file, format!("{command}\n")).map_err(failed(doing))?;
        fs::set_permissions(&file, Permissions::from_mode(0o644)).map_err(failed(doing))?;
        // A shell that is gone is noticed below; that it cannot be written to adds nothing.
        let _ = self.orders.write_all(self.order(&file).as_bytes());
        let said = self
            .listen(watch, log)
            .map_err(failed("follow the shell"))?;
        log.flush();
        Ok(said)
    }

    /// The file is read by `.`, not `eval`, to keep the text out of the shell's own lines; what
    /// follows reports and must neither fail nor speak, whatever options the commands have set.
    fn order(&self, file: &Path) -> String {
        let answer = |name: &str| quoted(&self.control.join(name));
        format!(
            ". {} </dev/null\n\
             {{ PIPEWRIGHT_STATUS=$?; command export -p >|{} || :; command pwd >|{} || :; \
             command printf '%s %s\\n' {} \"$PIPEWRIGHT_STATUS\" >{} || :; }} 2>/dev/null\n",
            quoted(file),
            answer("exports"),
            answer("directory"),
            self.given,
            answer("status"),
        )
    }

    fn listen(&mut self, watch: &Watch, log: &mut Log) -> io::Result<Said> {
        loop {
            let is_answered = self.output.wait(Some(&self.answers), log)?;
            if is_answered && let Some(status) = self.status()? {
                self.output.drain(log)?;
                return Ok(Said::Done(status));
            }
            if let Some(status) = self.child.try_wait()? {
                self.output.drain(log)?;
                return Ok(Said::Gone(process::exit_code(status)));
            }
            if let Some(interruption) = watch.interruption() {
                return Ok(Said::Interrupted(interruption));
            }
        }
    }

    /// Reads `<number> <status>`; what does not answer the current order is no answer.
    fn status(&mut self) -> io::Result<Option<i32>> {
        let mut buffer = [0; STATUS_MAX_BYTES];
        let read = self.answers.read(&mut buffer)?;
        let text = String::from_utf8_lossy(&buffer[..read]).into_owned();
        Ok(text.lines().find_map(|line| {
            let (number, status) = line.split_once(' ')?;
            (number.parse() == Ok(self.given)).then(|| status.trim().parse().ok())?
        }))
    }

    fn answer(&self, name: &str) -> io::Result<Vec<u8>> {
        read_bounded(&self.control.join(name))
    }
}

fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?
        .take(ANSWER_MAX_BYTES + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > ANSWER_MAX_BYTES {
        bytes.clear();
    }
    Ok(bytes)
}

/// A path as a single word of the shell.
pub(super) fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', "'\\''"))
}
