//! An upload in parts, for files that are too large for one request that may have to be repeated.
//!
//! An upload that fails is given up, so that its parts cost nothing. One whose process ends on the
//! way stays until the bucket's lifecycle rule for incomplete uploads removes it.

use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use tokio::task::JoinSet;

use super::{
    Objects,
    failed::{self, system},
    info::with_headers,
    put::{NotPut, Put, Taken, length},
};

/// How many parts are sent at once.
const PARTS_AT_ONCE: usize = 4;

type Sent = Result<CompletedPart, NotPut>;

impl Objects {
    pub(super) async fn put_in_parts(&self, put: &Put<'_>) -> Result<Taken, NotPut> {
        let request = self
            .client
            .create_multipart_upload()
            .bucket(put.place.bucket)
            .key(put.place.key)
            .checksum_algorithm(ChecksumAlgorithm::Sha256);
        let begun = with_headers!(request, &put.headers).send().await;
        let begun = begun.map_err(|error| put.not_put(&error))?;
        let Some(upload) = begun.upload_id() else {
            let text = "S3 began an upload and did not say which";
            return Err(NotPut::Failed(system(put.doing(), text)));
        };
        let done = match self.send_parts(put, upload).await {
            Ok(parts) => self.complete(put, upload, parts).await,
            Err(failed) => Err(failed),
        };
        if done.is_err() {
            self.give_up(put, upload).await;
        }
        done
    }

    async fn send_parts(&self, put: &Put<'_>, upload: &str) -> Result<Vec<CompletedPart>, NotPut> {
        let mut under_way: JoinSet<Sent> = JoinSet::new();
        let mut parts = Vec::with_capacity(put.source.parts.len());
        for index in 0..put.source.parts.len() {
            if under_way.len() == PARTS_AT_ONCE {
                parts.extend(next(&mut under_way, put).await?);
            }
            self.send_part(put, upload, index, &mut under_way).await?;
        }
        while let Some(part) = next(&mut under_way, put).await? {
            parts.push(part);
        }
        parts.sort_by_key(CompletedPart::part_number);
        Ok(parts)
    }

    /// Begins to send a part. What is under way ends when the set is dropped.
    async fn send_part(
        &self,
        put: &Put<'_>,
        upload: &str,
        index: usize,
        under_way: &mut JoinSet<Sent>,
    ) -> Result<(), NotPut> {
        let digest = BASE64_STANDARD.encode(put.source.parts[index]);
        // There are 10,000 at most.
        let number = i32::try_from(index + 1).unwrap_or(i32::MAX);
        let request = self
            .client
            .upload_part()
            .bucket(put.place.bucket)
            .key(put.place.key)
            .upload_id(upload)
            .part_number(number)
            .checksum_sha256(&digest)
            .body(put.part(index).await?);
        let told = (put.place.bucket.to_owned(), put.place.key.to_owned());
        under_way.spawn(async move {
            let sent = request.send().await.map_err(|error| {
                let (bucket, key) = &told;
                let doing = format!("store part {number} of object `{key}` in bucket `{bucket}`");
                let place = super::Place {
                    bucket,
                    key,
                    version: None,
                };
                NotPut::Failed(failed::failed(&doing, failed::About::Object(place), &error))
            })?;
            Ok(CompletedPart::builder()
                .part_number(number)
                .set_e_tag(sent.e_tag)
                .checksum_sha256(digest)
                .build())
        });
        Ok(())
    }

    async fn complete(
        &self,
        put: &Put<'_>,
        upload: &str,
        parts: Vec<CompletedPart>,
    ) -> Result<Taken, NotPut> {
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts));
        let completed = self
            .client
            .complete_multipart_upload()
            .bucket(put.place.bucket)
            .key(put.place.key)
            .upload_id(upload)
            .multipart_upload(parts.build())
            .mpu_object_size(length(put.source.size))
            .set_if_match(put.condition.if_match())
            .set_if_none_match(put.condition.if_none_match())
            .send()
            .await;
        let answer = completed.map_err(|error| match failed::code(&error) {
            // It was completed by a request whose answer was lost, or somebody gave it up.
            "NoSuchUpload" => NotPut::Condition,
            _ => put.not_put(&error),
        })?;
        Ok(Taken {
            etag: answer.e_tag,
            version_id: answer.version_id,
            kms_key: answer.ssekms_key_id,
        })
    }

    /// Parts that cannot be removed now are removed by the bucket's lifecycle rule.
    async fn give_up(&self, put: &Put<'_>, upload: &str) {
        let request = self
            .client
            .abort_multipart_upload()
            .bucket(put.place.bucket)
            .key(put.place.key)
            .upload_id(upload);
        let _ = request.send().await;
    }
}

/// The next part that was sent; none when none is under way.
async fn next(
    under_way: &mut JoinSet<Sent>,
    put: &Put<'_>,
) -> Result<Option<CompletedPart>, NotPut> {
    match under_way.join_next().await {
        None => Ok(None),
        Some(Ok(sent)) => sent.map(Some),
        Some(Err(error)) => Err(NotPut::Failed(system(put.doing(), error))),
    }
}
