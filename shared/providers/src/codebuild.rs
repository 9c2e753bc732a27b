//! Build and Test, CodeBuild: a project's build (spec 60 §2.1).

use std::collections::BTreeMap;

use async_trait::async_trait;
use model::{
    Job,
    build::BuildKind,
    job::{ErrorDetails, JobArtifact},
    project::{BuildVariable, Project},
};
use ports::World;

use crate::{
    Progress, Provider,
    artifacts::Scratch,
    build::{self, Plan},
    failure,
    settings::Settings,
};

const KEYS: [&str; 6] = [
    "ProjectName",
    "PrimarySource",
    "BatchEnabled",
    "CombineArtifacts",
    "BuildspecOverride",
    "EnvironmentVariables",
];

/// The most input and output artifacts (spec 60 §0.5).
const ARTIFACTS_MAX: usize = 5;

/// The largest buildspec that is taken out of a bucket.
const BUILDSPEC_BYTES_MAX: u64 = 1024 * 1024;

const BUCKET_ARN: &str = "arn:aws:s3:::";

pub struct CodeBuild;

#[async_trait]
impl Provider for CodeBuild {
    fn check(&self, configuration: &BTreeMap<String, String>) -> Result<(), ErrorDetails> {
        check(Settings::of(configuration, &KEYS)?)
    }

    async fn start(&self, world: &World, job: &Job) -> Progress {
        go_on(world, job).await.unwrap_or_else(Progress::failed)
    }

    /// A build that the runner lost with its process starts anew.
    async fn poll(&self, world: &World, job: &Job) -> Progress {
        go_on(world, job).await.unwrap_or_else(Progress::failed)
    }

    async fn stop(&self, world: &World, job: &Job) {
        build::stop(world, job).await;
    }
}

fn check(settings: Settings<'_>) -> Result<(), ErrorDetails> {
    settings.required("ProjectName")?;
    let why = "batch builds are not supported";
    for key in ["BatchEnabled", "CombineArtifacts"] {
        if settings.flag(key)? == Some(true) {
            settings.refuse(&[key], why)?;
        }
    }
    variables(settings.optional("EnvironmentVariables")).map(drop)
}

async fn go_on(world: &World, job: &Job) -> Result<Progress, ErrorDetails> {
    let settings = Settings::of(&job.configuration, &KEYS)?;
    let name = project_name(settings.required("ProjectName")?);
    if let Some(progress) = build::look(world, job, name).await {
        return Ok(progress);
    }
    let plan = plan(world, job, settings, name).await?;
    Ok(build::begin(world, job, name, plan).await)
}

async fn plan(
    world: &World,
    job: &Job,
    settings: Settings<'_>,
    name: &str,
) -> Result<Plan, ErrorDetails> {
    check(settings)?;
    let inputs = inputs(job, settings.optional("PrimarySource"))?;
    let variables = variables(settings.optional("EnvironmentVariables"))?;
    let project = project(world, name).await?;
    // One that lies in a bucket is fetched here and overrides the project's own.
    let buildspec_override = match (
        settings.optional("BuildspecOverride"),
        project.source.buildspec.as_deref(),
    ) {
        (Some(arn), _) if arn.starts_with("arn:") => {
            Some(stored_buildspec(world, "BuildspecOverride", arn).await?)
        }
        (Some(given), _) => Some(given.to_owned()),
        (None, Some(arn)) if arn.starts_with("arn:") => {
            Some(stored_buildspec(world, "source.buildspec", arn).await?)
        }
        (None, _) => None,
    };
    Ok(Plan {
        timeout_minutes: project.timeout_in_minutes,
        what: BuildKind::Project {
            project: Box::new(project),
            buildspec_override,
        },
        variables,
        inputs,
    })
}

/// The name, also out of a project's ARN (spec 60 §2.1).
fn project_name(given: &str) -> &str {
    let of_arn = given.strip_prefix("arn:").and_then(|rest| {
        let (_, name) = rest.split_once(":project/")?;
        Some(name)
    });
    of_arn.unwrap_or(given)
}

async fn project(world: &World, name: &str) -> Result<Project, ErrorDetails> {
    let found = world.projects.project(name).await;
    let found = found.map_err(|error| failure::of_store(&error))?;
    found.ok_or_else(|| {
        let text = format!("Error calling startBuild: no CodeBuild project has the name `{name}`");
        ErrorDetails::configuration(text)
    })
}

/// The inputs with the primary source first.
fn inputs(job: &Job, primary: Option<&str>) -> Result<Vec<JobArtifact>, ErrorDetails> {
    let count = job.inputs.len();
    if count == 0 || count > ARTIFACTS_MAX || job.outputs.len() > ARTIFACTS_MAX {
        return Err(ErrorDetails::configuration(format!(
            "a CodeBuild action takes 1 to {ARTIFACTS_MAX} input and up to {ARTIFACTS_MAX} output \
             artifacts, not {count} and {}",
            job.outputs.len()
        )));
    }
    let mut inputs = job.inputs.clone();
    let at = match primary {
        Some(name) => inputs.iter().position(|input| input.name == name),
        None if count == 1 => Some(0),
        None => {
            let text = "`PrimarySource` must name one of the input artifacts when there are more \
                        than one";
            return Err(ErrorDetails::configuration(text));
        }
    };
    let Some(at) = at else {
        return Err(ErrorDetails::configuration(format!(
            "`PrimarySource` names `{}`, which is no input artifact of the action",
            primary.unwrap_or_default()
        )));
    };
    inputs[..=at].rotate_right(1);
    Ok(inputs)
}

/// `[{"name", "value", "type"}]`; secrets travel as references (spec 60 §2.1).
fn variables(json: Option<&str>) -> Result<Vec<BuildVariable>, ErrorDetails> {
    let Some(json) = json else {
        return Ok(Vec::new());
    };
    let variables: Vec<BuildVariable> = serde_json::from_str(json).map_err(|error| {
        ErrorDetails::configuration(format!(
            "`EnvironmentVariables` must be a JSON array of objects with `name`, `value` and \
             `type`: {error}"
        ))
    })?;
    let names = variables.iter().map(|variable| variable.name.as_str());
    for name in names {
        if name.is_empty() || name.contains(['=', '\0']) {
            return Err(ErrorDetails::configuration(format!(
                "`EnvironmentVariables` has a variable with the name `{}`",
                name.escape_debug()
            )));
        }
    }
    Ok(variables)
}

/// The buildspec that lies in a bucket, as if it had been written inline.
async fn stored_buildspec(
    world: &World,
    named_by: &str,
    arn: &str,
) -> Result<String, ErrorDetails> {
    let refuse = |why: &str| {
        Err(ErrorDetails::configuration(format!(
            "`{named_by}` names `{arn}`, {why}"
        )))
    };
    let place = arn.strip_prefix(BUCKET_ARN);
    let Some((bucket, key)) = place.and_then(|place| place.split_once('/')) else {
        return refuse("which is not the ARN of an object in a bucket");
    };
    let not_read = |error| failure::of_input(named_by, &error);
    let info = world
        .objects
        .head(bucket, key, None)
        .await
        .map_err(not_read)?;
    if info.size > BUILDSPEC_BYTES_MAX {
        return refuse(&format!("which has more than {BUILDSPEC_BYTES_MAX} bytes"));
    }
    let scratch = Scratch::new()?;
    let file = scratch.file("buildspec");
    let version = Some(info.version_id.as_str());
    let got = world.objects.get(bucket, key, version, &file).await;
    got.map_err(not_read)?;
    match std::fs::read_to_string(&file) {
        // The line break tells an inline buildspec from a path.
        Ok(text) => Ok(text + "\n"),
        Err(error) if error.kind() == std::io::ErrorKind::InvalidData => {
            refuse("which is not UTF-8 text")
        }
        Err(error) => Err(failure::of_io("read the buildspec", &error)),
    }
}

#[cfg(test)]
mod tests;
