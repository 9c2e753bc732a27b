//! What went wrong in the world, in the words of an action's failure (spec 60 §0.2).
//!
//! Every kind of error is named: a new one does not compile until somebody has decided what it
//! means. The rule of thumb: what the configuration names and is not there is a
//! `ConfigurationError`; a revision that is not there is `RevisionUnavailable`; what broke here is
//! `SystemUnavailable`.

use std::error::Error;

use model::job::{ErrorDetails, FailureType};
use ports::{StoreError, builds::BuildError, objects::ObjectError, repositories::RepositoryError};

/// How many causes are told.
const CAUSES_MAX: usize = 8;

/// Of an object that an S3 source reads (spec 60 §1.1).
pub(crate) fn of_source_object(error: &ObjectError) -> ErrorDetails {
    match error {
        ObjectError::NoSuchKey { .. } | ObjectError::NoSuchVersion { .. } => unavailable(error),
        ObjectError::NoSuchBucket(_) | ObjectError::InvalidName(_) => configuration(error),
        ObjectError::Denied { .. } => permission(told(error)),
        ObjectError::Exists { .. }
        | ObjectError::NotEmpty(_)
        | ObjectError::Precondition { .. }
        | ObjectError::Damaged { .. }
        | ObjectError::System { .. } => system(error),
    }
}

/// Of an artifact that an earlier action stored.
pub(crate) fn of_input(artifact: &str, error: &ObjectError) -> ErrorDetails {
    let text = format!(
        "input artifact `{artifact}` cannot be read: {}",
        told(error)
    );
    match error {
        ObjectError::NoSuchKey { .. }
        | ObjectError::NoSuchVersion { .. }
        | ObjectError::NoSuchBucket(_)
        | ObjectError::InvalidName(_) => ErrorDetails::configuration(text),
        ObjectError::Denied { .. } => permission(text),
        ObjectError::Exists { .. }
        | ObjectError::NotEmpty(_)
        | ObjectError::Precondition { .. }
        | ObjectError::Damaged { .. }
        | ObjectError::System { .. } => ErrorDetails::system(text),
    }
}

/// Of an artifact that this action stores.
pub(crate) fn of_output(artifact: &str, error: &ObjectError) -> ErrorDetails {
    let text = format!(
        "output artifact `{artifact}` cannot be stored: {}",
        told(error)
    );
    match error {
        ObjectError::NoSuchBucket(_) | ObjectError::InvalidName(_) => {
            ErrorDetails::configuration(text)
        }
        ObjectError::Denied { .. } => permission(text),
        ObjectError::NoSuchKey { .. }
        | ObjectError::NoSuchVersion { .. }
        | ObjectError::Exists { .. }
        | ObjectError::NotEmpty(_)
        | ObjectError::Precondition { .. }
        | ObjectError::Damaged { .. }
        | ObjectError::System { .. } => ErrorDetails::system(text),
    }
}

/// Of an object that an S3 deployment writes (spec 60 §5.1).
pub(crate) fn of_target(error: &ObjectError) -> ErrorDetails {
    match error {
        ObjectError::NoSuchBucket(_) | ObjectError::InvalidName(_) => configuration(error),
        ObjectError::Denied { .. } => permission(told(error)),
        ObjectError::NoSuchKey { .. }
        | ObjectError::NoSuchVersion { .. }
        | ObjectError::Exists { .. }
        | ObjectError::NotEmpty(_)
        | ObjectError::Precondition { .. }
        | ObjectError::Damaged { .. }
        | ObjectError::System { .. } => system(error),
    }
}

/// Of a repository (spec 60 §1.2).
pub(crate) fn of_repository(error: &RepositoryError) -> ErrorDetails {
    match error {
        RepositoryError::NoRevision { .. } => unavailable(error),
        // The folder behind the name is no repository, or not one that git will read.
        RepositoryError::NotFound(_) | RepositoryError::Git { .. } => configuration(error),
        RepositoryError::Io { .. } => system(error),
    }
}

/// Of whoever runs builds (spec 60 §2.1).
pub(crate) fn of_build(error: &BuildError) -> ErrorDetails {
    let text = format!("Error calling startBuild: {}", told(error));
    match error {
        BuildError::Refused(_) | BuildError::Input(_) => ErrorDetails::configuration(text),
        BuildError::System { .. } => ErrorDetails::system(text),
    }
}

/// Of the store.
pub(crate) fn of_store(error: &StoreError) -> ErrorDetails {
    match error {
        StoreError::Conflict
        | StoreError::Ambiguous
        | StoreError::Unavailable { .. }
        | StoreError::Corrupt { .. }
        | StoreError::TooLarge { .. } => system(error),
    }
}

/// Of a file of ours.
pub(crate) fn of_io(doing: &str, error: &std::io::Error) -> ErrorDetails {
    ErrorDetails::system(format!("failed to {doing}: {error}"))
}

fn unavailable(error: &dyn Error) -> ErrorDetails {
    ErrorDetails {
        code: FailureType::RevisionUnavailable,
        message: told(error),
    }
}

fn permission(message: String) -> ErrorDetails {
    ErrorDetails {
        code: FailureType::PermissionError,
        message,
    }
}

fn configuration(error: &dyn Error) -> ErrorDetails {
    ErrorDetails::configuration(told(error))
}

fn system(error: &dyn Error) -> ErrorDetails {
    ErrorDetails::system(told(error))
}

/// An error with its causes, in one line.
fn told(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    for _ in 0..CAUSES_MAX {
        let Some(found) = cause else { break };
        text.push_str(": ");
        text.push_str(&found.to_string());
        cause = found.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use FailureType::{
        ConfigurationError, PermissionError, RevisionUnavailable, SystemUnavailable,
    };

    use super::*;

    fn object_errors() -> [ObjectError; 7] {
        let (bucket, key) = ("b".to_owned(), "k".to_owned());
        [
            ObjectError::NoSuchBucket(bucket.clone()),
            ObjectError::NoSuchKey {
                bucket: bucket.clone(),
                key: key.clone(),
            },
            ObjectError::NoSuchVersion {
                bucket: bucket.clone(),
                key: key.clone(),
                version: "v".to_owned(),
            },
            ObjectError::InvalidName("the key is empty".to_owned()),
            ObjectError::Damaged { bucket, key },
            ObjectError::Denied {
                doing: "read".to_owned(),
                source: "403 AccessDenied".into(),
            },
            ObjectError::System {
                doing: "read".to_owned(),
                source: "no such device".into(),
            },
        ]
    }

    #[test]
    fn every_failure_of_an_object_store_has_its_meaning() {
        let (c, r, s) = (ConfigurationError, RevisionUnavailable, SystemUnavailable);
        let p = PermissionError;
        let errors = object_errors();
        let codes = |of: fn(&ObjectError) -> ErrorDetails| errors.each_ref().map(|e| of(e).code);
        assert_eq!(codes(of_source_object), [c, r, r, c, s, p, s]);
        assert_eq!(codes(|e| of_input("A", e)), [c, c, c, c, s, p, s]);
        assert_eq!(codes(|e| of_output("A", e)), [c, s, s, c, s, p, s]);
        assert_eq!(codes(of_target), [c, s, s, c, s, p, s]);
    }

    #[test]
    fn every_failure_of_a_repository_has_its_meaning() {
        let git = RepositoryError::Git {
            repository: "r".to_owned(),
            doing: "look".to_owned(),
            said: "not a git repository".to_owned(),
        };
        let gone = RepositoryError::NoRevision {
            repository: "r".to_owned(),
            revision: "main".to_owned(),
        };
        let io = RepositoryError::Io {
            doing: "write".to_owned(),
            source: std::io::ErrorKind::StorageFull.into(),
        };
        assert_eq!(
            of_repository(&RepositoryError::NotFound("r".to_owned())).code,
            ConfigurationError
        );
        assert_eq!(of_repository(&git).code, ConfigurationError);
        assert_eq!(of_repository(&gone).code, RevisionUnavailable);
        assert_eq!(of_repository(&io).code, SystemUnavailable);
    }

    #[test]
    fn every_failure_of_a_build_runner_has_its_meaning() {
        let refused = of_build(&BuildError::Refused("no image".to_owned()));
        assert_eq!(refused.code, ConfigurationError);
        assert_eq!(refused.message, "Error calling startBuild: no image");
        let input = of_build(&BuildError::Input("gone".to_owned()));
        assert_eq!(input.code, ConfigurationError);
        let system = of_build(&BuildError::System {
            doing: "start".to_owned(),
            source: std::io::Error::other("no room"),
        });
        assert_eq!(system.code, SystemUnavailable);
        assert_eq!(
            system.message,
            "Error calling startBuild: failed to start: no room"
        );
    }
}
