//! Events of the services that hold sources (spec 90 §3).

use model::{
    state::{Trigger, TriggerType},
    watch::{Watched, watchers},
};
use ports::World;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{Cause, Outcome, Started, TriggerError, definitions, start, token};

/// The part of the envelope that says whose event it is; what is inside depends on that.
#[derive(Deserialize)]
struct Envelope {
    id: String,
    source: String,
    #[serde(rename = "detail-type")]
    detail_type: String,
    #[serde(default)]
    detail: Value,
}

/// `Object Created`.
#[derive(Deserialize)]
struct ObjectCreated {
    bucket: Bucket,
    object: Object,
}

#[derive(Deserialize)]
struct Bucket {
    name: String,
}

#[derive(Deserialize)]
struct Object {
    key: String,
    /// Absent when the bucket keeps no versions.
    #[serde(rename = "version-id")]
    version_id: Option<String>,
}

/// `AWS API Call via CloudTrail`, the older way to learn of objects.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ApiCall {
    event_source: String,
    event_name: String,
    request_parameters: Option<RequestParameters>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RequestParameters {
    bucket_name: Option<String>,
    key: Option<String>,
}

/// `CodeCommit Repository State Change`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RepositoryChanged {
    event: String,
    repository_name: String,
    reference_type: Option<String>,
    reference_name: Option<String>,
    /// Absent when a branch is deleted.
    commit_id: Option<String>,
}

/// What changed, and to what.
struct Changed {
    place: Place,
    revision: Option<String>,
}

enum Place {
    Object { bucket: String, key: String },
    Branch { repository: String, branch: String },
}

impl Place {
    fn watched(&self) -> Watched<'_> {
        match self {
            Self::Object { bucket, key } => Watched::Object { bucket, key },
            Self::Branch { repository, branch } => Watched::Branch { repository, branch },
        }
    }
}

pub(crate) async fn handle(world: &World, json: &str) -> Result<Vec<Started>, TriggerError> {
    let envelope: Envelope = serde_json::from_str(json).map_err(TriggerError::Event)?;
    let Some(changed) = changed(&envelope).map_err(TriggerError::Event)? else {
        return Ok(Vec::new());
    };
    let place = changed.place.watched();
    let mut outcome = Outcome::default();
    for definition in definitions(world, &place.to_string(), &mut outcome).await? {
        let told = watchers(&definition).filter(|w| w.watched == place && !w.polls);
        let told: Vec<_> = told.collect();
        if told.is_empty() {
            continue;
        }
        let account = &world.account;
        let revision = changed.revision.as_deref();
        let cause = Cause {
            trigger: Trigger {
                kind: TriggerType::CloudWatchEvent,
                // The rule that every such pipeline has (spec 90 §9).
                detail: format!(
                    "arn:aws:events:{}:{}:rule/{}",
                    account.region, account.id, definition.name
                ),
            },
            token: token(&["event", &envelope.id]),
            revisions: told
                .iter()
                .filter_map(|watcher| Some(watcher.pinned(revision?)))
                .collect(),
        };
        outcome.add(start(world, &definition, cause).await);
    }
    outcome.into_result()
}

/// What the event says changed, if it is something that starts pipelines.
fn changed(envelope: &Envelope) -> Result<Option<Changed>, serde_json::Error> {
    match (envelope.source.as_str(), envelope.detail_type.as_str()) {
        ("aws.s3", "Object Created") => {
            let ObjectCreated { bucket, object } = detail(envelope)?;
            Ok(Some(Changed {
                place: Place::Object {
                    bucket: bucket.name,
                    key: object.key,
                },
                revision: object.version_id,
            }))
        }
        ("aws.s3", "AWS API Call via CloudTrail") => Ok(written(detail(envelope)?)),
        ("aws.codecommit", "CodeCommit Repository State Change") => Ok(pushed(detail(envelope)?)),
        _ => Ok(None),
    }
}

fn detail<T: DeserializeOwned>(envelope: &Envelope) -> Result<T, serde_json::Error> {
    T::deserialize(&envelope.detail)
}

fn written(call: ApiCall) -> Option<Changed> {
    let writes = ["CopyObject", "PutObject", "CompleteMultipartUpload"];
    if call.event_source != "s3.amazonaws.com" || !writes.contains(&call.event_name.as_str()) {
        return None;
    }
    let parameters = call.request_parameters?;
    Some(Changed {
        place: Place::Object {
            bucket: parameters.bucket_name?,
            key: parameters.key?,
        },
        revision: None,
    })
}

/// A branch that was created or moved; one that was deleted starts nothing (spec 90 §3.2).
fn pushed(change: RepositoryChanged) -> Option<Changed> {
    let is_push = ["referenceCreated", "referenceUpdated"].contains(&change.event.as_str());
    if !is_push || change.reference_type.as_deref() != Some("branch") {
        return None;
    }
    Some(Changed {
        place: Place::Branch {
            repository: change.repository_name,
            branch: change.reference_name?,
        },
        revision: change.commit_id,
    })
}
