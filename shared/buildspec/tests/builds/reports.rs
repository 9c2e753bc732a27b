//! Test results of a build (spec 70 §6.2).

use pipewright_buildspec::build::{Status, TestReportStatus};

use crate::support::Bench;

#[test]
fn results_are_counted_and_failures_do_not_fail_the_build() {
    let mut bench = Bench::new(
        "version: 0.2\nenv: {variables: {GROUP: unit}, parameter-store: {P: p}}\nphases: {build: {commands: [echo]}}\nreports:\n  $GROUP-tests: {files: ['**/*.xml'], base-directory: target}\n  arn:aws:codebuild:us-east-1:111122223333:report-group/named: {files: [c.json], file-format: CucumberJson}\n",
    );
    bench.known.0.insert("p".to_owned(), "hunter2".to_owned());
    bench.source("target/a/junit.xml", "<testsuite name='s'><testcase name='good' time='0.5'/><testcase classname='of hunter2' name='bad hunter2'><failure message='got hunter2'/></testcase></testsuite>");
    bench.source(
        "c.json",
        r#"[{"name":"f","elements":[{"name":"sc","steps":[{"result":{"status":"passed"}}]}]}]"#,
    );
    let built = bench.build();
    assert_eq!(built.report.build_status, Status::Succeeded);
    let [unit, named] = built.report.reports.as_slice() else {
        panic!("two reports")
    };
    assert_eq!(
        (unit.name.as_str(), unit.group.as_str()),
        ("unit-tests", "demo-unit-tests")
    );
    assert_eq!(
        (unit.total, unit.passed, unit.failed, unit.duration_ms),
        (2, 1, 1, 500)
    );
    assert_eq!(unit.status, TestReportStatus::Failed);
    let failure = &unit.failures[0];
    assert_eq!(
        [&*failure.suite, &*failure.name, &*failure.message],
        ["of ***", "bad ***", "got ***"]
    );
    assert_eq!(
        (named.group.as_str(), named.status),
        ("named", TestReportStatus::Succeeded)
    );
    assert!(
        built
            .said()
            .contains(&"Report unit-tests: 2 test(s), 1 passed, 1 failed, 0 error(s), 0 skipped")
    );
}

#[test]
fn what_cannot_be_read_is_incomplete_and_says_why() {
    let mut bench = Bench::new(
        "version: 0.2\nphases: {build: {commands: [\"false\"]}}\nreports:\n  a: {files: [x.trx], file-format: VisualStudioTrx}\n  b: {files: [none.xml]}\n  c: {files: [bad.xml]}\n",
    );
    bench.source("bad.xml", "<testsuite><testcase name='x'>");
    let built = bench.build();
    assert_eq!(
        built.report.build_status,
        Status::Failed,
        "reports are read after a failed build"
    );
    let reasons: Vec<&str> = built
        .report
        .reports
        .iter()
        .map(|r| r.reason.as_deref().unwrap_or_default())
        .collect();
    assert_eq!(
        reasons,
        [
            "the format VISUALSTUDIOTRX is not supported; use JUNITXML or CUCUMBERJSON",
            "no report files found for none.xml",
            "bad.xml: it ends before its elements do",
        ]
    );
    assert!(
        built
            .report
            .reports
            .iter()
            .all(|r| r.status == TestReportStatus::Incomplete)
    );
}
