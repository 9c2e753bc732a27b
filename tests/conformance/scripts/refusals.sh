#!/usr/bin/env bash
# What scripts look for when something is wrong: the name of the error, and the exit code.
set -euo pipefail
. "$(dirname "$0")/lib/declare.sh"
refused() {
    exception=$1
    shift
    code=0
    aws codepipeline "$@" > answer.txt 2>&1 || code=$?
    [ "$code" -ne 0 ] || fail "$* was not refused"
    grep -q "An error occurred ($exception) when calling the" answer.txt || fail "$(cat answer.txt)"
}
refused PipelineNotFoundException get-pipeline-state --name shell-absent
refused PipelineNotFoundException start-pipeline-execution --name shell-absent
refused ValidationException get-pipeline-state --name 'no such name'
refused UnknownOperationException list-webhooks
AWS_SECRET_ACCESS_KEY=wrong AWS_ACCESS_KEY_ID=PWKAQQQQQQQQQQQQQQQQ \
    refused UnrecognizedClientException list-pipelines
# The usual way to ask whether a pipeline is there.
if aws codepipeline get-pipeline --name shell-absent > /dev/null 2>&1; then
    fail "it is there"
fi
