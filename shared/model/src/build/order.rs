//! What follows from an order alone, whoever carries it out.

use std::collections::BTreeMap;

use super::{BuildKind, BuildOrder, EnvelopeWork};
use crate::project::{BuildVariable, CacheType};

impl BuildOrder {
    /// The name that the build goes by: its project's, or the pipeline's for a list of commands.
    pub fn project_name(&self) -> &str {
        match &self.what {
            BuildKind::Project { project, .. } => &project.name,
            BuildKind::Commands { .. } => &self.pipeline,
        }
    }

    /// The image that the order's project names.
    pub fn image(&self) -> Option<&str> {
        match &self.what {
            BuildKind::Project { project, .. } => project.environment.image.as_deref(),
            BuildKind::Commands { .. } => None,
        }
    }

    /// Whether the order's project keeps a cache.
    pub fn has_cache(&self) -> bool {
        match &self.what {
            BuildKind::Project { project, .. } => match project.cache.kind {
                CacheType::NoCache => false,
                CacheType::S3 | CacheType::Local => true,
            },
            BuildKind::Commands { .. } => false,
        }
    }

    /// What an agent is to run.
    pub fn work(&self) -> EnvelopeWork {
        match &self.what {
            BuildKind::Project {
                project,
                buildspec_override,
            } => EnvelopeWork::Buildspec(
                buildspec_override
                    .clone()
                    .or_else(|| project.source.buildspec.clone()),
            ),
            BuildKind::Commands {
                commands,
                output_variables,
            } => {
                let files = self.outputs.first().map(|output| output.files.clone());
                EnvelopeWork::Commands {
                    commands: commands.clone(),
                    output_variables: output_variables.clone(),
                    files: files.unwrap_or_default(),
                }
            }
        }
    }

    /// The variables of project and action, each name once; the action's win (spec 70 §4.1).
    pub fn variables(&self) -> Vec<BuildVariable> {
        let of_project: &[BuildVariable] = match &self.what {
            BuildKind::Project { project, .. } => &project.environment.environment_variables,
            BuildKind::Commands { .. } => &[],
        };
        let by_name: BTreeMap<&str, &BuildVariable> = of_project
            .iter()
            .chain(&self.environment_variables)
            .map(|variable| (variable.name.as_str(), variable))
            .collect();
        by_name.into_values().cloned().collect()
    }

    /// `<project>:<uuid>` (spec 70 §4.9).
    pub fn build_id(&self) -> String {
        format!("{}:{}", self.project_name(), self.id)
    }
}
