//! One commit in the writer's transaction: first what is to be written, then the writing.

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use model::{ActionStatus, Execution, ExecutionId, Timestamp};
use ports::{StoreError, store::merged};
use rusqlite::{Connection, params};
use uuid::Uuid;

use super::{
    database::corrupt,
    ledger::{Ledger, Refusal},
    load,
    memory::{Entry, Live},
    prepared::{ExecutionRow, News, Prepared, encode_news},
    rows::{
        Attempt, in_commit, in_pipeline, of_attempt, of_execution, pipeline_of, write_attempts,
        write_sequences,
    },
};

/// Everything that one commit writes.
pub(super) struct Plan<'a> {
    work: &'a Prepared,
    name: Arc<str>,
    /// The number of the commit.
    number: u64,
    entry: Entry,
    touched: BTreeMap<ExecutionId, Touched<'a>>,
    news: Vec<(u64, Cow<'a, [u8]>)>,
    /// Jobs that began, with their rows, or ended.
    jobs: Vec<(Uuid, Option<u64>)>,
}

/// An execution that the commit writes to.
struct Touched<'a> {
    number: u64,
    attempts: Vec<(Uuid, Attempt)>,
    /// Its new body; without one, only its attempts changed.
    row: Option<&'a ExecutionRow>,
    bytes: usize,
}

impl<'a> Plan<'a> {
    pub(super) fn new(ledger: &Ledger, work: &'a Prepared) -> Result<Self, StoreError> {
        let name: Arc<str> = Arc::from(work.after.head.pipeline.as_str());
        let before = known(ledger, &name)?;
        let (version, commit) = before
            .as_ref()
            .map_or((0, Uuid::nil()), |before| (before.version, before.commit));
        let is_expected = (version, commit) == (work.expected_version, work.expected_commit);
        if !is_expected || is_token_used(ledger, before.as_deref(), work)? {
            return Err(StoreError::Conflict);
        }
        let pipeline = match &before {
            Some(before) => before.number,
            None => next_pipeline(ledger)?,
        };
        let mut plan = Self {
            work,
            name,
            number: ledger.numbers.commit + 1,
            entry: Entry {
                number: pipeline,
                version: version + 1,
                commit: work.id,
                deadline: work.deadline,
                state: Arc::clone(&work.after),
                live: BTreeMap::new(),
            },
            touched: BTreeMap::new(),
            news: Vec::with_capacity(work.news.len()),
            jobs: Vec::new(),
        };
        plan.touch(&ledger.connection, before.as_deref())?;
        plan.begin()?;
        plan.tell(&ledger.connection)?;
        plan.join_outputs()?;
        plan.keep_live(before.as_deref());
        Ok(plan)
    }

    /// Finds every execution that is written to, with the attempts that it has so far.
    fn touch(&mut self, connection: &Connection, before: Option<&Entry>) -> Result<(), StoreError> {
        let work = self.work;
        for row in &work.executions {
            let number = in_pipeline(self.entry.number, row.sequence);
            let attempts = match before.and_then(|before| before.live.get(&row.id)) {
                Some(live) => live.attempts.to_vec(),
                None => stored_attempts(connection, row.id, Some(number))?.1,
            };
            let bytes = row.body.len();
            let touched = Touched {
                number,
                attempts,
                row: Some(row),
                bytes,
            };
            self.touched.insert(row.id, touched);
        }
        let begun = work.begun.iter().map(|begun| begun.execution);
        for id in begun.chain(work.news.iter().map(|news| news.execution)) {
            if self.touched.contains_key(&id) {
                continue;
            }
            let live = before.and_then(|before| Some((before, before.live.get(&id)?)));
            let (number, attempts, bytes) = if let Some((before, live)) = live {
                let sequence = sequence(&before.state.executions[&id])?;
                let number = in_pipeline(before.number, sequence);
                (number, live.attempts.to_vec(), live.bytes)
            } else {
                let (number, attempts) = stored_attempts(connection, id, None)?;
                (number, attempts, 0)
            };
            if pipeline_of(number) != u64::from(self.entry.number) {
                return Err(corrupt(of_execution(id)(), "another pipeline has it"));
            }
            let touched = Touched {
                number,
                attempts,
                row: None,
                bytes,
            };
            self.touched.insert(id, touched);
        }
        Ok(())
    }

    fn begin(&mut self) -> Result<(), StoreError> {
        for (place, begun) in self.work.begun.iter().enumerate() {
            let missing = || corrupt(of_execution(begun.execution)(), "it is not there");
            let touched = self.touched.get_mut(&begun.execution).ok_or_else(missing)?;
            if touched.attempts.iter().any(|(id, _)| *id == begun.id) {
                return Err(corrupt(of_attempt(begun.id)(), "it began before"));
            }
            let attempt = Attempt {
                row: in_commit(self.number, place),
                is_open: begun.is_open,
                has_outputs: false,
            };
            touched.attempts.push((begun.id, attempt));
        }
        Ok(())
    }

    fn tell(&mut self, connection: &Connection) -> Result<(), StoreError> {
        let first_row = in_commit(self.number, 0);
        for news in &self.work.news {
            let missing = || corrupt(of_attempt(news.id)(), "it never began");
            let touched = self.touched.get_mut(&news.execution).ok_or_else(missing)?;
            let attempt = touched.attempts.iter_mut().find(|(id, _)| *id == news.id);
            let (_, attempt) = attempt.ok_or_else(missing)?;
            if news.update.status != ActionStatus::InProgress {
                if attempt.is_open && attempt.row < first_row {
                    self.jobs.push((news.id, None));
                }
                attempt.is_open = false;
            }
            let body = if attempt.row < first_row {
                all_news(connection, news, attempt.row)?
            } else {
                Cow::Borrowed(news.body.as_slice())
            };
            self.news.push((attempt.row, body));
        }
        for (place, begun) in self.work.begun.iter().enumerate() {
            let row = in_commit(self.number, place);
            let attempts = &self.touched[&begun.execution].attempts;
            if attempts
                .iter()
                .any(|(_, attempt)| attempt.row == row && attempt.is_open)
            {
                self.jobs.push((begun.id, Some(row)));
            }
        }
        Ok(())
    }

    fn join_outputs(&mut self) -> Result<(), StoreError> {
        for touched in self.touched.values_mut() {
            let Some(row) = touched.row else { continue };
            for (id, attempt) in &mut touched.attempts {
                attempt.has_outputs = row.with_outputs.contains(id);
            }
            for id in &row.with_outputs {
                if !touched.attempts.iter().any(|(known, _)| known == id) {
                    return Err(corrupt(of_attempt(*id)(), "it never began"));
                }
            }
        }
        Ok(())
    }

    /// Collects what the next commit will need of the live executions. Those that this one does not
    /// change stay as they are stored, whatever the commit's state says of them.
    fn keep_live(&mut self, before: Option<&Entry>) {
        let work = self.work;
        let is_changed = |id: &ExecutionId| work.executions.iter().any(|row| row.id == *id);
        let stored = |id: &ExecutionId| before.and_then(|before| before.state.executions.get(id));
        let is_as_stored = |(id, execution): (&ExecutionId, &Arc<Execution>)| {
            is_changed(id) || stored(id).is_some_and(|it| Arc::ptr_eq(it, execution))
        };
        let ids = before.into_iter().flat_map(|before| before.live.keys());
        let unchanged: Vec<_> = ids.filter(|id| !is_changed(id)).copied().collect();
        let is_there = |id: &ExecutionId| work.after.executions.contains_key(id);
        if !work.after.executions.iter().all(is_as_stored) || !unchanged.iter().all(is_there) {
            let state = Arc::make_mut(&mut self.entry.state);
            state.executions.retain(|id, _| is_changed(id));
            for id in &unchanged {
                let (Some(before), Some(execution)) = (before, stored(id)) else {
                    continue;
                };
                state.executions.insert(*id, Arc::clone(execution));
                let version = execution.definition;
                if let Some(definition) = before.state.definitions.get(&version) {
                    state.definitions.insert(version, Arc::clone(definition));
                }
            }
            let in_use = state.definitions_in_use();
            state
                .definitions
                .retain(|version, _| in_use.contains(version));
        }
        for id in self.entry.state.executions.keys() {
            let touched = self.touched.get(id).map(|touched| Live {
                attempts: Arc::from(touched.attempts.as_slice()),
                bytes: touched.bytes,
            });
            let live = touched.or_else(|| before?.live.get(id).cloned());
            self.entry.live.extend(live.map(|live| (*id, live)));
        }
    }

    /// Writes the rows; returns the number of the commit.
    pub(super) fn write(self, ledger: &mut Ledger) -> Result<u64, Refusal> {
        let connection = &ledger.connection;
        self.write_pipeline(connection)?;
        if let Some((version, body)) = &self.work.definition {
            let sql = "INSERT INTO definition (number, body) VALUES (?1, ?2)";
            let number = in_pipeline(self.entry.number, *version);
            connection
                .prepare_cached(sql)?
                .execute(params![number, body])?;
        }
        if let Some(tags) = &self.work.tags {
            let sql = "INSERT INTO tags (pipeline, body) VALUES (?1, ?2) \
                       ON CONFLICT DO UPDATE SET body = excluded.body";
            let parameters = params![self.entry.number, tags];
            connection.prepare_cached(sql)?.execute(parameters)?;
        }
        self.write_executions(connection)?;
        self.write_actions(connection)?;
        if let Some((token, execution)) = &self.work.token {
            let sql = "INSERT INTO token (pipeline, token, execution) VALUES (?1, ?2, ?3)";
            let parameters = params![self.entry.number, token, execution.0];
            connection.prepare_cached(sql)?.execute(parameters)?;
        }
        let sql = "INSERT INTO journal (number, pipeline, outbox, entry) VALUES (?1, ?2, ?3, ?4)";
        let work = self.work;
        let parameters = params![self.number, self.entry.number, work.outbox, work.entry];
        connection.prepare_cached(sql)?.execute(parameters)?;

        let number = self.number;
        ledger.numbers.commit = number;
        ledger.numbers.pipeline = ledger.numbers.pipeline.max(self.entry.number);
        if work.outbox.is_some() {
            ledger.fresh.outboxes.push(number);
        }
        ledger.fresh.jobs.extend(self.jobs);
        let entry = (!work.gone).then(|| Arc::new(self.entry));
        ledger.fresh.entries.insert(self.name, entry);
        Ok(number)
    }

    fn write_pipeline(&self, connection: &Connection) -> Result<(), Refusal> {
        let (entry, head) = (&self.entry, &self.work.head);
        let sequences = entry.state.executions.values().map(|it| sequence(it));
        let sequences = sequences.collect::<Result<Vec<u32>, _>>()?;
        let live = write_sequences(sequences.into_iter());
        let deadline = entry.deadline.map(|Timestamp(millis)| millis);
        if entry.version == 1 {
            let sql = "INSERT INTO pipeline (number, name, version, commit_id, deadline, live, \
                       head) VALUES (?1, ?2, 1, ?3, ?4, ?5, ?6)";
            let parameters = params![entry.number, self.name, entry.commit, deadline, live, head];
            connection.prepare_cached(sql)?.execute(parameters)?;
            return Ok(());
        }
        let sql = "UPDATE pipeline SET version = version + 1, commit_id = ?2, deadline = ?3, \
                   live = ?4, head = ?5, name = ?7, was = ?8 WHERE number = ?1 AND version = ?6";
        let expected = self.work.expected_version;
        let (name, was) = if self.work.gone {
            (None, Some(&self.name))
        } else {
            (Some(&self.name), None)
        };
        let parameters = params![
            entry.number,
            entry.commit,
            deadline,
            live,
            head,
            expected,
            name,
            was
        ];
        if connection.prepare_cached(sql)?.execute(parameters)? == 0 {
            let what = format!("pipeline `{}`", self.name);
            return Err(corrupt(what, "somebody else writes to this database").into());
        }
        Ok(())
    }

    fn write_executions(&self, connection: &Connection) -> rusqlite::Result<()> {
        for touched in self.touched.values() {
            let attempts = touched.attempts.iter().map(|(_, attempt)| *attempt);
            let attempts = write_attempts(attempts);
            if let Some(row) = touched.row {
                let sql = "INSERT INTO execution (number, id, attempts, body) \
                           VALUES (?1, ?2, ?3, ?4) ON CONFLICT (number) \
                           DO UPDATE SET attempts = excluded.attempts, body = excluded.body";
                let parameters = params![touched.number, row.id.0, attempts, row.body];
                connection.prepare_cached(sql)?.execute(parameters)?;
            } else {
                let sql = "UPDATE execution SET attempts = ?2 WHERE number = ?1";
                let parameters = params![touched.number, attempts];
                connection.prepare_cached(sql)?.execute(parameters)?;
            }
        }
        Ok(())
    }

    fn write_actions(&self, connection: &Connection) -> rusqlite::Result<()> {
        for (place, begun) in self.work.begun.iter().enumerate() {
            let sql = "INSERT INTO action (number, id, job) VALUES (?1, ?2, ?3)";
            let parameters = params![in_commit(self.number, place), begun.id, begun.job];
            connection.prepare_cached(sql)?.execute(parameters)?;
        }
        for (row, body) in &self.news {
            let sql = "INSERT INTO news (action, body) VALUES (?1, ?2) \
                       ON CONFLICT DO UPDATE SET body = excluded.body";
            connection
                .prepare_cached(sql)?
                .execute(params![row, &**body])?;
        }
        Ok(())
    }
}

/// The pipeline as it is after the work that is already in this transaction.
fn known(ledger: &Ledger, name: &str) -> Result<Option<Arc<Entry>>, StoreError> {
    if let Some(entry) = ledger.fresh.entries.get(name) {
        return Ok(entry.clone());
    }
    let kept = ledger.memory.lock().state(name);
    match kept {
        Some(entry) => Ok(Some(entry)),
        None => Ok(load::pipeline(&ledger.connection, name)?.map(Arc::new)),
    }
}

fn is_token_used(
    ledger: &Ledger,
    before: Option<&Entry>,
    work: &Prepared,
) -> Result<bool, StoreError> {
    let (Some(before), Some((token, _))) = (before, &work.token) else {
        return Ok(false);
    };
    let sql = "SELECT 1 FROM token WHERE pipeline = ?1 AND token = ?2";
    let parameters = params![before.number, token];
    let found = load::one(&ledger.connection, sql, parameters, |_| Ok(()))?;
    Ok(found.is_some())
}

fn next_pipeline(ledger: &Ledger) -> Result<u32, StoreError> {
    // Row numbers are signed, so a pipeline's number has one bit less.
    let next = ledger.numbers.pipeline.checked_add(1);
    let next = next.filter(|number| i32::try_from(*number).is_ok());
    next.ok_or_else(|| corrupt("pipeline", "there are no numbers left"))
}

/// The row number and attempts of an execution that is not in memory; a new one, which has a number
/// already, has none.
fn stored_attempts(
    connection: &Connection,
    id: ExecutionId,
    number: Option<u64>,
) -> Result<(u64, Vec<(Uuid, Attempt)>), StoreError> {
    let sql = "SELECT number, id, attempts FROM execution WHERE id = ?1 OR number = ?2";
    let found = load::each(connection, sql, params![id.0, number], |row| {
        let attempts: Vec<u8> = row.get(2)?;
        Ok((row.get::<_, u64>(0)?, row.get::<_, Uuid>(1)?, attempts))
    })?;
    match (found.as_slice(), number) {
        ([], Some(number)) => Ok((number, Vec::new())),
        ([(stored, same, attempts)], _)
            if *same == id.0 && number.is_none_or(|number| number == *stored) =>
        {
            Ok((*stored, load::identified(connection, attempts)?))
        }
        ([], None) => Err(corrupt(of_execution(id)(), "it was never written")),
        _ => Err(corrupt(
            of_execution(id)(),
            "its id or number is another one's",
        )),
    }
}

fn all_news<'a>(
    connection: &Connection,
    news: &'a News,
    row: u64,
) -> Result<Cow<'a, [u8]>, StoreError> {
    match load::news(connection, row, news.id)? {
        None => Ok(Cow::Borrowed(news.body.as_slice())),
        Some(earlier) => encode_news(&merged(&earlier, news.update.clone())).map(Cow::Owned),
    }
}

fn sequence(execution: &Execution) -> Result<u32, StoreError> {
    u32::try_from(execution.sequence).map_err(|error| corrupt(of_execution(execution.id)(), error))
}
