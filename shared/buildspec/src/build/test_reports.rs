//! Test reports: the results that the build's own tests wrote, counted (spec 70 §6.2).

mod cucumber;
mod junit;

use std::{fs, path::Path};

use super::report::{TestFailure, TestReport, TestReportStatus};
use crate::{
    archive::Item,
    document::ReportGroup,
    glob::{self, Links},
};

/// A report keeps no more failures, as a real one keeps no more test cases.
const CASES_MAX: usize = 500;
const NAME_MAX_CHARS: usize = 1000;
const MESSAGE_MAX_CHARS: usize = 5000;
/// A result file that is larger is not read.
const FILE_MAX_BYTES: u64 = 64 * 1024 * 1024;
const FILES_MAX: usize = 10_000;
/// Formats that exist and are not read here.
const UNREAD: [&str; 8] = [
    "NUNITXML",
    "NUNIT3XML",
    "TESTNGXML",
    "VISUALSTUDIOTRX",
    "CLOVERXML",
    "COBERTURAXML",
    "JACOCOXML",
    "SIMPLECOV",
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Passed,
    Failed,
    Error,
    Skipped,
}

/// One test as a result file tells it.
#[derive(Debug)]
struct Case {
    suite: String,
    name: String,
    outcome: Outcome,
    message: String,
    duration_ms: u64,
}

/// Reads one file of a format and passes on each test in it.
type Reader = fn(&[u8], &mut dyn FnMut(Case)) -> Result<(), String>;

/// Reads the results of one group; what cannot be read makes the report incomplete.
pub(super) fn read(group: &ReportGroup, name: String, project: &str, source: &Path) -> TestReport {
    let mut report = empty(group, name, project);
    let reader: Reader = match group.format.as_str() {
        "JUNITXML" => junit::read,
        "CUCUMBERJSON" => cucumber::read,
        other if UNREAD.contains(&other) => {
            let reason =
                format!("the format {other} is not supported; use JUNITXML or CUCUMBERJSON");
            return incomplete(report, reason);
        }
        other => return incomplete(report, format!("{other} is no report format")),
    };
    let base = group
        .base_directory
        .as_ref()
        .map_or_else(|| source.to_path_buf(), |b| source.join(b));
    let found = match glob::find(&base, &group.files, &[], Links::Follow) {
        Ok(found) => found,
        Err(error) => return incomplete(report, super::run::chain(&error)),
    };
    if found.items.is_empty() {
        let patterns = group.files.join(" ");
        return incomplete(report, format!("no report files found for {patterns}"));
    }
    let mut problems = Vec::new();
    if found.items.len() > FILES_MAX {
        problems.push(format!("only the first {FILES_MAX} files are read"));
    }
    for (file, item) in found.items.iter().take(FILES_MAX) {
        let Item::File(path) = item else { continue };
        let outcome =
            content(path).and_then(|bytes| reader(&bytes, &mut |case| count(&mut report, case)));
        if let Err(reason) = outcome {
            problems.push(format!("{file}: {reason}"));
        }
    }
    if report.failed + report.errors > 0 {
        report.status = TestReportStatus::Failed;
    }
    if problems.is_empty() {
        report
    } else {
        incomplete(report, problems.join("; "))
    }
}

fn empty(group: &ReportGroup, name: String, project: &str) -> TestReport {
    let full = match name.split_once(":report-group/") {
        Some((_, named)) => named.to_owned(),
        None => format!("{project}-{name}"),
    };
    TestReport {
        name,
        group: full,
        format: group.format.clone(),
        status: TestReportStatus::Succeeded,
        reason: None,
        total: 0,
        passed: 0,
        failed: 0,
        errors: 0,
        skipped: 0,
        duration_ms: 0,
        failures: Vec::new(),
    }
}

fn incomplete(report: TestReport, reason: String) -> TestReport {
    let reason = cut(reason, MESSAGE_MAX_CHARS);
    TestReport {
        status: TestReportStatus::Incomplete,
        reason: Some(reason),
        ..report
    }
}

fn content(path: &Path) -> Result<Vec<u8>, String> {
    let size = fs::metadata(path).map_err(|error| error.to_string())?.len();
    if size > FILE_MAX_BYTES {
        return Err(format!("it is larger than {FILE_MAX_BYTES} bytes"));
    }
    fs::read(path).map_err(|error| error.to_string())
}

fn count(report: &mut TestReport, case: Case) {
    report.total += 1;
    report.duration_ms = report.duration_ms.saturating_add(case.duration_ms);
    let status = match case.outcome {
        Outcome::Passed => {
            report.passed += 1;
            return;
        }
        Outcome::Skipped => {
            report.skipped += 1;
            return;
        }
        Outcome::Failed => {
            report.failed += 1;
            "FAILED"
        }
        Outcome::Error => {
            report.errors += 1;
            "ERROR"
        }
    };
    if report.failures.len() < CASES_MAX {
        report.failures.push(TestFailure {
            suite: cut(case.suite, NAME_MAX_CHARS),
            name: cut(case.name, NAME_MAX_CHARS),
            status: status.to_owned(),
            message: cut(case.message, MESSAGE_MAX_CHARS),
        });
    }
}

fn cut(text: String, characters: usize) -> String {
    match text.char_indices().nth(characters) {
        Some((at, _)) => text[..at].to_owned(),
        None => text,
    }
}

fn milliseconds(seconds: f64) -> u64 {
    // A duration that is no number or negative is told wrongly; it counts as nought.
    std::time::Duration::try_from_secs_f64(seconds)
        .map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests;
