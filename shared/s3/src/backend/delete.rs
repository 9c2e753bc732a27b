//! Objects deleted: behind a marker, or one version for good.

use ports::objects::{DeleteObject, Deleted};
use s3s::{S3Error, S3Request, S3Result, dto, s3_error};

use super::{Backend, asker, conditions::quoted};
use crate::{
    failure,
    identity::{Asker, object_arn},
};

/// How many keys one request may name.
const KEYS_MAX: usize = 1_000;

impl Backend {
    pub(super) async fn delete(
        &self,
        request: S3Request<dto::DeleteObjectInput>,
    ) -> S3Result<dto::DeleteObjectOutput> {
        let input = request.input;
        self.check_owner(input.expected_bucket_owner.as_deref())?;
        if input.mfa.is_some() {
            return Err(failure::not_here("The header x-amz-mfa"));
        }
        if input.if_match_last_modified_time.is_some() || input.if_match_size.is_some() {
            return Err(failure::not_here(
                "A condition of a deletion other than If-Match",
            ));
        }
        let only_if = input.if_match.as_ref().map(quoted).transpose()?;
        let deleted = self.objects.delete(DeleteObject {
            bucket: &input.bucket,
            key: &input.key,
            version: input.version_id.as_deref(),
            only_if: only_if.as_deref(),
        });
        let deleted = deleted.await.map_err(|error| failure::of_objects(&error))?;
        Ok(dto::DeleteObjectOutput {
            delete_marker: deleted.is_marker.then_some(true),
            version_id: Some(deleted.version_id),
            ..Default::default()
        })
    }

    pub(super) async fn delete_many(
        &self,
        request: S3Request<dto::DeleteObjectsInput>,
    ) -> S3Result<dto::DeleteObjectsOutput> {
        let asker = asker(&request)?.clone();
        let input = request.input;
        self.check_owner(input.expected_bucket_owner.as_deref())?;
        if input.mfa.is_some() {
            return Err(failure::not_here("The header x-amz-mfa"));
        }
        let objects = input.delete.objects;
        if objects.is_empty() || objects.len() > KEYS_MAX {
            return Err(s3_error!(
                MalformedXML,
                "From 1 to {KEYS_MAX} keys can be deleted at a time, not {}.",
                objects.len()
            ));
        }
        self.check_bucket(&input.bucket).await?;
        let is_quiet = input.delete.quiet == Some(true);
        let (mut deleted, mut errors) = (Vec::new(), Vec::new());
        for object in objects {
            match self.delete_one(&asker, &input.bucket, &object).await {
                Ok(_) if is_quiet => {}
                Ok(done) => deleted.push(told(object, done)),
                Err(error) => errors.push(dto::Error {
                    code: Some(error.code().as_str().to_owned()),
                    key: Some(object.key),
                    message: error.message().map(str::to_owned),
                    version_id: object.version_id,
                }),
            }
        }
        Ok(dto::DeleteObjectsOutput {
            deleted: Some(deleted),
            errors: Some(errors),
            request_charged: None,
        })
    }

    async fn delete_one(
        &self,
        asker: &Asker,
        bucket: &str,
        object: &dto::ObjectIdentifier,
    ) -> Result<Deleted, S3Error> {
        let action = match object.version_id {
            Some(_) => "s3:DeleteObjectVersion",
            None => "s3:DeleteObject",
        };
        asker.check(action, &object_arn(bucket, &object.key))?;
        if object.last_modified_time.is_some() || object.size.is_some() {
            return Err(failure::not_here(
                "A condition of a deletion other than a tag",
            ));
        }
        let only_if = object.e_tag.as_ref();
        let only_if = only_if.map(|tag| format!("\"{}\"", tag.value()));
        let deleted = self.objects.delete(DeleteObject {
            bucket,
            key: &object.key,
            version: object.version_id.as_deref(),
            only_if: only_if.as_deref(),
        });
        deleted.await.map_err(|error| failure::of_objects(&error))
    }
}

fn told(object: dto::ObjectIdentifier, deleted: Deleted) -> dto::DeletedObject {
    dto::DeletedObject {
        delete_marker: deleted.is_marker.then_some(true),
        delete_marker_version_id: deleted.is_marker.then_some(deleted.version_id),
        key: Some(object.key),
        version_id: object.version_id,
    }
}
