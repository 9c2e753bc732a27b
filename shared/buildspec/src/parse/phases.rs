//! The `phases` block (spec 70 §2, §3).

use std::collections::BTreeMap;

use regex::Regex;

use super::{
    fields::{Fields, Findings},
    tree::{Kind, Node},
};
use crate::document::{OnFailure, Phase, Phases};

/// How often a build is retried when `on-failure` names no number (spec 70 §3).
const RETRY_DEFAULT_LIMIT: u32 = 3;
/// The largest number of retries that `on-failure` may name (spec 70 §3).
const RETRY_MAX_LIMIT: u32 = 100;

pub(super) fn phases(node: &Node, findings: &mut Findings) -> Phases {
    let mut phases = Phases::default();
    let entries = match &node.kind {
        Kind::Map(entries) if !entries.is_empty() => entries,
        Kind::Map(_) | Kind::Null => {
            findings.problem(node, "at least one phase should be configured");
            return phases;
        }
        Kind::Scalar(_) | Kind::List(_) => {
            findings.problem(node, format!("phases is a mapping, not {}", node.what()));
            return phases;
        }
    };
    for (key, value) in entries {
        match key.text.as_str() {
            "install" => phases.install = Some(phase(value, true, findings)),
            "pre_build" => phases.pre_build = Some(phase(value, false, findings)),
            "build" => phases.build = Some(phase(value, false, findings)),
            "post_build" => phases.post_build = Some(phase(value, false, findings)),
            other => findings.problem_at(
                key.line,
                key.column,
                format!(
                    "invalid buildspec phase name found: {other}. \
                     Expecting: BUILD,INSTALL,POST_BUILD,PRE_BUILD"
                ),
            ),
        }
    }
    phases
}

fn phase(node: &Node, is_install: bool, findings: &mut Findings) -> Phase {
    let mut fields = Fields::of(node, "a phase", findings);
    let mut phase = Phase {
        run_as: fields.text("run-as"),
        ..Phase::default()
    };
    if let Some(value) = fields.take("on-failure") {
        match value.scalar().map(on_failure) {
            Some(Ok(policy)) => phase.on_failure = Some(policy),
            Some(Err(message)) => fields.findings.problem(value, message),
            None => fields
                .findings
                .problem(value, "on-failure is a single value"),
        }
    }
    if is_install {
        phase.runtime_versions = runtime_versions(&mut fields);
    }
    match fields.list("commands") {
        Some(commands) => phase.commands = commands,
        None if is_install => {}
        None => fields.findings.problem(node, "a phase needs commands"),
    }
    phase.finally = fields.list("finally").unwrap_or_default();
    fields.finish(&[
        "run-as",
        "on-failure",
        "runtime-versions",
        "commands",
        "finally",
    ]);
    phase
}

/// Two spellings of one runtime conflict, and the build fails before it starts (spec 70 §8).
fn runtime_versions(fields: &mut Fields<'_, '_>) -> BTreeMap<String, String> {
    let place = fields
        .key("runtime-versions")
        .map(|key| (key.line, key.column));
    let written = fields.map("runtime-versions");
    let mut runtimes = BTreeMap::new();
    for (name, version) in written {
        let name = name.to_ascii_lowercase();
        if let Some(other) = runtimes.insert(name.clone(), version.clone())
            && let Some((line, column)) = place
        {
            let message =
                format!("runtime {name} is asked for in two versions, {other} and {version}");
            fields.findings.problem_at(line, column, message);
        }
    }
    runtimes
}

/// Reads an `on-failure` value: `ABORT`, `CONTINUE`, `RETRY`, `RETRY-<n>`, `RETRY-<regex>` or
/// `RETRY-<n>-<regex>`, the word in any case (spec 70 §3).
pub fn on_failure(value: &str) -> Result<OnFailure, String> {
    if value.eq_ignore_ascii_case("abort") {
        return Ok(OnFailure::Abort);
    }
    if value.eq_ignore_ascii_case("continue") {
        return Ok(OnFailure::Continue);
    }
    let rest = match (value.get(..5), value.get(5..)) {
        (Some(word), Some(rest)) if word.eq_ignore_ascii_case("retry") => rest,
        _ => {
            return Err(format!(
                "on-failure is ABORT, CONTINUE or RETRY, not {value}"
            ));
        }
    };
    if rest.is_empty() {
        return Ok(OnFailure::Retry {
            limit: RETRY_DEFAULT_LIMIT,
            pattern: ".*".to_owned(),
        });
    }
    let Some(rest) = rest.strip_prefix('-') else {
        return Err(format!(
            "on-failure is ABORT, CONTINUE or RETRY, not {value}"
        ));
    };
    let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, after) = rest.split_at(digits);
    let (limit, pattern) = match (number, after) {
        ("", pattern) => (RETRY_DEFAULT_LIMIT, pattern),
        (number, "") => (retry_limit(number)?, ".*"),
        (number, after) => match after.strip_prefix('-') {
            Some(pattern) => (retry_limit(number)?, pattern),
            // Digits that something else than a hyphen follows begin the expression.
            None => (RETRY_DEFAULT_LIMIT, rest),
        },
    };
    let pattern = if pattern.is_empty() { ".*" } else { pattern };
    Regex::new(pattern).map_err(|error| {
        let reason = error.to_string();
        let reason = reason.lines().last().unwrap_or_default().to_owned();
        format!("the expression of on-failure cannot be read: {reason}")
    })?;
    Ok(OnFailure::Retry {
        limit,
        pattern: pattern.to_owned(),
    })
}

fn retry_limit(digits: &str) -> Result<u32, String> {
    digits
        .parse()
        .ok()
        .filter(|limit| *limit <= RETRY_MAX_LIMIT)
        .ok_or_else(|| format!("on-failure retries 0 to {RETRY_MAX_LIMIT} times, not {digits}"))
}
