//! Objects written, from a body.

use ports::objects::PutTerms;
use s3s::{S3Request, S3Result, dto};

use super::{
    Backend, asker,
    conditions::{precondition, quoted},
    etag,
};
use crate::{
    checksum::{self, Algorithm},
    failure,
    identity::object_arn,
    metadata::{fields, refuse_unsupported},
    receive::{Expected, receive},
};

impl Backend {
    pub(super) async fn put(
        &self,
        mut request: S3Request<dto::PutObjectInput>,
    ) -> S3Result<dto::PutObjectOutput> {
        let expected = Expected::of(&request)?;
        let (bucket, key) = (request.input.bucket.clone(), request.input.key.clone());
        if request.input.tagging.is_some() {
            asker(&request)?.check("s3:PutObjectTagging", &object_arn(&bucket, &key))?;
        }
        let input = &mut request.input;
        self.check_owner(input.expected_bucket_owner.as_deref())?;
        refuse_unsupported!(input)?;
        if input.write_offset_bytes.is_some() {
            return Err(failure::not_here("The header x-amz-write-offset-bytes"));
        }
        let tag = input.if_match.as_ref().map(quoted).transpose()?;
        let only_if = precondition(tag.as_deref(), input.if_none_match.as_ref())?;
        let mut stored = fields!(input).read()?;
        let named = input.checksum_algorithm.as_ref();
        let named = named.map(|name| Algorithm::named(name.as_str()));
        // Refused before gigabytes were sent, where it can be.
        self.check_bucket(&bucket).await?;
        let body = input.body.take();
        let folder = self.uploads.incoming();
        let received = receive(folder, body, expected, named.transpose()?).await?;
        stored.checksum = Some(received.sum.stored());
        let terms = PutTerms {
            only_if,
            etag: None,
        };
        let at = (bucket.as_str(), key.as_str());
        let object = self
            .publish(at, received.file.path(), stored, terms)
            .await?;
        let sum = object.metadata.checksum.as_ref();
        let sum = checksum::told(sum.filter(|_| received.was_summed));
        Ok(dto::PutObjectOutput {
            checksum_crc32: sum.checksum_crc32,
            checksum_crc32c: sum.checksum_crc32c,
            checksum_crc64nvme: sum.checksum_crc64nvme,
            checksum_sha1: sum.checksum_sha1,
            checksum_sha256: sum.checksum_sha256,
            checksum_type: sum.checksum_type,
            e_tag: Some(etag(&object.etag)),
            version_id: Some(object.version_id),
            ..Default::default()
        })
    }
}
