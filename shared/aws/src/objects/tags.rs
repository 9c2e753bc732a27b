//! Tags of objects, which S3 keeps apart from the rest of their metadata.

use std::collections::BTreeMap;

use aws_sdk_s3::types::{Tag, Tagging};
use ports::objects::{ObjectError, ObjectInfo};

use super::{
    Objects, Place,
    failed::{About, failed, system},
    info::{Found, NO_VERSIONS},
    names,
};

impl Objects {
    /// What is known of an object, its tags included. They are asked for only when there are some.
    pub(super) async fn with_tags(
        &self,
        place: Place<'_>,
        found: Found,
    ) -> Result<ObjectInfo, ObjectError> {
        let mut info = found.info;
        let count = match found.tag_count {
            None if !self.counts_tags => self.tag_count(place, &info.version_id).await,
            count => count,
        };
        if count.unwrap_or_default() > 0 {
            info.metadata.tags = self.tags(place, &info.version_id).await?;
        }
        Ok(info)
    }

    /// How many tags an object has, from a service that says so to `GET` alone. Of an object whose
    /// bytes cannot be read nobody says it, and whoever may not read it may not read its tags.
    async fn tag_count(&self, place: Place<'_>, version: &str) -> Option<i32> {
        let request = self
            .client
            .get_object()
            .bucket(place.bucket)
            .key(place.key)
            .version_id(version)
            .range("bytes=0-0");
        request.send().await.ok()?.tag_count()
    }

    async fn tags(
        &self,
        place: Place<'_>,
        version: &str,
    ) -> Result<BTreeMap<String, String>, ObjectError> {
        let sent = self
            .client
            .get_object_tagging()
            .bucket(place.bucket)
            .key(place.key)
            .version_id(version)
            .send()
            .await;
        let answer = sent.map_err(|error| {
            let doing = format!(
                "read the tags of object `{}` in bucket `{}`",
                place.key, place.bucket
            );
            failed(&doing, About::Object(place), &error)
        })?;
        let tags = answer.tag_set.into_iter();
        Ok(tags.map(|tag| (tag.key, tag.value)).collect())
    }

    pub(super) async fn set_tags_of(
        &self,
        place: Place<'_>,
        tags: BTreeMap<String, String>,
    ) -> Result<String, ObjectError> {
        names::check(place)?;
        let doing = format!("tag object `{}` in bucket `{}`", place.key, place.bucket);
        let tags = tags
            .into_iter()
            .map(|(name, value)| Tag::builder().key(name).value(value).build())
            .collect::<Result<Vec<_>, _>>();
        let tags = tags.map_err(|error| system(doing.clone(), error))?;
        let tagging = Tagging::builder().set_tag_set(Some(tags)).build();
        let tagging = tagging.map_err(|error| system(doing.clone(), error))?;
        let sent = self
            .client
            .put_object_tagging()
            .bucket(place.bucket)
            .key(place.key)
            .set_version_id(place.version.map(str::to_owned))
            .tagging(tagging)
            .send()
            .await;
        match sent {
            Ok(answer) => Ok(answer.version_id.unwrap_or_else(|| NO_VERSIONS.to_owned())),
            Err(error) => {
                let told = failed(&doing, About::Object(place), &error);
                Err(self.key_or_version(place, told).await)
            }
        }
    }
}
