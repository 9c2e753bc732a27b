"""Who may do what, as real clients ask it: signatures, sessions, clocks and policies."""

import contextlib
import datetime
import json
import time
import uuid

import botocore.auth
from botocore import UNSIGNED
from botocore.credentials import Credentials

from declarations import asking, plain
from harness import Refused, check, holds, same

SKEW_MAX = datetime.timedelta(minutes=5)


@contextlib.contextmanager
def clock(shift):
    """Botocore's clock, set forward or back."""
    real = botocore.auth.get_current_datetime
    botocore.auth.get_current_datetime = lambda: real() + shift
    try:
        yield
    finally:
        botocore.auth.get_current_datetime = real


@check("a wrong secret, an unknown key, and nobody at all")
def strangers(world):
    key = world.key
    wrong = world.make_client(Credentials(key.access_key, key.secret_key[::-1]))
    told = world.refused("InvalidSignatureException", "ListPipelines", wrong)
    holds(key.secret_key not in told, "the secret is not told")
    unknown = world.make_client(Credentials("PWKAQQQQQQQQQQQQQQQQ", key.secret_key))
    world.refused("UnrecognizedClientException", "ListPipelines", unknown)
    nobody = world.make_client(signature_version=UNSIGNED)
    world.refused("MissingAuthenticationTokenException", "ListPipelines", nobody)
    token = world.make_client(Credentials(key.access_key, key.secret_key, "not-a-session"))
    world.refused("UnrecognizedClientException", "ListPipelines", token)


@check("a clock that is wrong by more than five minutes, and one that is wrong by less")
def skew(world):
    little = datetime.timedelta(seconds=30)
    for shift in (SKEW_MAX + little, -SKEW_MAX - little):
        with clock(shift):
            world.refused("InvalidSignatureException", "ListPipelines")
    for shift in (SKEW_MAX - little, little - SKEW_MAX):
        with clock(shift):
            world.client.list_pipelines()


@check("a signature for another Region or service, and a body that was changed on the way")
def scope(world):
    other = botocore.auth.SigV4Auth(world.key, "codepipeline", "moon-east-1")
    request = botocore.awsrequest.AWSRequest(
        "POST", world.endpoint + "/", {"X-Amz-Target": "CodePipeline_20150709.ListPipelines"}, b"{}"
    )
    other.add_auth(request)
    status, _, body = world._send(b"{}", dict(request.headers))
    same((status, json.loads(body)["__type"]), (400, "InvalidSignatureException"), "the Region")
    request = botocore.awsrequest.AWSRequest(
        "POST", world.endpoint + "/", {"X-Amz-Target": "CodePipeline_20150709.GetPipeline"},
        b'{"name":"aa"}',
    )
    botocore.auth.SigV4Auth(world.key, "codepipeline", world.region).add_auth(request)
    status, _, body = world._send(b'{"name":"bb"}', dict(request.headers))
    same((status, json.loads(body)["__type"]), (400, "InvalidSignatureException"), "the body")


@check("a session has an end, and its key is nothing without its token")
def sessions(world):
    everything = {"Effect": "Allow", "Action": "codepipeline:*", "Resource": "*"}
    session = world.issue_key("visitor", everything, seconds=900)
    holds(session.token, "a session has a token")
    world.make_client(session).list_pipelines()
    for token in (None, session.token[:-4] + "AAAA"):
        bare = world.make_client(Credentials(session.access_key, session.secret_key, token))
        world.refused("UnrecognizedClientException", "ListPipelines", bare)
    short = world.make_client(world.issue_key("visitor", everything, seconds=1))
    time.sleep(1.1)
    world.refused("ExpiredTokenException", "ListPipelines", short)


def denied(world, client, operation, resource, **parameters):
    told = world.refused("AccessDeniedException", operation, client, **parameters)
    words = f"is not authorized to perform: codepipeline:{operation} on resource: {resource}"
    holds(told.startswith("User: arn:aws:iam::000000000000:user/"), told)
    holds(words in told, told)
    return told


@check("a key that may only read")
def reader(world):
    world.create(plain("guarded"))
    key = world.issue_key("reader", {"Effect": "Allow", "Resource": "*",
                                     "Action": ["codepipeline:Get*", "codepipeline:List*"]})
    client = world.make_client(key)
    client.list_pipelines()
    client.get_pipeline(name="guarded")
    client.list_action_types()
    client.list_tags_for_resource(resourceArn=world.arn("guarded"))
    arn = world.arn("guarded")
    run = {"pipelineName": "guarded", "pipelineExecutionId": str(uuid.UUID(int=0))}
    stage = {"pipelineName": "guarded", "stageName": "Ask"}
    for operation, resource, parameters in [
        ("CreatePipeline", world.arn("new"), {"pipeline": plain("new")}),
        ("UpdatePipeline", arn, {"pipeline": plain("guarded")}),
        ("DeletePipeline", arn, {"name": "guarded"}),
        ("StartPipelineExecution", arn, {"name": "guarded"}),
        ("StopPipelineExecution", arn, run),
        ("RetryStageExecution", f"{arn}/Ask", {**stage, **run, "retryMode": "ALL_ACTIONS"}),
        ("EnableStageTransition", f"{arn}/Ask", {**stage, "transitionType": "Inbound"}),
        ("DisableStageTransition", f"{arn}/Ask",
         {**stage, "transitionType": "Inbound", "reason": "r"}),
        ("PutApprovalResult", f"{arn}/Ask/Answer",
         {**stage, "actionName": "Answer", "token": str(uuid.UUID(int=0)),
          "result": {"status": "Approved", "summary": ""}}),
        ("TagResource", arn, {"resourceArn": arn, "tags": []}),
        ("UntagResource", arn, {"resourceArn": arn, "tagKeys": []}),
    ]:
        told = denied(world, client, operation, resource, **parameters)
        holds("no policy of the key allows" in told, told)
    try:
        world.own("CreateAccessKey", {"userName": "friend", "policies": []}, key)
    except Refused as error:
        same(error.exception, "AccessDeniedException", "a reader gives out no keys")
    else:
        raise AssertionError("a reader gave out a key")


@check("who may do nothing is told nothing: not what is there, not what is wrong")
def stranger(world):
    client = world.make_client(world.issue_key("nobody"))
    for name in ("guarded", "absent"):
        denied(world, client, "GetPipeline", world.arn(name), name=name)
    denied(world, client, "ListPipelines", "*")
    denied(world, client, "ListActionTypes", "*")


@check("a key of one pipeline, an explicit deny, and conditions on tags")
def narrow(world):
    world.create(asking("mine"), tags=[{"key": "team", "value": "web"}])
    client = world.make_client(world.issue_key(
        "web",
        {"Effect": "Allow", "Action": "codepipeline:*", "Resource": world.arn("mine") + "*"},
        {"Sid": "NoDelete", "Effect": "Deny", "Action": "codepipeline:DeletePipeline",
         "Resource": "*"},
    ))
    client.get_pipeline(name="mine")
    token = world.token("mine")
    client.put_approval_result(
        pipelineName="mine", stageName="Ask", actionName="Answer", token=token,
        result={"status": "Approved", "summary": ""})
    denied(world, client, "GetPipeline", world.arn("guarded"), name="guarded")
    told = denied(world, client, "DeletePipeline", world.arn("mine"), name="mine")
    holds("explicit deny in the statement `NoDelete`" in told, told)
    by_tag = world.make_client(world.issue_key(
        "tagged", {"Effect": "Allow", "Action": "codepipeline:Get*", "Resource": "*",
                   "Condition": {"StringEquals": {"aws:ResourceTag/team": "web"}}}))
    by_tag.get_pipeline_state(name="mine")
    denied(world, by_tag, "GetPipelineState", world.arn("guarded"), name="guarded")


@check("a key that is disabled, and one that is deleted")
def gone(world):
    key = world.issue_key("passing", {"Effect": "Allow", "Action": "codepipeline:*",
                                      "Resource": "*"})
    client = world.make_client(key)
    client.list_pipelines()
    world.own("UpdateAccessKey", {"accessKeyId": key.access_key, "status": "Inactive"})
    world.refused("UnrecognizedClientException", "ListPipelines", client)
    world.own("UpdateAccessKey", {"accessKeyId": key.access_key, "status": "Active"})
    client.list_pipelines()
    world.own("DeleteAccessKey", {"accessKeyId": key.access_key})
    world.refused("UnrecognizedClientException", "ListPipelines", client)
