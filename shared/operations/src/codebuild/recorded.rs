//! A runner that keeps a record of the builds that pipelines order.

use std::{io, sync::Arc};

use async_trait::async_trait;
use model::{
    build::{BuildKind, BuildOrder, BuildPhase, BuildState},
    project::Settings,
};
use ports::{
    BuildRecords, BuildRunner, Clock, StoreError,
    build_records::{BuildEnd, BuildOwner, BuildRecord},
    builds::BuildError,
};

use super::{begin::not_started, trouble::Trouble};

/// Passes everything on to a runner, and keeps a record of each build of a project.
pub struct RecordedBuilds {
    pub runner: Arc<dyn BuildRunner>,
    pub records: Arc<dyn BuildRecords>,
    pub clock: Arc<dyn Clock>,
}

impl RecordedBuilds {
    /// The record of a pipeline's build, kept before it begins.
    async fn keep(&self, order: &BuildOrder) -> Result<Option<BuildRecord>, StoreError> {
        let BuildKind::Project {
            project,
            buildspec_override,
        } = &order.what
        else {
            // A list of commands is no project's.
            return Ok(None);
        };
        let mut settings = Settings::of_pipeline(project);
        if buildspec_override.is_some() {
            settings.source.buildspec.clone_from(buildspec_override);
        }
        for variable in &order.environment_variables {
            let known = &mut settings.environment.environment_variables;
            known.retain(|known| known.name != variable.name);
            known.push(variable.clone());
        }
        let primary = order.inputs.first();
        let record = BuildRecord {
            id: order.id.clone(),
            initiator: order.initiator.clone(),
            owner: BuildOwner::Pipeline,
            started: self.clock.now(),
            settings,
            resolved_source_version: primary.and_then(|input| input.artifact.revision.clone()),
            outputs: order.outputs.clone(),
            is_stopping: false,
            end: None,
            token: None,
            place: 0,
            number: 0,
            version: 0,
        };
        self.records.begin_build(&record).await.map(Some)
    }

    /// Closes a record; where it cannot be written the sweep does it.
    async fn close(&self, record: BuildRecord, trouble: Trouble) {
        let at = self.clock.now();
        let report = trouble.report_at(&record, at);
        let over = BuildRecord {
            end: Some(BuildEnd { at, report }),
            ..record
        };
        let _ = self.records.replace_build(&over).await;
    }
}

#[async_trait]
impl BuildRunner for RecordedBuilds {
    async fn start(&self, mut order: BuildOrder) -> Result<(), BuildError> {
        let kept = self.keep(&order).await;
        let kept = kept.map_err(|error| BuildError::System {
            doing: "keep a record of the build".to_owned(),
            source: io::Error::other(error),
        })?;
        let Some(record) = kept else {
            return self.runner.start(order).await;
        };
        if record.is_stopping && record.end.is_none() {
            self.close(record, Trouble::stopped()).await;
            return Err(BuildError::Refused("the build was stopped".to_owned()));
        }
        order.number = Some(record.number);
        let started = self.runner.start(order).await;
        if let Err(error) = &started {
            self.close(record, not_started(error)).await;
        }
        started
    }

    async fn state(&self, id: &str) -> Result<BuildState, BuildError> {
        self.runner.state(id).await
    }

    async fn phases(&self, id: &str) -> Result<Vec<BuildPhase>, BuildError> {
        self.runner.phases(id).await
    }

    async fn stop(&self, id: &str) -> Result<(), BuildError> {
        self.runner.stop(id).await
    }
}
