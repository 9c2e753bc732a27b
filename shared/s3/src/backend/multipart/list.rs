//! Which uploads are open, and which parts they have.

use std::sync::Arc;

use s3s::{S3Request, S3Result, dto};

use super::super::{
    Backend, etag,
    page::{Names, limit},
};
use crate::{checksum, metadata, receive::blocking, uploads::Upload};

impl Backend {
    pub(in crate::backend) async fn list_parts(
        &self,
        request: S3Request<dto::ListPartsInput>,
    ) -> S3Result<dto::ListPartsOutput> {
        let input = request.input;
        self.check_owner(input.expected_bucket_owner.as_deref())?;
        let (told, most) = limit(input.max_parts, "max-parts")?;
        let upload = self.upload(&input.bucket, &input.key, &input.upload_id);
        let upload = upload.await?;
        let (uploads, id) = (Arc::clone(&self.uploads), input.upload_id.clone());
        let mut kept = blocking(move || uploads.parts(&id)).await?;
        let marker = input.part_number_marker.unwrap_or(0);
        kept.retain(|part| part.number > marker);
        let is_cut = kept.len() > most;
        kept.truncate(most);
        let next = kept.last().map(|part| part.number).filter(|_| is_cut);
        let parts = kept.into_iter().map(|part| {
            let sum = part.sum.stored();
            // One that nobody asked for is nobody's to compare.
            let sum = checksum::told(upload.algorithm.map(|_| &sum));
            dto::Part {
                checksum_crc32: sum.checksum_crc32,
                checksum_crc32c: sum.checksum_crc32c,
                checksum_crc64nvme: sum.checksum_crc64nvme,
                checksum_sha1: sum.checksum_sha1,
                checksum_sha256: sum.checksum_sha256,
                e_tag: Some(etag(&part.md5)),
                last_modified: Some(metadata::time(part.modified)),
                part_number: Some(part.number),
                size: Some(metadata::size(part.size)),
            }
        });
        Ok(dto::ListPartsOutput {
            bucket: Some(input.bucket),
            is_truncated: Some(is_cut),
            key: Some(input.key),
            max_parts: Some(told),
            next_part_number_marker: next,
            owner: Some(self.owner()),
            part_number_marker: Some(marker),
            parts: Some(parts.collect()),
            storage_class: Some(dto::StorageClass::from_static("STANDARD")),
            upload_id: Some(input.upload_id),
            ..Default::default()
        })
    }

    pub(in crate::backend) async fn list_uploads(
        &self,
        request: S3Request<dto::ListMultipartUploadsInput>,
    ) -> S3Result<dto::ListMultipartUploadsOutput> {
        let input = request.input;
        self.check_owner(input.expected_bucket_owner.as_deref())?;
        let names = Names::of(input.encoding_type.as_ref())?;
        let (told, most) = limit(input.max_uploads, "max-uploads")?;
        self.check_bucket(&input.bucket).await?;
        let (uploads, bucket) = (Arc::clone(&self.uploads), input.bucket.clone());
        let open = blocking(move || uploads.list(&bucket)).await?;
        let asked = Asked {
            prefix: input.prefix.as_deref().unwrap_or_default(),
            delimiter: input.delimiter.as_deref().unwrap_or_default(),
            key: input.key_marker.as_deref().unwrap_or_default(),
            id: input.upload_id_marker.as_deref().unwrap_or_default(),
        };
        let found = asked.choose(open, most);
        let (next_key, next_id) = found.next.unzip();
        let listed = found.uploads.into_iter().map(|(id, upload)| {
            let algorithm = upload.algorithm;
            dto::MultipartUpload {
                checksum_algorithm: algorithm
                    .map(|algorithm| dto::ChecksumAlgorithm::from_static(algorithm.name())),
                checksum_type: algorithm.map(|_| super::kind_of(upload.is_of_whole)),
                initiated: Some(metadata::time(upload.initiated)),
                key: Some(names.tell(&upload.key)),
                owner: Some(self.owner()),
                storage_class: Some(dto::StorageClass::from_static("STANDARD")),
                upload_id: Some(id),
                ..Default::default()
            }
        });
        Ok(dto::ListMultipartUploadsOutput {
            uploads: Some(listed.collect()),
            common_prefixes: Some(names.prefixes(&found.prefixes)),
            is_truncated: Some(next_key.is_some()),
            next_key_marker: next_key.map(|key| names.tell(&key)),
            next_upload_id_marker: next_id,
            bucket: Some(input.bucket.clone()),
            delimiter: names.tell_if(input.delimiter.as_ref()),
            encoding_type: input.encoding_type.clone(),
            key_marker: Some(names.tell(asked.key)),
            max_uploads: Some(told),
            prefix: Some(names.tell(asked.prefix)),
            upload_id_marker: input.upload_id_marker.clone(),
            ..Default::default()
        })
    }
}

/// Which uploads are asked for.
struct Asked<'a> {
    prefix: &'a str,
    delimiter: &'a str,
    /// After this key, or of this key after that id.
    key: &'a str,
    id: &'a str,
}

#[derive(Default)]
struct Found {
    uploads: Vec<(String, Upload)>,
    prefixes: Vec<String>,
    /// The last entry, when there are more.
    next: Option<(String, String)>,
}

impl Asked<'_> {
    /// Goes through the open uploads, which are in order of key and id, and not many.
    fn choose(&self, open: Vec<(String, Upload)>, most: usize) -> Found {
        let mut found = Found::default();
        let mut last = (String::new(), String::new());
        for (id, upload) in open {
            let Some(rest) = upload.key.strip_prefix(self.prefix) else {
                continue;
            };
            let shared = (!self.delimiter.is_empty())
                .then(|| rest.split_once(self.delimiter))
                .flatten()
                .map(|(start, _)| format!("{}{start}{}", self.prefix, self.delimiter));
            let place = match &shared {
                Some(shared) => (shared.as_str(), ""),
                None => (upload.key.as_str(), id.as_str()),
            };
            let is_passed = match self.id {
                "" => place.0 <= self.key && !self.key.is_empty(),
                marker => place <= (self.key, marker),
            };
            if is_passed || shared.is_some() && found.prefixes.last() == shared.as_ref() {
                continue;
            }
            if found.uploads.len() + found.prefixes.len() == most {
                found.next = (most > 0).then_some(last);
                return found;
            }
            last = (place.0.to_owned(), place.1.to_owned());
            match shared {
                Some(shared) => found.prefixes.push(shared),
                None => found.uploads.push((id, upload)),
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use model::Timestamp;
    use ports::objects::ObjectMetadata;

    use super::*;

    fn open() -> Vec<(String, Upload)> {
        let all = [
            ("a", "1"),
            ("a", "2"),
            ("b/x", "3"),
            ("b/y", "4"),
            ("c", "5"),
        ];
        all.map(|(key, id)| {
            let upload = Upload {
                bucket: "b".to_owned(),
                key: key.to_owned(),
                metadata: ObjectMetadata::default(),
                initiated: Timestamp(0),
                algorithm: None,
                is_of_whole: true,
            };
            (id.to_owned(), upload)
        })
        .into()
    }

    #[test]
    fn pages_of_any_size_give_the_same() {
        for most in 1..=4 {
            let (mut entries, mut key, mut id) = (Vec::new(), String::new(), String::new());
            loop {
                let asked = Asked {
                    prefix: "",
                    delimiter: "/",
                    key: &key,
                    id: &id,
                };
                let found = asked.choose(open(), most);
                entries.extend(found.uploads.into_iter().map(|(id, _)| id));
                entries.extend(found.prefixes);
                match found.next {
                    Some(next) => (key, id) = next,
                    None => break,
                }
            }
            entries.sort();
            assert_eq!(entries, ["1", "2", "5", "b/"], "{most} at a time");
        }
    }

    #[test]
    fn a_prefix_leaves_out_the_others() {
        let asked = Asked {
            prefix: "b/",
            delimiter: "/",
            key: "",
            id: "",
        };
        let found = asked.choose(open(), 10);
        assert_eq!(found.uploads.len(), 2);
        assert!(asked.choose(open(), 0).next.is_none());
    }
}
