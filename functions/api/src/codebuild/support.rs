//! Members that would have no effect here, and the values of others that would have another one.
//!
//! What only looks different (a role, a compute type) is kept and shown. What somebody would rely on
//! is refused by name.

use serde_json::Value;

use crate::error::ApiError;

/// Of a project: members that must say nothing.
const OF_PROJECT: [&str; 23] = [
    "artifacts.artifactIdentifier",
    "autoRetryLimit",
    "badgeEnabled",
    "buildBatchConfig",
    "cache.cacheNamespace",
    "environment.certificate",
    "environment.computeConfiguration",
    "environment.dockerServer",
    "environment.fleet",
    "environment.registryCredential",
    "fileSystemLocations",
    "logsConfig.cloudWatchLogs.groupName",
    "logsConfig.cloudWatchLogs.streamName",
    "logsConfig.s3Logs.location",
    "secondaryArtifacts",
    "secondarySourceVersions",
    "secondarySources",
    "source.auth",
    "source.buildStatusConfig",
    "source.gitSubmodulesConfig",
    "source.reportBuildStatus",
    "source.sourceIdentifier",
    "vpcConfig",
];

/// Of a build: members that must say nothing.
const OF_BUILD: [&str; 18] = [
    "artifactsOverride.artifactIdentifier",
    "autoRetryLimitOverride",
    "buildStatusConfigOverride",
    "cacheOverride.cacheNamespace",
    "certificateOverride",
    "debugSessionEnabled",
    "fleetOverride",
    "gitSubmodulesConfigOverride",
    "hostKernelOverride",
    "insecureSslOverride",
    "logsConfigOverride",
    "privilegedModeOverride",
    "registryCredentialOverride",
    "reportBuildStatusOverride",
    "secondaryArtifactsOverride",
    "secondarySourcesOverride",
    "secondarySourcesVersionOverride",
    "sourceAuthOverride",
];

/// The sources that there are.
const SOURCES: [&str; 4] = ["CODECOMMIT", "CODEPIPELINE", "NO_SOURCE", "S3"];

/// Refuses what no project here can be.
pub(super) fn project(input: &Value) -> Result<(), ApiError> {
    say_nothing(input, &OF_PROJECT)?;
    one_of(input, "source.type", &SOURCES)?;
    one_of(input, "environment.type", machines())?;
    one_of(input, "logsConfig.cloudWatchLogs.status", &["ENABLED"])?;
    one_of(input, "logsConfig.s3Logs.status", &["DISABLED"])
}

/// Refuses what no build here can be told.
pub(super) fn build(input: &Value) -> Result<(), ApiError> {
    say_nothing(input, &OF_BUILD)?;
    one_of(input, "sourceTypeOverride", &SOURCES)?;
    one_of(input, "environmentTypeOverride", machines())
}

/// The kinds of environment that this machine is.
fn machines() -> &'static [&'static str] {
    if cfg!(target_arch = "aarch64") {
        &["LINUX_CONTAINER", "ARM_CONTAINER"]
    } else {
        &["LINUX_CONTAINER"]
    }
}

fn say_nothing(input: &Value, paths: &[&str]) -> Result<(), ApiError> {
    match paths.iter().find(|path| !is_nothing(at(input, path))) {
        None => Ok(()),
        Some(path) => Err(unsupported(path)),
    }
}

fn one_of(input: &Value, path: &str, known: &[&str]) -> Result<(), ApiError> {
    match at(input, path).as_str() {
        Some(value) if !known.contains(&value) => {
            let known = known.join(", ");
            Err(unsupported(&format!("{path} {value}; there is {known}")))
        }
        Some(_) | None => Ok(()),
    }
}

fn unsupported(what: &str) -> ApiError {
    ApiError::new(
        "InvalidInputException",
        format!("not supported yet: {what}"),
    )
}

fn at<'a>(input: &'a Value, path: &str) -> &'a Value {
    path.split('.').fold(input, |value, name| &value[name])
}

/// Whether a value asks for nothing: clients send empty lists and `false` for what was left out.
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Bool(true) => false,
        Value::Number(number) => number.as_u64() == Some(0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.values().all(is_nothing),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_says_nothing_is_taken_and_what_would_mislead_is_named() {
        let harmless = json!({"badgeEnabled": false, "secondarySources": [], "autoRetryLimit": 0,
            "vpcConfig": {"subnets": [], "vpcId": ""}, "source": {"type": "S3",
            "gitSubmodulesConfig": {"fetchSubmodules": false}},
            "logsConfig": {"cloudWatchLogs": {"status": "ENABLED"}, "s3Logs": {"status": "DISABLED"}}});
        assert_eq!(project(&harmless), Ok(()));
        for (input, named) in [
            (json!({"badgeEnabled": true}), "badgeEnabled"),
            (json!({"vpcConfig": {"vpcId": "v"}}), "vpcConfig"),
            (json!({"autoRetryLimit": 2}), "autoRetryLimit"),
            (json!({"source": {"type": "GITHUB"}}), "source.type GITHUB"),
            (
                json!({"source": {"auth": {"type": "OAUTH"}}}),
                "source.auth",
            ),
            (
                json!({"environment": {"type": "WINDOWS_CONTAINER"}}),
                "environment.type WINDOWS_CONTAINER",
            ),
            (
                json!({"logsConfig": {"cloudWatchLogs": {"status": "DISABLED"}}}),
                "logsConfig.cloudWatchLogs.status",
            ),
            (
                json!({"logsConfig": {"s3Logs": {"status": "ENABLED"}}}),
                "logsConfig.s3Logs.status",
            ),
        ] {
            let error = project(&input).expect_err("it is refused");
            assert_eq!(error.exception, "InvalidInputException");
            let expected = format!("not supported yet: {named}");
            assert!(error.message.starts_with(&expected), "{}", error.message);
        }
        assert_eq!(build(&json!({"privilegedModeOverride": false})), Ok(()));
        for input in [
            json!({"privilegedModeOverride": true}),
            json!({"sourceTypeOverride": "BITBUCKET"}),
            json!({"environmentTypeOverride": "MAC_ARM"}),
            json!({"secondarySourcesOverride": [{}]}),
        ] {
            assert!(build(&input).is_err(), "{input}");
        }
    }
}
