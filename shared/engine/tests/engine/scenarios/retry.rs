//! A stage is tried again (spec 30 §7).

use expect_test::expect;

use crate::script::check;

/// spec 30 §7: same execution, new attempts, one more pipeline attempt.
#[test]
fn failed_actions_run_again_and_the_others_do_not() {
    check(
        r#"
            pipeline: Source > Build{lint|test; pack}
            start e1
            finish e1 Source
            finish e1 lint
            fail e1 test
            wait 3m
            retry e1 Build failed
            finish e1 test
            finish e1 pack
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
            0:00  fail e1 test
                e1: Build/test FAILED (JobFailed: exit 1), Build FAILED, FAILED
                = idle
            0:03  retry e1 Build failed
                e1: RESUMED (attempt 2), Build RESUMED, Build/test#2 STARTED
                = e1 in Build (lint ✓, test …)
            0:03  finish e1 test
                e1: Build/test#2 SUCCEEDED, Build/pack STARTED
                = e1 in Build (lint ✓, test ✓, pack …)
            0:03  finish e1 pack
                e1: Build/pack SUCCEEDED, Build SUCCEEDED, SUCCEEDED (attempt 2)
                = idle
        "#]],
    );
}

#[test]
fn all_actions_run_again_from_the_first_group() {
    check(
        r#"
            pipeline: Source > Build{lint|test; pack}
            start e1
            finish e1 Source
            finish e1 lint
            finish e1 test
            fail e1 pack
            retry e1 Build all
            finish e1 lint
            finish e1 test
            finish e1 pack
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
            0:00  finish e1 test
                e1: Build/test SUCCEEDED, Build/pack STARTED
                = e1 in Build (lint ✓, test ✓, pack …)
            0:00  fail e1 pack
                e1: Build/pack FAILED (JobFailed: exit 1), Build FAILED, FAILED
                = idle
            0:00  retry e1 Build all
                e1: RESUMED (attempt 2), Build RESUMED, Build/lint#2 STARTED, Build/test#2 STARTED
                = e1 in Build (lint …, test …, pack again)
            0:00  finish e1 lint
                e1: Build/lint#2 SUCCEEDED
                = e1 in Build (lint ✓, test …, pack again)
            0:00  finish e1 test
                e1: Build/test#2 SUCCEEDED, Build/pack#2 STARTED
                = e1 in Build (lint ✓, test ✓, pack …)
            0:00  finish e1 pack
                e1: Build/pack#2 SUCCEEDED, Build SUCCEEDED, SUCCEEDED (attempt 2)
                = idle
        "#]],
    );
}

/// spec 30 §7: `FAILED_ACTIONS` may come while others run, `ALL_ACTIONS` may not.
#[test]
fn a_running_sibling_is_left_alone() {
    check(
        r#"
            pipeline: Source > Build{lint|test}
            start e1
            finish e1 Source
            fail e1 lint
            retry e1 Build all
            retry e1 Build failed
            finish e1 test
            finish e1 lint
        "#,
        expect![[r#"
            0:00  start e1
                e1: STARTED, Source STARTED, Source/Source STARTED
                = e1 in Source (Source …)
            0:00  finish e1 Source
                e1: Source/Source SUCCEEDED, Source SUCCEEDED, Build STARTED, Build/lint STARTED, Build/test STARTED
                = e1 in Build (lint …, test …)
            0:00  fail e1 lint
                e1: Build/lint FAILED (JobFailed: exit 1), Build FAILED, FAILED
                = e1 Failed in Build (lint ✗, test …)
            0:00  retry e1 Build all
                refused: StageNotRetryableException: the stage cannot be retried: one of its actions is still in progress
                = e1 Failed in Build (lint ✗, test …)
            0:00  retry e1 Build failed
                e1: RESUMED (attempt 2), Build RESUMED, Build/lint#2 STARTED
                = e1 in Build (lint …, test …)
            0:00  finish e1 test
                e1: Build/test SUCCEEDED
                = e1 in Build (lint …, test ✓)
            0:00  finish e1 lint
                e1: Build/lint#2 SUCCEEDED, Build SUCCEEDED, SUCCEEDED (attempt 2)
                = idle
        "#]],
    );
}

/// What the first retry was to run again is run again, although it succeeded once.
#[test]
fn a_retry_of_all_that_fails_early_still_owes_the_later_groups() {
    check(
        r#"
            pipeline: Source > Build{lint; pack; sign}
            start e1
            quietly finish e1 Source
            quietly finish e1 lint
            quietly finish e1 pack
            quietly fail e1 sign
            quietly retry e1 Build all
            quietly fail e1 lint
            retry e1 Build failed
            finish e1 lint
            finish e1 pack
        "#,
        expect![[r#"
            0:00  start e1
                e1: STARTED, Source STARTED, Source/Source STARTED
                = e1 in Source (Source …)
            0:00  finish e1 Source
                = e1 in Build (lint …)
            0:00  finish e1 lint
                = e1 in Build (lint ✓, pack …)
            0:00  finish e1 pack
                = e1 in Build (lint ✓, pack ✓, sign …)
            0:00  fail e1 sign
                = idle
            0:00  retry e1 Build all
                = e1 in Build (lint …, pack again, sign again)
            0:00  fail e1 lint
                = idle
            0:00  retry e1 Build failed
                e1: RESUMED (attempt 3), Build RESUMED, Build/lint#3 STARTED
                = e1 in Build (lint …, pack again, sign again)
            0:00  finish e1 lint
                e1: Build/lint#3 SUCCEEDED, Build/pack#2 STARTED
                = e1 in Build (lint ✓, pack …, sign again)
            0:00  finish e1 pack
                e1: Build/pack#2 SUCCEEDED, Build/sign#2 STARTED
                = e1 in Build (lint ✓, pack ✓, sign …)
        "#]],
    );
}

#[test]
fn only_a_failed_or_stopped_stage_is_retried() {
    check(
        r#"
            pipeline: Source > Build > Deploy
            start e1
            retry e1 Source failed
            finish e1 Source
            retry e1 Source all
            retry e1 Deploy failed
            retry e1 Nowhere failed
            retry e9 Build failed
            stop e1
            retry e1 Build failed
        "#,
        expect![[r#"
            0:00  start e1
                e1: STARTED, Source STARTED, Source/Source STARTED
                = e1 in Source (Source …)
            0:00  retry e1 Source failed
                refused: StageNotRetryableException: the stage cannot be retried: it is in progress
                = e1 in Source (Source …)
            0:00  finish e1 Source
                e1: Source/Source SUCCEEDED, Source SUCCEEDED, Build STARTED, Build/Build STARTED
                = e1 in Build (Build …)
            0:00  retry e1 Source all
                refused: StageNotRetryableException: the stage cannot be retried: it succeeded
                = e1 in Build (Build …)
            0:00  retry e1 Deploy failed
                refused: NotLatestPipelineExecutionException: execution e1 is not the latest one in the stage
                = e1 in Build (Build …)
            0:00  retry e1 Nowhere failed
                refused: StageNotFoundException: the pipeline has no stage `Nowhere`
                = e1 in Build (Build …)
            0:00  retry e9 Build failed
                refused: NotLatestPipelineExecutionException: execution 00000000-0000-0000-ffff-fffffffffff6 is not the latest one in the stage
                = e1 in Build (Build …)
            0:00  stop e1
                e1: STOPPING, Build STOPPING
                = e1 Stopping in Build (Build …)
            0:00  retry e1 Build failed
                refused: StageNotRetryableException: the stage cannot be retried: it is in progress
                = e1 Stopping in Build (Build …)
        "#]],
    );
}

/// spec 30 §7: same source revisions.
#[test]
fn the_source_stage_is_retried_with_the_same_revisions() {
    check(
        r#"
            pipeline: Source{code|config} > Build
            start e1
            finish e1 code
            fail e1 config
            retry e1 Source all
            show e1 code
            show e1 config
        "#,
        expect![[r#"
            0:00  start e1
                e1: STARTED, Source STARTED, Source/code STARTED, Source/config STARTED
                = e1 in Source (code …, config …)
            0:00  finish e1 code
                e1: Source/code SUCCEEDED
                = e1 in Source (code ✓, config …)
            0:00  fail e1 config
                e1: Source/config FAILED (JobFailed: exit 1), Source FAILED, FAILED
                = idle
            0:00  retry e1 Source all
                e1: RESUMED (attempt 2), Source RESUMED, Source/code#2 STARTED, Source/config#2 STARTED
                = e1 in Source (code …, config …)
                the job of code of e1:
                  pinned S3ObjectVersionId rev-e1-1
                  up to 60 minutes
                the job of config of e1:
                  up to 60 minutes
        "#]],
    );
}

#[test]
fn the_lock_is_taken_again() {
    check(
        r#"
            pipeline: Source > Build > Deploy
            start e1
            quietly finish e1 Source
            quietly fail e1 Build
            retry e1 Build failed
            start e2
            finish e2 Source
            finish e1 Build
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
                e1: RESUMED (attempt 2), Build RESUMED, Build/Build#2 STARTED
                = e1 in Build (Build …)
            0:00  start e2
                e2: STARTED, Source STARTED, Source/Source STARTED
                = e1 in Build (Build …) · e2 in Source (Source …)
            0:00  finish e2 Source
                e2: Source/Source SUCCEEDED, Source SUCCEEDED
                = e1 in Build (Build …) · e2 before Build
            0:00  finish e1 Build
                e1: Build/Build#2 SUCCEEDED, Build SUCCEEDED
                e2: Build STARTED
                e1: Deploy STARTED
                e2: Build/Build STARTED
                e1: Deploy/Deploy STARTED
                = e1 in Deploy (Deploy …) · e2 in Build (Build …)
        "#]],
    );
}

/// spec 30 §7: the inbound transition's state does not matter.
#[test]
fn a_retry_in_a_closed_stage_is_allowed() {
    check(
        r#"
            pipeline: Source > Build
            start e1
            quietly finish e1 Source
            quietly fail e1 Build
            disable Build
            start e2
            quietly finish e2 Source
            retry e1 Build failed
            finish e1 Build
        "#,
        expect![[r#"
            0:00  start e1
                e1: STARTED, Source STARTED, Source/Source STARTED
                = e1 in Source (Source …)
            0:00  finish e1 Source
                = e1 in Build (Build …)
            0:00  fail e1 Build
                = idle
            0:00  disable Build
                = way into Build closed
            0:00  start e2
                e2: STARTED, Source STARTED, Source/Source STARTED
                = e2 in Source (Source …) · way into Build closed
            0:00  finish e2 Source
                = e2 before Build · way into Build closed
            0:00  retry e1 Build failed
                e1: RESUMED (attempt 2), Build RESUMED, Build/Build#2 STARTED
                = e1 in Build (Build …) · e2 before Build · way into Build closed
            0:00  finish e1 Build
                e1: Build/Build#2 SUCCEEDED, Build SUCCEEDED, SUCCEEDED (attempt 2)
                = e2 before Build · way into Build closed
        "#]],
    );
}

#[test]
fn a_retry_fails_when_the_definition_changed() {
    check(
        r#"
            pipeline: Source > Build
            start e1
            quietly finish e1 Source
            quietly fail e1 Build
            update: Source > Build > Deploy
            retry e1 Build failed
        "#,
        expect![[r#"
            0:00  start e1
                e1: STARTED, Source STARTED, Source/Source STARTED
                = e1 in Source (Source …)
            0:00  finish e1 Source
                = e1 in Build (Build …)
            0:00  fail e1 Build
                = idle
            0:00  update: Source > Build > Deploy
                = idle
            0:00  retry e1 Build failed
                refused: StageNotRetryableException: the stage cannot be retried: the pipeline was updated since the execution began
                = idle
        "#]],
    );
}

#[test]
fn a_retry_succeeds_after_any_number_of_failures() {
    check(
        r#"
            pipeline: Source > Build
            start e1
            quietly finish e1 Source
            quietly fail e1 Build
            quietly retry e1 Build failed
            fail e1 Build
            retry e1 Build failed
            finish e1 Build
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
            0:00  fail e1 Build
                e1: Build/Build#2 FAILED (JobFailed: exit 1), Build FAILED, FAILED (attempt 2)
                = idle
            0:00  retry e1 Build failed
                e1: RESUMED (attempt 3), Build RESUMED, Build/Build#3 STARTED
                = e1 in Build (Build …)
            0:00  finish e1 Build
                e1: Build/Build#3 SUCCEEDED, Build SUCCEEDED, SUCCEEDED (attempt 3)
                = idle
        "#]],
    );
}
