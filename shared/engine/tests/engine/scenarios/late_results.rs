//! Results come late, twice, or from strangers (spec 30 §19).

use expect_test::expect;

use crate::script::check;

/// spec 30 §19, rule 6. A repeated result is tried after each one of every script.
#[test]
fn a_late_result_changes_nothing() {
    check(
        r#"
            pipeline: Source > Build
            start e1
            finish e1 Source
            fail e1 Build
            finish e1 Build
            fail e1 Source
        "#,
        expect![[r#"
            0:00  start e1
                e1: STARTED, Source STARTED, Source/Source STARTED
                = e1 in Source (Source …)
            0:00  finish e1 Source
                e1: Source/Source SUCCEEDED, Source SUCCEEDED, Build STARTED, Build/Build STARTED
                = e1 in Build (Build …)
            0:00  fail e1 Build
                e1: Build/Build FAILED (JobFailed: exit 1), Build FAILED, FAILED
                = idle
            0:00  finish e1 Build
                = idle
            0:00  fail e1 Source
                = idle
        "#]],
    );
}

#[test]
fn a_result_of_an_earlier_attempt_is_not_one_of_this_attempt() {
    check(
        r#"
            pipeline: Source > Build
            start e1
            quietly finish e1 Source
            quietly fail e1 Build
            quietly retry e1 Build failed
            finish e1 Build#1
            progress e1 Build#1 10
            finish e1 Build#2
        "#,
        expect![[r#"
            0:00  start e1
                e1: STARTED, Source STARTED, Source/Source STARTED
                = e1 in Source (Source …)
            0:00  finish e1 Source
                = e1 in Build (Build …)
            0:00  fail e1 Build
                = idle
            0:00  retry e1 Build failed
                = e1 in Build (Build …)
            0:00  finish e1 Build#1
                = e1 in Build (Build …)
            0:00  progress e1 Build#1 10
                = e1 in Build (Build …)
            0:00  finish e1 Build#2
                e1: Build/Build#2 SUCCEEDED, Build SUCCEEDED, SUCCEEDED (attempt 2)
                = idle
        "#]],
    );
}

#[test]
fn a_result_with_a_foreign_token_changes_nothing() {
    check(
        r#"
            pipeline: Source > Build
            start e1
            quietly finish e1 Source
            forge e1 Build
            finish e1 Build
        "#,
        expect![[r#"
            0:00  start e1
                e1: STARTED, Source STARTED, Source/Source STARTED
                = e1 in Source (Source …)
            0:00  finish e1 Source
                = e1 in Build (Build …)
            0:00  forge e1 Build
                = e1 in Build (Build …)
            0:00  finish e1 Build
                e1: Build/Build SUCCEEDED, Build SUCCEEDED, SUCCEEDED
                = idle
        "#]],
    );
}

#[test]
fn a_worker_of_an_abandoned_action_is_not_heard() {
    check(
        r#"
            pipeline: Source > Build
            start e1
            quietly finish e1 Source
            quietly abandon e1
            finish e1 Build
            retry e1 Build failed
            finish e1 Build#1
            finish e1 Build#2
        "#,
        expect![[r#"
            0:00  start e1
                e1: STARTED, Source STARTED, Source/Source STARTED
                = e1 in Source (Source …)
            0:00  finish e1 Source
                = e1 in Build (Build …)
            0:00  abandon e1
                = idle
            0:00  finish e1 Build
                = idle
            0:00  retry e1 Build failed
                e1: RESUMED (attempt 2), Build RESUMED, Build/Build#2 STARTED
                = e1 in Build (Build …)
            0:00  finish e1 Build#1
                = e1 in Build (Build …)
            0:00  finish e1 Build#2
                e1: Build/Build#2 SUCCEEDED, Build SUCCEEDED, SUCCEEDED (attempt 2)
                = idle
        "#]],
    );
}
