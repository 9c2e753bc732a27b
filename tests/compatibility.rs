//! `docs/compatibility.md` is written from what the code supports, and checked here.
//!
//! ```text
//! UPDATE=1 cargo test -p pipewright-tests --test compatibility
//! ```

#[path = "compatibility/buildspec.rs"]
mod buildspec;
#[path = "compatibility/declaration.rs"]
mod declaration;
#[path = "compatibility/operations.rs"]
mod operations;
#[path = "compatibility/providers.rs"]
mod providers;

use std::{env, fs};

use pipewright_tests::root;

const HEAD: &str = "\
# Compatibility

Written from the code by a test; do not edit it.

What is *refused* is an error that names it; what is only warned about says so in the log.
";

const REWRITE: &str = "UPDATE=1 cargo test -p pipewright-tests --test compatibility";

/// A table with its head.
fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let head: Vec<String> = head.iter().map(|cell| (*cell).to_owned()).collect();
    let rule = vec!["---".to_owned(); head.len()];
    let rows: String = rows.iter().map(|row| line(row)).collect();
    line(&head) + &line(&rule) + &rows
}

#[test]
fn the_page_says_what_the_code_does() {
    let sections = [
        operations::section(),
        declaration::section(),
        providers::section(),
        buildspec::section(),
    ];
    let page = format!("{HEAD}\n{}", sections.join("\n"));
    let path = root().join("docs/compatibility.md");
    if env::var_os("UPDATE").is_some() {
        fs::write(&path, &page).expect("the docs can be written");
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == page,
        "docs/compatibility.md is not current; write it anew: {REWRITE}"
    );
}
