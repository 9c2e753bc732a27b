//! The one writer: many commits in one transaction, each whole or not at all.
//!
//! Whatever may refuse a commit is looked at before its first row is written, so a refusal leaves
//! nothing to undo and the others of its transaction never notice.

use std::mem;

use ports::StoreError;
use rusqlite::{Connection, params};

use super::{
    builds,
    commit::Plan,
    database::{OpenError, Trouble, unavailable},
    ledger::{Ledger, Numbers, Refusal},
    load::{self, DELIVERED},
    memory::{Fresh, Shared},
    prepared::Prepared,
    projects,
};

/// How far the watermark of delivered outboxes moves before a transaction takes it along.
const MARK_EVERY: u64 = 512;

const WRITING: &str = "write to the database";

/// Something to be written.
pub(super) enum Work {
    Commit(Box<Prepared>),
    Projects(projects::Change),
    Builds(builds::Change),
}

impl From<Box<Prepared>> for Work {
    fn from(commit: Box<Prepared>) -> Self {
        Self::Commit(commit)
    }
}

impl From<projects::Change> for Work {
    fn from(change: projects::Change) -> Self {
        Self::Projects(change)
    }
}

impl From<builds::Change> for Work {
    fn from(change: builds::Change) -> Self {
        Self::Builds(change)
    }
}

/// What became of it: the number of the latest commit, its own if it is one.
pub(super) type Outcome = Result<u64, StoreError>;

pub(super) struct Writer {
    pub(super) ledger: Ledger,
    /// The numbers without those of the transaction under way.
    committed: Numbers,
    /// The watermark of delivered outboxes, as it is in the database.
    marked: u64,
    /// Why nothing is written any more.
    broken: Option<String>,
}

/// Why a transaction was given up.
struct Failure {
    error: rusqlite::Error,
    /// Everything was written but for the mark that makes it count.
    committing: bool,
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self {
            error,
            committing: false,
        }
    }
}

impl Writer {
    pub(super) fn new(connection: Connection, path: &str) -> Result<Self, OpenError> {
        let refused = |error| match error {
            StoreError::Corrupt { what, why } => OpenError::Damaged {
                path: path.to_owned(),
                why: format!("{what}: {why}"),
            },
            other => OpenError::Unavailable {
                path: path.to_owned(),
                source: other.into(),
            },
        };
        let memory = load::memory(&connection).map_err(refused)?;
        let sql = "SELECT coalesce(max(number), 0) FROM pipeline";
        let pipeline = load::one(&connection, sql, [], |row| row.get(0)).map_err(refused)?;
        let numbers = Numbers {
            commit: memory.last,
            pipeline: pipeline.unwrap_or(0),
        };
        Ok(Self {
            marked: load::delivered_up_to(&connection).map_err(refused)?,
            ledger: Ledger {
                connection,
                memory: Shared::new(memory),
                fresh: Fresh::default(),
                numbers,
            },
            committed: numbers,
            broken: None,
        })
    }

    /// Writes everything in one transaction and tells what became of each, in order.
    pub(super) fn write(&mut self, works: &[Work]) -> Vec<Outcome> {
        if let Some(why) = &self.broken {
            let refused = || unavailable("write: the database is read-only now", why.clone());
            return works.iter().map(|_| Err(refused())).collect();
        }
        match self.transact(works) {
            Ok(outcomes) => {
                self.committed = self.ledger.numbers;
                let fresh = mem::take(&mut self.ledger.fresh);
                self.ledger
                    .memory
                    .lock()
                    .publish(fresh, self.ledger.numbers.commit);
                outcomes
            }
            Err(failure) => {
                self.undo();
                self.after_failure(&failure, works)
            }
        }
    }

    fn transact(&mut self, works: &[Work]) -> Result<Vec<Outcome>, Failure> {
        run(&self.ledger.connection, "BEGIN IMMEDIATE")?;
        let mut outcomes = Vec::with_capacity(works.len());
        for work in works {
            outcomes.push(match self.write_one(work) {
                Ok(number) => Ok(number),
                Err(Refusal::Refused(error)) => Err(error),
                Err(Refusal::Failed(error)) => return Err(error.into()),
            });
        }
        let delivered = self.ledger.memory.lock().delivered_up_to();
        let is_due = delivered >= self.marked + MARK_EVERY;
        if is_due {
            mark(&self.ledger.connection, delivered)?;
        }
        run(&self.ledger.connection, "COMMIT").map_err(|error| Failure {
            error,
            committing: true,
        })?;
        if is_due {
            self.marked = delivered;
        }
        Ok(outcomes)
    }

    fn write_one(&mut self, work: &Work) -> Result<u64, Refusal> {
        match work {
            Work::Commit(commit) => Plan::new(&self.ledger, commit)?.write(&mut self.ledger),
            Work::Projects(change) => {
                change.write(&self.ledger.connection)?;
                Ok(self.ledger.numbers.commit)
            }
            Work::Builds(change) => change.write(&self.ledger.connection),
        }
    }

    fn undo(&mut self) {
        self.ledger.fresh = Fresh::default();
        self.ledger.numbers = self.committed;
        if !self.ledger.connection.is_autocommit()
            && let Err(error) = run(&self.ledger.connection, "ROLLBACK")
        {
            self.broken = Some(error.to_string());
        }
    }

    /// A failure of the disk ends all writing: what it holds is uncertain, and a second try that
    /// succeeds would hide that the first one was lost. Any other failure may be the fault of one
    /// piece of work, so each is tried by itself.
    fn after_failure(&mut self, failure: &Failure, works: &[Work]) -> Vec<Outcome> {
        let message = || failure.error.to_string();
        let each = |outcome: &dyn Fn() -> StoreError| {
            works.iter().map(|_| Err(outcome())).collect::<Vec<_>>()
        };
        match Trouble::of(&failure.error) {
            Trouble::Disk | Trouble::Damaged => {
                self.broken = Some(message());
                if failure.committing {
                    return each(&|| StoreError::Ambiguous);
                }
                each(&|| unavailable(WRITING, message()))
            }
            Trouble::Full => {
                each(&|| unavailable(&format!("{WRITING}: the disk is full"), message()))
            }
            Trouble::Other if works.len() > 1 => {
                works.chunks(1).flat_map(|one| self.write(one)).collect()
            }
            Trouble::Other => each(&|| unavailable(WRITING, message())),
        }
    }

    /// Writes down which outboxes were delivered, when more were than the database knows.
    ///
    /// A mark that is not written costs repeated deliveries and nothing else.
    pub(super) fn save_mark(&mut self) {
        let delivered = self.ledger.memory.lock().delivered_up_to();
        if self.broken.is_some() || delivered <= self.marked {
            return;
        }
        match mark(&self.ledger.connection, delivered) {
            Ok(()) => self.marked = delivered,
            Err(error) => match Trouble::of(&error) {
                Trouble::Disk | Trouble::Damaged => self.broken = Some(error.to_string()),
                Trouble::Full | Trouble::Other => {}
            },
        }
    }

    pub(super) fn is_broken(&self) -> bool {
        self.broken.is_some()
    }
}

fn mark(connection: &Connection, delivered: u64) -> rusqlite::Result<()> {
    let sql = "INSERT INTO mark (name, value) VALUES (?1, ?2) \
               ON CONFLICT DO UPDATE SET value = excluded.value";
    let mut statement = connection.prepare_cached(sql)?;
    statement.execute(params![DELIVERED, delivered]).map(drop)
}

fn run(connection: &Connection, sql: &str) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.execute([]).map(drop)
}
