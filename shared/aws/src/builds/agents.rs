//! What the API serves agents from.

use std::{io, sync::Arc, time::Duration};

use async_trait::async_trait;
use model::{
    build::{
        AgentOffer, AgentPlace, BuildInput, BuildOrder, BuildPhase, BuildReport, RemoteInput,
        RunnerMessage, SecretNeed,
    },
    job::JobArtifact,
};
use ports::{
    Clock, ObjectStore, StoreError,
    agents::AgentBuild,
    objects::{ObjectError, ObjectInfo, ObjectMetadata},
};

use super::record::Records;
use crate::{
    Clients, Queues, Secrets, Settings, SettingsError, Table,
    objects::{Objects, PRESIGNED_WITHIN_MAX},
};

/// How long the URL of an output is good: as long as the agent tries to put it.
const PUT_WITHIN: Duration = Duration::from_mins(45);

/// The records of builds with what their agents may ask for.
pub struct Agents {
    records: Records,
    objects: Objects,
    secrets: Secrets,
    queues: Queues,
    clock: Arc<dyn Clock>,
}

impl Agents {
    pub fn new(
        clients: &Clients,
        settings: &Settings,
        table: Table,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, SettingsError> {
        Ok(Self {
            records: Records::new(table, settings)?,
            objects: Objects::new(clients),
            secrets: Secrets::new(clients, settings)?,
            queues: Queues::new(clients, settings)?,
            clock,
        })
    }

    /// What is there already under the name of an output.
    async fn there(&self, output: &JobArtifact) -> Result<Option<ObjectInfo>, ObjectError> {
        match self.objects.head(&output.bucket, &output.key, None).await {
            Ok(info) => Ok(Some(info)),
            Err(ObjectError::NoSuchKey { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

#[async_trait]
impl ports::Agents for Agents {
    async fn build(&self, id: &str) -> Result<Option<AgentBuild>, StoreError> {
        let record = self.records.find(id).await?;
        Ok(record.map(|record| AgentBuild {
            tokens: record.tokens,
            number: record.number,
            phases: record.phases,
            is_stopping: record.is_stopping,
            is_over: record.report.is_some(),
        }))
    }

    async fn order(&self, id: &str) -> Result<Option<BuildOrder>, StoreError> {
        self.records.order(id).await
    }

    async fn tell(&self, id: &str, phases: &[BuildPhase]) -> Result<(), StoreError> {
        match self.records.tell(id, phases, self.clock.now()).await {
            Err(StoreError::Conflict) => Ok(()),
            told => told,
        }
    }

    async fn end(&self, id: &str, report: &BuildReport) -> Result<(), StoreError> {
        match self.records.end(id, report).await {
            Err(StoreError::Conflict) => Ok(()),
            ended => ended,
        }
    }

    async fn wake(&self, id: &str) -> Result<(), StoreError> {
        self.queues.wake(id).await
    }

    async fn input(&self, input: &BuildInput) -> Result<RemoteInput, ObjectError> {
        let JobArtifact { bucket, key, .. } = &input.artifact;
        let version = input.version.as_deref();
        let info = self.objects.head(bucket, key, version).await?;
        // The version that was looked at, unless the bucket keeps none.
        let version = Some(info.version_id.as_str()).filter(|version| *version != "null");
        let signed = self
            .objects
            .presigned_get(bucket, key, version, PRESIGNED_WITHIN_MAX)
            .await?;
        Ok(RemoteInput {
            url: signed.url,
            size: info.size,
            sha256: Some(info.sha256).filter(|sha256| !sha256.is_empty()),
        })
    }

    async fn output(
        &self,
        output: &JobArtifact,
        offer: &AgentOffer,
        overwrites: bool,
    ) -> Result<AgentPlace, ObjectError> {
        let there = self.there(output).await?;
        if let Some(there) = &there {
            if there.sha256 == offer.sha256 {
                return Ok(AgentPlace::Stored);
            }
            if !overwrites {
                return Err(ObjectError::Exists {
                    bucket: output.bucket.clone(),
                    key: output.key.clone(),
                });
            }
        }
        let metadata = ObjectMetadata {
            content_type: Some("application/zip".to_owned()),
            ..ObjectMetadata::default()
        };
        let JobArtifact { bucket, key, .. } = output;
        let (sha256, size, objects) = (&offer.sha256, offer.size, &self.objects);
        let signed = if overwrites {
            objects
                .presigned_overwrite(bucket, key, sha256, size, metadata, PUT_WITHIN)
                .await?
        } else {
            objects
                .presigned_put(bucket, key, sha256, size, metadata, PUT_WITHIN)
                .await?
        };
        Ok(AgentPlace::Put {
            url: signed.url,
            headers: signed.headers,
        })
    }

    async fn secret(&self, need: &SecretNeed) -> Result<RunnerMessage, StoreError> {
        let answer = self.secrets.answer(need).await;
        answer.map_err(|error| StoreError::Unavailable {
            doing: "look up a secret of a build".to_owned(),
            source: io::Error::other(error).into(),
        })
    }
}
