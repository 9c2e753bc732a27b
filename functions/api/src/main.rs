//! The function `api` on AWS Lambda: the API, and what agents of builds ask for.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use access::Authenticator;
use api::{
    Agents, Api, Service,
    lambda::{FreshKeys, Function},
    logs::Logs,
    pipewright::Pipewright,
    trail::Trail,
};
use aws::{AuditLog, Called, MasterKey, NEXT_PAGES, Stack, StackError};
use keyring::{Keyring, KeyringOptions};
use lambda_runtime::{LambdaEvent, run, service_fn};
use operations::codebuild::{CodeBuild, RecordedBuilds};
use ports::{AuditTrail, BuildRunner, World};
use serde_json::Value;
use tokio::sync::OnceCell;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let stack = &Stack::of_environment("api")?;
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
    let clock = Arc::clone(&stack.clock);
    let audit = AuditLog::open(&stack.clients, &stack.settings, clock, &*stack.random).await?;
    let audit: Arc<dyn AuditTrail> = Arc::new(audit);
    let trail = Arc::new(Trail::new(
        Arc::clone(&audit),
        Arc::clone(&stack.account),
        Arc::clone(&stack.clock),
        Arc::clone(&stack.random),
    ));
    let (ring, page_key) = (rings(stack, &master)?, master.derive(NEXT_PAGES));
    let keyring = Arc::new(ring());
    let nudged: Arc<AtomicBool> = Arc::default();
    let codebuild = codebuild(stack, &nudged)?;
    let world = codebuild.world.clone();
    let api = Api::new(api::Options {
        world: world.clone(),
        authenticator: Arc::new(Authenticator::new(Arc::new(FreshKeys::new(ring)))),
        trail: Arc::clone(&trail),
        page_key,
        more: services(stack, codebuild, &keyring, page_key)?,
    });
    Ok(Function {
        world,
        api,
        agents: agents(stack)?,
        keyring,
        trail,
        audit,
        nudged,
        builds: stack.queues()?,
        telemetry: stack.telemetry.clone(),
    })
}

/// Makes rings of access keys.
fn rings(
    stack: &Stack,
    master: &MasterKey,
) -> Result<impl Fn() -> Keyring + Send + Sync + 'static, StackError> {
    let keys = stack.access_keys()?;
    let (clock, random) = (Arc::clone(&stack.clock), Arc::clone(&stack.random));
    let (account, sealing_key) = (stack.account.id.clone(), master.for_access_keys());
    Ok(move || {
        Keyring::new(KeyringOptions {
            keys: keys.clone(),
            clock: Arc::clone(&clock),
            random: Arc::clone(&random),
            account: account.clone(),
            sealing_key,
        })
    })
}

fn codebuild(stack: &Stack, nudged: &Arc<AtomicBool>) -> Result<CodeBuild, StackError> {
    let records = stack.build_history()?;
    let runner: Arc<dyn BuildRunner> = stack.builds()?;
    let nudged = Arc::clone(nudged);
    Ok(CodeBuild {
        world: World {
            queues: stack.queues()?,
            bus: stack.bus()?,
            objects: stack.objects(),
            builds: Arc::new(RecordedBuilds {
                runner: Arc::clone(&runner),
                records: records.clone(),
                clock: Arc::clone(&stack.clock),
            }),
            ..stack.world()?
        },
        projects: stack.projects()?,
        builds: records,
        runner,
        nudge: Arc::new(move || nudged.store(true, Ordering::Relaxed)),
    })
}

/// What answers beside CodePipeline.
fn services(
    stack: &Stack,
    codebuild: CodeBuild,
    keyring: &Arc<Keyring>,
    page_key: [u8; 32],
) -> Result<Vec<Arc<dyn Service>>, StackError> {
    let logs = stack.logs()?;
    Ok(vec![
        Arc::new(Pipewright {
            world: codebuild.world.clone(),
            keyring: Arc::clone(keyring),
            logs: logs.clone(),
        }),
        Arc::new(Logs {
            world: codebuild.world.clone(),
            builds: Arc::clone(&codebuild.builds),
            logs,
        }),
        Arc::new(api::codebuild::CodeBuild::new(codebuild, page_key)),
    ])
}

/// What the agents of builds ask for. A buildspec in a source may name the secrets that the template
/// lists, and no others.
fn agents(stack: &Stack) -> Result<Agents, StackError> {
    let open = stack.settings.get("PIPEWRIGHT_BUILD_SECRETS");
    let open = open.unwrap_or_default().split(',').map(str::trim);
    let open = open.filter(|name| !name.is_empty()).map(str::to_owned);
    let account = Arc::clone(&stack.account);
    Ok(Agents::new(stack.agents()?, account, open.collect()))
}
