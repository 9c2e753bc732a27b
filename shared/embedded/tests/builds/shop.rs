//! A shop is a build runner with everything around it, in a directory of its own.

use std::{
    fs,
    num::NonZeroUsize,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering},
    },
};

use model::{
    Timestamp,
    build::{BuildInput, BuildKind, BuildOrder, BuildReport, BuildState},
    job::JobArtifact,
    project::{Project, ProjectEnvironment},
};
use pipewright_embedded::{Builds, BuildsOptions, Isolation, Objects, Secrets};
use ports::{
    Account, BuildRunner, Clock, ObjectStore,
    objects::{ObjectMetadata, PutObject},
};
use tempfile::TempDir;
use tokio::sync::{Notify, broadcast};

/// The cap of logs here.
pub(crate) const LOG_BYTES: u64 = 1 << 20;

/// The last words of an agent whose build succeeded.
pub(crate) const SUCCEEDED: &str = r#"echo '{"report":{"status":"SUCCEEDED","phases":[{"phaseType":"BUILD","phaseStatus":"SUCCEEDED","started":1,"ended":2}],"exportedVariables":{},"isolation":"","logStream":""}}'"#;

pub(crate) struct Shop {
    directory: TempDir,
    pub(crate) builds: Builds,
    objects: Arc<Objects>,
    lines: broadcast::Sender<String>,
    seen: Mutex<broadcast::Receiver<String>>,
    ended: Arc<Notify>,
}

/// Tells another time whenever it is asked.
struct Ticks(AtomicI64);

impl Clock for Ticks {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.fetch_add(1, Ordering::Relaxed))
    }
}

impl Shop {
    /// Runs this shell script as the agent, as a plain process.
    pub(crate) fn new(script: &str) -> Self {
        Self::with(script, |_| {})
    }

    pub(crate) fn with(script: &str, change: impl FnOnce(&mut BuildsOptions)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let agent = directory.path().join("agent");
        fs::write(&agent, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&agent, fs::Permissions::from_mode(0o755)).unwrap();
        let secrets = directory.path().join("secrets.yml");
        fs::write(&secrets, "parameters: {name: hunter2}").unwrap();
        fs::set_permissions(&secrets, fs::Permissions::from_mode(0o600)).unwrap();
        Self::open(directory, change)
    }

    fn open(directory: TempDir, change: impl FnOnce(&mut BuildsOptions)) -> Self {
        let clock = Arc::new(Ticks(AtomicI64::new(1_000)));
        let data = directory.path().join("data");
        fs::create_dir_all(&data).unwrap();
        let objects = Objects::open(&directory.path().join("objects"), clock.clone()).unwrap();
        let objects = Arc::new(objects);
        let (lines, seen) = broadcast::channel(64);
        let ended = Arc::new(Notify::new());
        let (to_lines, to_ended) = (lines.clone(), Arc::clone(&ended));
        let mut options = BuildsOptions {
            data,
            agent: directory.path().join("agent"),
            account: Arc::new(Account {
                id: "000000000000".to_owned(),
                region: "here".to_owned(),
            }),
            clock,
            objects: Arc::clone(&objects) as Arc<dyn ObjectStore>,
            isolation: Isolation::Process,
            secrets: Arc::new(Secrets::open(&directory.path().join("secrets.yml")).unwrap()),
            repositories: Vec::new(),
            concurrency: NonZeroUsize::new(1),
            keep: false,
            log_bytes: LOG_BYTES,
            on_line: Arc::new(move |_, line| {
                let _ = to_lines.send(line.to_owned());
            }),
            on_end: Arc::new(move |_| to_ended.notify_waiters()),
        };
        change(&mut options);
        Self {
            builds: Builds::open(options).unwrap(),
            directory,
            objects,
            lines,
            seen: Mutex::new(seen),
            ended,
        }
    }

    /// A runner that knows only what the last one left on disk.
    pub(crate) fn reopen(self) -> Self {
        let Self {
            directory, builds, ..
        } = self;
        drop(builds);
        Self::open(directory, |_| {})
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) async fn put(&self, key: &str, text: &str) {
        let from = self.path().join("to-put");
        fs::write(&from, text).unwrap();
        self.objects.create_bucket("bucket").await.unwrap();
        let object = PutObject {
            bucket: "bucket",
            key,
            from: &from,
            metadata: ObjectMetadata::default(),
            create_only: false,
        };
        self.objects.put(object).await.unwrap();
    }

    pub(crate) async fn get(&self, key: &str) -> Option<String> {
        let to = self.path().join("got");
        self.objects.get("bucket", key, None, &to).await.ok()?;
        Some(fs::read_to_string(to).unwrap())
    }

    pub(crate) async fn run(&self, order: BuildOrder) -> BuildReport {
        let id = order.id.clone();
        self.builds.start(order).await.unwrap();
        self.finished(&id).await
    }

    pub(crate) async fn finished(&self, id: &str) -> BuildReport {
        loop {
            let ended = self.ended.notified();
            match self.builds.state(id).await.unwrap() {
                BuildState::Finished(report) => return *report,
                BuildState::Running => ended.await,
                BuildState::Unknown => panic!("{id} is not known"),
            }
        }
    }

    /// Waits until a log has said this.
    pub(crate) async fn wait_for_line(&self, wanted: &str) {
        let mut seen = std::mem::replace(&mut *self.seen.lock().unwrap(), self.lines.subscribe());
        loop {
            tokio::select! {
                biased;
                line = seen.recv() => if line.unwrap() == wanted { return },
                () = self.ended.notified() => panic!("it ended without a word: {wanted}"),
            }
        }
    }

    pub(crate) fn log(&self, id: &str) -> String {
        fs::read_to_string(self.builds.logs().path(id).unwrap()).unwrap()
    }
}

fn artifact(name: &str, key: &str) -> JobArtifact {
    JobArtifact {
        name: name.to_owned(),
        bucket: "bucket".to_owned(),
        key: key.to_owned(),
        revision: None,
        files: Vec::new(),
    }
}

/// An order of one input, `in/source`, and one output, `out/app`.
pub(crate) fn order(id: &str) -> BuildOrder {
    BuildOrder {
        id: id.to_owned(),
        initiator: "codepipeline/demo".to_owned(),
        pipeline: "demo".to_owned(),
        what: BuildKind::Commands {
            commands: vec!["true".to_owned()],
            output_variables: Vec::new(),
        },
        inputs: vec![BuildInput::from(artifact("source", "in/source"))],
        outputs: vec![artifact("app", "out/app")],
        environment_variables: Vec::new(),
        timeout_seconds: 60,
        number: None,
        overwrites: false,
    }
}

pub(crate) fn project(image: Option<&str>) -> BuildKind {
    let project = Project {
        name: "tests".to_owned(),
        description: None,
        source: model::project::ProjectSource::default(),
        environment: ProjectEnvironment {
            image: image.map(str::to_owned),
            environment_variables: Vec::new(),
        },
        cache: model::project::ProjectCache::default(),
        timeout_in_minutes: 5,
    };
    BuildKind::Project {
        project: Box::new(project),
        buildspec_override: None,
    }
}
