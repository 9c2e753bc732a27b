"""Modelled errors that no client can provoke here, each with why."""

_ONE_COMMIT = (
    "an input is one commit, and one that loses the race is tried again: there is no moment at "
    "which a client finds the pipeline busy"
)
_RACE = "only after losing the race for one pipeline many times in a row: tried again until then"
_NO_QUOTA = (
    "pipelines are not counted on a machine of one's own; a declaration that is too large is an "
    "InvalidStructureException"
)

UNPROVOKED = {
    "CreatePipeline": {
        "ConcurrentModificationException": _RACE,
        "LimitExceededException": _NO_QUOTA,
    },
    "DeletePipeline": {"ConcurrentModificationException": _RACE},
    "RetryStageExecution": {"ConflictException": _ONE_COMMIT},
    "StartPipelineExecution": {"ConflictException": _ONE_COMMIT},
    "StopPipelineExecution": {"ConflictException": _ONE_COMMIT},
    "TagResource": {"ConcurrentModificationException": _RACE},
    "UntagResource": {"ConcurrentModificationException": _RACE},
    "UpdatePipeline": {"LimitExceededException": _NO_QUOTA},
}
