//! `CreatePipeline` (spec 10).

use std::collections::BTreeMap;

use access::Caller;
use model::{
    ExecutionId, Input, PipelineDeclaration, Rejection,
    input::Start,
    state::{Trigger, TriggerType},
};
use ports::{Request, World, update};

use crate::{
    OperationError, Resource, accept, authorise, conclude, guarded::guarded, hand_out,
    make_artifact_buckets, pipeline_arn, tags,
};

#[derive(Clone, Debug)]
pub struct CreatePipeline {
    pub declaration: PipelineDeclaration,
    pub tags: Vec<(String, String)>,
    /// Whether the first execution starts in the same commit, as the API says.
    pub starts: bool,
    pub by: Caller,
}

/// Saves version 1 of a new pipeline with its tags; returns the definition as it was stored.
pub async fn create_pipeline(
    world: &World,
    request: CreatePipeline,
) -> Result<PipelineDeclaration, OperationError> {
    let name = request.declaration.name.clone();
    let wanted: BTreeMap<String, String> = request.tags.iter().cloned().collect();
    let resource = Resource::Pipeline(&name);
    authorise(world, &request.by, "CreatePipeline", resource, &wanted).await?;
    let declaration = accept(world, &request.declaration, None)?;
    make_artifact_buckets(world, &declaration).await?;
    let arn = pipeline_arn(&world.account, &name);
    let tags = tags::with(&BTreeMap::new(), &request.tags, &arn)?;
    let by = request.by.arn().to_owned();
    let start = request.starts.then(|| Start {
        execution: ExecutionId(world.random.uuid()),
        secret: world.random.uuid(),
        trigger: Trigger {
            kind: TriggerType::CreatePipeline,
            detail: by.clone(),
        },
        variables: BTreeMap::new(),
        overrides: Vec::new(),
    });
    let inputs: Vec<Input> = std::iter::once(Input::DefinitionChanged {
        declaration: declaration.clone(),
    })
    .chain(start.map(|start| Input::Start(Box::new(start))))
    .collect();
    let create = Request {
        by,
        cause: "CreatePipeline".to_owned(),
        create: true,
        ..Request::default()
    };
    let updated = update(world, &name, create, |state, now| {
        if state.head.definition > 0 {
            return Err(Rejection::PipelineNameInUse(name.clone()).into());
        }
        state.tags = tags.clone();
        guarded(|| {
            let mut effects = Vec::new();
            for input in &inputs {
                effects.extend(engine::step(state, input, now)?);
            }
            conclude(state, effects)
        })
    })
    .await?;
    hand_out(world, &name, updated).await;
    Ok(PipelineDeclaration::clone(&declaration))
}
