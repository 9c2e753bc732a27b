use std::{fmt::Write as _, fs};

use expect_test::{Expect, expect};

use super::*;

fn check(format: &str, content: &str, expected: &Expect) {
    let source = tempfile::tempdir().expect("a directory");
    fs::write(source.path().join("results"), content).expect("a file");
    let group = ReportGroup {
        name: "r".to_owned(),
        files: vec!["results".to_owned()],
        format: format.to_owned(),
        base_directory: None,
    };
    let report = read(&group, "r".to_owned(), "demo", source.path());
    let mut text = format!(
        "{:?}: {} = {} passed, {} failed, {} errors, {} skipped, {} ms\n",
        report.status,
        report.total,
        report.passed,
        report.failed,
        report.errors,
        report.skipped,
        report.duration_ms
    );
    for failure in report.failures {
        let _ = writeln!(
            text,
            "{} {}/{}: {}",
            failure.status, failure.suite, failure.name, failure.message
        );
    }
    if let Some(reason) = report.reason {
        let _ = writeln!(text, "because {reason}");
    }
    expected.assert_eq(&text);
}

#[test]
fn junit_suites_nest_and_cases_tell_how_they_ended() {
    check(
        "JUNITXML",
        r#"<?xml version="1.0"?>
<testsuites>
  <testsuite name="outer" tests="99">
    <testsuite name="inner">
      <testcase name="good" time="1,000.25"/>
      <testcase name="bad &lt;1&gt;" classname="a.B"><failure message="one &amp; two">trace</failure></testcase>
      <testcase name="told in text"><failure><![CDATA[expected <a>]]> got &#66;</failure></testcase>
    </testsuite>
    <testcase name="broken"><error>boom</error><system-out>noise</system-out></testcase>
    <testcase name="off"><skipped/></testcase>
  </testsuite>
</testsuites>"#,
        &expect![[r"
            Failed: 5 = 1 passed, 2 failed, 1 errors, 1 skipped, 1000250 ms
            FAILED a.B/bad <1>: one & two
            FAILED inner/told in text: expected <a> got B
            ERROR outer/broken: boom
        "]],
    );
}

#[test]
fn junit_that_is_broken_counts_what_it_told_and_is_incomplete() {
    check(
        "JUNITXML",
        "<testsuite><testcase name='a'/><testcase name='b'></testsuite>",
        &expect![[r"
            Incomplete: 1 = 1 passed, 0 failed, 0 errors, 0 skipped, 0 ms
            because results: ill-formed document: expected `</testcase>`, but `</testsuite>` was found
        "]],
    );
    check(
        "JUNITXML",
        "<html/>",
        &expect![[r"
        Incomplete: 0 = 0 passed, 0 failed, 0 errors, 0 skipped, 0 ms
        because results: it holds no testsuite
    "]],
    );
}

#[test]
fn an_entity_that_a_document_defines_is_not_expanded() {
    check(
        "JUNITXML",
        "<!DOCTYPE x [<!ENTITY a 'aaaa'>]><testsuite><testcase name='n'><failure>&a;</failure></testcase></testsuite>",
        &expect![[r"
            Failed: 1 = 0 passed, 1 failed, 0 errors, 0 skipped, 0 ms
            FAILED /n: &a;
        "]],
    );
    let deep = format!("<testsuite>{}", "<a>".repeat(100));
    check(
        "JUNITXML",
        &deep,
        &expect![[r"
        Incomplete: 0 = 0 passed, 0 failed, 0 errors, 0 skipped, 0 ms
        because results: its elements nest deeper than 64
    "]],
    );
}

#[test]
fn a_cucumber_scenario_is_as_good_as_its_worst_step() {
    check(
        "CUCUMBERJSON",
        r#"[{"name":"Login","elements":[
          {"type":"background","name":"","steps":[{"result":{"status":"failed"}}]},
          {"type":"scenario","name":"good","steps":[{"name":"s","result":{"status":"passed","duration":2500000}}]},
          {"type":"scenario","name":"bad","steps":[{"result":{"status":"passed"}},{"result":{"status":"failed","error_message":"no"}},{"result":{"status":"skipped"}}]},
          {"type":"scenario","name":"open","steps":[{"name":"I fly","result":{"status":"undefined"}}]},
          {"type":"scenario","name":"off","steps":[{"result":{"status":"pending"}}]}]}]"#,
        &expect![[r"
            Failed: 4 = 1 passed, 1 failed, 1 errors, 1 skipped, 2 ms
            FAILED Login/bad: no
            ERROR Login/open: undefined step: I fly
        "]],
    );
    check(
        "CUCUMBERJSON",
        "{}",
        &expect![[r"
        Incomplete: 0 = 0 passed, 0 failed, 0 errors, 0 skipped, 0 ms
        because results: invalid type: map, expected a sequence at line 1 column 0
    "]],
    );
}

#[test]
fn a_report_keeps_so_many_failures_and_counts_them_all() {
    let case = "<testcase name='n'><failure message='m'/></testcase>".repeat(CASES_MAX + 100);
    let source = tempfile::tempdir().expect("a directory");
    fs::write(
        source.path().join("r.xml"),
        format!("<testsuite>{case}</testsuite>"),
    )
    .expect("a file");
    let group = ReportGroup {
        name: "r".to_owned(),
        files: vec!["*.xml".to_owned()],
        format: "JUNITXML".to_owned(),
        base_directory: None,
    };
    let report = read(&group, "r".to_owned(), "demo", source.path());
    assert_eq!((report.total, report.failures.len()), (600, CASES_MAX));
    assert_eq!(cut("äöü".to_owned(), 2), "äö");
}
