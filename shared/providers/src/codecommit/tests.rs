use std::fs;

use model::{ActionCategory, job::FailureType, state::SourceRevisionOverride};

use crate::testing::{Bench, artifact, job};

use super::*;

fn source(more: &[(&str, &str)]) -> Job {
    let mut settings = vec![("RepositoryName", "repo"), ("BranchName", "main")];
    settings.extend(more);
    let mut job = job(ActionCategory::Source, "CodeCommit", &settings);
    job.outputs = vec![artifact("Source")];
    job
}

fn pinned(revision_type: RevisionType, value: &str) -> Job {
    let mut job = source(&[]);
    job.overrides.push(SourceRevisionOverride {
        action_name: "Action".to_owned(),
        revision_type,
        revision_value: value.to_owned(),
    });
    job
}

async fn content(bench: &Bench) -> String {
    let zip = bench.get("artifacts", "web/Source/1234567").await;
    let mut zip = zip::ZipArchive::new(std::io::Cursor::new(zip)).unwrap();
    std::io::read_to_string(zip.by_name("file").unwrap()).unwrap()
}

#[tokio::test]
async fn the_head_of_the_branch_becomes_the_artifact() {
    let bench = Bench::new().await;
    let id = bench.commit("one", "first\n\nWith a body.");
    let output = bench.succeed(&source(&[])).await;
    assert_eq!(content(&bench).await, "one");
    let head = bench.head("artifacts", "web/Source/1234567").await;
    assert_eq!(
        head.metadata.content_type.as_deref(),
        Some("application/zip")
    );

    let message = "first\n\nWith a body.";
    assert_eq!(output.external_execution_id.as_ref(), Some(&id));
    assert_eq!(output.summary.as_deref(), Some(message));
    let revision = output.revision.unwrap();
    assert_eq!(revision.revision_id, id);
    assert_eq!(revision.revision_summary.as_deref(), Some(message));
    assert_eq!(
        revision.revision_change_identifier.as_ref(),
        output.variables.get("CommitterDate")
    );
    assert_eq!(revision.created, Some(Timestamp(1_572_393_600_000)));
    let variables: Vec<_> = output.variables.iter().collect();
    let expected = [
        ("AuthorDate", "2019-10-29T03:32:21Z"),
        ("BranchName", "main"),
        ("CommitId", &id),
        ("CommitMessage", message),
        ("CommitterDate", "2019-10-30T00:00:00Z"),
        ("RepositoryName", "repo"),
    ];
    assert!(
        variables
            .iter()
            .map(|(k, v)| (k.as_str(), v.as_str()))
            .eq(expected)
    );
}

#[tokio::test]
async fn a_job_that_is_done_again_gives_the_commit_that_it_stored() {
    let bench = Bench::new().await;
    bench.commit("one", "first");
    let first = bench.succeed(&source(&[])).await;
    bench.commit("two", "second");
    assert_eq!(bench.succeed(&source(&[])).await, first);
    assert_eq!(content(&bench).await, "one");
}

#[tokio::test]
async fn a_pinned_commit_is_taken_although_the_branch_went_on() {
    let bench = Bench::new().await;
    let first = bench.commit("one", "first");
    bench.commit("two", "second");
    let output = bench.succeed(&pinned(RevisionType::CommitId, &first)).await;
    assert_eq!(output.variables["CommitId"], first);
    assert_eq!(content(&bench).await, "one");
}

#[tokio::test]
async fn a_pinned_commit_that_is_gone_fails_and_nothing_stands_in_for_it() {
    let bench = Bench::new().await;
    bench.commit("one", "first");
    let gone = "0123456789012345678901234567890123456789";
    let error = bench.fail(&pinned(RevisionType::CommitId, gone)).await;
    assert_eq!(error.code, FailureType::RevisionUnavailable);
    assert_eq!(
        error.message,
        format!("repository `repo` has no branch, tag or commit `{gone}`")
    );
    assert_eq!(bench.keys("artifacts").await, [""; 0]);
}

#[tokio::test]
async fn a_reference_says_what_to_clone_and_only_builds_take_it() {
    let bench = Bench::new().await;
    let id = bench.commit("one", "first");
    let format = ("OutputArtifactFormat", "CODEBUILD_CLONE_REF");
    let output = bench.succeed(&source(&[format])).await;
    assert_eq!(output.variables["CommitId"], id);
    let json = bench.get("artifacts", "web/Source/1234567").await;
    let json: BTreeMap<String, String> = serde_json::from_slice(&json).unwrap();
    assert_eq!(json["commitId"], id);
    assert_eq!(json["branchName"], "main");
    assert!(json["repositoryUrl"].starts_with("file:///"));

    let inputs = [artifact("Source")];
    let refused = artifacts::refuse_clone_references(&bench.world, &inputs).await;
    let error = refused.unwrap_err();
    assert_eq!(error.code, FailureType::ConfigurationError);
    assert_eq!(
        error.message,
        "input artifact `Source` is a CODEBUILD_CLONE_REF, which only CodeBuild actions read; set \
         OutputArtifactFormat to CODE_ZIP in its source action"
    );
}

#[tokio::test]
async fn a_folder_without_git_cannot_be_cloned() {
    let bench = Bench::new().await;
    fs::create_dir(bench.file("plain")).unwrap();
    fs::write(bench.file("plain/file"), "plain").unwrap();
    let plain = ("RepositoryName", "plain");
    let output = bench.succeed(&source(&[plain])).await;
    assert_eq!(output.summary.as_deref(), Some("directory plain"));
    assert_eq!(content(&bench).await, "plain");

    let mut job = source(&[plain, ("OutputArtifactFormat", "CODEBUILD_CLONE_REF")]);
    job.outputs = vec![artifact("Other")];
    let error = bench.fail(&job).await;
    assert_eq!(error.code, FailureType::ConfigurationError);
    assert!(
        error.message.ends_with("is no git repository"),
        "{}",
        error.message
    );
}

#[tokio::test]
async fn a_long_message_is_cut_between_characters() {
    let bench = Bench::new().await;
    bench.commit("one", &"ä".repeat(60_000));
    let output = bench.succeed(&source(&[])).await;
    assert_eq!(output.variables["CommitMessage"], "ä".repeat(51_200));
}

#[tokio::test]
async fn a_commit_without_a_message_has_no_summary() {
    let bench = Bench::new().await;
    bench.commit("one", "");
    let output = bench.succeed(&source(&[])).await;
    assert_eq!(output.summary, None);
    assert_eq!(output.variables["CommitMessage"], "");
}

#[tokio::test]
async fn each_mistake_has_its_own_failure() {
    let bench = Bench::new().await;
    bench.commit("one", "first");
    let check = async |job: Job, code, message: &str| {
        let error = bench.fail(&job).await;
        assert_eq!((error.code, error.message.as_str()), (code, message));
    };
    check(
        source(&[("RepositoryName", "other")]),
        FailureType::ConfigurationError,
        "no repository has the name `other`",
    )
    .await;
    check(
        source(&[("BranchName", "other")]),
        FailureType::RevisionUnavailable,
        "repository `repo` has no branch, tag or commit `other`",
    )
    .await;
    check(
        source(&[("OutputArtifactFormat", "TAR")]),
        FailureType::ConfigurationError,
        "`OutputArtifactFormat` must be one of CODE_ZIP, CODEBUILD_CLONE_REF, not `TAR`",
    )
    .await;
    check(
        pinned(RevisionType::ImageDigest, "sha256:1"),
        FailureType::ConfigurationError,
        "a CodeCommit source has no revision of type ImageDigest",
    )
    .await;
}
