"""Every constraint of every input, made from the model: one violation a request.

For each operation a request is made in which every member is there and fits. It is then spoilt in
one place at a time: the answer must be one validation error that names this place, or, where the
JSON type is wrong, a SerializationException that does.
"""

import copy
import json

from harness import check, holds
from model import OPERATIONS

UNBOUNDED = 2**31 - 1
"""The model's way of saying that there is no bound."""

UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"

PATTERNS = {
    # A text that fits, what it is made longer with (None: it cannot be), and a text that does not.
    r"[A-Za-z0-9.@\-_]+": ("a", "a", "a b"),
    r"[A-Za-z0-9@\-_]+": ("a", "a", "a.b"),
    r"[a-zA-Z0-9_\-]+": ("a", "a", "a.b"),
    r"[0-9A-Za-z_-]+": ("a", "a", "a.b"),
    r"[A-Za-z0-9_]+": ("a", "a", "a-b"),
    r"[a-zA-Z0-9\-\.]+": ("bucket", "a", "a_bucket"),
    r"[a-zA-Z0-9!@ \(\)\.\*\?\-]+": ("a", "a", "a\tb"),
    r"^[a-zA-Z0-9-]+$": ("a", "a", "a_b"),
    r"arn:aws(-[\w]+)*:iam::[0-9]{12}:role/.*": (
        "arn:aws:iam::000000000000:role/r", "a", "arn:aws:iam::1:role/r"),
    r"arn:aws(-[\w]+)*:codepipeline:.+:[0-9]{12}:.+": (
        "arn:aws:codepipeline:us-east-1:000000000000:absent", "a", "arn:aws:s3:::bucket"),
    r"AWS|ThirdParty": ("AWS", None, "Custom"),
    UUID: ("00000000-0000-0000-0000-000000000000", None, "00000000"),
    # Any text: nothing breaks it.
    r".*": ("a", "a", None),
}

WRONG = {
    "string": [7, True, ["a"], {"a": "b"}],
    "integer": ["7", 1.5, True, [7]],
    "boolean": ["true", 1, {}],
    "list": [{}, "a", 7],
    "map": [[], "a"],
    "structure": [[], "a", 7],
}
"""Values of another JSON type, for each type of the model."""


class Sketch:
    """Makes requests from the shapes of the model."""

    def __init__(self, model):
        self.shapes = model.shapes

    def fitting(self, name):
        """A value that breaks no constraint, with every member there is."""
        shape = self.shapes[name]
        kind = shape["type"]
        if kind == "structure":
            return {
                member: self.fitting(reference["shape"])
                for member, reference in shape["members"].items()
            }
        if kind == "list":
            return [self.fitting(shape["member"]["shape"])]
        if kind == "map":
            return {self.fitting(shape["key"]["shape"]): self.fitting(shape["value"]["shape"])}
        if kind == "integer":
            return shape.get("min", 1)
        if kind == "boolean":
            return True
        if "enum" in shape:
            return shape["enum"][0]
        return self.text(shape, max(shape.get("min", 1), 1))

    @staticmethod
    def text(shape, length):
        start, filler, _ = PATTERNS.get(shape.get("pattern", ".*"))
        return start if filler is None else start + filler * (length - len(start))

    def spoilt(self, name, value, path):
        """Pairs of what breaks one constraint and the path that the error must name."""
        shape = self.shapes[name]
        kind = shape["type"]
        least, most = shape.get("min"), shape.get("max", UNBOUNDED)
        if kind == "structure":
            yield from self._structure(shape, value, path)
        elif kind == "list":
            if least:
                yield [], path
            if most < UNBOUNDED:
                yield value * (most + 1), path
            member = shape["member"]["shape"]
            for broken, inner in self.spoilt(member, value[0], f"{path}.1.member"):
                yield [broken], inner
        elif kind == "map":
            yield from self._map(shape, value, path)
        elif kind == "integer":
            if least is not None:
                yield least - 1, path
            if most < UNBOUNDED:
                yield most + 1, path
        elif kind == "string":
            yield from ((broken, path) for broken in self._texts(shape))

    def _structure(self, shape, value, path):
        for member, reference in shape["members"].items():
            inner = f"{path}.{member}" if path else member
            if member in shape.get("required", []):
                yield {key: kept for key, kept in value.items() if key != member}, inner
                yield {**value, member: None}, inner
            for broken, place in self.spoilt(reference["shape"], value[member], inner):
                yield {**value, member: broken}, place

    def _map(self, shape, value, path):
        (key, kept), = value.items()
        # Texts are constraints of the map; structures have a place in it.
        is_deep = self.shapes[shape["value"]["shape"]]["type"] == "structure"
        for broken in self._texts(self.shapes[shape["key"]["shape"]]):
            yield {broken: kept}, f"{path}.{broken}.member" if is_deep else path
        inner = f"{path}.{key}.member" if is_deep else path
        for broken, place in self.spoilt(shape["value"]["shape"], kept, inner):
            yield {key: broken}, place
        if shape.get("max", UNBOUNDED) < UNBOUNDED:
            yield {f"{key}{number}": kept for number in range(shape["max"] + 1)}, path

    def _texts(self, shape):
        if "enum" in shape:
            yield "Purple"
            return
        least, most = shape.get("min", 0), shape.get("max", UNBOUNDED)
        if least:
            yield ""
        # A bound that only a very long text would break is not one that anybody runs into.
        if most < UNBOUNDED and PATTERNS.get(shape.get("pattern", ".*"))[1]:
            yield self.text(shape, most + 1)
        spoilt = PATTERNS[shape["pattern"]][2] if "pattern" in shape else None
        if spoilt:
            yield spoilt

    def mistyped(self, name, value, path):
        """Pairs of a value with a wrong JSON type in one place, and the last word of the path."""
        shape = self.shapes[name]
        kind = shape["type"]
        for wrong in WRONG[kind]:
            yield wrong, path
        if kind == "structure":
            for member, reference in shape["members"].items():
                for wrong, place in self.mistyped(reference["shape"], value[member], member):
                    yield {**value, member: wrong}, place
        elif kind == "list":
            for wrong, place in self.mistyped(shape["member"]["shape"], value[0], path):
                yield [wrong], place
        elif kind == "map":
            (key, kept), = value.items()
            for wrong, place in self.mistyped(shape["value"]["shape"], kept, path):
                yield {key: wrong}, place


def told(world, operation, body):
    status, _, answer = world.raw(operation, body)
    if status == 200:
        return None, ""
    error = json.loads(answer)
    return error["__type"], error["message"]


def requests(world):
    sketch = Sketch(world.model)
    for operation in OPERATIONS:
        name = world.model.input(operation)
        yield operation, name, sketch, sketch.fitting(name)


def tell(problems):
    first = "\n         ".join(problems[:40])
    holds(not problems, f"{len(problems)} problems:\n         {first}")


@check("a request with every member breaks no constraint")
def fitting(world):
    problems = []
    for operation, _, _, body in requests(world):
        exception, message = told(world, operation, body)
        if "validation error" in message or exception == "SerializationException":
            problems.append(f"{operation}: {message}")
    tell(problems)


@check("each constraint of the model, broken alone: a validation error that names the place")
def spoilt(world):
    problems = []
    for operation, name, sketch, body in requests(world):
        for broken, path in sketch.spoilt(name, copy.deepcopy(body), ""):
            exception, message = told(world, operation, broken)
            world.seen.constraints[operation] += 1
            if exception != "ValidationException":
                problems.append(f"{operation} {path}: {exception}: {message[:200]}")
            elif not message.startswith("1 validation error detected: ") or (
                f"at '{path}' " not in message
            ):
                problems.append(f"{operation} {path}: {message[:300]}")
    tell(problems)


@check("each JSON type that is not the member's: a SerializationException that names it")
def mistyped(world):
    problems = []
    for operation, name, sketch, body in requests(world):
        for broken, member in sketch.mistyped(name, copy.deepcopy(body), ""):
            exception, message = told(world, operation, broken)
            world.seen.constraints[operation] += 1
            if exception != "SerializationException" or member not in message:
                problems.append(f"{operation} {member}: {exception}: {message[:200]}")
    tell(problems)


@check("null is absent, unknown members are passed over, and a body may be empty")
def tolerant(world):
    for body in (b"", b"{}", {"nextToken": None, "maxResults": None}, {"surprise": {"a": [1]}}):
        exception, message = told(world, "ListPipelines", body)
        holds(exception is None, f"{body}: {message}")


@check("bodies that are no JSON, no UTF-8, too deep or too long")
def bodies(world):
    deep = b'{"name":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    for body in (b"{", b"[]", b'"a"', b"\xff\xfe", b"{}{}", b'{"name": 1e999}', deep, b"null"):
        exception, message = told(world, "GetPipeline", body)
        holds(exception == "SerializationException", f"{body[:20]}: {exception}: {message}")
    many = {"name": "a" * 3_000_000}
    exception, message = told(world, "GetPipeline", many)
    holds(exception == "ValidationException" and len(message) < 1000, f"{exception}: {message}")


@check("all violations of a request are told together")
def together(world):
    message = world.refused(
        "ValidationException",
        "DisableStageTransition",
        pipelineName="a b",
        stageName="",
        transitionType="Sideways",
        reason=None,
    )
    for path in ("pipelineName", "stageName", "transitionType", "reason"):
        holds(f"at '{path}' " in message, message)
    holds(message.startswith("4 validation errors detected: "), message)
