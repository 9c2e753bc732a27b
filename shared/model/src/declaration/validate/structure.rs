//! Rules of the pipeline as a whole: stores, Regions, sizes, type (4–9, 14, 35, 36).

use std::collections::BTreeSet;

use super::{
    super::{ExecutionMode, PipelineDeclaration, PipelineType, path::Path, problem::Problem},
    Context, places, structure,
};

const STAGES: (usize, usize) = (2, 50);
const ACTIONS_MAX: usize = 1000;
/// The largest declaration, serialised (spec 20 §10).
const DECLARATION_BYTES_MAX: usize = 400 * 1024;

pub(super) fn check(
    declaration: &PipelineDeclaration,
    context: &Context<'_>,
    problems: &mut Vec<Problem>,
) {
    stores(declaration, context, problems);
    sizes(declaration, problems);
    if declaration.pipeline_type == PipelineType::V1 {
        v1(declaration, problems);
    }
    variable_names(declaration, problems);
}

fn stores(declaration: &PipelineDeclaration, context: &Context<'_>, problems: &mut Vec<Problem>) {
    match (&declaration.artifact_store, &declaration.artifact_stores) {
        (None, None) => problems.push(
            structure(
                4,
                Path::pipeline().field("artifactStore"),
                "The pipeline has no artifact store",
            )
            .with_help("add `artifactStore` with `type: S3` and the bucket as `location`"),
        ),
        (Some(_), Some(_)) => problems.push(
            structure(
                4,
                Path::pipeline().field("artifactStores"),
                "The pipeline has both 'pipeline.artifactStore' and 'pipeline.artifactStores'",
            )
            .with_help("keep one: `artifactStores` when actions run in more than one region"),
        ),
        (Some(_), None) => one_region(declaration, context, problems),
        (None, Some(stores)) => {
            let mut needed = BTreeSet::from([context.region]);
            needed
                .extend(places::actions(declaration).filter_map(|at| at.action.region.as_deref()));
            for region in needed
                .into_iter()
                .filter(|region| !stores.contains_key(*region))
            {
                let message = format!(
                    "Your pipeline must have an artifact store, such as an artifact bucket, for \
                     each region where you have an action. The following region is missing in \
                     'pipeline.artifactStores': {region}."
                );
                let path = Path::pipeline().field("artifactStores");
                let help = format!("add a store under `{region}`");
                problems.push(structure(6, path, message).with_help(help));
            }
        }
    }
}

fn one_region(
    declaration: &PipelineDeclaration,
    context: &Context<'_>,
    problems: &mut Vec<Problem>,
) {
    for at in places::actions(declaration) {
        let Some(region) = at
            .action
            .region
            .as_deref()
            .filter(|region| *region != context.region)
        else {
            continue;
        };
        let message = "Your pipeline contains actions in more than one region. Use \
                       'pipeline.artifactStores' instead of 'pipeline.artifactStore' to declare \
                       an artifact store, such as an artifact bucket, for each region where you \
                       have an action.";
        let help = format!(
            "the pipeline is in `{}`, and the action in `{region}`: name a bucket for each",
            context.region
        );
        problems.push(structure(5, at.path.field("region"), message).with_help(help));
    }
}

fn sizes(declaration: &PipelineDeclaration, problems: &mut Vec<Problem>) {
    let path = Path::pipeline().field("stages");
    let stages = declaration.stages.len();
    if stages < STAGES.0 {
        let message = format!(
            "Pipeline has only {stages} stage(s). There should be a minimum of 2 stages in a \
             pipeline"
        );
        let help = "begin with a stage of source actions, and let another stage follow";
        problems.push(structure(8, path.clone(), message).with_help(help));
    }
    if stages > STAGES.1 {
        let message =
            "Pipeline has too many stages. There can only be up to 50 stages in a pipeline";
        let help = format!("it has {stages}; split the pipeline, or run actions side by side");
        problems.push(structure(9, path.clone(), message).with_help(help));
    }
    let actions = places::actions(declaration).count();
    if actions > ACTIONS_MAX {
        let message = format!("Pipeline has {actions} actions, which is more than {ACTIONS_MAX}");
        problems.push(structure(14, path, message).with_help("split the pipeline"));
    }
    // Serialising cannot fail: the keys of all maps are strings.
    let bytes = serde_json::to_vec(declaration).map_or(0, |text| text.len());
    if bytes > DECLARATION_BYTES_MAX {
        let message = format!(
            "Pipeline has {bytes} bytes as JSON, which is more than {DECLARATION_BYTES_MAX}"
        );
        let help = "move long values into files of the source";
        problems.push(structure(14, Path::pipeline(), message).with_help(help));
    }
}

/// What only a V2 pipeline may say (spec 10 §6); stages and actions are checked with their own.
fn v1(declaration: &PipelineDeclaration, problems: &mut Vec<Problem>) {
    let mut refuse = |field: &'static str, message: &str| {
        let problem = structure(35, Path::pipeline().field(field), message);
        problems.push(problem.with_help("add `pipelineType: V2` to the pipeline"));
    };
    if declaration.execution_mode != ExecutionMode::Superseded {
        refuse(
            "executionMode",
            "QUEUED or PARALLEL mode can only be used with V2 pipelines",
        );
    }
    if !declaration.variables.is_empty() {
        refuse(
            "variables",
            "Pipeline variable can only be used with V2 pipelines",
        );
    }
    if !declaration.triggers.is_empty() {
        refuse(
            "triggers",
            "Triggers on tag can only be used with V2 pipelines",
        );
    }
}

fn variable_names(declaration: &PipelineDeclaration, problems: &mut Vec<Problem>) {
    let mut seen = BTreeSet::new();
    for (place, variable) in declaration.variables.iter().enumerate() {
        if !seen.insert(variable.name.as_str()) {
            let message = format!(
                "Variable names must be unique. The following variable name is already in use: {}",
                variable.name
            );
            let path = Path::pipeline()
                .field("variables")
                .index(place)
                .field("name");
            problems.push(structure(36, path, message).with_help("rename one of them"));
        }
    }
}
