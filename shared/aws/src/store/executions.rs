//! Executions as items: the live ones beside their pipeline's head, the ended ones by themselves.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use model::{Execution, ExecutionId, derive};
use ports::StoreError;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    attempts,
    memory::Memory,
    rows::{BODY, LIFE, VERSION},
};
use crate::{
    keys::{self, Key},
    table::{ITEM_BYTES_MAX, Item, Table},
};

/// How many bytes of output variables lie with their execution, so that one query loads all of it.
/// The others stay with the records of their attempts alone: of 1,000 actions each may put out 120 KB.
const OUTPUTS_BYTES_MAX: usize = 24 * 1024;

pub(super) const ID: &str = "id";
pub(super) const SEQUENCE: &str = "sequence";
const OUTPUTS: &str = "outputs";

type Variables = Arc<BTreeMap<String, String>>;

/// Output variables by stage and action; none where they are to be found with the attempt.
#[derive(Default, Serialize, Deserialize)]
struct Outputs(BTreeMap<String, BTreeMap<String, Option<Variables>>>);

/// The execution as an item at `key`, as the pipeline's commit `version` writes it.
pub(super) fn item(
    key: Key,
    execution: &Execution,
    life: u64,
    version: u64,
) -> Result<Item, StoreError> {
    let what = || format!("execution {}", execution.id);
    let item = Item::new(key)
        .text(ID, execution.id.to_string())
        .number(LIFE, life)
        .number(VERSION, version)
        .json(BODY, execution, what, ITEM_BYTES_MAX)?;
    let outputs = outputs(execution);
    if outputs.0.is_empty() {
        return Ok(item);
    }
    let what = || format!("list of output variables of execution {}", execution.id);
    item.json(OUTPUTS, &outputs, what, ITEM_BYTES_MAX)
}

fn outputs(execution: &Execution) -> Outputs {
    let mut outputs = Outputs::default();
    let mut bytes = 0;
    for (stage, passage) in &execution.stages {
        for (action, state) in &passage.actions {
            if state.outputs.is_empty() {
                continue;
            }
            let lengths = state
                .outputs
                .iter()
                .map(|(name, value)| name.len() + value.len());
            let more = lengths.sum::<usize>();
            let fits = bytes + more <= OUTPUTS_BYTES_MAX;
            bytes += if fits { more } else { 0 };
            let kept = fits.then(|| Arc::clone(&state.outputs));
            let of_stage = outputs.0.entry(stage.clone()).or_default();
            of_stage.insert(action.clone(), kept);
        }
    }
    outputs
}

/// Where an execution is found by its id.
pub(super) fn place(id: ExecutionId, life: u64, sequence: u64) -> Item {
    let item = Item::new(keys::place(id));
    item.number(LIFE, life).number(SEQUENCE, sequence)
}

/// Whether the item is the execution of that id.
pub(super) fn is_of(item: &Item, id: ExecutionId) -> bool {
    item.get_text(ID).is_ok_and(|text| text == id.to_string())
}

/// Output variables that lie elsewhere.
struct Missing {
    of: usize,
    stage: String,
    action: String,
    attempt: Uuid,
    at: Key,
}

/// The executions in these items, in their order, with all output variables.
pub(super) async fn read(
    table: &Table,
    memory: &Memory,
    life: u64,
    items: impl Iterator<Item = &Item> + Send,
) -> Result<Vec<Arc<Execution>>, StoreError> {
    let (mut executions, mut missing) = (Vec::new(), Vec::new());
    for item in items {
        let mut execution: Execution = item.get_json(BODY)?;
        let outputs: Option<Outputs> = item.find_json(OUTPUTS)?;
        let of = executions.len();
        for (stage, actions) in outputs.unwrap_or_default().0 {
            for (action, kept) in actions {
                let state = execution.stages.get_mut(&stage);
                let state = state.and_then(|stage| stage.actions.get_mut(&action));
                let state = state.ok_or_else(|| {
                    item.corrupt(format!("`{stage}` `{action}` has outputs only"))
                })?;
                let attempt =
                    derive::action_execution_id(execution.id, &stage, &action, state.attempt);
                match kept.or_else(|| memory.outputs(attempt)) {
                    Some(outputs) => state.outputs = outputs,
                    None => missing.push(Missing {
                        of,
                        at: keys::attempt(life, execution.sequence, attempt),
                        attempt,
                        stage: stage.clone(),
                        action,
                    }),
                }
            }
        }
        executions.push(execution);
    }
    if !missing.is_empty() {
        let keys = missing.iter().map(|missing| missing.at.clone());
        let found = table.batch_get(keys.collect()).await?;
        for missing in &missing {
            join(memory, &mut executions, &found, missing)?;
        }
    }
    Ok(executions.into_iter().map(Arc::new).collect())
}

fn join(
    memory: &Memory,
    executions: &mut [Execution],
    found: &HashMap<Key, Item>,
    missing: &Missing,
) -> Result<(), StoreError> {
    let absent = || StoreError::Corrupt {
        what: format!("action execution {}", missing.attempt),
        why: "its output variables are not there".to_owned(),
    };
    let item = found.get(&missing.at).ok_or_else(absent)?;
    let outputs = attempts::outputs(item)?.ok_or_else(absent)?;
    memory.keep_outputs(missing.attempt, Arc::clone(&outputs));
    let stage = executions
        .get_mut(missing.of)
        .and_then(|execution| execution.stages.get_mut(&missing.stage));
    let action = stage.and_then(|stage| stage.actions.get_mut(&missing.action));
    action.ok_or_else(absent)?.outputs = outputs;
    Ok(())
}
