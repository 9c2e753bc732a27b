//! A pipeline `web` in a world of real adapters, with an approval that waits for an answer.

use std::{collections::BTreeMap, sync::Arc};

use access::link::{ApprovalLink, LinkKey};
use approval_callback::{Callback, handle};
use bytes::Bytes;
use embedded::{GitRepositories, ManualClock, Objects, SeededRandom, Store};
use http::{Request, Response};
use model::{
    ActionOutput, ActionStatus, AttemptKey, Execution, ExecutionId, Input, PipelineDeclaration,
    PipelineState, Timestamp, derive,
    input::Start,
    job::ActionResult,
    state::{SourceRevision, Trigger, TriggerType},
};
use ports::{Account, Decision, Request as Ask, World, nobody::Nobody, update};
use tempfile::TempDir;
use uuid::Uuid;

/// The execution that the samples speak of.
pub(crate) const EXECUTION: ExecutionId =
    ExecutionId(Uuid::from_u128(0x0000_0000_0000_4000_8000_0000_0000_0001));

pub(crate) const NOW: Timestamp = Timestamp(1_547_106_937_000);

/// Seven days after the approval began.
pub(crate) const EXPIRES: Timestamp = Timestamp(NOW.0 + 7 * 24 * 60 * 60 * 1_000);

pub(crate) struct Bench {
    pub(crate) callback: Callback,
    pub(crate) clock: ManualClock,
    store: Store,
    _folder: TempDir,
}

impl Bench {
    /// What is approved is described by this configuration.
    pub(crate) async fn with(configuration: &str, summary: &str) -> Self {
        let clock = ManualClock::new(NOW);
        let store = Store::in_memory().expect("it can be opened");
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let world = World {
            account: Arc::new(Account {
                id: "000000000000".to_owned(),
                region: "us-east-1".to_owned(),
            }),
            objects: Arc::new(Objects::temporary(Arc::new(clock.clone())).expect("it opens")),
            clock: Arc::new(clock.clone()),
            random: Arc::new(SeededRandom::new(1)),
            pipelines: Arc::new(store.clone()),
            queues: Arc::new(Nobody),
            bus: Arc::new(Nobody),
            builds: Arc::new(Nobody),
            projects: Arc::new(store.clone()),
            repositories: Arc::new(GitRepositories::new(BTreeMap::new(), folder.path())),
        };
        let callback = Callback {
            world,
            key: LinkKey::new([7; 32]),
            origin: "https://ci.example.org".to_owned(),
        };
        let bench = Self {
            callback,
            clock,
            store,
            _folder: folder,
        };
        let declaration = Arc::new(declaration(configuration));
        bench.step(&Input::DefinitionChanged { declaration }).await;
        bench.begin(EXECUTION, summary).await;
        bench
    }

    pub(crate) async fn new() -> Self {
        let configuration = r#"{"CustomData": "Version 7, see the notes",
            "ExternalEntityLink": "https://example.org/notes/7"}"#;
        Self::with(configuration, "Repair the login").await
    }

    /// An execution whose source was fetched.
    pub(crate) async fn begin(&self, execution: ExecutionId, summary: &str) {
        let secret = Uuid::from_u128(2);
        let start = Start {
            execution,
            secret,
            trigger: Trigger {
                kind: TriggerType::StartPipelineExecution,
                detail: "arn:aws:iam::000000000000:user/ann".to_owned(),
            },
            variables: BTreeMap::new(),
            overrides: Vec::new(),
        };
        self.step(&Input::Start(Box::new(start))).await;
        let key = AttemptKey {
            pipeline: "web".to_owned(),
            execution,
            stage: "Source".to_owned(),
            action: "Fetch".to_owned(),
            attempt: 1,
            token: derive::attempt_token(secret, "Source", "Fetch", 1),
        };
        let result = ActionResult::Succeeded(ActionOutput {
            revision: Some(SourceRevision {
                revision_id: "c0ffee0123456789".to_owned(),
                revision_summary: Some(summary.to_owned()),
                revision_url: None,
                revision_change_identifier: None,
                created: None,
            }),
            ..ActionOutput::default()
        });
        self.step(&Input::ActionFinished { key, result }).await;
    }

    /// Commits what the engine makes of an input.
    pub(crate) async fn step(&self, input: &Input) {
        let request = Ask {
            create: true,
            also: Some(EXECUTION),
            ..Ask::default()
        };
        let decide = |state: &mut PipelineState, now| {
            let effects = engine::step(state, input, now)?;
            let deadline = engine::deadline(state);
            Ok(Decision { effects, deadline })
        };
        let updated = update(&self.callback.world, "web", request, decide).await;
        updated.expect("the input is accepted");
    }

    pub(crate) fn token(&self) -> String {
        self.callback.key.sign(&link())
    }

    pub(crate) async fn send(&self, request: Request<Bytes>) -> Response<Bytes> {
        handle(&self.callback, request).await
    }

    pub(crate) async fn get(&self, token: &str) -> (u16, String) {
        let request = Request::get(format!("/approvals/{token}"));
        let request = request.body(Bytes::new()).expect("a request");
        text(&self.send(request).await)
    }

    pub(crate) async fn post(&self, token: &str, body: &str) -> (u16, String) {
        let request = Request::post(format!("/approvals/{token}"))
            .header("content-type", "application/x-www-form-urlencoded")
            .header("sec-fetch-site", "same-origin");
        let request = request.body(Bytes::from(body.to_owned()));
        text(&self.send(request.expect("a request")).await)
    }

    pub(crate) async fn execution(&self) -> Execution {
        let store = &self.callback.world.pipelines;
        let execution = store.execution("web", EXECUTION).await;
        let execution = execution.expect("the store answers");
        Execution::clone(&execution.expect("it is there"))
    }

    /// Ends the store; whoever asks it anything hears that it is closed.
    pub(crate) fn crash(&self) {
        drop(self.store.clone().crash().expect("it can be opened again"));
    }

    /// The status of the approval.
    pub(crate) async fn status(&self) -> ActionStatus {
        self.execution().await.stages["Release"].actions["Approve"].status
    }

    /// Everything that the store has, as text.
    pub(crate) async fn everything(&self) -> String {
        let rows = self.store.load_from_rows("web").expect("it can be read");
        let pipelines = &self.callback.world.pipelines;
        let executions = pipelines.executions("web", u64::MAX, 100).await;
        let attempts = pipelines.action_executions("web", EXECUTION).await;
        let journal = pipelines.journal(0, 1_000).await;
        let outboxes = pipelines.undelivered(1_000).await;
        let left = outboxes.expect("they can be read").len();
        format!(
            "{rows:?} {:?} {:?} {:?} {left}",
            executions.expect("they can be read"),
            attempts.expect("they can be read"),
            journal.expect("it can be read"),
        )
    }
}

/// The link that was sent.
pub(crate) fn link() -> ApprovalLink {
    ApprovalLink {
        pipeline: "web".to_owned(),
        execution: EXECUTION,
        stage: "Release".to_owned(),
        action: "Approve".to_owned(),
        attempt: 1,
        recipient: "ann@example.org".to_owned(),
        expires: EXPIRES,
    }
}

pub(crate) fn text(response: &Response<Bytes>) -> (u16, String) {
    let body = String::from_utf8(response.body().to_vec()).expect("pages are text");
    (response.status().as_u16(), body)
}

fn declaration(configuration: &str) -> PipelineDeclaration {
    let json = format!(
        r#"{{"name": "web", "pipelineType": "V2",
            "roleArn": "arn:aws:iam::000000000000:role/pipeline",
            "artifactStore": {{"type": "S3", "location": "artifacts"}},
            "stages": [{{"name": "Source", "actions": [{{"name": "Fetch", "actionTypeId":
                {{"category": "Source", "owner": "AWS", "provider": "S3", "version": "1"}}}}]}},
              {{"name": "Release", "actions": [{{"name": "Approve", "actionTypeId":
                {{"category": "Approval", "owner": "AWS", "provider": "Manual", "version": "1"}},
                "configuration": {configuration}}}]}}]}}"#
    );
    serde_json::from_str(&json).expect("it is a declaration")
}
