//! The AWS side of the tests: ministack, in a pinned version, on loopback.

use std::{
    fs::{self, File},
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
    thread,
    time::{Duration, Instant},
};

use crate::{python::Python, root};

/// How long it may take to answer.
const ANSWERS_WITHIN: Duration = Duration::from_mins(2);

const LOOK: Duration = Duration::from_millis(50);

/// How often it is started anew because somebody else was faster to take its port.
const STARTS_MAX: usize = 5;

/// A running emulator. It ends when this is dropped, and when this process ends, however it ends.
pub struct Emulator {
    process: Child,
    port: u16,
    folder: PathBuf,
}

impl Emulator {
    /// The emulator that all tests of this process share.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Emulator> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(&[]))
    }

    /// Starts one on a free port, with more variables in its environment.
    pub fn start(environment: &[(&str, &str)]) -> Self {
        let here = root().join("tests/emulator");
        let python = Python::with("emulator", &here.join("requirements.txt"));
        for _ in 0..STARTS_MAX {
            let mut command = python.program("python");
            command
                .arg(here.join("host.py"))
                .envs(environment.iter().copied());
            if let Some(emulator) = Self::try_start(command) {
                return emulator;
            }
        }
        panic!("ministack did not answer {STARTS_MAX} times");
    }

    fn try_start(mut command: Command) -> Option<Self> {
        let port = free_port();
        let folder =
            std::env::temp_dir().join(format!("pipewright-emulator-{}-{port}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        let log = File::create(folder.join("log")).expect("a file");
        let errors = log.try_clone().expect("a file");
        let process = command
            .current_dir(&folder)
            .env("BIND_HOST", "127.0.0.1")
            .env("GATEWAY_PORT", port.to_string())
            .env("TMPDIR", &folder)
            // A listener of its own, on all interfaces.
            .env("IOT_MTLS_ENABLED", "0")
            // What it tells subscribers is for this machine, whatever proxy packages come through.
            .env("NO_PROXY", "127.0.0.1,localhost")
            .env("no_proxy", "127.0.0.1,localhost")
            .stdin(Stdio::piped())
            .stdout(log)
            .stderr(errors)
            .spawn();
        let process = process.expect("python was installed a moment ago");
        let mut emulator = Self {
            process,
            port,
            folder,
        };
        let until = Instant::now() + ANSWERS_WITHIN;
        while Instant::now() < until {
            if emulator
                .process
                .try_wait()
                .expect("it can be waited for")
                .is_some()
            {
                return None;
            }
            if emulator.answers() {
                return Some(emulator);
            }
            thread::sleep(LOOK);
        }
        None
    }

    fn answers(&self) -> bool {
        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)) else {
            return false;
        };
        let asked = stream.write_all(b"GET /_ministack/health HTTP/1.0\r\nHost: localhost\r\n\r\n");
        let mut answer = Vec::new();
        asked.is_ok()
            && stream.take(4096).read_to_end(&mut answer).is_ok()
            && answer.starts_with(b"HTTP/1")
    }

    /// Where it is: `http://127.0.0.1:4566`.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its process: what it runs, functions among it, are children of this one.
    pub fn process(&self) -> u32 {
        self.process.id()
    }

    /// What it printed.
    pub fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    /// A folder that goes with it.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        // Its own end: it watches the pipe, and nothing of it is to be kept.
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("loopback is there");
    listener.local_addr().expect("it is bound").port()
}
