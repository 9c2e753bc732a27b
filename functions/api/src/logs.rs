//! The one operation of CloudWatch Logs that is here: what builds printed is read as its log events.
//!
//! The group of a build is `/aws/codebuild/<project>`, its stream the build's UUID.

mod get_log_events;

use std::sync::Arc;

use ports::{BuildLogs, BuildRecords, World};

use crate::{
    error::ApiError,
    service::{Call, Reply, Service},
};

/// CloudWatch Logs, as far as it is here.
pub struct Logs {
    pub world: World,
    pub builds: Arc<dyn BuildRecords>,
    pub logs: Arc<dyn BuildLogs>,
}

#[async_trait::async_trait]
impl Service for Logs {
    fn prefix(&self) -> &'static str {
        "Logs_20140328"
    }

    fn signed_for(&self) -> &'static str {
        "logs"
    }

    fn only_reads(&self, operation: &str) -> bool {
        operation == "GetLogEvents"
    }

    async fn call(&self, call: Call<'_>) -> Result<Reply, ApiError> {
        let output = match call.operation {
            "GetLogEvents" => get_log_events::call(self, call).await,
            other => Err(ApiError::new(
                "UnknownOperationException",
                format!(
                    "Pipewright does not have the operation {other} of CloudWatch Logs; what is \
                     there is GetLogEvents"
                ),
            )),
        };
        output.map(Reply::Value)
    }
}
