//! What is the embedded store's own: its file, its memory, its failures.

mod failures;
mod file;
mod memory;

use ports::{
    PipelineStore, StoreError,
    contract::pipelines::fixture::{PIPELINE, begin, id, new_pipeline},
    store::{Commit, Loaded},
};

use super::Store;

async fn load(store: &Store, pipeline: &str) -> Loaded {
    store.load(pipeline, None).await.unwrap().unwrap()
}

/// A store with a pipeline in which one execution runs.
async fn begun(store: Store) -> Store {
    store.commit(new_pipeline(PIPELINE)).await.unwrap();
    let (commit, _) = begin(&load(&store, PIPELINE).await, 1);
    store.commit(commit).await.unwrap();
    store
}

/// The next execution of the pipeline.
async fn next(store: &Store, number: u128) -> Commit {
    begin(&load(store, PIPELINE).await, number).0
}

/// An error with its causes, as a person reads them.
fn told(error: &StoreError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
