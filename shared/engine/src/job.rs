//! What the worker of an attempt is given: the resolved configuration, its input artifacts, and
//! where its output goes (spec 30 §5; spec 20 §6).

use model::{
    ActionStatus, AttemptKey, Execution, Job,
    declaration::{ActionCategory, ActionDeclaration, OutputArtifact, PipelineDeclaration},
    derive,
    job::{ErrorDetails, JobArtifact},
    state::{RevisionType, SourceRevisionOverride},
};

use crate::variables::resolve;

pub(crate) fn attempt_key(
    pipeline: &str,
    execution: &Execution,
    stage: &str,
    action: &str,
    attempt: u32,
) -> AttemptKey {
    AttemptKey {
        pipeline: pipeline.to_owned(),
        execution: execution.id,
        stage: stage.to_owned(),
        action: action.to_owned(),
        attempt,
        token: derive::attempt_token(execution.secret, stage, action, attempt),
    }
}

/// The job with everything but what depends on variables and artifacts.
pub(crate) fn blank_job(
    pipeline: &str,
    execution: &Execution,
    definition: &PipelineDeclaration,
    stage: &str,
    action: &ActionDeclaration,
    attempt: u32,
) -> Job {
    Job {
        key: attempt_key(pipeline, execution, stage, &action.name, attempt),
        action_execution_id: derive::action_execution_id(
            execution.id,
            stage,
            &action.name,
            attempt,
        ),
        action_type: action.action_type_id.clone(),
        pipeline_version: execution.definition,
        configuration: action.configuration.clone(),
        commands: action.commands.clone(),
        environment_variables: action.environment_variables.clone(),
        output_variables: action.output_variables.clone(),
        inputs: Vec::new(),
        outputs: outputs(pipeline, execution, definition, stage, action),
        role_arn: action
            .role_arn
            .as_ref()
            .unwrap_or(&definition.role_arn)
            .clone(),
        region: action.region.clone(),
        overrides: pinned(execution, action),
        started: execution.updated,
        until: execution.updated,
    }
}

/// The revisions that a source action is to take: those that the start asked for, or the one that
/// an earlier attempt found, because a retry builds the same sources (spec 30 §7).
fn pinned(execution: &Execution, action: &ActionDeclaration) -> Vec<SourceRevisionOverride> {
    let asked = execution.overrides.iter();
    let mut pinned: Vec<_> = asked
        .filter(|asked| asked.action_name == action.name)
        .cloned()
        .collect();
    let kind = match action.action_type_id.provider.as_str() {
        "S3" => RevisionType::S3ObjectVersionId,
        "ECR" => RevisionType::ImageDigest,
        _ => RevisionType::CommitId,
    };
    if action.action_type_id.category == ActionCategory::Source
        && let Some(found) = execution.revisions.get(&action.name)
        && !pinned.iter().any(|asked| asked.revision_type == kind)
    {
        pinned.push(SourceRevisionOverride {
            action_name: action.name.clone(),
            revision_type: kind,
            revision_value: found.revision_id.clone(),
        });
    }
    pinned
}

/// Resolves variables and finds input artifacts.
pub(crate) fn prepare(
    job: &mut Job,
    execution: &Execution,
    definition: &PipelineDeclaration,
    stage: &str,
    action: &ActionDeclaration,
) -> Result<(), ErrorDetails> {
    resolve(job, execution, definition)?;
    for input in &action.input_artifacts {
        let artifact = input_artifact(&job.key.pipeline, execution, definition, &input.name);
        let artifact = artifact.ok_or_else(|| {
            let name = &input.name;
            let action = &action.name;
            let message = format!(
                "action `{action}` in stage `{stage}` needs artifact `{name}`, \
                 which no action of this execution has produced"
            );
            ErrorDetails::configuration(message)
        })?;
        job.inputs.push(artifact);
    }
    Ok(())
}

/// Where the action that produces `name` stored it, if it succeeded in this execution.
fn input_artifact(
    pipeline: &str,
    execution: &Execution,
    definition: &PipelineDeclaration,
    name: &str,
) -> Option<JobArtifact> {
    for stage in &definition.stages {
        for action in &stage.actions {
            if !action
                .output_artifacts
                .iter()
                .any(|output| output.name == name)
            {
                continue;
            }
            let state = execution
                .stages
                .get(&stage.name)?
                .actions
                .get(&action.name)?;
            if state.status != ActionStatus::Succeeded || state.rerun {
                return None;
            }
            let outputs = outputs(pipeline, execution, definition, &stage.name, action);
            let mut artifact = outputs.into_iter().find(|output| output.name == name)?;
            artifact.files.clear();
            let revision = execution.revisions.get(&action.name);
            if action.action_type_id.category == ActionCategory::Source {
                artifact.revision = revision.map(|revision| revision.revision_id.clone());
            }
            return Some(artifact);
        }
    }
    None
}

/// Where the newest attempt of an action stores its artifacts.
pub(crate) fn outputs(
    pipeline: &str,
    execution: &Execution,
    definition: &PipelineDeclaration,
    stage: &str,
    action: &ActionDeclaration,
) -> Vec<JobArtifact> {
    let state = execution
        .stages
        .get(stage)
        .and_then(|stage| stage.actions.get(&action.name));
    let attempt = state.map_or(1, |state| state.attempt);
    let bucket = bucket(definition);
    let place = |output: &OutputArtifact| JobArtifact {
        name: output.name.clone(),
        bucket: bucket.clone(),
        key: derive::artifact_key(
            pipeline,
            execution.id,
            stage,
            &action.name,
            attempt,
            &output.name,
        ),
        revision: None,
        files: output.files.clone(),
    };
    action.output_artifacts.iter().map(place).collect()
}

/// The artifact store: there is one, because actions in several Regions are refused.
fn bucket(definition: &PipelineDeclaration) -> String {
    let by_region = definition.artifact_stores.as_ref();
    let store = definition.artifact_store.as_ref();
    let store = store.or_else(|| by_region?.values().next());
    store
        .map(|store| store.location.clone())
        .unwrap_or_default()
}
