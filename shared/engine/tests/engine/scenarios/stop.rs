//! A person ends an execution (spec 30 §6).

use expect_test::expect;

use crate::script::check;

/// spec 30 §6.
#[test]
fn stop_and_wait_lets_the_running_actions_finish() {
    check(
        r#"
            pipeline: Source > Build{lint|test; pack} > Deploy
            start e1
            finish e1 Source
            stop e1 wrong branch
            finish e1 lint
            stop e1
            finish e1 test
        "#,
        expect![[r#"
            0:00  start e1
                e1: STARTED, Source STARTED, Source/Source STARTED
                = e1 in Source (Source …)
            0:00  finish e1 Source
                e1: Source/Source SUCCEEDED, Source SUCCEEDED, Build STARTED, Build/lint STARTED, Build/test STARTED
                = e1 in Build (lint …, test …)
            0:00  stop e1 wrong branch
                e1: STOPPING because wrong branch, Build STOPPING
                = e1 Stopping in Build (lint …, test …)
            0:00  finish e1 lint
                e1: Build/lint SUCCEEDED
                = e1 Stopping in Build (lint ✓, test …)
            0:00  stop e1
                refused: DuplicatedStopRequestException: execution e1 is stopping already
                = e1 Stopping in Build (lint ✓, test …)
            0:00  finish e1 test
                e1: Build/test SUCCEEDED, Build STOPPED, STOPPED
                = idle
        "#]],
    );
}

/// Never Succeeded, never Failed (spec 30 §6).
#[test]
fn a_stop_is_a_stop_even_when_everything_succeeds_or_something_fails() {
    check(
        r#"
            pipeline: Source > Build{lint|test}
              mode PARALLEL
            quietly start e1..e2
            quietly finish e1 Source
            quietly finish e2 Source
            quietly stop e1
            quietly stop e2
            finish e1 lint
            finish e1 test
            fail e2 lint
            finish e2 test
        "#,
        expect![[r#"
            0:00  start e1..e2
                = e1 in Source (Source …) · e2 in Source (Source …)
            0:00  finish e1 Source
                = e1 in Build (lint …, test …) · e2 in Source (Source …)
            0:00  finish e2 Source
                = e1 in Build (lint …, test …) · e2 in Build (lint …, test …)
            0:00  stop e1
                = e1 Stopping in Build (lint …, test …) · e2 in Build (lint …, test …)
            0:00  stop e2
                = e1 Stopping in Build (lint …, test …) · e2 Stopping in Build (lint …, test …)
            0:00  finish e1 lint
                e1: Build/lint SUCCEEDED
                = e1 Stopping in Build (lint ✓, test …) · e2 Stopping in Build (lint …, test …)
            0:00  finish e1 test
                e1: Build/test SUCCEEDED, Build STOPPED, STOPPED
                = e2 Stopping in Build (lint …, test …)
            0:00  fail e2 lint
                e2: Build/lint FAILED (JobFailed: exit 1)
                = e2 Stopping in Build (lint ✗, test …)
            0:00  finish e2 test
                e2: Build/test SUCCEEDED, Build STOPPED, STOPPED
                = idle
        "#]],
    );
}

#[test]
fn stop_and_abandon_gives_up_at_once() {
    check(
        r#"
            pipeline: Source > Build{lint|test}
            start e1
            finish e1 Source
            finish e1 lint
            abandon e1 on fire
            finish e1 test
            stop e1
        "#,
        expect![[r#"
            0:00  start e1
                e1: STARTED, Source STARTED, Source/Source STARTED
                = e1 in Source (Source …)
            0:00  finish e1 Source
                e1: Source/Source SUCCEEDED, Source SUCCEEDED, Build STARTED, Build/lint STARTED, Build/test STARTED
                = e1 in Build (lint …, test …)
            0:00  finish e1 lint
                e1: Build/lint SUCCEEDED
                = e1 in Build (lint ✓, test …)
            0:00  abandon e1 on fire
                e1: STOPPING because on fire, Build STOPPING, cancel test, Build/test ABANDONED, Build STOPPED, STOPPED
                = idle
            0:00  finish e1 test
                = idle
            0:00  stop e1
                refused: PipelineExecutionNotStoppableException: execution e1 has ended and cannot be stopped
                = idle
        "#]],
    );
}

#[test]
fn a_stop_that_waits_can_become_one_that_does_not() {
    check(
        r#"
            pipeline: Source > Build
            start e1
            finish e1 Source
            stop e1
            abandon e1
            abandon e1
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
            0:00  abandon e1
                e1: cancel Build, Build/Build ABANDONED, Build STOPPED, STOPPED
                = idle
            0:00  abandon e1
                refused: PipelineExecutionNotStoppableException: execution e1 has ended and cannot be stopped
                = idle
        "#]],
    );
}

#[test]
fn stopping_waits_for_a_person_too() {
    check(
        r#"
            pipeline: Source > Approve? > Deploy
            start e1
            finish e1 Source
            stop e1
            approve e1 Approve
        "#,
        expect![[r#"
            0:00  start e1
                e1: STARTED, Source STARTED, Source/Source STARTED
                = e1 in Source (Source …)
            0:00  finish e1 Source
                e1: Source/Source SUCCEEDED, Source SUCCEEDED, Approve STARTED, Approve/Approve STARTED (asks)
                = e1 in Approve (Approve …)
            0:00  stop e1
                e1: STOPPING, Approve STOPPING
                = e1 Stopping in Approve (Approve …)
            0:00  approve e1 Approve
                e1: Approve/Approve SUCCEEDED, Approve STOPPED, STOPPED
                = idle
        "#]],
    );
}

#[test]
fn abandoning_takes_the_question_back() {
    check(
        r#"
            pipeline: Source > Approve? > Deploy
            start e1
            finish e1 Source
            abandon e1
            approve e1 Approve
        "#,
        expect![[r#"
            0:00  start e1
                e1: STARTED, Source STARTED, Source/Source STARTED
                = e1 in Source (Source …)
            0:00  finish e1 Source
                e1: Source/Source SUCCEEDED, Source SUCCEEDED, Approve STARTED, Approve/Approve STARTED (asks)
                = e1 in Approve (Approve …)
            0:00  abandon e1
                e1: STOPPING, Approve STOPPING, Approve/Approve ABANDONED, Approve STOPPED, STOPPED
                = idle
            0:00  approve e1 Approve
                refused: InvalidApprovalTokenException: the token does not belong to an open approval of this action
                = idle
        "#]],
    );
}

#[test]
fn the_next_one_enters_a_stage_that_was_stopped() {
    check(
        r#"
            pipeline: Source > Build
            start e1
            finish e1 Source
            start e2
            finish e2 Source
            stop e1
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
            0:00  stop e1
                e1: STOPPING, Build STOPPING
                = e1 Stopping in Build (Build …) · e2 before Build
            0:00  finish e1 Build
                e1: Build/Build SUCCEEDED, Build STOPPED, STOPPED
                e2: Build STARTED, Build/Build STARTED
                = e2 in Build (Build …)
        "#]],
    );
}

/// spec 30 §3.
#[test]
fn one_that_waits_at_a_door_stops_at_once_and_stays_visible() {
    check(
        r#"
            pipeline: Source > Build
            start e1
            finish e1 Source
            start e2
            finish e2 Source
            stop e2
            retry e2 Build failed
            finish e1 Build
            start e3
            finish e3 Source
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
            0:00  stop e2
                e2: STOPPING, STOPPED
                = e1 in Build (Build …) · e2 Stopped before Build
            0:00  retry e2 Build failed
                refused: NotLatestPipelineExecutionException: execution e2 is not the latest one in the stage
                = e1 in Build (Build …) · e2 Stopped before Build
            0:00  finish e1 Build
                e1: Build/Build SUCCEEDED, Build SUCCEEDED, SUCCEEDED
                = e2 Stopped before Build
            0:00  start e3
                e3: STARTED, Source STARTED, Source/Source STARTED
                = e3 in Source (Source …) · e2 Stopped before Build
            0:00  finish e3 Source
                e3: Source/Source SUCCEEDED, Source SUCCEEDED, Build STARTED, Build/Build STARTED
                = e3 in Build (Build …)
        "#]],
    );
}

#[test]
fn what_has_ended_cannot_be_stopped() {
    check(
        r#"
            pipeline: Source > Build
            start e1
            finish e1 Source
            fail e1 Build
            stop e1
            abandon e9
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
            0:00  stop e1
                refused: PipelineExecutionNotStoppableException: execution e1 has ended and cannot be stopped
                = idle
            0:00  abandon e9
                refused: PipelineExecutionNotStoppableException: execution 00000000-0000-0000-ffff-fffffffffff6 has ended and cannot be stopped
                = idle
        "#]],
    );
}

/// A wide stage begins and ends in parts, each one commit.
#[test]
fn more_actions_than_one_commit_holds_are_abandoned_with_the_next_tick() {
    let there = (1..=40)
        .map(|n| format!("a{n}"))
        .collect::<Vec<_>>()
        .join("|");
    check(
        &format!(
            r#"
            pipeline: Source > Build{{{there}}}
            start e1
            quietly finish e1 Source
            quietly tick
            quietly abandon e1
            quietly tick
        "#
        ),
        expect![[r#"
            0:00  start e1
                e1: STARTED, Source STARTED, Source/Source STARTED
                = e1 in Source (Source …)
            0:00  finish e1 Source
                = e1 in Build (a1 …, a2 …, a3 …, a4 …, a5 …, a6 …, a7 …, a8 …, a9 …, a10 …, a11 …, a12 …, a13 …, a14 …, a15 …, a16 …, a17 …, a18 …, a19 …, a20 …, a21 …, a22 …, a23 …, a24 …, a25 …, a26 …, a27 …, a28 …, a29 …, a30 …) · more to do
            0:00  tick
                = e1 in Build (a1 …, a2 …, a3 …, a4 …, a5 …, a6 …, a7 …, a8 …, a9 …, a10 …, a11 …, a12 …, a13 …, a14 …, a15 …, a16 …, a17 …, a18 …, a19 …, a20 …, a21 …, a22 …, a23 …, a24 …, a25 …, a26 …, a27 …, a28 …, a29 …, a30 …, a31 …, a32 …, a33 …, a34 …, a35 …, a36 …, a37 …, a38 …, a39 …, a40 …)
            0:00  abandon e1
                = e1 Stopping in Build (a1 abandoned, a2 abandoned, a3 abandoned, a4 abandoned, a5 abandoned, a6 abandoned, a7 abandoned, a8 abandoned, a9 abandoned, a10 abandoned, a11 abandoned, a12 abandoned, a13 abandoned, a14 abandoned, a15 abandoned, a16 abandoned, a17 abandoned, a18 abandoned, a19 abandoned, a20 abandoned, a21 abandoned, a22 abandoned, a23 abandoned, a24 abandoned, a25 abandoned, a26 abandoned, a27 abandoned, a28 abandoned, a29 abandoned, a30 abandoned, a31 …, a32 …, a33 …, a34 …, a35 …, a36 …, a37 …, a38 …, a39 …, a40 …) · more to do
            0:00  tick
                = idle
        "#]],
    );
}

/// spec 30 §6: what was abandoned runs again, what succeeded does not.
#[test]
fn a_stopped_stage_can_be_retried() {
    check(
        r#"
            pipeline: Source > Build{lint|test; pack}
            start e1
            finish e1 Source
            finish e1 lint
            abandon e1
            retry e1 Build failed
            finish e1 test
        "#,
        expect![[r#"
            0:00  start e1
                e1: STARTED, Source STARTED, Source/Source STARTED
                = e1 in Source (Source …)
            0:00  finish e1 Source
                e1: Source/Source SUCCEEDED, Source SUCCEEDED, Build STARTED, Build/lint STARTED, Build/test STARTED
                = e1 in Build (lint …, test …)
            0:00  finish e1 lint
                e1: Build/lint SUCCEEDED
                = e1 in Build (lint ✓, test …)
            0:00  abandon e1
                e1: STOPPING, Build STOPPING, cancel test, Build/test ABANDONED, Build STOPPED, STOPPED
                = idle
            0:00  retry e1 Build failed
                e1: RESUMED (attempt 2), Build RESUMED, Build/test#2 STARTED
                = e1 in Build (lint ✓, test …)
            0:00  finish e1 test
                e1: Build/test#2 SUCCEEDED, Build/pack STARTED
                = e1 in Build (lint ✓, test ✓, pack …)
        "#]],
    );
}

#[test]
fn a_stopped_stage_with_nothing_left_to_run_goes_on() {
    check(
        r#"
            pipeline: Source > Build > Deploy
            start e1
            finish e1 Source
            stop e1
            finish e1 Build
            retry e1 Build failed
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
            0:00  finish e1 Build
                e1: Build/Build SUCCEEDED, Build STOPPED, STOPPED
                = idle
            0:00  retry e1 Build failed
                e1: RESUMED (attempt 2), Build RESUMED, Build SUCCEEDED, Deploy STARTED, Deploy/Deploy STARTED
                = e1 in Deploy (Deploy …)
        "#]],
    );
}
