//! Approval links: whoever has one may answer one question, once.
//!
//! A link names the attempt of an approval, whom it was sent to and when it ends, and is signed with
//! a key that only this server has (RELIABILITY §6.4). It holds no secret of the execution: the token
//! that the answer needs is derived when the answer comes. That a link works once follows from the
//! approval, which takes one answer.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use model::{ExecutionId, Timestamp};
use serde_json::{Value, json};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use thiserror::Error;

/// The longest token that is read: each of its names may have 100 characters of four bytes.
pub const TOKEN_CHARS_MAX: usize = 4_096;

/// The bytes of a signature.
const SIGNATURE: usize = 32;

/// Keeps what is signed here apart from whatever else the key might sign, and names the format.
const PURPOSE: &[u8] = b"pipewright approval link 1\n";

/// What links are signed with: 32 random bytes that never leave the server.
#[derive(Clone)]
pub struct LinkKey([u8; SIGNATURE]);

/// One question to one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApprovalLink {
    pub pipeline: String,
    pub execution: ExecutionId,
    pub stage: String,
    pub action: String,
    pub attempt: u32,
    /// Whom the link was sent to: an address, or the name of a command or webhook.
    pub recipient: String,
    /// When the approval times out, and the link with it.
    pub expires: Timestamp,
}

/// Why a link is not followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum LinkError {
    /// It was not signed with this key, or changed since: nothing in it is true.
    #[error("the link is not one that this server made")]
    NotOurs,
    #[error("the link has expired")]
    Expired,
}

impl LinkKey {
    pub fn new(bytes: [u8; SIGNATURE]) -> Self {
        Self(bytes)
    }

    /// The token that stands for a link: base64url, at most [`TOKEN_CHARS_MAX`] characters when its
    /// names keep their own limits.
    pub fn sign(&self, link: &ApprovalLink) -> String {
        let names = json!([
            link.pipeline,
            link.execution.to_string(),
            link.stage,
            link.action,
            link.attempt,
            link.recipient,
            link.expires.0,
        ]);
        let names = names.to_string();
        let mut bytes = self.signature(names.as_bytes()).to_vec();
        bytes.extend_from_slice(names.as_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The link that a token stands for, if this key signed it and its time is not over.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<ApprovalLink, LinkError> {
        if token.len() > TOKEN_CHARS_MAX {
            return Err(LinkError::NotOurs);
        }
        let bytes = URL_SAFE_NO_PAD.decode(token);
        let bytes = bytes.map_err(|_| LinkError::NotOurs)?;
        let Some((signature, names)) = bytes.split_at_checked(SIGNATURE) else {
            return Err(LinkError::NotOurs);
        };
        let is_ours: bool = self.signature(names).ct_eq(signature).into();
        if !is_ours {
            return Err(LinkError::NotOurs);
        }
        let link = decode(names).ok_or(LinkError::NotOurs)?;
        if link.expires <= now {
            return Err(LinkError::Expired);
        }
        Ok(link)
    }

    fn signature(&self, names: &[u8]) -> [u8; SIGNATURE] {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("a key may have any length");
        mac.update(PURPOSE);
        mac.update(names);
        mac.finalize().into_bytes().into()
    }
}

impl fmt::Debug for LinkKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LinkKey(****)")
    }
}

fn decode(names: &[u8]) -> Option<ApprovalLink> {
    let names: Vec<Value> = serde_json::from_slice(names).ok()?;
    let [
        pipeline,
        execution,
        stage,
        action,
        attempt,
        recipient,
        expires,
    ] = names.as_slice()
    else {
        return None;
    };
    let text = |value: &Value| value.as_str().map(str::to_owned);
    Some(ApprovalLink {
        pipeline: text(pipeline)?,
        execution: execution.as_str()?.parse().ok()?,
        stage: text(stage)?,
        action: text(action)?,
        attempt: u32::try_from(attempt.as_u64()?).ok()?,
        recipient: text(recipient)?,
        expires: Timestamp(expires.as_i64()?),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp(1_000);

    fn key(byte: u8) -> LinkKey {
        LinkKey::new([byte; SIGNATURE])
    }

    fn link() -> ApprovalLink {
        ApprovalLink {
            pipeline: "web".to_owned(),
            execution: "00000000-0000-4000-8000-000000000001"
                .parse()
                .expect("an id"),
            stage: "Release".to_owned(),
            action: "Ask".to_owned(),
            attempt: 1,
            recipient: "ann@example.org".to_owned(),
            expires: Timestamp(2_000),
        }
    }

    #[test]
    fn a_token_stands_for_the_link_that_was_signed_until_its_time_is_over() {
        let token = key(1).sign(&link());
        assert!(
            token
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
        );
        assert_eq!(key(1).verify(&token, NOW), Ok(link()));
        assert_eq!(key(1).verify(&token, Timestamp(1_999)), Ok(link()));
        assert_eq!(
            key(1).verify(&token, Timestamp(2_000)),
            Err(LinkError::Expired)
        );
        assert_eq!(key(2).verify(&token, NOW), Err(LinkError::NotOurs));
        // An expired link of somebody else is somebody else's, before it is expired.
        assert_eq!(
            key(2).verify(&token, Timestamp(9_000)),
            Err(LinkError::NotOurs)
        );
    }

    #[test]
    fn each_name_is_signed_and_none_reads_as_another() {
        let token = key(1).sign(&link());
        let one = link();
        for other in [
            ApprovalLink {
                pipeline: "web2".to_owned(),
                ..one.clone()
            },
            ApprovalLink {
                stage: "Ask".to_owned(),
                action: "Release".to_owned(),
                ..one.clone()
            },
            ApprovalLink {
                attempt: 2,
                ..one.clone()
            },
            ApprovalLink {
                recipient: "bob@example.org".to_owned(),
                ..one.clone()
            },
            ApprovalLink {
                expires: Timestamp(2_001),
                ..one.clone()
            },
            ApprovalLink {
                stage: "Release\",\"Ask".to_owned(),
                ..one
            },
        ] {
            let signed = key(1).sign(&other);
            assert_ne!(signed, token);
            assert_eq!(key(1).verify(&signed, NOW), Ok(other));
        }
    }

    #[test]
    fn the_longest_names_fit_and_a_longer_token_is_not_read() {
        let long = "\u{1f600}".repeat(100);
        let widest = ApprovalLink {
            pipeline: long.clone(),
            stage: long.clone(),
            action: long,
            recipient: "a".repeat(254),
            attempt: u32::MAX,
            ..link()
        };
        let token = key(1).sign(&widest);
        assert!(token.len() <= TOKEN_CHARS_MAX);
        assert_eq!(key(1).verify(&token, NOW), Ok(widest));
        let padded = "A".repeat(TOKEN_CHARS_MAX + 1);
        assert_eq!(key(1).verify(&padded, NOW), Err(LinkError::NotOurs));
    }

    #[test]
    fn what_the_key_signed_for_another_use_is_no_link() {
        for names in ["", "[]", "{}", "[1,2,3,4,5,6,7]", "[\"web\"]"] {
            let mut bytes = key(1).signature(names.as_bytes()).to_vec();
            bytes.extend_from_slice(names.as_bytes());
            let token = URL_SAFE_NO_PAD.encode(bytes);
            assert_eq!(
                key(1).verify(&token, NOW),
                Err(LinkError::NotOurs),
                "{names}"
            );
        }
    }

    #[test]
    fn a_key_is_never_printed() {
        assert_eq!(format!("{:?}", key(7)), "LinkKey(****)");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(10_000))]

        #[test]
        fn a_token_with_one_byte_changed_is_refused(at in any::<prop::sample::Index>(), to in any::<u8>()) {
            let token = key(1).sign(&link());
            let mut bytes = token.clone().into_bytes();
            let at = at.index(bytes.len());
            bytes[at] = to;
            if let Ok(changed) = String::from_utf8(bytes)
                && changed != token
            {
                prop_assert_eq!(key(1).verify(&changed, NOW), Err(LinkError::NotOurs));
            }
        }

        #[test]
        fn no_text_is_a_token_by_chance(text in ".{0,300}") {
            prop_assert_eq!(key(1).verify(&text, NOW), Err(LinkError::NotOurs));
        }
    }
}
