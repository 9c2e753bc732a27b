//! The function `source-trigger` on AWS Lambda: a change somewhere starts the pipelines that watch it.

use aws::{Called, Stack, StackError};
use lambda_runtime::{LambdaEvent, run, service_fn};
use ports::World;
use serde_json::Value;
use source_trigger::lambda::Function;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let stack = &Stack::of_environment("source-trigger")?;
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
    Ok(Function {
        world: World {
            queues: stack.queues()?,
            bus: stack.bus()?,
            objects: stack.objects(),
            ..stack.world()?
        },
        telemetry: stack.telemetry.clone(),
    })
}
