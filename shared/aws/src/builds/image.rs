//! Images of projects.
//!
//! `RunTask` cannot name an image: a task definition does. So each image gets one, made from that of
//! the stack with two containers: the stack's own image puts the agent into a volume and ends, and
//! then the project's image runs it from there. The image needs to know nothing of Pipewright; what
//! it needs is a C library (glibc) as new as the agent's.

use aws_sdk_ecs::{
    error::{ProvideErrorMetadata, SdkError},
    types::{
        Compatibility, ContainerCondition, ContainerDefinition, ContainerDependency, MountPoint,
        TaskDefinition, Volume,
    },
};
use sha2::{Digest, Sha256};

use super::{
    Trouble,
    task::{Tasks, passing},
};
use crate::failed::{Asked, asked, said};

/// Where the agent is in the stack's image, and where a project's image finds it.
const AGENT: &str = "/usr/local/bin/pipewright";
const BROUGHT: &str = "/pipewright/pipewright";
const VOLUME: &str = "pipewright";
const MOUNTED_AT: &str = "/pipewright";

/// The container that brings the agent.
const BRINGER: &str = "pipewright-agent";

/// The longest name of an image.
const NAME_BYTES_MAX: usize = 512;

/// How much of an image's digest is in the name of its task definition.
const DIGEST_CHARS: usize = 24;

/// Images with this beginning are CodeBuild's own, which no registry has under these names: the
/// stack's image stands in their place.
const CURATED: &str = "aws/codebuild/";

/// Whether the stack's own image is meant.
pub(super) fn is_ours(name: &str) -> bool {
    name.starts_with(CURATED)
}

pub(super) fn is_image_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= NAME_BYTES_MAX
        && !name.starts_with(['-', '.', '/'])
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"._-/:@".contains(&b))
}

impl Tasks {
    /// The task definition for an image; it is made where there is none.
    pub(super) async fn definition_for(&self, image: &str) -> Result<String, Trouble> {
        let base = self.describe(&self.definition).await?;
        let Some(base) = base else {
            return Err(Trouble::Refused(format!(
                "there is no task definition {}",
                self.definition
            )));
        };
        let family = base.family().unwrap_or("pipewright-build");
        // Another revision of the stack's own has another agent.
        let revision = base.task_definition_arn().unwrap_or_default();
        let digest = hex::encode(Sha256::digest(format!("{revision}\n{image}")));
        let family = format!("{family}-image-{}", &digest[..DIGEST_CHARS]);
        if let Some(known) = self.describe(&family).await?
            && let Some(arn) = known.task_definition_arn()
        {
            return Ok(arn.to_owned());
        }
        self.register(&family, &base, image).await
    }

    async fn describe(&self, name: &str) -> Result<Option<TaskDefinition>, Trouble> {
        let described = self
            .client
            .describe_task_definition()
            .task_definition(name)
            .send()
            .await;
        match described {
            Ok(described) => Ok(described.task_definition),
            Err(error) if error.code() == Some("ClientException") => Ok(None),
            Err(error) => Err(of_error(&error)),
        }
    }

    async fn register(
        &self,
        family: &str,
        base: &TaskDefinition,
        image: &str,
    ) -> Result<String, Trouble> {
        let mut containers = base.container_definitions().iter();
        let ours = containers.find(|it| it.name() == Some(&self.container));
        let Some(ours) = ours else {
            return Err(Trouble::Refused(format!(
                "the task definition {} has no container `{}`",
                self.definition, self.container
            )));
        };
        let registered = self
            .client
            .register_task_definition()
            .family(family)
            .set_cpu(base.cpu.clone())
            .set_memory(base.memory.clone())
            .set_ephemeral_storage(base.ephemeral_storage.clone())
            .set_runtime_platform(base.runtime_platform.clone())
            .set_execution_role_arn(base.execution_role_arn.clone())
            .set_network_mode(base.network_mode.clone())
            .requires_compatibilities(Compatibility::Fargate)
            .volumes(Volume::builder().name(VOLUME).build())
            .container_definitions(bringer(ours))
            .container_definitions(theirs(ours, image))
            .send()
            .await;
        let registered = registered.map_err(|error| of_error(&error))?;
        let arn = registered
            .task_definition()
            .and_then(TaskDefinition::task_definition_arn);
        arn.map(str::to_owned)
            .ok_or_else(|| Trouble::Passing("ECS names no task definition".into()))
    }
}

/// Puts the agent into the volume, whoever may write there, and ends.
fn bringer(ours: &ContainerDefinition) -> ContainerDefinition {
    ContainerDefinition::builder()
        .name(BRINGER)
        .set_image(ours.image.clone())
        .essential(false)
        .user("0")
        .entry_point("cp")
        .command(AGENT)
        .command(BROUGHT)
        .mount_points(mounted(false))
        .set_log_configuration(ours.log_configuration.clone())
        .build()
}

/// The project's image, which runs the agent.
fn theirs(ours: &ContainerDefinition, image: &str) -> ContainerDefinition {
    let brought = ContainerDependency::builder()
        .container_name(BRINGER)
        .condition(ContainerCondition::Success)
        .build()
        .ok();
    ContainerDefinition::builder()
        .set_name(ours.name.clone())
        .image(image)
        .essential(true)
        .entry_point(BROUGHT)
        .command("agent")
        .set_depends_on(brought.map(|brought| vec![brought]))
        .set_stop_timeout(ours.stop_timeout)
        .mount_points(mounted(true))
        .set_log_configuration(ours.log_configuration.clone())
        .build()
}

fn mounted(read_only: bool) -> MountPoint {
    MountPoint::builder()
        .source_volume(VOLUME)
        .container_path(MOUNTED_AT)
        .read_only(read_only)
        .build()
}

fn of_error<E>(
    error: &SdkError<E, aws_smithy_runtime_api::client::orchestrator::HttpResponse>,
) -> Trouble
where
    E: std::error::Error + ProvideErrorMetadata + 'static,
{
    match asked(error) {
        Asked::Refused => Trouble::Refused(format!(
            "ECS makes no task definition for the project's image: {}",
            said(error)
        )),
        Asked::Throttled | Asked::Unsent | Asked::Unknown => passing(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_named_as_registries_do() {
        for name in [
            "rust",
            "ghcr.io/a/b:1.0",
            "a@sha256:00ff",
            "aws/codebuild/x:1",
        ] {
            assert!(is_image_name(name), "{name}");
        }
        for name in ["", "-v", "a b", "a\nb", "/etc", &"x".repeat(600)] {
            assert!(!is_image_name(name), "{name:?}");
        }
        assert!(is_ours("aws/codebuild/amazonlinux2-x86_64-standard:5.0") && !is_ours("rust"));
    }
}
