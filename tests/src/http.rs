//! HTTP/1.1 messages, whole ones, as the stands-in of the tests read and write them.

use std::{
    io::{self, BufRead, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

/// How long the other side may stay silent.
const SILENT_AT_MOST: Duration = Duration::from_mins(3);

/// The longest body that is read.
const BODY_BYTES_MAX: usize = 256 * 1024 * 1024;

/// A request or an answer: its first line, its headers as they came, and its whole body.
#[derive(Clone, Debug, Default)]
pub struct Message {
    /// Without the line's end: `POST / HTTP/1.1`, `HTTP/1.1 200 OK`.
    pub first: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Message {
    /// The value of a header, whatever the case of its name.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        let found = headers.find(|(is, _)| is.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The method and target of a request.
    pub fn request_line(&self) -> (&str, &str) {
        let mut words = self.first.split(' ');
        (
            words.next().unwrap_or_default(),
            words.next().unwrap_or_default(),
        )
    }

    /// The status of an answer; 0 if it is none.
    pub fn status(&self) -> u16 {
        let mut words = self.first.split(' ');
        words
            .nth(1)
            .and_then(|word| word.parse().ok())
            .unwrap_or_default()
    }

    /// An answer with a body of JSON.
    pub fn answer(status: u16, body: &str) -> Self {
        Self {
            first: format!("HTTP/1.1 {status} -"),
            headers: vec![("Content-Type".to_owned(), "application/json".to_owned())],
            body: body.as_bytes().to_vec(),
        }
    }

    /// Reads a request; none when the other side has closed the connection between two.
    pub fn read_request(
        reader: &mut (impl BufRead + ?Sized),
        back: &mut impl Write,
    ) -> io::Result<Option<Self>> {
        let Some(mut request) = Self::read_head(reader)? else {
            return Ok(None);
        };
        if request.header("expect").is_some() {
            back.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        let is_request = true;
        request.read_body(reader, is_request)?;
        Ok(Some(request))
    }

    /// Reads the answer to a request of that method.
    pub fn read_answer(reader: &mut (impl BufRead + ?Sized), method: &str) -> io::Result<Self> {
        loop {
            let head = Self::read_head(reader)?;
            let mut answer =
                head.ok_or_else(|| broken("the connection was closed without an answer"))?;
            let status = answer.status();
            if (100..200).contains(&status) {
                continue;
            }
            if method != "HEAD" && status != 204 && status != 304 {
                answer.read_body(reader, false)?;
            }
            return Ok(answer);
        }
    }

    fn read_head(reader: &mut (impl BufRead + ?Sized)) -> io::Result<Option<Self>> {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let mut message = Self {
            first: line.trim_end().to_owned(),
            ..Self::default()
        };
        loop {
            line.clear();
            if reader.read_line(&mut line)? == 0 {
                return Err(broken("the head broke off"));
            }
            if line.trim_end().is_empty() {
                return Ok(Some(message));
            }
            let (name, value) = line.split_once(':').ok_or_else(|| broken(&line))?;
            message
                .headers
                .push((name.to_owned(), value.trim().to_owned()));
        }
    }

    /// A request that says nothing of a body has none; such an answer goes on to the end.
    fn read_body(
        &mut self,
        reader: &mut (impl BufRead + ?Sized),
        is_request: bool,
    ) -> io::Result<()> {
        let is_chunked = self
            .header("transfer-encoding")
            .is_some_and(|coding| coding.contains("chunked"));
        if is_chunked {
            return self.read_chunks(reader);
        }
        if let Some(length) = self.header("content-length") {
            let length: usize = length.parse().map_err(|_| broken("content-length"))?;
            if length > BODY_BYTES_MAX {
                return Err(broken("the body is too long"));
            }
            self.body.resize(length, 0);
            return reader.read_exact(&mut self.body);
        }
        if is_request {
            return Ok(());
        }
        reader
            .take(BODY_BYTES_MAX as u64)
            .read_to_end(&mut self.body)
            .map(drop)
    }

    fn read_chunks(&mut self, reader: &mut (impl BufRead + ?Sized)) -> io::Result<()> {
        let mut line = String::new();
        loop {
            line.clear();
            reader.read_line(&mut line)?;
            let size = line.split(';').next().unwrap_or_default().trim();
            let size = usize::from_str_radix(size, 16).map_err(|_| broken("a chunk's size"))?;
            let start = self.body.len();
            if start + size > BODY_BYTES_MAX {
                return Err(broken("the body is too long"));
            }
            if size == 0 {
                return skip_trailers(reader);
            }
            self.body.resize(start + size, 0);
            reader.read_exact(&mut self.body[start..])?;
            reader.read_line(&mut line)?;
        }
    }

    /// Writes it with the length of its body; `close` says that the connection ends with it.
    pub fn write(&self, to: &mut impl Write, close: bool) -> io::Result<()> {
        const OWN: [&str; 5] = [
            "connection",
            "content-length",
            "expect",
            "proxy-connection",
            "transfer-encoding",
        ];
        let mut bytes = Vec::new();
        write!(bytes, "{}\r\n", self.first)?;
        for (name, value) in &self.headers {
            if !OWN.iter().any(|own| name.eq_ignore_ascii_case(own)) {
                write!(bytes, "{name}: {value}\r\n")?;
            }
        }
        // What a HEAD would have got keeps the length that it told.
        let length = match self.header("content-length") {
            Some(length) if self.body.is_empty() => length.to_owned(),
            _ => self.body.len().to_string(),
        };
        let connection = if close { "close" } else { "keep-alive" };
        write!(
            bytes,
            "Content-Length: {length}\r\nConnection: {connection}\r\n\r\n"
        )?;
        bytes.extend_from_slice(&self.body);
        to.write_all(&bytes)?;
        to.flush()
    }

    /// Sends a request over a connection of its own.
    pub fn send(&self, to: SocketAddr) -> io::Result<Self> {
        let mut stream = TcpStream::connect(to)?;
        patient(&stream)?;
        self.write(&mut stream, true)?;
        let (method, _) = self.request_line();
        Self::read_answer(&mut io::BufReader::new(stream), method)
    }
}

fn skip_trailers(reader: &mut (impl BufRead + ?Sized)) -> io::Result<()> {
    let mut line = String::new();
    while reader.read_line(&mut line)? > 0 && !line.trim_end().is_empty() {
        line.clear();
    }
    Ok(())
}

/// Small messages leave at once, and nobody is waited for without end.
pub fn patient(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(SILENT_AT_MOST))?;
    stream.set_write_timeout(Some(SILENT_AT_MOST))
}

fn broken(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}
