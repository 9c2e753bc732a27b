//! Starts that are refused (spec 30 §4, §11, §12).

use expect_test::expect;

use crate::script::check;

/// spec 30 §11.
#[test]
fn a_variable_without_a_value_is_told_to_a_person() {
    check(
        r#"
            pipeline: Source > Build
              variable env
            start e1
            start e2 env=prod
            start e3 env=prod colour=red
        "#,
        expect![[r#"
            0:00  start e1
                refused: ValidationException: the request is not valid: variable `env` has no default, and no value was given
                = idle
            0:00  start e2 env=prod
                e2: STARTED, Source STARTED, Source/Source STARTED
                = e2 in Source (Source …)
            0:00  start e3 env=prod colour=red
                refused: ValidationException: the request is not valid: the pipeline declares no variable `colour`; it declares `env`
                = e2 in Source (Source …)
        "#]],
    );
}

/// spec 30 §11: no stage is entered.
#[test]
fn a_variable_without_a_value_is_recorded_for_an_event() {
    check(
        r#"
            pipeline: Source > Build
              variable env
            start e1 by Webhook
            start e2 by CreatePipeline
            start e3 by PutActionRevision
        "#,
        expect![[r#"
            0:00  start e1 by Webhook
                e1: STARTED, FAILED (the request is not valid: variable `env` has no default, and no value was given)
                = idle
            0:00  start e2 by CreatePipeline
                e2: STARTED, FAILED (the request is not valid: variable `env` has no default, and no value was given)
                = idle
            0:00  start e3 by PutActionRevision
                refused: ValidationException: the request is not valid: variable `env` has no default, and no value was given
                = idle
        "#]],
    );
}

#[test]
fn the_older_pipeline_type_takes_neither_variables_nor_revisions() {
    check(
        r#"
            pipeline: Source > Build
              type V1
            start e1 revision:Source=abc
            start e2
        "#,
        expect![[r#"
            0:00  start e1 revision:Source=abc
                refused: ValidationException: the request is not valid: variables and source revisions can only be given to V2 pipelines
                = idle
            0:00  start e2
                e2: STARTED, Source STARTED, Source/Source STARTED
                = e2 in Source (Source …)
        "#]],
    );
}

#[test]
fn a_revision_is_taken_for_source_actions_of_the_right_kind() {
    check(
        r#"
            pipeline: Source > Build
              Source kind Source/CodeCommit
            start e1 revision:Source=abc
            start e2 revision:Build=abc
        "#,
        expect![[r#"
            0:00  start e1 revision:Source=abc
                refused: ValidationException: the request is not valid: source action `Source` takes no revision of type S3ObjectVersionId
                = idle
            0:00  start e2 revision:Build=abc
                refused: ValidationException: the request is not valid: the pipeline has no source action `Build`
                = idle
        "#]],
    );
}

#[test]
fn the_same_start_again_changes_nothing() {
    check(
        r#"
            pipeline: Source > Build
            start e1
            start e1
        "#,
        expect![[r#"
            0:00  start e1
                e1: STARTED, Source STARTED, Source/Source STARTED
                = e1 in Source (Source …)
            0:00  start e1
                = e1 in Source (Source …)
        "#]],
    );
}
