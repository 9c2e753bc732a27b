//! Whole builds: the runner with the real agent, as a plain process and in bubblewrap.
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "the helpers of tests fail by panicking, and say what they skip"
)]

use std::{
    env, fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use embedded::{Isolation, sandbox::probe};
use model::{
    build::{BuildKind, BuildStatus, Envelope},
    project::{BuildVariable, BuildVariableType, CacheType},
};
use ports::BuildRunner;

#[path = "builds/container.rs"]
mod container;
#[path = "builds/site.rs"]
mod site;

use site::{Site, order, project_of};

/// The isolations that can be had here.
fn isolations() -> Vec<Isolation> {
    match probe::bubblewrap() {
        Ok(()) => vec![Isolation::Process, Isolation::Bubblewrap],
        Err(why) => {
            let must = env::var_os("PIPEWRIGHT_REQUIRE_SANDBOX").is_some();
            assert!(!must, "this machine has no sandbox: {why}");
            eprintln!("SKIPPED in bubblewrap: {why}");
            vec![Isolation::Process]
        }
    }
}

/// How many processes were started as this one.
fn sleepers(seconds: u64) -> usize {
    let wanted = format!("sleep\0{seconds}\0");
    fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| fs::read(entry.ok()?.path().join("cmdline")).ok())
        .filter(|cmdline| cmdline == wanted.as_bytes())
        .count()
}

/// Whether it is so within five seconds.
fn become_so(is_so: impl Fn() -> bool) -> bool {
    (0..500).any(|_| {
        thread::sleep(Duration::from_millis(10));
        is_so()
    })
}

/// A duration for `sleep` that no other test and no other run of this one uses.
fn own_seconds(test: u64) -> u64 {
    1_000_000 + test * 10_000_000 + u64::from(std::process::id())
}

const WHOLE: &str = r#"
version: 0.2
env:
  secrets-manager: {PASSWORD: "login:password"}
  parameter-store: {GREETING: /greeting}
  exported-variables: [ANSWER]
phases:
  build:
    commands:
      - test -f source.txt
      - export ANSWER=42
      - echo "the password is $PASSWORD, $GREETING"
      - mkdir -p bin && cp source.txt bin/app
  post_build:
    commands: ["printf 'done by %s\n' \"$CODEBUILD_INITIATOR\""]
artifacts: {files: ["bin/*"]}
"#;

#[tokio::test]
async fn a_build_runs_from_its_source_to_its_artifact() {
    for isolation in isolations() {
        let site = Site::new(isolation);
        site.put("in/source.txt", b"the source").await;
        let report = site.run(order("b1", WHOLE)).await;
        let log = site.log("b1");
        assert_eq!(report.status, BuildStatus::Succeeded, "{log}");
        assert_eq!(report.exported_variables["ANSWER"], "42");
        let zip = site.get("out/app").await.unwrap();
        assert!(zip.windows(7).any(|w| w == b"bin/app"));
        assert!(log.contains("\ndone by codepipeline/demo\n"), "{log}");
        assert!(log.contains("the password is ***, ***"), "{log}");
        let phases: Vec<_> = report
            .phases
            .iter()
            .map(|p| p.phase_type.as_str())
            .collect();
        assert_eq!(
            phases[..4],
            ["SUBMITTED", "QUEUED", "PROVISIONING", "DOWNLOAD_SOURCE"]
        );
        assert_eq!(phases.last(), Some(&"COMPLETED"));
    }
}

#[tokio::test]
async fn a_secret_is_nowhere_on_disk() {
    let site = Site::keeping(Isolation::Process);
    site.put("in/source.txt", b"x").await;
    site.run(order("b1", WHOLE)).await;
    let found = Command::new("grep")
        .args(["-r", "hunter2", "."])
        .current_dir(site.data())
        .output()
        .unwrap();
    assert!(found.stdout.is_empty(), "{found:?}");
}

#[tokio::test]
async fn a_secret_that_is_not_there_fails_the_source_phase() {
    let site = Site::new(Isolation::Process);
    site.put("in/source.txt", b"x").await;
    let spec = WHOLE.replace("login:", "nothing:");
    let report = site.run(order("b1", &spec)).await;
    assert_eq!(report.status, BuildStatus::Failed);
    let failed = report
        .phases
        .iter()
        .find(|p| p.phase_status == "FAILED")
        .unwrap();
    assert_eq!(failed.phase_type, "DOWNLOAD_SOURCE");
    assert!(failed.message.as_deref().unwrap().contains("nothing"));
}

#[tokio::test]
async fn a_build_that_fails_says_where_and_why() {
    let site = Site::new(Isolation::Process);
    site.put("in/source.txt", b"x").await;
    let spec = "{version: 0.2, phases: {build: {commands: ['exit 7']}}}";
    let report = site.run(order("b1", spec)).await;
    assert_eq!(report.status, BuildStatus::Failed);
    let failed = report
        .phases
        .iter()
        .find(|p| p.phase_status == "FAILED")
        .unwrap();
    assert_eq!(failed.phase_type, "BUILD");
    assert_eq!(
        failed.status_code.as_deref(),
        Some("COMMAND_EXECUTION_ERROR")
    );
    let message = "Error while executing command: exit 7. Reason: exit status 7";
    assert_eq!(failed.message.as_deref(), Some(message));
}

#[tokio::test]
async fn a_build_that_never_ends_is_ended_with_all_it_started() {
    for (test, isolation) in (1..).zip(isolations()) {
        let seconds = own_seconds(test);
        let site = Site::new(isolation);
        site.put("in/source.txt", b"x").await;
        let spec = format!(
            "{{version: 0.2, phases: {{build: {{commands: ['setsid sleep {seconds} & sleep {seconds}']}}}}}}"
        );
        let mut order = order("b1", &spec);
        order.timeout_seconds = 1;
        let report = site.run(order).await;
        assert_eq!(report.status, BuildStatus::TimedOut, "{}", site.log("b1"));
        assert!(become_so(|| sleepers(seconds) == 0));
    }
}

#[tokio::test]
async fn a_build_is_stopped_with_all_it_started() {
    for (test, isolation) in (3..).zip(isolations()) {
        let seconds = own_seconds(test);
        let site = Site::new(isolation);
        site.put("in/source.txt", b"x").await;
        let spec = format!(
            "{{version: 0.2, phases: {{build: {{commands: ['setsid sleep {seconds} & echo ready; sleep {seconds}']}}}}}}"
        );
        site.builds.start(order("b1", &spec)).await.unwrap();
        site.wait_for_line("ready").await;
        site.builds.stop("b1").await.unwrap();
        assert_eq!(site.finished("b1").await.status, BuildStatus::Stopped);
        assert!(become_so(|| sleepers(seconds) == 0));
    }
}

#[tokio::test]
async fn what_a_build_leaves_running_ends_with_it() {
    for (test, isolation) in (5..).zip(isolations()) {
        let seconds = own_seconds(test);
        let site = Site::new(isolation);
        site.put("in/source.txt", b"x").await;
        let spec = format!(
            "{{version: 0.2, phases: {{build: {{commands: ['(setsid sleep {seconds} >/dev/null 2>&1 &)']}}}}}}"
        );
        let mut order = order("b1", &spec);
        order.outputs.clear();
        let report = site.run(order).await;
        assert_eq!(report.status, BuildStatus::Succeeded, "{}", site.log("b1"));
        assert!(become_so(|| sleepers(seconds) == 0));
    }
}

#[test]
fn a_build_dies_with_its_runner() {
    for (test, isolation) in (7..).zip(isolations()) {
        let seconds = own_seconds(test);
        let mut runner = Command::new(env::current_exe().unwrap())
            .args([
                "--exact",
                "runs_a_build_for_ever",
                "--ignored",
                "--nocapture",
            ])
            .env("TEST_SECONDS", seconds.to_string())
            .env(
                "TEST_IS_PLAIN",
                (isolation == Isolation::Process).to_string(),
            )
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(runner.stderr.take().unwrap()).lines();
        assert!(lines.map_while(Result::ok).any(|line| line == "it runs"));
        assert!(become_so(|| sleepers(seconds) == 2));
        runner.kill().unwrap();
        runner.wait().unwrap();
        assert!(
            become_so(|| sleepers(seconds) == 0),
            "{isolation:?}: it still runs"
        );
    }
}

#[tokio::test]
#[ignore = "it is the inner part of another test and is killed by it"]
async fn runs_a_build_for_ever() {
    let seconds = env::var("TEST_SECONDS").unwrap();
    let is_plain = env::var("TEST_IS_PLAIN").unwrap() == "true";
    let site = Site::new(if is_plain {
        Isolation::Process
    } else {
        Isolation::Bubblewrap
    });
    site.put("in/source.txt", b"x").await;
    let spec = format!(
        "{{version: 0.2, phases: {{build: {{commands: ['setsid sleep {seconds} & echo ready; sleep {seconds}']}}}}}}"
    );
    site.builds.start(order("b1", &spec)).await.unwrap();
    site.wait_for_line("ready").await;
    eprintln!("it runs");
    site.finished("b1").await;
}

#[tokio::test]
async fn a_build_that_floods_its_log_costs_little() {
    let site = Site::new(Isolation::Process);
    site.put("in/source.txt", b"x").await;
    // The agent is the shell's parent: its peak is asked for when the flood is over.
    let spec = "
version: 0.2
env: {exported-variables: [PEAK]}
phases:
  build: {commands: ['yes 0123456789 | head -c 200000000']}
  post_build: {commands: ['export PEAK=$(grep VmHWM /proc/$PPID/status | tr -dc 0-9)']}
";
    let mut order = order("b1", spec);
    order.outputs.clear();
    let report = site.run(order).await;
    assert_eq!(report.status, BuildStatus::Succeeded, "{}", site.log("b1"));
    assert!(site.log("b1").len() < 2 << 20);
    let kilobytes: u64 = report.exported_variables["PEAK"].parse().unwrap();
    assert!((1..64 << 10).contains(&kilobytes), "{kilobytes} KB");
}

#[tokio::test]
async fn a_build_can_neither_read_its_agent_nor_speak_for_it() {
    if !isolations().contains(&Isolation::Bubblewrap) {
        return;
    }
    let site = Site::new(Isolation::Bubblewrap);
    site.put("in/source.txt", b"x").await;
    let spec = r#"
version: 0.2
phases:
  build:
    commands:
      - test "$(tr '\0' ' ' < /proc/$PPID/cmdline | cut -d' ' -f2)" = agent
      - >
        for pid in 1 $PPID; do
        (echo '{"report":{}}' > /proc/$pid/fd/1) 2>/dev/null && echo BROKEN stdout of $pid;
        (cat < /proc/$pid/fd/0) 2>/dev/null && echo BROKEN stdin of $pid;
        (head -c 1 /proc/$pid/mem) 2>/dev/null && echo BROKEN memory of $pid;
        (cat /proc/$pid/environ) 2>/dev/null && echo BROKEN environment of $pid;
        done; true
"#;
    let mut order = order("b1", spec);
    order.outputs.clear();
    let report = site.run(order).await;
    let log = site.log("b1");
    assert_eq!(report.status, BuildStatus::Succeeded, "{log}");
    assert!(!log.lines().any(|line| line.starts_with("BROKEN")), "{log}");
}

#[tokio::test]
async fn a_failed_build_is_tried_again_when_its_buildspec_says_so() {
    let site = Site::new(Isolation::Process);
    site.put("in/source.txt", b"x").await;
    let spec =
        "{version: 0.2, phases: {build: {on-failure: RETRY-2, commands: ['echo tried; exit 1']}}}";
    let report = site.run(order("b1", spec)).await;
    assert_eq!(report.status, BuildStatus::Failed);
    let log = site.log("b1");
    assert_eq!(
        log.lines().filter(|line| *line == "tried").count(),
        3,
        "{log}"
    );
    assert!(log.contains("retry 2 of 2 begins"), "{log}");
}

#[tokio::test]
async fn a_project_finds_its_cache_again() {
    for isolation in isolations() {
        let site = Site::new(isolation);
        site.put("in/source.txt", b"x").await;
        let spec = "
version: 0.2
phases: {build: {commands: ['cat cache/kept || true', 'mkdir -p cache; echo from before > cache/kept']}}
cache: {paths: ['cache/**/*']}
";
        for id in ["b1", "b2"] {
            let mut order = order(id, spec);
            order.outputs.clear();
            project_of(&mut order).cache.kind = CacheType::Local;
            assert_eq!(site.run(order).await.status, BuildStatus::Succeeded);
        }
        assert!(!site.log("b1").contains("\nfrom before\n"));
        assert!(
            site.log("b2").contains("\nfrom before\n"),
            "{}",
            site.log("b2")
        );
    }
}

#[tokio::test]
async fn a_list_of_commands_runs_like_a_buildspec() {
    for isolation in isolations() {
        let site = Site::new(isolation);
        site.put("in/source.txt", b"x").await;
        let mut order = order("b1", "");
        order.what = BuildKind::Commands {
            commands: vec!["cp source.txt made".to_owned(), "export N=7".to_owned()],
            output_variables: vec!["N".to_owned(), "AWS_DEFAULT_REGION".to_owned()],
        };
        order.outputs[0].files = vec!["made".to_owned()];
        let report = site.run(order).await;
        assert_eq!(report.status, BuildStatus::Succeeded, "{}", site.log("b1"));
        assert_eq!(report.exported_variables["N"], "7");
        assert_eq!(report.exported_variables["AWS_DEFAULT_REGION"], "us-east-1");
        assert!(site.get("out/app").await.is_some());
    }
}

#[tokio::test]
async fn an_override_wins_over_the_projects_variable() {
    let site = Site::new(Isolation::Process);
    site.put("in/source.txt", b"x").await;
    let spec = "
version: 0.2
env: {variables: {A: spec, B: spec, C: spec}}
phases: {build: {commands: ['echo $A-$B-$C']}}
";
    let variable = |name: &str, value: &str| BuildVariable {
        name: name.to_owned(),
        value: value.to_owned(),
        kind: BuildVariableType::Plaintext,
    };
    let mut order = order("b1", spec);
    order.outputs.clear();
    project_of(&mut order).environment.environment_variables =
        vec![variable("B", "project"), variable("C", "project")];
    order.environment_variables = vec![variable("C", "action")];
    site.run(order).await;
    assert!(site.log("b1").contains("\nspec-project-action\n"));
}

#[tokio::test]
async fn a_source_that_is_a_clone_has_its_history() {
    let repository = tempfile::tempdir().unwrap();
    let git = |arguments: &[&str]| {
        let output = Command::new("git")
            .args(["-c", "user.name=x", "-c", "user.email=x@example.com"])
            .args(arguments)
            .current_dir(repository.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    git(&["init", "--quiet"]);
    for text in ["one", "two"] {
        fs::write(repository.path().join("file"), text).unwrap();
        git(&["add", "."]);
        git(&["commit", "--quiet", "-m", text]);
    }
    let (url, commit) = (repository.path().display(), git(&["rev-parse", "HEAD~1"]));
    let pointer =
        format!(r#"{{"repositoryUrl":"{url}","commitId":"{commit}","branchName":"main"}}"#);
    for isolation in isolations() {
        let url = url.to_string();
        let site = Site::with(isolation, |options| options.repositories = vec![url]);
        site.put("in/source.txt", pointer.as_bytes()).await;
        let spec = "{version: 0.2, phases: {build: {commands: ['git rev-parse HEAD; git status --short; cat file']}}}";
        let mut order = order("b1", spec);
        order.outputs.clear();
        assert_eq!(
            site.run(order).await.status,
            BuildStatus::Succeeded,
            "{}",
            site.log("b1")
        );
        let log = site.log("b1");
        assert!(log.contains(&format!("\n{commit}\none")), "{log}");
    }
}

#[test]
fn an_agent_refuses_an_envelope_that_it_does_not_understand() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("envelope.json");
    fs::write(&path, "{\"version\": 99}").unwrap();
    let output = agent(&path).stdin(Stdio::null()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("no envelope of a build"), "{said}");
    assert_eq!(said.lines().count(), 1);
}

#[tokio::test]
async fn an_agent_whose_runner_falls_silent_ends_its_build() {
    let site = Site::keeping(Isolation::Process);
    site.put("in/source.txt", b"x").await;
    let seconds = own_seconds(9);
    let spec = format!(
        "{{version: 0.2, phases: {{build: {{commands: ['trap \"\" TERM; setsid sleep {seconds} & sleep {seconds}']}}}}}}"
    );
    // A first build that is over at once leaves an envelope to be used again.
    let mut order = order(
        "b1",
        "{version: 0.2, phases: {build: {commands: ['true']}}}",
    );
    order.outputs.clear();
    site.run(order).await;
    let path = site.data().join("builds/b1/envelope.json");
    let mut envelope: Envelope = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    envelope.work = model::build::EnvelopeWork::Buildspec(Some(spec));
    fs::remove_dir_all(&envelope.directory).unwrap();
    fs::create_dir(&envelope.directory).unwrap();
    fs::write(&path, serde_json::to_vec(&envelope).unwrap()).unwrap();

    let mut agent = agent(&path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    assert!(become_so(|| sleepers(seconds) == 2));
    drop(agent.stdin.take());
    assert!(
        become_so(|| sleepers(seconds) == 0),
        "they ignore the polite request"
    );
    agent.wait().unwrap();
}

fn agent(envelope: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pipewright"));
    command.arg("agent").arg(envelope);
    command
}
