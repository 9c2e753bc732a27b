//! SUPERSEDED mode: the newest one waiting wins (spec 30 §4).

use expect_test::expect;

use crate::script::check;

/// spec 30 §4: between stages only, and never one inside a stage.
#[test]
fn a_newer_execution_overtakes_the_one_waiting() {
    check(
        r#"
            pipeline: Source > Build > Deploy
            start e1
            finish e1 Source
            start e2
            finish e2 Source
            start e3
            finish e3 Source
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
            0:00  finish e3 Source
                e3: Source/Source SUCCEEDED, Source SUCCEEDED
                e2: SUPERSEDED
                = e1 in Build (Build …) · e3 before Build
            0:00  finish e1 Build
                e1: Build/Build SUCCEEDED, Build SUCCEEDED
                e3: Build STARTED
                e1: Deploy STARTED
                e3: Build/Build STARTED
                e1: Deploy/Deploy STARTED
                = e1 in Deploy (Deploy …) · e3 in Build (Build …)
        "#]],
    );
}

/// spec 30 §4: also in front of the source stage.
#[test]
fn the_newest_of_those_before_the_first_stage_stays() {
    check(
        r#"
            pipeline: Source > Build
            start e1
            start e2
            start e3
            finish e1 Source
        "#,
        expect![[r#"
            0:00  start e1
                e1: STARTED, Source STARTED, Source/Source STARTED
                = e1 in Source (Source …)
            0:00  start e2
                e2: STARTED
                = e1 in Source (Source …) · e2 before Source
            0:00  start e3
                e3: STARTED
                e2: SUPERSEDED
                = e1 in Source (Source …) · e3 before Source
            0:00  finish e1 Source
                e1: Source/Source SUCCEEDED, Source SUCCEEDED
                e3: Source STARTED
                e1: Build STARTED
                e3: Source/Source STARTED
                e1: Build/Build STARTED
                = e1 in Build (Build …) · e3 in Source (Source …)
        "#]],
    );
}

#[test]
fn an_execution_that_waits_for_a_person_keeps_its_stage() {
    check(
        r#"
            pipeline: Source > Approve? > Deploy
            start e1
            finish e1 Source
            start e2
            finish e2 Source
            start e3
            finish e3 Source
            approve e1 Approve
        "#,
        expect![[r#"
            0:00  start e1
                e1: STARTED, Source STARTED, Source/Source STARTED
                = e1 in Source (Source …)
            0:00  finish e1 Source
                e1: Source/Source SUCCEEDED, Source SUCCEEDED, Approve STARTED, Approve/Approve STARTED (asks)
                = e1 in Approve (Approve …)
            0:00  start e2
                e2: STARTED, Source STARTED, Source/Source STARTED
                = e1 in Approve (Approve …) · e2 in Source (Source …)
            0:00  finish e2 Source
                e2: Source/Source SUCCEEDED, Source SUCCEEDED
                = e1 in Approve (Approve …) · e2 before Approve
            0:00  start e3
                e3: STARTED, Source STARTED, Source/Source STARTED
                = e1 in Approve (Approve …) · e2 before Approve · e3 in Source (Source …)
            0:00  finish e3 Source
                e3: Source/Source SUCCEEDED, Source SUCCEEDED
                e2: SUPERSEDED
                = e1 in Approve (Approve …) · e3 before Approve
            0:00  approve e1 Approve
                e1: Approve/Approve SUCCEEDED, Approve SUCCEEDED
                e3: Approve STARTED
                e1: Deploy STARTED
                e3: Approve/Approve STARTED (asks)
                e1: Deploy/Deploy STARTED
                = e1 in Deploy (Deploy …) · e3 in Approve (Approve …)
        "#]],
    );
}

#[test]
fn a_superseded_execution_never_runs_again() {
    check(
        r#"
            pipeline: Source > Build
            start e1
            start e2
            start e3
            stop e2
            retry e2 Source failed
        "#,
        expect![[r#"
            0:00  start e1
                e1: STARTED, Source STARTED, Source/Source STARTED
                = e1 in Source (Source …)
            0:00  start e2
                e2: STARTED
                = e1 in Source (Source …) · e2 before Source
            0:00  start e3
                e3: STARTED
                e2: SUPERSEDED
                = e1 in Source (Source …) · e3 before Source
            0:00  stop e2
                refused: PipelineExecutionNotStoppableException: execution e2 has ended and cannot be stopped
                = e1 in Source (Source …) · e3 before Source
            0:00  retry e2 Source failed
                refused: NotLatestPipelineExecutionException: execution e2 is not the latest one in the stage
                = e1 in Source (Source …) · e3 before Source
        "#]],
    );
}

/// spec 30 §3: from then on the failed one cannot be retried in that stage.
#[test]
fn a_failed_stage_is_taken_over_by_the_one_waiting() {
    check(
        r#"
            pipeline: Source > Build
            start e1
            finish e1 Source
            start e2
            finish e2 Source
            fail e1 Build
            retry e1 Build failed
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
            0:00  fail e1 Build
                e1: Build/Build FAILED (JobFailed: exit 1), Build FAILED, FAILED
                e2: Build STARTED, Build/Build STARTED
                = e2 in Build (Build …)
            0:00  retry e1 Build failed
                refused: NotLatestPipelineExecutionException: execution e1 is not the latest one in the stage
                = e2 in Build (Build …)
        "#]],
    );
}
