#!/usr/bin/env bash
# Tags by the ARN that the metadata tell.
set -euo pipefail
. "$(dirname "$0")/lib/declare.sh"
name=shell-tags
declare_pipeline $name pipeline.json
aws codepipeline create-pipeline --cli-input-json file://pipeline.json --tags key=a,value=1
arn=$(aws codepipeline get-pipeline --name $name --query metadata.pipelineArn --output text)
aws codepipeline tag-resource --resource-arn "$arn" --tags key=b,value=2 key=c,value=3
aws codepipeline untag-resource --resource-arn "$arn" --tag-keys a c
found=$(aws codepipeline list-tags-for-resource --resource-arn "$arn" --output text)
[ "$found" = "$(printf 'TAGS\tb\t2')" ] || fail "$found"
