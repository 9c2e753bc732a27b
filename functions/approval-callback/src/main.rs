//! The function `approval-callback` on AWS Lambda: the page that an approval link leads to.

use access::link::LinkKey;
use approval_callback::{Callback, lambda::Function};
use aws::{APPROVAL_LINKS, Called, MasterKey, Stack};
use lambda_runtime::{LambdaEvent, run, service_fn};
use ports::World;
use serde_json::Value;
use tokio::sync::OnceCell;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let stack = &Stack::of_environment("approval-callback")?;
    // Made with the first call: it asks for the master key, and a start asks nobody.
    let function = &OnceCell::new();
    let handle = async |event: LambdaEvent<Value>| {
        let called = Called {
            request_id: &event.context.request_id,
            trace_id: event.context.xray_trace_id.as_deref(),
            until: event.context.deadline,
        };
        let handled = async {
            let function = function.get_or_try_init(|| self::function(stack)).await?;
            function.handle(event.payload).await
        };
        stack.call(called, handled).await
    };
    run(service_fn(handle)).await
}

async fn function(stack: &Stack) -> Result<Function, lambda_runtime::Error> {
    let master = MasterKey::read(&stack.clients, &stack.settings).await?;
    let callback = Callback {
        world: World {
            queues: stack.queues()?,
            bus: stack.bus()?,
            ..stack.world()?
        },
        key: LinkKey::new(master.derive(APPROVAL_LINKS)),
        origin: stack.settings.require("PIPEWRIGHT_URL")?.to_owned(),
    };
    Ok(Function {
        callback,
        telemetry: stack.telemetry.clone(),
    })
}
