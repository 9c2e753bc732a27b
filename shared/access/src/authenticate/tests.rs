use async_trait::async_trait;

use super::*;
use crate::{
    keys::Secret,
    sigv4::{Credentials, sign},
};

const NOW: Timestamp = Timestamp(1_440_938_160_000);

const SCOPE: Scope<'_> = Scope {
    region: "us-east-1",
    service: "codepipeline",
};

/// A key, temporary credentials, and an id that cannot be looked up.
struct Three;

const KEY: Credentials<'_> = Credentials {
    access_key: "PWKA",
    secret: "secret",
    session_token: None,
};

const TEMPORARY: Credentials<'_> = Credentials {
    access_key: "PWSA",
    secret: "another secret",
    session_token: Some("token"),
};

/// When the temporary credentials end.
const END: Timestamp = Timestamp(NOW.0 + 60_000);

#[async_trait]
impl Keys for Three {
    async fn holder(&self, access_key: &str) -> Result<Option<Arc<Holder>>, KeysError> {
        let of = [KEY, TEMPORARY];
        let known = of.iter().find(|known| known.access_key == access_key);
        if access_key == "BROKEN" {
            return Err(KeysError("no disk".into()));
        }
        let holder = known.map(|known| Holder {
            access_key: known.access_key.to_owned(),
            secret: Secret::new(known.secret),
            arn: format!("arn:aws:iam::000000000000:user/{}", known.access_key),
            policies: Vec::new(),
            session: known.session_token.map(|token| Session {
                token: Secret::new(token),
                expires: END,
            }),
        });
        Ok(holder.map(Arc::new))
    }
}

/// What somebody sends, signed for a scope at a time; whose it is found to be at another.
struct Sent<'a> {
    credentials: Credentials<'a>,
    scope: Scope<'a>,
    at: Timestamp,
    now: Timestamp,
}

impl<'a> Sent<'a> {
    fn with(credentials: Credentials<'a>) -> Self {
        Self {
            credentials,
            scope: SCOPE,
            at: NOW,
            now: NOW,
        }
    }

    async fn authenticated(&self) -> Result<String, (&'static str, String)> {
        let mut headers = vec![("host".to_owned(), "localhost".to_owned())];
        let unsigned = Request {
            method: "POST",
            path: "/",
            query: "",
            headers: &headers,
            body: b"{}",
        };
        let added = sign(&unsigned, &self.credentials, self.scope, self.at);
        headers.extend(added);
        let request = Request {
            method: "POST",
            path: "/",
            query: "",
            headers: &headers,
            body: b"{}",
        };
        let authenticator = Authenticator::new(Arc::new(Three));
        let mut result = None;
        // The second time with what was kept of the first.
        for _ in 0..2 {
            let found = authenticator.authenticate(&request, SCOPE, self.now).await;
            let told = found
                .map(|holder| holder.access_key.clone())
                .map_err(|error| (error.exception(), error.to_string()));
            assert!(result.is_none() || result == Some(told.clone()));
            result = Some(told);
        }
        result.expect("it was tried")
    }

    async fn exception(&self) -> (&'static str, String) {
        self.authenticated().await.expect_err("nobody is believed")
    }
}

#[tokio::test]
async fn who_signed_is_found() {
    for known in [KEY, TEMPORARY] {
        let found = Sent::with(known).authenticated().await;
        assert_eq!(found, Ok(known.access_key.to_owned()));
    }
}

#[tokio::test]
async fn a_key_that_nobody_has_is_unrecognized_whatever_it_signs() {
    let unknown = Credentials {
        access_key: "PWKB",
        ..KEY
    };
    let nobody = Credentials {
        secret: NOBODYS_SECRET,
        ..unknown
    };
    for credentials in [unknown, nobody] {
        let expected = (
            "UnrecognizedClientException",
            "The security token included in the request is invalid.".to_owned(),
        );
        assert_eq!(Sent::with(credentials).exception().await, expected);
    }
}

#[tokio::test]
async fn a_token_belongs_to_its_session_and_to_nothing_else() {
    for session_token in [None, Some("toke"), Some("tokens"), Some("")] {
        let credentials = Credentials {
            session_token,
            ..TEMPORARY
        };
        let (exception, _) = Sent::with(credentials).exception().await;
        assert_eq!(exception, "UnrecognizedClientException");
    }
    let credentials = Credentials {
        session_token: Some("token"),
        ..KEY
    };
    let (exception, _) = Sent::with(credentials).exception().await;
    assert_eq!(exception, "UnrecognizedClientException");
}

#[tokio::test]
async fn temporary_credentials_end_and_only_their_holder_learns_it() {
    let mut sent = Sent::with(TEMPORARY);
    sent.now = Timestamp(END.0 - 1);
    assert!(sent.authenticated().await.is_ok());
    sent.now = END;
    let expected = (
        "ExpiredTokenException",
        "The security token included in the request is expired".to_owned(),
    );
    assert_eq!(sent.exception().await, expected);
    sent.credentials.secret = "guessed";
    assert_eq!(sent.exception().await.0, "InvalidSignatureException");
}

#[tokio::test]
async fn a_signature_counts_for_its_scope_and_its_time() {
    let mut wrong_secret = Sent::with(KEY);
    wrong_secret.credentials.secret = "guessed";
    let mut wrong_region = Sent::with(KEY);
    wrong_region.scope.region = "eu-west-1";
    let mut wrong_service = Sent::with(KEY);
    wrong_service.scope.service = "s3";
    let mut late = Sent::with(KEY);
    late.now = NOW.plus_minutes(6);
    for (sent, what) in [
        (wrong_secret, "does not match the signature you provided"),
        (wrong_region, "this server's is 'us-east-1'"),
        (wrong_service, "correct service: 'codepipeline'"),
        (late, "Signature expired"),
    ] {
        let (exception, message) = sent.exception().await;
        assert_eq!(exception, "InvalidSignatureException");
        assert!(message.contains(what), "{message}");
    }
}

#[tokio::test]
async fn every_other_refusal_has_its_exception() {
    let broken = Credentials {
        access_key: "BROKEN",
        ..KEY
    };
    assert_eq!(Sent::with(broken).exception().await.0, "InternalFailure");
    let authenticator = Authenticator::new(Arc::new(Three));
    for (header, exception) in [
        (None, "MissingAuthenticationTokenException"),
        (Some("Basic"), "IncompleteSignatureException"),
    ] {
        let header = header.map(|value| ("authorization".to_owned(), value.to_owned()));
        let headers: Vec<_> = header.into_iter().collect();
        let request = Request {
            method: "GET",
            path: "/",
            query: "",
            headers: &headers,
            body: b"",
        };
        let refused = authenticator.authenticate(&request, SCOPE, NOW).await;
        assert_eq!(refused.expect_err("it is refused").exception(), exception);
    }
}
