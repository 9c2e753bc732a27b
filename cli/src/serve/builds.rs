//! Builds that somebody asked for by themselves: their API, and the loop that brings each to its end.

use std::{collections::HashSet, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use api::Service;
use futures_util::FutureExt as _;
use operations::codebuild::{CodeBuild, CodeBuildError, RecordedBuilds, open_builds, settle};
use ports::{BuildRecords, BuildRunner, ProjectRecords, build_records::BuildRecord};
use tokio::{
    sync::Notify,
    task::JoinSet,
    time::{MissedTickBehavior, interval},
};

use super::log::{Level, Log};
use crate::{failure::chain, local::Local};

/// How often open builds are looked at without a nudge.
const LOOK: Duration = Duration::from_secs(1);

/// How many open builds are read at once.
const PAGE: usize = 500;

/// Lets a machine keep records of its builds, before it starts.
pub fn record(local: &mut Local, nudge: &Arc<Notify>) -> CodeBuild {
    let runner: Arc<dyn BuildRunner> = Arc::new(local.builds.clone());
    let records = Arc::clone(&local.store) as Arc<dyn BuildRecords>;
    local.world.builds = Arc::new(RecordedBuilds {
        runner: Arc::clone(&runner),
        records: Arc::clone(&records),
        clock: Arc::clone(&local.world.clock),
    });
    let nudge = Arc::clone(nudge);
    CodeBuild {
        world: local.world.clone(),
        projects: Arc::clone(&local.store) as Arc<dyn ProjectRecords>,
        builds: records,
        runner,
        nudge: Arc::new(move || nudge.notify_one()),
    }
}

/// What answers for projects, builds and their logs.
pub fn services(
    codebuild: &CodeBuild,
    logs: embedded::Logs,
    page_key: [u8; 32],
) -> [Arc<dyn Service>; 2] {
    [
        Arc::new(api::codebuild::CodeBuild::new(codebuild.clone(), page_key)),
        Arc::new(api::logs::Logs {
            world: codebuild.world.clone(),
            builds: Arc::clone(&codebuild.builds),
            logs: Arc::new(logs),
        }),
    ]
}

/// Settles open builds until it is dropped, each by itself: one whose source takes long, or that
/// takes long to stop, holds no other one up.
pub async fn watch(codebuild: CodeBuild, nudge: Arc<Notify>, log: Log) {
    let mut at_work: HashSet<String> = HashSet::new();
    let mut tasks: JoinSet<(String, Option<String>)> = JoinSet::new();
    let mut ticks = interval(LOOK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = nudge.notified() => {}
            Some(ended) = tasks.join_next() => {
                if let Ok((id, trouble)) = ended {
                    tell(log, trouble.map(|text| format!("build {id}: {text}")));
                    at_work.remove(&id);
                }
                continue;
            }
        }
        let looked = look(&codebuild, &mut at_work, &mut tasks).await;
        tell(log, looked.err().map(|error| chain(&error)));
    }
}

/// Begins to settle every open build that is not being settled already.
async fn look(
    codebuild: &CodeBuild,
    at_work: &mut HashSet<String>,
    tasks: &mut JoinSet<(String, Option<String>)>,
) -> Result<(), CodeBuildError> {
    let mut after = 0;
    loop {
        let open = open_builds(codebuild, after, PAGE).await?;
        let Some(last) = open.last() else {
            return Ok(());
        };
        after = last.place;
        for record in open {
            if at_work.insert(record.id.clone()) {
                tasks.spawn(one(codebuild.clone(), record));
            }
        }
    }
}

/// Settles one build; says what went wrong.
async fn one(codebuild: CodeBuild, record: BuildRecord) -> (String, Option<String>) {
    let settled = AssertUnwindSafe(settle(&codebuild, &record));
    let trouble = match settled.catch_unwind().await {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(chain(&error)),
        Err(_) => Some("it failed unexpectedly".to_owned()),
    };
    (record.id, trouble)
}

fn tell(log: Log, trouble: Option<String>) {
    if let Some(text) = trouble {
        let message = "a build cannot go on; trying again";
        log.write(Level::Warning, message, [("error", text.into())]);
    }
}
