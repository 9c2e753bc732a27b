//! What is not supported yet is refused by name.

use expect_test::expect;

use super::{
    Context, Format,
    conditions::{DEPLOY, condition},
    edited, outcome, read_valid,
};

#[test]
fn what_is_not_supported_yet_is_refused_by_name() {
    let lambda = ", configuration: {FunctionName: f}";
    let fail = condition("FAIL", "LambdaInvoke", lambda);
    let rollback = condition("ROLLBACK", "LambdaInvoke", lambda).replace("name: R,", "name: Q,");
    let all = format!(
        "  - name: Build\n    onFailure: {{result: RETRY}}\n{DEPLOY}    beforeEntry: {fail}\n    \
         onFailure: {rollback}\n"
    );
    let text = edited(&[
        (
            "stages:\n",
            "triggers:\n  - providerType: CodeStarSourceConnection\n    \
          gitConfiguration: {sourceActionName: Checkout}\nstages:\n",
        ),
        ("provider: CodeCommit", "provider: CodeStarSourceConnection"),
        (
            "RepositoryName: r, BranchName: main",
            "ConnectionArn: a, FullRepositoryId: o/r, BranchName: main",
        ),
        (
            "  - name: Build\n",
            all.split(DEPLOY).next().unwrap_or_default(),
        ),
        (
            DEPLOY,
            &format!("{DEPLOY}{}", all.split(DEPLOY).nth(1).unwrap_or_default()),
        ),
        ("        timeoutInMinutes: 60\n", ""),
    ]);
    let found = read_valid(&text, Format::Yaml, &[], &Context::default());
    expect![[r#"
        100 9:1: triggers: not supported yet: triggers (`triggers`) [InvalidStructureException]; help: remove it; nothing else stands in for it
        100 21:5: stages[1].onFailure: not supported yet: automatic retry (`onFailure.result: RETRY`) [InvalidStageDeclarationException]; help: remove it; nothing else stands in for it
        100 35:5: stages[2].beforeEntry: not supported yet: conditions before entry (`beforeEntry`) [InvalidStageDeclarationException]; help: remove it; nothing else stands in for it
        100 36:5: stages[2].onFailure: not supported yet: conditions on failure (`onFailure.conditions`) [InvalidStageDeclarationException]; help: remove it; nothing else stands in for it
    "#]].assert_eq(&outcome(found));
    let text = edited(&[
        (
            DEPLOY,
            &format!("{DEPLOY}    onFailure: {{result: ROLLBACK}}\n"),
        ),
        (
            "  - name: Build\n",
            &format!("  - name: Build\n    onSuccess: {fail}\n"),
        ),
    ]);
    let found = read_valid(&text, Format::Yaml, &[], &Context::default());
    expect![[r#"
        100 18:5: stages[1].onSuccess: not supported yet: conditions on success (`onSuccess`) [InvalidStageDeclarationException]; help: remove it; nothing else stands in for it
        100 32:5: stages[2].onFailure: not supported yet: automatic rollback (`onFailure.result: ROLLBACK`) [InvalidStageDeclarationException]; help: remove it; nothing else stands in for it
    "#]].assert_eq(&outcome(found));
    let text = edited(&[(
        DEPLOY,
        &format!("{DEPLOY}    onFailure: {{result: FAIL}}\n"),
    )]);
    let found = read_valid(&text, Format::Yaml, &[], &Context::default());
    assert_eq!(outcome(found), "no problems\n");
}
