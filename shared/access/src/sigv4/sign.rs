//! Signing a request, as a client does.

use std::collections::BTreeSet;

use jiff::Timestamp as Instant;
use model::Timestamp;
use sha2::{Digest, Sha256};

use super::{ALGORITHM, DAY_LENGTH, Request, Scope, SigningKey, credential_scope, signature};

/// What a client signs with.
#[derive(Clone, Copy)]
pub struct Credentials<'a> {
    pub access_key: &'a str,
    pub secret: &'a str,
    /// Of temporary credentials.
    pub session_token: Option<&'a str>,
}

/// The headers that are to be added to a request so that it is signed, in lower case.
///
/// The request must have its `host` header, and none of those that are added. Signed are the host,
/// the type of the content and every `x-amz-` header: what a server acts upon, and what nothing on
/// the way changes. Services other than S3 take it; S3 wants paths as they are.
pub fn sign(
    request: &Request<'_>,
    credentials: &Credentials<'_>,
    scope: Scope<'_>,
    at: Timestamp,
) -> Vec<(String, String)> {
    let date = date(at);
    let mut added = vec![("x-amz-date".to_owned(), date.clone())];
    if let Some(token) = credentials.session_token {
        added.push(("x-amz-security-token".to_owned(), token.to_owned()));
    }
    let headers = [request.headers, added.as_slice()].concat();
    let is_signed =
        |name: &str| name == "host" || name == "content-type" || name.starts_with("x-amz-");
    let names: BTreeSet<&str> = headers.iter().map(|(name, _)| name.as_str()).collect();
    let signed: Vec<String> = names
        .into_iter()
        .filter(|name| is_signed(name))
        .map(str::to_owned)
        .collect();
    let whole = Request {
        headers: &headers,
        ..*request
    };
    let body = hex::encode(Sha256::digest(request.body));
    let day = &date[..DAY_LENGTH];
    let key = SigningKey::derive(credentials.secret, day, scope);
    let signature = signature(&whole, &signed, &body, scope, &date, &key);
    let (access_key, scope) = (credentials.access_key, credential_scope(day, scope));
    let (signed, signature) = (signed.join(";"), hex::encode(signature));
    let header = format!(
        "{ALGORITHM} Credential={access_key}/{scope}, SignedHeaders={signed}, \
         Signature={signature}"
    );
    added.push(("authorization".to_owned(), header));
    added
}

/// `20260830T123600Z`; a time that has no such form is the epoch.
fn date(at: Timestamp) -> String {
    let at = Instant::from_millisecond(at.0.max(0)).unwrap_or(Instant::UNIX_EPOCH);
    at.strftime("%Y%m%dT%H%M%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_has_a_form_at_any_time() {
        for (at, text) in [
            (1_440_938_160_000, "20150830T123600Z"),
            (1_440_938_160_999, "20150830T123600Z"),
            (i64::MIN, "19700101T000000Z"),
            (i64::MAX, "19700101T000000Z"),
            (253_402_000_000_000, "99991228T122640Z"),
        ] {
            assert_eq!(date(Timestamp(at)), text);
        }
    }
}
