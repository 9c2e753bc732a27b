"""Pipelines that the suites make."""

ROLE = "arn:aws:iam::000000000000:role/pipeline"
BUCKET = "conformance-artifacts"
REPOSITORY = "site"


def action_type(category, provider, owner="AWS"):
    return {"category": category, "owner": owner, "provider": provider, "version": "1"}


def source(**configuration):
    return {
        "name": "Source",
        "actions": [
            {
                "name": "Checkout",
                "actionTypeId": action_type("Source", "CodeCommit"),
                "configuration": {
                    "RepositoryName": REPOSITORY,
                    "BranchName": "main",
                    # Only what a check starts is to run.
                    "PollForSourceChanges": "false",
                    **configuration,
                },
                "outputArtifacts": [{"name": "Site"}],
                "namespace": "Checkout",
            }
        ],
    }


def approval(name="Answer", **more):
    return {"name": name, "actionTypeId": action_type("Approval", "Manual"), **more}


def commands(name, *lines, **more):
    return {
        "name": name,
        "actionTypeId": action_type("Compute", "Commands"),
        "commands": list(lines),
        "inputArtifacts": [{"name": "Site"}],
        **more,
    }


def stage(name, *actions, **more):
    return {"name": name, "actions": list(actions), **more}


def pipeline(name, *stages, **more):
    return {
        "name": name,
        "roleArn": ROLE,
        "artifactStore": {"type": "S3", "location": BUCKET},
        "pipelineType": "V2",
        "executionMode": "SUPERSEDED",
        "stages": [source(), *stages],
        **more,
    }


def asking(name, **more):
    """A pipeline that asks somebody, and has nothing else to do."""
    return pipeline(name, stage("Ask", approval()), **more)


def plain(name, **more):
    """The smallest pipeline; of type V1."""
    return asking(name, pipelineType="V1", **more)
