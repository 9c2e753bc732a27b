//! The operations of projects.

use model::{
    Timestamp,
    project::{Settings, SettingsChange},
};
use operations::codebuild::{
    BatchGetProjects, CreateProject, DeleteProject, ListProjects, ProjectOrder, UpdateProject,
    batch_get_projects, create_project, delete_project, list_projects, update_project,
};
use serde_json::{Value, json};

use super::{CodeBuild, check, read, shapes, shown, support, text, texts};
use crate::{
    encode,
    error::ApiError,
    service::Call,
    shape::{self, Kind, Member},
};

pub(super) async fn create(service: &CodeBuild, call: Call<'_>) -> Result<Value, ApiError> {
    check(&call.input, shapes::CREATE_PROJECT)?;
    support::project(&call.input)?;
    let settings: Settings = read(call.input)?;
    let request = CreateProject {
        settings,
        by: call.caller,
    };
    let created = create_project(&service.operations, request).await;
    let record = created.map_err(|error| service.error(&error))?;
    let account = &service.operations.world.account;
    Ok(json!({"project": shown::project(&record, account)}))
}

pub(super) async fn update(service: &CodeBuild, call: Call<'_>) -> Result<Value, ApiError> {
    check(&call.input, shapes::UPDATE_PROJECT)?;
    support::project(&call.input)?;
    let request = UpdateProject {
        name: text(&call.input, "name"),
        change: read::<SettingsChange>(call.input)?,
        by: call.caller,
    };
    let updated = update_project(&service.operations, request).await;
    let record = updated.map_err(|error| service.error(&error))?;
    let account = &service.operations.world.account;
    Ok(json!({"project": shown::project(&record, account)}))
}

pub(super) async fn delete(service: &CodeBuild, call: Call<'_>) -> Result<Value, ApiError> {
    static SHAPE: &[Member] = &[shape::required("name", shapes::NAME)];
    check(&call.input, SHAPE)?;
    let request = DeleteProject {
        name: text(&call.input, "name"),
        by: call.caller,
    };
    let deleted = delete_project(&service.operations, request).await;
    deleted.map_err(|error| service.error(&error))?;
    Ok(json!({}))
}

pub(super) async fn batch_get(service: &CodeBuild, call: Call<'_>) -> Result<Value, ApiError> {
    static NAME: Kind = shapes::NAME;
    static SHAPE: &[Member] = &[shape::required("names", Kind::List(1, 100, &NAME))];
    check(&call.input, SHAPE)?;
    let request = BatchGetProjects {
        names: texts(&call.input["names"]),
        by: call.caller,
    };
    let found = batch_get_projects(&service.operations, request).await;
    let (projects, missing) = found.map_err(|error| service.error(&error))?;
    let account = &service.operations.world.account;
    let projects: Value = projects
        .iter()
        .map(|record| shown::project(record, account))
        .collect();
    Ok(json!({"projects": projects, "projectsNotFound": missing}))
}

pub(super) async fn list(service: &CodeBuild, call: Call<'_>) -> Result<Value, ApiError> {
    static SHAPE: &[Member] = &[
        shape::optional(
            "sortBy",
            Kind::OneOf(&["NAME", "CREATED_TIME", "LAST_MODIFIED_TIME"]),
        ),
        shape::optional("sortOrder", shapes::SORT_ORDER),
        shape::optional("nextToken", shapes::NAME),
    ];
    check(&call.input, SHAPE)?;
    let order = match call.input["sortBy"].as_str() {
        Some("CREATED_TIME") => ProjectOrder::Created,
        Some("LAST_MODIFIED_TIME") => ProjectOrder::Modified,
        _ => ProjectOrder::Name,
    };
    let request = ListProjects {
        order,
        is_descending: call.input["sortOrder"] == "DESCENDING",
        after: service.place(&call)?.and_then(|place| unpacked(&place)),
        by: call.caller.clone(),
    };
    let page = list_projects(&service.operations, request).await;
    let page = page.map_err(|error| service.error(&error))?;
    let next = page.next.map(|(at, name)| {
        let place = format!("{} {name}", at.0);
        service.next(&call, &place)
    });
    Ok(encode::object([
        ("projects", json!(page.items)),
        ("nextToken", json!(next)),
    ]))
}

/// The place that a token holds.
fn unpacked(place: &str) -> Option<(Timestamp, String)> {
    let (at, name) = place.split_once(' ')?;
    Some((Timestamp(at.parse().ok()?), name.to_owned()))
}
