//! The rules of triggers (37–39, 48).

use expect_test::{Expect, expect};

use super::check;

/// The good pipeline with a connection source and these triggers.
fn check_triggers(triggers: &str, expected: &Expect) {
    let triggers = format!("triggers:\n{triggers}\nstages:\n");
    check(
        &[
            ("provider: CodeCommit", "provider: CodeStarSourceConnection"),
            (
                "RepositoryName: r, BranchName: main",
                "ConnectionArn: a, FullRepositoryId: o/r, BranchName: main",
            ),
            ("stages:\n", &triggers),
        ],
        expected,
    );
}

fn trigger(rest: &str) -> String {
    format!(
        "  - providerType: CodeStarSourceConnection\n    gitConfiguration: {{sourceActionName: \
         Checkout{rest}}}\n"
    )
}

#[test]
fn good_triggers_have_no_problems() {
    for rest in [
        "",
        ", push: [{tags: {includes: [v*]}}]",
        ", push: [{branches: {excludes: [x]}, filePaths: {includes: [a]}}, {tags: {includes: [v*]}}]",
        ", push: [{branches: {includes: [x]}, tags: {}}]",
        ", pullRequest: [{events: [OPEN]}]",
        ", pullRequest: [{branches: {includes: [main]}, filePaths: {includes: [a]}}]",
    ] {
        check_triggers(
            &trigger(rest),
            &expect![[r#"
            no problems
        "#]],
        );
    }
}

#[test]
fn rule_37_a_trigger_names_a_connection_source() {
    check_triggers(
        &trigger("").replace("Checkout", "Chekout"),
        &expect![[r#"
            37  11:42: triggers[0].gitConfiguration.sourceActionName: Triggers for connections must reference a CodeStarSourceConnection action. [InvalidStructureException]; help: did you mean `Checkout`?
        "#]],
    );
    check_triggers(
        &trigger("").replace("Checkout", "Compile"),
        &expect![[r#"
            37  11:42: triggers[0].gitConfiguration.sourceActionName: Triggers for connections must reference a CodeStarSourceConnection action. [InvalidStructureException]; help: name a source action whose provider is CodeStarSourceConnection
        "#]],
    );
}

#[test]
fn rule_38_a_source_has_one_trigger() {
    check_triggers(
        &format!("{}{}", trigger(""), trigger("")),
        &expect![[r#"
            38  13:42: triggers[1].gitConfiguration.sourceActionName: Source action 'Checkout' has more than one trigger [InvalidStructureException]; help: put all filters into one `gitConfiguration`
        "#]],
    );
}

#[test]
fn rule_39_only_some_filters_go_together() {
    for (rest, expected) in [
        (
            ", push: [{tags: {includes: [v*]}, branches: {includes: [main]}}]",
            expect![[r#"
                39  11:59: triggers[0].gitConfiguration.push[0]: The trigger configuration for the source action is not valid. Make sure to choose valid filter combinations. [InvalidStructureException]; help: a push filter is `tags`, or `branches`, or `branches` and `filePaths`; write two filters for tags and branches
            "#]],
        ),
        (
            ", push: [{filePaths: {includes: [a]}}]",
            expect![[r#"
                39  11:59: triggers[0].gitConfiguration.push[0]: The trigger configuration for the source action is not valid. Make sure to choose valid filter combinations. [InvalidStructureException]; help: a push filter is `tags`, or `branches`, or `branches` and `filePaths`; write two filters for tags and branches
            "#]],
        ),
        (
            ", push: [{}]",
            expect![[r#"
                39  11:59: triggers[0].gitConfiguration.push[0]: The trigger configuration for the source action is not valid. Make sure to choose valid filter combinations. [InvalidStructureException]; help: a push filter is `tags`, or `branches`, or `branches` and `filePaths`; write two filters for tags and branches
            "#]],
        ),
        (
            ", push: [{tags: {}}]",
            expect![[r#"
                39  11:59: triggers[0].gitConfiguration.push[0]: The trigger configuration for the source action is not valid. Make sure to choose valid filter combinations. [InvalidStructureException]; help: a push filter is `tags`, or `branches`, or `branches` and `filePaths`; write two filters for tags and branches
            "#]],
        ),
        (
            ", pullRequest: [{filePaths: {includes: [a]}}]",
            expect![[r#"
                39  11:66: triggers[0].gitConfiguration.pullRequest[0]: The trigger configuration for the source action is not valid. Make sure to choose valid filter combinations. [InvalidStructureException]; help: a pull-request filter is `events`, or `branches`, or `branches` and `filePaths`
            "#]],
        ),
        (
            ", pullRequest: [{events: [OPEN], filePaths: {includes: [a]}}]",
            expect![[r#"
                39  11:66: triggers[0].gitConfiguration.pullRequest[0]: The trigger configuration for the source action is not valid. Make sure to choose valid filter combinations. [InvalidStructureException]; help: a pull-request filter is `events`, or `branches`, or `branches` and `filePaths`
            "#]],
        ),
        (
            ", pullRequest: [{}]",
            expect![[r#"
                39  11:66: triggers[0].gitConfiguration.pullRequest[0]: The trigger configuration for the source action is not valid. Make sure to choose valid filter combinations. [InvalidStructureException]; help: a pull-request filter is `events`, or `branches`, or `branches` and `filePaths`
            "#]],
        ),
    ] {
        check_triggers(&trigger(rest), &expected);
    }
}

#[test]
fn rule_48_equal_filters_are_refused_in_any_order_of_their_patterns() {
    check_triggers(
        &trigger(
            ", push: [{branches: {includes: [a, b]}}, {branches: {includes: [b, a]}, tags: {}}]",
        ),
        &expect![[r#"
            48  11:91: triggers[0].gitConfiguration.push[1]: Two filters of the trigger are equal [InvalidStructureException]; help: remove one of them
        "#]],
    );
    check_triggers(
        &trigger(", pullRequest: [{events: [OPEN, CLOSED]}, {events: [CLOSED, OPEN]}]"),
        &expect![[r#"
            48  11:92: triggers[0].gitConfiguration.pullRequest[1]: Two filters of the trigger are equal [InvalidStructureException]; help: remove one of them
        "#]],
    );
}

#[test]
fn rule_48_all_triggers_together_have_a_size() {
    let pattern = |n: usize| format!("'{n:0>250}'");
    let list = |from: usize| (from..from + 8).map(pattern).collect::<Vec<_>>().join(",");
    let filter = |n: usize| {
        let (a, b) = (list(n * 100), list(n * 100 + 10));
        let (c, d) = (list(n * 100 + 20), list(n * 100 + 30));
        format!(
            "{{branches: {{includes: [{a}], excludes: [{b}]}}, filePaths: {{includes: [{c}], \
             excludes: [{d}]}}}}"
        )
    };
    let one = trigger(&format!(
        ", push: [{}, {}, {}]",
        filter(0),
        filter(1),
        filter(2)
    ));
    let all = one.repeat(9);
    let text = super::edited(&[("stages:\n", &format!("triggers:\n{all}stages:\n"))]);
    let found =
        super::read_valid_for_aws(&text, super::Format::Yaml, &[], &super::Context::default());
    let problems = found.expect_err("the triggers are too large");
    let found = problems
        .iter()
        .find(|problem| problem.rule == 48)
        .map(ToString::to_string);
    expect!["9:1: triggers: The triggers have 221716 bytes as JSON, which is more than 204800 [InvalidStructureException]; help: use fewer patterns"].assert_eq(&found.unwrap_or_default());
}

#[test]
fn rule_1_triggers_have_shapes() {
    check_triggers(
        &trigger("").replace(
            "providerType: CodeStarSourceConnection",
            "providerType: Other",
        ),
        &expect![[r#"
            1   10:19: triggers[0].providerType: Value 'Other' at 'pipeline.triggers.1.member.providerType' failed to satisfy constraint: Member must satisfy enum value set: [CodeStarSourceConnection] [ValidationException]; help: write one of: CodeStarSourceConnection
        "#]],
    );
    check_triggers(
        &trigger(", push: []"),
        &expect![[r#"
            1   11:58: triggers[0].gitConfiguration.push: Value '[]' at 'pipeline.triggers.1.member.gitConfiguration.push' failed to satisfy constraint: Member must have length greater than or equal to 1 [ValidationException]; help: leave the field out, or add an item
        "#]],
    );
    let push = ["{branches: {includes: [a]}}"; 4].join(", ");
    check_triggers(
        &trigger(&format!(", push: [{push}]")),
        &expect![[r#"
            1   11:52: triggers[0].gitConfiguration.push: Value at 'pipeline.triggers.1.member.gitConfiguration.push' failed to satisfy constraint: Member must have length less than or equal to 3 [ValidationException]; help: it has 4 items; 0 to 3 are allowed
            48  11:88: triggers[0].gitConfiguration.push[1]: Two filters of the trigger are equal [InvalidStructureException]; help: remove one of them
            48  11:117: triggers[0].gitConfiguration.push[2]: Two filters of the trigger are equal [InvalidStructureException]; help: remove one of them
            48  11:146: triggers[0].gitConfiguration.push[3]: Two filters of the trigger are equal [InvalidStructureException]; help: remove one of them
        "#]],
    );
    let patterns = ["a"; 9].join(", ");
    check_triggers(
        &trigger(&format!(
            ", push: [{{branches: {{includes: [{patterns}]}}}}]"
        )),
        &expect![[r#"
            1   11:71: triggers[0].gitConfiguration.push[0].branches.includes: Value at 'pipeline.triggers.1.member.gitConfiguration.push.1.member.branches.includes' failed to satisfy constraint: Member must have length less than or equal to 8 [ValidationException]; help: it has 9 items; 0 to 8 are allowed
        "#]],
    );
    check_triggers(
        &trigger(", push: [{branches: {includes: []}}]"),
        &expect![[r#"
            1   11:81: triggers[0].gitConfiguration.push[0].branches.includes: Value '[]' at 'pipeline.triggers.1.member.gitConfiguration.push.1.member.branches.includes' failed to satisfy constraint: Member must have length greater than or equal to 1 [ValidationException]; help: leave the field out, or add an item
        "#]],
    );
    check_triggers(
        &trigger(", pullRequest: [{events: [MERGED]}]"),
        &expect![[r#"
            1   11:76: triggers[0].gitConfiguration.pullRequest[0].events[0]: Value 'MERGED' at 'pipeline.triggers.1.member.gitConfiguration.pullRequest.1.member.events.1.member' failed to satisfy constraint: Member must satisfy enum value set: [OPEN, UPDATED, CLOSED] [ValidationException]; help: write one of: OPEN, UPDATED, CLOSED
        "#]],
    );
    check_triggers(
        "  - providerType: CodeStarSourceConnection",
        &expect![[r#"
            1   10:5: triggers[0].gitConfiguration: Value null at 'pipeline.triggers.1.member.gitConfiguration' failed to satisfy constraint: Member must not be null [ValidationException]; help: add `gitConfiguration`
        "#]],
    );
}

#[test]
fn rule_1_every_list_of_a_trigger_has_a_size() {
    let many = ["a"; 9].join(", ");
    let push = format!("push: [{{tags: {{includes: [{many}]}}}}]");
    let excluded = format!("{{branches: {{excludes: [{many}]}}}}");
    let events = "{events: [OPEN, UPDATED, CLOSED, OPEN]}";
    let files = "{branches: {includes: [a]}, filePaths: {includes: ['']}}";
    let requests = format!("pullRequest: [{excluded}, {events}, {files}, {{events: [OPEN]}}]");
    check_triggers(
        &trigger(&format!(", {push}, {requests}")),
        &expect![[r#"
        1   11:67: triggers[0].gitConfiguration.push[0].tags.includes: Value at 'pipeline.triggers.1.member.gitConfiguration.push.1.member.tags.includes' failed to satisfy constraint: Member must have length less than or equal to 8 [ValidationException]; help: it has 9 items; 0 to 8 are allowed
        1   11:109: triggers[0].gitConfiguration.pullRequest: Value at 'pipeline.triggers.1.member.gitConfiguration.pullRequest' failed to satisfy constraint: Member must have length less than or equal to 3 [ValidationException]; help: it has 4 items; 0 to 3 are allowed
        1   11:135: triggers[0].gitConfiguration.pullRequest[0].branches.excludes: Value at 'pipeline.triggers.1.member.gitConfiguration.pullRequest.1.member.branches.excludes' failed to satisfy constraint: Member must have length less than or equal to 8 [ValidationException]; help: it has 9 items; 0 to 8 are allowed
        1   11:177: triggers[0].gitConfiguration.pullRequest[1].events: Value at 'pipeline.triggers.1.member.gitConfiguration.pullRequest.2.member.events' failed to satisfy constraint: Member must have length less than or equal to 3 [ValidationException]; help: it has 4 items; 0 to 3 are allowed
        1   11:268: triggers[0].gitConfiguration.pullRequest[2].filePaths.includes[0]: Value '' at 'pipeline.triggers.1.member.gitConfiguration.pullRequest.3.member.filePaths.includes.1.member' failed to satisfy constraint: Member must have length greater than or equal to 1 [ValidationException]; help: write 1 to 255 characters
    "#]],
    );
    let all = (0..51).map(|n| trigger("").replace("Checkout", &format!("C{n}")));
    let text = super::edited(&[(
        "stages:\n",
        &format!("triggers:\n{}stages:\n", all.collect::<Vec<_>>().concat()),
    )]);
    let context = super::Context::default();
    let found = super::read_valid_for_aws(&text, super::Format::Yaml, &[], &context);
    let problems = found.expect_err("there are too many triggers");
    let found = problems
        .iter()
        .find(|problem| problem.rule == 1)
        .map(ToString::to_string);
    expect!["9:1: triggers: Value at 'pipeline.triggers' failed to satisfy constraint: Member must have length less than or equal to 50 [ValidationException]; help: it has 51 items; 0 to 50 are allowed"].assert_eq(&found.unwrap_or_default());
}
