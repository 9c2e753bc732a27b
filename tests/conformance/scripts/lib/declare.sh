# Pipelines as files, for the scripts beside this one: `. declare.sh`.

# A pipeline that takes a repository and asks somebody: declare NAME FILE [MORE STAGES]
declare_pipeline() {
    cat > "$2" <<JSON
{
  "pipeline": {
    "name": "$1",
    "roleArn": "arn:aws:iam::000000000000:role/pipeline",
    "artifactStore": {"type": "S3", "location": "shell-artifacts"},
    "pipelineType": "V2",
    "stages": [
      {"name": "Source", "actions": [{
        "name": "Checkout",
        "actionTypeId": {"category": "Source", "owner": "AWS", "provider": "CodeCommit", "version": "1"},
        "configuration": {"RepositoryName": "site", "BranchName": "main", "PollForSourceChanges": "false"},
        "outputArtifacts": [{"name": "Site"}]
      }]},
      ${3:-$asking}
    ]
  }
}
JSON
}

asking='{"name": "Production", "actions": [{
  "name": "Approve",
  "actionTypeId": {"category": "Approval", "owner": "AWS", "provider": "Manual", "version": "1"}
}]}'

failing='{"name": "Test", "actions": [{
  "name": "Run",
  "actionTypeId": {"category": "Compute", "owner": "AWS", "provider": "Commands", "version": "1"},
  "commands": ["exit 1"],
  "inputArtifacts": [{"name": "Site"}]
}]}'

# Calls a command until it succeeds, for half a minute: until_so COMMAND...
until_so() {
    for _ in $(seq 60); do
        "$@" && return
        sleep 0.5
    done
    echo "gave up: $*" >&2
    return 1
}

fail() {
    echo "$*" >&2
    exit 1
}
