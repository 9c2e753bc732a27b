//! The desk: where work is handed in, and where the database is read.
//!
//! A database in a file has a thread that writes what has gathered, and a connection beside it for
//! reading. Whoever finds nobody else there writes without it: to be handed from thread to thread
//! and back would take as long as the sync. In memory the caller always writes, so that the same
//! calls give the same results.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::JoinHandle,
};

use ports::StoreError;
use rusqlite::Connection;
use tokio::{
    sync::{mpsc, oneshot},
    task::yield_now,
};

use super::{
    database::{self, OpenError, unavailable},
    load::failed_reading,
    writer::{Outcome, Work, Writer},
};

/// How many works one transaction takes: more would hardly be faster, and the first of them would
/// wait longer.
const BATCH_MAX: usize = 128;

/// How many works wait for the writer; whoever comes then waits at the door.
const QUEUE_MAX: usize = 4096;

/// What reaches the writer's thread.
enum Letter {
    Work(Work, oneshot::Sender<Outcome>),
    /// Write down which outboxes were delivered.
    Mark,
}

pub(super) enum Desk {
    Thread(Thread),
    /// None once the store has crashed.
    Caller(Mutex<Option<Box<Writer>>>),
}

pub(super) struct Thread {
    reader: Mutex<Connection>,
    /// None once the store is closed.
    letters: Mutex<Option<mpsc::Sender<Letter>>>,
    handle: Mutex<Option<JoinHandle<()>>>,
    state: Arc<ThreadState>,
    /// How many works were handed in and have no outcome yet.
    at_work: AtomicUsize,
}

struct ThreadState {
    /// None once the store is closed. Poisoned when writing panicked: then nobody writes any more.
    writer: Mutex<Option<Box<Writer>>>,
    /// The thread's last transaction was of many works: more may come while it writes one.
    gathers: AtomicBool,
    is_broken: AtomicBool,
    /// End as a crash would.
    is_crash: AtomicBool,
}

impl Desk {
    /// Starts the thread of a writer.
    pub(super) fn start(path: &Path, writer: Writer) -> Result<Self, OpenError> {
        let reader = Mutex::new(database::open_reader(path)?);
        let (letters, received) = mpsc::channel(QUEUE_MAX);
        let state = Arc::new(ThreadState {
            writer: Mutex::new(Some(Box::new(writer))),
            gathers: AtomicBool::default(),
            is_broken: AtomicBool::default(),
            is_crash: AtomicBool::default(),
        });
        let of_thread = Arc::clone(&state);
        let handle = std::thread::Builder::new()
            .name("pipewright-store".to_owned())
            .spawn(move || serve(received, &of_thread))
            .map_err(|source| OpenError::Unavailable {
                path: path.display().to_string(),
                source: source.into(),
            })?;
        Ok(Self::Thread(Thread {
            reader,
            letters: Mutex::new(Some(letters)),
            handle: Mutex::new(Some(handle)),
            state,
            at_work: AtomicUsize::default(),
        }))
    }

    pub(super) async fn submit(&self, work: Work) -> Outcome {
        let thread = match self {
            Self::Caller(writer) => {
                let mut writer = lock(writer);
                let writer = writer.as_mut().ok_or_else(gone)?;
                let outcome = writer.write(std::slice::from_ref(&work)).pop();
                return outcome.unwrap_or(Err(StoreError::Ambiguous));
            }
            Self::Thread(thread) => thread,
        };
        let _present = Present::at(&thread.at_work);
        if !thread.state.gathers.load(Ordering::Relaxed) {
            // Whoever is ready to hand something in does so now, and then it is written together.
            yield_now().await;
            if thread.at_work.load(Ordering::Relaxed) == 1 {
                return thread.state.write_alone(work);
            }
        }
        let (reply, outcome) = oneshot::channel();
        let letters = lock(&thread.letters).clone().ok_or_else(gone)?;
        let sent = letters.send(Letter::Work(work, reply)).await;
        sent.map_err(|_| gone())?;
        // A writer that panicked may have committed before.
        outcome.await.unwrap_or(Err(StoreError::Ambiguous))
    }

    /// Runs queries on one state of the database.
    pub(super) fn read<T>(
        &self,
        query: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        match self {
            Self::Caller(writer) => {
                let writer = lock(writer);
                query(&writer.as_ref().ok_or_else(gone)?.ledger.connection)
            }
            Self::Thread(thread) => {
                let reader = lock(&thread.reader);
                let transaction = reader.unchecked_transaction().map_err(failed_reading)?;
                query(&transaction)
            }
        }
    }

    /// Asks for the watermark of delivered outboxes to be written. In memory it goes with the
    /// commits alone, because the time of day must not decide what a crash forgets.
    pub(super) fn mark(&self) {
        if let Self::Thread(thread) = self
            && let Some(letters) = &*lock(&thread.letters)
        {
            // A full queue has commits in it that take the watermark along.
            let _ = letters.try_send(Letter::Mark);
        }
    }

    pub(super) fn is_broken(&self) -> bool {
        match self {
            Self::Caller(writer) => lock(writer).as_ref().is_none_or(|it| it.is_broken()),
            Self::Thread(thread) => thread.state.is_broken.load(Ordering::Relaxed),
        }
    }
}

impl Thread {
    /// Ends the thread when it has written what was handed in; after a crash, no more than that.
    pub(super) fn close(&self, is_crash: bool) {
        if is_crash {
            self.state.is_crash.store(true, Ordering::Relaxed);
        }
        drop(lock(&self.letters).take());
        if let Some(handle) = lock(&self.handle).take() {
            // A writer that panicked has said so, and there is nothing more to do for it.
            let _ = handle.join();
        }
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        self.close(false);
    }
}

/// Somebody who handed work in and waits, until dropped.
struct Present<'a>(&'a AtomicUsize);

impl<'a> Present<'a> {
    fn at(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Present<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl ThreadState {
    /// Lets `write` use the writer, unless the store was closed or a writer panicked.
    fn with_writer<T>(&self, write: impl FnOnce(&mut Writer) -> T) -> Result<T, StoreError> {
        let mut writer = self.writer.lock().map_err(|_| {
            self.is_broken.store(true, Ordering::Relaxed);
            unavailable(
                "write to the database",
                "an earlier write failed unexpectedly",
            )
        })?;
        let writer = writer.as_mut().ok_or_else(gone)?;
        let written = write(writer);
        self.is_broken.store(writer.is_broken(), Ordering::Relaxed);
        Ok(written)
    }

    fn write_alone(&self, work: Work) -> Outcome {
        let write = || self.with_writer(|writer| writer.write(&[work]).pop());
        match catch_unwind(AssertUnwindSafe(write)) {
            Ok(written) => written?.unwrap_or(Err(StoreError::Ambiguous)),
            // A writer that panicked may have committed before.
            Err(_) => Err(StoreError::Ambiguous),
        }
    }
}

fn serve(mut letters: mpsc::Receiver<Letter>, state: &ThreadState) {
    let mut batch = Vec::with_capacity(BATCH_MAX);
    let (mut works, mut replies) = (Vec::new(), Vec::new());
    while letters.blocking_recv_many(&mut batch, BATCH_MAX) > 0 {
        let mut is_marked = false;
        for letter in batch.drain(..) {
            match letter {
                Letter::Work(work, reply) => {
                    works.push(work);
                    replies.push(reply);
                }
                Letter::Mark => is_marked = true,
            }
        }
        if !works.is_empty() {
            state.gathers.store(works.len() > 1, Ordering::Relaxed);
            let Ok(outcomes) = state.with_writer(|writer| writer.write(&works)) else {
                return;
            };
            for (outcome, reply) in outcomes.into_iter().zip(replies.drain(..)) {
                // Whoever handed it in may have gone; what is written stays.
                let _ = reply.send(outcome);
            }
            works.clear();
        }
        if is_marked && state.with_writer(Writer::save_mark).is_err() {
            return;
        }
    }
    // Nobody comes any more: the writer goes, and the database is closed with it.
    let writer = state
        .writer
        .lock()
        .ok()
        .and_then(|mut writer| writer.take());
    if let Some(mut writer) = writer
        && !state.is_crash.load(Ordering::Relaxed)
    {
        writer.save_mark();
    }
}

fn gone() -> StoreError {
    unavailable("reach the database", "it was closed")
}

/// Everything behind these locks is whole whatever became of the thread that held one: SQLite
/// undoes what a panic interrupted.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DataDir, store::projects};

    fn mark() -> Work {
        projects::Change::Put {
            name: "web".to_owned(),
            body: b"{}".to_vec(),
        }
        .into()
    }

    fn desk(folder: &Path) -> Desk {
        let data = DataDir::open(folder).unwrap();
        let connection = database::open_file(&data.database()).unwrap();
        let writer = Writer::new(connection, "test").unwrap();
        Desk::start(&data.database(), writer).unwrap()
    }

    #[tokio::test]
    async fn a_write_that_panics_is_the_last_one_and_is_not_believed() {
        let folder = tempfile::tempdir().unwrap();
        let desk = desk(folder.path());
        desk.submit(mark()).await.unwrap();
        let Desk::Thread(thread) = &desk else {
            panic!("a database in a file has a thread")
        };
        let state = Arc::clone(&thread.state);
        let panicked = std::thread::spawn(move || state.with_writer(|_| panic!("on purpose")));
        assert!(panicked.join().is_err());
        // Alone, and through the thread.
        for gathers in [false, true] {
            thread.state.gathers.store(gathers, Ordering::Relaxed);
            assert!(desk.submit(mark()).await.is_err(), "{gathers}");
        }
        assert!(desk.is_broken());
    }

    /// Some come alone and some together, on real threads.
    #[test]
    fn the_lone_and_the_crowd_write_one_after_the_other() {
        const LANES: usize = 4;
        const EACH: usize = 200;
        let folder = tempfile::tempdir().unwrap();
        let desk = Arc::new(desk(folder.path()));
        let lane = |number: usize| {
            let desk = Arc::clone(&desk);
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .build()
                    .unwrap();
                for at in 0..EACH {
                    let work = projects::Change::Put {
                        name: format!("{number}-{at}"),
                        body: b"{}".to_vec(),
                    };
                    runtime.block_on(desk.submit(work.into())).unwrap();
                }
            })
        };
        let lanes: Vec<_> = (0..LANES).map(lane).collect();
        for lane in lanes {
            lane.join().unwrap();
        }
        let written = desk.read(|connection| {
            let sql = "SELECT count(*) FROM project";
            connection
                .query_row(sql, [], |row| row.get::<_, u64>(0))
                .map_err(failed_reading)
        });
        assert_eq!(written.unwrap(), (LANES * EACH) as u64);
        assert!(!desk.is_broken());
    }
}
