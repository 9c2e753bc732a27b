//! Actions that would fail when their turn comes: nothing here can do them, or their configuration
//! is wrong. So it is said before.

use model::{
    ActionDeclaration, PipelineDeclaration, declaration::reference::has_reference,
    job::ErrorDetails,
};
use providers::Catalogue;

use super::PipelineFile;
use crate::failure::Finding;

/// A warning for each of them in this part of the pipeline.
pub(super) fn find(file: &PipelineFile, part: &PipelineDeclaration) -> Vec<Finding> {
    let catalogue = Catalogue::standard();
    let mut findings = Vec::new();
    for stage in &part.stages {
        for action in &stage.actions {
            let Err(error) = check(&catalogue, action) else {
                continue;
            };
            let message = format!(
                "stage `{}`, action `{}` would fail: {}",
                stage.name, action.name, error.message
            );
            let is_known = catalogue.find(&action.action_type_id).is_ok();
            let (fields, help): (&[&'static str], _) = if is_known {
                (&["configuration"], "mend its configuration")
            } else {
                let help = "leave it out of a run with --until or --only";
                (&["actionTypeId", "provider"], help)
            };
            let place = file.place_of_action(&stage.name, &action.name, fields);
            findings.push(
                Finding::warning(message)
                    .at(&file.source, place)
                    .with_help(help),
            );
        }
    }
    findings
}

fn check(catalogue: &Catalogue, action: &ActionDeclaration) -> Result<(), ErrorDetails> {
    let provider = catalogue.find(&action.action_type_id)?;
    // What a reference will be is not known yet.
    if action
        .configuration
        .values()
        .any(|value| has_reference(value))
    {
        return Ok(());
    }
    provider.check(&action.configuration)
}
