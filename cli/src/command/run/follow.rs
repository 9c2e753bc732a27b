//! Following an execution to its end: changes are shown, approvals answered, interruptions obeyed.
//!
//! What happened is read from the journal, in order and without gaps; the notices of the machine
//! only say when it is worth looking, and carry the lines of logs.

use std::{collections::BTreeSet, io, time::Duration};

use model::{Rejection, Timestamp};
use operations::{
    Caller, OperationError, StopPipelineExecution, put_approval_result, stop_pipeline_execution,
};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::broadcast::{Receiver, error::RecvError},
    time::{Instant, Interval, MissedTickBehavior, interval, sleep_until, timeout},
};
use uuid::Uuid;

use super::{
    Order,
    approvals::{Answer, Desk, Question, parse},
    prepare::{Started, identity},
};
use crate::{
    args::Approve,
    exit::Exit,
    failure::{Failure, chain},
    local::Running,
    machine::Notice,
    progress::{Progress, Status, show::Show},
    terminal::Terminal,
};

/// How often the tree is drawn anew.
const FRAME: Duration = Duration::from_millis(125);
/// How often it is looked whether a notice was missed.
const LOOK: Duration = Duration::from_millis(500);
/// How many entries of the journal are read at once.
const JOURNAL_PAGE: usize = 200;
/// How long abandoned actions get to end.
const ABANDON_WITHIN: Duration = Duration::from_secs(35);
/// How often in a row something may fail and be tried again before the run is given up.
const TROUBLES_MAX: usize = 20;
/// How many notices are taken in before anything is drawn.
const NOTICES_AT_ONCE: usize = 1_000;

/// Why the following ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// The execution ended.
    Over,
    /// Only approvals are left, and nobody here may answer them.
    Waits,
    /// A person interrupted twice.
    Interrupted,
    /// It took longer than it was given.
    TimedOut,
    /// This process was told to end; the state stays as it is.
    Terminated,
}

pub(super) struct Follower<'a> {
    order: &'a Order,
    running: &'a Running,
    pub(super) progress: Progress,
    pub(super) show: Show,
    desk: Desk,
    how: Approve,
    /// Attempts of approvals that were seen to wait.
    seen: BTreeSet<Uuid>,
    /// The last commit of the journal that was read.
    since: u64,
    interrupts: usize,
    timed_out: bool,
    /// How much has failed since something last went on.
    troubles: usize,
}

/// What the follower waits for, apart from what it knows.
struct Sources {
    notices: Receiver<Notice>,
    ticks: Interval,
    interrupts: Signal,
    terminations: Signal,
    hangups: Signal,
    deadline: Option<Instant>,
}

impl<'a> Follower<'a> {
    pub(super) fn new(
        order: &'a Order,
        running: &'a Running,
        started: &Started,
        terminal: Terminal,
    ) -> Self {
        Self {
            order,
            running,
            progress: Progress::new(&started.declaration, started.execution),
            show: Show::new(terminal),
            desk: Desk::new(),
            how: order.policy.how,
            seen: BTreeSet::new(),
            since: 0,
            interrupts: 0,
            timed_out: false,
            troubles: 0,
        }
    }

    pub(super) fn say(&mut self, lines: &[String]) {
        for line in lines {
            self.show.say(line);
        }
    }

    fn now(&self) -> Timestamp {
        self.running.world.clock.now()
    }

    /// Follows the execution until there is nothing more to wait for.
    pub(super) async fn follow(&mut self) -> Result<Ending, Failure> {
        let mut sources = self
            .sources()
            .map_err(|e| Failure::system("listen to signals", &e))?;
        self.show.begin(&self.progress);
        loop {
            self.look().await?;
            if let Some(ending) = self.ending() {
                self.settle(ending, &mut sources.interrupts).await?;
                return Ok(ending);
            }
            let deadline = sources.deadline.filter(|_| !self.timed_out);
            tokio::select! {
                notice = sources.notices.recv() => {
                    self.take(notice).await?;
                    for _ in 0..NOTICES_AT_ONCE {
                        let Ok(notice) = sources.notices.try_recv() else { break };
                        self.take(Ok(notice)).await?;
                    }
                }
                _ = sources.ticks.tick() => {}
                line = self.desk.line() => self.answer(line).await?,
                _ = sources.interrupts.recv() => self.interrupt().await?,
                _ = sources.terminations.recv() => return Ok(Ending::Terminated),
                _ = sources.hangups.recv() => return Ok(Ending::Terminated),
                () = until(deadline), if deadline.is_some() => self.time_out().await?,
            }
        }
    }

    fn sources(&self) -> io::Result<Sources> {
        let mut ticks = interval(if self.show.is_live() { FRAME } else { LOOK });
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Ok(Sources {
            notices: self.running.machine.subscribe(),
            ticks,
            interrupts: signal(SignalKind::interrupt())?,
            terminations: signal(SignalKind::terminate())?,
            hangups: signal(SignalKind::hangup())?,
            deadline: self.order.args.timeout.map(|time| Instant::now() + time),
        })
    }

    /// Reads what is new in the journal, and draws.
    async fn look(&mut self) -> Result<(), Failure> {
        loop {
            let journal = &self.running.world.pipelines;
            let entries = journal
                .journal(self.since, JOURNAL_PAGE)
                .await
                .map_err(|error| Failure::system("read the journal", &error))?;
            let Some(last) = entries.last() else { break };
            self.since = last.commit;
            self.troubles = 0;
            for change in entries.iter().flat_map(|entry| &entry.changes) {
                if self.progress.apply(change) {
                    self.show.change(&self.progress, change);
                }
            }
        }
        self.see_approvals().await?;
        let now = self.now();
        self.show.draw(&self.progress, now);
        Ok(())
    }

    /// Finds approvals that began to wait, and drops those that wait no more.
    async fn see_approvals(&mut self) -> Result<(), Failure> {
        let progress = &self.progress;
        let waits = |question: &Question| {
            let key = &question.job.key;
            progress.action(&key.stage, &key.action).is_some_and(|row| {
                row.status == Status::Waiting && row.id == Some(question.job.action_execution_id)
            })
        };
        self.desk.waiting.retain(waits);
        if self
            .desk
            .asked
            .as_ref()
            .is_some_and(|question| !waits(question))
        {
            self.desk.asked = None;
            self.show.asked();
            self.show.say("\n  the approval waits no more");
        }
        let is_new = self.progress.actions().any(|(_, row)| {
            row.status == Status::Waiting && row.id.is_some_and(|id| !self.seen.contains(&id))
        });
        if is_new {
            self.read_questions().await?;
        }
        if self.how == Approve::Prompt && self.desk.asked.is_none() && self.interrupts == 0 {
            self.ask_next();
        }
        Ok(())
    }

    /// The questions of the approvals, from the records of their attempts.
    async fn read_questions(&mut self) -> Result<(), Failure> {
        let world = &self.running.world;
        let records = world
            .pipelines
            .action_executions(&self.progress.pipeline, self.progress.execution)
            .await
            .map_err(|error| Failure::system("read the approvals", &error))?;
        for record in records {
            let question = Question { job: record.job };
            let (key, id) = (question.job.key.clone(), question.job.action_execution_id);
            let now = self.now();
            let Some(row) = self.progress.action_mut(&key.stage, &key.action) else {
                continue;
            };
            if row.status != Status::Waiting || row.id != Some(id) || !self.seen.insert(id) {
                continue;
            }
            row.question = Some(question.text());
            self.show
                .approval(&key.stage, &key.action, &question.text(), now);
            match self.how {
                Approve::Auto => {
                    self.decide(&question, true, "approved by --approve auto")
                        .await?;
                }
                Approve::Prompt | Approve::Fail => self.desk.waiting.push_back(question),
            }
        }
        Ok(())
    }

    fn ask_next(&mut self) {
        if let Some(question) = self.desk.waiting.pop_front() {
            let (text, prompt) = question.prompt();
            let now = self.now();
            self.show.ask(&self.progress, &text, &prompt, now);
            self.desk.asked = Some(question);
        }
    }

    /// Takes what a person wrote as the answer to what they were asked.
    async fn answer(&mut self, line: Option<String>) -> Result<(), Failure> {
        let Some(question) = self.desk.asked.take() else {
            return Ok(());
        };
        self.show.asked();
        let Some(line) = line else {
            // Nobody will answer any more: it is as if nobody could from the beginning.
            self.how = Approve::Fail;
            self.desk.waiting.push_front(question);
            self.show.say("  (the input ended)");
            return Ok(());
        };
        match parse(&line) {
            Answer::Yes(comment) => self.decide(&question, true, &comment).await,
            Answer::No(comment) => self.decide(&question, false, &comment).await,
            Answer::Unclear => {
                self.show
                    .say("  please answer y or n, with a comment if you like");
                self.desk.waiting.push_front(question);
                Ok(())
            }
        }
    }

    async fn decide(
        &mut self,
        question: &Question,
        approved: bool,
        summary: &str,
    ) -> Result<(), Failure> {
        let pipeline = self.progress.pipeline.clone();
        let request = question.decide(pipeline, approved, summary);
        match put_approval_result(&self.running.world, request).await {
            // If it was refused, it ended meanwhile; the next look shows how.
            Ok(_)
            | Err(OperationError::Rejected(
                Rejection::ApprovalAlreadyCompleted | Rejection::InvalidApprovalToken,
            )) => Ok(()),
            Err(error) => Err(Failure::operation(&error, None)),
        }
    }

    async fn take(&mut self, notice: Result<Notice, RecvError>) -> Result<(), Failure> {
        let now = self.now();
        match notice {
            Ok(Notice::Log { stream, line }) => {
                let mut owner = self.progress.log(&stream, &line);
                if owner.is_none() {
                    // The build was quicker than the news of its beginning.
                    self.look().await?;
                    owner = self.progress.log(&stream, &line);
                }
                if let Some((stage, action)) = owner {
                    self.show.log(&stage, &action, &line, now);
                }
            }
            // The journal has the changes. The machine ends with this process, so that there is
            // always a sender.
            Ok(Notice::Change(_) | Notice::Ask(_)) | Err(RecvError::Closed) => {}
            Ok(Notice::Trouble(what)) => self.trouble(&what)?,
            Err(RecvError::Lagged(missed)) => self.show.missed(missed, now),
        }
        Ok(())
    }

    /// Tells of something that failed and is tried again; gives up when nothing goes on any more,
    /// as with a full disk.
    fn trouble(&mut self, what: &str) -> Result<(), Failure> {
        self.troubles += 1;
        if self.troubles == 1 {
            self.show.insist(&format!("warning: {what}"));
        }
        if self.troubles < TROUBLES_MAX {
            return Ok(());
        }
        let failure = Failure::new(Exit::Internal, format!("gave up: {what}"));
        let id = self.progress.execution.to_string();
        Err(if self.order.data.is_kept() {
            let resume = self.order.resume_command(&id[..8]);
            failure.with_help(format!("mend it, then continue with `{resume}`"))
        } else {
            failure.with_help("mend it and run again; with --keep it could be continued")
        })
    }

    /// Whether there is nothing more to wait for.
    fn ending(&self) -> Option<Ending> {
        if self.progress.is_over() {
            return Some(match (self.timed_out, self.interrupts) {
                (true, _) => Ending::TimedOut,
                (false, 0 | 1) => Ending::Over,
                (false, _) => Ending::Interrupted,
            });
        }
        if self.timed_out {
            return Some(Ending::TimedOut);
        }
        if self.interrupts > 1 {
            return Some(Ending::Interrupted);
        }
        let of = |status| self.progress.actions().any(|(_, row)| row.status == status);
        let in_vain = self.how == Approve::Fail
            && !self.desk.waiting.is_empty()
            && !of(Status::InProgress)
            && self.interrupts == 0;
        in_vain.then_some(Ending::Waits)
    }

    /// The first time, asks the execution to stop; the second time, abandons it; the third time there
    /// is nothing left to wait for.
    async fn interrupt(&mut self) -> Result<(), Failure> {
        self.interrupts += 1;
        self.desk.asked = None;
        if self.show.is_asking() {
            self.show.asked();
            self.show.insist("");
        }
        let acting = self.progress.actions();
        let acting = acting.filter(|(_, row)| row.status == Status::InProgress);
        let acting: Vec<_> = acting
            .map(|(stage, row)| format!("{}/{}", stage.name, row.name))
            .collect();
        let abandon = self.interrupts > 1 || acting.is_empty();
        let names = acting.join(", ");
        self.show.insist(&match (abandon, acting.is_empty()) {
            (true, false) => format!("abandoning {names}; builds get 10 s to end"),
            (true, true) => "stopping".to_owned(),
            (false, _) if acting.len() == 1 => {
                format!("stopping when {names} has ended; Ctrl-C again abandons it")
            }
            (false, _) => {
                format!("stopping when {names} have ended; Ctrl-C again abandons them")
            }
        });
        self.stop(abandon, "interrupted").await
    }

    async fn time_out(&mut self) -> Result<(), Failure> {
        self.timed_out = true;
        self.show
            .insist("out of time: abandoning the execution; builds get 10 s to end");
        self.stop(true, "out of time").await
    }

    async fn stop(&mut self, abandon: bool, reason: &str) -> Result<(), Failure> {
        let request = StopPipelineExecution {
            pipeline: self.progress.pipeline.clone(),
            execution: self.progress.execution,
            abandon,
            reason: Some(reason.to_owned()),
            by: Caller::owner(identity()),
        };
        match stop_pipeline_execution(&self.running.world, request).await {
            // If it was refused, it has failed or ended already; what still runs ends with us.
            Ok(())
            | Err(OperationError::Rejected(
                Rejection::PipelineExecutionNotStoppable(_) | Rejection::DuplicatedStopRequest(_),
            )) => Ok(()),
            Err(error) => Err(Failure::operation(&error, None)),
        }
    }

    /// After an abandonment: builds end before the state is left or removed.
    async fn settle(&mut self, ending: Ending, interrupts: &mut Signal) -> Result<(), Failure> {
        match ending {
            Ending::Interrupted | Ending::TimedOut => {}
            Ending::Over if self.interrupts > 0 => {}
            Ending::Over | Ending::Waits | Ending::Terminated => return Ok(()),
        }
        let ids: Vec<Uuid> = self
            .progress
            .actions()
            .filter_map(|(_, row)| row.id)
            .collect();
        let builds = &self.running.world.builds;
        let stopped = timeout(ABANDON_WITHIN, async {
            for id in ids {
                // Nothing happens for an action that is no build, or one that has ended.
                builds.stop(&id.to_string()).await?;
            }
            Ok::<(), ports::builds::BuildError>(())
        });
        let stopped = tokio::select! {
            stopped = stopped => Some(stopped),
            _ = interrupts.recv() => None,
        };
        match stopped {
            Some(Ok(Ok(()))) => {}
            Some(Ok(Err(error))) => self.show.insist(&format!("warning: {}", chain(&error))),
            Some(Err(_)) => self
                .show
                .insist("warning: a build did not end in time; it ends with us"),
            None => self.show.insist("ending at once, and the builds with us"),
        }
        self.look().await
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
