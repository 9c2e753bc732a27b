//! The rules of what one action says: configuration, fields, variables (20–49).

use expect_test::expect;

use super::{CHECKOUT, COMPILE, Context, SHIP, STORE, check, check_in, good, with};

#[test]
fn rule_20_required_configuration_is_there() {
    check(
        &[(", BranchName: main", "")],
        &expect![[r#"
            20  14:9: stages[0].actions[0].configuration: Action configuration for action 'Checkout' is missing required configuration 'BranchName' [InvalidActionDeclarationException]; help: add `BranchName`
        "#]],
    );
    check(
        &[("Extract: \"true\"", "Extract: \"false\"")],
        &expect![[r#"
            20  38:9: stages[2].actions[1].configuration: Action configuration for action 'Ship' is missing required configuration 'ObjectKey' [InvalidActionDeclarationException]; help: add `ObjectKey`
        "#]],
    );
}

#[test]
fn rule_20_some_keys_are_required_because_of_others() {
    let ship = "actionTypeId: {category: Deploy, owner: AWS, provider: S3, version: \"1\"}\n        \
                configuration: {BucketName: b, Extract: \"true\"}\n        inputArtifacts: [{name: App}]";
    let of = |category: &str, provider: &str, rest: &str| {
        format!(
            "actionTypeId: {{category: {category}, owner: AWS, provider: {provider}, version: \
             \"1\"}}\n        {rest}"
        )
    };
    let lambda = of("Deploy", "Lambda", "configuration: {FunctionName: f}");
    check(
        &[(ship, &lambda)],
        &expect![[r#"
            20  38:9: stages[2].actions[1].configuration: Action configuration for action 'Ship' is missing required configuration 'PublishedTargetVersion' [InvalidActionDeclarationException]; help: add `PublishedTargetVersion`
        "#]],
    );
    let input = "\n        inputArtifacts: [{name: App}]";
    let catalog = of("Deploy", "ServiceCatalog", "configuration: {ProductId: p}");
    check(
        &[(ship, &format!("{catalog}{input}"))],
        &expect![[r#"
            20  38:9: stages[2].actions[1].configuration: Action configuration for action 'Ship' is missing required configuration 'TemplateFilePath' [InvalidActionDeclarationException]; help: add `TemplateFilePath`
            20  38:9: stages[2].actions[1].configuration: Action configuration for action 'Ship' is missing required configuration 'ProductVersionName' [InvalidActionDeclarationException]; help: add `ProductVersionName`
            20  38:9: stages[2].actions[1].configuration: Action configuration for action 'Ship' is missing required configuration 'ProductType' [InvalidActionDeclarationException]; help: add `ProductType`
        "#]],
    );
    let farm = "configuration: {AppType: Android, ProjectId: p, AppiumVersion: x, \
                DevicePoolArn: a, TestType: BUILTIN_FUZZ}";
    let farm = of("Test", "DeviceFarm", farm) + input;
    check(
        &[(ship, &farm)],
        &expect![[r#"
            20  38:9: stages[2].actions[1].configuration: Action configuration for action 'Ship' is missing required configuration 'App' [InvalidActionDeclarationException]; help: add `App`
        "#]],
    );
    check(
        &[(ship, &farm.replace("Android", "Web"))],
        &expect![[r#"
        no problems
    "#]],
    );
}

#[test]
fn rule_21_unknown_configuration_is_refused() {
    check(
        &[(
            "BranchName: main",
            "BranchName: main, PollForSourceChange: \"false\"",
        )],
        &expect![[r#"
            21  14:83: stages[0].actions[0].configuration.PollForSourceChange: Action configuration for action 'Checkout' contains unknown configuration 'PollForSourceChange' [InvalidActionDeclarationException]; help: did you mean `PollForSourceChanges`?
        "#]],
    );
    check(
        &[("BranchName: main", "BranchName: main, Colour: red")],
        &expect![[r#"
            21  14:70: stages[0].actions[0].configuration.Colour: Action configuration for action 'Checkout' contains unknown configuration 'Colour' [InvalidActionDeclarationException]; help: remove it; the keys here are RepositoryName, BranchName, PollForSourceChanges, OutputArtifactFormat
        "#]],
    );
}

#[test]
fn rule_22_a_queryable_value_is_short_and_plain() {
    let compile = "actionTypeId: {category: Build, owner: AWS, provider: CodeBuild";
    let jenkins = "actionTypeId: {category: Build, owner: Custom, provider: Jenkins";
    for (name, expected) in [
        (
            "abcdefghij-klmnopq_12",
            expect![[r#"
                22  21:38: stages[1].actions[0].configuration.ProjectName: Action configuration for action 'Compile' has a value for the queryable property 'ProjectName' that does not match [A-Za-z0-9_-]{1,20} [InvalidActionDeclarationException]; help: job workers look their jobs up by it: write a short plain name, no variable
            "#]],
        ),
        (
            "abcdefghij-klmnop_12",
            expect![[r#"
            no problems
        "#]],
        ),
        (
            "#{variables.Env}",
            expect![[r#"
                22  21:38: stages[1].actions[0].configuration.ProjectName: Action configuration for action 'Compile' has a value for the queryable property 'ProjectName' that does not match [A-Za-z0-9_-]{1,20} [InvalidActionDeclarationException]; help: job workers look their jobs up by it: write a short plain name, no variable
            "#]],
        ),
    ] {
        check(
            &[(compile, jenkins), ("p-#{variables.Env}", name)],
            &expected,
        );
    }
}

const GITHUB: [(&str, &str); 2] = [
    (
        "owner: AWS, provider: CodeCommit",
        "owner: ThirdParty, provider: GitHub",
    ),
    (
        "RepositoryName: r, BranchName: main",
        "Owner: o, Repo: r, Branch: main, OAuthToken: '****'",
    ),
];

#[test]
fn rule_23_asterisks_are_no_secret_for_a_new_action() {
    check(
        &GITHUB,
        &expect![[r#"
            23  14:70: stages[0].actions[0].configuration.OAuthToken: Action configuration for the new action 'Checkout' contains an invalid configuration for the secret property 'OAuthToken'. '****' may be used in secret properties only when updating an existing action. [InvalidActionDeclarationException]; help: write the secret itself
        "#]],
    );
}

#[test]
fn rule_23_asterisks_keep_the_secret_of_the_same_action_and_of_no_other() {
    let mut stored = good();
    let source = &mut stored.stages[0].actions[0];
    source.action_type_id.owner = crate::declaration::ActionOwner::ThirdParty;
    source.action_type_id.provider = "GitHub".to_owned();
    source
        .configuration
        .insert("OAuthToken".to_owned(), "secret".to_owned());
    let context = Context {
        stored: Some(&stored),
        ..Context::default()
    };
    check_in(
        &GITHUB,
        &context,
        &expect![[r#"
        no problems
    "#]],
    );
    let renamed = [GITHUB[0], GITHUB[1], ("name: Checkout", "name: Fetch")];
    check_in(
        &renamed,
        &context,
        &expect![[r#"
            23  14:70: stages[0].actions[0].configuration.OAuthToken: Action configuration for the new action 'Fetch' contains an invalid configuration for the secret property 'OAuthToken'. '****' may be used in secret properties only when updating an existing action. [InvalidActionDeclarationException]; help: write the secret itself
        "#]],
    );
}

#[test]
fn rule_24_a_commands_action_has_commands() {
    check(
        &[(
            "        commands: [\"echo #{src.CommitId} #{build.Size}\"]\n",
            "",
        )],
        &expect![[r#"
            24  25:9: stages[1].actions[1].commands: Action Check must have a non-empty commands field [InvalidActionDeclarationException]; help: add `commands` with one shell command an item
        "#]],
    );
}

#[test]
fn rule_25_commands_and_files_are_for_compute_actions() {
    check(
        &[(COMPILE, &with(COMPILE, "commands: [make]"))],
        &expect![[r#"
            25  20:9: stages[1].actions[0].commands: The following action cannot contain a commands field: Compile. To use the commands field, use a compute action. [InvalidActionDeclarationException]; help: use category `Compute`, provider `Commands`, or remove the field
        "#]],
    );
    check(
        &[(
            "[{name: App}]\n        namespace",
            "[{name: App, files: [a]}]\n        namespace",
        )],
        &expect![[r#"
            25  23:39: stages[1].actions[0].outputArtifacts[0].files: The following action cannot contain a commands field: Compile. To use the commands field, use a compute action. [InvalidActionDeclarationException]; help: use category `Compute`, provider `Commands`, or remove the field
        "#]],
    );
}

#[test]
fn rule_26_output_and_environment_variables_are_for_compute_actions() {
    check(
        &[(COMPILE, &with(COMPILE, "outputVariables: [A]"))],
        &expect![[r#"
            26  20:9: stages[1].actions[0].outputVariables: Action Compile cannot contain an outputVariables field [InvalidActionDeclarationException]; help: use category `Compute`, provider `Commands`, or remove the field
        "#]],
    );
    check(
        &[(
            COMPILE,
            &with(COMPILE, "environmentVariables: [{name: A, value: b}]"),
        )],
        &expect![[r#"
            26  20:9: stages[1].actions[0].environmentVariables: Action Compile cannot contain an environmentVariables field [InvalidActionDeclarationException]; help: use category `Compute`, provider `Commands`, or remove the field
        "#]],
    );
}

#[test]
fn rule_26_eks_takes_environment_variables_that_are_no_secrets() {
    let eks = [
        (
            "category: Deploy, owner: AWS, provider: S3",
            "category: Deploy, owner: AWS, provider: EKS",
        ),
        ("{BucketName: b, Extract: \"true\"}", "{ClusterName: c}"),
    ];
    let plain = with(SHIP, "environmentVariables: [{name: A, value: b}]");
    check(
        &[eks[0], eks[1], (SHIP, &plain)],
        &expect![[r#"
        no problems
    "#]],
    );
    let secret = with(
        SHIP,
        "environmentVariables: [{name: A, value: b, type: SECRETS_MANAGER}]",
    );
    check(
        &[eks[0], eks[1], (SHIP, &secret)],
        &expect![[r#"
            26  36:58: stages[2].actions[1].environmentVariables[0].type: Action Ship cannot contain environment variables that are secrets [InvalidActionDeclarationException]; help: use category `Compute`, provider `Commands`, or remove the field
        "#]],
    );
}

#[test]
fn rule_27_only_approvals_have_a_timeout() {
    check(
        &[(COMPILE, &with(COMPILE, "timeoutInMinutes: 30"))],
        &expect![[r#"
            27  20:27: stages[1].actions[0].timeoutInMinutes: Action Compile cannot have timeoutInMinutes, which only approvals may have [InvalidActionDeclarationException]; help: remove it
        "#]],
    );
}

#[test]
fn rule_28_sources_run_in_the_region_of_the_pipeline() {
    let both = "artifactStores: {us-east-1: {type: S3, location: one}, \
                eu-west-1: {type: S3, location: two}}";
    check(
        &[
            (STORE, both),
            (CHECKOUT, &with(CHECKOUT, "region: eu-west-1")),
        ],
        &expect![[r#"
            28  13:17: stages[0].actions[0].region: Action Checkout must run in the region of the pipeline: source actions, third-party actions and custom actions cannot run in another region [InvalidActionDeclarationException]; help: remove it, or write `us-east-1`
        "#]],
    );
    let alexa = [
        (STORE, both),
        (
            "owner: AWS, provider: S3",
            "owner: ThirdParty, provider: AlexaSkillsKit",
        ),
        (
            "{BucketName: b, Extract: \"true\"}",
            "{ClientId: a, ClientSecret: b, RefreshToken: c, SkillId: d}",
        ),
    ];
    let ship = with(SHIP, "region: eu-west-1");
    check(
        &[alexa[0], alexa[1], alexa[2], (SHIP, &ship)],
        &expect![[r#"
            28  36:17: stages[2].actions[1].region: Action Ship must run in the region of the pipeline: source actions, third-party actions and custom actions cannot run in another region [InvalidActionDeclarationException]; help: remove it, or write `us-east-1`
        "#]],
    );
}

#[test]
fn rule_35_some_things_are_for_v2_only() {
    check(
        &[("pipelineType: V2\n", "")],
        &expect![[r#"
            35  4:16: executionMode: QUEUED or PARALLEL mode can only be used with V2 pipelines [InvalidStructureException]; help: add `pipelineType: V2` to the pipeline
            35  5:1: variables: Pipeline variable can only be used with V2 pipelines [InvalidStructureException]; help: add `pipelineType: V2` to the pipeline
            35  26:9: stages[1].actions[1].actionTypeId: Commands Action can only be used with V2 pipelines. [InvalidActionDeclarationException]; help: add `pipelineType: V2` to the pipeline
        "#]],
    );
}

#[test]
fn rule_44_blockers_are_reserved() {
    let blocked = "  - name: Deploy\n    blockers: [{name: b, type: Schedule}]\n";
    check(
        &[("  - name: Deploy\n", blocked)],
        &expect![[r#"
            44  31:5: stages[2].blockers: Stage 'Deploy' has blockers, which are reserved [InvalidBlockerDeclarationException]; help: remove `blockers`; disable the transition instead
        "#]],
    );
    check(
        &[("  - name: Deploy\n", "  - name: Deploy\n    blockers: []\n")],
        &expect![[r#"
            no problems
        "#]],
    );
}

#[test]
fn rule_47_a_command_is_one_line() {
    check(
        &[(
            "commands: [\"echo",
            "commands: [\"make\\nmake install\", \"echo",
        )],
        &expect![[r#"
            47  28:20: stages[1].actions[1].commands[0]: Action Check has a line break inside a command [InvalidActionDeclarationException]; help: write each line as a command of its own
        "#]],
    );
}

#[test]
fn rule_49_code_build_names_one_of_its_inputs_as_the_primary_one() {
    check(
        &[("{ProjectName:", "{PrimarySource: App, ProjectName:")],
        &expect![[r#"
            49  21:40: stages[1].actions[0].configuration.PrimarySource: Action Compile has PrimarySource 'App', which is not one of its input artifacts [InvalidActionDeclarationException]; help: its input artifacts are Code
        "#]],
    );
    let two = "inputArtifacts: [{name: App}, {name: Code}]";
    let ship = "actionTypeId: {category: Deploy, owner: AWS, provider: S3, version: \"1\"}\n        \
                configuration: {BucketName: b, Extract: \"true\"}";
    let build = "actionTypeId: {category: Test, owner: AWS, provider: CodeBuild, version: \"1\"}\n        \
                 configuration: {ProjectName: t}";
    check(
        &[("inputArtifacts: [{name: App}]", two), (ship, build)],
        &expect![[r#"
            49  38:9: stages[2].actions[1].configuration.PrimarySource: Action Ship has more than one input artifact, and no PrimarySource [InvalidActionDeclarationException]; help: its input artifacts are App, Code
        "#]],
    );
}

#[test]
fn rule_49_cloud_formation_names_its_inputs() {
    let ship =
        "provider: S3, version: \"1\"}\n        configuration: {BucketName: b, Extract: \"true\"}";
    for (path, expected) in [
        (
            "App::t.yml",
            expect![[r#"
            no problems
        "#]],
        ),
        (
            "Apq::t.yml",
            expect![[r#"
                49  38:80: stages[2].actions[1].configuration.TemplatePath: Action Ship names artifact 'Apq' in its configuration 'TemplatePath', which is not one of its input artifacts [InvalidActionDeclarationException]; help: its input artifacts are App
            "#]],
        ),
        (
            "t.yml",
            expect![[r#"
                49  38:80: stages[2].actions[1].configuration.TemplatePath: Action Ship has a configuration 'TemplatePath' that is not of the form <artifact>::<file> [InvalidActionDeclarationException]; help: its input artifacts are App
            "#]],
        ),
        (
            "#{build.Template}",
            expect![[r#"
            no problems
        "#]],
        ),
    ] {
        let stack = format!(
            "provider: CloudFormation, version: \"1\"}}\n        configuration: {{ActionMode: \
             CREATE_UPDATE, StackName: s, TemplatePath: '{path}'}}"
        );
        check(&[(ship, &stack)], &expected);
    }
}
