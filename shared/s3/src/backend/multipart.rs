//! Uploads in parts: begun, filled, completed or aborted.

mod assemble;
mod list;

use std::sync::Arc;

use ports::objects::PutTerms;
use s3s::{S3Request, S3Result, dto, s3_error};

use super::{
    Backend, asker,
    conditions::{precondition, quoted},
    copy::check_number,
    etag,
};
use crate::{
    checksum::{self, Algorithm},
    failure,
    identity::object_arn,
    metadata::{fields, refuse_unsupported},
    receive::{Expected, Received, blocking, receive},
    uploads::{Completed, Part, Upload},
};
use assemble::{Assembled, Wanted, assemble};

impl Backend {
    pub(super) async fn begin(
        &self,
        mut request: S3Request<dto::CreateMultipartUploadInput>,
    ) -> S3Result<dto::CreateMultipartUploadOutput> {
        let (bucket, key) = (request.input.bucket.clone(), request.input.key.clone());
        if request.input.tagging.is_some() {
            asker(&request)?.check("s3:PutObjectTagging", &object_arn(&bucket, &key))?;
        }
        let input = &mut request.input;
        self.check_owner(input.expected_bucket_owner.as_deref())?;
        refuse_unsupported!(input)?;
        let algorithm = input.checksum_algorithm.as_ref();
        let algorithm = algorithm.map(|name| Algorithm::named(name.as_str()));
        let algorithm = algorithm.transpose()?;
        let kind = input.checksum_type.as_ref();
        let is_of_whole = is_of_whole(algorithm, kind.map(dto::ChecksumType::as_str))?;
        self.check_bucket(&bucket).await?;
        let upload = Upload {
            bucket: bucket.clone(),
            key: key.clone(),
            metadata: fields!(input).read()?,
            initiated: self.uploads.now(),
            algorithm,
            is_of_whole,
        };
        let uploads = Arc::clone(&self.uploads);
        let id = blocking(move || uploads.begin(&upload)).await?;
        Ok(dto::CreateMultipartUploadOutput {
            bucket: Some(bucket),
            checksum_algorithm: algorithm
                .map(|algorithm| dto::ChecksumAlgorithm::from_static(algorithm.name())),
            checksum_type: algorithm.map(|_| kind_of(is_of_whole)),
            key: Some(key),
            upload_id: Some(id),
            ..Default::default()
        })
    }

    pub(super) async fn put_part(
        &self,
        mut request: S3Request<dto::UploadPartInput>,
    ) -> S3Result<dto::UploadPartOutput> {
        let expected = Expected::of(&request)?;
        let input = &mut request.input;
        self.check_owner(input.expected_bucket_owner.as_deref())?;
        if input.sse_customer_algorithm.is_some() {
            return Err(failure::not_here("An encrypted part"));
        }
        check_number(input.part_number)?;
        let upload = self.upload(&input.bucket, &input.key, &input.upload_id);
        let upload = upload.await?;
        if let (Some(wanted), Some(told)) = (upload.algorithm, expected.algorithm())
            && wanted != told
        {
            return Err(s3_error!(
                InvalidRequest,
                "Checksum Type mismatch occurred, expected checksum Type: {}, actual checksum \
                 Type: {}",
                wanted.name(),
                told.name()
            ));
        }
        let body = input.body.take();
        let folder = self.uploads.incoming();
        let received = receive(folder, body, expected, upload.algorithm).await?;
        let was_summed = received.was_summed;
        let part = self.keep_part(&input.upload_id, input.part_number, received);
        let part = part.await?;
        let sum = part.sum.stored();
        let sum = checksum::told(was_summed.then_some(&sum));
        Ok(dto::UploadPartOutput {
            checksum_crc32: sum.checksum_crc32,
            checksum_crc32c: sum.checksum_crc32c,
            checksum_crc64nvme: sum.checksum_crc64nvme,
            checksum_sha1: sum.checksum_sha1,
            checksum_sha256: sum.checksum_sha256,
            e_tag: Some(etag(&part.md5)),
            ..Default::default()
        })
    }

    pub(super) async fn complete(
        &self,
        request: S3Request<dto::CompleteMultipartUploadInput>,
    ) -> S3Result<dto::CompleteMultipartUploadOutput> {
        let input = request.input;
        self.check_owner(input.expected_bucket_owner.as_deref())?;
        if input.sse_customer_algorithm.is_some() {
            return Err(failure::not_here("An encrypted upload"));
        }
        let (bucket, key) = (input.bucket.as_str(), input.key.as_str());
        // Whoever did not get the answer asks again.
        if let Some(done) = self.uploads.completed(bucket, key, &input.upload_id) {
            return Ok(told(done, None));
        }
        let tag = input.if_match.as_ref().map(quoted).transpose()?;
        let only_if = precondition(tag.as_deref(), input.if_none_match.as_ref())?;
        let upload = self.upload(bucket, key, &input.upload_id).await?;
        let _held = self.uploads.hold(&input.upload_id)?;
        let wanted = Wanted::of(&input, &upload)?;
        let (uploads, id) = (Arc::clone(&self.uploads), input.upload_id.clone());
        let assembled = blocking(move || assemble(&uploads, &id, &wanted, upload)).await?;
        let Assembled {
            file,
            etag,
            metadata,
        } = assembled;
        let terms = PutTerms {
            only_if,
            etag: Some(&etag),
        };
        let at = (bucket, key);
        let object = self.publish(at, file.path(), metadata, terms).await?;
        let done = Completed {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            version: object.version_id,
            etag: object.etag,
        };
        self.uploads.remember(&input.upload_id, done.clone());
        let (uploads, id) = (Arc::clone(&self.uploads), input.upload_id.clone());
        // The object is there; parts that cannot be removed now go when they are too old.
        drop(blocking(move || uploads.remove(&id)).await);
        Ok(told(done, object.metadata.checksum.as_ref()))
    }

    pub(super) async fn abort(
        &self,
        request: S3Request<dto::AbortMultipartUploadInput>,
    ) -> S3Result<dto::AbortMultipartUploadOutput> {
        let input = request.input;
        self.check_owner(input.expected_bucket_owner.as_deref())?;
        if input.if_match_initiated_time.is_some() {
            return Err(failure::not_here(
                "The header x-amz-if-match-initiated-time",
            ));
        }
        self.upload(&input.bucket, &input.key, &input.upload_id)
            .await?;
        let _held = self.uploads.hold(&input.upload_id)?;
        let (uploads, id) = (Arc::clone(&self.uploads), input.upload_id);
        blocking(move || uploads.remove(&id)).await?;
        Ok(dto::AbortMultipartUploadOutput::default())
    }

    pub(super) async fn upload(&self, bucket: &str, key: &str, id: &str) -> S3Result<Upload> {
        let uploads = Arc::clone(&self.uploads);
        let (bucket, key, id) = (bucket.to_owned(), key.to_owned(), id.to_owned());
        blocking(move || uploads.find(&bucket, &key, &id)).await
    }

    pub(super) async fn keep_part(
        &self,
        id: &str,
        number: i32,
        received: Received,
    ) -> S3Result<Part> {
        let (uploads, id) = (Arc::clone(&self.uploads), id.to_owned());
        blocking(move || uploads.keep(&id, number, received)).await
    }
}

fn told(
    done: Completed,
    sum: Option<&ports::objects::ObjectChecksum>,
) -> dto::CompleteMultipartUploadOutput {
    let sum = checksum::told(sum);
    dto::CompleteMultipartUploadOutput {
        checksum_crc32: sum.checksum_crc32,
        checksum_crc32c: sum.checksum_crc32c,
        checksum_crc64nvme: sum.checksum_crc64nvme,
        checksum_sha1: sum.checksum_sha1,
        checksum_sha256: sum.checksum_sha256,
        checksum_type: sum.checksum_type,
        location: Some(format!("/{}/{}", done.bucket, done.key)),
        bucket: Some(done.bucket),
        e_tag: Some(etag(&done.etag)),
        key: Some(done.key),
        version_id: Some(done.version),
        ..Default::default()
    }
}

fn kind_of(is_of_whole: bool) -> dto::ChecksumType {
    dto::ChecksumType::from_static(if is_of_whole {
        dto::ChecksumType::FULL_OBJECT
    } else {
        dto::ChecksumType::COMPOSITE
    })
}

/// Whether the checksum is that of the whole object; which is which, S3 says.
fn is_of_whole(algorithm: Option<Algorithm>, kind: Option<&str>) -> S3Result<bool> {
    use Algorithm::{Crc32, Crc32c, Crc64Nvme, Sha1, Sha256};
    match (algorithm, kind) {
        (None | Some(Crc64Nvme), None)
        | (Some(Crc32 | Crc32c | Crc64Nvme), Some("FULL_OBJECT")) => Ok(true),
        (Some(Crc32 | Crc32c | Sha1 | Sha256), None | Some("COMPOSITE")) => Ok(false),
        (None, Some(_)) => Err(s3_error!(
            InvalidRequest,
            "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm \
             header."
        )),
        (Some(algorithm), Some(kind)) => Err(s3_error!(
            InvalidRequest,
            "The {kind} checksum type cannot be used with the {} checksum algorithm.",
            algorithm.name()
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_algorithm_has_its_kinds() {
        let of = |algorithm, kind| is_of_whole(algorithm, kind).ok();
        assert_eq!(of(None, None), Some(true));
        assert_eq!(of(None, Some("COMPOSITE")), None);
        assert_eq!(of(Some(Algorithm::Crc32), None), Some(false));
        assert_eq!(of(Some(Algorithm::Crc32), Some("FULL_OBJECT")), Some(true));
        assert_eq!(of(Some(Algorithm::Sha256), Some("FULL_OBJECT")), None);
        assert_eq!(of(Some(Algorithm::Crc64Nvme), Some("COMPOSITE")), None);
        assert_eq!(of(Some(Algorithm::Crc64Nvme), None), Some(true));
        assert_eq!(of(Some(Algorithm::Sha1), Some("OTHER")), None);
    }
}
