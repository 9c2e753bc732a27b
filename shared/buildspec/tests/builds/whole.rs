//! A whole project, built twice: the way that a user meets all parts at once.

use std::{fs, os::unix::fs::PermissionsExt};

use pipewright_buildspec::build::{Order, Report, Status};

use crate::support::{Bench, tree};

const BUILDSPEC: &str = r#"
version: 0.2
env:
  shell: bash
  variables:
    APP: hello
  exported-variables: [IMAGE_TAG]
phases:
  install:
    runtime-versions: {nodejs: 18.x}
    commands:
      - test -d vendor && echo "vendor from the cache" || { mkdir vendor; echo lib > vendor/lib; }
  pre_build:
    commands:
      - export IMAGE_TAG="$APP-$CODEBUILD_BUILD_NUMBER"
      - cd src
  build:
    commands:
      - |
        mkdir -p ../dist/bin
        printf '#!/bin/sh\necho %s\n' "$APP" > ../dist/bin/$APP
        chmod 755 ../dist/bin/$APP
      - ln -s bin/$APP ../dist/run
    finally:
      - printf '<testsuites><testsuite name="unit"><testcase name="t" time="0.01"/></testsuite></testsuites>' > ../junit.xml
  post_build:
    commands:
      - test "$CODEBUILD_BUILD_SUCCEEDING" = "$EXPECTED"
      - echo "built $IMAGE_TAG in $(basename "$PWD")"
reports:
  unit: {files: junit.xml}
artifacts:
  files: ["**/*"]
  secondary-artifacts:
    Package: {files: ["**/*"], base-directory: dist, enable-symlinks: yes}
    Sources: {files: ["src/**/*"], name: "src-$IMAGE_TAG.zip"}
cache:
  key: v-$(codebuild-hash-files src/main.c)
  paths: ["vendor/**/*"]
"#;

#[test]
fn a_project_is_built_twice_and_the_second_time_from_its_cache() {
    let mut bench = Bench::new(BUILDSPEC);
    bench.source("src/main.c", "int main;\n");
    bench.order.cache = Some(bench.path("cache"));
    bench.order.environment_variables =
        serde_json::from_str(r#"[{"name":"EXPECTED","value":"1"}]"#).expect("variables");
    bench.output("Package");
    bench.output("Sources");
    for number in [1, 2] {
        bench.order.build_number = Some(number);
        // What is ordered and what is answered crosses a process boundary as JSON.
        let text = serde_json::to_string(&bench.order).expect("an order is JSON");
        assert_eq!(
            serde_json::from_str::<Order>(&text).expect("an order"),
            bench.order
        );
        let built = bench.build();
        assert_eq!(
            built.report.build_status,
            Status::Succeeded,
            "{:#?}",
            built.lines
        );
        let cached = built.printed().contains(&"vendor from the cache");
        assert_eq!(cached, number == 2);
        let tag = format!("hello-{number}");
        assert_eq!(built.exported()["IMAGE_TAG"], tag);
        assert!(
            built
                .printed()
                .contains(&format!("built {tag} in src").as_str())
        );
        assert!(
            built
                .said()
                .iter()
                .any(|line| line.starts_with("Skipping install of runtimes."))
        );
        let report = &built.report;
        assert_eq!(
            report.artifacts[1].file_name,
            Some(format!("src-{tag}.zip"))
        );
        assert_eq!((report.reports[0].total, report.reports[0].passed), (1, 1));
        let text = serde_json::to_string(report).expect("a report is JSON");
        assert_eq!(
            &serde_json::from_str::<Report>(&text).expect("a report"),
            report
        );
    }
    let package = bench.unpacked("Package");
    assert_eq!(tree(&package), ["bin/hello", "run -> bin/hello"]);
    let program = fs::metadata(package.join("bin/hello")).expect("a program");
    assert_eq!(program.permissions().mode() & 0o777, 0o755);
    assert_eq!(tree(&bench.unpacked("Sources")), ["src/main.c"]);
}

#[test]
fn a_failing_project_still_reports_and_uploads() {
    let mut bench = Bench::new(&BUILDSPEC.replace("chmod 755", "exit 5; chmod"));
    bench.source("src/main.c", "int main;\n");
    bench.order.build_number = Some(1);
    bench.order.environment_variables =
        serde_json::from_str(r#"[{"name":"EXPECTED","value":"0"}]"#).expect("variables");
    bench.output("Package");
    bench.output("Sources");
    let built = bench.build();
    assert_eq!(built.report.build_status, Status::Failed);
    let failed = built.report.failed_phase().expect("a failed phase");
    assert_eq!(failed.phase_type.as_str(), "BUILD");
    assert!(
        built.printed().contains(&"built hello-1 in src"),
        "{:#?}",
        built.lines
    );
    assert_eq!(built.report.reports[0].total, 1);
    assert_eq!(built.report.artifacts.len(), 2);
}
