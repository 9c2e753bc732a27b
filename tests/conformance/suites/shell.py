"""The scripts that people already run, with the AWS CLI, untouched.

Each script gets a pipeline's name, and everything else from the environment that `serve` prints.
They run side by side: an `aws` takes longer to start than the server to answer.
"""

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from harness import check, holds, method
from model import OPERATIONS

SCRIPTS = Path(__file__).parent.parent / "scripts"

AT_ONCE = 4
SCRIPT_SECONDS = 120

WRAPPER = """#!/bin/sh
# The AWS CLI; what it did is noted.
"{aws}" "$@"
code=$?
[ "$code" = 0 ] && echo "$1 $2" >> "{calls}"
exit "$code"
"""


@check("every script runs to its end")
def scripts(world):
    tools = world.folder / "tools"
    tools.mkdir()
    aws, calls = Path(sys.executable).parent / "aws", world.folder / "calls"
    (tools / "aws").write_text(WRAPPER.format(aws=aws, calls=calls))
    (tools / "aws").chmod(0o755)
    (tools / "python3").symlink_to(sys.executable)
    environment = {
        **os.environ,
        "PATH": f"{tools}:{os.environ['PATH']}",
        "AWS_PAGER": "",
        "REPOSITORY": world.remote("shell"),
    }

    def run(script):
        folder = world.folder / script.stem
        folder.mkdir()
        try:
            ran = subprocess.run(
                ["bash", str(script)], cwd=folder, env=environment, stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                timeout=SCRIPT_SECONDS,
            )
        except subprocess.TimeoutExpired:
            return f"{script.name} did not end within {SCRIPT_SECONDS} s"
        return f"{script.name} ended with {ran.returncode}:\n{ran.stdout}" if ran.returncode else ""

    holds(shutil.which("bash"), "the scripts need bash")
    with ThreadPoolExecutor(AT_ONCE) as pool:
        failed = [what for what in pool.map(run, sorted(SCRIPTS.glob("*.sh"))) if what]
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
