//! Changing keys, and taking them back.

use std::time::Duration;

use ports::access_keys::{AccessKey, KeyStatus};

use crate::{
    Issue, Issued, Keyring, KeyringError, Opened, PAGE, is_enabled, is_full, read_policies,
};

impl Keyring {
    /// Takes no more requests that are signed with the key. The last key that may do everything is
    /// left alone, unless that is `forced`.
    pub async fn disable(&self, id: &str, forced: bool) -> Result<(), KeyringError> {
        let _held = self.changes.lock().await;
        let now = self.clock.now();
        let mut opened = self.open(self.stored(id).await?)?;
        if opened.stored.key.status == KeyStatus::Disabled {
            return Ok(());
        }
        self.check_lock_out(&opened.stored.key, forced).await?;
        opened.stored.key.status = KeyStatus::Disabled;
        opened.stored.key.disabled_at = Some(now);
        self.write(opened).await
    }

    /// Takes requests that are signed with the key again, without an end.
    pub async fn enable(&self, id: &str) -> Result<(), KeyringError> {
        let _held = self.changes.lock().await;
        let mut opened = self.open(self.stored(id).await?)?;
        opened.stored.key.status = KeyStatus::Enabled;
        opened.stored.key.disabled_at = None;
        self.write(opened).await
    }

    /// Gives out a new key for the same user with the same rights. The old one stays as it is, or is
    /// disabled after a `grace`.
    pub async fn rotate(&self, id: &str, grace: Option<Duration>) -> Result<Issued, KeyringError> {
        let _held = self.changes.lock().await;
        let now = self.clock.now();
        let mut old = self.open(self.stored(id).await?)?;
        let key = &mut old.stored.key;
        if key.session.is_some() {
            return Err(KeyringError::Temporary(id.to_owned()));
        }
        if !is_enabled(key, now) {
            return Err(KeyringError::NotEnabled(id.to_owned()));
        }
        let issue = Issue {
            user: key.user.clone(),
            policies: key.policies.clone(),
            description: key.description.clone(),
            lifetime: None,
        };
        let issued = self.add(issue).await?;
        if let Some(grace) = grace {
            let end = now.plus(grace);
            // It may have an end already, which is not put off.
            key.disabled_at = Some(key.disabled_at.map_or(end, |at| at.min(end)));
            self.write(old).await?;
        }
        Ok(issued)
    }

    /// Removes a key, whatever state it is in. The last key that may do everything is left alone,
    /// unless that is `forced`.
    pub async fn delete(&self, id: &str, forced: bool) -> Result<(), KeyringError> {
        let _held = self.changes.lock().await;
        let stored = self.stored(id).await?;
        self.check_lock_out(&stored.key, forced).await?;
        let deleted = self.keys.delete(id, stored.version).await;
        self.cache.forget(id);
        Ok(deleted?)
    }

    /// Replaces the policies of a key. The last key that may do everything is left alone, unless it
    /// still may or that is `forced`.
    pub async fn set_policies(
        &self,
        id: &str,
        policies: Vec<String>,
        forced: bool,
    ) -> Result<(), KeyringError> {
        let read = read_policies(&policies)?;
        let _held = self.changes.lock().await;
        let mut opened = self.open(self.stored(id).await?)?;
        if opened.stored.key.session.is_some() {
            return Err(KeyringError::Temporary(id.to_owned()));
        }
        if !is_full(&read) {
            self.check_lock_out(&opened.stored.key, forced).await?;
        }
        opened.stored.key.policies = policies;
        self.write(opened).await
    }

    /// Removes temporary credentials that have expired; says how many.
    pub async fn remove_expired(&self) -> Result<u64, KeyringError> {
        let _held = self.changes.lock().await;
        let now = self.clock.now();
        let (mut after, mut removed) = (String::new(), 0);
        loop {
            let page = self.keys.list(&after, PAGE).await?;
            let Some(last) = page.last() else {
                return Ok(removed);
            };
            after.clone_from(&last.key.id);
            for stored in page {
                let session = stored.key.session.as_ref();
                if session.is_some_and(|session| session.expires <= now) {
                    self.keys.delete(&stored.key.id, stored.version).await?;
                    self.cache.forget(&stored.key.id);
                    removed += 1;
                }
            }
        }
    }

    /// Writes a key as it is now, and forgets what it was.
    pub(super) async fn write(&self, opened: Opened) -> Result<(), KeyringError> {
        let mut stored = opened.stored;
        self.seal(&mut stored.key, &opened.secret, opened.token.as_ref());
        let written = self.keys.put(&stored.key, stored.version).await;
        // Whether it was written or not: it is read again.
        self.cache.forget(&stored.key.id);
        written?;
        Ok(())
    }

    /// Refuses to take the rights of a key that is the last one with all of them.
    async fn check_lock_out(&self, key: &AccessKey, forced: bool) -> Result<(), KeyringError> {
        if forced || !is_way_in(key) {
            return Ok(());
        }
        let mut after = String::new();
        loop {
            let page = self.keys.list(&after, PAGE).await?;
            let Some(last) = page.last() else {
                return Err(KeyringError::LastFullRights(key.id.clone()));
            };
            after.clone_from(&last.key.id);
            let is_other_way_in = |other: &AccessKey| other.id != key.id && is_way_in(other);
            if page.iter().any(|stored| is_other_way_in(&stored.key)) {
                return Ok(());
            }
        }
    }
}

/// Whether somebody can do everything with the key, and will be able to.
fn is_way_in(key: &AccessKey) -> bool {
    let is_enabled = key.status == KeyStatus::Enabled && key.disabled_at.is_none();
    is_enabled
        && key.session.is_none()
        && read_policies(&key.policies).is_ok_and(|policies| is_full(&policies))
}
