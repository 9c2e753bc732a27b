//! What a function does without: whoever asks for it all the same is told so, and nothing is made up.

use std::{collections::BTreeMap, fs::File, path::Path, sync::Arc};

use async_trait::async_trait;
use model::{
    AttemptKey, Change, Input, Job,
    build::{BuildOrder, BuildState},
    effect::ApprovalRequest,
};
use ports::{
    BuildRunner, EventBus, ObjectStore, Queues, StoreError,
    builds::BuildError,
    objects::{
        BucketInfo, DeleteObject, Deleted, ListObjects, ListVersions, ObjectError, ObjectInfo,
        Page, PutObject, PutTerms, Version, VersionsPage,
    },
};
use thiserror::Error;

/// Stands where a part of the world would be that the function was not made for.
#[derive(Clone, Copy, Debug)]
pub struct Absent;

#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("this function has no {0}: it was not made for what needs them")]
struct Missing(&'static str);

fn no_queue<T>() -> Result<T, StoreError> {
    Err(StoreError::Unavailable {
        doing: "send a message".to_owned(),
        source: Box::new(Missing("queues")),
    })
}

fn no_bus<T>() -> Result<T, StoreError> {
    Err(StoreError::Unavailable {
        doing: "announce a change".to_owned(),
        source: Box::new(Missing("events")),
    })
}

fn no_builds<T>() -> Result<T, BuildError> {
    Err(BuildError::System {
        doing: "run a build".to_owned(),
        source: std::io::Error::other(Missing("builds")),
    })
}

fn no_objects<T>() -> Result<T, ObjectError> {
    Err(ObjectError::System {
        doing: "use a bucket".to_owned(),
        source: Box::new(Missing("buckets")),
    })
}

#[async_trait]
impl Queues for Absent {
    async fn offer(&self, _job: Arc<Job>) -> Result<(), StoreError> {
        no_queue()
    }

    async fn cancel(&self, _key: &AttemptKey) -> Result<(), StoreError> {
        no_queue()
    }

    async fn send(&self, _pipeline: &str, _input: Input) -> Result<(), StoreError> {
        no_queue()
    }
}

#[async_trait]
impl EventBus for Absent {
    async fn publish(&self, _changes: &[Change]) -> Result<(), StoreError> {
        no_bus()
    }

    async fn ask(&self, _request: &ApprovalRequest) -> Result<(), StoreError> {
        no_bus()
    }
}

#[async_trait]
impl BuildRunner for Absent {
    async fn start(&self, _order: BuildOrder) -> Result<(), BuildError> {
        no_builds()
    }

    async fn state(&self, _id: &str) -> Result<BuildState, BuildError> {
        no_builds()
    }

    async fn stop(&self, _id: &str) -> Result<(), BuildError> {
        no_builds()
    }
}

#[async_trait]
impl ObjectStore for Absent {
    async fn create_bucket(&self, _bucket: &str) -> Result<(), ObjectError> {
        no_objects()
    }

    async fn bucket(&self, _bucket: &str) -> Result<BucketInfo, ObjectError> {
        no_objects()
    }

    async fn buckets(&self, _after: &str, _limit: usize) -> Result<Vec<BucketInfo>, ObjectError> {
        no_objects()
    }

    async fn delete_bucket(&self, _bucket: &str) -> Result<(), ObjectError> {
        no_objects()
    }

    async fn put_on(
        &self,
        _object: PutObject<'_>,
        _terms: PutTerms<'_>,
    ) -> Result<ObjectInfo, ObjectError> {
        no_objects()
    }

    async fn head(
        &self,
        _bucket: &str,
        _key: &str,
        _version: Option<&str>,
    ) -> Result<ObjectInfo, ObjectError> {
        no_objects()
    }

    async fn version(
        &self,
        _bucket: &str,
        _key: &str,
        _version: Option<&str>,
    ) -> Result<Version, ObjectError> {
        no_objects()
    }

    async fn get(
        &self,
        _bucket: &str,
        _key: &str,
        _version: Option<&str>,
        _to: &Path,
    ) -> Result<ObjectInfo, ObjectError> {
        no_objects()
    }

    async fn open(
        &self,
        _bucket: &str,
        _key: &str,
        _version: Option<&str>,
    ) -> Result<(ObjectInfo, File), ObjectError> {
        no_objects()
    }

    async fn list_page(&self, _request: ListObjects<'_>) -> Result<Page, ObjectError> {
        no_objects()
    }

    async fn list_versions(&self, _request: ListVersions<'_>) -> Result<VersionsPage, ObjectError> {
        no_objects()
    }

    async fn delete(&self, _request: DeleteObject<'_>) -> Result<Deleted, ObjectError> {
        no_objects()
    }

    async fn set_tags(
        &self,
        _bucket: &str,
        _key: &str,
        _version: Option<&str>,
        _tags: BTreeMap<String, String>,
    ) -> Result<String, ObjectError> {
        no_objects()
    }
}

#[cfg(test)]
mod tests {
    use crate::telemetry::chain;

    use super::*;

    #[tokio::test]
    async fn what_is_not_there_says_so() {
        let queued = Absent.send("web", Input::Tick).await.expect_err("no queue");
        assert!(chain(&queued).contains("no queues"), "{queued}");
        let published = Absent.publish(&[]).await.expect_err("no bus");
        assert!(chain(&published).contains("no events"), "{published}");
        let built = Absent.state("a").await.expect_err("no builds");
        assert!(chain(&built).contains("no builds"), "{built}");
        let found = Absent.head("b", "k", None).await.expect_err("no buckets");
        assert!(chain(&found).contains("no buckets"), "{found}");
    }
}
