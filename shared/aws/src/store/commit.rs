//! One commit as the writes of one transaction.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    ops::Range,
};

use aws_sdk_dynamodb::types::AttributeValue;
use model::{ActionUpdate, Execution, ExecutionId, watch};
use ports::{
    StoreError,
    store::{self, Commit, Doer},
};
use uuid::Uuid;

use super::{
    attempts::{self, Begun},
    executions, journal, numbers,
    rows::{BODY, Known, LIFE, VERSION},
};
use crate::{
    keys,
    table::{Condition, ITEM_BYTES_MAX, Item, TRANSACTION_ITEMS_MAX, Write},
};

pub(super) const EXECUTION: &str = "execution";

/// When what is over goes, in seconds since 1970.
#[derive(Clone, Copy)]
pub(super) struct Expiry {
    pub(super) history: u64,
    /// Attempts stay longer than their executions, which may need their output variables.
    pub(super) attempts: u64,
}

/// What a commit writes; the first write is the head's.
pub(super) struct Plan {
    pub(super) writes: Vec<Write>,
    /// What is known of the pipeline afterwards; nothing when it goes.
    pub(super) known: Option<Known>,
    pub(super) token: Option<usize>,
    /// Writes to attempts that must be there.
    pub(super) news: Range<usize>,
}

impl Plan {
    /// `before` is the head that the commit expects; nothing when it creates the pipeline.
    pub(super) fn new(
        commit: &Commit,
        before: Option<&Known>,
        number: u64,
        expiry: Expiry,
    ) -> Result<Self, StoreError> {
        let life = before.map_or(number, |before| before.life);
        let mut known = before.cloned().unwrap_or_default();
        known.version = commit.expected_version + 1;
        (known.commit, known.life, known.last) = (commit.id, life, number);
        if commit.new_tags {
            known.tags = known.version;
        }
        let mut draft = Draft {
            commit,
            before,
            known,
            expiry,
            writes: Vec::new(),
        };
        let token = draft.token();
        let begun = draft.begun()?;
        let news = draft.attempts(number, &begun)?;
        draft.named()?;
        draft.journal(number, &begun)?;
        draft.executions()?;
        draft.head(token, news)
    }
}

struct Draft<'a> {
    commit: &'a Commit,
    before: Option<&'a Known>,
    known: Known,
    expiry: Expiry,
    writes: Vec<Write>,
}

impl<'a> Draft<'a> {
    fn name(&self) -> &'a str {
        &self.commit.state.head.pipeline
    }

    /// An execution that the commit says something of.
    fn execution(&self, id: ExecutionId) -> Result<&'a Execution, StoreError> {
        let found = self.commit.state.executions.get(&id);
        let found = found.ok_or_else(|| StoreError::Corrupt {
            what: format!("execution {id}"),
            why: "the commit does not have it".to_owned(),
        });
        found.map(|execution| &**execution)
    }

    /// A token of the same name may be left from an earlier life of the pipeline.
    fn token(&mut self) -> Option<usize> {
        let (token, execution) = self.commit.token.as_ref()?;
        let life = self.known.life;
        let item = Item::new(keys::token(self.name(), token))
            .text(EXECUTION, execution.to_string())
            .number(LIFE, life)
            .expires(self.expiry.history);
        let is_free = Condition::AbsentOrNot(LIFE, AttributeValue::N(life.to_string()));
        self.writes.push(Write::put(item).when(is_free));
        Some(self.writes.len() - 1)
    }

    /// The sequence numbers of the executions of the attempts that begin.
    fn begun(&self) -> Result<HashMap<Uuid, u64>, StoreError> {
        let begun = self.commit.begun.iter();
        let each = begun.map(|(job, _)| {
            let execution = self.execution(job.key.execution)?;
            Ok((job.action_execution_id, execution.sequence))
        });
        each.collect()
    }

    /// Attempts that begin, and then news of those that began before: the places of the latter.
    fn attempts(
        &mut self,
        number: u64,
        begun: &HashMap<Uuid, u64>,
    ) -> Result<Range<usize>, StoreError> {
        let mut told: BTreeMap<Uuid, ActionUpdate> = BTreeMap::new();
        for update in &self.commit.updates {
            let id = update.action_execution_id;
            let update = match told.get(&id) {
                Some(earlier) => store::merged(earlier, update.clone()),
                None => update.clone(),
            };
            told.insert(id, update);
        }
        let (life, expires) = (self.known.life, self.expiry.attempts);
        for (place, (job, doer)) in self.commit.begun.iter().enumerate() {
            let id = job.action_execution_id;
            let sequence = begun.get(&id).copied().unwrap_or_default();
            let begun = Begun {
                key: keys::attempt(life, sequence, id),
                job,
                order: numbers::order(number, place),
                is_open: *doer == Doer::Worker,
            };
            let write = begun.put(told.remove(&id).as_ref(), expires)?;
            self.writes.push(write);
        }
        let first = self.writes.len();
        for (id, told) in told {
            let sequence = self.execution(told.execution)?.sequence;
            let key = keys::attempt(life, sequence, id);
            self.writes.push(attempts::tell(key, &told, expires)?);
        }
        Ok(first..self.writes.len())
    }

    /// The definition, the tags, and the pipeline's name among all.
    fn named(&mut self) -> Result<(), StoreError> {
        let (commit, name) = (self.commit, self.name());
        if commit.gone {
            self.writes.push(Write::delete(keys::listed(name)));
            if self.before.is_some_and(|before| before.tags > 0) {
                self.writes.push(Write::delete(keys::tags(name)));
            }
            return Ok(());
        }
        if self.before.is_none() || commit.new_definition {
            let definition = commit.state.current_definition();
            let places = definition.map(|definition| watch::places(definition));
            let places = places.unwrap_or_default();
            let places: BTreeSet<_> = places.iter().map(|place| keys::watched(place)).collect();
            let item = Item::new(keys::listed(name))
                .number(LIFE, self.known.life)
                .texts(keys::WATCHES, places.into_iter().collect());
            self.writes.push(Write::put(item));
        }
        if commit.new_definition {
            let version = commit.state.head.definition;
            let what = || format!("version {version} of pipeline `{name}`");
            let declaration = commit.state.current_definition();
            let declaration = declaration.ok_or_else(|| StoreError::Corrupt {
                what: what(),
                why: "the commit does not have it".to_owned(),
            })?;
            let item = Item::new(keys::definition(self.known.life, version));
            let item = item.json(BODY, &**declaration, what, ITEM_BYTES_MAX)?;
            self.writes.push(Write::put(item));
        }
        if commit.new_tags {
            let what = || format!("tags of pipeline `{name}`");
            let item = Item::new(keys::tags(name))
                .number(LIFE, self.known.life)
                .number(VERSION, self.known.version)
                .json(BODY, &*commit.state.tags, what, ITEM_BYTES_MAX)?;
            self.writes.push(Write::put(item));
        }
        Ok(())
    }

    fn journal(&mut self, number: u64, begun: &HashMap<Uuid, u64>) -> Result<(), StoreError> {
        let (life, expires) = (self.known.life, self.expiry.history);
        let items = journal::items(self.commit, begun, life, number, expires)?;
        for item in items {
            self.writes.push(Write::put(item).when(Condition::Absent));
        }
        Ok(())
    }

    fn executions(&mut self) -> Result<(), StoreError> {
        let mut ended = BTreeMap::new();
        let (name, life, version) = (self.name(), self.known.life, self.known.version);
        for id in &self.commit.changed {
            let execution = self.execution(*id)?;
            let sequence = execution.sequence;
            if !execution.is_live() {
                ended.insert(sequence, execution);
            } else if self.known.live.insert(sequence, version) != Some(version) {
                self.known.leaving.remove(&sequence);
                self.known.loaded.remove(&sequence);
                let item = executions::item(keys::live(name, sequence), execution, life, version)?;
                self.writes.push(Write::put(item));
            }
        }
        // The head is still to come.
        let room = TRANSACTION_ITEMS_MAX.saturating_sub(self.writes.len() + 1);
        if self.commit.gone {
            self.leave_nothing(room);
            return Ok(());
        }
        // Each takes one item at least.
        let mut room = room.saturating_sub(ended.len());
        for (sequence, execution) in ended {
            self.end(sequence, execution, &mut room)?;
        }
        let loaded = self.known.loaded.clone();
        for (sequence, item) in loaded {
            let Ok(Ok(id)) = item.get_text(executions::ID).map(str::parse) else {
                continue;
            };
            if room < 3 || self.known.leaving.get(&sequence) == Some(&version) {
                continue;
            }
            room -= 3;
            self.known.leaving.remove(&sequence);
            self.known.loaded.remove(&sequence);
            self.writes.push(Write::delete(keys::live(name, sequence)));
            self.put_away(sequence, id, item);
        }
        Ok(())
    }

    /// Puts an ended execution with the other ended ones. Where a commit ends so many that there is no
    /// room for that, it is written in its place and goes with a later commit.
    fn end(
        &mut self,
        sequence: u64,
        execution: &Execution,
        room: &mut usize,
    ) -> Result<(), StoreError> {
        let (name, life, version) = (self.name(), self.known.life, self.known.version);
        let was_live = self.known.live.remove(&sequence).is_some();
        let was_here = self.known.leaving.remove(&sequence).is_some() || was_live;
        self.known.loaded.remove(&sequence);
        let at = keys::live(name, sequence);
        let item = executions::item(at.clone(), execution, life, version)?;
        let item = item.expires(self.expiry.history);
        let more = 1 + usize::from(was_here);
        if *room < more {
            self.known.leaving.insert(sequence, version);
            self.writes.push(Write::put(item));
            return Ok(());
        }
        *room -= more;
        if was_here {
            self.writes.push(Write::delete(at));
        }
        self.put_away(sequence, execution.id, item);
        Ok(())
    }

    fn put_away(&mut self, sequence: u64, id: ExecutionId, item: Item) {
        let life = self.known.life;
        let place = executions::place(id, life, sequence).expires(self.expiry.history);
        self.writes.push(Write::put(place));
        let item = item.at(keys::ended(life, sequence));
        self.writes.push(Write::put(item));
    }

    /// The pipeline goes: so do the executions beside its head. What has no room is of a life that is
    /// over, and nobody sees it again.
    fn leave_nothing(&mut self, room: usize) {
        let known = self.before.into_iter();
        let sequences = known.flat_map(|known| known.live.keys().chain(known.leaving.keys()));
        for sequence in sequences.take(room) {
            let at = keys::live(self.name(), *sequence);
            self.writes.push(Write::delete(at));
        }
    }

    fn head(self, token: Option<usize>, news: Range<usize>) -> Result<Plan, StoreError> {
        let expected = self.before.map_or(Condition::Absent, Known::unchanged);
        let (head, deadline) = (&self.commit.state.head, self.commit.deadline);
        let item = self.known.item(head, deadline)?;
        let write = if self.commit.gone {
            Write::delete(item.key())
        } else {
            Write::put(item)
        };
        let mut writes = vec![write.when(expected)];
        writes.extend(self.writes);
        Ok(Plan {
            writes,
            known: (!self.commit.gone).then_some(self.known),
            token: token.map(|place| place + 1),
            news: news.start + 1..news.end + 1,
        })
    }
}
