//! A world for tests: the real adapters, in memory and in a temporary folder.
//!
//! Builds are the exception: what runs them is tried elsewhere, and here it is told what to say.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use embedded::{
    GitRepositories, ManualClock, Objects, SeededRandom, Store,
    repositories::{Kind, Source},
};
use model::{
    ActionCategory, ActionOutput, ActionStatus, AttemptKey, Execution, ExecutionId,
    ExecutionStatus, Job, PipelineState, StageStatus, Timestamp,
    build::{BuildOrder, BuildReport, BuildState, BuildStatus},
    declaration::{ActionOwner, ActionTypeId, ExecutionMode},
    job::{ActionResult, ErrorDetails, JobArtifact},
    state::{ActionState, Position, StageExecution, Trigger, TriggerType},
};
use ports::{
    Account, BuildRunner, Commit, ObjectStore, World,
    builds::BuildError,
    nobody::Nobody,
    objects::{ObjectInfo, ObjectMetadata, PutObject},
    store::{Audit, Doer},
};
use tempfile::TempDir;
use uuid::Uuid;

use crate::{Catalogue, Progress, Provider};

pub(crate) const STARTED: Timestamp = Timestamp(1_547_106_937_000);

/// A world, and what stands behind it.
pub(crate) struct Bench {
    pub(crate) world: World,
    pub(crate) builds: Arc<ToldBuilds>,
    pub(crate) clock: ManualClock,
    folder: TempDir,
}

impl Bench {
    /// With the buckets `artifacts` and `bucket`, and a repository `repo` in [`Bench::tree`].
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let tree = Source {
            path: folder.path().join("tree"),
            kind: Kind::Repository,
        };
        let plain = Source {
            path: folder.path().join("plain"),
            kind: Kind::Directory,
        };
        let sources = [("repo".to_owned(), tree), ("plain".to_owned(), plain)];
        let repositories = GitRepositories::new(sources.into(), &folder.path().join("snapshots"));
        let clock = ManualClock::new(STARTED);
        let objects = Objects::temporary(Arc::new(clock.clone())).unwrap();
        for bucket in ["artifacts", "bucket"] {
            objects.create_bucket(bucket).await.unwrap();
        }
        let store = Arc::new(Store::in_memory().unwrap());
        let builds = Arc::new(ToldBuilds::default());
        let world = World {
            account: Arc::new(Account {
                id: "000000000000".to_owned(),
                region: "us-east-1".to_owned(),
            }),
            clock: Arc::new(clock.clone()),
            random: Arc::new(SeededRandom::new(1)),
            pipelines: store.clone(),
            objects: Arc::new(objects),
            queues: Arc::new(Nobody),
            bus: Arc::new(Nobody),
            builds: builds.clone(),
            projects: store,
            repositories: Arc::new(repositories),
        };
        Self {
            world,
            builds,
            clock,
            folder,
        }
    }

    pub(crate) fn tree(&self) -> PathBuf {
        self.folder.path().join("tree")
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Makes a commit in the repository that has the one file, and gives its id.
    pub(crate) fn commit(&self, content: &str, message: &str) -> String {
        fs::create_dir_all(self.tree()).unwrap();
        if !self.tree().join(".git").exists() {
            self.git(&["init", "--quiet", "--initial-branch=main"]);
        }
        fs::write(self.tree().join("file"), content).unwrap();
        self.git(&["add", "--all"]);
        self.git(&[
            "commit",
            "--quiet",
            "--allow-empty-message",
            "--message",
            message,
        ]);
        self.git(&["rev-parse", "HEAD"])
    }

    pub(crate) fn git(&self, args: &[&str]) -> String {
        let output = Command::new("git")
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_AUTHOR_NAME", "A")
            .env("GIT_AUTHOR_EMAIL", "a@example.com")
            .env("GIT_AUTHOR_DATE", "2019-10-29T03:32:21Z")
            .env("GIT_COMMITTER_NAME", "C")
            .env("GIT_COMMITTER_EMAIL", "c@example.com")
            .env("GIT_COMMITTER_DATE", "2019-10-30T00:00:00Z")
            .current_dir(self.tree())
            .args(args)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    pub(crate) async fn put(&self, bucket: &str, key: &str, content: &[u8]) -> ObjectInfo {
        let from = self.file("to-put");
        fs::write(&from, content).unwrap();
        let object = PutObject {
            bucket,
            key,
            from: &from,
            metadata: ObjectMetadata::default(),
            create_only: false,
        };
        self.world.objects.put(object).await.unwrap()
    }

    pub(crate) async fn get(&self, bucket: &str, key: &str) -> Vec<u8> {
        let to = self.file("got");
        self.world
            .objects
            .get(bucket, key, None, &to)
            .await
            .unwrap();
        fs::read(&to).unwrap()
    }

    pub(crate) async fn head(&self, bucket: &str, key: &str) -> ObjectInfo {
        self.world.objects.head(bucket, key, None).await.unwrap()
    }

    /// The keys of a bucket.
    pub(crate) async fn keys(&self, bucket: &str) -> Vec<String> {
        let listed = self.world.objects.list(bucket, "", "", 100).await.unwrap();
        listed.into_iter().map(|object| object.key).collect()
    }

    /// What the provider of the job's action says when it starts it.
    pub(crate) async fn start(&self, job: &Job) -> Progress {
        provider(job).start(&self.world, job).await
    }

    pub(crate) async fn poll(&self, job: &Job) -> Progress {
        provider(job).poll(&self.world, job).await
    }

    /// The output of a job that succeeds at once.
    pub(crate) async fn succeed(&self, job: &Job) -> ActionOutput {
        match self.start(job).await {
            Progress::Done(ActionResult::Succeeded(output)) => output,
            other => panic!("{other:?}"),
        }
    }

    /// The error of a job that fails at once.
    pub(crate) async fn fail(&self, job: &Job) -> ErrorDetails {
        match self.start(job).await {
            Progress::Done(ActionResult::Failed { error, .. }) => error,
            other => panic!("{other:?}"),
        }
    }

    /// Makes the store hold the job's attempt as one in progress.
    pub(crate) async fn open(&self, job: &Job) {
        let key = &job.key;
        let mut state = PipelineState::empty(&key.pipeline);
        state
            .executions
            .insert(key.execution, Arc::new(execution(job)));
        let commit = Commit {
            id: self.world.random.uuid(),
            expected_version: 0,
            expected_commit: Uuid::nil(),
            state,
            changed: vec![key.execution],
            new_definition: false,
            new_tags: false,
            gone: false,
            begun: vec![(Arc::new(job.clone()), Doer::Worker)],
            updates: Vec::new(),
            outbox: Vec::new(),
            token: None,
            deadline: None,
            audit: Audit {
                at: STARTED,
                by: "test".to_owned(),
                cause: "Start".to_owned(),
            },
        };
        self.world.pipelines.commit(commit).await.unwrap();
        assert!(self.world.pipelines.is_open(key).await.unwrap());
    }
}

/// The provider of the job's action.
pub(crate) fn provider(job: &Job) -> Arc<dyn Provider> {
    Arc::clone(Catalogue::standard().find(&job.action_type).unwrap())
}

/// An execution in which the job's action, and nothing else, is in progress.
fn execution(job: &Job) -> Execution {
    let action = ActionState {
        attempt: job.key.attempt,
        status: ActionStatus::InProgress,
        started: STARTED,
        updated: STARTED,
        until: Some(job.until),
        rerun: false,
        decided: false,
        outputs: Arc::default(),
    };
    let stage = StageExecution {
        status: StageStatus::InProgress,
        entered: STARTED,
        actions: [(job.key.action.clone(), action)].into(),
        retry: None,
    };
    Execution {
        id: job.key.execution,
        sequence: 1,
        definition: 1,
        mode: ExecutionMode::Superseded,
        status: ExecutionStatus::InProgress,
        status_summary: None,
        trigger: Trigger {
            kind: TriggerType::StartPipelineExecution,
            detail: String::new(),
        },
        started: STARTED,
        updated: STARTED,
        position: Position::Inside { stage: 0 },
        variables: BTreeMap::new(),
        overrides: Vec::new(),
        revisions: BTreeMap::new(),
        stages: [(job.key.stage.clone(), stage)].into(),
        stop: None,
        cancelling: false,
        attempt: 1,
        changes: 0,
        secret: SECRET,
    }
}

const SECRET: Uuid = Uuid::from_u128(3);

/// A job of an action with that configuration.
pub(crate) fn job(category: ActionCategory, provider: &str, settings: &[(&str, &str)]) -> Job {
    let execution = ExecutionId(Uuid::from_u128(1));
    let settings = settings.iter();
    Job {
        key: AttemptKey {
            pipeline: "web".to_owned(),
            execution,
            stage: "Stage".to_owned(),
            action: "Action".to_owned(),
            attempt: 1,
            token: model::derive::attempt_token(SECRET, "Stage", "Action", 1),
        },
        action_execution_id: model::derive::action_execution_id(execution, "Stage", "Action", 1),
        action_type: ActionTypeId {
            category,
            owner: ActionOwner::Aws,
            provider: provider.to_owned(),
            version: "1".to_owned(),
        },
        pipeline_version: 1,
        configuration: settings
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect(),
        commands: Vec::new(),
        environment_variables: Vec::new(),
        output_variables: Vec::new(),
        inputs: Vec::new(),
        outputs: Vec::new(),
        role_arn: "arn:aws:iam::000000000000:role/pipewright".to_owned(),
        region: None,
        overrides: Vec::new(),
        started: STARTED,
        until: STARTED.plus_minutes(60),
    }
}

/// An artifact under its own name.
pub(crate) fn artifact(name: &str) -> JobArtifact {
    JobArtifact {
        name: name.to_owned(),
        bucket: "artifacts".to_owned(),
        key: format!("web/{name}/1234567"),
        revision: None,
        files: Vec::new(),
    }
}

/// A ZIP of the files, with their Unix modes.
pub(crate) fn zipped(to: &Path, files: &[(&str, u32, &str)]) {
    use std::io::Write;
    let mut zip = zip::ZipWriter::new(fs::File::create(to).unwrap());
    for (name, mode, content) in files {
        let options = zip::write::SimpleFileOptions::default().unix_permissions(*mode);
        if *mode == LINK {
            zip.add_symlink(*name, *content, options).unwrap();
        } else if name.ends_with('/') {
            zip.add_directory(*name, options).unwrap();
        } else {
            zip.start_file(*name, options).unwrap();
            zip.write_all(content.as_bytes()).unwrap();
        }
    }
    zip.finish().unwrap();
}

/// The mode that makes [`zipped`] write a link.
pub(crate) const LINK: u32 = 0o120_777;

/// A build runner that remembers its orders and says what it is told to say.
#[derive(Default)]
pub(crate) struct ToldBuilds {
    pub(crate) orders: Mutex<Vec<BuildOrder>>,
    pub(crate) stopped: Mutex<Vec<String>>,
    pub(crate) state: Mutex<Option<BuildState>>,
    pub(crate) refusal: Mutex<Option<BuildError>>,
}

impl ToldBuilds {
    pub(crate) fn say(&self, state: BuildState) {
        *self.state.lock().unwrap() = Some(state);
    }

    pub(crate) fn order(&self) -> BuildOrder {
        let orders = self.orders.lock().unwrap();
        assert_eq!(orders.len(), 1, "one build was ordered");
        orders[0].clone()
    }
}

#[async_trait]
impl BuildRunner for ToldBuilds {
    async fn start(&self, order: BuildOrder) -> Result<(), BuildError> {
        if let Some(error) = self.refusal.lock().unwrap().take() {
            return Err(error);
        }
        self.orders.lock().unwrap().push(order);
        self.say(BuildState::Running);
        Ok(())
    }

    async fn state(&self, _id: &str) -> Result<BuildState, BuildError> {
        let state = self.state.lock().unwrap().clone();
        Ok(state.unwrap_or(BuildState::Unknown))
    }

    async fn stop(&self, id: &str) -> Result<(), BuildError> {
        self.stopped.lock().unwrap().push(id.to_owned());
        Ok(())
    }
}

pub(crate) fn report(status: BuildStatus) -> BuildReport {
    BuildReport {
        status,
        phases: Vec::new(),
        exported_variables: BTreeMap::new(),
        test_reports: Vec::new(),
        isolation: "process".to_owned(),
        log_stream: "the-log".to_owned(),
        retries_wanted: None,
    }
}
