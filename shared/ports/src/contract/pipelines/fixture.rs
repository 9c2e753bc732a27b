//! A small pipeline, and commits on it.

use std::{collections::BTreeMap, sync::Arc};

use model::{
    ActionOutput, ActionStatus, ActionUpdate, AttemptKey, Change, Execution, ExecutionId,
    ExecutionStatus, Job, PipelineDeclaration, PipelineState, StageStatus, Subject, Timestamp,
    change::EventState,
    declaration::{ActionCategory, ActionOwner, ActionTypeId, ExecutionMode},
    derive,
    state::{ActionState, Position, StageExecution, Trigger, TriggerType},
};
use uuid::Uuid;

use crate::store::{Audit, Commit, Doer, Loaded, Message, PipelineStore};

pub const PIPELINE: &str = "contract";
pub const STAGE: &str = "Build";
pub const ACTION: &str = "compile";
pub const SECRET: Uuid = Uuid::from_u128(0x005E_C2E7);

pub fn id(number: u128) -> ExecutionId {
    ExecutionId(Uuid::from_u128(number))
}

pub fn declaration() -> PipelineDeclaration {
    let json = r#"{
        "name": "contract", "roleArn": "arn:aws:iam::111122223333:role/r",
        "artifactStore": { "type": "S3", "location": "artifacts" },
        "stages": [{ "name": "Build", "actions": [{
            "name": "compile", "namespace": "BuildVariables",
            "actionTypeId": {
                "category": "Build", "owner": "AWS", "provider": "CodeBuild", "version": "1"
            }
        }] }]
    }"#;
    serde_json::from_str(json).expect("the declaration above is one")
}

/// A pipeline with one definition and no execution.
pub fn new_pipeline(pipeline: &str) -> Commit {
    let mut state = PipelineState::empty(pipeline);
    state.head.definition = 1;
    state.definitions.insert(1, Arc::new(declaration()));
    let mut commit = blank(&Loaded {
        state,
        version: 0,
        commit: Uuid::nil(),
    });
    commit.new_definition = true;
    commit
}

/// The next commit on what was loaded, which changes nothing yet.
pub fn blank(loaded: &Loaded) -> Commit {
    let number = u128::from(loaded.version);
    let name = loaded
        .state
        .head
        .pipeline
        .bytes()
        .map(u128::from)
        .sum::<u128>();
    Commit {
        id: Uuid::from_u128((name << 64) | (number + 1)),
        expected_version: loaded.version,
        expected_commit: loaded.commit,
        state: loaded.state.clone(),
        changed: Vec::new(),
        new_definition: false,
        new_tags: false,
        gone: false,
        begun: Vec::new(),
        updates: Vec::new(),
        outbox: Vec::new(),
        token: None,
        deadline: None,
        audit: Audit {
            at: Timestamp(1_000 + i64::try_from(number).expect("few commits")),
            by: "tester".to_owned(),
            cause: "Test".to_owned(),
        },
    }
}

pub fn execution(number: u128, sequence: u64) -> Execution {
    Execution {
        id: id(number),
        sequence,
        definition: 1,
        mode: ExecutionMode::Superseded,
        status: ExecutionStatus::InProgress,
        status_summary: None,
        trigger: Trigger {
            kind: TriggerType::StartPipelineExecution,
            detail: "t".to_owned(),
        },
        started: Timestamp(1),
        updated: Timestamp(1),
        position: Position::Inside { stage: 0 },
        variables: BTreeMap::new(),
        overrides: Vec::new(),
        revisions: BTreeMap::new(),
        stages: BTreeMap::new(),
        stop: None,
        cancelling: false,
        attempt: 1,
        changes: 0,
        secret: SECRET,
    }
}

/// A commit that begins an execution with one action in progress, done by a worker.
pub fn begin(loaded: &Loaded, number: u128) -> (Commit, Arc<Job>) {
    let mut commit = blank(loaded);
    let sequence = commit.state.head.sequence + 1;
    commit.state.head.sequence = sequence;
    let mut execution = execution(number, sequence);
    let action = ActionState {
        attempt: 1,
        status: ActionStatus::InProgress,
        started: Timestamp(1),
        updated: Timestamp(1),
        until: Some(Timestamp(9)),
        rerun: false,
        decided: false,
        outputs: Arc::default(),
    };
    let stage = StageExecution {
        status: StageStatus::InProgress,
        entered: Timestamp(1),
        actions: BTreeMap::from([(ACTION.to_owned(), action)]),
        retry: None,
    };
    execution.stages.insert(STAGE.to_owned(), stage);
    commit
        .state
        .executions
        .insert(id(number), Arc::new(execution));
    commit.changed.push(id(number));
    let job = Arc::new(job(&commit.state.head.pipeline, number));
    commit.begun.push((Arc::clone(&job), Doer::Worker));
    commit.outbox.push(Message::Job(Arc::clone(&job)));
    (commit, job)
}

pub fn job(pipeline: &str, number: u128) -> Job {
    Job {
        key: AttemptKey {
            pipeline: pipeline.to_owned(),
            execution: id(number),
            stage: STAGE.to_owned(),
            action: ACTION.to_owned(),
            attempt: 1,
            token: derive::attempt_token(SECRET, STAGE, ACTION, 1),
        },
        action_execution_id: derive::action_execution_id(id(number), STAGE, ACTION, 1),
        action_type: ActionTypeId {
            category: ActionCategory::Build,
            owner: ActionOwner::Aws,
            provider: "CodeBuild".to_owned(),
            version: "1".to_owned(),
        },
        pipeline_version: 1,
        configuration: BTreeMap::new(),
        commands: Vec::new(),
        environment_variables: Vec::new(),
        output_variables: Vec::new(),
        inputs: Vec::new(),
        outputs: Vec::new(),
        role_arn: "r".to_owned(),
        region: None,
        overrides: Vec::new(),
        started: Timestamp(1),
        until: Timestamp(9),
    }
}

/// A commit that ends the action of [`begin`]; the execution goes on.
pub fn finish(loaded: &Loaded, number: u128) -> Commit {
    let mut commit = blank(loaded);
    let outputs = Arc::new(BTreeMap::from([("digest".to_owned(), "abc".to_owned())]));
    let shared = commit
        .state
        .executions
        .get_mut(&id(number))
        .expect("it was begun");
    let execution = Arc::make_mut(shared);
    let stage = execution.stages.get_mut(STAGE).expect("it was begun");
    let action = stage.actions.get_mut(ACTION).expect("it was begun");
    action.status = ActionStatus::Succeeded;
    action.until = None;
    action.outputs = Arc::clone(&outputs);
    commit.changed.push(id(number));
    commit
        .updates
        .push(update(number, ActionStatus::Succeeded, |output| {
            output.variables = outputs;
        }));
    commit
}

pub fn update(
    number: u128,
    status: ActionStatus,
    fill: impl FnOnce(&mut ActionOutput),
) -> ActionUpdate {
    let mut output = ActionOutput::default();
    fill(&mut output);
    ActionUpdate {
        execution: id(number),
        stage: STAGE.to_owned(),
        action: ACTION.to_owned(),
        attempt: 1,
        action_execution_id: derive::action_execution_id(id(number), STAGE, ACTION, 1),
        status,
        at: Timestamp(5),
        by: None,
        error: None,
        output,
    }
}

pub async fn load(store: &dyn PipelineStore, pipeline: &str) -> Loaded {
    let loaded = store.load(pipeline, None).await.expect("the store reads");
    loaded.expect("the pipeline was created")
}

/// Creates the pipeline and begins execution 1.
pub async fn begun(store: &dyn PipelineStore) -> Arc<Job> {
    store
        .commit(new_pipeline(PIPELINE))
        .await
        .expect("a new pipeline is created");
    let (commit, job) = begin(&load(store, PIPELINE).await, 1);
    store.commit(commit).await.expect("nobody else commits");
    job
}

/// Attempt `attempt` of the action: begins in `commit`, done by `doer`.
pub fn begin_again(commit: &mut Commit, number: u128, attempt: u32, doer: Doer) -> Arc<Job> {
    let execution = commit.state.executions.get_mut(&id(number));
    let execution = Arc::make_mut(execution.expect("it was begun"));
    execution.status = ExecutionStatus::InProgress;
    let stage = execution.stages.get_mut(STAGE).expect("it was begun");
    let action = stage.actions.get_mut(ACTION).expect("it was begun");
    action.attempt = attempt;
    action.status = ActionStatus::InProgress;
    action.until = Some(Timestamp(9));
    action.outputs = Arc::default();
    let mut job = job(&commit.state.head.pipeline, number);
    job.key.attempt = attempt;
    job.key.token = derive::attempt_token(SECRET, STAGE, ACTION, attempt);
    job.action_execution_id = derive::action_execution_id(id(number), STAGE, ACTION, attempt);
    let job = Arc::new(job);
    commit.changed.push(id(number));
    commit.begun.push((Arc::clone(&job), doer));
    job
}

pub fn change(number: u128, sequence: u32) -> Change {
    Change {
        pipeline: PIPELINE.to_owned(),
        execution: id(number),
        sequence,
        at: Timestamp(5),
        pipeline_version: 1,
        attempt: 1,
        started: Timestamp(1),
        subject: Subject::Pipeline {
            state: EventState::Started,
            trigger: None,
            comment: None,
        },
    }
}

/// The status of an execution that ends with `commit`.
pub fn end(commit: &mut Commit, number: u128, status: ExecutionStatus) {
    let execution = commit.state.executions.get_mut(&id(number));
    Arc::make_mut(execution.expect("it was begun")).status = status;
}
