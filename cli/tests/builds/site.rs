//! A site is a build runner with the real agent, in a directory of its own.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::{SystemTime, UNIX_EPOCH},
};

use embedded::{Builds, BuildsOptions, Isolation, Objects, Secrets};
use model::{
    Timestamp,
    build::{BuildInput, BuildKind, BuildOrder, BuildReport, BuildState},
    job::JobArtifact,
    project::{Project, ProjectCache, ProjectEnvironment, ProjectSource},
};
use ports::{
    Account, BuildRunner, Clock, ObjectStore,
    objects::{ObjectMetadata, PutObject},
};
use tempfile::TempDir;
use tokio::sync::{Notify, broadcast};

const SECRETS: &str = "
secrets: {login: {password: hunter2}}
parameters: {/greeting: hunter2-hello}
";

pub(crate) struct Site {
    directory: TempDir,
    pub(crate) builds: Builds,
    objects: Arc<Objects>,
    lines: Mutex<broadcast::Receiver<String>>,
    ended: Arc<Notify>,
}

struct Now;

impl Clock for Now {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        Timestamp(i64::try_from(since.as_millis()).unwrap())
    }
}

impl Site {
    pub(crate) fn new(isolation: Isolation) -> Self {
        Self::with(isolation, |_| {})
    }

    /// One that keeps the files of builds that are over.
    pub(crate) fn keeping(isolation: Isolation) -> Self {
        Self::with(isolation, |options| options.keep = true)
    }

    pub(crate) fn with(isolation: Isolation, change: impl FnOnce(&mut BuildsOptions)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let data = directory.path().join("data");
        fs::create_dir(&data).unwrap();
        let secrets = directory.path().join("secrets.yml");
        fs::write(&secrets, SECRETS).unwrap();
        fs::set_permissions(&secrets, fs::Permissions::from_mode(0o600)).unwrap();
        let clock = Arc::new(Now);
        let folder = directory.path().join("objects");
        let objects = Arc::new(Objects::open(&folder, clock.clone()).unwrap());
        let (to_lines, lines) = broadcast::channel(1 << 16);
        let ended = Arc::new(Notify::new());
        let to_ended = Arc::clone(&ended);
        let mut options = BuildsOptions {
            data,
            agent: env!("CARGO_BIN_EXE_pipewright").into(),
            account: Arc::new(Account {
                id: "000000000000".to_owned(),
                region: "us-east-1".to_owned(),
            }),
            clock,
            objects: Arc::clone(&objects) as Arc<dyn ObjectStore>,
            isolation,
            secrets: Arc::new(Secrets::open(&secrets).unwrap()),
            repositories: Vec::new(),
            concurrency: None,
            keep: false,
            log_bytes: 1 << 20,
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
            lines: Mutex::new(lines),
            ended,
        }
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    pub(crate) async fn put(&self, key: &str, bytes: &[u8]) {
        let from = self.directory.path().join("to-put");
        fs::write(&from, bytes).unwrap();
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

    pub(crate) async fn get(&self, key: &str) -> Option<Vec<u8>> {
        let to = self.directory.path().join("got");
        self.objects.get("bucket", key, None, &to).await.ok()?;
        Some(fs::read(to).unwrap())
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

    pub(crate) async fn wait_for_line(&self, wanted: &str) {
        let mut lines = self.lines.lock().unwrap().resubscribe();
        std::mem::swap(&mut lines, &mut self.lines.lock().unwrap());
        loop {
            tokio::select! {
                biased;
                line = lines.recv() => if line.unwrap() == wanted { return },
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

/// An order of a project with this buildspec, the input `in/source.txt`, the output `out/app`.
pub(crate) fn order(id: &str, buildspec: &str) -> BuildOrder {
    let project = Project {
        name: "demo".to_owned(),
        description: None,
        source: ProjectSource {
            buildspec: Some(buildspec.to_owned()),
        },
        environment: ProjectEnvironment::default(),
        cache: ProjectCache::default(),
        timeout_in_minutes: 5,
    };
    BuildOrder {
        id: id.to_owned(),
        initiator: "codepipeline/demo".to_owned(),
        pipeline: "demo".to_owned(),
        what: BuildKind::Project {
            project: Box::new(project),
            buildspec_override: None,
        },
        inputs: vec![BuildInput::from(artifact("source", "in/source.txt"))],
        outputs: vec![artifact("app", "out/app")],
        environment_variables: Vec::new(),
        timeout_seconds: 60,
        number: None,
        overwrites: false,
    }
}

pub(crate) fn project_of(order: &mut BuildOrder) -> &mut Project {
    match &mut order.what {
        BuildKind::Project { project, .. } => project,
        BuildKind::Commands { .. } => panic!("it is an order of commands"),
    }
}
