//! A well-formed request that is refused: one variant an API exception (spec 10 §3).

use thiserror::Error;

use crate::ExecutionId;

/// Why a person's request was not carried out. The state did not change.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Rejection {
    #[error("the request is not valid: {0}")]
    Validation(String),
    #[error("no pipeline has the name `{0}`")]
    PipelineNotFound(String),
    #[error("a pipeline with the name `{0}` exists already")]
    PipelineNameInUse(String),
    #[error("the pipeline has no stage `{0}`")]
    StageNotFound(String),
    #[error("stage `{stage}` has no action `{action}`")]
    ActionNotFound { stage: String, action: String },
    #[error("the pipeline has no execution {0}")]
    PipelineExecutionNotFound(ExecutionId),
    #[error("execution {0} has ended and cannot be stopped")]
    PipelineExecutionNotStoppable(ExecutionId),
    #[error("execution {0} is stopping already")]
    DuplicatedStopRequest(ExecutionId),
    #[error("{limit} executions are in progress, which is the most that the mode allows")]
    ConcurrentPipelineExecutionsLimitExceeded { limit: usize },
    #[error("execution {0} is not the latest one in the stage")]
    NotLatestPipelineExecution(ExecutionId),
    #[error("the stage cannot be retried: {0}")]
    StageNotRetryable(String),
    #[error("the token does not belong to an open approval of this action")]
    InvalidApprovalToken,
    #[error("the approval was answered already")]
    ApprovalAlreadyCompleted,
    #[error("the pipeline has no version {0}")]
    PipelineVersionNotFound(u32),
    #[error("no action type has the id {0}")]
    ActionTypeNotFound(String),
    #[error("{0}")]
    ResourceNotFound(String),
    #[error("{0}")]
    InvalidArn(String),
    #[error("{0}")]
    InvalidTags(String),
    #[error("Tag limit exceeded for resource [{0}].")]
    TooManyTags(String),
    #[error("the token of the next page is not one that this request was given")]
    InvalidNextToken,
    #[error("{0}")]
    LimitExceeded(String),
}

impl Rejection {
    /// The name of the API exception.
    pub fn exception(&self) -> &'static str {
        match self {
            Self::Validation(_) => "ValidationException",
            Self::PipelineNotFound(_) => "PipelineNotFoundException",
            Self::PipelineNameInUse(_) => "PipelineNameInUseException",
            Self::StageNotFound(_) => "StageNotFoundException",
            Self::ActionNotFound { .. } => "ActionNotFoundException",
            Self::PipelineExecutionNotFound(_) => "PipelineExecutionNotFoundException",
            Self::PipelineExecutionNotStoppable(_) => "PipelineExecutionNotStoppableException",
            Self::DuplicatedStopRequest(_) => "DuplicatedStopRequestException",
            Self::ConcurrentPipelineExecutionsLimitExceeded { .. } => {
                "ConcurrentPipelineExecutionsLimitExceededException"
            }
            Self::NotLatestPipelineExecution(_) => "NotLatestPipelineExecutionException",
            Self::StageNotRetryable(_) => "StageNotRetryableException",
            Self::InvalidApprovalToken => "InvalidApprovalTokenException",
            Self::ApprovalAlreadyCompleted => "ApprovalAlreadyCompletedException",
            Self::PipelineVersionNotFound(_) => "PipelineVersionNotFoundException",
            Self::ActionTypeNotFound(_) => "ActionTypeNotFoundException",
            Self::ResourceNotFound(_) => "ResourceNotFoundException",
            Self::InvalidArn(_) => "InvalidArnException",
            Self::InvalidTags(_) => "InvalidTagsException",
            Self::TooManyTags(_) => "TooManyTagsException",
            Self::InvalidNextToken => "InvalidNextTokenException",
            Self::LimitExceeded(_) => "LimitExceededException",
        }
    }
}
