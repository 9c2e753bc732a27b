//! The operations of S3 over the object store.

mod buckets;
mod conditions;
mod copy;
mod delete;
mod list;
mod multipart;
mod page;
mod read;
mod tags;
mod write;

use std::{path::Path, sync::Arc};

use async_trait::async_trait;
use ports::{
    Account, ObjectStore,
    objects::{ObjectInfo, ObjectMetadata, PutObject, PutTerms, Version},
};
use s3s::{S3, S3Request, S3Response, S3Result, dto, s3_error};

use crate::{OnPut, failure, identity::Asker, uploads::Uploads};

pub(crate) struct Backend {
    pub(crate) objects: Arc<dyn ObjectStore>,
    pub(crate) uploads: Arc<Uploads>,
    pub(crate) account: Account,
    pub(crate) on_put: OnPut,
}

impl Backend {
    /// Refuses a request that is meant for the bucket of somebody else.
    fn check_owner(&self, expected: Option<&str>) -> S3Result<()> {
        match expected {
            Some(owner) if owner != self.account.id => Err(s3_error!(
                AccessDenied,
                "The bucket belongs to {}, not to {owner}.",
                self.account.id
            )),
            Some(_) | None => Ok(()),
        }
    }

    async fn check_bucket(&self, bucket: &str) -> S3Result<()> {
        let found = self.objects.bucket(bucket).await;
        found
            .map(|_| ())
            .map_err(|error| failure::of_objects(&error))
    }

    /// The object of that name; a marker is none.
    async fn find(&self, bucket: &str, key: &str, version: Option<&str>) -> S3Result<ObjectInfo> {
        let found = self.objects.version(bucket, key, version).await;
        match found.map_err(|error| failure::of_objects(&error))? {
            Version::Object(object) => Ok(*object),
            Version::Marker(marker) => Err(failure::marker(&marker, version.is_some())),
        }
    }

    /// Makes a file the newest version of a key, and tells of it.
    async fn publish(
        &self,
        (bucket, key): (&str, &str),
        from: &Path,
        metadata: ObjectMetadata,
        terms: PutTerms<'_>,
    ) -> S3Result<ObjectInfo> {
        let object = PutObject {
            bucket,
            key,
            from,
            metadata,
            create_only: false,
        };
        let stored = self.objects.put_on(object, terms).await;
        let stored = stored.map_err(|error| failure::of_objects(&error))?;
        (self.on_put)(bucket, key, &stored.version_id);
        Ok(stored)
    }

    fn owner(&self) -> dto::Owner {
        dto::Owner {
            display_name: None,
            id: Some(self.account.id.clone()),
        }
    }
}

/// Whoever sent the request; there is always somebody, or it would not have come this far.
fn asker<T>(request: &S3Request<T>) -> S3Result<&Asker> {
    let asker = request.extensions.get::<Asker>();
    asker.ok_or_else(|| s3_error!(AccessDenied, "The request is not signed."))
}

fn etag(quoted: &str) -> dto::ETag {
    dto::ETag::Strong(quoted.trim_matches('"').to_owned())
}

/// Makes the trait of the library of one function for each operation.
macro_rules! operations {
    ($($operation:ident($input:ident) -> $output:ident = $function:ident;)*) => {
        #[async_trait]
        impl S3 for Backend {
            $(
                async fn $operation(
                    &self,
                    request: S3Request<dto::$input>,
                ) -> S3Result<S3Response<dto::$output>> {
                    self.$function(request).await.map(S3Response::new)
                }
            )*
        }
    };
}

operations! {
    list_buckets(ListBucketsInput) -> ListBucketsOutput = buckets;
    create_bucket(CreateBucketInput) -> CreateBucketOutput = make_bucket;
    delete_bucket(DeleteBucketInput) -> DeleteBucketOutput = remove_bucket;
    head_bucket(HeadBucketInput) -> HeadBucketOutput = know_bucket;
    get_bucket_location(GetBucketLocationInput) -> GetBucketLocationOutput = location;
    get_bucket_versioning(GetBucketVersioningInput) -> GetBucketVersioningOutput = versioning;
    put_bucket_versioning(PutBucketVersioningInput) -> PutBucketVersioningOutput = keep_versioning;
    list_objects(ListObjectsInput) -> ListObjectsOutput = list_of_old;
    list_objects_v2(ListObjectsV2Input) -> ListObjectsV2Output = list;
    list_object_versions(ListObjectVersionsInput) -> ListObjectVersionsOutput = list_versions;
    get_object(GetObjectInput) -> GetObjectOutput = get;
    head_object(HeadObjectInput) -> HeadObjectOutput = head;
    put_object(PutObjectInput) -> PutObjectOutput = put;
    copy_object(CopyObjectInput) -> CopyObjectOutput = copy;
    delete_object(DeleteObjectInput) -> DeleteObjectOutput = delete;
    delete_objects(DeleteObjectsInput) -> DeleteObjectsOutput = delete_many;
    get_object_tagging(GetObjectTaggingInput) -> GetObjectTaggingOutput = tags;
    put_object_tagging(PutObjectTaggingInput) -> PutObjectTaggingOutput = tag;
    delete_object_tagging(DeleteObjectTaggingInput) -> DeleteObjectTaggingOutput = untag;
    create_multipart_upload(CreateMultipartUploadInput) -> CreateMultipartUploadOutput = begin;
    upload_part(UploadPartInput) -> UploadPartOutput = put_part;
    upload_part_copy(UploadPartCopyInput) -> UploadPartCopyOutput = copy_part;
    complete_multipart_upload(CompleteMultipartUploadInput) -> CompleteMultipartUploadOutput = complete;
    abort_multipart_upload(AbortMultipartUploadInput) -> AbortMultipartUploadOutput = abort;
    list_parts(ListPartsInput) -> ListPartsOutput = list_parts;
    list_multipart_uploads(ListMultipartUploadsInput) -> ListMultipartUploadsOutput = list_uploads;
}
