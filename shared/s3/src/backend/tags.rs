//! Tags of objects.

use std::collections::BTreeMap;

use s3s::{S3Request, S3Result, dto};

use super::Backend;
use crate::{failure, metadata};

impl Backend {
    pub(super) async fn tags(
        &self,
        request: S3Request<dto::GetObjectTaggingInput>,
    ) -> S3Result<dto::GetObjectTaggingOutput> {
        let input = request.input;
        self.check_owner(input.expected_bucket_owner.as_deref())?;
        let version = input.version_id.as_deref();
        let object = self.find(&input.bucket, &input.key, version).await?;
        let tags = object.metadata.tags.into_iter();
        Ok(dto::GetObjectTaggingOutput {
            tag_set: tags
                .map(|(key, value)| dto::Tag {
                    key: Some(key),
                    value: Some(value),
                })
                .collect(),
            version_id: Some(object.version_id),
        })
    }

    pub(super) async fn tag(
        &self,
        request: S3Request<dto::PutObjectTaggingInput>,
    ) -> S3Result<dto::PutObjectTaggingOutput> {
        let input = request.input;
        self.check_owner(input.expected_bucket_owner.as_deref())?;
        let pairs = input.tagging.tag_set.into_iter();
        let pairs = pairs.map(|tag| (tag.key.unwrap_or_default(), tag.value.unwrap_or_default()));
        let tags = metadata::tags(pairs)?;
        let version = input.version_id.as_deref();
        let version = self
            .replace(&input.bucket, &input.key, version, tags)
            .await?;
        Ok(dto::PutObjectTaggingOutput {
            version_id: Some(version),
        })
    }

    pub(super) async fn untag(
        &self,
        request: S3Request<dto::DeleteObjectTaggingInput>,
    ) -> S3Result<dto::DeleteObjectTaggingOutput> {
        let input = request.input;
        self.check_owner(input.expected_bucket_owner.as_deref())?;
        let version = input.version_id.as_deref();
        let none = BTreeMap::new();
        let version = self
            .replace(&input.bucket, &input.key, version, none)
            .await?;
        Ok(dto::DeleteObjectTaggingOutput {
            version_id: Some(version),
        })
    }

    async fn replace(
        &self,
        bucket: &str,
        key: &str,
        version: Option<&str>,
        tags: BTreeMap<String, String>,
    ) -> S3Result<String> {
        let replaced = self.objects.set_tags(bucket, key, version, tags).await;
        replaced.map_err(|error| failure::of_objects(&error))
    }
}
