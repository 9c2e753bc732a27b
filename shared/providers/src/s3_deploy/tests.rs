use std::fs;

use model::{ActionCategory, job::FailureType};

use crate::testing::{Bench, LINK, artifact, job, zipped};

use super::*;

fn action(settings: &[(&str, &str)]) -> Job {
    let mut all = vec![("BucketName", "bucket")];
    all.extend(settings);
    let mut job = job(ActionCategory::Deploy, "S3", &all);
    job.inputs = vec![artifact("Site")];
    job
}

async fn bench(files: &[(&str, u32, &str)]) -> Bench {
    let bench = Bench::new().await;
    let zip = bench.file("zip");
    zipped(&zip, files);
    let bytes = fs::read(&zip).unwrap();
    bench.put("artifacts", "web/Site/1234567", &bytes).await;
    bench
}

#[tokio::test]
async fn an_artifact_is_deployed_as_one_object() {
    let bench = bench(&[("index.html", 0o644, "<p>")]).await;
    let job = action(&[
        ("Extract", "false"),
        ("ObjectKey", "site-{datetime}-{uuid}.zip"),
        ("CannedACL", "public-read"),
        ("CacheControl", "max-age=60, public"),
        ("KMSEncryptionKeyARN", "alias/key"),
    ]);
    let output = bench.succeed(&job).await;
    let key = format!("site-2019-01-10_07-55-37-{}.zip", job.action_execution_id);
    let info = bench.head("bucket", &key).await;
    assert_eq!(
        info.metadata.content_type.as_deref(),
        Some("application/zip")
    );
    assert_eq!(info.metadata.canned_acl.as_deref(), Some("public-read"));
    assert_eq!(
        info.metadata.cache_control.as_deref(),
        Some("max-age=60, public")
    );
    assert_eq!(info.metadata.kms_key.as_deref(), Some("alias/key"));
    let artifact = bench.get("artifacts", "web/Site/1234567").await;
    assert_eq!(bench.get("bucket", &key).await, artifact);
    assert_eq!(
        output.summary,
        Some(format!("Deployed 1 object to s3://bucket/{key}"))
    );
    assert_eq!(
        output.external_execution_id,
        Some(job.action_execution_id.to_string())
    );

    // Done again, it writes the same object.
    bench.succeed(&job).await;
    assert_eq!(bench.keys("bucket").await, [key]);
}

#[tokio::test]
async fn every_file_of_an_artifact_is_deployed() {
    let files = [
        ("css/", 0o755, ""),
        ("css/main.css", 0o644, "p {}"),
        ("index.html", 0o644, "<p>"),
        ("latest.html", LINK, "index.html"),
    ];
    let bench = bench(&files).await;
    bench.put("bucket", "site/old.html", b"old").await;
    let job = action(&[("Extract", "true"), ("ObjectKey", "site/")]);
    bench.open(&job).await;
    let output = bench.succeed(&job).await;
    assert_eq!(
        output.summary.as_deref(),
        Some("Deployed 3 objects to s3://bucket/site")
    );
    // What is no longer in the artifact stays.
    let expected = [
        "site/css/main.css",
        "site/index.html",
        "site/latest.html",
        "site/old.html",
    ];
    assert_eq!(bench.keys("bucket").await, expected);
    assert_eq!(bench.get("bucket", "site/latest.html").await, b"<p>");
    let info = bench.head("bucket", "site/css/main.css").await;
    assert_eq!(info.metadata.content_type.as_deref(), Some("text/css"));
}

#[tokio::test]
async fn without_a_prefix_files_go_to_the_top_of_the_bucket() {
    let bench = bench(&[("index.html", 0o644, "<p>")]).await;
    let job = action(&[("Extract", "True")]);
    bench.open(&job).await;
    bench.succeed(&job).await;
    assert_eq!(bench.keys("bucket").await, ["index.html"]);
}

#[tokio::test]
async fn nothing_of_a_hostile_archive_is_deployed() {
    let bench = bench(&[("index.html", 0o644, "<p>"), ("../x", 0o644, "x")]).await;
    let job = action(&[("Extract", "true")]);
    bench.open(&job).await;
    let error = bench.fail(&job).await;
    assert_eq!(error.code, FailureType::JobFailed);
    assert_eq!(
        error.message,
        "input artifact `Site` is refused: entry `../x` has a name that leads elsewhere"
    );
    assert_eq!(bench.keys("bucket").await, [""; 0]);
}

#[tokio::test]
async fn an_artifact_that_is_no_zip_is_deployed_only_whole() {
    let bench = Bench::new().await;
    bench.put("artifacts", "web/Site/1234567", b"plain").await;
    let extract = action(&[("Extract", "true")]);
    let error = bench.fail(&extract).await;
    assert_eq!(error.code, FailureType::JobFailed);
    assert!(
        error.message.contains("it is not a ZIP"),
        "{}",
        error.message
    );
    let whole = action(&[("Extract", "false"), ("ObjectKey", "plain.txt")]);
    bench.succeed(&whole).await;
    assert_eq!(bench.get("bucket", "plain.txt").await, b"plain");
}

#[tokio::test]
async fn a_deployment_that_was_abandoned_writes_nothing_more() {
    let bench = bench(&[("index.html", 0o644, "<p>")]).await;
    let job = action(&[("Extract", "true")]);
    let error = bench.fail(&job).await;
    assert_eq!(
        error.message,
        "the deployment was abandoned after 0 of 1 objects"
    );
    assert_eq!(bench.keys("bucket").await, [""; 0]);
}

#[tokio::test]
async fn each_mistake_is_a_configuration_error_that_names_it() {
    let bench = bench(&[("index.html", 0o644, "<p>")]).await;
    for (settings, message) in [
        (vec![], "the configuration has no `Extract`"),
        (
            vec![("Extract", "yes")],
            "`Extract` must be `true` or `false`, not `yes`",
        ),
        (
            vec![("Extract", "false")],
            "the configuration has no `ObjectKey`",
        ),
        (
            vec![("Extract", "true"), ("BucketName", "nowhere")],
            "no bucket has the name `nowhere`",
        ),
        (
            vec![("Extract", "true"), ("CannedACL", "everyone")],
            "`CannedACL` must be one of private, public-read, public-read-write, \
             authenticated-read, aws-exec-read, bucket-owner-read, bucket-owner-full-control, not \
             `everyone`",
        ),
        (
            vec![("Extract", "true"), ("CacheControl", "a\r\nb")],
            "`CacheControl` has a character that no header may have",
        ),
    ] {
        let error = bench.fail(&action(&settings)).await;
        assert_eq!(error.code, FailureType::ConfigurationError);
        assert_eq!(error.message, message);
    }
    let mut two = action(&[("Extract", "true")]);
    two.inputs.push(artifact("Other"));
    let error = bench.fail(&two).await;
    assert_eq!(error.message, "the action takes one input artifact, not 2");
    let mut gone = action(&[("Extract", "true")]);
    gone.inputs = vec![artifact("Gone")];
    let error = bench.fail(&gone).await;
    assert_eq!(error.code, FailureType::ConfigurationError);
}
