//! What the agent asks the API for, again and again while there is no answer, for a while.

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use model::build::{
    AgentHeard, AgentOffer, AgentOrder, AgentPlace, BuildPhase, BuildReport, RunnerMessage,
    SecretNeed,
};
use serde::{Serialize, de::DeserializeOwned};
use thiserror::Error;
use ureq::{Agent, http::Uri, unversioned::transport::DefaultConnector};

use super::names::{Names, is_here};

/// How long a connection may take to be made.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// How long one request may take; the API itself has 30 seconds.
const ANSWER_WITHIN: Duration = Duration::from_secs(35);

/// The longest answer: a buildspec inline and all variables fit many times.
const ANSWER_BYTES_MAX: u64 = 16 << 20;

/// How long the first pause is; each further one is twice as long, up to the longest.
const PAUSE: Duration = Duration::from_millis(250);
const PAUSE_MAX: Duration = Duration::from_secs(15);

/// For how long something is asked again. A report is what a build is worth: it outlasts an hour's
/// quarter without the API; a secret is waited for by the agent proper, which gives it a minute.
const ORDER_WITHIN: Duration = Duration::from_mins(2);
const SECRET_WITHIN: Duration = Duration::from_secs(50);
const OFFER_WITHIN: Duration = Duration::from_mins(5);
const REPORT_WITHIN: Duration = Duration::from_mins(15);

/// How much of a refusal is told.
const TOLD_CHARS: usize = 300;

#[derive(Debug, Error)]
pub(super) enum ApiError {
    /// It knows no such build, or it is over, or the token is another one's.
    #[error("the API knows no such build, or it is over")]
    Gone,
    #[error("the API refused it: {0}")]
    Refused(String),
    #[error("the API cannot be reached: {0}")]
    Unreachable(String),
}

/// The API, for one build; clones are the same.
#[derive(Clone)]
pub(super) struct Api(Arc<Asked>);

struct Asked {
    agent: Agent,
    /// `<url>/agent/builds/<id>`
    build: String,
    authorization: String,
}

impl Api {
    pub(super) fn new(url: &str, id: &str, token: &str) -> Self {
        let config = config(url)
            .timeout_connect(Some(CONNECT_WITHIN))
            .timeout_global(Some(ANSWER_WITHIN));
        Self(Arc::new(Asked {
            agent: agent(config.build()),
            build: format!("{}/agent/builds/{id}", url.trim_end_matches('/')),
            authorization: format!("Bearer {token}"),
        }))
    }

    /// What is to be built.
    pub(super) fn order(&self) -> Result<AgentOrder, ApiError> {
        insist(ORDER_WITHIN, || self.ask("", None::<&()>))
    }

    /// Says how far the build is, once: it will be further the next time.
    pub(super) fn tell(&self, phases: &[BuildPhase]) -> Result<AgentHeard, ApiError> {
        self.ask("/phases", Some(phases))
    }

    pub(super) fn secret(&self, need: &SecretNeed) -> Result<RunnerMessage, ApiError> {
        insist(SECRET_WITHIN, || self.ask("/secret", Some(need)))
    }

    /// Where an output is to be put.
    pub(super) fn offer(&self, offer: &AgentOffer) -> Result<AgentPlace, ApiError> {
        insist(OFFER_WITHIN, || self.ask("/outputs", Some(offer)))
    }

    /// Reports the end. When an earlier try was heard although its answer was lost, the build is
    /// over and its token with it: that is what was wanted.
    pub(super) fn report(&self, report: &BuildReport) -> Result<(), ApiError> {
        let mut tries = 0_u32;
        let told = insist(REPORT_WITHIN, || {
            tries += 1;
            self.ask::<serde_json::Value>("/report", Some(report))
        });
        match told {
            Err(ApiError::Gone) if tries > 1 => Ok(()),
            told => told.map(drop),
        }
    }

    fn ask<T: DeserializeOwned>(
        &self,
        what: &str,
        body: Option<&(impl Serialize + ?Sized)>,
    ) -> Result<T, ApiError> {
        let lost = |error: &dyn ToString| ApiError::Unreachable(error.to_string());
        let url = format!("{}{what}", self.0.build);
        let (agent, authorization) = (&self.0.agent, &self.0.authorization);
        let answer = match body {
            None => agent
                .get(&url)
                .header("authorization", authorization)
                .call(),
            Some(body) => {
                let text = serde_json::to_vec(body);
                let text = text.map_err(|error| ApiError::Refused(error.to_string()))?;
                agent
                    .post(&url)
                    .header("authorization", authorization)
                    .header("content-type", "application/json")
                    .send(text)
            }
        };
        let mut answer = answer.map_err(|error| lost(&error))?;
        let status = answer.status().as_u16();
        let text = answer
            .body_mut()
            .with_config()
            .limit(ANSWER_BYTES_MAX)
            .read_to_vec()
            .map_err(|error| lost(&error))?;
        let told = || {
            let text = String::from_utf8_lossy(&text);
            format!(
                "{status} {}",
                text.chars().take(TOLD_CHARS).collect::<String>()
            )
        };
        match status {
            200 => serde_json::from_slice(&text).map_err(|error| lost(&error)),
            404 => Err(ApiError::Gone),
            408 | 429 | 500.. => Err(ApiError::Unreachable(told())),
            _ => Err(ApiError::Refused(told())),
        }
    }
}

/// Asks again while there is no answer, for so long.
fn insist<T>(
    within: Duration,
    mut ask: impl FnMut() -> Result<T, ApiError>,
) -> Result<T, ApiError> {
    let until = Instant::now() + within;
    let mut pause = PAUSE;
    loop {
        match ask() {
            Err(ApiError::Unreachable(_)) if Instant::now() + pause < until => {
                thread::sleep(pause);
                pause = (pause * 2).min(PAUSE_MAX);
            }
            told => return told,
        }
    }
}

/// What all connections of the agent have in common.
pub(super) fn config(url: &str) -> ureq::config::ConfigBuilder<ureq::typestate::AgentScope> {
    let mut config = Agent::config_builder()
        .http_status_as_error(false)
        // A token, and a URL that opens an object, are for one host only.
        .max_redirects(0)
        .max_redirects_will_error(false)
        .user_agent(concat!("pipewright-agent/", env!("CARGO_PKG_VERSION")));
    let uri = url.parse::<Uri>().ok();
    if uri.is_some_and(|uri| uri.host().is_some_and(is_here)) {
        config = config.proxy(None);
    }
    config
}

pub(super) fn agent(config: ureq::config::Config) -> Agent {
    Agent::with_parts(config, DefaultConnector::default(), Names::default())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use model::build::BuildStatus;

    use super::{super::testing::Server, *};

    fn report() -> BuildReport {
        BuildReport {
            status: BuildStatus::Succeeded,
            phases: Vec::new(),
            exported_variables: BTreeMap::new(),
            test_reports: Vec::new(),
            isolation: String::new(),
            log_stream: String::new(),
            retries_wanted: None,
        }
    }

    fn ok(body: &str) -> (u16, String) {
        (200, body.to_owned())
    }

    #[test]
    fn what_has_no_answer_is_asked_again() {
        let server = Server::start(|nth| match nth {
            0 => None,
            1 => Some((503, "later".to_owned())),
            _ => Some(ok("\"missing\"")),
        });
        let api = Api::new(&server.url, "b1", "token");
        let need = SecretNeed::Parameter("/p".to_owned());
        assert!(matches!(api.secret(&need), Ok(RunnerMessage::Missing)));
        let heard = server.heard();
        assert_eq!(heard.len(), 3);
        assert_eq!(heard[2].line, "POST /agent/builds/b1/secret HTTP/1.1");
        assert_eq!(heard[2].body, r#"{"parameter":"/p"}"#);
    }

    #[test]
    fn what_is_refused_is_asked_once() {
        for (status, wanted) in [(400, "refused it: 400 no"), (404, "no such build")] {
            let server = Server::start(move |_| Some((status, "no".to_owned())));
            let api = Api::new(&server.url, "b1", "token");
            let error = api.order().err().unwrap().to_string();
            assert!(error.contains(wanted), "{error}");
            assert_eq!(server.heard().len(), 1);
        }
    }

    #[test]
    fn how_far_a_build_is_is_told_once_whatever_the_answer() {
        let server = Server::start(|_| Some((503, String::new())));
        let api = Api::new(&server.url, "b1", "token");
        assert!(matches!(api.tell(&[]), Err(ApiError::Unreachable(_))));
        assert_eq!(server.heard().len(), 1);
        let server = Server::start(|_| Some(ok(r#"{"isStopping":true}"#)));
        let api = Api::new(&server.url, "b1", "token");
        assert!(api.tell(&[]).unwrap().is_stopping);
    }

    #[test]
    fn a_report_was_heard_when_the_build_is_over_after_an_answer_was_lost() {
        let gone = || (404, String::new());
        let server = Server::start(move |nth| (nth > 0).then(gone));
        let api = Api::new(&server.url, "b1", "token");
        assert!(api.report(&report()).is_ok());
        let server = Server::start(move |_| Some(gone()));
        let api = Api::new(&server.url, "b1", "token");
        assert!(matches!(api.report(&report()), Err(ApiError::Gone)));
    }
}
