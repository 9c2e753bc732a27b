//! Processes that a dead server left behind.

use std::{fs, path::Path, thread, time::Instant};

use crate::{crash::serve::RECOVERY_MAX, served::LOOK};

/// Waits until nothing that belongs to the folder runs any more; the server must be dead.
pub(crate) fn check(folder: &Path) {
    let began = Instant::now();
    loop {
        let left = of(folder);
        if left.is_empty() {
            return;
        }
        assert!(
            began.elapsed() < RECOVERY_MAX,
            "they outlived the server: {left:#?}"
        );
        thread::sleep(LOOK);
    }
}

/// The processes that work in the folder or were told of it, as their command lines.
pub(super) fn of(folder: &Path) -> Vec<String> {
    let name = folder.to_string_lossy();
    let processes = fs::read_dir("/proc").expect("this is Linux");
    let mut found = Vec::new();
    for process in processes.filter_map(Result::ok) {
        let path = process.path();
        let number = process.file_name().to_string_lossy().parse::<u32>();
        if number.is_err() || number.is_ok_and(|number| number == std::process::id()) {
            continue;
        }
        // Whatever ends while it is looked at is none.
        let read = |what: &str| fs::read(path.join(what)).unwrap_or_default();
        let told = |what: &str| String::from_utf8_lossy(&read(what)).contains(&*name);
        let works_there = fs::read_link(path.join("cwd")).is_ok_and(|cwd| cwd.starts_with(folder));
        if works_there || told("cmdline") || told("environ") {
            let line = String::from_utf8_lossy(&read("cmdline")).replace('\0', " ");
            found.push(format!("{}: {line}", path.display()));
        }
    }
    found
}
