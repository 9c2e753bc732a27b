//! Sealing: XChaCha20-Poly1305, bound to the key that a secret belongs to and to what it is good
//! for. So a secret cannot be moved to another row, and rights cannot be added in the store.

use std::fmt;

use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use ports::{
    Random,
    access_keys::{AccessKey, KeyStatus},
};

use access::keys::Secret;

/// The first byte of what is sealed in this way.
const VERSION: u8 = 1;

const NONCE_BYTES: usize = 24;

/// What is sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Secret,
    Token,
}

#[derive(Clone)]
pub(super) struct Sealer {
    cipher: XChaCha20Poly1305,
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealer(****)")
    }
}

impl Sealer {
    pub(super) fn new(key: &[u8; 32]) -> Self {
        Self {
            cipher: XChaCha20Poly1305::new(key.into()),
        }
    }

    /// Seals a secret of the key as it is.
    pub(super) fn seal(
        &self,
        kind: Kind,
        key: &AccessKey,
        secret: &Secret,
        random: &dyn Random,
    ) -> Vec<u8> {
        let mut nonce = [0; NONCE_BYTES];
        random.fill(&mut nonce);
        let bound = bound(kind, key);
        let payload = Payload {
            msg: secret.reveal().as_bytes(),
            aad: &bound,
        };
        let sealed = self
            .cipher
            .encrypt(XNonce::from_slice(&nonce), payload)
            .expect("only texts of more than 256 GiB cannot be sealed");
        [&[VERSION], nonce.as_slice(), &sealed].concat()
    }

    /// Opens what was sealed for the key as it is; `None` if it was not, or not by this sealer.
    pub(super) fn open(&self, kind: Kind, key: &AccessKey, sealed: &[u8]) -> Option<Secret> {
        let rest = sealed.strip_prefix(&[VERSION])?;
        let (nonce, sealed) = rest.split_at_checked(NONCE_BYTES)?;
        let bound = bound(kind, key);
        let payload = Payload {
            msg: sealed,
            aad: &bound,
        };
        let opened = self.cipher.decrypt(XNonce::from_slice(nonce), payload);
        String::from_utf8(opened.ok()?).ok().map(Secret::new)
    }
}

/// What a sealed secret is bound to: all of the key that decides what it is good for.
fn bound(kind: Kind, key: &AccessKey) -> Vec<u8> {
    let kind = match kind {
        Kind::Secret => "secret",
        Kind::Token => "token",
    };
    let is_enabled = key.status == KeyStatus::Enabled;
    let ends = key.disabled_at.map(|at| at.0);
    let expires = key.session.as_ref().map(|session| session.expires.0);
    serde_json::json!([
        kind,
        key.id,
        key.user,
        key.policies,
        is_enabled,
        ends,
        expires
    ])
    .to_string()
    .into_bytes()
}
