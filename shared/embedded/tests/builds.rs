//! The build runner with agents that are shell scripts: whatever an agent does, the runner keeps
//! its word.
#![expect(
    clippy::unwrap_used,
    reason = "the helpers of tests fail by panicking, and one talks to its parent"
)]

use std::{fs, os::unix::fs::symlink, path::Path, process::Command};

use model::build::{BuildKind, BuildState, BuildStatus};
use pipewright_embedded::Isolation;
use ports::{BuildRunner, builds::BuildError};

#[path = "builds/shop.rs"]
mod shop;
#[path = "builds/walls.rs"]
mod walls;

use shop::{SUCCEEDED, Shop, order};

#[tokio::test]
async fn a_build_gets_its_inputs_and_its_outputs_are_stored() {
    let shop = Shop::new(&format!("cp in/0 out/0.zip; {SUCCEEDED}"));
    shop.put("in/source", "the source").await;
    let report = shop.run(order("b1")).await;
    assert_eq!(report.status, BuildStatus::Succeeded, "{report:?}");
    assert_eq!(report.isolation, "process");
    assert_eq!(report.log_stream, "b1");
    assert_eq!(shop.get("out/app").await.as_deref(), Some("the source"));
    let phases: Vec<_> = report
        .phases
        .iter()
        .map(|p| p.phase_type.as_str())
        .collect();
    assert_eq!(phases, ["SUBMITTED", "QUEUED", "PROVISIONING", "BUILD"]);

    // The same order again changes nothing, and only the report is left of the build.
    shop.builds.start(order("b1")).await.unwrap();
    assert_eq!(shop.finished("b1").await, report);
    let left: Vec<_> = fs::read_dir(shop.data().join("builds/b1"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left, ["report.json"]);
}

#[tokio::test]
async fn a_build_that_is_not_known_is_unknown() {
    let shop = Shop::new(SUCCEEDED);
    for id in ["b1", "../b1", ""] {
        assert_eq!(shop.builds.state(id).await.unwrap(), BuildState::Unknown);
        shop.builds.stop(id).await.unwrap();
    }
}

#[tokio::test]
async fn an_order_that_cannot_be_carried_out_is_refused() {
    let shop = Shop::new(SUCCEEDED);
    let refused = async |order| match shop.builds.start(order).await {
        Err(BuildError::Refused(why)) => why,
        other => panic!("{other:?}"),
    };
    assert!(refused(order("../x")).await.contains("no build id"));
    let mut bare = order("b1");
    bare.inputs.clear();
    assert!(refused(bare).await.contains("have an input"));
    let mut strange = order("b1");
    strange.pipeline = "../x".to_owned();
    assert!(refused(strange).await.contains("no project name"));
    let mut image = order("b1");
    image.what = shop::project(Some("--privileged"));
    assert!(refused(image).await.contains("names no image"));
}

#[tokio::test]
async fn an_input_that_is_not_there_fails_the_build_and_says_which() {
    let shop = Shop::new(SUCCEEDED);
    let report = shop.run(order("b1")).await;
    assert_eq!(report.status, BuildStatus::Failed);
    let last = report.phases.last().unwrap();
    assert_eq!(last.phase_type, "DOWNLOAD_SOURCE");
    assert!(
        last.message.as_deref().unwrap().contains("`source`"),
        "{last:?}"
    );
    assert!(shop.log("b1").contains("`source`"));
}

#[tokio::test]
async fn an_output_that_is_missing_or_no_file_fails_the_build() {
    for (script, why) in [
        (SUCCEEDED.to_owned(), "did not make it"),
        (
            format!("ln -s /etc/passwd out/0.zip; {SUCCEEDED}"),
            "not a file",
        ),
        (
            format!("rmdir out; ln -s /etc out; {SUCCEEDED}"),
            "did not make it",
        ),
    ] {
        let shop = Shop::new(&script);
        shop.put("in/source", "x").await;
        let report = shop.run(order("b1")).await;
        assert_eq!(report.status, BuildStatus::Failed);
        let last = report.phases.last().unwrap();
        assert!(last.message.as_deref().unwrap().contains(why), "{last:?}");
        assert_eq!(shop.get("out/app").await, None);
    }
}

#[tokio::test]
async fn an_agent_that_ends_without_a_report_is_a_fault_with_its_last_words() {
    let shop = Shop::new("echo 'cannot go on' >&2; exit 3");
    shop.put("in/source", "x").await;
    let report = shop.run(order("b1")).await;
    assert_eq!(report.status, BuildStatus::Fault);
    let message = report.phases.last().unwrap().message.clone().unwrap();
    assert!(
        message.contains("exit status: 3: cannot go on"),
        "{message}"
    );
}

#[tokio::test]
async fn an_agent_that_talks_nonsense_is_ended() {
    for script in ["echo hello; sleep 1000", "yes x | tr -d '\\n'"] {
        let shop = Shop::new(script);
        shop.put("in/source", "x").await;
        let report = shop.run(order("b1")).await;
        assert_eq!(report.status, BuildStatus::Fault, "{report:?}");
    }
}

#[tokio::test]
async fn a_program_that_is_no_agent_is_a_fault() {
    let shop = Shop::new(SUCCEEDED);
    fs::write(shop.data().join("../agent"), "no program").unwrap();
    shop.put("in/source", "x").await;
    let report = shop.run(order("b1")).await;
    assert_eq!(report.status, BuildStatus::Fault);
}

#[tokio::test]
async fn a_log_is_streamed_and_keeps_to_its_cap() {
    let lines = r#"yes '{"log":"0123456789012345678901234567890123456789"}' | head -n 400000"#;
    let shop = Shop::new(&format!("{lines}; {SUCCEEDED}"));
    shop.put("in/source", "x").await;
    let report = shop.run(order("b1")).await;
    assert_eq!(report.log_stream, "b1");
    let size = fs::metadata(shop.builds.logs().path("b1").unwrap())
        .unwrap()
        .len();
    assert!(size < shop::LOG_BYTES + (9 << 20), "{size}");
    assert!(shop.log("b1").contains("The log is full"));
}

#[tokio::test]
async fn a_full_disk_is_a_fault_that_says_so() {
    let shop = Shop::new(SUCCEEDED);
    shop.put("in/source", "x").await;
    let log = shop.builds.logs().path("b1").unwrap();
    symlink("/dev/full", log).unwrap();
    let report = shop.run(order("b1")).await;
    assert_eq!(report.status, BuildStatus::Fault);
    let message = report.phases.last().unwrap().message.clone().unwrap();
    assert!(
        message.contains("write the log: No space left"),
        "{message}"
    );
}

#[tokio::test]
async fn a_build_whose_report_cannot_be_written_is_over_all_the_same() {
    let shop = Shop::new(SUCCEEDED);
    shop.put("in/source", "x").await;
    // A file where the builds' directories should be.
    let builds = shop.data().join("builds");
    fs::remove_dir_all(&builds).unwrap();
    fs::write(&builds, "in the way").unwrap();
    let report = shop.run(order("b1")).await;
    assert_eq!(report.status, BuildStatus::Fault, "{report:?}");
    // The same order again changes nothing: it would fail again, and again.
    shop.builds.start(order("b1")).await.unwrap();
    let state = shop.builds.state("b1").await.unwrap();
    assert_eq!(state, BuildState::Finished(Box::new(report)));
    assert_eq!(fs::read_to_string(&builds).unwrap(), "in the way");
}

#[tokio::test]
async fn a_build_is_stopped_and_says_so() {
    let stopped = SUCCEEDED.replace("SUCCEEDED", "STOPPED");
    let shop = Shop::new(&format!(
        r#"echo '{{"log":"ready"}}'; read line; echo '{{"log":"told"}}'; {stopped}"#
    ));
    shop.put("in/source", "x").await;
    shop.builds.start(order("b1")).await.unwrap();
    shop.wait_for_line("ready").await;
    assert_eq!(shop.builds.state("b1").await.unwrap(), BuildState::Running);
    shop.builds.stop("b1").await.unwrap();
    assert_eq!(shop.finished("b1").await.status, BuildStatus::Stopped);
    assert!(shop.log("b1").contains("told"));
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_outstays_its_time_is_ended_with_all_it_started() {
    // The clock stands still and jumps: the time is up as soon as nothing else is to be done.
    let shop = Shop::new("sleep 1000 & sleep 1000");
    shop.put("in/source", "x").await;
    let report = shop.run(order("b1")).await;
    assert_eq!(report.status, BuildStatus::Fault, "{report:?}");
}

#[tokio::test]
async fn a_build_that_waits_for_its_turn_can_be_stopped() {
    let shop = Shop::new(r#"echo '{"log":"ready"}'; read line; exit 1"#);
    shop.put("in/source", "x").await;
    for id in ["b1", "b2"] {
        shop.builds.start(order(id)).await.unwrap();
    }
    shop.wait_for_line("ready").await;
    shop.builds.stop("b2").await.unwrap();
    let report = shop.finished("b2").await;
    assert_eq!(report.status, BuildStatus::Stopped);
    assert_eq!(report.phases.len(), 2, "it never left the queue");
    shop.builds.stop("b1").await.unwrap();
    assert_eq!(shop.finished("b1").await.status, BuildStatus::Stopped);
}

#[tokio::test]
async fn a_build_that_waits_for_its_turn_gets_none_when_the_server_stops() {
    let shop = Shop::new(r#"echo '{"log":"ready"}'; read line; exit 1"#);
    shop.put("in/source", "x").await;
    for id in ["b1", "b2"] {
        shop.builds.start(order(id)).await.unwrap();
    }
    shop.wait_for_line("ready").await;
    shop.builds.drain();
    assert_eq!(shop.builds.at_work(), 1);
    shop.builds.stop("b1").await.unwrap();
    assert_eq!(shop.finished("b1").await.status, BuildStatus::Stopped);
    // It is offered the place, and gives it back.
    for _ in 0..1_000_000 {
        if shop.builds.at_work() == 0 {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert_eq!(shop.builds.at_work(), 0);
    let shop = shop.reopen();
    assert_eq!(shop.builds.state("b2").await.unwrap(), BuildState::Unknown);
}

#[tokio::test]
async fn no_more_builds_run_at_once_than_may() {
    // Each one would see the other's mark, which is outside of both directories.
    let script = format!("mkdir ../../mark || exit 1; rmdir ../../mark; {SUCCEEDED}");
    let shop = Shop::new(&script);
    shop.put("in/source", "x").await;
    let ids: Vec<String> = (0..6).map(|n| format!("b{n}")).collect();
    for id in &ids {
        let mut order = order(id);
        order.outputs.clear();
        shop.builds.start(order).await.unwrap();
    }
    for id in &ids {
        assert_eq!(shop.finished(id).await.status, BuildStatus::Succeeded);
    }
}

#[tokio::test]
async fn a_build_is_repeated_as_often_as_it_wants() {
    let failed = SUCCEEDED
        .replace("SUCCEEDED", "FAILED")
        .replace("\"logStream\"", "\"retriesWanted\":2,\"logStream\"");
    let shop = Shop::new(&format!(
        r#"test -e output/stale && exit 1; touch output/stale
        printf '{{"log":"attempt %s"}}\n' "$(grep -o 'retry":[0-9]*' "$2" | tr -dc 0-9)"; {failed}"#
    ));
    shop.put("in/source", "x").await;
    let report = shop.run(order("b1")).await;
    assert_eq!(report.status, BuildStatus::Failed);
    assert_eq!(report.retries_wanted, None);
    let log = shop.log("b1");
    let lines: Vec<_> = log.lines().filter(|l| !l.contains("Isolation")).collect();
    assert_eq!(
        lines,
        [
            "attempt 0",
            "[Pipewright] FAILED: retry 1 of 2 begins.",
            "attempt 1",
            "[Pipewright] FAILED: retry 2 of 2 begins.",
            "attempt 2",
        ]
    );
}

#[tokio::test]
async fn an_agent_gets_the_secrets_that_it_asks_for() {
    let shop = Shop::new(&format!(
        r#"echo '{{"need":{{"parameter":"name"}}}}'; read answer
        test "$answer" = '{{"value":"hunter2"}}' || exit 1
        echo '{{"need":{{"secret":{{"id":"none"}}}}}}'; read answer
        test "$answer" = '"missing"' || exit 1
        cp in/0 out/0.zip; {SUCCEEDED}"#
    ));
    shop.put("in/source", "x").await;
    let report = shop.run(order("b1")).await;
    assert_eq!(report.status, BuildStatus::Succeeded, "{report:?}");
    let found = Command::new("grep")
        .args(["-r", "hunter2"])
        .arg(shop.data())
        .output()
        .unwrap();
    assert!(found.stdout.is_empty(), "{found:?}");
}

#[tokio::test]
async fn an_agent_that_asks_without_end_is_ended() {
    let shop = Shop::new(r#"yes '{"need":{"parameter":"name"}}'"#);
    shop.put("in/source", "x").await;
    let report = shop.run(order("b1")).await;
    assert_eq!(report.status, BuildStatus::Fault);
}

#[tokio::test]
async fn results_that_were_not_all_stored_are_stored_by_the_next_start() {
    let shop = Shop::new("exit 1");
    shop.put("in/source", "x").await;
    let directory = shop.data().join("builds/b1");
    fs::create_dir_all(directory.join("room/out")).unwrap();
    fs::write(directory.join("room/out/0.zip"), "made before").unwrap();
    let report = SUCCEEDED
        .trim_start_matches("echo '{\"report\":")
        .trim_end_matches("}'");
    fs::write(directory.join("pending.json"), report).unwrap();
    let shop = shop.reopen();
    assert_eq!(shop.builds.state("b1").await.unwrap(), BuildState::Unknown);
    assert_eq!(shop.run(order("b1")).await.status, BuildStatus::Succeeded);
    assert_eq!(shop.get("out/app").await.as_deref(), Some("made before"));
}

#[tokio::test]
async fn a_report_outlives_the_process() {
    let shop = Shop::new(&format!("cp in/0 out/0.zip; {SUCCEEDED}"));
    shop.put("in/source", "x").await;
    let report = shop.run(order("b1")).await;
    let shop = shop.reopen();
    assert_eq!(shop.finished("b1").await, report);
}

#[tokio::test]
async fn what_is_to_be_kept_is_kept() {
    let shop = Shop::with(SUCCEEDED, |options| options.keep = true);
    shop.put("in/source", "x").await;
    shop.run(order("b1")).await;
    assert!(shop.data().join("builds/b1/room/in/0").exists());
}

fn git(at: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .args(["-c", "user.name=x", "-c", "user.email=x@example.com"])
        .args(arguments)
        .current_dir(at)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[tokio::test]
async fn an_input_that_names_a_commit_becomes_a_clone_at_that_commit() {
    let repository = tempfile::tempdir().unwrap();
    let at = repository.path();
    git(at, &["init", "--quiet"]);
    fs::write(at.join("file"), "old").unwrap();
    symlink("file", at.join("link")).unwrap();
    git(at, &["add", "."]);
    git(at, &["commit", "--quiet", "-m", "one"]);
    let commit = git(at, &["rev-parse", "HEAD"]);
    fs::write(at.join("file"), "new").unwrap();
    git(at, &["commit", "--quiet", "-a", "-m", "two"]);

    let shop = Shop::with(
        &format!("cat in/0.clone/.git/HEAD in/0.clone/link > out/0.zip; {SUCCEEDED}"),
        |options| options.repositories = vec![at.display().to_string()],
    );
    let reference = |url: &str, commit: &str| {
        format!(r#"{{"repositoryUrl":"{url}","commitId":"{commit}","branchName":"main"}}"#)
    };
    let url = at.display().to_string();
    shop.put("in/source", &reference(&url, &commit)).await;
    let report = shop.run(order("b1")).await;
    assert_eq!(report.status, BuildStatus::Succeeded, "{report:?}");
    assert_eq!(shop.get("out/app").await.unwrap(), format!("{commit}\nold"));

    for (id, url, commit, why) in [
        ("b2", url.as_str(), "0".repeat(40), "check out"),
        ("b3", "ext::sh -c true", commit.clone(), "no repository"),
        ("b4", url.as_str(), "--orphan".to_owned(), "whole id"),
    ] {
        shop.put("in/source", &reference(url, &commit)).await;
        let report = shop.run(order(id)).await;
        assert_eq!(report.status, BuildStatus::Failed);
        let message = report.phases.last().unwrap().message.clone().unwrap();
        assert!(message.contains(why), "{message}");
    }
}

#[tokio::test]
async fn the_envelope_says_what_the_agent_needs_and_no_more() {
    let shop = Shop::with(SUCCEEDED, |options| options.keep = true);
    shop.put("in/source", "x").await;
    let mut order = order("b1");
    order.what = shop::project(None);
    let BuildKind::Project { project, .. } = &mut order.what else {
        panic!()
    };
    let variable = |name: &str, value: &str| model::project::BuildVariable {
        name: name.to_owned(),
        value: value.to_owned(),
        kind: model::project::BuildVariableType::Plaintext,
    };
    project.environment.environment_variables = vec![variable("A", "1"), variable("B", "1")];
    order.environment_variables = vec![variable("B", "2")];
    shop.run(order).await;
    let path = shop.data().join("builds/b1/envelope.json");
    let envelope: model::build::Envelope =
        serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    assert_eq!(envelope.variables, [variable("A", "1"), variable("B", "2")]);
    assert_eq!(envelope.build_id, "tests:b1");
    assert_eq!(
        envelope.build_arn,
        "arn:aws:codebuild:here:000000000000:build/tests:b1"
    );
    assert_eq!(
        envelope.inputs[0].source_version,
        "arn:aws:s3:::bucket/in/source"
    );
    assert_eq!(envelope.inputs[0].file_name, "source");
}

#[tokio::test]
async fn without_a_sandbox_the_agent_has_a_scrubbed_environment_all_the_same() {
    let shop = Shop::new(&format!(
        r"env | cut -d= -f1 | sort | tr '\n' ' ' > out/0.zip; {SUCCEEDED}"
    ));
    shop.put("in/source", "x").await;
    shop.run(order("b1")).await;
    let names = shop.get("out/app").await.unwrap();
    let allowed = [
        "LANG",
        "PATH",
        "PWD",
        "RUSTUP_HOME",
        "TMPDIR",
        "_",
        "SHLVL",
        "OLDPWD",
    ];
    let others: Vec<_> = names
        .split_whitespace()
        .filter(|name| !allowed.contains(name))
        .collect();
    assert!(others.is_empty(), "{others:?}");
}

#[test]
fn an_isolation_that_is_not_there_is_refused_by_name() {
    let error = "vm".parse::<Isolation>().unwrap_err();
    assert!(error.contains("podman"));
}
