#!/usr/bin/env bash
# Find what is running, and stop it.
set -euo pipefail
. "$(dirname "$0")/lib/declare.sh"
name=shell-stop
declare_pipeline $name pipeline.json
aws codepipeline create-pipeline --cli-input-json file://pipeline.json > created.json
running() {
    aws codepipeline list-pipeline-executions --pipeline-name $name --output text \
        --query 'pipelineExecutionSummaries[?status==`InProgress`].pipelineExecutionId'
}
id=$(running)
[ -n "$id" ] || fail "nothing is running"
aws codepipeline stop-pipeline-execution --pipeline-name $name --pipeline-execution-id "$id" \
    --abandon --reason 'Not today' > stopped.json
grep -q "$id" stopped.json
stopped() {
    aws codepipeline list-pipeline-executions --pipeline-name $name --max-items 1 > executions.json
    grep -q '"status": "Stopped"' executions.json
}
until_so stopped
grep -q '"reason": "Not today"' executions.json
