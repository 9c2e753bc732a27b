"""The other services on the address, by programs of their own: S3, CodeBuild with its logs."""

import os
import sys
from pathlib import Path

FOLDER = Path(__file__).parent.parent

PROGRAMS = ("codebuild.py", "s3.py")


def jobs(world):
    """Each program with its command and its environment."""
    read = {"Effect": "Allow", "Action": ["s3:Get*", "s3:ListBucket"], "Resource": "*"}
    hidden = {"Effect": "Deny", "Action": "s3:*", "Resource": "arn:aws:s3:::*/secret/*"}
    reader = world.issue_key("reader", read, hidden)
    everything = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    guest = world.issue_key("guest", everything, seconds=900)
    environment = {
        **os.environ,
        "AWS_ENDPOINT_URL": world.endpoint,
        "AWS_REGION": world.region,
        "AWS_DEFAULT_REGION": world.region,
        "AWS_ACCESS_KEY_ID": world.key.access_key,
        "AWS_SECRET_ACCESS_KEY": world.key.secret_key,
        "PIPEWRIGHT_READER": f"{reader.access_key}:{reader.secret_key}",
        "PIPEWRIGHT_GUEST": f"{guest.access_key}:{guest.secret_key}:{guest.token}",
    }
    return [(name, [sys.executable, str(FOLDER / name)], environment) for name in PROGRAMS]
