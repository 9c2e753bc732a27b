//! What goes into an artifact (spec 70 §6.1).

use std::{fs, os::unix::fs::PermissionsExt};

use pipewright_buildspec::build::Status;

use crate::support::{Bench, Built, tree};

/// Builds with an `artifacts` block; the commands make the files.
fn built(commands: &str, artifacts: &str, outputs: &[&str]) -> (Bench, Built) {
    let buildspec = format!(
        "version: 0.2\nphases: {{build: {{commands: ['{commands}']}}}}\nartifacts:\n{artifacts}"
    );
    let mut bench = Bench::new(&buildspec);
    for output in outputs {
        bench.output(output);
    }
    let built = bench.build();
    (bench, built)
}

const FILES: &str = "mkdir -p dist/css .git a/b; echo 1 > dist/app; chmod 755 dist/app; echo 2 > dist/css/x.css; echo 3 > .git/config; echo 4 > .env; echo 5 > a/b/x.css";

#[test]
fn a_star_stays_in_its_directory_and_two_cross_them() {
    let (bench, built) = built(FILES, "  files: ['dist/*', '**/x.css']\n", &["Out"]);
    assert_eq!(
        built.report.build_status,
        Status::Succeeded,
        "{}",
        built.transcript()
    );
    let unpacked = bench.unpacked("Out");
    assert_eq!(tree(&unpacked), ["a/b/x.css", "dist/app", "dist/css/x.css"]);
    let mode = fs::metadata(unpacked.join("dist/app"))
        .expect("a file")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o755);
    let artifact = &built.report.artifacts[0];
    assert_eq!((artifact.name.as_str(), artifact.files), ("Out", 3));
    assert_eq!(
        artifact.bytes,
        fs::metadata(&artifact.location).expect("a file").len()
    );
}

#[test]
fn everything_means_dot_files_too_and_exclusions_take_away() {
    let (bench, _) = built(
        FILES,
        "  files: '**/*'\n  exclude-paths: ['.git/**/*', '**/*.css']\n",
        &["Out"],
    );
    assert_eq!(tree(&bench.unpacked("Out")), [".env", "dist/app"]);
}

#[test]
fn base_directories_drop_out_of_the_names_and_may_be_patterns() {
    let (bench, _) = built(
        FILES,
        "  files: ['**/*']\n  base-directory: dist\n",
        &["Out"],
    );
    assert_eq!(tree(&bench.unpacked("Out")), ["app", "css/x.css"]);
    let (bench, _) = built(
        "mkdir -p my-build1/x my-build2 other; touch my-build1/x/1 my-build2/2 other/3",
        "  files: ['**/*']\n  base-directory: 'my-build*'\n",
        &["Out"],
    );
    assert_eq!(tree(&bench.unpacked("Out")), ["2", "x/1"]);
}

#[test]
fn discarded_paths_leave_names() {
    let (bench, _) = built(
        FILES,
        "  files: ['dist/**/*']\n  discard-paths: yes\n",
        &["Out"],
    );
    assert_eq!(tree(&bench.unpacked("Out")), ["app", "x.css"]);
}

const LINKS: &str = "mkdir -p d; echo 1 > d/f; ln -s f d/l; ln -s d dl; ln -s /etc/hostname out; ln -s nowhere dead; ln -s .. d/up";

#[test]
fn links_are_followed_or_kept_as_the_buildspec_says() {
    let (bench, built) = built(LINKS, "  files: ['**/*']\n", &["Out"]);
    assert_eq!(
        tree(&bench.unpacked("Out")),
        ["d/f", "d/l", "dl/f", "dl/l", "out"]
    );
    assert!(
        built
            .said()
            .iter()
            .any(|line| line.ends_with("leads nowhere, in a circle, or is no file"))
    );
    let (bench, _) = self::built(
        LINKS,
        "  files: ['**/*']\n  enable-symlinks: yes\n",
        &["Out"],
    );
    assert_eq!(
        tree(&bench.unpacked("Out")),
        ["d/f", "d/l -> f", "d/up -> ..", "dl -> d", "out"]
    );
}

#[test]
fn several_outputs_are_the_secondary_artifacts_of_their_names() {
    let artifacts = "  files: ['.env']\n  secondary-artifacts:\n    One: {files: ['dist/app'], discard-paths: yes}\n    Two: {files: ['**/*'], base-directory: a, name: 'n-$CODEBUILD_BUILD_ID'}\n";
    let (bench, built) = built(FILES, artifacts, &["Two", "One"]);
    assert_eq!(tree(&bench.unpacked("One")), ["app"]);
    assert_eq!(tree(&bench.unpacked("Two")), ["b/x.css"]);
    assert_eq!(
        built.report.artifacts[0].file_name.as_deref(),
        Some("n-demo:6f0f8a3e")
    );
    let (_, built) = self::built(FILES, artifacts, &["One", "Three"]);
    assert!(built.transcript().contains(
        "UPLOAD_ARTIFACTS FAILED CLIENT_ERROR: no artifact is defined for the output Three"
    ));
}

#[test]
fn no_match_at_all_fails_and_one_pattern_without_a_match_does_not() {
    let (_, built) = built(FILES, "  files: ['*.exe', 'bin/missing']\n", &["Out"]);
    assert!(
        built
            .transcript()
            .contains("UPLOAD_ARTIFACTS FAILED CLIENT_ERROR: no matching artifact paths found")
    );
    assert!(
        built
            .said()
            .contains(&"Skipping invalid file path bin/missing")
    );
    let (_, built) = self::built(FILES, "  files: ['*.exe', 'dist/app']\n", &["Out"]);
    assert_eq!(built.report.build_status, Status::Succeeded);
    let (_, built) = self::built(
        FILES,
        "  files: ['*']\n  base-directory: no/where\n",
        &["Out"],
    );
    assert!(
        built
            .transcript()
            .contains("no matching base directory path found for no/where")
    );
    let (_, built) = self::built(FILES, "  files: ['a/[']\n", &["Out"]);
    assert!(
        built
            .transcript()
            .contains("the pattern \"a/[\" cannot be read")
    );
}

#[test]
fn an_ordered_artifact_that_no_buildspec_defines_is_a_failure_and_an_unordered_one_is_not_made() {
    let mut bench = Bench::new("version: 0.2\nphases: {build: {commands: [echo]}}\n");
    bench.output("Out");
    assert!(
        bench
            .build()
            .transcript()
            .contains("no matching artifact paths found")
    );
    let (_, built) = built(FILES, "  files: ['*.exe']\n", &[]);
    assert_eq!(built.report.build_status, Status::Succeeded);
    assert_eq!(built.report.artifacts, []);
}

#[test]
fn patterns_start_at_the_source_whatever_directory_the_shell_is_in() {
    let (bench, _) = built(
        "mkdir d; cd d; touch inner ../outer",
        "  files: ['*']\n",
        &["Out"],
    );
    assert_eq!(tree(&bench.unpacked("Out")), ["outer"]);
}

#[test]
fn the_artifact_of_a_failed_build_is_written_all_the_same() {
    let (bench, built) = built("touch log.txt; exit 1", "  files: ['log.txt']\n", &["Out"]);
    assert_eq!(built.report.build_status, Status::Failed);
    assert_eq!(tree(&bench.unpacked("Out")), ["log.txt"]);
}

#[test]
fn equal_files_make_equal_archives() {
    let digest = || {
        built(FILES, "  files: ['**/*']\n", &["Out"])
            .1
            .report
            .artifacts[0]
            .sha256
            .clone()
    };
    assert_eq!(digest(), digest());
}
