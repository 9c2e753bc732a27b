//! Rules of stage conditions and failure handling (35, 40–42); their rules are checked next door.

use super::{
    super::{
        ConditionResult::{self, Fail, Retry, Rollback, Skip},
        ExecutionMode, FailureConditions, PipelineDeclaration, PipelineType, StageDeclaration,
        catalogue::find_rule,
        path::Path,
        problem::Problem,
    },
    constraint::items,
    places::{self, ConditionAt, Position},
    stage,
};

const RULES: (usize, usize) = (1, 5);

/// Rule 1 for the lists: one condition a position, one to five rules a condition.
pub(super) fn check_counts(stage: &StageDeclaration, path: &Path, problems: &mut Vec<Problem>) {
    for (position, conditions) in places::of_stage(stage) {
        let path = path.field(position.field()).field("conditions");
        let required = match position {
            Position::BeforeEntry => stage.before_entry.is_some(),
            Position::OnSuccess => stage.on_success.is_some(),
            Position::OnFailure => false,
        };
        items(conditions.len(), usize::from(required), 1, &path, problems);
        for (place, condition) in conditions.iter().enumerate() {
            let path = path.index(place).field("rules");
            items(condition.rules.len(), RULES.0, RULES.1, &path, problems);
        }
    }
}

pub(super) fn check(declaration: &PipelineDeclaration, problems: &mut Vec<Problem>) {
    for (place, found) in declaration.stages.iter().enumerate() {
        let path = Path::pipeline().field("stages").index(place);
        if declaration.pipeline_type == PipelineType::V1 {
            v1(found, &path, problems);
        }
        if let Some(failure) = &found.on_failure {
            let path = path.field("onFailure");
            on_failure(failure, &found.name, &path, problems);
            if failure.result == Some(Rollback) {
                rollback(declaration, place, &path.field("result"), problems);
            }
        }
    }
    for at in places::conditions(declaration) {
        let path = at.path.field("result");
        result(&at, problems);
        if at.condition.result == Some(Rollback) {
            rollback(declaration, at.moment.stage, &path, problems);
        }
        if at.condition.result == Some(Skip) && at.position == Position::BeforeEntry {
            skip(&at, problems);
        }
    }
}

fn v1(found: &StageDeclaration, path: &Path, problems: &mut Vec<Problem>) {
    let fields = [
        ("beforeEntry", found.before_entry.is_some()),
        ("onSuccess", found.on_success.is_some()),
        ("onFailure", found.on_failure.is_some()),
    ];
    for (field, _) in fields.into_iter().filter(|(_, is_there)| *is_there) {
        let message = "Stage level conditions can only be used with V2 pipelines.";
        let problem = stage(35, path.field(field), message);
        problems.push(problem.with_help("add `pipelineType: V2` to the pipeline"));
    }
}

fn on_failure(failure: &FailureConditions, name: &str, path: &Path, problems: &mut Vec<Problem>) {
    if failure.result.is_some() && !failure.conditions.is_empty() {
        let message = format!(
            "The following stage cannot have a failure exit gate configured with both top level \
             result and conditions: '{name}'"
        );
        problems.push(stage(40, path.clone(), message).with_help("keep one of them"));
    }
    if failure.result == Some(Skip) {
        let message = format!("Stage '{name}' cannot have result SKIP on failure");
        let help = "write ROLLBACK, RETRY or FAIL";
        problems.push(stage(42, path.field("result"), message).with_help(help));
    }
    if failure.retry_configuration.is_some() && failure.result != Some(Retry) {
        let message = format!("Stage '{name}' has a retryConfiguration without result RETRY");
        let help = "add `result: RETRY` to `onFailure`, or remove the retryConfiguration";
        problems.push(stage(42, path.field("retryConfiguration"), message).with_help(help));
    }
}

/// Which results a condition may have (spec 20 §7).
fn legal(position: Position) -> &'static [ConditionResult] {
    match position {
        Position::BeforeEntry => &[Fail, Skip],
        Position::OnSuccess => &[Fail, Rollback],
        Position::OnFailure => &[Rollback],
    }
}

fn spelt(result: ConditionResult) -> &'static str {
    match result {
        Rollback => "ROLLBACK",
        Fail => "FAIL",
        Retry => "RETRY",
        Skip => "SKIP",
    }
}

fn result(at: &ConditionAt<'_>, problems: &mut Vec<Problem>) {
    let legal = legal(at.position);
    let (name, field) = (&at.stage.name, at.position.field());
    let message = match at.condition.result {
        None => format!("Stage '{name}' has a condition without a result in {field}"),
        Some(result) if !legal.contains(&result) => {
            format!(
                "Stage '{name}' has a condition with result {} in {field}",
                spelt(result)
            )
        }
        Some(_) => return,
    };
    let names: Vec<&str> = legal.iter().map(|result| spelt(*result)).collect();
    let help = format!("write {}", names.join(" or "));
    problems.push(stage(42, at.path.field("result"), message).with_help(help));
}

fn rollback(
    declaration: &PipelineDeclaration,
    place: usize,
    path: &Path,
    problems: &mut Vec<Problem>,
) {
    if declaration.execution_mode == ExecutionMode::Parallel {
        let message =
            "Failure conditions with rollback result type cannot be added to a PARALLEL pipeline.";
        let help = "remove the rollback, or use mode SUPERSEDED or QUEUED";
        problems.push(stage(41, path.clone(), message).with_help(help));
    }
    if place == 0 {
        let name = &declaration.stages[place].name;
        let message = format!("Stage '{name}' is the first stage and cannot be rolled back");
        problems.push(stage(42, path.clone(), message).with_help("remove the rollback"));
    }
}

fn skip(at: &ConditionAt<'_>, problems: &mut Vec<Problem>) {
    for (place, rule) in at.condition.rules.iter().enumerate() {
        // An unknown provider is told about by its own rule.
        if find_rule(&rule.rule_type_id).is_none_or(|known| known.may_skip) {
            continue;
        }
        let message = format!(
            "Stage '{}' has a condition with result SKIP and rule '{}' of provider {}",
            at.stage.name, rule.name, rule.rule_type_id.provider
        );
        let path = at
            .path
            .field("rules")
            .index(place)
            .field("ruleTypeId")
            .field("provider");
        let help = "a SKIP takes LambdaInvoke and VariableCheck rules only";
        problems.push(stage(42, path, message).with_help(help));
    }
}
