#!/usr/bin/env bash
# See what failed and why, and try it again.
set -euo pipefail
. "$(dirname "$0")/lib/declare.sh"
name=shell-retry
declare_pipeline $name pipeline.json "$failing"
aws codepipeline create-pipeline --cli-input-json file://pipeline.json > created.json
failed() {
    aws codepipeline list-pipeline-executions --pipeline-name $name --output text \
        --query 'pipelineExecutionSummaries[0].[pipelineExecutionId,status]' > status.txt
    grep -q Failed status.txt
}
until_so failed
id=$(cut -f 1 status.txt)
aws codepipeline list-action-executions --pipeline-name $name \
    --filter pipelineExecutionId="$id" > actions.json
grep -q '"code": "JobFailed"' actions.json
aws codepipeline retry-stage-execution --pipeline-name $name --stage-name Test \
    --pipeline-execution-id "$id" --retry-mode FAILED_ACTIONS > retried.json
grep -q "$id" retried.json
tried_twice() {
    tries=$(aws codepipeline list-action-executions --pipeline-name $name --output text \
        --query 'length(actionExecutionDetails[?stageName==`Test`])')
    [ "$tries" = 2 ]
}
until_so tried_twice
until_so failed
