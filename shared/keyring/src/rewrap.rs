//! Sealing everything again with a new key.

use std::sync::PoisonError;

use crate::{Keyring, KeyringError, Kind, PAGE, Sealer, Sealers};

impl Keyring {
    /// Seals every secret with `sealing_key`, which is the one of this ring from then on; says how
    /// many keys there are. Requests are served meanwhile.
    ///
    /// If it ends half-way, the ring opens secrets of both kinds; a later process makes a ring with
    /// the old key and calls this again with the same new one. A secret that neither opens is an
    /// error, and the old key is not to be thrown away.
    pub async fn rewrap(&self, sealing_key: &[u8; 32]) -> Result<u64, KeyringError> {
        let _held = self.changes.lock().await;
        let (next, old) = (Sealer::new(sealing_key), self.sealers().current);
        self.set(Sealers {
            current: old,
            next: Some(next.clone()),
        });
        let (mut after, mut count) = (String::new(), 0);
        loop {
            let page = self.keys.list(&after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after.clone_from(&last.key.id);
            for stored in page {
                count += 1;
                let key = &stored.key;
                let is_done = next.open(Kind::Secret, key, &key.sealed_secret).is_some();
                if is_done {
                    continue;
                }
                let opened = self.open(stored)?;
                let (mut key, version) = (opened.stored.key, opened.stored.version);
                let random = &*self.random;
                key.sealed_secret = next.seal(Kind::Secret, &key, &opened.secret, random);
                let token = opened.token.as_ref();
                let token = token.map(|token| next.seal(Kind::Token, &key, token, random));
                if let Some((session, token)) = key.session.as_mut().zip(token) {
                    session.sealed_token = token;
                }
                self.keys.put(&key, version).await?;
            }
        }
        self.set(Sealers {
            current: next,
            next: None,
        });
        Ok(count)
    }

    fn set(&self, sealers: Sealers) {
        *self.sealers.write().unwrap_or_else(PoisonError::into_inner) = sealers;
    }
}
