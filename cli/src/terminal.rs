//! The terminal: where text for people goes, and what it can show.

use std::{
    env,
    io::{self, IsTerminal, Write},
};

use crate::args::{Color, Display, Output};

/// The width of lines where nobody says how wide they may be.
const WIDTH_UNKNOWN: usize = 100;
const HEIGHT_UNKNOWN: usize = 24;
/// Narrower than this, nothing fits; then lines are left to wrap.
const WIDTH_MIN: usize = 40;

/// What can be shown, and how much of it is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terminal {
    pub output: Output,
    pub colour: bool,
    /// Whether a region of the screen can be drawn again and again.
    pub live: bool,
    /// Whether somebody can be asked.
    pub interactive: bool,
    pub volume: Volume,
}

/// How much is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Volume {
    Quiet,
    Normal,
    Verbose,
}

/// What the environment says, so that the decision itself can be tested.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Surroundings {
    pub stdin_is_terminal: bool,
    pub stdout_is_terminal: bool,
    pub stderr_is_terminal: bool,
    pub no_color: bool,
    pub ci: bool,
    pub dumb: bool,
    /// The screen has too few columns for a tree.
    pub narrow: bool,
}

impl Surroundings {
    /// Those of this process.
    pub fn of_process() -> Self {
        // An empty value means unset: the convention of NO_COLOR.
        let is_set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
        let ci = env::var_os("CI").is_some_and(|v| !v.is_empty() && v != "false" && v != "0");
        Self {
            stdin_is_terminal: io::stdin().is_terminal(),
            stdout_is_terminal: io::stdout().is_terminal(),
            stderr_is_terminal: io::stderr().is_terminal(),
            no_color: is_set("NO_COLOR"),
            ci,
            dumb: env::var_os("TERM").is_some_and(|term| term == "dumb"),
            narrow: rustix::termios::tcgetwinsize(io::stderr())
                .is_ok_and(|size| (1..WIDTH_MIN).contains(&usize::from(size.ws_col))),
        }
    }
}

impl Terminal {
    /// What the command line asks for, as far as the surroundings have it.
    pub fn new(display: &Display, around: Surroundings) -> Self {
        let colour = match display.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => around.stderr_is_terminal && !around.no_color && !around.dumb,
        };
        // A stream of lines on the same screen would be drawn over.
        let shared = display.output == Output::Jsonl && around.stdout_is_terminal;
        let live = around.stderr_is_terminal
            && !around.ci
            && !around.dumb
            && !around.narrow
            && !display.no_progress
            && !display.quiet
            && !shared;
        Self {
            output: display.output,
            colour,
            live,
            interactive: around.stdin_is_terminal && around.stderr_is_terminal && !around.ci,
            volume: match (display.quiet, display.verbose) {
                (true, _) => Volume::Quiet,
                (false, 0) => Volume::Normal,
                (false, _) => Volume::Verbose,
            },
        }
    }

    /// Whether only problems and the result are wanted.
    pub fn is_quiet(self) -> bool {
        self.volume == Volume::Quiet
    }

    /// Columns and rows of the screen.
    pub fn size(self) -> (usize, usize) {
        match rustix::termios::tcgetwinsize(io::stderr()) {
            Ok(size) if usize::from(size.ws_col) >= WIDTH_MIN => {
                (usize::from(size.ws_col), usize::from(size.ws_row).max(4))
            }
            Ok(_) | Err(_) => (WIDTH_UNKNOWN, HEIGHT_UNKNOWN),
        }
    }

    /// Says something to people, unless they asked for quiet.
    pub fn say(self, line: &str) {
        if !self.is_quiet() {
            self.insist(line);
        }
    }

    /// Says something to people in any case.
    pub fn insist(self, line: &str) {
        // Nobody is left to tell when standard error is closed.
        let _ = writeln!(io::stderr().lock(), "{line}");
    }
}

/// Writes data to standard output; a reader that went away is not an error.
pub fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        done => done,
    }
}

/// A style of text, which never carries a meaning of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    Plain,
    Bold,
    Dim,
    Good,
    Bad,
    Busy,
    Attention,
}

/// The text in that style, when colours are wanted.
pub fn paint(text: &str, style: Style, colour: bool) -> String {
    let code = match style {
        Style::Plain => return text.to_owned(),
        _ if !colour => return text.to_owned(),
        Style::Bold => "1",
        Style::Dim => "2",
        Style::Good => "32",
        Style::Bad => "1;31",
        Style::Busy => "34",
        Style::Attention => "33",
    };
    format!("\u{1b}[{code}m{text}\u{1b}[0m")
}

/// The text of a stranger with nothing in it that a terminal would obey.
pub fn harmless(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '\u{1b}' => skip_escape(&mut characters),
            '\t' => shown.push_str("    "),
            c if c.is_control() || is_direction(c) => {}
            c => shown.push(c),
        }
    }
    shown
}

/// Characters that reorder what stands around them.
fn is_direction(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}')
}

/// Passes over one escape sequence, as far as it goes.
fn skip_escape(rest: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    match rest.peek() {
        Some('[') => {
            rest.next();
            for c in rest.by_ref() {
                if ('\u{40}'..='\u{7e}').contains(&c) {
                    return;
                }
            }
        }
        Some(']') => {
            for c in rest.by_ref() {
                if c == '\u{7}' || c == '\u{9c}' {
                    return;
                }
            }
        }
        Some(_) => {
            rest.next();
        }
        None => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn display() -> Display {
        Display {
            output: Output::Text,
            color: Color::Auto,
            quiet: false,
            verbose: 0,
            no_progress: false,
        }
    }

    fn at_a_terminal() -> Surroundings {
        Surroundings {
            stdin_is_terminal: true,
            stdout_is_terminal: true,
            stderr_is_terminal: true,
            ..Surroundings::default()
        }
    }

    #[test]
    fn a_person_at_a_terminal_gets_colours_and_a_live_tree() {
        let terminal = Terminal::new(&display(), at_a_terminal());
        assert!(terminal.colour && terminal.live && terminal.interactive);
    }

    #[test]
    fn a_log_file_and_a_ci_system_get_neither() {
        let terminal = Terminal::new(&display(), Surroundings::default());
        assert!(!terminal.colour && !terminal.live && !terminal.interactive);
        let ci = Surroundings {
            ci: true,
            ..at_a_terminal()
        };
        let terminal = Terminal::new(&display(), ci);
        assert!(!terminal.live && !terminal.interactive);
    }

    #[test]
    fn colours_follow_the_option_then_the_environment() {
        let no_color = Surroundings {
            no_color: true,
            ..at_a_terminal()
        };
        assert!(!Terminal::new(&display(), no_color).colour);
        let always = Display {
            color: Color::Always,
            ..display()
        };
        assert!(Terminal::new(&always, no_color).colour);
        let never = Display {
            color: Color::Never,
            ..display()
        };
        assert!(!Terminal::new(&never, at_a_terminal()).colour);
    }

    #[test]
    fn a_stream_of_json_on_the_same_screen_leaves_no_room_for_a_tree() {
        let jsonl = Display {
            output: Output::Jsonl,
            ..display()
        };
        assert!(!Terminal::new(&jsonl, at_a_terminal()).live);
        let piped = Surroundings {
            stdout_is_terminal: false,
            ..at_a_terminal()
        };
        assert!(Terminal::new(&jsonl, piped).live);
    }

    #[test]
    fn a_log_cannot_command_the_terminal() {
        for (text, shown) in [
            ("\u{1b}[31mred\u{1b}[0m", "red"),
            ("\u{1b}]0;title\u{7}after", "after"),
            ("a\rb\u{8}c\u{0}", "abc"),
            ("tab\tstop", "tab    stop"),
            ("\u{202e}evil", "evil"),
            ("\u{1b}[2", ""),
            ("\u{1b}", ""),
            ("\u{1b}cäöü", "äöü"),
        ] {
            assert_eq!(harmless(text), shown, "{text:?}");
        }
    }
}
