//! Source, S3: a version of one object becomes an artifact, byte by byte (spec 60 §1.1).

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use model::{
    ActionOutput, Job,
    job::ErrorDetails,
    state::{RevisionType, SourceRevision},
};
use ports::{World, objects::ObjectInfo};

use crate::{
    Progress, Provider,
    artifacts::{self, Format, Scratch},
    failure,
    settings::Settings,
};

const KEYS: [&str; 4] = [
    "S3Bucket",
    "S3ObjectKey",
    "PollForSourceChanges",
    "AllowOverrideForS3ObjectKey",
];

/// The largest source object (spec 60 §1.1).
const SOURCE_BYTES_MAX: u64 = 7 * 1024 * 1024 * 1024;

/// What S3 calls the version of an object in a bucket that keeps none.
const UNVERSIONED: &str = "null";

pub struct S3Source;

#[async_trait]
impl Provider for S3Source {
    fn check(&self, configuration: &BTreeMap<String, String>) -> Result<(), ErrorDetails> {
        check(Settings::of(configuration, &KEYS)?)
    }

    async fn start(&self, world: &World, job: &Job) -> Progress {
        source(world, job).await.into()
    }

    /// It ended when it began; who asks again lost the answer.
    async fn poll(&self, world: &World, job: &Job) -> Progress {
        source(world, job).await.into()
    }

    async fn stop(&self, _world: &World, _job: &Job) {}
}

/// The object that the action names, with the start's overrides.
struct Asked<'a> {
    bucket: &'a str,
    key: &'a str,
    version: Option<&'a str>,
}

async fn source(world: &World, job: &Job) -> Result<ActionOutput, ErrorDetails> {
    let asked = asked(job)?;
    let output = artifacts::only_output(job)?;
    let head = async |version: Option<String>| {
        let head = world
            .objects
            .head(asked.bucket, asked.key, version.as_deref());
        head.await
            .map_err(|error| failure::of_source_object(&error))
    };
    if let Some(version) = artifacts::stored_revision(world, output).await? {
        return Ok(result(&asked, &head(Some(version)).await?));
    }
    let info = head(asked.version.map(str::to_owned)).await?;
    check_versioned(&asked, &info)?;
    if info.size > SOURCE_BYTES_MAX {
        return Err(ErrorDetails::configuration(format!(
            "object `{}` in bucket `{}` has {} bytes, and the most is {SOURCE_BYTES_MAX}",
            asked.key, asked.bucket, info.size
        )));
    }
    let scratch = Scratch::new()?;
    let file = scratch.file("object");
    let version = Some(info.version_id.as_str());
    let got = world.objects.get(asked.bucket, asked.key, version, &file);
    got.await
        .map_err(|error| failure::of_source_object(&error))?;
    let format = Format::Bytes(info.metadata.content_type.as_deref());
    let stored = artifacts::store_revision(world, output, &file, &info.version_id, format).await?;
    if stored == info.version_id {
        return Ok(result(&asked, &info));
    }
    Ok(result(&asked, &head(Some(stored)).await?))
}

fn check(settings: Settings<'_>) -> Result<(), ErrorDetails> {
    settings.flag("PollForSourceChanges")?;
    settings.flag("AllowOverrideForS3ObjectKey")?;
    settings.required("S3Bucket")?;
    settings.required("S3ObjectKey").map(drop)
}

/// A version without an id of its own is replaced by the next put: nobody could say which bytes an
/// execution had, nor that they changed (spec 60 §1.1).
fn check_versioned(asked: &Asked<'_>, info: &ObjectInfo) -> Result<(), ErrorDetails> {
    if info.version_id != UNVERSIONED {
        return Ok(());
    }
    Err(ErrorDetails::configuration(format!(
        "object `{}` in bucket `{}` has no version of its own: turn on versioning for the bucket, \
         and put the object again",
        asked.key, asked.bucket
    )))
}

fn asked(job: &Job) -> Result<Asked<'_>, ErrorDetails> {
    let settings = Settings::of(&job.configuration, &KEYS)?;
    check(settings)?;
    let may_override_key = settings.flag("AllowOverrideForS3ObjectKey")? == Some(true);
    let mut asked = Asked {
        bucket: settings.required("S3Bucket")?,
        key: settings.required("S3ObjectKey")?,
        version: None,
    };
    for pinned in &job.overrides {
        match pinned.revision_type {
            RevisionType::S3ObjectVersionId => asked.version = Some(&pinned.revision_value),
            RevisionType::S3ObjectKey if may_override_key => asked.key = &pinned.revision_value,
            RevisionType::S3ObjectKey => {
                let text = "the start names another object key, and \
                            `AllowOverrideForS3ObjectKey` is not true";
                return Err(ErrorDetails::configuration(text));
            }
            RevisionType::CommitId | RevisionType::ImageDigest => {
                let kind = pinned.revision_type;
                let text = format!("an S3 source has no revision of type {kind:?}");
                return Err(ErrorDetails::configuration(text));
            }
        }
    }
    Ok(asked)
}

fn result(asked: &Asked<'_>, info: &ObjectInfo) -> ActionOutput {
    let version = &info.version_id;
    let summary = format!("Amazon S3 version id: {version}");
    let url = format!("s3://{}/{}?versionId={version}", asked.bucket, asked.key);
    let variables: BTreeMap<String, String> = [
        ("BucketName", asked.bucket),
        ("ETag", &info.etag),
        ("ObjectKey", asked.key),
        ("VersionId", version),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    ActionOutput {
        external_execution_id: Some(version.clone()),
        external_execution_url: Some(url.clone()),
        summary: Some(summary.clone()),
        revision: Some(SourceRevision {
            revision_id: version.clone(),
            revision_summary: Some(summary),
            revision_url: Some(url),
            revision_change_identifier: Some(info.etag.clone()),
            created: Some(info.modified),
        }),
        variables: Arc::new(variables),
        ..ActionOutput::default()
    }
}

#[cfg(test)]
mod tests;
