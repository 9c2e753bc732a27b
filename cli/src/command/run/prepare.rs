//! What there must be before a run: its resources, the pipeline, and the execution itself.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    path::Path,
    sync::Arc,
};

use buildspec::archive;
use embedded::sandbox::Kind;
use model::{
    ActionCategory, ExecutionId, PipelineDeclaration,
    declaration::reference::has_reference,
    state::{Execution, RevisionType, SourceRevisionOverride, Trigger, TriggerType},
};
use operations::{
    Caller, CreatePipeline, StartPipelineExecution, UpdatePipeline, create_pipeline,
    start_pipeline_execution, update_pipeline,
};
use ports::{
    ObjectStore as _, Repositories as _, World,
    objects::{ObjectMetadata, PutObject},
};

use super::Order;
use crate::{
    exit::Exit,
    failure::{Failure, chain},
    local::{ACCOUNT, Local},
};

/// How many pipelines and executions of a kept state are looked through.
const PIPELINES_MAX: usize = 1_000;
const EXECUTIONS_MAX: usize = 1_000;
/// The fewest characters that name an execution.
const PREFIX_LEAST: usize = 4;

/// An execution to follow.
#[derive(Debug)]
pub(super) struct Started {
    pub(super) declaration: Arc<PipelineDeclaration>,
    pub(super) execution: ExecutionId,
}

/// Who acts: the user of this machine, as an ARN names people.
pub(super) fn identity() -> String {
    let user = env::var("USER").unwrap_or_default();
    let user: String = user
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || "+=,.@_-".contains(*c))
        .collect();
    let user = if user.is_empty() {
        "local".to_owned()
    } else {
        user
    };
    format!("arn:aws:iam::{ACCOUNT}:user/{user}")
}

/// How the builds of the pipeline will be kept apart from this machine, in a line for each way;
/// refused when the way that was asked for is not to be had.
pub(super) fn isolation(local: &Local, order: &Order) -> Result<Vec<String>, Failure> {
    let mut lines = Vec::new();
    for image in images(order) {
        let choice = local.builds.isolation(image.as_deref()).map_err(|error| {
            Failure::usage(chain(&error)).with_help("`pipewright doctor` says what is there")
        })?;
        let what = match &image {
            Some(image) => format!("builds in {image}"),
            None => "builds".to_owned(),
        };
        lines.push(match choice.kind {
            Kind::Process => format!("{what}: plain processes, not kept apart from this machine"),
            Kind::Bubblewrap | Kind::Container(_) => format!("{what}: {}", choice.kind),
        });
        lines.extend(choice.notes.iter().map(|note| format!("  {note}")));
    }
    Ok(lines)
}

/// The images that builds of the pipeline ask for; none, for one that asks for none.
fn images(order: &Order) -> BTreeSet<Option<String>> {
    let actions = order
        .declaration
        .stages
        .iter()
        .flat_map(|stage| &stage.actions);
    let images = actions.filter_map(|action| match action.action_type_id.provider.as_str() {
        "Commands" => Some(None),
        "CodeBuild" => {
            let project = action.configuration.get("ProjectName");
            let project = project.and_then(|name| order.file.resources.project(name));
            Some(project.and_then(|project| project.environment.image.clone()))
        }
        _ => None,
    });
    images.collect()
}

/// Puts the projects, buckets and objects in place that the pipeline names.
pub(super) async fn resources(local: &Local, order: &Order) -> Result<(), Failure> {
    for project in &order.file.resources.projects {
        local
            .world
            .projects
            .put_project(&project.value)
            .await
            .map_err(|error| Failure::system("declare a project", &error))?;
    }
    for bucket in buckets(order) {
        local
            .objects
            .create_bucket(&bucket)
            .await
            .map_err(|error| {
                Failure::new(
                    Exit::Invalid,
                    format!("bucket `{bucket}`: {}", chain(&error)),
                )
            })?;
    }
    for (bucket, objects) in &order.file.resources.buckets {
        for (key, path) in objects {
            put(local, bucket, key, &order.file.resolve(&path.value)).await?;
        }
    }
    for (bucket, key, path) in &order.sources.objects {
        put(local, bucket, key, path).await?;
    }
    Ok(())
}

/// The buckets that are listed, those of artifacts, and those that are deployed to.
fn buckets(order: &Order) -> BTreeSet<String> {
    let declaration = &order.declaration;
    let mut buckets: BTreeSet<String> = order.file.resources.buckets.keys().cloned().collect();
    let stores = declaration
        .artifact_stores
        .iter()
        .flat_map(BTreeMap::values);
    buckets.extend(
        stores
            .chain(&declaration.artifact_store)
            .map(|store| store.location.clone()),
    );
    buckets.extend(
        order
            .sources
            .objects
            .iter()
            .map(|(bucket, _, _)| bucket.clone()),
    );
    for action in declaration.stages.iter().flat_map(|stage| &stage.actions) {
        let id = &action.action_type_id;
        if let (ActionCategory::Deploy, "S3") = (id.category, id.provider.as_str()) {
            let bucket = action.configuration.get("BucketName");
            // A name with a variable in it is only known later; then it has to be listed.
            buckets.extend(bucket.filter(|name| !has_reference(name)).cloned());
        }
    }
    buckets
}

/// Stores a file, or a folder as a ZIP, as the newest version of a key.
async fn put(local: &Local, bucket: &str, key: &str, path: &Path) -> Result<(), Failure> {
    let doing = format!("put {} into bucket `{bucket}`", path.display());
    let packed;
    let mut from = path.to_owned();
    if path.is_dir() {
        packed = tempfile::tempdir().map_err(|error| Failure::system(&doing, &error))?;
        from = packed.path().join("source.zip");
        let (folder, to) = (path.to_owned(), from.clone());
        tokio::task::spawn_blocking(move || archive::pack_directory(&folder, &to))
            .await
            .map_err(|error| Failure::system(&doing, &error))?
            .map_err(|error| Failure::system(&doing, &error))?;
    }
    let metadata = ObjectMetadata::default();
    let object = PutObject {
        bucket,
        key,
        from: &from,
        metadata,
        create_only: false,
    };
    local
        .objects
        .put(object)
        .await
        .map_err(|error| Failure::system(&doing, &error))?;
    Ok(())
}

/// Creates the pipeline, or makes it what the file says when the state knows it already.
pub(super) async fn pipeline(local: &Local, order: &Order) -> Result<(), Failure> {
    let refused = |error| Failure::operation(&error, Some(&order.file.source));
    let declaration = order.declaration.clone();
    let name = declaration.name.clone();
    let known = load(&local.world, &name).await?;
    let by = Caller::owner(identity());
    match known {
        None => {
            let request = CreatePipeline {
                declaration,
                tags: Vec::new(),
                starts: false,
                by,
            };
            let created = create_pipeline(&local.world, request).await;
            created.map(drop).map_err(refused)
        }
        Some(stored) if is_same(&stored, &declaration) => Ok(()),
        Some(_) => update_pipeline(&local.world, UpdatePipeline { declaration, by })
            .await
            .map(|_| ())
            .map_err(refused),
    }
}

async fn load(world: &World, name: &str) -> Result<Option<Arc<PipelineDeclaration>>, Failure> {
    let loaded = world
        .pipelines
        .load(name, None)
        .await
        .map_err(|error| Failure::system("read the state", &error))?;
    Ok(loaded.and_then(|loaded| loaded.state.current_definition().cloned()))
}

/// Whether two declarations differ in nothing but the version, which the service counts.
fn is_same(stored: &PipelineDeclaration, wanted: &PipelineDeclaration) -> bool {
    let without_version = |declaration: &PipelineDeclaration| PipelineDeclaration {
        version: None,
        ..declaration.clone()
    };
    without_version(stored) == without_version(wanted)
}

/// Starts an execution.
pub(super) async fn start(local: &Local, order: &Order) -> Result<Started, Failure> {
    let pipeline = order.declaration.name.clone();
    let by = identity();
    let request = StartPipelineExecution {
        pipeline: pipeline.clone(),
        trigger: Trigger {
            kind: TriggerType::StartPipelineExecution,
            detail: by.clone(),
        },
        variables: order.args.variables.iter().cloned().collect(),
        source_revisions: revisions(local, order).await?,
        client_request_token: None,
        by: Caller::owner(by),
    };
    let execution = start_pipeline_execution(&local.world, request)
        .await
        .map_err(|error| help_with_start(Failure::operation(&error, None)))?;
    let declaration = load(&local.world, &pipeline).await?.ok_or_else(|| {
        Failure::new(
            Exit::Internal,
            "the pipeline that was just created is not there",
        )
    })?;
    Ok(Started {
        declaration,
        execution,
    })
}

fn help_with_start(failure: Failure) -> Failure {
    if failure.exit == Exit::Usage {
        failure.with_help("give variables with -V NAME=VALUE; V1 pipelines take none")
    } else {
        failure
    }
}

/// The revisions that the command line asks for, as commits.
async fn revisions(local: &Local, order: &Order) -> Result<Vec<SourceRevisionOverride>, Failure> {
    let mut overrides = Vec::new();
    for (action, (repository, revision)) in &order.sources.revisions {
        let commit = local
            .repositories
            .commit(repository, revision)
            .await
            .map_err(|error| {
                Failure::not_found(format!("source action `{action}`: {}", chain(&error)))
                    .with_help("give a directory that is there, or a revision that git knows")
            })?;
        overrides.push(SourceRevisionOverride {
            action_name: action.clone(),
            revision_type: RevisionType::CommitId,
            revision_value: commit.id,
        });
    }
    Ok(overrides)
}

/// Every pipeline of the state.
async fn pipelines(world: &World) -> Result<Vec<String>, Failure> {
    let names = world.pipelines.pipelines("", PIPELINES_MAX).await;
    names.map_err(|error| Failure::system("read the state", &error))
}

/// Refuses to begin anything beside an execution that was never ended: it would go on as well.
pub(super) async fn refuse_unfinished(local: &Local, order: &Order) -> Result<(), Failure> {
    for name in pipelines(&local.world).await? {
        let loaded = local
            .world
            .pipelines
            .load(&name, None)
            .await
            .map_err(|error| Failure::system("read the state", &error))?;
        let executions = loaded
            .map(|loaded| loaded.state.executions)
            .unwrap_or_default();
        if let Some(live) = executions.values().find(|execution| execution.is_live()) {
            let id = live.id.to_string();
            let message = format!("execution {id} of pipeline `{name}` has not ended");
            return Err(Failure::usage(message).with_help(format!(
                "continue it with `{}`, or keep this run apart with --data DIR",
                order.resume_command(&id[..8])
            )));
        }
    }
    Ok(())
}

/// Finds the execution of which a person gave the id, or its beginning.
pub(super) async fn find(local: &Local, order: &Order, wanted: &str) -> Result<Started, Failure> {
    let wanted = wanted.to_ascii_lowercase();
    if wanted.chars().count() < PREFIX_LEAST {
        let message = format!("`{wanted}` is too short to name an execution");
        return Err(Failure::usage(message)
            .with_help(format!("give at least {PREFIX_LEAST} characters of its id")));
    }
    let world = &local.world;
    let name = &order.file.declaration.name;
    let executions = world
        .pipelines
        .executions(name, u64::MAX, EXECUTIONS_MAX)
        .await
        .map_err(|error| Failure::system("read the state", &error))?;
    let matching: Vec<&Arc<Execution>> = executions
        .iter()
        .filter(|e| e.id.to_string().starts_with(&wanted))
        .collect();
    let execution = match matching.as_slice() {
        [one] => one,
        [] => {
            let place = order.results_folder();
            let message = format!(
                "the state in {} has no execution {wanted} of `{name}`",
                place.display()
            );
            let help = match executions.first() {
                Some(newest) => format!("its newest one is {}", newest.id),
                None => "only runs with --keep or --data leave something to resume".to_owned(),
            };
            return Err(Failure::not_found(message).with_help(help));
        }
        [_, _, ..] => {
            let message = format!("more than one execution begins with {wanted}");
            return Err(Failure::usage(message).with_help("give more of its id"));
        }
    };
    let declaration = world
        .pipelines
        .definition(name, execution.definition)
        .await
        .map_err(|error| Failure::system("read the state", &error))?
        .ok_or_else(|| Failure::new(Exit::Internal, "the execution's definition is not there"))?;
    Ok(Started {
        declaration,
        execution: execution.id,
    })
}
