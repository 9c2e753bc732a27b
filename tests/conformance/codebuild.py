"""CodeBuild and the logs of its builds, through boto3, against a server that runs.

Endpoint, region and credentials come from the environment (AWS_*). One line a check; the exit
status is 1 when one of them failed.
"""

import io
import sys
import time
import uuid
import zipfile

import boto3
from botocore.exceptions import ClientError

codebuild = boto3.client("codebuild")
logs = boto3.client("logs")
s3 = boto3.client("s3")

# What one run makes has names of its own, so that it can run again on the same server.
RUN = uuid.uuid4().hex[:8]
WAIT_SECONDS = 60
failures = 0

BUILDSPEC = """version: 0.2
env:
  exported-variables: [ANSWER, COLOUR, BUILD_NUMBER]
phases:
  build:
    commands:
      - echo "hello from $CODEBUILD_BUILD_ID"
      - export ANSWER=$((6 * 7))
      - export BUILD_NUMBER=$CODEBUILD_BUILD_NUMBER
"""
LONG = "version: 0.2\nphases:\n  build:\n    commands: ['echo it sleeps', 'sleep 600']\n"


def check(what, holds, told=""):
    global failures
    if holds:
        print(f"ok    {what}")
    else:
        failures += 1
        print(f"FAIL  {what} {told}")


def refused(what, exception, call, **arguments):
    """The call fails with that exception, whose message is not empty."""
    try:
        answer = call(**arguments)
    except ClientError as error:
        found, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
        check(what, found == exception and message, f"{found}: {message}")
        return message
    check(what, False, f"it was not refused: {answer}")
    return ""


def project(name, **more):
    return {
        "name": name,
        "source": {"type": "NO_SOURCE", "buildspec": BUILDSPEC},
        "artifacts": {"type": "NO_ARTIFACTS"},
        "environment": {
            "type": "LINUX_CONTAINER",
            "image": "aws/codebuild/standard:7.0",
            "computeType": "BUILD_GENERAL1_SMALL",
            "environmentVariables": [{"name": "COLOUR", "value": "red", "type": "PLAINTEXT"}],
        },
        "serviceRole": "arn:aws:iam::000000000000:role/build",
        **more,
    }


def build(id):
    return codebuild.batch_get_builds(ids=[id])["builds"][0]


def wait(id, until=lambda build: build["buildComplete"]):
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        found = build(id)
        if until(found) or time.monotonic() > deadline:
            return found
        time.sleep(0.1)


def projects():
    name = f"first-{RUN}"
    sent = project(
        name, description="The first one", tags=[{"key": "team", "value": "web"}],
        timeoutInMinutes=20, cache={"type": "LOCAL", "modes": ["LOCAL_CUSTOM_CACHE"]},
        logsConfig={"cloudWatchLogs": {"status": "ENABLED"}},
    )
    made = codebuild.create_project(**sent)["project"]
    found = codebuild.batch_get_projects(names=[name, made["arn"], "none-such"])
    check("CreateProject answers with what BatchGetProjects finds", found["projects"][0] == made)
    check("a project is found by its ARN", found["projects"][1]["name"] == name)
    check("a name that nobody has is told", found["projectsNotFound"] == ["none-such"])
    same = all(made[key] == value for key, value in sent.items() if key != "environment")
    check("what was sent comes back", same, made)
    environment = made["environment"]
    check("the environment comes back", sent["environment"].items() <= environment.items(), environment)
    check("defaults are CodeBuild's", made["queuedTimeoutInMinutes"] == 480 and made["badge"] == {"badgeEnabled": False})
    check("a project has its times", made["created"] == made["lastModified"])

    changed = codebuild.update_project(name=name, description="Another", tags=[])["project"]
    check("UpdateProject changes what it names", (changed["description"], changed["tags"]) == ("Another", []))
    check("UpdateProject leaves the rest", changed["source"] == made["source"] and changed["timeoutInMinutes"] == 20)
    check("UpdateProject tells when", changed["lastModified"] >= changed["created"])

    second = f"second-{RUN}"
    codebuild.create_project(**project(second))
    listed = [it for it in codebuild.list_projects(sortBy="NAME")["projects"] if it.endswith(RUN)]
    check("ListProjects is in order of name", listed == [name, second], listed)
    newest = codebuild.list_projects(sortBy="CREATED_TIME", sortOrder="DESCENDING")["projects"]
    check("ListProjects is in order of time", newest[:2] == [second, name], newest[:2])
    for _ in range(2):
        codebuild.delete_project(name=second)
    check("DeleteProject removes it, and a second time too", second not in codebuild.list_projects()["projects"])

    many = [f"many-{RUN}-{number:03}" for number in range(101)]
    for each in many:
        codebuild.create_project(**project(each))
    pages = list(codebuild.get_paginator("list_projects").paginate(sortBy="NAME"))
    names = [it for page in pages for it in page["projects"]]
    check("projects come in pages of a hundred", len(pages) > 1 and len(pages[0]["projects"]) == 100)
    check("no project is lost or repeated between pages", [it for it in names if it in many] == many)
    for each in many:
        codebuild.delete_project(name=each)
    return name


def refusals(name):
    invalid = "InvalidInputException"
    create = codebuild.create_project
    refused("a name is taken once", "ResourceAlreadyExistsException", create, **project(name))
    refused("a name has its characters", invalid, create, **project("no name"))
    message = refused(
        "a source that is not there is named", invalid, create,
        **project("x1", source={"type": "GITHUB", "location": "https://github.com/a/b"}),
    )
    check("the refusal says that it is not supported", "not supported yet: source.type GITHUB" in message, message)
    refused("a VPC is refused", invalid, create, **project("x1", vpcConfig={"vpcId": "v"}))
    refused("NO_SOURCE needs a buildspec", invalid, create, **project("x1", source={"type": "NO_SOURCE"}))
    refused(
        "privileged mode is refused", invalid, create,
        **project("x1", environment={**project("x")["environment"], "privilegedMode": True}),
    )
    refused("S3 artifacts that are not packed are refused", invalid, create,
            **project("x1", artifacts={"type": "S3", "location": "b"}))
    refused("a timeout has its bounds", invalid, raw(codebuild).create_project, **project("x1", timeoutInMinutes=4))
    refused("there is something to update", "ResourceNotFoundException", codebuild.update_project, name="none-such")
    refused("an update must fit", invalid, codebuild.update_project, name=name, source={"type": "CODEPIPELINE"})
    refused("a token is one of ours", invalid, codebuild.list_projects, nextToken="nonsense")
    refused("a build has a project", "ResourceNotFoundException", codebuild.start_build, projectName="none-such")
    refused("builds are of a project", "ResourceNotFoundException", codebuild.list_builds_for_project, projectName="none-such")
    refused("only builds are stopped", "ResourceNotFoundException", codebuild.stop_build, id=f"{name}:{uuid.uuid4()}")
    refused("an id is one", invalid, codebuild.stop_build, id="nonsense")
    refused("a source has its version", invalid, codebuild.start_build, projectName=name, sourceVersion="v")
    refused("a variable has a name", invalid, codebuild.start_build, projectName=name,
            environmentVariablesOverride=[{"name": "A=B", "value": ""}])
    refused("what is missing is named", "UnknownOperationException", codebuild.list_fleets)
    refused("logs are read and nothing else", "UnknownOperationException", logs.describe_log_groups)
    pipelines = f"pipeline-{RUN}"
    create(**project(pipelines, source={"type": "CODEPIPELINE"}, artifacts={"type": "CODEPIPELINE"}))
    refused("only a pipeline gives CODEPIPELINE sources", invalid, codebuild.start_build, projectName=pipelines)


def raw(client):
    """The same client, which sends what it is told."""
    from botocore.config import Config

    return boto3.client(client.meta.service_model.service_name, config=Config(parameter_validation=False))


def builds(name):
    started = codebuild.start_build(
        projectName=name,
        environmentVariablesOverride=[{"name": "COLOUR", "value": "blue"}],
    )["build"]
    id = started["id"]
    check("StartBuild answers with a build in progress",
          (started["buildStatus"], started["buildComplete"]) == ("IN_PROGRESS", False), started)
    check("a build is named by its project", id.startswith(f"{name}:") and started["arn"].endswith(f":build/{id}"))
    over = wait(id)
    check("a build succeeds", over["buildStatus"] == "SUCCEEDED", over)
    check("its initiator is the user", over["initiator"] == "administrator", over["initiator"])
    check("it is the first of its project", over["buildNumber"] == 1)
    exported = {it["name"]: it["value"] for it in over["exportedEnvironmentVariables"]}
    check("its exported variables are there", exported == {"ANSWER": "42", "COLOUR": "blue", "BUILD_NUMBER": "1"}, exported)
    phases = [phase["phaseType"] for phase in over["phases"]]
    expected = ["SUBMITTED", "QUEUED", "PROVISIONING", "DOWNLOAD_SOURCE", "INSTALL", "PRE_BUILD",
                "BUILD", "POST_BUILD", "UPLOAD_ARTIFACTS", "FINALIZING", "COMPLETED"]
    check("its phases are CodeBuild's", phases == expected, phases)
    check("each phase but the last succeeded",
          all(phase["phaseStatus"] == "SUCCEEDED" and "durationInSeconds" in phase for phase in over["phases"][:-1]))
    check("it has ended", over["currentPhase"] == "COMPLETED" and over["endTime"] >= over["startTime"])
    check("it has no artifacts", over["artifacts"]["location"] == "")
    check("its ARN finds it", codebuild.batch_get_builds(ids=[over["arn"], "x:y"])["buildsNotFound"] == ["x:y"])
    stopped = codebuild.stop_build(id=id)["build"]
    check("a build that is over stays as it is", stopped["buildStatus"] == "SUCCEEDED")
    read_logs(name, over)
    return id


def read_logs(name, over):
    where = {"logGroupName": over["logs"]["groupName"], "logStreamName": over["logs"]["streamName"]}
    check("the log group is CodeBuild's", where["logGroupName"] == f"/aws/codebuild/{name}")
    whole = logs.get_log_events(**where, startFromHead=True)
    lines = [event["message"] for event in whole["events"]]
    check("the log has what was printed", f"hello from {over['id']}" in lines, lines)
    times = [event["timestamp"] for event in whole["events"]]
    start, end = (int(over[key].timestamp() * 1000) for key in ("startTime", "endTime"))
    check("its lines have times of the build", all(start - 1 <= at <= end + 1 for at in times) and times == sorted(times))
    tail = logs.get_log_events(**where, limit=2)
    check("the last lines come without a place", [event["message"] for event in tail["events"]] == lines[-2:])
    before = logs.get_log_events(**where, limit=2, nextToken=tail["nextBackwardToken"])
    check("a token goes back", [event["message"] for event in before["events"]] == lines[-4:-2])
    paged, token = [], {"startFromHead": True}
    while True:
        page = logs.get_log_events(**where, limit=3, **token)
        if token.get("nextToken") == page["nextForwardToken"]:
            break
        paged += [event["message"] for event in page["events"]]
        token = {"nextToken": page["nextForwardToken"]}
    check("pages have the whole log", paged == lines)
    missing = "ResourceNotFoundException"
    refused("a stream is of its group", missing, logs.get_log_events, **{**where, "logGroupName": "/aws/codebuild/x"})
    refused("a stream is there", missing, logs.get_log_events, **{**where, "logStreamName": "none"})
    refused("a token has its form", "InvalidParameterException", logs.get_log_events, **where, nextToken="x")


def failing(name):
    spec = "version: 0.2\nphases:\n  build:\n    commands: ['false']\n"
    id = codebuild.start_build(projectName=name, buildspecOverride=spec)["build"]["id"]
    over = wait(id)
    bad = next(phase for phase in over["phases"] if phase.get("phaseStatus") == "FAILED")
    check("a command that fails fails the build", over["buildStatus"] == "FAILED" and bad["phaseType"] == "BUILD", over)
    check("the phase says why", bad["contexts"][0]["statusCode"] == "COMMAND_EXECUTION_ERROR", bad)
    again = wait(codebuild.retry_build(id=id)["build"]["id"])
    check("RetryBuild builds the same again", again["buildStatus"] == "FAILED" and again["buildNumber"] == over["buildNumber"] + 1)
    lost = codebuild.start_build(
        projectName=name, sourceTypeOverride="CODECOMMIT", sourceLocationOverride="https://h/none-such")
    over = wait(lost["build"]["id"])
    bad = [phase for phase in over["phases"] if phase.get("phaseStatus") == "FAILED"]
    check("a repository that is not there fails the build", over["buildStatus"] == "FAILED" and
          [phase["phaseType"] for phase in bad] == ["DOWNLOAD_SOURCE"], over["phases"])


def stopping(name):
    token = str(uuid.uuid4())
    ask = {"projectName": name, "buildspecOverride": LONG, "idempotencyToken": token}
    id = codebuild.start_build(**ask)["build"]["id"]
    check("a token starts one build", codebuild.start_build(**ask)["build"]["id"] == id)
    refused("a token is for one request", "InvalidInputException", codebuild.start_build,
            projectName=name, idempotencyToken=token)
    running = wait(id, lambda build: build["currentPhase"] == "BUILD")
    check("a build that runs tells its phase", running["currentPhase"] == "BUILD" and
          "phaseStatus" not in running["phases"][-1], running["phases"])
    codebuild.update_project(name=name, concurrentBuildLimit=1)
    refused("a project may limit its builds", "AccountLimitExceededException", codebuild.start_build, projectName=name)
    codebuild.update_project(name=name, concurrentBuildLimit=9)
    codebuild.stop_build(id=id)
    over = wait(id)
    check("a build is stopped", over["buildStatus"] == "STOPPED" and over["buildComplete"], over)


def lists(name, first):
    ids = codebuild.list_builds_for_project(projectName=name, sortOrder="ASCENDING")["ids"]
    check("ListBuildsForProject begins with the first", ids[0] == first and len(ids) == 5, ids)
    newest = codebuild.list_builds_for_project(projectName=name)["ids"]
    check("the newest come first unless asked otherwise", newest == ids[::-1])
    found = codebuild.list_builds()["ids"]
    check("ListBuilds has them all", [id for id in found if id in ids] == newest)
    numbers = [build["buildNumber"] for build in codebuild.batch_get_builds(ids=ids)["builds"]]
    check("builds are numbered in their project", numbers == [1, 2, 3, 4, 5], numbers)


def buckets():
    bucket = f"builds-{RUN}"
    s3.create_bucket(Bucket=bucket)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as files:
        files.writestr("buildspec.yml", "version: 0.2\nphases:\n  build:\n    commands: ['cp in.txt out.txt']\n"
                       "artifacts:\n  files: [out.txt]\n")
        files.writestr("in.txt", "from a bucket")
    s3.put_object(Bucket=bucket, Key="src/app.zip", Body=archive.getvalue())
    name = f"buckets-{RUN}"
    codebuild.create_project(**project(
        name, source={"type": "S3", "location": f"{bucket}/src/app.zip"},
        artifacts={"type": "S3", "location": bucket, "path": "out", "name": "app.zip", "packaging": "ZIP"}))
    for _ in range(2):
        over = wait(codebuild.start_build(projectName=name)["build"]["id"])
        check("a build from a bucket succeeds, and again", over["buildStatus"] == "SUCCEEDED", over["phases"])
    check("its artifacts say where they are", over["artifacts"]["location"] == f"arn:aws:s3:::{bucket}/out/app.zip")
    made = s3.get_object(Bucket=bucket, Key="out/app.zip")["Body"].read()
    with zipfile.ZipFile(io.BytesIO(made)) as files:
        check("its artifacts are there", files.read("out.txt") == b"from a bucket", files.namelist())


def pipelines():
    bucket, name = f"pipelines-{RUN}", f"action-{RUN}"
    s3.create_bucket(Bucket=bucket)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as files:
        files.writestr("in.txt", "from a pipeline")
    s3.put_object(Bucket=bucket, Key="app.zip", Body=archive.getvalue())
    spec = BUILDSPEC + "artifacts:\n  files: [in.txt]\n"
    codebuild.create_project(**project(
        name, source={"type": "CODEPIPELINE", "buildspec": spec}, artifacts={"type": "CODEPIPELINE"}))
    codepipeline = boto3.client("codepipeline")
    kind = {"owner": "AWS", "version": "1"}
    codepipeline.create_pipeline(pipeline={
        "name": name, "roleArn": "arn:aws:iam::000000000000:role/pipeline",
        "artifactStore": {"type": "S3", "location": bucket},
        "stages": [
            {"name": "Source", "actions": [{
                "name": "Fetch", "actionTypeId": {**kind, "category": "Source", "provider": "S3"},
                "configuration": {"S3Bucket": bucket, "S3ObjectKey": "app.zip", "PollForSourceChanges": "false"},
                "outputArtifacts": [{"name": "Code"}]}]},
            {"name": "Build", "actions": [{
                "name": "Make", "actionTypeId": {**kind, "category": "Build", "provider": "CodeBuild"},
                "configuration": {"ProjectName": name},
                "inputArtifacts": [{"name": "Code"}], "outputArtifacts": [{"name": "Made"}]}]},
        ]})
    ids, deadline = [], time.monotonic() + WAIT_SECONDS
    while not ids and time.monotonic() < deadline:
        time.sleep(0.1)
        ids = codebuild.list_builds_for_project(projectName=name)["ids"]
    over = wait(ids[0])
    check("an action's build is found", over["buildStatus"] == "SUCCEEDED", over["phases"])
    check("its initiator is the pipeline", over["initiator"] == f"codepipeline/{name}", over["initiator"])
    exported = {it["name"]: it["value"] for it in over["exportedEnvironmentVariables"]}
    check("its number is the project's", over["buildNumber"] == 1 and exported["BUILD_NUMBER"] == "1", exported)
    check("its artifacts are the pipeline's", over["artifacts"]["location"].startswith(f"arn:aws:s3:::{bucket}/{name[:20]}"))
    refused("a pipeline's build is retried by the pipeline", "InvalidInputException", codebuild.retry_build, id=ids[0])


def main():
    name = projects()
    refusals(name)
    first = builds(name)
    failing(name)
    stopping(name)
    lists(name, first)
    buckets()
    pipelines()
    print(f"{failures} failed" if failures else "all held")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
