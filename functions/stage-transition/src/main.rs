//! The function `stage-transition` on AWS Lambda: results, time and sweeps become steps.

use aws::{Called, Stack, StackError};
use lambda_runtime::{LambdaEvent, run, service_fn};
use ports::World;
use serde_json::Value;
use stage_transition::lambda::Function;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let stack = &Stack::of_environment("stage-transition")?;
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
            ..stack.world()?
        },
        telemetry: stack.telemetry.clone(),
        until: stack.until.clone(),
    })
}
