//! A commit made into rows, by whoever submits it, so that the writer only writes.

use std::sync::Arc;

use model::{ActionUpdate, Execution, ExecutionId, PipelineState, Timestamp, derive};
use ports::{
    StoreError,
    store::{Commit, Doer, Message, merged},
};
use uuid::Uuid;

use super::{
    database::corrupt,
    rows::{
        BEGUN_MAX, Entry, HEAD_BYTES_MAX, ITEM_BYTES_MAX, JOURNAL_BYTES_MAX, Order, encoded,
        of_attempt, of_execution,
    },
};

pub(super) struct Prepared {
    pub(super) id: Uuid,
    pub(super) expected_version: u64,
    pub(super) expected_commit: Uuid,
    /// The pipeline with its live executions, as a load gives it after the commit.
    pub(super) after: Arc<PipelineState>,
    pub(super) deadline: Option<Timestamp>,
    pub(super) head: Vec<u8>,
    pub(super) definition: Option<(u32, Vec<u8>)>,
    /// The pipeline's tags, when they are new.
    pub(super) tags: Option<Vec<u8>>,
    /// The pipeline goes.
    pub(super) gone: bool,
    pub(super) executions: Vec<ExecutionRow>,
    pub(super) begun: Vec<BegunRow>,
    pub(super) news: Vec<News>,
    pub(super) token: Option<(String, ExecutionId)>,
    pub(super) entry: Vec<u8>,
    pub(super) outbox: Option<Vec<u8>>,
}

pub(super) struct ExecutionRow {
    pub(super) id: ExecutionId,
    pub(super) sequence: u32,
    /// The attempts whose output variables are part of its state.
    pub(super) with_outputs: Vec<Uuid>,
    pub(super) body: Vec<u8>,
}

pub(super) struct BegunRow {
    pub(super) execution: ExecutionId,
    pub(super) id: Uuid,
    pub(super) is_open: bool,
    pub(super) job: Vec<u8>,
}

/// What a commit tells of an attempt, all its updates in one.
pub(super) struct News {
    pub(super) execution: ExecutionId,
    pub(super) id: Uuid,
    pub(super) update: ActionUpdate,
    pub(super) body: Vec<u8>,
}

impl Prepared {
    pub(super) fn new(commit: Commit) -> Result<Self, StoreError> {
        let pipeline = &commit.state.head.pipeline;
        let of_head = || format!("head of pipeline `{pipeline}`");
        let head = encoded(&commit.state.head, of_head, HEAD_BYTES_MAX)?;
        let (entry, outbox) = journal(&commit)?;
        let definition = definition(&commit)?;
        let tags = tags(&commit)?;
        let executions = executions(&commit)?;
        let begun = begun(&commit)?;
        let news = news(commit.updates)?;
        let mut state = commit.state;
        state.executions.retain(|_, execution| execution.is_live());
        let in_use = state.definitions_in_use();
        state
            .definitions
            .retain(|version, _| in_use.contains(version));
        Ok(Self {
            id: commit.id,
            expected_version: commit.expected_version,
            expected_commit: commit.expected_commit,
            after: Arc::new(state),
            deadline: commit.deadline,
            head,
            definition,
            tags,
            gone: commit.gone,
            executions,
            begun,
            news,
            token: commit.token,
            entry,
            outbox,
        })
    }
}

fn definition(commit: &Commit) -> Result<Option<(u32, Vec<u8>)>, StoreError> {
    if !commit.new_definition {
        return Ok(None);
    }
    let head = &commit.state.head;
    let what = || {
        format!(
            "version {} of pipeline `{}`",
            head.definition, head.pipeline
        )
    };
    let declaration = commit.state.current_definition();
    let declaration = declaration.ok_or_else(|| corrupt(what(), "the commit does not have it"))?;
    let body = encoded(&**declaration, what, ITEM_BYTES_MAX)?;
    Ok(Some((head.definition, body)))
}

fn tags(commit: &Commit) -> Result<Option<Vec<u8>>, StoreError> {
    if !commit.new_tags {
        return Ok(None);
    }
    let what = || format!("tags of pipeline `{}`", commit.state.head.pipeline);
    encoded(&*commit.state.tags, what, ITEM_BYTES_MAX).map(Some)
}

fn executions(commit: &Commit) -> Result<Vec<ExecutionRow>, StoreError> {
    let row = |id: &ExecutionId| {
        let execution = commit.state.executions.get(id);
        let missing = || corrupt(of_execution(*id)(), "the commit does not have it");
        let execution = execution.ok_or_else(missing)?;
        let sequence = u32::try_from(execution.sequence);
        Ok(ExecutionRow {
            id: *id,
            sequence: sequence.map_err(|error| corrupt(of_execution(*id)(), error))?,
            with_outputs: with_outputs(execution),
            body: encoded(&**execution, of_execution(*id), ITEM_BYTES_MAX)?,
        })
    };
    commit.changed.iter().map(row).collect()
}

fn with_outputs(execution: &Execution) -> Vec<Uuid> {
    let mut attempts = Vec::new();
    for (stage, passage) in &execution.stages {
        for (action, state) in &passage.actions {
            if !state.outputs.is_empty() {
                let attempt = state.attempt;
                let id = derive::action_execution_id(execution.id, stage, action, attempt);
                attempts.push(id);
            }
        }
    }
    attempts
}

fn begun(commit: &Commit) -> Result<Vec<BegunRow>, StoreError> {
    if commit.begun.len() > BEGUN_MAX {
        return Err(StoreError::TooLarge {
            what: "list of attempts that one commit begins".to_owned(),
            bytes: commit.begun.len(),
            limit: BEGUN_MAX,
        });
    }
    let mut rows = Vec::with_capacity(commit.begun.len());
    for (job, doer) in &commit.begun {
        let id = job.action_execution_id;
        rows.push(BegunRow {
            execution: job.key.execution,
            id,
            is_open: *doer == Doer::Worker,
            job: encoded(
                &**job,
                || format!("job of {}", of_attempt(id)()),
                ITEM_BYTES_MAX,
            )?,
        });
    }
    Ok(rows)
}

fn news(updates: Vec<ActionUpdate>) -> Result<Vec<News>, StoreError> {
    let mut latest: Vec<ActionUpdate> = Vec::with_capacity(updates.len());
    for update in updates {
        let of_same =
            |other: &&mut ActionUpdate| other.action_execution_id == update.action_execution_id;
        match latest.iter_mut().find(of_same) {
            Some(earlier) => *earlier = merged(earlier, update),
            None => latest.push(update),
        }
    }
    let prepare = |update: ActionUpdate| {
        let (execution, id) = (update.execution, update.action_execution_id);
        let body = encode_news(&update)?;
        Ok(News {
            execution,
            id,
            update,
            body,
        })
    };
    latest.into_iter().map(prepare).collect()
}

pub(super) fn encode_news(update: &ActionUpdate) -> Result<Vec<u8>, StoreError> {
    encoded(
        update,
        of_attempt(update.action_execution_id),
        ITEM_BYTES_MAX,
    )
}

fn journal(commit: &Commit) -> Result<(Vec<u8>, Option<Vec<u8>>), StoreError> {
    let what = || format!("journal entry of commit {}", commit.id);
    let mut changes = Vec::new();
    let mut orders = Vec::with_capacity(commit.outbox.len());
    for message in &commit.outbox {
        orders.push(match message {
            Message::Job(job) => {
                let id = job.action_execution_id;
                let is_it = |(begun, _): &(Arc<_>, Doer)| {
                    let begun: &model::Job = begun;
                    begun.action_execution_id == id
                };
                let place = commit.begun.iter().position(is_it);
                place.map_or_else(|| Order::Job(Arc::clone(job)), Order::Begun)
            }
            Message::Cancel(key) => Order::Cancel(key.clone()),
            Message::Ask(request) => Order::Ask(request.clone()),
            Message::Change(change) => {
                changes.push(change.clone());
                Order::Change
            }
        });
    }
    let audit = commit.audit.clone();
    let entry = encoded(&Entry { audit, changes }, what, JOURNAL_BYTES_MAX)?;
    let outbox = if orders.is_empty() {
        None
    } else {
        Some(encoded(&orders, what, JOURNAL_BYTES_MAX)?)
    };
    Ok((entry, outbox))
}
