//! The rules of pipelines, stages and artifacts (4–19), in the order of the table.

use expect_test::expect;

use super::{
    APPROVE, CHECK, CHECKOUT, COMPILE, Context, GOOD, SHIP, STORE, STORES, check, check_in, with,
};
use crate::declaration::validate::Limits;

#[test]
fn rule_4_exactly_one_of_artifact_store_and_artifact_stores() {
    check(
        &[(STORE, "")],
        &expect![[r#"
            4   1:1: artifactStore: The pipeline has no artifact store [InvalidStructureException]; help: add `artifactStore` with `type: S3` and the bucket as `location`
        "#]],
    );
    check(
        &[(STORE, &format!("{STORE}\n{STORES}"))],
        &expect![[r#"
            4   4:1: artifactStores: The pipeline has both 'pipeline.artifactStore' and 'pipeline.artifactStores' [InvalidStructureException]; help: keep one: `artifactStores` when actions run in more than one region
        "#]],
    );
}

#[test]
fn rule_5_another_region_needs_artifact_stores() {
    check(
        &[(SHIP, &with(SHIP, "region: eu-west-1"))],
        &expect![[r#"
            5   36:17: stages[2].actions[1].region: Your pipeline contains actions in more than one region. Use 'pipeline.artifactStores' instead of 'pipeline.artifactStore' to declare an artifact store, such as an artifact bucket, for each region where you have an action. [InvalidStructureException]; help: the pipeline is in `us-east-1`, and the action in `eu-west-1`: name a bucket for each
        "#]],
    );
    check(
        &[(SHIP, &with(SHIP, "region: us-east-1"))],
        &expect![[r#"
        no problems
    "#]],
    );
}

#[test]
fn rule_6_artifact_stores_cover_every_region() {
    check(
        &[(STORE, STORES), (SHIP, &with(SHIP, "region: eu-west-1"))],
        &expect![[r#"
            6   3:1: artifactStores: Your pipeline must have an artifact store, such as an artifact bucket, for each region where you have an action. The following region is missing in 'pipeline.artifactStores': eu-west-1. [InvalidStructureException]; help: add a store under `eu-west-1`
        "#]],
    );
    let elsewhere = Context {
        region: "eu-west-3",
        ..Context::default()
    };
    check_in(
        &[(STORE, STORES)],
        &elsewhere,
        &expect![[r#"
            6   3:1: artifactStores: Your pipeline must have an artifact store, such as an artifact bucket, for each region where you have an action. The following region is missing in 'pipeline.artifactStores': eu-west-3. [InvalidStructureException]; help: add a store under `eu-west-3`
        "#]],
    );
}

#[test]
fn rule_7_a_store_that_no_action_uses_is_accepted() {
    let both = "artifactStores: {us-east-1: {type: S3, location: one}, \
                eu-west-1: {type: S3, location: two}}";
    check(
        &[(STORE, both)],
        &expect![[r#"
            no problems
        "#]],
    );
}

#[test]
fn rules_8_and_12_a_pipeline_has_two_stages_and_does_something() {
    let text = GOOD;
    let start = text
        .find("  - name: Build")
        .expect("the good pipeline builds");
    check(
        &[(&text[start..], "")],
        &expect![[r#"
            8   9:1: stages: Pipeline has only 1 stage(s). There should be a minimum of 2 stages in a pipeline [InvalidStructureException]; help: begin with a stage of source actions, and let another stage follow
            12  9:1: stages: Pipeline should contain at least 1 action whose category is not Source [InvalidStructureException]; help: add a stage that does something
        "#]],
    );
}

#[test]
fn rule_9_a_pipeline_has_fifty_stages_at_most() {
    let stage = |n: usize| {
        format!(
            "  - name: S{n}\n    actions:\n      - name: A\n        actionTypeId: {{category: \
             Approval, owner: AWS, provider: Manual, version: \"1\"}}\n"
        )
    };
    let many = (0..48).map(stage).collect::<Vec<_>>().concat();
    let more = format!("{many}  - name: Deploy\n");
    check(
        &[("  - name: Deploy\n", &more)],
        &expect![[r#"
            9   9:1: stages: Pipeline has too many stages. There can only be up to 50 stages in a pipeline [InvalidStructureException]; help: it has 51; split the pipeline, or run actions side by side
        "#]],
    );
}

#[test]
fn rule_10_the_first_stage_has_only_sources() {
    check(
        &[("stages:\n", "stages:\n  - name: Empty\n    actions: []\n")],
        &expect![[r#"
            10  11:5: stages[0].actions: Pipeline should start with a stage that only contains source actions [InvalidStructureException]; help: add a source action
            14  11:5: stages[0].actions: Stage 'Empty' has 0 actions. There should be 1 to 100 actions in a stage [InvalidStageDeclarationException]; help: add an action, or remove the stage
            11  15:34: stages[1].actions[0].actionTypeId.category: Source actions can only be included in the first stage of the pipeline [InvalidStructureException]; help: move action `Checkout` to stage `Empty`
        "#]],
    );
    let approval = "      - name: Ask\n        actionTypeId: {category: Approval, owner: AWS, \
                    provider: Manual, version: \"1\"}\n";
    check(
        &[(CHECKOUT, &format!("{approval}{CHECKOUT}"))],
        &expect![[r#"
            10  13:34: stages[0].actions[0].actionTypeId.category: Pipeline should start with a stage that only contains source actions [InvalidStructureException]; help: move action `Ask` to a later stage
        "#]],
    );
}

#[test]
fn rule_11_sources_are_nowhere_else() {
    let source = "      - name: Again\n        actionTypeId: {category: Source, owner: AWS, \
                  provider: S3, version: \"1\"}\n        configuration: {S3Bucket: b, \
                  S3ObjectKey: k}\n        outputArtifacts: [{name: More}]\n";
    check(
        &[(COMPILE, &format!("{source}{COMPILE}"))],
        &expect![[r#"
            11  20:34: stages[1].actions[0].actionTypeId.category: Source actions can only be included in the first stage of the pipeline [InvalidStructureException]; help: move action `Again` to stage `Source`
        "#]],
    );
}

#[test]
fn rule_13_stage_names_are_unique() {
    check(
        &[("name: Deploy", "name: Build")],
        &expect![[r#"
            13  30:11: stages[2].name: Stage name 'Build' is used more than once [InvalidStageDeclarationException]; help: rename one of the stages
        "#]],
    );
}

#[test]
fn rule_14_a_stage_has_some_actions_and_not_too_many() {
    check(
        &[(
            "  - name: Deploy\n",
            "  - name: Nothing\n    actions: []\n  - name: Deploy\n",
        )],
        &expect![[r#"
            14  31:5: stages[2].actions: Stage 'Nothing' has 0 actions. There should be 1 to 100 actions in a stage [InvalidStageDeclarationException]; help: add an action, or remove the stage
        "#]],
    );
    let limits = Limits {
        actions_per_stage: 1,
        ..Limits::default()
    };
    check_in(
        &[],
        &Context {
            limits,
            ..Context::default()
        },
        &expect![[r#"
            14  18:5: stages[1].actions: Stage 'Build' has 2 actions. There should be 1 to 1 actions in a stage [InvalidStageDeclarationException]; help: move some of the actions to another stage
            14  31:5: stages[2].actions: Stage 'Deploy' has 2 actions. There should be 1 to 1 actions in a stage [InvalidStageDeclarationException]; help: move some of the actions to another stage
        "#]],
    );
}

#[test]
fn rule_14_a_pipeline_has_a_thousand_actions_and_400_kb_at_most() {
    let approval = |n: usize| {
        format!(
            "      - name: A{n}\n        actionTypeId: {{category: Approval, owner: AWS, \
             provider: Manual, version: \"1\"}}\n        configuration: {{CustomData: {}}}\n",
            "x".repeat(400)
        )
    };
    let many = (0..997).map(approval).collect::<Vec<_>>().concat();
    let limits = Limits {
        actions_per_stage: 2000,
        ..Limits::default()
    };
    let context = Context {
        limits,
        ..Context::default()
    };
    check_in(
        &[(APPROVE, &format!("{many}{APPROVE}"))],
        &context,
        &expect![[r#"
            14  1:1: pipeline: Pipeline has 590597 bytes as JSON, which is more than 409600 [InvalidStructureException]; help: move long values into files of the source
            14  9:1: stages: Pipeline has 1002 actions, which is more than 1000 [InvalidStructureException]; help: split the pipeline
        "#]],
    );
}

#[test]
fn rule_15_action_names_are_unique_in_a_stage() {
    check(
        &[("name: Ship", "name: Approve")],
        &expect![[r#"
            15  35:15: stages[2].actions[1].name: Action name 'Approve' is used more than once in stage 'Deploy' [InvalidActionDeclarationException]; help: rename one of the actions
        "#]],
    );
    check(
        &[("name: Ship", "name: Compile")],
        &expect![[r#"
        no problems
    "#]],
    );
}

#[test]
fn rule_16_the_action_type_exists() {
    let of = |id: &str| format!("actionTypeId: {{{id}}}");
    let ship = "actionTypeId: {category: Deploy, owner: AWS, provider: S3, version: \"1\"}";
    for (id, expected) in [
        (
            "category: Deploy, owner: AWS, provider: S4, version: \"1\"",
            expect![[r#"
                16  37:9: stages[2].actions[1].actionTypeId: ActionType (Category: 'Deploy', Provider: 'S4', Owner: 'AWS', Version: '1') in action 'Ship' is not available in region 'US_EAST_1' [InvalidActionDeclarationException]; help: did you mean provider `S3`?
            "#]],
        ),
        (
            "category: Deploy, owner: ThirdParty, provider: S3, version: \"1\"",
            expect![[r#"
                16  37:9: stages[2].actions[1].actionTypeId: ActionType (Category: 'Deploy', Provider: 'S3', Owner: 'ThirdParty', Version: '1') in action 'Ship' is not available in region 'US_EAST_1' [InvalidActionDeclarationException]; help: did you mean category `Deploy`, owner `AWS`, provider `S3`, version `1`?
            "#]],
        ),
        (
            "category: Deploy, owner: AWS, provider: S3, version: \"2\"",
            expect![[r#"
                16  37:9: stages[2].actions[1].actionTypeId: ActionType (Category: 'Deploy', Provider: 'S3', Owner: 'AWS', Version: '2') in action 'Ship' is not available in region 'US_EAST_1' [InvalidActionDeclarationException]; help: did you mean category `Deploy`, owner `AWS`, provider `S3`, version `1`?
            "#]],
        ),
        (
            "category: Compute, owner: Custom, provider: Mine, version: \"1\"",
            expect![[r#"
                24  35:9: stages[2].actions[1].commands: Action Ship must have a non-empty commands field [InvalidActionDeclarationException]; help: add `commands` with one shell command an item
                16  37:9: stages[2].actions[1].actionTypeId: ActionType (Category: 'Compute', Provider: 'Mine', Owner: 'Custom', Version: '1') in action 'Ship' is not available in region 'US_EAST_1' [InvalidActionDeclarationException]; help: the providers of category `Compute` are Commands
            "#]],
        ),
        (
            "category: Approval, owner: AWS, provider: CodeDeploy, version: \"1\"",
            expect![[r#"
                16  37:9: stages[2].actions[1].actionTypeId: ActionType (Category: 'Approval', Provider: 'CodeDeploy', Owner: 'AWS', Version: '1') in action 'Ship' is not available in region 'US_EAST_1' [InvalidActionDeclarationException]; help: did you mean category `Deploy`, owner `AWS`, provider `CodeDeploy`, version `1`?
            "#]],
        ),
    ] {
        check(
            &[
                (ship, &of(id)),
                ("configuration: {BucketName: b, Extract: \"true\"}", ""),
            ],
            &expected,
        );
    }
}

#[test]
fn rule_17_the_counts_of_artifacts_are_those_of_the_type() {
    check(
        &[("inputArtifacts: [{name: App}]", "inputArtifacts: []")],
        &expect![[r#"
            17  39:9: stages[2].actions[1].inputArtifacts: Action Ship declares 0 input artifacts which is less than the minimum count (1) [InvalidActionDeclarationException]; help: S3 takes exactly 1 input artifacts
        "#]],
    );
    check(
        &[
            ("[{name: App}]\n        namespace", "[]\n        namespace"),
            ("[{name: App}]", "[{name: Code}]"),
            (APPROVE, &with(APPROVE, "outputArtifacts: [{name: App}]")),
        ],
        &expect![[r#"
            17  33:9: stages[2].actions[0].outputArtifacts: Action Approve declares 1 output artifacts which is more than the maximum count (0) [InvalidActionDeclarationException]; help: Manual takes exactly 0 output artifacts
        "#]],
    );
}

#[test]
fn rule_18_an_input_comes_from_an_earlier_action() {
    check(
        &[(
            "[{name: App}]\n        namespace",
            "[{name: Application}]\n        namespace",
        )],
        &expect![[r#"
            18  39:33: stages[2].actions[1].inputArtifacts[0].name: stage `Deploy`, action `Ship` uses input artifact `App`, but no earlier action produces it [InvalidActionDeclarationException]; help: earlier actions produce Application, Code
        "#]],
    );
    check(
        &[(
            "inputArtifacts: [{name: Code}]",
            "inputArtifacts: [{name: Coed}]",
        )],
        &expect![[r#"
            18  22:33: stages[1].actions[0].inputArtifacts[0].name: stage `Build`, action `Compile` uses input artifact `Coed`, but no earlier action produces it [InvalidActionDeclarationException]; help: `Code` is produced by Source/Checkout
        "#]],
    );
    let ship = "inputArtifacts: [{name: App}]\n";
    check(
        &[
            (
                "        inputArtifacts: [{name: Code}]\n  - name: Deploy",
                "        inputArtifacts: [{name: App}]\n        outputArtifacts: [{name: Late}]\n  - name: Deploy",
            ),
            ("        runOrder: 2\n", ""),
        ],
        &expect![[r#"
            31  27:20: stages[1].actions[1].commands[0]: stage `Build`, action `Check` refers to `#{build.Size}`, but the action with that namespace does not run before [InvalidActionDeclarationException]; help: Build/Compile has the namespace: let it run in an earlier stage, or with a lower `runOrder`
            18  28:33: stages[1].actions[1].inputArtifacts[0].name: stage `Build`, action `Check` uses input artifact `App`, but no earlier action produces it [InvalidActionDeclarationException]; help: Build/Compile produces it: let it run before, with a lower `runOrder`, and take nothing that comes after
        "#]],
    );
    check(
        &[
            (ship, "inputArtifacts: [{name: App}]\n"),
            (
                "inputArtifacts: [{name: Code}]",
                "inputArtifacts: [{name: Code}, {name: Code}]",
            ),
            ("{ProjectName:", "{PrimarySource: Code, ProjectName:"),
        ],
        &expect![[r#"
            18  22:47: stages[1].actions[0].inputArtifacts[1].name: stage `Build`, action `Compile` lists input artifact `Code` twice [InvalidActionDeclarationException]; help: remove one of them
        "#]],
    );
}

#[test]
fn rule_18_artifacts_that_feed_each_other_in_a_circle_have_no_earlier_action() {
    let second = "      - name: Second\n        actionTypeId: {category: Build, owner: AWS, \
                  provider: CodeBuild, version: \"1\"}\n        configuration: {ProjectName: p}\n        \
                  inputArtifacts: [{name: App}]\n        outputArtifacts: [{name: Back}]\n";
    check(
        &[
            (
                "inputArtifacts: [{name: Code}]",
                "inputArtifacts: [{name: Back}]",
            ),
            (CHECK, &format!("{second}{CHECK}")),
        ],
        &expect![[r#"
            18  22:33: stages[1].actions[0].inputArtifacts[0].name: stage `Build`, action `Compile` uses input artifact `Back`, but no earlier action produces it [InvalidActionDeclarationException]; help: Build/Second produces it: let it run before, with a lower `runOrder`, and take nothing that comes after
            18  28:33: stages[1].actions[1].inputArtifacts[0].name: stage `Build`, action `Second` uses input artifact `App`, but no earlier action produces it [InvalidActionDeclarationException]; help: Build/Compile produces it: let it run before, with a lower `runOrder`, and take nothing that comes after
        "#]],
    );
}

#[test]
fn rule_19_an_output_is_made_by_one_action() {
    check(
        &[(
            CHECK,
            &with(CHECK, "outputArtifacts: [{name: App, files: [out]}]"),
        )],
        &expect![[r#"
            19  26:34: stages[1].actions[1].outputArtifacts[0].name: stage `Build`, action `Check` makes output artifact `App`, which another action makes already [InvalidActionDeclarationException]; help: rename it: it is the output artifact of Build/Compile
        "#]],
    );
}
