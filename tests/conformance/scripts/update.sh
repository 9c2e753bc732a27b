#!/usr/bin/env bash
# Take a definition out, change it, put it back: the metadata goes, and all else stays.
set -euo pipefail
. "$(dirname "$0")/lib/declare.sh"
name=shell-update
declare_pipeline $name pipeline.json
aws codepipeline create-pipeline --cli-input-json file://pipeline.json \
    --tags key=team,value=web key=env,value=test > created.json

aws codepipeline get-pipeline --name $name > current.json
grep -q '"pipelineArn"' current.json || fail "there is no metadata"
python3 - <<'PY'
import json

definition = json.load(open("current.json"))
del definition["metadata"]
definition["pipeline"]["stages"][1]["actions"][0]["configuration"] = {"CustomData": "Really?"}
json.dump(definition, open("changed.json", "w"))
PY
aws codepipeline update-pipeline --cli-input-json file://changed.json > updated.json
aws codepipeline get-pipeline --name $name --query pipeline > after.json
python3 - <<'PY'
import json

changed = json.load(open("changed.json"))["pipeline"]
after = json.load(open("after.json"))
assert after["version"] == 2, after["version"]
changed["version"] = 2
assert after == changed, (after, changed)
PY
# As it was before.
aws codepipeline get-pipeline --name $name --pipeline-version 1 --query pipeline > first.json
python3 - <<'PY'
import json

assert json.load(open("first.json")) == json.load(open("current.json"))["pipeline"]
PY
