//! Pipelines in a world of real adapters; the sources are looked at, and nothing is built.

use std::{collections::BTreeMap, fs, sync::Arc};

use embedded::{
    DataDir, GitRepositories, ManualClock, Objects, SeededRandom, Store,
    store::{Fault, Faults},
};
use model::{
    ActionOutput, Execution, Input, PipelineDeclaration, Timestamp,
    job::{ActionResult, ErrorDetails},
    state::SourceRevision,
};
use operations::{Caller, CreatePipeline, apply_inputs, create_pipeline};
use ports::{
    Account, World,
    nobody::Nobody,
    objects::{ObjectMetadata, PutObject},
    store::Commit,
};
use source_trigger::{Event, Started, TriggerError, handle};
use tempfile::TempDir;

pub(crate) struct Bench {
    pub(crate) world: World,
    folder: TempDir,
}

impl Bench {
    /// With the empty bucket `incoming`.
    pub(crate) async fn new() -> Self {
        let store = Store::in_memory().expect("it can be opened");
        let store = store.with_faults(Box::new(NoStartOfBroken));
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        Self::on(store, folder).await
    }

    /// The same bench with its pipelines in a file, among them one that cannot be read any more.
    pub(crate) async fn with_one_damaged(pipelines: &[&str], damaged: &str, looks: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let path = folder.path().join("data");
        let open = || {
            let data = DataDir::open(&path).expect("it can be held");
            Store::open(&data).expect("it can be opened")
        };
        let bench = Self::on(open(), folder).await;
        for name in pipelines {
            bench.pipeline(name, "V2", &[("S3", looks)]).await;
        }
        let Self { world, folder } = bench;
        drop(world);
        let file = path.join("pipewright.db");
        let file = rusqlite::Connection::open(file).expect("it is a database");
        let sql = "UPDATE pipeline SET head = x'00' WHERE name = ?1";
        assert_eq!(file.execute(sql, [damaged]).expect("it is written"), 1);
        drop(file);
        Self::on(open(), folder).await
    }

    async fn on(store: Store, folder: TempDir) -> Self {
        let clock = Arc::new(ManualClock::new(Timestamp(1_547_106_937_000)));
        let objects = Objects::temporary(clock.clone()).expect("it can be opened");
        let store = Arc::new(store);
        let world = World {
            account: Arc::new(Account {
                id: "111122223333".to_owned(),
                region: "us-east-1".to_owned(),
            }),
            clock,
            random: Arc::new(SeededRandom::new(1)),
            pipelines: store.clone(),
            objects: Arc::new(objects),
            queues: Arc::new(Nobody),
            bus: Arc::new(Nobody),
            builds: Arc::new(Nobody),
            projects: store,
            repositories: Arc::new(GitRepositories::new(BTreeMap::new(), folder.path())),
        };
        let created = world.objects.create_bucket("incoming").await;
        created.expect("a bucket can be made");
        Self { world, folder }
    }

    /// A pipeline with source actions of that provider and configuration, and an approval.
    pub(crate) async fn pipeline(&self, name: &str, version: &str, sources: &[(&str, &str)]) {
        let action = |at: usize, provider: &str, configuration: &str| {
            format!(
                r#"{{"name": "Source{at}",
                    "actionTypeId": {{"category": "Source", "owner": "AWS",
                                     "provider": "{provider}", "version": "1"}},
                    "configuration": {configuration},
                    "outputArtifacts": [{{"name": "Out{at}"}}]}}"#
            )
        };
        let sources = sources.iter().enumerate();
        let sources: Vec<String> = sources.map(|(at, (p, c))| action(at, p, c)).collect();
        let json = format!(
            r#"{{"name": "{name}", "pipelineType": "{version}",
                "roleArn": "arn:aws:iam::111122223333:role/pipeline",
                "artifactStore": {{"type": "S3", "location": "artifacts"}},
                "stages": [
                  {{"name": "Source", "actions": [{}]}},
                  {{"name": "Release", "actions": [{{"name": "Approve",
                    "actionTypeId": {{"category": "Approval", "owner": "AWS",
                                     "provider": "Manual", "version": "1"}}}}]}}]}}"#,
            sources.join(",")
        );
        let declaration: PipelineDeclaration = serde_json::from_str(&json).expect("it is one");
        let request = CreatePipeline {
            declaration,
            tags: Vec::new(),
            starts: false,
            by: Caller::owner("test"),
        };
        let created = create_pipeline(&self.world, request).await;
        created.expect("it is accepted");
    }

    /// Puts a new version of an object of the bucket `incoming`, and gives its id.
    pub(crate) async fn put(&self, key: &str, content: &str) -> String {
        let from = self.folder.path().join("to-put");
        fs::write(&from, content).expect("the folder can be written");
        let object = PutObject {
            bucket: "incoming",
            key,
            from: &from,
            metadata: ObjectMetadata::default(),
            create_only: false,
        };
        let info = self.world.objects.put(object).await;
        info.expect("an object can be put").version_id
    }

    pub(crate) async fn handle(&self, event: Event) -> Result<Vec<Started>, TriggerError> {
        handle(&self.world, event).await
    }

    /// The pipelines that a poll starts.
    pub(crate) async fn poll(&self) -> Vec<String> {
        names(self.handle(Event::Poll).await.expect("it is handled"))
    }

    /// The executions of a pipeline, newest first.
    pub(crate) async fn executions(&self, pipeline: &str) -> Vec<Arc<Execution>> {
        let store = &self.world.pipelines;
        let all = store.executions(pipeline, u64::MAX, 100).await;
        all.expect("they can be read")
    }

    /// Ends the open source actions: with these revisions, or in failure.
    pub(crate) async fn finish(&self, revisions: &[(&str, &str)]) {
        let jobs = self.world.pipelines.open_jobs(None, 100).await;
        for job in jobs.expect("they can be read") {
            let found = revisions
                .iter()
                .find(|(action, _)| *action == job.key.action);
            let result = match found {
                Some((_, revision)) => ActionResult::Succeeded(ActionOutput {
                    revision: Some(SourceRevision {
                        revision_id: (*revision).to_owned(),
                        revision_summary: None,
                        revision_url: None,
                        revision_change_identifier: None,
                        created: None,
                    }),
                    ..ActionOutput::default()
                }),
                None => ActionResult::Failed {
                    error: ErrorDetails::job_failed("it does not work"),
                    output: ActionOutput::default(),
                },
            };
            let key = job.key.clone();
            let pipeline = key.pipeline.clone();
            let input = Input::ActionFinished { key, result };
            let applied = apply_inputs(&self.world, &pipeline, &[input]).await;
            applied.expect("the engine takes it");
        }
    }
}

pub(crate) fn names(started: Vec<Started>) -> Vec<String> {
    started.into_iter().map(|one| one.pipeline).collect()
}

/// The pipeline `broken` cannot be started.
struct NoStartOfBroken;

impl Faults for NoStartOfBroken {
    fn of_commit(&self, commit: &Commit) -> Option<Fault> {
        let is_start = commit.audit.cause == "StartPipelineExecution";
        (is_start && commit.state.head.pipeline == "broken").then_some(Fault::Unavailable)
    }
}
