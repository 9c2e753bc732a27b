//! The function `action-worker` on AWS Lambda: runs jobs and reports how they ended.

use std::sync::Arc;

use action_worker::{Worker, lambda::Function};
use aws::{Called, Stack, StackError};
use lambda_runtime::{LambdaEvent, run, service_fn};
use operations::codebuild::{CodeBuild, RecordedBuilds};
use ports::{BuildRunner, World};
use providers::Catalogue;
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let stack = &Stack::of_environment("action-worker")?;
    let function = &function(stack)?;
    let handle = async |event: LambdaEvent<Value>| {
        let called = Called {
            request_id: &event.context.request_id,
            trace_id: event.context.xray_trace_id.as_deref(),
            until: event.context.deadline,
        };
        stack.call(called, function.handle(event.payload)).await
    };
    run(service_fn(handle)).await
}

fn function(stack: &Stack) -> Result<Function, StackError> {
    let queues = stack.queues()?;
    let records = stack.build_history()?;
    let runner: Arc<dyn BuildRunner> = stack.builds()?;
    let world = World {
        queues: queues.clone(),
        bus: stack.bus()?,
        objects: stack.objects(),
        builds: Arc::new(RecordedBuilds {
            runner: Arc::clone(&runner),
            records: records.clone(),
            clock: Arc::clone(&stack.clock),
        }),
        ..stack.world()?
    };
    Ok(Function {
        worker: Worker::new(world.clone(), Catalogue::standard()),
        reminder: queues,
        codebuild: CodeBuild {
            world: world.clone(),
            projects: stack.projects()?,
            builds: records,
            runner,
            // The one who settles builds is this very function.
            nudge: Arc::new(|| {}),
        },
        world,
        telemetry: stack.telemetry.clone(),
        until: stack.until.clone(),
    })
}
