"""Every operation as it is meant: what it answers, and what it does."""

import uuid

from declarations import action_type, approval, asking, commands, pipeline, plain, stage
from harness import check, holds, same
from suites.repository import head


def release(name):
    """Builds, asks, ships; with all that an action can hand on."""
    build = commands(
        "Compile",
        "export Version=1.0",
        "cp index.html page.html",
        outputArtifacts=[{"name": "Page", "files": ["page.html"]}],
        outputVariables=["Version"],
        namespace="Build",
    )
    ask = approval(
        configuration={
            "CustomData": "Version #{Build.Version} of #{Checkout.CommitId}",
            "ExternalEntityLink": "https://example.com/#{codepipeline.PipelineExecutionId}",
        }
    )
    ship = commands(
        "Ship",
        'test "$Version" = 1.0',
        "test -f page.html",
        inputArtifacts=[{"name": "Page"}],
        environmentVariables=[{"name": "Version", "value": "#{Build.Version}"}],
    )
    return pipeline(
        name,
        stage("Build", build),
        stage("Ask", ask),
        stage("Ship", ship),
        variables=[{"name": "Where", "defaultValue": "here", "description": "The place"}],
    )


@check("a release: create, start, build, approve, ship, and its history")
def whole_release(world):
    client = world.client
    tags = [{"key": "team", "value": "web"}]
    created = client.create_pipeline(pipeline=release("release"), tags=tags)
    same(created["pipeline"]["version"], 1, "the version of a new pipeline")
    same(created["tags"], tags, "the tags of a new pipeline")
    first = world.first("release")
    token = world.token("release")
    found = world.execution("release", first)
    same(found["status"], "InProgress", "an execution that waits for somebody")
    same(found["trigger"]["triggerType"], "CreatePipeline", "why it runs")
    same(found["variables"], [{"name": "Where", "resolvedValue": "here"}], "its variables")
    revision = found["artifactRevisions"][0]
    same(revision["name"], "Site", "the artifact of the source")
    same(revision["revisionId"], head(world), "the commit that runs")
    answered = world.answer("release", token)
    holds("approvedAt" in answered, "an answer has a time")
    source = world.stage("release", "Source")["actionStates"][0]
    same(source["currentRevision"]["revisionId"], head(world), "what the source is at")
    same(source["currentRevision"]["revisionChangeId"], revision["revisionChangeIdentifier"],
         "the sign of its change")
    same(source["latestExecution"]["summary"], revision["revisionSummary"], "its summary")
    same(source["latestExecution"]["externalExecutionId"], head(world), "its execution")
    holds("lastUpdatedBy" not in source["latestExecution"], "nobody moved it on")
    ended = world.ended("release", first, "Succeeded", "Failed")
    same(ended["status"], "Succeeded", "the release")
    asked = world.action("release", "Ask", "Answer")
    same(asked["status"], "Succeeded", "the approval")
    same(asked["summary"], "Approved by the suite", "what the approver said")
    holds(":user/" in asked["lastUpdatedBy"], "who approved")
    holds("token" not in asked, "an answered approval has no token")


@check("history: newest first, with inputs, outputs, variables and artifacts")
def history(world):
    client = world.client
    first = world.first("release")
    listed = client.list_action_executions(
        pipelineName="release", filter={"pipelineExecutionId": first}
    )["actionExecutionDetails"]
    names = [detail["actionName"] for detail in listed]
    same(names, ["Ship", "Answer", "Compile", "Checkout"], "the actions, newest first")
    by_name = {detail["actionName"]: detail for detail in listed}
    build, ask = by_name["Compile"], by_name["Answer"]
    same(build["output"]["outputVariables"], {"Version": "1.0"}, "variables of the build")
    same(build["input"]["namespace"], "Build", "its namespace")
    same(build["output"]["outputArtifacts"][0]["name"], "Page", "its artifact")
    same(build["input"]["inputArtifacts"][0]["name"], "Site", "what it was given")
    raw, resolved = ask["input"]["configuration"], ask["input"]["resolvedConfiguration"]
    same(raw["CustomData"], "Version #{Build.Version} of #{Checkout.CommitId}", "as declared")
    same(resolved["CustomData"], f"Version 1.0 of {head(world)}", "as it was asked")
    holds(resolved["ExternalEntityLink"].endswith(first), "the link is filled in")
    listed = client.list_pipeline_executions(pipelineName="release")["pipelineExecutionSummaries"]
    same(listed[0]["sourceRevisions"][0]["revisionId"], head(world), "the revision of a run")
    holds(listed[0]["startTime"] <= listed[0]["lastUpdateTime"], "it began before it ended")
    kept = client.list_pipeline_executions(
        pipelineName="release", filter={"succeededInStage": {"stageName": "Ship"}}
    )["pipelineExecutionSummaries"]
    same([run["pipelineExecutionId"] for run in kept], [first], "what succeeded in Ship")
    latest = {"pipelineExecutionId": first, "startTimeRange": "Latest"}
    listed = client.list_action_executions(
        pipelineName="release", filter={"latestInPipelineExecution": latest}
    )["actionExecutionDetails"]
    same(len(listed), 4, "the newest run of each action")


@check("a start with variables and a source revision")
def start(world):
    client = world.client
    started = client.start_pipeline_execution(
        name="release",
        variables=[{"name": "Where", "value": "there"}],
        sourceRevisions=[
            {"actionName": "Checkout", "revisionType": "COMMIT_ID", "revisionValue": head(world)}
        ],
    )["pipelineExecutionId"]
    token = world.token("release")
    found = world.execution("release", started)
    same(found["variables"], [{"name": "Where", "resolvedValue": "there"}], "its variables")
    same(found["trigger"]["triggerType"], "StartPipelineExecution", "why it runs")
    holds(":user/" in found["trigger"]["triggerDetail"], "who started it")
    world.answer("release", token, "Rejected")
    same(world.ended("release", started, "Failed", "Succeeded")["status"], "Failed", "a rejection")
    found = world.action("release", "Ask", "Answer")
    same(found["status"], "Failed", "a rejected approval")
    same(found["summary"], "Rejected by the suite", "why")


@check("a failed build: what went wrong, a retry of what failed, and of everything")
def retry(world):
    client = world.client
    failing = stage(
        "Build",
        commands("Good", "true", namespace="Good"),
        commands("Bad", "echo no; exit 3", runOrder=1),
    )
    id = world.create(pipeline("retried", failing))
    world.ended("retried", id, "Failed")
    found = world.action("retried", "Build", "Bad")
    same(found["errorDetails"]["code"], "JobFailed", "why an action failed")
    first = found["actionExecutionId"]

    def good_ended():
        """The other action runs to its end, although the stage has failed already."""
        found = world.action("retried", "Build", "Good")
        return found["actionExecutionId"] if found["status"] == "Succeeded" else None

    good = world.until("the good action to end", good_ended)
    retried = client.retry_stage_execution(
        pipelineName="retried",
        stageName="Build",
        pipelineExecutionId=id,
        retryMode="FAILED_ACTIONS",
    )
    same(retried["pipelineExecutionId"], id, "a retry is the same execution")

    def failed_anew():
        found = world.action("retried", "Build", "Bad")
        return found["status"] == "Failed" and found["actionExecutionId"] != first

    world.until("the retry to fail", failed_anew)
    world.ended("retried", id, "Failed")
    same(world.action("retried", "Build", "Good")["actionExecutionId"], good, "what succeeded")
    metadata = world.stage("retried", "Build")["retryStageMetadata"]
    expected = {"manualStageRetryAttempt": 1, "latestRetryTrigger": "ManualStageRetry"}
    same(metadata, expected, "the metadata of a retry")
    client.retry_stage_execution(
        pipelineName="retried", stageName="Build", pipelineExecutionId=id, retryMode="ALL_ACTIONS"
    )
    world.until(
        "everything to run again",
        lambda: world.action("retried", "Build", "Good")["actionExecutionId"] != good,
    )
    world.ended("retried", id, "Failed")
    world.until("the good action to end", good_ended)
    every = {"pipelineExecutionId": id, "startTimeRange": "All"}
    runs = client.list_action_executions(
        pipelineName="retried", filter={"latestInPipelineExecution": every}
    )["actionExecutionDetails"]
    same(sum(run["actionName"] == "Bad" for run in runs), 3, "all attempts of the bad action")
    same(sum(run["actionName"] == "Good" for run in runs), 2, "all attempts of the good one")


@check("stop and wait, stop and abandon, and the reason")
def stop(world):
    client = world.client
    id = world.create(asking("stopped"))
    token = world.token("stopped")
    answer = client.stop_pipeline_execution(
        pipelineName="stopped", pipelineExecutionId=id, reason="enough"
    )
    same(answer["pipelineExecutionId"], id, "what is stopped")
    same(world.execution("stopped", id)["status"], "Stopping", "an action still runs")
    world.answer("stopped", token)
    world.ended("stopped", id, "Stopped")
    second = client.start_pipeline_execution(name="stopped")["pipelineExecutionId"]
    world.token("stopped")
    client.stop_pipeline_execution(
        pipelineName="stopped", pipelineExecutionId=second, abandon=True, reason="enough"
    )
    world.ended("stopped", second, "Stopped")
    same(world.action("stopped", "Ask", "Answer")["status"], "Abandoned", "what was under way")
    listed = client.list_pipeline_executions(pipelineName="stopped")["pipelineExecutionSummaries"]
    same(listed[0]["stopTrigger"], {"reason": "enough"}, "why it was stopped")


@check("a disabled transition holds an execution until it is enabled")
def transitions(world):
    client = world.client
    where = {"pipelineName": "held", "stageName": "Ask", "transitionType": "Inbound"}
    held = asking("held", executionMode="QUEUED")
    id = world.create(held)
    same(world.stage("held", "Source")["inboundTransitionState"], {"enabled": True}, "at first")
    world.answer("held", world.token("held"))
    world.ended("held", id, "Succeeded")
    client.disable_stage_transition(**where, reason="frozen (until May)")
    second = client.start_pipeline_execution(name="held")["pipelineExecutionId"]

    def waits():
        found = world.stage("held", "Ask")
        return found if "inboundExecution" in found else None

    found = world.until("the execution to stand at the door", waits)
    same(found["inboundExecution"]["pipelineExecutionId"], second, "who waits")
    same(len(found["inboundExecutions"]), 1, "how many wait")
    state = found["inboundTransitionState"]
    same(state["enabled"], False, "the transition")
    same(state["disabledReason"], "frozen (until May)", "why it is disabled")
    holds(":user/" in state["lastChangedBy"], "who disabled it")
    client.enable_stage_transition(**where)
    world.answer("held", world.token("held"))
    world.ended("held", second, "Succeeded")
    state = world.stage("held", "Ask")["inboundTransitionState"]
    same(state["enabled"], True, "the transition")
    holds("disabledReason" not in state, "an enabled transition has no reason")
    client.disable_stage_transition(**{**where, "stageName": "Source", "transitionType": "Outbound"},
                                    reason="outbound")
    state = world.stage("held", "Ask")["inboundTransitionState"]
    same(state["disabledReason"], "outbound", "the outbound of a stage is the inbound of the next")


@check("executions side by side: PARALLEL, whose state is empty, and whose tokens are in the history")
def parallel(world):
    client = world.client
    id = world.create(asking("parallel", executionMode="PARALLEL"))

    def token():
        listed = client.list_action_executions(pipelineName="parallel")["actionExecutionDetails"]
        found = [run for run in listed if run["actionName"] == "Answer"]
        return found[0]["output"]["executionResult"]["externalExecutionId"] if found else None

    found = world.until("somebody to be asked", token)
    state = client.get_pipeline_state(name="parallel")
    same([stage["actionStates"] for stage in state["stageStates"]],
         [[{"actionName": "Checkout"}], [{"actionName": "Answer"}]], "no state")
    same([stage["inboundExecutions"] for stage in state["stageStates"]], [[], []], "nobody waits")
    world.answer("parallel", found)
    world.ended("parallel", id, "Succeeded")


@check("a newer execution supersedes one that waits, and an update cancels")
def superseded(world):
    client = world.client
    first = world.create(asking("superseded"))
    world.token("superseded")
    second = client.start_pipeline_execution(name="superseded")["pipelineExecutionId"]
    world.until("it to wait", lambda: "inboundExecution" in world.stage("superseded", "Ask"))
    third = client.start_pipeline_execution(name="superseded")["pipelineExecutionId"]
    world.ended("superseded", second, "Superseded")
    updated = client.update_pipeline(pipeline=asking("superseded"))["pipeline"]
    same(updated["version"], 2, "the version after an update")
    for id in (third, first):
        world.ended("superseded", id, "Cancelled")
    asked = world.action("superseded", "Ask", "Answer")
    same(asked["status"], "Abandoned", "nobody is asked any more")
    same(world.stage("superseded", "Ask")["latestExecution"]["status"], "Cancelled", "the stage")


@check("versions of a definition, and a deleted pipeline")
def versions(world):
    client = world.client
    changed = plain("versions")
    world.create(changed)
    changed["stages"][1]["name"] = "Decide"
    client.update_pipeline(pipeline=changed)
    current = client.get_pipeline(name="versions")
    same(current["pipeline"]["version"], 2, "the current version")
    same(current["pipeline"]["stages"][1]["name"], "Decide", "its stage")
    before = client.get_pipeline(name="versions", version=1)
    same(before["pipeline"]["stages"][1]["name"], "Ask", "the stage of the first version")
    same(before["metadata"]["pipelineArn"], world.arn("versions"), "the ARN")
    listed = {found["name"]: found for found in client.list_pipelines()["pipelines"]}
    same(listed["versions"]["version"], 2, "the version in the list")
    same(listed["versions"]["pipelineType"], "V1", "the type in the list")
    same(listed["versions"]["executionMode"], "SUPERSEDED", "the mode in the list")
    same(list(listed), sorted(listed), "the order of the list")
    client.delete_pipeline(name="versions")
    world.refused("PipelineNotFoundException", "GetPipeline", name="versions")
    client.delete_pipeline(name="versions")
    world.create(plain("versions"))
    same(client.get_pipeline(name="versions")["pipeline"]["version"], 1, "it begins anew")
    same(len(client.list_pipeline_executions(pipelineName="versions")
             ["pipelineExecutionSummaries"]), 1, "with no history")
    client.delete_pipeline(name="versions")


@check("tags: set, replaced, listed and taken away")
def tags(world):
    client = world.client
    arn = world.arn("release")

    def listed():
        found = client.list_tags_for_resource(resourceArn=arn)["tags"]
        return {tag["key"]: tag["value"] for tag in found}

    same(listed(), {"team": "web"}, "the tags of the creation")
    client.tag_resource(resourceArn=arn, tags=[{"key": "team", "value": "shop"},
                                               {"key": "cost center", "value": ""}])
    same(listed(), {"team": "shop", "cost center": ""}, "after tagging")
    client.untag_resource(resourceArn=arn, tagKeys=["cost center", "absent"])
    same(listed(), {"team": "shop"}, "after untagging")


@check("action types: every built-in one, listed and asked for")
def action_types(world):
    client = world.client
    found = client.list_action_types()["actionTypes"]
    ids = [tuple(sorted(each["id"].items())) for each in found]
    same(len(set(ids)), len(ids), "each type is there once")
    holds(len(found) > 30, f"{len(found)} action types")
    for owner in ("AWS", "ThirdParty", "Custom"):
        listed = client.list_action_types(actionOwnerFilter=owner)["actionTypes"]
        expected = [each for each in found if each["id"]["owner"] == owner]
        same(listed, expected, f"the types of {owner}")
    client.list_action_types(regionFilter=world.region)
    for each in found:
        if each["id"]["owner"] != "Custom":
            answer = client.get_action_type(**each["id"])["actionType"]
            same(answer["id"], each["id"], "the type that was asked for")
    github = client.get_action_type(**action_type("Source", "GitHub", "ThirdParty"))["actionType"]
    secret = {each["name"]: each["noEcho"] for each in github["properties"]}
    same(secret["OAuthToken"], True, "a token is not echoed")


@check("an operation that is not there yet is refused by its name, and an unknown one as well")
def absent_operations(world):
    client = world.loose
    for operation in sorted(set(world.model.operations) - set(world.seen.clients)):
        target = world.raw(operation, {})
        holds(target[0] == 400, f"{operation}: {target}")
        holds(operation.encode() in target[2], f"{operation} is named: {target[2]}")
        holds(b"UnknownOperationException" in target[2], f"{operation}: {target[2]}")
    status, _, body = world.raw("MakeCoffee", {})
    same((status, b"MakeCoffee" in body), (400, True), "an operation that nobody has")
    same(str(uuid.UUID(client.list_pipelines()["ResponseMetadata"]["RequestId"]).version), "4",
         "the version of a request's id")
