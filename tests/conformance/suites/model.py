"""The judge is judged: what the model must find in a response, it finds."""

import copy
import json

from harness import check, holds, same
from model import MEDIA_TYPE

HEADERS = {
    "Content-Type": MEDIA_TYPE,
    "x-amzn-RequestId": "5b1f6f0e-54f7-4c0a-9d58-1d7b8f4c2a11",
}

GOOD = {
    "pipelineName": "web",
    "pipelineVersion": 1,
    "created": 1586273484.137,
    "stageStates": [{
        "stageName": "Build",
        "inboundTransitionState": {"enabled": True},
        "latestExecution": {
            "pipelineExecutionId": "5b1f6f0e-54f7-4c0a-9d58-1d7b8f4c2a11",
            "status": "Succeeded",
        },
    }],
}


def found(world, answer):
    body = json.dumps(answer).encode()
    return world.model.check("GetPipelineState", 200, HEADERS, body)


@check("a response that fits, and one for each way in which it may not")
def judged(world):
    wrong, fields, error = found(world, GOOD)
    same((wrong, error), ([], None), "a response that fits")
    holds("stageStates[].latestExecution.status" in fields, f"the fields are seen: {fields}")

    def spoilt(change):
        answer = copy.deepcopy(GOOD)
        change(answer, answer["stageStates"][0])
        return found(world, answer)[0]

    for change, words in [
        (lambda it, _: it.update(extra=1), "which the model does not know"),
        (lambda it, _: it.update(updated=None), "is no time"),
        (lambda it, _: it.update(created="2020"), "is no time"),
        (lambda it, _: it.update(created=1586273484137), "is no time"),
        (lambda it, _: it.update(pipelineVersion=0), "has the size 0"),
        (lambda it, _: it.update(pipelineVersion="1"), "is no integer"),
        (lambda it, _: it.update(pipelineName="a b"), "which is not ["),
        (lambda it, _: it.update(pipelineName="a" * 101), "has the size 101"),
        (lambda it, _: it.update(stageStates={}), "is no list"),
        (lambda _, stage: stage["latestExecution"].update(status="Done"), "which is none of"),
        (lambda _, stage: stage["latestExecution"].pop("status"), "which is required"),
        (lambda _, stage: stage["inboundTransitionState"].update(enabled=1), "is no boolean"),
    ]:
        wrong = spoilt(change)
        holds(len(wrong) == 1 and words in wrong[0], f"{words!r} is not what was found: {wrong}")


@check("errors that are modelled, common, of nobody, or of ours")
def errors(world):
    def told(name, status=400, **more):
        body = json.dumps({"__type": name, "message": "m", **more}).encode()
        headers = {**HEADERS, "x-amzn-ErrorType": name}
        return world.model.check("GetPipelineState", status, headers, body)[0]

    same(told("PipelineNotFoundException"), [], "a modelled error")
    same(told("AccessDeniedException"), [], "a common error")
    holds("is no error of the operation" in told("StageNotFoundException")[0], "of another one")
    holds("has the status 404" in told("ValidationException", 404)[0], "with another status")
    holds("the server failed" in told("InternalFailure", 500)[0], "a failure of the server")
    holds("has the members" in told("ValidationException", Message="m")[0], "more members")
