//! An access key, and requests that are signed with it, rightly or not.

use std::{
    net::SocketAddr,
    time::{SystemTime, UNIX_EPOCH},
};

use access::sigv4::{Credentials, Request, Scope, sign};
use model::Timestamp;
use serde_json::Value;

/// What stands before the operations of CodePipeline.
pub(crate) const TARGET: &str = "CodePipeline_20150709";

/// An access key.
#[derive(Clone)]
pub(crate) struct Key {
    pub(crate) id: String,
    pub(crate) secret: String,
}

impl Key {
    /// The key in a credentials file with one profile.
    pub(crate) fn read(file: &str) -> Self {
        let value = |name: &str| {
            let line = file.lines().find_map(|line| line.strip_prefix(name));
            let line = line.expect("the server writes its administrator's key");
            line.trim_start_matches([' ', '=']).to_owned()
        };
        Self {
            id: value("aws_access_key_id"),
            secret: value("aws_secret_access_key"),
        }
    }
}

/// A request before it is signed.
#[derive(Clone)]
pub(crate) struct Signable {
    pub(crate) method: String,
    pub(crate) path: String,
    /// With names in lower case; `host` is among them.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// How many milliseconds the clock is off.
    pub(crate) skew: i64,
    pub(crate) region: String,
    pub(crate) service: String,
}

impl Signable {
    /// A call of an operation of CodePipeline.
    pub(crate) fn operation(address: SocketAddr, operation: &str, input: &Value) -> Self {
        let target = format!("{TARGET}.{operation}");
        Self::target(address, &target, input.to_string().as_bytes())
    }

    pub(crate) fn target(address: SocketAddr, target: &str, body: &[u8]) -> Self {
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        Self {
            method: "POST".to_owned(),
            path: "/".to_owned(),
            headers: vec![
                header("host", &address.to_string()),
                header("content-type", "application/x-amz-json-1.1"),
                header("x-amz-target", target),
            ],
            body: body.to_vec(),
            skew: 0,
            region: "us-east-1".to_owned(),
            service: "codepipeline".to_owned(),
        }
    }

    /// The same with a connection that ends with the answer.
    pub(crate) fn closing(mut self) -> Self {
        let close = ("connection".to_owned(), "close".to_owned());
        self.headers.push(close);
        self
    }

    /// All headers, with those of the signature.
    pub(crate) fn headers(&self, key: &Key) -> Vec<(String, String)> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.expect("it is after 1970").as_millis();
        let now = i64::try_from(now).expect("it is before the year 292,000,000");
        let request = Request {
            method: &self.method,
            path: &self.path,
            query: "",
            headers: &self.headers,
            body: &self.body,
        };
        let credentials = Credentials {
            access_key: &key.id,
            secret: &key.secret,
            session_token: None,
        };
        let scope = Scope {
            region: &self.region,
            service: &self.service,
        };
        let added = sign(&request, &credentials, scope, Timestamp(now + self.skew));
        [self.headers.clone(), added].concat()
    }

    /// The whole request, signed.
    pub(crate) fn signed(&self, key: &Key) -> Vec<u8> {
        self.with(&self.headers(key))
    }

    /// The whole request with those headers and the length of its body.
    pub(crate) fn with(&self, headers: &[(String, String)]) -> Vec<u8> {
        let mut bytes = format!("{} {} HTTP/1.1\r\n", self.method, self.path).into_bytes();
        for (name, value) in headers {
            bytes.extend(format!("{name}: {value}\r\n").bytes());
        }
        bytes.extend(format!("content-length: {}\r\n\r\n", self.body.len()).bytes());
        bytes.extend(&self.body);
        bytes
    }
}
