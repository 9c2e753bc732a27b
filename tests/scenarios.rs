//! A scenario is a text with files, commands and what they answer, for anybody to read.
//!
//! ```text
//! Prose says what it shows.
//!
//! --- pipeline.yml
//! the content of a file, up to the next line that begins with `---` or `$`
//!
//! $ pipewright validate pipeline.yml
//! what standard output says
//! | what standard error says
//! ? 3                               the exit code, when it is not 0
//! ```
//!
//! Times, ids and the folder differ from run to run and are written as `TIME`, `ID` and `DIR`.
//! `UPDATE=1 cargo test -p pipewright --test end_to_end` writes the answers anew.

use std::{env, fs, path::Path, process::Command};

use crate::program::{content, pipewright};

/// A part of a scenario, in its order.
enum Part {
    /// Words for the reader, and what was answered before.
    Text(String),
    File {
        name: String,
        lines: Vec<String>,
    },
    Command {
        line: String,
        answer: Vec<String>,
    },
}

fn parse(text: &str) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("--- ") {
            parts.push(Part::File {
                name: name.to_owned(),
                lines: Vec::new(),
            });
        } else if let Some(command) = line.strip_prefix("$ ") {
            parts.push(Part::Command {
                line: command.to_owned(),
                answer: Vec::new(),
            });
        } else if let Some(words) = line.strip_prefix("# ") {
            parts.push(Part::Text(words.to_owned()));
        } else {
            match parts.last_mut() {
                Some(Part::File { lines, .. }) => lines.push(line.to_owned()),
                Some(Part::Command { answer, .. }) => answer.push(line.to_owned()),
                Some(Part::Text(_)) | None => {}
            }
        }
    }
    parts
}

/// The scenario as it goes now.
fn play(text: &str) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let mut played = Vec::new();
    for part in parse(text) {
        match part {
            Part::Text(words) => {
                let gap = if played.is_empty() { "" } else { "\n" };
                played.push(format!("{gap}# {words}"));
            }
            Part::File { name, mut lines } => {
                while lines.last().is_some_and(String::is_empty) {
                    lines.pop();
                }
                let path = folder.path().join(&name);
                let parent = path.parent().expect("a file lies in a folder");
                fs::create_dir_all(parent).expect("a folder");
                fs::write(&path, lines.join("\n") + "\n").expect("a file");
                played.push(format!("\n--- {name}\n{}", lines.join("\n")));
            }
            Part::Command { line, .. } => {
                played.push(format!("\n$ {line}"));
                played.extend(answer(folder.path(), &line));
            }
        }
    }
    played.join("\n") + "\n"
}

/// What a command says, line by line.
fn answer(folder: &Path, line: &str) -> Vec<String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let mut command = match words.as_slice() {
        ["pipewright", rest @ ..] => pipewright(rest),
        ["cat", path] => {
            let text = content(&folder.join(path));
            return text.lines().map(str::to_owned).collect();
        }
        _ => Command::new("false"),
    };
    let output = command
        .current_dir(folder)
        .output()
        .expect("the program was built");
    let mut lines = Vec::new();
    for (mark, bytes) in [("", &output.stdout), ("| ", &output.stderr)] {
        let text = redacted(&String::from_utf8_lossy(bytes), folder);
        lines.extend(
            text.lines()
                .map(|line| format!("{mark}{line}").trim_end().to_owned()),
        );
    }
    if output.status.code() != Some(0) {
        lines.push(format!("? {}", output.status.code().unwrap_or(-1)));
    }
    lines
}

/// The text without what differs from run to run.
fn redacted(text: &str, folder: &Path) -> String {
    let text = text.replace(&*folder.to_string_lossy(), "DIR");
    let mut out = String::new();
    let mut word = String::new();
    for letter in text.chars().chain(['\n']) {
        if letter.is_ascii_alphanumeric() || matches!(letter, ':' | '.' | '-') {
            word.push(letter);
        } else {
            out.push_str(stand_in(&word));
            word.clear();
            out.push(letter);
        }
    }
    out.pop();
    out.lines()
        .map(without_log_time)
        .collect::<Vec<_>>()
        .join("\n")
}

/// The line of a build's log without its date and time.
fn without_log_time(line: &str) -> String {
    const MARK: &str = "[Container] ";
    match line.split_once(MARK) {
        Some((before, after)) => {
            let said = after.splitn(3, ' ').nth(2).unwrap_or_default();
            format!("{before}{MARK}TIME {said}")
        }
        None => line.to_owned(),
    }
}

/// What stands for a word: itself, unless it is a time or an id.
fn stand_in(word: &str) -> &str {
    let is_hex = |text: &str| text.chars().all(|c| c.is_ascii_hexdigit());
    let digits = word.chars().filter(char::is_ascii_digit).count();
    let number = word.trim_end_matches("ms").trim_end_matches('s');
    let is_duration = word.ends_with('s') && number != word && number.parse::<f64>().is_ok();
    let is_clock = digits >= 6 && word.contains(':') && word.ends_with('Z');
    let is_id = (word.len() == 8 || word.len() == 40) && digits > 0 && is_hex(word)
        || word.len() == 36 && word.split('-').count() == 5;
    if is_duration || is_clock {
        "TIME"
    } else if is_id {
        "ID"
    } else {
        word
    }
}

#[test]
fn every_scenario_goes_as_it_is_written() {
    let scenarios = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/scenarios");
    let mut paths: Vec<_> = fs::read_dir(&scenarios)
        .expect("there are scenarios")
        .map(|entry| entry.expect("there are scenarios").path())
        .collect();
    paths.sort();
    assert!(!paths.is_empty(), "there are scenarios");
    let update = env::var_os("UPDATE").is_some();
    for path in paths {
        let written = content(&path);
        let played = play(&written);
        if update {
            fs::write(&path, &played).expect("a file");
        } else {
            assert_eq!(played, written, "{}", path.display());
        }
    }
}

#[test]
fn what_differs_from_run_to_run_is_told_from_what_does_not() {
    let folder = Path::new("/somewhere");
    let line =
        "12:03:41Z Build/compile Succeeded 31.8s in /somewhere/x, 5f1c9e7a (3 files) deadbeef";
    let expected = "TIME Build/compile Succeeded TIME in DIR/x, ID (3 files) deadbeef";
    assert_eq!(redacted(line, folder), expected);
}
