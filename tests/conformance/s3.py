"""Drives an S3 endpoint through boto3 and raw requests, and says of each check whether it held.

The endpoint and an administrator's key come from the environment, as for the AWS CLI:
AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION. Two more keys are used where
they are given: PIPEWRIGHT_READER (KEY:SECRET; may s3:Get* and s3:ListBucket, but nothing below
`secret/`) and PIPEWRIGHT_GUEST (KEY:SECRET:TOKEN, temporary).

Prints one line a check and ends with 1 if any failed. Everything it makes is in buckets of its own.
"""

import base64
import datetime
import hashlib
import http.client
import os
import sys
import tempfile
import traceback
import urllib.parse
import uuid
import zlib

import boto3
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

ENDPOINT = os.environ["AWS_ENDPOINT_URL"]
REGION = os.environ.get("AWS_REGION", "us-east-1")
KEY = os.environ["AWS_ACCESS_KEY_ID"]
SECRET = os.environ["AWS_SECRET_ACCESS_KEY"]
# Where files are made; the system's folder for such where none is named.
FOLDER = os.environ.get("CONFORMANCE_FOLDER")
RUN = uuid.uuid4().hex[:8]
MEBIBYTE = 1024 * 1024


def client(key=KEY, secret=SECRET, token=None, region=REGION, **options):
    options.setdefault("signature_version", "s3v4")
    config = Config(
        retries={"max_attempts": 0}, s3={"addressing_style": "path"}, **options
    )
    return boto3.client(
        "s3",
        endpoint_url=ENDPOINT,
        region_name=region,
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        aws_session_token=token,
        config=config,
    )


s3 = client()
CHECKS = []


def check(function):
    CHECKS.append(function)
    return function


def new_bucket(name):
    bucket = f"conformance-{RUN}-{name}"
    s3.create_bucket(Bucket=bucket)
    return bucket


def code_of(call, *args, **kwargs):
    """The code and the status of the error that a call must end with."""
    try:
        call(*args, **kwargs)
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        code = error.response["Error"]["Code"]
        message = error.response["Error"].get("Message", "")
        assert status in (304, 404, 403, 412, 405, 416, 400) and not message or message, error
        return code, status
    raise AssertionError("it was taken")


def body_of(bucket, key, **more):
    return s3.get_object(Bucket=bucket, Key=key, **more)["Body"].read()


def keys_of(bucket):
    return [o["Key"] for o in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]


def raw(method, path, body=b"", headers=None, sign=True, payload=None, key=KEY, secret=SECRET,
        region=REGION, service="s3", after=None):
    """One request over a plain connection; `after` changes it when it is signed."""
    host = urllib.parse.urlsplit(ENDPOINT).netloc
    headers = dict(headers or {})
    request = AWSRequest(method=method, url=ENDPOINT + path, data=None, headers=headers)
    if sign:
        request.context["client_config"] = None
        digest = payload or hashlib.sha256(body).hexdigest()

        class Signer(S3SigV4Auth):
            def payload(self, request):
                return digest

            def _should_sha256_sign_payload(self, request):
                return True

        Signer(Credentials(key, secret), service, region).add_auth(request)
        headers = dict(request.headers.items())
    if after:
        headers, body, path = after(headers, body, path)
    connection = http.client.HTTPConnection(host, timeout=30)
    try:
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        headers.setdefault("Host", host)
        headers.setdefault("Content-Length", str(len(body)))
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders()
        connection.send(body)
        answer = connection.getresponse()
        return answer.status, answer.read().decode("utf-8", "replace"), answer
    finally:
        connection.close()


def fetch(url, method="GET", body=None, headers=None):
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=30)
    try:
        connection.request(method, f"{parts.path}?{parts.query}", body, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def crc32(content):
    return base64.b64encode(zlib.crc32(content).to_bytes(4, "big")).decode()


# Buckets.


@check
def a_bucket_is_made_found_listed_and_removed():
    bucket = new_bucket("life")
    assert bucket in [b["Name"] for b in s3.list_buckets()["Buckets"]]
    found = s3.head_bucket(Bucket=bucket)
    assert found["BucketRegion"] == REGION
    location = s3.get_bucket_location(Bucket=bucket)["LocationConstraint"]
    assert location == (None if REGION == "us-east-1" else REGION)
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    assert code_of(s3.delete_bucket, Bucket=bucket) == ("BucketNotEmpty", 409)
    for version in s3.list_object_versions(Bucket=bucket)["Versions"]:
        s3.delete_object(Bucket=bucket, Key="k", VersionId=version["VersionId"])
    s3.delete_bucket(Bucket=bucket)
    assert code_of(s3.head_bucket, Bucket=bucket)[1] == 404
    assert code_of(s3.delete_bucket, Bucket=bucket) == ("NoSuchBucket", 404)


@check
def buckets_are_listed_in_pages():
    for name in ("page-1", "page-2", "page-3"):
        new_bucket(name)
    prefix = f"conformance-{RUN}-page-"
    first = s3.list_buckets(Prefix=prefix, MaxBuckets=2)
    assert len(first["Buckets"]) == 2
    rest = s3.list_buckets(Prefix=prefix, ContinuationToken=first["ContinuationToken"])
    assert [b["Name"] for b in rest["Buckets"]] == [prefix + "3"]
    assert "ContinuationToken" not in rest


@check
def a_bucket_has_a_name_that_s3_takes():
    for name in ("xn--abc", "abc-s3alias"):
        assert code_of(s3.create_bucket, Bucket=name) == ("InvalidBucketName", 400), name
    status, text, _ = raw("PUT", "/Not_A_Bucket")
    assert status == 400 and "InvalidBucketName" in text and "<Message>" in text, text


@check
def versioning_cannot_be_suspended():
    bucket = new_bucket("versioning")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    suspended = {"Status": "Suspended"}
    refused = code_of(
        s3.put_bucket_versioning, Bucket=bucket, VersioningConfiguration=suspended
    )
    assert refused[0] == "NotImplemented"


@check
def what_is_not_implemented_says_so_by_name():
    bucket = new_bucket("missing-operations")
    try:
        s3.get_bucket_policy(Bucket=bucket)
    except ClientError as error:
        assert error.response["Error"]["Code"] == "NotImplemented"
        assert "GetBucketPolicy" in error.response["Error"]["Message"]
    else:
        raise AssertionError("it was taken")
    for more in (
        {"ServerSideEncryption": "AES256"},
        {"WebsiteRedirectLocation": "/x"},
        {"ObjectLockLegalHoldStatus": "ON"},
    ):
        refused = code_of(s3.put_object, Bucket=bucket, Key="k", Body=b"x", **more)
        assert refused[0] == "NotImplemented", (more, refused)
    refused = code_of(s3.put_object, Bucket=bucket, Key="k", Body=b"x", ACL="public-read")
    assert refused[0] == "AccessControlListNotSupported"
    refused = code_of(s3.put_object, Bucket=bucket, Key="k", Body=b"x", StorageClass="GLACIER")
    assert refused[0] == "InvalidStorageClass"
    assert keys_of(bucket) == []


# Objects.


@check
def an_object_is_read_back_as_it_was_put():
    bucket = new_bucket("objects")
    put = s3.put_object(
        Bucket=bucket,
        Key="a/page.html",
        Body=b"<p>hello</p>",
        ContentType="text/html",
        ContentEncoding="identity",
        ContentDisposition="inline",
        ContentLanguage="de",
        CacheControl="max-age=60",
        Expires=datetime.datetime(2030, 1, 2, 3, 4, 5),
        Metadata={"revision": "7", "owner": "ann"},
    )
    assert put["ETag"] == '"%s"' % hashlib.md5(b"<p>hello</p>").hexdigest()
    for got in (
        s3.get_object(Bucket=bucket, Key="a/page.html"),
        s3.head_object(Bucket=bucket, Key="a/page.html"),
    ):
        assert got["ContentLength"] == 12
        assert got["ContentType"] == "text/html"
        assert got["ContentEncoding"] == "identity"
        assert got["ContentDisposition"] == "inline"
        assert got["ContentLanguage"] == "de"
        assert got["CacheControl"] == "max-age=60"
        assert got["ExpiresString"] == "Wed, 02 Jan 2030 03:04:05 GMT"
        assert got["Metadata"] == {"revision": "7", "owner": "ann"}
        assert got["VersionId"] == put["VersionId"] and got["ETag"] == put["ETag"]
    assert body_of(bucket, "a/page.html") == b"<p>hello</p>"
    s3.put_object(Bucket=bucket, Key="plain", Body=b"")
    got = s3.get_object(Bucket=bucket, Key="plain")
    assert got["Body"].read() == b"" and got["ContentType"] == "binary/octet-stream"
    overridden = s3.get_object(Bucket=bucket, Key="plain", ResponseContentType="text/plain")
    assert overridden["ContentType"] == "text/plain"


@check
def a_file_goes_up_and_comes_down():
    bucket = new_bucket("files")
    content = os.urandom(3 * MEBIBYTE + 17)
    with tempfile.TemporaryDirectory(dir=FOLDER) as folder:
        here, back = os.path.join(folder, "here"), os.path.join(folder, "back")
        with open(here, "wb") as file:
            file.write(content)
        s3.upload_file(here, bucket, "file.bin")
        s3.download_file(bucket, "file.bin", back)
        with open(back, "rb") as file:
            assert file.read() == content


@check
def odd_keys_are_keys():
    bucket = new_bucket("odd-keys")
    odd = [
        "sp ace/ü+&=?#%41.txt", "a//b", "/begins", "ends/", "日本/語", "tab\there", "a+b c",
        "quote'\"<>&.txt", "..", "a/../b", "%2e%2e%2f", "~-_.!*()", "k" * 1024, ";:@,$[]{}|^`\\",
    ]
    for key in odd:
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
        assert body_of(bucket, key) == key.encode(), key
    assert sorted(keys_of(bucket)) == sorted(odd)
    for key in odd:
        s3.delete_object(Bucket=bucket, Key=key)
    assert keys_of(bucket) == []
    refused = code_of(s3.put_object, Bucket=bucket, Key="k" * 1025, Body=b"x")
    assert refused[0] == "KeyTooLongError"


@check
def ranges_are_parts_of_an_object():
    bucket = new_bucket("ranges")
    content = bytes(range(256)) * 5000
    s3.put_object(Bucket=bucket, Key="k", Body=content)
    size = len(content)
    for asked, expected in (
        ("bytes=0-0", content[:1]),
        ("bytes=10-19", content[10:20]),
        (f"bytes={size - 5}-", content[-5:]),
        ("bytes=-7", content[-7:]),
        (f"bytes=5-{size * 2}", content[5:]),
        ("bytes=300000-700000", content[300000:700001]),
    ):
        got = s3.get_object(Bucket=bucket, Key="k", Range=asked)
        assert got["ResponseMetadata"]["HTTPStatusCode"] == 206, asked
        assert got["Body"].read() == expected, asked
        assert got["ContentRange"].endswith(f"/{size}")
    refused = code_of(s3.get_object, Bucket=bucket, Key="k", Range=f"bytes={size}-")
    assert refused == ("InvalidRange", 416)


@check
def conditions_decide_whether_an_object_is_read_or_written():
    bucket = new_bucket("conditions")
    put = s3.put_object(Bucket=bucket, Key="k", Body=b"one")
    tag = put["ETag"]
    s3.get_object(Bucket=bucket, Key="k", IfMatch=tag)
    assert code_of(s3.get_object, Bucket=bucket, Key="k", IfMatch='"x"')[1] == 412
    assert code_of(s3.get_object, Bucket=bucket, Key="k", IfNoneMatch=tag)[1] == 304
    now = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)
    assert code_of(s3.head_object, Bucket=bucket, Key="k", IfModifiedSince=now)[1] == 304
    past = now - datetime.timedelta(days=1)
    assert code_of(s3.get_object, Bucket=bucket, Key="k", IfUnmodifiedSince=past)[1] == 412
    refused = code_of(s3.put_object, Bucket=bucket, Key="k", Body=b"two", IfNoneMatch="*")
    assert refused == ("PreconditionFailed", 412)
    refused = code_of(s3.put_object, Bucket=bucket, Key="k", Body=b"two", IfMatch='"x"')
    assert refused == ("PreconditionFailed", 412)
    s3.put_object(Bucket=bucket, Key="k", Body=b"two", IfMatch=tag)
    s3.put_object(Bucket=bucket, Key="new", Body=b"n", IfNoneMatch="*")
    refused = code_of(s3.put_object, Bucket=bucket, Key="none", Body=b"x", IfMatch=tag)
    assert refused == ("NoSuchKey", 404)
    assert code_of(s3.delete_object, Bucket=bucket, Key="k", IfMatch=tag)[1] == 412
    assert body_of(bucket, "k") == b"two"


@check
def what_is_not_there_is_named():
    bucket = new_bucket("nothing")
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    assert code_of(s3.get_object, Bucket=bucket, Key="other") == ("NoSuchKey", 404)
    assert code_of(s3.head_object, Bucket=bucket, Key="other")[1] == 404
    refused = code_of(s3.get_object, Bucket=bucket, Key="k", VersionId="0" * 32)
    assert refused == ("NoSuchVersion", 404)
    nowhere = f"nowhere-{RUN}"
    assert code_of(s3.get_object, Bucket=nowhere, Key="k") == ("NoSuchBucket", 404)
    assert code_of(s3.put_object, Bucket=nowhere, Key="k", Body=b"x") == ("NoSuchBucket", 404)
    assert code_of(s3.list_objects_v2, Bucket=nowhere) == ("NoSuchBucket", 404)


@check
def metadata_has_a_limit():
    bucket = new_bucket("metadata")
    refused = code_of(
        s3.put_object, Bucket=bucket, Key="k", Body=b"x", Metadata={"a": "v" * 2048}
    )
    assert refused == ("MetadataTooLarge", 400)
    assert keys_of(bucket) == []


# Versions.


@check
def versions_stay_and_markers_hide_them():
    bucket = new_bucket("versions")
    ids = [
        s3.put_object(Bucket=bucket, Key="k", Body=body)["VersionId"]
        for body in (b"one", b"two", b"three")
    ]
    assert len(set(ids)) == 3
    for version, body in zip(ids, (b"one", b"two", b"three")):
        assert body_of(bucket, "k", VersionId=version) == body
    gone = s3.delete_object(Bucket=bucket, Key="k")
    assert gone["DeleteMarker"] is True
    marker = gone["VersionId"]
    try:
        s3.get_object(Bucket=bucket, Key="k")
        raise AssertionError("it was given")
    except ClientError as error:
        headers = error.response["ResponseMetadata"]["HTTPHeaders"]
        assert error.response["Error"]["Code"] == "NoSuchKey"
        assert headers["x-amz-delete-marker"] == "true"
        assert headers["x-amz-version-id"] == marker
    refused = code_of(s3.get_object, Bucket=bucket, Key="k", VersionId=marker)
    assert refused == ("MethodNotAllowed", 405)
    assert keys_of(bucket) == []
    listed = s3.list_object_versions(Bucket=bucket)
    assert [v["VersionId"] for v in listed["Versions"]] == ids[::-1]
    assert [v["IsLatest"] for v in listed["Versions"]] == [False, False, False]
    assert [m["IsLatest"] for m in listed["DeleteMarkers"]] == [True]
    undone = s3.delete_object(Bucket=bucket, Key="k", VersionId=marker)
    assert undone["DeleteMarker"] is True and undone["VersionId"] == marker
    assert body_of(bucket, "k") == b"three"
    s3.delete_object(Bucket=bucket, Key="k", VersionId=ids[2])
    assert body_of(bucket, "k") == b"two"


@check
def versions_are_listed_in_pages_and_can_be_deleted_meanwhile():
    bucket = new_bucket("version-pages")
    for number in range(30):
        s3.put_object(Bucket=bucket, Key=f"k{number % 4}", Body=str(number).encode())
    s3.delete_object(Bucket=bucket, Key="k1")
    for size in (1, 4, 7, 31):
        seen = []
        pages = s3.get_paginator("list_object_versions")
        for page in pages.paginate(Bucket=bucket, PaginationConfig={"PageSize": size}):
            found = page.get("Versions", []) + page.get("DeleteMarkers", [])
            assert len(found) <= size
            seen += [version["VersionId"] for version in found]
        assert len(seen) == len(set(seen)) == 31, (size, len(seen))
    boto3.resource(
        "s3", endpoint_url=ENDPOINT, region_name=REGION, aws_access_key_id=KEY,
        aws_secret_access_key=SECRET,
    ).Bucket(bucket).object_versions.limit(12).delete()
    pages = s3.get_paginator("list_object_versions")
    for page in pages.paginate(Bucket=bucket, PaginationConfig={"PageSize": 5}):
        for version in page.get("Versions", []) + page.get("DeleteMarkers", []):
            s3.delete_object(
                Bucket=bucket, Key=version["Key"], VersionId=version["VersionId"]
            )
    s3.delete_bucket(Bucket=bucket)


@check
def many_keys_are_deleted_at_once():
    bucket = new_bucket("delete-many")
    for number in range(5):
        s3.put_object(Bucket=bucket, Key=f"k{number}", Body=b"x")
    named = [{"Key": f"k{number}"} for number in range(4)] + [{"Key": "never-was"}]
    done = s3.delete_objects(Bucket=bucket, Delete={"Objects": named})
    assert len(done["Deleted"]) == 5 and "Errors" not in done
    assert all(one["DeleteMarker"] for one in done["Deleted"])
    quiet = {"Objects": [{"Key": "k4"}], "Quiet": True}
    assert "Deleted" not in s3.delete_objects(Bucket=bucket, Delete=quiet)
    assert keys_of(bucket) == []


# Lists.


@check
def keys_are_listed_in_pages():
    bucket = new_bucket("pages")
    keys = sorted(f"{number % 3}/{number:03}" for number in range(61))
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key, Body=b"")
    for operation in ("list_objects_v2", "list_objects"):
        for size in (1, 10, 61, 1000):
            seen = []
            pages = s3.get_paginator(operation)
            for page in pages.paginate(Bucket=bucket, PaginationConfig={"PageSize": size}):
                found = [o["Key"] for o in page.get("Contents", [])]
                assert len(found) <= size
                seen += found
            assert seen == keys, (operation, size)
    after = s3.list_objects_v2(Bucket=bucket, StartAfter="1/040")
    assert [o["Key"] for o in after["Contents"]] == [k for k in keys if k > "1/040"]
    none = s3.list_objects_v2(Bucket=bucket, MaxKeys=0)
    assert none["KeyCount"] == 0 and not none["IsTruncated"]
    refused = code_of(s3.list_objects_v2, Bucket=bucket, ContinuationToken="%%")
    assert refused == ("InvalidArgument", 400)


@check
def a_delimiter_makes_folders():
    bucket = new_bucket("folders")
    for key in ("a", "b/1", "b/2", "b/c/3", "d/4", "e", "ü ü/5"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"")
    for operation in ("list_objects_v2", "list_objects"):
        for size in (1, 2, 1000):
            keys, prefixes = [], []
            pages = s3.get_paginator(operation).paginate(
                Bucket=bucket, Delimiter="/", PaginationConfig={"PageSize": size}
            )
            for page in pages:
                keys += [o["Key"] for o in page.get("Contents", [])]
                prefixes += [p["Prefix"] for p in page.get("CommonPrefixes", [])]
            assert keys == ["a", "e"], (operation, size, keys)
            assert prefixes == ["b/", "d/", "ü ü/"], (operation, size, prefixes)
    within = s3.list_objects_v2(Bucket=bucket, Delimiter="/", Prefix="b/")
    assert [o["Key"] for o in within["Contents"]] == ["b/1", "b/2"]
    assert [p["Prefix"] for p in within["CommonPrefixes"]] == ["b/c/"]
    versions = s3.list_object_versions(Bucket=bucket, Delimiter="/")
    assert [p["Prefix"] for p in versions["CommonPrefixes"]] == ["b/", "d/", "ü ü/"]


# Copies, tags.


@check
def an_object_is_copied():
    bucket, other = new_bucket("copy-from"), new_bucket("copy-to")
    source = {"Bucket": bucket, "Key": "sp ace/ü+.txt"}
    first = s3.put_object(**source, Body=b"one", Metadata={"a": "1"}, ContentType="text/css")
    s3.put_object(**source, Body=b"two", Tagging="team=web")
    copied = s3.copy_object(Bucket=other, Key="k", CopySource=source)
    assert copied["CopyObjectResult"]["ETag"] == '"%s"' % hashlib.md5(b"two").hexdigest()
    assert body_of(other, "k") == b"two"
    tags = s3.get_object_tagging(Bucket=other, Key="k")["TagSet"]
    assert tags == [{"Key": "team", "Value": "web"}]
    old = {**source, "VersionId": first["VersionId"]}
    s3.copy_object(Bucket=other, Key="k", CopySource=old)
    got = s3.get_object(Bucket=other, Key="k")
    assert got["Body"].read() == b"one" and got["Metadata"] == {"a": "1"}
    s3.copy_object(
        Bucket=other, Key="k", CopySource=old, MetadataDirective="REPLACE", Metadata={"b": "2"}
    )
    got = s3.head_object(Bucket=other, Key="k")
    assert got["Metadata"] == {"b": "2"} and got["ContentType"] != "text/css"
    refused = code_of(s3.copy_object, **source, CopySource=source)
    assert refused == ("InvalidRequest", 400)
    refused = code_of(
        s3.copy_object, Bucket=other, Key="k", CopySource=source, CopySourceIfMatch='"x"'
    )
    assert refused == ("PreconditionFailed", 412)
    nothing = {"Bucket": bucket, "Key": "nothing"}
    refused = code_of(s3.copy_object, Bucket=other, Key="k", CopySource=nothing)
    assert refused == ("NoSuchKey", 404)


@check
def tags_are_put_read_and_removed():
    bucket = new_bucket("tags")
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", Tagging="a=1&b=c%20d")
    got = s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"]
    assert got == [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "c d"}]
    assert s3.get_object(Bucket=bucket, Key="k")["TagCount"] == 2
    s3.put_object_tagging(
        Bucket=bucket, Key="k", Tagging={"TagSet": [{"Key": "z", "Value": "9"}]}
    )
    got = s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"]
    assert got == [{"Key": "z", "Value": "9"}]
    s3.delete_object_tagging(Bucket=bucket, Key="k")
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == []
    twice = {"TagSet": [{"Key": "z", "Value": "1"}, {"Key": "z", "Value": "2"}]}
    refused = code_of(s3.put_object_tagging, Bucket=bucket, Key="k", Tagging=twice)
    assert refused == ("InvalidTag", 400)


# Uploads in parts.


@check
def twenty_mebibytes_go_up_in_parts_and_come_back():
    bucket = new_bucket("multipart")
    content = os.urandom(20 * MEBIBYTE)
    size = 8 * MEBIBYTE
    pieces = [content[at : at + size] for at in range(0, len(content), size)]
    for algorithm in (None, "CRC32", "SHA256", "CRC32C"):
        more = {"ChecksumAlgorithm": algorithm} if algorithm in ("CRC32", "SHA256") else {}
        begun = s3.create_multipart_upload(
            Bucket=bucket, Key="k", Metadata={"a": "1"}, ContentType="text/css", **more
        )
        named = {"Bucket": bucket, "Key": "k", "UploadId": begun["UploadId"]}
        open_now = s3.list_multipart_uploads(Bucket=bucket)["Uploads"]
        assert [u["UploadId"] for u in open_now] == [begun["UploadId"]]
        parts = []
        # A part that is sent again takes the place of the first.
        s3.upload_part(**named, PartNumber=1, Body=b"not this", **more)
        for number, piece in enumerate(pieces, 1):
            sent = s3.upload_part(**named, PartNumber=number, Body=piece, **more)
            part = {"PartNumber": number, "ETag": sent["ETag"]}
            if more:
                name = f"Checksum{algorithm}"
                part[name] = sent[name]
            parts.append(part)
        listed = s3.list_parts(**named, MaxParts=2)
        assert [p["Size"] for p in listed["Parts"]] == [size, size]
        rest = s3.list_parts(**named, PartNumberMarker=listed["NextPartNumberMarker"])
        assert [p["Size"] for p in rest["Parts"]] == [4 * MEBIBYTE]
        assert keys_of(bucket) in ([], ["k"])
        complete = {**named, "MultipartUpload": {"Parts": parts}}
        done = s3.complete_multipart_upload(**complete)
        digests = b"".join(hashlib.md5(piece).digest() for piece in pieces)
        assert done["ETag"] == '"%s-3"' % hashlib.md5(digests).hexdigest()
        # Who did not get the answer gets it again.
        assert s3.complete_multipart_upload(**complete)["VersionId"] == done["VersionId"]
        got = s3.get_object(Bucket=bucket, Key="k")
        assert got["Body"].read() == content
        assert got["ETag"] == done["ETag"] and got["Metadata"] == {"a": "1"}
        assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)
    assert len(s3.list_object_versions(Bucket=bucket)["Versions"]) == 4


@check
def a_large_file_goes_up_by_the_transfer_of_boto3():
    bucket = new_bucket("transfer")
    content = os.urandom(20 * MEBIBYTE + 3)
    with tempfile.TemporaryDirectory(dir=FOLDER) as folder:
        path = os.path.join(folder, "large")
        with open(path, "wb") as file:
            file.write(content)
        s3.upload_file(path, bucket, "large")
        s3.download_file(bucket, "large", path)
        with open(path, "rb") as file:
            assert file.read() == content
    assert s3.head_object(Bucket=bucket, Key="large")["ETag"].endswith('-3"')
    s3.copy({"Bucket": bucket, "Key": "large"}, bucket, "copied")
    assert body_of(bucket, "copied") == content


@check
def an_aborted_upload_leaves_nothing():
    bucket = new_bucket("abort")
    begun = s3.create_multipart_upload(Bucket=bucket, Key="k")
    named = {"Bucket": bucket, "Key": "k", "UploadId": begun["UploadId"]}
    sent = s3.upload_part(**named, PartNumber=1, Body=b"x")
    s3.abort_multipart_upload(**named)
    assert code_of(s3.upload_part, **named, PartNumber=2, Body=b"x") == ("NoSuchUpload", 404)
    parts = {"Parts": [{"PartNumber": 1, "ETag": sent["ETag"]}]}
    refused = code_of(s3.complete_multipart_upload, **named, MultipartUpload=parts)
    assert refused == ("NoSuchUpload", 404)
    assert code_of(s3.abort_multipart_upload, **named) == ("NoSuchUpload", 404)
    assert code_of(s3.list_parts, **named) == ("NoSuchUpload", 404)
    assert keys_of(bucket) == []


@check
def an_upload_is_completed_from_the_parts_that_were_sent():
    bucket = new_bucket("parts")
    begun = s3.create_multipart_upload(Bucket=bucket, Key="k")
    named = {"Bucket": bucket, "Key": "k", "UploadId": begun["UploadId"]}
    tags = [
        s3.upload_part(**named, PartNumber=number, Body=b"small")["ETag"] for number in (1, 2)
    ]

    def complete(*parts):
        parts = {"Parts": [{"PartNumber": n, "ETag": tag} for n, tag in parts]}
        return code_of(s3.complete_multipart_upload, **named, MultipartUpload=parts)

    assert complete((1, tags[0]), (2, tags[1])) == ("EntityTooSmall", 400)
    assert complete((2, tags[1]), (1, tags[0])) == ("InvalidPartOrder", 400)
    assert complete((1, '"x"')) == ("InvalidPart", 400)
    assert complete((3, tags[0])) == ("InvalidPart", 400)
    for number in (0, 10_001):
        refused = code_of(s3.upload_part, **named, PartNumber=number, Body=b"x")
        assert refused[0] == "InvalidArgument"
    other = {**named, "Key": "other"}
    assert code_of(s3.list_parts, **other) == ("NoSuchUpload", 404)
    assert keys_of(bucket) == []


# Bodies that are not what they say.


@check
def a_checksum_that_does_not_match_leaves_nothing():
    bucket = new_bucket("checksums")
    wrong = {
        "ChecksumCRC32": crc32(b"other"),
        "ChecksumSHA1": base64.b64encode(hashlib.sha1(b"other").digest()).decode(),
        "ChecksumSHA256": base64.b64encode(hashlib.sha256(b"other").digest()).decode(),
        "ChecksumCRC32C": base64.b64encode(b"\0\0\0\1").decode(),
        "ChecksumCRC64NVME": base64.b64encode(b"\0" * 8).decode(),
    }
    for name, value in wrong.items():
        refused = code_of(s3.put_object, Bucket=bucket, Key="k", Body=b"hello", **{name: value})
        assert refused == ("BadDigest", 400), (name, refused)
    refused = code_of(
        s3.put_object, Bucket=bucket, Key="k", Body=b"hello",
        ContentMD5=base64.b64encode(hashlib.md5(b"other").digest()).decode(),
    )
    assert refused == ("BadDigest", 400)
    refused = code_of(s3.put_object, Bucket=bucket, Key="k", Body=b"x", ContentMD5="nonsense")
    assert refused == ("InvalidDigest", 400)
    begun = s3.create_multipart_upload(Bucket=bucket, Key="k", ChecksumAlgorithm="CRC32")
    named = {"Bucket": bucket, "Key": "k", "UploadId": begun["UploadId"]}
    refused = code_of(
        s3.upload_part, **named, PartNumber=1, Body=b"hello", ChecksumCRC32=crc32(b"other")
    )
    assert refused == ("BadDigest", 400)
    assert "Parts" not in s3.list_parts(**named)
    assert keys_of(bucket) == []


@check
def a_checksum_that_matches_is_told_again():
    bucket = new_bucket("told")
    sha256 = base64.b64encode(hashlib.sha256(b"hello").digest()).decode()
    s3.put_object(Bucket=bucket, Key="k", Body=b"hello", ChecksumSHA256=sha256)
    got = s3.get_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert got["ChecksumSHA256"] == sha256 and got["ChecksumType"] == "FULL_OBJECT"
    assert got["Body"].read() == b"hello"
    put = s3.put_object(Bucket=bucket, Key="c", Body=b"hello", ChecksumAlgorithm="CRC32")
    assert put["ChecksumCRC32"] == crc32(b"hello")
    head = s3.head_object(Bucket=bucket, Key="c", ChecksumMode="ENABLED")
    assert head["ChecksumCRC32"] == crc32(b"hello")


def trailer_body(content, trailer):
    return b"%x\r\n%s\r\n0\r\n%s\r\n\r\n" % (len(content), content, trailer)


def trailer_headers(length, name="x-amz-checksum-crc32"):
    return {
        "content-encoding": "aws-chunked",
        "x-amz-decoded-content-length": str(length),
        "x-amz-trailer": name,
    }


@check
def a_checksum_in_a_trailer_is_compared():
    bucket = new_bucket("trailers")
    path, payload = f"/{bucket}/k", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
    content = b"hello" * 1000
    for trailer, status, code in (
        (crc32(content), 200, ""),
        (crc32(b"other"), 400, "BadDigest"),
        ("nonsense", 400, "InvalidRequest"),
    ):
        body = trailer_body(content, b"x-amz-checksum-crc32:" + trailer.encode())
        headers = trailer_headers(len(content))
        found, text, _ = raw("PUT", path, body, headers, payload=payload)
        assert found == status and code in text, (trailer, found, text)
    got = s3.get_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert got["Body"].read() == content and got["ChecksumCRC32"] == crc32(content)
    assert "ContentEncoding" not in got
    # One that was announced and does not come.
    body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(content), content)
    found, text, _ = raw("PUT", path, body, trailer_headers(len(content)), payload=payload)
    assert found == 400 and "was announced" in text, text
    assert len(s3.list_object_versions(Bucket=bucket)["Versions"]) == 1


@check
def a_chunked_body_that_ends_early_leaves_nothing():
    bucket = new_bucket("chunks")
    path, payload = f"/{bucket}/k", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
    trailer = b"x-amz-checksum-crc32:" + crc32(b"hello").encode()
    for body in (
        b"5\r\nhello\r\n",  # Between two chunks.
        b"5\r\nhel",
        trailer_body(b"hello", trailer)[:-1].replace(b"5\r\n", b"6\r\n", 1),
        b"nonsense\r\n",
        b"",
    ):
        found, text, _ = raw("PUT", path, body, trailer_headers(10), payload=payload)
        assert found == 400, (body, found, text)
    # The chunks are whole, and not as long as was said.
    for length in (4, 6):
        body = trailer_body(b"hello", trailer)
        found, text, _ = raw("PUT", path, body, trailer_headers(length), payload=payload)
        assert found == 400 and "IncompleteBody" in text, (length, text)
    assert keys_of(bucket) == []


@check
def a_chunk_with_a_wrong_signature_is_refused():
    bucket = new_bucket("signed-chunks")
    body = b"5;chunk-signature=%s\r\nhello\r\n0;chunk-signature=%s\r\n\r\n" % (
        b"0" * 64, b"0" * 64,
    )
    headers = {"content-encoding": "aws-chunked", "x-amz-decoded-content-length": "5"}
    found, text, _ = raw(
        "PUT", f"/{bucket}/k", body, headers, payload="STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
    )
    assert found == 403 and "SignatureDoesNotMatch" in text, (found, text)
    assert keys_of(bucket) == []


@check
def a_swapped_body_is_refused():
    bucket = new_bucket("swapped")

    def swap(headers, body, path):
        return headers, b"jello", path

    found, text, _ = raw("PUT", f"/{bucket}/k", b"hello", after=swap)
    assert found == 400 and "XAmzContentSHA256Mismatch" in text, (found, text)
    assert keys_of(bucket) == []


@check
def a_body_that_ends_early_leaves_nothing():
    bucket = new_bucket("cut")
    host = urllib.parse.urlsplit(ENDPOINT).netloc

    def cut(headers, body, path):
        connection = http.client.HTTPConnection(host, timeout=30)
        connection.putrequest("PUT", path, skip_host=True, skip_accept_encoding=True)
        for name, value in {**headers, "Host": host, "Content-Length": str(len(body))}.items():
            connection.putheader(name, value)
        connection.endheaders()
        connection.send(body[: len(body) // 2])
        connection.close()
        return {**headers, "x-broken": "1"}, body, path

    # The second, whole request shows that the first one did no harm.
    found, text, _ = raw("PUT", f"/{bucket}/k", b"hello" * 100_000, after=cut)
    assert found == 200, text
    assert len(s3.list_object_versions(Bucket=bucket)["Versions"]) == 1


@check
def too_much_is_refused_before_it_is_sent():
    bucket = new_bucket("too-much")

    def claim(headers, body, path):
        return {**headers, "Content-Length": str(5 * 1024**3 + 1)}, body, path

    found, text, _ = raw(
        "PUT", f"/{bucket}/k", b"x", payload="UNSIGNED-PAYLOAD", after=claim
    )
    assert found == 400 and "EntityTooLarge" in text, (found, text)


# Who may.


@check
def a_wrong_key_or_secret_is_refused():
    wrong = client(secret="wrong")
    assert code_of(wrong.list_buckets) == ("SignatureDoesNotMatch", 403)
    unknown = client(key="PWNOBODY")
    assert code_of(unknown.list_buckets) == ("InvalidAccessKeyId", 403)
    found, text, _ = raw("GET", "/", sign=False)
    # Beside other services on one address, what nobody signed is for none of them.
    alone = found == 403 and "AccessDenied" in text and "not signed" in text
    assert alone or (found == 404 and "UnknownOperationException" in text), text
    token = client(token="a-token")
    assert code_of(token.list_buckets) == ("InvalidToken", 400)


@check
def a_request_is_signed_for_this_region_and_service():
    elsewhere = client(region="mars-north-9")
    assert code_of(elsewhere.list_buckets) == ("AuthorizationHeaderMalformed", 400)


@check
def a_changed_request_is_refused():
    bucket = new_bucket("changed")
    s3.put_object(Bucket=bucket, Key="a", Body=b"x")
    s3.put_object(Bucket=bucket, Key="b", Body=b"x")

    def other_key(headers, body, path):
        return headers, body, f"/{bucket}/b"

    def more(headers, body, path):
        return {**headers, "x-amz-meta-more": "1"}, body, path

    def old(headers, body, path):
        return {**headers, "X-Amz-Date": "20200101T000000Z"}, body, path

    for change, code in (
        (other_key, "SignatureDoesNotMatch"),
        (more, "AccessDenied"),
        (old, "SignatureDoesNotMatch"),
    ):
        found, text, _ = raw("GET", f"/{bucket}/a", after=change)
        assert found == 403 and code in text, (change.__name__, found, text)


@check
def an_address_is_signed_in_advance():
    bucket = new_bucket("presigned")
    named = {"Bucket": bucket, "Key": "sp ace/ü+.txt"}
    up = s3.generate_presigned_url("put_object", Params=named, ExpiresIn=60)
    status, text = fetch(up, "PUT", b"hello")
    assert status == 200, text
    down = s3.generate_presigned_url("get_object", Params=named, ExpiresIn=60)
    assert fetch(down) == (200, b"hello")
    digest = {"x-amz-content-sha256": hashlib.sha256(b"other").hexdigest()}
    status, text = fetch(up, "PUT", b"hello", digest)
    assert status == 400 and b"XAmzContentSHA256Mismatch" in text, text
    assert fetch(up, "PUT", b"x", {"x-amz-acl": "private"})[0] == 403
    assert fetch(down, "DELETE")[0] == 403


@check
def a_changed_or_expired_address_is_refused():
    bucket = new_bucket("tampered")
    s3.put_object(Bucket=bucket, Key="a", Body=b"a")
    s3.put_object(Bucket=bucket, Key="b", Body=b"b")
    url = s3.generate_presigned_url(
        "get_object", Params={"Bucket": bucket, "Key": "a"}, ExpiresIn=60
    )
    status, text = fetch(url.replace(f"{bucket}/a", f"{bucket}/b"))
    assert status == 403 and b"SignatureDoesNotMatch" in text, text
    status, text = fetch(url.replace("Expires=60", "Expires=600"))
    assert status == 403 and b"SignatureDoesNotMatch" in text, text
    status, text = fetch(url.replace("Expires=60", "Expires=999999"))
    assert status == 400 and b"AuthorizationQueryParametersError" in text, text
    status, text = fetch(url + "&versionId=0")
    assert status == 403 and b"SignatureDoesNotMatch" in text, text
    then = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(hours=1)
    query = {
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": f"{KEY}/{then:%Y%m%d}/{REGION}/s3/aws4_request",
        "X-Amz-Date": f"{then:%Y%m%dT%H%M%SZ}",
        "X-Amz-Expires": "60",
        "X-Amz-SignedHeaders": "host",
        "X-Amz-Signature": "0" * 64,
    }
    status, text = fetch(f"{ENDPOINT}/{bucket}/a?{urllib.parse.urlencode(query)}")
    assert status == 403 and b"Request has expired" in text, text


@check
def version_2_of_the_signature_is_refused_with_advice():
    bucket = new_bucket("version-2")
    old = client(signature_version="s3")
    url = old.generate_presigned_url(
        "get_object", Params={"Bucket": bucket, "Key": "k"}, ExpiresIn=60
    )
    assert "AWSAccessKeyId" in url
    status, text = fetch(url)
    assert status == 400 and b"signature version 4" in text, text
    assert code_of(old.list_buckets) == ("InvalidRequest", 400)


@check
def a_policy_decides():
    if "PIPEWRIGHT_READER" not in os.environ:
        return "no PIPEWRIGHT_READER"
    key, secret = os.environ["PIPEWRIGHT_READER"].split(":")
    reader = client(key=key, secret=secret)
    bucket = new_bucket("policy")
    first = s3.put_object(Bucket=bucket, Key="open/k", Body=b"x")
    s3.put_object(Bucket=bucket, Key="secret/k", Body=b"x")
    reader.get_object(Bucket=bucket, Key="open/k", VersionId=first["VersionId"])
    reader.list_objects_v2(Bucket=bucket)
    for call, named, action in (
        (reader.put_object, {"Bucket": bucket, "Key": "open/k", "Body": b"y"}, "s3:PutObject"),
        (reader.delete_object, {"Bucket": bucket, "Key": "open/k"}, "s3:DeleteObject"),
        (reader.get_object, {"Bucket": bucket, "Key": "secret/k"}, "s3:GetObject"),
        (reader.create_bucket, {"Bucket": f"never-{RUN}"}, "s3:CreateBucket"),
        (reader.list_buckets, {}, "s3:ListAllMyBuckets"),
        (reader.list_object_versions, {"Bucket": bucket}, "s3:ListBucketVersions"),
        (
            reader.copy_object,
            {"Bucket": bucket, "Key": "c", "CopySource": f"{bucket}/open/k"},
            "s3:PutObject",
        ),
    ):
        try:
            call(**named)
        except ClientError as error:
            assert error.response["Error"]["Code"] == "AccessDenied", error
            assert action in error.response["Error"]["Message"], error
        else:
            raise AssertionError(f"{action} was allowed")
    denied = reader.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "open/k"}]})
    assert [error["Code"] for error in denied["Errors"]] == ["AccessDenied"]
    assert body_of(bucket, "open/k") == b"x"
    return None


@check
def temporary_credentials_need_their_token():
    if "PIPEWRIGHT_GUEST" not in os.environ:
        return "no PIPEWRIGHT_GUEST"
    key, secret, token = os.environ["PIPEWRIGHT_GUEST"].split(":")
    guest = client(key=key, secret=secret, token=token)
    bucket = new_bucket("guest")
    guest.put_object(Bucket=bucket, Key="k", Body=b"x")
    url = guest.generate_presigned_url(
        "get_object", Params={"Bucket": bucket, "Key": "k"}, ExpiresIn=60
    )
    assert fetch(url) == (200, b"x")
    for token in (None, "other"):
        wrong = client(key=key, secret=secret, token=token)
        assert code_of(wrong.list_buckets) == ("InvalidToken", 400)
    return None


@check
def the_bucket_of_somebody_else_is_not_this_one():
    bucket = new_bucket("owner")
    s3.head_bucket(Bucket=bucket, ExpectedBucketOwner="000000000000")
    refused = code_of(
        s3.put_object, Bucket=bucket, Key="k", Body=b"x", ExpectedBucketOwner="111111111111"
    )
    assert refused == ("AccessDenied", 403)


def clean():
    for bucket in s3.list_buckets(Prefix=f"conformance-{RUN}-")["Buckets"]:
        name = bucket["Name"]
        for upload in s3.list_multipart_uploads(Bucket=name).get("Uploads", []):
            s3.abort_multipart_upload(
                Bucket=name, Key=upload["Key"], UploadId=upload["UploadId"]
            )
        pages = s3.get_paginator("list_object_versions").paginate(Bucket=name)
        for page in pages:
            found = page.get("Versions", []) + page.get("DeleteMarkers", [])
            named = [{"Key": v["Key"], "VersionId": v["VersionId"]} for v in found]
            if named:
                s3.delete_objects(Bucket=name, Delete={"Objects": named})
        s3.delete_bucket(Bucket=name)


def main():
    wanted, failed = sys.argv[1:], 0
    for function in CHECKS:
        name = function.__name__
        if wanted and name not in wanted:
            continue
        try:
            skipped = function()
            print(f"skip  {name}: {skipped}" if skipped else f"ok  {name}", flush=True)
        except Exception as error:  # Whatever it is, it is told and the others go on.
            failed += 1
            place = traceback.extract_tb(error.__traceback__)
            line = [frame.lineno for frame in place if frame.filename == __file__][-1]
            why = f"{type(error).__name__} {error}".strip().replace("\n", " ")
            print(f"FAIL {name}: line {line}: {why}", flush=True)
    clean()
    sys.exit(1 if failed else 0)


main()
