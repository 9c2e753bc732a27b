//! People and events: they start, stop, approve, retry, open, close and change, sensibly or not, and
//! say again what they are not sure was heard.

use std::collections::BTreeMap;

use model::{
    ExecutionId, Rejection, StageStatus,
    declaration::RetryMode,
    effect::ApprovalRequest,
    input::ApprovalDecision,
    state::{Trigger, TriggerType},
};
use operations::{
    Caller, OperationError, PutApprovalResult, RetryStageExecution, SetStageTransition,
    StartPipelineExecution, StopPipelineExecution, UpdatePipeline,
};
use ports::World;
use uuid::Uuid;

use crate::{
    chance::Chance,
    declarations,
    messages::Message,
    oracle::{Oracle, of_defect},
    scheduler::{Shared, State},
};

/// Something that somebody asks for.
#[derive(Clone, Debug)]
pub(crate) enum Ask {
    Start(StartPipelineExecution),
    Stop(StopPipelineExecution),
    Answer(PutApprovalResult),
    Retry(RetryStageExecution),
    Transition(SetStageTransition),
    Update(Box<UpdatePipeline>),
}

/// How many different tokens and events there are: few, so that they are repeated.
const TOKENS: u64 = 12;

/// Decides what somebody asks for next. Whoever asks has a name of its own, so that what it changed
/// is known.
pub(crate) fn draw(state: &mut State, pipelines: &[String], serial: u64) -> Option<Ask> {
    let by = format!("user-{serial}");
    let chance = &mut state.chance;
    let pipeline = chance.pick(pipelines)?.clone();
    let oracle = &state.oracle;
    match chance.below(100) {
        0..30 => Some(Ask::Start(a_start(chance, pipeline, by))),
        30..38 => {
            let id = Uuid::from_u128(chance.below(TOKENS).into());
            let bucket = declarations::bucket(&pipeline);
            state.send(0, &Message::Source(object_created(&bucket, id)));
            None
        }
        38..48 => {
            let execution = an_execution(chance, oracle, &pipeline)?;
            Some(Ask::Stop(StopPipelineExecution {
                pipeline,
                execution,
                abandon: chance.happens(400),
                reason: None,
                by: Caller::owner(by),
            }))
        }
        48..68 => answer(chance, oracle, by),
        68..86 => {
            let execution = an_execution(chance, oracle, &pipeline)?;
            let stage = a_stage(chance, oracle, &pipeline, execution)?;
            let mode = if chance.happens(600) {
                RetryMode::FailedActions
            } else {
                RetryMode::AllActions
            };
            Some(Ask::Retry(RetryStageExecution {
                pipeline,
                stage,
                execution,
                mode,
                by: Caller::owner(by),
            }))
        }
        86..96 => {
            let tracked = oracle.pipelines.get(&pipeline)?;
            let current = tracked
                .definitions
                .get(&tracked.head.as_ref()?.definition)?;
            let stage = chance.pick(&current.stages)?.name.clone();
            let enabled = chance.happens(600);
            Some(transition(pipeline, stage, enabled, by))
        }
        _ => {
            let declaration = declarations::draw(chance, &pipeline, serial);
            Some(Ask::Update(Box::new(UpdatePipeline {
                declaration,
                by: Caller::owner(by),
            })))
        }
    }
}

fn a_start(chance: &mut Chance, pipeline: String, by: String) -> StartPipelineExecution {
    let token = chance
        .happens(400)
        .then(|| format!("token-{}", chance.below(TOKENS)));
    StartPipelineExecution {
        pipeline,
        trigger: Trigger {
            kind: TriggerType::StartPipelineExecution,
            detail: token.clone().unwrap_or_else(|| by.clone()),
        },
        variables: BTreeMap::new(),
        source_revisions: Vec::new(),
        client_request_token: token,
        by: Caller::owner(by),
    }
}

pub(crate) fn transition(pipeline: String, stage: String, enabled: bool, by: String) -> Ask {
    let reason = (!enabled).then(|| format!("because of {by}"));
    Ask::Transition(SetStageTransition {
        pipeline,
        stage,
        enabled,
        reason,
        by: Caller::owner(by),
    })
}

/// One of the newest executions, mostly one that is not over.
fn an_execution(chance: &mut Chance, oracle: &Oracle, pipeline: &str) -> Option<ExecutionId> {
    let tracked = oracle.pipelines.get(pipeline)?;
    let mut all: Vec<_> = tracked.executions.values().collect();
    all.sort_by_key(|execution| std::cmp::Reverse(execution.sequence));
    let live: Vec<_> = all.iter().filter(|e| e.is_live()).take(8).collect();
    if !live.is_empty() && chance.happens(400) {
        return Some(chance.pick(&live)?.id);
    }
    all.truncate(8);
    Some(chance.pick(&all)?.id)
}

/// A stage that wants to be retried, if there is one.
fn a_stage(
    chance: &mut Chance,
    oracle: &Oracle,
    pipeline: &str,
    execution: ExecutionId,
) -> Option<String> {
    let execution = oracle.pipelines.get(pipeline)?.executions.get(&execution)?;
    let stages: Vec<_> = execution.stages.iter().collect();
    let ended = stages
        .iter()
        .find(|(_, s)| matches!(s.status, StageStatus::Failed | StageStatus::Stopped));
    if let Some((name, _)) = ended.filter(|_| chance.happens(850)) {
        return Some((*name).clone());
    }
    Some(chance.pick(&stages)?.0.clone())
}

/// An answer to one of the newest questions: mostly with its token, sometimes with another's.
fn answer(chance: &mut Chance, oracle: &Oracle, by: String) -> Option<Ask> {
    let newest: Vec<&ApprovalRequest> = oracle.asks.iter().rev().take(6).collect();
    let question = &chance.pick(&newest)?.key;
    let token = match chance.below(10) {
        0 => Uuid::from_u128(666),
        1 => chance.pick(&newest)?.key.token,
        _ => question.token,
    };
    Some(Ask::Answer(PutApprovalResult {
        pipeline: question.pipeline.clone(),
        stage: question.stage.clone(),
        action: question.action.clone(),
        token,
        approved: chance.happens(700),
        summary: String::new(),
        by: Caller::owner(by),
    }))
}

/// What an answer decides.
pub(crate) fn decision(request: &PutApprovalResult) -> ApprovalDecision {
    ApprovalDecision {
        stage: request.stage.clone(),
        action: request.action.clone(),
        token: request.token,
        approved: request.approved,
        summary: request.summary.clone(),
        by: request.by.arn().to_owned(),
    }
}

fn object_created(bucket: &str, id: Uuid) -> String {
    format!(
        r#"{{"version":"0","id":"{id}","detail-type":"Object Created","source":"aws.s3",
        "account":"111122223333","time":"2026-01-01T00:00:00Z","region":"eu-west-1","resources":[],
        "detail":{{"bucket":{{"name":"{bucket}"}},"object":{{"key":"app.zip"}}}}}}"#
    )
}

/// Carries out what was asked, and tells the oracle what was answered.
pub(crate) async fn carry_out(world: World, shared: Shared, ask: Ask) {
    let (by, what, answer) = match ask {
        Ask::Start(request) => return start(&world, &shared, request).await,
        Ask::Stop(request) => {
            let by = request.by.arn().to_owned();
            let answer = operations::stop_pipeline_execution(&world, request).await;
            (by, "a stop", answer)
        }
        Ask::Answer(request) => {
            let by = request.by.arn().to_owned();
            let answer = operations::put_approval_result(&world, request).await;
            (by, "an answer", answer.map(|_| ()))
        }
        Ask::Retry(request) => {
            let by = request.by.arn().to_owned();
            let answer = operations::retry_stage_execution(&world, request).await;
            (by, "a retry", answer)
        }
        Ask::Transition(request) => {
            let (by, enabled) = (request.by.arn().to_owned(), request.enabled);
            let answer = operations::set_stage_transition(&world, request).await;
            if enabled {
                // Opening what is open changes nothing.
                note(&shared, answer);
                return;
            }
            (by, "a transition", answer)
        }
        Ask::Update(request) => {
            let by = request.by.arn().to_owned();
            let answer = operations::update_pipeline(&world, *request).await;
            (by, "an update", answer.map(drop))
        }
    };
    if note(&shared, answer) {
        shared.lock().oracle.accepted(&by, what);
    }
}

async fn start(world: &World, shared: &Shared, request: StartPipelineExecution) {
    let pipeline = request.pipeline.clone();
    let token = request.client_request_token.clone();
    match operations::start_pipeline_execution(world, request).await {
        Ok(id) => shared
            .lock()
            .oracle
            .started(&pipeline, token.as_deref(), id),
        Err(error) => {
            note(shared, Err(error));
        }
    }
}

/// Whether the answer was yes; a defect is one of ours.
pub(crate) fn note(shared: &Shared, answer: Result<(), OperationError>) -> bool {
    let mut state = shared.lock();
    match answer {
        Ok(()) => true,
        Err(OperationError::Defect(what)) => {
            state.oracle.violated(of_defect(&what), what);
            false
        }
        Err(OperationError::Rejected(Rejection::Validation(what))) => {
            panic!("a user's request is not valid: {what}")
        }
        Err(OperationError::Invalid(problems)) => {
            panic!("a declaration is not valid: {problems:?}")
        }
        Err(
            OperationError::Rejected(_)
            | OperationError::Store(_)
            | OperationError::Busy
            | OperationError::Denied(_),
        ) => false,
    }
}
