//! References to variables become values when an action begins (spec 30 §11).

use std::{collections::BTreeMap, fmt::Write};

use model::{
    Execution, Job,
    declaration::{
        EnvironmentVariable, EnvironmentVariableType, PipelineDeclaration,
        reference::{Reference, references},
    },
    job::ErrorDetails,
};

use crate::limits::RESOLVED_CONFIGURATION_BYTES_MAX;

/// The name that a resolved reference in a command is passed under, before its number.
const COMMAND_VARIABLE: &str = "PW_VAR_";

/// Replaces every `#{namespace.key}` in the job.
pub(crate) fn resolve(
    job: &mut Job,
    execution: &Execution,
    definition: &PipelineDeclaration,
) -> Result<(), ErrorDetails> {
    let values = Values {
        execution,
        definition,
    };
    for (key, value) in &mut job.configuration {
        if let Some(resolved) = values.in_text(value, Escape::for_property(value), key)? {
            *value = resolved;
        }
    }
    for variable in &mut job.environment_variables {
        if let Some(resolved) = values.in_text(&variable.value, Escape::None, &variable.name)? {
            variable.value = resolved;
        }
    }
    values.in_commands(job)?;
    let configuration = job.configuration.iter();
    let environment = job.environment_variables.iter();
    let bytes = configuration
        .map(|(key, value)| key.len() + value.len())
        .chain(environment.map(|variable| variable.name.len() + variable.value.len()))
        .chain(job.commands.iter().map(String::len))
        .sum::<usize>();
    if bytes > RESOLVED_CONFIGURATION_BYTES_MAX {
        return Err(ErrorDetails::configuration(format!(
            "the resolved configuration takes {bytes} bytes, \
             and the most is {RESOLVED_CONFIGURATION_BYTES_MAX}"
        )));
    }
    Ok(())
}

/// What a value must be made into where it stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Escape {
    None,
    /// Inside the string literals of a JSON document: a quote in a commit message must not end
    /// the literal that it stands in.
    Json,
}

impl Escape {
    fn for_property(text: &str) -> Self {
        match text.trim_start().as_bytes().first() {
            Some(b'{' | b'[') => Self::Json,
            Some(_) | None => Self::None,
        }
    }
}

struct Values<'a> {
    execution: &'a Execution,
    definition: &'a PipelineDeclaration,
}

impl Values<'_> {
    /// The text with its references replaced; `None` when it has none.
    fn in_text(
        &self,
        text: &str,
        escape: Escape,
        place: &str,
    ) -> Result<Option<String>, ErrorDetails> {
        let found = found(text, place)?;
        if found.is_empty() {
            return Ok(None);
        }
        let mut resolved = String::with_capacity(text.len());
        let mut done = 0;
        for reference in found {
            resolved.push_str(&text[done..reference.range.start]);
            let value = self.value(&reference, place)?;
            if escape == Escape::Json && is_inside_json_string(&text[..reference.range.start]) {
                push_json_escaped(&mut resolved, &value);
            } else {
                resolved.push_str(&value);
            }
            done = reference.range.end;
        }
        resolved.push_str(&text[done..]);
        Ok(Some(resolved))
    }

    /// Passes the values of references in commands as environment variables: a value is data and
    /// must never be read as shell text, whatever a branch or a commit message is called.
    fn in_commands(&self, job: &mut Job) -> Result<(), ErrorDetails> {
        let mut names: BTreeMap<(String, String), String> = BTreeMap::new();
        for command in &mut job.commands {
            let found = found(command, "commands")?;
            if found.is_empty() {
                continue;
            }
            let mut resolved = String::with_capacity(command.len());
            let mut done = 0;
            for reference in found {
                let value = self.value(&reference, "commands")?;
                let number = names.len();
                let id = (reference.namespace.clone(), reference.key.clone());
                let name = names.entry(id).or_insert_with(|| {
                    let name = format!("{COMMAND_VARIABLE}{number}");
                    job.environment_variables.push(EnvironmentVariable {
                        name: name.clone(),
                        value,
                        kind: EnvironmentVariableType::Plaintext,
                    });
                    name
                });
                resolved.push_str(&command[done..reference.range.start]);
                match quote_at(&command[..reference.range.start]) {
                    Quote::Unclear => {
                        return Err(ErrorDetails::configuration(format!(
                            "`commands` has `{}` in single quotes within backquotes within double quotes, \
                             where no value can be put; write $(…) instead of the backquotes",
                            &command[reference.range.clone()]
                        )));
                    }
                    // In single quotes nothing expands: leave them for the length of the value.
                    Quote::Single => {
                        resolved.push_str("'\"${");
                        resolved.push_str(name);
                        resolved.push_str("}\"'");
                    }
                    Quote::None | Quote::Double => {
                        resolved.push_str("${");
                        resolved.push_str(name);
                        resolved.push('}');
                    }
                }
                done = reference.range.end;
            }
            resolved.push_str(&command[done..]);
            *command = resolved;
        }
        Ok(())
    }

    fn value(&self, reference: &Reference, place: &str) -> Result<String, ErrorDetails> {
        let (namespace, key) = (&*reference.namespace, &*reference.key);
        let value = match namespace {
            "codepipeline" if key == "PipelineExecutionId" => Some(self.execution.id.to_string()),
            "codepipeline" => None,
            "variables" if !self.definition.variables.is_empty() => {
                self.execution.variables.get(key).cloned()
            }
            _ => self.output(namespace, key),
        };
        value.ok_or_else(|| {
            ErrorDetails::configuration(format!(
                "`{place}` refers to variable `#{{{namespace}.{key}}}`, \
                 which has no value in this execution"
            ))
        })
    }

    fn output(&self, namespace: &str, key: &str) -> Option<String> {
        for stage in &self.definition.stages {
            for action in &stage.actions {
                if action.namespace.as_deref() == Some(namespace) {
                    let running = self.execution.stages.get(&stage.name)?;
                    return running.actions.get(&action.name)?.outputs.get(key).cloned();
                }
            }
        }
        None
    }
}

fn found(text: &str, place: &str) -> Result<Vec<Reference>, ErrorDetails> {
    references(text).map_err(|error| ErrorDetails::configuration(format!("`{place}`: {error}")))
}

/// Whether a JSON document is inside a string literal after this much of it.
fn is_inside_json_string(before: &str) -> bool {
    let (mut inside, mut escaped) = (false, false);
    for byte in before.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if inside => escaped = true,
            b'"' => inside = !inside,
            _ => {}
        }
    }
    inside
}

fn push_json_escaped(text: &mut String, value: &str) {
    for character in value.chars() {
        match character {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            control if control < ' ' => {
                let _ = write!(text, "\\u{:04x}", u32::from(control));
            }
            other => text.push(other),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Quote {
    None,
    Single,
    Double,
    /// In single quotes within backquotes within double quotes: what quotes mean there differs from
    /// shell to shell.
    Unclear,
}

/// What is open at some place of a command, each within the one before it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    Single,
    Double,
    /// `$(`, or a parenthesis within it.
    Substitution,
    Backquotes,
}

/// Which quotes of the shell are open after this much of a command. A substitution, too, begins
/// anew inside of quotes: in `"$(echo '` the single quotes count.
fn quote_at(before: &str) -> Quote {
    let mut open: Vec<Open> = Vec::new();
    let (mut escaped, mut last) = (false, 0);
    for mut byte in before.bytes() {
        let inner = open.last().copied();
        if escaped {
            escaped = false;
            // What was escaped begins nothing: `\$(` is no substitution.
            byte = 0;
        } else if inner == Some(Open::Single) {
            if byte == b'\'' {
                open.pop();
            }
        } else {
            match (inner, byte) {
                (_, b'\\') => escaped = true,
                (Some(Open::Double), b'"')
                | (Some(Open::Substitution), b')')
                | (Some(Open::Backquotes), b'`') => drop(open.pop()),
                (_, b'"') => open.push(Open::Double),
                (_, b'(') if last == b'$' => open.push(Open::Substitution),
                (Some(Open::Substitution), b'(') => open.push(Open::Substitution),
                (_, b'`') => open.push(Open::Backquotes),
                (None | Some(Open::Substitution | Open::Backquotes), b'\'') => {
                    open.push(Open::Single);
                }
                _ => {}
            }
        }
        last = byte;
    }
    match open.last() {
        Some(Open::Single) if is_backquoted_in_quotes(&open) => Quote::Unclear,
        Some(Open::Single) => Quote::Single,
        Some(Open::Double) => Quote::Double,
        Some(Open::Substitution | Open::Backquotes) | None => Quote::None,
    }
}

fn is_backquoted_in_quotes(open: &[Open]) -> bool {
    let quoted = open.iter().position(|open| *open == Open::Double);
    quoted.is_some_and(|at| open[at..].contains(&Open::Backquotes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shells_quotes_are_known_at_every_place() {
        for (before, quote) in [
            ("echo ", "none"),
            ("echo '", "single"),
            ("echo 'a' ", "none"),
            ("echo \\'", "none"),
            ("echo \"it's ", "double"),
            ("echo \"a\\\" ", "double"),
            ("echo '\\' ", "none"),
            ("X=\"$(echo '", "single"),
            ("X=\"$(echo 'a') ", "double"),
            ("X=\"$(echo \"", "double"),
            ("X=\"$(echo \"a\" ", "none"),
            ("X=$((1 + (2)) '", "single"),
            ("X=$(a (b) '", "single"),
            ("X=`echo ", "none"),
            ("X=`echo '", "single"),
            ("X=\"`echo '", "unclear"),
            ("X=\"$(echo `a '", "unclear"),
            ("grep \"\\$(\" f; echo '", "single"),
            ("echo \"do \\$(it's) * ", "double"),
            ("echo \\`; echo '", "single"),
            ("X=\"`echo a` ", "double"),
            ("(cd a && echo '", "single"),
        ] {
            let found = match quote_at(before) {
                Quote::None => "none",
                Quote::Single => "single",
                Quote::Double => "double",
                Quote::Unclear => "unclear",
            };
            assert_eq!(found, quote, "{before}");
        }
    }
}
