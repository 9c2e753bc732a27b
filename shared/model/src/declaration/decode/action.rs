//! Readers of actions (spec 20 §4).

use super::{
    super::{
        ActionCategory, ActionDeclaration, ActionOwner, ActionTypeId, EnvironmentVariable,
        EnvironmentVariableType, InputArtifact, OutputArtifact, first_run_order, node::Node,
        path::Path,
    },
    Decoder,
};
use crate::declaration::validate::{RUN_ORDER_MAX, TIMEOUT_MINUTES};

const CATEGORIES: &[(&str, ActionCategory)] = &[
    ("Source", ActionCategory::Source),
    ("Build", ActionCategory::Build),
    ("Deploy", ActionCategory::Deploy),
    ("Test", ActionCategory::Test),
    ("Invoke", ActionCategory::Invoke),
    ("Approval", ActionCategory::Approval),
    ("Compute", ActionCategory::Compute),
];
const OWNERS: &[(&str, ActionOwner)] = &[
    ("AWS", ActionOwner::Aws),
    ("ThirdParty", ActionOwner::ThirdParty),
    ("Custom", ActionOwner::Custom),
];
const VARIABLE_TYPES: &[(&str, EnvironmentVariableType)] = &[
    ("PLAINTEXT", EnvironmentVariableType::Plaintext),
    ("SECRETS_MANAGER", EnvironmentVariableType::SecretsManager),
];

pub(in super::super) fn action(
    d: &mut Decoder,
    node: &Node,
    path: &Path,
) -> Option<ActionDeclaration> {
    d.object(node, path, |f| ActionDeclaration {
        name: f.text("name"),
        action_type_id: f
            .required("actionTypeId", type_id)
            .unwrap_or_else(unreadable_type),
        run_order: f
            .optional_integer("runOrder", 1, RUN_ORDER_MAX)
            .unwrap_or_else(first_run_order),
        configuration: f.texts("configuration"),
        commands: f.some("commands", Decoder::text),
        input_artifacts: f.any("inputArtifacts", input),
        output_artifacts: f.any("outputArtifacts", output),
        output_variables: f.some("outputVariables", Decoder::text),
        environment_variables: f.some("environmentVariables", environment_variable),
        role_arn: f.optional_text("roleArn"),
        region: f.optional_text("region"),
        namespace: f.optional_text("namespace"),
        timeout_in_minutes: f.optional_integer(
            "timeoutInMinutes",
            TIMEOUT_MINUTES.0,
            TIMEOUT_MINUTES.1,
        ),
    })
}

/// What stands in for a type that could not be read. Its path is marked, so that no rule speaks
/// of it.
fn unreadable_type() -> ActionTypeId {
    ActionTypeId {
        category: ActionCategory::Build,
        owner: ActionOwner::Aws,
        provider: String::new(),
        version: String::new(),
    }
}

fn type_id(d: &mut Decoder, node: &Node, path: &Path) -> Option<ActionTypeId> {
    d.object(node, path, |f| ActionTypeId {
        category: f
            .required("category", |d, node, path| d.choice(node, path, CATEGORIES))
            .unwrap_or(ActionCategory::Build),
        owner: f
            .required("owner", |d, node, path| d.choice(node, path, OWNERS))
            .unwrap_or(ActionOwner::Aws),
        provider: f.text("provider"),
        version: f.text("version"),
    })
}

pub(in super::super) fn input(d: &mut Decoder, node: &Node, path: &Path) -> Option<InputArtifact> {
    d.object(node, path, |f| InputArtifact {
        name: f.text("name"),
    })
}

fn output(d: &mut Decoder, node: &Node, path: &Path) -> Option<OutputArtifact> {
    d.object(node, path, |f| OutputArtifact {
        name: f.text("name"),
        files: f.some("files", Decoder::text),
    })
}

fn environment_variable(d: &mut Decoder, node: &Node, path: &Path) -> Option<EnvironmentVariable> {
    d.object(node, path, |f| EnvironmentVariable {
        name: f.text("name"),
        value: f.text("value"),
        kind: f
            .optional("type", |d, node, path| d.choice(node, path, VARIABLE_TYPES))
            .unwrap_or_default(),
    })
}
