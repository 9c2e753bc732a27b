"""Every modelled error that can be provoked; `unprovoked.py` has the others, each with why."""

import uuid

from declarations import action_type, approval, asking, commands, pipeline, plain, stage
from harness import check, holds, same

NOBODY = str(uuid.UUID(int=0))
"""An id that belongs to nothing."""

CONCURRENT_MAX = 50
TAGS_MAX = 50
GARBAGE = "Z2FyYmFnZQ"


@check("a pipeline that is not there: all operations that name one")
def no_pipeline(world):
    told = "Account '000000000000' does not have a pipeline with name 'absent'"
    stage_of = {"pipelineName": "absent", "stageName": "Ask"}
    run = {"pipelineName": "absent", "pipelineExecutionId": NOBODY}
    moved = {**stage_of, "transitionType": "Inbound"}
    for operation, parameters in {
        "GetPipeline": {"name": "absent"},
        "GetPipelineState": {"name": "absent"},
        "GetPipelineExecution": run,
        "ListActionExecutions": {"pipelineName": "absent"},
        "ListPipelineExecutions": {"pipelineName": "absent"},
        "StartPipelineExecution": {"name": "absent"},
        "StopPipelineExecution": run,
        "RetryStageExecution": {**stage_of, **run, "retryMode": "FAILED_ACTIONS"},
        "EnableStageTransition": moved,
        "DisableStageTransition": {**moved, "reason": "r"},
        "PutApprovalResult": {
            **stage_of,
            "actionName": "Answer",
            "token": NOBODY,
            "result": {"status": "Approved", "summary": ""},
        },
    }.items():
        same(world.refused("PipelineNotFoundException", operation, **parameters), told, operation)
    told = world.refused(
        "ResourceNotFoundException", "UpdatePipeline", pipeline=plain("absent")
    )
    expected = (
        "The account with id '000000000000' does not include a pipeline with the name 'absent'"
    )
    same(told, expected, "an update of nothing")


@check("a name that is taken")
def name_in_use(world):
    world.create(plain("taken"))
    told = world.refused("PipelineNameInUseException", "CreatePipeline", pipeline=plain("taken"))
    same(told, "A pipeline with the name 'taken' already exists in account '000000000000'", "text")


@check("declarations that break a rule: on create and on update")
def declarations(world):
    world.create(plain("broken"))
    ask = stage("Ask", approval())
    one = plain("broken")
    one["stages"].pop()
    twice = pipeline("broken", ask, ask)
    unknown = pipeline("broken", stage("Ask", approval(actionTypeId=action_type("Deploy", "Moon"))))
    blocked = plain("broken")
    blocked["stages"][1]["blockers"] = [{"name": "B", "type": "Schedule"}]
    # More than a declaration may have, and more than is read of one.
    large, huge = (
        pipeline("broken", stage("Build", *(
            commands(f"A{number}", *["#" * 1000] * 50) for number in range(count))))
        for count in (10, 30)
    )
    for exception, declaration, words in [
        ("InvalidStructureException", one, "minimum of 2 stages"),
        ("InvalidStageDeclarationException", twice, "used more than once"),
        ("InvalidActionDeclarationException", unknown, "Provider: 'Moon'"),
        ("InvalidBlockerDeclarationException", blocked, "blockers"),
        ("ValidationException", {**plain("broken"), "roleArn": "x"}, "'pipeline.roleArn'"),
        ("InvalidStructureException", large, "bytes"),
        ("InvalidStructureException", huge, "bytes"),
    ]:
        for operation in ("CreatePipeline", "UpdatePipeline"):
            name = "broken" if operation == "UpdatePipeline" else "other"
            told = world.refused(exception, operation, pipeline={**declaration, "name": name})
            holds(words in told, f"{operation}: {words!r} is not in {told!r}")
    same(world.client.get_pipeline(name="broken")["pipeline"]["version"], 1, "nothing changed")
    world.refused("PipelineNotFoundException", "GetPipeline", name="other")


@check("versions, executions and action types that are not there")
def not_there(world):
    world.refused("PipelineVersionNotFoundException", "GetPipeline", name="taken", version=99)
    run = {"pipelineName": "taken", "pipelineExecutionId": NOBODY}
    world.refused("PipelineExecutionNotFoundException", "GetPipelineExecution", **run)
    world.refused(
        "PipelineExecutionNotFoundException",
        "ListActionExecutions",
        pipelineName="taken",
        filter={"pipelineExecutionId": NOBODY},
    )
    world.refused(
        "ActionTypeNotFoundException", "GetActionType", **action_type("Deploy", "Moon")
    )


@check("tokens of next pages that nobody gave out")
def page_tokens(world):
    for operation, parameters in {
        "ListPipelines": {},
        "ListActionTypes": {},
        "ListPipelineExecutions": {"pipelineName": "taken"},
        "ListActionExecutions": {"pipelineName": "taken"},
        "ListTagsForResource": {"resourceArn": world.arn("taken")},
    }.items():
        world.refused("InvalidNextTokenException", operation, **parameters, nextToken=GARBAGE)


@check("tags that may not be, and too many")
def tags(world):
    arn = world.arn("taken")
    many = [{"key": f"k{number}", "value": "v"} for number in range(TAGS_MAX + 1)]
    system = [{"key": "AWS:mine", "value": "v"}]
    new = {"pipeline": plain("tagged")}
    world.refused("TooManyTagsException", "TagResource", resourceArn=arn, tags=many)
    world.refused("TooManyTagsException", "CreatePipeline", **new, tags=many)
    for keys in (system, [{"key": "a#", "value": ""}], [{"key": "a", "value": "1"}] * 2,
                 [{"key": "a ", "value": ""}]):
        world.refused("InvalidTagsException", "TagResource", resourceArn=arn, tags=keys)
        world.refused("InvalidTagsException", "CreatePipeline", **new, tags=keys)
    told = world.refused("InvalidTagsException", "UntagResource", resourceArn=arn,
                         tagKeys=["aws:mine"])
    holds("System tags start with 'aws:'" in told, told)
    world.refused("PipelineNotFoundException", "GetPipeline", name="tagged")
    same(world.client.list_tags_for_resource(resourceArn=arn)["tags"], [], "no tag was set")


@check("ARNs of nothing, and of elsewhere")
def arns(world):
    calls = {
        "ListTagsForResource": {},
        "TagResource": {"tags": []},
        "UntagResource": {"tagKeys": []},
    }
    here = f"arn:aws:codepipeline:{world.region}:000000000000"
    for operation, parameters in calls.items():
        for arn in (f"{here}:absent", f"{here}:webhook:absent",
                    f"{here}:actiontype:Custom/Build/Absent/1"):
            world.refused("ResourceNotFoundException", operation, resourceArn=arn, **parameters)
        for arn in (f"arn:aws:codepipeline:{world.region}:111122223333:taken",
                    "arn:aws:codepipeline:moon-east-1:000000000000:taken", f"{here}:taken/Ask"):
            world.refused("InvalidArnException", operation, resourceArn=arn, **parameters)


@check("stages and actions that are not there")
def no_stage(world):
    moved = {"pipelineName": "taken", "stageName": "Absent", "transitionType": "Inbound"}
    world.refused("StageNotFoundException", "EnableStageTransition", **moved)
    world.refused("StageNotFoundException", "DisableStageTransition", **moved, reason="r")
    world.refused("StageNotFoundException", "EnableStageTransition",
                  **{**moved, "transitionType": "Outbound"})
    world.refused(
        "StageNotFoundException",
        "RetryStageExecution",
        pipelineName="taken",
        stageName="Absent",
        pipelineExecutionId=NOBODY,
        retryMode="ALL_ACTIONS",
    )
    answer = {
        "pipelineName": "taken",
        "stageName": "Ask",
        "actionName": "Answer",
        "token": NOBODY,
        "result": {"status": "Approved", "summary": ""},
    }
    put = "PutApprovalResult"
    world.refused("StageNotFoundException", put, **{**answer, "stageName": "Absent"})
    world.refused("ActionNotFoundException", put, **{**answer, "actionName": "Absent"})


@check("an approval that is answered with a wrong token, and twice")
def approvals(world):
    token = world.token("taken")
    answer = {
        "pipelineName": "taken",
        "stageName": "Ask",
        "actionName": "Answer",
        "result": {"status": "Approved", "summary": ""},
    }
    put = "PutApprovalResult"
    world.refused("InvalidApprovalTokenException", put, **answer, token=NOBODY)
    world.answer("taken", token)
    world.refused("ApprovalAlreadyCompletedException", put, **answer, token=token)
    world.ended("taken", world.first("taken"), "Succeeded")
    world.refused("ApprovalAlreadyCompletedException", put, **answer, token=token)


@check("a retry of what cannot be retried")
def retries(world):
    id = world.first("taken")
    where = {"pipelineName": "taken", "stageName": "Ask", "retryMode": "FAILED_ACTIONS"}
    retry = "RetryStageExecution"
    world.refused("StageNotRetryableException", retry, **where, pipelineExecutionId=id)
    world.refused(
        "NotLatestPipelineExecutionException", retry, **where, pipelineExecutionId=NOBODY
    )


@check("a stop of what has ended, and the same stop twice")
def stops(world):
    stop = "StopPipelineExecution"
    ended = {"pipelineName": "taken", "pipelineExecutionId": world.first("taken")}
    world.refused("PipelineExecutionNotStoppableException", stop, **ended)
    world.refused("PipelineExecutionNotStoppableException", stop,
                  **{**ended, "pipelineExecutionId": NOBODY})
    id = world.create(asking("twice"))
    world.token("twice")
    run = {"pipelineName": "twice", "pipelineExecutionId": id}
    world.client.stop_pipeline_execution(**run)
    world.refused("DuplicatedStopRequestException", stop, **run)
    # The approval is still open, so that only abandoning ends the execution now.
    world.client.stop_pipeline_execution(**run, abandon=True)
    world.ended("twice", id, "Stopped")


@check("more executions at once than the mode allows: of a start and of a retry")
def concurrent(world):
    client = world.client
    failed = world.create(asking("crowded", executionMode="QUEUED"))
    world.answer("crowded", world.token("crowded"), "Rejected")
    world.ended("crowded", failed, "Failed")
    client.disable_stage_transition(
        pipelineName="crowded", stageName="Source", transitionType="Inbound", reason="full"
    )
    for _ in range(CONCURRENT_MAX):
        client.start_pipeline_execution(name="crowded")
    exception = "ConcurrentPipelineExecutionsLimitExceededException"
    told = world.refused(exception, "StartPipelineExecution", name="crowded")
    holds(str(CONCURRENT_MAX) in told, told)
    world.refused(
        exception,
        "RetryStageExecution",
        pipelineName="crowded",
        stageName="Ask",
        pipelineExecutionId=failed,
        retryMode="FAILED_ACTIONS",
    )
    waiting = world.stage("crowded", "Source")["inboundExecutions"]
    same(len(waiting), CONCURRENT_MAX, "all wait at the door")
    client.delete_pipeline(name="crowded")


@check("starts with what the pipeline does not have")
def starts(world):
    start = "StartPipelineExecution"
    variable = [{"name": "Undeclared", "value": "v"}]
    world.refused("ValidationException", start, name="release", variables=variable)
    world.refused("ValidationException", start, name="taken", variables=variable)
    revision = {"actionName": "Nobody", "revisionType": "COMMIT_ID", "revisionValue": "0" * 40}
    world.refused("ValidationException", start, name="release", sourceRevisions=[revision])
    revision = {"actionName": "Checkout", "revisionType": "IMAGE_DIGEST", "revisionValue": "x"}
    world.refused("ValidationException", start, name="release", sourceRevisions=[revision])
    missing = asking("unset", variables=[{"name": "Needed"}])
    id = world.create(missing)
    same(world.execution("unset", id)["status"], "Failed", "a first run without its variable")
    world.refused("ValidationException", start, name="unset")
