//! Every key of the one table: which partition an item is in, and in what order.
//!
//! | partition (`pk`)          | in it (`sk`), in order                                          |
//! |---------------------------|-----------------------------------------------------------------|
//! | `PIPELINE#<name>`         | `HEAD`, `LIVE#<sequence>` one a live execution, `TAGS`          |
//! | `PIPELINES`               | the names of all pipelines, with the places that they watch     |
//! | `DEFINITIONS#<life>`      | versions of a pipeline's definition                             |
//! | `EXECUTIONS#<life>`       | executions that ended, by sequence number                       |
//! | `EXECUTION#<id>`          | `PLACE`: of which pipeline the execution is, with which number  |
//! | `ATTEMPTS#<life>`         | attempts of actions: `<sequence>#<action execution id>`         |
//! | `LEASE#<id>`              | `LEASE`: who has the job of an action execution in hand         |
//! | `TOKENS#<name>`           | client request tokens                                           |
//! | `JOURNAL#<shard>`         | what commits left in history and ordered, by number             |
//! | `JOURNAL#<shard>#PARTS`   | the rest of entries that do not fit into one item               |
//! | `ACCESS_KEYS`             | access keys, by id                                              |
//! | `PROJECTS`                | projects, by name                                               |
//! | `COUNTS`                  | `PROJECTS`: how many there are                                  |
//! | `BUILD#<id>`              | `HEAD`: the record of a build                                   |
//! | `AGENT#<id>`              | `BUILD`: how the agent of a build is; `ORDER`: what it is to do |
//! | `BUILDS`                  | the names of builds, by place                                   |
//! | `BUILDS#<project>`        | those of one project                                            |
//! | `BUILDS_OPEN`             | those that are not over                                         |
//! | `BUILD_NUMBERS`           | the last build of each project                                  |
//! | `BUILD_TOKENS`            | tokens that builds were started with, by their SHA-256          |
//! | `CURSORS`                 | how far readers of the journal are                              |
//!
//! A *life* is that of a pipeline from its creation to its deletion: the next pipeline of the same
//! name has another one, so that nothing of the old pipeline is found in the new one.
//!
//! The sparse index `work` has what somebody still has to do: items have the attributes `work` (what,
//! and in which shard) and `at` (its order), and leave the index by losing them.

use model::ExecutionId;
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// The partition key, and the sort key.
pub const PK: &str = "pk";
pub const SK: &str = "sk";

/// The index of what is to be done, its partition key and its sort key.
pub const WORK_INDEX: &str = "work";
pub const WORK: &str = "work";
pub const AT: &str = "at";

/// When DynamoDB removes an item, in seconds since 1970.
pub const EXPIRES: &str = "expires";

/// Over how many partitions the journal and each kind of work are spread: a partition takes 1,000
/// write units a second. Commit numbers tell their shard, so this is never changed.
pub const SHARDS: u64 = 16;

/// The most bytes of a sort key.
const SORT_KEY_BYTES_MAX: usize = 1_024;

/// Where an item is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    pub pk: String,
    pub sk: String,
}

impl Key {
    pub fn new(pk: impl Into<String>, sk: impl Into<String>) -> Self {
        let (pk, sk) = (pk.into(), sk.into());
        Self { pk, sk }
    }
}

/// What somebody still has to do, as the index `work` knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Pipelines whose deadline comes; `at` is when.
    Due,
    /// Outboxes that nobody marked as delivered; `at` is the number of the commit.
    Outbox,
    /// Jobs that a worker has to do; `at` is the action execution's id.
    Job,
}

impl Work {
    /// The partition of the index, a shard of the work of this kind.
    pub fn shard(self, shard: u64) -> String {
        let kind = match self {
            Self::Due => "DUE",
            Self::Outbox => "OUTBOX",
            Self::Job => "JOB",
        };
        format!("{kind}#{shard}")
    }
}

/// The shard of a pipeline, or of anything else that has a name. It stays as it is.
pub fn shard_of(name: &str) -> u64 {
    hash(name) % SHARDS
}

/// A place that a pipeline watches, in as few bytes as tell it: a search reads all of them. Two
/// places of one hash find each other's pipelines, and whoever asked sees that it is not their place.
pub fn watched(place: &str) -> String {
    format!("{:016x}", hash(place))
}

/// FNV-1a, whose bits are then mixed, because names that differ in their last letter alone would meet
/// in one shard.
fn hash(text: &str) -> u64 {
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    let mix = |hash: u64, factor: u64| (hash ^ (hash >> 33)).wrapping_mul(factor);
    let hash = mix(mix(hash, 0xff51_afd7_ed55_8ccd), 0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

/// A number whose order as text is its order.
pub fn ordered(number: u64) -> String {
    format!("{number:020}")
}

pub const HEAD: &str = "HEAD";
pub const TAGS: &str = "TAGS";
pub const LIVE: &str = "LIVE#";

/// The partition that one query loads a pipeline from.
pub fn pipeline(name: &str) -> String {
    format!("PIPELINE#{name}")
}

pub fn head(name: &str) -> Key {
    Key::new(pipeline(name), HEAD)
}

/// The name of the pipeline whose partition this is.
pub fn name_of(pk: &str) -> Option<&str> {
    pk.strip_prefix("PIPELINE#")
}

pub fn tags(name: &str) -> Key {
    Key::new(pipeline(name), TAGS)
}

pub fn live(name: &str, sequence: u64) -> Key {
    Key::new(pipeline(name), format!("{LIVE}{sequence:010}"))
}

/// Who has a job in hand.
pub fn lease(action_execution: Uuid) -> Key {
    Key::new(format!("LEASE#{action_execution}"), "LEASE")
}

pub const PIPELINES: &str = "PIPELINES";

/// Of a pipeline's name in that list: the places that it watches.
pub const WATCHES: &str = "watches";

pub fn listed(name: &str) -> Key {
    Key::new(PIPELINES, name)
}

pub fn definition(life: u64, version: u32) -> Key {
    Key::new(format!("DEFINITIONS#{life}"), format!("{version:010}"))
}

pub fn executions(life: u64) -> String {
    format!("EXECUTIONS#{life}")
}

pub fn ended(life: u64, sequence: u64) -> Key {
    Key::new(executions(life), format!("{sequence:010}"))
}

pub fn place(id: ExecutionId) -> Key {
    Key::new(format!("EXECUTION#{id}"), "PLACE")
}

pub fn attempts(life: u64) -> String {
    format!("ATTEMPTS#{life}")
}

/// What the sort keys of an execution's attempts begin with.
pub fn attempts_of(sequence: u64) -> String {
    format!("{sequence:010}#")
}

pub fn attempt(life: u64, sequence: u64, id: Uuid) -> Key {
    Key::new(attempts(life), format!("{}{id}", attempts_of(sequence)))
}

pub fn token(name: &str, token: &str) -> Key {
    Key::new(format!("TOKENS#{name}"), token)
}

pub fn journal(shard: u64) -> String {
    format!("JOURNAL#{shard}")
}

pub fn entry(shard: u64, number: u64) -> Key {
    Key::new(journal(shard), ordered(number))
}

pub fn entry_part(shard: u64, number: u64, part: usize) -> Key {
    let pk = format!("{}#PARTS", journal(shard));
    Key::new(pk, format!("{}#{part:03}", ordered(number)))
}

pub const ACCESS_KEYS: &str = "ACCESS_KEYS";

pub fn access_key(id: &str) -> Key {
    Key::new(ACCESS_KEYS, id)
}

pub const PROJECTS: &str = "PROJECTS";

pub fn project(name: &str) -> Key {
    Key::new(PROJECTS, name)
}

pub fn project_count() -> Key {
    Key::new("COUNTS", PROJECTS)
}

pub fn build(id: &str) -> Key {
    Key::new(format!("BUILD#{id}"), HEAD)
}

/// What is kept of a build for its agent.
pub fn agent(id: &str) -> Key {
    Key::new(format!("AGENT#{id}"), "BUILD")
}

pub fn agent_order(id: &str) -> Key {
    Key::new(format!("AGENT#{id}"), "ORDER")
}

/// The builds of a project, or of all of them.
pub fn builds(project: Option<&str>) -> String {
    project.map_or_else(|| "BUILDS".to_owned(), |name| format!("BUILDS#{name}"))
}

pub const BUILDS_OPEN: &str = "BUILDS_OPEN";

pub fn build_number(project: &str) -> Key {
    Key::new("BUILD_NUMBERS", project)
}

/// The place of a token of any length.
pub fn build_token(token: &str) -> Key {
    Key::new("BUILD_TOKENS", hex::encode(Sha256::digest(token)))
}

pub const CURSORS: &str = "CURSORS";

pub fn cursor(name: &str) -> Key {
    Key::new(CURSORS, name)
}

/// Whether DynamoDB takes the text as a sort key. There is nothing of any other name.
pub fn is_sort_key(text: &str) -> bool {
    (1..=SORT_KEY_BYTES_MAX).contains(&text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_stay_as_they_are() {
        let shards = ["web", "shop", "a", "contract"].map(shard_of);
        assert_eq!(shards, [9, 11, 11, 7], "items lie in them");
    }

    #[test]
    fn names_spread_over_the_shards() {
        let mut used = [0; 16];
        for number in 0..1_600 {
            let shard = shard_of(&format!("pipeline-{number}"));
            used[usize::try_from(shard).unwrap()] += 1;
        }
        assert!(
            used.iter().all(|count| (50..200).contains(count)),
            "{used:?}"
        );
    }

    #[test]
    fn keys_sort_as_their_numbers_do() {
        assert!(live("p", 9).sk < live("p", 10).sk);
        assert!(ordered(99) < ordered(100));
        assert!(HEAD < LIVE && LIVE < TAGS);
        let id = Uuid::max();
        assert!(attempt(1, 9, id).sk < attempt(1, 10, Uuid::nil()).sk);
    }

    #[test]
    fn a_partition_tells_whose_it_is() {
        assert_eq!(name_of(&pipeline("web#1")), Some("web#1"));
        assert_eq!(name_of("PIPELINES"), None);
    }
}
