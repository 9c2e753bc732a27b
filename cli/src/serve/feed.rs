//! What happened, as it happens: `GET /events`.
//!
//! JSON lines of what was there when it was asked, or, for whoever accepts `text/event-stream`, an
//! open stream. Each event has its place beside it (`position`, the `id:` of the stream); `since`
//! or `Last-Event-ID` goes on behind one. A caller sees the pipelines that it may
//! `codepipeline:GetPipelineState`.

use std::{
    collections::{BTreeMap, HashMap},
    fmt::Write as _,
    io,
    str::FromStr as _,
    sync::Arc,
    time::Duration,
};

use access::{
    Authenticator, Caller,
    keys::Keys,
    policy::Decision,
    sigv4::{Request, Scope},
};
use bytes::Bytes;
use http::{
    HeaderValue, StatusCode,
    header::{ACCEPT, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE},
    request::Parts,
};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use notification::{Position, feed};
use ports::World;
use serde_json::{Value, json};
use tokio::{
    sync::{Semaphore, mpsc, watch},
    time::timeout,
};

use super::{
    answer::{Answer, text, whole},
    basic,
    visit::{Visit, identity},
};

/// How many events one look takes.
const PAGE: usize = 500;

/// How many events one answer of JSON lines has at most.
const LINES_MAX: usize = 10_000;

/// How many streams are open at a time.
const STREAMS_MAX: usize = 1_000;

/// How often an idle stream says that it is there.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// How many pieces wait for a slow reader; then the stream waits.
const PIECES_WAITING: usize = 4;

/// The feed of one server.
pub struct Feed {
    world: World,
    authenticator: Arc<Authenticator>,
    keys: Arc<dyn Keys>,
    /// Moves when something was committed.
    news: watch::Receiver<u64>,
    /// Told when the server stops.
    stop: watch::Receiver<bool>,
    places: Arc<Semaphore>,
}

impl Feed {
    pub fn new(
        world: World,
        authenticator: Arc<Authenticator>,
        keys: Arc<dyn Keys>,
        news: watch::Receiver<u64>,
        stop: watch::Receiver<bool>,
    ) -> Self {
        Self {
            world,
            authenticator,
            keys,
            news,
            stop,
            places: Arc::new(Semaphore::new(STREAMS_MAX)),
        }
    }

    /// Answers `GET /events`.
    pub async fn answer(&self, parts: &Parts, source: &str) -> Answer {
        let mut visit = Visit {
            service: "codepipeline",
            operation: "GetEvents",
            user: identity(None),
            resource: "*".to_owned(),
            only_reads: true,
        };
        let answer = match self.caller(parts, source).await {
            Ok(caller) => {
                visit.user = identity(Some(&caller));
                self.read(parts, caller, source).await
            }
            Err(answer) => answer,
        };
        visit.noted(answer)
    }

    async fn read(&self, parts: &Parts, caller: Caller, source: &str) -> Answer {
        let since = match since(parts) {
            Ok(since) => since,
            Err(message) => return text(StatusCode::BAD_REQUEST, &message),
        };
        let reader = Reader {
            world: self.world.clone(),
            keys: Arc::clone(&self.keys),
            source: source.to_owned(),
            caller,
            known: HashMap::new(),
            since,
        };
        let accepts = parts
            .headers
            .get(ACCEPT)
            .and_then(|value| value.to_str().ok());
        if accepts.is_some_and(|kinds| kinds.contains("text/event-stream")) {
            self.stream(reader)
        } else {
            lines(reader).await
        }
    }

    /// Whoever signed the request, or gave a key and its secret.
    async fn caller(&self, parts: &Parts, source: &str) -> Result<Caller, Answer> {
        if let Some(caller) = basic::caller(&parts.headers, &*self.keys, source).await {
            return Ok(caller);
        }
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
            body: b"",
        };
        let scope = Scope {
            region: &self.world.account.region,
            service: "codepipeline",
        };
        let now = self.world.clock.now();
        match self.authenticator.authenticate(&request, scope, now).await {
            Ok(holder) => {
                let context =
                    BTreeMap::from([("aws:sourceip".to_owned(), vec![source.to_owned()])]);
                Ok(Caller::of_key(holder, context))
            }
            Err(_) if is_basic(parts) => {
                let message = "nobody has that key with that secret, or it was taken back\n";
                Err(unknown(message))
            }
            Err(error) => {
                let message = format!(
                    "{error}; sign the request, or give an access key as user name and its secret \
                     as password\n"
                );
                Err(unknown(&message))
            }
        }
    }

    fn stream(&self, mut reader: Reader) -> Answer {
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            let message = format!("{STREAMS_MAX} streams are open, which is the most\n");
            return text(StatusCode::SERVICE_UNAVAILABLE, &message);
        };
        let (pieces, received) = mpsc::channel::<Result<Frame<Bytes>, io::Error>>(PIECES_WAITING);
        let (mut news, mut stop) = (self.news.clone(), self.stop.clone());
        tokio::spawn(async move {
            let _place = place;
            // A key that was taken back ends its streams.
            while reader.renew().await {
                news.mark_unchanged();
                let Ok((events, more)) = reader.page().await else {
                    return;
                };
                let mut piece = String::new();
                for (position, event) in events {
                    // Writing to a string cannot fail.
                    let _ = write!(piece, "id: {position}\ndata: {event}\n\n");
                }
                if piece.is_empty() && !more {
                    // Whoever waits learns that it is still connected, and we that it still is.
                    let moved = tokio::select! {
                        moved = timeout(HEARTBEAT, news.changed()) => moved,
                        _ = stop.wait_for(|stop| *stop) => return,
                    };
                    match moved {
                        Ok(Ok(())) => continue,
                        Ok(Err(_)) => return,
                        Err(_) => piece.push_str(": still here\n\n"),
                    }
                }
                if !piece.is_empty()
                    && pieces
                        .send(Ok(Frame::data(Bytes::from(piece))))
                        .await
                        .is_err()
                {
                    return;
                }
            }
        });
        let pieces = futures_util::stream::unfold(received, |mut received| async {
            let piece = received.recv().await?;
            Some((piece, received))
        });
        let mut answer = Answer::new(StreamBody::new(pieces).boxed_unsync());
        let headers = answer.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        answer
    }
}

fn is_basic(parts: &Parts) -> bool {
    let said = parts.headers.get(AUTHORIZATION);
    let said = said.and_then(|value| value.to_str().ok());
    said.is_some_and(|said| said.len() >= 6 && said[..6].eq_ignore_ascii_case("basic "))
}

fn unknown(message: &str) -> Answer {
    let mut answer = text(StatusCode::UNAUTHORIZED, message);
    let challenge = HeaderValue::from_static("Basic realm=\"pipewright\"");
    answer.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    answer
}

/// Where to go on: a parameter for people, a header for streams that were cut.
fn since(parts: &Parts) -> Result<Option<Position>, String> {
    let query = parts.uri.query().unwrap_or_default();
    let named = query
        .split('&')
        .find_map(|pair| pair.strip_prefix("since="));
    let last = parts.headers.get("last-event-id");
    let last = last.and_then(|value| value.to_str().ok());
    // Everything there is, from the beginning on.
    let is_beginning = |place: &&str| place.is_empty() || *place == "0";
    let Some(place) = last.or(named).filter(|place| !is_beginning(place)) else {
        return Ok(None);
    };
    let place = Position::from_str(place)
        .map_err(|error| format!("since: {error}; leave it out to begin at the beginning\n"))?;
    Ok(Some(place))
}

async fn lines(mut reader: Reader) -> Answer {
    let mut body = String::new();
    let mut count = 0;
    while count < LINES_MAX {
        let Ok((events, more)) = reader.page().await else {
            return text(
                StatusCode::SERVICE_UNAVAILABLE,
                "the state cannot be read now\n",
            );
        };
        for (position, event) in events {
            count += 1;
            let line = json!({"position": position.to_string(), "event": event});
            body.push_str(&line.to_string());
            body.push('\n');
        }
        if !more {
            break;
        }
    }
    let mut answer = Answer::new(whole(Bytes::from(body)));
    let kind = HeaderValue::from_static("application/jsonl");
    answer.headers_mut().insert(CONTENT_TYPE, kind);
    answer
}

/// One reader's way through the feed.
struct Reader {
    world: World,
    keys: Arc<dyn Keys>,
    source: String,
    caller: Caller,
    /// Which pipelines the caller may see.
    known: HashMap<String, bool>,
    since: Option<Position>,
}

impl Reader {
    /// Looks again who this is; whether the key is still good.
    async fn renew(&mut self) -> bool {
        let Some(key) = self.caller.access_key() else {
            return false;
        };
        let Ok(Some(holder)) = self.keys.holder(key).await else {
            return false;
        };
        let expires = holder.session.as_ref().map(|session| session.expires);
        if expires.is_some_and(|expires| expires <= self.world.clock.now()) {
            return false;
        }
        let context = BTreeMap::from([("aws:sourceip".to_owned(), vec![self.source.clone()])]);
        self.caller = Caller::of_key(holder, context);
        self.known.clear();
        true
    }

    /// The next events that the caller may see, and whether there may be more already.
    async fn page(&mut self) -> Result<(Vec<(Position, Value)>, bool), ports::StoreError> {
        let part = feed(&self.world, self.since, PAGE).await?;
        self.since = part.next;
        let mut events = part.events;
        events.retain(|(_, event)| self.may_see(event));
        Ok((events, part.more))
    }

    fn may_see(&mut self, event: &Value) -> bool {
        let Some(pipeline) = event["detail"]["pipeline"].as_str() else {
            return false;
        };
        if let Some(known) = self.known.get(pipeline) {
            return *known;
        }
        let arn = operations::pipeline_arn(&self.world.account, pipeline);
        let none = BTreeMap::new();
        let decision = self
            .caller
            .decide("codepipeline:GetPipelineState", &arn, &none);
        let may = decision == Decision::Allowed;
        self.known.insert(pipeline.to_owned(), may);
        may
    }
}
