//! What Pipewright has beside CodePipeline: access keys, and the logs of actions.

mod access_keys;
mod get_action_log;

use std::sync::Arc;

use keyring::Keyring;
use operations::OperationError;
use ports::{BuildLogs, World};

use crate::{
    error::ApiError,
    service::{Call, Reply, Service},
    shape,
};

/// Our own operations.
pub struct Pipewright {
    pub world: World,
    pub keyring: Arc<Keyring>,
    pub logs: Arc<dyn BuildLogs>,
}

/// The operations that are here.
pub const OPERATIONS: [&str; 7] = [
    "CreateAccessKey",
    "DeleteAccessKey",
    "GetActionLog",
    "ListAccessKeys",
    "PutAccessKeyPolicies",
    "RotateAccessKey",
    "UpdateAccessKey",
];

#[async_trait::async_trait]
impl Service for Pipewright {
    fn prefix(&self) -> &'static str {
        "Pipewright_20261121"
    }

    fn signed_for(&self) -> &'static str {
        "codepipeline"
    }

    fn only_reads(&self, operation: &str) -> bool {
        matches!(operation, "GetActionLog" | "ListAccessKeys")
    }

    async fn call(&self, call: Call<'_>) -> Result<Reply, ApiError> {
        let output = match call.operation {
            "CreateAccessKey" => access_keys::create(self, call).await,
            "DeleteAccessKey" => access_keys::delete(self, call).await,
            "GetActionLog" => {
                shape::check(&call.input, get_action_log::SHAPE)?;
                get_action_log::call(self, call).await
            }
            "ListAccessKeys" => access_keys::list(self, call).await,
            "PutAccessKeyPolicies" => access_keys::put_policies(self, call).await,
            "RotateAccessKey" => access_keys::rotate(self, call).await,
            "UpdateAccessKey" => access_keys::update(self, call).await,
            other => Err(ApiError::new(
                "UnknownOperationException",
                format!("Pipewright has no operation {other}"),
            )),
        };
        output.map(Reply::Value)
    }
}

impl Pipewright {
    fn error(&self, error: &OperationError) -> ApiError {
        ApiError::of_operation(error, &self.world.account)
    }
}
