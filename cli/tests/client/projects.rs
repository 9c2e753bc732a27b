//! Projects, and builds that no pipeline asked for.

use crate::bench::{Bench, WORK};

/// A project as `aws codebuild create-project --cli-input-json` takes it.
const SOLO: &str = r#"{
  "name": "solo",
  "source": {"type": "NO_SOURCE",
             "buildspec": "version: 0.2\nphases: {build: {commands: [echo hello $NAME, COMMAND]}}\n"},
  "artifacts": {"type": "NO_ARTIFACTS"},
  "environment": {"type": "LINUX_CONTAINER", "computeType": "BUILD_GENERAL1_SMALL", "image": "any",
                  "environmentVariables": [{"name": "NAME", "value": "world"}]},
  "serviceRole": "arn:aws:iam::000000000000:role/pipewright"
}"#;

#[test]
fn a_project_is_created_changed_built_and_deleted() {
    let bench = Bench::start();
    bench
        .call(&["project", "list"])
        .expect(0)
        .says(&["There are no projects yet"]);
    bench.write("solo.json", &SOLO.replace("COMMAND", "'true'"));
    bench
        .call(&["project", "create", "solo.json"])
        .expect(0)
        .says(&["Created project solo"]);
    bench
        .call(&["project", "create", "solo.json"])
        .expect(2)
        .says(&["pipewright project update solo.json solo"]);
    bench
        .call(&["project", "show", "solo"])
        .expect(0)
        .says(&["source       NO_SOURCE", "variable     NAME=world"]);
    bench
        .call(&[
            "project",
            "build",
            "solo",
            "--logs",
            "-V",
            "NAME=you",
            "--timeout",
            "60s",
        ])
        .expect(0)
        .says(&["hello you\n", "SUCCEEDED  in "]);
    bench.write("solo.json", &SOLO.replace("COMMAND", "exit 3"));
    bench
        .call(&["project", "update", "solo.json"])
        .expect(0)
        .says(&["Updated project solo"]);
    bench
        .call(&["project", "build", "solo", "--wait", "--timeout", "60s"])
        .expect(1)
        .says(&["FAILED  in ", "BUILD: COMMAND_EXECUTION_ERROR"]);
    let builds = bench
        .call(&["project", "builds", "solo", "-o", "json"])
        .expect(0)
        .json();
    assert_eq!(builds["builds"][0]["buildStatus"], "FAILED");
    assert_eq!(builds["builds"][1]["buildStatus"], "SUCCEEDED");
    bench
        .call(&["project", "delete", "solo", "--yes"])
        .expect(0);
    bench
        .call(&["project", "build", "solo"])
        .expect(4)
        .says(&["pipewright project list"]);
}

#[test]
fn the_projects_of_a_pipeline_file_are_there_for_its_actions() {
    let bench = Bench::start();
    let build = "{category: Build, owner: AWS, provider: CodeBuild, version: '1'}";
    let pipeline = WORK
        .replace(
            "{category: Compute, owner: AWS, provider: Commands, version: '1'}",
            build,
        )
        .replace(
            "commands: ['COMMAND']",
            "configuration: {ProjectName: compile}",
        );
    let buildspec = "{phases: {build: {commands: [echo built here]}}, version: 0.2}";
    let resources = format!(
        "resources:\n  projects:\n    - name: compile\n      source: {{buildspec: '{buildspec}'}}\n"
    );
    bench.write("work.yml", &format!("{pipeline}{resources}"));
    bench
        .call(&["pipeline", "create", "work.yml"])
        .expect(4)
        .says(&[
            "pipewright project create work.yml compile",
            "--with-projects",
        ]);
    bench.call(&["pipeline", "show", "work"]).expect(4);
    bench
        .call(&["pipeline", "apply", "work.yml", "--with-projects"])
        .expect(0)
        .says(&["Created project compile\n", "Created work v1"]);
    // It is there now, and left as it is.
    let again = bench
        .call(&["pipeline", "update", "work.yml", "--with-projects"])
        .expect(0);
    assert!(!again.stderr.contains("project"), "{}", again.stderr);
    bench.call(&["start", "work"]).expect(0);
    bench.call(&["wait", "work", "--timeout", "60s"]).expect(0);
    bench
        .call(&["logs", "work"])
        .expect(0)
        .says(&["Work/do | built here\n"]);
}

#[test]
fn a_long_log_of_a_build_is_shown_to_its_end() {
    // More than is read in one go.
    const LINES: usize = 120_000;
    let bench = Bench::start();
    let command = format!("seq 1 {LINES}");
    bench.write("solo.json", &SOLO.replace("COMMAND", &command));
    bench.call(&["project", "create", "solo.json"]).expect(0);
    let ended = bench
        .call(&["project", "build", "solo", "--logs", "--timeout", "60s"])
        .expect(0);
    let is_line = |line: &&str| line.parse::<usize>().is_ok();
    assert_eq!(ended.stderr.lines().filter(is_line).count(), LINES);
}
