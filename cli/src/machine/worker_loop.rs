//! Calls `action_worker::handle` for every job that is offered, and again when it asks to be.

use std::{
    collections::{HashMap, hash_map::Entry},
    panic::AssertUnwindSafe,
    sync::Arc,
    time::Duration,
};

use action_worker::{Event, Reply, Worker};
use futures_util::FutureExt as _;
use model::Job;
use tokio::{
    sync::{Notify, mpsc},
    task::JoinSet,
    time::sleep,
};
use uuid::Uuid;

use super::queues::{LocalQueues, ToWorker};

/// How long a job waits after the world failed under its worker.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_millis(500);

pub(crate) async fn run(
    worker: Arc<Worker>,
    queues: LocalQueues,
    mut messages: mpsc::Receiver<ToWorker>,
) {
    let mut running: HashMap<Uuid, Arc<Notify>> = HashMap::new();
    let mut jobs: JoinSet<Uuid> = JoinSet::new();
    let mut cancels: JoinSet<()> = JoinSet::new();
    loop {
        tokio::select! {
            message = messages.recv() => match message {
                None => return,
                // The job stays open in the store, and the next start finds it there.
                Some(ToWorker::Offer(_)) if queues.drains() => {}
                Some(ToWorker::Offer(job)) => {
                    let id = job.action_execution_id;
                    // The same job may be offered again while it is being done.
                    if let Entry::Vacant(place) = running.entry(id) {
                        let wake = Arc::clone(place.insert(Arc::new(Notify::new())));
                        let driven = AssertUnwindSafe(drive(Arc::clone(&worker), job, wake));
                        // However it ends, the job may be offered again.
                        jobs.spawn(driven.catch_unwind().map(move |_| id));
                    }
                }
                Some(ToWorker::Wake(build)) => {
                    let id = Uuid::parse_str(&build).ok();
                    if let Some(wake) = id.and_then(|id| running.get(&id)) {
                        wake.notify_one();
                    }
                }
                Some(ToWorker::Cancel(key)) => {
                    let id = model::derive::action_execution_id(
                        key.execution, &key.stage, &key.action, key.attempt,
                    );
                    if let Some(wake) = running.get(&id) {
                        wake.notify_one();
                    }
                    let worker = Arc::clone(&worker);
                    cancels.spawn(async move {
                        // A build that cannot be stopped ends with its own timeout.
                        let _ = worker.handle(Event::Cancelled(key)).await;
                    });
                }
            },
            Some(ended) = jobs.join_next() => {
                if let Ok(id) = ended {
                    running.remove(&id);
                }
            }
            Some(_) = cancels.join_next() => {}
        }
    }
}

/// Does one job from its offer to its end.
async fn drive(worker: Arc<Worker>, job: Arc<Job>, wake: Arc<Notify>) {
    let mut event = Event::Offered(Arc::clone(&job));
    loop {
        let pause = match worker.handle(event).await {
            Ok(Reply::Done | Reply::Elsewhere) => return,
            Ok(Reply::AskAgain(pause)) => pause,
            Err(_) => PAUSE_AFTER_FAILURE,
        };
        tokio::select! {
            () = sleep(pause) => {}
            () = wake.notified() => {}
        }
        event = Event::Due(Arc::clone(&job));
    }
}
