"""Prints a template as JSON, as AWS sees it after the SAM transform.

    python expand.py TEMPLATE
"""

import json
import logging
import sys
from types import SimpleNamespace

from samcli.yamlhelper import yaml_parse
from samtranslator.translator.transform import transform

logging.disable(logging.WARNING)


def main(path):
    with open(path, encoding="utf-8") as file:
        template = yaml_parse(file.read())
    # What `sam deploy` does after it has uploaded the code.
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = "s3://code/" + resource["Properties"]["CodeUri"]
    if "Transform" in template:
        template = transform(template, {}, SimpleNamespace(load=dict))
    json.dump(template, sys.stdout)


main(*sys.argv[1:])
