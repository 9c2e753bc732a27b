//! A server that is told to stop while it builds.

use std::{fs, path::Path, thread, time::Instant};

use serde_json::{Value, json};

use crate::{
    program::content,
    served::{LOOK, PATIENCE, Server, commands, pipeline, source},
};

/// Waits until the claim holds; what it waits for is another process.
fn until(what: &str, mut claim: impl FnMut() -> bool) {
    let began = Instant::now();
    while !claim() {
        assert!(began.elapsed() < PATIENCE, "{what} did not happen");
        thread::sleep(LOOK);
    }
}

/// The options of a server whose builds have so long when it stops.
fn options<'a>(grace: &'a str, repository: &'a str) -> Vec<&'a str> {
    let fixed = [
        "--runner",
        "process",
        "--repository",
        repository,
        "--grace",
        grace,
    ];
    fixed.to_vec()
}

/// A script that notes when it begins and ends, and ends when there is a gate of its name.
fn script(folder: &Path, name: &str) -> String {
    let folder = folder.display();
    format!(
        "echo {name} began >> '{folder}/marks'; \
         while [ ! -e '{folder}/{name}' ]; do sleep 0.01; done; \
         echo {name} ended >> '{folder}/marks'"
    )
}

fn waiting(folder: &Path) -> Value {
    let script = script(folder, "gate");
    pipeline("waiting", "QUEUED", &[commands("Build", &[&script])])
}

fn statuses(server: &Server) -> Vec<String> {
    let input = json!({"pipelineName": "waiting"});
    let page = server.expect("ListPipelineExecutions", &input);
    let all = page["pipelineExecutionSummaries"]
        .as_array()
        .expect("a list");
    all.iter().map(|one| one["status"].to_string()).collect()
}

/// Lets a build begin, stops the server, lets the gate open then or only after the next start, and
/// answers with what the build noted in the end.
fn stopped(grace: &str, opens_at_once: bool) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let repository = source(folder);
    let options = options(grace, &repository);
    let mut server = Server::start(folder, &options);
    server.expect("CreatePipeline", &waiting(folder));
    let marks = folder.join("marks");
    until("the build", || content(&marks).contains("began"));
    server.signal("TERM");
    if opens_at_once {
        fs::write(folder.join("gate"), "").expect("a file");
    }
    until("the end", || {
        server.process.try_wait().is_ok_and(|it| it.is_some())
    });
    let code = server.process.wait().expect("it ended").code();
    let errors = server.check_errors();
    assert_eq!(code, Some(0), "{errors}");
    assert!(errors.contains("stopped"), "{errors}");
    crate::crash::check_orphans(folder);
    fs::write(folder.join("gate"), "").expect("a file");
    let server = Server::start(folder, &options);
    until("the success", || statuses(&server) == ["\"Succeeded\""]);
    server.check_errors();
    content(&marks)
}

#[test]
fn a_build_that_ends_in_its_grace_is_not_run_again() {
    assert_eq!(stopped("30s", true), "gate began\ngate ended\n");
}

#[test]
fn a_build_that_does_not_end_in_its_grace_begins_anew() {
    assert_eq!(stopped("1s", false), "gate began\ngate began\ngate ended\n");
}

/// What begins after the server was told to stop is not waited for, however long the grace is.
#[test]
fn a_server_that_stops_begins_no_more_builds() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let repository = source(folder);
    let options = options("30s", &repository);
    let mut server = Server::start(folder, &options);
    let [first, second] = ["First", "Second"].map(|name| commands(name, &[&script(folder, name)]));
    let two = pipeline("waiting", "QUEUED", &[first, second]);
    server.expect("CreatePipeline", &two);
    let marks = folder.join("marks");
    until("the first build", || content(&marks).contains("began"));
    server.signal("TERM");
    until("the news of it", || {
        content(&server.errors).contains("stopping")
    });
    fs::write(folder.join("First"), "").expect("a file");
    until("the end", || {
        server.process.try_wait().is_ok_and(|it| it.is_some())
    });
    assert_eq!(content(&marks), "First began\nFirst ended\n");
    server.check_errors();
    fs::write(folder.join("Second"), "").expect("a file");
    let server = Server::start(folder, &options);
    until("the success", || statuses(&server) == ["\"Succeeded\""]);
    server.check_errors();
    assert_eq!(
        content(&marks),
        "First began\nFirst ended\nSecond began\nSecond ended\n"
    );
}
