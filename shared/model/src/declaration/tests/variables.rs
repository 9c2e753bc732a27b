//! The rules of namespaces and variables (29–33, 36).

use expect_test::expect;

use super::{CHECK, check, with};

#[test]
fn rule_29_namespaces_are_unique() {
    check(
        &[
            ("namespace: build", "namespace: src"),
            (" #{build.Size}", ""),
        ],
        &expect![[r#"
            29  24:20: stages[1].actions[0].namespace: Namespaces must be unique across the pipeline definition. The following occur more than once in the pipeline. StageName=[Build], ActionName=[Compile], Namespace=[src] [InvalidActionDeclarationException]; help: choose another name
        "#]],
    );
}

#[test]
fn rule_30_some_namespaces_are_reserved() {
    let edit = |name: &'static str| [("namespace: build", name), (" #{build.Size}", "")];
    check(
        &edit("namespace: codepipeline"),
        &expect![[r#"
            30  24:20: stages[1].actions[0].namespace: namespace `codepipeline` belongs to the service's own variables [InvalidActionDeclarationException]; help: choose another name
        "#]],
    );
    check(
        &edit("namespace: Code"),
        &expect![[r#"
            30  24:20: stages[1].actions[0].namespace: namespace `Code` is also the name of an artifact [InvalidActionDeclarationException]; help: choose another name
        "#]],
    );
    check(
        &edit("namespace: variables"),
        &expect![[r#"
            30  24:20: stages[1].actions[0].namespace: namespace `variables` belongs to the pipeline's variables [InvalidActionDeclarationException]; help: choose another name
        "#]],
    );
    let none = [
        ("variables:\n  - name: Env\n    defaultValue: dev\n", ""),
        ("p-#{variables.Env}", "p"),
        ("namespace: build", "namespace: variables"),
        ("#{build.Size}", "#{variables.Size}"),
    ];
    check(
        &none,
        &expect![[r#"
        no problems
    "#]],
    );
}

#[test]
fn rule_31_a_reference_is_well_formed_and_has_a_producer_before_it() {
    for (reference, expected) in [
        (
            "#{src}",
            expect![[r#"
                31  21:38: stages[1].actions[0].configuration.ProjectName: stage `Build`, action `Compile`: `#{src}` is not a variable reference; the valid format is a namespace and a key separated by a period: #{namespace.key} [InvalidActionDeclarationException]; help: write #{namespace.key}; a text cannot hold `#{` otherwise
            "#]],
        ),
        (
            "#{src.CommitId",
            expect![[r#"
                31  21:38: stages[1].actions[0].configuration.ProjectName: stage `Build`, action `Compile`: `#{` at character 1 is never closed [InvalidActionDeclarationException]; help: write #{namespace.key}; a text cannot hold `#{` otherwise
            "#]],
        ),
        (
            "#{scr.CommitId}",
            expect![[r#"
                31  21:38: stages[1].actions[0].configuration.ProjectName: stage `Build`, action `Compile` refers to `#{scr.CommitId}`, but no action has that namespace [InvalidActionDeclarationException]; help: did you mean #{src.CommitId}?
            "#]],
        ),
        (
            "#{nobody.CommitId}",
            expect![[r#"
                31  21:38: stages[1].actions[0].configuration.ProjectName: stage `Build`, action `Compile` refers to `#{nobody.CommitId}`, but no action has that namespace [InvalidActionDeclarationException]; help: give an earlier action `namespace: nobody`
            "#]],
        ),
        (
            "#{codepipeline.PipelineExecutionId}",
            expect![[r#"
            no problems
        "#]],
        ),
        (
            "#{codepipeline.PipelineName}",
            expect![[r#"
                31  21:38: stages[1].actions[0].configuration.ProjectName: stage `Build`, action `Compile` refers to `#{codepipeline.PipelineName}`, but the service has no such variable [InvalidActionDeclarationException]; help: the only one is #{codepipeline.PipelineExecutionId}
            "#]],
        ),
        (
            "#{build.Size}",
            expect![[r#"
                31  21:38: stages[1].actions[0].configuration.ProjectName: stage `Build`, action `Compile` refers to `#{build.Size}`, but the action with that namespace does not run before [InvalidActionDeclarationException]; help: Build/Compile has the namespace: let it run in an earlier stage, or with a lower `runOrder`
            "#]],
        ),
    ] {
        check(&[("p-#{variables.Env}", reference)], &expected);
    }
}

#[test]
fn rule_31_holds_in_commands_and_environment_variables() {
    check(
        &[("#{build.Size}", "#{no.Size} #{no.Way}")],
        &expect![[r#"
            31  28:20: stages[1].actions[1].commands[0]: stage `Build`, action `Check` refers to `#{no.Size}`, but no action has that namespace [InvalidActionDeclarationException]; help: give an earlier action `namespace: no`
            31  28:20: stages[1].actions[1].commands[0]: stage `Build`, action `Check` refers to `#{no.Way}`, but no action has that namespace [InvalidActionDeclarationException]; help: give an earlier action `namespace: no`
        "#]],
    );
    let variable = with(
        CHECK,
        "environmentVariables: [{name: A, value: '#{no.Size}'}]",
    );
    check(
        &[(CHECK, &variable)],
        &expect![[r#"
            31  26:49: stages[1].actions[1].environmentVariables[0].value: stage `Build`, action `Check` refers to `#{no.Size}`, but no action has that namespace [InvalidActionDeclarationException]; help: give an earlier action `namespace: no`
        "#]],
    );
}

#[test]
fn rule_32_a_pipeline_variable_is_declared() {
    check(
        &[("#{variables.Env}", "#{variables.Evn}")],
        &expect![[r#"
            32  21:38: stages[1].actions[0].configuration.ProjectName: stage `Build`, action `Compile` refers to `#{variables.Evn}`, but the pipeline declares no such variable [InvalidActionDeclarationException]; help: did you mean #{variables.Env}?
        "#]],
    );
    let none = [("variables:\n  - name: Env\n    defaultValue: dev\n", "")];
    check(
        &none,
        &expect![[r#"
            32  18:38: stages[1].actions[0].configuration.ProjectName: stage `Build`, action `Compile` refers to `#{variables.Env}`, but the pipeline declares no such variable [InvalidActionDeclarationException]; help: declare `Env` in the pipeline's `variables`
        "#]],
    );
}

#[test]
fn rule_33_sources_use_no_pipeline_variables() {
    check(
        &[("BranchName: main", "BranchName: '#{variables.Env}'")],
        &expect![[r#"
            33  14:56: stages[0].actions[0].configuration.BranchName: stage `Source`, action `Checkout` refers to `#{variables.Env}`, but a source action cannot use pipeline variables [InvalidActionDeclarationException]; help: write the value itself
        "#]],
    );
}

#[test]
fn rule_36_variable_names_are_unique() {
    check(
        &[("    defaultValue: dev\n", "  - name: Env\n")],
        &expect![[r#"
            36  8:11: variables[1].name: Variable names must be unique. The following variable name is already in use: Env [InvalidStructureException]; help: rename one of them
        "#]],
    );
}
