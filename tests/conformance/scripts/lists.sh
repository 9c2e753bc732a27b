#!/usr/bin/env bash
# What is here: as a table, page by page, and by type.
set -euo pipefail
. "$(dirname "$0")/lib/declare.sh"
for name in shell-list-a shell-list-b; do
    declare_pipeline $name pipeline.json
    aws codepipeline create-pipeline --cli-input-json file://pipeline.json > created.json
done
aws codepipeline list-pipelines --output table > table.txt
grep -q shell-list-a table.txt
# The CLI asks for one page after the other.
aws codepipeline list-pipelines --page-size 5 --output text --query 'pipelines[].name' > names.txt
grep -q shell-list-b names.txt
aws codepipeline list-pipelines --max-items 1 > first.json
token=$(python3 -c 'import json; print(json.load(open("first.json"))["NextToken"])')
aws codepipeline list-pipelines --max-items 1 --starting-token "$token" > second.json
! cmp -s first.json second.json || fail "the second page is the first"
aws codepipeline list-action-types --action-owner-filter AWS > types.json
grep -q '"provider": "CodeBuild"' types.json
aws codepipeline get-action-type --category Build --owner AWS --provider CodeBuild \
    --action-version 1 > type.json
grep -q ProjectName type.json
aws codepipeline delete-pipeline --name shell-list-b
aws codepipeline delete-pipeline --name shell-list-b
