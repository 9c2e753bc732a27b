//! Actions that nothing here can do: each fails when its turn comes, so it is said before.

use model::PipelineDeclaration;
use providers::Catalogue;

use super::PipelineFile;
use crate::failure::Finding;

/// A warning for each of them in this part of the pipeline.
pub(super) fn find(file: &PipelineFile, part: &PipelineDeclaration) -> Vec<Finding> {
    let catalogue = Catalogue::standard();
    let mut findings = Vec::new();
    for stage in &part.stages {
        for action in &stage.actions {
            let Err(error) = catalogue.find(&action.action_type_id) else {
                continue;
            };
            let message = format!(
                "stage `{}`, action `{}` would fail: {}",
                stage.name, action.name, error.message
            );
            let fields = &["actionTypeId", "provider"];
            let place = file.place_of_action(&stage.name, &action.name, fields);
            let help = "leave it out of a run with --until or --only";
            findings.push(
                Finding::warning(message)
                    .at(&file.source, place)
                    .with_help(help),
            );
        }
    }
    findings
}
