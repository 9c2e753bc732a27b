//! The rule types of stage conditions (spec 20 §7): category Rule, owner AWS, version 1.

use super::{Count, VERSION};
use crate::declaration::RuleTypeId;

/// The category of every rule type.
const CATEGORY: &str = "Rule";
/// The owner of every rule type.
const OWNER: &str = "AWS";

/// One rule type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuleType {
    pub provider: &'static str,
    pub inputs: Count,
    pub required: &'static [&'static str],
    pub optional: &'static [&'static str],
    /// Whether it may decide about a SKIP (spec 20 §7).
    pub may_skip: bool,
    /// How long it may take (spec 30 §10).
    pub timeout_minutes: u32,
}

const NO_INPUTS: Count = Count { min: 0, max: 0 };

/// Every rule type.
pub const RULE_TYPES: &[RuleType] = &[
    RuleType {
        provider: "CloudWatchAlarm",
        inputs: NO_INPUTS,
        required: &["AlarmName"],
        optional: &["AlarmStates", "WaitTime"],
        may_skip: false,
        timeout_minutes: 60,
    },
    RuleType {
        provider: "CodeBuild",
        inputs: Count { min: 0, max: 5 },
        required: &["ProjectName"],
        optional: &[
            "PrimarySource",
            "BatchEnabled",
            "CombineArtifacts",
            "EnvironmentVariables",
        ],
        may_skip: false,
        timeout_minutes: 55,
    },
    RuleType {
        provider: "Commands",
        inputs: Count { min: 0, max: 10 },
        required: &[],
        optional: &[],
        may_skip: false,
        timeout_minutes: 55,
    },
    RuleType {
        provider: "DeploymentWindow",
        inputs: NO_INPUTS,
        required: &["Cron"],
        optional: &["TimeZone"],
        may_skip: false,
        timeout_minutes: 7 * 24 * 60,
    },
    RuleType {
        provider: "LambdaInvoke",
        inputs: Count { min: 0, max: 5 },
        required: &["FunctionName"],
        optional: &["UserParameters"],
        may_skip: true,
        timeout_minutes: 60,
    },
    RuleType {
        provider: "VariableCheck",
        inputs: NO_INPUTS,
        required: &["Variable", "Value", "Operator"],
        optional: &[],
        may_skip: true,
        timeout_minutes: 60,
    },
];

/// The rule type of that id, when it is published.
pub fn find_rule(id: &RuleTypeId) -> Option<&'static RuleType> {
    if id.category != CATEGORY || id.owner != OWNER || id.version != VERSION {
        return None;
    }
    RULE_TYPES
        .iter()
        .find(|known| known.provider == id.provider)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_type_is_found_by_all_four_parts_of_its_id() {
        let id = |category: &str, owner: &str, provider: &str, version: &str| RuleTypeId {
            category: category.into(),
            owner: owner.into(),
            provider: provider.into(),
            version: version.into(),
        };
        assert!(find_rule(&id("Rule", "AWS", "VariableCheck", "1")).is_some());
        assert!(find_rule(&id("Rule", "AWS", "VariableCheck", "2")).is_none());
        assert!(find_rule(&id("Rule", "Custom", "VariableCheck", "1")).is_none());
        assert!(find_rule(&id("Test", "AWS", "VariableCheck", "1")).is_none());
        assert!(find_rule(&id("Rule", "AWS", "Nothing", "1")).is_none());
    }
}
