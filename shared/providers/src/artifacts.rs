//! Artifacts on their way between the artifact store and this machine's temporary files.

use std::path::{Path, PathBuf};

use model::{
    Job,
    job::{ErrorDetails, JobArtifact},
};
use ports::{
    World,
    objects::{ObjectError, ObjectInfo, ObjectMetadata, PutObject},
};
use tempfile::TempDir;

use crate::failure;

/// Of an artifact that a source action stored: the revision that it holds.
const REVISION: &str = "revision";

/// Of an artifact that is not a ZIP: what it is instead.
const FORMAT: &str = "format";
const CLONE_REFERENCE: &str = "CODEBUILD_CLONE_REF";

/// A folder for one job's files; it goes away with the value.
pub(crate) struct Scratch {
    folder: TempDir,
}

impl Scratch {
    pub(crate) fn new() -> Result<Self, ErrorDetails> {
        let made = TempDir::with_prefix("pipewright-job-");
        let folder = made.map_err(|error| failure::of_io("make a temporary folder", &error))?;
        Ok(Self { folder })
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// What an output artifact of a source action is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format<'a> {
    /// The bytes of something, with their content type.
    Bytes(Option<&'a str>),
    /// A pointer to a commit that only builds understand (spec 60 §1.3).
    CloneReference,
}

/// The one output artifact that a source action declares.
pub(crate) fn only_output(job: &Job) -> Result<&JobArtifact, ErrorDetails> {
    match job.outputs.as_slice() {
        [output] => Ok(output),
        outputs => Err(ErrorDetails::configuration(format!(
            "a source action has one output artifact, not {}",
            outputs.len()
        ))),
    }
}

/// The one input artifact of an action that takes one.
pub(crate) fn only_input(job: &Job) -> Result<&JobArtifact, ErrorDetails> {
    match job.inputs.as_slice() {
        [input] => Ok(input),
        inputs => Err(ErrorDetails::configuration(format!(
            "the action takes one input artifact, not {}",
            inputs.len()
        ))),
    }
}

/// The revision that an earlier run of this very job stored, if it came that far.
pub(crate) async fn stored_revision(
    world: &World,
    output: &JobArtifact,
) -> Result<Option<String>, ErrorDetails> {
    match world.objects.head(&output.bucket, &output.key, None).await {
        Ok(info) => revision_of(output, &info).map(Some),
        Err(ObjectError::NoSuchKey { .. }) => Ok(None),
        Err(error) => Err(failure::of_output(&output.name, &error)),
    }
}

/// Stores a source action's artifact, and gives the revision that is stored.
///
/// It is another one than `revision` when the same job was done twice at once and the other one
/// was first: the artifact is written once and never changes.
pub(crate) async fn store_revision(
    world: &World,
    output: &JobArtifact,
    from: &Path,
    revision: &str,
    format: Format<'_>,
) -> Result<String, ErrorDetails> {
    let mut metadata = ObjectMetadata::default();
    let mut mark = |name: &str, value: &str| {
        metadata.user.insert(name.to_owned(), value.to_owned());
    };
    mark(REVISION, revision);
    match format {
        Format::Bytes(content_type) => metadata.content_type = content_type.map(str::to_owned),
        Format::CloneReference => {
            mark(FORMAT, CLONE_REFERENCE);
            metadata.content_type = Some("application/json".to_owned());
        }
    }
    let object = PutObject {
        bucket: &output.bucket,
        key: &output.key,
        from,
        metadata,
        create_only: true,
    };
    let info = match world.objects.put(object).await {
        Err(ObjectError::Exists { .. }) => {
            let head = world.objects.head(&output.bucket, &output.key, None).await;
            head.map_err(|error| failure::of_output(&output.name, &error))?
        }
        put => put.map_err(|error| failure::of_output(&output.name, &error))?,
    };
    revision_of(output, &info)
}

fn revision_of(output: &JobArtifact, info: &ObjectInfo) -> Result<String, ErrorDetails> {
    info.metadata.user.get(REVISION).cloned().ok_or_else(|| {
        ErrorDetails::system(format!(
            "output artifact `{}` cannot be stored: object `{}` in bucket `{}` is somebody else's",
            output.name, output.key, output.bucket
        ))
    })
}

/// Copies an input artifact to a file.
pub(crate) async fn fetch(
    world: &World,
    input: &JobArtifact,
    to: &Path,
) -> Result<(), ErrorDetails> {
    let got = world.objects.get(&input.bucket, &input.key, None, to).await;
    got.map_err(|error| failure::of_input(&input.name, &error))?;
    Ok(())
}

/// Refuses inputs that only CodeBuild understands, before anything starts (spec 60 §1.3).
pub(crate) async fn refuse_clone_references(
    world: &World,
    inputs: &[JobArtifact],
) -> Result<(), ErrorDetails> {
    for input in inputs {
        let head = world.objects.head(&input.bucket, &input.key, None).await;
        let info = head.map_err(|error| failure::of_input(&input.name, &error))?;
        if info.metadata.user.get(FORMAT).map(String::as_str) == Some(CLONE_REFERENCE) {
            return Err(ErrorDetails::configuration(format!(
                "input artifact `{}` is a {CLONE_REFERENCE}, which only CodeBuild actions read; \
                 set OutputArtifactFormat to CODE_ZIP in its source action",
                input.name
            )));
        }
    }
    Ok(())
}
