//! A proxy on loopback between everybody and the emulator.
//!
//! It is both: an endpoint of AWS (`AWS_ENDPOINT_URL`) and a proxy of HTTP (`HTTP_PROXY`), so that
//! the names of HTTP APIs, `<api>.execute-api.localhost`, need no resolver. It writes down who calls
//! what, and does to the calls of functions what a plan of [`Faults`] says.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, BufReader},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    process::Command,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
};

use crate::http::{Message, patient};

mod call;
mod faults;
mod peer;
#[cfg(test)]
mod tests;

pub use call::{CLIENT, Call};
pub use faults::{Fate, Faults, Rates};

/// Messages that got lost so far: each has a name of its own.
static LOST: AtomicU64 = AtomicU64::new(1);

const THROTTLED: &str = r#"{"__type":"com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException","message":"The level of configured provisioned throughput for the table was exceeded"}"#;

/// A running proxy; it takes no more connections when it is dropped.
pub struct Proxy {
    shared: Arc<Shared>,
}

struct Shared {
    here: SocketAddr,
    target: SocketAddr,
    /// Only what this process started dies of a fault.
    emulator: u32,
    is_over: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    faults: Option<Faults>,
    /// Which function a key is of.
    keys: BTreeMap<String, String>,
    /// How often each function called each operation, and what it must be allowed.
    called: BTreeMap<(String, String), u64>,
    needed: BTreeMap<String, BTreeSet<String>>,
    denied: BTreeSet<String>,
}

impl Proxy {
    /// Starts one in front of the emulator at that port, which is the process `emulator`.
    pub fn start(port: u16, emulator: u32) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback is there");
        let shared = Arc::new(Shared {
            here: listener.local_addr().expect("it is bound"),
            target: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            emulator,
            is_over: AtomicBool::new(false),
            state: Mutex::default(),
        });
        let of_thread = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming() {
                if of_thread.is_over.load(Ordering::Relaxed) {
                    return;
                }
                let shared = Arc::clone(&of_thread);
                // A connection that ends early is its client's affair.
                thread::spawn(move || stream.and_then(|stream| shared.serve(&stream)));
            }
        });
        Self { shared }
    }

    pub fn address(&self) -> SocketAddr {
        self.shared.here
    }

    /// `http://127.0.0.1:4567`, for `AWS_ENDPOINT_URL` and `HTTP_PROXY`.
    pub fn url(&self) -> String {
        format!("http://{}", self.shared.here)
    }

    /// From now on things go wrong.
    pub fn break_things(&self, faults: Faults) {
        self.shared.state().faults = Some(faults);
    }

    /// From now on nothing goes wrong; what happened until now, by kind.
    pub fn heal(&self) -> BTreeMap<Fate, u64> {
        let faults = self.shared.state().faults.take();
        faults.map(|faults| faults.happened).unwrap_or_default()
    }

    /// How often each function called each operation (`dynamodb.Query`).
    pub fn called(&self) -> BTreeMap<(String, String), u64> {
        self.shared.state().called.clone()
    }

    /// What services refused because a role does not allow it, in their words.
    pub fn denied(&self) -> BTreeSet<String> {
        self.shared.state().denied.clone()
    }

    /// What each function did that a role must allow (`dynamodb:Query`).
    pub fn needed(&self) -> BTreeMap<String, BTreeSet<String>> {
        self.shared.state().needed.clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        // Wakes the listener; there is nobody to tell if that fails.
        let _ = TcpStream::connect(self.shared.here);
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, stream: &TcpStream) -> io::Result<()> {
        patient(stream)?;
        let peer = stream.peer_addr()?;
        let mut reader = BufReader::new(stream);
        let mut writer = stream;
        while let Some(request) = Message::read_request(&mut reader, &mut writer)? {
            let Some(answer) = self.answer(request, peer)? else {
                return Ok(());
            };
            answer.write(&mut writer, false)?;
        }
        Ok(())
    }

    /// The answer to a request; none if it gets none.
    fn answer(&self, mut request: Message, peer: SocketAddr) -> io::Result<Option<Message>> {
        direct(&mut request);
        // The buckets take nothing that came without TLS; it would end here.
        let https = ("X-Forwarded-Proto".to_owned(), "https".to_owned());
        request.headers.push(https);
        let fate = self.fate(&request);
        if fate == Fate::Throttled {
            return Ok(Some(Message::answer(400, THROTTLED)));
        }
        if fate == Fate::Lost {
            return Ok(Some(accepted(&request)));
        }
        if fate == Fate::Doubled {
            request.send(self.target)?;
        }
        let answer = request.send(self.target)?;
        if (400..500).contains(&answer.status()) {
            self.note_denied(&request, &answer);
        }
        match fate {
            Fate::Unanswered => Ok(None),
            Fate::Killed => {
                self.kill(peer);
                Ok(None)
            }
            _ => Ok(Some(answer)),
        }
    }

    fn fate(&self, request: &Message) -> Fate {
        let Some(mut call) = Call::of(request) else {
            return Fate::Passed;
        };
        let mut state = self.state();
        // What a function has pre-signed for somebody is the function's call.
        if call.who != CLIENT {
            state.keys.insert(call.key.clone(), call.who.clone());
        } else if let Some(function) = state.keys.get(&call.key) {
            call.who.clone_from(function);
        }
        let operation = format!("{}.{}", call.service, call.operation);
        *state
            .called
            .entry((call.who.clone(), operation))
            .or_default() += 1;
        let needed = state.needed.entry(call.who.clone()).or_default();
        needed.extend(call.actions.iter().cloned());
        match &mut state.faults {
            Some(faults) => faults.fate(&call, &request.body),
            None => Fate::Passed,
        }
    }

    /// Keeps what a role did not allow: the answer says which right is missing.
    fn note_denied(&self, request: &Message, answer: &Message) {
        let text = answer.text();
        let is_denied = text.contains("AccessDenied") || text.contains("not authorized");
        if let Some(call) = Call::of(request).filter(|_| is_denied) {
            let denied = format!("{}.{}: {text}", call.service, call.operation);
            self.state().denied.insert(denied);
        }
    }

    fn kill(&self, peer: SocketAddr) {
        if let Some(process) = peer::process(peer, self.here, self.emulator) {
            let killed = Command::new("kill")
                .args(["-9", &process.to_string()])
                .status();
            killed.expect("kill is a program of every system");
        }
    }
}

/// Turns what a client asks of a proxy, `POST http://host/path`, into what it would ask the host.
fn direct(request: &mut Message) {
    let (method, target) = request.request_line();
    if let Some(rest) = target.strip_prefix("http://") {
        let path = rest.find('/').map_or("/", |at| &rest[at..]);
        request.first = format!("{method} {path} HTTP/1.1");
    }
}

/// What SQS says of messages that it took; nobody has them.
fn accepted(request: &Message) -> Message {
    let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let id = || format!("lost-{}", LOST.fetch_add(1, Ordering::Relaxed));
    let answer = match body["Entries"].as_array() {
        Some(entries) => {
            let entries = entries.iter();
            let taken =
                entries.map(|entry| serde_json::json!({"Id": entry["Id"], "MessageId": id()}));
            serde_json::json!({"Successful": taken.collect::<Vec<_>>(), "Failed": []})
        }
        None => serde_json::json!({"MessageId": id()}),
    };
    Message::answer(200, &answer.to_string())
}
