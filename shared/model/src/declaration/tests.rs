//! Declarations in, problems out: one good pipeline, and what each edit of it breaks.

mod actions;
mod conditions;
mod files;
mod properties;
mod rules;
mod shapes;
mod support;
mod texts;
mod triggers;
mod variables;

use expect_test::Expect;

use super::{
    PipelineDeclaration,
    problem::Problem,
    read::{Document, Format, read, read_valid, read_valid_for_aws},
    validate::Context,
};

/// A pipeline without fault that has one of most things.
const GOOD: &str = r##"name: P
roleArn: arn:aws:iam::111122223333:role/R
artifactStore: {type: S3, location: bucket}
pipelineType: V2
executionMode: QUEUED
variables:
  - name: Env
    defaultValue: dev
stages:
  - name: Source
    actions:
      - name: Checkout
        actionTypeId: {category: Source, owner: AWS, provider: CodeCommit, version: "1"}
        configuration: {RepositoryName: r, BranchName: main}
        outputArtifacts: [{name: Code}]
        namespace: src
  - name: Build
    actions:
      - name: Compile
        actionTypeId: {category: Build, owner: AWS, provider: CodeBuild, version: "1"}
        configuration: {ProjectName: "p-#{variables.Env}"}
        inputArtifacts: [{name: Code}]
        outputArtifacts: [{name: App}]
        namespace: build
      - name: Check
        runOrder: 2
        actionTypeId: {category: Compute, owner: AWS, provider: Commands, version: "1"}
        commands: ["echo #{src.CommitId} #{build.Size}"]
        inputArtifacts: [{name: Code}]
  - name: Deploy
    actions:
      - name: Approve
        actionTypeId: {category: Approval, owner: AWS, provider: Manual, version: "1"}
        timeoutInMinutes: 60
      - name: Ship
        runOrder: 2
        actionTypeId: {category: Deploy, owner: AWS, provider: S3, version: "1"}
        configuration: {BucketName: b, Extract: "true"}
        inputArtifacts: [{name: App}]
"##;

/// Pieces of the good pipeline that tests replace.
const STORE: &str = "artifactStore: {type: S3, location: bucket}";
const STORES: &str = "artifactStores: {us-east-1: {type: S3, location: one}}";
const CHECKOUT: &str = "      - name: Checkout\n";
const COMPILE: &str = "      - name: Compile\n";
const CHECK: &str = "      - name: Check\n";
const APPROVE: &str = "      - name: Approve\n";
const SHIP: &str = "      - name: Ship\n";

/// A field in front of an action's others.
fn with(action: &str, field: &str) -> String {
    format!("{action}        {field}\n")
}

/// The good pipeline with each of the texts replaced; a text that is not there is a mistake in the
/// test.
fn edited(edits: &[(&str, &str)]) -> String {
    let mut text = GOOD.to_owned();
    for (old, new) in edits {
        assert!(text.contains(old), "the good pipeline has no `{old}`");
        text = text.replacen(old, new, 1);
    }
    text
}

fn listed(problems: &[Problem]) -> String {
    problems
        .iter()
        .map(|problem| {
            format!(
                "{:<3} {problem}
",
                problem.rule
            )
        })
        .collect::<Vec<_>>()
        .concat()
}

fn outcome(result: Result<Document, Vec<Problem>>) -> String {
    match result {
        Ok(_) => "no problems\n".to_owned(),
        Err(problems) => listed(&problems),
    }
}

/// What the rules of spec 20 §9 say about the good pipeline after the edits.
fn check(edits: &[(&str, &str)], expected: &Expect) {
    check_in(edits, &Context::default(), expected);
}

fn check_in(edits: &[(&str, &str)], context: &Context<'_>, expected: &Expect) {
    let text = edited(edits);
    expected.assert_eq(&outcome(read_valid_for_aws(
        &text,
        Format::Yaml,
        &[],
        context,
    )));
}

/// What is wrong with a text, here.
fn check_text(text: &str, format: Format, expected: &Expect) {
    expected.assert_eq(&outcome(read_valid(text, format, &[], &Context::default())));
}

fn good() -> PipelineDeclaration {
    read(GOOD, Format::Yaml, &[])
        .expect("the good pipeline is read")
        .declaration
}

#[test]
fn the_good_pipeline_has_no_problems() {
    let found = read_valid(GOOD, Format::Yaml, &[], &Context::default());
    assert_eq!(outcome(found), "no problems\n");
}
