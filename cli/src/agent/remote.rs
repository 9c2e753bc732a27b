//! The agent in a container of its own, far from its runner: it asks the API what to build, fetches
//! the inputs, runs the build, stores the outputs and reports.
//!
//! ```text
//! container ── pipewright agent            this: the attempt's token, URLs, the log on stdout
//!               └─ pipewright agent FILE   the agent proper, as every runner starts it
//!                   └─ the build           sees neither token nor URLs
//! ```
//!
//! It needs no credentials of the cloud and no SDK: each object is opened by a URL of its own, and
//! the token counts for this build alone, until it is over. The engine that started the container
//! ends it with SIGTERM; then the build is stopped, and that is reported.

use std::{env, ffi::OsStr, fs, process::ExitCode};

use anyhow::Context;
use embedded::SystemClock;
use model::{
    Timestamp,
    build::{
        AgentOrder, BuildReport, BuildStatus, Envelope, Failure, Progress, blame, with_causes,
    },
};
use ports::Clock;
use tempfile::TempDir;

mod api;
mod inputs;
mod log;
mod names;
mod outputs;
mod proper;
mod pulse;
mod stop;
#[cfg(test)]
mod testing;
mod transfer;

use api::Api;
use log::Log;
use proper::Ended;
use pulse::Pulse;
use stop::Stop;

/// Where the API is: `https://…`, without a slash at its end.
const URL: &str = "PIPEWRIGHT_AGENT_URL";
/// Which build this container is for.
const BUILD_ID: &str = "PIPEWRIGHT_BUILD_ID";
/// What the API knows this attempt by.
const TOKEN: &str = "PIPEWRIGHT_AGENT_TOKEN";
/// Where the agent may make its room; the folder for temporary files where it is absent.
const ROOM: &str = "PIPEWRIGHT_AGENT_ROOM";

/// Beginnings of the names of variables that are the agent's, or the container engine's for the
/// agent, and no business of the build's.
const NOT_THE_BUILDS: [&str; 4] = ["PIPEWRIGHT_AGENT_", BUILD_ID, "ECS_", "AWS_CONTAINER_"];

/// How many retries a build gets at most (spec 70 §3).
const RETRIES: u32 = 100;

/// How the build was kept apart, as its report says it.
const ISOLATION: &str = "ecs";

/// Whether a variable of this process is kept from the build.
pub(super) fn is_kept_back(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    NOT_THE_BUILDS.iter().any(|begin| name.starts_with(begin))
}

/// Runs the build that the environment names; it succeeds when the build's end was reported,
/// whatever the end is.
pub(super) fn run() -> anyhow::Result<ExitCode> {
    let variable = |name: &str| {
        env::var(name).with_context(|| {
            format!(
                "an agent without an envelope needs the variable {name}: it is started by a task \
                 of the stack, not by hand"
            )
        })
    };
    let id = variable(BUILD_ID)?;
    let api = Api::new(&variable(URL)?, &id, &variable(TOKEN)?);
    let stop = Stop::on_signals()?;
    let order = api
        .order()
        .with_context(|| format!("failed to ask what build {id} is"))?;
    let rooms = env::var_os(ROOM).map_or_else(env::temp_dir, Into::into);
    let room = tempfile::Builder::new().prefix("build-").tempdir_in(&rooms);
    let room = room.with_context(|| format!("failed to make a room in {}", rooms.display()))?;
    let build = Build {
        pulse: Pulse::begin(&api, &order.phases, &stop)?,
        progress: Progress::of(ISOLATION, &id, order.phases.clone()),
        log: Log::open(),
        order,
        room,
        stop,
        api: api.clone(),
    };
    let report = build.run();
    api.report(&report)
        .with_context(|| format!("failed to report how build {id} ended"))?;
    Ok(ExitCode::SUCCESS)
}

struct Build {
    order: AgentOrder,
    room: TempDir,
    api: Api,
    stop: Stop,
    pulse: Pulse,
    progress: Progress,
    log: Log,
}

impl Build {
    /// Whatever happens, there is a report at the end.
    fn run(mut self) -> BuildReport {
        match self.report() {
            Ok(report) => report,
            Err(failure) => {
                self.log.note(&failure.message);
                self.progress.fail(&failure, now())
            }
        }
    }

    fn report(&mut self) -> Result<BuildReport, Failure> {
        let envelope = self.make_room()?;
        inputs::fetch(&self.order.inputs, &envelope, &self.stop)?;
        let report = self.attempts(envelope.clone())?;
        let mut report = self.progress.complete(report, now());
        if let Err(failure) = outputs::store(&self.api, &envelope, &report) {
            self.log.note(&failure.message);
            // The build's own failure is the one that matters.
            if report.status == BuildStatus::Succeeded {
                blame(&mut report, &failure, now());
            }
        }
        Ok(report)
    }

    /// The envelope with places in the room, which are made.
    fn make_room(&self) -> Result<Envelope, Failure> {
        let failed = |error: &std::io::Error| Failure::system("make the build's room", error);
        // The names of temporary folders may be links.
        let room = self.room.path().canonicalize();
        let room = room.map_err(|error| failed(&error))?;
        let mut envelope = self.order.envelope.clone();
        envelope.directory = room.join(&envelope.directory);
        for input in &mut envelope.inputs {
            input.path = room.join(&input.path);
        }
        for output in &mut envelope.outputs {
            output.path = room.join(&output.path);
        }
        let files = envelope.inputs.iter().map(|input| &input.path);
        let files = files.chain(envelope.outputs.iter().map(|output| &output.path));
        let folders = files.filter_map(|file| file.parent());
        for folder in folders.chain([envelope.directory.as_path()]) {
            fs::create_dir_all(folder).map_err(|error| failed(&error))?;
        }
        Ok(envelope)
    }

    /// Runs the build, and again while the buildspec wants that (spec 70 §3).
    fn attempts(&mut self, mut envelope: Envelope) -> Result<BuildReport, Failure> {
        for retry in 0..=RETRIES {
            if self.stop.is_raised() {
                return Err(Failure::stopped());
            }
            envelope.retry = retry;
            let Ended { report, problem } = self.attempt(&envelope)?;
            let Some(mut report) = report else {
                return Err(self.lost(problem));
            };
            let wanted = report
                .retries_wanted
                .take()
                .unwrap_or_default()
                .min(RETRIES);
            if retry >= wanted || self.stop.is_raised() {
                return Ok(*report);
            }
            let status = report.status.name();
            self.log.note(&format!(
                "{status}: retry {} of {wanted} begins.",
                retry + 1
            ));
            clear(&envelope).map_err(|error| Failure::system("clear the build's room", &error))?;
        }
        Err(Failure::system(
            "end the retries",
            &std::io::Error::other("there were too many"),
        ))
    }

    fn attempt(&mut self, envelope: &Envelope) -> Result<Ended, Failure> {
        let path = self.room.path().join("envelope.json");
        let text = serde_json::to_vec(envelope);
        text.map_err(std::io::Error::other)
            .and_then(|text| fs::write(&path, text))
            .map_err(|error| Failure::system("write the envelope", &error))?;
        let topic = proper::Topic {
            envelope: &path,
            timeout_seconds: envelope.timeout_seconds,
            api: &self.api,
            stop: &self.stop,
            pulse: &self.pulse,
            log: &mut self.log,
        };
        proper::converse(topic).map_err(|error| Failure::system("start the agent", &error))
    }

    /// What is reported when the agent proper ended without a word.
    fn lost(&self, problem: String) -> Failure {
        let (status, code, message) = if self.stop.is_raised() {
            let text = "The build was stopped".to_owned();
            (BuildStatus::Stopped, "", text)
        } else {
            (BuildStatus::Fault, "INTERNAL_SERVICE_ERROR", problem)
        };
        Failure {
            phase: "FINALIZING",
            status,
            code,
            message,
        }
    }
}

/// Makes place for another attempt with the same inputs.
fn clear(envelope: &Envelope) -> std::io::Result<()> {
    for output in &envelope.outputs {
        if output.path.symlink_metadata().is_ok() {
            fs::remove_file(&output.path)?;
        }
    }
    fs::remove_dir_all(&envelope.directory)?;
    fs::create_dir_all(&envelope.directory)
}

fn now() -> Timestamp {
    SystemClock.now()
}

/// A failure of this container while files were on their way.
fn broken(doing: &str, error: &dyn std::error::Error) -> Failure {
    Failure {
        phase: "DOWNLOAD_SOURCE",
        status: BuildStatus::Fault,
        code: "INTERNAL_SERVICE_ERROR",
        message: format!("failed to {doing}: {}", with_causes(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_the_agents_is_kept_from_the_build() {
        for name in [URL, BUILD_ID, TOKEN, ROOM, "ECS_AGENT_URI"] {
            assert!(is_kept_back(OsStr::new(name)), "{name}");
        }
        for name in ["PATH", "AWS_REGION", "PIPEWRIGHT_HOME"] {
            assert!(!is_kept_back(OsStr::new(name)), "{name}");
        }
    }
}
