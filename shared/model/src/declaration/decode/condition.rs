//! Readers of stage conditions and their rules (spec 20 §7).

use super::{
    super::{
        Condition, ConditionResult, Conditions, FailureConditions, RetryConfiguration, RetryMode,
        RuleDeclaration, RuleTypeId, node::Node, path::Path, rule_owner, rule_version,
    },
    Decoder, action,
};
use crate::declaration::validate::TIMEOUT_MINUTES;

const RESULTS: &[(&str, ConditionResult)] = &[
    ("ROLLBACK", ConditionResult::Rollback),
    ("FAIL", ConditionResult::Fail),
    ("RETRY", ConditionResult::Retry),
    ("SKIP", ConditionResult::Skip),
];
const RETRY_MODES: &[(&str, RetryMode)] = &[
    ("FAILED_ACTIONS", RetryMode::FailedActions),
    ("ALL_ACTIONS", RetryMode::AllActions),
];

pub(super) fn conditions(d: &mut Decoder, node: &Node, path: &Path) -> Option<Conditions> {
    d.object(node, path, |f| Conditions {
        conditions: f
            .required("conditions", |d, node, path| d.list(node, path, condition))
            .unwrap_or_default(),
    })
}

pub(super) fn on_failure(d: &mut Decoder, node: &Node, path: &Path) -> Option<FailureConditions> {
    d.object(node, path, |f| FailureConditions {
        result: f.optional("result", result),
        retry_configuration: f.optional("retryConfiguration", |d, node, path| {
            d.object(node, path, |f| RetryConfiguration {
                retry_mode: f.optional("retryMode", |d, node, path| {
                    d.choice(node, path, RETRY_MODES)
                }),
            })
        }),
        conditions: f.some("conditions", condition),
    })
}

fn result(d: &mut Decoder, node: &Node, path: &Path) -> Option<ConditionResult> {
    d.choice(node, path, RESULTS)
}

fn condition(d: &mut Decoder, node: &Node, path: &Path) -> Option<Condition> {
    d.object(node, path, |f| Condition {
        result: f.optional("result", result),
        rules: f.any("rules", rule),
    })
}

fn rule(d: &mut Decoder, node: &Node, path: &Path) -> Option<RuleDeclaration> {
    d.object(node, path, |f| RuleDeclaration {
        name: f.text("name"),
        rule_type_id: f
            .required("ruleTypeId", type_id)
            .unwrap_or_else(unreadable_type),
        configuration: f.texts("configuration"),
        commands: f.some("commands", Decoder::text),
        input_artifacts: f.any("inputArtifacts", action::input),
        role_arn: f.optional_text("roleArn"),
        region: f.optional_text("region"),
        timeout_in_minutes: f.optional_integer(
            "timeoutInMinutes",
            TIMEOUT_MINUTES.0,
            TIMEOUT_MINUTES.1,
        ),
    })
}

fn type_id(d: &mut Decoder, node: &Node, path: &Path) -> Option<RuleTypeId> {
    d.object(node, path, |f| RuleTypeId {
        category: f.text("category"),
        owner: f.optional_text("owner").unwrap_or_else(rule_owner),
        provider: f.text("provider"),
        version: f.optional_text("version").unwrap_or_else(rule_version),
    })
}

fn unreadable_type() -> RuleTypeId {
    RuleTypeId {
        category: String::new(),
        owner: rule_owner(),
        provider: String::new(),
        version: rule_version(),
    }
}
