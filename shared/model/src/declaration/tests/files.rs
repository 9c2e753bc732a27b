//! Files: both formats, wrappings, unknown fields, what is told and what is not.

use expect_test::expect;

use super::{Context, Format, GOOD, check_text as check, edited, good, read, read_valid};
use crate::declaration::{
    PipelineDeclaration,
    normalise::{masked, succeed},
};

#[test]
fn a_declaration_means_the_same_in_json_and_in_yaml() {
    let declaration = good();
    let json = serde_json::to_string_pretty(&declaration).expect("a declaration is JSON");
    let again = read(&json, Format::Json, &[])
        .expect("the JSON is read")
        .declaration;
    assert_eq!(again, declaration);
    let direct: PipelineDeclaration = serde_json::from_str(&json).expect("serde reads it");
    assert_eq!(direct, declaration);
    let as_yaml = read(&json, Format::Yaml, &[])
        .expect("JSON is YAML")
        .declaration;
    assert_eq!(as_yaml, declaration);
}

#[test]
fn a_file_name_tells_the_format() {
    assert_eq!(Format::of_file_name("a/pipeline.yml"), Some(Format::Yaml));
    assert_eq!(Format::of_file_name("P.YAML"), Some(Format::Yaml));
    assert_eq!(Format::of_file_name("p.json"), Some(Format::Json));
    assert_eq!(Format::of_file_name("p.toml"), None);
    assert_eq!(Format::of_file_name("pipeline"), None);
}

fn indented() -> String {
    GOOD.lines()
        .map(|line| format!("  {line}\n"))
        .collect::<Vec<_>>()
        .concat()
}

#[test]
fn what_get_pipeline_prints_is_read() {
    let text = format!(
        "pipeline:\n{}metadata: {{pipelineArn: a, created: 1.5}}\n",
        indented()
    );
    let document = read(&text, Format::Yaml, &[]).expect("the wrapping is known");
    assert_eq!(document.declaration, good());
}

#[test]
fn keys_that_the_caller_names_may_stand_beside_the_pipeline() {
    let text = format!("resources: {{a: 1}}\npipeline:\n{}", indented());
    let document = read(&text, Format::Yaml, &["resources"]).expect("the key is known");
    assert!(document.others["resources"].entry("a").is_some());
    assert_eq!(document.declaration, good());
    let bare = format!("resources: {{a: 1}}\n{GOOD}");
    let document = read(&bare, Format::Yaml, &["resources"]).expect("the key is known");
    assert_eq!(document.declaration, good());
    check(
        &text,
        Format::Yaml,
        &expect![[r#"
            0   1:1: resources: unknown field `resources` [ValidationException]; help: remove it; the fields here are pipeline, metadata
        "#]],
    );
}

#[test]
fn a_misspelt_wrapping_is_one_problem() {
    check(
        &format!("pipelne:\n{}", indented()),
        Format::Yaml,
        &expect![[r#"
            0   1:1: pipelne: unknown field `pipelne` [ValidationException]; help: did you mean `pipeline`?
        "#]],
    );
}

#[test]
fn unknown_fields_are_told_with_what_was_meant() {
    check(
        &edited(&[
            (
                "    actions:\n      - name: Compile",
                "    actoins:\n      - name: Compile",
            ),
            ("artifactStore:", "ArtifactStore:"),
            (
                "        namespace: src",
                "        namespace: src\n        colour: red",
            ),
            (
                "        timeoutInMinutes: 60",
                "        timeoutInMinute: 60\n        <<: {a: b}",
            ),
        ]),
        Format::Yaml,
        &expect![[r#"
            0   3:1: ArtifactStore: unknown field `ArtifactStore` [ValidationException]; help: did you mean `artifactStore`?
            0   17:9: stages[0].actions[0].colour: unknown field `colour` [ValidationException]; help: remove it; the fields here are name, actionTypeId, runOrder, configuration, commands, inputArtifacts, outputArtifacts, outputVariables, environmentVariables, roleArn, region, namespace, timeoutInMinutes
            0   19:5: stages[1].actoins: unknown field `actoins` [ValidationException]; help: did you mean `actions`?
            0   35:9: stages[2].actions[0].timeoutInMinute: unknown field `timeoutInMinute` [ValidationException]; help: did you mean `timeoutInMinutes`?
            0   36:9: stages[2].actions[0].<<: unknown field `<<` [ValidationException]; help: YAML 1.2 has no merge keys; repeat the fields, or alias the whole value
        "#]],
    );
}

#[test]
fn what_follows_from_another_problem_is_not_told() {
    // Without the output artifact nothing produces `App`; the slip of the pen is all to be told.
    let edits = [(
        "outputArtifacts: [{name: App}]",
        "outputArtefacts: [{name: App}]",
    )];
    check(
        &edited(&edits),
        Format::Yaml,
        &expect![[r#"
            0   23:9: stages[1].actions[0].outputArtefacts: unknown field `outputArtefacts` [ValidationException]; help: did you mean `outputArtifacts`?
        "#]],
    );
    let edits = [
        ("category: Build", "category: Bulid"),
        ("name: Deploy\n", "name: Build\n"),
    ];
    check(
        &edited(&edits),
        Format::Yaml,
        &expect![[r#"
            1   20:34: stages[1].actions[0].actionTypeId.category: Value 'Bulid' at 'pipeline.stages.2.member.actions.1.member.actionTypeId.category' failed to satisfy constraint: Member must satisfy enum value set: [Source, Build, Deploy, Test, Invoke, Approval, Compute] [ValidationException]; help: did you mean `Build`?
            13  30:11: stages[2].name: Stage name 'Build' is used more than once [InvalidStageDeclarationException]; help: rename one of the stages
        "#]],
    );
}

#[test]
fn what_does_not_follow_from_another_problem_is_told_with_it() {
    let edits = [
        ("roleArn: arn:aws:iam::111122223333:role/R\n", ""),
        ("artifactStore: {type: S3, location: bucket}\n", ""),
        ("        timeoutInMinutes: 60\n", "        colour: red\n"),
        ("Extract: \"true\"", "Extract: \"false\""),
    ];
    check(
        &edited(&edits),
        Format::Yaml,
        &expect![[r#"
        1   1:1: roleArn: Value null at 'pipeline.roleArn' failed to satisfy constraint: Member must not be null [ValidationException]; help: add `roleArn`
        4   1:1: artifactStore: The pipeline has no artifact store [InvalidStructureException]; help: add `artifactStore` with `type: S3` and the bucket as `location`
        0   32:9: stages[2].actions[0].colour: unknown field `colour` [ValidationException]; help: remove it; the fields here are name, actionTypeId, runOrder, configuration, commands, inputArtifacts, outputArtifacts, outputVariables, environmentVariables, roleArn, region, namespace, timeoutInMinutes
        20  36:9: stages[2].actions[1].configuration: Action configuration for action 'Ship' is missing required configuration 'ObjectKey' [InvalidActionDeclarationException]; help: add `ObjectKey`
    "#]],
    );
    // Without a type everything would be V1, and without a category everything a build.
    let edits = [
        ("pipelineType: V2", "pipelineType: v2"),
        ("category: Compute", "category: Computer"),
        ("category: Approval", "category: Aproval"),
    ];
    check(
        &edited(&edits),
        Format::Yaml,
        &expect![[r#"
        1   4:15: pipelineType: Value 'v2' at 'pipeline.pipelineType' failed to satisfy constraint: Member must satisfy enum value set: [V1, V2] [ValidationException]; help: did you mean `V2`?
        1   27:34: stages[1].actions[1].actionTypeId.category: Value 'Computer' at 'pipeline.stages.2.member.actions.2.member.actionTypeId.category' failed to satisfy constraint: Member must satisfy enum value set: [Source, Build, Deploy, Test, Invoke, Approval, Compute] [ValidationException]; help: did you mean `Compute`?
        1   33:34: stages[2].actions[0].actionTypeId.category: Value 'Aproval' at 'pipeline.stages.3.member.actions.1.member.actionTypeId.category' failed to satisfy constraint: Member must satisfy enum value set: [Source, Build, Deploy, Test, Invoke, Approval, Compute] [ValidationException]; help: did you mean `Approval`?
    "#]],
    );
}

#[test]
fn null_is_absent() {
    check(
        &edited(&[("namespace: src", "namespace: src\n        region:")]),
        Format::Yaml,
        &expect![[r#"
            no problems
        "#]],
    );
    check(
        &edited(&[("name: P\n", "name:\n")]),
        Format::Yaml,
        &expect![[r#"
            1   1:1: name: Value null at 'pipeline.name' failed to satisfy constraint: Member must not be null [ValidationException]; help: add `name`
        "#]],
    );
}

#[test]
fn many_problems_are_told_at_once_each_in_its_place() {
    check(
        &edited(&[
            ("name: P\n", "name: a b\nnmae: x\n"),
            ("runOrder: 2", "runOrder: two"),
            (
                "inputArtifacts: [{name: App}]",
                "inputArtifacts: [{name: Code}, {nam: x}]",
            ),
            ("name: Deploy\n", "name: Source\n"),
        ]),
        Format::Yaml,
        &expect![[r#"
            1   1:7: name: Value 'a b' at 'pipeline.name' failed to satisfy constraint: Member must satisfy regular expression pattern: [A-Za-z0-9.@\-_]+ [ValidationException]; help: write it so that all of it matches [A-Za-z0-9.@\-_]+
            0   2:1: nmae: unknown field `nmae` [ValidationException]; help: remove it; the fields here are name, roleArn, artifactStore, artifactStores, stages, version, executionMode, pipelineType, variables, triggers
            0   27:19: stages[1].actions[1].runOrder: `stages[1].actions[1].runOrder` is a string, where an integer is expected [SerializationException]
            13  31:11: stages[2].name: Stage name 'Source' is used more than once [InvalidStageDeclarationException]; help: rename one of the stages
            17  40:9: stages[2].actions[1].inputArtifacts: Action Ship declares 2 input artifacts which is more than the maximum count (1) [InvalidActionDeclarationException]; help: S3 takes exactly 1 input artifacts
            0   40:41: stages[2].actions[1].inputArtifacts[1].nam: unknown field `nam` [ValidationException]; help: did you mean `name`?
        "#]],
    );
}

#[test]
fn a_save_counts_the_version_up_and_keeps_masked_secrets() {
    let edits = [
        (
            "owner: AWS, provider: CodeCommit",
            "owner: ThirdParty, provider: GitHub",
        ),
        (
            "RepositoryName: r, BranchName: main",
            "Owner: o, Repo: r, Branch: b, OAuthToken: s3cret",
        ),
    ];
    let text = edited(&edits);
    let mut first = read(&text, Format::Yaml, &[])
        .expect("the edit is good")
        .declaration;
    succeed(&mut first, None);
    assert_eq!(first.version, Some(1));
    let shown = masked(&first);
    assert_eq!(
        shown.stages[0].actions[0].configuration["OAuthToken"],
        "****"
    );
    assert_eq!(shown.stages[0].actions[0].configuration["Repo"], "r");
    let mut second = shown.clone();
    succeed(&mut second, Some(&first));
    assert_eq!(second.version, Some(2));
    assert_eq!(
        second.stages[0].actions[0].configuration["OAuthToken"],
        "s3cret"
    );
    let mut renamed = shown;
    renamed.stages[0].name = "Other".to_owned();
    succeed(&mut renamed, Some(&first));
    assert_eq!(
        renamed.stages[0].actions[0].configuration["OAuthToken"],
        "****"
    );
}

#[test]
fn what_says_nothing_is_dropped() {
    let edits = [(
        "  - name: Deploy\n",
        "  - name: Deploy\n    onFailure: {}\n",
    )];
    let text = edited(&edits);
    let document = read_valid(&text, Format::Yaml, &[], &Context::default()).expect("it is good");
    assert_eq!(document.declaration, good());
}
