//! Runs from their beginning to their result.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::bench::{Bench, SHIP, WORK};

#[test]
fn a_run_ends_with_files_that_a_reader_can_open() {
    let bench = Bench::with(SHIP);
    let ended = bench.call(&["run", "p.yml", "--approve", "auto"]).expect(0);
    assert!(
        ended.stdout.starts_with("Succeeded  in "),
        "{}",
        ended.stdout
    );
    let open = ended
        .stdout
        .lines()
        .find_map(|line| line.strip_prefix("open "));
    let path = open.expect("a path").trim();
    assert_eq!(bench.read(path), "<h1>Hello</h1>\n");
    ended.says(&[
        " Source/get Succeeded ",
        " Deploy/upload InProgress\n",
        " ship Succeeded ",
    ]);
    // The state is gone; only the results are kept, out of the way of git.
    assert!(!bench.path(".pipewright/objects").exists());
    assert_eq!(bench.read(".pipewright/.gitignore"), "*\n");
}

#[test]
fn a_program_gets_one_document_at_the_end() {
    let bench = Bench::with(SHIP);
    let arguments = [
        "run",
        "p.yml",
        "--approve",
        "auto",
        "-o",
        "json",
        "-V",
        "Folder=v2",
    ];
    let document = bench.call(&arguments).expect(0).json();
    assert_eq!(document["v"], 1);
    assert_eq!(document["status"], "Succeeded");
    assert_eq!(document["exitCode"], 0);
    assert_eq!(document["stages"][2]["actions"][0]["status"], "Succeeded");
    assert_eq!(document["deployed"][0]["bucket"], "the-site");
    assert_eq!(document["deployed"][0]["files"], 2);
    let folder = document["deployed"][0]["path"].as_str().expect("a path");
    assert_eq!(
        bench.read(format!("{folder}/v2/about/us.html")),
        "<h1>Us</h1>\n"
    );
    let results = document["results"].as_str().expect("a path");
    let kept: Value = serde_json::from_str(&bench.read(format!("{results}/result.json"))).unwrap();
    assert_eq!(kept, document);
}

#[test]
fn a_stream_has_every_change_in_order_and_the_result_last() {
    let bench = Bench::with(SHIP);
    let ended = bench
        .call(&["run", "p.yml", "--approve", "auto", "-o", "jsonl"])
        .expect(0);
    let events: Vec<Value> = ended
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    for (at, event) in events.iter().enumerate() {
        assert_eq!(event["v"], 1);
        assert_eq!(event["seq"], at + 1);
        assert!(event["time"].as_str().expect("a time").ends_with('Z'));
    }
    let kinds: BTreeSet<_> = events
        .iter()
        .map(|e| e["type"].as_str().expect("a type"))
        .collect();
    assert_eq!(
        kinds,
        BTreeSet::from(["action", "approval", "pipeline", "result", "stage"])
    );
    assert_eq!(events.last().expect("a last one")["type"], "result");
}

#[test]
fn an_approval_that_nobody_can_give_ends_the_run_and_can_be_given_later() {
    let bench = Bench::with(SHIP);
    let ended = bench.call(&["run", "p.yml"]).expect(7);
    assert!(ended.stdout.starts_with("Waiting"), "{}", ended.stdout);
    ended.says(&[
        "Approve/ok waits for an approval: Ship it?",
        "--approve auto",
    ]);
    let ended = bench
        .call(&["run", "p.yml", "--data", "state", "-o", "json"])
        .expect(7);
    let id = ended.json()["execution"]
        .as_str()
        .expect("an id")
        .to_owned();
    ended.says(&[&format!("run p.yml --resume {} --data state", &id[..8])]);
    let again = bench.call(&["run", "p.yml", "--data", "state"]).expect(2);
    again.says(&["has not ended", "--resume"]);
    let resume = [
        "run",
        "p.yml",
        "--data",
        "state",
        "--resume",
        &id[..8],
        "--approve",
        "auto",
    ];
    bench.call(&resume).expect(0).says(&[" ship Succeeded "]);
    // It has ended; a look at it says so again, and the next run begins anew.
    bench.call(&resume).expect(0);
    let next = [
        "run",
        "p.yml",
        "--data",
        "state",
        "--approve",
        "auto",
        "-o",
        "json",
    ];
    assert_ne!(bench.call(&next).expect(0).json()["execution"], id.as_str());
}

#[test]
fn a_person_may_say_yes_or_no_or_nothing() {
    let bench = Bench::with(SHIP);
    let run = ["run", "p.yml", "--approve", "prompt"];
    let ended = bench.call_with("what?\ny looks good\n", &run).expect(0);
    ended.says(&[
        "Ship it?",
        "[y]es or [n]o",
        "Approve/ok Succeeded",
        "looks good",
    ]);
    let ended = bench.call_with("no not on a Friday\n", &run).expect(1);
    ended.says(&["Approve/ok failed", "not on a Friday"]);
    bench.call_with("", &run).expect(7);
}

#[test]
fn a_failed_action_ends_with_the_end_of_its_log_and_what_to_do() {
    let bench = Bench::with(&WORK.replace("COMMAND", "echo $((40 + 2)) is wrong; exit 3"));
    let ended = bench
        .call(&["run", "p.yml", "--runner", "process"])
        .expect(1);
    assert!(ended.stdout.starts_with("Failed  in "), "{}", ended.stdout);
    ended.says(&[
        "builds: plain processes, not kept apart from this machine\n",
        "Work/do, the end of its log:",
        "  42 is wrong\n",
        "[JobFailed]",
        "/logs/Work.do.log",
        "try it again: pipewright run p.yml --only Work/do -v",
    ]);
    // What was advised works.
    let again = [
        "run", "p.yml", "--runner", "process", "--only", "Work/do", "-v",
    ];
    bench
        .call(&again)
        .expect(1)
        .says(&["Work/do | 42 is wrong"]);
}

#[test]
fn an_action_that_nobody_here_can_run_fails_and_says_so() {
    let invoke = "category: Invoke, owner: AWS, provider: Lambda";
    let text = SHIP
        .replace("category: Approval, owner: AWS, provider: Manual", invoke)
        .replace("CustomData: 'Ship it?'", "FunctionName: f");
    let bench = Bench::with(&text);
    bench.call(&["plan", "p.yml"]).expect(0);
    let ended = bench.call(&["run", "p.yml"]).expect(1);
    ended.says(&[
        "[ConfigurationError]",
        "provider `Lambda`",
        "is not supported",
    ]);
}

#[test]
fn a_source_is_the_folder_as_it_lies_there_or_a_revision() {
    let bench = Bench::with(&WORK.replace("COMMAND", "cat word.txt"));
    bench.write(".gitignore", ".pipewright\n");
    bench.git(&["init", "-q", "-b", "main"]);
    bench.write("word.txt", "committed\n");
    bench.git(&["add", "."]);
    bench.git(&["commit", "-q", "-m", "One word"]);
    let head = bench.git(&["rev-parse", "HEAD"]);
    bench.write("word.txt", "only written\n");
    let run = ["run", "p.yml", "--runner", "process", "-v"];
    let ended = bench.call(&run).expect(0);
    ended.says(&[
        "Work/do | only written",
        "files that are not committed included",
    ]);
    let revision = [&run[..], &["--source", "get=main", "-o", "json"]].concat();
    let ended = bench
        .call(&revision)
        .expect(0)
        .says(&["Work/do | committed"]);
    assert_eq!(
        ended.json()["stages"][0]["actions"][0]["revision"],
        head.as_str()
    );
    bench.write("elsewhere/word.txt", "from elsewhere\n");
    let folder = [&run[..], &["--source", "get=elsewhere"]].concat();
    bench
        .call(&folder)
        .expect(0)
        .says(&["Work/do | from elsewhere"]);
}

#[test]
fn a_source_object_may_be_given_on_the_command_line() {
    let bench = Bench::with(SHIP.split("resources:").next().expect("the pipeline"));
    let run = [
        "run",
        "p.yml",
        "--approve",
        "auto",
        "-o",
        "json",
        "--source",
        "get=site/about",
    ];
    let document = bench.call(&run).expect(0).json();
    let folder = document["deployed"][0]["path"].as_str().expect("a path");
    assert_eq!(bench.read(format!("{folder}/v1/us.html")), "<h1>Us</h1>\n");
}

#[test]
fn a_part_of_a_pipeline_runs_with_the_sources_that_it_needs() {
    let bench = Bench::with(SHIP);
    let document = bench
        .call(&["run", "p.yml", "--only", "Deploy", "-o", "json"])
        .expect(0)
        .json();
    let stages: Vec<_> = document["stages"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|stage| stage["name"].as_str().expect("a name"))
        .collect();
    assert_eq!(stages, ["Source", "Deploy"]);
    bench
        .call(&["run", "p.yml", "--until", "Approve", "--approve", "auto"])
        .expect(0);
}

#[test]
fn a_dry_run_checks_everything_and_leaves_nothing() {
    let bench = Bench::with(SHIP);
    let ended = bench.call(&["run", "p.yml", "--dry-run"]).expect(0);
    assert!(ended.stdout.contains("3. Deploy"), "{}", ended.stdout);
    ended.says(&["nothing was run"]);
    bench
        .call(&["run", "p.yml", "--dry-run", "-V", "Fodler=x"])
        .expect(2)
        .says(&["`Fodler`"]);
    assert!(!bench.path(".pipewright").exists());
}

#[test]
fn colours_come_when_they_are_asked_for_and_never_carry_the_meaning() {
    let bench = Bench::with(SHIP);
    let plain = bench
        .call(&["run", "p.yml", "--approve", "auto", "-v"])
        .expect(0);
    assert!(!plain.stdout.contains('\u{1b}') && !plain.stderr.contains('\u{1b}'));
    let always = bench
        .call(&["run", "p.yml", "--approve", "auto", "--color", "always"])
        .expect(0);
    assert!(
        always.stdout.starts_with("\u{1b}[32mSucceeded\u{1b}[0m"),
        "{}",
        always.stdout
    );
    let quiet = bench
        .call(&["run", "p.yml", "--approve", "auto", "-q"])
        .expect(0);
    assert_eq!(quiet.stderr, "");
}
