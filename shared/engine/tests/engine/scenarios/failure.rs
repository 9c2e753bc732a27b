//! Actions fail (spec 30 §3, §5).

use expect_test::expect;

use crate::script::check;

/// spec 30 §5: no further group starts.
#[test]
fn a_failing_action_fails_its_stage_and_execution() {
    check(
        r#"
            pipeline: Source > Build{lint; pack} > Deploy
            start e1
            finish e1 Source
            fail e1 lint 3 warnings
        "#,
        expect![[r#"
            0:00  start e1
                e1: STARTED, Source STARTED, Source/Source STARTED
                = e1 in Source (Source …)
            0:00  finish e1 Source
                e1: Source/Source SUCCEEDED, Source SUCCEEDED, Build STARTED, Build/lint STARTED
                = e1 in Build (lint …)
            0:00  fail e1 lint 3 warnings
                e1: Build/lint FAILED (JobFailed: 3 warnings), Build FAILED, FAILED
                = idle
        "#]],
    );
}

/// spec 30 §3: the stage is free when the last action has ended.
#[test]
fn siblings_run_to_their_end_and_the_lock_is_kept_so_long() {
    check(
        r#"
            pipeline: Source > Build{lint|test|scan}
            start e1
            finish e1 Source
            start e2
            finish e2 Source
            fail e1 lint
            finish e1 test
            fail e1 scan
        "#,
        expect![[r#"
            0:00  start e1
                e1: STARTED, Source STARTED, Source/Source STARTED
                = e1 in Source (Source …)
            0:00  finish e1 Source
                e1: Source/Source SUCCEEDED, Source SUCCEEDED, Build STARTED, Build/lint STARTED, Build/test STARTED, Build/scan STARTED
                = e1 in Build (lint …, test …, scan …)
            0:00  start e2
                e2: STARTED, Source STARTED, Source/Source STARTED
                = e1 in Build (lint …, test …, scan …) · e2 in Source (Source …)
            0:00  finish e2 Source
                e2: Source/Source SUCCEEDED, Source SUCCEEDED
                = e1 in Build (lint …, test …, scan …) · e2 before Build
            0:00  fail e1 lint
                e1: Build/lint FAILED (JobFailed: exit 1), Build FAILED, FAILED
                = e1 Failed in Build (lint ✗, test …, scan …) · e2 before Build
            0:00  finish e1 test
                e1: Build/test SUCCEEDED
                = e1 Failed in Build (lint ✗, test ✓, scan …) · e2 before Build
            0:00  fail e1 scan
                e1: Build/scan FAILED (JobFailed: exit 1)
                e2: Build STARTED, Build/lint STARTED, Build/test STARTED, Build/scan STARTED
                = e2 in Build (lint …, test …, scan …)
        "#]],
    );
}

#[test]
fn two_failures_fail_the_stage_once() {
    check(
        r#"
            pipeline: Source > Build{lint|test}
            start e1
            finish e1 Source
            fail e1 lint
            fail e1 test
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
            0:00  fail e1 test
                e1: Build/test FAILED (JobFailed: exit 1)
                = idle
        "#]],
    );
}

#[test]
fn a_failed_source_action_fails_the_execution() {
    check(
        r#"
            pipeline: Source > Build
            start e1
            fail e1 Source no such object
        "#,
        expect![[r#"
            0:00  start e1
                e1: STARTED, Source STARTED, Source/Source STARTED
                = e1 in Source (Source …)
            0:00  fail e1 Source no such object
                e1: Source/Source FAILED (JobFailed: no such object), Source FAILED, FAILED
                = idle
        "#]],
    );
}
