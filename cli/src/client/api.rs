//! The API, one call at a time: signed, sent, and sent again where that can do no harm.

use std::{
    fs, io,
    path::Path,
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use access::sigv4;
use model::Timestamp;
use serde_json::{Value, json};
use ureq::{
    Agent, Error,
    http::Uri,
    tls::{PemItem, RootCerts, TlsConfig, parse_pem},
};
use uuid::Uuid;

use super::{
    ApiError,
    error::is_loopback,
    settings::{self, Settings},
};
use crate::{args::Connection, exit::Exit, failure::Failure};

/// How long a connection may take to be made.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// How long a call may take from its beginning to the last byte of its answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// The longest answer that is read.
const ANSWER_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// How often a call is tried.
const TRIES_MAX: u32 = 4;
/// How long the second try waits; each further one waits twice as long.
const BACKOFF: Duration = Duration::from_millis(100);
/// How many pages of a list are read.
pub const PAGES_MAX: usize = 1_000;
const CONTENT_TYPE: &str = "application/x-amz-json-1.1";

/// Which of the APIs of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    CodePipeline,
    CodeBuild,
    /// CloudWatch Logs, where builds write.
    Logs,
    /// What AWS does not have: keys and logs.
    Pipewright,
}

impl Service {
    /// What stands before the operation in `X-Amz-Target`.
    fn target_prefix(self) -> &'static str {
        match self {
            Self::CodePipeline => "CodePipeline_20150709",
            Self::CodeBuild => "CodeBuild_20161006",
            Self::Logs => "Logs_20140328",
            Self::Pipewright => "Pipewright_20261121",
        }
    }

    /// The name that requests are signed for, which is also the endpoint's.
    pub fn signing_name(self) -> &'static str {
        match self {
            Self::CodePipeline | Self::Pipewright => "codepipeline",
            Self::CodeBuild => "codebuild",
            Self::Logs => "logs",
        }
    }

    /// The name that variables and files call it by.
    pub fn setting_name(self) -> &'static str {
        match self {
            Self::Logs => "cloudwatch_logs",
            Self::CodePipeline | Self::CodeBuild | Self::Pipewright => self.signing_name(),
        }
    }
}

/// A server and who asks it.
pub struct Client {
    pub settings: Settings,
    agent: Agent,
}

impl Client {
    /// A client by what the command line, the environment and the files say.
    pub fn open(connection: &Connection) -> Result<Self, Failure> {
        Self::of(settings::of_process(connection)?)
    }

    /// A client of that server.
    pub fn of(settings: Settings) -> Result<Self, Failure> {
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            // A signed request is for one host only.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_connect(Some(CONNECT_WITHIN))
            .timeout_global(Some(ANSWER_WITHIN))
            .user_agent(concat!("pipewright/", env!("CARGO_PKG_VERSION")));
        if is_loopback(&settings.endpoint(Service::CodePipeline)) {
            config = config.proxy(None);
        }
        if let Some(path) = &settings.ca_bundle {
            let roots = RootCerts::new_with_certs(&certificates(path)?);
            config = config.tls_config(TlsConfig::builder().root_certs(roots).build());
        }
        Ok(Self {
            agent: config.build().new_agent(),
            settings,
        })
    }

    /// Calls an operation of CodePipeline.
    pub fn call(&self, operation: &'static str, input: &Value) -> Result<Value, ApiError> {
        self.ask(Service::CodePipeline, operation, input)
    }

    /// Calls an operation; a list is one page of it.
    pub fn ask(
        &self,
        service: Service,
        operation: &'static str,
        input: &Value,
    ) -> Result<Value, ApiError> {
        let is_harmless = is_harmless(operation, input);
        let (began, mut wait) = (Instant::now(), BACKOFF);
        for _ in 1..TRIES_MAX {
            match self.exchange(service, operation, input) {
                // Whoever has waited that long already is told.
                Err(error) if error.is_passing(is_harmless) && began.elapsed() < CONNECT_WITHIN => {
                }
                done => return done,
            }
            thread::sleep(wait);
            wait *= 2;
        }
        self.exchange(service, operation, input)
    }

    /// All items of a list, up to `most`.
    pub fn list(
        &self,
        service: Service,
        operation: &'static str,
        input: &Value,
        items: &str,
        most: usize,
    ) -> Result<Vec<Value>, ApiError> {
        let mut input = input.clone();
        let mut all = Vec::new();
        for _ in 0..PAGES_MAX {
            let mut page = self.ask(service, operation, &input)?;
            if let Value::Array(items) = page[items].take() {
                all.extend(items);
            }
            let token = page["nextToken"].take();
            if token.as_str().is_none_or(str::is_empty) || all.len() >= most {
                break;
            }
            input["nextToken"] = token;
        }
        all.truncate(most);
        Ok(all)
    }

    fn exchange(
        &self,
        service: Service,
        operation: &'static str,
        input: &Value,
    ) -> Result<Value, ApiError> {
        let endpoint = self.settings.endpoint(service);
        let host = host(&endpoint).map_err(|why| ApiError::Endpoint {
            endpoint: endpoint.clone(),
            why,
        })?;
        let body = input.to_string();
        let target = format!("{}.{operation}", service.target_prefix());
        let mut request = self.agent.post(&endpoint);
        for (name, value) in self.signed(service, &host, &target, &body) {
            request = request.header(name, value);
        }
        let unreachable = |error: &Error| ApiError::Unreachable {
            endpoint: endpoint.clone(),
            why: why(error),
            unsent: is_unsent(error),
        };
        let mut answer = request
            .send(body.as_bytes())
            .map_err(|error| unreachable(&error))?;
        let status = answer.status().as_u16();
        let limited = answer.body_mut().with_config().limit(ANSWER_BYTES_MAX);
        let body = limited
            .read_to_vec()
            .map_err(|error| ApiError::Unreachable {
                endpoint: endpoint.clone(),
                why: format!("the answer ends early: {error}"),
                unsent: false,
            })?;
        if status != 200 {
            return Err(ApiError::of_answer(operation, &endpoint, status, &body));
        }
        if body.is_empty() {
            return Ok(json!({}));
        }
        serde_json::from_slice(&body).map_err(|error| ApiError::Foreign {
            endpoint,
            what: format!("the answer to {operation} is not JSON: {error}"),
        })
    }

    /// The headers of a call, of which one says who asks.
    fn signed(
        &self,
        service: Service,
        host: &str,
        target: &str,
        body: &str,
    ) -> Vec<(String, String)> {
        let headers = [
            ("content-type", CONTENT_TYPE),
            ("host", host),
            ("x-amz-target", target),
        ];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let unsigned = sigv4::Request {
            method: "POST",
            path: "/",
            query: "",
            headers: &headers,
            body: body.as_bytes(),
        };
        let credentials = &self.settings.credentials;
        let credentials = sigv4::Credentials {
            access_key: &credentials.access_key,
            secret: &credentials.secret,
            session_token: credentials.session_token.as_deref(),
        };
        let scope = sigv4::Scope {
            region: &self.settings.region,
            service: service.signing_name(),
        };
        let added = sigv4::sign(&unsigned, &credentials, scope, now());
        headers.into_iter().chain(added).collect()
    }
}

/// Whether a request may be done twice and have the effect of one.
fn is_harmless(operation: &str, input: &Value) -> bool {
    match operation {
        "StartPipelineExecution" => input.get("clientRequestToken").is_some(),
        "StartBuild" => input.get("idempotencyToken").is_some(),
        "DeletePipeline"
        | "EnableStageTransition"
        | "DisableStageTransition"
        | "UpdateAccessKey"
        | "PutAccessKeyPolicies"
        | "UpdateProject" => true,
        _ => ["Get", "List", "BatchGet"]
            .iter()
            .any(|verb| operation.starts_with(verb)),
    }
}

/// A token that makes a request one that may be sent twice.
pub fn token() -> String {
    Uuid::new_v4().to_string()
}

/// What went wrong with a connection, as people say it.
fn why(error: &Error) -> String {
    match error {
        Error::Io(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            "the connection was refused".to_owned()
        }
        Error::Io(error) => error.to_string(),
        Error::HostNotFound => "there is no host of that name".to_owned(),
        Error::Timeout(_) => "no answer came in time".to_owned(),
        other => other.to_string(),
    }
}

/// Whether the request did not even leave.
fn is_unsent(error: &Error) -> bool {
    match error {
        Error::Io(error) => error.kind() == io::ErrorKind::ConnectionRefused,
        Error::HostNotFound | Error::ConnectionFailed => true,
        _ => false,
    }
}

/// The value of the Host header, which is signed: with its port unless that is the scheme's own.
fn host(endpoint: &str) -> Result<String, String> {
    let uri: Uri = endpoint.parse().map_err(|_| "it is no URL".to_owned())?;
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return Err("it has no scheme or no host".to_owned());
    };
    let default = match scheme {
        "http" => 80,
        "https" => 443,
        other => return Err(format!("`{other}` is neither http nor https")),
    };
    if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
        return Err("it has a path, and every call is to the root".to_owned());
    }
    if authority.as_str().contains('@') {
        return Err("it has a user name; the access key says who asks".to_owned());
    }
    Ok(match authority.port_u16() {
        Some(port) if port != default => format!("{}:{port}", authority.host()),
        _ => authority.host().to_owned(),
    })
}

fn certificates(path: &Path) -> Result<Vec<ureq::tls::Certificate<'static>>, Failure> {
    let failed = |why: &dyn std::fmt::Display| {
        let message = format!(
            "failed to read the certificates in {}: {why}",
            path.display()
        );
        Failure::new(Exit::Usage, message).with_help("AWS_CA_BUNDLE names a file in PEM form")
    };
    let text = fs::read(path).map_err(|error| failed(&error))?;
    let mut found = Vec::new();
    for item in parse_pem(&text) {
        if let PemItem::Certificate(certificate) = item.map_err(|error| failed(&error))? {
            found.push(certificate);
        }
    }
    if found.is_empty() {
        return Err(failed(&"there is none in it"));
    }
    Ok(found)
}

/// The time by this machine's clock.
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let millis = since.map_or(0, |since| since.as_millis());
    Timestamp(i64::try_from(millis).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests;
