//! Pages of versions and markers.

use aws_sdk_s3::types::EncodingType;
use ports::objects::{ListVersions, Marker, ObjectError, Version, VersionsPage, beyond};

use super::{
    LIST_MAX, LOOKS_AT_ONCE, Objects, Place,
    failed::{About, failed, system},
    info::{NO_VERSIONS, millis},
    listing::{Start, all, common, max_keys, plain},
    names,
    order::{Order, merged},
};

/// A version or marker as the listing says it.
#[derive(Clone)]
struct Entry {
    key: String,
    version_id: String,
    is_newest: bool,
    /// What it is if it is a marker.
    marker: Option<Marker>,
}

#[derive(Default)]
struct Listed {
    entries: Vec<Entry>,
    prefixes: Vec<String>,
    has_more: bool,
}

/// Where one request begins: after all versions of a key, or after one of them.
#[derive(Clone, Copy, Default)]
struct After<'a> {
    key: Option<&'a str>,
    version: Option<&'a str>,
}

impl Objects {
    pub(super) async fn versions_page(
        &self,
        request: ListVersions<'_>,
    ) -> Result<VersionsPage, ObjectError> {
        names::check_bucket(request.bucket)?;
        let listed = self.listed(request).await?;
        Ok(VersionsPage {
            versions: self.versions(request.bucket, listed.entries).await?,
            prefixes: listed.prefixes,
            is_cut: listed.has_more,
        })
    }

    async fn listed(&self, request: ListVersions<'_>) -> Result<Listed, ObjectError> {
        let limit = request.limit.min(LIST_MAX);
        let mut listed = Listed::default();
        let mut start = Start::of(request.from, request.prefix);
        if let Some(group) = common(request.from, request.prefix, request.delimiter) {
            // Within keys that share a beginning: they are one entry if there is one from here on.
            if self.has_version_from(request, group).await? {
                listed.prefixes.push(group.to_owned());
            }
            let Some(rest) = beyond(group) else {
                return Ok(listed);
            };
            start = Start::At(rest);
        } else if let Some(past) = self.past(request).await? {
            let after = After {
                key: Some(request.from),
                version: Some(past),
            };
            return self.list_after(request, after, limit).await;
        }
        if let Start::At(key) = &start {
            let of_key = self.of_key(request, key, limit - listed.prefixes.len().min(limit));
            let of_key = of_key.await?;
            listed.entries = of_key.entries;
            if of_key.has_more {
                // Of one key alone there are more than fit.
                listed.has_more = true;
                return Ok(listed);
            }
        }
        let left = limit.saturating_sub(listed.entries.len() + listed.prefixes.len());
        let after = match &start {
            Start::Beginning => After::default(),
            Start::At(key) | Start::After(key) => After {
                key: Some(key),
                version: None,
            },
        };
        let rest = self.list_after(request, after, left.max(1)).await?;
        if left == 0 {
            // The page is full; this was to know whether there is more.
            listed.has_more = !(rest.entries.is_empty() && rest.prefixes.is_empty());
            return Ok(listed);
        }
        listed.entries.extend(rest.entries);
        listed.prefixes.extend(rest.prefixes);
        listed.has_more = rest.has_more;
        Ok(listed)
    }

    /// The version after which to begin, if it is still there: S3 takes no other.
    async fn past<'a>(&self, request: ListVersions<'a>) -> Result<Option<&'a str>, ObjectError> {
        let Some(past) = request.past.filter(|_| request.from >= request.prefix) else {
            return Ok(None);
        };
        let place = Place {
            bucket: request.bucket,
            key: request.from,
            version: Some(past),
        };
        match self.look(place).await {
            Ok(_) => Ok(Some(past)),
            Err(ObjectError::NoSuchVersion { .. } | ObjectError::NoSuchKey { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The versions of one key, which come first of all keys that begin with it.
    async fn of_key(
        &self,
        request: ListVersions<'_>,
        key: &str,
        limit: usize,
    ) -> Result<Listed, ObjectError> {
        if limit == 0 {
            return Ok(Listed::default());
        }
        let request = ListVersions {
            prefix: key,
            delimiter: "",
            ..request
        };
        let mut listed = self.list_after(request, After::default(), limit).await?;
        let all = listed.entries.len();
        listed.entries.retain(|entry| entry.key == key);
        listed.has_more &= listed.entries.len() == all;
        Ok(listed)
    }

    /// Whether there is a version of a key that begins with `group` and is `from` or comes after it.
    async fn has_version_from(
        &self,
        request: ListVersions<'_>,
        group: &str,
    ) -> Result<bool, ObjectError> {
        let within = ListVersions {
            prefix: group,
            delimiter: "",
            ..request
        };
        let start = Start::of(request.from, group);
        if let Start::At(key) = &start
            && !self.of_key(request, key, 1).await?.entries.is_empty()
        {
            return Ok(true);
        }
        let after = match &start {
            Start::Beginning => After::default(),
            Start::At(key) | Start::After(key) => After {
                key: Some(key),
                version: None,
            },
        };
        let rest = self.list_after(within, after, 1).await?;
        Ok(!rest.entries.is_empty())
    }

    /// One request.
    async fn list_after(
        &self,
        request: ListVersions<'_>,
        after: After<'_>,
        limit: usize,
    ) -> Result<Listed, ObjectError> {
        let doing = format!("list the versions in bucket `{}`", request.bucket);
        let delimiter = Some(request.delimiter).filter(|delimiter| !delimiter.is_empty());
        let order = Order::default();
        let sent = self
            .client
            .list_object_versions()
            .bucket(request.bucket)
            .prefix(request.prefix)
            .set_delimiter(delimiter.map(str::to_owned))
            .set_key_marker(after.key.map(str::to_owned))
            .set_version_id_marker(after.version.map(str::to_owned))
            .max_keys(max_keys(limit))
            .encoding_type(EncodingType::Url)
            .customize()
            .interceptor(order.clone())
            .send()
            .await;
        let page = sent.map_err(|error| failed(&doing, About::Bucket(request.bucket), &error))?;
        let encoding = page.encoding_type();
        let key = |key: Option<&str>| plain(key.unwrap_or_default(), encoding);
        let id = |id: Option<&str>| id.unwrap_or(NO_VERSIONS).to_owned();
        let versions = page.versions().iter().map(|version| Entry {
            key: key(version.key()),
            version_id: id(version.version_id()),
            is_newest: version.is_latest().unwrap_or_default(),
            marker: None,
        });
        let markers = page.delete_markers().iter().map(|marker| Entry {
            key: key(marker.key()),
            version_id: id(marker.version_id()),
            is_newest: marker.is_latest().unwrap_or_default(),
            marker: Some(Marker {
                key: key(marker.key()),
                version_id: id(marker.version_id()),
                modified: marker.last_modified().map(millis).unwrap_or_default(),
            }),
        });
        let entries = merged(&order.take(), versions.collect(), markers.collect());
        let entries = entries
            .ok_or_else(|| system(doing, "S3's answer has other entries than the SDK read"))?;
        let prefixes = page.common_prefixes().iter();
        Ok(Listed {
            entries,
            prefixes: prefixes.map(|group| key(group.prefix())).collect(),
            has_more: page.is_truncated().unwrap_or_default(),
        })
    }

    /// What is known of what was listed; what was deleted meanwhile is left out.
    async fn versions(
        &self,
        bucket: &str,
        entries: Vec<Entry>,
    ) -> Result<Vec<(Version, bool)>, ObjectError> {
        let looked = all(entries, LOOKS_AT_ONCE, |entry| {
            let (objects, bucket) = (self.clone(), bucket.to_owned());
            async move {
                let is_newest = entry.is_newest;
                if let Some(marker) = entry.marker {
                    return Ok((Version::Marker(marker), is_newest));
                }
                let place = Place {
                    bucket: &bucket,
                    key: &entry.key,
                    version: Some(&entry.version_id),
                };
                let object = objects.head_one(place).await?;
                Ok((Version::Object(Box::new(object)), is_newest))
            }
        });
        let mut versions = Vec::new();
        for looked in looked.await? {
            match looked {
                Ok(version) => versions.push(version),
                Err(ObjectError::NoSuchKey { .. } | ObjectError::NoSuchVersion { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(versions)
    }
}
