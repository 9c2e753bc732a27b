//! Compute, Commands: shell commands without a project (spec 60 §2.3).

use std::collections::BTreeMap;

use async_trait::async_trait;
use model::{
    Job,
    build::BuildKind,
    declaration::{EnvironmentVariable, EnvironmentVariableType},
    job::ErrorDetails,
    project::{BuildVariable, BuildVariableType},
};
use ports::World;

use crate::{
    Progress, Provider, artifacts,
    build::{self, Plan},
    settings::Settings,
};

const KEYS: [&str; 5] = [
    "EnvironmentType",
    "ComputeType",
    "VpcId",
    "Subnets",
    "SecurityGroupIds",
];

const ENVIRONMENTS: [&str; 2] = ["LINUX_CONTAINER", "WINDOWS_SERVER_2022_CONTAINER"];

/// The sizes that AWS rents; a machine has the size that it has, so they change nothing here.
const SIZES: [&str; 3] = [
    "BUILD_GENERAL1_SMALL",
    "BUILD_GENERAL1_MEDIUM",
    "BUILD_GENERAL1_LARGE",
];

const COMMANDS_MAX: usize = 50;
const INPUTS_MAX: usize = 10;

/// How long the commands may run (spec 60 §0.4).
const TIMEOUT_MINUTES: u32 = 55;

pub struct Commands;

#[async_trait]
impl Provider for Commands {
    fn check(&self, configuration: &BTreeMap<String, String>) -> Result<(), ErrorDetails> {
        check(Settings::of(configuration, &KEYS)?)
    }

    async fn start(&self, world: &World, job: &Job) -> Progress {
        go_on(world, job).await.unwrap_or_else(Progress::failed)
    }

    /// Commands that the runner lost with its process start anew.
    async fn poll(&self, world: &World, job: &Job) -> Progress {
        go_on(world, job).await.unwrap_or_else(Progress::failed)
    }

    async fn stop(&self, world: &World, job: &Job) {
        build::stop(world, job).await;
    }
}

async fn go_on(world: &World, job: &Job) -> Result<Progress, ErrorDetails> {
    let name = &job.key.pipeline;
    if let Some(progress) = build::look(world, job, name).await {
        return Ok(progress);
    }
    check_job(job)?;
    artifacts::refuse_clone_references(world, &job.inputs).await?;
    let plan = Plan {
        what: BuildKind::Commands {
            commands: job.commands.clone(),
            output_variables: job.output_variables.clone(),
        },
        variables: job.environment_variables.iter().map(variable).collect(),
        inputs: job.inputs.clone(),
        timeout_minutes: TIMEOUT_MINUTES,
    };
    Ok(build::begin(world, job, name, plan).await)
}

fn check(settings: Settings<'_>) -> Result<(), ErrorDetails> {
    let environment = settings.one_of("EnvironmentType", &ENVIRONMENTS)?;
    if environment == Some(ENVIRONMENTS[1]) {
        settings.refuse(&["EnvironmentType"], "commands run on Linux")?;
    }
    settings.one_of("ComputeType", &SIZES)?;
    let why = "builds use the network of the machine that they run on";
    settings.refuse(&["VpcId", "Subnets", "SecurityGroupIds"], why)
}

fn check_job(job: &Job) -> Result<(), ErrorDetails> {
    check(Settings::of(&job.configuration, &KEYS)?)?;
    let (commands, inputs) = (job.commands.len(), job.inputs.len());
    if commands == 0 || commands > COMMANDS_MAX {
        return Err(ErrorDetails::configuration(format!(
            "a Commands action has 1 to {COMMANDS_MAX} commands, not {commands}"
        )));
    }
    if let Some(command) = job.commands.iter().find(|c| c.contains(['\n', '\r'])) {
        return Err(ErrorDetails::configuration(format!(
            "command `{}` has a line break",
            command.escape_debug()
        )));
    }
    if inputs == 0 || inputs > INPUTS_MAX || job.outputs.len() > 1 {
        return Err(ErrorDetails::configuration(format!(
            "a Commands action takes 1 to {INPUTS_MAX} input artifacts and up to one output \
             artifact, not {inputs} and {}",
            job.outputs.len()
        )));
    }
    Ok(())
}

fn variable(given: &EnvironmentVariable) -> BuildVariable {
    BuildVariable {
        name: given.name.clone(),
        value: given.value.clone(),
        kind: match given.kind {
            EnvironmentVariableType::Plaintext => BuildVariableType::Plaintext,
            EnvironmentVariableType::SecretsManager => BuildVariableType::SecretsManager,
        },
    }
}

#[cfg(test)]
mod tests;
