//! Programs of others that look at the template, each in a pinned version and offline.

use std::{collections::BTreeSet, fs, path::Path};

use pipewright_tests::root;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::stack::{Stack, gate, output, sam};

/// How often all gates together may be told to look away (G17).
const SUPPRESSIONS_MAX: usize = 10;

const TEMPLATES: [&str; 2] = ["template.yaml", "infra/watch.yaml"];

/// Where it is written what checkov and cloudsplaining are told to leave out.
const CHECKOV: &str = "tests/template/checkov.yaml";
const CLOUDSPLAINING: &str = "tests/template/cloudsplaining.yaml";

/// What parliament may find, by action. Its own way to leave things out does not work in this
/// version.
const PARLIAMENT: [(&str, &str); 1] = [
    // It knows instances, which Fargate has not; a condition binds it to the cluster.
    ("RESOURCE_STAR", "ecs:ListTasks"),
];

#[test]
fn cfn_lint_has_nothing_to_say() {
    let mut lint = gate("lint").program("cfn-lint");
    // Warnings are on by themselves; with `I`, remarks are too.
    lint.current_dir(root())
        .args(["--include-checks", "I", "--"])
        .args(TEMPLATES);
    assert_eq!(output(lint).trim(), "");
}

#[test]
fn sam_takes_the_template_for_valid() {
    let python = sam();
    let mut validate = python.program("python");
    validate.arg(python.path("sam")).current_dir(root());
    validate
        .args(["validate", "--lint", "--template-file", "template.yaml"])
        .env("AWS_DEFAULT_REGION", "us-east-1")
        .env("SAM_CLI_TELEMETRY", "0");
    assert!(output(validate).contains("is a valid SAM Template"));
}

#[test]
fn checkov_finds_nothing() {
    let mut checkov = gate("checkov").program("checkov");
    checkov.current_dir(root());
    for template in TEMPLATES {
        checkov.args(["--file", template]);
    }
    checkov
        .args(["--config-file", CHECKOV, "--framework", "cloudformation"])
        .args(["--skip-download", "--compact", "--output", "json"]);
    let report: Value = serde_json::from_str(&output(checkov)).expect("it prints JSON");
    let count = |what: &str| report["summary"][what].as_u64();
    assert_eq!(count("failed"), Some(0), "{report:#}");
    assert_eq!(count("parsing_errors"), Some(0));
    // It has looked at something.
    assert!(count("passed") > Some(80), "{report:#}");
    assert_eq!(report["summary"]["checkov_version"], "3.3.30");
}

/// Writes what each role may do, by default and with every option.
fn write_policies(folder: &Path) -> usize {
    let mut written = 0;
    for (name, stack) in [
        ("default", Stack::by_default()),
        ("everything", Stack::with_everything()),
    ] {
        for role in stack.all("AWS::IAM::Role") {
            for policy in role.properties["Policies"].as_array().into_iter().flatten() {
                let file = folder.join(format!("{name}-{}.json", role.name));
                fs::write(file, policy["PolicyDocument"].to_string()).expect("a file");
                written += 1;
            }
        }
    }
    written
}

#[test]
fn parliament_finds_nothing() {
    let folder = TempDir::new().expect("a folder");
    assert_eq!(write_policies(folder.path()), 14);
    let mut parliament = gate("parliament").program("parliament");
    parliament
        .args(["--json", "--minimum_severity", "INFO", "--directory"])
        .arg(folder.path());
    let found = parliament.output().expect("it was installed a moment ago");
    let found = String::from_utf8_lossy(&found.stdout).into_owned();
    let mut known = BTreeSet::new();
    for line in found.lines() {
        let finding: Value = serde_json::from_str(line).expect("it prints JSON");
        let of = |(issue, action): &&(&'static str, &'static str)| {
            finding["issue"] == *issue && finding["detail"] == json!([action])
        };
        known.insert(
            PARLIAMENT
                .iter()
                .find(of)
                .unwrap_or_else(|| panic!("{line}")),
        );
    }
    // It has looked, and nothing is left out that it would not find.
    assert_eq!(known.len(), PARLIAMENT.len(), "{found}");
}

#[test]
fn cloudsplaining_finds_nothing() {
    let folder = TempDir::new().expect("a folder");
    write_policies(folder.path());
    let mut scan = gate("cloudsplaining").program("python");
    scan.current_dir(root())
        .args(["tests/template/cloudsplaining.py", CLOUDSPLAINING])
        .arg(folder.path());
    assert_eq!(output(scan).trim(), "14 policies");
}

#[test]
fn gates_look_away_seldom_and_never_without_a_reason() {
    let mut suppressions = PARLIAMENT.len();
    for template in TEMPLATES {
        let text = fs::read_to_string(root().join(template)).expect("a file");
        let lines: Vec<_> = text.lines().collect();
        for pair in lines.windows(2) {
            if pair[0].trim_start().starts_with("- id: CKV") {
                suppressions += 1;
                assert!(pair[1].trim_start().starts_with("comment: "), "{}", pair[0]);
            }
        }
        assert!(
            !text.contains("checkov:skip") && !text.contains("cfn-lint:"),
            "{template}"
        );
    }
    for file in [CHECKOV, CLOUDSPLAINING] {
        let text = fs::read_to_string(root().join(file)).expect("a file");
        let lines: Vec<_> = text.lines().map(str::trim_start).collect();
        for pair in lines.windows(2) {
            if pair[1].starts_with("- ") {
                suppressions += 1;
                assert!(
                    pair[0].starts_with("# "),
                    "{file}: a reason stands above `{}`",
                    pair[1]
                );
            }
        }
    }
    assert!(suppressions <= SUPPRESSIONS_MAX, "{suppressions}");
}
