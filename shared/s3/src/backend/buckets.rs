//! Buckets: made, found, listed and removed.

use ports::objects::ObjectError;
use s3s::{S3Request, S3Result, dto, s3_error};

use super::Backend;
use crate::{failure, metadata};

/// How many buckets there may be; S3 gives an account as many.
const BUCKETS_MAX: usize = 10_000;

/// How many buckets are asked for at a time, and told in one answer at most.
const PAGE: usize = 1_000;

/// The region whose buckets have no location, and can be made twice.
const FIRST_REGION: &str = "us-east-1";

impl Backend {
    pub(super) async fn buckets(
        &self,
        request: S3Request<dto::ListBucketsInput>,
    ) -> S3Result<dto::ListBucketsOutput> {
        let input = request.input;
        let most = match input.max_buckets {
            None => BUCKETS_MAX,
            Some(most) => usize::try_from(most)
                .ok()
                .filter(|most| (1..=BUCKETS_MAX).contains(most))
                .ok_or_else(|| {
                    s3_error!(
                        InvalidArgument,
                        "max-buckets must be from 1 to {BUCKETS_MAX}."
                    )
                })?,
        };
        let prefix = input.prefix.clone().unwrap_or_default();
        let after = input.continuation_token.unwrap_or_default();
        let region = input.bucket_region.as_ref();
        let is_here = region.is_none_or(|region| *region == self.account.region);
        let (found, next) = if is_here {
            self.some_buckets(&prefix, after, most).await?
        } else {
            (Vec::new(), None)
        };
        Ok(dto::ListBucketsOutput {
            buckets: Some(found),
            continuation_token: next,
            owner: Some(self.owner()),
            prefix: input.prefix,
        })
    }

    /// So many buckets, and the last of them if there are more.
    async fn some_buckets(
        &self,
        prefix: &str,
        mut after: String,
        most: usize,
    ) -> S3Result<(Vec<dto::Bucket>, Option<String>)> {
        let mut found: Vec<dto::Bucket> = Vec::new();
        loop {
            let page = self.objects.buckets(&after, PAGE).await;
            let page = page.map_err(|error| failure::of_objects(&error))?;
            let Some(last) = page.last() else {
                return Ok((found, None));
            };
            after.clone_from(&last.name);
            for bucket in page {
                if !bucket.name.starts_with(prefix) {
                    continue;
                }
                if found.len() == most {
                    let last = found.last().and_then(|bucket| bucket.name.clone());
                    return Ok((found, last));
                }
                found.push(dto::Bucket {
                    bucket_region: Some(self.account.region.clone()),
                    creation_date: Some(metadata::time(bucket.created)),
                    name: Some(bucket.name),
                });
            }
        }
    }

    pub(super) async fn make_bucket(
        &self,
        request: S3Request<dto::CreateBucketInput>,
    ) -> S3Result<dto::CreateBucketOutput> {
        let input = request.input;
        metadata::refuse(
            input.acl.as_ref().map(dto::BucketCannedACL::as_str),
            None,
            &[
                (
                    "x-amz-grant-*",
                    input.grant_full_control.is_some()
                        || input.grant_read.is_some()
                        || input.grant_read_acp.is_some()
                        || input.grant_write.is_some()
                        || input.grant_write_acp.is_some(),
                ),
                (
                    "x-amz-bucket-object-lock-enabled",
                    input.object_lock_enabled_for_bucket == Some(true),
                ),
            ],
        )?;
        let ownership = input.object_ownership.as_ref();
        if ownership.is_some_and(|ownership| ownership.as_str() != "BucketOwnerEnforced") {
            return Err(failure::not_here(
                "An object ownership other than BucketOwnerEnforced",
            ));
        }
        self.check_location(input.create_bucket_configuration.as_ref())?;
        let bucket = input.bucket;
        match self.objects.bucket(&bucket).await {
            Ok(_) if self.account.region != FIRST_REGION => {
                return Err(s3_error!(
                    BucketAlreadyOwnedByYou,
                    "Your previous request to create the named bucket succeeded and you already \
                     own it."
                ));
            }
            Ok(_) => {}
            Err(ObjectError::NoSuchBucket(_)) => self.check_room().await?,
            Err(error) => return Err(failure::of_objects(&error)),
        }
        match self.objects.create_bucket(&bucket).await {
            Ok(()) => Ok(dto::CreateBucketOutput {
                location: Some(format!("/{bucket}")),
            }),
            Err(ObjectError::InvalidName(why)) => Err(s3_error!(InvalidBucketName, "{why}.")),
            Err(error) => Err(failure::of_objects(&error)),
        }
    }

    fn check_location(&self, asked: Option<&dto::CreateBucketConfiguration>) -> S3Result<()> {
        let Some(asked) = asked else {
            return Ok(());
        };
        if asked.bucket.is_some() || asked.location.is_some() {
            return Err(failure::not_here("A directory bucket"));
        }
        let constraint = asked.location_constraint.as_ref();
        let constraint = constraint.map(dto::BucketLocationConstraint::as_str);
        match constraint {
            Some(region) if !region.is_empty() && region != self.account.region => Err(s3_error!(
                InvalidLocationConstraint,
                "The specified location constraint `{region}` is not valid; this is {}.",
                self.account.region
            )),
            Some(_) | None => Ok(()),
        }
    }

    async fn check_room(&self) -> S3Result<()> {
        let (mut count, mut after) = (0, String::new());
        loop {
            let page = self.objects.buckets(&after, PAGE).await;
            let page = page.map_err(|error| failure::of_objects(&error))?;
            let Some(last) = page.last() else {
                return Ok(());
            };
            after.clone_from(&last.name);
            count += page.len();
            if count >= BUCKETS_MAX {
                return Err(s3_error!(
                    TooManyBuckets,
                    "There are {BUCKETS_MAX} buckets, which is the most."
                ));
            }
        }
    }

    pub(super) async fn remove_bucket(
        &self,
        request: S3Request<dto::DeleteBucketInput>,
    ) -> S3Result<dto::DeleteBucketOutput> {
        let input = request.input;
        self.check_owner(input.expected_bucket_owner.as_deref())?;
        let removed = self.objects.delete_bucket(&input.bucket).await;
        removed.map_err(|error| failure::of_objects(&error))?;
        Ok(dto::DeleteBucketOutput {})
    }

    pub(super) async fn know_bucket(
        &self,
        request: S3Request<dto::HeadBucketInput>,
    ) -> S3Result<dto::HeadBucketOutput> {
        let input = request.input;
        self.check_owner(input.expected_bucket_owner.as_deref())?;
        self.check_bucket(&input.bucket).await?;
        Ok(dto::HeadBucketOutput {
            bucket_region: Some(self.account.region.clone()),
            ..Default::default()
        })
    }

    pub(super) async fn location(
        &self,
        request: S3Request<dto::GetBucketLocationInput>,
    ) -> S3Result<dto::GetBucketLocationOutput> {
        let input = request.input;
        self.check_owner(input.expected_bucket_owner.as_deref())?;
        self.check_bucket(&input.bucket).await?;
        let region = &self.account.region;
        let constraint = (region != FIRST_REGION).then(|| region.clone().into());
        Ok(dto::GetBucketLocationOutput {
            location_constraint: constraint,
        })
    }

    pub(super) async fn versioning(
        &self,
        request: S3Request<dto::GetBucketVersioningInput>,
    ) -> S3Result<dto::GetBucketVersioningOutput> {
        let input = request.input;
        self.check_owner(input.expected_bucket_owner.as_deref())?;
        self.check_bucket(&input.bucket).await?;
        let enabled = dto::BucketVersioningStatus::ENABLED;
        Ok(dto::GetBucketVersioningOutput {
            mfa_delete: None,
            status: Some(dto::BucketVersioningStatus::from_static(enabled)),
        })
    }

    /// Versioning is what it is: who asks for that has it, who asks for another is refused.
    pub(super) async fn keep_versioning(
        &self,
        request: S3Request<dto::PutBucketVersioningInput>,
    ) -> S3Result<dto::PutBucketVersioningOutput> {
        let input = request.input;
        self.check_owner(input.expected_bucket_owner.as_deref())?;
        self.check_bucket(&input.bucket).await?;
        let asked = input.versioning_configuration;
        let is_enabled = asked
            .status
            .is_some_and(|status| status.as_str() == dto::BucketVersioningStatus::ENABLED);
        let is_plain = asked
            .mfa_delete
            .is_none_or(|delete| delete.as_str() == "Disabled");
        if is_enabled && is_plain {
            return Ok(dto::PutBucketVersioningOutput {});
        }
        Err(failure::not_here(
            "Versioning other than Enabled, without MFA delete,",
        ))
    }
}
