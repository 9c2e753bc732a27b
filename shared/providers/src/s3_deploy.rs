//! Deploy, S3: an artifact, or every file in it, becomes an object of a bucket (spec 60 §5.1).

use std::collections::BTreeMap;

use async_trait::async_trait;
use model::{
    ActionOutput, Job,
    job::{ErrorDetails, JobArtifact},
};
use ports::{
    World,
    objects::{ObjectError, ObjectMetadata, PutObject},
};

use crate::{
    Progress, Provider,
    artifacts::{self, Scratch},
    content_type, failure,
    settings::Settings,
    zip_reader::{Entry, ZipReader},
};

const KEYS: [&str; 6] = [
    "BucketName",
    "Extract",
    "ObjectKey",
    "KMSEncryptionKeyARN",
    "CannedACL",
    "CacheControl",
];

const CANNED_ACLS: [&str; 7] = [
    "private",
    "public-read",
    "public-read-write",
    "authenticated-read",
    "aws-exec-read",
    "bucket-owner-read",
    "bucket-owner-full-control",
];

/// After how many objects a deployment looks whether anybody still wants it.
const LOOK_EVERY: usize = 16;

pub struct S3Deploy;

#[async_trait]
impl Provider for S3Deploy {
    fn check(&self, configuration: &BTreeMap<String, String>) -> Result<(), ErrorDetails> {
        check(Settings::of(configuration, &KEYS)?)
    }

    async fn start(&self, world: &World, job: &Job) -> Progress {
        deploy(world, job).await.into()
    }

    /// It ended when it began; who asks again lost the answer. The same objects are put again.
    async fn poll(&self, world: &World, job: &Job) -> Progress {
        deploy(world, job).await.into()
    }

    /// A deployment that goes on looks at its attempt and ends by itself.
    async fn stop(&self, _world: &World, _job: &Job) {}
}

/// Where the objects go and what is kept with them.
struct Target<'a> {
    bucket: &'a str,
    /// The whole key, or what all keys begin with.
    key: String,
    metadata: ObjectMetadata,
}

async fn deploy(world: &World, job: &Job) -> Result<ActionOutput, ErrorDetails> {
    let settings = Settings::of(&job.configuration, &KEYS)?;
    check(settings)?;
    let extract = settings.flag("Extract")? == Some(true);
    let target = target(job, settings, extract)?;
    let input = artifacts::only_input(job)?;
    check_bucket(world, &target).await?;
    artifacts::refuse_clone_references(world, &job.inputs).await?;
    let scratch = Scratch::new()?;
    let artifact = scratch.file("artifact");
    artifacts::fetch(world, input, &artifact).await?;
    let objects = if extract {
        put_files(world, job, &target, input, &scratch).await?
    } else {
        let mut metadata = target.metadata.clone();
        metadata.content_type = Some(content_type::of(&target.key).to_owned());
        put(world, target.bucket, &target.key, metadata, &artifact).await?;
        1
    };
    let noun = if objects == 1 { "object" } else { "objects" };
    let place = format!("s3://{}/{}", target.bucket, target.key);
    Ok(ActionOutput {
        external_execution_id: Some(job.action_execution_id.to_string()),
        summary: Some(format!("Deployed {objects} {noun} to {place}")),
        external_execution_url: Some(place),
        ..ActionOutput::default()
    })
}

fn check(settings: Settings<'_>) -> Result<(), ErrorDetails> {
    settings.required("Extract")?;
    if settings.flag("Extract")? != Some(true) {
        settings.required("ObjectKey")?;
    }
    settings.required("BucketName")?;
    settings.one_of("CannedACL", &CANNED_ACLS)?;
    let cache_control = settings.optional("CacheControl");
    if cache_control.is_some_and(|value| value.contains(char::is_control)) {
        let text = "`CacheControl` has a character that no header may have";
        return Err(ErrorDetails::configuration(text));
    }
    Ok(())
}

fn target<'a>(
    job: &Job,
    settings: Settings<'a>,
    extract: bool,
) -> Result<Target<'a>, ErrorDetails> {
    let key = if extract {
        settings.optional("ObjectKey").unwrap_or_default()
    } else {
        settings.required("ObjectKey")?
    };
    let owned = |value: Option<&str>| value.map(str::to_owned);
    let mut key = filled(key, job);
    if extract {
        // `site` and `site/` are the same folder.
        key.truncate(key.trim_end_matches('/').len());
    }
    Ok(Target {
        bucket: settings.required("BucketName")?,
        key,
        metadata: ObjectMetadata {
            cache_control: owned(settings.optional("CacheControl")),
            canned_acl: owned(settings.optional("CannedACL")),
            kms_key: owned(settings.optional("KMSEncryptionKeyARN")),
            ..ObjectMetadata::default()
        },
    })
}

/// Fills `{datetime}` and `{uuid}` in. Both follow from the attempt, so that a deployment which a
/// crash repeats writes the same objects.
fn filled(template: &str, job: &Job) -> String {
    let started = jiff::Timestamp::from_millisecond(job.started.0);
    let started = started.unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    let datetime = started.strftime("%Y-%m-%d_%H-%M-%S").to_string();
    template
        .replace("{datetime}", &datetime)
        .replace("{uuid}", &job.action_execution_id.to_string())
}

/// Nothing is downloaded for a bucket that is not there.
async fn check_bucket(world: &World, target: &Target<'_>) -> Result<(), ErrorDetails> {
    match world.objects.list(target.bucket, "", "", 1).await {
        Ok(_) => Ok(()),
        Err(error) => Err(failure::of_target(&error)),
    }
}

async fn put_files(
    world: &World,
    job: &Job,
    target: &Target<'_>,
    input: &JobArtifact,
    scratch: &Scratch,
) -> Result<usize, ErrorDetails> {
    let path = scratch.file("artifact");
    let name = input.name.clone();
    let mut zip = blocking(move || ZipReader::open(&path, &name)).await?;
    let files: Vec<Entry> = zip.files().to_vec();
    for (done, entry) in files.iter().enumerate() {
        if done % LOOK_EVERY == 0 {
            check_wanted(world, job, done, files.len()).await?;
        }
        let (file, unpacked) = (scratch.file("file"), entry.clone());
        let to = file.clone();
        zip = blocking(move || zip.extract(&unpacked, &to).map(|()| zip)).await?;
        let key = if target.key.is_empty() {
            entry.name.clone()
        } else {
            format!("{}/{}", target.key, entry.name)
        };
        let mut metadata = target.metadata.clone();
        metadata.content_type = Some(content_type::of(&entry.name).to_owned());
        put(world, target.bucket, &key, metadata, &file).await?;
    }
    Ok(files.len())
}

/// A deployment that was abandoned stops where it is.
async fn check_wanted(
    world: &World,
    job: &Job,
    done: usize,
    all: usize,
) -> Result<(), ErrorDetails> {
    let is_open = world.pipelines.is_open(&job.key).await;
    if is_open.map_err(|error| failure::of_store(&error))? {
        return Ok(());
    }
    let text = format!("the deployment was abandoned after {done} of {all} objects");
    Err(ErrorDetails::job_failed(text))
}

async fn put(
    world: &World,
    bucket: &str,
    key: &str,
    metadata: ObjectMetadata,
    from: &std::path::Path,
) -> Result<(), ErrorDetails> {
    let object = PutObject {
        bucket,
        key,
        from,
        metadata,
        create_only: false,
    };
    let put: Result<_, ObjectError> = world.objects.put(object).await;
    put.map_err(|error| failure::of_target(&error))?;
    Ok(())
}

/// Unpacking blocks, so it is kept off the threads that run everything else.
async fn blocking<T, F>(work: F) -> Result<T, ErrorDetails>
where
    T: Send + 'static,
    F: FnOnce() -> Result<T, ErrorDetails> + Send + 'static,
{
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| ErrorDetails::system(format!("failed to unpack an artifact: {error}")))?
}

#[cfg(test)]
mod tests;
