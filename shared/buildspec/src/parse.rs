//! A reading of a buildspec's text: all problems at once, each with its line and column.
//!
//! An unknown key at the top or within a block is a warning, because AWS ignores some of them; an
//! unknown phase is an error, as there (spec 70 §1).

mod blocks;
mod fields;
mod phases;
mod tree;

use std::fmt;

use crate::document::{Buildspec, Version};
use fields::{Fields, Findings};
use tree::{Kind, Node};

pub(crate) use blocks::is_shell_name;
pub use phases::on_failure;

/// The largest buildspec that is read: an inline one may come from anybody.
pub const BUILDSPEC_MAX_BYTES: usize = 1024 * 1024;

/// Something that makes the buildspec unusable; lines and columns count from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub line: usize,
    pub column: usize,
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "line {}, column {}: {}",
            self.line, self.column, self.message
        )
    }
}

/// Something that has no effect here although its author may expect one.
pub type Warning = Problem;

const TOP_LEVEL: [&str; 9] = [
    "version",
    "run-as",
    "env",
    "proxy",
    "batch",
    "phases",
    "reports",
    "artifacts",
    "cache",
];

/// Reads a buildspec; JSON is read as well, because it is YAML.
pub fn buildspec(text: &str) -> Result<(Buildspec, Vec<Warning>), Vec<Problem>> {
    let root = tree::load(text).map_err(|problem| vec![problem])?;
    let mut findings = Findings::default();
    let spec = read_root(&root, &mut findings);
    findings.into_result(spec)
}

fn read_root(root: &Node, findings: &mut Findings) -> Buildspec {
    let mut spec = Buildspec::default();
    let Kind::Map(_) = &root.kind else {
        findings.problem(
            root,
            "a buildspec is a mapping with the keys version and phases",
        );
        return spec;
    };
    let mut top = Fields::of(root, "the buildspec", findings);
    match top.take("version") {
        Some(node) => spec.version = version(node, top.findings),
        None => top
            .findings
            .problem(root, "version is missing; write version: 0.2"),
    }
    spec.run_as = top.text("run-as");
    if let Some(node) = top.take("env") {
        spec.env = blocks::env(node, top.findings);
    }
    if spec.version == Version::V01
        && let Some(node) = top.take("environment_variables")
    {
        blocks::environment_variables(node, &mut spec.env, top.findings);
    }
    if let Some(node) = top.take("proxy") {
        blocks::proxy(node, top.findings);
    }
    if let Some(key) = top.key("batch") {
        top.findings.problem_at(
            key.line,
            key.column,
            "batch builds are not supported; remove batch, and run one build per action",
        );
        top.take("batch");
    }
    match top.take("phases") {
        Some(node) => spec.phases = phases::phases(node, top.findings),
        None => top
            .findings
            .problem(root, "at least one phase should be configured"),
    }
    if let Some(node) = top.take("reports") {
        spec.reports = blocks::reports(node, top.findings);
    }
    if let Some(node) = top.take("artifacts") {
        spec.artifacts = blocks::artifacts(node, top.findings);
    }
    if let Some(node) = top.take("cache") {
        spec.cache = blocks::cache(node, top.findings);
    }
    top.finish(&TOP_LEVEL);
    spec
}

fn version(node: &Node, findings: &mut Findings) -> Version {
    match node.scalar() {
        Some("0.2") => Version::V02,
        Some("0.1") => Version::V01,
        _ => {
            findings.problem(
                node,
                "the version of a buildspec is 0.2, or 0.1 for an old one",
            );
            Version::V02
        }
    }
}

/// Whether a `buildspec` setting holds the buildspec itself rather than a path to it
/// (spec 70 §1).
pub fn is_inline(setting: &str) -> bool {
    if setting.contains('\n') || setting.trim_start().starts_with('{') {
        return true;
    }
    tree::load(setting).is_ok_and(|root| {
        let Kind::Map(entries) = &root.kind else {
            return false;
        };
        entries
            .iter()
            .any(|(key, _)| key.text == "version" || key.text == "phases")
    })
}

#[cfg(test)]
mod tests;
