"""What the suites share: the checks, the clients, what was seen, and waiting with an end."""

import configparser
import contextlib
import http.client
import json
import os
import subprocess
import time
import traceback
from pathlib import Path
from urllib.parse import urlsplit

import boto3
import botocore.auth
import botocore.awsrequest
import botocore.config
import botocore.credentials
import botocore.exceptions

from model import MEDIA_TYPE, OPERATIONS, Model

WAIT_SECONDS = 30
"""How long anything is waited for: a pipeline of nothing but a short build takes a second."""

LOOK_SECONDS = 0.05

TARGET = "CodePipeline_20150709"
OWN_TARGET = "Pipewright_20261121"

CHECKS = []
"""Every check, in the order of the files that name them."""


def check(title):
    """Makes a function a check; it fails by raising, or by what the model says of a response."""

    def remember(function):
        CHECKS.append((function.__module__.rpartition(".")[2], title, function))
        return function

    return remember


class Seen:
    """What the run has shown: what is written to the results."""

    def __init__(self):
        self.clients = {operation: set() for operation in OPERATIONS}
        self.errors = {operation: set() for operation in OPERATIONS}
        self.fields = {operation: set() for operation in OPERATIONS}
        self.constraints = {operation: 0 for operation in OPERATIONS}
        self.violations = []
        self.responses = 0


class Refused(Exception):
    """An error of the API, from a request without boto3."""

    def __init__(self, operation, exception, message):
        super().__init__(f"{operation}: {exception}: {message}")
        self.exception = exception
        self.message = message


class World:
    """A server, and everything to talk to it with."""

    def __init__(self):
        self.model = Model()
        self.seen = Seen()
        self.folder = Path(os.environ["CONFORMANCE_FOLDER"])
        self.key, self.endpoint, self.region = self._profile()
        self.client = self.make_client()
        self.loose = self.make_client(parameter_validation=False)
        self._connection = None

    @staticmethod
    def _profile():
        """The administrator's key, the endpoint and the Region, from the files of the server."""
        profile = os.environ["AWS_PROFILE"]
        credentials, config = configparser.ConfigParser(), configparser.ConfigParser()
        credentials.read(os.environ["AWS_SHARED_CREDENTIALS_FILE"])
        config.read(os.environ["AWS_CONFIG_FILE"])
        keys = credentials[profile]
        settings = config[f"profile {profile}"]
        key = botocore.credentials.Credentials(
            keys["aws_access_key_id"], keys["aws_secret_access_key"]
        )
        return key, settings["endpoint_url"], settings["region"]

    # Clients.

    def make_client(self, key=None, **config):
        """A boto3 client, whose every response is checked; without a key, the profile's own."""
        given = {}
        if key:
            given = {
                "aws_access_key_id": key.access_key,
                "aws_secret_access_key": key.secret_key,
                "aws_session_token": key.token,
            }
        # What fails once has failed: no retry hides it.
        config = botocore.config.Config(retries={"total_max_attempts": 1}, **config)
        client = boto3.Session().client("codepipeline", config=config, **given)
        client.meta.events.register("before-parse.codepipeline", self._saw)
        return client

    def _saw(self, operation_model, response_dict, **_):
        operation = operation_model.name
        self._look("boto3", operation, response_dict["status_code"], response_dict["headers"],
                   response_dict["body"])

    def _look(self, client, operation, status, headers, body):
        if operation not in OPERATIONS:
            return
        wrong, fields, error = self.model.check(operation, status, headers, body)
        self.seen.responses += 1
        self.seen.violations += wrong
        self.seen.fields[operation] |= fields
        if error in self.model.errors(operation):
            self.seen.errors[operation].add(error)
        if not error and client:
            self.seen.clients[operation].add(client)

    def raw(self, operation, body, target=TARGET, key=None, headers=None):
        """Sends a body as it is; returns the status, the headers and the body."""
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        headers = {
            "Content-Type": MEDIA_TYPE,
            "X-Amz-Target": f"{target}.{operation}",
            **(headers or {}),
        }
        request = botocore.awsrequest.AWSRequest("POST", self.endpoint + "/", headers, body)
        botocore.auth.SigV4Auth(key or self.key, "codepipeline", self.region).add_auth(request)
        status, answered, content = self._send(body, dict(request.headers))
        if target == TARGET:
            self._look(None, operation, status, answered, content)
        return status, answered, content

    def _send(self, body, headers):
        # One connection for all; a server may close one that was idle, so one try more.
        for last in (False, True):
            if self._connection is None:
                address = urlsplit(self.endpoint)
                self._connection = http.client.HTTPConnection(
                    address.hostname, address.port, timeout=WAIT_SECONDS
                )
            try:
                self._connection.request("POST", "/", body, headers)
                response = self._connection.getresponse()
                return response.status, dict(response.headers), response.read()
            except (http.client.HTTPException, OSError):
                self._connection.close()
                self._connection = None
                if last:
                    raise
        raise AssertionError("a request is sent or fails")

    def own(self, operation, body, key=None):
        """One of Pipewright's own operations; raises Refused."""
        status, _, content = self.raw(operation, body, OWN_TARGET, key)
        told = json.loads(content)
        if status != 200:
            raise Refused(operation, told["__type"], told["message"])
        return told

    def issue_key(self, user, *statements, seconds=None):
        """A new access key with a policy of these statements."""
        policy = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
        body = {"userName": user, "policies": [policy]}
        if seconds:
            body["durationSeconds"] = seconds
        key = self.own("CreateAccessKey", body)["accessKey"]
        return botocore.credentials.Credentials(
            key["accessKeyId"], key["secretAccessKey"], key.get("sessionToken")
        )

    # Claims.

    def refused(self, exception, operation, client=None, **parameters):
        """Calls an operation that must be refused like this; returns the message."""
        call = getattr(client or self.loose, method(operation))
        try:
            answer = call(**parameters)
        except botocore.exceptions.ClientError as error:
            found = error.response["Error"]
            same(found["Code"], exception, f"{operation}: {found['Message']}")
            return found["Message"]
        raise AssertionError(f"{operation} was to be refused with {exception}; it said {answer}")

    # Waiting.

    def until(self, what, look):
        """Looks until there is something, and returns it."""
        end = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < end:
            found = look()
            if found:
                return found
            time.sleep(LOOK_SECONDS)
        raise AssertionError(f"waited {WAIT_SECONDS} s for {what}")

    def stage(self, pipeline, stage):
        state = self.client.get_pipeline_state(name=pipeline)
        return next(found for found in state["stageStates"] if found["stageName"] == stage)

    def action(self, pipeline, stage, action):
        """The latest run of an action; empty when it never ran."""
        states = self.stage(pipeline, stage)["actionStates"]
        found = next(state for state in states if state["actionName"] == action)
        return found.get("latestExecution", {})

    def token(self, pipeline, stage="Ask", action="Answer", not_this=None):
        """The token of an approval, as soon as somebody is asked."""

        def look():
            token = self.action(pipeline, stage, action).get("token")
            return token if token != not_this else None

        return self.until(f"{pipeline} to ask", look)

    def answer(self, pipeline, token, status="Approved", stage="Ask", action="Answer"):
        return self.client.put_approval_result(
            pipelineName=pipeline,
            stageName=stage,
            actionName=action,
            token=token,
            result={"status": status, "summary": f"{status} by the suite"},
        )

    def execution(self, pipeline, execution):
        return self.client.get_pipeline_execution(
            pipelineName=pipeline, pipelineExecutionId=execution
        )["pipelineExecution"]

    def ended(self, pipeline, execution, *statuses):
        """Waits until an execution has one of these states."""

        def look():
            found = self.execution(pipeline, execution)
            return found if found["status"] in statuses else None

        return self.until(f"{pipeline} {execution} to be {statuses}", look)

    def first(self, pipeline):
        """The id of the execution that CreatePipeline has started."""
        found = self.client.list_pipeline_executions(pipelineName=pipeline)
        return found["pipelineExecutionSummaries"][-1]["pipelineExecutionId"]

    def create(self, declaration, **more):
        """Makes a pipeline; returns the id of its first execution."""
        self.client.create_pipeline(pipeline=declaration, **more)
        return self.first(declaration["name"])

    def arn(self, pipeline):
        return f"arn:aws:codepipeline:{self.region}:000000000000:{pipeline}"

    def git(self, *arguments, folder=None):
        """Calls git, without the habits of whoever runs this."""
        environment = {
            **os.environ,
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_AUTHOR_NAME": "Ada",
            "GIT_AUTHOR_EMAIL": "ada@example.com",
            "GIT_COMMITTER_NAME": "Ada",
            "GIT_COMMITTER_EMAIL": "ada@example.com",
        }
        run = subprocess.run(
            ["git", *arguments], cwd=folder, env=environment, capture_output=True, text=True
        )
        if run.returncode:
            raise AssertionError(f"git {arguments[0]}: {run.stderr}")
        return run.stdout.strip()

    def remote(self, repository):
        """Where a repository is pushed to, with the key in it."""
        address = urlsplit(self.endpoint)
        user = f"{self.key.access_key}:{self.key.secret_key}"
        return f"http://{user}@{address.netloc}/git/{repository}"


def method(operation):
    """`GetPipelineState` is `get_pipeline_state` to boto3."""
    return botocore.xform_name(operation)


def same(found, expected, what):
    if found != expected:
        raise AssertionError(f"{what}: found {found!r}, expected {expected!r}")


def holds(claim, what):
    if not claim:
        raise AssertionError(what)


def run(world, only):
    """Runs the checks, one line each; returns how many failed."""
    failed = 0
    for suite, title, function in CHECKS:
        if only and suite not in only:
            continue
        before = time.monotonic()
        problems = []
        try:
            function(world)
        except Exception as error:  # Whatever goes wrong is told, and the next check runs.
            last = traceback.extract_tb(error.__traceback__)[-1]
            place = f"{Path(last.filename).name}:{last.lineno}"
            problems.append(f"{type(error).__name__} at {place}: {error}")
        problems += sorted(set(world.seen.violations))
        world.seen.violations.clear()
        took = time.monotonic() - before
        print(f"{'FAIL' if problems else 'ok  '} {suite}: {title} ({took:.1f} s)", flush=True)
        for problem in problems:
            print(f"       {problem}", flush=True)
        failed += bool(problems)
    with contextlib.suppress(AttributeError):
        world._connection.close()
    return failed
