//! The ring of access keys: gives them out, changes them, takes them back, and knows whose they are.
//!
//! Secrets are sealed before they are stored, together with what they are good for, so neither can
//! be read or changed in the store. What was unsealed is kept in memory until the key is changed;
//! that is safe because one process has the store, and every change goes through this ring.

mod cache;
mod change;
mod draw;
mod error;
mod issue;
mod rewrap;
mod seal;
#[cfg(test)]
mod tests;

use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use async_trait::async_trait;
use model::Timestamp;
use ports::{
    AccessKeys, Clock, Random,
    access_keys::{AccessKey, KeyStatus, StoredKey},
};
use tokio::sync::Mutex;

use access::{
    keys::{Holder, Keys, KeysError, Secret, Session},
    policy::{Effect, Policy},
};
use cache::{Cache, Cached};
pub use draw::TEMPORARY_PREFIX;
pub use error::{KeyringError, PolicyProblem};
pub use issue::{Issue, Issued};
use seal::{Kind, Sealer};

/// How many policy documents a key may have.
pub const POLICIES_MAX: usize = 10;

/// The longest name of a user, as IAM's.
pub const USER_NAME_LENGTH_MAX: usize = 64;

/// The longest description of a key, in bytes.
pub const DESCRIPTION_BYTES_MAX: usize = 1_000;

/// How long temporary credentials may be good, as IAM's.
pub const LIFETIME_MAX: Duration = Duration::from_hours(36);

/// How exactly the last use of a key is known.
const USE_STEP: Duration = Duration::from_hours(1);

/// How many keys are read from the store at once.
const PAGE: usize = 100;

/// All access keys of one installation.
pub struct Keyring {
    keys: Arc<dyn AccessKeys>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    account: String,
    sealers: RwLock<Sealers>,
    cache: Cache,
    /// Held by whoever changes keys, so that two changes cannot each count on the other's key.
    changes: Mutex<()>,
}

/// What opens and seals secrets.
#[derive(Clone)]
struct Sealers {
    current: Sealer,
    /// While everything is sealed again: what it is sealed with.
    next: Option<Sealer>,
}

/// What a ring is made of.
pub struct KeyringOptions {
    pub keys: Arc<dyn AccessKeys>,
    pub clock: Arc<dyn Clock>,
    pub random: Arc<dyn Random>,
    /// The id of the account that users belong to: `000000000000`.
    pub account: String,
    /// Seals the secrets; derived from the master key for nothing else.
    pub sealing_key: [u8; 32],
}

/// An access key without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyInfo {
    pub id: String,
    pub user: String,
    /// Policy documents, as they were given.
    pub policies: Vec<String>,
    /// Whether requests that are signed with it are taken now.
    pub is_enabled: bool,
    pub created: Timestamp,
    /// When it stopped to be good; in the future, when it will.
    pub disabled_at: Option<Timestamp>,
    /// When it was last used, within an hour.
    pub last_used: Option<Timestamp>,
    pub description: Option<String>,
    /// Of temporary credentials.
    pub expires: Option<Timestamp>,
}

/// A key with its secrets in clear.
struct Opened {
    stored: StoredKey,
    secret: Secret,
    token: Option<Secret>,
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring").finish_non_exhaustive()
    }
}

impl Keyring {
    pub fn new(options: KeyringOptions) -> Self {
        let current = Sealer::new(&options.sealing_key);
        Self {
            keys: options.keys,
            clock: options.clock,
            random: options.random,
            account: options.account,
            sealers: RwLock::new(Sealers {
                current,
                next: None,
            }),
            cache: Cache::default(),
            changes: Mutex::new(()),
        }
    }

    /// Up to `limit` keys with ids after `after`, in order of id; none is the end.
    pub async fn list(&self, after: &str, limit: usize) -> Result<Vec<KeyInfo>, KeyringError> {
        let now = self.clock.now();
        let page = self.keys.list(after, limit).await?;
        let infos = page.into_iter().map(|stored| info(stored.key, now));
        Ok(infos.collect())
    }

    /// One key.
    pub async fn get(&self, id: &str) -> Result<KeyInfo, KeyringError> {
        let stored = self.stored(id).await?;
        Ok(info(stored.key, self.clock.now()))
    }

    /// Notes that the key was used now; to be called when a request was verified.
    ///
    /// It writes once an hour at most. When somebody changes the key at the same time, it is noted
    /// the next time.
    pub async fn note_use(&self, id: &str) -> Result<(), KeyringError> {
        let now = self.clock.now();
        if !self.cache.is_use_to_note(id, now, USE_STEP) {
            return Ok(());
        }
        let _held = self.changes.lock().await;
        let StoredKey { mut key, version } = self.stored(id).await?;
        key.last_used = Some(now);
        self.keys.put(&key, version).await?;
        Ok(())
    }

    async fn stored(&self, id: &str) -> Result<StoredKey, KeyringError> {
        let stored = self.keys.get(id).await?;
        stored.ok_or_else(|| KeyringError::NotFound(id.to_owned()))
    }

    fn open(&self, stored: StoredKey) -> Result<Opened, KeyringError> {
        let sealers = self.sealers();
        let key = &stored.key;
        let open = |kind: Kind, sealed: &[u8]| {
            let opened = sealers.current.open(kind, key, sealed);
            let next = sealers.next.as_ref();
            opened.or_else(|| next.and_then(|next| next.open(kind, key, sealed)))
        };
        let unsealed = || KeyringError::Sealed(key.id.clone());
        let secret = open(Kind::Secret, &key.sealed_secret).ok_or_else(unsealed)?;
        let token = match &key.session {
            Some(session) => Some(open(Kind::Token, &session.sealed_token).ok_or_else(unsealed)?),
            None => None,
        };
        Ok(Opened {
            stored,
            secret,
            token,
        })
    }

    fn sealers(&self) -> Sealers {
        let sealers = self.sealers.read().unwrap_or_else(PoisonError::into_inner);
        sealers.clone()
    }

    fn arn(&self, user: &str) -> String {
        format!("arn:aws:iam::{}:user/{user}", self.account)
    }

    /// Reads a key from the store, whoever may have changed it there.
    async fn read_holder(&self, id: &str) -> Result<Option<Cached>, KeyringError> {
        let Some(stored) = self.keys.get(id).await? else {
            return Ok(None);
        };
        let Opened {
            stored,
            secret,
            token,
        } = self.open(stored)?;
        let key = stored.key;
        if key.status == KeyStatus::Disabled {
            return Ok(None);
        }
        let policies = read_policies(&key.policies)?;
        let session = key.session.as_ref().zip(token);
        let holder = Holder {
            arn: self.arn(&key.user),
            access_key: key.id,
            secret,
            policies,
            session: session.map(|(session, token)| Session {
                token,
                expires: session.expires,
            }),
        };
        Ok(Some(Cached::new(holder, key.disabled_at, key.last_used)))
    }
}

#[async_trait]
impl Keys for Keyring {
    async fn holder(&self, access_key: &str) -> Result<Option<Arc<Holder>>, KeysError> {
        let now = self.clock.now();
        if let Some(cached) = self.cache.get(access_key) {
            return Ok(cached.at(now));
        }
        // Nobody makes the store look for what can be no key.
        if !draw::is_id(access_key) {
            return Ok(None);
        }
        let generation = self.cache.generation();
        let read = self.read_holder(access_key).await;
        let Some(cached) = read.map_err(|error| KeysError(Box::new(error)))? else {
            return Ok(None);
        };
        let holder = cached.at(now);
        self.cache.put(generation, cached);
        Ok(holder)
    }

    async fn used(&self, access_key: &str) {
        // When it was last used is worth knowing, and no reason to refuse a request.
        let _ = self.note_use(access_key).await;
    }
}

fn info(key: AccessKey, now: Timestamp) -> KeyInfo {
    KeyInfo {
        is_enabled: is_enabled(&key, now),
        id: key.id,
        user: key.user,
        policies: key.policies,
        created: key.created,
        disabled_at: key.disabled_at,
        last_used: key.last_used,
        description: key.description,
        expires: key.session.map(|session| session.expires),
    }
}

fn is_enabled(key: &AccessKey, now: Timestamp) -> bool {
    let is_over = |at: Timestamp| at <= now;
    let has_expired = key
        .session
        .as_ref()
        .is_some_and(|session| is_over(session.expires));
    key.status == KeyStatus::Enabled && !key.disabled_at.is_some_and(is_over) && !has_expired
}

/// Reads every document, and says what is wrong with each.
fn read_policies(documents: &[String]) -> Result<Vec<Policy>, KeyringError> {
    if documents.len() > POLICIES_MAX {
        return Err(KeyringError::TooManyPolicies(documents.len()));
    }
    let (mut policies, mut problems) = (Vec::new(), Vec::new());
    for (document, text) in documents.iter().enumerate() {
        match Policy::read(text) {
            Ok(policy) => policies.push(policy),
            Err(error) => problems.push(PolicyProblem { document, error }),
        }
    }
    if problems.is_empty() {
        Ok(policies)
    } else {
        Err(KeyringError::Policies(problems))
    }
}

/// Whether the policies allow everything on everything whatever a request says, and deny nothing.
fn is_full(policies: &[Policy]) -> bool {
    let statements = || policies.iter().flat_map(|policy| &policy.statements);
    let is_any = |patterns: &access::policy::Patterns| {
        !patterns.inverted && patterns.patterns.iter().any(|pattern| pattern == "*")
    };
    !statements().any(|statement| statement.effect == Effect::Deny)
        && statements().any(|statement| {
            is_any(&statement.actions)
                && is_any(&statement.resources)
                && statement.conditions.is_empty()
        })
}
