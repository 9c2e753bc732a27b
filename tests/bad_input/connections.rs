//! Ten thousand connections on which nothing is said.

use std::{net::TcpStream, thread, time::Instant};

use rustix::process::{Resource, getrlimit, setrlimit};
use serde_json::json;

use super::{House, pages::value};
use crate::served::{LOOK, PATIENCE};

/// How many connections are idle.
const IDLE: u32 = 10_000;

/// How many files the test needs for everything else.
const OTHER_FILES: u64 = 500;

/// How much memory the server may have then, in bytes, also where nothing was optimized.
const MEMORY_MAX: f64 = 600e6;

/// As many idle connections as this process may have files; the server may have as many.
fn how_many() -> u32 {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // Where it cannot be raised, it is as it is.
    let _ = setrlimit(Resource::Nofile, limit);
    let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let most = files.saturating_sub(OTHER_FILES);
    if most < u64::from(IDLE) {
        crate::crash::say(&format!(
            "this machine lets a process have {files} files only"
        ));
    }
    IDLE.min(u32::try_from(most).unwrap_or(u32::MAX))
}

#[test]
fn idle_connections_keep_nobody_waiting() {
    let count = how_many();
    let house = House::new();
    let address = house.server.address;
    let idle: Vec<TcpStream> = (0..count)
        .map(|_| TcpStream::connect(address).expect("it can be reached"))
        .collect();
    for _ in 0..20 {
        let pipelines = house.server.expect("ListPipelines", &json!({}));
        assert_eq!(pipelines["pipelines"], json!([]));
    }
    // A connection is there for its client before the server takes it.
    let began = Instant::now();
    let metrics = loop {
        let metrics = house.server.get("/metrics").text();
        let open = value(&metrics, "pipewright_connections").expect("it is counted");
        if open >= f64::from(count) {
            break metrics;
        }
        assert!(began.elapsed() < PATIENCE, "{open} connections");
        thread::sleep(LOOK);
    };
    let memory = value(&metrics, "process_resident_memory_bytes").expect("it is told");
    assert!(
        memory < MEMORY_MAX,
        "{memory} bytes for {count} connections"
    );
    drop(idle);
    house.check();
}
