//! Asking a person before something is done that cannot be taken back.

use std::io::{self, BufRead as _, Write as _};

use crate::{
    exit::Exit,
    failure::Failure,
    terminal::{Style, Terminal, paint},
};

/// Goes on if a person says yes, or has said so on the command line.
pub(super) fn confirm(question: &str, is_sure: bool, terminal: Terminal) -> Result<(), Failure> {
    if is_sure {
        return Ok(());
    }
    if !terminal.interactive {
        return Err(Failure::usage("nobody is here to be asked").with_help("say so with --yes"));
    }
    let question = paint(question, Style::Attention, terminal.colour);
    let mut out = io::stderr().lock();
    // Nobody can answer when standard error is closed; the end of the input tells.
    let _ = write!(out, "{question} [y/N] ").and_then(|()| out.flush());
    let mut line = String::new();
    io::stdin()
        .lock()
        .read_line(&mut line)
        .map_err(|error| Failure::system("read the answer", &error))?;
    if is_yes(&line) {
        Ok(())
    } else {
        Err(Failure::new(Exit::Failed, "nothing was done"))
    }
}

fn is_yes(line: &str) -> bool {
    matches!(line.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{args::Output, terminal::Volume};

    #[test]
    fn only_a_yes_is_one_and_nobody_is_asked_who_is_not_there() {
        for (line, is) in [
            ("y\n", true),
            (" YES ", true),
            ("\n", false),
            ("yeah", false),
        ] {
            assert_eq!(is_yes(line), is, "{line:?}");
        }
        let terminal = Terminal {
            output: Output::Text,
            colour: false,
            live: false,
            interactive: false,
            volume: Volume::Normal,
        };
        confirm("?", true, terminal).expect("sure");
        let failure = confirm("?", false, terminal).expect_err("nobody");
        assert_eq!(failure.exit, Exit::Usage);
    }
}
