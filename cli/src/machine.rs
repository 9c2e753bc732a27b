//! Everything on one machine: the handlers of `functions/`, called by loops in this process.
//!
//! Three loops: one gives inputs to the engine, one gives jobs to the worker, and the sweep finds
//! each second what they missed. They share the queues and nothing else; the truth is in the store.
//!
//! One thread has them all, and nothing but them: handing a step from one thread to another takes
//! longer than most steps, and a terminal that stands still must not hold up a pipeline. Whatever
//! blocks in a step has threads of its own, and builds are processes.

mod engine_loop;
mod queues;
mod worker_loop;

use std::{
    io,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
    time::Duration,
};

use action_worker::Worker;
use embedded::{builds::OnEnd, logs::OnLine};
use futures_util::FutureExt as _;
use ports::World;
use providers::Catalogue;
use stage_transition::Event;
use tokio::{
    runtime,
    sync::{broadcast, oneshot},
    task::JoinSet,
    time::{MissedTickBehavior, interval},
};

pub use queues::Notice;
use queues::{LocalQueues, Receivers, ToWorker};

/// How often the sweep looks.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

/// Every so many sweeps everything is looked at, so that even a job whose offer was lost is found;
/// what is being done already is not begun again.
const SWEEPS_TO_EVERYTHING: u32 = 60;

/// The queues of a machine before its world exists: the adapters are built around them.
pub struct Wiring {
    queues: LocalQueues,
    receivers: Receivers,
}

impl Default for Wiring {
    fn default() -> Self {
        let (queues, receivers) = LocalQueues::new();
        Self { queues, receivers }
    }
}

impl Wiring {
    pub fn queues(&self) -> Arc<dyn ports::Queues> {
        Arc::new(self.queues.clone())
    }

    pub fn bus(&self) -> Arc<dyn ports::EventBus> {
        Arc::new(self.queues.clone())
    }

    /// What a build runner calls when a build has ended.
    pub fn on_build_end(&self) -> OnEnd {
        let queues = self.queues.clone();
        Arc::new(move |build| queues.tell_worker(ToWorker::Wake(build.to_owned())))
    }

    /// What a build runner calls with each line of a log: the stream and the line.
    pub fn on_log(&self) -> OnLine {
        let queues = self.queues.clone();
        Arc::new(move |stream, line| {
            queues.notify(Notice::Log {
                stream: stream.to_owned(),
                line: line.to_owned(),
            });
        })
    }
}

/// A running machine. Dropping it ends the loops and waits until they have ended; what they had in
/// hand is found again by the next machine on the same data.
pub struct Machine {
    pub world: World,
    queues: LocalQueues,
    /// What was told before anybody listened.
    first: Mutex<Option<broadcast::Receiver<Notice>>>,
    /// What is dropped to end the loops, and their thread; none once they have ended.
    loops: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

impl Machine {
    /// Starts the loops, first with whatever an earlier process left behind.
    pub fn start(world: World, wiring: Wiring, catalogue: Catalogue) -> io::Result<Self> {
        let Wiring { queues, receivers } = wiring;
        let worker = Arc::new(Worker::new(world.clone(), catalogue));
        let engine = engine_loop::run(world.clone(), queues.clone(), receivers.inputs);
        let work = worker_loop::run(worker, queues.clone(), receivers.jobs);
        let sweep = sweep(world.clone(), queues.clone());
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (go_on, end) = oneshot::channel::<()>();
        let first = Mutex::new(Some(queues.subscribe()));
        let loops = thread::Builder::new()
            .name("pipewright-loops".to_owned())
            .spawn(move || {
                runtime.block_on(async move {
                    let mut loops = JoinSet::new();
                    loops.spawn(engine);
                    loops.spawn(work);
                    loops.spawn(sweep);
                    // Nothing is ever sent: it ends when the sender is dropped.
                    let _ = end.await;
                    loops.shutdown().await;
                });
                // What blocks may take longer than anybody wants to wait for.
                runtime.shutdown_background();
            })?;
        Ok(Self {
            world,
            queues,
            first,
            loops: Some((go_on, loops)),
        })
    }

    /// From now on no job is begun. Those in hand go on and report; the others stay open in the
    /// store, where the next machine on the same data finds them.
    pub fn drain(&self) {
        self.queues.drain();
    }

    /// Everything that happens from the beginning on, for the first who asks; for others, from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<Notice> {
        let mut first = self.first.lock().unwrap_or_else(PoisonError::into_inner);
        first.take().unwrap_or_else(|| self.queues.subscribe())
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if let Some((go_on, loops)) = self.loops.take() {
            drop(go_on);
            // A loop that panicked has ended as well.
            let _ = loops.join();
        }
    }
}

async fn sweep(world: World, queues: LocalQueues) {
    let mut everything = true;
    let mut sweeps: u32 = 0;
    let mut ticks = interval(SWEEP_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        sweeps = (sweeps + 1) % SWEEPS_TO_EVERYTHING;
        everything |= queues.take_overflow() || sweeps == 0;
        let sweep = stage_transition::handle(&world, Event::Sweep { everything });
        // A defect must end one sweep, not all that would come after it.
        match AssertUnwindSafe(sweep).catch_unwind().await {
            Ok(Ok(())) => everything = false,
            Ok(Err(error)) => queues.notify(Notice::Trouble(format!("the sweep failed: {error}"))),
            Err(_) => queues.notify(Notice::Trouble("the sweep failed unexpectedly".to_owned())),
        }
    }
}
