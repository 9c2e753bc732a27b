"""Prints what cloudsplaining finds in the policies of a folder, and how many it looked at.

    python cloudsplaining.py EXCLUSIONS FOLDER

One process for all: the program itself takes one policy, and more than a second to begin.
"""

import json
import sys
from pathlib import Path

# This script has the package's name, and its folder comes first.
sys.path.pop(0)

import yaml
from cloudsplaining.command.scan_policy_file import scan_policy


def main(exclusions, folder):
    exclusions = yaml.safe_load(Path(exclusions).read_text(encoding="utf-8"))
    policies = sorted(Path(folder).glob("*.json"))
    for policy in policies:
        document = json.loads(policy.read_text(encoding="utf-8"))
        for kind, found in scan_policy(document, exclusions).items():
            if isinstance(found, dict) and found.get("findings"):
                print(policy.name, kind, json.dumps(found["findings"]))
    print(len(policies), "policies")


main(*sys.argv[1:])
