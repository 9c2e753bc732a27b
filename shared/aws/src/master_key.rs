//! The master key: the text of one secret, from which every other key of this installation is
//! derived. Whoever copies the table without it has no secret and cannot sign.

use std::fmt;

use aws_sdk_secretsmanager::error::ProvideErrorMetadata;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use thiserror::Error;

use crate::{Clients, Settings, SettingsError, failed::said};

/// The fewest bytes of its text: 32 letters and digits drawn by chance cannot be guessed.
const TEXT_BYTES_MIN: usize = 32;

/// What the secrets of access keys are sealed for; no two purposes share a key.
const ACCESS_KEYS: &str = "pipewright access keys";

/// The master key of one installation. It is never printed.
#[derive(Clone)]
pub struct MasterKey {
    text: String,
}

#[derive(Debug, Error)]
pub enum MasterKeyError {
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error(
        "the master secret `{id}` cannot be read: {said}; look whether it is there and the \
         function's role may read it"
    )]
    Unread { id: String, said: String },
    #[error(
        "the master secret `{id}` is no text of at least {TEXT_BYTES_MIN} bytes; if no access keys \
         were given out yet, put one there, and else its earlier version back"
    )]
    TooShort { id: String },
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(****)")
    }
}

impl MasterKey {
    /// Reads the secret that the environment names.
    pub async fn read(clients: &Clients, settings: &Settings) -> Result<Self, MasterKeyError> {
        let id = settings.require("PIPEWRIGHT_MASTER_SECRET")?.to_owned();
        let found = clients.secrets().get_secret_value().secret_id(&id);
        let text = match found.send().await {
            Ok(found) => found.secret_string.unwrap_or_default(),
            Err(error) => {
                let code = error.code().unwrap_or("no answer");
                let said = format!("{code}: {}", said(&error));
                return Err(MasterKeyError::Unread { id, said });
            }
        };
        if text.len() < TEXT_BYTES_MIN {
            return Err(MasterKeyError::TooShort { id });
        }
        Ok(Self { text })
    }

    /// The key that seals the secrets of access keys.
    pub fn for_access_keys(&self) -> [u8; 32] {
        self.derive(ACCESS_KEYS)
    }

    /// The key for a purpose, named by a text that nothing else uses.
    pub fn derive(&self, purpose: &str) -> [u8; 32] {
        mac(self.text.as_bytes(), purpose)
    }
}

fn mac(key: &[u8], purpose: &str) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length is taken");
    mac.update(purpose.as_bytes());
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::answers::{Answer, clients};

    const TEXT: &str = "0123456789abcdefghijklmnopqrstuv";

    async fn read(answer: fn() -> Answer) -> Result<MasterKey, MasterKeyError> {
        let named = ("PIPEWRIGHT_MASTER_SECRET".to_owned(), "arn:m".to_owned());
        let clients = clients(move |operation: &str, asked: &Value| {
            assert_eq!(
                (operation, &asked["SecretId"]),
                ("GetSecretValue", &json!("arn:m"))
            );
            answer()
        });
        MasterKey::read(&clients, &Settings::of([named])).await
    }

    #[tokio::test]
    async fn each_purpose_has_a_key_of_its_own_that_stays_the_same() {
        let key = read(|| Answer::Done(json!({"SecretString": TEXT}))).await;
        let key = key.expect("it is long enough");
        assert_ne!(key.derive("a"), key.derive("b"));
        assert_ne!(key.derive("a"), key.for_access_keys());
        assert_eq!(key.derive("a"), key.clone().derive("a"));
        assert_eq!(format!("{key:?}"), "MasterKey(****)");
    }

    #[tokio::test]
    async fn a_text_that_could_be_guessed_is_refused_and_not_quoted() {
        let short = read(|| Answer::Done(json!({"SecretString": &TEXT[1..]}))).await;
        let bytes = read(|| Answer::Done(json!({"SecretBinary": "aGk="}))).await;
        for refused in [short, bytes] {
            let error = refused.expect_err("it is no key").to_string();
            assert!(
                error.contains("`arn:m` is no text of at least 32 bytes"),
                "{error}"
            );
            assert!(!error.contains(&TEXT[1..]), "{error}");
        }
    }

    #[tokio::test]
    async fn a_secret_that_cannot_be_read_is_named() {
        let absent = read(|| Answer::Failed(400, "ResourceNotFoundException")).await;
        let silent = read(|| Answer::Silence).await;
        for (refused, why) in [(absent, "ResourceNotFoundException"), (silent, "no answer")] {
            let error = refused.expect_err("there is no key").to_string();
            assert!(error.contains("`arn:m` cannot be read"), "{error}");
            assert!(error.contains(why), "{error}");
        }
        let clients = clients(|_, _| Answer::Silence);
        let unnamed = MasterKey::read(&clients, &Settings::default()).await;
        assert!(matches!(unnamed, Err(MasterKeyError::Settings(_))));
    }
}
