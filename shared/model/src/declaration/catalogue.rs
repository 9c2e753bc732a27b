//! The catalogue: the action types and rule types that CodePipeline publishes.
//!
//! A declaration may name any of them, whether or not a provider here runs it: an action that
//! nobody here can run fails when it starts, with `ConfigurationError`. A type that is not in the
//! catalogue is refused when the declaration is saved (spec 20 §5 and §9, rule 16).

mod actions;
mod rules;

use super::{ActionCategory, ActionDeclaration, ActionOwner, ActionTypeId};

pub use actions::ACTION_TYPES;
pub use rules::{RULE_TYPES, RuleType, find_rule};

/// The version of every type in the catalogue.
pub const VERSION: &str = "1";
/// The limit of an action whose type is not in the catalogue (spec 60 §0.4, "everything else").
const OTHER_TIMEOUT_MINUTES: u32 = 60;

/// The fewest and the most artifacts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    pub min: usize,
    pub max: usize,
}

/// One action type (spec 20 §5, spec 60 §0.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActionType {
    pub category: ActionCategory,
    pub owner: ActionOwner,
    pub provider: &'static str,
    pub inputs: Count,
    pub outputs: Count,
    pub v2_only: bool,
    /// Configuration keys that must be there.
    pub required: &'static [&'static str],
    /// Configuration keys that may be there.
    pub optional: &'static [&'static str],
    /// Keys whose values are never shown (spec 10 §7).
    pub secret: &'static [&'static str],
    /// Keys by which a job worker picks its jobs.
    pub queryable: &'static [&'static str],
    /// Whether keys beyond the listed ones are taken, because the vendor's are not documented.
    pub open: bool,
    pub timeout_minutes: u32,
}

impl ActionType {
    /// Whether the key belongs into its configuration.
    pub fn knows_key(&self, key: &str) -> bool {
        self.open || self.keys().any(|known| known == key)
    }

    /// The configuration keys that are documented.
    pub fn keys(&self) -> impl Iterator<Item = &'static str> {
        self.required.iter().chain(self.optional).copied()
    }
}

/// The action type of that id, when it is published.
pub fn find(id: &ActionTypeId) -> Option<&'static ActionType> {
    if id.version != VERSION {
        return None;
    }
    ACTION_TYPES.iter().find(|known| {
        known.category == id.category
            && known.owner == id.owner
            && known.provider == id.provider.as_str()
    })
}

/// How long an action may take before it fails (spec 30 §18, spec 60 §0.4).
pub fn timeout_minutes(action: &ActionDeclaration) -> u32 {
    if action.action_type_id.category == ActionCategory::Approval
        && let Some(minutes) = action.timeout_in_minutes
    {
        return minutes;
    }
    let Some(known) = find(&action.action_type_id) else {
        return OTHER_TIMEOUT_MINUTES;
    };
    if known.category == ActionCategory::Deploy && known.provider == "ECS" {
        // The author may only shorten it.
        return action
            .configuration
            .get("DeploymentTimeout")
            .and_then(|minutes| minutes.parse().ok())
            .filter(|minutes| (1..=known.timeout_minutes).contains(minutes))
            .unwrap_or(known.timeout_minutes);
    }
    known.timeout_minutes
}

/// Whether the value is what the API shows in place of a secret; four or five asterisks
/// (spec 10 §7).
pub fn is_mask(value: &str) -> bool {
    matches!(value, "****" | "*****")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn action(category: ActionCategory, provider: &str) -> ActionDeclaration {
        ActionDeclaration {
            name: "A".into(),
            action_type_id: ActionTypeId {
                category,
                owner: ActionOwner::Aws,
                provider: provider.into(),
                version: "1".into(),
            },
            run_order: 1,
            configuration: std::collections::BTreeMap::new(),
            commands: vec![],
            input_artifacts: vec![],
            output_artifacts: vec![],
            output_variables: vec![],
            environment_variables: vec![],
            role_arn: None,
            region: None,
            namespace: None,
            timeout_in_minutes: None,
        }
    }

    #[test]
    fn each_category_and_provider_occurs_once() {
        for (place, one) in ACTION_TYPES.iter().enumerate() {
            for other in &ACTION_TYPES[place + 1..] {
                let same = one.category == other.category
                    && one.owner == other.owner
                    && one.provider == other.provider;
                assert!(!same, "{:?}/{}", one.category, one.provider);
            }
            for key in one.secret.iter().chain(one.queryable) {
                assert!(
                    one.keys().any(|known| known == *key),
                    "{key} of {}",
                    one.provider
                );
            }
        }
        // 31 built-ins, of which CodeBuild and Jenkins have two categories (spec 60 §0.5).
        assert_eq!(ACTION_TYPES.len(), 33);
    }

    #[test]
    fn timeouts_are_those_of_the_providers() {
        use ActionCategory::{Approval, Build, Compute, Deploy, Invoke, Source, Test};
        let minutes = |category, provider| timeout_minutes(&action(category, provider));
        assert_eq!(minutes(Approval, "Manual"), 7 * 24 * 60);
        assert_eq!(minutes(Build, "CodeBuild"), 36 * 60);
        assert_eq!(minutes(Test, "CodeBuild"), 8 * 60);
        assert_eq!(minutes(Compute, "Commands"), 55);
        assert_eq!(minutes(Deploy, "S3"), 90);
        assert_eq!(minutes(Deploy, "CloudFormation"), 3 * 24 * 60);
        assert_eq!(minutes(Deploy, "CodeDeploy"), 5 * 24 * 60);
        assert_eq!(minutes(Invoke, "Lambda"), 24 * 60);
        assert_eq!(minutes(Invoke, "StepFunctions"), 7 * 24 * 60);
        assert_eq!(minutes(Source, "S3"), 60);
        assert_eq!(minutes(Build, "NoSuchProvider"), 60);
    }

    #[test]
    fn an_approval_has_the_timeout_that_its_author_gave() {
        let mut approval = action(ActionCategory::Approval, "Manual");
        approval.timeout_in_minutes = Some(5);
        assert_eq!(timeout_minutes(&approval), 5);
    }

    #[test]
    fn an_ecs_deployment_can_be_given_less_time_and_not_more() {
        let mut deploy = action(ActionCategory::Deploy, "ECS");
        assert_eq!(timeout_minutes(&deploy), 60);
        for (given, expected) in [("15", 15), ("61", 60), ("0", 60), ("#{a.b}", 60)] {
            deploy
                .configuration
                .insert("DeploymentTimeout".into(), given.into());
            assert_eq!(timeout_minutes(&deploy), expected, "{given}");
        }
    }

    #[test]
    fn a_type_is_found_by_all_four_parts_of_its_id() {
        let mut id = action(ActionCategory::Deploy, "S3").action_type_id;
        assert_eq!(
            find(&id).map(|found| found.required),
            Some(&["BucketName", "Extract"][..])
        );
        id.version = "2".into();
        assert_eq!(find(&id), None);
        id.version = "1".into();
        id.owner = ActionOwner::Custom;
        assert_eq!(find(&id), None);
    }
}
