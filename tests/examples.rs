//! The examples are what the documentation promises, so each one runs here.
//!
//! The one that needs a package registry is only validated; `.ci/run` runs it.

use std::{fs, path::Path, process::Command};

use crate::program::{Ended, content, pipewright, run};
use serde_json::Value;

fn example(name: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    root.join(name)
        .canonicalize()
        .expect("the example is there")
        .to_string_lossy()
        .into_owned()
}

/// The document that `-o json` printed.
fn document(ended: &Ended) -> Value {
    serde_json::from_str(&ended.stdout).expect("-o json prints a document")
}

/// A copy of the quickstart that a test may break.
fn quickstart() -> tempfile::TempDir {
    fn copy(from: &Path, to: &Path) {
        fs::create_dir_all(to).expect("a folder");
        for entry in fs::read_dir(from).expect("the example is there") {
            let path = entry.expect("the example is there").path();
            let name = path.file_name().expect("a file has a name");
            if path.is_dir() && name != "target" {
                copy(&path, &to.join(name));
            } else if path.is_file() {
                fs::copy(&path, to.join(name)).expect("a copy");
            }
        }
    }
    let folder = tempfile::tempdir().expect("a folder");
    copy(Path::new(&example("examples/quickstart")), folder.path());
    folder
}

#[test]
fn the_quickstart_ends_in_a_page_that_can_be_opened() {
    let folder = quickstart();
    let (file, data) = (
        folder.path().join("pipeline.yml"),
        folder.path().join("data"),
    );
    let (file, data) = (file.to_string_lossy(), data.to_string_lossy());
    let arguments = [
        "run",
        &file,
        "--approve",
        "auto",
        "-V",
        "Audience=<Ada>",
        "--data",
        &data,
        "-o",
        "json",
    ];
    let document = document(&run(arguments).expect(0));
    let deployed = document["deployed"][0]["path"]
        .as_str()
        .expect("something was deployed");
    let page = content(&Path::new(deployed).join("index.html"));
    assert!(page.contains("<h1>Hello, &lt;Ada&gt;</h1>"), "{page}");
    let pages = &document["stages"][2]["actions"][0]["outputVariables"]["PAGES"];
    assert_eq!(pages, "3");
}

#[test]
fn a_broken_link_in_the_quickstart_fails_its_lint_and_nothing_is_deployed() {
    let folder = quickstart();
    let index = folder.path().join("content/index.md");
    fs::write(&index, content(&index).replace("next.html", "gone.html")).expect("a file");
    let (file, data) = (
        folder.path().join("pipeline.yml"),
        folder.path().join("data"),
    );
    let (file, data) = (file.to_string_lossy(), data.to_string_lossy());
    let ended = run([
        "run",
        &file,
        "--approve",
        "auto",
        "--data",
        &data,
        "-o",
        "json",
    ])
    .expect(1);
    assert!(
        ended
            .stderr
            .contains("index.md: nothing is called gone.html"),
        "{}",
        ended.stderr
    );
    assert_eq!(document(&ended)["deployed"], serde_json::json!([]));
}

#[test]
fn a_kept_state_may_lie_in_another_folder_than_a_changed_source() {
    let folder = quickstart();
    let git = |words: &[&str]| {
        let status = Command::new("git")
            .args(["-c", "user.name=A", "-c", "user.email=a@example.org"])
            .args(words)
            .current_dir(folder.path())
            .status();
        assert!(status.is_ok_and(|status| status.success()), "git {words:?}");
    };
    git(&["init", "--quiet"]);
    git(&["add", "."]);
    git(&["commit", "--quiet", "--message", "All of it"]);
    fs::write(folder.path().join("content/new.md"), "# New\n").expect("a file");
    let elsewhere = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("pipeline.yml");
    let file = file.to_string_lossy();
    let arguments = ["run", &file, "--only", "Check/lint", "--data", "state"];
    let status = pipewright(arguments).current_dir(elsewhere.path()).output();
    let output = status.expect("the program was built");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(elsewhere.path().join("state/runs").is_dir());
}

#[test]
fn every_example_is_valid() {
    let files = [
        "examples/quickstart/pipeline.yml",
        "examples/third-party/pipeline.yml",
        "pipewright.yml",
    ];
    let files = files.map(example);
    run(["validate"]
        .into_iter()
        .chain(files.iter().map(String::as_str)))
    .expect(0);
}
