//! Deletions: markers that hide a key, and versions that go for good.

use ports::objects::{DeleteObject, Deleted, ObjectError};

use super::{
    Objects, Place,
    failed::{About, failed},
    info::NO_VERSIONS,
    names,
};

impl Objects {
    pub(super) async fn delete_one(
        &self,
        request: DeleteObject<'_>,
    ) -> Result<Deleted, ObjectError> {
        let newest = Place {
            bucket: request.bucket,
            key: request.key,
            version: None,
        };
        names::check(newest)?;
        let tag = match request.only_if {
            Some(shown) => Some(self.tag_of_s3(newest, shown).await?),
            None => None,
        };
        let sent = self
            .client
            .delete_object()
            .bucket(request.bucket)
            .key(request.key)
            .set_version_id(request.version.map(str::to_owned))
            .set_if_match(tag)
            .send()
            .await;
        let answer = sent.map_err(|error| {
            let doing = format!(
                "delete object `{}` in bucket `{}`",
                request.key, request.bucket
            );
            let place = Place {
                version: request.version,
                ..newest
            };
            failed(&doing, About::Object(place), &error)
        });
        let answer = match answer {
            Ok(answer) => answer,
            // An id that S3 never gives was never one of a version.
            Err(ObjectError::NoSuchVersion { version, .. }) => {
                return Ok(Deleted {
                    version_id: version,
                    is_marker: false,
                });
            }
            Err(error) => return Err(error),
        };
        let named = request.version.unwrap_or(NO_VERSIONS);
        Ok(Deleted {
            version_id: answer.version_id.unwrap_or_else(|| named.to_owned()),
            is_marker: answer.delete_marker.unwrap_or_default(),
        })
    }
}
