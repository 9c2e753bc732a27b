//! Which part of the house a request is for.

use std::{collections::BTreeMap, io, net::IpAddr, sync::Arc, time::Instant};

use access::keys::Keys;
use api::{
    Api,
    trail::{Entry, Trail},
};
use approval_callback::Callback;
use bytes::Bytes;
use http::{
    HeaderValue, Method, Request, StatusCode,
    header::{CONTENT_TYPE, USER_AGENT},
};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use ports::audit::UserIdentity;
use serde_json::{Value, json};

use super::{
    answer::{Answer, text, whole},
    body::collect,
    feed::Feed,
    git::Git,
    log::{Level, Log},
    metrics::Metrics,
};

/// The largest body of a form.
const FORM_BYTES_MAX: usize = 16 * 1024;

/// Everything that answers requests.
pub struct Router {
    pub api: Arc<Api>,
    pub buckets: s3::Service,
    pub trail: Arc<Trail>,
    pub git: Arc<Git>,
    pub feed: Feed,
    pub approvals: Callback,
    pub keys: Arc<dyn Keys>,
    pub metrics: Arc<Metrics>,
    pub health: Health,
    pub log: Log,
}

/// Tells whether the server can do its work.
pub struct Health {
    /// Why nothing can be changed any more; none while all is well.
    pub trouble: Box<dyn Fn() -> Option<String> + Send + Sync>,
    /// How many pipelines wait for a time or a worker.
    pub live: Box<dyn Fn() -> usize + Send + Sync>,
}

impl Router {
    /// Answers one request.
    pub async fn answer(&self, request: Request<Incoming>, from: IpAddr) -> Answer {
        let begun = Instant::now();
        let method = request.method().clone();
        let path = request.uri().path().to_owned();
        let operation = operation(&request);
        let answer = self.route(request, &from.to_string()).await;
        let status = answer.status().as_u16();
        let exception = answer.headers().get("x-amzn-errortype");
        let exception = exception.and_then(|value| value.to_str().ok());
        let outcome = exception.map_or_else(|| status.to_string(), str::to_owned);
        self.metrics.request(&operation, &outcome, begun.elapsed());
        let level = if status >= 500 {
            Level::Error
        } else {
            Level::Info
        };
        let id = answer.headers().get("x-amzn-requestid");
        let id = id.and_then(|value| value.to_str().ok());
        self.log.write(
            level,
            "request",
            [
                ("method", method.as_str().into()),
                ("path", path.into()),
                ("operation", operation.into()),
                ("status", status.into()),
                ("exception", exception.map_or(Value::Null, Value::from)),
                ("ms", json!(begun.elapsed().as_secs_f64() * 1000.0)),
                ("from", from.to_string().into()),
                ("request_id", id.map_or(Value::Null, Value::from)),
            ],
        );
        answer
    }

    async fn route(&self, request: Request<Incoming>, source: &str) -> Answer {
        let (parts, body) = request.into_parts();
        if s3::is_for_s3(&parts) {
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
            "/events" if is_read => self.feed.answer(&parts, &*self.keys, source).await,
            _ if path.starts_with("/git/") => {
                self.git
                    .answer(Request::from_parts(parts, body), source)
                    .await
            }
            _ if path.starts_with("/approvals/") => {
                match collect(&parts, body, FORM_BYTES_MAX).await {
                    Ok(body) => {
                        let request = Request::from_parts(parts, body);
                        approval_callback::handle(&self.approvals, request)
                            .await
                            .map(whole)
                    }
                    Err(answer) => answer,
                }
            }
            _ => match collect(&parts, body, api::BODY_BYTES_MAX).await {
                Ok(body) => {
                    let request = Request::from_parts(parts, body);
                    self.operate(request, source).await
                }
                Err(answer) => answer,
            },
        }
    }
}

impl Router {
    /// Carries out an operation to its end, even if whoever asked does not wait for it: what was
    /// begun is recorded and delivered.
    async fn operate(&self, request: Request<Bytes>, source: &str) -> Answer {
        let (api, source) = (Arc::clone(&self.api), source.to_owned());
        let handled = tokio::spawn(async move { api.handle(request, &source).await });
        if let Ok(answer) = handled.await {
            return answer.map(whole);
        }
        let message = "an operation failed unexpectedly";
        self.log.write(Level::Error, message, []);
        let body = json!({"__type": "InternalFailure", "message": message});
        text(StatusCode::INTERNAL_SERVER_ERROR, &body.to_string())
    }

    /// Answers a request for a bucket, and takes it into the trail.
    async fn bucket(&self, mut request: Request<Incoming>, source: &str) -> Answer {
        let context = BTreeMap::from([("aws:sourceip".to_owned(), vec![source.to_owned()])]);
        request.extensions_mut().insert(s3::Context(context));
        let agent = request.headers().get(USER_AGENT);
        let agent = agent.and_then(|value| value.to_str().ok());
        let agent = agent.unwrap_or_default().to_owned();
        let only_reads = matches!(*request.method(), Method::GET | Method::HEAD);
        let answer = self.buckets.answer(request).await;
        let seen = answer.extensions().get::<s3::Seen>().cloned();
        let seen = seen.unwrap_or_default();
        let entry = Entry {
            user: match (seen.arn, seen.access_key) {
                (Some(arn), Some(access_key)) => UserIdentity::User {
                    name: arn.rsplit('/').next().unwrap_or_default().to_owned(),
                    arn,
                    access_key,
                    is_session: false,
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
        if let Err(error) = self.trail.tell(entry).await {
            let message = format!("the audit trail cannot be written: {error}\n");
            return text(StatusCode::SERVICE_UNAVAILABLE, &message);
        }
        answer.map(|body| body.map_err(io::Error::other).boxed_unsync())
    }
}

/// What a request is counted as.
fn operation(request: &Request<Incoming>) -> String {
    let target = request.headers().get("x-amz-target");
    if let Some(target) = target.and_then(|value| value.to_str().ok()) {
        return target.rsplit('.').next().unwrap_or_default().to_owned();
    }
    let path = request.uri().path();
    let known = [
        "/healthz",
        "/readyz",
        "/metrics",
        "/events",
        "/git/",
        "/approvals/",
    ];
    let known = known.iter().find(|known| path.starts_with(**known));
    known
        .map_or("other", |known| known.trim_matches('/'))
        .to_owned()
}
