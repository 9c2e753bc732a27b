//! QUEUED mode: first come, first served (spec 30 §4).

use expect_test::expect;

use crate::script::check;

/// spec 30 §4, QUEUED.
#[test]
fn nobody_is_overtaken() {
    check(
        r#"
            pipeline: Source > Build > Deploy
              mode QUEUED
            start e1
            start e2
            start e3
            finish e1 Source
            finish e2 Source
            finish e3 Source
            finish e1 Build
            finish e2 Build
            finish e1 Deploy
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
                = e1 in Source (Source …) · e2 before Source · e3 before Source
            0:00  finish e1 Source
                e1: Source/Source SUCCEEDED, Source SUCCEEDED
                e2: Source STARTED
                e1: Build STARTED
                e2: Source/Source STARTED
                e1: Build/Build STARTED
                = e1 in Build (Build …) · e2 in Source (Source …) · e3 before Source
            0:00  finish e2 Source
                e2: Source/Source SUCCEEDED, Source SUCCEEDED
                e3: Source STARTED, Source/Source STARTED
                = e1 in Build (Build …) · e2 before Build · e3 in Source (Source …)
            0:00  finish e3 Source
                e3: Source/Source SUCCEEDED, Source SUCCEEDED
                = e1 in Build (Build …) · e2 before Build · e3 before Build
            0:00  finish e1 Build
                e1: Build/Build SUCCEEDED, Build SUCCEEDED
                e2: Build STARTED
                e1: Deploy STARTED
                e2: Build/Build STARTED
                e1: Deploy/Deploy STARTED
                = e1 in Deploy (Deploy …) · e2 in Build (Build …) · e3 before Build
            0:00  finish e2 Build
                e2: Build/Build SUCCEEDED, Build SUCCEEDED
                e3: Build STARTED, Build/Build STARTED
                = e1 in Deploy (Deploy …) · e2 before Deploy · e3 in Build (Build …)
            0:00  finish e1 Deploy
                e1: Deploy/Deploy SUCCEEDED, Deploy SUCCEEDED, SUCCEEDED
                e2: Deploy STARTED, Deploy/Deploy STARTED
                = e2 in Deploy (Deploy …) · e3 in Build (Build …)
        "#]],
    );
}

#[test]
fn the_next_one_enters_after_a_failure_too() {
    check(
        r#"
            pipeline: Source > Build
              mode QUEUED
            start e1
            start e2
            finish e1 Source
            finish e2 Source
            fail e1 Build
        "#,
        expect![[r#"
            0:00  start e1
                e1: STARTED, Source STARTED, Source/Source STARTED
                = e1 in Source (Source …)
            0:00  start e2
                e2: STARTED
                = e1 in Source (Source …) · e2 before Source
            0:00  finish e1 Source
                e1: Source/Source SUCCEEDED, Source SUCCEEDED
                e2: Source STARTED
                e1: Build STARTED
                e2: Source/Source STARTED
                e1: Build/Build STARTED
                = e1 in Build (Build …) · e2 in Source (Source …)
            0:00  finish e2 Source
                e2: Source/Source SUCCEEDED, Source SUCCEEDED
                = e1 in Build (Build …) · e2 before Build
            0:00  fail e1 Build
                e1: Build/Build FAILED (JobFailed: exit 1), Build FAILED, FAILED
                e2: Build STARTED, Build/Build STARTED
                = e2 in Build (Build …)
        "#]],
    );
}

#[test]
fn a_disabled_transition_lets_the_queue_grow_and_then_pass_one_by_one() {
    check(
        r#"
            pipeline: Source > Build
              mode QUEUED
            disable Build because of the audit
            start e1
            start e2
            finish e1 Source
            finish e2 Source
            enable Build
            finish e1 Build
            finish e2 Build
        "#,
        expect![[r#"
            0:00  disable Build because of the audit
                = way into Build closed
            0:00  start e1
                e1: STARTED, Source STARTED, Source/Source STARTED
                = e1 in Source (Source …) · way into Build closed
            0:00  start e2
                e2: STARTED
                = e1 in Source (Source …) · e2 before Source · way into Build closed
            0:00  finish e1 Source
                e1: Source/Source SUCCEEDED, Source SUCCEEDED
                e2: Source STARTED, Source/Source STARTED
                = e1 before Build · e2 in Source (Source …) · way into Build closed
            0:00  finish e2 Source
                e2: Source/Source SUCCEEDED, Source SUCCEEDED
                = e1 before Build · e2 before Build · way into Build closed
            0:00  enable Build
                e1: Build STARTED, Build/Build STARTED
                = e1 in Build (Build …) · e2 before Build
            0:00  finish e1 Build
                e1: Build/Build SUCCEEDED, Build SUCCEEDED, SUCCEEDED
                e2: Build STARTED, Build/Build STARTED
                = e2 in Build (Build …)
            0:00  finish e2 Build
                e2: Build/Build SUCCEEDED, Build SUCCEEDED, SUCCEEDED
                = idle
        "#]],
    );
}

#[test]
fn a_stopped_one_leaves_the_queue() {
    check(
        r#"
            pipeline: Source > Build
              mode QUEUED
            quietly start e1..e3
            quietly finish e1 Source
            quietly finish e2 Source
            quietly finish e3 Source
            stop e2
            finish e1 Build
        "#,
        expect![[r#"
            0:00  start e1..e3
                = e1 in Source (Source …) · e2 before Source · e3 before Source
            0:00  finish e1 Source
                = e1 in Build (Build …) · e2 in Source (Source …) · e3 before Source
            0:00  finish e2 Source
                = e1 in Build (Build …) · e2 before Build · e3 in Source (Source …)
            0:00  finish e3 Source
                = e1 in Build (Build …) · e2 before Build · e3 before Build
            0:00  stop e2
                e2: STOPPING, STOPPED
                = e1 in Build (Build …) · e3 before Build · e2 Stopped before Build
            0:00  finish e1 Build
                e1: Build/Build SUCCEEDED, Build SUCCEEDED, SUCCEEDED
                e3: Build STARTED, Build/Build STARTED
                = e3 in Build (Build …)
        "#]],
    );
}
