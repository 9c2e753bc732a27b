//! What a failure does to the other phases (spec 70 §3).

use expect_test::{Expect, expect};
use pipewright_buildspec::build::{PhaseType, RetryWanted, Status};

use crate::support::Bench;

fn check(buildspec: &str, expected: &Expect) {
    let built = Bench::new(buildspec).build();
    expected.assert_eq(&format!(
        "{}{}\n",
        built.transcript(),
        built.printed().join(" ")
    ));
}

#[test]
fn all_phases_run_in_order_and_those_that_are_not_declared_succeed() {
    check(
        "version: 0.2\nphases:\n  install:\n    commands: echo install\n  build:\n    commands:\n      - echo build\n",
        &expect![[r"
            DOWNLOAD_SOURCE SUCCEEDED
            INSTALL SUCCEEDED
            PRE_BUILD SUCCEEDED
            BUILD SUCCEEDED
            POST_BUILD SUCCEEDED
            UPLOAD_ARTIFACTS SUCCEEDED
            FINALIZING SUCCEEDED
            COMPLETED
            => SUCCEEDED
            install build
        "]],
    );
}

#[test]
fn a_failed_install_skips_everything_that_follows() {
    check(
        "version: 0.2\nphases:\n  install: {commands: [echo one, exit 3, echo two]}\n  build: {commands: [echo build]}\n",
        &expect![[r"
            DOWNLOAD_SOURCE SUCCEEDED
            INSTALL FAILED COMMAND_EXECUTION_ERROR: Error while executing command: exit 3. Reason: exit status 3
            FINALIZING SUCCEEDED
            COMPLETED
            => FAILED
            one
        "]],
    );
}

#[test]
fn a_failed_pre_build_skips_everything_that_follows() {
    check(
        "version: 0.2\nphases:\n  pre_build: {commands: [\"false\"]}\n  build: {commands: [echo build]}\n",
        &expect![[r"
            DOWNLOAD_SOURCE SUCCEEDED
            INSTALL SUCCEEDED
            PRE_BUILD FAILED COMMAND_EXECUTION_ERROR: Error while executing command: false. Reason: exit status 1
            FINALIZING SUCCEEDED
            COMPLETED
            => FAILED

        "]],
    );
}

#[test]
fn after_a_failed_build_post_build_runs_and_knows_of_it() {
    check(
        "version: 0.2\nphases:\n  build: {commands: [echo $CODEBUILD_BUILD_SUCCEEDING, \"false\", echo never]}\n  post_build: {commands: [echo post $CODEBUILD_BUILD_SUCCEEDING]}\n",
        &expect![[r"
            DOWNLOAD_SOURCE SUCCEEDED
            INSTALL SUCCEEDED
            PRE_BUILD SUCCEEDED
            BUILD FAILED COMMAND_EXECUTION_ERROR: Error while executing command: false. Reason: exit status 1
            POST_BUILD SUCCEEDED
            UPLOAD_ARTIFACTS SUCCEEDED
            FINALIZING SUCCEEDED
            COMPLETED
            => FAILED
            1 post 0
        "]],
    );
}

#[test]
fn a_failed_post_build_still_uploads() {
    check(
        "version: 0.2\nphases:\n  post_build: {commands: [\"false\"]}\n",
        &expect![[r"
            DOWNLOAD_SOURCE SUCCEEDED
            INSTALL SUCCEEDED
            PRE_BUILD SUCCEEDED
            BUILD SUCCEEDED
            POST_BUILD FAILED COMMAND_EXECUTION_ERROR: Error while executing command: false. Reason: exit status 1
            UPLOAD_ARTIFACTS SUCCEEDED
            FINALIZING SUCCEEDED
            COMPLETED
            => FAILED

        "]],
    );
}

#[test]
fn abort_ends_the_build_without_post_build_and_upload() {
    check(
        "version: 0.2\nphases:\n  build: {on-failure: ABORT, commands: [\"false\"]}\n  post_build: {commands: [echo post]}\n",
        &expect![[r"
            DOWNLOAD_SOURCE SUCCEEDED
            INSTALL SUCCEEDED
            PRE_BUILD SUCCEEDED
            BUILD FAILED COMMAND_EXECUTION_ERROR: Error while executing command: false. Reason: exit status 1
            FINALIZING SUCCEEDED
            COMPLETED
            => FAILED

        "]],
    );
}

#[test]
fn continue_goes_on_and_the_build_fails_in_the_end() {
    check(
        "version: 0.2\nphases:\n  install: {on-failure: CONTINUE, commands: [\"false\"]}\n  build: {commands: [echo build $CODEBUILD_BUILD_SUCCEEDING]}\n",
        &expect![[r"
            DOWNLOAD_SOURCE SUCCEEDED
            INSTALL FAILED COMMAND_EXECUTION_ERROR: Error while executing command: false. Reason: exit status 1
            PRE_BUILD SUCCEEDED
            BUILD SUCCEEDED
            POST_BUILD SUCCEEDED
            UPLOAD_ARTIFACTS SUCCEEDED
            FINALIZING SUCCEEDED
            COMPLETED
            => FAILED
            build 0
        "]],
    );
}

#[test]
fn finally_runs_whatever_the_commands_did_and_stops_at_its_own_first_failure() {
    check(
        "version: 0.2\nphases:\n  build:\n    commands: [echo one, (exit 4), echo two]\n    finally: [echo three, (exit 5), echo four]\n",
        &expect![[r"
            DOWNLOAD_SOURCE SUCCEEDED
            INSTALL SUCCEEDED
            PRE_BUILD SUCCEEDED
            BUILD FAILED COMMAND_EXECUTION_ERROR: Error while executing command: (exit 4). Reason: exit status 4
            POST_BUILD SUCCEEDED
            UPLOAD_ARTIFACTS SUCCEEDED
            FINALIZING SUCCEEDED
            COMPLETED
            => FAILED
            one three
        "]],
    );
}

#[test]
fn a_failed_finally_fails_the_phase() {
    check(
        "version: 0.2\nphases:\n  pre_build:\n    commands: [echo one]\n    finally: [(exit 5)]\n",
        &expect![[r"
            DOWNLOAD_SOURCE SUCCEEDED
            INSTALL SUCCEEDED
            PRE_BUILD FAILED COMMAND_EXECUTION_ERROR: Error while executing command: (exit 5). Reason: exit status 5
            FINALIZING SUCCEEDED
            COMPLETED
            => FAILED
            one
        "]],
    );
}

const RETRY: &str = "version: 0.2\nphases:\n  build:\n    on-failure: retry-2-exit status 7\n    commands: [(exit 7)]\n  post_build: {commands: [echo post]}\n";

#[test]
fn a_retry_is_wanted_when_the_message_matches() {
    let built = Bench::new(RETRY).build();
    let wanted = RetryWanted {
        phase: PhaseType::Build,
        limit: 2,
        pattern: "exit status 7".to_owned(),
    };
    assert_eq!(built.report.retry_wanted, Some(wanted));
    assert_eq!(
        built.printed(),
        [""; 0],
        "a build that will run again does not go on"
    );
}

#[test]
fn the_last_retry_and_another_message_fail_as_usual() {
    let mut bench = Bench::new(RETRY);
    bench.order.auto_retry_number = 2;
    let built = bench.build();
    assert_eq!(built.report.retry_wanted, None);
    assert_eq!(built.printed(), ["post"]);

    let mut bench = Bench::new(&RETRY.replace("(exit 7)", "(exit 8)"));
    let built = bench.build();
    assert_eq!(built.report.retry_wanted, None);
    assert_eq!(built.report.build_status, Status::Failed);
}

#[test]
fn a_missing_or_bad_buildspec_fails_the_download() {
    let mut bench = Bench::new("ci/missing.yml");
    let text = bench.build().transcript();
    assert!(
        text.starts_with("DOWNLOAD_SOURCE FAILED YAML_FILE_ERROR: stat "),
        "{text}"
    );
    assert!(
        text.contains("/src/ci/missing.yml: no such file or directory\nFINALIZING"),
        "{text}"
    );
    bench.order.buildspec = None;
    bench.source(
        "buildspec.yml",
        "version: 0.2\nbatch: {}\nphases: {biuld: {commands: []}}\n",
    );
    expect![[r"
        DOWNLOAD_SOURCE FAILED YAML_FILE_ERROR: buildspec.yml: line 2, column 1: batch builds are not supported; remove batch, and run one build per action; line 3, column 10: invalid buildspec phase name found: biuld. Expecting: BUILD,INSTALL,POST_BUILD,PRE_BUILD
        FINALIZING SUCCEEDED
        COMPLETED
        => FAILED
    "]]
    .assert_eq(&bench.build().transcript());
    bench.order.buildspec = Some("../outside.yml".to_owned());
    assert!(
        bench
            .build()
            .transcript()
            .contains("is not below the source directory")
    );
    bench.order.buildspec = Some("arn:aws:s3:::bucket/buildspec.yml".to_owned());
    assert!(
        bench
            .build()
            .transcript()
            .contains("is not supported; give its text or a path")
    );
}

#[test]
fn the_sink_hears_of_each_phase_twice() {
    let built = Bench::new("version: 0.2\nphases: {build: {commands: ['true']}}\n").build();
    assert_eq!(
        built.phases.len(),
        15,
        "seven phases begin and end, one is only reached"
    );
    assert_eq!(
        built.phases[0],
        (PhaseType::DownloadSource, Some(Status::InProgress))
    );
    assert_eq!(
        built.phases[1],
        (PhaseType::DownloadSource, Some(Status::Succeeded))
    );
    assert_eq!(built.phases[14], (PhaseType::Completed, None));
}

#[test]
fn the_commands_action_is_a_build_of_one_phase() {
    let mut bench = Bench::new("");
    bench.order.buildspec = None;
    bench.source("a.txt", "a");
    bench.order.commands = Some(pipewright_buildspec::build::Commands {
        commands: vec![
            "export TAG=$(cat a.txt)-1".to_owned(),
            "echo made > made.txt".to_owned(),
        ],
        output_variables: vec![
            "TAG".to_owned(),
            "AWS_REGION".to_owned(),
            "UNSET".to_owned(),
        ],
        files: vec!["**/".to_owned()],
    });
    bench.output("Out");
    let built = bench.build();
    assert_eq!(
        built.report.build_status,
        Status::Succeeded,
        "{:#?}",
        built.lines
    );
    let expected = [("AWS_REGION", "us-east-1"), ("TAG", "a-1")];
    assert_eq!(built.exported().into_iter().collect::<Vec<_>>(), expected);
    assert_eq!(
        crate::support::tree(&bench.unpacked("Out")),
        ["a.txt", "made.txt"]
    );
}

#[test]
fn a_command_of_several_lines_is_refused_in_the_commands_action() {
    let mut bench = Bench::new("");
    bench.order.commands = Some(pipewright_buildspec::build::Commands {
        commands: vec!["echo a\necho b".to_owned()],
        ..Default::default()
    });
    assert!(
        bench
            .build()
            .transcript()
            .contains("has more than one line")
    );
}
