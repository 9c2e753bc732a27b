//! Which part of the house a request is for.

use std::{
    collections::BTreeMap,
    io,
    net::IpAddr,
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use api::{
    Api,
    trail::{Entry, Trail, UNTOLD, unrecorded},
};
use approval_callback::Callback;
use bytes::Bytes;
use futures_util::FutureExt as _;
use http::{
    HeaderValue, Method, Request, StatusCode,
    header::{CONTENT_TYPE, USER_AGENT},
    request::Parts,
};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use ports::audit::UserIdentity;
use serde_json::{Value, json};

use super::{
    answer::{Answer, failed, text, whole},
    body::collect,
    feed::Feed,
    git::Git,
    log::{Level, Log},
    metrics::Metrics,
    visit::{Visit, error_of, is_temporary},
};

/// The largest body of a form.
const FORM_BYTES_MAX: usize = 16 * 1024;

/// Everything that answers requests.
pub struct Router {
    pub api: Api,
    pub buckets: s3::Service,
    pub trail: Arc<Trail>,
    pub git: Arc<Git>,
    pub feed: Feed,
    pub approvals: Callback,
    pub metrics: Arc<Metrics>,
    pub health: Health,
    pub log: Log,
}

/// Tells whether the server can do its work.
pub struct Health {
    /// Why nothing can be changed any more; none while all is well.
    pub trouble: Box<dyn Fn() -> Option<&'static str> + Send + Sync>,
    /// How many pipelines wait for a time or a worker.
    pub live: Box<dyn Fn() -> usize + Send + Sync>,
}

impl Router {
    /// Answers one request.
    pub async fn answer(&self, request: Request<Incoming>, from: IpAddr) -> Answer {
        let begun = Instant::now();
        let method = request.method().clone();
        let path = shown_path(request.uri().path());
        let operation = operation(&request);
        let (source, agent) = (from.to_string(), agent(&request));
        let routed = AssertUnwindSafe(self.route(request, &source)).catch_unwind();
        let answer = routed.await.unwrap_or_else(|_| failed());
        let answer = self.tell_visit(answer, &source, agent).await;
        let status = answer.status().as_u16();
        let seen = answer.extensions().get::<Served>();
        let is_named = seen.is_none() && path == "/";
        let operation = seen.map_or(operation, |served| served.0.clone());
        let exception = answer.headers().get("x-amzn-errortype");
        let exception = exception.and_then(|value| value.to_str().ok());
        let outcome = exception.map_or_else(|| status.to_string(), str::to_owned);
        let id = answer.headers().get("x-amzn-requestid");
        let id = id.and_then(|value| value.to_str().ok());
        // Whoever is not known chooses the name of no series.
        let is_known = !exception.is_some_and(|exception| STRANGERS.contains(&exception));
        let counted = if is_known && (id.is_some() || !is_named) {
            &operation
        } else {
            OTHER
        };
        self.metrics.request(counted, &outcome, begun.elapsed());
        let level = if status >= 500 {
            Level::Error
        } else {
            Level::Info
        };
        self.log.write(
            level,
            "request",
            [
                ("method", method.as_str().into()),
                ("path", path.into()),
                ("operation", operation.into()),
                ("status", status.into()),
                ("exception", exception.map_or(Value::Null, Value::from)),
                ("ms", json!(millis(begun.elapsed()))),
                ("from", from.to_string().into()),
                ("request_id", id.map_or(Value::Null, Value::from)),
            ],
        );
        answer
    }

    async fn route(&self, request: Request<Incoming>, source: &str) -> Answer {
        let (parts, body) = request.into_parts();
        let is_for_s3 = s3::is_for_s3(&parts);
        if is_change(&parts, is_for_s3) && self.trail.is_in_trouble() {
            return text(StatusCode::SERVICE_UNAVAILABLE, &format!("{UNTOLD}\n"));
        }
        if is_for_s3 {
            return self.bucket(Request::from_parts(parts, body), source).await;
        }
        let path = parts.uri.path();
        let is_read = matches!(parts.method, Method::GET | Method::HEAD);
        match path {
            "/healthz" if is_read => text(StatusCode::OK, "ok\n"),
            "/readyz" if is_read => match (self.health.trouble)() {
                None => text(StatusCode::OK, "ready\n"),
                Some(why) => text(StatusCode::SERVICE_UNAVAILABLE, &format!("{why}\n")),
            },
            "/metrics" if is_read => {
                let live = (self.health.live)();
                let mut answer = text(StatusCode::OK, &self.metrics.text(live));
                let kind = HeaderValue::from_static("text/plain; version=0.0.4");
                answer.headers_mut().insert(CONTENT_TYPE, kind);
                answer
            }
            "/events" if is_read => self.feed.answer(&parts, source).await,
            _ if path.starts_with("/git/") => {
                self.git
                    .answer(Request::from_parts(parts, body), source)
                    .await
            }
            _ if path.starts_with(APPROVALS) => match collect(&parts, body, FORM_BYTES_MAX).await {
                Ok(body) => self.approval(Request::from_parts(parts, body)).await,
                Err(answer) => answer,
            },
            _ => match collect(&parts, body, api::BODY_BYTES_MAX).await {
                Ok(body) => {
                    let request = Request::from_parts(parts, body);
                    self.api.handle(request, source).await.map(whole)
                }
                Err(answer) => answer,
            },
        }
    }
}

impl Router {
    /// Answers a request for a bucket, and takes it into the trail.
    async fn bucket(&self, mut request: Request<Incoming>, source: &str) -> Answer {
        let context = BTreeMap::from([("aws:sourceip".to_owned(), vec![source.to_owned()])]);
        request.extensions_mut().insert(s3::Context(context));
        let agent = agent(&request);
        let only_reads = matches!(*request.method(), Method::GET | Method::HEAD);
        let answer = self.buckets.answer(request).await;
        let seen = answer.extensions().get::<s3::Seen>().cloned();
        let seen = seen.unwrap_or_default();
        let entry = Entry {
            user: match (seen.arn, seen.access_key) {
                (Some(arn), Some(access_key)) => UserIdentity::User {
                    name: arn.rsplit('/').next().unwrap_or_default().to_owned(),
                    arn,
                    is_session: is_temporary(&access_key),
                    access_key,
                },
                (_, access_key) => UserIdentity::Unknown { access_key },
            },
            service: "s3".to_owned(),
            operation: seen.operation.unwrap_or_default(),
            source: source.to_owned(),
            agent,
            parameters: Value::Null,
            error: seen.error.map(|code| (code, String::new())),
            request_id: seen.request_id,
            only_reads,
            additional: json!({"resource": seen.resource}),
        };
        let operation = Served(entry.operation.clone());
        let was_changed = entry.was_changed();
        if self.trail.tell(entry).await.is_err() {
            return unrecorded_answer(was_changed);
        }
        let mut answer = answer.map(|body| body.map_err(io::Error::other).boxed_unsync());
        if !operation.0.is_empty() {
            answer.extensions_mut().insert(operation);
        }
        answer
    }
}

impl Router {
    /// Shows an approval, or answers it; whoever has the link is who it was sent to.
    async fn approval(&self, request: Request<Bytes>) -> Answer {
        let decides = *request.method() == Method::POST;
        let token = request
            .uri()
            .path()
            .strip_prefix(APPROVALS)
            .unwrap_or_default();
        let link = self
            .approvals
            .key
            .verify(token, self.approvals.world.clock.now());
        let account = &self.approvals.world.account.id;
        let (user, resource) = match link {
            Ok(link) => (
                UserIdentity::User {
                    arn: format!("arn:aws:iam::{account}:approval-link/{}", link.recipient),
                    name: link.recipient,
                    access_key: String::new(),
                    is_session: false,
                },
                format!("{}/{}/{}", link.pipeline, link.stage, link.action),
            ),
            Err(_) => (UserIdentity::Unknown { access_key: None }, String::new()),
        };
        let visit = Visit {
            service: "codepipeline",
            operation: if decides {
                "AnswerApprovalLink"
            } else {
                "ShowApprovalLink"
            },
            user,
            resource,
            only_reads: !decides,
        };
        let answer = approval_callback::handle(&self.approvals, request).await;
        visit.noted(answer.map(whole))
    }

    /// Takes what was done in a room into the trail.
    async fn tell_visit(&self, mut answer: Answer, source: &str, agent: String) -> Answer {
        let Some(visit) = answer.extensions_mut().remove::<Visit>() else {
            return answer;
        };
        let entry = Entry {
            user: visit.user,
            service: visit.service.to_owned(),
            operation: visit.operation.to_owned(),
            source: source.to_owned(),
            agent,
            parameters: Value::Null,
            error: error_of(&answer),
            request_id: String::new(),
            only_reads: visit.only_reads,
            additional: json!({"resource": visit.resource}),
        };
        let was_changed = entry.was_changed();
        match self.trail.tell(entry).await {
            Ok(()) => answer,
            Err(_) => unrecorded_answer(was_changed),
        }
    }
}

/// Where approval links lead, and what is shown of them: who has a link can answer.
const APPROVALS: &str = "/approvals/";

/// The answer instead of one whose record could not be written.
fn unrecorded_answer(was_changed: bool) -> Answer {
    let message = format!("{}\n", unrecorded(was_changed));
    text(StatusCode::SERVICE_UNAVAILABLE, &message)
}

/// Whether something may be changed, as far as the path tells; the API knows its operations itself.
fn is_change(parts: &Parts, is_for_s3: bool) -> bool {
    let path = parts.uri.path();
    let is_git = path.starts_with("/git/") && !is_for_s3;
    match parts.method {
        // A push asks for the references first, which makes the repository.
        Method::GET | Method::HEAD => {
            is_git && parts.uri.query() == Some("service=git-receive-pack")
        }
        Method::POST if is_git => !path.ends_with("/git-upload-pack"),
        Method::POST => is_for_s3 || path != "/",
        _ => true,
    }
}

/// The operation of S3 that a request turned out to be.
#[derive(Clone)]
struct Served(String);

/// What requests are counted as that nobody known sent, and others that have no name.
const OTHER: &str = "other";

/// The exceptions of those who are not known, or ask for what is not there.
const STRANGERS: [&str; 6] = [
    "ExpiredTokenException",
    "IncompleteSignatureException",
    "InvalidSignatureException",
    "MissingAuthenticationTokenException",
    "UnknownOperationException",
    "UnrecognizedClientException",
];

/// A path as the log has it.
fn shown_path(path: &str) -> String {
    if path.starts_with(APPROVALS) {
        return format!("{APPROVALS}…");
    }
    path.to_owned()
}

/// Milliseconds with three places.
fn millis(took: Duration) -> f64 {
    (took.as_secs_f64() * 1_000_000.0).round() / 1000.0
}

fn agent(request: &Request<Incoming>) -> String {
    let agent = request.headers().get(USER_AGENT);
    let agent = agent.and_then(|value| value.to_str().ok());
    agent.unwrap_or_default().to_owned()
}

/// What a request is counted as.
fn operation(request: &Request<Incoming>) -> String {
    let path = request.uri().path();
    let target = request.headers().get("x-amz-target");
    let target = target.filter(|_| path == "/" && *request.method() == Method::POST);
    if let Some(target) = target.and_then(|value| value.to_str().ok()) {
        return target.rsplit('.').next().unwrap_or_default().to_owned();
    }
    let known = [
        "/healthz", "/readyz", "/metrics", "/events", "/git/", APPROVALS,
    ];
    let known = known.iter().find(|known| path.starts_with(**known));
    known
        .map_or(OTHER, |known| known.trim_matches('/'))
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// While the trail cannot be written, this decides what is turned away.
    #[test]
    fn what_may_change_something_is_known_by_its_method_and_path() {
        let is_change = |method: &str, uri: &str, is_for_s3| {
            let request = Request::builder().method(method).uri(uri).body(());
            let (parts, ()) = request.expect("it is a request").into_parts();
            is_change(&parts, is_for_s3)
        };
        for (method, uri, is_for_s3) in [
            ("PUT", "/incoming/app.zip", true),
            ("POST", "/incoming?delete", true),
            ("PUT", "/git/x/git-upload-pack", true),
            ("POST", "/git/x/git-upload-pack", true),
            ("POST", "/git/web/git-receive-pack", false),
            ("GET", "/git/web/info/refs?service=git-receive-pack", false),
            ("POST", "/approvals/token", false),
            ("DELETE", "/", false),
        ] {
            assert!(is_change(method, uri, is_for_s3), "{method} {uri}");
        }
        for (method, uri, is_for_s3) in [
            // The API knows its operations itself.
            ("POST", "/", false),
            ("GET", "/incoming/app.zip", true),
            ("POST", "/git/web/git-upload-pack", false),
            ("GET", "/git/web/info/refs?service=git-upload-pack", false),
            ("GET", "/approvals/token", false),
            ("GET", "/readyz", false),
        ] {
            assert!(!is_change(method, uri, is_for_s3), "{method} {uri}");
        }
    }
}
