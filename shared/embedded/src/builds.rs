//! Builds run here: each in a directory of its own, by an agent that is kept apart from this
//! machine, at most so many at once.
//!
//! * [`Builds`] is the port; `run` is the life of one build from its order to its report.
//! * `inputs`, `outputs`: artifacts on their way in and out.
//! * `conversation`: an agent that runs and talks; `course`: how far it has come.
//! * `directory`: what is on disk; `leftovers`: what a process that died left there.
//!
//! A build lives and dies with this process. What survives a crash is its report, and results
//! that were complete but not all stored yet; everything else starts anew.

use std::{
    collections::BTreeMap,
    io,
    num::NonZeroUsize,
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use model::build::{BuildKind, BuildOrder, BuildPhase, BuildReport, BuildState};
use ports::{Account, BuildRunner, Clock, ObjectStore, builds::BuildError};
use tokio::sync::{Semaphore, watch};

use crate::{
    logs::{Logs, OnLine, is_stream_name},
    sandbox::{
        Ambient, Isolation,
        container::{can_mount, is_image_name},
        probe::{Choice, Probes},
    },
    secrets::Secrets,
};

mod conversation;
mod course;
mod directory;
mod envelope;
mod inputs;
mod leftovers;
mod outputs;
mod run;

use course::Course;
use directory::Directory;

/// How long a stopped build gets to end by itself: the agent waits ten seconds for the commands
/// (spec 70 §8) and then kills them.
const STOP_GRACE: Duration = Duration::from_secs(20);

/// How long [`Builds::stop`] waits for the end.
const STOP_WITHIN: Duration = Duration::from_secs(30);

/// How many reports are kept that could not be written.
const UNWRITTEN_MAX: usize = 1_000;

/// The longest name of a project that a directory is named after.
const PROJECT_NAME_BYTES: usize = 150;

/// Called with a build's id when it is over.
pub type OnEnd = Arc<dyn Fn(&str) + Send + Sync>;

/// What builds need.
pub struct BuildsOptions {
    /// The data directory: builds are below `builds/` in it, logs below `logs/`.
    pub data: PathBuf,
    /// The program that runs as `<agent> agent <envelope>`: this one, usually.
    pub agent: PathBuf,
    pub account: Arc<Account>,
    pub clock: Arc<dyn Clock>,
    pub objects: Arc<dyn ObjectStore>,
    pub isolation: Isolation,
    pub secrets: Arc<Secrets>,
    /// URLs or paths that inputs may refer to (`CODEBUILD_CLONE_REF`).
    pub repositories: Vec<String>,
    /// How many builds run at once; the others wait in order. Absent: one a processor.
    pub concurrency: Option<NonZeroUsize>,
    /// Keep the sources and results of builds that are over.
    pub keep: bool,
    /// How large one log may grow.
    pub log_bytes: u64,
    pub on_line: OnLine,
    pub on_end: OnEnd,
}

/// Runs builds on this machine.
#[derive(Clone)]
pub struct Builds {
    shop: Arc<Shop>,
}

/// What all builds share.
struct Shop {
    builds: PathBuf,
    agent: PathBuf,
    account: Arc<Account>,
    clock: Arc<dyn Clock>,
    objects: Arc<dyn ObjectStore>,
    isolation: Isolation,
    probes: Probes,
    ambient: Ambient,
    hidden: Vec<PathBuf>,
    secrets: Arc<Secrets>,
    repositories: Vec<String>,
    slots: Arc<Semaphore>,
    slots_max: usize,
    /// Builds that wait for their turn get none any more.
    drains: AtomicBool,
    keep: bool,
    log_bytes: u64,
    logs: Logs,
    on_end: OnEnd,
    running: Mutex<BTreeMap<String, Running>>,
    unwritten: Mutex<BTreeMap<String, BuildReport>>,
}

/// A build that is not over.
#[derive(Clone)]
struct Running {
    stop: Arc<watch::Sender<bool>>,
    /// Closed at the end.
    over: watch::Receiver<()>,
    course: Course,
}

impl Shop {
    fn running(&self) -> MutexGuard<'_, BTreeMap<String, Running>> {
        // A map is whole whatever happened to the thread that changed it.
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reports that the disk did not take; they last as long as this process.
    fn unwritten(&self) -> MutexGuard<'_, BTreeMap<String, BuildReport>> {
        self.unwritten
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a report that cannot be written: without one the build would count as unknown, and
    /// be started again and again for as long as the disk is full.
    fn keep_unwritten(&self, id: &str, report: BuildReport) {
        let mut unwritten = self.unwritten();
        if unwritten.len() >= UNWRITTEN_MAX {
            unwritten.pop_first();
        }
        unwritten.insert(id.to_owned(), report);
    }

    fn directory(&self, id: &str) -> Directory {
        Directory::new(&self.builds, id)
    }
}

impl Builds {
    /// Takes over a data directory: what builds of a process that died left is ended and removed.
    pub fn open(options: BuildsOptions) -> Result<Self, BuildError> {
        let system = |doing: &str| {
            let doing = doing.to_owned();
            move |source| BuildError::System { doing, source }
        };
        let builds = options.data.join("builds");
        directory::create_private(&builds).map_err(system("create the directory of builds"))?;
        // Mounts and the processes of builds are known by their real names.
        let data = options
            .data
            .canonicalize()
            .map_err(system("find the data directory"))?;
        let logs = Logs::open(&data.join("logs"), options.on_line)
            .map_err(system("create the directory of logs"))?;
        let builds = data.join("builds");
        leftovers::clear(&builds).map_err(system("remove what earlier builds left"))?;
        let agent = options
            .agent
            .canonicalize()
            .map_err(system("find the agent's program"))?;
        let processors = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        let slots = options.concurrency.unwrap_or(processors).get();
        let slots = slots.min(Semaphore::MAX_PERMITS);
        let secret_file = options.secrets.path().map(PathBuf::from);
        Ok(Self {
            shop: Arc::new(Shop {
                builds,
                agent,
                account: options.account,
                clock: options.clock,
                objects: options.objects,
                isolation: options.isolation,
                probes: Probes::default(),
                ambient: Ambient::of_this_process(),
                hidden: std::iter::once(data).chain(secret_file).collect(),
                secrets: options.secrets,
                repositories: options.repositories,
                slots: Arc::new(Semaphore::new(slots)),
                slots_max: slots,
                drains: AtomicBool::new(false),
                keep: options.keep,
                log_bytes: options.log_bytes,
                logs,
                on_end: options.on_end,
                running: Mutex::default(),
                unwritten: Mutex::default(),
            }),
        })
    }

    /// What a build would get whose project names this image.
    pub fn isolation(&self, image: Option<&str>) -> Result<Choice, BuildError> {
        self.shop.probes.choose(self.shop.isolation, image)
    }

    /// How many builds run; those that wait for their turn are not among them.
    pub fn at_work(&self) -> usize {
        let free = self.shop.slots.available_permits();
        self.shop.slots_max.saturating_sub(free)
    }

    /// From now on no build begins. Those that wait for their turn leave nothing behind, so they are
    /// unknown to the next process, which is asked for them again.
    pub fn drain(&self) {
        self.shop.drains.store(true, Ordering::Relaxed);
    }

    /// What builds print.
    pub fn logs(&self) -> &Logs {
        &self.shop.logs
    }

    /// Checks an order as far as that is possible before anything is done.
    async fn admit(&self, order: &BuildOrder) -> Result<Choice, BuildError> {
        if !is_stream_name(&order.id) {
            return Err(BuildError::Refused(format!(
                "`{}` is no build id",
                order.id
            )));
        }
        let (name, image) = match &order.what {
            BuildKind::Project { project, .. } => {
                (project.name.as_str(), project.environment.image.clone())
            }
            BuildKind::Commands { .. } if order.inputs.is_empty() => {
                return Err(BuildError::Refused("commands have an input".to_owned()));
            }
            BuildKind::Commands { .. } => (order.pipeline.as_str(), None),
        };
        if name.len() > PROJECT_NAME_BYTES || !is_project_name(name) {
            return Err(BuildError::Refused(format!("`{name}` is no project name")));
        }
        if let Some(image) = image.as_deref().filter(|image| !is_image_name(image)) {
            return Err(BuildError::Refused(format!("`{image}` names no image")));
        }
        let builds = self.clone();
        let choice = tokio::task::spawn_blocking(move || builds.isolation(image.as_deref()))
            .await
            .map_err(|error| BuildError::System {
                doing: "look for an isolation".to_owned(),
                source: io::Error::other(error),
            })??;
        let is_container = matches!(choice.kind, crate::sandbox::Kind::Container(_));
        if is_container && !(can_mount(&self.shop.builds) && can_mount(&self.shop.agent)) {
            return Err(BuildError::Refused(format!(
                "a container cannot be given `{}`: its path has a comma or quotes",
                self.shop.builds.display()
            )));
        }
        Ok(choice)
    }

    fn is_over(&self, id: &str) -> bool {
        self.shop.directory(id).report().exists() || self.shop.unwritten().contains_key(id)
    }
}

fn is_project_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(['.', '-'])
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'@'))
}

#[async_trait]
impl BuildRunner for Builds {
    async fn start(&self, order: BuildOrder) -> Result<(), BuildError> {
        let choice = self.admit(&order).await?;
        let (stop, stopped) = watch::channel(false);
        let (say_over, over) = watch::channel(());
        let course = Course::default();
        let running = Running {
            stop: Arc::new(stop),
            over,
            course: course.clone(),
        };
        {
            let mut all = self.shop.running();
            if all.contains_key(&order.id) || self.is_over(&order.id) {
                return Ok(());
            }
            all.insert(order.id.clone(), running);
        }
        tokio::spawn(run::run(
            Arc::clone(&self.shop),
            order,
            choice,
            run::Line {
                stopped,
                say_over,
                course,
            },
        ));
        Ok(())
    }

    async fn state(&self, id: &str) -> Result<BuildState, BuildError> {
        if !is_stream_name(id) || self.shop.running().contains_key(id) {
            let is_running = is_stream_name(id);
            return Ok(if is_running {
                BuildState::Running
            } else {
                BuildState::Unknown
            });
        }
        if let Some(report) = self.shop.unwritten().get(id) {
            return Ok(BuildState::Finished(Box::new(report.clone())));
        }
        match directory::read_json(&self.shop.directory(id).report()) {
            Ok(Some(report)) => Ok(BuildState::Finished(report)),
            Ok(None) => Ok(BuildState::Unknown),
            Err(source) => Err(BuildError::System {
                doing: format!("read the report of build {id}"),
                source,
            }),
        }
    }

    async fn phases(&self, id: &str) -> Result<Vec<BuildPhase>, BuildError> {
        let running = self.shop.running().get(id).cloned();
        Ok(running.map_or_else(Vec::new, |running| running.course.phases()))
    }

    async fn stop(&self, id: &str) -> Result<(), BuildError> {
        let Some(mut running) = self.shop.running().get(id).cloned() else {
            return Ok(());
        };
        // Its task may be at its end just now, and listen no more.
        let _ = running.stop.send(true);
        match tokio::time::timeout(STOP_WITHIN, running.over.changed()).await {
            Ok(_) => Ok(()),
            Err(_) => Err(BuildError::System {
                doing: format!("end build {id}"),
                source: io::Error::new(io::ErrorKind::TimedOut, "it goes on"),
            }),
        }
    }
}
