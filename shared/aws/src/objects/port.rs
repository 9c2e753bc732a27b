//! The port.

use std::{collections::BTreeMap, fs::File, path::Path};

use async_trait::async_trait;
use ports::{
    ObjectStore,
    objects::{
        BucketInfo, DeleteObject, Deleted, ListObjects, ListVersions, ObjectError, ObjectInfo,
        Page, PutObject, PutTerms, Version, VersionsPage,
    },
};

use super::{Objects, Place};

fn place<'a>(bucket: &'a str, key: &'a str, version: Option<&'a str>) -> Place<'a> {
    Place {
        bucket,
        key,
        version,
    }
}

#[async_trait]
impl ObjectStore for Objects {
    async fn create_bucket(&self, bucket: &str) -> Result<(), ObjectError> {
        self.make_bucket(bucket).await
    }

    async fn bucket(&self, bucket: &str) -> Result<BucketInfo, ObjectError> {
        self.bucket_info(bucket).await
    }

    async fn buckets(&self, after: &str, limit: usize) -> Result<Vec<BucketInfo>, ObjectError> {
        self.list_buckets(after, limit).await
    }

    async fn delete_bucket(&self, bucket: &str) -> Result<(), ObjectError> {
        self.remove_bucket(bucket).await
    }

    async fn put_on(
        &self,
        object: PutObject<'_>,
        terms: PutTerms<'_>,
    ) -> Result<ObjectInfo, ObjectError> {
        self.put_one(object, terms).await
    }

    async fn head(
        &self,
        bucket: &str,
        key: &str,
        version: Option<&str>,
    ) -> Result<ObjectInfo, ObjectError> {
        self.head_one(place(bucket, key, version)).await
    }

    async fn version(
        &self,
        bucket: &str,
        key: &str,
        version: Option<&str>,
    ) -> Result<Version, ObjectError> {
        self.version_one(place(bucket, key, version)).await
    }

    async fn get(
        &self,
        bucket: &str,
        key: &str,
        version: Option<&str>,
        to: &Path,
    ) -> Result<ObjectInfo, ObjectError> {
        self.get_one(place(bucket, key, version), to).await
    }

    async fn open(
        &self,
        bucket: &str,
        key: &str,
        version: Option<&str>,
    ) -> Result<(ObjectInfo, File), ObjectError> {
        self.open_one(place(bucket, key, version)).await
    }

    async fn list_page(&self, request: ListObjects<'_>) -> Result<Page, ObjectError> {
        self.page(request).await
    }

    async fn list_versions(&self, request: ListVersions<'_>) -> Result<VersionsPage, ObjectError> {
        self.versions_page(request).await
    }

    async fn delete(&self, request: DeleteObject<'_>) -> Result<Deleted, ObjectError> {
        self.delete_one(request).await
    }

    async fn set_tags(
        &self,
        bucket: &str,
        key: &str,
        version: Option<&str>,
        tags: BTreeMap<String, String>,
    ) -> Result<String, ObjectError> {
        self.set_tags_of(place(bucket, key, version), tags).await
    }
}
