//! An execution passes through its stages (spec 30 §2, §5).

use expect_test::expect;

use crate::script::check;

/// spec 30 §2; the order of the events is that of spec 40 §2.
#[test]
fn an_execution_goes_from_stage_to_stage_and_succeeds() {
    check(
        r#"
            pipeline: Source > Build > Deploy
            start e1
            wait 1m
            finish e1 Source
            wait 5m
            finish e1 Build
            wait 2m
            finish e1 Deploy
        "#,
        expect![[r#"
            0:00  start e1
                e1: STARTED, Source STARTED, Source/Source STARTED
                = e1 in Source (Source …)
            0:01  finish e1 Source
                e1: Source/Source SUCCEEDED, Source SUCCEEDED, Build STARTED, Build/Build STARTED
                = e1 in Build (Build …)
            0:06  finish e1 Build
                e1: Build/Build SUCCEEDED, Build SUCCEEDED, Deploy STARTED, Deploy/Deploy STARTED
                = e1 in Deploy (Deploy …)
            0:08  finish e1 Deploy
                e1: Deploy/Deploy SUCCEEDED, Deploy SUCCEEDED, SUCCEEDED
                = idle
        "#]],
    );
}

/// spec 30 §2.3.
#[test]
fn all_source_actions_run_and_the_next_stage_waits_for_the_last() {
    check(
        r#"
            pipeline: Source{code|config} > Build
            start e1
            finish e1 code
            finish e1 config
        "#,
        expect![[r#"
            0:00  start e1
                e1: STARTED, Source STARTED, Source/code STARTED, Source/config STARTED
                = e1 in Source (code …, config …)
            0:00  finish e1 code
                e1: Source/code SUCCEEDED
                = e1 in Source (code ✓, config …)
            0:00  finish e1 config
                e1: Source/config SUCCEEDED, Source SUCCEEDED, Build STARTED, Build/Build STARTED
                = e1 in Build (Build …)
        "#]],
    );
}

/// spec 30 §2.3, §12.
#[test]
fn a_revision_that_the_start_names_is_pinned_for_its_action() {
    check(
        r#"
            pipeline: Source{code|config} > Build
            start e1 revision:code=abc
            show e1 code
            show e1 config
        "#,
        expect![[r#"
            0:00  start e1 revision:code=abc
                e1: STARTED, Source STARTED, Source/code STARTED, Source/config STARTED
                = e1 in Source (code …, config …)
                the job of code of e1:
                  pinned S3ObjectVersionId abc
                  up to 60 minutes
                the job of config of e1:
                  up to 60 minutes
        "#]],
    );
}

/// spec 30 §5.
#[test]
fn actions_of_one_group_run_together_and_groups_follow_each_other() {
    check(
        r#"
            pipeline: Source > Build{lint|test; pack; sign|scan}
            start e1
            finish e1 Source
            finish e1 test
            finish e1 lint
            finish e1 pack
            finish e1 scan
            finish e1 sign
        "#,
        expect![[r#"
            0:00  start e1
                e1: STARTED, Source STARTED, Source/Source STARTED
                = e1 in Source (Source …)
            0:00  finish e1 Source
                e1: Source/Source SUCCEEDED, Source SUCCEEDED, Build STARTED, Build/lint STARTED, Build/test STARTED
                = e1 in Build (lint …, test …)
            0:00  finish e1 test
                e1: Build/test SUCCEEDED
                = e1 in Build (lint …, test ✓)
            0:00  finish e1 lint
                e1: Build/lint SUCCEEDED, Build/pack STARTED
                = e1 in Build (lint ✓, test ✓, pack …)
            0:00  finish e1 pack
                e1: Build/pack SUCCEEDED, Build/sign STARTED, Build/scan STARTED
                = e1 in Build (lint ✓, test ✓, pack ✓, sign …, scan …)
            0:00  finish e1 scan
                e1: Build/scan SUCCEEDED
                = e1 in Build (lint ✓, test ✓, pack ✓, sign …, scan ✓)
            0:00  finish e1 sign
                e1: Build/sign SUCCEEDED, Build SUCCEEDED, SUCCEEDED
                = idle
        "#]],
    );
}

#[test]
fn a_worker_may_tell_how_far_it_is() {
    check(
        r#"
            pipeline: Source > Build
            start e1
            finish e1 Source
            progress e1 Build 40
            progress e1 Build 80
            finish e1 Build
            progress e1 Build 90
        "#,
        expect![[r#"
            0:00  start e1
                e1: STARTED, Source STARTED, Source/Source STARTED
                = e1 in Source (Source …)
            0:00  finish e1 Source
                e1: Source/Source SUCCEEDED, Source SUCCEEDED, Build STARTED, Build/Build STARTED
                = e1 in Build (Build …)
            0:00  progress e1 Build 40
                e1: note Build 40%
                = e1 in Build (Build …)
            0:00  progress e1 Build 80
                e1: note Build 80%
                = e1 in Build (Build …)
            0:00  finish e1 Build
                e1: Build/Build SUCCEEDED, Build SUCCEEDED, SUCCEEDED
                = idle
            0:00  progress e1 Build 90
                = idle
        "#]],
    );
}

/// spec 30 §2.
#[test]
fn the_same_revision_may_be_released_again() {
    check(
        r#"
            pipeline: Source > Deploy
            start e1
            finish e1 Source
            finish e1 Deploy
            start e2
            finish e2 Source
            finish e2 Deploy
        "#,
        expect![[r#"
            0:00  start e1
                e1: STARTED, Source STARTED, Source/Source STARTED
                = e1 in Source (Source …)
            0:00  finish e1 Source
                e1: Source/Source SUCCEEDED, Source SUCCEEDED, Deploy STARTED, Deploy/Deploy STARTED
                = e1 in Deploy (Deploy …)
            0:00  finish e1 Deploy
                e1: Deploy/Deploy SUCCEEDED, Deploy SUCCEEDED, SUCCEEDED
                = idle
            0:00  start e2
                e2: STARTED, Source STARTED, Source/Source STARTED
                = e2 in Source (Source …)
            0:00  finish e2 Source
                e2: Source/Source SUCCEEDED, Source SUCCEEDED, Deploy STARTED, Deploy/Deploy STARTED
                = e2 in Deploy (Deploy …)
            0:00  finish e2 Deploy
                e2: Deploy/Deploy SUCCEEDED, Deploy SUCCEEDED, SUCCEEDED
                = idle
        "#]],
    );
}
