//! What is refused before a signature is looked at.
//!
//! The library takes Signature Version 2, any region, and headers that nobody signed. Here the host
//! and every `x-amz-` header must be signed and stand there once, and only version 4 is taken.

use std::borrow::Cow;

use http::{HeaderMap, Method, header, request::Parts};
use s3s::{S3Error, S3ErrorCode, S3Result, s3_error};

const SERVICE: &str = "s3";
const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// How long an address that was signed in advance may be good, in seconds: a week.
const EXPIRES_MAX: u64 = 7 * 24 * 60 * 60;

/// Whether a request means the S3 endpoint, by the service that its signature names. So that they
/// can be refused with a reason, requests that are signed with version 2 are taken, too.
pub fn is_for_s3(head: &Parts) -> bool {
    if let Some(header) = authorization(&head.headers) {
        if is_version_2(header) {
            return true;
        }
        return field(header, "Credential").and_then(service) == Some(SERVICE);
    }
    let query = Query::of(head);
    match query.get("X-Amz-Credential") {
        Some(credential) => service(credential) == Some(SERVICE),
        None => query.is_version_2(),
    }
}

/// Refuses what is not signed as it must be.
pub(crate) fn check(head: &Parts, region: &str) -> S3Result<()> {
    let query = Query::of(head);
    let header = authorization(&head.headers);
    if head.headers.get_all(header::AUTHORIZATION).iter().count() > 1 {
        return Err(s3_error!(
            InvalidArgument,
            "There are two Authorization headers."
        ));
    }
    if query.is_version_2() || header.is_some_and(is_version_2) {
        return Err(s3_error!(
            InvalidRequest,
            "The authorization mechanism you have provided is not supported. Please use \
             {ALGORITHM}: presign with signature version 4, as after `aws configure set \
             default.s3.signature_version s3v4`."
        ));
    }
    if head.method == Method::POST && is_form(&head.headers) {
        return Err(s3_error!(
            NotImplemented,
            "Uploads by a form of a browser are not implemented; use PutObject."
        ));
    }
    let is_presigned = query.get("X-Amz-Signature").is_some();
    let scope = match (header, is_presigned) {
        (Some(_), true) => {
            return Err(s3_error!(
                InvalidArgument,
                "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter or the \
                 Authorization header should be specified."
            ));
        }
        (None, false) => {
            return Err(s3_error!(
                AccessDenied,
                "The request is not signed: anonymous access is not allowed."
            ));
        }
        (Some(header), false) => Scope::of_header(header),
        (None, true) => Scope::of_query(&query)?,
    };
    scope.check(region)?;
    check_signed(&head.headers, &scope)
}

/// What a signature says that it is about.
struct Scope<'a> {
    is_presigned: bool,
    credential: Option<&'a str>,
    signed_headers: Option<&'a str>,
}

impl<'a> Scope<'a> {
    fn of_header(header: &'a str) -> Self {
        Self {
            is_presigned: false,
            credential: field(header, "Credential"),
            signed_headers: field(header, "SignedHeaders"),
        }
    }

    fn of_query(query: &'a Query<'_>) -> S3Result<Self> {
        let expires = query
            .get("X-Amz-Expires")
            .and_then(|text| text.parse().ok());
        let is_within = expires.is_some_and(|expires: u64| (1..=EXPIRES_MAX).contains(&expires));
        if !is_within {
            return Err(s3_error!(
                AuthorizationQueryParametersError,
                "X-Amz-Expires must be a number of seconds from 1 to {EXPIRES_MAX}, which is a week."
            ));
        }
        Ok(Self {
            is_presigned: true,
            credential: query.get("X-Amz-Credential"),
            signed_headers: query.get("X-Amz-SignedHeaders"),
        })
    }

    fn refuse(&self, why: String) -> S3Error {
        let code = if self.is_presigned {
            S3ErrorCode::AuthorizationQueryParametersError
        } else {
            S3ErrorCode::AuthorizationHeaderMalformed
        };
        S3Error::with_message(code, why)
    }

    fn check(&self, wanted: &str) -> S3Result<()> {
        let parts: Vec<&str> = self
            .credential
            .unwrap_or_default()
            .rsplitn(5, '/')
            .collect();
        let ["aws4_request", service, region, _, _] = parts[..] else {
            return Err(
                self.refuse("The Credential must be KEY/DATE/REGION/s3/aws4_request.".to_owned())
            );
        };
        if service != SERVICE {
            return Err(self.refuse(format!(
                "The request is signed for the service `{service}`; this is `{SERVICE}`."
            )));
        }
        if region != wanted {
            return Err(self.refuse(format!(
                "The authorization is malformed; the region '{region}' is wrong; expecting \
                 '{wanted}'"
            )));
        }
        Ok(())
    }
}

/// Everything that has a meaning here must be signed, and be there once.
fn check_signed(headers: &HeaderMap, scope: &Scope<'_>) -> S3Result<()> {
    let signed: Vec<&str> = scope
        .signed_headers
        .unwrap_or_default()
        .split(';')
        .collect();
    let refuse = |name: &str, why: &str| {
        let text = format!("There were headers present in the request which {why}: {name}");
        Err(S3Error::with_message(S3ErrorCode::AccessDenied, text))
    };
    if !signed.contains(&"host") {
        return refuse("host", "were not signed");
    }
    for name in headers.keys().map(http::HeaderName::as_str) {
        let has_meaning = name == "host" || name.starts_with("x-amz-");
        if has_meaning && headers.get_all(name).iter().count() != 1 {
            return refuse(name, "are there twice");
        }
        // Of an address that was signed in advance nobody knew the body; a digest of it can only
        // make the check stricter.
        let may_be_unsigned = scope.is_presigned && name == "x-amz-content-sha256";
        if has_meaning && !may_be_unsigned && !signed.contains(&name) {
            return refuse(name, "were not signed");
        }
    }
    for name in signed {
        if !headers.contains_key(name) {
            return refuse(name, "are signed and missing");
        }
    }
    Ok(())
}

fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE);
    let kind = kind.map(|value| String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase());
    kind.is_some_and(|kind| kind.trim_start().starts_with("multipart/form-data"))
}

fn authorization(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::AUTHORIZATION)?.to_str().ok()
}

fn is_version_2(header: &str) -> bool {
    header.starts_with("AWS ")
}

/// A field of the header: `Credential`, `SignedHeaders` or `Signature`.
fn field<'a>(header: &'a str, name: &str) -> Option<&'a str> {
    let fields = header.strip_prefix(ALGORITHM)?.split(',');
    fields
        .filter_map(|field| field.trim().split_once('='))
        .find_map(|(known, value)| (known == name).then_some(value))
}

fn service(credential: &str) -> Option<&str> {
    credential.rsplit('/').nth(1)
}

/// The parameters of the address, decoded as the library decodes them.
struct Query<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Query<'a> {
    fn of(head: &'a Parts) -> Self {
        let query = head.uri.query().unwrap_or_default();
        Self(form_urlencoded::parse(query.as_bytes()).collect())
    }

    fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_ref())
    }

    fn is_version_2(&self) -> bool {
        self.get("AWSAccessKeyId").is_some() || self.get("Signature").is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "AWS4-HMAC-SHA256 Credential=K/20260830/us-east-1/s3/aws4_request, \
         SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature=00";

    fn head(method: &str, uri: &str, headers: &[(&str, &str)]) -> Parts {
        let mut request = http::Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    fn signed(authorization: &str, more: &[(&str, &str)]) -> Parts {
        let mut headers = vec![
            ("host", "localhost"),
            ("x-amz-date", "20260830T000000Z"),
            ("x-amz-content-sha256", "UNSIGNED-PAYLOAD"),
            ("authorization", authorization),
        ];
        headers.extend_from_slice(more);
        head("GET", "/b/k", &headers)
    }

    fn presigned(change: (&str, &str), more: &[(&str, &str)]) -> Parts {
        let uri = "/b/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=K%2F20260830%2Fus-east-1\
             %2Fs3%2Faws4_request&X-Amz-Date=20260830T000000Z&X-Amz-Expires=60\
             &X-Amz-SignedHeaders=host&X-Amz-Signature=00";
        let mut headers = vec![("host", "localhost")];
        headers.extend_from_slice(more);
        head("GET", &uri.replace(change.0, change.1), &headers)
    }

    fn code(head: &Parts) -> String {
        match check(head, "us-east-1") {
            Ok(()) => "ok".to_owned(),
            Err(error) => error.code().as_str().to_owned(),
        }
    }

    #[test]
    fn requests_are_told_apart_by_the_service_of_their_signature() {
        assert!(is_for_s3(&signed(GOOD, &[])));
        assert!(!is_for_s3(&signed(
            &GOOD.replace("/s3/", "/codepipeline/"),
            &[]
        )));
        assert!(is_for_s3(&presigned(("", ""), &[])));
        assert!(!is_for_s3(&presigned(("%2Fs3%2F", "%2Fsts%2F"), &[])));
        assert!(!is_for_s3(&head("GET", "/", &[])));
        assert!(!is_for_s3(&signed("Bearer abc", &[])));
        let old = "/b/k?AWSAccessKeyId=K&Signature=x&Expires=1";
        for old in [head("GET", old, &[]), signed("AWS K:x", &[])] {
            assert!(is_for_s3(&old));
            assert_eq!(code(&old), "InvalidRequest");
        }
        assert_eq!(
            code(&head("GET", "/b/k?%53ignature=x", &[])),
            "InvalidRequest"
        );
    }

    #[test]
    fn what_is_well_signed_goes_on() {
        assert_eq!(code(&signed(GOOD, &[])), "ok");
        assert_eq!(code(&presigned(("", ""), &[])), "ok");
        let digest = [("x-amz-content-sha256", "UNSIGNED-PAYLOAD")];
        assert_eq!(code(&presigned(("", ""), &digest)), "ok");
    }

    #[test]
    fn what_is_not_well_signed_is_refused() {
        assert_eq!(code(&head("GET", "/b/k", &[])), "AccessDenied");
        let wrong_region = GOOD.replace("us-east-1", "mars-north-9");
        assert_eq!(
            code(&signed(&wrong_region, &[])),
            "AuthorizationHeaderMalformed"
        );
        let wrong_service = GOOD.replace("/s3/", "/sts/");
        assert_eq!(
            code(&signed(&wrong_service, &[])),
            "AuthorizationHeaderMalformed"
        );
        assert_eq!(
            code(&signed("Nonsense", &[])),
            "AuthorizationHeaderMalformed"
        );
        let no_host = GOOD.replace("host;", "");
        assert_eq!(code(&signed(&no_host, &[])), "AccessDenied");
        let no_date = GOOD.replace(";x-amz-date", "");
        assert_eq!(code(&signed(&no_date, &[])), "AccessDenied");
        assert_eq!(
            code(&signed(GOOD, &[("x-amz-acl", "private")])),
            "AccessDenied"
        );
        let twice = [("x-amz-date", "20260831T000000Z")];
        assert_eq!(code(&signed(GOOD, &twice)), "AccessDenied");
        let missing = GOOD.replace("host;", "host;range;");
        assert_eq!(code(&signed(&missing, &[])), "AccessDenied");
        let two = [("authorization", GOOD)];
        assert_eq!(code(&signed(GOOD, &two)), "InvalidArgument");
        assert_eq!(code(&presigned(("", ""), &two)), "InvalidArgument");
        let acl = [("x-amz-acl", "private")];
        assert_eq!(code(&presigned(("", ""), &acl)), "AccessDenied");
        for expires in ["Expires=0", "Expires=604801", "Expires=", "Expires=x"] {
            let late = presigned(("Expires=60", expires), &[]);
            assert_eq!(code(&late), "AuthorizationQueryParametersError");
        }
        let form = [("content-type", "Multipart/Form-Data; boundary=x")];
        assert_eq!(code(&head("POST", "/b", &form)), "NotImplemented");
    }
}
