//! What an agent in a container of its own and the API say to each other, as JSON over HTTP.
//!
//! | request, below `/agent/builds/<id>` | body | answer |
//! |---|---|---|
//! | `GET` | | [`AgentOrder`] |
//! | `POST …/phases` | the phases so far | [`AgentHeard`] |
//! | `POST …/secret` | [`super::SecretNeed`] | [`super::RunnerMessage`] |
//! | `POST …/outputs` | [`AgentOffer`] | [`AgentPlace`] |
//! | `POST …/report` | [`super::BuildReport`] | nothing, and the build is over |
//!
//! Each request carries the attempt's token. Types that hold URLs which open an object have no
//! `Debug`: whoever prints one gives the object away.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{BuildPhase, Envelope};

/// The largest output: what one request may put (S3).
pub const OUTPUT_BYTES_MAX: u64 = 5 << 30;

/// What an agent is to do.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AgentOrder {
    /// Its paths are relative: they are below a room that the agent makes.
    pub envelope: Envelope,
    /// One for each input of the envelope, in its order.
    pub inputs: Vec<AgentInput>,
    /// The phases before the agent's first.
    pub phases: Vec<BuildPhase>,
}

/// Where an input is to be had.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum AgentInput {
    Get(RemoteInput),
    /// It is not there, or is not what it should be; the text says why.
    Unreadable(String),
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RemoteInput {
    /// Opens this one object, for a while.
    pub url: String,
    /// In bytes.
    pub size: u64,
    /// In hex; absent where the object was stored without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

/// An output that an agent has made and wants to store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AgentOffer {
    /// Which one of the envelope's outputs.
    pub index: usize,
    /// In bytes, at most [`OUTPUT_BYTES_MAX`].
    pub size: u64,
    /// In hex.
    pub sha256: String,
}

/// What is to become of an output.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum AgentPlace {
    /// These very bytes are stored already.
    Stored,
    /// They are to be put there, with these headers, in one request.
    Put {
        url: String,
        headers: BTreeMap<String, String>,
    },
    /// They are not to be stored; the text says why.
    Refused(String),
}

/// The answer to an agent that says how far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AgentHeard {
    /// Whether the build is to end.
    pub is_stopping: bool,
}
