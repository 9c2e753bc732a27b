//! Tokens of next pages: opaque, bound to the operation and all other arguments (spec 10 §5).

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use model::{Rejection, Timestamp};
use operations::OperationError;
use serde_json::Value;
use sha2::Sha256;

/// How long a token can be used.
const LIFETIME_MILLIS: i64 = 24 * 60 * 60 * 1000;

/// The bytes of a token's seal.
const SEAL_BYTES: usize = 16;

/// Makes and reads tokens under a key that nobody else has.
#[derive(Clone)]
pub(crate) struct Tokens {
    key: [u8; 32],
}

impl Tokens {
    pub(crate) fn new(key: [u8; 32]) -> Self {
        Self { key }
    }

    /// A token for going on at `place` with the same operation and arguments.
    pub(crate) fn make(
        &self,
        operation: &str,
        input: &Value,
        place: &str,
        now: Timestamp,
    ) -> String {
        let until = now.0.saturating_add(LIFETIME_MILLIS).to_be_bytes();
        let mut bytes = self.seal(operation, input, place, until).to_vec();
        bytes.extend_from_slice(&until);
        bytes.extend_from_slice(place.as_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The place in the request's token, if it has one.
    pub(crate) fn read(
        &self,
        operation: &str,
        input: &Value,
        now: Timestamp,
    ) -> Result<Option<String>, OperationError> {
        let Some(token) = input["nextToken"].as_str() else {
            return Ok(None);
        };
        let place = self.place(operation, input, token, now);
        Ok(Some(place.ok_or(Rejection::InvalidNextToken)?))
    }

    fn place(&self, operation: &str, input: &Value, token: &str, now: Timestamp) -> Option<String> {
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (seal, rest) = bytes.split_first_chunk::<SEAL_BYTES>()?;
        let (until, place) = rest.split_first_chunk::<8>()?;
        let place = std::str::from_utf8(place).ok()?;
        let expected = self.seal(operation, input, place, *until);
        let is_ours = bool::from(subtle::ConstantTimeEq::ct_eq(&expected[..], &seal[..]));
        let is_fresh = i64::from_be_bytes(*until) >= now.0;
        (is_ours && is_fresh).then(|| place.to_owned())
    }

    fn seal(
        &self,
        operation: &str,
        input: &Value,
        place: &str,
        until: [u8; 8],
    ) -> [u8; SEAL_BYTES] {
        let mut arguments = input.clone();
        if let Value::Object(map) = &mut arguments {
            // The size of a page may change on the way.
            map.retain(|name, value| {
                name != "nextToken" && name != "maxResults" && !value.is_null()
            });
        }
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&self.key).expect("a key of any length is taken");
        let arguments = arguments.to_string();
        for part in [operation, &arguments, place] {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part.as_bytes());
        }
        mac.update(&until);
        let whole = mac.finalize().into_bytes();
        let mut seal = [0; SEAL_BYTES];
        seal.copy_from_slice(&whole[..SEAL_BYTES]);
        seal
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: Timestamp = Timestamp(1_000);

    fn with(input: &Value, token: &str) -> Value {
        let mut input = input.clone();
        input["nextToken"] = json!(token);
        input
    }

    #[test]
    fn a_token_goes_on_with_the_same_request_and_with_no_other() {
        let tokens = Tokens::new([7; 32]);
        let input = json!({"pipelineName": "web", "maxResults": 5});
        let token = tokens.make("List", &input, "17", NOW);
        let read = |operation: &str, input: &Value, now| tokens.read(operation, input, now);
        let place = read("List", &with(&input, &token), NOW).expect("it is ours");
        assert_eq!(place.as_deref(), Some("17"));
        let resized = json!({"pipelineName": "web", "maxResults": 9, "filter": null});
        assert!(read("List", &with(&resized, &token), NOW).is_ok());
        let other = json!({"pipelineName": "shop"});
        assert!(read("List", &with(&other, &token), NOW).is_err());
        assert!(read("Other", &with(&input, &token), NOW).is_err());
        let late = Timestamp(NOW.0 + LIFETIME_MILLIS + 1);
        assert!(read("List", &with(&input, &token), late).is_err());
        assert_eq!(read("List", &input, NOW).expect("it has none"), None);
        let elsewhere = Tokens::new([8; 32]);
        assert!(elsewhere.read("List", &with(&input, &token), NOW).is_err());
    }

    #[test]
    fn whatever_else_is_sent_is_no_token() {
        let tokens = Tokens::new([7; 32]);
        let input = json!({});
        let token = tokens.make("List", &input, "17", NOW);
        let mut bytes = URL_SAFE_NO_PAD.decode(&token).expect("it is one");
        for at in 0..bytes.len() {
            bytes[at] ^= 1;
            let changed = URL_SAFE_NO_PAD.encode(&bytes);
            let read = tokens.read("List", &with(&input, &changed), NOW);
            assert!(read.is_err(), "byte {at}");
            bytes[at] ^= 1;
        }
        for garbage in ["", "x", "!!!", &token[..10]] {
            assert!(
                tokens.read("List", &with(&input, garbage), NOW).is_err(),
                "{garbage}"
            );
        }
    }
}
