//! Support: what CodePipeline does and the engine here does not do yet.
//!
//! A declaration that uses such a feature is well-formed and is refused all the same, because a
//! field that is ignored would let a release through that its author meant to stop. Each feature
//! is one line of [`FEATURES`]; the line goes when the feature comes.

use super::{
    ConditionResult, PipelineDeclaration, StageDeclaration,
    path::Path,
    problem::{Exception, Problem, rule},
};

type Finder = fn(&PipelineDeclaration) -> Vec<Path>;

struct Feature {
    name: &'static str,
    exception: Exception,
    uses: Finder,
}

const STAGE: Exception = Exception::InvalidStageDeclaration;
const STRUCTURE: Exception = Exception::InvalidStructure;

#[rustfmt::skip]
const FEATURES: &[Feature] = &[
    Feature { name: "conditions before entry (`beforeEntry`)", exception: STAGE, uses: before_entry },
    Feature { name: "conditions on success (`onSuccess`)", exception: STAGE, uses: on_success },
    Feature { name: "conditions on failure (`onFailure.conditions`)", exception: STAGE, uses: on_failure },
    Feature { name: "automatic retry (`onFailure.result: RETRY`)", exception: STAGE, uses: retry },
    Feature { name: "automatic rollback (`onFailure.result: ROLLBACK`)", exception: STAGE, uses: rollback },
    Feature { name: "triggers (`triggers`)", exception: STRUCTURE, uses: triggers },
    Feature { name: "a key of one's own for artifacts (`encryptionKey`)", exception: STRUCTURE, uses: encryption_keys },
    Feature { name: "actions in several Regions (`artifactStores` of more than one)", exception: STRUCTURE, uses: regions },
];

/// What the declaration uses that is not supported yet; empty when it can run.
pub fn refusals(declaration: &PipelineDeclaration) -> Vec<Problem> {
    FEATURES
        .iter()
        .flat_map(|feature| {
            (feature.uses)(declaration).into_iter().map(|path| {
                let message = format!("not supported yet: {}", feature.name);
                Problem::new(rule::SUPPORT, feature.exception, path, message)
                    .with_help("remove it; nothing else stands in for it")
            })
        })
        .collect()
}

fn stages(
    declaration: &PipelineDeclaration,
    field: &'static str,
    uses: impl Fn(&StageDeclaration) -> bool,
) -> Vec<Path> {
    let stages = Path::pipeline().field("stages");
    let users = declaration
        .stages
        .iter()
        .enumerate()
        .filter(|(_, stage)| uses(stage));
    users
        .map(|(place, _)| stages.index(place).field(field))
        .collect()
}

fn before_entry(declaration: &PipelineDeclaration) -> Vec<Path> {
    stages(declaration, "beforeEntry", |stage| {
        stage.before_entry.is_some()
    })
}

fn on_success(declaration: &PipelineDeclaration) -> Vec<Path> {
    stages(declaration, "onSuccess", |stage| stage.on_success.is_some())
}

fn on_failure(declaration: &PipelineDeclaration) -> Vec<Path> {
    stages(declaration, "onFailure", |stage| {
        stage
            .on_failure
            .as_ref()
            .is_some_and(|found| !found.conditions.is_empty())
    })
}

fn retry(declaration: &PipelineDeclaration) -> Vec<Path> {
    with_result(declaration, ConditionResult::Retry)
}

fn rollback(declaration: &PipelineDeclaration) -> Vec<Path> {
    with_result(declaration, ConditionResult::Rollback)
}

fn with_result(declaration: &PipelineDeclaration, result: ConditionResult) -> Vec<Path> {
    stages(declaration, "onFailure", |stage| {
        stage
            .on_failure
            .as_ref()
            .is_some_and(|found| found.result == Some(result))
    })
}

fn triggers(declaration: &PipelineDeclaration) -> Vec<Path> {
    let field = Path::pipeline().field("triggers");
    if declaration.triggers.is_empty() {
        Vec::new()
    } else {
        vec![field]
    }
}

fn encryption_keys(declaration: &PipelineDeclaration) -> Vec<Path> {
    const KEY: &str = "encryptionKey";
    let single = declaration.artifact_store.iter();
    let single = single.map(|store| (Path::pipeline().field("artifactStore"), store));
    let by_region = declaration.artifact_stores.iter().flatten();
    let by_region = by_region.map(|(region, store)| {
        let stores = Path::pipeline().field("artifactStores");
        (stores.key(region), store)
    });
    let with_key = single
        .chain(by_region)
        .filter(|(_, store)| store.encryption_key.is_some());
    with_key.map(|(path, _)| path.field(KEY)).collect()
}

fn regions(declaration: &PipelineDeclaration) -> Vec<Path> {
    let stores = declaration.artifact_stores.as_ref();
    let is_many = stores.is_some_and(|stores| stores.len() > 1);
    let field = Path::pipeline().field("artifactStores");
    is_many.then_some(field).into_iter().collect()
}
