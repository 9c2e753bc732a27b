//! Projects and builds as the wire has them.

use model::{build::BuildPhase, project::ArtifactsType};
use operations::codebuild::{Build, build_arn, build_name, project_arn};
use ports::{Account, projects::ProjectRecord};
use serde_json::{Value, json};

use crate::encode;

/// A project: what was sent, with what the service adds.
pub(super) fn project(record: &ProjectRecord, account: &Account) -> Value {
    let settings = &record.settings;
    let mut shown = json!(settings);
    shown["arn"] = json!(project_arn(account, &settings.name));
    shown["badge"] = json!({"badgeEnabled": false});
    shown["projectVisibility"] = json!("PRIVATE");
    for (name, at) in [
        ("created", record.created),
        ("lastModified", record.modified),
    ] {
        if let Some(at) = at {
            shown[name] = encode::time(at);
        }
    }
    shown
}

/// A build as it stands now.
pub(super) fn build(build: &Build, account: &Account) -> Value {
    let record = &build.record;
    let settings = &record.settings;
    let end = record.end.as_ref();
    let status = end.map_or("IN_PROGRESS", |end| end.report.status.name());
    let phase = match end {
        Some(_) => Some("COMPLETED"),
        None => build.phases.last().map(|phase| phase.phase_type.as_str()),
    };
    let version = settings.source_version.clone();
    let version = version.filter(|version| !version.is_empty());
    encode::object([
        ("id", json!(build_name(record))),
        ("arn", json!(build_arn(account, record))),
        ("buildNumber", json!(record.number)),
        ("startTime", encode::time(record.started)),
        (
            "endTime",
            end.map_or(Value::Null, |end| encode::time(end.at)),
        ),
        ("currentPhase", json!(phase)),
        ("buildStatus", json!(status)),
        ("buildComplete", json!(end.is_some())),
        ("sourceVersion", json!(version)),
        (
            "resolvedSourceVersion",
            json!(record.resolved_source_version),
        ),
        ("projectName", json!(settings.name)),
        ("phases", build.phases.iter().map(one_phase).collect()),
        ("source", json!(settings.source)),
        ("secondarySources", json!([])),
        ("secondarySourceVersions", json!([])),
        ("artifacts", artifacts(build)),
        ("secondaryArtifacts", json!([])),
        ("cache", json!(settings.cache)),
        ("environment", json!(settings.environment)),
        ("serviceRole", json!(settings.service_role)),
        ("logs", logs(build, account)),
        ("timeoutInMinutes", minutes(settings.timeout_in_minutes)),
        (
            "queuedTimeoutInMinutes",
            minutes(settings.queued_timeout_in_minutes),
        ),
        ("initiator", json!(record.initiator)),
        ("encryptionKey", json!(settings.encryption_key)),
        ("exportedEnvironmentVariables", exported(build)),
    ])
}

fn minutes(minutes: Option<u32>) -> Value {
    minutes.map_or(Value::Null, |minutes| json!(minutes))
}

fn one_phase(phase: &BuildPhase) -> Value {
    // A phase that goes on has not come out in any way.
    let status = phase.ended.map(|_| phase.phase_status.as_str());
    let status = status.filter(|status| !status.is_empty());
    let took = phase.ended.map(|at| at.since(phase.started).as_secs());
    let context = match (&phase.status_code, &phase.message) {
        (None, None) => phase
            .ended
            .map(|_| json!([{"statusCode": "", "message": ""}])),
        (code, message) => Some(json!([{
            "statusCode": code.as_deref().unwrap_or_default(),
            "message": message.as_deref().unwrap_or_default(),
        }])),
    };
    encode::object([
        ("phaseType", json!(phase.phase_type)),
        ("phaseStatus", json!(status)),
        ("startTime", encode::time(phase.started)),
        ("endTime", phase.ended.map_or(Value::Null, encode::time)),
        ("durationInSeconds", json!(took)),
        ("contexts", json!(context)),
    ])
}

/// Where the artifacts are, or will be.
fn artifacts(build: &Build) -> Value {
    let record = &build.record;
    let artifacts = &record.settings.artifacts;
    let place = record.outputs.first();
    let place = place.map(|it| format!("arn:aws:s3:::{}/{}", it.bucket, it.key));
    let location = place.unwrap_or_default();
    let is_own = artifacts.kind == ArtifactsType::S3;
    encode::object([
        ("location", json!(location)),
        (
            "encryptionDisabled",
            if is_own {
                json!(artifacts.encryption_disabled)
            } else {
                Value::Null
            },
        ),
    ])
}

/// The log group of a project's builds.
pub(crate) fn log_group(project: &str) -> String {
    format!("/aws/codebuild/{project}")
}

fn logs(build: &Build, account: &Account) -> Value {
    let (group, stream) = (log_group(build.record.project()), &build.record.id);
    let Account { id, region } = account;
    json!({
        "groupName": group,
        "streamName": stream,
        "cloudWatchLogsArn": format!("arn:aws:logs:{region}:{id}:log-group:{group}:log-stream:{stream}"),
        "cloudWatchLogs": {"status": "ENABLED"},
    })
}

fn exported(build: &Build) -> Value {
    let Some(end) = &build.record.end else {
        return json!([]);
    };
    let variables = end.report.exported_variables.iter();
    variables
        .map(|(name, value)| json!({"name": name, "value": value}))
        .collect()
}
