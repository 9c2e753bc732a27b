//! Outputs on their way from a build into the object store.

use std::fs;

use model::{
    build::{BuildOrder, BuildReport, BuildStatus, Failure, with_causes},
    job::JobArtifact,
};
use ports::{
    ObjectStore,
    objects::{ObjectError, ObjectMetadata, PutObject},
};

use super::{
    directory::{self, Directory},
    envelope::output_path,
};

/// The largest artifact (spec 50).
const OUTPUT_BYTES: u64 = 7 << 30;

/// Stores what the build made. Artifacts are stored whether or not the build succeeded (spec 70
/// §3), but a build that succeeded must have made them all.
pub(crate) async fn store(
    objects: &dyn ObjectStore,
    order: &BuildOrder,
    report: &BuildReport,
    directory: &Directory,
) -> Result<(), Failure> {
    for (index, output) in order.outputs.iter().enumerate() {
        let path = output_path(directory, index);
        if fs::symlink_metadata(&path).is_err() {
            if report.status == BuildStatus::Succeeded {
                return Err(refused(output, "the build did not make it"));
            }
            continue;
        }
        if !directory::is_plain_file(&directory.room(), &path) {
            return Err(refused(output, "what the build made is not a file"));
        }
        if fs::metadata(&path).is_ok_and(|metadata| metadata.len() > OUTPUT_BYTES) {
            return Err(refused(output, "it has more than 7 GB"));
        }
        let metadata = ObjectMetadata {
            content_type: Some("application/zip".to_owned()),
            ..ObjectMetadata::default()
        };
        let object = PutObject {
            bucket: &output.bucket,
            key: &output.key,
            from: &path,
            metadata,
            // The key of a pipeline's artifact is the attempt's own: whatever else is there was made
            // from another order.
            create_only: !order.overwrites,
        };
        objects
            .put(object)
            .await
            .map_err(|error| not_stored(output, &error))?;
    }
    Ok(())
}

fn refused(output: &JobArtifact, why: &str) -> Failure {
    let message = format!("the output artifact `{}` is missing: {why}", output.name);
    Failure::upload(BuildStatus::Failed, message)
}

fn not_stored(output: &JobArtifact, error: &ObjectError) -> Failure {
    let message = format!(
        "the output artifact `{}` cannot be stored: {}",
        output.name,
        with_causes(error)
    );
    Failure::upload(BuildStatus::Fault, message)
}
