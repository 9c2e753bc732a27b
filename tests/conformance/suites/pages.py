"""Lists, page by page: everything once, in its order, by tokens that are good for nothing else."""

from declarations import approval, asking, pipeline, plain, stage
from harness import check, holds, same

PAGE_MAX = 100


def paged(world, operation, result, size=None, **parameters):
    """All items of a list, by following its tokens."""
    call = getattr(world.client, operation)
    more = {"maxResults": size} if size else {}
    items, pages, token = [], 0, {}
    while True:
        answer = call(**parameters, **more, **token)
        holds(len(answer[result]) <= (size or len(answer[result])), "a page is not too long")
        items += answer[result]
        pages += 1
        if "nextToken" not in answer:
            return items, pages
        token = {"nextToken": answer["nextToken"]}
        holds(pages < 1000, "the pages have an end")


@check("pipelines")
def pipelines(world):
    for number in range(3):
        world.create(plain(f"page-{number}"))
    whole, pages = paged(world, "list_pipelines", "pipelines")
    same(pages, 1, "the pages by default")
    for size in (1, 3, len(whole)):
        found, _ = paged(world, "list_pipelines", "pipelines", size)
        same(found, whole, f"pages of {size}")
    paginator = world.client.get_paginator("list_pipelines").paginate(
        PaginationConfig={"PageSize": 2})
    found = [item["name"] for page in paginator for item in page["pipelines"]]
    same(found, [item["name"] for item in whole], "boto3's own paginator")


@check("executions: more than one page by default, and some that begin meanwhile")
def executions(world):
    client = world.client
    world.create(asking("many"))
    client.disable_stage_transition(
        pipelineName="many", stageName="Source", transitionType="Inbound", reason="many"
    )
    started = [client.start_pipeline_execution(name="many")["pipelineExecutionId"]
               for _ in range(PAGE_MAX + 2)]
    list_all = ("list_pipeline_executions", "pipelineExecutionSummaries")
    whole, pages = paged(world, *list_all, pipelineName="many")
    same(pages, 2, "the pages by default")
    ids = [item["pipelineExecutionId"] for item in whole]
    same(ids[:-1], started[::-1], "all of them, newest first")
    for size in (1, 7, PAGE_MAX):
        found, _ = paged(world, *list_all, size, pipelineName="many")
        same([item["pipelineExecutionId"] for item in found], ids, f"pages of {size}")
    first = client.list_pipeline_executions(pipelineName="many", maxResults=2)
    client.start_pipeline_execution(name="many")
    rest = client.list_pipeline_executions(
        pipelineName="many", maxResults=PAGE_MAX, nextToken=first["nextToken"]
    )
    found = first["pipelineExecutionSummaries"] + rest["pipelineExecutionSummaries"]
    same([item["pipelineExecutionId"] for item in found], ids[: PAGE_MAX + 2],
         "nothing twice and nothing lost while another begins")


@check("actions: more than one page by default")
def actions(world):
    asks = [approval(f"A{number}") for number in range(PAGE_MAX)]
    id = world.create(pipeline("asks", stage("Ask", *asks)))
    list_all = ("list_action_executions", "actionExecutionDetails")

    def all_asked():
        found, pages = paged(world, *list_all, pipelineName="asks")
        return (found, pages) if len(found) == PAGE_MAX + 1 else None

    whole, pages = world.until("all to be asked", all_asked)
    same(pages, 2, "the pages by default")
    ids = [item["actionExecutionId"] for item in whole]
    same(len(set(ids)), PAGE_MAX + 1, "each is there once")
    same(whole[-1]["actionName"], "Checkout", "newest first")
    for filter in ({}, {"filter": {"pipelineExecutionId": id}},
                   {"filter": {"latestInPipelineExecution": {
                       "pipelineExecutionId": id, "startTimeRange": "Latest"}}}):
        for size in (1, 33):
            found, _ = paged(world, *list_all, size, pipelineName="asks", **filter)
            same([item["actionExecutionId"] for item in found], ids, f"pages of {size}, {filter}")


@check("a token goes on with its own request alone")
def bound(world):
    client = world.client
    token = client.list_pipeline_executions(pipelineName="many", maxResults=1)["nextToken"]
    lists = "ListPipelineExecutions"
    other = {"succeededInStage": {"stageName": "Ask"}}
    exception = "InvalidNextTokenException"
    world.refused(exception, lists, pipelineName="asks", nextToken=token)
    world.refused(exception, lists, pipelineName="many", filter=other, nextToken=token)
    world.refused(exception, "ListActionExecutions", pipelineName="many", nextToken=token)
    world.refused(exception, "ListPipelines", nextToken=token)
    world.refused(exception, "ListActionTypes", nextToken=token)
    world.refused(exception, "ListTagsForResource", resourceArn=world.arn("many"),
                  nextToken=token)
    for spoilt in (token[:-2], token + "A", token.swapcase(), "x", "ü", token[::-1]):
        world.refused(exception, lists, pipelineName="many", nextToken=spoilt)
    again = client.list_pipeline_executions(pipelineName="many", maxResults=5, nextToken=token)
    same(len(again["pipelineExecutionSummaries"]), 5, "another size of the page is fine")
    run = {"pipelineExecutionId": world.first("asks")}
    token = client.list_action_executions(
        pipelineName="asks", filter=run, maxResults=1)["nextToken"]
    world.refused(exception, "ListActionExecutions", pipelineName="asks", nextToken=token)
