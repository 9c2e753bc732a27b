//! The way into a stage is closed and opened (spec 30 §17).

use expect_test::expect;

use crate::script::check;

/// spec 30 §17.
#[test]
fn a_closed_way_holds_the_next_one_and_not_those_inside() {
    check(
        r#"
            pipeline: Source > Build
            start e1
            finish e1 Source
            disable Build because Build is red
            start e2
            finish e2 Source
            finish e1 Build
            enable Build
        "#,
        expect![[r#"
            0:00  start e1
                e1: STARTED, Source STARTED, Source/Source STARTED
                = e1 in Source (Source …)
            0:00  finish e1 Source
                e1: Source/Source SUCCEEDED, Source SUCCEEDED, Build STARTED, Build/Build STARTED
                = e1 in Build (Build …)
            0:00  disable Build because Build is red
                = e1 in Build (Build …) · way into Build closed
            0:00  start e2
                e2: STARTED, Source STARTED, Source/Source STARTED
                = e1 in Build (Build …) · e2 in Source (Source …) · way into Build closed
            0:00  finish e2 Source
                e2: Source/Source SUCCEEDED, Source SUCCEEDED
                = e1 in Build (Build …) · e2 before Build · way into Build closed
            0:00  finish e1 Build
                e1: Build/Build SUCCEEDED, Build SUCCEEDED, SUCCEEDED
                = e2 before Build · way into Build closed
            0:00  enable Build
                e2: Build STARTED, Build/Build STARTED
                = e2 in Build (Build …)
        "#]],
    );
}

#[test]
fn the_newest_one_waiting_enters_when_the_way_opens() {
    check(
        r#"
            pipeline: Source > Build
            disable Build
            start e1
            finish e1 Source
            start e2
            finish e2 Source
            enable Build
        "#,
        expect![[r#"
            0:00  disable Build
                = way into Build closed
            0:00  start e1
                e1: STARTED, Source STARTED, Source/Source STARTED
                = e1 in Source (Source …) · way into Build closed
            0:00  finish e1 Source
                e1: Source/Source SUCCEEDED, Source SUCCEEDED
                = e1 before Build · way into Build closed
            0:00  start e2
                e2: STARTED, Source STARTED, Source/Source STARTED
                = e1 before Build · e2 in Source (Source …) · way into Build closed
            0:00  finish e2 Source
                e2: Source/Source SUCCEEDED, Source SUCCEEDED
                e1: SUPERSEDED
                = e2 before Build · way into Build closed
            0:00  enable Build
                e2: Build STARTED, Build/Build STARTED
                = e2 in Build (Build …)
        "#]],
    );
}

#[test]
fn the_way_into_the_first_stage_closes_too() {
    check(
        r#"
            pipeline: Source > Build
            disable Source
            start e1
            enable Source
        "#,
        expect![[r#"
            0:00  disable Source
                = way into Source closed
            0:00  start e1
                e1: STARTED
                = e1 before Source · way into Source closed
            0:00  enable Source
                e1: Source STARTED, Source/Source STARTED
                = e1 in Source (Source …)
        "#]],
    );
}

/// spec 30 §17: e1 waited 30 days and a minute, e2 a day less.
#[test]
fn what_was_held_for_more_than_thirty_days_does_not_go_on() {
    check(
        r#"
            pipeline: Source > Build
              mode QUEUED
            disable Build
            quietly start e1..e2
            finish e1 Source
            wait 1d
            quietly finish e2 Source
            wait 29d
            wait 1m
            enable Build
        "#,
        expect![[r#"
            0:00  disable Build
                = way into Build closed
            0:00  start e1..e2
                = e1 in Source (Source …) · e2 before Source · way into Build closed
            0:00  finish e1 Source
                e1: Source/Source SUCCEEDED, Source SUCCEEDED
                e2: Source STARTED, Source/Source STARTED
                = e1 before Build · e2 in Source (Source …) · way into Build closed
            1d 0:00  finish e2 Source
                = e1 before Build · way into Build closed
            30d 0:01  enable Build
                e1: STOPPING, STOPPED (The transition was disabled for more than 30 days)
                = e1 Stopped before Build
        "#]],
    );
}

/// e2 waits for e1 for 40 days, which is no fault of the transition, and then 31 at it.
#[test]
fn thirty_days_count_from_the_closing_and_another_reason_does_not_begin_anew() {
    check(
        r#"
            pipeline: Source > Approve? > Deploy
              mode QUEUED
              Approve timeout 86400
            quietly start e1..e3
            quietly finish e1 Source
            quietly finish e2 Source
            wait 40d
            disable Approve a first reason
            enable Approve
            disable Approve a first reason
            wait 20d
            disable Approve a second reason
            wait 11d
            enable Approve
        "#,
        expect![[r#"
            0:00  start e1..e3
                = e1 in Source (Source …) · e2 before Source · e3 before Source
            0:00  finish e1 Source
                = e1 in Approve (Approve …) · e2 in Source (Source …) · e3 before Source
            0:00  finish e2 Source
                = e1 in Approve (Approve …) · e2 before Approve · e3 in Source (Source …)
            40d 0:00  disable Approve a first reason
                e3: cancel Source, Source/Source FAILED (JobFailed: The action timed out after 60 minutes), Source FAILED, FAILED
                = e1 in Approve (Approve …) · e2 before Approve · way into Approve closed
            40d 0:00  enable Approve
                = e1 in Approve (Approve …) · e2 before Approve
            40d 0:00  disable Approve a first reason
                = e1 in Approve (Approve …) · e2 before Approve · way into Approve closed
            60d 0:00  disable Approve a second reason
                e1: Approve/Approve FAILED (JobFailed: The action timed out after 86400 minutes), Approve FAILED, FAILED
                = e2 before Approve · way into Approve closed
            71d 0:00  enable Approve
                e2: STOPPING, STOPPED (The transition was disabled for more than 30 days)
                = e2 Stopped before Approve
        "#]],
    );
}

#[test]
fn a_stage_that_is_not_there_has_no_transition() {
    check(
        r#"
            pipeline: Source > Build
            disable Deploy
        "#,
        expect![[r#"
            0:00  disable Deploy
                refused: StageNotFoundException: the pipeline has no stage `Deploy`
                = idle
        "#]],
    );
}

/// spec 30 §3.
#[test]
fn one_that_is_stopped_at_a_closed_way_never_enters() {
    check(
        r#"
            pipeline: Source > Build
            disable Build
            start e1
            quietly finish e1 Source
            stop e1
            enable Build
            retry e1 Build failed
        "#,
        expect![[r#"
            0:00  disable Build
                = way into Build closed
            0:00  start e1
                e1: STARTED, Source STARTED, Source/Source STARTED
                = e1 in Source (Source …) · way into Build closed
            0:00  finish e1 Source
                = e1 before Build · way into Build closed
            0:00  stop e1
                e1: STOPPING, STOPPED
                = e1 Stopped before Build · way into Build closed
            0:00  enable Build
                = e1 Stopped before Build
            0:00  retry e1 Build failed
                refused: NotLatestPipelineExecutionException: execution e1 is not the latest one in the stage
                = e1 Stopped before Build
        "#]],
    );
}
