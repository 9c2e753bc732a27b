#!/usr/bin/env bash
# Push a change, and release that commit: what a deploy hook does.
set -euo pipefail
. "$(dirname "$0")/lib/declare.sh"
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 GIT_TERMINAL_PROMPT=0
git init --quiet --initial-branch main repository
cd repository
git config user.name Ada
git config user.email ada@example.com
echo one > page.html
git add page.html
git commit --quiet --message one
git push --quiet "$REPOSITORY" main
first=$(git rev-parse HEAD)
echo two > page.html
git commit --quiet --all --message two
git push --quiet "$REPOSITORY" main
cd ..
name=shell-push
declare_pipeline $name pipeline.json
sed -i.old 's/"RepositoryName": "site"/"RepositoryName": "shell"/' pipeline.json
aws codepipeline create-pipeline --cli-input-json file://pipeline.json > created.json
id=$(aws codepipeline start-pipeline-execution --name $name --query pipelineExecutionId \
    --source-revisions actionName=Checkout,revisionType=COMMIT_ID,revisionValue="$first" \
    --client-request-token "deploy-$first" --output text)
again=$(aws codepipeline start-pipeline-execution --name $name --query pipelineExecutionId \
    --source-revisions actionName=Checkout,revisionType=COMMIT_ID,revisionValue="$first" \
    --client-request-token "deploy-$first" --output text)
[ "$id" = "$again" ] || fail "a repeated call started another execution"
checked_out() {
    found=$(aws codepipeline get-pipeline-execution --pipeline-name $name --output text \
        --pipeline-execution-id "$id" --query 'pipelineExecution.artifactRevisions[0].revisionId')
    [ "$found" = "$first" ]
}
until_so checked_out
