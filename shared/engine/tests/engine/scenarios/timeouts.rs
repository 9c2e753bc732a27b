//! Actions take too long (spec 30 §18).

use expect_test::expect;

use crate::script::check;

/// spec 30 §18: eight hours for a test.
#[test]
fn an_action_whose_time_is_up_fails_and_its_worker_is_told() {
    check(
        r#"
            pipeline: Source > Build > Deploy
              Build kind Test/CodeBuild
            start e1
            finish e1 Source
            wait 479m
            tick
            wait 1m
            tick
            finish e1 Build
        "#,
        expect![[r#"
            0:00  start e1
                e1: STARTED, Source STARTED, Source/Source STARTED
                = e1 in Source (Source …)
            0:00  finish e1 Source
                e1: Source/Source SUCCEEDED, Source SUCCEEDED, Build STARTED, Build/Build STARTED
                = e1 in Build (Build …)
            7:59  tick
                = e1 in Build (Build …)
            8:00  tick
                e1: cancel Build, Build/Build FAILED (JobFailed: The action timed out after 480 minutes), Build FAILED, FAILED
                = idle
            8:00  finish e1 Build
                = idle
        "#]],
    );
}

#[test]
fn a_result_that_comes_after_the_time_is_up_is_too_late() {
    check(
        r#"
            pipeline: Source > Build
              Build kind Compute/Commands
            start e1
            finish e1 Source
            wait 56m
            finish e1 Build
        "#,
        expect![[r#"
            0:00  start e1
                e1: STARTED, Source STARTED, Source/Source STARTED
                = e1 in Source (Source …)
            0:00  finish e1 Source
                e1: Source/Source SUCCEEDED, Source SUCCEEDED, Build STARTED, Build/Build STARTED
                = e1 in Build (Build …)
            0:56  finish e1 Build
                e1: cancel Build, Build/Build FAILED (JobFailed: The action timed out after 55 minutes), Build FAILED, FAILED
                = idle
        "#]],
    );
}

#[test]
fn an_input_for_one_execution_finds_the_overdue_action_of_another() {
    check(
        r#"
            pipeline: Source > Build
              mode PARALLEL
              Build kind Compute/Commands
            start e1
            finish e1 Source
            wait 55m
            start e2
        "#,
        expect![[r#"
            0:00  start e1
                e1: STARTED, Source STARTED, Source/Source STARTED
                = e1 in Source (Source …)
            0:00  finish e1 Source
                e1: Source/Source SUCCEEDED, Source SUCCEEDED, Build STARTED, Build/Build STARTED
                = e1 in Build (Build …)
            0:55  start e2
                e1: cancel Build, Build/Build FAILED (JobFailed: The action timed out after 55 minutes)
                e2: STARTED
                e1: Build FAILED, FAILED
                e2: Source STARTED, Source/Source STARTED
                = e2 in Source (Source …)
        "#]],
    );
}

#[test]
fn a_clock_that_is_set_back_does_not_make_time_run_backwards() {
    check(
        r#"
            pipeline: Source > Build
              Build kind Compute/Commands
            start e1
            finish e1 Source
            wait 30m
            progress e1 Build 10
            back 20m
            progress e1 Build 20
            wait 45m
            tick
        "#,
        expect![[r#"
            0:00  start e1
                e1: STARTED, Source STARTED, Source/Source STARTED
                = e1 in Source (Source …)
            0:00  finish e1 Source
                e1: Source/Source SUCCEEDED, Source SUCCEEDED, Build STARTED, Build/Build STARTED
                = e1 in Build (Build …)
            0:30  progress e1 Build 10
                e1: note Build 10%
                = e1 in Build (Build …)
            0:10  progress e1 Build 20
                e1: note Build 20%
                = e1 in Build (Build …)
            0:55  tick
                e1: cancel Build, Build/Build FAILED (JobFailed: The action timed out after 55 minutes), Build FAILED, FAILED
                = idle
        "#]],
    );
}
