//! The definition changes while executions run (spec 30 §4).

use expect_test::expect;

use crate::script::check;

/// spec 30 §4: those that wait at once, those inside a stage when their actions have ended.
#[test]
fn executions_that_share_stages_are_cancelled() {
    check(
        r#"
            pipeline: Source > Build > Deploy
            start e1
            finish e1 Source
            start e2
            finish e2 Source
            start e3
            update: Source > Test > Deploy
            finish e3 Source
            start e4
            finish e1 Build
        "#,
        expect![[r#"
            0:00  start e1
                e1: STARTED, Source STARTED, Source/Source STARTED
                = e1 in Source (Source …)
            0:00  finish e1 Source
                e1: Source/Source SUCCEEDED, Source SUCCEEDED, Build STARTED, Build/Build STARTED
                = e1 in Build (Build …)
            0:00  start e2
                e2: STARTED, Source STARTED, Source/Source STARTED
                = e1 in Build (Build …) · e2 in Source (Source …)
            0:00  finish e2 Source
                e2: Source/Source SUCCEEDED, Source SUCCEEDED
                = e1 in Build (Build …) · e2 before Build
            0:00  start e3
                e3: STARTED, Source STARTED, Source/Source STARTED
                = e1 in Build (Build …) · e2 before Build · e3 in Source (Source …)
            0:00  update: Source > Test > Deploy
                e2: CANCELED
                = e1 cancelling in Build (Build …) · e3 cancelling in Source (Source …)
            0:00  finish e3 Source
                e3: Source/Source SUCCEEDED, Source CANCELED, CANCELED
                = e1 cancelling in Build (Build …)
            0:00  start e4
                e4: STARTED, Source STARTED, Source/Source STARTED
                = e1 cancelling in Build (Build …) · e4 in Source (Source …)
            0:00  finish e1 Build
                e1: Build/Build SUCCEEDED, Build CANCELED, CANCELED
                = e4 in Source (Source …)
        "#]],
    );
}

/// Otherwise it could wait for a week.
#[test]
fn an_update_takes_a_question_back() {
    check(
        r#"
            pipeline: Source > Approve? > Deploy
            start e1
            finish e1 Source
            update: Source > Deploy
            approve e1 Approve
        "#,
        expect![[r#"
            0:00  start e1
                e1: STARTED, Source STARTED, Source/Source STARTED
                = e1 in Source (Source …)
            0:00  finish e1 Source
                e1: Source/Source SUCCEEDED, Source SUCCEEDED, Approve STARTED, Approve/Approve STARTED (asks)
                = e1 in Approve (Approve …)
            0:00  update: Source > Deploy
                e1: Approve/Approve CANCELED, Approve CANCELED, CANCELED
                = idle
            0:00  approve e1 Approve
                refused: InvalidApprovalTokenException: the token does not belong to an open approval of this action
                = idle
        "#]],
    );
}

#[test]
fn a_failing_action_of_a_cancelled_execution_changes_nothing_more() {
    check(
        r#"
            pipeline: Source > Build{lint|test}
            start e1
            quietly finish e1 Source
            update: Source > Build{lint|test}
            fail e1 lint
            finish e1 test
            retry e1 Build failed
        "#,
        expect![[r#"
            0:00  start e1
                e1: STARTED, Source STARTED, Source/Source STARTED
                = e1 in Source (Source …)
            0:00  finish e1 Source
                = e1 in Build (lint …, test …)
            0:00  update: Source > Build{lint|test}
                = e1 cancelling in Build (lint …, test …)
            0:00  fail e1 lint
                e1: Build/lint FAILED (JobFailed: exit 1)
                = e1 cancelling in Build (lint ✗, test …)
            0:00  finish e1 test
                e1: Build/test SUCCEEDED, Build CANCELED, CANCELED
                = idle
            0:00  retry e1 Build failed
                refused: StageNotRetryableException: the stage cannot be retried: the pipeline was updated since the execution began
                = idle
        "#]],
    );
}

#[test]
fn queued_executions_are_cancelled_too() {
    check(
        r#"
            pipeline: Source > Build
              mode QUEUED
            quietly start e1..e3
            quietly finish e1 Source
            update: Source > Build
              mode QUEUED
            start e4
            finish e2 Source
        "#,
        expect![[r#"
            0:00  start e1..e3
                = e1 in Source (Source …) · e2 before Source · e3 before Source
            0:00  finish e1 Source
                = e1 in Build (Build …) · e2 in Source (Source …) · e3 before Source
            0:00  update: Source > Build
                e3: CANCELED
                = e1 cancelling in Build (Build …) · e2 cancelling in Source (Source …)
            0:00  start e4
                e4: STARTED
                = e1 cancelling in Build (Build …) · e2 cancelling in Source (Source …) · e4 before Source
            0:00  finish e2 Source
                e2: Source/Source SUCCEEDED, Source CANCELED, CANCELED
                e4: Source STARTED, Source/Source STARTED
                = e1 cancelling in Build (Build …) · e4 in Source (Source …)
        "#]],
    );
}

#[test]
fn parallel_executions_go_on_with_the_definition_they_began_with() {
    check(
        r#"
            pipeline: Source > Build > Deploy
              mode PARALLEL
            start e1
            finish e1 Source
            update: Source > Deploy
              mode PARALLEL
            start e2
            finish e1 Build
            finish e2 Source
        "#,
        expect![[r#"
            0:00  start e1
                e1: STARTED, Source STARTED, Source/Source STARTED
                = e1 in Source (Source …)
            0:00  finish e1 Source
                e1: Source/Source SUCCEEDED, Source SUCCEEDED, Build STARTED, Build/Build STARTED
                = e1 in Build (Build …)
            0:00  update: Source > Deploy
                = e1 in Build (Build …)
            0:00  start e2
                e2: STARTED, Source STARTED, Source/Source STARTED
                = e1 in Build (Build …) · e2 in Source (Source …)
            0:00  finish e1 Build
                e1: Build/Build SUCCEEDED, Build SUCCEEDED, Deploy STARTED, Deploy/Deploy STARTED
                = e1 in Deploy (Deploy …) · e2 in Source (Source …)
            0:00  finish e2 Source
                e2: Source/Source SUCCEEDED, Source SUCCEEDED, Deploy STARTED, Deploy/Deploy STARTED
                = e1 in Deploy (Deploy …) · e2 in Deploy (Deploy …)
        "#]],
    );
}

#[test]
fn leaving_parallel_mode_lets_its_executions_end() {
    check(
        r#"
            pipeline: Source > Build
              mode PARALLEL
            start e1
            finish e1 Source
            update: Source > Build
              mode QUEUED
            start e2
            start e3
            finish e2 Source
            finish e1 Build
            finish e2 Build
        "#,
        expect![[r#"
            0:00  start e1
                e1: STARTED, Source STARTED, Source/Source STARTED
                = e1 in Source (Source …)
            0:00  finish e1 Source
                e1: Source/Source SUCCEEDED, Source SUCCEEDED, Build STARTED, Build/Build STARTED
                = e1 in Build (Build …)
            0:00  update: Source > Build
                = e1 in Build (Build …)
            0:00  start e2
                e2: STARTED, Source STARTED, Source/Source STARTED
                = e1 in Build (Build …) · e2 in Source (Source …)
            0:00  start e3
                e3: STARTED
                = e1 in Build (Build …) · e2 in Source (Source …) · e3 before Source
            0:00  finish e2 Source
                e2: Source/Source SUCCEEDED, Source SUCCEEDED
                e3: Source STARTED
                e2: Build STARTED
                e3: Source/Source STARTED
                e2: Build/Build STARTED
                = e1 in Build (Build …) · e2 in Build (Build …) · e3 in Source (Source …)
            0:00  finish e1 Build
                e1: Build/Build SUCCEEDED, Build SUCCEEDED, SUCCEEDED
                = e2 in Build (Build …) · e3 in Source (Source …)
            0:00  finish e2 Build
                e2: Build/Build SUCCEEDED, Build SUCCEEDED, SUCCEEDED
                = e3 in Source (Source …)
        "#]],
    );
}

/// spec 30 §1: Stopping never becomes Cancelled.
#[test]
fn a_stop_beats_an_update() {
    check(
        r#"
            pipeline: Source > Build
            start e1
            finish e1 Source
            stop e1
            update: Source > Build
            finish e1 Build
        "#,
        expect![[r#"
            0:00  start e1
                e1: STARTED, Source STARTED, Source/Source STARTED
                = e1 in Source (Source …)
            0:00  finish e1 Source
                e1: Source/Source SUCCEEDED, Source SUCCEEDED, Build STARTED, Build/Build STARTED
                = e1 in Build (Build …)
            0:00  stop e1
                e1: STOPPING, Build STOPPING
                = e1 Stopping in Build (Build …)
            0:00  update: Source > Build
                = e1 Stopping in Build (Build …)
            0:00  finish e1 Build
                e1: Build/Build SUCCEEDED, Build STOPPED, STOPPED
                = idle
        "#]],
    );
}

#[test]
fn one_that_is_being_cancelled_can_be_stopped() {
    check(
        r#"
            pipeline: Source > Build
            start e1
            finish e1 Source
            update: Source > Build
            abandon e1
        "#,
        expect![[r#"
            0:00  start e1
                e1: STARTED, Source STARTED, Source/Source STARTED
                = e1 in Source (Source …)
            0:00  finish e1 Source
                e1: Source/Source SUCCEEDED, Source SUCCEEDED, Build STARTED, Build/Build STARTED
                = e1 in Build (Build …)
            0:00  update: Source > Build
                = e1 cancelling in Build (Build …)
            0:00  abandon e1
                e1: STOPPING, Build STOPPING, cancel Build, Build/Build ABANDONED, Build STOPPED, STOPPED
                = idle
        "#]],
    );
}

/// Its lock is kept until its last action ends, as always.
#[test]
fn a_failed_execution_keeps_its_status() {
    check(
        r#"
            pipeline: Source > Build{lint|test}
            start e1
            quietly finish e1 Source
            fail e1 lint
            update: Source > Build{lint|test}
            start e2
            finish e2 Source
            finish e1 test
        "#,
        expect![[r#"
            0:00  start e1
                e1: STARTED, Source STARTED, Source/Source STARTED
                = e1 in Source (Source …)
            0:00  finish e1 Source
                = e1 in Build (lint …, test …)
            0:00  fail e1 lint
                e1: Build/lint FAILED (JobFailed: exit 1), Build FAILED, FAILED
                = e1 Failed in Build (lint ✗, test …)
            0:00  update: Source > Build{lint|test}
                = e1 Failed in Build (lint ✗, test …)
            0:00  start e2
                e2: STARTED, Source STARTED, Source/Source STARTED
                = e1 Failed in Build (lint ✗, test …) · e2 in Source (Source …)
            0:00  finish e2 Source
                e2: Source/Source SUCCEEDED, Source SUCCEEDED
                = e1 Failed in Build (lint ✗, test …) · e2 before Build
            0:00  finish e1 test
                e1: Build/test SUCCEEDED
                e2: Build STARTED, Build/lint STARTED, Build/test STARTED
                = e2 in Build (lint …, test …)
        "#]],
    );
}

#[test]
fn an_update_while_one_is_draining_adds_a_version() {
    check(
        r#"
            pipeline: Source > Build
            start e1
            quietly finish e1 Source
            update: Source > Build
            update: Source > Build
            finish e1 Build
        "#,
        expect![[r#"
            0:00  start e1
                e1: STARTED, Source STARTED, Source/Source STARTED
                = e1 in Source (Source …)
            0:00  finish e1 Source
                = e1 in Build (Build …)
            0:00  update: Source > Build
                = e1 cancelling in Build (Build …)
            0:00  update: Source > Build
                = e1 cancelling in Build (Build …)
            0:00  finish e1 Build
                e1: Build/Build SUCCEEDED, Build CANCELED, CANCELED
                = idle
        "#]],
    );
}

#[test]
fn a_stage_that_is_gone_still_ends_for_whoever_is_inside() {
    check(
        r#"
            pipeline: Source > Build > Deploy
            start e1
            quietly finish e1 Source
            disable Deploy
            update: Source > Release
            disable Build
            finish e1 Build
        "#,
        expect![[r#"
            0:00  start e1
                e1: STARTED, Source STARTED, Source/Source STARTED
                = e1 in Source (Source …)
            0:00  finish e1 Source
                = e1 in Build (Build …)
            0:00  disable Deploy
                = e1 in Build (Build …) · way into Deploy closed
            0:00  update: Source > Release
                = e1 cancelling in Build (Build …)
            0:00  disable Build
                refused: StageNotFoundException: the pipeline has no stage `Build`
                = e1 cancelling in Build (Build …)
            0:00  finish e1 Build
                e1: Build/Build SUCCEEDED, Build CANCELED, CANCELED
                = idle
        "#]],
    );
}

/// Nobody could ever enable the transition of a stage that is gone.
#[test]
fn a_closed_way_into_a_stage_that_is_gone_holds_nobody() {
    check(
        r#"
            pipeline: Source > Build > Deploy
              mode PARALLEL
            quietly start e1
            quietly finish e1 Source
            update: Source > Build > Deploy
              mode QUEUED
            quietly start e2
            quietly finish e2 Source
            quietly finish e2 Build
            disable Deploy
            finish e1 Build
            update: Source > Build
              mode QUEUED
            finish e2 Deploy
        "#,
        expect![[r#"
            0:00  start e1
                = e1 in Source (Source …)
            0:00  finish e1 Source
                = e1 in Build (Build …)
            0:00  update: Source > Build > Deploy
                = e1 in Build (Build …)
            0:00  start e2
                = e1 in Build (Build …) · e2 in Source (Source …)
            0:00  finish e2 Source
                = e1 in Build (Build …) · e2 in Build (Build …)
            0:00  finish e2 Build
                = e1 in Build (Build …) · e2 in Deploy (Deploy …)
            0:00  disable Deploy
                = e1 in Build (Build …) · e2 in Deploy (Deploy …) · way into Deploy closed
            0:00  finish e1 Build
                e1: Build/Build SUCCEEDED, Build SUCCEEDED
                = e1 before Deploy · e2 in Deploy (Deploy …) · way into Deploy closed
            0:00  update: Source > Build
                e1: Deploy STARTED, Deploy/Deploy STARTED
                = e1 in Deploy (Deploy …) · e2 cancelling in Deploy (Deploy …)
            0:00  finish e2 Deploy
                e2: Deploy/Deploy SUCCEEDED, Deploy CANCELED, CANCELED
                = e1 in Deploy (Deploy …)
        "#]],
    );
}
