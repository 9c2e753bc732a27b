//! Which secrets and parameters a build may ask for.

use model::{
    build::{BuildOrder, EnvelopeWork, SecretNeed},
    project::BuildVariableType,
};

/// Whether the order names it, by a variable or in a buildspec of its own, or anybody may ask.
pub(super) fn may_ask(order: &BuildOrder, open: &[String], need: &SecretNeed) -> bool {
    let (name, kind) = match need {
        SecretNeed::Parameter(name) => (name, BuildVariableType::ParameterStore),
        SecretNeed::Secret { id, .. } => (id, BuildVariableType::SecretsManager),
    };
    let by_variable = order
        .variables()
        .iter()
        .any(|variable| variable.kind == kind && is_named(&variable.value, name));
    // A path into the source has no line break; a text that has is the project's or the action's.
    let by_buildspec = match order.work() {
        EnvelopeWork::Buildspec(Some(text)) => text.contains('\n') && text.contains(name.as_str()),
        EnvelopeWork::Buildspec(None) | EnvelopeWork::Commands { .. } => false,
    };
    let by_everybody = open.iter().any(|open| match open.strip_suffix('*') {
        Some(begin) => name.starts_with(begin),
        None => name == open,
    });
    !name.is_empty() && (by_variable || by_buildspec || by_everybody)
}

/// A reference is a name, and after a colon what of it: `<id>:<key>:<stage>:<version>`
/// (spec 70 §4.3).
fn is_named(reference: &str, name: &str) -> bool {
    let rest = reference.strip_prefix(name);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
}
