"""Requests as botocore signs and sends them, for the tests beside this file.

    python3 vectors.py > botocore.json
"""

import datetime
import json
import random
import urllib.parse

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import botocore.utils

CHANCE = random.Random(7)
SEGMENTS = [
    "", ".", "..", "a", "a b", "%", "%2F", "~._-", "caf\u00e9", "\u65e5\u672c", "\U0001f600",
    "a+b", "a=b&c", "!*'()", ":@,;$", "[x]", "{y}", "\"q\"", "<>", "^`|\\", "A" * 100,
]
VALUES = SEGMENTS + ["a  b", " lead", "trail ", "a/b?c#d", "100%", "&&", "=="]
HEADER_VALUES = ["plain", "a  b", "a \t  b  c", "x,y", "\"a  b\"", "a=b; c", "~!@#$%^&*()", ""]


def request(number):
    path = "/" + "/".join(
        urllib.parse.quote(CHANCE.choice(SEGMENTS), safe="-._~")
        for _ in range(CHANCE.randrange(5))
    )
    if number % 3 == 0:
        path = "/"
    elif CHANCE.random() < 0.3:
        path += "/"
    pairs = [
        (CHANCE.choice(VALUES) or "k", CHANCE.choice(VALUES))
        for _ in range(CHANCE.choice([0, 0, 1, 2, 5]))
    ]
    query = botocore.utils.percent_encode_sequence(pairs)
    host = CHANCE.choice(["localhost:7780", "127.0.0.1:7780", "codepipeline.example.com"])
    headers = {}
    for at in range(CHANCE.randrange(4)):
        headers[CHANCE.choice(["X-Amz-Meta-", "x-custom-", "ZZ-"]) + str(at)] = CHANCE.choice(
            HEADER_VALUES
        )
    method = CHANCE.choice(["POST", "POST", "GET", "PUT", "DELETE"])
    body = ""
    if method in ("POST", "PUT"):
        headers["Content-Type"] = "application/x-amz-json-1.1"
        headers["X-Amz-Target"] = "CodePipeline_20150709.GetPipeline"
        body = json.dumps({"name": CHANCE.choice(VALUES)}, ensure_ascii=CHANCE.random() < 0.5)
    headers["User-Agent"] = "aws-cli/2 Python/3"
    url = "http://" + host + path + ("?" + query if query else "")
    return botocore.awsrequest.AWSRequest(
        method=method, url=url, headers=headers, data=body.encode()
    ), host, body


def vector(number):
    at = datetime.datetime(2026, 1, 1) + datetime.timedelta(
        seconds=CHANCE.randrange(365 * 86400)
    )
    botocore.auth.get_current_datetime = lambda: at
    credentials = botocore.credentials.Credentials(
        "PWKAEXAMPLE234567ABC",
        "secret/" + str(number),
        "token+/=" + str(number) if number % 4 == 0 else None,
    )
    region = CHANCE.choice(["us-east-1", "eu-central-1"])
    service = CHANCE.choice(["codepipeline", "codebuild"])
    made, host, body = request(number)
    botocore.auth.SigV4Auth(credentials, service, region).add_auth(made)
    sent = made.prepare()
    url = sent.url.split("://", 1)[1][len(host):]
    path, _, query = url.partition("?")
    headers = [["host", host]]
    for name, value in sent.headers.items():
        value = value.decode() if isinstance(value, bytes) else value
        headers.append([name.lower(), value])
    assert any(value.startswith(at.strftime("%Y%m%d")) for _, value in headers), "frozen time"
    return {
        "millis": int(at.replace(tzinfo=datetime.timezone.utc).timestamp() * 1000),
        "secret": credentials.secret_key,
        "token": credentials.token,
        "region": region,
        "service": service,
        "method": sent.method,
        "path": path,
        "query": query,
        "headers": headers,
        "body": body,
    }


print("[")
VECTORS = [json.dumps(vector(number)) for number in range(200)]
print(",\n".join(VECTORS))
print("]")
