//! Artifacts flow by name within one execution.

use expect_test::expect;

use crate::script::check;

/// spec 20 §6: where an artifact is stored; a source artifact comes with its revision.
#[test]
fn an_artifact_flows_by_name_to_whoever_asks_for_it() {
    check(
        r#"
            pipeline: Source > Build{lint|compile; pack} > Deploy
              Source out src
              lint in src
              compile in src
              compile out bin
              pack in bin
              pack out image
              Deploy in image
              Deploy in src
              Deploy kind Deploy/S3
            start e1
            show e1 Source
            finish e1 Source
            show e1 compile
            finish e1 compile
            finish e1 lint
            show e1 pack
            finish e1 pack
            show e1 Deploy
        "#,
        expect![[r#"
            0:00  start e1
                e1: STARTED, Source STARTED, Source/Source STARTED
                = e1 in Source (Source …)
                the job of Source of e1:
                  out src artifacts/shop/src/Ok3S7pA
                  up to 60 minutes
            0:00  finish e1 Source
                e1: Source/Source SUCCEEDED, Source SUCCEEDED, Build STARTED, Build/lint STARTED, Build/compile STARTED
                = e1 in Build (lint …, compile …)
                the job of compile of e1:
                  in  src artifacts/shop/src/Ok3S7pA at rev-e1-1
                  out bin artifacts/shop/bin/meIq22F
                  up to 2160 minutes
            0:00  finish e1 compile
                e1: Build/compile SUCCEEDED
                = e1 in Build (lint …, compile ✓)
            0:00  finish e1 lint
                e1: Build/lint SUCCEEDED, Build/pack STARTED
                = e1 in Build (lint ✓, compile ✓, pack …)
                the job of pack of e1:
                  in  bin artifacts/shop/bin/meIq22F
                  out image artifacts/shop/image/V6ngHU7
                  up to 2160 minutes
            0:00  finish e1 pack
                e1: Build/pack SUCCEEDED, Build SUCCEEDED, Deploy STARTED, Deploy/Deploy STARTED
                = e1 in Deploy (Deploy …)
                the job of Deploy of e1:
                  in  image artifacts/shop/image/V6ngHU7
                  in  src artifacts/shop/src/Ok3S7pA at rev-e1-1
                  up to 90 minutes
        "#]],
    );
}

/// spec 30 §7, `ALL_ACTIONS`.
#[test]
fn a_retry_stores_its_artifact_elsewhere_and_the_next_stage_takes_the_newest() {
    check(
        r#"
            pipeline: Source > Build{compile; check} > Deploy
              Source out src
              compile in src
              compile out bin
              Deploy in bin
            start e1
            quietly finish e1 Source
            show e1 compile
            quietly finish e1 compile
            quietly fail e1 check
            quietly retry e1 Build all
            show e1 compile
            quietly finish e1 compile
            quietly finish e1 check
            show e1 Deploy
        "#,
        expect![[r#"
            0:00  start e1
                e1: STARTED, Source STARTED, Source/Source STARTED
                = e1 in Source (Source …)
            0:00  finish e1 Source
                = e1 in Build (compile …)
                the job of compile of e1:
                  in  src artifacts/shop/src/Ok3S7pA at rev-e1-1
                  out bin artifacts/shop/bin/meIq22F
                  up to 2160 minutes
            0:00  finish e1 compile
                = e1 in Build (compile ✓, check …)
            0:00  fail e1 check
                = idle
            0:00  retry e1 Build all
                = e1 in Build (compile …, check again)
                the job of compile of e1:
                  in  src artifacts/shop/src/Ok3S7pA at rev-e1-1
                  out bin artifacts/shop/bin/pKyTCkA
                  up to 2160 minutes
            0:00  finish e1 compile
                = e1 in Build (compile ✓, check …)
            0:00  finish e1 check
                = e1 in Deploy (Deploy …)
                the job of Deploy of e1:
                  in  bin artifacts/shop/bin/pKyTCkA
                  up to 2160 minutes
        "#]],
    );
}

/// spec 30 §5.
#[test]
fn an_artifact_that_nobody_made_is_a_configuration_error() {
    check(
        r#"
            pipeline: Source > Build > Deploy
              Deploy in bin
            start e1
            finish e1 Source
            finish e1 Build
        "#,
        expect![[r#"
            0:00  start e1
                e1: STARTED, Source STARTED, Source/Source STARTED
                = e1 in Source (Source …)
            0:00  finish e1 Source
                e1: Source/Source SUCCEEDED, Source SUCCEEDED, Build STARTED, Build/Build STARTED
                = e1 in Build (Build …)
            0:00  finish e1 Build
                e1: Build/Build SUCCEEDED, Build SUCCEEDED, Deploy STARTED, Deploy/Deploy STARTED, Deploy/Deploy FAILED (ConfigurationError: action `Deploy` in stage `Deploy` needs artifact `bin`, which no action of this execution has produced), Deploy FAILED, FAILED
                = idle
        "#]],
    );
}

/// spec 30 §19, rule 8.
#[test]
fn executions_do_not_see_each_others_artifacts() {
    check(
        r#"
            pipeline: Source > Build
              mode PARALLEL
              Source out src
              Build in src
            quietly start e1..e2
            quietly finish e1 Source
            quietly finish e2 Source
            show e1 Build
            show e2 Build
        "#,
        expect![[r#"
            0:00  start e1..e2
                = e1 in Source (Source …) · e2 in Source (Source …)
            0:00  finish e1 Source
                = e1 in Build (Build …) · e2 in Source (Source …)
            0:00  finish e2 Source
                = e1 in Build (Build …) · e2 in Build (Build …)
                the job of Build of e1:
                  in  src artifacts/shop/src/Ok3S7pA at rev-e1-1
                  up to 2160 minutes
                the job of Build of e2:
                  in  src artifacts/shop/src/u5FI509 at rev-e2-1
                  up to 2160 minutes
        "#]],
    );
}
