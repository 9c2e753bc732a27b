//! The file that says who is told of what: `pipewright serve --notifications FILE`.
//!
//! ```yaml
//! rules:
//!   - name: failures
//!     pattern: {detail-type: [CodePipeline Pipeline Execution State Change], detail: {state: [FAILED]}}
//!     targets:
//!       - webhook: {url: https://ci.example.org/hook, secret: {secret: hook}}
//!       - email: {to: [team@example.org]}
//!       - command: {argv: [/usr/local/bin/page]}
//! smtp: {host: mail.example.org, tls: starttls, from: ci@example.org, username: ci, password: {env: SMTP_PASSWORD}}
//! approvals: {email: [ann@example.org], command: {argv: [ask]}}
//! topics:
//!   arn:aws:sns:us-east-1:000000000000:releases: [{email: {to: [release@example.org]}}]
//! ```
//!
//! `approvals` are asked about every approval, a topic about those whose `NotificationArn` it is.
//! A secret stands elsewhere: in the secrets file (`{secret: NAME}`), in the environment (`{env: NAME}`)
//! or in a file of its own that nobody else can read (`{file: PATH}`).

mod secret;
mod target;
#[cfg(test)]
#[expect(
    clippy::needless_raw_string_hashes,
    reason = "expect-test writes texts with them"
)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use access::keys::Secret;
use lettre::message::Mailbox;
use model::declaration::{
    decode::{Decoder, Fields, UnknownFields},
    node::{Node, Value as NodeValue},
    path::{Path, Segment},
    problem::{Exception, Problem, rule},
    read::{Format, tree},
};
use serde_json::Value;

use crate::pattern::{Pattern, Refused};

pub use secret::Lookup;

/// How many targets one file may have; each is a reader of the journal.
pub const TARGETS_MAX: usize = 256;

const NAME_CHARACTERS_MAX: usize = 64;

/// Who is told of what.
#[derive(Debug)]
pub struct Config {
    pub rules: Vec<Rule>,
    pub smtp: Option<Smtp>,
    /// Who is asked about every approval.
    pub approvals: Vec<Channel>,
    /// Who is asked about the approvals that name this topic as their `NotificationArn`.
    pub topics: BTreeMap<String, Vec<Channel>>,
}

#[derive(Debug)]
pub struct Rule {
    pub name: String,
    pub pattern: Pattern,
    pub targets: Vec<Channel>,
}

/// A way to tell somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Channel {
    Webhook(Webhook),
    Email(Email),
    Command(Command),
}

/// A URL to which the JSON is posted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    pub url: String,
    /// What the signature is made with.
    pub secret: Secret,
    /// Whether it may be on this machine or in this network, and without TLS.
    pub allow_private: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Email {
    pub to: Vec<Mailbox>,
    pub from: Mailbox,
}

/// A program with its arguments; it is given the JSON on its standard input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    pub argv: Vec<String>,
}

/// The server that mail is handed to.
#[derive(Clone, Debug)]
pub struct Smtp {
    pub host: String,
    pub port: u16,
    pub tls: Tls,
    /// With the password.
    pub login: Option<(String, Secret)>,
    pub from: Option<Mailbox>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tls {
    None,
    /// Encrypted after a greeting in the clear, and never without.
    StartTls,
    /// Encrypted from the start.
    Tls,
}

impl Config {
    /// Reads a file; reports everything that is wrong with it, with places in the text.
    pub fn read(text: &str, format: Format, lookup: &Lookup<'_>) -> Result<Self, Vec<Problem>> {
        let root = tree(text, format)?;
        let mut decoder = Decoder::new(UnknownFields::Refuse);
        let path = Path::document();
        let config = decoder.object(&root, &path, |fields| config(fields, lookup));
        if let Some(config) = &config {
            config.check(&mut decoder, &root);
        }
        let problems = decoder.into_problems();
        config.filter(|_| problems.is_empty()).ok_or(problems)
    }

    fn check(&self, decoder: &mut Decoder, root: &Node) {
        let mut names = BTreeSet::new();
        for (place, rule) in self.rules.iter().enumerate() {
            if !names.insert(&rule.name) {
                let path = Path::document().field("rules").index(place).field("name");
                let place = root.place_of(&path);
                let message = format!("two rules have the name `{}`", rule.name);
                let problem = problem(&path, message).at(place);
                decoder.report(problem.with_help("give each rule a name of its own"));
            }
        }
        let rules = self.rules.iter().map(|rule| rule.targets.len());
        // Everybody who is asked for an approval is asked alone.
        let asked = self.topics.values().flatten().chain(&self.approvals);
        let asked = asked.map(|channel| match channel {
            Channel::Email(email) => email.to.len(),
            Channel::Webhook(_) | Channel::Command(_) => 1,
        });
        let targets: usize = rules.chain(asked).sum();
        if targets > TARGETS_MAX {
            let message = format!("the file has {targets} targets, and the most is {TARGETS_MAX}");
            let problem = problem(&Path::document(), message).at(root.place);
            decoder.report(problem.with_help("let one command tell several"));
        }
    }
}

fn config(fields: &mut Fields<'_>, lookup: &Lookup<'_>) -> Config {
    // The sender of the mail server stands in where a target names none.
    let smtp = fields.optional("smtp", |d, node, path| target::smtp(d, node, path, lookup));
    let context = target::Context {
        lookup,
        has_smtp: smtp.is_some(),
        from: smtp.as_ref().and_then(|smtp| smtp.from.clone()),
    };
    Config {
        rules: fields.any("rules", |d, node, path| rule(d, node, path, &context)),
        approvals: fields
            .optional("approvals", |d, node, path| {
                target::approvals(d, node, path, &context)
            })
            .unwrap_or_default(),
        topics: fields
            .optional("topics", |d, node, path| {
                d.map(node, path, |d, node, path| {
                    d.list(node, path, |d, node, path| {
                        target::channel(d, node, path, &context)
                    })
                })
            })
            .unwrap_or_default(),
        smtp,
    }
}

fn rule(
    decoder: &mut Decoder,
    node: &Node,
    path: &Path,
    context: &target::Context<'_>,
) -> Option<Rule> {
    let read = |fields: &mut Fields<'_>| {
        let name = fields.required("name", name);
        let pattern = fields.required("pattern", pattern);
        let targets = fields.required("targets", |d, node, path| {
            d.list_of_some(node, path, |d, node, path| {
                target::channel(d, node, path, context)
            })
        });
        Some(Rule {
            name: name?,
            pattern: pattern?,
            targets: targets?,
        })
    };
    decoder.object(node, path, read).flatten()
}

fn name(decoder: &mut Decoder, node: &Node, path: &Path) -> Option<String> {
    let name = decoder.text(node, path)?;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if name.is_empty() || name.len() > NAME_CHARACTERS_MAX || !name.chars().all(is_plain) {
        let message = "the name of a rule is letters, digits, `-`, `_` and `.`";
        let help = format!("write one to {NAME_CHARACTERS_MAX} of them");
        decoder.report(problem(path, message).at(node.place).with_help(help));
        return None;
    }
    Some(name)
}

fn pattern(decoder: &mut Decoder, node: &Node, path: &Path) -> Option<Pattern> {
    match Pattern::read(&value(node)) {
        Ok(pattern) => Some(pattern),
        Err(refused) => {
            for Refused {
                path: inside,
                message,
                help,
            } in refused
            {
                let place = node.place_of(&inside);
                let inside = below(path, &inside);
                decoder.report(problem(&inside, message).at(place).with_help(help));
            }
            None
        }
    }
}

/// The node as JSON; a number that JSON cannot have is a text, which no number equals.
fn value(node: &Node) -> Value {
    match &node.value {
        NodeValue::Null => Value::Null,
        NodeValue::Bool(value) => Value::Bool(*value),
        NodeValue::Integer(number) => Value::from(*number),
        NodeValue::Number(text) => {
            let number = serde_json::from_str::<serde_json::Number>(text);
            number.map_or_else(|_| Value::from(text.as_str()), Value::Number)
        }
        NodeValue::Text(text) => Value::from(text.as_str()),
        NodeValue::List(items) => items.iter().map(value).collect(),
        NodeValue::Map(entries) => entries
            .iter()
            .map(|entry| (entry.key.clone(), value(&entry.node)))
            .collect(),
    }
}

fn below(path: &Path, inside: &Path) -> Path {
    let steps = inside.segments().iter();
    steps.fold(path.clone(), |path, segment| match segment {
        Segment::Field(name) => path.field(name.clone()),
        Segment::Index(index) => path.index(*index),
        Segment::Key(key) => path.key(key),
    })
}

fn problem(path: &Path, message: impl Into<String>) -> Problem {
    Problem::new(rule::SHAPE, Exception::Validation, path.clone(), message)
}
