//! What each function did, beside what its role lets it do.
//!
//! The emulator checks every request against the role, resource and condition included, so that a
//! missing right fails the release. Here is the other half: nothing is allowed that nobody needs.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::{
    cli::Cli,
    stack::{FUNCTIONS, Stack},
};

/// Rights that are needed and that this run may not provoke, by the reason why they are.
const UNPROVOKED: &[(&str, &[(&str, &str)])] = &[
    (
        "without it, what is not there looks like what is forbidden",
        &[
            ("action-worker", "s3:ListBucket"),
            ("api", "s3:ListBucket"),
            ("source-trigger", "s3:ListBucket"),
        ],
    ),
    (
        "a source that is polled",
        &[
            ("source-trigger", "s3:GetObject"),
            ("source-trigger", "s3:GetObjectTagging"),
            ("source-trigger", "s3:GetObjectVersion"),
        ],
    ),
    (
        "a source whose object has tags, or is looked for by its versions",
        &[
            ("action-worker", "s3:GetObjectTagging"),
            ("action-worker", "s3:GetObjectVersionTagging"),
            ("action-worker", "s3:ListBucketVersions"),
        ],
    ),
    (
        "a deployment with an ACL",
        &[("action-worker", "s3:PutObjectAcl")],
    ),
    (
        "a long artifact, given up half way",
        &[("action-worker", "s3:AbortMultipartUpload")],
    ),
    (
        "a build that is stopped, asked for, or whose end nobody told",
        &[
            ("api", "ecs:DescribeTasks"),
            ("api", "ecs:ListTasks"),
            ("api", "ecs:StopTask"),
            ("action-worker", "ecs:DescribeTasks"),
            ("action-worker", "ecs:StopTask"),
        ],
    ),
    (
        "a project with an image of its own",
        &[
            ("action-worker", "ecs:DescribeTaskDefinition"),
            ("action-worker", "ecs:RegisterTaskDefinition"),
        ],
    ),
    (
        "a parameter that a build asks for",
        &[("api", "ssm:GetParameter")],
    ),
    (
        "a log of a build that somebody reads",
        &[("api", "logs:GetLogEvents")],
    ),
    (
        "a commit that ends an execution",
        &[
            ("api", "dynamodb:DeleteItem"),
            ("approval-callback", "dynamodb:DeleteItem"),
            ("source-trigger", "dynamodb:DeleteItem"),
        ],
    ),
    (
        "a commit whose answer was lost, or a look at an execution that has ended",
        &[
            ("approval-callback", "dynamodb:GetItem"),
            ("notification", "dynamodb:GetItem"),
            ("source-trigger", "dynamodb:GetItem"),
            ("stage-transition", "dynamodb:GetItem"),
        ],
    ),
];

/// Rights that the emulator checks against another resource than AWS does (all of ECS against the
/// cluster), or without the keys of their conditions (`ecs:cluster`, `events:source`).
const MISJUDGED: &[(&str, &[&str])] = &[
    (
        "action-worker",
        &[
            "ecs:DescribeTasks",
            "ecs:ListTasks",
            "ecs:RunTask",
            "ecs:StopTask",
        ],
    ),
    (
        "api",
        &[
            "ecs:DescribeTasks",
            "ecs:ListTasks",
            "ecs:StopTask",
            "events:PutEvents",
        ],
    ),
    ("approval-callback", &["events:PutEvents"]),
    ("source-trigger", &["events:PutEvents"]),
    ("stage-transition", &["events:PutEvents"]),
];

/// The policy that allows them for the emulator's sake.
const OF_EMULATOR: &str = "emulator";

/// Lets roles do what the emulator misjudges; what the template says of it is compared all the same.
pub(crate) fn allow_misjudged(aws: &Cli, functions: &BTreeMap<&'static str, String>) {
    for (function, actions) in MISJUDGED {
        let policy = json!({
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}],
        });
        let role = role(aws, &functions[function]);
        aws.run(&[
            "iam",
            "put-role-policy",
            "--role-name",
            &role,
            "--policy-name",
            OF_EMULATOR,
            "--policy-document",
            &policy.to_string(),
        ]);
    }
}

/// The name of a function's role.
fn role(aws: &Cli, function: &str) -> String {
    let configuration = aws.run(&[
        "lambda",
        "get-function-configuration",
        "--function-name",
        function,
    ]);
    let role = configuration["Role"].as_str().unwrap_or_default();
    role.rsplit('/').next().unwrap_or_default().to_owned()
}

/// What a role allows, by function.
fn allowed(stack: &Stack) -> BTreeMap<&'static str, BTreeSet<String>> {
    let mut all = BTreeMap::new();
    for function in FUNCTIONS {
        let role = role(&stack.aws, &stack.functions[function]);
        all.insert(function, of_role(stack, &role));
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
        if policy == OF_EMULATOR {
            continue;
        }
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
            let mut known = UNPROVOKED.iter().flat_map(|(_, rights)| rights.iter());
            let is_known = known.any(|(of, right)| *of == function && right == action);
            if !is_known {
                wrong.push(format!(
                    "the role of {function} allows {action}, and nothing needed it"
                ));
            }
        }
    }
    let denied = stack.proxy.denied();
    wrong.extend(denied.into_iter().map(|denied| format!("denied: {denied}")));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
