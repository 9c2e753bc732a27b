//! The actions and rules of a declaration, each with its path and its moment in the pipeline.

use super::super::{
    ActionDeclaration, Condition, PipelineDeclaration, RuleDeclaration, StageDeclaration,
    path::Path,
};

/// When something runs: the stage, and within it the run order.
///
/// What happens at an earlier moment has surely finished; what happens at the same moment runs
/// beside it (spec 20 §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment {
    pub(super) stage: usize,
    pub(super) run_order: u32,
}

/// An action and where it stands.
#[derive(Clone, Debug)]
pub(super) struct ActionAt<'a> {
    pub(super) stage: &'a StageDeclaration,
    pub(super) action: &'a ActionDeclaration,
    pub(super) moment: Moment,
    pub(super) path: Path,
}

/// All actions in the order of the declaration.
pub(super) fn actions(declaration: &PipelineDeclaration) -> impl Iterator<Item = ActionAt<'_>> {
    let stages = Path::pipeline().field("stages");
    declaration
        .stages
        .iter()
        .enumerate()
        .flat_map(move |(place, stage)| {
            let path = stages.index(place).field("actions");
            stage
                .actions
                .iter()
                .enumerate()
                .map(move |(index, action)| ActionAt {
                    stage,
                    action,
                    moment: Moment {
                        stage: place,
                        run_order: action.run_order,
                    },
                    path: path.index(index),
                })
        })
}

/// Where in a stage a condition stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Position {
    BeforeEntry,
    OnSuccess,
    OnFailure,
}

impl Position {
    pub(super) fn field(self) -> &'static str {
        match self {
            Self::BeforeEntry => "beforeEntry",
            Self::OnSuccess => "onSuccess",
            Self::OnFailure => "onFailure",
        }
    }

    /// An entry condition sees what earlier stages made, the others also what the stage made.
    fn moment(self, stage: usize) -> Moment {
        match self {
            Self::BeforeEntry => Moment {
                stage,
                run_order: 0,
            },
            Self::OnSuccess | Self::OnFailure => Moment {
                stage,
                run_order: u32::MAX,
            },
        }
    }
}

/// A condition and where it stands.
#[derive(Clone, Debug)]
pub(super) struct ConditionAt<'a> {
    pub(super) stage: &'a StageDeclaration,
    pub(super) position: Position,
    pub(super) condition: &'a Condition,
    pub(super) moment: Moment,
    pub(super) path: Path,
}

/// All conditions in the order of the declaration.
pub(super) fn conditions(
    declaration: &PipelineDeclaration,
) -> impl Iterator<Item = ConditionAt<'_>> {
    let stages = Path::pipeline().field("stages");
    declaration
        .stages
        .iter()
        .enumerate()
        .flat_map(move |(place, stage)| {
            let path = stages.index(place);
            of_stage(stage)
                .into_iter()
                .flat_map(move |(position, conditions)| {
                    let path = path.field(position.field()).field("conditions");
                    conditions
                        .iter()
                        .enumerate()
                        .map(move |(index, condition)| ConditionAt {
                            stage,
                            position,
                            condition,
                            moment: position.moment(place),
                            path: path.index(index),
                        })
                })
        })
}

/// The conditions that a stage has at each of the three positions.
pub(super) fn of_stage(stage: &StageDeclaration) -> [(Position, &[Condition]); 3] {
    [
        (
            Position::BeforeEntry,
            stage.before_entry.as_ref().map_or(&[], |c| &c.conditions),
        ),
        (
            Position::OnSuccess,
            stage.on_success.as_ref().map_or(&[], |c| &c.conditions),
        ),
        (
            Position::OnFailure,
            stage.on_failure.as_ref().map_or(&[], |c| &c.conditions),
        ),
    ]
}

/// A rule of a condition and where it stands.
#[derive(Clone, Debug)]
pub(super) struct RuleAt<'a> {
    pub(super) stage: &'a StageDeclaration,
    pub(super) rule: &'a RuleDeclaration,
    pub(super) moment: Moment,
    pub(super) path: Path,
}

/// All rules in the order of the declaration.
pub(super) fn rules(declaration: &PipelineDeclaration) -> impl Iterator<Item = RuleAt<'_>> {
    conditions(declaration).flat_map(|at| {
        let path = at.path.field("rules");
        at.condition
            .rules
            .iter()
            .enumerate()
            .map(move |(index, rule)| RuleAt {
                stage: at.stage,
                rule,
                moment: at.moment,
                path: path.index(index),
            })
    })
}
