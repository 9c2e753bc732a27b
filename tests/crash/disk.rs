//! The disk is full, or what is on it is not ours.

use std::{env, fs, io::Write as _, process::Command};

use serde_json::json;

use crate::{
    crash::workshop::{Workshop, stage},
    program::run,
};

/// What the tests need of the machine: a file system of a few MB that nobody else sees.
pub(crate) const MOUNT: &str = "mount -t tmpfs -o size=6m,mode=700 tmpfs \"$1\"";

/// Whether this machine lets a test mount a small file system of its own.
///
/// Where it must (`PIPEWRIGHT_REQUIRE_SANDBOX`), a machine that does not fails the test.
pub(crate) fn can_mount() -> bool {
    let folder = tempfile::tempdir().expect("a folder");
    let can = within(&["sh", "-c", MOUNT, "sh", &folder.path().to_string_lossy()])
        .status()
        .is_ok_and(|status| status.success());
    let must = env::var_os("PIPEWRIGHT_REQUIRE_SANDBOX").is_some();
    assert!(can || !must, "this machine has no mount namespaces");
    if !can {
        // Loud, also when the output of passing tests is captured.
        let _ = writeln!(
            std::io::stderr(),
            "SKIPPED: this machine has no mount namespaces"
        );
    }
    can
}

/// A command in a mount namespace of its own.
pub(crate) fn within(words: &[&str]) -> Command {
    let mut command = Command::new("unshare");
    command
        .args(["--user", "--map-root-user", "--mount", "--"])
        .args(words);
    command
}

#[test]
fn a_full_disk_fails_the_action_and_harms_nothing_else() {
    if !can_mount() {
        return;
    }
    let workshop = Workshop::new(&[stage("Build", &[("build", &["cat file.txt"])])]);
    let (data, file) = (workshop.path("data"), workshop.path("source/big"));
    fs::create_dir(&data).expect("a folder");
    // Three runs over one small disk: one that fits, one whose source does not, one that fits.
    let script = format!(
        "{MOUNT}; shift; \"$@\"; echo \"exit $?\"; \
         head -c 20000000 /dev/urandom > '{file}'; \"$@\"; echo \"exit $?\"; \
         rm '{file}'; \"$@\"; echo \"exit $?\"",
        file = file.display()
    );
    let mut words = vec!["sh".to_owned(), "-c".to_owned(), script, "sh".to_owned()];
    words.push(data.to_string_lossy().into_owned());
    words.push(env!("CARGO_BIN_EXE_pipewright").to_owned());
    words.extend(workshop.arguments(&["-o", "jsonl"]));
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let output = within(&words)
        .env("NO_COLOR", "1")
        .output()
        .expect("unshare is there");
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    let exits: Vec<&str> = stdout
        .lines()
        .filter(|line| line.starts_with("exit "))
        .collect();
    assert_eq!(
        exits,
        ["exit 0", "exit 1", "exit 0"],
        "\n{stdout}\n{stderr}"
    );
    assert!(stderr.contains("No space left on device"), "{stderr}");
}

#[test]
fn a_database_that_is_not_ours_is_named_and_left_alone() {
    let workshop = Workshop::new(&[stage("Build", &[("build", &["true"])])]);
    run(workshop.arguments(&[])).expect(0);
    let database = workshop.path("data/pipewright.db");
    let garbage = b"this was a database once ".repeat(1_000);
    fs::write(&database, &garbage).expect("a file");
    let ended = run(workshop.arguments(&[])).expect(70);
    let expected = "is not a Pipewright database or is damaged";
    assert!(ended.stderr.contains(expected), "{}", ended.stderr);
    assert!(ended.stderr.contains("pipewright.db"), "{}", ended.stderr);
    assert_eq!(
        fs::read(&database).expect("a file"),
        garbage,
        "it was changed"
    );
}

#[test]
fn a_database_that_is_damaged_inside_is_refused_and_not_believed() {
    let workshop = Workshop::new(&[stage("Build", &[("build", &["true"])])]);
    run(workshop.arguments(&[])).expect(0);
    let database = workshop.path("data/pipewright.db");
    let mut bytes = fs::read(&database).expect("a file");
    // The header stays, so that only a look at the pages can tell.
    bytes[1_000..].fill(0xa5);
    fs::write(&database, &bytes).expect("a file");
    let ended = run(workshop.arguments(&[])).expect(70);
    assert!(ended.stderr.contains("pipewright.db"), "{}", ended.stderr);
}

/// A run without `--keep` has its deployments in the folder of the results and nowhere else.
#[test]
fn a_deployment_that_does_not_fit_beside_the_file_is_no_success() {
    if !can_mount() {
        return;
    }
    let deploy = json!({"name": "Deploy", "actions": [{
        "name": "upload",
        "actionTypeId": {"category": "Deploy", "owner": "AWS", "provider": "S3", "version": "1"},
        "configuration": {"BucketName": "site", "Extract": "true"},
        "inputArtifacts": [{"name": "Source"}],
    }]});
    let workshop = Workshop::new(&[deploy]);
    let noise: Vec<u8> = (0..8_000_000_u32)
        .flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes())
        .collect();
    fs::write(workshop.path("source/big"), noise).expect("a file");
    let results = workshop.path(".pipewright");
    fs::create_dir(&results).expect("a folder");
    let script = format!("{MOUNT}; shift; cd \"$1\"; shift; exec \"$@\"");
    let output = within(&["sh", "-c", &script, "sh"])
        .arg(&results)
        .arg(workshop.path(""))
        .args([env!("CARGO_BIN_EXE_pipewright"), "run", "pipeline.json"])
        .args(["--runner", "process"])
        .output()
        .expect("unshare is there");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(70), "{stderr}");
    assert!(stderr.contains("No space left on device"), "{stderr}");
}
