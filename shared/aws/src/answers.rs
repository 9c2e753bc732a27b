//! Services that answer as a test says, without a network and without a second attempt.

use std::{fmt, sync::Arc};

use aws_smithy_runtime_api::{
    client::{
        http::{
            HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector,
            http_client_fn,
        },
        orchestrator::{HttpRequest, HttpResponse},
        result::ConnectorError,
    },
    http::StatusCode,
};
use aws_smithy_types::body::SdkBody;
use serde_json::{Value, json};

use crate::Clients;

/// What becomes of a request.
pub(crate) enum Answer {
    /// The service did it and says this.
    Done(Value),
    /// The service refused it, and says this.
    Refused(Value),
    /// A status and the code of an exception.
    Failed(u16, &'static str),
    /// A status with all that is said.
    Said(u16, Value),
    /// The connection ends before an answer came.
    Silence,
}

/// Clients whose requests are answered by a function of the operation's name and the request.
pub(crate) fn clients(answer: impl Fn(&str, &Value) -> Answer + Send + Sync + 'static) -> Clients {
    Clients::answered(answering(answer))
}

fn answering(answer: impl Fn(&str, &Value) -> Answer + Send + Sync + 'static) -> SharedHttpClient {
    let connector = SharedHttpConnector::new(Answering(Arc::new(answer)));
    http_client_fn(move |_, _| connector.clone())
}

type Answerer = dyn Fn(&str, &Value) -> Answer + Send + Sync;

struct Answering(Arc<Answerer>);

impl fmt::Debug for Answering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Answering")
    }
}

impl HttpConnector for Answering {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let operation = target.rsplit('.').next().unwrap_or_default();
        let body = request.body().bytes().unwrap_or_default();
        let body = serde_json::from_slice(body).unwrap_or_default();
        let (status, said) = match (self.0)(operation, &body) {
            Answer::Done(said) => (200, said),
            Answer::Said(status, said) => (status, said),
            Answer::Refused(said) => (400, said),
            Answer::Failed(status, code) => (status, json!({"__type": code, "message": "no"})),
            Answer::Silence => {
                let error = ConnectorError::io("the connection was closed".into());
                return HttpConnectorFuture::ready(Err(error));
            }
        };
        let status = StatusCode::try_from(status).expect("tests know their numbers");
        let response = HttpResponse::new(status, SdkBody::from(said.to_string()));
        HttpConnectorFuture::ready(Ok(response))
    }
}
