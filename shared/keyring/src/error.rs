//! Why a key was not given out or changed.

use std::fmt;

use ports::access_keys::AccessKeysError;
use thiserror::Error;

use crate::{DESCRIPTION_BYTES_MAX, LIFETIME_MAX, POLICIES_MAX, USER_NAME_LENGTH_MAX};
use access::policy::PolicyError;

#[derive(Debug, Error)]
pub enum KeyringError {
    #[error("there is no access key `{0}`")]
    NotFound(String),
    #[error(
        "`{0}` is no name of a user: it must have 1 to {USER_NAME_LENGTH_MAX} letters, digits and \
         characters of `+=,.@_-`"
    )]
    User(String),
    #[error("the description takes {0} bytes, and the most is {DESCRIPTION_BYTES_MAX}")]
    Description(usize),
    #[error("there are {0} policies, and the most is {POLICIES_MAX}")]
    TooManyPolicies(usize),
    /// Every document that is wrong.
    #[error("{}", list(.0))]
    Policies(Vec<PolicyProblem>),
    #[error(
        "temporary credentials are good for 1 second to {} hours",
        LIFETIME_MAX.as_secs() / 3600
    )]
    Lifetime,
    /// Nobody could give out keys any more.
    #[error(
        "access key `{0}` is the last one that may do everything; give out another one first, or \
         use --force"
    )]
    LastFullRights(String),
    #[error("access key `{0}` is not enabled; enable it or issue a new one")]
    NotEnabled(String),
    #[error("access key `{0}` is temporary: it cannot be changed, only disabled and deleted")]
    Temporary(String),
    /// The store was changed by hand, or it is another installation's.
    #[error(
        "the secret of access key `{0}` cannot be unsealed: the master key is another one, or the \
         stored key was changed; delete it and issue a new one"
    )]
    Sealed(String),
    #[error("no id was free that was drawn; try again")]
    NoFreeId,
    #[error(transparent)]
    Store(#[from] AccessKeysError),
}

/// What is wrong with one policy document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyProblem {
    /// Which of those that were given, from 0.
    pub document: usize,
    pub error: PolicyError,
}

impl fmt::Display for PolicyProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "policy {}: {}", self.document + 1, self.error)
    }
}

fn list(problems: &[PolicyProblem]) -> String {
    let all: Vec<String> = problems.iter().map(ToString::to_string).collect();
    all.join("; ")
}
