//! A pipeline `web` in a world of real adapters, whose first build is under way; what is handed out
//! can be read.

use std::{
    collections::BTreeMap,
    fmt::Write,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use embedded::{GitRepositories, ManualClock, Objects, SeededRandom, Store};
use model::{
    ActionOutput, AttemptKey, Change, ExecutionId, Input, Job, PipelineDeclaration, PipelineState,
    Subject, Timestamp,
    build::{BuildOrder, BuildState},
    derive,
    effect::ApprovalRequest,
    input::Start,
    job::ActionResult,
    state::{Trigger, TriggerType},
};
use ports::{
    Account, BuildRunner, Decision, EventBus, Queues, Request, StoreError, World,
    builds::BuildError, deliver, update,
};
use tempfile::TempDir;
use uuid::Uuid;

/// The execution that the samples speak of, and the secret that its tokens follow from.
pub(crate) const EXECUTION: ExecutionId =
    ExecutionId(Uuid::from_u128(0x0000_0000_0000_4000_8000_0000_0000_0001));
const SECRET: Uuid = Uuid::from_u128(0x0000_0000_0000_4000_8000_0000_0000_0002);

const STARTED: Timestamp = Timestamp(1_547_106_937_000);

pub(crate) struct Bench {
    pub(crate) world: World,
    clock: ManualClock,
    told: Arc<Told>,
    _folder: TempDir,
}

/// What was handed out, in order.
#[derive(Default)]
struct Told(Mutex<Vec<String>>);

impl Bench {
    /// The source was fetched and its build has begun; of that nothing was handed out yet.
    pub(crate) async fn new() -> Self {
        let clock = ManualClock::new(STARTED);
        let store = Arc::new(Store::in_memory().expect("it can be opened"));
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let told = Arc::new(Told::default());
        let world = World {
            account: Arc::new(Account {
                id: "111122223333".to_owned(),
                region: "us-east-1".to_owned(),
            }),
            objects: Arc::new(Objects::temporary(Arc::new(clock.clone())).expect("it opens")),
            clock: Arc::new(clock.clone()),
            random: Arc::new(SeededRandom::new(1)),
            pipelines: store.clone(),
            queues: told.clone(),
            bus: told.clone(),
            builds: told.clone(),
            projects: store,
            repositories: Arc::new(GitRepositories::new(BTreeMap::new(), folder.path())),
        };
        let bench = Self {
            world,
            clock,
            told,
            _folder: folder,
        };
        bench.begin().await;
        bench
    }

    async fn begin(&self) {
        let declaration = Arc::new(declaration());
        self.step(&Input::DefinitionChanged { declaration }).await;
        self.step(&Input::Start(Box::new(start()))).await;
        let key = AttemptKey {
            pipeline: "web".to_owned(),
            execution: EXECUTION,
            stage: "Source".to_owned(),
            action: "Fetch".to_owned(),
            attempt: 1,
            token: derive::attempt_token(SECRET, "Source", "Fetch", 1),
        };
        let result = ActionResult::Succeeded(ActionOutput::default());
        self.step(&Input::ActionFinished { key, result }).await;
    }

    /// Commits what the engine makes of an input; its orders stay in the outbox.
    async fn step(&self, input: &Input) {
        let request = Request {
            create: true,
            ..Request::default()
        };
        let decide = |state: &mut PipelineState, now| {
            let effects = engine::step(state, input, now)?;
            let deadline = engine::deadline(state);
            Ok(Decision { effects, deadline })
        };
        let updated = update(&self.world, "web", request, decide).await;
        updated.expect("the input is accepted");
    }

    pub(crate) fn wait(&self, minutes: u64) {
        self.clock.advance(Duration::from_mins(minutes));
    }

    /// Hands out what is left and forgets it: what comes next is of the event alone.
    pub(crate) async fn hand_out(&self) {
        let left = self.world.pipelines.undelivered(100).await;
        for outbox in left.expect("the store answers") {
            deliver(&self.world, outbox).await.expect("it is delivered");
        }
        self.told.lock().clear();
    }

    /// What was handed out, and how the execution stands.
    pub(crate) async fn shown(&self) -> String {
        let mut text = String::new();
        for line in &*self.told.lock() {
            let _ = writeln!(text, "{line}");
        }
        let execution = self.world.pipelines.execution("web", EXECUTION).await;
        let execution = execution.expect("the store answers").expect("it is there");
        let _ = writeln!(text, "= {:?}", execution.status);
        text
    }
}

impl Told {
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, line: String) {
        self.lock().push(line);
    }
}

fn start() -> Start {
    Start {
        execution: EXECUTION,
        secret: SECRET,
        trigger: Trigger {
            kind: TriggerType::StartPipelineExecution,
            detail: "arn:aws:iam::111122223333:user/ann".to_owned(),
        },
        variables: BTreeMap::new(),
        overrides: Vec::new(),
    }
}

fn declaration() -> PipelineDeclaration {
    let action = |name: &str, category: &str, provider: &str| {
        format!(
            r#"{{"name": "{name}", "actionTypeId": {{"category": "{category}", "owner": "AWS",
                "provider": "{provider}", "version": "1"}}}}"#
        )
    };
    let json = format!(
        r#"{{"name": "web", "pipelineType": "V2",
            "roleArn": "arn:aws:iam::111122223333:role/pipeline",
            "artifactStore": {{"type": "S3", "location": "artifacts"}},
            "stages": [{{"name": "Source", "actions": [{}]}},
                       {{"name": "Build", "actions": [{}]}},
                       {{"name": "Release", "actions": [{}]}}]}}"#,
        action("Fetch", "Source", "S3"),
        action("Test", "Test", "CodeBuild"),
        action("Approve", "Approval", "Manual"),
    );
    serde_json::from_str(&json).expect("it is a declaration")
}

#[async_trait]
impl Queues for Told {
    async fn offer(&self, job: Arc<Job>) -> Result<(), StoreError> {
        let key = &job.key;
        self.note(format!(
            "offer {}/{}#{}",
            key.stage, key.action, key.attempt
        ));
        Ok(())
    }

    async fn cancel(&self, key: &AttemptKey) -> Result<(), StoreError> {
        self.note(format!(
            "cancel {}/{}#{}",
            key.stage, key.action, key.attempt
        ));
        Ok(())
    }

    async fn send(&self, _: &str, _: Input) -> Result<(), StoreError> {
        self.note("send".to_owned());
        Ok(())
    }
}

#[async_trait]
impl EventBus for Told {
    async fn publish(&self, changes: &[Change]) -> Result<(), StoreError> {
        for change in changes {
            self.note(match &change.subject {
                Subject::Pipeline { state, .. } => format!("{state:?}"),
                Subject::Stage { stage, state, .. } => format!("{stage} {state:?}"),
                Subject::Action(action) => {
                    format!("{}/{} {:?}", action.stage, action.action, action.state)
                }
            });
        }
        Ok(())
    }

    async fn ask(&self, request: &ApprovalRequest) -> Result<(), StoreError> {
        let key = &request.key;
        self.note(format!("ask {}/{}#{}", key.stage, key.action, key.attempt));
        Ok(())
    }
}

#[async_trait]
impl BuildRunner for Told {
    async fn start(&self, _: BuildOrder) -> Result<(), BuildError> {
        Ok(())
    }

    async fn state(&self, _: &str) -> Result<BuildState, BuildError> {
        Ok(BuildState::Unknown)
    }

    async fn stop(&self, _: &str) -> Result<(), BuildError> {
        Ok(())
    }
}
