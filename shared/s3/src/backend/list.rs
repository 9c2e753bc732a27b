//! Keys and versions, page by page.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use ports::objects::{
    ListObjects, ListVersions, ObjectInfo, Page, Version, VersionsPage, beyond, just_after,
};
use s3s::{S3Request, S3Result, dto, s3_error};

use super::{
    Backend, etag,
    page::{Names, limit},
};
use crate::{failure, metadata};

impl Backend {
    pub(super) async fn list(
        &self,
        request: S3Request<dto::ListObjectsV2Input>,
    ) -> S3Result<dto::ListObjectsV2Output> {
        let input = request.input;
        self.check_owner(input.expected_bucket_owner.as_deref())?;
        refuse_attributes(input.optional_object_attributes.as_ref())?;
        let names = Names::of(input.encoding_type.as_ref())?;
        let (told, most) = limit(input.max_keys, "max-keys")?;
        let from = match (&input.continuation_token, &input.start_after) {
            (Some(token), _) => read_token(token)?,
            (None, Some(after)) => just_after(after),
            (None, None) => String::new(),
        };
        let prefix = input.prefix.clone().unwrap_or_default();
        let delimiter = input.delimiter.clone().unwrap_or_default();
        let page = self
            .page(ListObjects {
                bucket: &input.bucket,
                prefix: &prefix,
                delimiter: &delimiter,
                from: &from,
                limit: most,
            })
            .await?;
        let owner = (input.fetch_owner == Some(true)).then(|| self.owner());
        let count = page.objects.len() + page.prefixes.len();
        Ok(dto::ListObjectsV2Output {
            common_prefixes: Some(names.prefixes(&page.prefixes)),
            contents: Some(objects(&page.objects, names, owner.as_ref())),
            continuation_token: input.continuation_token,
            delimiter: names.tell_if(input.delimiter.as_ref()),
            encoding_type: input.encoding_type,
            is_truncated: Some(page.next.is_some()),
            key_count: i32::try_from(count).ok(),
            max_keys: Some(told),
            name: Some(input.bucket),
            next_continuation_token: page.next.map(|next| BASE64.encode(next)),
            prefix: Some(names.tell(&prefix)),
            start_after: names.tell_if(input.start_after.as_ref()),
            ..Default::default()
        })
    }

    /// The first form of the operation, which some clients still use.
    pub(super) async fn list_of_old(
        &self,
        request: S3Request<dto::ListObjectsInput>,
    ) -> S3Result<dto::ListObjectsOutput> {
        let input = request.input;
        self.check_owner(input.expected_bucket_owner.as_deref())?;
        refuse_attributes(input.optional_object_attributes.as_ref())?;
        let names = Names::of(input.encoding_type.as_ref())?;
        let (told, most) = limit(input.max_keys, "max-keys")?;
        let prefix = input.prefix.clone().unwrap_or_default();
        let delimiter = input.delimiter.clone().unwrap_or_default();
        let marker = input.marker.clone().unwrap_or_default();
        let page = match after(&marker, &prefix, &delimiter) {
            Some(from) => {
                self.page(ListObjects {
                    bucket: &input.bucket,
                    prefix: &prefix,
                    delimiter: &delimiter,
                    from: &from,
                    limit: most,
                })
                .await?
            }
            None => Page::default(),
        };
        let last_key = page.objects.last().map(|object| object.key.as_str());
        let last = last_key.max(page.prefixes.last().map(String::as_str));
        let next = last.filter(|_| page.next.is_some());
        Ok(dto::ListObjectsOutput {
            common_prefixes: Some(names.prefixes(&page.prefixes)),
            contents: Some(objects(&page.objects, names, Some(&self.owner()))),
            delimiter: names.tell_if(input.delimiter.as_ref()),
            encoding_type: input.encoding_type,
            is_truncated: Some(page.next.is_some()),
            marker: Some(names.tell(&marker)),
            max_keys: Some(told),
            name: Some(input.bucket),
            next_marker: next.map(|next| names.tell(next)),
            prefix: Some(names.tell(&prefix)),
            ..Default::default()
        })
    }

    async fn page(&self, request: ListObjects<'_>) -> S3Result<Page> {
        if request.limit == 0 {
            self.check_bucket(request.bucket).await?;
            return Ok(Page::default());
        }
        let page = self.objects.list_page(request).await;
        page.map_err(|error| failure::of_objects(&error))
    }

    pub(super) async fn list_versions(
        &self,
        request: S3Request<dto::ListObjectVersionsInput>,
    ) -> S3Result<dto::ListObjectVersionsOutput> {
        let input = request.input;
        self.check_owner(input.expected_bucket_owner.as_deref())?;
        refuse_attributes(input.optional_object_attributes.as_ref())?;
        let names = Names::of(input.encoding_type.as_ref())?;
        let (told, most) = limit(input.max_keys, "max-keys")?;
        let prefix = input.prefix.clone().unwrap_or_default();
        let delimiter = input.delimiter.clone().unwrap_or_default();
        let marker = input.key_marker.clone().unwrap_or_default();
        let past = input.version_id_marker.clone().filter(|id| !id.is_empty());
        if past.is_some() && marker.is_empty() {
            return Err(s3_error!(
                InvalidArgument,
                "A version-id marker cannot be specified without a key marker."
            ));
        }
        let from = match past {
            Some(_) => Some(marker.clone()),
            None => after(&marker, &prefix, &delimiter),
        };
        let page = if let Some(from) = from.filter(|_| most > 0) {
            let page = self.objects.list_versions(ListVersions {
                bucket: &input.bucket,
                prefix: &prefix,
                delimiter: &delimiter,
                from: &from,
                past: past.as_deref(),
                limit: most,
            });
            page.await.map_err(|error| failure::of_objects(&error))?
        } else {
            self.check_bucket(&input.bucket).await?;
            VersionsPage::default()
        };
        let (next_key, next_version) = next_of(&page);
        let (versions, markers) = self.told(&page, names);
        Ok(dto::ListObjectVersionsOutput {
            common_prefixes: Some(names.prefixes(&page.prefixes)),
            delete_markers: Some(markers),
            delimiter: names.tell_if(input.delimiter.as_ref()),
            encoding_type: input.encoding_type,
            is_truncated: Some(page.is_cut),
            key_marker: Some(names.tell(&marker)),
            max_keys: Some(told),
            name: Some(input.bucket),
            next_key_marker: next_key.map(|key| names.tell(&key)),
            next_version_id_marker: next_version,
            prefix: Some(names.tell(&prefix)),
            version_id_marker: input.version_id_marker,
            versions: Some(versions),
            ..Default::default()
        })
    }

    fn told(
        &self,
        page: &VersionsPage,
        names: Names,
    ) -> (Vec<dto::ObjectVersion>, Vec<dto::DeleteMarkerEntry>) {
        let (mut versions, mut markers) = (Vec::new(), Vec::new());
        for (version, is_newest) in &page.versions {
            match version {
                Version::Object(object) => versions.push(dto::ObjectVersion {
                    e_tag: Some(etag(&object.etag)),
                    is_latest: Some(*is_newest),
                    key: Some(names.tell(&object.key)),
                    last_modified: Some(metadata::time(object.modified)),
                    owner: Some(self.owner()),
                    size: Some(metadata::size(object.size)),
                    storage_class: Some(dto::ObjectVersionStorageClass::from_static("STANDARD")),
                    version_id: Some(object.version_id.clone()),
                    ..Default::default()
                }),
                Version::Marker(marker) => markers.push(dto::DeleteMarkerEntry {
                    is_latest: Some(*is_newest),
                    key: Some(names.tell(&marker.key)),
                    last_modified: Some(metadata::time(marker.modified)),
                    owner: Some(self.owner()),
                    version_id: Some(marker.version_id.clone()),
                }),
            }
        }
        (versions, markers)
    }
}

fn refuse_attributes(asked: Option<&Vec<dto::OptionalObjectAttributes>>) -> S3Result<()> {
    // Of what is never archived there is no restoration to tell of.
    let other = asked.into_iter().flatten();
    let mut other = other.filter(|attribute| attribute.as_str() != "RestoreStatus");
    match other.next() {
        Some(other) => Err(s3_error!(
            InvalidArgument,
            "`{}` is no optional attribute; there is RestoreStatus.",
            other.as_str()
        )),
        None => Ok(()),
    }
}

fn objects(all: &[ObjectInfo], names: Names, owner: Option<&dto::Owner>) -> Vec<dto::Object> {
    let all = all.iter();
    all.map(|object| dto::Object {
        e_tag: Some(etag(&object.etag)),
        key: Some(names.tell(&object.key)),
        last_modified: Some(metadata::time(object.modified)),
        owner: owner.cloned(),
        size: Some(metadata::size(object.size)),
        storage_class: Some(dto::ObjectStorageClass::from_static("STANDARD")),
        ..Default::default()
    })
    .collect()
}

fn read_token(token: &str) -> S3Result<String> {
    let text = BASE64.decode(token).ok().map(String::from_utf8);
    match text {
        Some(Ok(text)) => Ok(text),
        Some(Err(_)) | None => Err(s3_error!(
            InvalidArgument,
            "The continuation token provided is incorrect"
        )),
    }
}

/// Where to go on after a marker, which may be a beginning that keys share; none when nothing follows.
fn after(marker: &str, prefix: &str, delimiter: &str) -> Option<String> {
    if marker.is_empty() {
        return Some(String::new());
    }
    let rest = marker
        .strip_prefix(prefix)
        .filter(|_| !delimiter.is_empty());
    let is_shared = rest.and_then(|rest| rest.split_once(delimiter));
    match is_shared {
        Some((_, "")) => beyond(marker),
        Some(_) | None => Some(just_after(marker)),
    }
}

/// The last entry of a page, where the next one goes on.
fn next_of(page: &VersionsPage) -> (Option<String>, Option<String>) {
    if !page.is_cut {
        return (None, None);
    }
    let prefix = page.prefixes.last();
    match page.versions.last() {
        Some((version, _)) if prefix.is_none_or(|prefix| version.key() > prefix.as_str()) => (
            Some(version.key().to_owned()),
            Some(version.version_id().to_owned()),
        ),
        Some(_) | None => (prefix.cloned(), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_that_is_a_shared_beginning_skips_all_of_it() {
        assert_eq!(after("", "", "/").as_deref(), Some(""));
        assert_eq!(after("a/", "", "/").as_deref(), Some("a0"));
        assert_eq!(after("a/b", "", "/").as_deref(), Some("a/b\0"));
        assert_eq!(after("a/b/", "a/", "/").as_deref(), Some("a/b0"));
        assert_eq!(after("a/", "", "").as_deref(), Some("a/\0"));
        assert_eq!(after("\u{10ffff}", "", "\u{10ffff}"), None);
    }

    #[test]
    fn a_token_that_was_not_given_out_is_refused() {
        assert_eq!(read_token(&BASE64.encode("a/ü")).unwrap(), "a/ü");
        for token in ["%", "_w"] {
            assert_eq!(
                read_token(token).unwrap_err().code().as_str(),
                "InvalidArgument"
            );
        }
    }
}
