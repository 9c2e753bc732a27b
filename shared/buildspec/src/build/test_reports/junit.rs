//! The XML of `JUnit`: `testsuite` elements, nested or not, with `testcase` elements in them.

use std::borrow::Cow;

use quick_xml::{
    Reader,
    events::{BytesStart, Event},
};

use super::{Case, MESSAGE_MAX_CHARS, Outcome, milliseconds};

/// How deep suites may nest.
const DEPTH_MAX: usize = 64;

pub(super) fn read(bytes: &[u8], found: &mut dyn FnMut(Case)) -> Result<(), String> {
    let mut reader = Reader::from_reader(bytes);
    let mut state = State::default();
    let mut has_root = false;
    loop {
        match reader.read_event().map_err(|error| error.to_string())? {
            Event::Start(element) => {
                has_root |= is_root(&element);
                state.open(&element)?;
            }
            Event::Empty(element) => {
                has_root |= is_root(&element);
                state.open(&element)?;
                state.close(found);
            }
            Event::End(_) => state.close(found),
            Event::Text(text) => state.text(&text.decode().map_err(|error| error.to_string())?),
            Event::CData(text) => state.text(&text.decode().map_err(|error| error.to_string())?),
            Event::GeneralRef(reference) => {
                let name = reference.decode().map_err(|error| error.to_string())?;
                state.text(&resolved(&name));
            }
            Event::Eof => break,
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
        }
    }
    if !state.open.is_empty() {
        return Err("it ends before its elements do".to_owned());
    }
    if has_root {
        Ok(())
    } else {
        Err("it holds no testsuite".to_owned())
    }
}

fn is_root(element: &BytesStart<'_>) -> bool {
    matches!(element.name().as_ref(), b"testsuite" | b"testsuites")
}

/// The five entities of XML and characters by number; there are no others to expand.
fn resolved(name: &str) -> String {
    let number = |digits: &str, radix| {
        u32::from_str_radix(digits, radix)
            .ok()
            .and_then(char::from_u32)
    };
    let character = match name {
        "lt" => Some('<'),
        "gt" => Some('>'),
        "amp" => Some('&'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => match (name.strip_prefix("#x"), name.strip_prefix('#')) {
            (Some(digits), _) => number(digits, 16),
            (None, Some(digits)) => number(digits, 10),
            (None, None) => None,
        },
    };
    character.map_or_else(|| format!("&{name};"), String::from)
}

#[derive(Default)]
struct State {
    open: Vec<Element>,
    case: Option<Case>,
}

enum Element {
    Suite(String),
    Case,
    /// `failure` or `error`: its text tells more than its message.
    Detail(String),
    Other,
}

impl State {
    fn open(&mut self, element: &BytesStart<'_>) -> Result<(), String> {
        if self.open.len() >= DEPTH_MAX {
            return Err(format!("its elements nest deeper than {DEPTH_MAX}"));
        }
        let opened = match element.name().as_ref() {
            b"testsuite" => Element::Suite(attribute(element, "name")),
            b"testcase" => {
                self.case = Some(self.case(element));
                Element::Case
            }
            b"failure" => self.outcome(element, Outcome::Failed),
            b"error" => self.outcome(element, Outcome::Error),
            b"skipped" => {
                if let Some(case) = &mut self.case {
                    case.outcome = Outcome::Skipped;
                }
                Element::Other
            }
            _ => Element::Other,
        };
        self.open.push(opened);
        Ok(())
    }

    fn case(&self, element: &BytesStart<'_>) -> Case {
        let class = attribute(element, "classname");
        let suite = self.open.iter().rev().find_map(|open| match open {
            Element::Suite(name) if !name.is_empty() => Some(name.clone()),
            Element::Suite(_) | Element::Case | Element::Detail(_) | Element::Other => None,
        });
        let seconds = attribute(element, "time")
            .replace(',', "")
            .parse()
            .unwrap_or(0.0);
        Case {
            suite: if class.is_empty() {
                suite.unwrap_or_default()
            } else {
                class
            },
            name: attribute(element, "name"),
            outcome: Outcome::Passed,
            message: String::new(),
            duration_ms: milliseconds(seconds),
        }
    }

    fn outcome(&mut self, element: &BytesStart<'_>, outcome: Outcome) -> Element {
        if let Some(case) = &mut self.case
            && case.outcome == Outcome::Passed
        {
            case.outcome = outcome;
            case.message = attribute(element, "message");
        }
        Element::Detail(String::new())
    }

    fn text(&mut self, text: &str) {
        if let Some(Element::Detail(told)) = self.open.last_mut()
            && told.len() < MESSAGE_MAX_CHARS * 4
        {
            told.push_str(text);
        }
    }

    fn close(&mut self, found: &mut dyn FnMut(Case)) {
        match self.open.pop() {
            Some(Element::Detail(told)) => {
                if let Some(case) = &mut self.case
                    && case.message.is_empty()
                {
                    told.trim().clone_into(&mut case.message);
                }
            }
            Some(Element::Case) => {
                if let Some(case) = self.case.take() {
                    found(case);
                }
            }
            Some(Element::Suite(_) | Element::Other) | None => {}
        }
    }
}

fn attribute(element: &BytesStart<'_>, name: &str) -> String {
    element
        .try_get_attribute(name)
        .ok()
        .flatten()
        .and_then(|attribute| attribute.unescape_value().ok())
        .map(Cow::into_owned)
        .unwrap_or_default()
}
