//! Rule 1: lengths, patterns, ranges, enums and required members.

use expect_test::expect;

use super::{Context, check, check_in};
use crate::declaration::validate::Limits;

#[test]
fn names_have_a_length_and_a_pattern() {
    check(
        &[("name: P\n", "name: a b\n")],
        &expect![[r#"
            1   1:7: name: Value 'a b' at 'pipeline.name' failed to satisfy constraint: Member must satisfy regular expression pattern: [A-Za-z0-9.@\-_]+ [ValidationException]; help: write it so that all of it matches [A-Za-z0-9.@\-_]+
        "#]],
    );
    check(
        &[("name: P\n", "name: \"\"\n")],
        &expect![[r#"
            1   1:7: name: Value '' at 'pipeline.name' failed to satisfy constraint: Member must have length greater than or equal to 1 [ValidationException]; help: write 1 to 100 characters
        "#]],
    );
    check(
        &[("name: P\n", &format!("name: {}\n", "a".repeat(101)))],
        &expect![[r#"
            1   1:7: name: Value 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' at 'pipeline.name' failed to satisfy constraint: Member must have length less than or equal to 100 [ValidationException]; help: it has 101 characters; shorten it to 100
        "#]],
    );
    check(
        &[("role/R", "user/R")],
        &expect![[r#"
            1   2:10: roleArn: Value 'arn:aws:iam::111122223333:user/R' at 'pipeline.roleArn' failed to satisfy constraint: Member must satisfy regular expression pattern: arn:aws(-[\w]+)*:iam::[0-9]{12}:role/.* [ValidationException]; help: write it so that all of it matches arn:aws(-[\w]+)*:iam::[0-9]{12}:role/.*
        "#]],
    );
    check(
        &[
            ("name: Source\n", "name: S/1\n"),
            ("name: Ship", "name: S!"),
        ],
        &expect![[r#"
            1   10:11: stages[0].name: Value 'S/1' at 'pipeline.stages.1.member.name' failed to satisfy constraint: Member must satisfy regular expression pattern: [A-Za-z0-9.@\-_]+ [ValidationException]; help: write it so that all of it matches [A-Za-z0-9.@\-_]+
            1   35:15: stages[2].actions[1].name: Value 'S!' at 'pipeline.stages.3.member.actions.2.member.name' failed to satisfy constraint: Member must satisfy regular expression pattern: [A-Za-z0-9.@\-_]+ [ValidationException]; help: write it so that all of it matches [A-Za-z0-9.@\-_]+
        "#]],
    );
}

#[test]
fn missing_members_are_told_all_at_once() {
    check(
        &[
            ("roleArn: arn:aws:iam::111122223333:role/R\n", ""),
            ("location: bucket", "encryptionKey: {type: KMS}"),
            (
                "      - name: Ship\n        runOrder: 2\n",
                "      - runOrder: 2\n",
            ),
            (", version: \"1\"}\n        timeout", "}\n        timeout"),
        ],
        &expect![[r#"
            1   1:1: roleArn: Value null at 'pipeline.roleArn' failed to satisfy constraint: Member must not be null [ValidationException]; help: add `roleArn`
            1   2:16: artifactStore.location: Value null at 'pipeline.artifactStore.location' failed to satisfy constraint: Member must not be null [ValidationException]; help: add `location`
            1   2:42: artifactStore.encryptionKey.id: Value null at 'pipeline.artifactStore.encryptionKey.id' failed to satisfy constraint: Member must not be null [ValidationException]; help: add `id`
            1   32:23: stages[2].actions[0].actionTypeId.version: Value null at 'pipeline.stages.3.member.actions.1.member.actionTypeId.version' failed to satisfy constraint: Member must not be null [ValidationException]; help: add `version`
            1   34:9: stages[2].actions[1].name: Value null at 'pipeline.stages.3.member.actions.2.member.name' failed to satisfy constraint: Member must not be null [ValidationException]; help: add `name`
        "#]],
    );
}

#[test]
fn rule_45_enums_are_closed() {
    check(
        &[
            ("executionMode: QUEUED", "executionMode: queued"),
            (
                "{type: S3, location: bucket}",
                "{type: S3, location: b.-, encryptionKey: {id: k, type: AES}}",
            ),
            ("category: Build", "category: Bulid"),
            (
                "owner: AWS, provider: Manual",
                "owner: Me, provider: Manual",
            ),
        ],
        &expect![[r#"
            1   3:71: artifactStore.encryptionKey.type: Value 'AES' at 'pipeline.artifactStore.encryptionKey.type' failed to satisfy constraint: Member must satisfy enum value set: [KMS] [ValidationException]; help: write one of: KMS
            1   5:16: executionMode: Value 'queued' at 'pipeline.executionMode' failed to satisfy constraint: Member must satisfy enum value set: [QUEUED, SUPERSEDED, PARALLEL] [ValidationException]; help: did you mean `QUEUED`?
            1   20:34: stages[1].actions[0].actionTypeId.category: Value 'Bulid' at 'pipeline.stages.2.member.actions.1.member.actionTypeId.category' failed to satisfy constraint: Member must satisfy enum value set: [Source, Build, Deploy, Test, Invoke, Approval, Compute] [ValidationException]; help: did you mean `Build`?
            1   33:51: stages[2].actions[0].actionTypeId.owner: Value 'Me' at 'pipeline.stages.3.member.actions.1.member.actionTypeId.owner' failed to satisfy constraint: Member must satisfy enum value set: [AWS, ThirdParty, Custom] [ValidationException]; help: write one of: AWS, ThirdParty, Custom
        "#]],
    );
}

#[test]
fn numbers_have_a_range() {
    check(
        &[("runOrder: 2", "runOrder: 0")],
        &expect![[r#"
            1   26:19: stages[1].actions[1].runOrder: Value '0' at 'pipeline.stages.2.member.actions.2.member.runOrder' failed to satisfy constraint: Member must have value greater than or equal to 1 [ValidationException]; help: write 1 to 999
            31  28:20: stages[1].actions[1].commands[0]: stage `Build`, action `Check` refers to `#{build.Size}`, but the action with that namespace does not run before [InvalidActionDeclarationException]; help: Build/Compile has the namespace: let it run in an earlier stage, or with a lower `runOrder`
        "#]],
    );
    check(
        &[("runOrder: 2", "runOrder: 1000")],
        &expect![[r#"
            1   26:19: stages[1].actions[1].runOrder: Value '1000' at 'pipeline.stages.2.member.actions.2.member.runOrder' failed to satisfy constraint: Member must have value less than or equal to 999 [ValidationException]; help: write 1 to 999
        "#]],
    );
    check(
        &[("runOrder: 2", "runOrder: -1")],
        &expect![[r#"
            1   26:19: stages[1].actions[1].runOrder: Value '-1' at 'pipeline.stages.2.member.actions.2.member.runOrder' failed to satisfy constraint: Member must have value greater than or equal to 1 [ValidationException]; help: write 1 to 999
        "#]],
    );
    check(
        &[("runOrder: 2", "runOrder: 5000000000")],
        &expect![[r#"
            1   26:19: stages[1].actions[1].runOrder: Value '5000000000' at 'pipeline.stages.2.member.actions.2.member.runOrder' failed to satisfy constraint: Member must have value less than or equal to 999 [ValidationException]; help: write 1 to 999
        "#]],
    );
    check(
        &[("timeoutInMinutes: 60", "timeoutInMinutes: 4")],
        &expect![[r#"
            1   34:27: stages[2].actions[0].timeoutInMinutes: Value '4' at 'pipeline.stages.3.member.actions.1.member.timeoutInMinutes' failed to satisfy constraint: Member must have value greater than or equal to 5 [ValidationException]; help: write 5 to 86400
        "#]],
    );
    check(
        &[("timeoutInMinutes: 60", "timeoutInMinutes: 86401")],
        &expect![[r#"
            1   34:27: stages[2].actions[0].timeoutInMinutes: Value '86401' at 'pipeline.stages.3.member.actions.1.member.timeoutInMinutes' failed to satisfy constraint: Member must have value less than or equal to 86400 [ValidationException]; help: write 5 to 86400
        "#]],
    );
    check(
        &[("name: P\n", "name: P\nversion: 0\n")],
        &expect![[r#"
            1   2:10: version: Value '0' at 'pipeline.version' failed to satisfy constraint: Member must have value greater than or equal to 1 [ValidationException]; help: write 1 to 4294967295
        "#]],
    );
}

#[test]
fn lists_have_a_size() {
    check(
        &[(
            "commands: [\"echo #{src.CommitId} #{build.Size}\"]",
            "commands: []",
        )],
        &expect![[r#"
            1   28:19: stages[1].actions[1].commands: Value '[]' at 'pipeline.stages.2.member.actions.2.member.commands' failed to satisfy constraint: Member must have length greater than or equal to 1 [ValidationException]; help: leave the field out, or add an item
        "#]],
    );
    let many = format!("commands: [{}]", ["a"; 51].join(", "));
    check(
        &[("commands: [\"echo #{src.CommitId} #{build.Size}\"]", &many)],
        &expect![[r#"
            1   28:9: stages[1].actions[1].commands: Value at 'pipeline.stages.2.member.actions.2.member.commands' failed to satisfy constraint: Member must have length less than or equal to 50 [ValidationException]; help: it has 51 items; 0 to 50 are allowed
        "#]],
    );
    let variables = (0..50)
        .map(|n| format!("  - name: V{n}\n"))
        .collect::<Vec<_>>()
        .concat();
    check(
        &[("variables:\n", &format!("variables:\n{variables}"))],
        &expect![[r#"
            1   6:1: variables: Value at 'pipeline.variables' failed to satisfy constraint: Member must have length less than or equal to 50 [ValidationException]; help: it has 51 items; 0 to 50 are allowed
        "#]],
    );
    let commands = "        commands: [\"echo";
    let outputs: Vec<String> = (0..16).map(|n| format!("V{n}")).collect();
    let outputs = format!(
        "        outputVariables: [{}]\n{commands}",
        outputs.join(", ")
    );
    check(
        &[(commands, &outputs)],
        &expect![[r#"
            1   28:9: stages[1].actions[1].outputVariables: Value at 'pipeline.stages.2.member.actions.2.member.outputVariables' failed to satisfy constraint: Member must have length less than or equal to 15 [ValidationException]; help: it has 16 items; 0 to 15 are allowed
        "#]],
    );
    let variables: Vec<String> = (0..11)
        .map(|n| format!("{{name: V{n}, value: x}}"))
        .collect();
    let variables = format!(
        "        environmentVariables: [{}]\n{commands}",
        variables.join(", ")
    );
    check(
        &[(commands, &variables)],
        &expect![[r#"
            1   28:9: stages[1].actions[1].environmentVariables: Value at 'pipeline.stages.2.member.actions.2.member.environmentVariables' failed to satisfy constraint: Member must have length less than or equal to 10 [ValidationException]; help: it has 11 items; 0 to 10 are allowed
        "#]],
    );
    let files = ["f"; 11].join(", ");
    let files = format!("        outputArtifacts: [{{name: O, files: [{files}]}}]\n{commands}");
    check(
        &[(commands, &files)],
        &expect![[r#"
            1   28:37: stages[1].actions[1].outputArtifacts[0].files: Value at 'pipeline.stages.2.member.actions.2.member.outputArtifacts.1.member.files' failed to satisfy constraint: Member must have length less than or equal to 10 [ValidationException]; help: it has 11 items; 0 to 10 are allowed
        "#]],
    );
}

#[test]
fn the_texts_of_an_action_have_a_length_and_a_pattern() {
    check(
        &[
            ("namespace: build", "namespace: b.c"),
            (" #{build.Size}", ""),
            (
                "outputArtifacts: [{name: App}]",
                "outputArtifacts: [{name: A.p}]",
            ),
            (
                "inputArtifacts: [{name: App}]",
                "inputArtifacts: [{name: A.p}]",
            ),
            (
                "        commands: [",
                "        environmentVariables: [{name: A-B, value: \"\"}]\n        region: us\n        \
                 roleArn: me\n        outputVariables: [\"\"]\n        commands: [\"\", ",
            ),
            ("provider: Manual", "provider: 'Man al'"),
            ("defaultValue: dev", "defaultValue: \"\""),
        ],
        &expect![[r#"
            1   8:19: variables[0].defaultValue: Value '' at 'pipeline.variables.1.member.defaultValue' failed to satisfy constraint: Member must have length greater than or equal to 1 [ValidationException]; help: write 1 to 1000 characters
            1   23:34: stages[1].actions[0].outputArtifacts[0].name: Value 'A.p' at 'pipeline.stages.2.member.actions.1.member.outputArtifacts.1.member.name' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_\-]+ [ValidationException]; help: write it so that all of it matches [a-zA-Z0-9_\-]+
            1   24:20: stages[1].actions[0].namespace: Value 'b.c' at 'pipeline.stages.2.member.actions.1.member.namespace' failed to satisfy constraint: Member must satisfy regular expression pattern: [A-Za-z0-9@\-_]+ [ValidationException]; help: write it so that all of it matches [A-Za-z0-9@\-_]+
            1   28:39: stages[1].actions[1].environmentVariables[0].name: Value 'A-B' at 'pipeline.stages.2.member.actions.2.member.environmentVariables.1.member.name' failed to satisfy constraint: Member must satisfy regular expression pattern: [A-Za-z0-9_]+ [ValidationException]; help: write it so that all of it matches [A-Za-z0-9_]+
            1   28:51: stages[1].actions[1].environmentVariables[0].value: Value '' at 'pipeline.stages.2.member.actions.2.member.environmentVariables.1.member.value' failed to satisfy constraint: Member must have length greater than or equal to 1 [ValidationException]; help: write 1 to 2000 characters
            1   29:17: stages[1].actions[1].region: Value 'us' at 'pipeline.stages.2.member.actions.2.member.region' failed to satisfy constraint: Member must have length greater than or equal to 4 [ValidationException]; help: write 4 to 30 characters
            5   29:17: stages[1].actions[1].region: Your pipeline contains actions in more than one region. Use 'pipeline.artifactStores' instead of 'pipeline.artifactStore' to declare an artifact store, such as an artifact bucket, for each region where you have an action. [InvalidStructureException]; help: the pipeline is in `us-east-1`, and the action in `us`: name a bucket for each
            1   30:18: stages[1].actions[1].roleArn: Value 'me' at 'pipeline.stages.2.member.actions.2.member.roleArn' failed to satisfy constraint: Member must satisfy regular expression pattern: arn:aws(-[\w]+)*:iam::[0-9]{12}:role/.* [ValidationException]; help: write it so that all of it matches arn:aws(-[\w]+)*:iam::[0-9]{12}:role/.*
            1   31:27: stages[1].actions[1].outputVariables[0]: Value '' at 'pipeline.stages.2.member.actions.2.member.outputVariables.1.member' failed to satisfy constraint: Member must have length greater than or equal to 1 [ValidationException]; help: write 1 to 128 characters
            1   32:20: stages[1].actions[1].commands[0]: Value '' at 'pipeline.stages.2.member.actions.2.member.commands.1.member' failed to satisfy constraint: Member must have length greater than or equal to 1 [ValidationException]; help: write 1 to 1000 characters
            16  37:9: stages[2].actions[0].actionTypeId: ActionType (Category: 'Approval', Provider: 'Man al', Owner: 'AWS', Version: '1') in action 'Approve' is not available in region 'US_EAST_1' [InvalidActionDeclarationException]; help: did you mean provider `Manual`?
            1   37:66: stages[2].actions[0].actionTypeId.provider: Value 'Man al' at 'pipeline.stages.3.member.actions.1.member.actionTypeId.provider' failed to satisfy constraint: Member must satisfy regular expression pattern: [0-9A-Za-z_-]+ [ValidationException]; help: write it so that all of it matches [0-9A-Za-z_-]+
            1   43:33: stages[2].actions[1].inputArtifacts[0].name: Value 'A.p' at 'pipeline.stages.3.member.actions.2.member.inputArtifacts.1.member.name' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_\-]+ [ValidationException]; help: write it so that all of it matches [a-zA-Z0-9_\-]+
        "#]],
    );
}

#[test]
fn configuration_has_lengths_and_its_values_are_not_repeated() {
    let long = format!("BranchName: {}", "s".repeat(1001));
    check(
        &[("BranchName: main", &long)],
        &expect![[r#"
            1   14:56: stages[0].actions[0].configuration.BranchName: Value at 'pipeline.stages.1.member.actions.1.member.configuration' failed to satisfy constraint: Map value must satisfy constraint: [Member must have length less than or equal to 1000, Member must have length greater than or equal to 1] [ValidationException]; help: it has 1001 characters; 1 to 1000 are allowed
        "#]],
    );
    check(
        &[("BranchName: main", "BranchName: \"\"")],
        &expect![[r#"
            1   14:56: stages[0].actions[0].configuration.BranchName: Value at 'pipeline.stages.1.member.actions.1.member.configuration' failed to satisfy constraint: Map value must satisfy constraint: [Member must have length less than or equal to 1000, Member must have length greater than or equal to 1] [ValidationException]; help: it has 0 characters; 1 to 1000 are allowed
        "#]],
    );
    let limits = Limits {
        configuration_value_chars: 50_000,
        ..Limits::default()
    };
    let context = Context {
        limits,
        ..Context::default()
    };
    check_in(
        &[("BranchName: main", &long)],
        &context,
        &expect![[r#"
        no problems
    "#]],
    );
    let key = format!("BranchName: main, {}: x", "k".repeat(51));
    check(
        &[("BranchName: main", &key)],
        &expect![[r#"
            1   14:115: stages[0].actions[0].configuration.kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk: Value at 'pipeline.stages.1.member.actions.1.member.configuration' failed to satisfy constraint: Map keys must satisfy constraint: [Member must have length less than or equal to 50, Member must have length greater than or equal to 1] [ValidationException]; help: it has 51 characters; 1 to 50 are allowed
            21  14:115: stages[0].actions[0].configuration.kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk: Action configuration for action 'Checkout' contains unknown configuration 'kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk' [InvalidActionDeclarationException]; help: remove it; the keys here are RepositoryName, BranchName, PollForSourceChanges, OutputArtifactFormat
        "#]],
    );
}

#[test]
fn stores_are_named_by_region() {
    check(
        &[(
            "artifactStore: {type: S3, location: bucket}",
            "artifactStores: {us-east-1: {type: S3, location: b_}, us: {type: S3, location: b1b}}",
        )],
        &expect![[r#"
            1   3:50: artifactStores.us-east-1.location: Value 'b_' at 'pipeline.artifactStores.us-east-1.member.location' failed to satisfy constraint: Member must have length greater than or equal to 3 [ValidationException]; help: write 3 to 63 characters
            1   3:55: artifactStores.us: Value 'us' at 'pipeline.artifactStores.us.member' failed to satisfy constraint: Member must have length greater than or equal to 4 [ValidationException]; help: write 4 to 30 characters
        "#]],
    );
}

#[test]
fn wrong_types_say_what_to_write() {
    check(
        &[
            (
                "version: \"1\"}\n        configuration: {Rep",
                "version: 1}\n        configuration: {Rep",
            ),
            ("Extract: \"true\"", "Extract: true"),
            ("runOrder: 2", "runOrder: \"2\""),
            (
                "outputArtifacts: [{name: Code}]",
                "outputArtifacts: {name: Code}",
            ),
            ("ProjectName: \"p-#{variables.Env}\"", "ProjectName: 1.10"),
            ("inputArtifacts: [{name: App}]", "inputArtifacts: [App]"),
        ],
        &expect![[r#"
            0   13:85: stages[0].actions[0].actionTypeId.version: `stages[0].actions[0].actionTypeId.version` is an integer, where a string is expected [SerializationException]; help: put the value in quotes: "1"
            0   15:26: stages[0].actions[0].outputArtifacts: `stages[0].actions[0].outputArtifacts` is a map, where a list is expected [SerializationException]
            0   21:38: stages[1].actions[0].configuration.ProjectName: `stages[1].actions[0].configuration.ProjectName` is a number, where a string is expected [SerializationException]; help: put the value in quotes: "1.10"
            0   26:19: stages[1].actions[1].runOrder: `stages[1].actions[1].runOrder` is a string, where an integer is expected [SerializationException]; help: write the value without quotes: 2
            0   38:49: stages[2].actions[1].configuration.Extract: `stages[2].actions[1].configuration.Extract` is a boolean, where a string is expected [SerializationException]; help: put the value in quotes: "true"
            0   39:26: stages[2].actions[1].inputArtifacts[0]: `stages[2].actions[1].inputArtifacts[0]` is a string, where a map is expected [SerializationException]
        "#]],
    );
}

#[test]
fn the_texts_of_a_pipeline_have_a_length_and_a_pattern() {
    let store = "artifactStore: {type: S3, location: a_b, encryptionKey: {id: '', type: KMS}}";
    let description = "d".repeat(201);
    check(
        &[
            ("artifactStore: {type: S3, location: bucket}", store),
            (
                "  - name: Env\n",
                &format!("  - name: A.b\n    description: {description}\n  - name: Env\n"),
            ),
            (
                "  - name: Deploy\n",
                "  - name: Deploy\n    blockers: [{name: '', type: Never}]\n",
            ),
            (
                "provider: S3, version: \"1\"",
                "provider: S3, version: \"1.0\"",
            ),
        ],
        &expect![[r#"
            1   3:37: artifactStore.location: Value 'a_b' at 'pipeline.artifactStore.location' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9\-\.]+ [ValidationException]; help: write it so that all of it matches [a-zA-Z0-9\-\.]+
            1   3:62: artifactStore.encryptionKey.id: Value '' at 'pipeline.artifactStore.encryptionKey.id' failed to satisfy constraint: Member must have length greater than or equal to 1 [ValidationException]; help: write 1 to 400 characters
            1   7:11: variables[0].name: Value 'A.b' at 'pipeline.variables.1.member.name' failed to satisfy constraint: Member must satisfy regular expression pattern: [A-Za-z0-9@\-_]+ [ValidationException]; help: write it so that all of it matches [A-Za-z0-9@\-_]+
            1   8:18: variables[0].description: Value 'ddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd' at 'pipeline.variables.1.member.description' failed to satisfy constraint: Member must have length less than or equal to 200 [ValidationException]; help: it has 201 characters; shorten it to 200
            44  33:5: stages[2].blockers: Stage 'Deploy' has blockers, which are reserved [InvalidBlockerDeclarationException]; help: remove `blockers`; disable the transition instead
            1   33:23: stages[2].blockers[0].name: Value '' at 'pipeline.stages.3.member.blockers.1.member.name' failed to satisfy constraint: Member must have length greater than or equal to 1 [ValidationException]; help: write 1 to 100 characters
            1   33:33: stages[2].blockers[0].type: Value 'Never' at 'pipeline.stages.3.member.blockers.1.member.type' failed to satisfy constraint: Member must satisfy enum value set: [Schedule] [ValidationException]; help: write one of: Schedule
            16  40:9: stages[2].actions[1].actionTypeId: ActionType (Category: 'Deploy', Provider: 'S3', Owner: 'AWS', Version: '1.0') in action 'Ship' is not available in region 'US_EAST_1' [InvalidActionDeclarationException]; help: did you mean category `Deploy`, owner `AWS`, provider `S3`, version `1`?
            1   40:77: stages[2].actions[1].actionTypeId.version: Value '1.0' at 'pipeline.stages.3.member.actions.2.member.actionTypeId.version' failed to satisfy constraint: Member must satisfy regular expression pattern: [0-9A-Za-z_-]+ [ValidationException]; help: write it so that all of it matches [0-9A-Za-z_-]+
        "#]],
    );
}

#[test]
fn the_texts_of_a_rule_have_a_length_and_a_pattern() {
    let rule = "{name: R, ruleTypeId: {category: Rule, provider: 'A b', version: '1.0'}, \
                configuration: {'': ''}, commands: [''], inputArtifacts: [{name: A.p}], \
                roleArn: me, region: us}";
    let condition = format!(
        "  - name: Deploy\n    onSuccess: {{conditions: [{{result: FAIL, rules: [{rule}]}}]}}\n"
    );
    check(
        &[("  - name: Deploy\n", &condition)],
        &expect![[r#"
        43  31:63: stages[2].onSuccess.conditions[0].rules[0].ruleTypeId: Rule 'R' has a rule type that does not exist: Category: 'Rule', Provider: 'A b', Owner: 'AWS', Version: '1.0' [InvalidStageDeclarationException]; help: the providers are CloudWatchAlarm, CodeBuild, Commands, DeploymentWindow, LambdaInvoke, VariableCheck
        1   31:102: stages[2].onSuccess.conditions[0].rules[0].ruleTypeId.provider: Value 'A b' at 'pipeline.stages.3.member.onSuccess.conditions.1.member.rules.1.member.ruleTypeId.provider' failed to satisfy constraint: Member must satisfy regular expression pattern: [0-9A-Za-z_-]+ [ValidationException]; help: write it so that all of it matches [0-9A-Za-z_-]+
        1   31:118: stages[2].onSuccess.conditions[0].rules[0].ruleTypeId.version: Value '1.0' at 'pipeline.stages.3.member.onSuccess.conditions.1.member.rules.1.member.ruleTypeId.version' failed to satisfy constraint: Member must satisfy regular expression pattern: [0-9A-Za-z_-]+ [ValidationException]; help: write it so that all of it matches [0-9A-Za-z_-]+
        1   31:146: stages[2].onSuccess.conditions[0].rules[0].configuration[""]: Value at 'pipeline.stages.3.member.onSuccess.conditions.1.member.rules.1.member.configuration' failed to satisfy constraint: Map keys must satisfy constraint: [Member must have length less than or equal to 50, Member must have length greater than or equal to 1] [ValidationException]; help: it has 0 characters; 1 to 50 are allowed
        1   31:146: stages[2].onSuccess.conditions[0].rules[0].configuration[""]: Value at 'pipeline.stages.3.member.onSuccess.conditions.1.member.rules.1.member.configuration' failed to satisfy constraint: Map value must satisfy constraint: [Member must have length less than or equal to 10000, Member must have length greater than or equal to 1] [ValidationException]; help: it has 0 characters; 1 to 10000 are allowed
        1   31:162: stages[2].onSuccess.conditions[0].rules[0].commands[0]: Value '' at 'pipeline.stages.3.member.onSuccess.conditions.1.member.rules.1.member.commands.1.member' failed to satisfy constraint: Member must have length greater than or equal to 1 [ValidationException]; help: write 1 to 1000 characters
        1   31:191: stages[2].onSuccess.conditions[0].rules[0].inputArtifacts[0].name: Value 'A.p' at 'pipeline.stages.3.member.onSuccess.conditions.1.member.rules.1.member.inputArtifacts.1.member.name' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_\-]+ [ValidationException]; help: write it so that all of it matches [a-zA-Z0-9_\-]+
        18  31:191: stages[2].onSuccess.conditions[0].rules[0].inputArtifacts[0].name: stage `Deploy`, rule `R` uses input artifact `A.p`, but no earlier action produces it [InvalidActionDeclarationException]; help: `App` is produced by Build/Compile
        1   31:207: stages[2].onSuccess.conditions[0].rules[0].roleArn: Value 'me' at 'pipeline.stages.3.member.onSuccess.conditions.1.member.rules.1.member.roleArn' failed to satisfy constraint: Member must satisfy regular expression pattern: arn:aws(-[\w]+)*:iam::[0-9]{12}:role/.* [ValidationException]; help: write it so that all of it matches arn:aws(-[\w]+)*:iam::[0-9]{12}:role/.*
        1   31:219: stages[2].onSuccess.conditions[0].rules[0].region: Value 'us' at 'pipeline.stages.3.member.onSuccess.conditions.1.member.rules.1.member.region' failed to satisfy constraint: Member must have length greater than or equal to 4 [ValidationException]; help: write 4 to 30 characters
    "#]],
    );
}
