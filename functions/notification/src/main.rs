//! The function `notification` on AWS Lambda: asks people for approval.

use access::link::LinkKey;
use aws::{APPROVAL_LINKS, Called, MasterKey, Stack, Topics};
use lambda_runtime::{LambdaEvent, run, service_fn};
use notification::{Links, lambda::Function};
use serde_json::Value;
use tokio::sync::OnceCell;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let stack = &Stack::of_environment("notification")?;
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
    Ok(Function {
        world: stack.world()?,
        links: Links {
            base: stack.settings.require("PIPEWRIGHT_URL")?.to_owned(),
            key: LinkKey::new(master.derive(APPROVAL_LINKS)),
        },
        publisher: Box::new(Topics::new(&stack.clients)),
        topic: stack.settings.require("PIPEWRIGHT_TOPIC")?.to_owned(),
        telemetry: stack.telemetry.clone(),
    })
}
