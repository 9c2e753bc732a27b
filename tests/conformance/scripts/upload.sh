#!/usr/bin/env bash
# Upload a site, let the pipeline that watches it deploy it, and look at it where it is deployed.
set -euo pipefail
. "$(dirname "$0")/lib/declare.sh"
name=shell-upload
aws s3 mb s3://shell-source > made.txt
aws s3 mb s3://shell-site >> made.txt
aws s3api put-bucket-versioning --bucket shell-source --versioning-configuration Status=Enabled
zip() {
    echo "$1" > index.html
    python3 -c 'import zipfile; zipfile.ZipFile("site.zip", "w").write("index.html")'
    aws s3 cp --quiet site.zip s3://shell-source/site.zip
}
zip one
declare_pipeline $name pipeline.json '{"name": "Deploy", "actions": [{
  "name": "Upload",
  "actionTypeId": {"category": "Deploy", "owner": "AWS", "provider": "S3", "version": "1"},
  "configuration": {"BucketName": "shell-site", "Extract": "true"},
  "inputArtifacts": [{"name": "Site"}]
}]}'
python3 - <<'PY'
import json

file = json.load(open("pipeline.json"))
source = file["pipeline"]["stages"][0]["actions"][0]
source["actionTypeId"]["provider"] = "S3"
source["configuration"] = {"S3Bucket": "shell-source", "S3ObjectKey": "site.zip"}
json.dump(file, open("pipeline.json", "w"))
PY
aws codepipeline create-pipeline --cli-input-json file://pipeline.json > created.json
shows() {
    aws s3 cp --quiet s3://shell-site/index.html shown.html && [ "$(cat shown.html)" = "$1" ]
}
until_so shows one
zip two
until_so shows two
aws s3 ls s3://shell-site/ > listed.txt
grep -q index.html listed.txt
aws s3 sync --quiet s3://shell-site copy
cmp index.html copy/index.html
