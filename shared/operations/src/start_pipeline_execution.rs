//! `StartPipelineExecution` (spec 10), and every other way in which an execution begins.

use std::collections::BTreeMap;

use access::Caller;
use model::{
    ExecutionId, Input, Rejection,
    input::Start,
    state::{SourceRevisionOverride, Trigger},
};
use ports::{Request, UpdateError, World};

use crate::{OperationError, Resource, apply, authorise};

/// The longest client request token.
const TOKEN_CHARACTERS_MAX: usize = 128;

#[derive(Clone, Debug)]
pub struct StartPipelineExecution {
    pub pipeline: String,
    pub trigger: Trigger,
    pub variables: BTreeMap<String, String>,
    pub source_revisions: Vec<SourceRevisionOverride>,
    /// The same token starts one execution, however often it is sent.
    pub client_request_token: Option<String>,
    pub by: Caller,
}

/// Starts an execution; returns its id when it is on disk.
pub async fn start_pipeline_execution(
    world: &World,
    request: StartPipelineExecution,
) -> Result<ExecutionId, OperationError> {
    let (resource, none) = (Resource::Pipeline(&request.pipeline), BTreeMap::new());
    let operation = "StartPipelineExecution";
    authorise(world, &request.by, operation, resource, &none).await?;
    if let Some(token) = &request.client_request_token {
        check_token(token)?;
    }
    let execution = ExecutionId(world.random.uuid());
    let start = Start {
        execution,
        secret: world.random.uuid(),
        trigger: request.trigger,
        variables: request.variables,
        overrides: request.source_revisions,
    };
    let input = Input::Start(Box::new(start));
    let update = Request {
        by: request.by.arn().to_owned(),
        cause: operation.to_owned(),
        // An answer that was lost must not start it twice, even if it has ended meanwhile.
        also: Some(execution),
        token: request.client_request_token.map(|token| (token, execution)),
        ..Request::default()
    };
    match apply(world, &request.pipeline, update, &input).await {
        Ok(_) => Ok(execution),
        Err(UpdateError::TokenUsed(earlier)) => Ok(earlier),
        Err(error) => Err(error.into()),
    }
}

/// A token is stored for as long as the pipeline is, so it is as small as the API says (spec 10 §5).
fn check_token(token: &str) -> Result<(), Rejection> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-';
    if (1..=TOKEN_CHARACTERS_MAX).contains(&token.len()) && token.chars().all(allowed) {
        return Ok(());
    }
    Err(Rejection::Validation(format!(
        "the client request token must be 1 to {TOKEN_CHARACTERS_MAX} letters, digits or `-`"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_made_of_letters_digits_and_hyphens() {
        for token in [
            "a",
            "5b1f6f0e-54f7-4c0a-9d58-1d7b8f4c2a11",
            &"t".repeat(128),
        ] {
            assert_eq!(check_token(token), Ok(()), "{token}");
        }
        for token in ["", "a b", "a_b", "ü", &"t".repeat(129)] {
            let refused = check_token(token);
            assert!(matches!(refused, Err(Rejection::Validation(_))), "{token}");
        }
    }
}
