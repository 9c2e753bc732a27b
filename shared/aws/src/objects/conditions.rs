//! What a put or a deletion is bound to, in the words of S3.

use ports::objects::{ObjectError, ObjectInfo, Precondition, PutTerms};

use super::{Objects, Place, put::Put, read::Looked};

/// What S3 compares before it writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    Nothing,
    /// There is no such object.
    New,
    /// There is none, or one with the same bytes.
    NewOrSame,
    /// The newest version has that tag of S3's.
    Tag(String),
}

impl Condition {
    pub(super) fn if_match(&self) -> Option<String> {
        match self {
            Self::Tag(tag) => Some(tag.clone()),
            Self::Nothing | Self::New | Self::NewOrSame => None,
        }
    }

    pub(super) fn if_none_match(&self) -> Option<String> {
        match self {
            Self::New | Self::NewOrSame => Some("*".to_owned()),
            Self::Nothing | Self::Tag(_) => None,
        }
    }
}

impl Objects {
    pub(super) async fn condition(
        &self,
        place: Place<'_>,
        terms: PutTerms<'_>,
        create_only: bool,
    ) -> Result<Condition, ObjectError> {
        Ok(match (terms.only_if, create_only) {
            (Some(Precondition::Absent), _) => Condition::New,
            (Some(Precondition::Is(tag)), _) => Condition::Tag(self.tag_of_s3(place, tag).await?),
            (None, true) => Condition::NewOrSame,
            (None, false) => Condition::Nothing,
        })
    }

    /// The tag that S3 compares with, of the newest version whose tag is to be `shown`. They differ
    /// where the port gave the object a tag of its own.
    pub(super) async fn tag_of_s3(
        &self,
        place: Place<'_>,
        shown: &str,
    ) -> Result<String, ObjectError> {
        let found = self.find(place).await?;
        if found.info.etag != shown {
            return Err(precondition(place));
        }
        Ok(found.etag)
    }

    /// After S3 refused a put: what is there if that is as good as done, or nothing if the put may
    /// be tried again.
    pub(super) async fn after_refusal(
        &self,
        put: &Put<'_>,
    ) -> Result<Option<ObjectInfo>, ObjectError> {
        let place = put.place;
        let found = match self.look(place).await {
            Ok(Looked::Object(found)) => *found,
            // Whoever was in the way is gone.
            Ok(Looked::Marker(_)) | Err(ObjectError::NoSuchKey { .. }) => {
                return match put.condition {
                    Condition::Nothing | Condition::New | Condition::NewOrSame => Ok(None),
                    Condition::Tag(_) => Err(precondition(place)),
                };
            }
            Err(error) => return Err(error),
        };
        // The first answer to this very put was lost, and what S3 refused was its repetition.
        let is_ours = found.put.is_some() && found.put == put.headers.record.put;
        let is_same = found.info.sha256 == hex::encode(put.source.sha256);
        if is_ours || (put.condition == Condition::NewOrSame && is_same) {
            return self.with_tags(place, found).await.map(Some);
        }
        match put.condition {
            // Somebody gave the upload up.
            Condition::Nothing => Ok(None),
            Condition::NewOrSame => Err(ObjectError::Exists {
                bucket: place.bucket.to_owned(),
                key: place.key.to_owned(),
            }),
            Condition::New | Condition::Tag(_) => Err(precondition(place)),
        }
    }
}

pub(super) fn precondition(place: Place<'_>) -> ObjectError {
    ObjectError::Precondition {
        bucket: place.bucket.to_owned(),
        key: place.key.to_owned(),
    }
}
