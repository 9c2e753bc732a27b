//! What is refused before anything runs, and with which code.

use std::{fs, os::unix::fs::PermissionsExt as _};

use crate::bench::{Bench, SHIP, WORK};

/// Calls `run` with more arguments and expects that it is refused without a trace.
fn refuse(bench: &Bench, more: &[&str], code: i32, said: &[&str]) {
    let arguments = [&["run", "p.yml"], more].concat();
    bench.call(&arguments).expect(code).says(said);
    assert!(!bench.path(".pipewright").exists(), "{more:?}");
}

#[test]
fn a_file_that_is_not_there_is_not_found() {
    let bench = Bench::new();
    refuse(
        &bench,
        &[],
        4,
        &["failed to read p.yml", "help: check the path"],
    );
}

#[test]
fn a_repository_an_object_and_a_project_that_are_not_there_are_not_found_all_at_once() {
    let text = format!(
        "{}resources:\n  repositories: {{here: ../nowhere}}\n  buckets: {{b: {{k: no-file}}}}\n  \
         secrets: no-secrets.yml\n",
        WORK.replace(
            "category: Compute, owner: AWS, provider: Commands",
            "category: Build, owner: AWS, provider: CodeBuild",
        )
        .replace(
            "commands: ['COMMAND']",
            "configuration: {ProjectName: absent}"
        )
    );
    let bench = Bench::with(&text);
    refuse(
        &bench,
        &[],
        4,
        &[
            "the directory of repository `here`",
            "the file of object `k` in bucket `b`",
            "the file of secrets",
            "builds with project `absent`, which the file does not declare",
            "--> p.yml:",
            "add `- name: absent` under `resources.projects`",
        ],
    );
    // The declaration itself is valid, as the API would say too.
    bench
        .call(&["validate", "p.yml"])
        .expect(0)
        .says(&["warning: "]);
}

#[test]
fn a_source_object_that_nobody_put_there_is_not_found() {
    let bench = Bench::with(SHIP.split("resources:").next().expect("the pipeline"));
    refuse(
        &bench,
        &[],
        4,
        &[
            "takes object `site.zip` from bucket `incoming`",
            "--> p.yml:11:60",
            "--source get=FILE",
        ],
    );
    // In a kept state an earlier run may have put it there; then the action finds out.
    let ended = bench.call(&["run", "p.yml", "--data", "state"]).expect(1);
    ended.says(&["Source/get failed"]);
}

#[test]
fn stages_actions_sources_and_revisions_that_are_not_there_are_not_found() {
    let bench = Bench::with(SHIP);
    refuse(
        &bench,
        &["--only", "Deplo"],
        4,
        &["no stage `Deplo`", "did you mean `Deploy`?"],
    );
    refuse(
        &bench,
        &["--only", "Deploy/x"],
        4,
        &["has no action `x`", "there are: upload"],
    );
    refuse(
        &bench,
        &["--from", "x"],
        4,
        &["there are: Source, Approve, Deploy"],
    );
    refuse(&bench, &["--source", "x=."], 4, &["no source action `x`"]);
    refuse(
        &bench,
        &["--source", "get=no-file"],
        4,
        &["no file or directory no-file"],
    );
    let bench = Bench::with(&WORK.replace("COMMAND", "true"));
    let given = ["run", "p.yml", "--source", "get=no-such-revision"];
    bench
        .call(&given)
        .expect(4)
        .says(&["no branch, tag or commit `no-such-revision`"]);
}

#[test]
fn what_cannot_be_asked_for_is_wrong_usage() {
    let bench = Bench::with(SHIP);
    refuse(
        &bench,
        &["-V", "Fodler=x"],
        2,
        &["no variable `Fodler`", "[ValidationException]"],
    );
    refuse(&bench, &["-V", "Folder"], 2, &["expected a name"]);
    refuse(
        &bench,
        &["--only", "Source"],
        2,
        &["only the sources would be left"],
    );
    refuse(
        &bench,
        &["--from", "Deploy", "--until", "Approve"],
        2,
        &["comes after"],
    );
    refuse(&bench, &["--timeout", "1d"], 2, &["there are s, m and h"]);
    refuse(
        &bench,
        &["--approve", "maybe"],
        2,
        &["[possible values: auto, prompt, fail]"],
    );
}

#[test]
fn an_isolation_that_is_not_to_be_had_is_refused() {
    let bench = Bench::with(&WORK.replace("COMMAND", "true"));
    refuse(
        &bench,
        &["--runner", "podman"],
        2,
        &["names no image", "pipewright doctor"],
    );
    refuse(&bench, &["--runner", "jail"], 2, &["possible values: auto"]);
}

#[test]
fn an_execution_that_is_not_there_cannot_be_resumed() {
    let bench = Bench::with(SHIP);
    let resume = |id| ["run", "p.yml", "--data", "state", "--resume", id];
    bench
        .call(&resume("12345678"))
        .expect(4)
        .says(&["has no execution 12345678 of `ship`"]);
    bench.call(&resume("123")).expect(2).says(&["too short"]);
}

#[test]
fn secrets_that_others_can_read_are_refused() {
    let bench = Bench::with(&format!("{SHIP}  secrets: secrets.yml\n"));
    bench.write("secrets.yml", "secrets: {token: abc}\n");
    let set = |mode| {
        let mode = fs::Permissions::from_mode(mode);
        fs::set_permissions(bench.path("secrets.yml"), mode).expect("chmod");
    };
    set(0o644);
    bench
        .call(&["run", "p.yml", "--approve", "auto"])
        .expect(3)
        .says(&["chmod 600"]);
    set(0o600);
    bench.call(&["run", "p.yml", "--approve", "auto"]).expect(0);
}

#[test]
fn a_damaged_state_is_an_internal_error_and_stays_as_it_is() {
    let bench = Bench::with(SHIP);
    bench
        .call(&["run", "p.yml", "--data", "state", "--approve", "auto"])
        .expect(0);
    let database = fs::read_dir(bench.path("state"))
        .expect("list")
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|extension| extension == "db"))
        .expect("a database");
    let damaged = "not a database at all ".repeat(1000);
    fs::write(&database, &damaged).expect("write");
    let ended = bench
        .call(&["run", "p.yml", "--data", "state", "--approve", "auto"])
        .expect(70);
    ended.says(&["is damaged", "help: nothing in state was changed"]);
    assert_eq!(fs::read_to_string(&database).expect("read"), damaged);
}

#[test]
fn a_failure_is_data_too_for_those_who_asked_for_data() {
    let bench = Bench::with(SHIP);
    let ended = bench
        .call(&["run", "p.yml", "--only", "Deplo", "-o", "json"])
        .expect(4);
    let document = ended.json();
    assert_eq!(document["type"], "error");
    assert_eq!(document["exitCode"], 4);
    assert_eq!(document["problems"][0]["help"], "did you mean `Deploy`?");
}

/// What is true of a data directory that cannot be one is said of it, and that no bug.
#[test]
fn a_data_directory_that_cannot_be_made_is_named() {
    let bench = Bench::with(SHIP);
    bench.write("file", "x");
    let run = ["run", "p.yml", "--approve", "auto", "--data", "file/below"];
    let ended = bench.call(&run).expect(2);
    ended.says(&["failed to make the data directory file/below", "--data DIR"]);
}

/// Two names for what would be one folder: nobody meant that.
#[test]
fn two_repositories_that_nobody_listed_are_refused() {
    let action = |name: &str| {
        format!(
            "        - name: {name}\n          \
             actionTypeId: {{category: Source, owner: AWS, provider: CodeCommit, version: '1'}}\n          \
             configuration: {{RepositoryName: {name}, BranchName: main}}\n          \
             outputArtifacts: [{{name: {name}}}]\n"
        )
    };
    let pipeline = format!(
        "name: two\npipelineType: V2\nstages:\n    - name: Source\n      actions:\n{}{}    \
         - name: Approve\n      actions:\n        - name: ask\n          \
         actionTypeId: {{category: Approval, owner: AWS, provider: Manual, version: '1'}}\n",
        action("front"),
        action("back"),
    );
    let bench = Bench::with(&pipeline);
    let ended = bench.call(&["run", "p.yml", "--approve", "auto"]).expect(4);
    ended.says(&[
        "repository `front`, which is not listed",
        "--source back=DIR",
    ]);
}
