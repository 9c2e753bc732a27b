//! A failure is why a command could not do what it was asked: what is wrong, where, and what to do
//! about it; and the exit code that says so to other programs.

use std::{error::Error, fmt, sync::Arc};

use model::declaration::problem::{Place, Problem};
use operations::OperationError;

use crate::exit::Exit;

/// How deep a chain of causes is followed.
const CAUSES_MAX: usize = 16;

/// A text that somebody wrote, under the name by which they called it.
#[derive(Debug, PartialEq, Eq)]
pub struct Source {
    pub name: String,
    pub text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    Error,
    /// Worth knowing; nothing is refused for it.
    Warning,
}

/// One thing that is to be said.
#[derive(Clone, Debug)]
pub struct Finding {
    pub severity: Severity,
    /// The name of the API exception, when the API would answer with one.
    pub exception: Option<&'static str>,
    pub message: String,
    pub source: Option<Arc<Source>>,
    pub place: Option<Place>,
    /// Where in the declaration: `stages[2].actions[0].name`.
    pub path: Option<String>,
    pub help: Option<String>,
}

impl Finding {
    pub fn error(message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            exception: None,
            message: message.into(),
            source: None,
            place: None,
            path: None,
            help: None,
        }
    }

    pub fn warning(message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(message)
        }
    }

    /// What the reader of declarations found in that text.
    pub fn of_problem(problem: &Problem, source: Option<&Arc<Source>>) -> Self {
        Self {
            exception: Some(problem.exception.name()),
            source: source.cloned(),
            place: problem.place,
            path: Some(problem.path.to_string()),
            help: problem.help.clone(),
            ..Self::error(problem.message.clone())
        }
    }

    #[must_use]
    pub fn at(mut self, source: &Arc<Source>, place: Place) -> Self {
        self.source = Some(Arc::clone(source));
        self.place = Some(place);
        self
    }

    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    #[must_use]
    pub fn with_path(mut self, path: impl fmt::Display) -> Self {
        self.path = Some(path.to_string());
        self
    }
}

/// Why a command ended early.
#[derive(Debug)]
pub struct Failure {
    pub exit: Exit,
    pub findings: Vec<Finding>,
}

impl Failure {
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self::of(exit, Finding::error(message))
    }

    pub fn of(exit: Exit, finding: Finding) -> Self {
        Self {
            exit,
            findings: vec![finding],
        }
    }

    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        if let Some(last) = self.findings.last_mut() {
            last.help = Some(help.into());
        }
        self
    }

    /// Something of the machine failed: `doing` fits after "failed to".
    pub fn system(doing: impl fmt::Display, error: &(dyn Error + 'static)) -> Self {
        Self::new(
            Exit::Internal,
            format!("failed to {doing}: {}", chain(error)),
        )
    }

    /// The command line asks for what cannot be.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// Something that was named is not there.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(Exit::NotFound, message)
    }

    /// Why an operation was not carried out.
    pub fn operation(error: &OperationError, source: Option<&Arc<Source>>) -> Self {
        match error {
            OperationError::Invalid(problems) => Self {
                exit: Exit::Invalid,
                findings: problems
                    .iter()
                    .map(|p| Finding::of_problem(p, source))
                    .collect(),
            },
            OperationError::Rejected(rejection) => {
                let mut failure = Self::new(Exit::Usage, rejection.to_string());
                failure.findings[0].exception = Some(rejection.exception());
                failure
            }
            OperationError::Denied(why) => Self::new(Exit::NotAuthorised, why.as_str()),
            OperationError::Store(_) | OperationError::Busy | OperationError::Defect(_) => {
                Self::new(Exit::Internal, chain(error))
            }
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, finding) in self.findings.iter().enumerate() {
            let separator = if place == 0 { "" } else { "; " };
            write!(f, "{separator}{}", finding.message)?;
        }
        Ok(())
    }
}

impl Error for Failure {}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::new(Exit::Internal, format!("{error:#}"))
    }
}

/// The error and its causes in one line.
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    for _ in 0..CAUSES_MAX {
        let Some(next) = cause else { break };
        let said = next.to_string();
        // Some libraries repeat their cause in their own text.
        if !text.ends_with(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = next.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::io;

    use model::Rejection;

    use super::*;

    #[test]
    fn a_rejection_keeps_the_name_of_its_exception() {
        let error = OperationError::Rejected(Rejection::PipelineNotFound("p".into()));
        let failure = Failure::operation(&error, None);
        assert_eq!(failure.exit, Exit::Usage);
        assert_eq!(
            failure.findings[0].exception,
            Some("PipelineNotFoundException")
        );
    }

    #[test]
    fn a_failure_of_the_store_is_internal_and_says_its_causes() {
        let source = io::Error::new(io::ErrorKind::StorageFull, "no space left");
        let store = ports::StoreError::Unavailable {
            doing: "commit".into(),
            source: Box::new(source),
        };
        let failure = Failure::operation(&store.into(), None);
        assert_eq!(failure.exit, Exit::Internal);
        assert_eq!(failure.to_string(), "failed to commit: no space left");
    }

    #[test]
    fn what_anyhow_carries_is_internal() {
        let error = anyhow::anyhow!("inner").context("outer");
        let failure = Failure::from(error);
        assert_eq!(failure.exit, Exit::Internal);
        assert_eq!(failure.to_string(), "outer: inner");
    }
}
