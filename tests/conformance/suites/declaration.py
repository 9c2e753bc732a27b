"""What was sent comes back, and nothing is invented: what Terraform's provider lives on.

Its rules are replayed with boto3: create with tags, read, full replacement, tags by Untag and Tag,
a tolerant delete.
"""

import copy

from declarations import BUCKET, ROLE, action_type, approval, asking, commands, pipeline, plain
from declarations import source, stage
from harness import check, holds, same


def filled(declaration, version):
    """A declaration as it is stored: with the values that the service fills in (spec 10 §7)."""
    stored = copy.deepcopy(declaration)
    stored["version"] = version
    stored.setdefault("executionMode", "SUPERSEDED")
    stored.setdefault("pipelineType", "V1")
    for found in stored["stages"]:
        for action in found["actions"]:
            action.setdefault("runOrder", 1)
            action.setdefault("configuration", {})
            action.setdefault("inputArtifacts", [])
            action.setdefault("outputArtifacts", [])
            for variable in action.get("environmentVariables", []):
                variable.setdefault("type", "PLAINTEXT")
    return stored


def rich(world):
    """A declaration in which lists are in no order that somebody would sort them into."""
    build = commands(
        "Zip",
        "true",
        runOrder=2,
        outputArtifacts=[{"name": "Zipped", "files": ["z", "a", "m/**"]}],
        outputVariables=["Z", "A", "M"],
        environmentVariables=[
            {"name": "Z", "value": "#{Checkout.CommitId}", "type": "PLAINTEXT"},
            {"name": "A", "value": "a:b", "type": "SECRETS_MANAGER"},
        ],
        roleArn=ROLE,
        namespace="Zipping",
    )
    first = commands("Alpha", "true", "false", region=world.region, runOrder=999)
    ask = approval("Ask", timeoutInMinutes=5, configuration={"CustomData": "ü " * 9})
    declaration = pipeline(
        "rich",
        stage("Zeta", build, first),
        stage("Alpha", ask, approval("Again", runOrder=3)),
        executionMode="QUEUED",
        variables=[
            {"name": "Z", "defaultValue": "*.*\n"},
            {"name": "A", "description": "no default"},
        ],
    )
    declaration["artifactStores"] = {world.region: declaration.pop("artifactStore")}
    return declaration


@check("a rich declaration comes back as it was sent, in its order")
def comes_back(world):
    sent = rich(world)
    created = world.client.create_pipeline(pipeline=sent)
    same(created["pipeline"], filled(sent, 1), "what CreatePipeline answers")
    holds("tags" not in created, "no tags were sent")
    found = world.client.get_pipeline(name="rich")
    same(found["pipeline"], filled(sent, 1), "what GetPipeline answers")
    same(set(found["metadata"]), {"pipelineArn", "created", "updated"}, "the metadata")
    updated = world.client.update_pipeline(pipeline=found["pipeline"])
    same(updated["pipeline"], filled(sent, 2), "what UpdatePipeline answers")


@check("Terraform: create with tags, read, replace, tag, delete, read")
def terraform(world):
    client = world.client
    sent = pipeline(
        "terraform",
        stage("Build", {
            "name": "Build",
            "actionTypeId": action_type("Build", "CodeBuild"),
            "inputArtifacts": [{"name": "Site"}],
            "outputArtifacts": [{"name": "Built"}],
            "configuration": {"ProjectName": "test"},
            "roleArn": ROLE,
        }),
    )
    # The provider's defaults, which it expects to read again.
    sent |= {"executionMode": "SUPERSEDED", "pipelineType": "V1"}
    created = client.create_pipeline(pipeline=sent, tags=[{"key": "Name", "value": "old"}])
    name = created["pipeline"]["name"]
    read = client.get_pipeline(name=name)
    same(read["pipeline"], filled(sent, 1), "the first read")
    arn = read["metadata"]["pipelineArn"]
    same(arn, world.arn("terraform"), "the ARN")
    same(client.list_tags_for_resource(resourceArn=arn)["tags"],
         [{"key": "Name", "value": "old"}], "the tags")
    replaced = copy.deepcopy(sent)
    replaced["pipelineType"] = "V2"
    replaced["variables"] = [{"name": "V", "defaultValue": "v"}]
    build = replaced["stages"][1]["actions"][0]
    build |= {"name": "Other", "runOrder": 7, "namespace": "Other"}
    del build["roleArn"]
    client.update_pipeline(pipeline=replaced)
    same(client.get_pipeline(name=name)["pipeline"], filled(replaced, 2), "after a replacement")
    # What is not in the replacement is gone.
    client.update_pipeline(pipeline=sent)
    same(client.get_pipeline(name=name)["pipeline"], filled(sent, 3), "after going back")
    client.untag_resource(resourceArn=arn, tagKeys=["Name"])
    client.tag_resource(resourceArn=arn, tags=[{"key": "Owner", "value": "new"}])
    same(client.list_tags_for_resource(resourceArn=arn)["tags"],
         [{"key": "Owner", "value": "new"}], "the tags")
    same(client.get_pipeline(name=name)["pipeline"]["version"], 3, "tags are no version")
    client.delete_pipeline(name=name)
    client.delete_pipeline(name=name)
    world.refused("PipelineNotFoundException", "GetPipeline", name=name)
    world.refused("ResourceNotFoundException", "ListTagsForResource", resourceArn=arn)


def github(name, token="gho_secret", action="GitHub"):
    declaration = plain(name)
    declaration["stages"][0]["actions"] = [{
        "name": action,
        "actionTypeId": action_type("Source", "GitHub", "ThirdParty"),
        "configuration": {
            "Owner": "ada",
            "Repo": "site",
            "Branch": "main",
            "OAuthToken": token,
            "PollForSourceChanges": "false",
        },
        "outputArtifacts": [{"name": "Site"}],
    }]
    return declaration


@check("a secret is shown as ****, kept when **** is sent, and lost when the action is renamed")
def masked(world):
    client = world.client

    def token(answer):
        action = answer["pipeline"]["stages"][0]["actions"][0]
        return action["configuration"]["OAuthToken"]

    same(token(client.create_pipeline(pipeline=github("masked"))), "****", "CreatePipeline")
    same(token(client.get_pipeline(name="masked")), "****", "GetPipeline")
    for asterisks in ("****", "*****"):
        updated = client.update_pipeline(pipeline=github("masked", asterisks))
        same(token(updated), "****", "UpdatePipeline")
    same(token(client.get_pipeline(name="masked", version=1)), "****", "an older version")
    told = world.refused("InvalidActionDeclarationException", "UpdatePipeline",
                         pipeline=github("masked", "****", action="Renamed"))
    holds("'****' may be used in secret properties only when updating" in told, told)
    world.refused("InvalidActionDeclarationException", "CreatePipeline",
                  pipeline=github("other", "****"))
    world.until("the action to have failed", lambda: client.list_action_executions(
        pipelineName="masked")["actionExecutionDetails"])
    for answer in (client.list_action_executions(pipelineName="masked"),
                   client.get_pipeline_state(name="masked")):
        holds("gho_secret" not in str(answer), "the secret is in no answer")
    run = client.list_action_executions(pipelineName="masked")["actionExecutionDetails"][0]
    for configuration in ("configuration", "resolvedConfiguration"):
        same(run["input"][configuration]["OAuthToken"], "****", configuration)


@check("metadata and unknown members in a declaration that is sent back do no harm")
def sent_back(world):
    found = world.client.get_pipeline(name="rich")
    body = {"pipeline": found["pipeline"], "metadata": {"pipelineArn": "x"}}
    status, _, answer = world.raw("UpdatePipeline", body)
    same(status, 200, f"GetPipeline's answer as UpdatePipeline's request: {answer}")


@check("a V1 pipeline takes nothing of V2, and is upgraded only when it says so")
def types(world):
    sent = asking("typed")
    del sent["pipelineType"]
    del sent["executionMode"]
    created = world.client.create_pipeline(pipeline=sent)["pipeline"]
    same(created, filled(sent, 1), "with the defaults")
    same(created["pipelineType"], "V1", "the default")
    for more, exception in [
        ({"executionMode": "QUEUED"}, "InvalidStructureException"),
        ({"variables": [{"name": "V"}]}, "InvalidStructureException"),
        ({"stages": [source(), stage("Run", commands("Run", "true"))]},
         "InvalidActionDeclarationException"),
    ]:
        told = world.refused(exception, "UpdatePipeline", pipeline={**sent, **more})
        holds("can only be used with V2 pipelines" in told, told)
    same(world.client.update_pipeline(pipeline={**sent, "pipelineType": "V2"})["pipeline"],
         filled({**sent, "pipelineType": "V2"}, 2), "upgraded")


@check("a feature that is not there yet is refused by its name, never dropped")
def features(world):
    rule = {
        "name": "Window",
        "ruleTypeId": {"category": "Rule", "owner": "AWS", "provider": "DeploymentWindow",
                       "version": "1"},
        "configuration": {"Cron": "* * * * ? *"},
        "inputArtifacts": [],
    }
    condition = {"conditions": [{"result": "FAIL", "rules": [rule]}]}
    rollback = {"conditions": [{"result": "ROLLBACK", "rules": [rule]}]}
    trigger = {
        "providerType": "CodeStarSourceConnection",
        "gitConfiguration": {"sourceActionName": "Connection",
                             "push": [{"branches": {"includes": ["z", "a"], "excludes": ["b"]}}]},
    }
    connection = {
        "name": "Connection",
        "actionTypeId": action_type("Source", "CodeStarSourceConnection"),
        "configuration": {"ConnectionArn": "arn:aws:codestar-connections:us-east-1:0:connection/x",
                          "FullRepositoryId": "ada/site", "BranchName": "main"},
        "outputArtifacts": [{"name": "Site"}],
    }
    key = {"type": "S3", "location": BUCKET, "encryptionKey": {"id": "alias/k", "type": "KMS"}}
    ask = approval()
    connected = asking("featured", triggers=[trigger])
    connected["stages"][0]["actions"] = [connection]
    told = []
    for number, sent in enumerate([
        pipeline("featured", stage("Ask", ask, beforeEntry=condition)),
        pipeline("featured", stage("Ask", ask, onSuccess=condition)),
        pipeline("featured", stage("Ask", ask, onFailure=rollback)),
        pipeline("featured", stage("Ask", ask, onFailure={"result": "ROLLBACK"})),
        pipeline("featured", stage("Ask", ask, onFailure={
            "result": "RETRY", "retryConfiguration": {"retryMode": "ALL_ACTIONS"}})),
        connected,
        {**asking("featured"), "artifactStore": key},
    ]):
        sent["name"] = f"featured{number}"
        try:
            answer = world.client.create_pipeline(pipeline=sent)["pipeline"]
        except world.client.exceptions.ClientError as error:
            told.append(error.response["Error"]["Message"])
            holds("not supported yet" in told[-1], told[-1])
        else:
            same(answer, filled(sent, 1), "what was sent comes back")
