"""What is asked for twice happens once."""

from concurrent.futures import ThreadPoolExecutor

from declarations import asking
from harness import check, same

AT_ONCE = 8


def started(world, pipeline):
    found = world.client.list_pipeline_executions(pipelineName=pipeline)
    return len(found["pipelineExecutionSummaries"])


@check("a start that is sent again is the same execution")
def again(world):
    start = world.client.start_pipeline_execution
    world.create(asking("once", executionMode="PARALLEL"))
    first = start(name="once", clientRequestToken="Token-1")["pipelineExecutionId"]
    same(start(name="once", clientRequestToken="Token-1")["pipelineExecutionId"], first, "again")
    same(started(world, "once"), 2, "the first execution and this one")
    other = start(name="once", clientRequestToken="Token-2")["pipelineExecutionId"]
    same(other != first, True, "another token starts another execution")
    world.create(asking("other"))
    other = start(name="other", clientRequestToken="Token-1")["pipelineExecutionId"]
    same(other != first, True, "a token is of one pipeline")


@check("one token from many clients at once starts one execution")
def at_once(world):
    before = started(world, "once")
    client = world.client

    def start(_):
        answer = client.start_pipeline_execution(name="once", clientRequestToken="Race")
        return answer["pipelineExecutionId"]

    with ThreadPoolExecutor(AT_ONCE) as pool:
        ids = set(pool.map(start, range(AT_ONCE)))
    same(len(ids), 1, "the ids")
    same(started(world, "once"), before + 1, "the executions")


@check("many tags from many clients at once are all there")
def tags_at_once(world):
    arn = world.arn("once")

    def tag(number):
        world.client.tag_resource(resourceArn=arn, tags=[{"key": f"k{number}", "value": "v"}])

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(tag, range(AT_ONCE)))
    found = world.client.list_tags_for_resource(resourceArn=arn)["tags"]
    same(sorted(tag["key"] for tag in found), [f"k{number}" for number in range(AT_ONCE)], "tags")
