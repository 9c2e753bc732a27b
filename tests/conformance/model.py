"""CodePipeline's service model, as it ships inside botocore, and what it says of a response.

A response is looked at as it is on the wire, before the client has made anything of it: a member
that the model does not know, a `null`, a wrong type, a missing required member, a text that is too
long or does not match: each is one violation, with the path to it.
"""

import gzip
import json
import re
import uuid
from pathlib import Path

import botocore

VERSION = "2015-07-09"

OPERATIONS = [
    "CreatePipeline",
    "DeletePipeline",
    "DisableStageTransition",
    "EnableStageTransition",
    "GetActionType",
    "GetPipeline",
    "GetPipelineExecution",
    "GetPipelineState",
    "ListActionExecutions",
    "ListActionTypes",
    "ListPipelineExecutions",
    "ListPipelines",
    "ListTagsForResource",
    "PutApprovalResult",
    "RetryStageExecution",
    "StartPipelineExecution",
    "StopPipelineExecution",
    "TagResource",
    "UntagResource",
    "UpdatePipeline",
]
"""What the server is to have."""

COMMON = {
    "AccessDeniedException",
    "ExpiredTokenException",
    "IncompleteSignatureException",
    "InternalFailure",
    "InvalidSignatureException",
    "MissingAuthenticationTokenException",
    "SerializationException",
    "ServiceUnavailableException",
    "ThrottlingException",
    "UnknownOperationException",
    "UnrecognizedClientException",
}
"""Errors that every operation may have without modelling them (spec 10 §2)."""

UNMODELLED = {("UpdatePipeline", "ResourceNotFoundException")}
"""What the service itself answers, although its model does not say so (spec 10, UpdatePipeline)."""

MEDIA_TYPE = "application/x-amz-json-1.1"


class Model:
    def __init__(self):
        folder = Path(botocore.__file__).parent / "data" / "codepipeline" / VERSION
        packed, plain = folder / "service-2.json.gz", folder / "service-2.json"
        text = gzip.decompress(packed.read_bytes()) if packed.is_file() else plain.read_bytes()
        model = json.loads(text)
        self.operations = model["operations"]
        self.shapes = model["shapes"]

    def input(self, operation):
        return self.operations[operation]["input"]["shape"]

    def output(self, operation):
        """The name of the output's shape, or None where the answer has no body."""
        return self.operations[operation].get("output", {}).get("shape")

    def errors(self, operation):
        return {error["shape"] for error in self.operations[operation].get("errors", [])}

    def fields(self, operation):
        """The paths of all members that an answer can have."""
        output = self.output(operation)
        return sorted(self._fields(output, "")) if output else []

    def _fields(self, name, path):
        shape = self.shapes[name]
        kind = shape["type"]
        if kind == "structure":
            found = set()
            for member, reference in shape["members"].items():
                inner = f"{path}.{member}" if path else member
                found |= {inner} | self._fields(reference["shape"], inner)
            return found
        if kind == "list":
            return self._fields(shape["member"]["shape"], f"{path}[]")
        return set()

    def check(self, operation, status, headers, body):
        """What is wrong with a response, the fields that it has, and its error if it is one."""
        wrong, fields, error = [], set(), None
        headers = {name.lower(): value for name, value in headers.items()}
        if headers.get("content-type") != MEDIA_TYPE:
            wrong.append(f"Content-Type is {headers.get('content-type')}")
        try:
            uuid.UUID(headers.get("x-amzn-requestid", ""))
        except ValueError:
            wrong.append("x-amzn-RequestId is no UUID")
        if status != 200:
            error = self._check_error(operation, status, headers, body, wrong)
        elif self.output(operation) is None:
            if body:
                wrong.append(f"the answer is to have no body, and has {body[:80]!r}")
        else:
            try:
                value = json.loads(body)
            except ValueError as problem:
                wrong.append(f"the body is not JSON: {problem}")
            else:
                self._check(self.output(operation), value, "", wrong, fields)
        return [f"{operation}: {what}" for what in wrong], fields, error

    def _check_error(self, operation, status, headers, body, wrong):
        try:
            told = json.loads(body)
        except ValueError:
            wrong.append(f"the body of an error is not JSON: {body[:80]!r}")
            return None
        name, message = told.get("__type"), told.get("message")
        if set(told) != {"__type", "message"}:
            wrong.append(f"an error has the members {sorted(told)}")
        if not isinstance(message, str) or not message:
            wrong.append(f"{name} has no message")
        if headers.get("x-amzn-errortype") != name:
            wrong.append(f"x-amzn-ErrorType is {headers.get('x-amzn-errortype')}, not {name}")
        known = self.errors(operation) | COMMON
        if name not in known and (operation, name) not in UNMODELLED:
            wrong.append(f"{name} is no error of the operation")
        expected = {"InternalFailure": 500, "ServiceUnavailableException": 503}.get(name, 400)
        if status != expected:
            wrong.append(f"{name} has the status {status}, not {expected}")
        if status >= 500:
            wrong.append(f"the server failed: {message}")
        return name

    def _check(self, name, value, path, wrong, fields):
        shape = self.shapes[name]
        kind = shape["type"]
        where = path or "the answer"
        if kind == "structure":
            if not isinstance(value, dict):
                wrong.append(f"{where} is no object: {value!r}")
                return
            for member in shape.get("required", []):
                if member not in value:
                    wrong.append(f"{where} has no {member}, which is required")
            for member, inner in value.items():
                reference = shape["members"].get(member)
                if reference is None:
                    wrong.append(f"{where} has {member}, which the model does not know")
                    continue
                place = f"{path}.{member}" if path else member
                fields.add(place)
                self._check(reference["shape"], inner, place, wrong, fields)
        elif kind == "list":
            if not isinstance(value, list):
                wrong.append(f"{where} is no list: {value!r}")
                return
            self._check_size(shape, len(value), where, wrong)
            for inner in value:
                self._check(shape["member"]["shape"], inner, f"{path}[]", wrong, fields)
        elif kind == "map":
            if not isinstance(value, dict):
                wrong.append(f"{where} is no map: {value!r}")
                return
            self._check_size(shape, len(value), where, wrong)
            for key, inner in value.items():
                self._check(shape["key"]["shape"], key, f"{path}{{key}}", wrong, set())
                self._check(shape["value"]["shape"], inner, f"{path}{{}}", wrong, set())
        elif kind == "string":
            self._check_text(shape, value, where, wrong)
        elif kind in ("integer", "long"):
            if not isinstance(value, int) or isinstance(value, bool):
                wrong.append(f"{where} is no integer: {value!r}")
            else:
                self._check_size(shape, value, where, wrong)
        elif kind == "boolean":
            if not isinstance(value, bool):
                wrong.append(f"{where} is no boolean: {value!r}")
        elif kind == "timestamp":
            is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
            # Seconds with milliseconds, of this century.
            if not is_number or not 1e9 < value < 4e9 or round(value, 3) != value:
                wrong.append(f"{where} is no time: {value!r}")
        else:
            raise AssertionError(f"{name} is a {kind}, which is not checked")

    def _check_text(self, shape, value, where, wrong):
        if not isinstance(value, str):
            wrong.append(f"{where} is no text: {value!r}")
            return
        self._check_size(shape, len(value), where, wrong)
        if "enum" in shape and value not in shape["enum"]:
            wrong.append(f"{where} is {value!r}, which is none of {shape['enum']}")
        pattern = shape.get("pattern")
        # `.*` is how the model says that any text will do, with line breaks as well.
        if pattern and pattern != ".*" and not re.fullmatch(pattern, value):
            wrong.append(f"{where} is {value!r}, which is not {pattern}")

    @staticmethod
    def _check_size(shape, size, where, wrong):
        if not shape.get("min", size) <= size <= shape.get("max", size):
            bounds = f"{shape.get('min', '')}..{shape.get('max', '')}"
            wrong.append(f"{where} has the size {size}, and the bounds are {bounds}")
