//! What a new key is made of: an id, a secret, a token.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ports::Random;

use access::keys::Secret;

/// How many characters an id has, as AWS's have.
const ID_LENGTH: usize = 20;

/// What the ids of keys begin with, and those of temporary ones.
const PREFIX: &str = "PWKA";
/// How the ids of temporary credentials begin.
pub const TEMPORARY_PREFIX: &str = "PWSA";

/// The characters of an id behind its beginning: 32, so that each stands for five bits.
const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// 40 characters.
const SECRET_BYTES: usize = 30;

/// 64 characters.
const TOKEN_BYTES: usize = 48;

pub(super) fn id(random: &dyn Random, is_temporary: bool) -> String {
    let prefix = if is_temporary {
        TEMPORARY_PREFIX
    } else {
        PREFIX
    };
    let mut bytes = [0; ID_LENGTH - PREFIX.len()];
    random.fill(&mut bytes);
    let characters = bytes
        .iter()
        .map(|byte| char::from(ALPHABET[usize::from(byte % 32)]));
    prefix.chars().chain(characters).collect()
}

/// Whether a text could be the id of a key.
pub(super) fn is_id(text: &str) -> bool {
    let rest = text
        .strip_prefix(PREFIX)
        .or_else(|| text.strip_prefix(TEMPORARY_PREFIX));
    text.len() == ID_LENGTH && rest.is_some_and(|rest| rest.bytes().all(|c| ALPHABET.contains(&c)))
}

pub(super) fn secret(random: &dyn Random) -> Secret {
    text::<SECRET_BYTES>(random)
}

pub(super) fn token(random: &dyn Random) -> Secret {
    text::<TOKEN_BYTES>(random)
}

fn text<const BYTES: usize>(random: &dyn Random) -> Secret {
    let mut bytes = [0; BYTES];
    random.fill(&mut bytes);
    Secret::new(URL_SAFE_NO_PAD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use embedded::SeededRandom;

    use super::*;

    #[test]
    fn ids_and_secrets_look_like_those_that_clients_know() {
        let random = SeededRandom::new(1);
        let (key, temporary) = (id(&random, false), id(&random, true));
        assert!(key.starts_with("PWKA") && temporary.starts_with("PWSA"));
        for id in [&key, &temporary] {
            assert_eq!(id.len(), 20);
            assert!(is_id(id), "{id}");
        }
        assert_eq!(secret(&random).reveal().len(), 40);
        assert_eq!(token(&random).reveal().len(), 64);
        assert_ne!(secret(&random), secret(&random));
    }

    #[test]
    fn what_cannot_be_an_id_is_known() {
        for text in [
            "",
            "PWKA",
            "AKIAIOSFODNN7EXAMPLE",
            "PWKAAAAAAAAAAAAAAAA1",
            "PWKAAAAAAAAAAAAAAAAAA",
            "pwkaaaaaaaaaaaaaaaaa",
            "PWKAAAAAAAAAAAAAAA\u{e9}",
        ] {
            assert!(!is_id(text), "{text}");
        }
    }
}
