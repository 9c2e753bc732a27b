use model::{ActionCategory, job::FailureType, state::SourceRevisionOverride};

use crate::testing::{Bench, artifact, job};

use super::*;

fn source(more: &[(&str, &str)]) -> Job {
    let mut settings = vec![("S3Bucket", "bucket"), ("S3ObjectKey", "app.zip")];
    settings.extend(more);
    let mut job = job(ActionCategory::Source, "S3", &settings);
    job.outputs = vec![artifact("Source")];
    job
}

fn pin(job: &mut Job, revision_type: RevisionType, value: &str) {
    job.overrides.push(SourceRevisionOverride {
        action_name: "Action".to_owned(),
        revision_type,
        revision_value: value.to_owned(),
    });
}

#[tokio::test]
async fn the_newest_version_becomes_the_artifact_byte_by_byte() {
    let bench = Bench::new().await;
    bench.put("bucket", "app.zip", b"old").await;
    let info = bench.put("bucket", "app.zip", b"no zip at all").await;
    let output = bench.succeed(&source(&[])).await;
    assert_eq!(
        bench.get("artifacts", "web/Source/1234567").await,
        b"no zip at all"
    );

    let version = info.version_id.as_str();
    let summary = format!("Amazon S3 version id: {version}");
    assert_eq!(output.external_execution_id.as_deref(), Some(version));
    assert_eq!(output.summary.as_deref(), Some(summary.as_str()));
    let revision = output.revision.unwrap();
    assert_eq!(revision.revision_id, version);
    assert_eq!(revision.revision_summary, Some(summary));
    assert_eq!(
        revision.revision_change_identifier.as_ref(),
        Some(&info.etag)
    );
    assert_eq!(revision.created, Some(info.modified));
    let variables: Vec<_> = output.variables.iter().collect();
    let expected = [
        ("BucketName", "bucket"),
        ("ETag", &info.etag),
        ("ObjectKey", "app.zip"),
        ("VersionId", version),
    ];
    assert!(
        variables
            .iter()
            .map(|(k, v)| (k.as_str(), v.as_str()))
            .eq(expected)
    );
}

#[tokio::test]
async fn a_job_that_is_done_again_gives_the_revision_that_it_stored() {
    let bench = Bench::new().await;
    bench.put("bucket", "app.zip", b"one").await;
    let first = bench.succeed(&source(&[])).await;
    bench.put("bucket", "app.zip", b"two").await;
    assert_eq!(bench.succeed(&source(&[])).await, first);
    assert_eq!(bench.get("artifacts", "web/Source/1234567").await, b"one");
}

#[tokio::test]
async fn a_pinned_version_is_taken_although_newer_ones_are_there() {
    let bench = Bench::new().await;
    let old = bench.put("bucket", "app.zip", b"old").await;
    bench.put("bucket", "app.zip", b"new").await;
    let mut job = source(&[]);
    pin(&mut job, RevisionType::S3ObjectVersionId, &old.version_id);
    let output = bench.succeed(&job).await;
    assert_eq!(output.variables["VersionId"], old.version_id);
    assert_eq!(bench.get("artifacts", "web/Source/1234567").await, b"old");
}

#[tokio::test]
async fn a_pinned_version_that_is_gone_fails_and_nothing_stands_in_for_it() {
    let bench = Bench::new().await;
    bench.put("bucket", "app.zip", b"new").await;
    let mut job = source(&[]);
    pin(&mut job, RevisionType::S3ObjectVersionId, "gone");
    let error = bench.fail(&job).await;
    assert_eq!(error.code, FailureType::RevisionUnavailable);
    assert_eq!(
        error.message,
        "object `app.zip` in bucket `bucket` has no version `gone`"
    );
    assert_eq!(bench.keys("artifacts").await, [""; 0]);
}

#[tokio::test]
async fn another_key_is_taken_only_where_the_action_allows_it() {
    let bench = Bench::new().await;
    bench.put("bucket", "other.zip", b"other").await;
    let mut allowed = source(&[("AllowOverrideForS3ObjectKey", "True")]);
    pin(&mut allowed, RevisionType::S3ObjectKey, "other.zip");
    let mut refused = source(&[]);
    pin(&mut refused, RevisionType::S3ObjectKey, "other.zip");
    let error = bench.fail(&refused).await;
    assert_eq!(error.code, FailureType::ConfigurationError);
    let output = bench.succeed(&allowed).await;
    assert_eq!(output.variables["ObjectKey"], "other.zip");
}

#[tokio::test]
async fn each_mistake_has_its_own_failure() {
    let bench = Bench::new().await;
    let (configuration, unavailable) = (
        FailureType::ConfigurationError,
        FailureType::RevisionUnavailable,
    );
    let check = async |job: Job, code, message: &str| {
        let error = bench.fail(&job).await;
        assert_eq!((error.code, error.message.as_str()), (code, message));
    };
    check(
        source(&[]),
        unavailable,
        "bucket `bucket` has no object `app.zip`",
    )
    .await;
    check(
        source(&[("S3Bucket", "nowhere")]),
        configuration,
        "no bucket has the name `nowhere`",
    )
    .await;
    check(
        source(&[("S3ObjectKey", "")]),
        configuration,
        "the configuration has no `S3ObjectKey`",
    )
    .await;
    check(
        source(&[("PollForSourceChanges", "maybe")]),
        configuration,
        "`PollForSourceChanges` must be `true` or `false`, not `maybe`",
    )
    .await;
    check(
        source(&[("Bucket", "x")]),
        configuration,
        "the configuration has the unknown key `Bucket`; known are S3Bucket, S3ObjectKey, \
         PollForSourceChanges, AllowOverrideForS3ObjectKey",
    )
    .await;
    let mut pinned = source(&[]);
    pin(&mut pinned, RevisionType::CommitId, "abc");
    check(
        pinned,
        configuration,
        "an S3 source has no revision of type CommitId",
    )
    .await;
    let mut two = source(&[]);
    two.outputs.push(artifact("Other"));
    check(
        two,
        configuration,
        "a source action has one output artifact, not 2",
    )
    .await;
}

#[tokio::test]
async fn an_artifact_store_that_is_missing_is_named() {
    let bench = Bench::new().await;
    bench.put("bucket", "app.zip", b"one").await;
    let mut job = source(&[]);
    job.outputs[0].bucket = "nowhere".to_owned();
    let error = bench.fail(&job).await;
    assert_eq!(error.code, FailureType::ConfigurationError);
    assert_eq!(
        error.message,
        "output artifact `Source` cannot be stored: no bucket has the name `nowhere`"
    );
}

#[tokio::test]
async fn somebody_elses_object_in_the_artifacts_place_is_not_taken_for_ours() {
    let bench = Bench::new().await;
    bench.put("bucket", "app.zip", b"one").await;
    bench
        .put("artifacts", "web/Source/1234567", b"planted")
        .await;
    let error = bench.fail(&source(&[])).await;
    assert_eq!(error.code, FailureType::SystemUnavailable);
    assert!(
        error.message.ends_with("is somebody else's"),
        "{}",
        error.message
    );
}

#[tokio::test]
async fn a_bucket_that_keeps_no_versions_is_no_source() {
    let bench = Bench::new().await;
    let mut info = bench.put("bucket", "app.zip", b"bytes").await;
    let job = source(&[]);
    let asked = asked(&job).unwrap();
    check_versioned(&asked, &info).unwrap();
    info.version_id = "null".to_owned();
    let refused = check_versioned(&asked, &info).unwrap_err();
    assert_eq!(refused.code, FailureType::ConfigurationError);
    assert_eq!(
        refused.message,
        "object `app.zip` in bucket `bucket` has no version of its own: turn on versioning for the \
         bucket, and put the object again"
    );
}
