//! What the end-to-end tests share: where the workspace is, what is in it, and what Cargo knows.

#![expect(
    clippy::missing_panics_doc,
    reason = "a test that cannot read its own workspace has failed"
)]

pub mod emulator;
pub mod engine;
pub mod http;
pub mod proxy;
pub mod python;
pub mod stand_in;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

/// Folders that hold what was made, not what was written.
const MADE: [&str; 6] = [
    "target",
    ".git",
    ".pipewright",
    "download",
    "public",
    "node_modules",
];

/// The folder of the workspace.
pub fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent()
        .expect("the tests lie in a folder of the workspace")
}

/// A file of the workspace, by its path from the root.
pub struct SourceFile {
    pub path: String,
    pub text: String,
}

impl SourceFile {
    /// Whether the name ends like that of such a file.
    pub fn is_a(&self, extension: &str) -> bool {
        let found = Path::new(&self.path).extension();
        found.is_some_and(|found| found == extension)
    }
}

/// Every text file of the workspace that somebody wrote, in order of their paths.
///
/// The folders are walked instead of asking git, because the tests also run in source archives.
pub fn source_files() -> Vec<SourceFile> {
    let mut files = Vec::new();
    let mut folders = vec![root().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("the workspace can be read") {
            let entry = entry.expect("the workspace can be read");
            let kind = entry.file_type().expect("a file has a type");
            let name = entry.file_name();
            if kind.is_dir() && !MADE.iter().any(|made| name == *made) {
                folders.push(entry.path());
            } else if kind.is_file() {
                files.extend(source_file(&entry.path()));
            }
        }
    }
    files.sort_by(|one, other| one.path.cmp(&other.path));
    files
}

fn source_file(path: &Path) -> Option<SourceFile> {
    let text = fs::read_to_string(path).ok()?;
    let path = path
        .strip_prefix(root())
        .ok()?
        .to_string_lossy()
        .into_owned();
    Some(SourceFile { path, text })
}

/// What `cargo metadata` says of the workspace and of everything that it is built from.
pub fn metadata() -> Value {
    let arguments = [
        "metadata",
        "--offline",
        "--format-version=1",
        "--filter-platform",
    ];
    let printed = cargo(&[&arguments[..], &[&host()]].concat());
    serde_json::from_str(&printed).expect("cargo prints JSON")
}

/// The standard output of a Cargo command that must succeed.
pub fn cargo(arguments: &[&str]) -> String {
    run(Path::new(env!("CARGO")), arguments)
}

/// The platform that this runs on; Cargo has fetched the crates of no other.
fn host() -> String {
    let version = run(&PathBuf::from("rustc"), &["-vV"]);
    let line = version.lines().find_map(|line| line.strip_prefix("host: "));
    line.expect("rustc names its host").to_owned()
}

fn run(program: &Path, arguments: &[&str]) -> String {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(root())
        .output()
        .expect("cargo and rustc are there, because they built this");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{} {arguments:?}: {errors}",
        program.display()
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}
