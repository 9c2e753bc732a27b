//! Objects copied from one key to another, and into parts of uploads.

use std::{
    fs::File,
    io::{Seek, SeekFrom},
    ops::Range,
};

use ports::objects::{ObjectChecksum, ObjectInfo, ObjectMetadata, PutTerms};
use s3s::{S3Request, S3Result, dto, s3_error};

use super::{Backend, asker, conditions::Conditions, etag};
use crate::{
    checksum::{self, Algorithm},
    failure,
    identity::object_arn,
    metadata::{self, fields, refuse_unsupported},
    receive::{Received, blocking, copied},
    uploads::PARTS_MAX,
};

/// Where to copy from.
struct Source<'a> {
    bucket: &'a str,
    key: &'a str,
    version: Option<&'a str>,
}

impl<'a> Source<'a> {
    fn of(source: &'a dto::CopySource) -> S3Result<Self> {
        match source {
            dto::CopySource::Bucket {
                bucket,
                key,
                version_id,
            } => Ok(Self {
                bucket,
                key,
                version: version_id.as_deref(),
            }),
            dto::CopySource::AccessPoint { .. } | dto::CopySource::Outpost { .. } => {
                Err(failure::not_here("A copy from an access point"))
            }
        }
    }

    fn action(&self) -> &'static str {
        match self.version {
            Some(_) => "s3:GetObjectVersion",
            None => "s3:GetObject",
        }
    }
}

impl Backend {
    pub(super) async fn copy(
        &self,
        mut request: S3Request<dto::CopyObjectInput>,
    ) -> S3Result<dto::CopyObjectOutput> {
        let from = request.input.copy_source.clone();
        let source = Source::of(&from)?;
        let asker = asker(&request)?.clone();
        asker.check(source.action(), &object_arn(source.bucket, source.key))?;
        let input = &mut request.input;
        let (bucket, key) = (input.bucket.clone(), input.key.clone());
        self.check_owner(input.expected_bucket_owner.as_deref())?;
        self.check_owner(input.expected_source_bucket_owner.as_deref())?;
        refuse_unsupported!(input)?;
        if input.copy_source_sse_customer_algorithm.is_some() {
            return Err(failure::not_here("A copy of an encrypted object"));
        }
        let replaces = Replaces::of(input)?;
        if replaces.tags {
            asker.check("s3:PutObjectTagging", &object_arn(&bucket, &key))?;
        }
        replaces.check(&source, &bucket, &key)?;
        let object = self.find(source.bucket, source.key, source.version).await?;
        let conditions = Conditions {
            matching: input.copy_source_if_match.as_ref(),
            not_matching: input.copy_source_if_none_match.as_ref(),
            modified_since: input.copy_source_if_modified_since.as_ref(),
            unmodified_since: input.copy_source_if_unmodified_since.as_ref(),
        };
        conditions.check_copy(&object)?;
        let algorithm = input.checksum_algorithm.as_ref();
        let algorithm = algorithm.map(|name| Algorithm::named(name.as_str()));
        let algorithm = algorithm.transpose()?;
        let stored = replaces.apply(fields!(input).read()?, &object);
        let copied = self.copy_bytes((source.bucket, &object), None, algorithm);
        let copied = copied.await?;
        let stored = ObjectMetadata {
            checksum: Some(kept(&object, algorithm, &copied)),
            ..stored
        };
        let at = (bucket.as_str(), key.as_str());
        let terms = PutTerms::default();
        let made = self.publish(at, copied.file.path(), stored, terms).await?;
        let sum = checksum::told(made.metadata.checksum.as_ref());
        Ok(dto::CopyObjectOutput {
            copy_object_result: Some(dto::CopyObjectResult {
                checksum_crc32: sum.checksum_crc32,
                checksum_crc32c: sum.checksum_crc32c,
                checksum_crc64nvme: sum.checksum_crc64nvme,
                checksum_sha1: sum.checksum_sha1,
                checksum_sha256: sum.checksum_sha256,
                checksum_type: sum.checksum_type,
                e_tag: Some(etag(&made.etag)),
                last_modified: Some(metadata::time(made.modified)),
            }),
            copy_source_version_id: Some(object.version_id),
            version_id: Some(made.version_id),
            ..Default::default()
        })
    }

    pub(super) async fn copy_part(
        &self,
        request: S3Request<dto::UploadPartCopyInput>,
    ) -> S3Result<dto::UploadPartCopyOutput> {
        let source = Source::of(&request.input.copy_source)?;
        let asker = asker(&request)?;
        asker.check(source.action(), &object_arn(source.bucket, source.key))?;
        let input = &request.input;
        self.check_owner(input.expected_bucket_owner.as_deref())?;
        self.check_owner(input.expected_source_bucket_owner.as_deref())?;
        if input.sse_customer_algorithm.is_some()
            || input.copy_source_sse_customer_algorithm.is_some()
        {
            return Err(failure::not_here("A copy of an encrypted object"));
        }
        check_number(input.part_number)?;
        let upload = self.upload(&input.bucket, &input.key, &input.upload_id);
        let upload = upload.await?;
        let object = self.find(source.bucket, source.key, source.version).await?;
        let conditions = Conditions {
            matching: input.copy_source_if_match.as_ref(),
            not_matching: input.copy_source_if_none_match.as_ref(),
            modified_since: input.copy_source_if_modified_since.as_ref(),
            unmodified_since: input.copy_source_if_unmodified_since.as_ref(),
        };
        conditions.check_copy(&object)?;
        let range = input.copy_source_range.as_deref();
        let range = range.map(|text| range_of(text, object.size)).transpose()?;
        let from = (source.bucket, &object);
        let copied = self.copy_bytes(from, range, upload.algorithm).await?;
        let part = self.keep_part(&input.upload_id, input.part_number, copied);
        let part = part.await?;
        let sum = checksum::told(Some(&part.sum.stored()));
        Ok(dto::UploadPartCopyOutput {
            copy_part_result: Some(dto::CopyPartResult {
                checksum_crc32: sum.checksum_crc32,
                checksum_crc32c: sum.checksum_crc32c,
                checksum_crc64nvme: sum.checksum_crc64nvme,
                checksum_sha1: sum.checksum_sha1,
                checksum_sha256: sum.checksum_sha256,
                e_tag: Some(etag(&part.md5)),
                last_modified: Some(metadata::time(part.modified)),
            }),
            copy_source_version_id: Some(object.version_id),
            ..Default::default()
        })
    }

    /// Copies bytes into a file of their own; all of them when no range is given.
    async fn copy_bytes(
        &self,
        (bucket, object): (&str, &ObjectInfo),
        range: Option<Range<u64>>,
        algorithm: Option<Algorithm>,
    ) -> S3Result<Received> {
        let version = Some(object.version_id.as_str());
        let opened = self.objects.open(bucket, &object.key, version).await;
        let (object, mut file): (_, File) = opened.map_err(|error| failure::of_objects(&error))?;
        let range = range.unwrap_or(0..object.size);
        let folder = self.uploads.incoming();
        blocking(move || {
            file.seek(SeekFrom::Start(range.start))
                .map_err(|error| failure::io("copy an object", error))?;
            copied(&folder, &mut file, range.end - range.start, algorithm)
        })
        .await
    }
}

/// The checksum of a copy: the one that it had, if it can be that of the copy too.
fn kept(object: &ObjectInfo, asked: Option<Algorithm>, copied: &Received) -> ObjectChecksum {
    let had = object.metadata.checksum.clone();
    // That of an upload in parts is none of one piece.
    let had = had.filter(|had| asked.is_none() && !had.value.contains('-'));
    had.unwrap_or_else(|| copied.sum.stored())
}

/// What a copy takes from the request and not from its source.
struct Replaces {
    metadata: bool,
    tags: bool,
}

impl Replaces {
    fn of(input: &dto::CopyObjectInput) -> S3Result<Self> {
        let metadata = input.metadata_directive.as_ref();
        let metadata = metadata.map(dto::MetadataDirective::as_str);
        let tags = input.tagging_directive.as_ref();
        let tags = tags.map(dto::TaggingDirective::as_str);
        for directive in [metadata, tags].into_iter().flatten() {
            if !["COPY", "REPLACE"].contains(&directive) {
                return Err(s3_error!(
                    InvalidArgument,
                    "`{directive}` is no directive; there are COPY and REPLACE."
                ));
            }
        }
        Ok(Self {
            metadata: metadata == Some("REPLACE"),
            tags: tags == Some("REPLACE"),
        })
    }

    /// A copy of the newest version over itself must change something.
    fn check(&self, source: &Source<'_>, bucket: &str, key: &str) -> S3Result<()> {
        let is_itself = source.bucket == bucket && source.key == key && source.version.is_none();
        if is_itself && !self.metadata && !self.tags {
            return Err(s3_error!(
                InvalidRequest,
                "This copy request is illegal because it is trying to copy an object to itself \
                 without changing the object's metadata or tags."
            ));
        }
        Ok(())
    }

    fn apply(&self, new: ObjectMetadata, object: &ObjectInfo) -> ObjectMetadata {
        let old = object.metadata.clone();
        let tags = if self.tags {
            new.tags.clone()
        } else {
            old.tags.clone()
        };
        let taken = if self.metadata { new } else { old };
        ObjectMetadata { tags, ..taken }
    }
}

/// Reads `bytes=0-5242879`; both ends are given and within the object.
fn range_of(text: &str, size: u64) -> S3Result<Range<u64>> {
    let refused = || {
        s3_error!(
            InvalidArgument,
            "The x-amz-copy-source-range value must be of the form bytes=first-last, and within \
             the source, which has {size} bytes."
        )
    };
    let range = dto::Range::parse(text).map_err(|_| refused())?;
    match range {
        dto::Range::Int {
            first,
            last: Some(last),
        } if first <= last && last < size => Ok(first..last + 1),
        dto::Range::Int { .. } | dto::Range::Suffix { .. } => Err(refused()),
    }
}

pub(super) fn check_number(number: i32) -> S3Result<()> {
    if (1..=PARTS_MAX).contains(&number) {
        return Ok(());
    }
    Err(s3_error!(
        InvalidArgument,
        "Part number must be an integer between 1 and {PARTS_MAX}, inclusive"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_has_both_ends_within_the_source() {
        assert_eq!(range_of("bytes=2-5", 6).unwrap(), 2..6);
        for text in ["bytes=2-6", "bytes=2-", "bytes=-2", "2-5", "bytes=5-2", ""] {
            assert!(range_of(text, 6).is_err(), "{text}");
        }
    }

    #[test]
    fn a_part_has_a_number_within_the_bounds() {
        for (number, is_good) in [(0, false), (1, true), (10_000, true), (10_001, false)] {
            assert_eq!(check_number(number).is_ok(), is_good);
        }
    }
}
