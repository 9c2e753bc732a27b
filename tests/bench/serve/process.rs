//! The program that is measured, as a process of its own.

use std::{
    error::Error,
    fs, io,
    net::{SocketAddr, TcpListener},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::{
    client::{Ask, Connection},
    key::{Key, Signable},
};

/// How long a server may take until it answers.
const START_WITHIN: Duration = Duration::from_mins(1);

/// How often whoever waits for it tries.
const LOOK: Duration = Duration::from_micros(200);

/// How often a start is measured; the median counts.
const STARTS: usize = 7;

/// A server that answers.
pub(crate) struct Process {
    child: Child,
    pub(crate) address: SocketAddr,
    pub(crate) key: Key,
    /// From the call of the program to its first answer to a signed request.
    pub(crate) ready: Duration,
}

impl Process {
    /// Starts a server on a directory and waits for its first answer.
    pub(crate) fn start(data: &Path) -> Result<Self, Box<dyn Error>> {
        let address = free_address()?;
        let began = Instant::now();
        let mut child = Command::new(env!("CARGO_BIN_EXE_pipewright"))
            .args(["serve", "--runner", "process", "--listen"])
            .arg(address.to_string())
            .arg("--data")
            .arg(data)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let mut connection = loop {
            if let Ok(connection) = Connection::open(address) {
                break connection;
            }
            if let Some(status) = child.try_wait()? {
                return Err(format!("the server ended: {status}").into());
            }
            if began.elapsed() > START_WITHIN {
                child.kill()?;
                return Err("the server does not listen".into());
            }
            thread::sleep(LOOK);
        };
        // It may listen before the first key is written.
        let credentials = data.join("credentials");
        while !credentials.exists() && began.elapsed() < START_WITHIN {
            thread::sleep(LOOK);
        }
        let key = Key::read(&fs::read_to_string(&credentials)?);
        let request = Signable::operation(address, "ListPipelines", &json!({"maxResults": 1}));
        connection.ask(&request.signed(&key))?;
        let ready = began.elapsed();
        Ok(Self {
            child,
            address,
            key,
            ready,
        })
    }

    /// The median of several starts.
    pub(crate) fn starts(data: &Path) -> Result<Duration, Box<dyn Error>> {
        let mut all = Vec::with_capacity(STARTS);
        for _ in 0..STARTS {
            all.push(Self::start(data)?.ready);
        }
        all.sort();
        Ok(all[STARTS / 2])
    }

    /// What the server says of its memory, in MB.
    pub(crate) fn memory_mb(&self) -> Result<f64, Box<dyn Error>> {
        let ask = Ask::plain(self.address, "/metrics");
        let text = Connection::open(self.address)?.ask(&ask.request)?;
        let text = String::from_utf8_lossy(&text).into_owned();
        let name = "process_resident_memory_bytes ";
        let bytes = text.lines().find_map(|line| line.strip_prefix(name));
        let bytes: f64 = bytes.ok_or("it does not say")?.parse()?;
        Ok(bytes / 1e6)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // As a crash: nothing that was acknowledged needs more.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An address that nobody has now.
pub(crate) fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind("127.0.0.1:0")?.local_addr()
}
