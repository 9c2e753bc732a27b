"""Drives a running server with boto3 and the AWS CLI, and holds it to the service's own model.

    python run.py [SUITE ...]

Needs AWS_CONFIG_FILE, AWS_SHARED_CREDENTIALS_FILE and AWS_PROFILE as `pipewright serve` prints
them, and CONFORMANCE_FOLDER, an empty folder to work in. Prints one line a check; writes what was
seen to `results.json` there; ends with 1 when a check failed.
"""

import json
import sys
import time
from importlib import import_module
from importlib.metadata import version

import harness
from unprovoked import UNPROVOKED

SUITES = [
    "model",
    "repository",
    "operations",
    "errors",
    "constraints",
    "declaration",
    "pages",
    "tokens",
    "access",
    "buckets",
    "shell",
]


def results(world):
    seen = world.seen
    operations = {}
    for operation in seen.clients:
        fields = world.model.fields(operation)
        operations[operation] = {
            "clients": sorted(seen.clients[operation]),
            "constraints": seen.constraints[operation],
            "errors": sorted(seen.errors[operation]),
            "errors_modelled": sorted(world.model.errors(operation)),
            "fields": sorted(seen.fields[operation]),
            "fields_modelled": fields,
        }
    return {
        "clients": {name: version(name) for name in ("awscli", "boto3", "botocore")},
        "operations": operations,
        "unprovoked": UNPROVOKED,
    }


def silent(world):
    """Modelled errors that were neither provoked nor excused, and excuses that do not hold."""
    problems = []
    for operation, provoked in world.seen.errors.items():
        excused = set(UNPROVOKED.get(operation, {}))
        for error in sorted(world.model.errors(operation) - provoked - excused):
            problems.append(f"{operation}: {error} was not provoked, and nothing says why")
        for error in sorted(provoked & excused):
            problems.append(f"{operation}: {error} was provoked; take it out of unprovoked.py")
    return problems


def main():
    only = sys.argv[1:]
    begun = time.monotonic()
    for suite in SUITES:
        import_module(f"suites.{suite}")
    world = harness.World()
    # Whatever else is asked for works with the repository.
    failed = harness.run(world, ["repository", *only] if only else [])
    problems = [] if only else silent(world)
    for problem in problems:
        print(f"FAIL {problem}")
    target = world.folder / "results.json"
    target.write_text(json.dumps(results(world), indent=2, sort_keys=True) + "\n")
    took = time.monotonic() - begun
    print(f"{world.seen.responses} responses, {failed + len(problems)} problems, {took:.0f} s")
    sys.exit(1 if failed or problems else 0)


if __name__ == "__main__":
    main()
