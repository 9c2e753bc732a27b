//! What each function did, beside what its role lets it do.
//!
//! The emulator checks every request against the role, resource and condition included, so that a
//! missing right fails the release. Here is the other half: nothing is allowed that nobody needs.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::stack::{FUNCTIONS, Stack};

/// Rights that are needed and that this run does not provoke, each with the reason.
const UNPROVOKED: &[(&str, &str, &str)] = &[];

/// What a role allows, by function.
fn allowed(stack: &Stack) -> BTreeMap<&'static str, BTreeSet<String>> {
    let mut all = BTreeMap::new();
    for function in FUNCTIONS {
        let name = &stack.functions[function];
        let configuration = stack.aws.run(&[
            "lambda",
            "get-function-configuration",
            "--function-name",
            name,
        ]);
        let role = configuration["Role"].as_str().unwrap_or_default();
        let role = role.rsplit('/').next().unwrap_or_default();
        all.insert(function, of_role(stack, role));
    }
    all
}

fn of_role(stack: &Stack, role: &str) -> BTreeSet<String> {
    let mut actions = BTreeSet::new();
    let inline = stack
        .aws
        .run(&["iam", "list-role-policies", "--role-name", role]);
    for policy in inline["PolicyNames"].as_array().into_iter().flatten() {
        let policy = policy.as_str().unwrap_or_default();
        let found = stack.aws.run(&[
            "iam",
            "get-role-policy",
            "--role-name",
            role,
            "--policy-name",
            policy,
        ]);
        actions.extend(of_document(&found["PolicyDocument"]));
    }
    let attached = stack
        .aws
        .run(&["iam", "list-attached-role-policies", "--role-name", role]);
    let attached = attached["AttachedPolicies"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    assert!(
        attached.is_empty(),
        "{role}: what is AWS's to change is no least privilege: {attached:?}"
    );
    actions
}

fn of_document(document: &Value) -> BTreeSet<String> {
    let statements = document["Statement"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    // Lambda itself acts with what is called "Platform": logs, queues that it polls, dead letters.
    let is_own = |statement: &&Value| {
        let name = statement["Sid"].as_str().unwrap_or_default();
        statement["Effect"] == "Allow" && !name.starts_with("Platform")
    };
    let allowing = statements.iter().filter(is_own);
    let mut actions = BTreeSet::new();
    for statement in allowing {
        match &statement["Action"] {
            Value::String(action) => {
                actions.insert(action.clone());
            }
            several => {
                let several = several.as_array().into_iter().flatten();
                actions.extend(several.filter_map(Value::as_str).map(str::to_owned));
            }
        }
    }
    actions
}

/// Panics with a list of what is missing and what is unused.
pub(crate) fn compare(stack: &Stack) {
    let needed = stack.proxy.needed();
    let mut wrong = Vec::new();
    for (function, allowed) in allowed(stack) {
        let needed = needed
            .get(&stack.functions[function])
            .cloned()
            .unwrap_or_default();
        for action in needed.difference(&allowed) {
            wrong.push(format!(
                "{function} needs {action}, and its role does not allow it"
            ));
        }
        for action in allowed.difference(&needed) {
            let is_known = UNPROVOKED
                .iter()
                .any(|(of, known, _)| *of == function && known == action);
            if !is_known {
                wrong.push(format!(
                    "the role of {function} allows {action}, and nothing needed it"
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
