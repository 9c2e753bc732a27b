//! Whose request it is: everything that is to be checked before anybody is believed to be somebody.

mod signing_keys;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use model::Timestamp;
use subtle::ConstantTimeEq;
use thiserror::Error;

use crate::{
    keys::{Holder, Keys, KeysError, Session},
    sigv4::{Authorization, Refusal, Request, Scope},
};
use signing_keys::SigningKeys;

/// Why nobody is believed to have sent a request.
#[derive(Debug, Error)]
pub enum AuthenticationError {
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// No enabled key has that id, or the session token is not its own.
    #[error("The security token included in the request is invalid.")]
    Unrecognized,
    #[error("The security token included in the request is expired")]
    Expired,
    /// Nobody can be looked up now.
    #[error(transparent)]
    Keys(#[from] KeysError),
}

impl AuthenticationError {
    /// The name of the exception that the client is told (spec 10 §2).
    pub fn exception(&self) -> &'static str {
        match self {
            Self::Refused(Refusal::Missing) => "MissingAuthenticationTokenException",
            Self::Refused(Refusal::Incomplete(_)) => "IncompleteSignatureException",
            Self::Refused(Refusal::Invalid(_)) => "InvalidSignatureException",
            Self::Unrecognized => "UnrecognizedClientException",
            Self::Expired => "ExpiredTokenException",
            Self::Keys(_) => "InternalFailure",
        }
    }
}

/// Finds out who sent a request.
pub struct Authenticator {
    keys: Arc<dyn Keys>,
    signing_keys: SigningKeys,
}

/// What a request whose key nobody has is checked against, so that it takes as long as any other.
const NOBODYS_SECRET: &str = "nobody-has-this-key-and-nothing-matches-it";

impl Authenticator {
    pub fn new(keys: Arc<dyn Keys>) -> Self {
        Self {
            keys,
            signing_keys: SigningKeys::default(),
        }
    }

    /// The holder of the key with which the request was signed, for that scope and not long ago.
    pub async fn authenticate(
        &self,
        request: &Request<'_>,
        expected: Scope<'_>,
        now: Timestamp,
    ) -> Result<Arc<Holder>, AuthenticationError> {
        let said = Authorization::read(request)?;
        check_scope(&said, expected)?;
        said.check_time(now)?;
        let holder = self.keys.holder(&said.access_key).await?;
        let (id, secret) = match &holder {
            Some(holder) => (holder.access_key.as_str(), holder.secret.reveal()),
            None => ("", NOBODYS_SECRET),
        };
        let key = self.signing_keys.get(id, secret, said.day(), expected);
        let verified = said.verify_with(request, &key, now);
        let holder = holder.ok_or(AuthenticationError::Unrecognized)?;
        if !is_token_right(holder.session.as_ref(), said.session_token.as_deref()) {
            return Err(AuthenticationError::Unrecognized);
        }
        verified?;
        let expires = holder.session.as_ref().map(|session| session.expires);
        if expires.is_some_and(|expires| expires <= now) {
            return Err(AuthenticationError::Expired);
        }
        self.keys.used(&holder.access_key).await;
        Ok(holder)
    }
}

/// A signature for one service or region is worth nothing to another.
fn check_scope(said: &Authorization, expected: Scope<'_>) -> Result<(), Refusal> {
    let Scope { region, service } = expected;
    if said.region != region {
        return Err(Refusal::Invalid(format!(
            "Credential should be scoped to a valid region: this server's is '{region}'."
        )));
    }
    if said.service != service {
        return Err(Refusal::Invalid(format!(
            "Credential should be scoped to correct service: '{service}'."
        )));
    }
    Ok(())
}

/// Whether temporary credentials came with their token, and others with none.
fn is_token_right(session: Option<&Session>, said: Option<&str>) -> bool {
    match (session, said) {
        (None, None) => true,
        (Some(session), Some(said)) => {
            let token = session.token.reveal().as_bytes();
            token.ct_eq(said.as_bytes()).into()
        }
        (Some(_), None) | (None, Some(_)) => false,
    }
}
