//! Records of builds in the table: one item a build, and lines that list it.
//!
//! A build begins with one transaction: its record, its number in its project, a line in the list
//! of all builds, of its project's and of those that are open, and its token. It ends with another
//! one that takes it off the open ones. What is over is removed by DynamoDB when it is old.

#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use aws_sdk_dynamodb::types::AttributeValue;
use ports::{
    BuildRecords, Clock, StoreError,
    build_records::{BuildName, BuildRecord, ListBuilds, TOKEN_MILLIS},
};
use uuid::Uuid;

use crate::{
    Table, keys,
    keys::Key,
    pauses::{Pauses, TRIES},
    table::{Condition, Item, Query, Refused, Sorted, Write},
};

/// The most bytes of one record: its settings, and a report with all that a build exported. The item
/// holds it deflated.
const RECORD_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The most lines or records in one answer.
const PAGE_MAX: usize = 10_000;

/// Places are microseconds; builds of one millisecond, begun by many functions, are spread over it.
const PLACES_PER_MILLI: u64 = 1_000;

/// How long a token is kept beyond the time in which it counts.
const TOKEN_KEPT: Duration = Duration::from_hours(1);

/// The place of the record in the transaction that begins a build.
const RECORD: usize = 0;

/// The builds of one installation.
pub struct BuildHistory {
    table: Table,
    clock: Arc<dyn Clock>,
    kept: Duration,
    /// The last place that was given out here.
    last: AtomicU64,
}

/// Where a new build stands among the others.
struct Position {
    place: u64,
    number: u64,
    /// What holds as long as no other build of the project came.
    same: Condition,
}

impl BuildHistory {
    /// Builds that are over are kept for about so long.
    pub fn new(table: Table, clock: Arc<dyn Clock>, kept: Duration) -> Self {
        Self {
            table,
            clock,
            kept,
            last: AtomicU64::new(0),
        }
    }

    async fn position(&self, build: &BuildRecord) -> Result<Position, StoreError> {
        let last = self.table.get(keys::build_number(build.project())).await?;
        let (number, after, same) = match last {
            None => (0, 0, Condition::Absent),
            Some(last) => {
                let number = last.get_number("number")?;
                let same = AttributeValue::N(number.to_string());
                let same = Condition::Equals(vec![("number", same)]);
                (number, last.get_number("place")?, same)
            }
        };
        Ok(Position {
            place: self.place(build, after),
            number: number + 1,
            same,
        })
    }

    /// A place behind `after` and behind all that were given out here.
    fn place(&self, build: &BuildRecord, after: u64) -> u64 {
        let started = u64::try_from(build.started.0).unwrap_or(0);
        let spread = Uuid::new_v4().as_u128() % u128::from(PLACES_PER_MILLI);
        let spread = u64::try_from(spread).unwrap_or(0);
        let place = started.saturating_mul(PLACES_PER_MILLI) + spread;
        let place = place.max(after + 1);
        let behind = |last: u64| place.max(last + 1);
        let last = self
            .last
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |last| {
                Some(behind(last))
            });
        behind(last.unwrap_or(0))
    }

    /// The build that its token has started already; else what holds of the token.
    async fn by_token(
        &self,
        build: &BuildRecord,
    ) -> Result<Result<BuildRecord, Condition>, StoreError> {
        let Some(token) = &build.token else {
            return Ok(Err(Condition::Any));
        };
        let Some(item) = self.table.get(keys::build_token(&token.token)).await? else {
            return Ok(Err(Condition::Absent));
        };
        let started = item.get_number("started")?;
        let id = item.get_text("id")?;
        if i64::try_from(started).unwrap_or(i64::MAX) > build.started.0 - TOKEN_MILLIS
            && let Some(earlier) = self.build(id).await?
        {
            return Ok(Ok(earlier));
        }
        let same = AttributeValue::S(id.to_owned());
        Ok(Err(Condition::Equals(vec![("id", same)])))
    }

    fn beginning(
        &self,
        build: &BuildRecord,
        position: Position,
        token: Condition,
    ) -> Result<(BuildRecord, Vec<Write>), StoreError> {
        let begun = BuildRecord {
            place: position.place,
            number: position.number,
            version: 1,
            ..build.clone()
        };
        let place = keys::ordered(begun.place);
        let line = |partition: &str| {
            Item::new(Key::new(partition, &place))
                .text("id", &begun.id)
                .text("project", begun.project())
        };
        let listed = |project| {
            let line = line(&keys::builds(project)).expires(self.until(self.kept));
            Write::put(line).when(Condition::Absent)
        };
        let last = Item::new(keys::build_number(begun.project()))
            .number("number", begun.number)
            .number("place", begun.place);
        let mut writes = vec![
            Write::put(self.item(&begun)?).when(Condition::Absent),
            Write::put(last).when(position.same),
            listed(None),
            listed(Some(begun.project())),
        ];
        if begun.end.is_none() {
            writes.push(Write::put(line(keys::BUILDS_OPEN)).when(Condition::Absent));
        }
        if let Some(given) = &begun.token {
            let kept = Duration::from_millis(TOKEN_MILLIS.unsigned_abs()) + TOKEN_KEPT;
            let item = Item::new(keys::build_token(&given.token))
                .text("id", &begun.id)
                .number("started", u64::try_from(begun.started.0).unwrap_or(0))
                .expires(self.until(kept));
            writes.push(Write::put(item).when(token));
        }
        Ok((begun, writes))
    }

    fn item(&self, build: &BuildRecord) -> Result<Item, StoreError> {
        let what = || format!("record of build {}", build.id);
        let item = Item::new(keys::build(&build.id))
            .number("version", build.version)
            .number("place", build.place)
            .number("number", build.number)
            .json("body", build, what, RECORD_BYTES_MAX)?;
        Ok(match build.end {
            None => item.with("open", open()),
            Some(_) => item.expires(self.until(self.kept)),
        })
    }

    /// The second from which on DynamoDB may remove what is kept for so long from now.
    fn until(&self, kept: Duration) -> u64 {
        let until = self.clock.now().plus(kept);
        u64::try_from(until.0 / 1_000).unwrap_or(0)
    }
}

/// A record with this value is of an open build.
fn open() -> AttributeValue {
    AttributeValue::Bool(true)
}

fn record(item: &Item) -> Result<BuildRecord, StoreError> {
    Ok(BuildRecord {
        place: item.get_number("place")?,
        number: item.get_number("number")?,
        version: item.get_number("version")?,
        ..item.get_json("body")?
    })
}

fn place_of(item: &Item) -> Result<u64, StoreError> {
    let place = item.key().sk.parse();
    place.map_err(|_| item.corrupt("its place is no number"))
}

#[async_trait]
impl BuildRecords for BuildHistory {
    async fn begin_build(&self, build: &BuildRecord) -> Result<BuildRecord, StoreError> {
        let mut pauses = Pauses::new();
        for _ in 0..TRIES {
            let token = match self.by_token(build).await? {
                Ok(earlier) => return Ok(earlier),
                Err(token) => token,
            };
            let position = self.position(build).await?;
            let (begun, writes) = self.beginning(build, position, token)?;
            match self.table.transact(Uuid::new_v4(), writes).await {
                Ok(()) => return Ok(begun),
                Err(Refused::Conditions(places)) if places.contains(&RECORD) => {
                    if let Some(there) = self.build(&build.id).await? {
                        return Ok(there);
                    }
                }
                // Another build of the project began, or one with the token.
                Err(Refused::Conditions(_) | Refused::Store(StoreError::Conflict)) => {}
                Err(Refused::Store(StoreError::Ambiguous)) => {
                    let there = self.build(&build.id).await?;
                    return there.ok_or(StoreError::Ambiguous);
                }
                Err(Refused::Store(error)) => return Err(error),
            }
            pauses.pause().await;
        }
        Err(StoreError::Conflict)
    }

    async fn replace_build(&self, build: &BuildRecord) -> Result<(), StoreError> {
        let next = BuildRecord {
            version: build.version + 1,
            ..build.clone()
        };
        let number = |number: u64| AttributeValue::N(number.to_string());
        let same = Condition::Equals(vec![
            ("version", number(build.version)),
            ("place", number(build.place)),
            ("number", number(build.number)),
            ("open", open()),
        ]);
        let item = self.item(&next)?;
        let put = Write::put(item.clone()).when(same);
        if build.end.is_none() {
            return Ok(self.table.write(put).await?);
        }
        let line = Key::new(keys::BUILDS_OPEN, keys::ordered(build.place));
        let writes = vec![put, Write::delete(line)];
        match self.table.transact(Uuid::new_v4(), writes).await {
            Err(Refused::Store(StoreError::Ambiguous)) => {
                let there = self.table.get(keys::build(&build.id)).await?;
                match there {
                    Some(there) if there == item => Ok(()),
                    _ => Err(StoreError::Ambiguous),
                }
            }
            replaced => Ok(replaced?),
        }
    }

    async fn build(&self, id: &str) -> Result<Option<BuildRecord>, StoreError> {
        if !keys::is_sort_key(id) {
            return Ok(None);
        }
        let item = self.table.get(keys::build(id)).await?;
        item.as_ref().map(record).transpose()
    }

    async fn list_builds(&self, request: ListBuilds<'_>) -> Result<Vec<BuildName>, StoreError> {
        let sorted = match (request.behind, request.newest_first) {
            (None, _) => Sorted::All,
            (Some(place), true) => Sorted::Below(keys::ordered(place)),
            (Some(place), false) => Sorted::Above(keys::ordered(place)),
        };
        let limit = request.limit.min(PAGE_MAX);
        let mut query = Query::new(keys::builds(request.project), sorted, limit);
        if request.newest_first {
            query = query.descending();
        }
        let name = |item: &Item| {
            Ok(BuildName {
                place: place_of(item)?,
                project: item.get_text("project")?.to_owned(),
                id: item.get_text("id")?.to_owned(),
            })
        };
        self.table.query(query).await?.iter().map(name).collect()
    }

    async fn open_builds(&self, after: u64, limit: usize) -> Result<Vec<BuildRecord>, StoreError> {
        let behind = Sorted::Above(keys::ordered(after));
        let query = Query::new(keys::BUILDS_OPEN, behind, limit.min(PAGE_MAX));
        let lines = self.table.query(query).await?;
        let places = lines
            .iter()
            .map(|line| Ok(keys::build(line.get_text("id")?)))
            .collect::<Result<Vec<Key>, StoreError>>()?;
        let items: HashMap<Key, Item> = self.table.batch_get(places.clone()).await?;
        let found = places.iter().filter_map(|key| items.get(key));
        // What ended since the lines were read is no longer open.
        found
            .map(record)
            .filter(|build| !build.as_ref().is_ok_and(|build| build.end.is_some()))
            .collect()
    }

    async fn count_open_builds(&self, project: Option<&str>) -> Result<u64, StoreError> {
        let all = Query::new(keys::BUILDS_OPEN, Sorted::All, usize::MAX);
        let Some(project) = project else {
            return self.table.count(all).await;
        };
        let mut count = 0;
        for line in self.table.query(all).await? {
            count += u64::from(line.get_text("project")? == project);
        }
        Ok(count)
    }
}
