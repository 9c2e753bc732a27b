"""Buckets: a new version of an object starts the pipelines that watch it, and what is deployed is
there. The S3 endpoint itself is driven by `s3.py`."""

import io
import zipfile

import boto3
import botocore.config

from declarations import ROLE, action_type, asking, pipeline, stage
from harness import check, holds, same

def zipped(**files):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, text in files.items():
            archive.writestr(f"{name}.html", text)
    return packed.getvalue()


@check("an uploaded object starts the pipeline that watches it, with its version; it is deployed")
def watched(world):
    # The profile says where S3 is, and that buckets are in paths.
    config = botocore.config.Config(retries={"total_max_attempts": 1})
    s3 = boto3.Session().client("s3", config=config)
    for bucket in ("watched", "deployed"):
        s3.create_bucket(Bucket=bucket)
    s3.put_bucket_versioning(Bucket="watched", VersioningConfiguration={"Status": "Enabled"})
    first = s3.put_object(Bucket="watched", Key="site.zip", Body=zipped(index="one"))["VersionId"]
    deploy = {
        "name": "Upload",
        "actionTypeId": action_type("Deploy", "S3"),
        "configuration": {"BucketName": "deployed", "Extract": "true"},
        "inputArtifacts": [{"name": "Site"}],
        "roleArn": ROLE,
    }
    sent = pipeline("watching", stage("Deploy", deploy))
    sent["stages"][0]["actions"][0] |= {
        "actionTypeId": action_type("Source", "S3"),
        "configuration": {"S3Bucket": "watched", "S3ObjectKey": "site.zip"},
    }
    id = world.create(sent)
    same(world.ended("watching", id, "Succeeded", "Failed")["status"], "Succeeded", "the first run")
    same(s3.get_object(Bucket="deployed", Key="index.html")["Body"].read(), b"one", "the page")
    found = world.execution("watching", id)["artifactRevisions"][0]
    same(found["revisionId"], first, "the version that ran")
    second = s3.put_object(Bucket="watched", Key="site.zip", Body=zipped(index="two"))["VersionId"]

    def runs():
        return world.client.list_pipeline_executions(
            pipelineName="watching")["pipelineExecutionSummaries"]

    world.until("the upload to start the pipeline", lambda: len(runs()) > 1)
    started = runs()[0]
    holds(started["trigger"]["triggerType"] in ("PollForSourceChanges", "CloudWatchEvent"),
          f"why it runs: {started['trigger']}")
    id = started["pipelineExecutionId"]
    same(world.ended("watching", id, "Succeeded", "Failed")["status"], "Succeeded", "that run")
    same(runs()[0]["sourceRevisions"][0]["revisionId"], second, "the version that ran")
    same(s3.get_object(Bucket="deployed", Key="index.html")["Body"].read(), b"two", "the page")
    listed = world.client.list_action_executions(
        pipelineName="watching", filter={"pipelineExecutionId": id})["actionExecutionDetails"]
    same(listed[0]["input"]["roleArn"], ROLE, "the role of an action")
    same(listed[1]["output"]["outputVariables"]["VersionId"], second, "a variable of the source")
    location = listed[1]["output"]["outputArtifacts"][0]["s3location"]
    s3.head_object(Bucket=location["bucket"], Key=location["key"])


@check("a start with an older version of the object")
def older(world):
    s3 = boto3.Session().client("s3")
    versions = s3.list_object_versions(Bucket="watched", Prefix="site.zip")["Versions"]
    oldest = min(versions, key=lambda version: version["LastModified"])["VersionId"]
    override = {"actionName": "Checkout", "revisionType": "S3_OBJECT_VERSION_ID",
                "revisionValue": oldest}
    id = world.client.start_pipeline_execution(
        name="watching", sourceRevisions=[override])["pipelineExecutionId"]
    same(world.ended("watching", id, "Succeeded", "Failed")["status"], "Succeeded", "that run")
    same(s3.get_object(Bucket="deployed", Key="index.html")["Body"].read(), b"one", "the page")


@check("the bucket of artifacts is there when a pipeline names it")
def artifact_bucket(world):
    world.create(asking("bucketed",
                        artifactStore={"type": "S3", "location": "never-made-before"}))
    boto3.Session().client("s3").head_bucket(Bucket="never-made-before")
