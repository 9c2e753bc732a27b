//! Readers of the pipeline and its stages (spec 20 §2, §3).

use super::{
    super::{
        ArtifactStore, ArtifactStoreType, BlockerDeclaration, EncryptionKey, EncryptionKeyType,
        ExecutionMode, PipelineDeclaration, PipelineType, PipelineVariableDeclaration,
        StageDeclaration, node::Node, path::Path,
    },
    Decoder, action, condition, trigger,
};

const MODES: &[(&str, ExecutionMode)] = &[
    ("QUEUED", ExecutionMode::Queued),
    ("SUPERSEDED", ExecutionMode::Superseded),
    ("PARALLEL", ExecutionMode::Parallel),
];
const TYPES: &[(&str, PipelineType)] = &[("V1", PipelineType::V1), ("V2", PipelineType::V2)];

/// Reads a whole pipeline; what cannot be read is left empty, and reported.
pub(in super::super) fn pipeline(
    d: &mut Decoder,
    node: &Node,
    path: &Path,
) -> Option<PipelineDeclaration> {
    d.object(node, path, |f| PipelineDeclaration {
        name: f.text("name"),
        role_arn: f.text("roleArn"),
        artifact_store: f.optional("artifactStore", store),
        artifact_stores: f.optional("artifactStores", |d, node, path| d.map(node, path, store)),
        stages: f
            .required("stages", |d, node, path| d.list(node, path, stage))
            .unwrap_or_default(),
        version: f.optional_integer("version", 1, u32::MAX),
        execution_mode: f
            .optional("executionMode", |d, node, path| d.choice(node, path, MODES))
            .unwrap_or_default(),
        pipeline_type: f
            .optional("pipelineType", |d, node, path| d.choice(node, path, TYPES))
            .unwrap_or_default(),
        variables: f.any("variables", variable),
        triggers: f.any("triggers", trigger::trigger),
    })
}

fn store(d: &mut Decoder, node: &Node, path: &Path) -> Option<ArtifactStore> {
    d.object(node, path, |f| ArtifactStore {
        kind: f
            .required("type", |d, node, path| {
                d.choice(node, path, &[("S3", ArtifactStoreType::S3)])
            })
            .unwrap_or_default(),
        location: f.text("location"),
        encryption_key: f.optional("encryptionKey", |d, node, path| {
            d.object(node, path, |f| EncryptionKey {
                id: f.text("id"),
                kind: f
                    .required("type", |d, node, path| {
                        d.choice(node, path, &[("KMS", EncryptionKeyType::Kms)])
                    })
                    .unwrap_or_default(),
            })
        }),
    })
}

fn variable(d: &mut Decoder, node: &Node, path: &Path) -> Option<PipelineVariableDeclaration> {
    d.object(node, path, |f| PipelineVariableDeclaration {
        name: f.text("name"),
        default_value: f.optional_text("defaultValue"),
        description: f.optional_text("description"),
    })
}

fn stage(d: &mut Decoder, node: &Node, path: &Path) -> Option<StageDeclaration> {
    d.object(node, path, |f| StageDeclaration {
        name: f.text("name"),
        blockers: f.any("blockers", |d, node, path| {
            d.object(node, path, |f| BlockerDeclaration {
                name: f.text("name"),
                kind: f.text("type"),
            })
        }),
        actions: f
            .required("actions", |d, node, path| {
                d.list(node, path, action::action)
            })
            .unwrap_or_default(),
        before_entry: f.optional("beforeEntry", condition::conditions),
        on_success: f.optional("onSuccess", condition::conditions),
        on_failure: f.optional("onFailure", condition::on_failure),
    })
}
