//! The rules of conditions, failure handling and their rules (35, 40–43, 47, 49).

use expect_test::{Expect, expect};

use super::check;

pub(super) const DEPLOY: &str = "  - name: Deploy\n";

/// The good pipeline whose stage Deploy has this field.
fn check_deploy(field: &str, expected: &Expect) {
    check(&[(DEPLOY, &format!("{DEPLOY}    {field}\n"))], expected);
}

/// A condition with one rule of that provider and the rest of the rule.
pub(super) fn condition(result: &str, provider: &str, rest: &str) -> String {
    format!(
        "{{conditions: [{{result: {result}, rules: [{{name: R, ruleTypeId: {{category: Rule, \
         provider: {provider}}}{rest}}}]}}]}}"
    )
}

fn check_rule(provider: &str, rest: &str, expected: &Expect) {
    check_deploy(
        &format!("onSuccess: {}", condition("FAIL", provider, rest)),
        expected,
    );
}

#[test]
fn good_conditions_have_no_problems() {
    let lambda = ", configuration: {FunctionName: f}";
    for field in [
        format!("beforeEntry: {}", condition("FAIL", "LambdaInvoke", lambda)),
        format!("beforeEntry: {}", condition("SKIP", "LambdaInvoke", lambda)),
        format!(
            "onSuccess: {}",
            condition("ROLLBACK", "LambdaInvoke", lambda)
        ),
        format!(
            "onFailure: {}",
            condition("ROLLBACK", "LambdaInvoke", lambda)
        ),
        "onFailure: {result: RETRY, retryConfiguration: {retryMode: ALL_ACTIONS}}".to_owned(),
        "onFailure: {result: RETRY}".to_owned(),
        "onFailure: {result: ROLLBACK}".to_owned(),
        "onFailure: {result: FAIL}".to_owned(),
        "onFailure: {}".to_owned(),
    ] {
        check_deploy(
            &field,
            &expect![[r#"
            no problems
        "#]],
        );
    }
}

#[test]
fn rule_1_conditions_have_shapes() {
    check_deploy(
        "beforeEntry: {}",
        &expect![[r#"
            1   31:18: stages[2].beforeEntry.conditions: Value null at 'pipeline.stages.3.member.beforeEntry.conditions' failed to satisfy constraint: Member must not be null [ValidationException]; help: add `conditions`
        "#]],
    );
    check_deploy(
        "beforeEntry: {conditions: []}",
        &expect![[r#"
            1   31:19: stages[2].beforeEntry.conditions: Value at 'pipeline.stages.3.member.beforeEntry.conditions' failed to satisfy constraint: Member must have length greater than or equal to 1 [ValidationException]; help: it has 0 items; 1 to 1 are allowed
        "#]],
    );
    check_deploy(
        "onFailure: {conditions: []}",
        &expect![[r#"
            1   31:29: stages[2].onFailure.conditions: Value '[]' at 'pipeline.stages.3.member.onFailure.conditions' failed to satisfy constraint: Member must have length greater than or equal to 1 [ValidationException]; help: leave the field out, or add an item
        "#]],
    );
    check_deploy(
        "onSuccess: {conditions: [{result: FAIL, rules: []}]}",
        &expect![[r#"
            1   31:45: stages[2].onSuccess.conditions[0].rules: Value at 'pipeline.stages.3.member.onSuccess.conditions.1.member.rules' failed to satisfy constraint: Member must have length greater than or equal to 1 [ValidationException]; help: it has 0 items; 1 to 5 are allowed
        "#]],
    );
    check_deploy(
        "onSuccess: {conditions: [{result: FAIL, rules: [{name: 'R R', ruleTypeId: {category: \
         Deploy, owner: Me, provider: LambdaInvoke}, timeoutInMinutes: 1, commands: []}]}]}",
        &expect![[r#"
            1   31:60: stages[2].onSuccess.conditions[0].rules[0].name: Value 'R R' at 'pipeline.stages.3.member.onSuccess.conditions.1.member.rules.1.member.name' failed to satisfy constraint: Member must satisfy regular expression pattern: [A-Za-z0-9.@\-_]+ [ValidationException]; help: write it so that all of it matches [A-Za-z0-9.@\-_]+
            43  31:67: stages[2].onSuccess.conditions[0].rules[0].ruleTypeId: Rule 'R R' has a rule type that does not exist: Category: 'Deploy', Provider: 'LambdaInvoke', Owner: 'Me', Version: '1' [InvalidStageDeclarationException]; help: did you mean category `Rule`, provider `LambdaInvoke`?
            1   31:90: stages[2].onSuccess.conditions[0].rules[0].ruleTypeId.category: Value 'Deploy' at 'pipeline.stages.3.member.onSuccess.conditions.1.member.rules.1.member.ruleTypeId.category' failed to satisfy constraint: Member must satisfy enum value set: [Rule] [ValidationException]; help: write one of: Rule
            1   31:105: stages[2].onSuccess.conditions[0].rules[0].ruleTypeId.owner: Value 'Me' at 'pipeline.stages.3.member.onSuccess.conditions.1.member.rules.1.member.ruleTypeId.owner' failed to satisfy constraint: Member must satisfy enum value set: [AWS] [ValidationException]; help: write one of: AWS
            1   31:152: stages[2].onSuccess.conditions[0].rules[0].timeoutInMinutes: Value '1' at 'pipeline.stages.3.member.onSuccess.conditions.1.member.rules.1.member.timeoutInMinutes' failed to satisfy constraint: Member must have value greater than or equal to 5 [ValidationException]; help: write 5 to 86400
            1   31:165: stages[2].onSuccess.conditions[0].rules[0].commands: Value '[]' at 'pipeline.stages.3.member.onSuccess.conditions.1.member.rules.1.member.commands' failed to satisfy constraint: Member must have length greater than or equal to 1 [ValidationException]; help: leave the field out, or add an item
        "#]],
    );
}

#[test]
fn rule_35_conditions_are_for_v2_only() {
    let field = format!("{DEPLOY}    onFailure: {{result: ROLLBACK}}\n");
    let v1 = [
        ("pipelineType: V2\nexecutionMode: QUEUED\n", ""),
        ("variables:\n  - name: Env\n    defaultValue: dev\n", ""),
        ("p-#{variables.Env}", "p"),
        (
            "category: Compute, owner: AWS, provider: Commands",
            "category: Invoke, owner: AWS, provider: Lambda",
        ),
        (
            "commands: [\"echo #{src.CommitId} #{build.Size}\"]",
            "configuration: {FunctionName: f}",
        ),
        (DEPLOY, field.as_str()),
    ];
    check(
        &v1,
        &expect![[r#"
            35  26:5: stages[2].onFailure: Stage level conditions can only be used with V2 pipelines. [InvalidStageDeclarationException]; help: add `pipelineType: V2` to the pipeline
        "#]],
    );
}

#[test]
fn rule_40_on_failure_has_a_result_or_conditions() {
    let both = condition(
        "ROLLBACK",
        "LambdaInvoke",
        ", configuration: {FunctionName: f}",
    );
    let both = both.replacen('{', "{result: ROLLBACK, ", 1);
    check_deploy(
        &format!("onFailure: {both}"),
        &expect![[r#"
            40  31:5: stages[2].onFailure: The following stage cannot have a failure exit gate configured with both top level result and conditions: 'Deploy' [InvalidStageDeclarationException]; help: keep one of them
        "#]],
    );
}

#[test]
fn rule_41_nothing_is_rolled_back_in_parallel_mode() {
    let parallel = ("executionMode: QUEUED", "executionMode: PARALLEL");
    let plain = format!("{DEPLOY}    onFailure: {{result: ROLLBACK}}\n");
    check(
        &[parallel, (DEPLOY, &plain)],
        &expect![[r#"
            41  31:25: stages[2].onFailure.result: Failure conditions with rollback result type cannot be added to a PARALLEL pipeline. [InvalidStageDeclarationException]; help: remove the rollback, or use mode SUPERSEDED or QUEUED
        "#]],
    );
    let lambda = condition(
        "ROLLBACK",
        "LambdaInvoke",
        ", configuration: {FunctionName: f}",
    );
    let on_success = format!("{DEPLOY}    onSuccess: {lambda}\n");
    check(
        &[parallel, (DEPLOY, &on_success)],
        &expect![[r#"
            41  31:39: stages[2].onSuccess.conditions[0].result: Failure conditions with rollback result type cannot be added to a PARALLEL pipeline. [InvalidStageDeclarationException]; help: remove the rollback, or use mode SUPERSEDED or QUEUED
        "#]],
    );
}

#[test]
fn rule_42_each_position_has_its_results() {
    let lambda = ", configuration: {FunctionName: f}";
    for (field, result, expected) in [
        (
            "beforeEntry",
            "ROLLBACK",
            expect![[r#"
                42  31:41: stages[2].beforeEntry.conditions[0].result: Stage 'Deploy' has a condition with result ROLLBACK in beforeEntry [InvalidStageDeclarationException]; help: write FAIL or SKIP
            "#]],
        ),
        (
            "onSuccess",
            "SKIP",
            expect![[r#"
                42  31:39: stages[2].onSuccess.conditions[0].result: Stage 'Deploy' has a condition with result SKIP in onSuccess [InvalidStageDeclarationException]; help: write FAIL or ROLLBACK
            "#]],
        ),
        (
            "onSuccess",
            "RETRY",
            expect![[r#"
                42  31:39: stages[2].onSuccess.conditions[0].result: Stage 'Deploy' has a condition with result RETRY in onSuccess [InvalidStageDeclarationException]; help: write FAIL or ROLLBACK
            "#]],
        ),
        (
            "onFailure",
            "FAIL",
            expect![[r#"
                42  31:39: stages[2].onFailure.conditions[0].result: Stage 'Deploy' has a condition with result FAIL in onFailure [InvalidStageDeclarationException]; help: write ROLLBACK
            "#]],
        ),
    ] {
        check_deploy(
            &format!("{field}: {}", condition(result, "LambdaInvoke", lambda)),
            &expected,
        );
    }
    let none = condition("FAIL", "LambdaInvoke", lambda).replace("result: FAIL, ", "");
    check_deploy(
        &format!("onSuccess: {none}"),
        &expect![[r#"
            42  31:30: stages[2].onSuccess.conditions[0].result: Stage 'Deploy' has a condition without a result in onSuccess [InvalidStageDeclarationException]; help: write FAIL or ROLLBACK
        "#]],
    );
    check_deploy(
        "onFailure: {result: SKIP}",
        &expect![[r#"
            42  31:25: stages[2].onFailure.result: Stage 'Deploy' cannot have result SKIP on failure [InvalidStageDeclarationException]; help: write ROLLBACK, RETRY or FAIL
        "#]],
    );
}

#[test]
fn rule_42_retry_configuration_is_for_retries() {
    check_deploy(
        "onFailure: {result: ROLLBACK, retryConfiguration: {retryMode: ALL_ACTIONS}}",
        &expect![[r#"
            42  31:35: stages[2].onFailure.retryConfiguration: Stage 'Deploy' has a retryConfiguration without result RETRY [InvalidStageDeclarationException]; help: add `result: RETRY` to `onFailure`, or remove the retryConfiguration
        "#]],
    );
}

#[test]
fn rule_42_the_first_stage_is_not_rolled_back_and_may_be_retried() {
    let source = "  - name: Source\n";
    let on_failure = |result: &str| format!("{source}    onFailure: {{result: {result}}}\n");
    check(
        &[(source, &on_failure("ROLLBACK"))],
        &expect![[r#"
            42  11:25: stages[0].onFailure.result: Stage 'Source' is the first stage and cannot be rolled back [InvalidStageDeclarationException]; help: remove the rollback
        "#]],
    );
    check(
        &[(source, &on_failure("RETRY"))],
        &expect![[r#"
        no problems
    "#]],
    );
}

#[test]
fn rule_42_a_skip_takes_two_kinds_of_rules() {
    let alarm = condition("SKIP", "CloudWatchAlarm", ", configuration: {AlarmName: a}");
    check_deploy(
        &format!("beforeEntry: {alarm}"),
        &expect![[r#"
            42  31:104: stages[2].beforeEntry.conditions[0].rules[0].ruleTypeId.provider: Stage 'Deploy' has a condition with result SKIP and rule 'R' of provider CloudWatchAlarm [InvalidStageDeclarationException]; help: a SKIP takes LambdaInvoke and VariableCheck rules only
        "#]],
    );
}

#[test]
fn rule_42_rule_names_are_unique_in_a_stage() {
    let lambda = ", configuration: {FunctionName: f}";
    let one = condition("FAIL", "LambdaInvoke", lambda);
    check_deploy(
        &format!("beforeEntry: {one}\n    onSuccess: {one}"),
        &expect![[r#"
            42  32:60: stages[2].onSuccess.conditions[0].rules[0].name: Rule name 'R' is used more than once in stage 'Deploy' [InvalidStageDeclarationException]; help: rename one of the rules
        "#]],
    );
}

#[test]
fn rule_43_the_provider_and_its_configuration_are_known() {
    check_rule(
        "LambdaInvok",
        ", configuration: {FunctionName: f}",
        &expect![[r#"
            43  31:63: stages[2].onSuccess.conditions[0].rules[0].ruleTypeId: Rule 'R' has a rule type that does not exist: Category: 'Rule', Provider: 'LambdaInvok', Owner: 'AWS', Version: '1' [InvalidStageDeclarationException]; help: did you mean category `Rule`, provider `LambdaInvoke`?
        "#]],
    );
    check_rule(
        "LambdaInvoke",
        "",
        &expect![[r#"
            43  31:53: stages[2].onSuccess.conditions[0].rules[0].configuration: Rule 'R' is missing required configuration 'FunctionName' [InvalidStageDeclarationException]; help: add `FunctionName`
        "#]],
    );
    check_rule(
        "LambdaInvoke",
        ", configuration: {FunctionName: f, UserParam: x}",
        &expect![[r#"
            43  31:161: stages[2].onSuccess.conditions[0].rules[0].configuration.UserParam: Rule 'R' contains unknown configuration 'UserParam' [InvalidStageDeclarationException]; help: remove it
        "#]],
    );
    check_rule(
        "Commands",
        "",
        &expect![[r#"
            43  31:53: stages[2].onSuccess.conditions[0].rules[0].commands: Rule R must have a non-empty commands field [InvalidStageDeclarationException]; help: add `commands`
        "#]],
    );
    check_rule(
        "Commands",
        ", commands: [a]",
        &expect![[r#"
        no problems
    "#]],
    );
    check_rule(
        "LambdaInvoke",
        ", configuration: {FunctionName: f}, commands: [a]",
        &expect![[r#"
            43  31:151: stages[2].onSuccess.conditions[0].rules[0].commands: Rule R cannot contain a commands field [InvalidStageDeclarationException]; help: use provider `Commands`
        "#]],
    );
    check_rule(
        "CloudWatchAlarm",
        ", configuration: {AlarmName: a}, inputArtifacts: [{name: App}]",
        &expect![[r#"
            43  31:151: stages[2].onSuccess.conditions[0].rules[0].inputArtifacts: Rule R declares 1 input artifacts which is more than the maximum count (0) [InvalidStageDeclarationException]; help: remove the others
        "#]],
    );
}

#[test]
#[expect(
    clippy::too_many_lines,
    reason = "a table of values and what is said of each"
)]
fn rule_43_values_are_checked_unless_they_hold_a_reference() {
    for (provider, configuration, expected) in [
        (
            "VariableCheck",
            "Variable: x, Value: y, Operator: GT",
            expect![[r#"
                43  31:167: stages[2].onSuccess.conditions[0].rules[0].configuration.Operator: Rule 'R' has an invalid configuration 'Operator': 'GT' [InvalidStageDeclarationException]; help: write one of: EQ, NE, CONTAINS, MATCHES
            "#]],
        ),
        (
            "VariableCheck",
            "Variable: x, Value: '(a', Operator: MATCHES",
            expect![[r#"
                43  31:154: stages[2].onSuccess.conditions[0].rules[0].configuration.Value: Rule 'R' has an invalid configuration 'Value': '(a' [InvalidStageDeclarationException]; help: a `(` is never closed; write `\(` for the character
            "#]],
        ),
        (
            "VariableCheck",
            "Variable: x, Value: '(a', Operator: EQ",
            expect![[r#"
                no problems
            "#]],
        ),
        (
            "VariableCheck",
            "Variable: x, Value: '(#{build.x}', Operator: MATCHES",
            expect![[r#"
                no problems
            "#]],
        ),
        (
            "DeploymentWindow",
            "Cron: '* * * *'",
            expect![[r#"
                43  31:143: stages[2].onSuccess.conditions[0].rules[0].configuration.Cron: Rule 'R' has an invalid configuration 'Cron': '* * * *' [InvalidStageDeclarationException]; help: write `seconds minutes hours day-of-month month day-of-week [year]`, such as `0 * 9-17 ? * MON-FRI *`
            "#]],
        ),
        (
            "DeploymentWindow",
            "Cron: '0 99 * * * ? *'",
            expect![[r#"
                43  31:143: stages[2].onSuccess.conditions[0].rules[0].configuration.Cron: Rule 'R' has an invalid configuration 'Cron': '0 99 * * * ? *' [InvalidStageDeclarationException]; help: `99` is no minutes: write 0 to 59, `*` or `a-b`
            "#]],
        ),
        (
            "CloudWatchAlarm",
            "AlarmName: a, AlarmStates: 'ALARM, BAD'",
            expect![[r#"
                43  31:163: stages[2].onSuccess.conditions[0].rules[0].configuration.AlarmStates: Rule 'R' has an invalid configuration 'AlarmStates': 'ALARM, BAD' [InvalidStageDeclarationException]; help: write a list with commas of: ALARM, OK, INSUFFICIENT_DATA
            "#]],
        ),
        (
            "CloudWatchAlarm",
            "AlarmName: a, WaitTime: '86401'",
            expect![[r#"
                43  31:160: stages[2].onSuccess.conditions[0].rules[0].configuration.WaitTime: Rule 'R' has an invalid configuration 'WaitTime': '86401' [InvalidStageDeclarationException]; help: write minutes, 0 to 86400
            "#]],
        ),
        (
            "CloudWatchAlarm",
            "AlarmName: a, WaitTime: '-1'",
            expect![[r#"
                43  31:160: stages[2].onSuccess.conditions[0].rules[0].configuration.WaitTime: Rule 'R' has an invalid configuration 'WaitTime': '-1' [InvalidStageDeclarationException]; help: write minutes, 0 to 86400
            "#]],
        ),
        (
            "CodeBuild",
            "ProjectName: p, CombineArtifacts: 'true'",
            expect![[r#"
                43  31:164: stages[2].onSuccess.conditions[0].rules[0].configuration.CombineArtifacts: Rule 'R' has an invalid configuration 'CombineArtifacts': 'true' [InvalidStageDeclarationException]; help: add `BatchEnabled: "true"`
            "#]],
        ),
        (
            "CodeBuild",
            "ProjectName: p, EnvironmentVariables: '{}'",
            expect![[r#"
                43  31:168: stages[2].onSuccess.conditions[0].rules[0].configuration.EnvironmentVariables: Rule 'R' has an invalid configuration 'EnvironmentVariables' [InvalidStageDeclarationException]; help: write a JSON array of {"name","value","type"}, the type PLAINTEXT, PARAMETER_STORE or SECRETS_MANAGER
            "#]],
        ),
        (
            "CodeBuild",
            "ProjectName: p, EnvironmentVariables: '[{\"name\":\"a\",\"value\":\"b\"}]'",
            expect![[r#"
                no problems
            "#]],
        ),
    ] {
        check_rule(
            provider,
            &format!(", configuration: {{{configuration}}}"),
            &expected,
        );
    }
}

#[test]
fn rule_47_a_command_of_a_rule_is_one_line() {
    check_rule(
        "Commands",
        ", commands: [\"a\\nb\"]",
        &expect![[r#"
            47  31:124: stages[2].onSuccess.conditions[0].rules[0].commands[0]: Rule R has a line break inside a command [InvalidStageDeclarationException]; help: write each line as a command of its own
        "#]],
    );
}

#[test]
fn rule_49_a_build_of_a_rule_names_one_of_its_inputs_as_the_primary_one() {
    check_rule(
        "CodeBuild",
        ", configuration: {ProjectName: p}, inputArtifacts: [{name: App}, {name: Code}]",
        &expect![[r#"
            49  31:114: stages[2].onSuccess.conditions[0].rules[0].configuration.PrimarySource: Rule R has more than one input artifact, and no PrimarySource [InvalidStageDeclarationException]; help: its input artifacts are App, Code
        "#]],
    );
}

#[test]
fn rules_18_and_31_hold_for_rules_too() {
    let late = "inputArtifacts: [{name: Code}]\n  - name: Deploy";
    let made = "inputArtifacts: [{name: Code}]\n        outputArtifacts: [{name: Out, files: [o]}]\n  \
                - name: Deploy";
    let rule = |field: &str| {
        let rest = ", configuration: {FunctionName: '#{build.F}#{no.F}'}, \
                    inputArtifacts: [{name: Out}, {name: Nothing}]";
        format!(
            "  - name: Build\n    {field}: {}\n",
            condition("FAIL", "LambdaInvoke", rest)
        )
    };
    check(
        &[(late, made), ("  - name: Build\n", &rule("beforeEntry"))],
        &expect![[r#"
            31  18:149: stages[1].beforeEntry.conditions[0].rules[0].configuration.FunctionName: stage `Build`, rule `R` refers to `#{build.F}`, but the action with that namespace does not run before [InvalidActionDeclarationException]; help: Build/Compile has the namespace: let it run in an earlier stage, or with a lower `runOrder`
            31  18:149: stages[1].beforeEntry.conditions[0].rules[0].configuration.FunctionName: stage `Build`, rule `R` refers to `#{no.F}`, but no action has that namespace [InvalidActionDeclarationException]; help: give an earlier action `namespace: no`
            18  18:195: stages[1].beforeEntry.conditions[0].rules[0].inputArtifacts[0].name: stage `Build`, rule `R` uses input artifact `Out`, but no earlier action produces it [InvalidActionDeclarationException]; help: Build/Check produces it: let it run before, with a lower `runOrder`, and take nothing that comes after
            18  18:208: stages[1].beforeEntry.conditions[0].rules[0].inputArtifacts[1].name: stage `Build`, rule `R` uses input artifact `Nothing`, but no earlier action produces it [InvalidActionDeclarationException]; help: earlier actions produce Code
        "#]],
    );
    check(
        &[(late, made), ("  - name: Build\n", &rule("onSuccess"))],
        &expect![[r#"
            31  18:147: stages[1].onSuccess.conditions[0].rules[0].configuration.FunctionName: stage `Build`, rule `R` refers to `#{no.F}`, but no action has that namespace [InvalidActionDeclarationException]; help: give an earlier action `namespace: no`
            18  18:206: stages[1].onSuccess.conditions[0].rules[0].inputArtifacts[1].name: stage `Build`, rule `R` uses input artifact `Nothing`, but no earlier action produces it [InvalidActionDeclarationException]; help: earlier actions produce App, Code, Out
        "#]],
    );
}
