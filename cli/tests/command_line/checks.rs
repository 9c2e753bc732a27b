//! The commands that look and do nothing: validate, plan, doctor, completions, help.

use expect_test::expect;

use crate::bench::{Bench, SHIP, WORK};

#[test]
fn a_valid_file_is_said_to_be_valid() {
    let bench = Bench::with(SHIP);
    let ended = bench.call(&["validate", "p.yml"]).expect(0);
    assert_eq!(ended.stdout, "p.yml: valid (ship, 3 stages, 3 actions)\n");
    assert_eq!(ended.stderr, "");
}

#[test]
fn every_problem_of_every_file_is_reported_and_the_worst_one_is_the_code() {
    let bench = Bench::with(SHIP);
    bench.write("broken.yml", "name: [p\nstages: }");
    bench.write(
        "slips.yml",
        SHIP.replace("owner: AWS", "owner: AWs")
            .replace("stages:", "stagez:"),
    );
    let ended = bench.call(&[
        "validate",
        "p.yml",
        "broken.yml",
        "slips.yml",
        "not-there.yml",
    ]);
    let ended = ended.expect(4).says(&[
        "--> broken.yml:2:7",
        "broken.yml: 1 problem\n",
        "unknown field `stagez`",
        "did you mean `stages`?",
        "failed to read not-there.yml",
    ]);
    assert_eq!(ended.stdout, "p.yml: valid (ship, 3 stages, 3 actions)\n");
    bench.call(&["validate", "p.yml", "broken.yml"]).expect(3);
}

/// An action of a provider that is not there, and a value that YAML cuts off.
const TRAPS: &str = "\
pipeline:
  name: traps
  pipelineType: V2
  stages:
    - name: Source
      actions:
        - name: get
          namespace: source
          actionTypeId: {category: Source, owner: AWS, provider: CodeCommit, version: '1'}
          configuration: {RepositoryName: here, BranchName: main}
          outputArtifacts: [{name: Code}]
    - name: Work
      actions:
        - name: do
          actionTypeId: {category: Compute, owner: AWS, provider: Commands, version: '1'}
          commands:
            - echo deploy #{source.CommitId}
            # echo #{source.BranchName} is a comment on purpose
            - 'echo #{source.BranchName}'
          inputArtifacts: [{name: Code}]
        - name: call
          actionTypeId: {category: Invoke, owner: AWS, provider: Lambda, version: '1'}
          configuration: {FunctionName: f}
resources: {repositories: {here: site}}
";

#[test]
fn what_will_not_do_what_its_author_meant_is_a_warning() {
    let bench = Bench::with(TRAPS);
    let ended = bench.call(&["validate", "p.yml"]).expect(0).says(&[
        "warning: YAML takes `#{source.CommitId}` for a comment, so no value has it",
        "--> p.yml:17:27",
        "put the whole value in quotes",
        "warning: stage `Work`, action `call` would fail",
    ]);
    assert!(
        !ended.stderr.contains("BranchName` for a comment"),
        "{}",
        ended.stderr
    );
    let dry = bench.call(&["run", "p.yml", "--dry-run"]).expect(1);
    let dry = dry.says(&["error: stage `Work`, action `call` would fail"]);
    assert!(
        !dry.stderr.contains("everything needed is there"),
        "{}",
        dry.stderr
    );
    let only = ["run", "p.yml", "--dry-run", "--only", "Work/do"];
    bench
        .call(&only)
        .expect(0)
        .says(&["everything needed is there"]);
}

#[test]
fn what_a_run_would_refuse_is_a_warning_of_validate() {
    let bench = Bench::with(
        &SHIP
            .replace("S3ObjectKey: site.zip", "S3ObjectKey: other.zip")
            .replace("BucketName: the-site", "BucketName: The_Site"),
    );
    bench.call(&["validate", "p.yml"]).expect(0).says(&[
        "warning: stage `Source`, action `get` takes object `other.zip`",
        "warning: stage `Deploy`, action `upload`: `The_Site` cannot be the name of a bucket",
        "help: give the bucket another name",
    ]);
    let run = bench.call(&["run", "p.yml", "--approve", "auto"]).expect(4);
    run.says(&[
        "error: stage `Deploy`, action `upload`: `The_Site`",
        "--> p.yml:",
    ]);
    let listed = "resources: {repositories: {elsewhere: site}}\n";
    let bench = Bench::with(&format!("{WORK}{listed}"));
    let ended = bench.call(&["validate", "p.yml"]).expect(0);
    ended.says(&["warning: stage `Source`, action `get` takes repository `here`"]);
}

#[test]
fn a_file_may_come_in_by_standard_input() {
    let bench = Bench::new();
    let ended = bench.call_with(SHIP, &["validate", "-"]).expect(0);
    assert_eq!(ended.stdout, "-: valid (ship, 3 stages, 3 actions)\n");
    bench.call_with("", &["validate", "-"]).expect(3);
}

#[test]
fn a_configuration_that_cannot_work_is_a_warning() {
    let bench = Bench::with(&SHIP.replace(
        "Extract: 'true', ObjectKey: '#{variables.Folder}'",
        "Extract: 'true', CannedACL: pubic-read",
    ));
    let ended = bench.call(&["validate", "p.yml"]).expect(0);
    ended.says(&[
        "warning: stage `Deploy`, action `upload` would fail: `CannedACL` must be one of private,",
        "help: mend its configuration",
    ]);
    bench.call(&["run", "p.yml", "--dry-run"]).expect(1);
}

#[test]
fn a_document_that_is_something_else_is_told_so_once() {
    let bench = Bench::new();
    bench.write(
        "buildspec.yml",
        "version: 0.2\nphases: {build: {commands: [make]}}\n",
    );
    bench.write("appspec.yml", "version: 0.0\nos: linux\nfiles: []\n");
    bench.write("event.json", r#"{"CodePipeline.job": {"id": "x"}}"#);
    let slip = SHIP.replace("pipeline:", "pipelin:");
    bench.write("slip.yml", slip);
    bench
        .call(&["validate", "slip.yml"])
        .expect(3)
        .says(&["did you mean `pipeline`?"]);
    for (file, what) in [
        ("buildspec.yml", "this is a buildspec, not a pipeline"),
        ("appspec.yml", "this is an AppSpec, not a pipeline"),
        (
            "event.json",
            "this is no pipeline: it has neither `pipeline` nor `stages`",
        ),
    ] {
        let problem = format!("{file}: 1 problem\n");
        bench
            .call(&["validate", file])
            .expect(3)
            .says(&[what, &problem]);
    }
}

#[test]
fn a_program_gets_the_problems_as_one_document() {
    let bench = Bench::new();
    bench.write("p.yml", SHIP.replace("Extract: 'true', ", ""));
    let ended = bench.call(&["validate", "-o", "json", "p.yml"]).expect(3);
    let document = ended.json();
    assert_eq!(document["v"], 1);
    let file = &document["files"][0];
    assert_eq!(
        (&file["file"], &file["valid"]),
        (&"p.yml".into(), &false.into())
    );
    let problem = &file["problems"][0];
    assert_eq!(problem["severity"], "error");
    assert_eq!(problem["exception"], "InvalidActionDeclarationException");
    assert!(
        problem["line"].is_u64() && problem["column"].is_u64(),
        "{problem}"
    );
}

#[test]
fn broken_wrong_and_circular_declarations_are_shown_where_they_are_wrong() {
    let cases: [(&str, String, &[&str]); 6] = [
        (
            "a wrong type",
            SHIP.replace("name: ship", "name: 7"),
            &[
                "SerializationException",
                "--> p.yml:3:9",
                "put the value in quotes: \"7\"",
            ],
        ),
        (
            "an unknown field",
            SHIP.replace("name: upload", "name: upload\n          nmae: x"),
            &["unknown field `nmae`"],
        ),
        (
            "an artifact that is taken before it is made",
            circle(),
            &["InvalidActionDeclarationException", "p.yml:"],
        ),
        (
            "text that is no declaration",
            "just words".into(),
            &["where a map is expected"],
        ),
        ("an empty file", String::new(), &["error: "]),
        (
            "an unsupported feature",
            SHIP.replace(
                "    - name: Deploy",
                "    - name: Deploy\n      onFailure: {result: ROLLBACK}",
            ),
            &["not supported yet", "ROLLBACK"],
        ),
    ];
    for (what, text, said) in cases {
        let bench = Bench::with(&text);
        for command in ["validate", "plan", "run"] {
            let ended = bench.call(&[command, "p.yml"]);
            assert_eq!(ended.code, 3, "{what}, {command}:\n{}", ended.stderr);
            ended.says(said);
        }
        assert!(!bench.path(".pipewright").exists(), "{what}");
    }
}

/// Two actions of which each takes what the other one makes.
fn circle() -> String {
    let action = |name: &str, takes: &str, makes: &str| {
        format!(
            "        - name: {name}\n          \
             actionTypeId: {{category: Build, owner: AWS, provider: CodeBuild, version: '1'}}\n          \
             configuration: {{ProjectName: p}}\n          \
             inputArtifacts: [{{name: {takes}}}]\n          \
             outputArtifacts: [{{name: {makes}}}]\n"
        )
    };
    let stage = format!(
        "    - name: Circle\n      actions:\n{}{}    - name: Deploy",
        action("one", "Two", "One"),
        action("two", "One", "Two")
    );
    SHIP.replace("    - name: Deploy", &stage)
}

#[test]
fn a_file_that_is_no_text_or_far_too_long_is_refused() {
    let bench = Bench::new();
    bench.write("binary.yml", b"name: \xff\xfe");
    bench
        .call(&["validate", "binary.yml"])
        .expect(3)
        .says(&["not UTF-8", "byte 6"]);
    bench.write("long.yml", vec![b'#'; 2 << 20]);
    bench
        .call(&["validate", "long.yml"])
        .expect(3)
        .says(&["longer than"]);
    bench
        .call(&["validate", "site"])
        .expect(4)
        .says(&["failed to read site"]);
}

#[test]
fn a_plan_has_four_forms() {
    let bench = Bench::with(SHIP);
    let text = bench.call(&["plan", "p.yml"]).expect(0).stdout;
    expect![[r"
        Pipeline  ship (V2, SUPERSEDED) · 3 stages · 3 actions
        Variable  Folder = v1

        1. Source
            1 ─ get     Source S3        s3://incoming/site.zip  ·  → Site

        2. Approve
            1 ─ ok      Approval Manual  Ship it?

        3. Deploy
            1 ─ upload  Deploy S3        s3://the-site/#{variables.Folder}  ·  Site →
    "]]
    .assert_eq(&text);
    let json = bench
        .call(&["plan", "p.yml", "--format", "json"])
        .expect(0)
        .json();
    assert_eq!(json["stages"][2]["groups"][0][0]["supported"], true);
    let same = bench
        .call(&["plan", "p.yml", "-o", "json"])
        .expect(0)
        .json();
    assert_eq!(json, same);
    let dot = bench
        .call(&["plan", "p.yml", "--format", "dot"])
        .expect(0)
        .stdout;
    assert!(dot.starts_with("digraph \"ship\" {") && dot.ends_with("}\n"));
    let svg = bench
        .call(&["plan", "p.yml", "--format", "svg"])
        .expect(0)
        .stdout;
    assert!(svg.starts_with("<svg xmlns=") && svg.ends_with("</svg>\n"));
}

#[test]
fn a_doctor_says_what_is_there_and_fails_when_nothing_can_run() {
    let bench = Bench::with(WORK);
    let found = bench.call(&["doctor", "-o", "json"]).expect(0).json();
    assert_eq!((&found["v"], &found["ok"]), (&1.into(), &true.into()));
    let names: Vec<_> = found["checks"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|check| check["name"].as_str().expect("a name").to_owned())
        .collect();
    for name in [
        "git",
        "bubblewrap",
        "docker",
        "data directory",
        "disk space",
        "clock",
    ] {
        assert!(names.iter().any(|found| found == name), "{name}");
    }
    let ended = bench.call(&["doctor", "--data", "p.yml"]).expect(1);
    assert!(
        ended.stdout.contains("p.yml is not a directory"),
        "{}",
        ended.stdout
    );
    assert!(ended.stdout.contains("help: "), "{}", ended.stdout);
}

#[test]
fn every_shell_gets_its_script() {
    let bench = Bench::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = bench.call(&["completions", shell]).expect(0).stdout;
        assert!(script.contains("validate"), "{shell}");
    }
    bench.call(&["completions", "tcsh"]).expect(2);
}

#[test]
fn help_is_data_and_a_wrong_command_line_is_not() {
    let bench = Bench::new();
    let help = bench.call(&["--help"]).expect(0);
    assert!(help.stdout.contains("130  interrupted") && help.stderr.is_empty());
    assert!(!help.stdout.contains("agent"));
    let wrong = bench.call(&["rum", "p.yml"]).expect(2).says(&["run"]);
    assert!(wrong.stdout.is_empty());
    bench.call(&["run"]).expect(2);
    assert!(
        bench
            .call(&["--version"])
            .expect(0)
            .stdout
            .starts_with("pipewright ")
    );
}
