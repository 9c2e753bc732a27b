//! A commit's files on their way to a build: an object of the build's own.

use std::path::Path;

use ports::{
    build_records::BuildRecord,
    objects::{DeleteObject, ObjectError, ObjectMetadata, PutObject},
};

use super::CodeBuild;

/// Stores the packed files and gives the bucket and the key that they lie under.
pub(super) async fn put(
    codebuild: &CodeBuild,
    record: &BuildRecord,
    file: &Path,
) -> Result<(String, String), ObjectError> {
    let (bucket, key) = (bucket(codebuild), key(record));
    let objects = &codebuild.world.objects;
    objects.create_bucket(&bucket).await?;
    let object = PutObject {
        bucket: &bucket,
        key: &key,
        from: file,
        metadata: ObjectMetadata::default(),
        // A build that begins again has packed the same commit before.
        create_only: true,
    };
    match objects.put(object).await {
        Ok(_) | Err(ObjectError::Exists { .. }) => Ok((bucket, key)),
        Err(error) => Err(error),
    }
}

/// The bucket of sources on their way to a build.
fn bucket(codebuild: &CodeBuild) -> String {
    let account = &codebuild.world.account;
    format!("codebuild-sources-{}-{}", account.region, account.id)
}

fn key(record: &BuildRecord) -> String {
    format!("{}/{}.zip", record.project(), record.id)
}

/// Removes what was stored for a build that is over.
pub(super) async fn remove(codebuild: &CodeBuild, record: &BuildRecord) {
    if record.resolved_source_version.is_none() {
        return;
    }
    let (bucket, key) = (bucket(codebuild), key(record));
    let objects = &codebuild.world.objects;
    // What cannot be removed now takes room and nothing else.
    if let Ok(info) = objects.head(&bucket, &key, None).await {
        let object = DeleteObject {
            bucket: &bucket,
            key: &key,
            version: Some(&info.version_id),
            only_if: None,
        };
        let _ = objects.delete(object).await;
    }
}
