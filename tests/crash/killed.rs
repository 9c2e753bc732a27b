//! The process is killed without warning, again and again, and the run is resumed each time.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{
    crash::workshop::{Workshop, stage},
    program::{Process, content, pipewright, run},
};

/// How often the process is killed before it may finish.
const KILLS: usize = 12;

/// How long anything may take before the test gives up.
const PATIENCE: Duration = Duration::from_mins(1);

/// Waits until the claim holds; what it waits for is another process.
fn until(what: &str, mut claim: impl FnMut() -> bool) {
    let began = Instant::now();
    while !claim() {
        assert!(began.elapsed() < PATIENCE, "{what} did not happen");
        thread::sleep(Duration::from_millis(5));
    }
}

/// What a process said before it ended or was killed.
#[derive(Default)]
struct Said {
    execution: Option<String>,
    /// Actions that were announced as succeeded, and so are on disk.
    succeeded: Vec<String>,
    result: Option<Value>,
}

/// Reads the process's events, and kills it after so many of them.
fn listen(mut process: Process, kill_after: Option<usize>) -> Said {
    let mut said = Said::default();
    let lines = BufReader::new(process.0.stdout.take().expect("it is piped")).lines();
    for (count, line) in lines.map_while(Result::ok).enumerate() {
        let Ok(event) = serde_json::from_str::<Value>(&line) else {
            continue;
        };
        match event["type"].as_str() {
            Some("pipeline") => {
                said.execution = event["execution"].as_str().map(str::to_owned);
            }
            Some("action") if event["status"] == "Succeeded" => {
                let name = event["action"].as_str().expect("an action has a name");
                said.succeeded.push(name.to_owned());
            }
            Some("result") => said.result = Some(event),
            _ => {}
        }
        if kill_after == Some(count) {
            process.0.kill().expect("it can be killed");
        }
    }
    process.0.wait().expect("it ends");
    said
}

/// How often each action began and ended, by the marks that it left.
fn marks(folder: &Path, actions: &[&str]) -> BTreeMap<String, (usize, usize)> {
    let count = |name: &str, word: &str| {
        content(&folder.join(name))
            .lines()
            .filter(|line| *line == word)
            .count()
    };
    let both = |name: &&str| {
        (
            (*name).to_owned(),
            (count(name, "began"), count(name, "ended")),
        )
    };
    actions.iter().map(both).collect()
}

/// Four stages whose actions mark in the folder that they began and that they ended.
fn marking(folder: &Path) -> Vec<Value> {
    let command = |name: &str| {
        let file = folder.join(name).to_string_lossy().into_owned();
        format!("echo began >> '{file}'; sleep 0.02; echo ended >> '{file}'")
    };
    let one = |name: &str| stage(name, &[(name, &[command(name).as_str()])]);
    let (lint, test) = (command("lint"), command("test"));
    let check = stage("check", &[("lint", &[&lint]), ("test", &[&test])]);
    vec![check, one("build"), one("package"), one("ship")]
}

/// Fails unless every action succeeded in its first attempt.
fn check_result(result: &Value) {
    assert_eq!(result["exitCode"], 0, "{result}");
    let stages = result["stages"].as_array().expect("stages");
    let actions = stages
        .iter()
        .flat_map(|stage| stage["actions"].as_array().expect("actions"));
    for action in actions {
        assert_eq!(
            (&action["attempt"], &action["status"]),
            (&1.into(), &"Succeeded".into())
        );
    }
}

#[test]
fn a_run_that_is_killed_again_and_again_ends_and_repeats_nothing_that_was_done() {
    let workshop = Workshop::new(&[]);
    let folder = workshop.path("marks");
    fs::create_dir(&folder).expect("a folder");
    workshop.declare(&marking(&folder));
    let actions = ["lint", "test", "build", "package", "ship"];

    let (mut execution, mut kills): (Option<String>, usize) = (None, 0);
    let mut done: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    let result = loop {
        let mut arguments = workshop.arguments(&["-o", "jsonl"]);
        if let Some(id) = &execution {
            arguments.extend(["--resume".to_owned(), id.clone()]);
        }
        let child = pipewright(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        // Each process repeats what is known; it is killed a little later than the one before.
        let said = listen(
            Process(child.expect("it starts")),
            (kills < KILLS).then_some(2 * kills + 1),
        );
        execution = execution.or(said.execution);
        let now = marks(&folder, &actions);
        for (name, before) in &done {
            assert_eq!(now[name], *before, "`{name}` had succeeded and ran again");
        }
        done = now
            .into_iter()
            .filter(|(name, _)| said.succeeded.contains(name))
            .collect();
        if let Some(result) = said.result {
            break result;
        }
        kills += 1;
        assert!(kills <= KILLS, "nobody killed it, and it has no result");
    };
    assert!(kills > KILLS / 2, "it was killed only {kills} times");
    assert_eq!(result["execution"].as_str(), execution.as_deref());
    check_result(&result);
    for (name, (began, ended)) in marks(&folder, &actions) {
        assert!(
            ended >= 1 && began >= ended,
            "`{name}` began {began} and ended {ended} times"
        );
    }
}

#[test]
fn a_build_dies_with_the_process_that_ordered_it() {
    let workshop = Workshop::new(&[]);
    let file = workshop.path("pid");
    let endless = format!(
        "echo $$ > '{0}.new' && mv '{0}.new' '{0}'; exec sleep 100000",
        file.display()
    );
    workshop.declare(&[stage("Build", &[("endless", &[&endless])])]);
    let mut run = Process::start(workshop.arguments(&[]));
    until("the build", || file.exists());
    let process = Path::new("/proc").join(content(&file).trim());
    assert!(process.exists(), "the build runs");
    run.0.kill().expect("it can be killed");
    run.0.wait().expect("it ends");
    until("the end of the build", || !process.exists());
}

#[test]
fn a_second_process_is_sent_away_and_the_first_goes_on() {
    let workshop = Workshop::new(&[]);
    let (begun, gate) = (workshop.path("begun"), workshop.path("gate"));
    let wait = format!(
        "touch '{}'; while [ ! -e '{}' ]; do sleep 0.01; done",
        begun.display(),
        gate.display()
    );
    workshop.declare(&[stage("Build", &[("wait", &[&wait])])]);
    let mut first = Process::start(workshop.arguments(&["-q"]));
    until("the build", || begun.exists());
    let second = run(workshop.arguments(&[])).expect(2);
    let holder = format!("in use by process {}", first.0.id());
    assert!(second.stderr.contains(&holder), "{}", second.stderr);
    fs::write(&gate, "").expect("a file");
    assert_eq!(first.0.wait().expect("it ends").code(), Some(0));
}
