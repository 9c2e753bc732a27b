//! The life of one build: it waits for its turn, gets its inputs, runs, and leaves its outputs and
//! a report.

use std::{
    future,
    path::PathBuf,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use model::{
    Timestamp,
    build::{
        BuildOrder, BuildReport, BuildStatus, EnvelopeInput, Failure, Progress, blame, with_causes,
    },
};
use tokio::{
    sync::{OwnedSemaphorePermit, watch},
    time::{Instant, sleep_until},
};

use super::{
    STOP_GRACE, Shop,
    conversation::{Conversation, Ended, Topic},
    course::Course,
    directory::{self, Directory},
    envelope::{self, Facts},
    inputs::{self, Sources},
    leftovers, outputs,
};
use crate::{
    logs::LogWriter,
    sandbox::{self, Kind, Launch, container, probe::Choice},
};

/// How much longer than the build's own timeout the agent may take: it stops the commands, keeps
/// what it was told to, and reports.
const OVERTIME: Duration = Duration::from_mins(2);

/// What the agent and the runner say themselves may take this much more than what is printed.
const OWN_LINES_BYTES: u64 = 8 << 20;

/// How many retries a build gets at most (spec 70 §3).
const RETRIES: u32 = 100;

/// What goes between a build and those who stop it, wait for it or look at it.
pub(super) struct Line {
    pub(super) stopped: watch::Receiver<bool>,
    pub(super) say_over: watch::Sender<()>,
    pub(super) course: Course,
}

/// Runs a build; whatever happens, there is a report at the end.
pub(super) async fn run(shop: Arc<Shop>, order: BuildOrder, choice: Choice, line: Line) {
    let Line {
        stopped,
        say_over,
        course,
    } = line;
    let over = Over {
        shop: Arc::clone(&shop),
        id: order.id.clone(),
        to_waiting: say_over,
    };
    let now = shop.clock.now();
    let progress = Progress::new(choice.kind.name(), &order.id, now);
    for phase in progress.phases() {
        course.tell(phase.clone());
    }
    let mut build = Build {
        directory: shop.directory(&order.id),
        shop,
        order,
        choice,
        stopped,
        progress,
        course,
    };
    let report = match build.report().await {
        Ok(report) => report,
        Err(failure) => {
            build.tell_failure(&failure);
            build.progress.fail(&failure, build.shop.clock.now())
        }
    };
    build.finish(&report);
    drop(over);
}

/// Takes a build off the list of those that run, also when its task is cancelled.
struct Over {
    shop: Arc<Shop>,
    id: String,
    to_waiting: watch::Sender<()>,
}

impl Drop for Over {
    fn drop(&mut self) {
        self.shop.running().remove(&self.id);
        // Nobody may wait.
        let _ = self.to_waiting.send(());
        (self.shop.on_end)(&self.id);
    }
}

struct Build {
    shop: Arc<Shop>,
    order: BuildOrder,
    choice: Choice,
    directory: Directory,
    stopped: watch::Receiver<bool>,
    progress: Progress,
    course: Course,
}

impl Build {
    fn now(&self) -> Timestamp {
        self.shop.clock.now()
    }

    async fn report(&mut self) -> Result<BuildReport, Failure> {
        let _turn = self.turn().await?;
        let pending = directory::read_json::<BuildReport>(&self.directory.pending())
            .map_err(|error| Failure::system("read the report", &error))?;
        let mut report = match pending {
            Some(report) => report,
            None => self.build().await?,
        };
        let stored =
            outputs::store(&*self.shop.objects, &self.order, &report, &self.directory).await;
        if let Err(failure) = stored {
            self.tell_failure(&failure);
            // The build's own failure is the one that matters.
            if report.status == BuildStatus::Succeeded {
                blame(&mut report, &failure, self.now());
            }
        }
        Ok(report)
    }

    /// Waits until fewer builds run than may.
    async fn turn(&mut self) -> Result<OwnedSemaphorePermit, Failure> {
        let shop = &self.shop;
        let turn = async {
            let permit = Arc::clone(&shop.slots).acquire_owned().await;
            if shop.drains.load(Ordering::Relaxed) {
                drop(permit);
                return future::pending().await;
            }
            permit.map_err(|error| Failure::system("wait for the build's turn", &error))
        };
        tokio::select! {
            biased;
            () = is_stopped(&mut self.stopped) => Err(Failure::stopped()),
            permit = turn => permit,
        }
    }

    async fn build(&mut self) -> Result<BuildReport, Failure> {
        self.progress.enter("PROVISIONING", self.now());
        if let Some(phase) = self.progress.phases().last() {
            self.course.tell(phase.clone());
        }
        self.directory
            .create()
            .map_err(|error| Failure::system("create the build's directory", &error))?;
        let mut log = self.log()?;
        if !log.is_new() {
            note(&mut log, "The build starts again: it was interrupted.")?;
        }
        for text in &self.choice.notes {
            note(&mut log, text)?;
        }
        note(&mut log, &format!("Isolation: {}", self.choice.kind))?;
        self.pull().await?;
        let sources = Sources {
            objects: &*self.shop.objects,
            repositories: &self.shop.repositories,
            ambient: &self.shop.ambient,
        };
        let inputs = tokio::select! {
            () = is_stopped(&mut self.stopped) => return Err(Failure::stopped()),
            inputs = inputs::fetch(&sources, &self.order, &self.directory) => inputs?,
        };
        let project = self.order.project_name();
        let number = match self.order.number {
            Some(number) => number,
            None => leftovers::next_number(&self.shop.builds, project, self.now())
                .map_err(|error| Failure::system("count the build", &error))?,
        };
        let report = self.attempts(log, &inputs, number).await?;
        let report = self.progress.complete(report, self.now());
        directory::write_json(&self.directory.pending(), &report)
            .map_err(|error| Failure::system("write the report", &error))?;
        Ok(report)
    }

    async fn pull(&mut self) -> Result<(), Failure> {
        let (Kind::Container(engine), Some(image)) = (self.choice.kind, self.order.image()) else {
            return Ok(());
        };
        let (image, name) = (image.to_owned(), image.to_owned());
        let pulled = tokio::task::spawn_blocking(move || container::pull(engine, &name));
        tokio::select! {
            () = is_stopped(&mut self.stopped) => Err(Failure::stopped()),
            pulled = pulled => match pulled {
                Ok(pulled) => pulled.map_err(|said| Failure::image(&image, &said)),
                Err(error) => Err(Failure::system("pull the image", &error)),
            }
        }
    }

    /// Runs the build, and again while the buildspec wants that (spec 70 §3).
    async fn attempts(
        &mut self,
        mut log: LogWriter,
        inputs: &[EnvelopeInput],
        build_number: u64,
    ) -> Result<BuildReport, Failure> {
        let facts = Facts {
            account: &Arc::clone(&self.shop.account),
            kind: self.choice.kind,
            build_number,
            log_bytes: self.shop.log_bytes,
            inputs,
            directory: &self.directory.clone(),
        };
        for retry in 0..=RETRIES {
            let envelope = envelope::seal(&self.order, &facts, retry);
            directory::write_json(&self.directory.envelope(), &envelope)
                .map_err(|error| Failure::system("write the envelope", &error))?;
            let ended = self.attempt(log).await?;
            log = ended.log;
            let mut report = match ended.report {
                Some(report) => *report,
                None => return Ok(self.lost(&ended.problem, &mut log)),
            };
            let wanted = report
                .retries_wanted
                .take()
                .unwrap_or_default()
                .min(RETRIES);
            if retry >= wanted || *self.stopped.borrow() {
                return Ok(report);
            }
            let status = report.status.name();
            let header = format!("{status}: retry {} of {wanted} begins.", retry + 1);
            note(&mut log, &header)?;
            self.directory
                .create_again()
                .map_err(|error| Failure::system("clear the build's directory", &error))?;
        }
        Err(Failure::system(
            "end the retries",
            &std::io::Error::other("there were too many"),
        ))
    }

    /// What is reported when the agent ended without a word: it was killed, by us or by others.
    fn lost(&mut self, problem: &str, log: &mut LogWriter) -> BuildReport {
        let (status, code, message) = if *self.stopped.borrow() {
            (BuildStatus::Stopped, "", "The build was stopped")
        } else {
            (BuildStatus::Fault, "INTERNAL_SERVICE_ERROR", problem)
        };
        let failure = Failure {
            phase: "FINALIZING",
            status,
            code,
            message: message.to_owned(),
        };
        // The report says it too.
        let _ = note(log, message);
        let mut empty = Progress::new("", "", self.now()).fail(&failure, self.now());
        empty
            .phases
            .retain(|phase| phase.phase_type == "FINALIZING");
        empty
    }

    async fn attempt(&mut self, log: LogWriter) -> Result<Ended, Failure> {
        let cache = self.cache()?;
        let (shop, directory) = (Arc::clone(&self.shop), self.directory.clone());
        let (kind, name) = (self.choice.kind, self.order.id.clone());
        let image = self.order.image().map(str::to_owned);
        let course = self.course.clone();
        // To put a sandbox together takes a look at much of this machine's files.
        let begin = move || {
            let (room, tmp) = (directory.room(), directory.tmp());
            let command = sandbox::command(
                kind,
                &Launch {
                    room: &room,
                    tmp: &tmp,
                    cache: cache.as_deref(),
                    envelope: &directory.envelope(),
                    agent: &shop.agent,
                    ambient: &shop.ambient,
                    hidden: &shop.hidden,
                    name: &name,
                    label: &shop.builds.display().to_string(),
                    image: image.as_deref(),
                },
            );
            Conversation::begin(Topic {
                command,
                kind,
                name,
                room,
                log,
                secrets: Arc::clone(&shop.secrets),
                course,
            })
        };
        let begun = tokio::task::spawn_blocking(begin).await;
        let mut conversation = match begun {
            Ok(Ok(conversation)) => conversation,
            Ok(Err(error)) => return Err(Failure::system("start the agent", &error)),
            Err(error) => return Err(Failure::system("start the agent", &error)),
        };
        directory::write_json(&self.directory.process(), &conversation.process)
            .map_err(|error| Failure::system("record the agent", &error))?;
        self.hear(&mut conversation).await
    }

    async fn hear(&mut self, conversation: &mut Conversation) -> Result<Ended, Failure> {
        let timeout = Duration::from_secs(self.order.timeout_seconds);
        let mut kill_at = Instant::now() + timeout + OVERTIME;
        let mut is_stopping = false;
        loop {
            tokio::select! {
                ended = &mut conversation.ended => {
                    return ended.map_err(|error| Failure::system("hear the agent", &error));
                }
                () = is_stopped(&mut self.stopped), if !is_stopping => {
                    is_stopping = true;
                    conversation.stop();
                    kill_at = kill_at.min(Instant::now() + STOP_GRACE);
                }
                () = sleep_until(kill_at) => {
                    conversation.kill().await;
                    kill_at = Instant::now() + OVERTIME;
                }
            }
        }
    }

    /// The project's cache, and the place for it in the room.
    fn cache(&self) -> Result<Option<PathBuf>, Failure> {
        if !self.order.has_cache() {
            return Ok(None);
        }
        let project = self.order.project_name();
        let cache = self.shop.builds.join(".cache").join(project);
        let made = directory::create_private(&cache);
        let at = self.directory.room().join("cache");
        let made = made.and_then(|()| {
            if self.choice.kind == Kind::Process && !at.exists() {
                return std::os::unix::fs::symlink(&cache, &at);
            }
            directory::create_private(&at)
        });
        made.map_err(|error| Failure::system("create the cache", &error))?;
        Ok(Some(cache))
    }

    fn log(&self) -> Result<LogWriter, Failure> {
        self.shop
            .logs
            .writer(&self.order.id, self.shop.log_bytes + OWN_LINES_BYTES)
            .map_err(|error| Failure::system("open the log", &error))
    }

    fn tell_failure(&self, failure: &Failure) {
        // Where nothing can be written, the report is what is left.
        let told = self.log().map(|mut log| note(&mut log, &failure.message));
        drop(told);
    }

    /// Writes the report, which ends the build, and clears up.
    fn finish(&self, report: &BuildReport) {
        let written = directory::create_private(&self.shop.builds.join(&self.order.id))
            .and_then(|()| directory::write_json(&self.directory.report(), report));
        if let Err(error) = written {
            let failure = Failure::system("write the report", &error);
            self.tell_failure(&failure);
            self.shop.keep_unwritten(&self.order.id, report.clone());
            return;
        }
        if self.shop.keep {
            return;
        }
        if let Err(error) = self.directory.remove_work() {
            let failure = Failure::system("remove the build's files", &error);
            self.tell_failure(&Failure {
                message: with_causes(&error),
                ..failure
            });
        }
    }
}

/// Writes a line of the runner's own.
fn note(log: &mut LogWriter, text: &str) -> Result<(), Failure> {
    log.line(&format!("[Pipewright] {text}"))
        .map_err(|error| Failure::system("write the log", &error))
}

async fn is_stopped(stopped: &mut watch::Receiver<bool>) {
    if stopped.wait_for(|is_stopped| *is_stopped).await.is_err() {
        // Nobody can stop it any more.
        future::pending::<()>().await;
    }
}
