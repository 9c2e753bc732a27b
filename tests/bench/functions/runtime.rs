//! Lambda's runtime API, as far as a function asks it before its first invocation.

use std::{
    io::{self, Read as _},
    net::{TcpListener, TcpStream},
    time::Duration,
};

/// A function that has not polled by then never will.
const POLLS_WITHIN: Duration = Duration::from_secs(20);

/// The longest head of a request.
const HEAD_BYTES_MAX: usize = 16 * 1024;

const NEXT: &[u8] = b"GET /2018-06-01/runtime/invocation/next";

pub(crate) struct Runtime {
    listener: TcpListener,
}

impl Runtime {
    pub(crate) fn listen() -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        Ok(Self { listener })
    }

    /// The value of `AWS_LAMBDA_RUNTIME_API`.
    pub(crate) fn address(&self) -> String {
        self.listener
            .local_addr()
            .map(|address| address.to_string())
            .unwrap_or_default()
    }

    /// Waits for the first poll. What comes instead, such as the report of a failed start, is an
    /// error with the first line of it.
    pub(crate) fn first_poll(&self) -> io::Result<()> {
        let (stream, _) = self.accept()?;
        stream.set_read_timeout(Some(POLLS_WITHIN))?;
        let head = head(stream)?;
        if head.starts_with(NEXT) {
            return Ok(());
        }
        let first = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
        let first = String::from_utf8_lossy(first).into_owned();
        Err(io::Error::other(first))
    }

    fn accept(&self) -> io::Result<(TcpStream, std::net::SocketAddr)> {
        // A function that ends before it polls must not leave us waiting.
        self.listener.set_nonblocking(true)?;
        let until = std::time::Instant::now() + POLLS_WITHIN;
        loop {
            match self.listener.accept() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if std::time::Instant::now() > until {
                        return Err(io::ErrorKind::TimedOut.into());
                    }
                    std::thread::sleep(Duration::from_micros(50));
                }
                accepted => {
                    let (stream, from) = accepted?;
                    stream.set_nonblocking(false)?;
                    return Ok((stream, from));
                }
            }
        }
    }
}

/// Reads up to the empty line that ends a head.
fn head(stream: TcpStream) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    for byte in io::BufReader::new(stream).bytes().take(HEAD_BYTES_MAX) {
        head.push(byte?);
        if head.ends_with(b"\r\n\r\n") {
            break;
        }
    }
    Ok(head)
}
