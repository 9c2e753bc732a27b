//! Policy documents: what a key is allowed, in IAM's language.
//!
//! Everything is denied that no statement allows, and what one statement denies none can allow. A
//! document is read once and refused if any of it is not understood, so that nothing in it is
//! silently without effect. Evaluation is total: what a condition asks for and the request does not
//! tell, or tells in a form that cannot be compared, counts for a Deny and against an Allow.

mod condition;
mod read;

use std::collections::BTreeMap;

pub use condition::{Condition, Operator, Quantifier};
pub use read::PolicyError;

/// The largest policy document.
pub const POLICY_BYTES_MAX: usize = 64 * 1024;

/// How many statements a document may have.
pub const STATEMENTS_MAX: usize = 200;

/// A policy document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    pub statements: Vec<Statement>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Its name, to find it by.
    pub sid: Option<String>,
    pub effect: Effect,
    pub actions: Patterns,
    pub resources: Patterns,
    /// All of them must hold.
    pub conditions: Vec<Condition>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    Allow,
    Deny,
}

/// `Action` or `NotAction`, `Resource` or `NotResource`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patterns {
    /// It matches what none of the patterns does.
    pub inverted: bool,
    pub patterns: Vec<String>,
}

/// What somebody wants to do.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// `codepipeline:StartPipelineExecution`
    pub action: &'a str,
    /// The ARN, or `*` where an operation has no resource.
    pub resource: &'a str,
    /// Condition keys in lower case, with their values.
    pub context: &'a BTreeMap<String, Vec<String>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    Allowed,
    /// No statement allows it.
    NotAllowed,
    /// A statement denies it; its name, if it has one.
    Denied(Option<String>),
}

/// Decides by all policies of a key.
pub fn decide<'a>(
    policies: impl IntoIterator<Item = &'a Policy>,
    request: &Request<'_>,
) -> Decision {
    let mut decision = Decision::NotAllowed;
    for statement in policies.into_iter().flat_map(|policy| &policy.statements) {
        if !statement.applies(request) {
            continue;
        }
        match statement.effect {
            Effect::Deny => return Decision::Denied(statement.sid.clone()),
            Effect::Allow => decision = Decision::Allowed,
        }
    }
    decision
}

impl Statement {
    fn applies(&self, request: &Request<'_>) -> bool {
        // Action names are compared without regard to case, resources with it.
        let action = request.action.to_ascii_lowercase();
        let of_action = |pattern: &str| matches(&pattern.to_ascii_lowercase(), &action);
        self.actions.hold(of_action)
            && self
                .resources
                .hold(|pattern| matches(pattern, request.resource))
            && self.conditions.iter().all(|condition| {
                let in_doubt = self.effect == Effect::Deny;
                condition.holds(request.context).unwrap_or(in_doubt)
            })
    }
}

impl Patterns {
    fn hold(&self, matches: impl Fn(&str) -> bool) -> bool {
        self.patterns.iter().any(|pattern| matches(pattern)) != self.inverted
    }
}

/// Whether a text matches a pattern in which `*` stands for any characters and `?` for one.
///
/// It takes no longer than the product of the two lengths, whatever the pattern.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), text.chars().collect());
    let (mut at, mut from) = (0, 0);
    // Where the last star was, and how much of the text it had taken.
    let mut star: Option<(usize, usize)> = None;
    while from < text.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, from));
                at += 1;
            }
            Some(c) if *c == '?' || *c == text[from] => {
                at += 1;
                from += 1;
            }
            Some(_) | None => {
                let Some((place, taken)) = star else {
                    return false;
                };
                star = Some((place, taken + 1));
                at = place + 1;
                from = taken + 1;
            }
        }
    }
    pattern[at..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests;
