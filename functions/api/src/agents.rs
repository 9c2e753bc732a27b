//! What the agents of builds in containers ask for, below `/agent/builds/<id>`
//! (`model::build::remote` has the table).
//!
//! Whoever asks shows the token of the build's attempt. It opens this one build, until its report is
//! there: after that, and to everybody else, there is no such build, and the answer is the same for
//! an id that never was. Nothing here is recorded in the audit trail: it is the build's own work,
//! which its log and its report tell.

mod named;
mod order;

use std::sync::Arc;

use bytes::Bytes;
use http::{
    HeaderValue, Method, StatusCode,
    header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE},
};
use model::build::{
    AgentHeard, AgentOffer, AgentPlace, BuildPhase, BuildReport, OUTPUT_BYTES_MAX, PHASES,
    RunnerMessage, SecretNeed, with_causes,
};
use ports::{Account, StoreError, agents::AgentBuild, objects::ObjectError};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::json;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use thiserror::Error;
use uuid::Uuid;

/// Where all of this is.
pub const PATH: &str = "/agent/builds/";

/// The largest bodies: phases with their messages, a name, a report with its variables and its
/// failed tests.
const PHASES_BYTES_MAX: usize = 256 * 1024;
const SECRET_BYTES_MAX: usize = 8 * 1024;
const OFFER_BYTES_MAX: usize = 4 * 1024;
const REPORT_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The longest token that is looked at.
const TOKEN_BYTES_MAX: usize = 512;

/// Why a request got no answer, for whoever logs: it is in the response's extensions.
#[derive(Clone, Debug)]
pub struct Trouble(pub String);

/// The routes of agents.
pub struct Agents {
    builds: Arc<dyn ports::Agents>,
    account: Arc<Account>,
    open_secrets: Vec<String>,
}

#[derive(Debug, Error)]
enum Answer {
    /// There is no such build, or it is not the asker's, or it is over, or there is no such route.
    #[error("there is no such build")]
    Nothing,
    #[error("{0}")]
    Invalid(String),
    #[error("the body has more than {0} bytes")]
    TooLarge(usize),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Objects(#[from] ObjectError),
}

impl Agents {
    /// Besides the secrets and parameters that a build's order names, it may ask for those in
    /// `open_secrets`: names, or beginnings of names with `*` at the end. Those are what a buildspec
    /// in a source may name.
    pub fn new(
        builds: Arc<dyn ports::Agents>,
        account: Arc<Account>,
        open_secrets: Vec<String>,
    ) -> Self {
        Self {
            builds,
            account,
            open_secrets,
        }
    }

    /// Answers one request. Where the machine failed, the response has a [`Trouble`].
    pub async fn handle(&self, request: http::Request<Bytes>) -> http::Response<Bytes> {
        let (parts, body) = request.into_parts();
        let route = parts.uri.path().strip_prefix(PATH).unwrap_or_default();
        let (id, what) = route.split_once('/').unwrap_or((route, ""));
        let authorization = parts.headers.get(AUTHORIZATION);
        let token = authorization.and_then(|value| value.to_str().ok());
        let token = token.and_then(|value| value.strip_prefix("Bearer "));
        let answer = match self.admit(id, token.unwrap_or_default()).await {
            Ok(build) => self.answer(&parts.method, what, id, &build, &body).await,
            Err(answer) => Err(answer),
        };
        respond(answer)
    }

    /// The build of that id, if the token is its own and it is not over.
    async fn admit(&self, id: &str, token: &str) -> Result<AgentBuild, Answer> {
        if Uuid::try_parse(id).is_err() || token.is_empty() || token.len() > TOKEN_BYTES_MAX {
            return Err(Answer::Nothing);
        }
        let build = self.builds.build(id).await?.ok_or(Answer::Nothing)?;
        let digest: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        let fits = build
            .tokens
            .iter()
            .fold(0, |fits, known| fits | known.ct_eq(&digest).unwrap_u8());
        if fits == 0 || build.is_over {
            return Err(Answer::Nothing);
        }
        Ok(build)
    }

    async fn answer(
        &self,
        method: &Method,
        what: &str,
        id: &str,
        build: &AgentBuild,
        body: &[u8],
    ) -> Result<Bytes, Answer> {
        match (method.as_str(), what) {
            ("GET", "") => self.order(id, build).await,
            ("POST", "phases") => self.hear(id, build, body).await,
            ("POST", "secret") => self.secret(id, body).await,
            ("POST", "outputs") => self.output(id, body).await,
            ("POST", "report") => self.end(id, body).await,
            _ => Err(Answer::Nothing),
        }
    }

    async fn order(&self, id: &str, build: &AgentBuild) -> Result<Bytes, Answer> {
        let order = self.builds.order(id).await?.ok_or(Answer::Nothing)?;
        let inputs = order::inputs(&*self.builds, &order).await?;
        text(&order::seal(&self.account, &order, build, inputs))
    }

    async fn hear(&self, id: &str, build: &AgentBuild, body: &[u8]) -> Result<Bytes, Answer> {
        let phases: Vec<BuildPhase> = read(body, PHASES_BYTES_MAX)?;
        self.builds.tell(id, &known(phases)).await?;
        text(&AgentHeard {
            is_stopping: build.is_stopping,
        })
    }

    async fn secret(&self, id: &str, body: &[u8]) -> Result<Bytes, Answer> {
        let need: SecretNeed = read(body, SECRET_BYTES_MAX)?;
        let order = self.builds.order(id).await?.ok_or(Answer::Nothing)?;
        if !named::may_ask(&order, &self.open_secrets, &need) {
            let why = "the build's project and action do not name it, and a buildspec in a source \
                       may name only what the stack's parameter BuildSecrets lists";
            return text(&RunnerMessage::Refused(why.to_owned()));
        }
        text(&self.builds.secret(&need).await?)
    }

    async fn output(&self, id: &str, body: &[u8]) -> Result<Bytes, Answer> {
        let offer: AgentOffer = read(body, OFFER_BYTES_MAX)?;
        let order = self.builds.order(id).await?.ok_or(Answer::Nothing)?;
        let Some(output) = order.outputs.get(offer.index) else {
            return Err(Answer::Invalid("the build has no such output".to_owned()));
        };
        let is_digest = offer.sha256.len() == 64
            && offer
                .sha256
                .bytes()
                .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if !is_digest {
            let why = "`sha256` must be 64 lower-case hexadecimal digits";
            return Err(Answer::Invalid(why.to_owned()));
        }
        if offer.size > OUTPUT_BYTES_MAX {
            let why = format!("it has more than {OUTPUT_BYTES_MAX} bytes");
            return text(&AgentPlace::Refused(why));
        }
        let place = self.builds.output(output, &offer, order.overwrites).await;
        match place {
            Err(error @ ObjectError::Exists { .. }) => {
                text(&AgentPlace::Refused(error.to_string()))
            }
            place => text(&place?),
        }
    }

    async fn end(&self, id: &str, body: &[u8]) -> Result<Bytes, Answer> {
        let mut report: BuildReport = read(body, REPORT_BYTES_MAX)?;
        report.phases = known(report.phases);
        // The runner knows where the log is.
        id.clone_into(&mut report.log_stream);
        self.builds.end(id, &report).await?;
        // The report is there: who is not woken looks again by itself.
        let woken = self.builds.wake(id).await;
        drop(woken);
        text(&json!({}))
    }
}

/// An agent says what it likes, and there are no more phases than these.
fn known(phases: Vec<BuildPhase>) -> Vec<BuildPhase> {
    let phases = phases.into_iter();
    phases
        .filter(|phase| PHASES.contains(&phase.phase_type.as_str()))
        .take(PHASES.len())
        .collect()
}

fn read<T: DeserializeOwned>(body: &[u8], bytes_max: usize) -> Result<T, Answer> {
    if body.len() > bytes_max {
        return Err(Answer::TooLarge(bytes_max));
    }
    serde_json::from_slice(body).map_err(|error| Answer::Invalid(error.to_string()))
}

fn text(value: &impl Serialize) -> Result<Bytes, Answer> {
    let text = serde_json::to_vec(value);
    text.map(Bytes::from)
        .map_err(|error| Answer::Invalid(error.to_string()))
}

fn respond(answer: Result<Bytes, Answer>) -> http::Response<Bytes> {
    let (status, body, trouble) = match answer {
        Ok(body) => (StatusCode::OK, body, None),
        Err(error) => {
            let status = match &error {
                Answer::Nothing => StatusCode::NOT_FOUND,
                Answer::Invalid(_) => StatusCode::BAD_REQUEST,
                Answer::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
                Answer::Store(_) | Answer::Objects(_) => StatusCode::SERVICE_UNAVAILABLE,
            };
            let is_trouble = status == StatusCode::SERVICE_UNAVAILABLE;
            let message = if is_trouble {
                "Pipewright cannot answer now: ask again".to_owned()
            } else {
                error.to_string()
            };
            let body = Bytes::from(json!({ "message": message }).to_string());
            let trouble = is_trouble.then(|| Trouble(with_causes(&error)));
            (status, body, trouble)
        }
    };
    let mut response = http::Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    // A secret may be in it, or a URL that opens an object.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(trouble) = trouble {
        response.extensions_mut().insert(trouble);
    }
    response
}

#[cfg(test)]
mod tests;
