//! A server on loopback that answers as a test says.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex, PoisonError},
    thread,
};

/// A request: its first line and its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) line: String,
    pub(super) body: String,
}

pub(super) struct Server {
    /// A name below `localhost`, as an emulator gives one.
    pub(super) url: String,
    heard: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// Answers the n-th request, from 0 on, with a status and a body; none for no answer at all.
    pub(super) fn start(answer: impl Fn(usize) -> Option<(u16, String)> + Send + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let all = Arc::clone(&heard);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let Some(request) = read(&stream) else {
                    continue;
                };
                let nth = {
                    let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
                    all.push(request);
                    all.len() - 1
                };
                if let Some((status, body)) = answer(nth) {
                    let head = format!(
                        "HTTP/1.1 {status} -\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                        body.len()
                    );
                    let _ = (&stream).write_all((head + &body).as_bytes());
                }
            }
        });
        Self {
            url: format!("http://api.localhost:{port}"),
            heard,
        }
    }

    pub(super) fn heard(&self) -> Vec<Request> {
        self.heard
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut from = BufReader::new(stream);
    let mut line = String::new();
    from.read_line(&mut line).ok()?;
    let mut length = 0;
    loop {
        let mut header = String::new();
        from.read_line(&mut header).ok()?;
        let header = header.trim_end().to_ascii_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    from.read_exact(&mut body).ok()?;
    Some(Request {
        line: line.trim_end().to_owned(),
        body: String::from_utf8_lossy(&body).into_owned(),
    })
}
