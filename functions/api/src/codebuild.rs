//! The operations of `CodeBuild`: projects, and builds that no pipeline asked for.
//!
//! * `projects` and `builds` have the operations; `shapes` what their members look like.
//! * `support` refuses by name what would have no effect here.
//! * `shown`: projects and builds as the wire has them.

mod builds;
mod projects;
mod shapes;
mod shown;
mod support;

pub(crate) use shown::log_group;

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use operations::codebuild::CodeBuildError;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::{
    error::ApiError,
    page::Tokens,
    service::{Call, Reply, Service},
    shape::{self, Member},
};

/// `CodeBuild` itself.
pub struct CodeBuild {
    operations: operations::codebuild::CodeBuild,
    tokens: Tokens,
}

/// The operations that are here.
pub const OPERATIONS: [&str; 11] = [
    "BatchGetBuilds",
    "BatchGetProjects",
    "CreateProject",
    "DeleteProject",
    "ListBuilds",
    "ListBuildsForProject",
    "ListProjects",
    "RetryBuild",
    "StartBuild",
    "StopBuild",
    "UpdateProject",
];

/// Operations of `CodeBuild` that are not here yet.
pub const MISSING: [&str; 48] = [
    "BatchDeleteBuilds",
    "BatchGetBuildBatches",
    "BatchGetCommandExecutions",
    "BatchGetFleets",
    "BatchGetReportGroups",
    "BatchGetReports",
    "BatchGetSandboxes",
    "CreateFleet",
    "CreateReportGroup",
    "CreateWebhook",
    "DeleteBuildBatch",
    "DeleteFleet",
    "DeleteReport",
    "DeleteReportGroup",
    "DeleteResourcePolicy",
    "DeleteSourceCredentials",
    "DeleteWebhook",
    "DescribeCodeCoverages",
    "DescribeTestCases",
    "GetReportGroupTrend",
    "GetResourcePolicy",
    "ImportSourceCredentials",
    "InvalidateProjectCache",
    "ListBuildBatches",
    "ListBuildBatchesForProject",
    "ListCommandExecutionsForSandbox",
    "ListCuratedEnvironmentImages",
    "ListFleets",
    "ListReportGroups",
    "ListReports",
    "ListReportsForReportGroup",
    "ListSandboxes",
    "ListSandboxesForProject",
    "ListSharedProjects",
    "ListSharedReportGroups",
    "ListSourceCredentials",
    "PutResourcePolicy",
    "RetryBuildBatch",
    "StartBuildBatch",
    "StartCommandExecution",
    "StartSandbox",
    "StartSandboxConnection",
    "StopBuildBatch",
    "StopSandbox",
    "UpdateFleet",
    "UpdateProjectVisibility",
    "UpdateReportGroup",
    "UpdateWebhook",
];

impl CodeBuild {
    /// `page_key` seals the tokens of next pages; whoever has it can make them.
    pub fn new(operations: operations::codebuild::CodeBuild, page_key: [u8; 32]) -> Self {
        Self {
            operations,
            tokens: Tokens::new(page_key),
        }
    }

    /// The error of an operation, as the wire has it.
    fn error(&self, error: &CodeBuildError) -> ApiError {
        let exception = match error {
            CodeBuildError::InvalidInput(_) => "InvalidInputException",
            CodeBuildError::NotFound(_) => "ResourceNotFoundException",
            CodeBuildError::AlreadyExists(_) => "ResourceAlreadyExistsException",
            CodeBuildError::LimitExceeded(_) => "AccountLimitExceededException",
            CodeBuildError::Operation(error) => {
                return ApiError::of_operation(error, &self.operations.world.account);
            }
        };
        ApiError::new(exception, error.to_string())
    }

    /// The place in the request's token, if it has one.
    fn place(&self, call: &Call<'_>) -> Result<Option<String>, ApiError> {
        let now = self.operations.world.clock.now();
        let place = self.tokens.read(call.operation, &call.input, now);
        place.map_err(|error| ApiError::new("InvalidInputException", error.to_string()))
    }

    /// A token for going on at `place`.
    fn next(&self, call: &Call<'_>, place: &str) -> String {
        let now = self.operations.world.clock.now();
        self.tokens.make(call.operation, &call.input, place, now)
    }
}

#[async_trait::async_trait]
impl Service for CodeBuild {
    fn prefix(&self) -> &'static str {
        "CodeBuild_20161006"
    }

    fn signed_for(&self) -> &'static str {
        "codebuild"
    }

    fn only_reads(&self, operation: &str) -> bool {
        operation.starts_with("BatchGet") || operation.starts_with("List")
    }

    async fn call(&self, call: Call<'_>) -> Result<Reply, ApiError> {
        let output = match call.operation {
            "BatchGetBuilds" => builds::batch_get(self, call).await,
            "BatchGetProjects" => projects::batch_get(self, call).await,
            "CreateProject" => projects::create(self, call).await,
            "DeleteProject" => projects::delete(self, call).await,
            "ListBuilds" => builds::list(self, call).await,
            "ListBuildsForProject" => builds::list_for_project(self, call).await,
            "ListProjects" => projects::list(self, call).await,
            "RetryBuild" => builds::retry(self, call).await,
            "StartBuild" => builds::start(self, call).await,
            "StopBuild" => builds::stop(self, call).await,
            "UpdateProject" => projects::update(self, call).await,
            other => Err(absent(other)),
        };
        output.map(Reply::Value)
    }
}

fn absent(operation: &str) -> ApiError {
    let message = if MISSING.contains(&operation) {
        format!("Pipewright does not have the operation {operation} of CodeBuild yet")
    } else {
        format!("CodeBuild has no operation {operation}")
    };
    ApiError::new("UnknownOperationException", message)
}

/// Checks a request against its shape; the service has one exception for whatever is wrong.
fn check(input: &Value, members: &'static [Member]) -> Result<(), ApiError> {
    shape::check(input, members).map_err(|error| match error.exception {
        "ValidationException" => ApiError::new("InvalidInputException", error.message),
        _ => error,
    })
}

/// What a member holds whose shape was checked.
fn read<T: DeserializeOwned>(value: Value) -> Result<T, ApiError> {
    serde_json::from_value(without_nulls(value))
        .map_err(|error| ApiError::serialization(error.to_string()))
}

/// `null` is absent.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(map) => map
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| (name, without_nulls(value)))
            .collect(),
        Value::Array(items) => items.into_iter().map(without_nulls).collect(),
        other => other,
    }
}

fn text(input: &Value, name: &str) -> String {
    some_text(input, name).unwrap_or_default()
}

fn some_text(input: &Value, name: &str) -> Option<String> {
    input[name].as_str().map(str::to_owned)
}

fn texts(list: &Value) -> Vec<String> {
    let items = list.as_array().map(Vec::as_slice).unwrap_or_default();
    items
        .iter()
        .filter_map(|item| item.as_str().map(str::to_owned))
        .collect()
}

/// The client's token, with a digest of all else that it came with.
fn idempotency(input: &Value) -> Option<(String, String)> {
    let token = some_text(input, "idempotencyToken").filter(|token| !token.is_empty())?;
    let mut rest = without_nulls(input.clone());
    if let Some(members) = rest.as_object_mut() {
        members.remove("idempotencyToken");
    }
    let digest = Sha256::digest(rest.to_string().as_bytes());
    Some((token, STANDARD_NO_PAD.encode(digest)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_token_belongs_to_what_it_came_with() {
        let one = json!({"projectName": "web", "idempotencyToken": "t"});
        let same = json!({"idempotencyToken": "t", "projectName": "web", "sourceVersion": null});
        let other = json!({"projectName": "shop", "idempotencyToken": "t"});
        assert_eq!(idempotency(&one), idempotency(&same));
        assert_ne!(idempotency(&one), idempotency(&other));
        assert_eq!(idempotency(&json!({"idempotencyToken": ""})), None);
    }

    #[test]
    fn no_operation_is_both_here_and_missing() {
        assert!(MISSING.is_sorted() && OPERATIONS.is_sorted());
        assert!(OPERATIONS.iter().all(|name| !MISSING.contains(name)));
        let missing = absent("StartBuildBatch");
        assert!(missing.message.contains("yet"), "{missing:?}");
        assert!(absent("Lunch").message.contains("no operation Lunch"));
    }
}
