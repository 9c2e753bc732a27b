//! A variable reference: `#{namespace.key}` inside a string value (spec 30 §11).
//!
//! Validation reads references to check that somebody produces them; the engine reads the same
//! ones to put values in their place. There is no escape: every `#{` begins a reference.

use std::ops::Range;

use thiserror::Error;

/// The namespace of the service's own variables.
pub const CODEPIPELINE: &str = "codepipeline";
/// The one key of [`CODEPIPELINE`].
pub const PIPELINE_EXECUTION_ID: &str = "PipelineExecutionId";
/// The namespace of the pipeline's variables, once it declares any.
pub const VARIABLES: &str = "variables";

/// One reference and the bytes that it takes in its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    pub namespace: String,
    pub key: String,
    pub range: Range<usize>,
}

/// A `#{` that does not begin a reference.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SyntaxError {
    #[error("`#{{` at character {at} is never closed")]
    Unclosed { at: usize },
    #[error(
        "`{text}` is not a variable reference; \
         the valid format is a namespace and a key separated by a period: #{{namespace.key}}"
    )]
    Malformed { text: String },
}

/// Whether the text holds what could be a reference.
pub fn has_reference(text: &str) -> bool {
    text.contains("#{")
}

/// The references of a text, in order.
pub fn references(text: &str) -> Result<Vec<Reference>, SyntaxError> {
    let mut found = Vec::new();
    let mut from = 0;
    // Each turn moves past one `#{`, so the length of the text bounds them.
    while let Some(start) = text[from..].find("#{").map(|at| from + at) {
        let inner = start + 2;
        let Some(close) = text[inner..].find('}').map(|at| inner + at) else {
            return Err(SyntaxError::Unclosed {
                at: text[..start].chars().count() + 1,
            });
        };
        let range = start..close + 1;
        match text[inner..close].split_once('.') {
            Some((namespace, key)) if is_name(namespace) && is_name(key) => {
                let (namespace, key) = (namespace.to_owned(), key.to_owned());
                found.push(Reference {
                    namespace,
                    key,
                    range,
                });
            }
            Some(_) | None => {
                let text = super::problem::quoted(&text[range]);
                return Err(SyntaxError::Malformed { text });
            }
        }
        from = close + 1;
    }
    Ok(found)
}

/// Namespaces, keys and variable names are of these characters: `[A-Za-z0-9@\-_]+`.
pub(super) fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(is_name_char)
}

pub(super) fn is_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '@' | '-' | '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spelt(text: &str) -> String {
        match references(text) {
            Ok(found) => found
                .iter()
                .map(|r| format!("{}/{}={}", r.namespace, r.key, &text[r.range.clone()]))
                .collect::<Vec<_>>()
                .join(" "),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn references_stand_anywhere_in_a_text() {
        assert_eq!(spelt("no reference, not even with # { or ${x.y}"), "");
        assert_eq!(spelt("ü#{a.b}-#{C@1.d_2}"), "a/b=#{a.b} C@1/d_2=#{C@1.d_2}");
        assert_eq!(spelt("#{a.b}#{a.b}"), "a/b=#{a.b} a/b=#{a.b}");
    }

    #[test]
    fn what_only_begins_like_a_reference_is_refused() {
        assert_eq!(spelt("ab #{a.b"), "`#{` at character 4 is never closed");
        for text in [
            "#{}",
            "#{a}",
            "#{a.}",
            "#{.b}",
            "#{a.b.c}",
            "#{a b.c}",
            "#{#{a.b}.c}",
            "#{ü.b}",
        ] {
            assert!(
                spelt(text).contains("is not a variable reference"),
                "{text}: {}",
                spelt(text)
            );
        }
    }
}
