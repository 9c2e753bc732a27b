//! A problem: one thing that is wrong with a declaration, where, and what to do about it.

use std::fmt;

use super::path::Path;

/// The longest part of a refused value that a message repeats.
pub const QUOTED_CHARS_MAX: usize = 256;

/// The API exception that a problem is reported as (spec 10 §3, spec 20 §9).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Exception {
    /// The text is no JSON or YAML, or a member has the wrong type (spec 10 §1).
    Serialization,
    /// A length, pattern, range, enum or required member.
    Validation,
    InvalidStructure,
    InvalidStageDeclaration,
    InvalidActionDeclaration,
    InvalidBlockerDeclaration,
}

impl Exception {
    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Serialization => "SerializationException",
            Self::Validation => "ValidationException",
            Self::InvalidStructure => "InvalidStructureException",
            Self::InvalidStageDeclaration => "InvalidStageDeclarationException",
            Self::InvalidActionDeclaration => "InvalidActionDeclarationException",
            Self::InvalidBlockerDeclaration => "InvalidBlockerDeclarationException",
        }
    }
}

impl fmt::Display for Exception {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A stretch of one line of a text; lines and columns count from 1, columns in characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub line: usize,
    pub column: usize,
    /// The column after the last character.
    pub end_column: usize,
}

impl Place {
    /// The one character at that place.
    pub const fn at(line: usize, column: usize) -> Self {
        Self {
            line,
            column,
            end_column: column + 1,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// The rule numbers that are not of the table in spec 20 §9.
pub mod rule {
    /// The text cannot be read as a declaration.
    pub const READING: u8 = 0;
    /// A constraint on the shape of one value.
    pub const SHAPE: u8 = 1;
    /// The feature is CodePipeline's, and not ours yet.
    pub const SUPPORT: u8 = 100;
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The number of the rule in the table of spec 20 §9; see [`rule`] for the others.
    pub rule: u8,
    pub exception: Exception,
    pub path: Path,
    /// Where in the text, when the declaration was read from one.
    pub place: Option<Place>,
    /// What is wrong, in the API's words where they are known.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl Problem {
    /// A problem without a place in a text.
    pub fn new(rule: u8, exception: Exception, path: Path, message: impl Into<String>) -> Self {
        Self {
            rule,
            exception,
            path,
            place: None,
            message: message.into(),
            help: None,
        }
    }

    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    #[must_use]
    pub fn at(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }

    /// The path in the API's spelling.
    pub fn api_path(&self) -> String {
        self.path.api()
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = self.place {
            write!(f, "{place}: ")?;
        }
        write!(f, "{}: {} [{}]", self.path, self.message, self.exception)?;
        match &self.help {
            Some(help) => write!(f, "; help: {help}"),
            None => Ok(()),
        }
    }
}

/// The one error that the API answers with: the first rule of the table that was broken, and all
/// violations of shape in one text (spec 20 §9, spec 10 §2).
pub fn api_error(problems: &[Problem]) -> Option<(Exception, String)> {
    let first = problems.iter().min_by_key(|problem| problem.rule)?;
    if first.exception != Exception::Validation {
        return Some((first.exception, first.message.clone()));
    }
    let messages: Vec<&str> = problems
        .iter()
        .filter(|problem| problem.exception == Exception::Validation)
        .map(|problem| problem.message.as_str())
        .collect();
    let errors = if messages.len() == 1 {
        "error"
    } else {
        "errors"
    };
    let text = format!(
        "{} validation {errors} detected: {}",
        messages.len(),
        messages.join("; ")
    );
    Some((Exception::Validation, text))
}

/// The value as a message repeats it: cut when it is long.
pub(super) fn quoted(value: &str) -> String {
    match value.char_indices().nth(QUOTED_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &value[..end]),
        None => value.to_owned(),
    }
}

/// The known name that was probably meant.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = name.to_lowercase();
    // A third of the name may be wrong: more than that is another word.
    let most = (lower.chars().count() / 3).max(1);
    known
        .into_iter()
        .map(|known| {
            (
                strsim::damerau_levenshtein(&lower, &known.to_lowercase()),
                known,
            )
        })
        .filter(|(distance, _)| *distance <= most)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(rule: u8, exception: Exception, message: &str) -> Problem {
        Problem::new(rule, exception, Path::pipeline(), message)
    }

    #[test]
    fn the_api_reports_all_violations_of_shape_together() {
        let problems = [
            problem(8, Exception::InvalidStructure, "too few stages"),
            problem(1, Exception::Validation, "a"),
            problem(1, Exception::Validation, "b"),
        ];
        assert_eq!(
            api_error(&problems),
            Some((
                Exception::Validation,
                "2 validation errors detected: a; b".into()
            ))
        );
        assert_eq!(
            api_error(&problems[1..2]),
            Some((
                Exception::Validation,
                "1 validation error detected: a".into()
            ))
        );
    }

    #[test]
    fn the_api_reports_the_first_broken_rule_of_the_table() {
        let problems = [
            problem(31, Exception::InvalidActionDeclaration, "a"),
            problem(8, Exception::InvalidStructure, "b"),
        ];
        assert_eq!(
            api_error(&problems),
            Some((Exception::InvalidStructure, "b".into()))
        );
        assert_eq!(api_error(&[]), None);
    }

    #[test]
    fn the_nearest_name_forgives_case_and_swapped_letters_and_no_more() {
        let known = ["actions", "name", "blockers"];
        assert_eq!(nearest("actoins", known), Some("actions"));
        assert_eq!(nearest("Name", known), Some("name"));
        assert_eq!(nearest("environment", known), None);
    }

    #[test]
    fn a_long_value_is_cut_where_a_message_repeats_it() {
        let long = "ü".repeat(QUOTED_CHARS_MAX + 1);
        assert_eq!(quoted(&long), format!("{}…", "ü".repeat(QUOTED_CHARS_MAX)));
        assert_eq!(quoted("short"), "short");
    }
}
