//! Repositories on AWS: none can be read yet.

use std::path::Path;

use async_trait::async_trait;
use ports::{
    Repositories,
    repositories::{Commit, RepositoryError},
};

/// What to do instead.
const INSTEAD: &str = "Pipewright on AWS reads no CodeCommit repositories; let whatever pushes to it \
                       put a ZIP of the files into a bucket, and use an S3 source action";

/// Refuses everything that is asked of a repository, and says what to do instead.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoRepositories;

fn refused<T>(doing: &str, repository: &str) -> Result<T, RepositoryError> {
    Err(RepositoryError::Git {
        repository: repository.to_owned(),
        doing: doing.to_owned(),
        said: INSTEAD.to_owned(),
    })
}

#[async_trait]
impl Repositories for NoRepositories {
    async fn head(&self, repository: &str, _branch: &str) -> Result<Commit, RepositoryError> {
        refused("find a branch", repository)
    }

    async fn commit(&self, repository: &str, _id: &str) -> Result<Commit, RepositoryError> {
        refused("find a commit", repository)
    }

    async fn archive(
        &self,
        repository: &str,
        _commit: &Commit,
        _to: &Path,
    ) -> Result<(), RepositoryError> {
        refused("pack the files", repository)
    }

    async fn clone_url(&self, repository: &str) -> Result<String, RepositoryError> {
        refused("find what to clone", repository)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn everything_is_refused_with_what_to_do_instead() {
        let none = NoRepositories;
        let commit = Commit::default();
        for error in [
            none.head("r", "main").await.expect_err("there are none"),
            none.commit("r", "1").await.expect_err("there are none"),
            none.archive("r", &commit, Path::new("x"))
                .await
                .expect_err("there are none"),
            none.clone_url("r").await.expect_err("there are none"),
        ] {
            let said = error.to_string();
            assert!(said.contains("repository `r`"), "{said}");
            assert!(said.contains("use an S3 source action"), "{said}");
        }
    }
}
