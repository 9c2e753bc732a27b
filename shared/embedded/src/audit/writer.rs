//! The one thread that writes the trail.
//!
//! Lines are written as they come and synced together: at once when somebody waits for it, and
//! shortly after otherwise. When a write fails, the lines are kept and tried again, and nobody may
//! hand in more until it works. When a sync fails, nobody knows what is on disk: then nothing is
//! written any more, and the next process finds out.

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use ports::audit::AuditError;
use tokio::{
    sync::{OwnedSemaphorePermit, mpsc, watch},
    time::{Instant, timeout_at},
};

use super::{
    ANCHOR_INTERVAL, AuditOptions, Order, SYNC_INTERVAL, Waiter, began, encoded, files,
    line::{self, GENESIS, Link},
    recover::{self, Recovery},
    seal::{self, Seal},
};
use crate::data_dir::DataDir;

/// How many bytes of lines are gathered before they are written.
const BATCH_BYTES: usize = 1024 * 1024;

/// How long it takes until a write that failed is tried again.
const RETRY_INTERVAL: Duration = Duration::from_millis(100);

/// Whether the trail can be written; those who hand in records look at it first.
#[derive(Debug, Default)]
pub(super) struct State {
    trouble: watch::Sender<Option<String>>,
}

impl State {
    pub(super) fn check(&self) -> Result<(), AuditError> {
        self.trouble()
            .map_or(Ok(()), |why| Err(AuditError::Unavailable(why)))
    }

    /// Why nothing can be written now.
    pub(super) fn trouble(&self) -> Option<String> {
        self.trouble.borrow().clone()
    }

    /// Moves when writing fails in another way, and when it works again; not with each attempt.
    pub(super) fn watch(&self) -> watch::Receiver<Option<String>> {
        self.trouble.subscribe()
    }

    fn set(&self, trouble: Option<String>) {
        self.trouble.send_if_modified(|told| {
            let is_new = *told != trouble;
            *told = trouble;
            is_new
        });
    }
}

pub(super) struct Writer {
    options: AuditOptions,
    directory: PathBuf,
    state: Arc<State>,
    number: u64,
    file: File,
    /// How much of the file is written.
    length: u64,
    head: File,
    anchors: File,
    /// Lines that are not written yet, with the room that they take in the queue.
    lines: Vec<u8>,
    rooms: Vec<OwnedSemaphorePermit>,
    /// Those who wait until everything is on disk.
    waiters: Vec<Waiter>,
    /// The last record that was taken, written, synced, anchored.
    link: Link,
    written: Link,
    synced: Link,
    anchored: Link,
    /// Since when something is written and not synced.
    unsynced: Option<Instant>,
    anchored_at: Instant,
    anchor_interval: Duration,
    retry_at: Option<Instant>,
    /// Nobody knows what is on disk.
    is_broken: bool,
    /// The trail began with this process, and another one must have been before.
    began_anew: bool,
    /// No other process may write the trail as long as this one can.
    _data: DataDir,
}

impl Writer {
    pub(super) fn open(
        data: DataDir,
        options: AuditOptions,
    ) -> Result<(Self, Option<Recovery>), AuditError> {
        let directory = data.audit();
        let failed = |error: io::Error| {
            AuditError::Unavailable(format!("in {}: {error}", directory.display()))
        };
        let (end, recovery) = recover::recover(&directory, &options.key).map_err(failed)?;
        let open = || -> io::Result<(File, File, File)> {
            // A trail without a head was tampered with, so the head comes first.
            let head = seal::open_head(&directory)?;
            if end.link == GENESIS && recovery.is_none() {
                seal::write_head(
                    &head,
                    &Seal::new(&options.key, GENESIS, options.clock.now()),
                )?;
                head.sync_all()?;
            }
            let anchors = seal::open_anchors(&directory)?;
            File::open(&directory)?.sync_all()?;
            Ok((head, anchors, open_file(&directory, end.number)?))
        };
        let (head, anchors, file) = open().map_err(failed)?;
        let is_new = end.link == GENESIS;
        let is_first_start = !began::was_in_use(&directory)
            && recovery
                .as_ref()
                .is_none_or(|recovery| recovery.missing.is_none());
        let mut writer = Self {
            directory: directory.clone(),
            state: Arc::default(),
            number: end.number,
            file,
            length: end.length,
            head,
            anchors,
            lines: Vec::new(),
            rooms: Vec::new(),
            waiters: Vec::new(),
            link: end.link,
            written: end.link,
            synced: end.link,
            anchored: GENESIS,
            unsynced: None,
            anchored_at: Instant::now(),
            anchor_interval: ANCHOR_INTERVAL,
            retry_at: None,
            is_broken: false,
            began_anew: is_new && !is_first_start,
            _data: data,
            options,
        };
        let first = is_new.then_some(is_first_start);
        writer.begin(first, recovery.as_ref())?;
        Ok((writer, recovery))
    }

    /// Writes what the trail has to say of itself: its beginning, if it is new, and what was found.
    fn begin(
        &mut self,
        is_first_start: Option<bool>,
        recovery: Option<&Recovery>,
    ) -> Result<(), AuditError> {
        let (now, account) = (self.options.clock.now(), Arc::clone(&self.options.account));
        if let Some(is_first_start) = is_first_start {
            self.add(&encoded(&began::record(is_first_start, now, &account))?);
        }
        if let Some(recovery) = recovery {
            self.add(&encoded(&recovery.record(now, &account))?);
        }
        let mut bring_to_disk = || -> io::Result<()> {
            if self.link != self.written {
                self.write()?;
                self.sync()?;
            }
            if is_first_start.is_some() {
                self.anchor()?;
            }
            Ok(())
        };
        let brought = bring_to_disk();
        brought.map_err(|error| {
            AuditError::Unavailable(format!("in {}: {error}", self.directory.display()))
        })
    }

    pub(super) fn began_anew(&self) -> bool {
        self.began_anew
    }

    pub(super) fn state(&self) -> Arc<State> {
        Arc::clone(&self.state)
    }

    /// Writes to something else from now on.
    #[cfg(test)]
    pub(super) fn replace_file(&mut self, file: File) {
        self.file = file;
    }

    /// Anchors that often from now on.
    #[cfg(test)]
    pub(super) fn anchor_each(&mut self, interval: Duration) {
        self.anchor_interval = interval;
    }

    pub(super) fn run(mut self, orders: mpsc::Receiver<Order>) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build();
        match runtime {
            Ok(runtime) => runtime.block_on(self.serve(orders)),
            // Whoever hands in a record learns that nobody takes it.
            Err(error) => self.state.set(Some(format!("no timer for it: {error}"))),
        }
    }

    async fn serve(&mut self, mut orders: mpsc::Receiver<Order>) {
        let mut closing = None;
        loop {
            match timeout_at(self.wake_at(), orders.recv()).await {
                Ok(None) => break,
                Ok(Some(order)) => {
                    let mut next = Some(order);
                    while let Some(order) = next {
                        if let Some(waiter) = self.take(order) {
                            orders.close();
                            closing = Some(waiter);
                        }
                        let has_room = self.lines.len() < BATCH_BYTES;
                        next = has_room.then(|| orders.try_recv().ok()).flatten();
                    }
                }
                Err(_) => {}
            }
            self.work();
        }
        let result = self.finish();
        if let Some(waiter) = closing {
            // Whoever asked may have gone.
            let _ = waiter.send(result);
        }
    }

    /// Takes one order; a waiter is to be told when everything is closed.
    fn take(&mut self, order: Order) -> Option<Waiter> {
        match order {
            Order::Record { json, waiter, room } => {
                // What a broken trail is handed was handed in before anybody knew.
                if !self.is_broken {
                    self.add(&json);
                    self.rooms.push(room);
                }
                self.waiters.extend(waiter);
            }
            Order::Flush(waiter) => self.waiters.push(waiter),
            Order::Close(waiter) => return Some(waiter),
        }
        None
    }

    fn add(&mut self, record: &[u8]) {
        let link = self.link.next(record);
        line::write(&mut self.lines, self.link, record, link);
        self.link = link;
    }

    /// Brings to disk what is due.
    fn work(&mut self) {
        let now = Instant::now();
        let result = self.step(now);
        self.settle(result, now);
    }

    fn step(&mut self, now: Instant) -> io::Result<()> {
        if self.is_broken {
            return Ok(());
        }
        self.write()?;
        let is_due = self.unsynced.is_some_and(|at| now >= at + SYNC_INTERVAL);
        let is_full = self.length >= self.options.file_bytes_max;
        if is_due || is_full || !self.waiters.is_empty() || self.retry_at.is_some() {
            self.sync()?;
        }
        if is_full {
            self.rotate()?;
        }
        if now >= self.anchored_at + self.anchor_interval {
            self.sync()?;
            self.anchor()?;
        }
        Ok(())
    }

    /// Tells those who wait, and those who come, how it went.
    fn settle(&mut self, result: io::Result<()>, now: Instant) {
        match result {
            Ok(()) if self.is_broken => {}
            Ok(()) => {
                if self.retry_at.take().is_some() {
                    self.state.set(None);
                }
            }
            Err(error) => {
                let place = self.directory.display();
                let end = if self.is_broken {
                    "; what is on disk is not known: restart the server"
                } else {
                    ""
                };
                self.state.set(Some(format!("in {place}: {error}{end}")));
                self.retry_at = Some(now + RETRY_INTERVAL);
            }
        }
        for waiter in self.waiters.drain(..) {
            // Whoever asked may have gone.
            let _ = waiter.send(self.state.check());
        }
    }

    fn finish(&mut self) -> Result<(), AuditError> {
        let now = Instant::now();
        let result = self.step(now).and_then(|()| {
            if self.is_broken {
                return Ok(());
            }
            self.sync()?;
            self.anchor()
        });
        self.settle(result, now);
        self.state.check()
    }

    fn wake_at(&self) -> Instant {
        let sync_at = self.unsynced.map(|at| at + SYNC_INTERVAL);
        let anchor_at = self.anchored_at + self.anchor_interval;
        let retry_at = self.retry_at.filter(|_| !self.is_broken);
        [
            sync_at.filter(|_| !self.is_broken),
            retry_at,
            Some(anchor_at),
        ]
        .into_iter()
        .flatten()
        .min()
        .unwrap_or(anchor_at)
    }

    fn write(&mut self) -> io::Result<()> {
        if self.lines.is_empty() {
            return Ok(());
        }
        // A part that was written by an attempt that failed is written over.
        self.file.write_all_at(&self.lines, self.length)?;
        self.length += self.lines.len() as u64;
        self.lines.clear();
        self.rooms.clear();
        self.written = self.link;
        self.unsynced.get_or_insert_with(Instant::now);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        if self.written != self.synced {
            if let Err(error) = self.file.sync_data() {
                self.is_broken = true;
                return Err(error);
            }
            self.synced = self.written;
            self.unsynced = None;
        }
        // Not before the records that it names are surely there.
        seal::write_head(&self.head, &self.seal())
    }

    /// Begins the next file.
    fn rotate(&mut self) -> io::Result<()> {
        self.anchor()?;
        self.file = open_file(&self.directory, self.number + 1)?;
        self.number += 1;
        self.length = 0;
        Ok(())
    }

    fn anchor(&mut self) -> io::Result<()> {
        if self.anchored != self.synced {
            let seal = self.seal();
            seal::write_anchor(&mut self.anchors, &seal)?;
            self.anchored = self.synced;
        }
        self.anchored_at = Instant::now();
        Ok(())
    }

    fn seal(&self) -> Seal {
        let options = &self.options;
        Seal::new(&options.key, self.synced, options.clock.now())
    }
}

/// Opens a file of the trail, for this user alone; its name is on disk when this returns.
fn open_file(directory: &std::path::Path, number: u64) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600);
    let file = options.open(files::path(directory, number))?;
    file.sync_all()?;
    File::open(directory)?.sync_all()?;
    Ok(file)
}
