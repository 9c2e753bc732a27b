//! A client that costs little: requests that were signed before, on connections that stay open.

use std::{
    error::Error,
    fs::OpenOptions,
    io::{self, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    path::Path,
    time::{Duration, Instant},
};

use rustix::process::{Resource, getrlimit, setrlimit};
use serde_json::{Value, json};

use crate::{
    fill::{STARTED, started},
    key::Signable,
    process::Process,
};

/// How many connections have a call under way when as many as possible are made.
const CONNECTIONS: usize = 16;

/// How many calls are made before the clock runs.
const WARM_UP: usize = 100;

/// How long whoever starts executions one by one waits in between, so that the source actions of one
/// are not measured with the next.
pub(crate) const BETWEEN_STARTS: Duration = Duration::from_millis(20);

/// How long an answer may take; a server that takes longer is broken.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// How many files the client needs beside its connections.
const OTHER_FILES: usize = 200;

/// What calls took.
#[derive(Debug)]
pub(crate) struct Measured {
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
    pub(crate) per_second: f64,
}

/// A request, ready to be sent again and again.
pub(crate) struct Ask {
    pub(crate) address: SocketAddr,
    pub(crate) request: Vec<u8>,
}

impl Ask {
    /// A call of an operation; the signature is good for five minutes.
    pub(crate) fn signed(process: &Process, operation: &str, input: &Value) -> Self {
        let request = Signable::operation(process.address, operation, input);
        Self {
            address: process.address,
            request: request.signed(&process.key),
        }
    }

    /// A page that needs no key.
    pub(crate) fn plain(address: SocketAddr, path: &str) -> Self {
        let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\n\r\n");
        Self {
            address,
            request: request.into_bytes(),
        }
    }
}

/// A connection that stays open, or is opened again where the server closes it after each answer.
pub(crate) struct Connection {
    address: SocketAddr,
    stream: TcpStream,
    is_closing: bool,
    buffer: Vec<u8>,
}

impl Connection {
    pub(crate) fn open(address: SocketAddr) -> io::Result<Self> {
        Ok(Self {
            address,
            stream: connect(address)?,
            is_closing: false,
            buffer: vec![0; 64 * 1024],
        })
    }

    fn send(&mut self, request: &[u8]) -> io::Result<()> {
        if self.is_closing {
            self.stream = connect(self.address)?;
        }
        self.stream.write_all(request)
    }

    /// Sends a request and reads the body of its answer, which must be a success.
    pub(crate) fn ask(&mut self, request: &[u8]) -> io::Result<Vec<u8>> {
        self.send(request)?;
        let (head, length) = self.answer()?;
        Ok(self.buffer[head..head + length].to_vec())
    }

    /// Reads an answer into the buffer: where its body begins, and how long it is.
    fn answer(&mut self) -> io::Result<(usize, usize)> {
        let mut filled = 0;
        let (head, length) = loop {
            let read = self.stream.read(&mut self.buffer[filled..])?;
            if read == 0 {
                return Err(io::Error::other("the server closed the connection"));
            }
            filled += read;
            let end = self.buffer[..filled]
                .windows(4)
                .position(|is| is == b"\r\n\r\n");
            if let Some(end) = end {
                break (end + 4, self.length(end)?);
            }
        };
        if self.buffer.len() < head + length {
            self.buffer.resize(head + length, 0);
        }
        while filled < head + length {
            let read = self.stream.read(&mut self.buffer[filled..head + length])?;
            if read == 0 {
                return Err(io::Error::other("the answer broke off"));
            }
            filled += read;
        }
        if !self.buffer.starts_with(b"HTTP/1.1 200") {
            let text = String::from_utf8_lossy(&self.buffer[..filled]);
            return Err(io::Error::other(format!("no success: {text}")));
        }
        Ok((head, length))
    }

    /// The length of the body, by a head that ends there.
    fn length(&mut self, end: usize) -> io::Result<usize> {
        let head = String::from_utf8_lossy(&self.buffer[..end]).to_ascii_lowercase();
        self.is_closing = head.contains("connection: close");
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length:"));
        let length = length.and_then(|length| length.trim().parse().ok());
        length.ok_or_else(|| io::Error::other(format!("no length: {head}")))
    }
}

fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(ANSWER_WITHIN))?;
    Ok(stream)
}

/// Calls alone, one after the other; then as many as possible.
pub(crate) fn measure(ask: &Ask, alone: usize, time: Duration) -> Result<Measured, Box<dyn Error>> {
    let next = |_: usize| ask.request.as_slice();
    let (p50, p99) = one_by_one(ask.address, alone, Duration::ZERO, next)?;
    Ok(Measured {
        p50,
        p99,
        per_second: throughput(ask.address, time, next)?,
    })
}

/// How long executions take to be accepted; then how many are, in pipelines that take turns.
pub(crate) fn starts(
    process: &Process,
    alone: usize,
    time: Duration,
) -> Result<Measured, Box<dyn Error>> {
    let requests: Vec<Vec<u8>> = (0..STARTED)
        .map(|number| {
            let input = json!({"name": started(number)});
            Ask::signed(process, "StartPipelineExecution", &input).request
        })
        .collect();
    let next = |number: usize| requests[number % STARTED].as_slice();
    let (p50, p99) = one_by_one(process.address, alone, BETWEEN_STARTS, next)?;
    Ok(Measured {
        p50,
        p99,
        per_second: throughput(process.address, time, next)?,
    })
}

fn one_by_one<'a>(
    address: SocketAddr,
    count: usize,
    pause: Duration,
    next: impl Fn(usize) -> &'a [u8],
) -> io::Result<(Duration, Duration)> {
    let mut connection = Connection::open(address)?;
    let mut all = Vec::with_capacity(count);
    for number in 0..WARM_UP + count {
        let request = next(number);
        let began = Instant::now();
        connection.send(request)?;
        connection.answer()?;
        if number >= WARM_UP {
            all.push(began.elapsed());
        }
        std::thread::sleep(pause);
    }
    all.sort();
    let at = |percent: usize| all[(all.len() - 1) * percent / 100];
    Ok((at(50), at(99)))
}

/// Calls a second, with a call under way on each of some connections.
fn throughput<'a>(
    address: SocketAddr,
    time: Duration,
    next: impl Fn(usize) -> &'a [u8],
) -> io::Result<f64> {
    let connections: io::Result<Vec<_>> = (0..CONNECTIONS)
        .map(|_| Connection::open(address))
        .collect();
    let mut connections = connections?;
    for (number, connection) in connections.iter_mut().enumerate() {
        connection.send(next(number))?;
    }
    let (mut count, mut number) = (0_u32, CONNECTIONS);
    let began = Instant::now();
    while began.elapsed() < time {
        for connection in &mut connections {
            connection.answer()?;
            connection.send(next(number))?;
            count += 1;
            number += 1;
        }
    }
    Ok(f64::from(count) / began.elapsed().as_secs_f64())
}

/// Connections on which nothing is said.
pub(crate) fn idle(process: &Process, count: usize) -> io::Result<Vec<TcpStream>> {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit)?;
    let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let most = usize::try_from(files)
        .unwrap_or(usize::MAX)
        .saturating_sub(OTHER_FILES);
    let all: io::Result<Vec<_>> = (0..count.min(most))
        .map(|_| TcpStream::connect(process.address))
        .collect();
    // They are there for the client before the server takes them.
    std::thread::sleep(Duration::from_secs(1));
    all
}

/// What the disk takes for some bytes that are surely on it: what every acceptance waits for.
pub(crate) fn synced_write(data: &Path) -> io::Result<Duration> {
    const WRITES: usize = 500;
    let path = data.with_extension("floor");
    let mut file = OpenOptions::new().create(true).append(true).open(path)?;
    let mut all = Vec::with_capacity(WRITES);
    for _ in 0..WRITES {
        let began = Instant::now();
        file.write_all(&[0; 4096])?;
        file.sync_data()?;
        all.push(began.elapsed());
    }
    all.sort();
    Ok(all[WRITES / 2])
}
