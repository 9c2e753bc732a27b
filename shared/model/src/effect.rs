//! What is to be done about an input: orders, complete in themselves.

use serde::{Deserialize, Serialize};

use crate::{
    Timestamp,
    change::Change,
    job::{ActionUpdate, AttemptKey, Job},
};

/// An order of the engine. The commit stores it; `deliver` hands it out afterwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Begin an attempt: keep its record and offer it to a worker.
    Dispatch(Box<Job>),
    /// Begin an approval: keep its record and ask a person.
    Ask(Box<Job>),
    /// Keep the record of an attempt that ends before anybody could do it; a `Record` follows.
    Refuse(Box<Job>),
    /// Update the record of an attempt.
    Record(Box<ActionUpdate>),
    /// Tell the worker of an attempt to end it; its result no longer counts.
    Cancel(Box<AttemptKey>),
    /// Make a status change known.
    Announce(Box<Change>),
}

/// A question to a person: may the pipeline go on?
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalRequest {
    pub key: AttemptKey,
    pub expires: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custom_data: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_entity_link: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notification_arn: Option<String>,
}
