"""The scripts that people already run, with the AWS CLI, untouched; and programs beside them.

A script gets everything from the environment that `serve` prints. They run side by side: an `aws`
takes longer to start than the server to answer.
"""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from harness import check, holds, method
from model import OPERATIONS
from suites import companions

SCRIPTS = Path(__file__).parent.parent / "scripts"

AT_ONCE = 4
SCRIPT_SECONDS = 240
"""How long one script may take; on an idle machine it is a few seconds."""

WRAPPER = """#!/bin/sh
# The AWS CLI; what it did is noted.
"{aws}" "$@"
code=$?
[ "$code" = 0 ] && echo "$1 $2" >> "{calls}"
exit "$code"
"""


def jobs(world, calls):
    """Each script with its command and its environment; what `aws` does is noted in a file."""
    tools = world.folder / "tools"
    tools.mkdir()
    aws = Path(sys.executable).parent / "aws"
    (tools / "aws").write_text(WRAPPER.format(aws=aws, calls=calls))
    (tools / "aws").chmod(0o755)
    (tools / "python3").symlink_to(sys.executable)
    environment = {
        **os.environ,
        "PATH": f"{tools}:{os.environ['PATH']}",
        "AWS_PAGER": "",
        "REPOSITORY": world.remote("shell"),
    }
    scripts = sorted(SCRIPTS.glob("*.sh"))
    return [(script.stem, ["bash", str(script)], environment) for script in scripts]


@check("every script runs to its end, and so do the programs for S3 and CodeBuild")
def scripts(world):
    calls = world.folder / "calls"

    def run(job):
        """What a script said that did not end well."""
        name, command, environment = job
        folder = world.folder / "scripts" / name
        folder.mkdir(parents=True)
        try:
            ran = subprocess.run(
                command, cwd=folder, env=environment, stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                timeout=SCRIPT_SECONDS,
            )
        except subprocess.TimeoutExpired:
            return f"{name} did not end within {SCRIPT_SECONDS} s"
        told = [line for line in ran.stdout.splitlines() if not line.startswith("ok ")]
        return "\n".join([f"{name} ended with {ran.returncode}:", *told]) if ran.returncode else ""

    with ThreadPoolExecutor(AT_ONCE) as pool:
        # The longest begin first.
        failed = [what for what in pool.map(run, companions.jobs(world) + jobs(world, calls)) if what]
    by_command = {method(operation).replace("_", "-"): operation for operation in OPERATIONS}
    for line in calls.read_text().splitlines():
        service, _, command = line.partition(" ")
        if service == "codepipeline" and command in by_command:
            world.seen.clients[by_command[command]].add("aws")
    holds(not failed, "\n".join(failed))


@check("the AWS CLI has called every operation")
def all_called(world):
    missing = [name for name, clients in world.seen.clients.items() if "aws" not in clients]
    holds(not missing, f"not called: {missing}")
