//! A world whose runner does what a test says.

use std::{
    collections::BTreeMap,
    process::Command,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use embedded::{
    GitRepositories, ManualClock, Objects, SeededRandom, Store,
    repositories::{Kind, Source},
};
use model::{
    Timestamp,
    build::{BuildOrder, BuildPhase, BuildReport, BuildState, BuildStatus},
    project::{Settings, SettingsChange},
};
use pipewright_operations::{
    Caller,
    codebuild::{
        BatchGetBuilds, Build, CodeBuild, CodeBuildError, CreateProject, Overrides, StartBuild,
        UpdateProject, batch_get_builds, create_project, open_builds, settle, start_build,
        update_project,
    },
};
use ports::{
    Account, BuildRunner, World,
    builds::BuildError,
    nobody::Nobody,
    objects::{ObjectMetadata, PutObject},
};
use tempfile::TempDir;

pub(crate) struct Bench {
    pub(crate) codebuild: CodeBuild,
    pub(crate) runner: Arc<Told>,
    pub(crate) store: Arc<Store>,
    pub(crate) clock: ManualClock,
    nudges: Arc<AtomicUsize>,
    folder: TempDir,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = ManualClock::new(Timestamp(1_547_106_937_000));
        let store = Arc::new(Store::in_memory().unwrap());
        let repo = Source {
            path: folder.path().join("repo"),
            kind: Kind::Repository,
        };
        let sources = BTreeMap::from([("repo".to_owned(), repo)]);
        let repositories = GitRepositories::new(sources, &folder.path().join("snapshots"));
        let runner = Arc::new(Told::default());
        let world = World {
            account: Arc::new(Account {
                id: "111122223333".to_owned(),
                region: "us-east-1".to_owned(),
            }),
            objects: Arc::new(Objects::temporary(Arc::new(clock.clone())).unwrap()),
            clock: Arc::new(clock.clone()),
            random: Arc::new(SeededRandom::new(1)),
            pipelines: store.clone(),
            queues: Arc::new(Nobody),
            bus: Arc::new(Nobody),
            builds: runner.clone(),
            projects: store.clone(),
            repositories: Arc::new(repositories),
        };
        let nudges = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&nudges);
        let codebuild = CodeBuild {
            world,
            projects: store.clone(),
            builds: store.clone(),
            runner: runner.clone(),
            nudge: Arc::new(move || {
                counted.fetch_add(1, Ordering::Relaxed);
            }),
        };
        Self {
            codebuild,
            runner,
            store,
            clock,
            nudges,
            folder,
        }
    }

    pub(crate) fn owner() -> Caller {
        Caller::owner("arn:aws:iam::111122223333:user/ann")
    }

    pub(crate) fn nudges(&self) -> usize {
        self.nudges.load(Ordering::Relaxed)
    }

    /// Creates a project, or gives it these settings.
    pub(crate) async fn project(&self, settings: Settings) {
        let request = CreateProject {
            settings,
            by: Self::owner(),
        };
        create_project(&self.codebuild, request).await.unwrap();
    }

    pub(crate) async fn update(
        &self,
        name: &str,
        change: SettingsChange,
    ) -> Result<(), CodeBuildError> {
        let request = UpdateProject {
            name: name.to_owned(),
            change,
            by: Self::owner(),
        };
        update_project(&self.codebuild, request).await.map(drop)
    }

    pub(crate) fn request(project: &str) -> StartBuild {
        StartBuild {
            project: project.to_owned(),
            overrides: Overrides::default(),
            token: None,
            by: Self::owner(),
        }
    }

    pub(crate) async fn start(&self, project: &str) -> Result<Build, CodeBuildError> {
        start_build(&self.codebuild, Self::request(project)).await
    }

    /// Settles every open build once.
    pub(crate) async fn settle(&self) -> Result<(), CodeBuildError> {
        for record in open_builds(&self.codebuild, 0, 100).await? {
            settle(&self.codebuild, &record).await?;
        }
        Ok(())
    }

    /// The ids of the builds that are not over.
    pub(crate) async fn open(&self) -> Vec<String> {
        let open = open_builds(&self.codebuild, 0, 100).await.unwrap();
        open.into_iter().map(|record| record.id).collect()
    }

    pub(crate) async fn look(&self, id: &str) -> Build {
        let record = self.codebuild.builds.build(id).await.unwrap().unwrap();
        let request = BatchGetBuilds {
            ids: vec![format!("{}:{id}", record.project())],
            by: Self::owner(),
        };
        let (mut found, _) = batch_get_builds(&self.codebuild, request).await.unwrap();
        found.remove(0)
    }

    pub(crate) async fn put(&self, bucket: &str, key: &str, text: &str) {
        let from = self.folder.path().join("to-put");
        std::fs::write(&from, text).unwrap();
        let objects = &self.codebuild.world.objects;
        objects.create_bucket(bucket).await.unwrap();
        let object = PutObject {
            bucket,
            key,
            from: &from,
            metadata: ObjectMetadata::default(),
            create_only: false,
        };
        objects.put(object).await.unwrap();
    }

    pub(crate) async fn has(&self, bucket: &str, key: &str) -> bool {
        let objects = &self.codebuild.world.objects;
        objects.head(bucket, key, None).await.is_ok()
    }

    /// Makes a commit in the repository `repo`, and gives its id.
    pub(crate) fn commit(&self, content: &str) -> String {
        let tree = self.folder.path().join("repo");
        if !tree.exists() {
            std::fs::create_dir(&tree).unwrap();
            self.git(&["init", "--quiet", "--initial-branch=main"]);
        }
        std::fs::write(tree.join("file"), content).unwrap();
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message", content]);
        self.git(&["rev-parse", "HEAD"])
    }

    fn git(&self, args: &[&str]) -> String {
        let output = Command::new("git")
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_AUTHOR_NAME", "A")
            .env("GIT_AUTHOR_EMAIL", "a@example.com")
            .env("GIT_COMMITTER_NAME", "C")
            .env("GIT_COMMITTER_EMAIL", "c@example.com")
            .current_dir(self.folder.path().join("repo"))
            .args(args)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}

/// The settings of a project without a source.
pub(crate) fn settings(name: &str) -> Settings {
    let json = format!(
        r#"{{"name": "{name}", "source": {{"type": "NO_SOURCE", "buildspec": "version: 0.2\n"}},
            "artifacts": {{"type": "NO_ARTIFACTS"}}, "environment": {{}}}}"#
    );
    serde_json::from_str(&json).unwrap()
}

/// A build that is over since 7.
pub(crate) fn finished(status: BuildStatus) -> BuildState {
    BuildState::Finished(Box::new(BuildReport {
        status,
        phases: vec![phase("COMPLETED", Timestamp(7))],
        exported_variables: BTreeMap::new(),
        test_reports: Vec::new(),
        isolation: "process".to_owned(),
        log_stream: String::new(),
        retries_wanted: None,
    }))
}

fn phase(kind: &str, started: Timestamp) -> BuildPhase {
    BuildPhase {
        phase_type: kind.to_owned(),
        phase_status: String::new(),
        started,
        ended: None,
        status_code: None,
        message: None,
    }
}

pub(crate) fn not_found<T>(result: &Result<T, CodeBuildError>) -> bool {
    matches!(result, Err(CodeBuildError::NotFound(_)))
}

/// A runner that does what it is told.
#[derive(Default)]
pub(crate) struct Told(Mutex<Script>);

#[derive(Default)]
struct Script {
    orders: Vec<BuildOrder>,
    states: BTreeMap<String, BuildState>,
    phases: BTreeMap<String, String>,
    stopped: Vec<String>,
    refuses: bool,
    fails: bool,
}

impl Told {
    fn script(&self) -> MutexGuard<'_, Script> {
        self.0.lock().unwrap()
    }

    pub(crate) fn orders(&self) -> Vec<BuildOrder> {
        self.script().orders.clone()
    }

    pub(crate) fn stopped(&self) -> Vec<String> {
        self.script().stopped.clone()
    }

    pub(crate) fn set(&self, id: &str, state: BuildState) {
        self.script().states.insert(id.to_owned(), state);
    }

    pub(crate) fn is_in(&self, id: &str, phase: &str) {
        self.script().phases.insert(id.to_owned(), phase.to_owned());
    }

    /// Takes no more orders.
    pub(crate) fn refuse(&self) {
        self.script().refuses = true;
    }

    /// Answers nothing, or answers again.
    pub(crate) fn fail(&self, fails: bool) {
        self.script().fails = fails;
    }
}

#[async_trait]
impl BuildRunner for Told {
    async fn start(&self, order: BuildOrder) -> Result<(), BuildError> {
        let mut script = self.script();
        if script.refuses {
            return Err(BuildError::Refused("no such image".to_owned()));
        }
        script.states.insert(order.id.clone(), BuildState::Running);
        script.orders.push(order);
        Ok(())
    }

    async fn state(&self, id: &str) -> Result<BuildState, BuildError> {
        let script = self.script();
        if script.fails {
            return Err(BuildError::System {
                doing: "read".to_owned(),
                source: std::io::Error::other("disk"),
            });
        }
        Ok(script
            .states
            .get(id)
            .cloned()
            .unwrap_or(BuildState::Unknown))
    }

    async fn phases(&self, id: &str) -> Result<Vec<BuildPhase>, BuildError> {
        let script = self.script();
        let phases = script.phases.get(id);
        Ok(phases
            .map(|it| phase(it, Timestamp(1)))
            .into_iter()
            .collect())
    }

    async fn stop(&self, id: &str) -> Result<(), BuildError> {
        self.script().stopped.push(id.to_owned());
        self.set(id, finished(BuildStatus::Stopped));
        Ok(())
    }
}
