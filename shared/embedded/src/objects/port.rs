//! The port, each call of it as work that may block.

use std::{collections::BTreeMap, fs::File, path::Path};

use async_trait::async_trait;
use ports::{
    ObjectStore,
    objects::{
        BucketInfo, DeleteObject, Deleted, ListObjects, ListVersions, ObjectError, ObjectInfo,
        Page, Precondition, PutObject, PutTerms, Version, VersionsPage,
    },
};

use super::{LIST_MAX, Objects, OwnedPut, check_bucket, index::Condition};

#[async_trait]
impl ObjectStore for Objects {
    async fn create_bucket(&self, bucket: &str) -> Result<(), ObjectError> {
        let bucket = bucket.to_owned();
        self.blocking(move |inner| {
            check_bucket(&bucket)?;
            inner.index().create_bucket(&bucket, inner.clock.now())
        })
        .await
    }

    async fn bucket(&self, bucket: &str) -> Result<BucketInfo, ObjectError> {
        let bucket = bucket.to_owned();
        self.blocking(move |inner| inner.index().bucket(&bucket))
            .await
    }

    async fn buckets(&self, after: &str, limit: usize) -> Result<Vec<BucketInfo>, ObjectError> {
        let after = after.to_owned();
        let limit = limit.min(LIST_MAX);
        self.blocking(move |inner| inner.index().buckets(&after, limit))
            .await
    }

    async fn delete_bucket(&self, bucket: &str) -> Result<(), ObjectError> {
        let bucket = bucket.to_owned();
        self.blocking(move |inner| inner.index().delete_bucket(&bucket))
            .await
    }

    async fn put_on(
        &self,
        object: PutObject<'_>,
        terms: PutTerms<'_>,
    ) -> Result<ObjectInfo, ObjectError> {
        let put = OwnedPut {
            bucket: object.bucket.to_owned(),
            key: object.key.to_owned(),
            from: object.from.to_owned(),
            metadata: object.metadata,
            etag: terms.etag.map(str::to_owned),
            condition: match (terms.only_if, object.create_only) {
                (Some(Precondition::Absent), _) => Condition::New,
                (Some(Precondition::Is(tag)), _) => Condition::Tag(tag.to_owned()),
                (None, true) => Condition::NewOrSame,
                (None, false) => Condition::Nothing,
            },
        };
        self.blocking(move |inner| inner.put(put)).await
    }

    async fn head(
        &self,
        bucket: &str,
        key: &str,
        version: Option<&str>,
    ) -> Result<ObjectInfo, ObjectError> {
        let (bucket, key) = (bucket.to_owned(), key.to_owned());
        let version = version.map(str::to_owned);
        self.blocking(move |inner| inner.index().head(&bucket, &key, version.as_deref()))
            .await
    }

    async fn version(
        &self,
        bucket: &str,
        key: &str,
        version: Option<&str>,
    ) -> Result<Version, ObjectError> {
        let (bucket, key) = (bucket.to_owned(), key.to_owned());
        let version = version.map(str::to_owned);
        self.blocking(move |inner| inner.index().version(&bucket, &key, version.as_deref()))
            .await
    }

    async fn get(
        &self,
        bucket: &str,
        key: &str,
        version: Option<&str>,
        to: &Path,
    ) -> Result<ObjectInfo, ObjectError> {
        let (bucket, key, to) = (bucket.to_owned(), key.to_owned(), to.to_owned());
        let version = version.map(str::to_owned);
        self.blocking(move |inner| inner.get(&bucket, &key, version.as_deref(), &to))
            .await
    }

    async fn open(
        &self,
        bucket: &str,
        key: &str,
        version: Option<&str>,
    ) -> Result<(ObjectInfo, File), ObjectError> {
        let (bucket, key) = (bucket.to_owned(), key.to_owned());
        let version = version.map(str::to_owned);
        self.blocking(move |inner| inner.open(&bucket, &key, version.as_deref()))
            .await
    }

    async fn list_page(&self, request: ListObjects<'_>) -> Result<Page, ObjectError> {
        let (bucket, prefix) = (request.bucket.to_owned(), request.prefix.to_owned());
        let (delimiter, from) = (request.delimiter.to_owned(), request.from.to_owned());
        let limit = request.limit.min(LIST_MAX);
        self.blocking(move |inner| {
            inner.index().list_page(ListObjects {
                bucket: &bucket,
                prefix: &prefix,
                delimiter: &delimiter,
                from: &from,
                limit,
            })
        })
        .await
    }

    async fn list_versions(&self, request: ListVersions<'_>) -> Result<VersionsPage, ObjectError> {
        let (bucket, prefix) = (request.bucket.to_owned(), request.prefix.to_owned());
        let (delimiter, from) = (request.delimiter.to_owned(), request.from.to_owned());
        let past = request.past.map(str::to_owned);
        let limit = request.limit.min(LIST_MAX);
        self.blocking(move |inner| {
            inner.index().list_versions(ListVersions {
                bucket: &bucket,
                prefix: &prefix,
                delimiter: &delimiter,
                from: &from,
                past: past.as_deref(),
                limit,
            })
        })
        .await
    }

    async fn delete(&self, request: DeleteObject<'_>) -> Result<Deleted, ObjectError> {
        let (bucket, key) = (request.bucket.to_owned(), request.key.to_owned());
        let version = request.version.map(str::to_owned);
        let only_if = request.only_if.map(str::to_owned);
        self.blocking(move |inner| {
            inner.delete(&DeleteObject {
                bucket: &bucket,
                key: &key,
                version: version.as_deref(),
                only_if: only_if.as_deref(),
            })
        })
        .await
    }

    async fn set_tags(
        &self,
        bucket: &str,
        key: &str,
        version: Option<&str>,
        tags: BTreeMap<String, String>,
    ) -> Result<String, ObjectError> {
        let (bucket, key) = (bucket.to_owned(), key.to_owned());
        let version = version.map(str::to_owned);
        self.blocking(move |inner| {
            let mut index = inner.index();
            index.set_tags(&bucket, &key, version.as_deref(), tags)
        })
        .await
    }
}
