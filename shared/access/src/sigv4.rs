//! AWS Signature Version 4 in the `Authorization` header, as every AWS SDK sends it.
//!
//! Stricter than it could be: the host, the date and every `x-amz-` header must be signed, none of
//! the signed ones may stand there twice, and the body that was received is what is hashed. So
//! whatever Pipewright acts upon was signed, and nothing else can be slipped in.

mod canonical;
mod sign;

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use jiff::{Timestamp as Instant, civil::DateTime, tz::TimeZone};
use model::Timestamp;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use thiserror::Error;

pub use sign::{Credentials, sign};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const TERMINATOR: &str = "aws4_request";

/// `YYYYMMDD`
const DAY_LENGTH: usize = 8;

/// How far the clock of a client may be off, either way.
const SKEW_MILLIS_MAX: u64 = 5 * 60 * 1000;

/// How many headers a request may have signed; SDKs sign fewer than ten.
const SIGNED_HEADERS_MAX: usize = 64;

/// A request as it came in.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    pub method: &'a str,
    /// The path, encoded as it was received.
    pub path: &'a str,
    /// What follows the question mark, encoded as it was received.
    pub query: &'a str,
    /// Names in lower case, with their values, in the order in which they were received.
    pub headers: &'a [(String, String)],
    pub body: &'a [u8],
}

/// Where a signature counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scope<'a> {
    /// `us-east-1`
    pub region: &'a str,
    /// `codepipeline`
    pub service: &'a str,
}

/// What is derived from a secret for one day and one scope; it signs, and is never printed.
#[derive(Clone)]
pub struct SigningKey([u8; 32]);

/// What a request says of its sender; nothing of it is true before [`Authorization::verify`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorization {
    pub access_key: String,
    pub region: String,
    pub service: String,
    /// The token of temporary credentials.
    pub session_token: Option<String>,
    /// The day of the scope, `20260830`.
    day: String,
    /// The whole date, `20260830T123600Z`.
    date: String,
    at: Timestamp,
    signed_headers: Vec<String>,
    signature: [u8; 32],
}

/// Why a request is not taken for its sender's.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// `MissingAuthenticationTokenException`
    #[error("the request is not signed: it has no Authorization header")]
    Missing,
    /// `IncompleteSignatureException`
    #[error("{0}")]
    Incomplete(String),
    /// `InvalidSignatureException`
    #[error("{0}")]
    Invalid(String),
}

fn incomplete(message: impl Into<String>) -> Refusal {
    Refusal::Incomplete(message.into())
}

impl Authorization {
    /// Reads what a request says of its sender.
    pub fn read(request: &Request<'_>) -> Result<Self, Refusal> {
        let header = match request.values("authorization").as_slice() {
            [] => return Err(Refusal::Missing),
            [header] => *header,
            _ => return Err(incomplete("there are two Authorization headers")),
        };
        let fields = header
            .strip_prefix(ALGORITHM)
            .filter(|rest| rest.starts_with(' '))
            .ok_or_else(|| incomplete(format!("the Authorization header is not {ALGORITHM}")))?;
        let field = |name: &str| one_field(fields, name);
        let credential = field("Credential")?;
        let parts: Vec<&str> = credential.rsplitn(5, '/').collect();
        let [TERMINATOR, service, region, day, access_key] = parts[..] else {
            return Err(incomplete(
                "the Credential is not KEY/DATE/REGION/SERVICE/aws4_request",
            ));
        };
        let signed_headers: Vec<String> = field("SignedHeaders")?
            .split(';')
            .map(str::to_owned)
            .collect();
        check_signed(request, &signed_headers)?;
        let signature = hex::decode(field("Signature")?).ok();
        let signature = signature.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        let signature =
            signature.ok_or_else(|| incomplete("the Signature is not 64 hexadecimal digits"))?;
        let [date] = request.values("x-amz-date")[..] else {
            return Err(incomplete("there must be one X-Amz-Date header"));
        };
        let at = instant(date)
            .ok_or_else(|| incomplete("the X-Amz-Date header is not YYYYMMDDTHHMMSSZ"))?;
        if !date.starts_with(day) || day.len() != DAY_LENGTH {
            return Err(incomplete(
                "the date of the Credential is not that of the X-Amz-Date header",
            ));
        }
        let session_token = request.values("x-amz-security-token").first().copied();
        Ok(Self {
            access_key: access_key.to_owned(),
            region: region.to_owned(),
            service: service.to_owned(),
            session_token: session_token.map(str::to_owned),
            day: day.to_owned(),
            date: date.to_owned(),
            at,
            signed_headers,
            signature,
        })
    }

    /// Proves that the request was signed with that secret, not long ago, and is unchanged.
    pub fn verify(
        &self,
        request: &Request<'_>,
        secret: &str,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let scope = Scope {
            region: &self.region,
            service: &self.service,
        };
        let key = SigningKey::derive(secret, &self.day, scope);
        self.verify_with(request, &key, now)
    }

    /// As [`Authorization::verify`], with what was derived from the secret for the day and scope
    /// that this says.
    pub fn verify_with(
        &self,
        request: &Request<'_>,
        key: &SigningKey,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        self.check_time(now)?;
        let body = hex::encode(Sha256::digest(request.body));
        let said = request.values("x-amz-content-sha256");
        if said.iter().any(|said| *said != body) {
            return Err(Refusal::Invalid(
                "the body is not the one that was signed".to_owned(),
            ));
        }
        let scope = Scope {
            region: &self.region,
            service: &self.service,
        };
        let wanted = signature(request, &self.signed_headers, &body, scope, &self.date, key);
        if bool::from(wanted.ct_eq(&self.signature)) {
            Ok(())
        } else {
            Err(Refusal::Invalid(
                "The request signature we calculated does not match the signature you provided. \
                 Check your secret access key and signing method."
                    .to_owned(),
            ))
        }
    }

    /// Refuses a request that is too old, or of the future.
    pub(crate) fn check_time(&self, now: Timestamp) -> Result<(), Refusal> {
        if now.0.abs_diff(self.at.0) > SKEW_MILLIS_MAX {
            let (relation, date) = if self.at < now {
                ("expired", &self.date)
            } else {
                ("not yet current", &self.date)
            };
            return Err(Refusal::Invalid(format!(
                "Signature {relation}: the request is of {date}, which is more than 5 minutes \
                 off; set this machine's clock"
            )));
        }
        Ok(())
    }

    /// The day of the scope: `20260830`.
    pub fn day(&self) -> &str {
        &self.day
    }
}

impl SigningKey {
    /// The key of a day, `20260830`, and a scope.
    pub fn derive(secret: &str, day: &str, scope: Scope<'_>) -> Self {
        let start = format!("AWS4{secret}");
        let key = mac(start.as_bytes(), day.as_bytes());
        let key = mac(&key, scope.region.as_bytes());
        let key = mac(&key, scope.service.as_bytes());
        Self(mac(&key, TERMINATOR.as_bytes()))
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(****)")
    }
}

impl<'a> Request<'a> {
    /// Every value of a header.
    fn values(&self, name: &str) -> Vec<&'a str> {
        let all = self.headers.iter().filter(|(known, _)| known == name);
        all.map(|(_, value)| value.as_str()).collect()
    }
}

/// The signature of a request, whose body has the hash `body`, at the `date` `20260830T123600Z`.
fn signature(
    request: &Request<'_>,
    signed_headers: &[String],
    body: &str,
    scope: Scope<'_>,
    date: &str,
    key: &SigningKey,
) -> [u8; 32] {
    let canonical = canonical::request(request, signed_headers, body);
    let hashed = hex::encode(Sha256::digest(canonical));
    let scope = credential_scope(date.get(..DAY_LENGTH).unwrap_or_default(), scope);
    let text = format!("{ALGORITHM}\n{date}\n{scope}\n{hashed}");
    mac(&key.0, text.as_bytes())
}

fn credential_scope(day: &str, scope: Scope<'_>) -> String {
    let Scope { region, service } = scope;
    format!("{day}/{region}/{service}/{TERMINATOR}")
}

fn one_field<'a>(fields: &'a str, name: &str) -> Result<&'a str, Refusal> {
    let mut found = fields.split(',').filter_map(|field| {
        let (known, value) = field.trim().split_once('=')?;
        (known == name).then_some(value)
    });
    match (found.next(), found.next()) {
        (Some(value), None) if !value.is_empty() => Ok(value),
        _ => Err(incomplete(format!(
            "the Authorization header must have one {name}"
        ))),
    }
}

/// Everything that has a meaning here must be signed, and be there once.
fn check_signed(request: &Request<'_>, signed: &[String]) -> Result<(), Refusal> {
    let is_sorted = signed.windows(2).all(|pair| pair[0] < pair[1]);
    if signed.len() > SIGNED_HEADERS_MAX || !is_sorted {
        return Err(incomplete(
            "the SignedHeaders are too many, or not in order",
        ));
    }
    let must = |name: &str| name == "host" || name.starts_with("x-amz-");
    let present = request.headers.iter().map(|(name, _)| name.as_str());
    for name in present
        .chain(["host", "x-amz-date"])
        .filter(|name| must(name))
    {
        if !signed.iter().any(|signed| signed == name) {
            return Err(incomplete(format!("the header `{name}` is not signed")));
        }
    }
    for name in signed {
        let count = request.values(name).len();
        if count != 1 {
            return Err(incomplete(format!(
                "the signed header `{name}` is there {count} times"
            )));
        }
    }
    Ok(())
}

fn instant(date: &str) -> Option<Timestamp> {
    let is_plain = date.len() == "YYYYMMDDTHHMMSSZ".len();
    let civil = DateTime::strptime("%Y%m%dT%H%M%SZ", date)
        .ok()
        .filter(|_| is_plain)?;
    let zoned = civil.to_zoned(TimeZone::UTC).ok()?;
    Some(Timestamp(Instant::from(zoned).as_millisecond()))
}

fn mac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length is taken");
    mac.update(message);
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests;
