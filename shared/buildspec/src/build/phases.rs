//! The work of each phase of a build.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use super::{
    environment::{Environment, Unresolved},
    log::Log,
    mask::Mask,
    order::Order,
    plan,
    process::{Ending, Interruption, Watch},
    products::Expanded,
    report::{Artifact, Context, ExportedVariable, PhaseType, Status, TestReport},
    run::{chain, now_ms},
    secrets::Secrets,
    shell::{Session, Setting, ShellError},
    source::{self, SourceError, Tree},
    upload::UploadError,
    user::{User, UserError},
};
use crate::document::{Buildspec, OnFailure, Phase, Version};

/// How a phase ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Succeeded,
    Failed { code: &'static str, message: String },
    Fault(String),
    Interrupted(Interruption),
}

impl Outcome {
    pub(super) fn is_success(&self) -> bool {
        *self == Self::Succeeded
    }

    fn client_error(message: impl Into<String>) -> Self {
        Self::Failed {
            code: "CLIENT_ERROR",
            message: message.into(),
        }
    }

    pub(super) fn status(&self) -> Status {
        match self {
            Self::Succeeded => Status::Succeeded,
            Self::Failed { .. } => Status::Failed,
            Self::Fault(_) => Status::Fault,
            Self::Interrupted(Interruption::TimedOut) => Status::TimedOut,
            Self::Interrupted(Interruption::Stopped) => Status::Stopped,
        }
    }

    pub(super) fn context(&self, mask: &Mask) -> Context {
        let (code, message) = match self {
            Self::Succeeded | Self::Interrupted(Interruption::Stopped) => ("", ""),
            Self::Failed { code, message } => (*code, message.as_str()),
            Self::Fault(message) => ("INTERNAL_SERVICE_ERROR", message.as_str()),
            Self::Interrupted(Interruption::TimedOut) => {
                ("BUILD_TIMED_OUT", "Build has timed out.")
            }
        };
        Context {
            status_code: code.to_owned(),
            message: mask.text(message),
        }
    }
}

impl From<ShellError> for Outcome {
    fn from(error: ShellError) -> Self {
        match error {
            ShellError::Missing(_) => Self::client_error(error.to_string()),
            ShellError::Io { .. } => Self::Fault(chain(&error)),
        }
    }
}

impl From<SourceError> for Outcome {
    fn from(error: SourceError) -> Self {
        match &error {
            SourceError::Interrupted(interruption) => Self::Interrupted(*interruption),
            SourceError::Refused { source, .. } if !source.is_refusal() => {
                Self::Fault(chain(&error))
            }
            SourceError::BadName(_)
            | SourceError::DuplicateName(_)
            | SourceError::Refused { .. } => Self::client_error(chain(&error)),
            SourceError::Io { .. } => Self::Fault(chain(&error)),
        }
    }
}

impl From<UploadError> for Outcome {
    fn from(error: UploadError) -> Self {
        if error.is_fault() {
            Self::Fault(chain(&error))
        } else {
            Self::client_error(chain(&error))
        }
    }
}

/// A build under way.
pub(super) struct Build<'b> {
    pub(super) order: &'b Order,
    secrets: &'b dyn Secrets,
    pub(super) watch: &'b Watch,
    pub(super) spec: Buildspec,
    pub(super) tree: Option<Tree>,
    pub(super) session: Option<Session>,
    environment: Environment,
    /// The cache's key, evaluated once, so that it is saved under what was looked up.
    pub(super) cache: Option<Expanded>,
    succeeding: bool,
    pub(super) artifacts: Vec<Artifact>,
    pub(super) reports: Vec<TestReport>,
    pub(super) exported: Vec<ExportedVariable>,
}

impl<'b> Build<'b> {
    pub(super) fn new(order: &'b Order, secrets: &'b dyn Secrets, watch: &'b Watch) -> Self {
        Self {
            order,
            secrets,
            watch,
            spec: Buildspec::default(),
            tree: None,
            session: None,
            environment: Environment::default(),
            cache: None,
            succeeding: true,
            artifacts: Vec::new(),
            reports: Vec::new(),
            exported: Vec::new(),
        }
    }

    fn declared(&self, kind: PhaseType) -> Option<&Phase> {
        let phases = &self.spec.phases;
        match kind {
            PhaseType::Install => phases.install.as_ref(),
            PhaseType::PreBuild => phases.pre_build.as_ref(),
            PhaseType::Build => phases.build.as_ref(),
            PhaseType::PostBuild => phases.post_build.as_ref(),
            PhaseType::DownloadSource
            | PhaseType::UploadArtifacts
            | PhaseType::Finalizing
            | PhaseType::Completed => None,
        }
    }

    pub(super) fn on_failure(&self, kind: PhaseType) -> Option<&OnFailure> {
        self.declared(kind)?.on_failure.as_ref()
    }

    pub(super) fn retries_done(&self) -> u32 {
        self.order.auto_retry_number
    }

    /// Sources, buildspec, variables, cache.
    pub(super) fn download(&mut self, log: &mut Log) -> Outcome {
        self.try_download(log).err().unwrap_or(Outcome::Succeeded)
    }

    fn try_download(&mut self, log: &mut Log) -> Result<(), Outcome> {
        let tree = source::plan(self.order)?;
        log.say(&format!("CODEBUILD_SRC_DIR={}", tree.primary.display()));
        source::fetch(self.order, &tree, self.watch)?;
        let plan = plan::of(self.order, &tree.primary).map_err(|message| Outcome::Failed {
            code: "YAML_FILE_ERROR",
            message,
        })?;
        log.say(&format!("YAML location is {}", plan.location));
        for warning in &plan.warnings {
            log.say(&format!("Warning: {}: {warning}", plan.location));
        }
        self.spec = plan.spec;
        let mut environment = Environment::of_service(self.order, &tree, now_ms());
        environment
            .add(
                &self.spec.env,
                &self.order.environment_variables,
                self.secrets,
            )
            .map_err(|Unresolved(message)| Outcome::client_error(message))?;
        log.set_mask(Mask::of(environment.secrets.iter().map(String::as_str)));
        for warning in &environment.warnings {
            log.say(&format!("Warning: {warning}"));
        }
        log.say(&format!("Moving to directory {}", tree.primary.display()));
        self.tell_phases(log);
        self.session = Some(Session::new(Setting {
            kind: self.spec.env.shell,
            environment: environment.variables.clone(),
            directory: tree.primary.clone(),
            control: self.order.work.join("control"),
            isolates: self.spec.version == Version::V01,
        }));
        self.environment = environment;
        self.tree = Some(tree);
        self.restore(log)
    }

    fn tell_phases(&self, log: &mut Log) {
        let kinds = [
            PhaseType::Install,
            PhaseType::PreBuild,
            PhaseType::Build,
            PhaseType::PostBuild,
        ];
        let declared: Vec<(PhaseType, &Phase)> = kinds
            .iter()
            .filter_map(|kind| Some((*kind, self.declared(*kind)?)))
            .collect();
        log.say(&format!("Phases found in YAML: {}", declared.len()));
        for (kind, phase) in declared {
            log.say(&format!(
                " {}: {} commands",
                kind.as_str(),
                phase.commands.len()
            ));
        }
        let installs = self.spec.phases.install.as_ref();
        if installs.is_some_and(|phase| !phase.runtime_versions.is_empty()) {
            log.say(
                "Skipping install of runtimes. Runtime version selection is not supported by \
                 this build image",
            );
        }
    }

    /// Runs the commands of a phase and, whatever they did, those of its `finally`.
    pub(super) fn phase(&mut self, kind: PhaseType, log: &mut Log) -> Outcome {
        let Some(phase) = self.declared(kind).cloned() else {
            return self
                .interruption()
                .map_or(Outcome::Succeeded, Outcome::Interrupted);
        };
        let run_as = phase.run_as.as_ref().or(self.spec.run_as.as_ref()).cloned();
        let outcome = self
            .switch_user(run_as.as_deref(), log)
            .and_then(|()| self.commands(&phase, log))
            .err()
            .unwrap_or(Outcome::Succeeded);
        if !outcome.is_success() {
            self.note_failure(log);
        }
        outcome
    }

    fn commands(&mut self, phase: &Phase, log: &mut Log) -> Result<(), Outcome> {
        let commands = self.sequence(&phase.commands, log);
        match &commands {
            Ok(()) | Err(Outcome::Failed { .. }) => {
                let finally = self.sequence(&phase.finally, log);
                commands.and(finally)
            }
            Err(_) => commands,
        }
    }

    fn sequence(&mut self, commands: &[String], log: &mut Log) -> Result<(), Outcome> {
        for command in commands {
            self.command(command, log)?;
        }
        match self.interruption() {
            Some(interruption) => Err(Outcome::Interrupted(interruption)),
            None => Ok(()),
        }
    }

    fn command(&mut self, command: &str, log: &mut Log) -> Result<(), Outcome> {
        let shown = command.trim_end();
        log.gap();
        log.say(&format!("Running command {shown}"));
        let Some(session) = &mut self.session else {
            return Ok(());
        };
        match session.run(command, self.watch, log)? {
            Ending::Exited(0) => Ok(()),
            Ending::Exited(status) => {
                log.gap();
                let line =
                    format!("Command did not exit successfully {shown} exit status {status}");
                log.say(&line);
                Err(Outcome::Failed {
                    code: "COMMAND_EXECUTION_ERROR",
                    message: format!(
                        "Error while executing command: {shown}. Reason: exit status {status}"
                    ),
                })
            }
            Ending::Interrupted(interruption) => {
                session.interrupt(log)?;
                Err(Outcome::Interrupted(interruption))
            }
        }
    }

    pub(super) fn interruption(&self) -> Option<Interruption> {
        self.watch.interruption()
    }

    /// The variable by which later commands learn of the failure (spec 70 §4.9).
    fn note_failure(&mut self, log: &mut Log) {
        if !std::mem::take(&mut self.succeeding) {
            return;
        }
        if let Some(session) = &mut self.session {
            session.set_variable("CODEBUILD_BUILD_SUCCEEDING", "0");
            // A shell that cannot be told is replaced by one that was.
            let _ = session.run("export CODEBUILD_BUILD_SUCCEEDING=0", self.watch, log);
        }
    }

    fn switch_user(&mut self, name: Option<&str>, log: &mut Log) -> Result<(), Outcome> {
        let user = match name {
            None => None,
            Some(name) => User::named(name).map_err(|error| match error {
                UserError::Unknown(_) | UserError::NotRoot(_) | UserError::OneUser(_) => {
                    Outcome::client_error(error.to_string())
                }
                UserError::Unreadable(_) => Outcome::Fault(chain(&error)),
            })?,
        };
        if let (Some(_), Some(tree)) = (&user, &self.tree) {
            // The user may read and enter the tree, not change it (spec 70 §4.8).
            let opened = open_to_all(&self.order.work, 0).and_then(|()| {
                tree.sources
                    .iter()
                    .try_for_each(|source| open_to_all(&source.directory, usize::MAX))
            });
            opened.map_err(|e| Outcome::Fault(format!("failed to open the source tree: {e}")))?;
        }
        match &mut self.session {
            Some(session) => Ok(session.set_user(user, self.watch, log)?),
            None => Ok(()),
        }
    }

    /// The exported variables as the last command left them; a build that failed has them too
    /// (spec 70 §4.5).
    pub(super) fn export(&mut self, log: &mut Log) {
        let names = self.spec.env.exported_variables.clone();
        for name in names {
            if name.starts_with("AWS_") && self.order.commands.is_none()
                || self.environment.secret_names.contains(&name)
            {
                log.say(&format!("Warning: the variable {name} cannot be exported"));
                continue;
            }
            let Some(session) = &mut self.session else {
                return;
            };
            // A program that the shell starts sees exported variables alone.
            let text = format!("/bin/sh -c 'test \"${{{name}+x}}\" && printf %s \"${name}\"'");
            let Ok(Some(value)) = session.capture(&text, self.watch, log) else {
                continue;
            };
            // An exported value is stored and shown, and a masked one would be wrong.
            if log.mask().hides_in(&value) {
                log.say(&format!(
                    "Warning: the variable {name} cannot be exported: its value holds a secret"
                ));
                continue;
            }
            self.exported.push(ExportedVariable { name, value });
        }
    }

    /// Ends what still runs and removes what would keep secrets.
    pub(super) fn finalize(&mut self, log: &mut Log) -> Outcome {
        let mut outcome = Outcome::Succeeded;
        if let Some(mut session) = self.session.take()
            && let Err(error) = session.finish(self.watch, log)
        {
            outcome = error.into();
        }
        let control = self.order.work.join("control");
        if control.exists()
            && let Err(error) = fs::remove_dir_all(&control)
        {
            outcome = Outcome::Fault(format!("failed to remove {}: {error}", control.display()));
        }
        outcome
    }
}

/// Lets everybody read a tree, and enter its directories and run its programs; of the topmost
/// directories that are not a source only the right to enter is given.
fn open_to_all(path: &Path, depth: usize) -> std::io::Result<()> {
    let found = fs::symlink_metadata(path)?;
    if found.is_symlink() {
        return Ok(());
    }
    let mode = found.permissions().mode();
    let wanted = match (found.is_dir(), depth) {
        (true, 0) => mode | 0o011,
        (true, _) => mode | 0o055,
        (false, _) => mode | 0o044 | (mode & 0o100) >> 3 | (mode & 0o100) >> 6,
    };
    if wanted != mode {
        fs::set_permissions(path, fs::Permissions::from_mode(wanted))?;
    }
    if found.is_dir() && depth > 0 {
        for entry in fs::read_dir(path)? {
            open_to_all(&entry?.path(), depth - 1)?;
        }
    }
    Ok(())
}
