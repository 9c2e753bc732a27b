//! A subscriber of topics: it confirms what it is subscribed to, and keeps what it is told.

use std::{
    io::BufReader,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, ToSocketAddrs as _},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use pipewright_tests::http::{Message, patient};
use serde_json::Value;

pub(crate) struct Sink {
    shared: Arc<Shared>,
}

struct Shared {
    here: SocketAddr,
    is_over: AtomicBool,
    told: Mutex<Vec<Value>>,
}

impl Sink {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback is there");
        let shared = Arc::new(Shared {
            here: listener.local_addr().expect("it is bound"),
            is_over: AtomicBool::new(false),
            told: Mutex::default(),
        });
        let of_thread = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming() {
                if of_thread.is_over.load(Ordering::Relaxed) {
                    return;
                }
                let shared = Arc::clone(&of_thread);
                thread::spawn(move || stream.and_then(|stream| shared.serve(&stream)));
            }
        });
        Self { shared }
    }

    /// `http://127.0.0.1:4567/`
    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.shared.here)
    }

    /// The notifications so far, as SNS wrapped them.
    pub(crate) fn told(&self) -> Vec<Value> {
        let told = self.shared.told.lock();
        told.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        // Wakes the listener; there is nobody to tell if that fails.
        let _ = TcpStream::connect(self.shared.here);
    }
}

impl Shared {
    fn serve(&self, stream: &TcpStream) -> std::io::Result<()> {
        patient(stream)?;
        let mut reader = BufReader::new(stream);
        let mut writer = stream;
        let Some(request) = Message::read_request(&mut reader, &mut writer)? else {
            return Ok(());
        };
        let told: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        Message::answer(200, "{}").write(&mut writer, true)?;
        match told["Type"].as_str() {
            Some("SubscriptionConfirmation") => {
                confirm(told["SubscribeURL"].as_str().unwrap_or_default());
            }
            Some("Notification") => {
                let all = self.told.lock();
                all.unwrap_or_else(PoisonError::into_inner).push(told);
            }
            _ => {}
        }
        Ok(())
    }
}

fn confirm(url: &str) {
    let rest = url.strip_prefix("http://").unwrap_or_default();
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let mut addresses = authority.to_socket_addrs().into_iter().flatten();
    let address = addresses.find(SocketAddr::is_ipv4);
    let request = Message {
        first: format!("GET /{path} HTTP/1.1"),
        headers: vec![("Host".to_owned(), authority.to_owned())],
        body: Vec::new(),
    };
    let answer = address.map(|address| request.send(address));
    assert!(
        matches!(&answer, Some(Ok(answer)) if answer.status() == 200),
        "{url}: {answer:?}"
    );
}
