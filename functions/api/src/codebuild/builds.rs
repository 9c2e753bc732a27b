//! The operations of builds.

use operations::codebuild::{
    BatchGetBuilds, Build, CodeBuildError, ListBuilds, Overrides, RetryBuild, StartBuild,
    StopBuild, batch_get_builds, list_builds, retry_build, start_build, stop_build,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{CodeBuild, check, idempotency, read, shapes, shown, support, text, texts};
use crate::{
    encode,
    error::ApiError,
    service::Call,
    shape::{self, Kind, Member},
};

static START: &[Member] = &[
    shape::required("projectName", shapes::NAME),
    shape::optional("sourceVersion", shapes::ANY),
    shape::optional("sourceTypeOverride", shapes::SOURCE_TYPE),
    shape::optional("sourceLocationOverride", shapes::ANY),
    shape::optional("artifactsOverride", shapes::ARTIFACTS),
    shape::optional("environmentVariablesOverride", shapes::VARIABLES),
    shape::optional("gitCloneDepthOverride", shapes::COUNT),
    shape::optional("buildspecOverride", shapes::ANY),
    shape::optional("imageOverride", shapes::NAME),
    shape::optional("environmentTypeOverride", shapes::ENVIRONMENT_TYPE),
    shape::optional("computeTypeOverride", shapes::COMPUTE_TYPE),
    shape::optional("imagePullCredentialsTypeOverride", shapes::PULL_CREDENTIALS),
    shape::optional("cacheOverride", shapes::CACHE),
    shape::optional("serviceRoleOverride", shapes::NAME),
    shape::optional("timeoutInMinutesOverride", shapes::TIMEOUT),
    shape::optional("queuedTimeoutInMinutesOverride", shapes::QUEUED_TIMEOUT),
    shape::optional("encryptionKeyOverride", shapes::NAME),
    shape::optional("privilegedModeOverride", Kind::Flag),
    shape::optional("idempotencyToken", shapes::ANY),
];

/// What `StartBuild` takes beside the project's name and the token.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wanted {
    source_version: Option<String>,
    source_type_override: Option<model::project::SourceType>,
    source_location_override: Option<String>,
    artifacts_override: Option<model::project::Artifacts>,
    #[serde(default)]
    environment_variables_override: Vec<model::project::BuildVariable>,
    git_clone_depth_override: Option<u32>,
    buildspec_override: Option<String>,
    image_override: Option<String>,
    environment_type_override: Option<String>,
    compute_type_override: Option<String>,
    image_pull_credentials_type_override: Option<String>,
    cache_override: Option<model::project::Cache>,
    service_role_override: Option<String>,
    timeout_in_minutes_override: Option<u32>,
    queued_timeout_in_minutes_override: Option<u32>,
    encryption_key_override: Option<String>,
}

impl From<Wanted> for Overrides {
    fn from(wanted: Wanted) -> Self {
        Self {
            source_version: wanted.source_version,
            source_type: wanted.source_type_override,
            source_location: wanted.source_location_override,
            artifacts: wanted.artifacts_override,
            environment_variables: wanted.environment_variables_override,
            git_clone_depth: wanted.git_clone_depth_override,
            buildspec: wanted.buildspec_override,
            image: wanted.image_override,
            environment_type: wanted.environment_type_override,
            compute_type: wanted.compute_type_override,
            image_pull_credentials_type: wanted.image_pull_credentials_type_override,
            cache: wanted.cache_override,
            service_role: wanted.service_role_override,
            timeout_in_minutes: wanted.timeout_in_minutes_override,
            queued_timeout_in_minutes: wanted.queued_timeout_in_minutes_override,
            encryption_key: wanted.encryption_key_override,
        }
    }
}

pub(super) async fn start(service: &CodeBuild, call: Call<'_>) -> Result<Value, ApiError> {
    check(&call.input, START)?;
    support::build(&call.input)?;
    let request = StartBuild {
        project: text(&call.input, "projectName"),
        token: idempotency(&call.input),
        overrides: read::<Wanted>(call.input)?.into(),
        by: call.caller,
    };
    let started = start_build(&service.operations, request).await;
    answer(service, started)
}

pub(super) async fn retry(service: &CodeBuild, call: Call<'_>) -> Result<Value, ApiError> {
    // The model says that nothing is needed, and means this.
    static SHAPE: &[Member] = &[
        shape::required("id", shapes::NAME),
        shape::optional("idempotencyToken", shapes::ANY),
    ];
    check(&call.input, SHAPE)?;
    let request = RetryBuild {
        id: text(&call.input, "id"),
        token: idempotency(&call.input),
        by: call.caller,
    };
    let started = retry_build(&service.operations, request).await;
    answer(service, started)
}

pub(super) async fn stop(service: &CodeBuild, call: Call<'_>) -> Result<Value, ApiError> {
    static SHAPE: &[Member] = &[shape::required("id", shapes::NAME)];
    check(&call.input, SHAPE)?;
    let request = StopBuild {
        id: text(&call.input, "id"),
        by: call.caller,
    };
    let stopped = stop_build(&service.operations, request).await;
    answer(service, stopped)
}

fn answer(service: &CodeBuild, build: Result<Build, CodeBuildError>) -> Result<Value, ApiError> {
    let build = build.map_err(|error| service.error(&error))?;
    let account = &service.operations.world.account;
    Ok(json!({"build": shown::build(&build, account)}))
}

pub(super) async fn batch_get(service: &CodeBuild, call: Call<'_>) -> Result<Value, ApiError> {
    static ID: Kind = shapes::NAME;
    static SHAPE: &[Member] = &[shape::required("ids", Kind::List(1, 100, &ID))];
    check(&call.input, SHAPE)?;
    let request = BatchGetBuilds {
        ids: texts(&call.input["ids"]),
        by: call.caller,
    };
    let found = batch_get_builds(&service.operations, request).await;
    let (builds, missing) = found.map_err(|error| service.error(&error))?;
    let account = &service.operations.world.account;
    let builds: Value = builds
        .iter()
        .map(|build| shown::build(build, account))
        .collect();
    Ok(json!({"builds": builds, "buildsNotFound": missing}))
}

pub(super) async fn list(service: &CodeBuild, call: Call<'_>) -> Result<Value, ApiError> {
    static SHAPE: &[Member] = &[
        shape::optional("sortOrder", shapes::SORT_ORDER),
        shape::optional("nextToken", shapes::ANY),
    ];
    check(&call.input, SHAPE)?;
    page(service, call, None).await
}

pub(super) async fn list_for_project(
    service: &CodeBuild,
    call: Call<'_>,
) -> Result<Value, ApiError> {
    static SHAPE: &[Member] = &[
        shape::required("projectName", shapes::NAME),
        shape::optional("sortOrder", shapes::SORT_ORDER),
        shape::optional("nextToken", shapes::ANY),
    ];
    check(&call.input, SHAPE)?;
    let project = text(&call.input, "projectName");
    page(service, call, Some(project)).await
}

async fn page(
    service: &CodeBuild,
    call: Call<'_>,
    project: Option<String>,
) -> Result<Value, ApiError> {
    let request = ListBuilds {
        project,
        newest_first: call.input["sortOrder"] != "ASCENDING",
        behind: service.place(&call)?.and_then(|place| place.parse().ok()),
        by: call.caller.clone(),
    };
    let page = list_builds(&service.operations, request).await;
    let page = page.map_err(|error| service.error(&error))?;
    let next = page
        .next
        .map(|place| service.next(&call, &place.to_string()));
    Ok(encode::object([
        ("ids", json!(page.items)),
        ("nextToken", json!(next)),
    ]))
}
