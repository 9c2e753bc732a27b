//! Giving out keys.

use std::time::Duration;

use model::Timestamp;
use ports::access_keys::{AccessKey, AccessKeysError, KeyStatus, NEW, SealedSession};

use crate::{
    DESCRIPTION_BYTES_MAX, Keyring, KeyringError, Kind, LIFETIME_MAX, USER_NAME_LENGTH_MAX, draw,
    read_policies,
};
use access::keys::Secret;

/// How many ids are drawn until one is free; the first one is.
const DRAWS_MAX: usize = 3;

/// Who is to have a key, and what it is to be good for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Issue {
    /// The name of the user: letters, digits and `+=,.@_-`.
    pub user: String,
    /// Policy documents; nothing is allowed without one.
    pub policies: Vec<String>,
    pub description: Option<String>,
    /// Of temporary credentials.
    pub lifetime: Option<Duration>,
}

/// A key that was given out. Nobody is told its secret again.
#[derive(Clone, Debug)]
pub struct Issued {
    pub id: String,
    pub secret: Secret,
    /// Of temporary credentials, with their end.
    pub session: Option<(Secret, Timestamp)>,
}

impl Keyring {
    /// Gives out a new key; it is on disk when this returns.
    pub async fn issue(&self, issue: Issue) -> Result<Issued, KeyringError> {
        check(&issue)?;
        let _held = self.changes.lock().await;
        self.add(issue).await
    }

    /// Gives out a key that was checked, to whoever holds the changes.
    pub(super) async fn add(&self, issue: Issue) -> Result<Issued, KeyringError> {
        let now = self.clock.now();
        let random = &*self.random;
        let expires = issue.lifetime.map(|lifetime| now.plus(lifetime));
        let secret = draw::secret(random);
        let token = expires.map(|expires| (draw::token(random), expires));
        let mut key = AccessKey {
            id: String::new(),
            sealed_secret: Vec::new(),
            user: issue.user,
            policies: issue.policies,
            status: KeyStatus::Enabled,
            created: now,
            disabled_at: None,
            last_used: None,
            description: issue.description,
            session: expires.map(|expires| SealedSession {
                sealed_token: Vec::new(),
                expires,
            }),
        };
        for _ in 0..DRAWS_MAX {
            key.id = draw::id(random, expires.is_some());
            self.seal(&mut key, &secret, token.as_ref().map(|(token, _)| token));
            match self.keys.put(&key, NEW).await {
                Ok(_) => {
                    return Ok(Issued {
                        id: key.id,
                        secret,
                        session: token,
                    });
                }
                Err(AccessKeysError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(KeyringError::NoFreeId)
    }

    /// Seals the secrets of a key as it is now.
    pub(super) fn seal(&self, key: &mut AccessKey, secret: &Secret, token: Option<&Secret>) {
        let sealer = self.sealers().current;
        let random = &*self.random;
        key.sealed_secret = sealer.seal(Kind::Secret, key, secret, random);
        if let Some(token) = token {
            let sealed = sealer.seal(Kind::Token, key, token, random);
            if let Some(session) = &mut key.session {
                session.sealed_token = sealed;
            }
        }
    }
}

fn check(issue: &Issue) -> Result<(), KeyringError> {
    let is_known = |c: char| c.is_ascii_alphanumeric() || "+=,.@_-".contains(c);
    let length = issue.user.chars().count();
    if !(1..=USER_NAME_LENGTH_MAX).contains(&length) || !issue.user.chars().all(is_known) {
        return Err(KeyringError::User(issue.user.clone()));
    }
    let described = issue.description.as_ref().map_or(0, String::len);
    if described > DESCRIPTION_BYTES_MAX {
        return Err(KeyringError::Description(described));
    }
    let lifetimes = Duration::from_secs(1)..=LIFETIME_MAX;
    if issue.lifetime.is_some_and(|it| !lifetimes.contains(&it)) {
        return Err(KeyringError::Lifetime);
    }
    read_policies(&issue.policies).map(drop)
}
