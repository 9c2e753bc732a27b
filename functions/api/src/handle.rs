//! A request from the first byte to the answer.

use std::{collections::BTreeMap, sync::Arc};

use access::{
    Authenticator, Caller,
    keys::Holder,
    sigv4::{Authorization, Request, Scope},
};
use bytes::Bytes;
use http::{
    HeaderValue, Method, StatusCode,
    header::{CONTENT_TYPE, HeaderMap},
};
use ports::{World, audit::UserIdentity};
use serde_json::Value;
use uuid::Uuid;

use crate::{
    codepipeline,
    error::ApiError,
    page::Tokens,
    parameters::parameters,
    ready::Ready,
    service::{Call, Service},
    trail::{Entry, Trail, UNTOLD, unrecorded},
};

/// The largest body (spec 10 §1).
pub const BODY_BYTES_MAX: usize = 6 * 1024 * 1024;

const JSON: &str = "application/x-amz-json-1.1";

pub struct Options {
    pub world: World,
    pub authenticator: Arc<Authenticator>,
    pub trail: Arc<Trail>,
    /// Seals the tokens of next pages; whoever has it can make them.
    pub page_key: [u8; 32],
    /// Other services on the same address.
    pub more: Vec<Arc<dyn Service>>,
}

/// The API.
pub struct Api {
    world: World,
    authenticator: Arc<Authenticator>,
    trail: Arc<Trail>,
    services: Vec<Arc<dyn Service>>,
}

/// What is told of a request, whatever becomes of it.
struct Told<'a> {
    id: Uuid,
    operation: &'a str,
    service: &'a str,
    only_reads: bool,
    source: &'a str,
    agent: &'a str,
}

impl Api {
    pub fn new(options: Options) -> Self {
        let own = codepipeline::CodePipeline {
            world: options.world.clone(),
            tokens: Tokens::new(options.page_key),
            states: Ready::default(),
        };
        let mut services: Vec<Arc<dyn Service>> = vec![Arc::new(own)];
        services.extend(options.more);
        Self {
            world: options.world,
            authenticator: options.authenticator,
            trail: options.trail,
            services,
        }
    }

    /// Answers one request; `source` is the address that it came from.
    pub async fn handle(
        &self,
        request: http::Request<Bytes>,
        source: &str,
    ) -> http::Response<Bytes> {
        let (parts, body) = request.into_parts();
        let id = self.world.random.uuid();
        if parts.method != Method::POST || parts.uri.path() != "/" {
            return self.nothing_here(id, &parts, source).await;
        }
        let target = header(&parts.headers, "x-amz-target").unwrap_or_default();
        let (prefix, operation) = target.rsplit_once('.').unwrap_or(("", target));
        let service = self.services.iter().find(|it| it.prefix() == prefix);
        let told = Told {
            id,
            operation,
            service: service.map_or("codepipeline", |service| service.signed_for()),
            only_reads: service.is_some_and(|service| service.only_reads(operation)),
            source,
            agent: header(&parts.headers, "user-agent").unwrap_or_default(),
        };
        let holder = match self.authenticate(&parts, &body, told.service).await {
            Ok(holder) => holder,
            Err((key, error)) => {
                let identity = UserIdentity::Unknown { access_key: key };
                let told = self.tell(&told, identity, None, Some(&error)).await;
                return respond(id, told.and(Err(error)));
            }
        };
        let identity = UserIdentity::User {
            name: holder.user().to_owned(),
            arn: holder.arn.clone(),
            access_key: holder.access_key.clone(),
            is_session: holder.session.is_some(),
        };
        if !told.only_reads && self.trail.is_in_trouble() {
            return respond(id, Err(ApiError::unavailable(UNTOLD)));
        }
        let caller = Caller::of_key(holder, self.context(source, told.agent));
        let answer = match service {
            Some(service) => carry_out(&**service, operation, caller, &body).await,
            None => Err((None, unknown(target))),
        };
        let (input, answer) = match answer {
            Ok((input, output)) => (Some(input), Ok(output)),
            Err((input, error)) => (input, Err(error)),
        };
        let input = input.map(|input| parameters(&input));
        let error = answer.as_ref().err();
        if let Err(error) = self.tell(&told, identity, input, error).await {
            return respond(id, Err(error));
        }
        respond(id, answer)
    }

    /// The answer to what is no call of an operation.
    async fn nothing_here(
        &self,
        id: Uuid,
        parts: &http::request::Parts,
        source: &str,
    ) -> http::Response<Bytes> {
        let message = format!(
            "{} {} is nothing here: operations are called with POST /",
            parts.method,
            parts.uri.path()
        );
        let mut error = ApiError::new("UnknownOperationException", message);
        error.status = 404;
        let told = Told {
            id,
            operation: "",
            service: "codepipeline",
            only_reads: true,
            source,
            agent: header(&parts.headers, "user-agent").unwrap_or_default(),
        };
        let nobody = UserIdentity::Unknown { access_key: None };
        let told = self.tell(&told, nobody, None, Some(&error)).await;
        respond(id, told.and(Err(error)))
    }

    async fn authenticate(
        &self,
        parts: &http::request::Parts,
        body: &Bytes,
        service: &str,
    ) -> Result<Arc<Holder>, (Option<String>, ApiError)> {
        let headers: Vec<(String, String)> = parts
            .headers
            .iter()
            .map(|(name, value)| {
                let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
                (name.as_str().to_owned(), value)
            })
            .collect();
        let request = Request {
            method: parts.method.as_str(),
            path: parts.uri.path(),
            query: parts.uri.query().unwrap_or_default(),
            headers: &headers,
            body,
        };
        let key = Authorization::read(&request).ok();
        let key = key.map(|authorization| authorization.access_key);
        let scope = Scope {
            region: &self.world.account.region,
            service,
        };
        let now = self.world.clock.now();
        let sender = self.authenticator.authenticate(&request, scope, now);
        sender
            .await
            .map_err(|error| (key, ApiError::of_authentication(&error)))
    }

    /// The condition keys that every request has.
    fn context(&self, source: &str, agent: &str) -> BTreeMap<String, Vec<String>> {
        let now = jiff::Timestamp::from_millisecond(self.world.clock.now().0).unwrap_or_default();
        BTreeMap::from([
            ("aws:sourceip".to_owned(), vec![source.to_owned()]),
            ("aws:useragent".to_owned(), vec![agent.to_owned()]),
            ("aws:currenttime".to_owned(), vec![now.to_string()]),
            (
                "aws:epochtime".to_owned(),
                vec![now.as_second().to_string()],
            ),
            (
                "aws:requestedregion".to_owned(),
                vec![self.world.account.region.clone()],
            ),
        ])
    }

    async fn tell(
        &self,
        told: &Told<'_>,
        user: UserIdentity,
        input: Option<Value>,
        error: Option<&ApiError>,
    ) -> Result<(), ApiError> {
        let entry = Entry {
            user,
            service: told.service.to_owned(),
            operation: told.operation.to_owned(),
            source: told.source.to_owned(),
            agent: told.agent.to_owned(),
            parameters: input.unwrap_or(Value::Null),
            error: error.map(|error| (short(error.exception), error.message.clone())),
            request_id: told.id.to_string(),
            only_reads: told.only_reads,
            additional: Value::Null,
        };
        let was_changed = entry.was_changed();
        let told = self.trail.tell(entry).await;
        told.map_err(|_| ApiError::unavailable(unrecorded(was_changed)))
    }
}

/// `PipelineNotFoundException` is `PipelineNotFound` to `CloudTrail`.
fn short(exception: &str) -> String {
    exception
        .strip_suffix("Exception")
        .unwrap_or(exception)
        .to_owned()
}

/// What was asked for, and the text of the answer.
type Outcome = Result<(Value, Bytes), (Option<Value>, ApiError)>;

async fn carry_out(service: &dyn Service, operation: &str, caller: Caller, body: &[u8]) -> Outcome {
    let none = |error| (None, error);
    let body = std::str::from_utf8(body)
        .map_err(|_| none(ApiError::serialization("the body is not UTF-8")))?;
    // A request without members may have no body at all.
    let text = if body.trim().is_empty() { "{}" } else { body };
    let input: Value = serde_json::from_str(text).map_err(|error| {
        none(ApiError::serialization(format!(
            "the body is not JSON: {error}"
        )))
    })?;
    let call = Call {
        operation,
        caller,
        input: input.clone(),
        body: text,
    };
    match service.call(call).await {
        Ok(reply) => Ok((input, reply.into_body())),
        Err(error) => Err((Some(input), error)),
    }
}

fn unknown(target: &str) -> ApiError {
    let message = if target.is_empty() {
        "the request has no X-Amz-Target header, which names the operation".to_owned()
    } else {
        format!("there is no operation `{target}`")
    };
    ApiError::new("UnknownOperationException", message)
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

pub(crate) fn respond(id: Uuid, answer: Result<Bytes, ApiError>) -> http::Response<Bytes> {
    let (status, body, exception) = match answer {
        Ok(text) => (StatusCode::OK, text, None),
        Err(error) => (
            StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            Bytes::from(error.body()),
            Some(error.exception),
        ),
    };
    let mut response = http::Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
    let id = HeaderValue::from_str(&id.to_string());
    headers.extend(
        id.ok()
            .map(|id| (http::HeaderName::from_static("x-amzn-requestid"), id)),
    );
    if let Some(exception) = exception {
        headers.insert("x-amzn-errortype", HeaderValue::from_static(exception));
    }
    response
}
