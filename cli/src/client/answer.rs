//! An answer on standard output: lines for people, or JSON for programs.

use serde_json::{Value, json};

use crate::{
    args::Output,
    failure::Failure,
    terminal::{self, Terminal},
};

/// Prints text.
pub fn text(text: &str) -> Result<(), Failure> {
    terminal::print(text).map_err(|error| Failure::system("write the answer", &error))
}

/// Prints one thing: as a document, on one line where every line is one.
pub fn one(terminal: Terminal, document: &Value) -> Result<(), Failure> {
    match terminal.output {
        Output::Jsonl => text(&format!("{document}\n")),
        Output::Text | Output::Json | Output::Yaml => text(&format!("{document:#}\n")),
    }
}

/// Prints a list: as one document, or each item as a line.
pub fn list(terminal: Terminal, key: &str, items: Vec<Value>) -> Result<(), Failure> {
    if terminal.output != Output::Jsonl {
        return one(terminal, &json!({"v": 1, key: items}));
    }
    let lines = items.into_iter().map(|mut item| {
        if item.is_object() {
            item["v"] = json!(1);
        }
        format!("{item}\n")
    });
    text(&lines.collect::<String>())
}

/// What an operation did: a line for people, the same as a document for programs.
pub fn done(terminal: Terminal, line: &str, mut document: Value) -> Result<(), Failure> {
    if terminal.output == Output::Text {
        if terminal.is_quiet() {
            return Ok(());
        }
        return text(&format!("{line}\n"));
    }
    document["v"] = json!(1);
    one(terminal, &document)
}
