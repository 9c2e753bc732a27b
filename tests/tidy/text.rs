//! What no file may hold.

use pipewright_tests::{SourceFile, source_files};

/// The most lines of a file; one that needs more is split by its nouns.
const LINES_MAX: usize = 600;

/// Files that may be longer, each with why.
const LONG: [(&str, &str); 2] = [
    (
        "shared/model/src/declaration/tests/rules.rs",
        "one table: every rule of a declaration with the text that breaks it",
    ),
    (
        "shared/ports/src/contract/pipelines.rs",
        "the contract of one port: a function for each property, none of which leans on another",
    ),
];

fn rust_files() -> Vec<SourceFile> {
    let mut files = source_files();
    files.retain(|file| file.is_a("rs"));
    assert!(files.len() > 50, "the walk found the workspace");
    files
}

/// Fails with every line that the claim holds for.
fn none(files: &[SourceFile], claim: impl Fn(&str, &str) -> bool) {
    let mut found = Vec::new();
    for file in files {
        let lines = file.text.lines().enumerate();
        let bad = lines.filter(|(_, line)| claim(&file.path, line));
        found.extend(bad.map(|(number, line)| format!("{}:{}: {line}", file.path, number + 1)));
    }
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

/// A word in two halves, so that this file does not hold it.
fn word(halves: [&str; 2]) -> String {
    halves.concat()
}

#[test]
fn nothing_is_left_for_later() {
    let words = [["todo", "!("], ["unimplemented", "!("], ["FIX", "ME"]].map(word);
    none(&rust_files(), |_, line| {
        words.iter().any(|word| line.contains(word))
    });
}

#[test]
fn lints_are_expected_with_a_reason_and_never_allowed() {
    let allow = [["#[al", "low("], ["#![al", "low("]].map(word);
    none(&rust_files(), |_, line| {
        allow.iter().any(|word| line.contains(word))
    });
}

#[test]
fn an_ignored_test_says_which_command_runs_it() {
    let bare = word(["#[ig", "nore]"]);
    none(&rust_files(), |_, line| line.contains(&bare));
}

#[test]
fn no_module_is_called_mod() {
    let files = rust_files();
    let mods = files.iter().filter(|file| file.path.ends_with("/mod.rs"));
    assert_eq!(
        mods.map(|file| file.path.as_str()).collect::<Vec<_>>(),
        Vec::<&str>::new()
    );
}

#[test]
fn every_file_of_code_begins_by_saying_what_it_is() {
    for file in rust_files() {
        // An entry point is wiring, and a module's tests are about that module.
        let name = file.path.rsplit('/').next().unwrap_or_default();
        let excused = name == "main.rs" || name == "tests.rs";
        let first = file.text.lines().next().unwrap_or_default();
        let is_said = first.starts_with("//!");
        assert!(
            is_said || excused,
            "{} does not begin with `//!`",
            file.path
        );
    }
}

#[test]
fn no_file_is_too_long_to_read() {
    for file in rust_files() {
        let lines = file.text.lines().count();
        let reason = LONG.iter().find(|(path, _)| *path == file.path);
        assert!(
            lines <= LINES_MAX || reason.is_some(),
            "{} has {lines} lines",
            file.path
        );
    }
}

#[test]
fn no_text_names_somebodys_machine() {
    let folders = [["/wo", "rk/"], ["/fa", "rm/"], ["/ro", "ot/"]].map(word);
    // What spec 70 says of a build's home and of its source folder is not about a machine.
    let of_builds = ["buildspec", "CODEBUILD", "HOME"];
    none(&source_files(), |path, line| {
        let names = folders.iter().any(|folder| line.contains(folder));
        let excused = of_builds
            .iter()
            .any(|word| line.contains(word) || path.contains(word));
        names && !excused
    });
}

#[test]
fn lines_end_where_they_end() {
    none(&rust_files(), |_, line| line.ends_with([' ', '\t', '\r']));
}
