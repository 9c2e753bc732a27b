//! What no program of others looks at: the rules that keep work from being lost, done twice, or done
//! by whom it is not for.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::stack::{Resource, Stack};

/// A queue shows a message again after so many times of its function's time (R21).
const VISIBILITY_TIMES: u64 = 6;

/// What may loop: results come back to the one, unfinished jobs to the other (R24).
const LOOPS: [&str; 2] = ["ActionWorker", "StageTransition"];

/// Rights that AWS gives on everything or not at all; `ListTasks` is bound by its condition.
const ON_EVERYTHING: [&str; 5] = [
    "ecr:GetAuthorizationToken",
    "ecs:DescribeTaskDefinition",
    "ecs:ListTasks",
    "xray:PutTelemetryRecords",
    "xray:PutTraceSegments",
];

fn both() -> [Stack; 2] {
    [Stack::by_default(), Stack::with_everything()]
}

fn number(value: &Value) -> u64 {
    let text = value.as_str().and_then(|text| text.parse().ok());
    value.as_u64().or(text).unwrap_or_default()
}

fn list(value: &Value) -> Vec<&str> {
    match value {
        Value::String(one) => vec![one],
        several => several
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect(),
    }
}

/// The statements of all roles, with the name of the role.
fn statements(stack: &Stack) -> Vec<(String, Value)> {
    let mut all = Vec::new();
    for role in stack.all("AWS::IAM::Role") {
        for policy in role.properties["Policies"].as_array().into_iter().flatten() {
            let document = policy["PolicyDocument"]["Statement"].as_array();
            let document = document.into_iter().flatten().cloned();
            all.extend(document.map(|it| (role.name.clone(), it)));
        }
    }
    all
}

#[test]
fn a_queue_never_takes_equal_contents_for_one_intent() {
    for queue in Stack::by_default().all("AWS::SQS::Queue") {
        let by_content = &queue.properties["ContentBasedDeduplication"];
        let is_fifo = queue.properties["FifoQueue"] == true;
        assert!(
            *by_content == false || (!is_fifo && by_content.is_null()),
            "{}",
            queue.name
        );
    }
}

#[test]
fn a_queue_waits_long_enough_for_its_function_and_has_dead_letters() {
    let stack = Stack::by_default();
    let (queues, functions) = (
        stack.all("AWS::SQS::Queue"),
        stack.all("AWS::Lambda::Function"),
    );
    let mappings = stack.all("AWS::Lambda::EventSourceMapping");
    assert_eq!(mappings.len(), 2);
    for mapping in mappings {
        let of = |all: &[Resource], member: &str| {
            let found = Stack::named(all, &mapping.properties[member]);
            found.map(|it| it.properties.clone()).unwrap_or_default()
        };
        let (queue, function) = (
            of(&queues, "EventSourceArn"),
            of(&functions, "FunctionName"),
        );
        let timeout = number(&function["Timeout"]);
        let visibility = number(&queue["VisibilityTimeout"]);
        assert!(
            timeout > 0 && visibility >= VISIBILITY_TIMES * timeout,
            "{}",
            mapping.name
        );
        assert_eq!(
            mapping.properties["FunctionResponseTypes"],
            json!(["ReportBatchItemFailures"])
        );
        let dead = &queue["RedrivePolicy"]["deadLetterTargetArn"];
        let dead = Stack::named(&queues, dead).expect("it has dead letters");
        assert_eq!(
            dead.properties["FifoQueue"], queue["FifoQueue"],
            "{}",
            dead.name
        );
    }
}

#[test]
fn only_the_engine_and_the_worker_may_loop() {
    let functions = Stack::by_default().all("AWS::Lambda::Function");
    assert_eq!(functions.len(), 6);
    for function in functions {
        let allowed = function.properties["RecursiveLoop"] == "Allow";
        assert_eq!(
            allowed,
            LOOPS.contains(&function.name.as_str()),
            "{}",
            function.name
        );
    }
}

#[test]
fn a_build_has_no_rights() {
    for stack in both() {
        let tasks = stack.all("AWS::ECS::TaskDefinition");
        assert_eq!(tasks.len(), 1);
        for task in tasks {
            assert_eq!(task.properties.get("TaskRoleArn"), None, "{}", task.name);
            for container in task.properties["ContainerDefinitions"]
                .as_array()
                .expect("a list")
            {
                assert_eq!(container.get("Secrets"), None);
                assert_eq!(container.get("Privileged"), None);
            }
        }
    }
}

#[test]
fn each_function_has_a_role_of_its_own_and_writes_to_a_log_of_its_own() {
    let stack = Stack::by_default();
    let (mut roles, mut logs) = (BTreeSet::new(), BTreeSet::new());
    for function in stack.all("AWS::Lambda::Function") {
        let role = function.properties["Role"].to_string();
        assert!(
            role.contains(&function.name.replace("Function", "")),
            "{role}"
        );
        assert!(roles.insert(role), "{}", function.name);
        let log = function.properties["LoggingConfig"]["LogGroup"].to_string();
        assert!(logs.insert(log), "{}", function.name);
    }
    for role in stack.all("AWS::IAM::Role") {
        assert_eq!(
            role.properties.get("ManagedPolicyArns"),
            None,
            "{}",
            role.name
        );
        assert_eq!(role.properties.get("RoleName"), None, "{}", role.name);
    }
}

#[test]
fn every_rule_keeps_what_it_cannot_deliver() {
    let stack = Stack::by_default();
    let queues = stack.all("AWS::SQS::Queue");
    let rules = stack.all("AWS::Events::Rule");
    assert!(rules.len() >= 6, "{}", rules.len());
    for rule in rules {
        for target in rule.properties["Targets"]
            .as_array()
            .expect("it has targets")
        {
            let dead = Stack::named(&queues, &target["DeadLetterConfig"]["Arn"]);
            assert!(dead.is_some(), "{}", rule.name);
            let tries = &target["RetryPolicy"]["MaximumRetryAttempts"];
            assert!(tries.is_u64(), "{}", rule.name);
        }
    }
    // What the function itself fails at is kept, too.
    let started: BTreeSet<_> = stack
        .all("AWS::Events::Rule")
        .iter()
        .map(|rule| rule.properties["Targets"][0]["Arn"].to_string())
        .collect();
    for function in stack.all("AWS::Lambda::Function") {
        let is_started = started
            .iter()
            .any(|arn| arn.ends_with(&format!(":{}\"", function.name)));
        let keeps = function.properties["DeadLetterConfig"]["TargetArn"].is_string();
        assert_eq!(is_started, keeps, "{}", function.name);
    }
}

#[test]
fn logs_end_and_state_stays() {
    for group in Stack::by_default().all("AWS::Logs::LogGroup") {
        assert!(
            number(&group.properties["RetentionInDays"]) > 0,
            "{}",
            group.name
        );
    }
    let stack = Stack::by_default();
    let kept: Vec<_> = stack.kept().into_iter().collect();
    assert_eq!(
        kept,
        [
            "AuditLog",
            "Bucket",
            "MasterSecret",
            "SourceBucket",
            "Table"
        ]
    );
}

#[test]
fn rights_are_of_named_actions_on_named_things() {
    for stack in both() {
        let mut everything = BTreeMap::new();
        for (role, statement) in statements(&stack) {
            assert_eq!(statement["Effect"], "Allow", "{role}");
            assert!(statement["Sid"].is_string(), "{role}: {statement}");
            for action in list(&statement["Action"]) {
                assert!(!action.contains('*'), "{role} may {action}");
                if list(&statement["Resource"]).contains(&"*") {
                    everything.insert(action.to_owned(), statement["Condition"].clone());
                }
            }
            for resource in list(&statement["Resource"]) {
                let parts = resource.splitn(6, ':').count();
                assert!(resource == "*" || parts == 6, "{role}: {resource}");
            }
        }
        for (action, condition) in everything {
            assert!(
                ON_EVERYTHING.contains(&action.as_str()),
                "{action} on everything"
            );
            assert!(action != "ecs:ListTasks" || condition["ArnEquals"]["ecs:cluster"].is_string());
        }
    }
}

#[test]
fn a_role_is_passed_to_builds_alone() {
    for (role, statement) in statements(&Stack::with_everything()) {
        if list(&statement["Action"]).contains(&"iam:PassRole") {
            assert_eq!(role, "ActionWorkerRole");
            let to = &statement["Condition"]["StringEquals"]["iam:PassedToService"];
            assert_eq!(to, "ecs-tasks.amazonaws.com");
            assert_eq!(
                statement["Resource"],
                "arn:aws:iam::111122223333:role/BuildExecutionRole"
            );
        }
    }
}

#[test]
fn an_option_that_is_chosen_reaches_everything_that_it_is_for() {
    let stack = Stack::with_everything();
    let key = "arn:aws:kms:us-east-1:111122223333:key/k";
    for (kind, member) in [
        ("AWS::SQS::Queue", "KmsMasterKeyId"),
        ("AWS::SNS::Topic", "KmsMasterKeyId"),
        ("AWS::Logs::LogGroup", "KmsKeyId"),
        ("AWS::SecretsManager::Secret", "KmsKeyId"),
        ("AWS::Lambda::Function", "KmsKeyArn"),
        ("AWS::Events::EventBus", "KmsKeyIdentifier"),
    ] {
        for resource in stack.all(kind) {
            assert_eq!(resource.properties[member], key, "{}", resource.name);
        }
    }
    for role in stack.all("AWS::IAM::Role") {
        let bound = &role.properties["PermissionsBoundary"];
        assert!(bound.is_string(), "{}", role.name);
    }
    for function in stack.all("AWS::Lambda::Function") {
        assert_eq!(
            number(&function.properties["ReservedConcurrentExecutions"]),
            10
        );
    }
    assert!(stack.all("AWS::EC2::VPC").is_empty());
    assert_eq!(Stack::by_default().all("AWS::EC2::VPC").len(), 1);
    assert_eq!(stack.all("AWS::SNS::Subscription").len(), 2);
    assert!(Stack::by_default().all("AWS::SNS::Subscription").is_empty());
}

#[test]
fn the_log_of_requests_has_no_approvals_secret() {
    for stage in Stack::by_default().all("AWS::ApiGatewayV2::Stage") {
        let format = stage.properties["AccessLogSettings"]["Format"].to_string();
        assert!(format.contains("$context.routeKey"), "{format}");
        for secret in [
            "$context.path",
            "rawPath",
            "authorizer",
            "$context.protocol",
        ] {
            assert!(!format.contains(secret), "{secret}");
        }
    }
}

#[test]
fn every_parameter_is_in_a_group_and_says_what_it_is() {
    let stack = Stack::by_default();
    let (all, grouped) = stack.parameters_and_groups();
    assert_eq!(all, grouped);
}
