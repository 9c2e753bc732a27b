//! Support: what CodePipeline does and the engine here does not do yet.
//!
//! A declaration that uses such a feature is well-formed and is refused all the same, because a
//! field that is ignored would let a release through that its author meant to stop. Each feature
//! is one line of [`FEATURES`]; the line goes when the feature comes.

use super::{
    ActionCategory, ConditionResult, PipelineDeclaration, StageDeclaration,
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
const ACTION: Exception = Exception::InvalidActionDeclaration;

#[rustfmt::skip]
const FEATURES: &[Feature] = &[
    Feature { name: "conditions before entry (`beforeEntry`)", exception: STAGE, uses: before_entry },
    Feature { name: "conditions on success (`onSuccess`)", exception: STAGE, uses: on_success },
    Feature { name: "conditions on failure (`onFailure.conditions`)", exception: STAGE, uses: on_failure },
    Feature { name: "automatic retry (`onFailure.result: RETRY`)", exception: STAGE, uses: retry },
    Feature { name: "automatic rollback (`onFailure.result: ROLLBACK`)", exception: STAGE, uses: rollback },
    Feature { name: "triggers (`triggers`)", exception: STRUCTURE, uses: triggers },
    Feature { name: "messages about approvals (`NotificationArn`)", exception: ACTION, uses: notifications },
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

fn notifications(declaration: &PipelineDeclaration) -> Vec<Path> {
    const KEY: &str = "NotificationArn";
    let stages = Path::pipeline().field("stages");
    let mut found = Vec::new();
    for (place, stage) in declaration.stages.iter().enumerate() {
        let actions = stages.index(place).field("actions");
        for (at, action) in stage.actions.iter().enumerate() {
            let is_approval = action.action_type_id.category == ActionCategory::Approval;
            if is_approval && action.configuration.contains_key(KEY) {
                found.push(actions.index(at).field("configuration").key(KEY));
            }
        }
    }
    found
}
