//! What the service fills in when it stores a declaration, and how it shows secrets (spec 10 §7).
//!
//! Most defaults are those of the types themselves: `runOrder` 1, empty `configuration`, a rule's
//! owner and version.

use super::{
    ActionDeclaration, FilterCriteria, PipelineDeclaration,
    catalogue::{self, is_mask},
};

/// What the API shows in place of a secret.
pub const MASK: &str = "****";

/// Drops what counts as absent: an `onFailure` that says nothing (spec 20 §7), and trigger
/// criteria without any pattern (spec 20 §8).
pub fn normalise(declaration: &mut PipelineDeclaration) {
    for stage in &mut declaration.stages {
        let says_nothing = stage.on_failure.as_ref().is_some_and(|failure| {
            failure.result.is_none()
                && failure.retry_configuration.is_none()
                && failure.conditions.is_empty()
        });
        if says_nothing {
            stage.on_failure = None;
        }
    }
    for trigger in &mut declaration.triggers {
        for filter in &mut trigger.git_configuration.push {
            drop_empty([
                &mut filter.tags,
                &mut filter.branches,
                &mut filter.file_paths,
            ]);
        }
        for filter in &mut trigger.git_configuration.pull_request {
            drop_empty([&mut filter.branches, &mut filter.file_paths]);
        }
    }
}

fn drop_empty<const N: usize>(all: [&mut Option<FilterCriteria>; N]) {
    for criteria in all {
        if criteria
            .as_ref()
            .is_some_and(|c| c.includes.is_empty() && c.excludes.is_empty())
        {
            *criteria = None;
        }
    }
}

/// Makes the declaration the next version of the one stored, whose secrets it keeps where it says
/// `****`.
///
/// The versions of a pipeline count from 1, and every save is one more, even if nothing changed.
pub fn succeed(declaration: &mut PipelineDeclaration, stored: Option<&PipelineDeclaration>) {
    normalise(declaration);
    let version = stored.and_then(|stored| stored.version).unwrap_or(0);
    declaration.version = Some(version.saturating_add(1));
    let Some(stored) = stored else { return };
    for stage in &mut declaration.stages {
        let name = stage.name.clone();
        for action in &mut stage.actions {
            let Some(known) = catalogue::find(&action.action_type_id) else {
                continue;
            };
            let Some(before) = same_action(stored, &name, action) else {
                continue;
            };
            for key in known.secret {
                let (Some(value), Some(secret)) = (
                    action.configuration.get_mut(*key),
                    before.configuration.get(*key),
                ) else {
                    continue;
                };
                if is_mask(value) {
                    value.clone_from(secret);
                }
            }
        }
    }
}

/// The stored action that has the same stage, name and type; renaming loses the secrets.
pub(super) fn same_action<'a>(
    stored: &'a PipelineDeclaration,
    stage: &str,
    action: &ActionDeclaration,
) -> Option<&'a ActionDeclaration> {
    let before = stored.stage(stage)?.1.action(&action.name)?;
    (before.action_type_id == action.action_type_id).then_some(before)
}

/// The declaration as it is shown: secrets are asterisks.
#[must_use]
pub fn masked(declaration: &PipelineDeclaration) -> PipelineDeclaration {
    let mut shown = declaration.clone();
    shown
        .stages
        .iter_mut()
        .flat_map(|stage| &mut stage.actions)
        .for_each(mask);
    shown
}

fn mask(action: &mut ActionDeclaration) {
    let Some(known) = catalogue::find(&action.action_type_id) else {
        return;
    };
    for key in known.secret {
        if let Some(value) = action.configuration.get_mut(*key) {
            MASK.clone_into(value);
        }
    }
}
