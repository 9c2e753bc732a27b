//! What is asked of ECS.

use aws_sdk_ecs::{
    Client,
    config::{Builder, retry::RetryConfig},
    error::{ProvideErrorMetadata, SdkError},
    operation::run_task::RunTaskError,
    types::{
        AssignPublicIp, AwsVpcConfiguration, Container, ContainerOverride, Failure, KeyValuePair,
        LaunchType, NetworkConfiguration, Task, TaskOverride,
    },
};
use model::Timestamp;

use super::Trouble;
use crate::{
    Clients, Settings, SettingsError,
    failed::{Asked, asked, said},
};

/// How often `RunTask` is sent; between two, the task that an earlier one may have started is looked
/// for.
const SENDS_MAX: usize = 2;

/// Why a cluster cannot take a task now, as `failures[]` of `RunTask` begin.
const NO_CAPACITY: [&str; 6] = [
    "RESOURCE",
    "AGENT",
    "Capacity",
    "EMPTY CAPACITY PROVIDER",
    "NO ACTIVE INSTANCES",
    "You've reached the limit on the number of tasks",
];

/// Codes of requests that may be granted a moment later.
const LATER: [&str; 3] = [
    "ServerException",
    "ClusterNotFoundException",
    "PlatformTaskDefinitionIncompatibilityException",
];

/// The states of a task before its containers run.
const BEGINNING: [&str; 4] = ["PROVISIONING", "PENDING", "ACTIVATING", "CREATED"];

/// The tasks of one cluster.
#[derive(Clone, Debug)]
pub(super) struct Tasks {
    pub(super) client: Client,
    pub(super) definition: String,
    pub(super) container: String,
    cluster: String,
    subnets: Vec<String>,
    security_groups: Vec<String>,
    has_public_address: bool,
    /// Where agents find the API.
    url: String,
}

/// What became of an order to begin a task.
#[derive(Debug)]
pub(super) enum Began {
    Task(String),
    /// Nothing was begun; the text says what is missing.
    NoCapacity(String),
    /// No answer came. A task may have begun.
    Lost,
}

/// Where a task stands.
#[derive(Debug)]
pub(super) enum Looked {
    /// ECS knows no such task, not yet or not any more.
    Unknown,
    Beginning,
    /// And since when its containers run.
    Running(Option<Timestamp>),
    Stopped(Stopped),
}

/// How a task ended.
#[derive(Debug, Default)]
pub(super) struct Stopped {
    pub(super) at: Option<Timestamp>,
    /// `EssentialContainerExited`, `TaskFailedToStart`, `UserInitiated` …
    pub(super) code: String,
    pub(super) reason: String,
    /// What the container's program ended with, and what ECS says of the container.
    pub(super) exit_code: Option<i32>,
    pub(super) container: String,
}

impl Tasks {
    pub(super) fn new(clients: &Clients, settings: &Settings) -> Result<Self, SettingsError> {
        let list = |name: &str| -> Result<Vec<String>, SettingsError> {
            let list = settings.require(name)?.split(',');
            Ok(list.map(|each| each.trim().to_owned()).collect())
        };
        Ok(Self {
            client: clients.ecs(),
            definition: settings.require("PIPEWRIGHT_TASK_DEFINITION")?.to_owned(),
            container: settings.require("PIPEWRIGHT_TASK_CONTAINER")?.to_owned(),
            cluster: settings.require("PIPEWRIGHT_CLUSTER")?.to_owned(),
            subnets: list("PIPEWRIGHT_SUBNETS")?,
            // The subnets' own group where none is named.
            security_groups: list("PIPEWRIGHT_SECURITY_GROUPS").unwrap_or_default(),
            has_public_address: settings.get("PIPEWRIGHT_PUBLIC_IP") == Some("ENABLED"),
            url: settings.require("PIPEWRIGHT_URL")?.to_owned(),
        })
    }

    /// Begins a build's task. `turn` says how many orders before came to nothing for certain: those
    /// that may have begun a task have the same client token.
    pub(super) async fn run(
        &self,
        build: &str,
        turn: u64,
        token: &str,
        image: Option<String>,
    ) -> Result<Began, Trouble> {
        // After one sending without an answer, what the next ones say is only said of them.
        let mut is_unsure = false;
        let sure = |began, is_unsure| match began {
            Ok(Began::NoCapacity(_)) if is_unsure => Ok(Began::Lost),
            began => began,
        };
        for _ in 0..SENDS_MAX {
            let error = match self.send(build, turn, token, image.clone()).await {
                Ok(began) => return sure(began, is_unsure),
                Err(error) => error,
            };
            match asked(&error) {
                Asked::Throttled | Asked::Unsent => {
                    return sure(Ok(Began::NoCapacity(said(&error))), is_unsure);
                }
                Asked::Refused => return sure(refused(&error), is_unsure),
                Asked::Unknown => is_unsure = true,
            }
            if let Some(task) = self.find(build).await? {
                return Ok(Began::Task(task));
            }
        }
        Ok(Began::Lost)
    }

    async fn send(
        &self,
        build: &str,
        turn: u64,
        token: &str,
        image: Option<String>,
    ) -> Result<Result<Began, Trouble>, SdkError<RunTaskError>> {
        let variable = |name: &str, value: &str| {
            let variable = KeyValuePair::builder().name(name).value(value);
            variable.build()
        };
        // The token is in these words, which whoever may describe tasks can read: it opens this one
        // build and is dead when that is over.
        let container = ContainerOverride::builder()
            .name(&self.container)
            .environment(variable("PIPEWRIGHT_AGENT_URL", &self.url))
            .environment(variable("PIPEWRIGHT_BUILD_ID", build))
            .environment(variable("PIPEWRIGHT_AGENT_TOKEN", token));
        let overrides = TaskOverride::builder().container_overrides(container.build());
        let client_token = match turn {
            0 => build.to_owned(),
            turn => format!("{build}-{turn}"),
        };
        let sent = self
            .client
            .run_task()
            .cluster(&self.cluster)
            .task_definition(image.unwrap_or_else(|| self.definition.clone()))
            .launch_type(LaunchType::Fargate)
            .count(1)
            .client_token(client_token)
            .started_by(build)
            .set_network_configuration(self.network())
            .overrides(overrides.build())
            .customize()
            // What an earlier sending began is looked for before the next one.
            .config_override(Builder::new().retry_config(RetryConfig::disabled()))
            .send()
            .await?;
        let task = sent.tasks().first().and_then(Task::task_arn);
        Ok(match (task, sent.failures().first()) {
            (Some(task), _) => Ok(Began::Task(task.to_owned())),
            (None, Some(failure)) => of_failure(failure),
            (None, None) => Ok(Began::Lost),
        })
    }

    fn network(&self) -> Option<NetworkConfiguration> {
        let address = if self.has_public_address {
            AssignPublicIp::Enabled
        } else {
            AssignPublicIp::Disabled
        };
        let network = AwsVpcConfiguration::builder()
            .set_subnets(Some(self.subnets.clone()))
            .set_security_groups(
                (!self.security_groups.is_empty()).then(|| self.security_groups.clone()),
            )
            .assign_public_ip(address)
            .build()
            .ok()?;
        let configuration = NetworkConfiguration::builder().awsvpc_configuration(network);
        Some(configuration.build())
    }

    /// The task that was begun for a build, if there is one.
    pub(super) async fn find(&self, build: &str) -> Result<Option<String>, Trouble> {
        // What stopped already was the build's, too.
        for status in ["RUNNING", "STOPPED"] {
            let listed = self
                .client
                .list_tasks()
                .cluster(&self.cluster)
                .started_by(build)
                .desired_status(status.into())
                .send()
                .await;
            let listed = listed.map_err(|error| passing(&error))?;
            if let Some(task) = listed.task_arns().first() {
                return Ok(Some(task.clone()));
            }
        }
        Ok(None)
    }

    pub(super) async fn look(&self, task: &str) -> Result<Looked, Trouble> {
        let described = self
            .client
            .describe_tasks()
            .cluster(&self.cluster)
            .tasks(task)
            .send()
            .await;
        let described = described.map_err(|error| passing(&error))?;
        let Some(task) = described.tasks().first() else {
            return Ok(Looked::Unknown);
        };
        let status = task.last_status().unwrap_or_default();
        Ok(match status {
            "STOPPED" => Looked::Stopped(self.stopped(task)),
            status if BEGINNING.contains(&status) => Looked::Beginning,
            // And what comes between it and the end.
            _ => Looked::Running(task.started_at().and_then(time)),
        })
    }

    fn stopped(&self, task: &Task) -> Stopped {
        let mut containers = task.containers().iter();
        let container = containers.find(|it| it.name() == Some(&self.container));
        let code = task.stop_code().map(|code| code.as_str().to_owned());
        Stopped {
            at: task.stopped_at().and_then(time),
            code: code.unwrap_or_default(),
            reason: task.stopped_reason().unwrap_or_default().to_owned(),
            exit_code: container.and_then(Container::exit_code),
            container: container
                .and_then(|it| it.reason())
                .unwrap_or_default()
                .to_owned(),
        }
    }

    /// Ends a task; nothing happens when it has ended.
    pub(super) async fn stop(&self, task: &str, why: &str) -> Result<(), Trouble> {
        let stopped = self
            .client
            .stop_task()
            .cluster(&self.cluster)
            .task(task)
            .reason(why)
            .send()
            .await;
        match stopped {
            Ok(_) => Ok(()),
            // ECS has forgotten it.
            Err(error) if error.code() == Some("InvalidParameterException") => Ok(()),
            Err(error) => Err(passing(&error)),
        }
    }
}

/// `RunTask` did not begin it, and says why.
fn of_failure(failure: &Failure) -> Result<Began, Trouble> {
    let reason = failure.reason().unwrap_or_default();
    let detail = failure.detail().unwrap_or_default();
    let text = format!("{reason} {detail}").trim().to_owned();
    if NO_CAPACITY.iter().any(|begin| reason.starts_with(begin)) {
        return Ok(Began::NoCapacity(text));
    }
    Err(Trouble::Refused(format!("ECS starts no task: {text}")))
}

fn refused(error: &SdkError<RunTaskError>) -> Result<Began, Trouble> {
    if let Some(RunTaskError::ConflictException(used)) = error.as_service_error()
        && let Some(task) = used.resource_ids().first()
    {
        // The client token names what an order whose answer was lost has begun.
        return Ok(Began::Task(task.clone()));
    }
    let code = error.code().unwrap_or_default();
    let text = said(error);
    let is_full = NO_CAPACITY.iter().any(|begin| text.contains(begin));
    if is_full || LATER.contains(&code) {
        return Ok(Began::NoCapacity(text));
    }
    Err(Trouble::Refused(format!("ECS starts no task: {text}")))
}

pub(super) fn passing<E, R>(error: &SdkError<E, R>) -> Trouble
where
    E: std::error::Error + 'static,
    R: std::fmt::Debug,
{
    Trouble::Passing(said(error).into())
}

fn time(time: &aws_smithy_types::DateTime) -> Option<Timestamp> {
    time.to_millis().ok().map(Timestamp)
}

#[cfg(test)]
mod tests;
