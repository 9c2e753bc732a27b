//! The real server, driven by the clients that people have: boto3 and the AWS CLI.
//!
//! The clients are installed in `target/conformance`, once for each list of versions. What they
//! saw is compared with `tests/conformance/baseline.json`, from which `docs/compatibility.md` is
//! written. What was there may not get lost; what is new is added by
//!
//! ```text
//! UPDATE=1 cargo test -p pipewright --test conformance
//! UPDATE=1 cargo test -p pipewright-tests --test compatibility
//! ```

#[path = "conformance/baseline.rs"]
mod baseline;
#[path = "conformance/clients.rs"]
mod clients;
#[path = "conformance/host.rs"]
mod host;

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use clients::Clients;
use host::{Host, finish};

/// How long all suites together may take; on an idle machine it is about a minute.
const SUITES_WITHIN: Duration = Duration::from_mins(10);

/// The folder of this suite.
fn here() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/conformance")
}

#[test]
fn the_clients_that_people_have_find_the_service_that_they_know() {
    let clients = Clients::installed(&here().join("requirements.txt"));
    let folder = tempfile::tempdir().expect("a folder");
    let host = Host::start(folder.path());
    let work = folder.path().join("work");
    fs::create_dir(&work).expect("a folder");
    let mut suites = Command::new(clients.python());
    suites
        .arg(here().join("run.py"))
        .envs(host.environment())
        .env("CONFORMANCE_FOLDER", &work)
        .env("PYTHONDONTWRITEBYTECODE", "1");
    let ran = finish(suites, &folder.path().join("told"), SUITES_WITHIN);
    let log = host.stop();
    assert!(
        ran.is_success,
        "\n{}\nThe server's log ends with\n{log}",
        ran.told
    );
    let results = fs::read_to_string(work.join("results.json")).expect("the suites write it");
    let results = serde_json::from_str(&results).expect("it is JSON");
    let path = here().join("baseline.json");
    let known = fs::read_to_string(&path).unwrap_or_else(|_| "{}".to_owned());
    let known = serde_json::from_str(&known).expect("the baseline is JSON");
    let lost = baseline::lost(&known, &results);
    assert!(
        lost.is_empty(),
        "what the clients once saw is gone:\n{}",
        lost.join("\n")
    );
    if env::var_os("UPDATE").is_some() {
        let grown = baseline::grown(&known, results);
        fs::write(&path, format!("{grown:#}\n")).expect("the baseline can be written");
    }
}
