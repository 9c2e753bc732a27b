#!/usr/bin/env bash
# Freeze production, let a release come as far as its door, and open it again.
set -euo pipefail
. "$(dirname "$0")/lib/declare.sh"
name=shell-transitions
declare_pipeline $name pipeline.json
aws codepipeline create-pipeline --cli-input-json file://pipeline.json > created.json
aws codepipeline disable-stage-transition --pipeline-name $name --stage-name Production \
    --transition-type Inbound --reason 'Frozen until Monday.'
aws codepipeline get-pipeline-state --name $name > state.json
grep -q '"disabledReason": "Frozen until Monday."' state.json
grep -q '"enabled": false' state.json
aws codepipeline enable-stage-transition --pipeline-name $name --stage-name Production \
    --transition-type Inbound
aws codepipeline get-pipeline-state --name $name > state.json
! grep -q '"enabled": false' state.json || fail "the transition is still disabled"
