//! Buckets: a bucket that is made here keeps versions.

use aws_sdk_s3::types::{
    Bucket, BucketLocationConstraint, BucketVersioningStatus, CreateBucketConfiguration,
    VersioningConfiguration,
};
use model::Timestamp;
use ports::objects::{BucketInfo, ObjectError};

use super::{
    LIST_MAX, Objects,
    failed::{self, About, failed, status},
    info::millis,
    names,
};

/// The region whose name S3 does not take as one of a bucket's location.
const FIRST_REGION: &str = "us-east-1";

/// How many pages of buckets are read at most: an account has 10,000 buckets unless it asked for
/// more, and a page has up to 10,000.
const PAGES_MAX: usize = 100;

impl Objects {
    /// Makes a bucket and has it keep versions. One that is there is left as it is: somebody may
    /// want no versions in it. So a bucket whose making ended half-way keeps none until somebody
    /// says otherwise, which the error says.
    pub(super) async fn make_bucket(&self, bucket: &str) -> Result<(), ObjectError> {
        names::check_new_bucket(bucket)?;
        match self.check_there(bucket).await {
            Err(ObjectError::NoSuchBucket(_)) => {}
            there => return there,
        }
        let doing = format!("create bucket `{bucket}`");
        let region = self.client.config().region().map(ToString::to_string);
        let place = region
            .filter(|region| region != FIRST_REGION)
            .map(|region| {
                let place = BucketLocationConstraint::from(region.as_str());
                CreateBucketConfiguration::builder()
                    .location_constraint(place)
                    .build()
            });
        let made = self
            .client
            .create_bucket()
            .bucket(bucket)
            .set_create_bucket_configuration(place)
            .send()
            .await;
        if let Err(error) = made {
            return match failed::code(&error) {
                // Another call was faster.
                "BucketAlreadyOwnedByYou" => Ok(()),
                "BucketAlreadyExists" => Err(ObjectError::InvalidName(format!(
                    "`{bucket}` cannot be the name of a bucket: another AWS account has it"
                ))),
                _ => Err(failed(&doing, About::Bucket(bucket), &error)),
            };
        }
        let versions = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled);
        let kept = self
            .client
            .put_bucket_versioning()
            .bucket(bucket)
            .versioning_configuration(versions.build())
            .send()
            .await;
        kept.map_err(|error| {
            let doing =
                format!("have bucket `{bucket}` keep versions, which it was created without");
            failed(&doing, About::Bucket(bucket), &error)
        })?;
        Ok(())
    }

    async fn check_there(&self, bucket: &str) -> Result<(), ObjectError> {
        names::check_bucket(bucket)?;
        let sent = self.client.head_bucket().bucket(bucket).send().await;
        let Err(error) = sent else {
            return Ok(());
        };
        // An answer to `HEAD` has no body, and so no code.
        if status(&error) == Some(404) {
            return Err(ObjectError::NoSuchBucket(bucket.to_owned()));
        }
        let doing = format!("look for bucket `{bucket}`");
        Err(failed(&doing, About::Bucket(bucket), &error))
    }

    /// S3 says when a bucket was made only in the list of an account's own buckets; of others, or
    /// to a role that may not list them, it says nothing, which is told as 1970.
    pub(super) async fn bucket_info(&self, bucket: &str) -> Result<BucketInfo, ObjectError> {
        self.check_there(bucket).await?;
        let sent = self.client.list_buckets().prefix(bucket).send().await;
        let listed = match &sent {
            Ok(page) => page.buckets(),
            Err(error) if status(error) == Some(403) => &[],
            Err(error) => {
                let doing = format!("look for bucket `{bucket}`");
                return Err(failed(&doing, About::Bucket(bucket), error));
            }
        };
        // The shortest name with that beginning comes first.
        let found = listed.iter().find(|found| found.name() == Some(bucket));
        Ok(BucketInfo {
            name: bucket.to_owned(),
            created: found.map(created).unwrap_or_default(),
        })
    }

    pub(super) async fn list_buckets(
        &self,
        after: &str,
        limit: usize,
    ) -> Result<Vec<BucketInfo>, ObjectError> {
        let limit = limit.min(LIST_MAX);
        let mut found = Vec::new();
        let mut token = None;
        for _ in 0..PAGES_MAX {
            let sent = self.client.list_buckets().set_continuation_token(token);
            let page = sent.send().await;
            let page = page.map_err(|error| failed("list buckets", About::Bucket(""), &error))?;
            let infos = page.buckets().iter().filter_map(|bucket| {
                let name = bucket.name()?.to_owned();
                let created = created(bucket);
                Some(BucketInfo { name, created })
            });
            found.extend(infos.filter(|bucket| bucket.name.as_str() > after));
            token = page.continuation_token;
            // S3 lists them in order.
            if token.is_none() || found.len() >= limit {
                break;
            }
        }
        found.sort_by(|one, other| one.name.cmp(&other.name));
        found.truncate(limit);
        Ok(found)
    }

    pub(super) async fn remove_bucket(&self, bucket: &str) -> Result<(), ObjectError> {
        names::check_bucket(bucket)?;
        let sent = self.client.delete_bucket().bucket(bucket).send().await;
        sent.map_err(|error| {
            let doing = format!("remove bucket `{bucket}`");
            failed(&doing, About::Bucket(bucket), &error)
        })?;
        Ok(())
    }
}

fn created(bucket: &Bucket) -> Timestamp {
    bucket.creation_date().map(millis).unwrap_or_default()
}
