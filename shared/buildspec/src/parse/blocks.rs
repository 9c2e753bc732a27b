//! The blocks beside `phases`: `env`, `proxy`, `reports`, `artifacts`, `cache` (spec 70 §2).

use std::collections::BTreeMap;

use super::{
    fields::{Fields, Findings},
    tree::{Kind, Node},
};
use crate::document::{Artifacts, Cache, Env, FileSet, ReportGroup, ShellKind};

/// A project has at most as many report groups (spec 70 §6.2).
const REPORT_GROUPS_MAX: usize = 5;
/// A cache block has at most as many fallback keys (spec 70 §2).
const FALLBACK_KEYS_MAX: usize = 5;

pub(super) fn env(node: &Node, findings: &mut Findings) -> Env {
    let mut fields = Fields::of(node, "env", findings);
    let mut env = Env::default();
    if let Some(value) = fields.take("shell") {
        env.shell = shell(value, fields.findings);
    }
    env.variables = fields.map("variables");
    env.parameter_store = fields.map("parameter-store");
    env.secrets_manager = fields.map("secrets-manager");
    for names in [&env.variables, &env.parameter_store, &env.secrets_manager] {
        check_names(names, node, fields.findings);
    }
    env.exported_variables = fields.list("exported-variables").unwrap_or_default();
    for name in &env.exported_variables {
        if !is_shell_name(name) {
            fields
                .findings
                .problem(node, format!("{name:?} cannot be an exported variable"));
        }
    }
    if let Some(key) = fields.key("git-credential-helper")
        && fields.yes("git-credential-helper")
    {
        let message = "git-credential-helper has no effect: the build has no credentials of the \
                       source; git asks as it is configured";
        fields.findings.warning(key.line, key.column, message);
    }
    fields.finish(&[
        "shell",
        "variables",
        "parameter-store",
        "secrets-manager",
        "exported-variables",
        "git-credential-helper",
    ]);
    env
}

fn shell(node: &Node, findings: &mut Findings) -> ShellKind {
    match node.scalar() {
        Some("bash" | "/bin/bash") => ShellKind::Bash,
        Some("sh" | "/bin/sh") => ShellKind::Sh,
        Some(other) => {
            findings.problem(
                node,
                format!("the shell {other} is not supported; use bash or /bin/sh"),
            );
            ShellKind::Sh
        }
        None => {
            findings.problem(node, "shell is bash or /bin/sh");
            ShellKind::Sh
        }
    }
}

/// `CODEBUILD_` belongs to the service (spec 70 §4.1).
fn check_names(names: &BTreeMap<String, String>, node: &Node, findings: &mut Findings) {
    for name in names.keys() {
        if name.starts_with("CODEBUILD_") {
            let message = format!("{name}: names that begin with CODEBUILD_ are reserved");
            findings.problem(node, message);
        } else if name.is_empty() || name.contains(['=', '\0']) {
            findings.problem(node, format!("{name:?} cannot be the name of a variable"));
        }
    }
}

/// Whether a shell can read `$NAME`.
pub(crate) fn is_shell_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// The spelling of version 0.1 (spec 70 §9).
pub(super) fn environment_variables(node: &Node, env: &mut Env, findings: &mut Findings) {
    let mut fields = Fields::of(node, "environment_variables", findings);
    let plaintext = fields.map("plaintext");
    check_names(&plaintext, node, fields.findings);
    env.variables.extend(plaintext);
    fields.finish(&["plaintext"]);
}

/// Uploads and logs stay on this machine, so there is nothing that a proxy could carry: who asks for
/// one is told so.
pub(super) fn proxy(node: &Node, findings: &mut Findings) {
    let mut fields = Fields::of(node, "proxy", findings);
    let asks = [fields.yes("upload-artifacts"), fields.yes("logs")];
    if asks.contains(&true) {
        let message = "proxy has no effect here: artifacts and logs stay on this machine";
        fields.findings.warning(node.line, node.column, message);
    }
    fields.finish(&["upload-artifacts", "logs"]);
}

pub(super) fn reports(node: &Node, findings: &mut Findings) -> Vec<ReportGroup> {
    let Kind::Map(entries) = &node.kind else {
        if !matches!(node.kind, Kind::Null) {
            findings.problem(node, format!("reports is a mapping, not {}", node.what()));
        }
        return Vec::new();
    };
    if entries.len() > REPORT_GROUPS_MAX {
        findings.problem(
            node,
            format!("a buildspec has at most {REPORT_GROUPS_MAX} report groups"),
        );
    }
    let mut groups = Vec::new();
    for (key, value) in entries {
        let mut fields = Fields::of(value, "a report group", findings);
        let files = required_files(&mut fields, value, "a report group");
        let format = fields
            .text("file-format")
            .unwrap_or_else(|| "JUNITXML".to_owned());
        let base_directory = fields.text("base-directory");
        fields.yes("discard-paths");
        fields.finish(&["files", "file-format", "base-directory", "discard-paths"]);
        groups.push(ReportGroup {
            name: key.text.clone(),
            files,
            format: format.to_ascii_uppercase(),
            base_directory,
        });
    }
    groups
}

fn required_files(fields: &mut Fields<'_, '_>, node: &Node, owner: &str) -> Vec<String> {
    let files = fields.list("files").unwrap_or_default();
    if files.is_empty() {
        fields
            .findings
            .problem(node, format!("{owner} needs files"));
    }
    files
}

const FILE_SET_KEYS: [&str; 8] = [
    "files",
    "name",
    "discard-paths",
    "base-directory",
    "exclude-paths",
    "enable-symlinks",
    "s3-prefix",
    "secondary-artifacts",
];

pub(super) fn artifacts(node: &Node, findings: &mut Findings) -> Option<Artifacts> {
    if matches!(node.kind, Kind::Null) {
        return None;
    }
    let mut fields = Fields::of(node, "artifacts", findings);
    let primary = file_set(&mut fields, node, "artifacts");
    let mut secondary = BTreeMap::new();
    if let Some(block) = fields.take("secondary-artifacts") {
        match &block.kind {
            Kind::Map(entries) => {
                for (key, value) in entries {
                    let mut inner = Fields::of(value, "a secondary artifact", fields.findings);
                    let set = file_set(&mut inner, value, "a secondary artifact");
                    inner.finish(&FILE_SET_KEYS[..7]);
                    secondary.insert(key.text.clone(), set);
                }
            }
            Kind::Null => {}
            Kind::Scalar(_) | Kind::List(_) => {
                let message = format!("secondary-artifacts is a mapping, not {}", block.what());
                fields.findings.problem(block, message);
            }
        }
    }
    fields.finish(&FILE_SET_KEYS);
    Some(Artifacts { primary, secondary })
}

fn file_set(fields: &mut Fields<'_, '_>, node: &Node, owner: &str) -> FileSet {
    let files = required_files(fields, node, owner);
    // The place of an artifact belongs to whoever ordered the build, so the prefix has no effect
    // in a pipeline (spec 70 §6.1).
    fields.text("s3-prefix");
    FileSet {
        files,
        name: fields.text("name"),
        discard_paths: fields.yes("discard-paths"),
        base_directory: fields.text("base-directory"),
        exclude_paths: fields.list("exclude-paths").unwrap_or_default(),
        enable_symlinks: fields.yes("enable-symlinks"),
    }
}

pub(super) fn cache(node: &Node, findings: &mut Findings) -> Option<Cache> {
    if matches!(node.kind, Kind::Null) {
        return None;
    }
    let mut fields = Fields::of(node, "cache", findings);
    let paths = fields.list("paths").unwrap_or_default();
    if paths.is_empty() {
        fields.findings.problem(node, "cache needs paths");
    }
    let key = fields.text("key");
    let fallback_keys = fields.list("fallback-keys").unwrap_or_default();
    if fallback_keys.len() > FALLBACK_KEYS_MAX {
        let message = format!("a cache has at most {FALLBACK_KEYS_MAX} fallback keys");
        fields.findings.problem(node, message);
    }
    let action_place = fields.key("action").map(|key| (key.line, key.column));
    let (restore, save) = match fields.text("action").as_deref() {
        None => (true, true),
        Some("restore") => (true, false),
        Some("save") => (false, true),
        Some(other) => {
            if let Some((line, column)) = action_place {
                let message = format!("the action of a cache is restore or save, not {other}");
                fields.findings.problem_at(line, column, message);
            }
            (true, true)
        }
    };
    fields.finish(&["key", "fallback-keys", "action", "paths"]);
    Some(Cache {
        key,
        fallback_keys,
        restore,
        save,
        paths,
    })
}
