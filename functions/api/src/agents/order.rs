//! What an agent is told: the order in its terms, with paths below a room that it makes.

use std::path::PathBuf;

use model::{
    build::{
        AgentInput, AgentOrder, BuildOrder, ENVELOPE_VERSION, Envelope, EnvelopeInput,
        EnvelopeOutput,
    },
    job::JobArtifact,
};
use ports::{Account, Agents, agents::AgentBuild, objects::ObjectError};

/// How large the log of a build may grow, as in the embedded mode.
const LOG_BYTES: u64 = 64 << 20;

/// Where the order's inputs are to be had.
pub(super) async fn inputs(
    builds: &dyn Agents,
    order: &BuildOrder,
) -> Result<Vec<AgentInput>, ObjectError> {
    let mut inputs = Vec::new();
    for input in &order.inputs {
        inputs.push(match builds.input(input).await {
            Ok(input) => AgentInput::Get(input),
            Err(
                error @ (ObjectError::NoSuchBucket(_)
                | ObjectError::NoSuchKey { .. }
                | ObjectError::NoSuchVersion { .. }
                | ObjectError::InvalidName(_)
                | ObjectError::Denied { .. }
                | ObjectError::Damaged { .. }),
            ) => AgentInput::Unreadable(error.to_string()),
            Err(error) => return Err(error),
        });
    }
    Ok(inputs)
}

pub(super) fn seal(
    account: &Account,
    order: &BuildOrder,
    build: &AgentBuild,
    inputs: Vec<AgentInput>,
) -> AgentOrder {
    let Account {
        id: account,
        region,
    } = account;
    let build_id = order.build_id();
    let input = |(index, input): (usize, &model::build::BuildInput)| {
        let JobArtifact { bucket, key, .. } = &input.artifact;
        let arn = || format!("arn:aws:s3:::{bucket}/{key}");
        EnvelopeInput {
            name: input.artifact.name.clone(),
            // The names of artifacts stay out of the names of files.
            path: PathBuf::from(format!("in/{index}")),
            file_name: key.rsplit('/').next().unwrap_or(key).to_owned(),
            source_version: input.source_version.clone().unwrap_or_else(arn),
            revision: input.artifact.revision.clone(),
        }
    };
    let output = |(index, output): (usize, &JobArtifact)| EnvelopeOutput {
        name: output.name.clone(),
        path: PathBuf::from(format!("out/{index}.zip")),
    };
    let envelope = Envelope {
        version: ENVELOPE_VERSION,
        project: order.project_name().to_owned(),
        build_arn: format!("arn:aws:codebuild:{region}:{account}:build/{build_id}"),
        build_id,
        build_number: build.number,
        initiator: order.initiator.clone(),
        region: region.clone(),
        image: order.image().map(str::to_owned),
        work: order.work(),
        inputs: order.inputs.iter().enumerate().map(input).collect(),
        outputs: order.outputs.iter().enumerate().map(output).collect(),
        variables: order.variables(),
        directory: PathBuf::from("output"),
        // Nothing of a container outlives it.
        cache: None,
        timeout_seconds: order.timeout_seconds,
        log_max_bytes: LOG_BYTES,
        retry: 0,
        inherits_environment: true,
        own_process_namespace: false,
        owner: None,
    };
    AgentOrder {
        envelope,
        inputs,
        phases: build.phases.clone(),
    }
}
