//! Variables, secrets, exports (spec 70 §4).

use pipewright_buildspec::build::{Input, Status, Variable, VariableType, Webhook};

use crate::support::Bench;

fn variable(name: &str, value: &str, kind: VariableType) -> Variable {
    Variable {
        name: name.to_owned(),
        value: value.to_owned(),
        kind,
    }
}

#[test]
fn the_order_wins_over_the_buildspec_and_values_are_literal() {
    let mut bench = Bench::new(
        "version: 0.2\nenv: {variables: {A: spec, B: $HOME, N: 1.10}}\nphases: {build: {commands: ['echo \"$A $B $N\"']}}\n",
    );
    bench.order.environment_variables = vec![
        variable("A", "first", VariableType::Plaintext),
        variable("A", "order", VariableType::Plaintext),
        variable("CODEBUILD_BUILD_ID", "mine", VariableType::Plaintext),
    ];
    let built = bench.build();
    assert_eq!(built.printed(), ["order $HOME 1.10"]);
    assert!(
        built
            .said()
            .iter()
            .any(|line| line.contains("\"CODEBUILD_BUILD_ID\" is ignored"))
    );
}

#[test]
fn what_the_image_sets_is_there_and_everything_else_wins_over_it() {
    let mut bench = Bench::new(
        "version: 0.2\nenv: {variables: {B: spec}}\nphases: {build: {commands: ['echo \"$A $B $LANG $HOME\"']}}\n",
    );
    for name in ["A", "B", "LANG", "HOME", "PATH"] {
        let image = &mut bench.order.image_environment;
        image.insert(name.to_owned(), "image".to_owned());
    }
    let built = bench.build();
    let printed = built.printed();
    assert!(printed[0].starts_with("image spec image /"), "{printed:?}");
    assert!(printed[0].ends_with("/home"), "{printed:?}");
}

#[test]
fn the_service_sets_its_variables_and_nothing_of_the_agent_leaks() {
    let mut bench = Bench::new("version: 0.2\nphases: {build: {commands: [env]}}\n");
    bench.order.build_arn = Some("arn:build".to_owned());
    bench.order.build_number = Some(7);
    bench.order.build_image = Some("image".to_owned());
    bench.order.build_url = Some("url".to_owned());
    bench.order.public_build_url = Some("public".to_owned());
    bench.order.project_arn = Some("arn:project".to_owned());
    bench.order.initiator = Some("codepipeline/demo".to_owned());
    bench.order.kms_key_id = Some("key".to_owned());
    bench.order.start_time_ms = Some(1_700_000_000_000);
    bench.order.webhook = Some(Webhook {
        trigger: Some("pr/1".to_owned()),
        ..Webhook::default()
    });
    bench.order.inputs[0].source_version = Some("arn:aws:s3:::b/k".to_owned());
    bench.order.inputs[0].resolved_source_version = Some("abc".to_owned());
    let second = Input {
        name: "My-Lib".to_owned(),
        location: bench.path("source"),
        ..Input::default()
    };
    bench.order.inputs.push(second);
    let built = bench.build();
    let work = bench.order.work.display().to_string();
    let mut lines: Vec<String> = built
        .printed()
        .into_iter()
        .map(|line| line.replace(&work, "WORK"))
        .filter(|line| !line.starts_with("PATH=") && !line.starts_with("RUSTUP_HOME="))
        .collect();
    lines.sort();
    expect_test::expect![[r"
        AWS_DEFAULT_REGION=us-east-1
        AWS_REGION=us-east-1
        CODEBUILD_BUILD_ARN=arn:build
        CODEBUILD_BUILD_ID=demo:6f0f8a3e
        CODEBUILD_BUILD_IMAGE=image
        CODEBUILD_BUILD_NUMBER=7
        CODEBUILD_BUILD_SUCCEEDING=1
        CODEBUILD_BUILD_URL=url
        CODEBUILD_CI=true
        CODEBUILD_INITIATOR=codepipeline/demo
        CODEBUILD_KMS_KEY_ID=key
        CODEBUILD_LOG_PATH=6f0f8a3e
        CODEBUILD_PROJECT_ARN=arn:project
        CODEBUILD_PUBLIC_BUILD_URL=public
        CODEBUILD_RESOLVED_SOURCE_VERSION=abc
        CODEBUILD_SOURCE_REPO_URL=
        CODEBUILD_SOURCE_REPO_URL_My_Lib=
        CODEBUILD_SOURCE_VERSION=arn:aws:s3:::b/k
        CODEBUILD_SRC_DIR=WORK/src
        CODEBUILD_SRC_DIR_My_Lib=WORK/inputs/My-Lib
        CODEBUILD_START_TIME=1700000000000
        CODEBUILD_WEBHOOK_TRIGGER=pr/1
        HOME=WORK/home
        LANG=C
        PWD=WORK/src"]]
    .assert_eq(&lines.join("\n"));
}

#[test]
fn secrets_come_from_the_caller_and_are_hidden_in_the_log() {
    let mut bench = Bench::new(
        "version: 0.2\nenv:\n  parameter-store: {P: /demo/p}\n  secrets-manager: {S: 'db:password'}\nphases:\n  build: {commands: ['echo $P $S $T', 'printf %s \"$P\" | cut -c1-4', 'printf hunt; sleep 0; echo er2', 'echo \"$P\" >&2; exit 1 # hunter2']}\n",
    );
    bench
        .known
        .0
        .insert("/demo/p".to_owned(), "hunter2".to_owned());
    bench.known.0.insert(
        "db".to_owned(),
        r#"{"password":"correct horse"}"#.to_owned(),
    );
    bench
        .known
        .0
        .insert("whole".to_owned(), "line one\nline two".to_owned());
    bench.order.environment_variables = vec![variable("T", "whole", VariableType::SecretsManager)];
    let built = bench.build();
    assert_eq!(built.printed(), ["*** *** *** ***", "hunt", "***", "***"]);
    assert!(!built.lines.iter().any(|line| line.contains("hunter2")));
    assert!(built.transcript().contains("exit 1 # ***. Reason"));
}

#[test]
fn a_missing_secret_fails_the_download() {
    let mut bench = Bench::new(
        "version: 0.2\nenv: {parameter-store: {P: /demo/p}}\nphases: {build: {commands: [echo]}}\n",
    );
    assert!(bench.build().transcript().starts_with(
        "DOWNLOAD_SOURCE FAILED CLIENT_ERROR: Parameter does not exist: /demo/p\nFINALIZING"
    ));
    bench.known.0.insert("/demo/p".to_owned(), "x".to_owned());
    for (reference, message) in [
        (
            "absent",
            "Secrets Manager can't find the specified secret: absent",
        ),
        (
            "/demo/p:key",
            "the secret /demo/p cannot be used: it cannot be read: it is no JSON object with a key key",
        ),
        ("a:b:c:d", "a version stage or a version id, not both"),
    ] {
        bench.order.environment_variables =
            vec![variable("S", reference, VariableType::SecretsManager)];
        let text = bench.build().transcript();
        assert!(text.contains(message), "{text}");
    }
}

#[test]
fn an_overridden_secret_is_not_asked_for() {
    let mut bench = Bench::new(
        "version: 0.2\nenv: {parameter-store: {P: /absent}}\nphases: {build: {commands: [echo $P]}}\n",
    );
    bench.order.environment_variables = vec![variable("P", "plain", VariableType::Plaintext)];
    assert_eq!(bench.build().printed(), ["plain"]);
}

#[test]
fn exported_variables_are_read_at_the_end_even_of_a_failed_build() {
    let mut bench = Bench::new(
        "version: 0.2\nenv:\n  variables: {FROM_ENV: a}\n  parameter-store: {SECRET: /p}\n  exported-variables: [FROM_ENV, SET, LOCAL, CHILD, UNSET, EMPTY, LINES, SECRET, AWS_REGION, CODEBUILD_BUILD_ID]\nphases:\n  build:\n    commands:\n      - export SET=\"it's\" EMPTY=\n      - LOCAL=1; (export CHILD=1)\n      - export LINES=\"one\n\n        two\n\n        \"\n      - FROM_ENV=changed\n      - exit 1\n",
    );
    bench.known.0.insert("/p".to_owned(), "secret".to_owned());
    let built = bench.build();
    assert_eq!(built.report.build_status, Status::Failed);
    let exported = built.exported();
    let expected = [
        ("CODEBUILD_BUILD_ID", "demo:6f0f8a3e"),
        ("EMPTY", ""),
        ("FROM_ENV", "changed"),
        ("LINES", "one\ntwo\n"),
        ("SET", "it's"),
    ];
    assert_eq!(exported.into_iter().collect::<Vec<_>>(), expected);
    assert!(
        built
            .said()
            .contains(&"Warning: the variable SECRET cannot be exported")
    );
}

#[test]
fn variables_are_exported_although_the_commands_set_e() {
    let built = Bench::new("version: 0.2\nenv: {exported-variables: [UNSET, SET]}\nphases: {build: {commands: [set -eu, export SET=1]}}\n").build();
    assert_eq!(
        built.exported().into_iter().collect::<Vec<_>>(),
        [("SET", "1")]
    );
}

#[test]
fn a_value_that_holds_a_secret_is_not_exported_whatever_its_name() {
    let mut bench = Bench::new(
        "version: 0.2\nenv:\n  parameter-store: {P: /p}\n  exported-variables: [COPY, CODED, PLAIN]\nphases:\n  build:\n    commands:\n      - export COPY=\"user:$P\" PLAIN=fine\n      - export CODED=\"$(printf %s \"$P\" | base64)\"\n",
    );
    bench
        .known
        .0
        .insert("/p".to_owned(), "hunter2hunter2".to_owned());
    let built = bench.build();
    assert_eq!(built.report.build_status, Status::Succeeded);
    assert_eq!(
        built.exported().into_iter().collect::<Vec<_>>(),
        [("PLAIN", "fine")]
    );
    for name in ["COPY", "CODED"] {
        let line =
            format!("Warning: the variable {name} cannot be exported: its value holds a secret");
        assert!(built.said().contains(&line.as_str()), "{:?}", built.said());
    }
}
