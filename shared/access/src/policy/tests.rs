use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

mod reference;

const START: &str = "codepipeline:StartPipelineExecution";
const SHOP: &str = "arn:aws:codepipeline:eu-west-1:111122223333:shop";

fn policy(statements: &str) -> Policy {
    let text = format!(r#"{{"Version": "2012-10-17", "Statement": [{statements}]}}"#);
    Policy::read(&text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn context(pairs: &[(&str, &[&str])]) -> BTreeMap<String, Vec<String>> {
    let own = |values: &[&str]| values.iter().map(|v| (*v).to_owned()).collect();
    pairs
        .iter()
        .map(|(key, values)| ((*key).to_owned(), own(values)))
        .collect()
}

fn ask(policy: &Policy, action: &str, resource: &str, pairs: &[(&str, &[&str])]) -> Decision {
    let context = context(pairs);
    decide(
        [policy],
        &Request {
            action,
            resource,
            context: &context,
        },
    )
}

#[test]
fn nothing_is_allowed_by_itself_and_a_denial_wins() {
    assert_eq!(ask(&policy(""), START, SHOP, &[]), Decision::NotAllowed);
    let all = policy(r#"{"Effect": "Allow", "Action": "*", "Resource": "*"}"#);
    assert_eq!(ask(&all, START, SHOP, &[]), Decision::Allowed);
    let but = policy(
        r#"{"Effect": "Allow", "Action": "*", "Resource": "*"},
           {"Sid": "NotTheShop", "Effect": "Deny", "Action": "codepipeline:*", "Resource": "*:shop"}"#,
    );
    assert_eq!(
        ask(&but, START, SHOP, &[]),
        Decision::Denied(Some("NotTheShop".to_owned()))
    );
    assert_eq!(
        ask(
            &but,
            START,
            "arn:aws:codepipeline:eu-west-1:111122223333:blog",
            &[]
        ),
        Decision::Allowed
    );
    let context = context(&[]);
    let request = Request {
        action: START,
        resource: SHOP,
        context: &context,
    };
    assert_eq!(
        decide([&but, &all], &request),
        Decision::Denied(Some("NotTheShop".to_owned()))
    );
}

#[test]
fn actions_and_resources_are_patterns() {
    let some = policy(
        r#"{"Effect": "Allow", "Action": ["codepipeline:startpipeline*", "codepipeline:Get?ipeline"],
            "Resource": "arn:aws:codepipeline:*:111122223333:shop/*/ship"}"#,
    );
    let action = format!("{SHOP}/Deploy/ship");
    assert_eq!(ask(&some, START, &action, &[]), Decision::Allowed);
    assert_eq!(
        ask(&some, "codepipeline:GetPipeline", &action, &[]),
        Decision::Allowed
    );
    assert_eq!(
        ask(&some, "codepipeline:GetPipelineState", &action, &[]),
        Decision::NotAllowed
    );
    assert_eq!(
        ask(&some, START, &format!("{SHOP}/Deploy/SHIP"), &[]),
        Decision::NotAllowed
    );
    let others = policy(
        r#"{"Effect": "Allow", "NotAction": "codepipeline:Delete*", "NotResource": "*:shop"}"#,
    );
    assert_eq!(ask(&others, START, SHOP, &[]), Decision::NotAllowed);
    assert_eq!(ask(&others, START, "blog", &[]), Decision::Allowed);
    assert_eq!(
        ask(&others, "codepipeline:DeletePipeline", "blog", &[]),
        Decision::NotAllowed
    );
}

/// Whether an Allow and a Deny with that condition apply.
fn applies(condition: &str, pairs: &[(&str, &[&str])]) -> (bool, bool) {
    let with = |effect: &str| {
        policy(&format!(
            r#"{{"Effect": "{effect}", "Action": "*", "Resource": "*", "Condition": {condition}}}"#
        ))
    };
    let allows = ask(&with("Allow"), START, SHOP, pairs) == Decision::Allowed;
    let denies = ask(&with("Deny"), START, SHOP, pairs) == Decision::Denied(None);
    (allows, denies)
}

const YES: (bool, bool) = (true, true);
const NO: (bool, bool) = (false, false);
/// It cannot be told: a Deny applies, an Allow does not.
const IN_DOUBT: (bool, bool) = (false, true);

#[test]
#[expect(clippy::too_many_lines, reason = "it is a table")]
fn each_operator_compares_in_its_own_way() {
    type Case = (
        &'static str,
        &'static [(&'static str, &'static [&'static str])],
        (bool, bool),
    );
    let cases: &[Case] = &[
        (
            r#"{"StringEquals": {"aws:Username": ["ann", "bob"]}}"#,
            &[("aws:username", &["bob"])],
            YES,
        ),
        (
            r#"{"StringEquals": {"aws:username": "ann"}}"#,
            &[("aws:username", &["Ann"])],
            NO,
        ),
        (r#"{"StringEquals": {"aws:username": "ann"}}"#, &[], NO),
        (
            r#"{"StringEqualsIfExists": {"aws:username": "ann"}}"#,
            &[],
            YES,
        ),
        (r#"{"StringNotEquals": {"aws:username": "ann"}}"#, &[], YES),
        (
            r#"{"StringNotEquals": {"aws:username": ["ann", "bob"]}}"#,
            &[("aws:username", &["bob"])],
            NO,
        ),
        (
            r#"{"StringEqualsIgnoreCase": {"aws:username": "ann"}}"#,
            &[("aws:username", &["ANN"])],
            YES,
        ),
        (
            r#"{"StringLike": {"aws:username": "a*"}}"#,
            &[("aws:username", &["ann"])],
            YES,
        ),
        (
            r#"{"StringNotLike": {"aws:username": "a*"}}"#,
            &[("aws:username", &["ann"])],
            NO,
        ),
        (
            r#"{"Bool": {"aws:MultiFactorAuthPresent": "true"}}"#,
            &[("aws:multifactorauthpresent", &["true"])],
            YES,
        ),
        (
            r#"{"Bool": {"aws:MultiFactorAuthPresent": false}}"#,
            &[("aws:multifactorauthpresent", &["true"])],
            NO,
        ),
        (
            r#"{"Bool": {"aws:MultiFactorAuthPresent": "false"}}"#,
            &[("aws:multifactorauthpresent", &["False"])],
            IN_DOUBT,
        ),
        (
            r#"{"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}}"#,
            &[],
            YES,
        ),
        (
            r#"{"IpAddress": {"aws:SourceIp": ["10.0.0.0/8", "::1"]}}"#,
            &[("aws:sourceip", &["10.200.3.4"])],
            YES,
        ),
        (
            r#"{"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}"#,
            &[("aws:sourceip", &["11.0.0.1"])],
            NO,
        ),
        (
            r#"{"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}"#,
            &[("aws:sourceip", &["::ffff:10.1.1.1"])],
            YES,
        ),
        (
            r#"{"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}"#,
            &[("aws:sourceip", &["::1"])],
            NO,
        ),
        (
            r#"{"NotIpAddress": {"aws:SourceIp": "2001:db8::/32"}}"#,
            &[("aws:sourceip", &["2001:db8::7"])],
            NO,
        ),
        (
            r#"{"NotIpAddress": {"aws:SourceIp": "127.0.0.1"}}"#,
            &[("aws:sourceip", &["localhost"])],
            IN_DOUBT,
        ),
        (
            r#"{"DateLessThan": {"aws:CurrentTime": "2026-11-21T08:00:00Z"}}"#,
            &[("aws:currenttime", &["2026-11-21T07:59:59Z"])],
            YES,
        ),
        (
            r#"{"DateGreaterThan": {"aws:CurrentTime": "2026-11-21T08:00:00Z"}}"#,
            &[("aws:currenttime", &["2026-11-21T07:59:59Z"])],
            NO,
        ),
        (
            r#"{"DateLessThan": {"aws:CurrentTime": "2026-11-21T08:00:00Z"}}"#,
            &[("aws:currenttime", &["soon"])],
            IN_DOUBT,
        ),
        (r#"{"Null": {"aws:RequestTag/team": "true"}}"#, &[], YES),
        (
            r#"{"Null": {"aws:RequestTag/team": "false"}}"#,
            &[("aws:requesttag/team", &["a"])],
            YES,
        ),
        (
            r#"{"ForAllValues:StringEquals": {"aws:TagKeys": ["a", "b"]}}"#,
            &[("aws:tagkeys", &["a", "c"])],
            NO,
        ),
        (
            r#"{"ForAllValues:StringEquals": {"aws:TagKeys": ["a", "b"]}}"#,
            &[],
            YES,
        ),
        (
            r#"{"ForAnyValue:StringEquals": {"aws:TagKeys": ["a", "b"]}}"#,
            &[("aws:tagkeys", &["a", "c"])],
            YES,
        ),
        (
            r#"{"StringEquals": {"aws:username": "ann"}, "Bool": {"aws:SecureTransport": true}}"#,
            &[("aws:username", &["ann"])],
            NO,
        ),
    ];
    for (condition, pairs, expected) in cases {
        assert_eq!(
            applies(condition, pairs),
            *expected,
            "{condition} of {pairs:?}"
        );
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "it is a table")]
fn what_is_not_understood_is_refused_with_its_place() {
    let statement = |fields: &str| {
        format!(r#"{{"Version": "2012-10-17", "Statement": {{"Effect": "Allow", {fields}}}}}"#)
    };
    let condition = |text: &str| {
        statement(&format!(
            r#""Action": "*", "Resource": "*", "Condition": {text}"#
        ))
    };
    let cases = [
        ("{".to_owned(), "policy: it is not JSON"),
        ("[]".to_owned(), "policy: it must be an object"),
        (
            r#"{"Version": "2008-10-17", "Statement": []}"#.to_owned(),
            "Version: it must be \"2012-10-17\"",
        ),
        (
            r#"{"Version": "2012-10-17", "Statement": 7}"#.to_owned(),
            "Statement: it must be a statement",
        ),
        (
            r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Maybe"}]}"#.to_owned(),
            "Statement[0].Effect",
        ),
        (
            statement(r#""Resource": "*""#),
            "Statement[0]: there must be one of Action and NotAction",
        ),
        (
            statement(r#""Action": "*", "NotAction": "*", "Resource": "*""#),
            "Statement[0]: there must be one of Action",
        ),
        (
            statement(r#""Action": [], "Resource": "*""#),
            "Statement[0].Action: it must be a string or a list",
        ),
        (
            statement(r#""Action": "StartPipelineExecution", "Resource": "*""#),
            "service:Operation",
        ),
        (
            statement(r#""Action": "*", "Resource": "*", "Principal": "*""#),
            "`Principal` is not known here",
        ),
        (
            statement(r#""Action": "*", "Resource": "*", "Sid": 1"#),
            "Statement[0].Sid: it must be a string",
        ),
        (
            condition(r#"{"NumericEquals": {"a": "1"}}"#),
            "`NumericEquals` is not supported",
        ),
        (
            condition(r#"{"NullIfExists": {"a": "true"}}"#),
            "`NullIfExists` is not supported",
        ),
        (
            condition(r#"{"Each:StringEquals": {"a": "1"}}"#),
            "this operator is not supported",
        ),
        (
            condition(r#"{"StringEquals": {"a": "${aws:username}"}}"#),
            "policy variables are not supported",
        ),
        (
            condition(r#"{"Bool": {"a": "yes"}}"#),
            "Condition.Bool.a: the value must be true or false",
        ),
        (
            condition(r#"{"IpAddress": {"a": "10.0.0.0/33"}}"#),
            "an address or a network",
        ),
        (
            condition(r#"{"DateLessThan": {"a": "tomorrow"}}"#),
            "the value must be a date",
        ),
        (
            condition(r#"{"DateLessThan": {"a": ["x", "y"]}}"#),
            "there must be one value",
        ),
        (
            condition("[]"),
            "Statement[0].Condition: it must be an object of operators",
        ),
        (
            condition(r#"{"Bool": true}"#),
            "Condition.Bool: it must be an object of condition keys",
        ),
        (" ".repeat(POLICY_BYTES_MAX + 1), "longer than"),
    ];
    for (text, expected) in cases {
        let error = Policy::read(&text).expect_err(expected).to_string();
        assert!(error.contains(expected), "{text}: {error}");
    }
    let many =
        vec![r#"{"Effect":"Allow","Action":"*","Resource":"*"}"#; STATEMENTS_MAX + 1].join(",");
    let text = format!(r#"{{"Version": "2012-10-17", "Statement": [{many}]}}"#);
    assert!(
        Policy::read(&text)
            .expect_err("too many")
            .to_string()
            .contains("more than")
    );
}

#[test]
fn a_pattern_takes_no_longer_than_it_must() {
    let pattern = "*a".repeat(2_000);
    assert!(!matches(&pattern, &"a".repeat(1_999)));
    assert!(matches(&pattern, &"a".repeat(3_000)));
    assert!(matches("?b*", "äbc") && matches("", "") && matches("**", "") && !matches("?", ""));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    /// Two ways to decide that have nothing in common but the document agree.
    #[test]
    fn the_reference_agrees(
        statements in prop::collection::vec(reference::statement(), 0..5),
        (action, resource, context) in reference::request(),
    ) {
        let text = serde_json::json!({"Version": "2012-10-17", "Statement": statements}).to_string();
        let policy = Policy::read(&text).expect("it is well formed");
        let request = Request { action: &action, resource: &resource, context: &context };
        let decided = match decide([&policy], &request) {
            Decision::Allowed => "Allowed",
            Decision::NotAllowed => "NotAllowed",
            Decision::Denied(_) => "Denied",
        };
        let wanted = reference::decide(&statements, &action, &resource, &context);
        prop_assert_eq!(decided, wanted, "{} for {:?}", text, (action, resource, context));
    }
}
