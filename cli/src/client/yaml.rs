//! YAML of a JSON document, as a person would write it: block style, and quotes only where a plain
//! word would be read as something else.

use serde_json::Value;

/// How deep a document may nest; a declaration needs twelve levels.
const DEPTH_MAX: usize = 64;

/// How people order the keys of a declaration; those that are not named come between these and
/// [`LAST`], by their letters.
const FIRST: [&str; 17] = [
    "pipeline",
    "name",
    "pipelineType",
    "executionMode",
    "roleArn",
    "artifactStore",
    "artifactStores",
    "variables",
    "triggers",
    "actionTypeId",
    "runOrder",
    "category",
    "owner",
    "provider",
    "version",
    "type",
    "location",
];
const LAST: [&str; 2] = ["stages", "actions"];

/// The document, with a line break at its end.
pub fn render(document: &Value) -> String {
    let mut text = String::new();
    node(&mut text, document, 0, 0);
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

/// Where a key comes among the others; keys of one rank keep the order that they have.
fn rank(key: &str) -> usize {
    let of = |list: &[&str]| list.iter().position(|known| *known == key);
    match (of(&FIRST), of(&LAST)) {
        (Some(at), _) => at,
        (None, Some(at)) => FIRST.len() + 1 + at,
        (None, None) => FIRST.len(),
    }
}

/// Writes a value that begins at the end of what is written: a scalar there, a block below.
fn node(text: &mut String, value: &Value, indent: usize, depth: usize) {
    match value {
        Value::Object(entries) if !entries.is_empty() && depth < DEPTH_MAX => {
            let mut entries: Vec<_> = entries.iter().collect();
            entries.sort_by_key(|(key, _)| rank(key));
            for (at, (key, value)) in entries.into_iter().enumerate() {
                if at > 0 {
                    text.push_str(&" ".repeat(indent));
                }
                text.push_str(&scalar(key));
                text.push(':');
                below(text, value, indent, depth);
            }
        }
        Value::Array(items) if !items.is_empty() && depth < DEPTH_MAX => {
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    text.push_str(&" ".repeat(indent));
                }
                text.push_str("- ");
                node(text, item, indent + 2, depth + 1);
                end_line(text);
            }
        }
        Value::String(said) if is_block(said) => {
            let mark = if said.ends_with('\n') { "|" } else { "|-" };
            text.push_str(mark);
            text.push('\n');
            for line in said.lines() {
                if !line.is_empty() {
                    text.push_str(&" ".repeat(indent.max(2)));
                    text.push_str(line);
                }
                text.push('\n');
            }
        }
        Value::String(said) => text.push_str(&scalar(said)),
        // JSON is YAML, too: empty lists, numbers, and what nests too deep.
        other => text.push_str(&other.to_string()),
    }
}

/// The value of a key: on the same line, or below it.
fn below(text: &mut String, value: &Value, indent: usize, depth: usize) {
    match value {
        Value::Object(entries) if !entries.is_empty() => {
            text.push('\n');
            text.push_str(&" ".repeat(indent + 2));
            node(text, value, indent + 2, depth + 1);
        }
        // A list stands below its key without being moved in.
        Value::Array(items) if !items.is_empty() => {
            text.push('\n');
            text.push_str(&" ".repeat(indent));
            node(text, value, indent, depth + 1);
        }
        _ => {
            text.push(' ');
            node(text, value, indent + 2, depth + 1);
        }
    }
    end_line(text);
}

fn end_line(text: &mut String) {
    if !text.ends_with('\n') {
        text.push('\n');
    }
}

/// Whether a text of several lines can be written as a block and be read as the same.
fn is_block(text: &str) -> bool {
    let is_plain = |c: char| c == '\n' || !c.is_control();
    text.contains('\n')
        && !text.starts_with([' ', '\n'])
        && !text.ends_with("\n\n")
        && text.chars().all(is_plain)
        && text.lines().all(|line| line.trim_end() == line)
}

/// A text on one line.
fn scalar(text: &str) -> String {
    if is_plain(text) {
        return text.to_owned();
    }
    if text.chars().any(char::is_control) {
        // A JSON string is a YAML string in double quotes.
        return Value::String(text.to_owned()).to_string();
    }
    format!("'{}'", text.replace('\'', "''"))
}

/// Whether a text can stand without quotes and be read as itself.
fn is_plain(text: &str) -> bool {
    const WORDS: [&str; 11] = [
        "true", "false", "null", "yes", "no", "on", "off", "y", "n", "~", "",
    ];
    let is_safe = |c: char| c.is_alphanumeric() || " _-./:@$(){}[]+=,%;?!*&|<>~^'\"".contains(c);
    let begins = |c: char| c.is_alphabetic() || c == '/' || c == '_' || c == '$';
    text.starts_with(begins)
        && text.chars().all(is_safe)
        && !text.ends_with([' ', ':'])
        && !text.contains(": ")
        && !WORDS.contains(&text.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use model::declaration::read::{Format, tree};
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_document_looks_as_if_a_person_had_written_it() {
        let document = json!({"pipeline": {
            "name": "web",
            "roleArn": "arn:aws:iam::000000000000:role/r",
            "stages": [{"name": "Source", "actions": [
                {"name": "get", "configuration": {}, "version": "1", "runOrder": 1,
                 "script": "echo a\nmake: all\n", "note": "it's #1"},
            ]}, {"name": "true", "actions": []}],
        }});
        expect![[r#"
            pipeline:
              name: web
              roleArn: arn:aws:iam::000000000000:role/r
              stages:
              - name: Source
                actions:
                - name: get
                  runOrder: 1
                  version: '1'
                  configuration: {}
                  note: 'it''s #1'
                  script: |
                    echo a
                    make: all
              - name: 'true'
                actions: []
        "#]]
        .assert_eq(&render(&document));
    }

    /// What our own reader makes of the text, as JSON again.
    fn read_back(text: &str) -> Value {
        use model::declaration::node::{Node, Value as Read};
        fn json_of(node: &Node) -> Value {
            match &node.value {
                Read::Null => Value::Null,
                Read::Bool(value) => json!(value),
                Read::Integer(value) => json!(value),
                Read::Number(value) => serde_json::from_str(value).expect("a number"),
                Read::Text(value) => json!(value),
                Read::List(items) => items.iter().map(json_of).collect(),
                Read::Map(entries) => entries
                    .iter()
                    .map(|entry| (entry.key.clone(), json_of(&entry.node)))
                    .collect::<serde_json::Map<_, _>>()
                    .into(),
            }
        }
        json_of(&tree(text, Format::Yaml).unwrap_or_else(|e| panic!("{e:?}\n{text}")))
    }

    fn documents() -> impl Strategy<Value = Value> {
        let text = prop_oneof![
            "[ -~\n\täß漢]{0,12}",
            "(true|no|~|null|1|0x1|1e3|-|- a|a: b|#x|a #b|'|\"|&a|\\*a|!t|%|@|`|\\||>|=|<<)",
        ];
        let leaf = prop_oneof![
            text.clone().prop_map(Value::from),
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
        ];
        let nested = leaf.prop_recursive(4, 32, 4, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[a-z1:# -]{1,6}", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        });
        prop::collection::btree_map("[a-z]{1,6}", nested, 1..4)
            .prop_map(|map| Value::Object(map.into_iter().collect()))
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_as_the_same(document in documents()) {
            let text = render(&document);
            prop_assert_eq!(read_back(&text), document, "\n{}", text);
        }
    }
}
