//! Looking at the sources (spec 90 §7).
//!
//! What was seen last is not kept anywhere: the newest execution that looked says it. So a pipeline
//! that never ran has seen nothing and is left to whoever creates it; and when a definition begins
//! to watch another place, the first look starts an execution, because a start too many is better
//! than a change that nobody sees.

use std::sync::Arc;

use model::{
    Execution, PipelineDeclaration,
    state::{Trigger, TriggerType},
    watch::{POLLS, Watched, Watcher, watchers},
};
use ports::World;

use crate::{Cause, Outcome, Started, TriggerError, definitions, start, token};

/// How far back an execution is looked for that says what was seen last.
const EXECUTIONS_LOOKED_AT: usize = 50;

pub(crate) async fn handle(world: &World) -> Result<Vec<Started>, TriggerError> {
    let mut outcome = Outcome::default();
    for definition in definitions(world, POLLS, &mut outcome).await? {
        outcome.add(look(world, &definition).await);
    }
    outcome.into_result()
}

/// Starts one execution when any source has changed (spec 90 §7).
async fn look(
    world: &World,
    definition: &PipelineDeclaration,
) -> Result<Option<Started>, TriggerError> {
    let polling: Vec<_> = watchers(definition).filter(|w| w.polls).collect();
    if polling.is_empty() {
        return Ok(None);
    }
    let store = &world.pipelines;
    let history = store.executions(&definition.name, u64::MAX, EXECUTIONS_LOOKED_AT);
    let history = history.await?;
    let mut names = vec!["poll".to_owned()];
    let mut revisions = Vec::new();
    for watcher in &polling {
        let Seen::UpTo(sequence, seen) = seen(&history, &watcher.action.name) else {
            continue;
        };
        let Some(revision) = newest(world, watcher).await else {
            continue;
        };
        if seen != Some(revision.as_str()) {
            // The change, not only where it led: going back to an old revision is one, too.
            let name = format!("{}:{sequence}:{revision}", watcher.action.name);
            names.push(name);
            revisions.push(watcher.pinned(&revision));
        }
    }
    let Some(first) = revisions.first() else {
        return Ok(None);
    };
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let cause = Cause {
        trigger: Trigger {
            kind: TriggerType::PollForSourceChanges,
            detail: first.action_name.clone(),
        },
        token: token(&names),
        revisions,
    };
    start(world, definition, cause).await
}

/// What the executions know of a source.
enum Seen<'a> {
    /// Nothing ran yet, or the newest execution is about to look itself.
    NotYet,
    /// What the execution of that number found; nothing, when none found anything.
    UpTo(u64, Option<&'a str>),
}

fn seen<'a>(history: &'a [Arc<Execution>], action: &str) -> Seen<'a> {
    let Some(newest) = history.first() else {
        return Seen::NotYet;
    };
    let found = |execution: &'a Arc<Execution>| execution.revisions.get(action);
    if newest.is_live() && found(newest).is_none() {
        return Seen::NotYet;
    }
    // Somebody who starts an old revision by hand has not seen the newest one.
    let is_by_hand = |execution: &&Arc<Execution>| {
        let overrides = &execution.overrides;
        execution.trigger.kind == TriggerType::StartPipelineExecution
            && overrides.iter().any(|one| one.action_name == action)
    };
    let looked = history.iter().filter(|execution| !is_by_hand(execution));
    let mut looked = looked.filter_map(|e| Some((e.sequence, found(e)?)));
    match looked.next() {
        Some((sequence, revision)) => Seen::UpTo(sequence, Some(&revision.revision_id)),
        None => Seen::UpTo(0, None),
    }
}

/// The newest revision. A source that is absent starts nothing, and one that cannot be looked at
/// now is looked at the next time (spec 90 §7).
async fn newest(world: &World, watcher: &Watcher<'_>) -> Option<String> {
    match watcher.watched {
        Watched::Object { bucket, key } => {
            let info = world.objects.head(bucket, key, None).await.ok()?;
            Some(info.version_id)
        }
        Watched::Branch { repository, branch } => {
            let commit = world.repositories.head(repository, branch).await.ok()?;
            Some(commit.id)
        }
    }
}
