//! What somebody did in a room that keeps no trail of its own: an extension of its answer, from which
//! the router makes a record.

use access::Caller;
use http::StatusCode;
use ports::audit::UserIdentity;

use super::answer::Answer;

#[derive(Clone, Debug)]
pub struct Visit {
    /// `codecommit`
    pub service: &'static str,
    /// `GitPush`
    pub operation: &'static str,
    pub user: UserIdentity,
    /// What it was done to, as an ARN or a name.
    pub resource: String,
    pub only_reads: bool,
}

impl Visit {
    /// Leaves a note of the visit with the answer.
    #[must_use]
    pub fn noted(self, mut answer: Answer) -> Answer {
        answer.extensions_mut().insert(self);
        answer
    }
}

/// Who a caller is, for the trail; nobody, if nobody proved to be anybody.
pub fn identity(caller: Option<&Caller>) -> UserIdentity {
    let known = caller.and_then(|caller| Some((caller.arn(), caller.access_key()?)));
    match known {
        Some((arn, access_key)) => UserIdentity::User {
            name: arn.rsplit('/').next().unwrap_or_default().to_owned(),
            arn: arn.to_owned(),
            access_key: access_key.to_owned(),
            is_session: is_temporary(access_key),
        },
        None => UserIdentity::Unknown { access_key: None },
    }
}

/// Whether the id is that of temporary credentials: they begin otherwise than lasting ones.
pub fn is_temporary(access_key: &str) -> bool {
    access_key.starts_with(keyring::TEMPORARY_PREFIX)
}

/// The error of an answer, for the trail.
pub fn error_of(answer: &Answer) -> Option<(String, String)> {
    let status = answer.status();
    let is_error = status.is_client_error() || status.is_server_error();
    let code = match status {
        StatusCode::UNAUTHORIZED => "Unauthorized".to_owned(),
        StatusCode::FORBIDDEN => "AccessDenied".to_owned(),
        other => other.as_u16().to_string(),
    };
    is_error.then(|| (code, String::new()))
}
