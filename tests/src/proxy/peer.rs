//! Which process is at the other end of a connection on loopback (Linux).

use std::{fs, net::SocketAddr};

/// The process that holds the connection from `peer` to `here`, if it was started, at whatever
/// distance, by the process `by`.
pub(super) fn process(peer: SocketAddr, here: SocketAddr, by: u32) -> Option<u32> {
    let table = fs::read_to_string("/proc/net/tcp").ok()?;
    let inode = table.lines().find_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let is_it = port(words.get(1)?)? == peer.port() && port(words.get(2)?)? == here.port();
        is_it.then(|| (*words.get(9).unwrap_or(&"0")).to_owned())
    })?;
    let socket = format!("socket:[{inode}]");
    let mut found = descendants(by).into_iter();
    found.find(|process| holds(*process, &socket))
}

/// `0100007F:1F90`
fn port(address: &str) -> Option<u16> {
    u16::from_str_radix(address.split_once(':')?.1, 16).ok()
}

fn holds(process: u32, socket: &str) -> bool {
    let files = fs::read_dir(format!("/proc/{process}/fd"));
    let mut files = files.into_iter().flatten().flatten();
    files.any(|file| fs::read_link(file.path()).is_ok_and(|to| to.to_string_lossy() == socket))
}

fn descendants(of: u32) -> Vec<u32> {
    let mut all = vec![of];
    let mut at = 0;
    while let Some(parent) = all.get(at) {
        let tasks = fs::read_dir(format!("/proc/{parent}/task"));
        for task in tasks.into_iter().flatten().flatten() {
            let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
            all.extend(
                children
                    .split_whitespace()
                    .filter_map(|id| id.parse::<u32>().ok()),
            );
        }
        at += 1;
    }
    // The first is the one that was asked about.
    all.split_off(1)
}
