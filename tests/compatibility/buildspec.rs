//! The keys of a buildspec, each tried.

use buildspec::parse;

use crate::table;

/// A key with the lines that use it, below `version` and before `phases`.
const KEYS: [(&str, &str); 29] = [
    ("version 0.2", ""),
    ("run-as", "run-as: builder"),
    ("env.shell: bash", "env: {shell: bash}"),
    ("env.shell: powershell.exe", "env: {shell: powershell.exe}"),
    ("env.variables", "env: {variables: {A: b}}"),
    ("env.parameter-store", "env: {parameter-store: {A: /a}}"),
    ("env.secrets-manager", "env: {secrets-manager: {A: 'a:b'}}"),
    ("env.exported-variables", "env: {exported-variables: [A]}"),
    (
        "env.git-credential-helper",
        "env: {git-credential-helper: yes}",
    ),
    ("proxy.upload-artifacts", "proxy: {upload-artifacts: yes}"),
    ("proxy.logs", "proxy: {logs: yes}"),
    ("batch", "batch: {build-list: [{identifier: a}]}"),
    (
        "reports (JUNITXML)",
        "reports: {r: {files: [a.xml], file-format: JUNITXML}}",
    ),
    (
        "reports (CUCUMBERJSON)",
        "reports: {r: {files: [a.json], file-format: CUCUMBERJSON}}",
    ),
    (
        "reports.base-directory",
        "reports: {r: {files: [a.xml], base-directory: d}}",
    ),
    (
        "reports.discard-paths",
        "reports: {r: {files: [a.xml], discard-paths: yes}}",
    ),
    ("artifacts.files", "artifacts: {files: ['**/*']}"),
    ("artifacts.name", "artifacts: {files: [a], name: n}"),
    (
        "artifacts.discard-paths",
        "artifacts: {files: [a], discard-paths: yes}",
    ),
    (
        "artifacts.base-directory",
        "artifacts: {files: [a], base-directory: d}",
    ),
    (
        "artifacts.exclude-paths",
        "artifacts: {files: [a], exclude-paths: [b]}",
    ),
    (
        "artifacts.enable-symlinks",
        "artifacts: {files: [a], enable-symlinks: yes}",
    ),
    (
        "artifacts.s3-prefix",
        "artifacts: {files: [a], s3-prefix: p}",
    ),
    (
        "artifacts.secondary-artifacts",
        "artifacts: {files: [a], secondary-artifacts: {b: {files: [b]}}}",
    ),
    ("cache.paths", "cache: {paths: [a]}"),
    ("cache.key", "cache: {paths: [a], key: k}"),
    (
        "cache.fallback-keys",
        "cache: {paths: [a], key: k, fallback-keys: [j]}",
    ),
    ("cache.action", "cache: {paths: [a], action: restore}"),
    ("a key that does not exist", "surprise: 1"),
];

/// A key of a phase with the lines that use it.
const PHASE_KEYS: [(&str, &str); 7] = [
    ("phases.*.commands", "commands: [a]"),
    ("phases.*.finally", "commands: [a]\n    finally: [b]"),
    ("phases.*.run-as", "commands: [a]\n    run-as: builder"),
    (
        "phases.*.on-failure: ABORT",
        "commands: [a]\n    on-failure: ABORT",
    ),
    (
        "phases.*.on-failure: CONTINUE",
        "commands: [a]\n    on-failure: CONTINUE",
    ),
    (
        "phases.*.on-failure: RETRY",
        "commands: [a]\n    on-failure: RETRY-2-.*timeout.*",
    ),
    (
        "phases.install.runtime-versions",
        "runtime-versions: {python: 3.11}\n    commands: [a]",
    ),
];

pub(crate) fn section() -> String {
    let top = KEYS.iter().map(|(key, lines)| {
        let text = format!("version: 0.2\n{lines}\nphases:\n  build:\n    commands: [a]\n");
        row(key, &text)
    });
    let phases = PHASE_KEYS.iter().map(|(key, lines)| {
        row(
            key,
            &format!("version: 0.2\nphases:\n  install:\n    {lines}\n"),
        )
    });
    let old = row(
        "version 0.1",
        "version: 0.1\nphases:\n  build:\n    commands: [a]\n",
    );
    let rows: Vec<_> = top.chain(phases).chain([old]).collect();
    format!("## Buildspec\n\n{}", table(&["key", "here"], &rows))
}

fn row(key: &str, text: &str) -> Vec<String> {
    let verdict = match parse::buildspec(text) {
        Ok((_, warnings)) if warnings.is_empty() => "taken".to_owned(),
        Ok((_, warnings)) => format!("a warning: {}", warnings[0].message),
        Err(problems) => format!("refused: {}", problems[0].message),
    };
    vec![format!("`{key}`"), verdict.replace('|', "\\|")]
}
