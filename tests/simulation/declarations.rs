//! Pipelines drawn by chance, such as the API accepts.

use std::collections::BTreeMap;

use model::{
    ActionCategory, ActionDeclaration, ExecutionMode, PipelineDeclaration, PipelineType,
    StageDeclaration,
    declaration::{
        ActionOwner, ActionTypeId, ArtifactStore, ArtifactStoreType, InputArtifact, OutputArtifact,
    },
};

use crate::chance::Chance;

/// A stage this wide does not fit into one commit.
const WIDE: usize = 40;

pub(crate) fn bucket(pipeline: &str) -> String {
    format!("bucket-{pipeline}")
}

/// A pipeline of two to four stages; `version` is written into its actions.
pub(crate) fn draw(chance: &mut Chance, name: &str, version: u64) -> PipelineDeclaration {
    let mode = match chance.below(3) {
        0 => ExecutionMode::Superseded,
        1 => ExecutionMode::Queued,
        _ => ExecutionMode::Parallel,
    };
    let count = 2 + chance.index(3);
    let mut stages = vec![stage("Source", vec![source(name, version)])];
    for at in 1..count {
        stages.push(stage(&format!("Stage{at}"), actions(chance, at, version)));
    }
    PipelineDeclaration {
        name: name.to_owned(),
        role_arn: "arn:aws:iam::111122223333:role/pipeline".to_owned(),
        artifact_store: Some(ArtifactStore {
            kind: ArtifactStoreType::S3,
            location: "artifacts".to_owned(),
            encryption_key: None,
        }),
        artifact_stores: None,
        stages,
        version: None,
        execution_mode: mode,
        pipeline_type: PipelineType::V2,
        variables: Vec::new(),
        triggers: Vec::new(),
    }
}

fn actions(chance: &mut Chance, at: usize, version: u64) -> Vec<ActionDeclaration> {
    let count = if chance.happens(20) {
        WIDE
    } else {
        1 + chance.index(4)
    };
    let groups = 1 + chance.below(3);
    let one = |number: usize| {
        let run_order = 1 + u32::try_from(chance.below(groups)).unwrap_or(0);
        if number < 2 && chance.happens(250) {
            let mut approval = action(
                &format!("approve-{at}-{number}"),
                ActionCategory::Approval,
                "Manual",
                run_order,
            );
            approval.timeout_in_minutes = Some(5 + u32::try_from(chance.below(600)).unwrap_or(0));
            approval
                .configuration
                .insert("CustomData".into(), version.to_string());
            return approval;
        }
        let name = format!("test-{at}-{number}");
        let mut test = action(&name, ActionCategory::Test, "CodeBuild", run_order);
        test.configuration = BTreeMap::from([
            ("ProjectName".to_owned(), "project".to_owned()),
            (
                "EnvironmentVariables".to_owned(),
                format!(r#"[{{"name":"V","value":"{version}"}}]"#),
            ),
        ]);
        test.input_artifacts.push(InputArtifact {
            name: "src".to_owned(),
        });
        test
    };
    (0..count).map(one).collect()
}

fn source(pipeline: &str, version: u64) -> ActionDeclaration {
    let mut source = action("source", ActionCategory::Source, "S3", 1);
    source.configuration = BTreeMap::from([
        ("S3Bucket".to_owned(), bucket(pipeline)),
        ("S3ObjectKey".to_owned(), "app.zip".to_owned()),
        ("PollForSourceChanges".to_owned(), "false".to_owned()),
    ]);
    // Two definitions differ in something, whatever their shape.
    source.role_arn = Some(format!("arn:aws:iam::111122223333:role/source-{version}"));
    source.output_artifacts.push(OutputArtifact {
        name: "src".to_owned(),
        files: Vec::new(),
    });
    source
}

fn stage(name: &str, actions: Vec<ActionDeclaration>) -> StageDeclaration {
    StageDeclaration {
        name: name.to_owned(),
        blockers: Vec::new(),
        actions,
        before_entry: None,
        on_success: None,
        on_failure: None,
    }
}

fn action(
    name: &str,
    category: ActionCategory,
    provider: &str,
    run_order: u32,
) -> ActionDeclaration {
    ActionDeclaration {
        name: name.to_owned(),
        action_type_id: ActionTypeId {
            category,
            owner: ActionOwner::Aws,
            provider: provider.to_owned(),
            version: "1".to_owned(),
        },
        run_order,
        configuration: BTreeMap::new(),
        commands: Vec::new(),
        input_artifacts: Vec::new(),
        output_artifacts: Vec::new(),
        output_variables: Vec::new(),
        environment_variables: Vec::new(),
        role_arn: None,
        region: None,
        namespace: None,
        timeout_in_minutes: None,
    }
}
