//! What runs builds.

use async_trait::async_trait;
use model::build::{BuildOrder, BuildPhase, BuildState};
use thiserror::Error;

/// Runs builds apart from everything else.
#[async_trait]
pub trait BuildRunner: Send + Sync {
    /// Starts a build and returns while it runs. The same order again changes nothing while the
    /// build is known; after a crash that took the build along, it starts anew.
    async fn start(&self, order: BuildOrder) -> Result<(), BuildError>;

    /// Where the build stands.
    async fn state(&self, id: &str) -> Result<BuildState, BuildError>;

    /// How far a build that runs has come: the phases that it went through, and the one it is in,
    /// which has no end. Nothing is said of a build that does not run, or by a runner that does not
    /// know.
    async fn phases(&self, _id: &str) -> Result<Vec<BuildPhase>, BuildError> {
        Ok(Vec::new())
    }

    /// Ends a build with everything that it started; nothing happens when there is none.
    async fn stop(&self, id: &str) -> Result<(), BuildError>;
}

#[derive(Debug, Error)]
pub enum BuildError {
    /// The order cannot be carried out as it is: no such image, no engine, no such secret.
    #[error("{0}")]
    Refused(String),
    /// An input artifact is not there or is not what it should be.
    #[error("{0}")]
    Input(String),
    /// The machine failed.
    #[error("failed to {doing}")]
    System {
        doing: String,
        #[source]
        source: std::io::Error,
    },
}
