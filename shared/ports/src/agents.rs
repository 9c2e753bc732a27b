//! What the agents of builds that run in containers of their own ask for.

use async_trait::async_trait;
use model::{
    build::{
        AgentOffer, AgentPlace, BuildInput, BuildOrder, BuildPhase, BuildReport, RemoteInput,
        RunnerMessage, SecretNeed,
    },
    job::JobArtifact,
};

use crate::{StoreError, objects::ObjectError};

/// How many bytes a token's digest has.
pub const TOKEN_DIGEST_BYTES: usize = 32;

/// The other side of a build runner: what it keeps for the agents that it started.
#[async_trait]
pub trait Agents: Send + Sync {
    /// What is known of a build that an agent was started for.
    async fn build(&self, id: &str) -> Result<Option<AgentBuild>, StoreError>;

    /// What it is to do.
    async fn order(&self, id: &str) -> Result<Option<BuildOrder>, StoreError>;

    /// Keeps how far it is, and that it was heard of; nothing happens when it is over.
    async fn tell(&self, id: &str, phases: &[BuildPhase]) -> Result<(), StoreError>;

    /// Keeps how it ended. The report is durable when this returns, the first one stays, and with it
    /// the build is over.
    async fn end(&self, id: &str, report: &BuildReport) -> Result<(), StoreError>;

    /// Wakes whoever waits for the build's end: a hint that may be lost.
    async fn wake(&self, id: &str) -> Result<(), StoreError>;

    /// A URL that opens an input for a while.
    async fn input(&self, input: &BuildInput) -> Result<RemoteInput, ObjectError>;

    /// A URL that takes these bytes as an output, for a while; `overwrites` says whether on top of
    /// what is there. What is there already, with these very bytes, need not be put.
    async fn output(
        &self,
        output: &JobArtifact,
        offer: &AgentOffer,
        overwrites: bool,
    ) -> Result<AgentPlace, ObjectError>;

    /// The value of a secret or parameter, or why it is not to be had.
    async fn secret(&self, need: &SecretNeed) -> Result<RunnerMessage, StoreError>;
}

/// A build with an agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentBuild {
    /// The SHA-256 of each token that an agent of this build may have been given: one, unless the
    /// answer to an order to start it was lost.
    pub tokens: Vec<[u8; TOKEN_DIGEST_BYTES]>,
    /// The build's number in its project.
    pub number: u64,
    /// How far it is, as was told last.
    pub phases: Vec<BuildPhase>,
    /// Whether somebody wants it to end.
    pub is_stopping: bool,
    /// Its report is there: no token counts any more.
    pub is_over: bool,
}
