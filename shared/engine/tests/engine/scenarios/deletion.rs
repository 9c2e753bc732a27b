//! A pipeline is deleted while executions run (spec 10, `DeletePipeline`).

use expect_test::expect;

use crate::script::check;

#[test]
fn everything_ends_at_once() {
    check(
        r#"
            pipeline: Source > Check{Build|Lint} > Approve? > Deploy
            start e1
            finish e1 Source
            finish e1 Build
            finish e1 Lint
            start e2
            finish e2 Source
            start e3
            finish e3 Source
            delete it
            delete it
        "#,
        expect![[r#"
            0:00  start e1
                e1: STARTED, Source STARTED, Source/Source STARTED
                = e1 in Source (Source …)
            0:00  finish e1 Source
                e1: Source/Source SUCCEEDED, Source SUCCEEDED, Check STARTED, Check/Build STARTED, Check/Lint STARTED
                = e1 in Check (Build …, Lint …)
            0:00  finish e1 Build
                e1: Check/Build SUCCEEDED
                = e1 in Check (Build ✓, Lint …)
            0:00  finish e1 Lint
                e1: Check/Lint SUCCEEDED, Check SUCCEEDED, Approve STARTED, Approve/Approve STARTED (asks)
                = e1 in Approve (Approve …)
            0:00  start e2
                e2: STARTED, Source STARTED, Source/Source STARTED
                = e1 in Approve (Approve …) · e2 in Source (Source …)
            0:00  finish e2 Source
                e2: Source/Source SUCCEEDED, Source SUCCEEDED, Check STARTED, Check/Build STARTED, Check/Lint STARTED
                = e1 in Approve (Approve …) · e2 in Check (Build …, Lint …)
            0:00  start e3
                e3: STARTED, Source STARTED, Source/Source STARTED
                = e1 in Approve (Approve …) · e2 in Check (Build …, Lint …) · e3 in Source (Source …)
            0:00  finish e3 Source
                e3: Source/Source SUCCEEDED, Source SUCCEEDED
                = e1 in Approve (Approve …) · e2 in Check (Build …, Lint …) · e3 before Check
            0:00  delete it
                e1: Approve/Approve ABANDONED, Approve CANCELED, CANCELED
                e2: cancel Build, Check/Build ABANDONED, cancel Lint, Check/Lint ABANDONED, Check CANCELED, CANCELED
                e3: CANCELED
                = idle
            0:00  delete it
                = idle
        "#]],
    );
}

#[test]
fn nothing_begins_any_more() {
    check(
        r#"
            pipeline: Source > Approve? > Deploy
            start e1
            finish e1 Source
            start e2
            delete it
            finish e2 Source
            approve e1 Approve
            start e3
            stop e2
            disable Deploy why
            update: Source > Deploy
            tick
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
            0:00  delete it
                e1: Approve/Approve ABANDONED, Approve CANCELED, CANCELED
                e2: cancel Source, Source/Source ABANDONED, Source CANCELED, CANCELED
                = idle
            0:00  finish e2 Source
                = idle
            0:00  approve e1 Approve
                refused: PipelineNotFoundException: no pipeline has the name `shop`
                = idle
            0:00  start e3
                refused: PipelineNotFoundException: no pipeline has the name `shop`
                = idle
            0:00  stop e2
                refused: PipelineNotFoundException: no pipeline has the name `shop`
                = idle
            0:00  disable Deploy why
                refused: PipelineNotFoundException: no pipeline has the name `shop`
                = idle
            0:00  update: Source > Deploy
                refused: PipelineNotFoundException: no pipeline has the name `shop`
                = idle
            0:00  tick
                = idle
        "#]],
    );
}

/// What failed and still has an action that runs is ended, too.
#[test]
fn a_failed_execution_does_not_hold_a_deletion_up() {
    check(
        r#"
            pipeline: Source > Check{Build|Lint}
            start e1
            finish e1 Source
            fail e1 Build
            delete it
            finish e1 Lint
        "#,
        expect![[r#"
            0:00  start e1
                e1: STARTED, Source STARTED, Source/Source STARTED
                = e1 in Source (Source …)
            0:00  finish e1 Source
                e1: Source/Source SUCCEEDED, Source SUCCEEDED, Check STARTED, Check/Build STARTED, Check/Lint STARTED
                = e1 in Check (Build …, Lint …)
            0:00  fail e1 Build
                e1: Check/Build FAILED (JobFailed: exit 1), Check FAILED, FAILED
                = e1 Failed in Check (Build ✗, Lint …)
            0:00  delete it
                e1: cancel Lint, Check/Lint ABANDONED
                = idle
            0:00  finish e1 Lint
                = idle
        "#]],
    );
}

/// One commit abandons as much as it can hold; the next ticks do the rest.
#[test]
fn a_deletion_of_much_takes_several_steps() {
    check(
        r#"
            pipeline: Source{a|b} > Build
                mode PARALLEL
            quietly start e1..e12
            delete it
            tick
        "#,
        expect![[r#"
            0:00  start e1..e12
                = 12 in Source
            0:00  delete it
                e1: cancel a, Source/a ABANDONED, cancel b, Source/b ABANDONED, Source CANCELED, CANCELED
                e2: cancel a, Source/a ABANDONED, cancel b, Source/b ABANDONED, Source CANCELED, CANCELED
                e3: cancel a, Source/a ABANDONED, cancel b, Source/b ABANDONED, Source CANCELED, CANCELED
                e4: cancel a, Source/a ABANDONED, cancel b, Source/b ABANDONED, Source CANCELED, CANCELED
                e5: cancel a, Source/a ABANDONED, cancel b, Source/b ABANDONED, Source CANCELED, CANCELED
                e6: cancel a, Source/a ABANDONED, cancel b, Source/b ABANDONED, Source CANCELED, CANCELED
                e7: cancel a, Source/a ABANDONED, cancel b, Source/b ABANDONED, Source CANCELED, CANCELED
                e8: cancel a, Source/a ABANDONED, cancel b, Source/b ABANDONED, Source CANCELED, CANCELED
                e9: cancel a, Source/a ABANDONED, cancel b, Source/b ABANDONED, Source CANCELED, CANCELED
                e10: cancel a, Source/a ABANDONED, cancel b, Source/b ABANDONED, Source CANCELED, CANCELED
                = e11 in Source (a …, b …) · e12 in Source (a …, b …) · more to do
            0:00  tick
                e11: cancel a, Source/a ABANDONED, cancel b, Source/b ABANDONED, Source CANCELED, CANCELED
                e12: cancel a, Source/a ABANDONED, cancel b, Source/b ABANDONED, Source CANCELED, CANCELED
                = idle
        "#]],
    );
}
