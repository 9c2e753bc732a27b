//! One run: a world, a seed, and whatever follows.

use std::{
    collections::{BTreeMap, BTreeSet},
    future::Future,
    hash::Hasher,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use action_worker::{Reply, Worker};
use embedded::{ManualClock, SeededRandom, Store};
use model::{ActionCategory, Job, Timestamp};
use operations::{Caller, CreatePipeline};
use ports::{Account, PipelineStore, World};
use providers::Catalogue;

use crate::{
    adapters::{ByChance, Curtain, Disk, Nothing},
    chance::{Chance, Faults, Spared},
    declarations,
    messages::Message,
    oracle::{Invariant, Violation},
    provider::Scripted,
    scheduler::{Happening, Shared, TaskId},
    users::{self, Ask},
};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

/// How far a clock may be off.
const SKEW_MILLIS_MAX: i64 = 10 * MINUTE;

/// How long a deadline or an outbox may be left, once nothing goes wrong: two sweeps.
const ALLOWANCE_MILLIS: i64 = 2 * MINUTE + 5_000;

/// How much may happen in one run; more means that it never ends.
const EVENTS_MAX: u64 = 300_000;

const BEGINNING: Timestamp = Timestamp(1_800_000_000_000);

/// What one run came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) seed: u64,
    /// The same seed gives the same trace.
    pub(crate) trace: u64,
    pub(crate) events: u64,
    pub(crate) commits: u64,
    pub(crate) executions: u64,
    pub(crate) succeeded: u64,
    pub(crate) happened: BTreeSet<&'static str>,
    pub(crate) violation: Option<Violation>,
}

struct Task {
    future: Pin<Box<dyn Future<Output = ()> + Send>>,
    skew: i64,
    is_of_sweep: bool,
}

struct Run {
    shared: Shared,
    world: World,
    clock: ManualClock,
    disk: Disk,
    worker: Arc<Worker>,
    tasks: BTreeMap<TaskId, Task>,
    next_task: TaskId,
    pipelines: Vec<String>,
    healed: Option<Timestamp>,
    /// When the next sweep is to come.
    next_sweep: Timestamp,
    everything: bool,
}

/// Runs one seed to its end, or to the first violation.
pub(crate) fn run(seed: u64, lose_all: Option<Spared>) -> Outcome {
    let mut run = Run::new(seed);
    run.create_pipelines();
    run.unleash(lose_all);
    while let Some(happening) = run.next() {
        run.happen(happening);
    }
    run.end();
    run.outcome(seed)
}

impl Run {
    fn new(seed: u64) -> Self {
        let mut chance = Chance::new(seed);
        let shared = Shared::new(Chance::new(chance.next()), Faults::default(), BEGINNING);
        let store = Store::in_memory().expect("a database in memory can be opened");
        let disk = Disk::new(store.with_faults(Box::new(ByChance(shared.clone()))));
        let clock = ManualClock::new(BEGINNING);
        let curtain = Curtain {
            disk: disk.clone(),
            shared: shared.clone(),
        };
        let world = World {
            account: Arc::new(Account {
                id: "111122223333".to_owned(),
                region: "eu-west-1".to_owned(),
            }),
            clock: Arc::new(clock.clone()),
            random: Arc::new(SeededRandom::new(chance.next())),
            pipelines: Arc::new(curtain),
            objects: Arc::new(Nothing),
            queues: Arc::new(shared.clone()),
            bus: Arc::new(shared.clone()),
            builds: Arc::new(Nothing),
            projects: Arc::new(disk.clone()),
            repositories: Arc::new(Nothing),
        };
        let scripted = Arc::new(Scripted::new(shared.clone()));
        let catalogue = Catalogue::empty()
            .with(ActionCategory::Source, "S3", Arc::clone(&scripted) as _)
            .with(ActionCategory::Test, "CodeBuild", scripted);
        let worker = Arc::new(Worker::new(world.clone(), catalogue));
        Self {
            shared,
            world,
            clock,
            disk,
            worker,
            tasks: BTreeMap::new(),
            next_task: 0,
            pipelines: Vec::new(),
            healed: None,
            next_sweep: BEGINNING,
            everything: true,
        }
    }

    /// Creates one to three pipelines while nothing goes wrong yet.
    fn create_pipelines(&mut self) {
        let count = 1 + self.shared.lock().chance.below(3);
        for number in 0..count {
            let name = format!("pipeline-{number}");
            let declaration = declarations::draw(&mut self.shared.lock().chance, &name, 0);
            let by = Caller::owner("creator");
            let (world, shared) = (self.world.clone(), self.shared.clone());
            self.spawn(async move {
                let request = CreatePipeline {
                    declaration,
                    tags: Vec::new(),
                    starts: false,
                    by,
                };
                let created = operations::create_pipeline(&world, request).await;
                users::note(&shared, created.map(drop));
            });
            self.pipelines.push(name);
        }
        loop {
            let next = self.shared.lock().next();
            match next {
                Some(Happening::Resume(task)) => self.resume(task),
                Some(_) => {}
                None => return,
            }
        }
    }

    /// Draws what goes wrong from now on, and when it ends.
    fn unleash(&mut self, lose_all: Option<Spared>) {
        let mut state = self.shared.lock();
        let mut chance = state.chance.clone();
        state.faults = Faults::draw(&mut chance, lose_all);
        state.chance = chance;
        let length = state.chance.between(2 * HOUR, 36 * HOUR);
        for _ in 0..state.chance.between(20, 70) {
            let at = state.chance.between(0, length);
            state.after(at, Happening::User);
        }
        let crashes = state.faults.crash;
        for _ in 0..crashes {
            let at = state.chance.between(0, length);
            state.after(at, Happening::Crash);
        }
        state.after(0, Happening::Sweep);
        state.after(length, Happening::Heal);
    }

    /// The next happening, unless the run is over.
    fn next(&mut self) -> Option<Happening> {
        let mut state = self.shared.lock();
        if state.oracle.violation.is_some() {
            return None;
        }
        // Two sweeps have had their turn.
        let rested = Timestamp(state.now.0 - ALLOWANCE_MILLIS);
        if self.healed.is_some_and(|healed| healed < rested)
            && self.tasks.is_empty()
            && state.oracle.live() == 0
            && state.is_quiet()
        {
            return None;
        }
        if state.events > EVENTS_MAX {
            state.oracle.check_ended();
            state
                .oracle
                .violated(Invariant::I6, "it never comes to rest");
            return None;
        }
        state.next()
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Resume(task) => self.resume(task),
            Happening::Deliver(message) => {
                self.deliver(*message);
                self.sweep_soon();
            }
            Happening::User => {
                self.user();
                self.sweep_soon();
            }
            Happening::Sweep => self.sweep(),
            Happening::Crash => self.crash(),
            Happening::Heal => self.heal(),
        }
    }

    fn spawn(&mut self, future: impl Future<Output = ()> + Send + 'static) -> TaskId {
        self.next_task += 1;
        let id = self.next_task;
        let mut state = self.shared.lock();
        let skewed = state.faults.skew;
        let skew = if state.chance.happens(skewed) {
            state.chance.between(-SKEW_MILLIS_MAX, SKEW_MILLIS_MAX)
        } else {
            0
        };
        let is_of_sweep = state.is_of_sweep;
        drop(state);
        let future = Box::pin(future);
        self.tasks.insert(
            id,
            Task {
                future,
                skew,
                is_of_sweep,
            },
        );
        self.resume(id);
        id
    }

    /// Lets a handler go on until it waits, ends, or dies.
    fn resume(&mut self, id: TaskId) {
        let Some(mut task) = self.tasks.remove(&id) else {
            return;
        };
        {
            let mut state = self.shared.lock();
            state.current = id;
            state.killed = false;
            state.is_of_sweep = task.is_of_sweep;
            self.clock.set(Timestamp(state.now.0 + task.skew));
        }
        let mut context = Context::from_waker(Waker::noop());
        let polled = catch_unwind(AssertUnwindSafe(|| task.future.as_mut().poll(&mut context)));
        let mut state = self.shared.lock();
        match polled {
            Ok(Poll::Pending) if !state.killed => {
                drop(state);
                self.tasks.insert(id, task);
                return;
            }
            Ok(Poll::Pending | Poll::Ready(())) => {}
            Err(panic) => {
                let text = panic.downcast_ref::<String>().cloned();
                let text = text.or_else(|| panic.downcast_ref::<&str>().map(|&t| t.to_owned()));
                state
                    .oracle
                    .violated(Invariant::Panic, text.unwrap_or_default());
            }
        }
        state.answers.remove(&id);
    }

    fn deliver(&mut self, message: Message) {
        let (world, shared) = (self.world.clone(), self.shared.clone());
        let worker = Arc::clone(&self.worker);
        match message {
            Message::Offer(job) => {
                let event = action_worker::Event::Offered(Arc::clone(&job));
                self.spawn(work(worker, shared, event, Some(job)));
            }
            Message::Due(job) => {
                let event = action_worker::Event::Due(Arc::clone(&job));
                self.spawn(work(worker, shared, event, Some(job)));
            }
            Message::Cancel(key) => {
                let event = action_worker::Event::Cancelled(key);
                self.spawn(work(worker, shared, event, None));
            }
            Message::Input { pipeline, input } => {
                let again = Message::Input {
                    pipeline: pipeline.clone(),
                    input: input.clone(),
                };
                self.spawn(async move {
                    let inputs = vec![*input];
                    let event = stage_transition::Event::Inputs { pipeline, inputs };
                    let answer = stage_transition::handle(&world, event).await;
                    // A handler that failed gets its message again.
                    if !users::note(&shared, answer) {
                        shared.lock().send(30_000, &again);
                    }
                });
            }
            Message::Source(json) => {
                self.spawn(async move {
                    let event = source_trigger::Event::EventBridge(json);
                    for started in source_trigger::handle(&world, event)
                        .await
                        .unwrap_or_default()
                    {
                        let mut state = shared.lock();
                        state
                            .oracle
                            .started(&started.pipeline, None, started.execution);
                        state.oracle.sometimes("a source event started a pipeline");
                    }
                });
            }
        }
    }

    fn user(&mut self) {
        let mut state = self.shared.lock();
        let drawn = users::draw(&mut state, &self.pipelines, self.next_task + 1);
        drop(state);
        let Some(ask) = drawn else { return };
        if let Ask::Answer(request) = &ask {
            let decision = users::decision(request);
            let mut state = self.shared.lock();
            state.answers.insert(self.next_task + 1, decision);
        } else if self.healed.is_some() {
            // Once all is well people only answer what they are asked.
            return;
        }
        let future = users::carry_out(self.world.clone(), self.shared.clone(), ask);
        self.spawn(future);
    }

    fn sweep(&mut self) {
        let (world, shared) = (self.world.clone(), self.shared.clone());
        let spares_sweep = shared.lock().faults.lose_all == Some(Spared::Sweep);
        let everything = std::mem::take(&mut self.everything) || spares_sweep;
        self.spawn(async move {
            let event = stage_transition::Event::Sweep { everything };
            let answer = stage_transition::handle(&world, event).await;
            users::note(&shared, answer);
        });
        if self.healed.is_some() {
            self.check_progress();
        }
        let mut state = self.shared.lock();
        if self.next_sweep > state.now {
            return;
        }
        let mut millis = MINUTE;
        if self.healed.is_none() {
            millis = state.chance.between(MINUTE / 2, 10 * MINUTE);
        } else if state.is_quiet() && self.tasks.is_empty() {
            // Nothing happens before the next deadline.
            let deadline = state.oracle.next_deadline();
            millis = deadline.map_or(MINUTE, |at| (at.0 - state.now.0 + 1).max(MINUTE));
            if spares_sweep {
                millis = millis.min(10 * MINUTE);
            }
        }
        self.next_sweep = Timestamp(state.now.0 + millis);
        state.after(millis, Happening::Sweep);
    }

    /// Something moved: the next sweep is not to wait for the deadline that was known before.
    fn sweep_soon(&mut self) {
        let mut state = self.shared.lock();
        let soon = Timestamp(state.now.0 + MINUTE);
        if self.healed.is_some() && self.next_sweep > soon {
            self.next_sweep = soon;
            state.after(MINUTE, Happening::Sweep);
        }
    }

    /// Once nothing goes wrong any more, nothing is left lying.
    fn check_progress(&mut self) {
        let store = self.disk.store();
        let left = now_or_never(store.undelivered(1_000)).and_then(Result::ok);
        let mut state = self.shared.lock();
        let allowance = Timestamp(state.now.0 - ALLOWANCE_MILLIS);
        if self.healed.is_none_or(|healed| allowance < healed) {
            return;
        }
        state.oracle.check_overdue(allowance);
        state
            .oracle
            .check_outboxes(&left.unwrap_or_default(), allowance);
    }

    /// The process dies; a new one begins with what is on disk.
    fn crash(&mut self) {
        self.tasks.clear();
        self.disk.crash();
        self.everything = true;
        let mut state = self.shared.lock();
        state.lose_memory();
        state.answers.clear();
        state.oracle.sometimes("the process died");
        self.next_sweep = Timestamp(state.now.0 + 1_000);
        state.after(1_000, Happening::Sweep);
    }

    /// Nothing goes wrong from now on, and every way is opened.
    fn heal(&mut self) {
        self.crash();
        let mut state = self.shared.lock();
        self.healed = Some(state.now);
        let lose_all = state.faults.lose_all;
        state.faults = Faults {
            lose_all,
            ..Faults::default()
        };
        let tracked = &state.oracle.pipelines;
        let mut ways = Vec::new();
        for (pipeline, tracked) in tracked {
            let Some(head) = &tracked.head else { continue };
            let Some(current) = tracked.definitions.get(&head.definition) else {
                continue;
            };
            for stage in &current.stages {
                ways.push((pipeline.clone(), stage.name.clone()));
            }
        }
        drop(state);
        for (pipeline, stage) in ways {
            let ask = users::transition(pipeline, stage, true, "healer".to_owned());
            let (world, shared) = (self.world.clone(), self.shared.clone());
            self.spawn(users::carry_out(world, shared, ask));
        }
    }

    /// Compares what is left with what was written.
    fn end(&mut self) {
        let mut state = self.shared.lock();
        if state.oracle.violation.is_some() {
            return;
        }
        state.oracle.check_ended();
        drop(state);
        self.disk.crash();
        let store = self.disk.store();
        let journal = now_or_never(store.journal(0, usize::MAX >> 1)).and_then(Result::ok);
        let due = now_or_never(store.due(Timestamp(i64::MAX), 1_000)).and_then(Result::ok);
        for pipeline in &self.pipelines {
            let loaded = now_or_never(store.load(pipeline, None)).and_then(Result::ok);
            let listed = now_or_never(store.executions(pipeline, u64::MAX >> 1, 100_000));
            let listed = listed.and_then(Result::ok).unwrap_or_default().len();
            let mut state = self.shared.lock();
            if let Some(loaded) = loaded.flatten() {
                state.oracle.check_stored(&loaded.state, loaded.version);
            }
            state.oracle.check_counted(pipeline, listed);
        }
        let mut state = self.shared.lock();
        state.oracle.check_journal(&journal.unwrap_or_default());
        state.oracle.check_received();
        if due.is_some_and(|due| !due.is_empty()) {
            let what = "a deadline is left and nothing waits for it";
            state.oracle.violated(Invariant::I15, what);
        }
    }

    fn outcome(&self, seed: u64) -> Outcome {
        let state = self.shared.lock();
        let oracle = &state.oracle;
        let executions = oracle
            .pipelines
            .values()
            .flat_map(|p| p.executions.values());
        let succeeded = executions.filter(|e| e.status == model::ExecutionStatus::Succeeded);
        Outcome {
            seed,
            trace: state.trace.finish(),
            events: state.events,
            commits: oracle.commits,
            executions: oracle.executions() as u64,
            succeeded: succeeded.count() as u64,
            happened: oracle.happened(),
            violation: oracle.violation.clone(),
        }
    }
}

async fn work(
    worker: Arc<Worker>,
    shared: Shared,
    event: action_worker::Event,
    job: Option<Arc<Job>>,
) {
    let again = event.clone();
    match worker.handle(event).await {
        Ok(Reply::AskAgain(after)) => {
            if let Some(job) = job {
                shared.lock().send(millis(after), &Message::Due(job));
            }
        }
        Ok(Reply::Done | Reply::Elsewhere) => {}
        Err(_) => {
            let message = match again {
                action_worker::Event::Offered(job) => Message::Offer(job),
                action_worker::Event::Due(job) => Message::Due(job),
                action_worker::Event::Cancelled(key) => Message::Cancel(key),
            };
            shared.lock().send(30_000, &message);
        }
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// The in-memory store answers at once.
fn now_or_never<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut context = Context::from_waker(Waker::noop());
    match pin!(future).poll(&mut context) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}
