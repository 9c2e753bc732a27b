//! The queues of one process: channels in memory.
//!
//! They may lose what is in them, and a crash does: the sweep finds it again in the store.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use async_trait::async_trait;
use model::{AttemptKey, Change, Input, Job, effect::ApprovalRequest};
use ports::{EventBus, Queues, StoreError};
use tokio::sync::{broadcast, mpsc};

/// How many jobs may wait for the worker loop; more are left to the sweep.
const JOBS_WAITING_MAX: usize = 65_536;

/// How many inputs may wait for the engine loop; then senders wait.
const INPUTS_WAITING_MAX: usize = 65_536;

/// How many notices a slow listener may be behind before it misses some. There is room for all of
/// them from the start, two hundred bytes each.
const NOTICES_KEPT: usize = 8_192;

/// Something that a listener may want to show.
#[derive(Clone, Debug)]
pub enum Notice {
    Change(Change),
    Ask(ApprovalRequest),
    /// A line of a build's log.
    Log {
        stream: String,
        line: String,
    },
    /// Something failed that is tried again.
    Trouble(String),
}

/// What the worker loop is told.
#[derive(Debug)]
pub(crate) enum ToWorker {
    Offer(Arc<Job>),
    Cancel(AttemptKey),
    /// The build of this action execution has ended.
    Wake(String),
}

/// The senders' side of the queues.
#[derive(Clone)]
pub(crate) struct LocalQueues {
    jobs: mpsc::Sender<ToWorker>,
    inputs: mpsc::Sender<(String, Input)>,
    notices: broadcast::Sender<Notice>,
    /// A job did not fit: the next sweep offers all open jobs again.
    overflowed: Arc<AtomicBool>,
    /// No job is to be begun any more.
    drains: Arc<AtomicBool>,
}

/// The receivers' side.
pub(crate) struct Receivers {
    pub(crate) jobs: mpsc::Receiver<ToWorker>,
    pub(crate) inputs: mpsc::Receiver<(String, Input)>,
}

impl LocalQueues {
    pub(crate) fn new() -> (Self, Receivers) {
        let (jobs, jobs_out) = mpsc::channel(JOBS_WAITING_MAX);
        let (inputs, inputs_out) = mpsc::channel(INPUTS_WAITING_MAX);
        let (notices, _) = broadcast::channel(NOTICES_KEPT);
        let queues = Self {
            jobs,
            inputs,
            notices,
            overflowed: Arc::default(),
            drains: Arc::default(),
        };
        (
            queues,
            Receivers {
                jobs: jobs_out,
                inputs: inputs_out,
            },
        )
    }

    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Notice> {
        self.notices.subscribe()
    }

    pub(crate) fn notify(&self, notice: Notice) {
        // Nobody may be listening.
        let _ = self.notices.send(notice);
    }

    /// Tells the worker loop without waiting: whoever commits must not depend on the workers.
    pub(crate) fn tell_worker(&self, message: ToWorker) {
        if self.jobs.try_send(message).is_err() {
            self.overflowed.store(true, Ordering::Relaxed);
        }
    }

    /// From now on no job is begun; it is no message, as there may be no room for one.
    pub(crate) fn drain(&self) {
        self.drains.store(true, Ordering::Relaxed);
    }

    pub(crate) fn drains(&self) -> bool {
        self.drains.load(Ordering::Relaxed)
    }

    /// Whether a job was left to the sweep since the last call.
    pub(crate) fn take_overflow(&self) -> bool {
        self.overflowed.swap(false, Ordering::Relaxed)
    }
}

#[async_trait]
impl Queues for LocalQueues {
    async fn offer(&self, job: Arc<Job>) -> Result<(), StoreError> {
        self.tell_worker(ToWorker::Offer(job));
        Ok(())
    }

    async fn cancel(&self, key: &AttemptKey) -> Result<(), StoreError> {
        self.tell_worker(ToWorker::Cancel(key.clone()));
        Ok(())
    }

    async fn send(&self, pipeline: &str, input: Input) -> Result<(), StoreError> {
        // A closed channel means that this process is ending; the store has what matters.
        let _ = self.inputs.send((pipeline.to_owned(), input)).await;
        Ok(())
    }
}

#[async_trait]
impl EventBus for LocalQueues {
    async fn publish(&self, changes: &[Change]) -> Result<(), StoreError> {
        if self.notices.receiver_count() > 0 {
            for change in changes {
                self.notify(Notice::Change(change.clone()));
            }
        }
        Ok(())
    }

    async fn ask(&self, request: &ApprovalRequest) -> Result<(), StoreError> {
        self.notify(Notice::Ask(request.clone()));
        Ok(())
    }
}
