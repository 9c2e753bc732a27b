use std::fmt::Write as _;

use expect_test::{Expect, expect};

use super::*;
use crate::document::{OnFailure, ShellKind};

fn check(text: &str, expected: &Expect) {
    let mut lines = String::new();
    match buildspec(text) {
        Ok((spec, warnings)) => {
            for warning in warnings {
                let _ = writeln!(lines, "warning: {warning}");
            }
            let phases = spec.phases;
            for (name, phase) in [
                ("install", phases.install),
                ("pre_build", phases.pre_build),
                ("build", phases.build),
                ("post_build", phases.post_build),
            ] {
                if let Some(phase) = phase {
                    let _ = writeln!(lines, "{name}: {:?}", phase.commands);
                }
            }
        }
        Err(problems) => {
            for problem in problems {
                let _ = writeln!(lines, "error: {problem}");
            }
        }
    }
    expected.assert_eq(&lines);
}

fn spec(text: &str) -> Buildspec {
    match buildspec(text) {
        Ok((spec, _)) => spec,
        Err(problems) => panic!("{problems:?}"),
    }
}

#[test]
fn commands_are_a_list_a_single_value_a_block_or_lists_in_lists() {
    check(
        "version: 0.2\nphases:\n  install:\n    runtime-versions: {nodejs: 18}\n  pre_build:\n    commands: npm ci\n  build:\n    commands:\n      - echo 1.10\n      - 010\n      - yes\n      - |\n        one\n        two\n      - [a, [b]]\n",
        &expect![[r#"
            install: []
            pre_build: ["npm ci"]
            build: ["echo 1.10", "010", "yes", "one\ntwo\n", "a", "b"]
        "#]],
    );
}

#[test]
fn json_is_read_too() {
    check(
        r#"{"version": 0.2, "phases": {"build": {"commands": ["make"]}}}"#,
        &expect![[r#"
            build: ["make"]
        "#]],
    );
}

#[test]
fn all_problems_are_told_at_once_with_their_places() {
    check(
        "version: 1\nrun-as: [x]\nenv:\n  shell: powershell.exe\n  variables: {CODEBUILD_X: 1, Ü: 'ö'}\n  exported-variables: [a-b]\nphases:\n  # ü\n  biuld: {commands: [x]}\n  build:\n    on-failure: STOP\n    finally: [x]\n  post_build:\n    commands:\n      - echo: this\ncache: {action: keep}\nreports: {r: {}}\nartifacts: {name: x}\n",
        &expect![[r#"
            error: line 1, column 10: the version of a buildspec is 0.2, or 0.1 for an old one
            error: line 2, column 9: run-as is a single value, not a list
            error: line 4, column 3: CODEBUILD_X: names that begin with CODEBUILD_ are reserved
            error: line 4, column 3: "a-b" cannot be an exported variable
            error: line 4, column 10: the shell powershell.exe is not supported; use bash or /bin/sh
            error: line 9, column 3: invalid buildspec phase name found: biuld. Expecting: BUILD,INSTALL,POST_BUILD,PRE_BUILD
            error: line 11, column 5: a phase needs commands
            error: line 11, column 17: on-failure is ABORT, CONTINUE or RETRY, not STOP
            error: line 15, column 9: commands is a list of values, not a mapping; put a value that contains a colon in quotes
            error: line 16, column 8: cache needs paths
            error: line 16, column 9: the action of a cache is restore or save, not keep
            error: line 17, column 14: a report group needs files
            error: line 18, column 12: artifacts needs files
        "#]],
    );
}

#[test]
fn what_is_no_buildspec_is_refused() {
    check(
        "",
        &expect![[r"
        error: line 1, column 1: the buildspec is empty
    "]],
    );
    check(
        "- a\n",
        &expect![[r"
        error: line 1, column 1: a buildspec is a mapping with the keys version and phases
    "]],
    );
    check(
        "phases: {}\n",
        &expect![[r"
        error: line 1, column 1: version is missing; write version: 0.2
        error: line 1, column 9: at least one phase should be configured
    "]],
    );
    check(
        "version: 0.2\nphases: {build: {commands: [a]}}\n---\nb: 1\n",
        &expect![[r"
        error: line 4, column 1: a buildspec is a single YAML document
    "]],
    );
    check(
        "version: 0.2\nversion: 0.1\n",
        &expect![[r"
        error: line 2, column 1: duplicated key in mapping
    "]],
    );
    check(
        "version: 0.2\nphases:\n\tbuild:\n",
        &expect![[r"
        error: line 3, column 2: tabs disallowed within this context (block indentation)
    "]],
    );
    let large = format!("version: 0.2\n#{}", "x".repeat(BUILDSPEC_MAX_BYTES));
    assert!(buildspec(&large).is_err_and(|p| p[0].message.contains("at most 1048576 bytes")));
}

#[test]
fn batch_builds_are_refused_by_name() {
    check(
        "version: 0.2\nbatch:\n  fast-fail: true\nphases: {build: {commands: [a]}}\n",
        &expect![[r"
            error: line 2, column 1: batch builds are not supported; remove batch, and run one build per action
        "]],
    );
}

#[test]
fn unknown_keys_are_warnings_that_suggest_what_was_meant() {
    check(
        "version: 0.2\nartefacts: {}\nphases:\n  build: {commands: [a], finaly: [b]}\nenv: {git-credential-helper: yes, sehll: bash}\n",
        &expect![[r#"
            warning: line 5, column 7: git-credential-helper has no effect: the build has no credentials of the source; git asks as it is configured
            warning: line 5, column 35: env has no key sehll: it is ignored; did you mean shell?
            warning: line 4, column 26: a phase has no key finaly: it is ignored; did you mean finally?
            warning: line 2, column 1: the buildspec has no key artefacts: it is ignored; did you mean artifacts?
            build: ["a"]
        "#]],
    );
}

#[test]
fn the_forms_of_on_failure() {
    let retry = |limit, pattern: &str| {
        Ok(OnFailure::Retry {
            limit,
            pattern: pattern.to_owned(),
        })
    };
    assert_eq!(on_failure("abort"), Ok(OnFailure::Abort));
    assert_eq!(on_failure("CONTINUE"), Ok(OnFailure::Continue));
    assert_eq!(on_failure("RETRY"), retry(3, ".*"));
    assert_eq!(on_failure("retry-0"), retry(0, ".*"));
    assert_eq!(on_failure("RETRY-100"), retry(100, ".*"));
    assert_eq!(on_failure("RETRY-invalid+"), retry(3, "invalid+"));
    assert_eq!(
        on_failure("Retry-3-.*connection timed out.*"),
        retry(3, ".*connection timed out.*")
    );
    assert_eq!(on_failure("RETRY-5xx"), retry(3, "5xx"));
    for (value, message) in [
        ("RETRY-101", "on-failure retries 0 to 100 times, not 101"),
        (
            "RETRY3",
            "on-failure is ABORT, CONTINUE or RETRY, not RETRY3",
        ),
        (
            "RETRY-2-(",
            "the expression of on-failure cannot be read: error: unclosed group",
        ),
        ("", "on-failure is ABORT, CONTINUE or RETRY, not "),
        ("STÖP", "on-failure is ABORT, CONTINUE or RETRY, not STÖP"),
    ] {
        assert_eq!(on_failure(value), Err(message.to_owned()));
    }
}

#[test]
fn every_block_is_read() {
    let spec = spec(
        "version: 0.2\nrun-as: ann\nenv:\n  shell: bash\n  variables: {A: 1.10, B: yes, C: }\n  parameter-store: {P: /p}\n  secrets-manager: {S: 's:k'}\n  exported-variables: [A]\nproxy: {upload-artifacts: no, logs: 'yes'}\nphases:\n  build: {run-as: bob, commands: []}\nreports:\n  unit: {files: a.xml, file-format: CucumberJson, base-directory: t, discard-paths: yes}\nartifacts:\n  files: ['*']\n  name: n\n  discard-paths: YES\n  base-directory: d\n  exclude-paths: x\n  enable-symlinks: true\n  s3-prefix: p\n  secondary-artifacts: {two: {files: [b]}}\ncache: {key: k, fallback-keys: [f], action: save, paths: [p]}\n",
    );
    assert_eq!(spec.run_as.as_deref(), Some("ann"));
    assert_eq!(spec.env.shell, ShellKind::Bash);
    assert_eq!(spec.env.variables["A"], "1.10");
    assert_eq!(
        (
            spec.env.variables["B"].as_str(),
            spec.env.variables["C"].as_str()
        ),
        ("yes", "")
    );
    assert_eq!(
        spec.phases.build.expect("a phase").run_as.as_deref(),
        Some("bob")
    );
    assert_eq!(spec.reports[0].format, "CUCUMBERJSON");
    let artifacts = spec.artifacts.expect("artifacts");
    assert!(artifacts.primary.discard_paths && artifacts.primary.enable_symlinks);
    assert_eq!(artifacts.primary.exclude_paths, ["x"]);
    assert_eq!(artifacts.secondary["two"].files, ["b"]);
    let cache = spec.cache.expect("a cache");
    assert!(cache.save && !cache.restore);
}

#[test]
fn a_runtime_in_two_versions_is_a_conflict() {
    check(
        "version: 0.2\nphases:\n  install:\n    runtime-versions: {nodejs: 18, NodeJS: 20}\n",
        &expect![[r"
            error: line 4, column 5: runtime nodejs is asked for in two versions, 20 and 18
        "]],
    );
}

#[test]
fn an_inline_buildspec_is_told_from_a_path() {
    assert!(is_inline("version: 0.2\nphases: {}"));
    assert!(is_inline(r#"{"version": 0.2}"#));
    assert!(is_inline("version: 0.2"));
    assert!(!is_inline("ci/buildspec.yml"));
    assert!(!is_inline("arn:aws:s3:::bucket/key"));
}

#[test]
fn deep_and_multiplying_documents_are_refused() {
    let deep = format!("version: 0.2\nphases: {}", "[".repeat(20_000));
    assert!(buildspec(&deep).is_err());
    let mut bomb = String::from("a: &a [x, x, x, x, x, x, x, x, x, x]\n");
    for (from, to) in ["a", "b", "c", "d", "e", "f", "g", "h"]
        .iter()
        .zip(["b", "c", "d", "e", "f", "g", "h", "i"])
    {
        let aliases = vec![format!("*{from}"); 10].join(", ");
        let _ = writeln!(bomb, "{to}: &{to} [{aliases}]");
    }
    assert!(buildspec(&bomb).is_err());
}

proptest::proptest! {
    #[test]
    fn any_text_is_answered(text in "\\PC{0,200}") {
        let _ = buildspec(&text);
        let _ = buildspec(&format!("version: 0.2\nphases:\n  build:\n    commands:\n      - {text}\n"));
        let _ = on_failure(&text);
        let _ = is_inline(&text);
    }
}
