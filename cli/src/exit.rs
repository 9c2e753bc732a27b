//! An exit code is how the program tells another program what became of it. The codes are a
//! promise: scripts depend on them, so a number never changes its meaning.

use std::{fmt::Write as _, process::ExitCode};

/// Every way in which `pipewright` ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Exit {
    /// What was asked for was done; an execution succeeded.
    Succeeded = 0,
    /// The execution failed, or a check did not pass.
    Failed = 1,
    /// The command line is wrong.
    Usage = 2,
    /// The pipeline file is invalid or uses what is not supported.
    Invalid = 3,
    /// A file, execution, stage, action or resource that was named is not there.
    NotFound = 4,
    /// The server does not know the key, or the key may not do that.
    NotAuthorised = 5,
    /// The execution was stopped or superseded.
    Stopped = 6,
    /// The execution waits for an approval that nobody here can give.
    WaitingForApproval = 7,
    /// The execution did not end within the time that it was given.
    TimedOut = 8,
    /// Nothing that speaks the API answers at the endpoint.
    Unreachable = 9,
    /// A defect of Pipewright, or a machine that failed under it.
    Internal = 70,
    /// Interrupted; the execution was abandoned.
    Interrupted = 130,
}

impl Exit {
    pub const ALL: [Self; 12] = [
        Self::Succeeded,
        Self::Failed,
        Self::Usage,
        Self::Invalid,
        Self::NotFound,
        Self::NotAuthorised,
        Self::Stopped,
        Self::WaitingForApproval,
        Self::TimedOut,
        Self::Unreachable,
        Self::Internal,
        Self::Interrupted,
    ];

    /// The number that the shell sees.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// What it means, in a few words for the help text.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "the execution failed, or a check did not pass",
            Self::Usage => "the command line is wrong",
            Self::Invalid => "the pipeline file is invalid",
            Self::NotFound => "something that was named is not there",
            Self::NotAuthorised => "the access key is unknown or may not do that",
            Self::Stopped => "the execution was stopped or superseded",
            Self::WaitingForApproval => "waiting for an approval that nobody here can give",
            Self::TimedOut => "the execution ran out of time",
            Self::Unreachable => "the endpoint cannot be reached",
            Self::Internal => "the machine, the server or Pipewright itself failed",
            Self::Interrupted => "interrupted; the execution was abandoned",
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// The table of codes, as the help text ends.
pub fn help() -> String {
    let mut text = String::from("Exit codes:\n");
    for exit in Exit::ALL {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {:>3}  {}", exit.code(), exit.meaning());
    }
    text
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn the_codes_are_those_that_were_promised() {
        expect![[r#"
            Exit codes:
                0  succeeded
                1  the execution failed, or a check did not pass
                2  the command line is wrong
                3  the pipeline file is invalid
                4  something that was named is not there
                5  the access key is unknown or may not do that
                6  the execution was stopped or superseded
                7  waiting for an approval that nobody here can give
                8  the execution ran out of time
                9  the endpoint cannot be reached
               70  the machine, the server or Pipewright itself failed
              130  interrupted; the execution was abandoned
        "#]]
        .assert_eq(&help());
    }
}
