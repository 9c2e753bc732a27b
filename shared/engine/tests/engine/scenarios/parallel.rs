//! PARALLEL mode: nobody waits for anybody (spec 30 §4).

use expect_test::expect;

use crate::script::check;

/// spec 30 §4, PARALLEL.
#[test]
fn executions_run_beside_each_other_in_every_stage() {
    check(
        r#"
            pipeline: Source > Build
              mode PARALLEL
            start e1
            start e2
            finish e2 Source
            finish e1 Source
            finish e2 Build
            fail e1 Build
        "#,
        expect![[r#"
            0:00  start e1
                e1: STARTED, Source STARTED, Source/Source STARTED
                = e1 in Source (Source …)
            0:00  start e2
                e2: STARTED, Source STARTED, Source/Source STARTED
                = e1 in Source (Source …) · e2 in Source (Source …)
            0:00  finish e2 Source
                e2: Source/Source SUCCEEDED, Source SUCCEEDED, Build STARTED, Build/Build STARTED
                = e1 in Source (Source …) · e2 in Build (Build …)
            0:00  finish e1 Source
                e1: Source/Source SUCCEEDED, Source SUCCEEDED, Build STARTED, Build/Build STARTED
                = e1 in Build (Build …) · e2 in Build (Build …)
            0:00  finish e2 Build
                e2: Build/Build SUCCEEDED, Build SUCCEEDED, SUCCEEDED
                = e1 in Build (Build …)
            0:00  fail e1 Build
                e1: Build/Build FAILED (JobFailed: exit 1), Build FAILED, FAILED
                = idle
        "#]],
    );
}

/// spec 30 §4.
#[test]
fn five_actions_of_one_execution_run_at_once_and_the_others_follow_in_order() {
    check(
        r#"
            pipeline: Source > Build{a|b|c|d|e|f|g}
              mode PARALLEL
            start e1
            finish e1 Source
            finish e1 c
            finish e1 a
        "#,
        expect![[r#"
            0:00  start e1
                e1: STARTED, Source STARTED, Source/Source STARTED
                = e1 in Source (Source …)
            0:00  finish e1 Source
                e1: Source/Source SUCCEEDED, Source SUCCEEDED, Build STARTED, Build/a STARTED, Build/b STARTED, Build/c STARTED, Build/d STARTED, Build/e STARTED
                = e1 in Build (a …, b …, c …, d …, e …)
            0:00  finish e1 c
                e1: Build/c SUCCEEDED, Build/f STARTED
                = e1 in Build (a …, b …, c ✓, d …, e …, f …)
            0:00  finish e1 a
                e1: Build/a SUCCEEDED, Build/g STARTED
                = e1 in Build (a ✓, b …, c ✓, d …, e …, f …, g …)
        "#]],
    );
}

#[test]
fn a_disabled_transition_holds_each_and_lets_all_go() {
    check(
        r#"
            pipeline: Source > Build
              mode PARALLEL
            disable Build until Monday
            start e1
            start e2
            finish e1 Source
            finish e2 Source
            enable Build
        "#,
        expect![[r#"
            0:00  disable Build until Monday
                = way into Build closed
            0:00  start e1
                e1: STARTED, Source STARTED, Source/Source STARTED
                = e1 in Source (Source …) · way into Build closed
            0:00  start e2
                e2: STARTED, Source STARTED, Source/Source STARTED
                = e1 in Source (Source …) · e2 in Source (Source …) · way into Build closed
            0:00  finish e1 Source
                e1: Source/Source SUCCEEDED, Source SUCCEEDED
                = e1 before Build · e2 in Source (Source …) · way into Build closed
            0:00  finish e2 Source
                e2: Source/Source SUCCEEDED, Source SUCCEEDED
                = e1 before Build · e2 before Build · way into Build closed
            0:00  enable Build
                e1: Build STARTED
                e2: Build STARTED
                e1: Build/Build STARTED
                e2: Build/Build STARTED
                = e1 in Build (Build …) · e2 in Build (Build …)
        "#]],
    );
}

#[test]
fn an_approval_is_found_by_its_token() {
    check(
        r#"
            pipeline: Source > Approve?
              mode PARALLEL
            quietly start e1..e2
            quietly finish e1 Source
            quietly finish e2 Source
            approve e2 Approve
            reject e1 Approve
        "#,
        expect![[r#"
            0:00  start e1..e2
                = e1 in Source (Source …) · e2 in Source (Source …)
            0:00  finish e1 Source
                = e1 in Approve (Approve …) · e2 in Source (Source …)
            0:00  finish e2 Source
                = e1 in Approve (Approve …) · e2 in Approve (Approve …)
            0:00  approve e2 Approve
                e2: Approve/Approve SUCCEEDED, Approve SUCCEEDED, SUCCEEDED
                = e1 in Approve (Approve …)
            0:00  reject e1 Approve
                e1: Approve/Approve FAILED (JobFailed: Rejected by ann), Approve FAILED, FAILED
                = idle
        "#]],
    );
}

#[test]
fn each_execution_is_retried_on_its_own() {
    check(
        r#"
            pipeline: Source > Build
              mode PARALLEL
            quietly start e1..e2
            quietly finish e1 Source
            quietly finish e2 Source
            fail e1 Build
            fail e2 Build
            retry e1 Build failed
            retry e2 Source failed
        "#,
        expect![[r#"
            0:00  start e1..e2
                = e1 in Source (Source …) · e2 in Source (Source …)
            0:00  finish e1 Source
                = e1 in Build (Build …) · e2 in Source (Source …)
            0:00  finish e2 Source
                = e1 in Build (Build …) · e2 in Build (Build …)
            0:00  fail e1 Build
                e1: Build/Build FAILED (JobFailed: exit 1), Build FAILED, FAILED
                = e2 in Build (Build …)
            0:00  fail e2 Build
                e2: Build/Build FAILED (JobFailed: exit 1), Build FAILED, FAILED
                = idle
            0:00  retry e1 Build failed
                e1: RESUMED (attempt 2), Build RESUMED, Build/Build#2 STARTED
                = e1 in Build (Build …)
            0:00  retry e2 Source failed
                refused: StageNotRetryableException: the stage cannot be retried: it succeeded
                = e1 in Build (Build …)
        "#]],
    );
}
