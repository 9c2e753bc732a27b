//! Objects read, whole or in part.

use std::ops::Range;

use http::{HeaderMap, HeaderValue, header};
use ports::objects::ObjectInfo;
use s3s::{S3Request, S3Result, dto, s3_error};

use super::{Backend, conditions::Conditions, etag};
use crate::{checksum, failure, give, metadata};

/// What S3 says of bytes of which nobody said what they are.
const CONTENT_TYPE: &str = "binary/octet-stream";

/// Fills what both ways to read an object tell of it.
macro_rules! described {
    ($output:ident, $object:expr, $part:expr, $with_checksum:expr) => {{
        let (object, part) = ($object, $part);
        // A checksum is of all bytes and says nothing of some of them.
        let sum = object.metadata.checksum.as_ref();
        let sum = checksum::told(sum.filter(|_| $with_checksum && part.range.is_none()));
        let stored = object.metadata;
        dto::$output {
            accept_ranges: Some("bytes".to_owned()),
            cache_control: stored.cache_control,
            checksum_crc32: sum.checksum_crc32,
            checksum_crc32c: sum.checksum_crc32c,
            checksum_crc64nvme: sum.checksum_crc64nvme,
            checksum_sha1: sum.checksum_sha1,
            checksum_sha256: sum.checksum_sha256,
            checksum_type: sum.checksum_type,
            content_disposition: stored.content_disposition,
            content_encoding: stored.content_encoding,
            content_language: stored.content_language,
            content_length: Some(metadata::size(part.length())),
            content_range: part.told(),
            content_type: Some(
                stored
                    .content_type
                    .unwrap_or_else(|| CONTENT_TYPE.to_owned()),
            ),
            e_tag: Some(etag(&object.etag)),
            expires: stored.expires.map(metadata::time),
            last_modified: Some(metadata::time(object.modified)),
            metadata: Some(stored.user.into_iter().collect()),
            version_id: Some(object.version_id),
            ..Default::default()
        }
    }};
}

impl Backend {
    pub(super) async fn get(
        &self,
        request: S3Request<dto::GetObjectInput>,
    ) -> S3Result<dto::GetObjectOutput> {
        let input = request.input;
        self.check_owner(input.expected_bucket_owner.as_deref())?;
        refuse(input.part_number, input.sse_customer_algorithm.is_some())?;
        let (bucket, key) = (&input.bucket, &input.key);
        let object = self.find(bucket, key, input.version_id.as_deref()).await?;
        let conditions = Conditions {
            matching: input.if_match.as_ref(),
            not_matching: input.if_none_match.as_ref(),
            modified_since: input.if_modified_since.as_ref(),
            unmodified_since: input.if_unmodified_since.as_ref(),
        };
        conditions.check_read(&object)?;
        let part = Part::of(&object, input.range)?;
        // By its id: another version may be the newest by now.
        let version = Some(object.version_id.as_str());
        let opened = self.objects.open(bucket, key, version).await;
        let (object, file) = opened.map_err(|error| failure::of_objects(&error))?;
        let body = give::give(file, part.bytes());
        let tags = i32::try_from(object.metadata.tags.len()).ok();
        let with_checksum = input.checksum_mode.is_some();
        let mut output = described!(GetObjectOutput, object, part, with_checksum);
        output.tag_count = tags.filter(|count| *count > 0);
        output.body = Some(body);
        Ok(output)
    }

    pub(super) async fn head(
        &self,
        request: S3Request<dto::HeadObjectInput>,
    ) -> S3Result<dto::HeadObjectOutput> {
        let input = request.input;
        self.check_owner(input.expected_bucket_owner.as_deref())?;
        refuse(input.part_number, input.sse_customer_algorithm.is_some())?;
        let (bucket, key) = (&input.bucket, &input.key);
        let object = self.find(bucket, key, input.version_id.as_deref()).await?;
        let conditions = Conditions {
            matching: input.if_match.as_ref(),
            not_matching: input.if_none_match.as_ref(),
            modified_since: input.if_modified_since.as_ref(),
            unmodified_since: input.if_unmodified_since.as_ref(),
        };
        conditions.check_read(&object)?;
        let part = Part::of(&object, input.range)?;
        let with_checksum = input.checksum_mode.is_some();
        Ok(described!(HeadObjectOutput, object, part, with_checksum))
    }
}

fn refuse(part: Option<i32>, is_encrypted: bool) -> S3Result<()> {
    if part.is_some() {
        return Err(failure::not_here("The parameter partNumber of a read"));
    }
    if is_encrypted {
        return Err(failure::not_here(
            "The header x-amz-server-side-encryption-customer-algorithm",
        ));
    }
    Ok(())
}

/// Which of the bytes are asked for.
struct Part {
    size: u64,
    /// None for all of them.
    range: Option<Range<u64>>,
}

impl Part {
    fn of(object: &ObjectInfo, range: Option<dto::Range>) -> S3Result<Self> {
        let size = object.size;
        let range = match range.map(|range| range.check(size)) {
            None => None,
            Some(Ok(range)) => Some(range),
            Some(Err(_)) => {
                let mut error = s3_error!(
                    InvalidRange,
                    "The requested range is not satisfiable: the object has {size} bytes."
                );
                let mut headers = HeaderMap::new();
                if let Ok(told) = HeaderValue::from_str(&format!("bytes */{size}")) {
                    headers.insert(header::CONTENT_RANGE, told);
                }
                error.set_headers(headers);
                return Err(error);
            }
        };
        Ok(Self { size, range })
    }

    fn bytes(&self) -> Range<u64> {
        self.range.clone().unwrap_or(0..self.size)
    }

    fn length(&self) -> u64 {
        let bytes = self.bytes();
        bytes.end - bytes.start
    }

    fn told(&self) -> Option<String> {
        let range = self.range.as_ref()?;
        // A suffix of nothing is nothing, of which no first byte can be told.
        let last = range.end.checked_sub(1)?;
        Some(format!("bytes {}-{last}/{}", range.start, self.size))
    }
}
