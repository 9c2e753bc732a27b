//! The floor is what the disk and SQLite take for the same rows, with nothing else.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use rusqlite::{Connection, params};

use crate::{
    figures::Latency,
    recorder::{Kind, Recorded, Row},
};

const SCHEMA: &str = "
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    CREATE TABLE head (lane INTEGER PRIMARY KEY, body BLOB);
    CREATE TABLE execution (id INTEGER PRIMARY KEY, body BLOB);
    CREATE TABLE action (number INTEGER PRIMARY KEY, job BLOB);
    CREATE TABLE news (number INTEGER PRIMARY KEY, body BLOB);
    CREATE TABLE journal (number INTEGER PRIMARY KEY, body BLOB);
";

/// One execution after the other.
pub(crate) fn alone(
    folder: &Path,
    recorded: &[Recorded],
    count: usize,
) -> Result<Latency, rusqlite::Error> {
    let database = Database::create(folder)?;
    let mut each = Vec::with_capacity(count);
    for (id, execution) in (0..).zip(recorded.iter().cycle().take(count)) {
        let began = Instant::now();
        for rows in execution {
            database.commit(&[(0, id, rows)])?;
        }
        each.push(began.elapsed());
    }
    Ok(Latency::new(each))
}

/// Executions a second when every transaction holds the next commit of every lane.
pub(crate) fn throughput(
    folder: &Path,
    recorded: &[Recorded],
    lanes: usize,
    time: Duration,
) -> Result<f64, rusqlite::Error> {
    let database = Database::create(folder)?;
    let mut patterns = recorded.iter().cycle();
    let mut next_id = 0;
    let mut begin = |ahead: usize| {
        next_id += 1;
        let pattern = patterns.next().map_or(&[][..], |pattern| &pattern[..]);
        (
            next_id,
            &pattern[ahead.min(pattern.len().saturating_sub(1))..],
        )
    };
    // The lanes begin apart, so that a transaction holds commits of every kind.
    let mut running: Vec<(i64, &[Vec<Row>])> = (0..lanes)
        .map(|lane| begin(if lanes == 1 { 0 } else { lane % 5 }))
        .collect();
    let (mut finished, began) = (0_u32, Instant::now());
    while began.elapsed() < time {
        let batch: Vec<(i64, i64, &[Row])> = (0..)
            .zip(&running)
            .filter_map(|(lane, (id, rest))| Some((lane, *id, rest.first()?.as_slice())))
            .collect();
        database.commit(&batch)?;
        for lane in &mut running {
            lane.1 = lane.1.get(1..).unwrap_or_default();
            if lane.1.is_empty() {
                finished += 1;
                *lane = begin(0);
            }
        }
    }
    Ok(f64::from(finished) / began.elapsed().as_secs_f64())
}

struct Database {
    connection: Connection,
    /// Held so that the files go when the measurement ends.
    _folder: tempfile::TempDir,
}

impl Database {
    fn create(folder: &Path) -> Result<Self, rusqlite::Error> {
        let folder = tempfile::tempdir_in(folder).expect("the folder was made just now");
        let connection = Connection::open(folder.path().join("floor.db"))?;
        connection.execute_batch(SCHEMA)?;
        Ok(Self {
            connection,
            _folder: folder,
        })
    }

    /// Writes the rows of some lanes and syncs.
    fn commit(&self, lanes: &[(i64, i64, &[Row])]) -> Result<(), rusqlite::Error> {
        self.connection
            .prepare_cached("BEGIN IMMEDIATE")?
            .execute([])?;
        for (lane, id, rows) in lanes {
            for row in *rows {
                self.write(*lane, *id, row)?;
            }
        }
        self.connection.prepare_cached("COMMIT")?.execute([])?;
        Ok(())
    }

    fn write(&self, lane: i64, id: i64, row: &Row) -> Result<(), rusqlite::Error> {
        let slot = i64::try_from(row.slot).unwrap_or(i64::MAX);
        // The attempts of one execution lie together.
        let attempt = (id << 8) | slot;
        let prepare = |sql| self.connection.prepare_cached(sql);
        match row.kind {
            Kind::Head => prepare("INSERT OR REPLACE INTO head VALUES (?1, ?2)")?
                .execute(params![lane, row.body])?,
            Kind::Execution => prepare("INSERT OR REPLACE INTO execution VALUES (?1, ?2)")?
                .execute(params![id, row.body])?,
            Kind::Begin => prepare("INSERT OR REPLACE INTO action VALUES (?1, ?2)")?
                .execute(params![attempt, row.body])?,
            Kind::Update => prepare("INSERT OR REPLACE INTO news VALUES (?1, ?2)")?
                .execute(params![attempt, row.body])?,
            Kind::Journal => {
                prepare("INSERT INTO journal (body) VALUES (?1)")?.execute(params![row.body])?
            }
        };
        Ok(())
    }
}
