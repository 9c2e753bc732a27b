//! A pipeline in one line, for tests: `Source > Build{lint|test; pack} > Approve? > Deploy`.
//!
//! A stage without braces has one action of its own name. `|` stands between the actions of a group
//! that run together, `;` between groups that follow each other, `?` behind an approval. Indented
//! lines below say the rest: `mode QUEUED`, `variable env=dev`, `lint in src`, `lint out bin`,
//! `lint namespace L`, `lint set Key=value`, `lint command …`, `lint env K=v`, `lint timeout 5`,
//! `lint kind Deploy/S3`, `type V1`.

use std::collections::BTreeMap;

use model::declaration::{
    ActionCategory, ActionDeclaration, ActionOwner, ActionTypeId, ArtifactStore, ArtifactStoreType,
    EnvironmentVariable, EnvironmentVariableType, ExecutionMode, InputArtifact, OutputArtifact,
    PipelineDeclaration, PipelineType, PipelineVariableDeclaration, StageDeclaration,
};

/// The declaration that these lines describe.
pub(crate) fn declare(stages: &str, details: &[&str]) -> PipelineDeclaration {
    let mut declaration = pipeline(stages.split('>').enumerate().map(stage).collect());
    for line in details {
        detail(&mut declaration, line.trim());
    }
    declaration
}

/// A pipeline of these stages with everything else as plain as possible.
pub(crate) fn pipeline(stages: Vec<StageDeclaration>) -> PipelineDeclaration {
    PipelineDeclaration {
        name: "shop".to_owned(),
        role_arn: "arn:aws:iam::111122223333:role/pipeline".to_owned(),
        artifact_store: Some(ArtifactStore {
            kind: ArtifactStoreType::S3,
            location: "artifacts".to_owned(),
            encryption_key: None,
        }),
        artifact_stores: None,
        stages,
        version: None,
        execution_mode: ExecutionMode::Superseded,
        pipeline_type: PipelineType::V2,
        variables: Vec::new(),
        triggers: Vec::new(),
    }
}

pub(crate) fn plain_stage(name: &str, actions: Vec<ActionDeclaration>) -> StageDeclaration {
    StageDeclaration {
        name: name.to_owned(),
        blockers: Vec::new(),
        actions,
        before_entry: None,
        on_success: None,
        on_failure: None,
    }
}

pub(crate) fn action(
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

fn stage((at, text): (usize, &str)) -> StageDeclaration {
    let text = text.trim();
    let (name, groups) = match text.split_once('{') {
        Some((name, rest)) => (
            name.trim(),
            rest.strip_suffix('}').expect("a closing brace"),
        ),
        None => (text.trim_end_matches('?'), text),
    };
    let mut actions = Vec::new();
    for (group, names) in groups.split(';').enumerate() {
        let run_order = u32::try_from(group).expect("few groups") + 1;
        for name in names.split('|').map(str::trim) {
            let (category, provider) = match name.strip_suffix('?') {
                Some(_) => (ActionCategory::Approval, "Manual"),
                None if at == 0 => (ActionCategory::Source, "S3"),
                None => (ActionCategory::Build, "CodeBuild"),
            };
            let name = name.trim_end_matches('?');
            actions.push(action(name, category, provider, run_order));
        }
    }
    plain_stage(name, actions)
}

fn detail(declaration: &mut PipelineDeclaration, line: &str) {
    let (subject, rest) = line.split_once(' ').expect("a subject and more");
    match subject {
        "mode" => declaration.execution_mode = mode(rest),
        "type" => declaration.pipeline_type = PipelineType::V1,
        "variable" => {
            let (name, default) = match rest.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (rest, None),
            };
            declaration.variables.push(PipelineVariableDeclaration {
                name: name.to_owned(),
                default_value: default,
                description: None,
            });
        }
        name => {
            let mut actions = declaration.stages.iter_mut().flat_map(|s| &mut s.actions);
            let action = actions.find(|action| action.name == name);
            action_detail(action.expect("an action of that name"), rest);
        }
    }
}

fn mode(text: &str) -> ExecutionMode {
    match text {
        "SUPERSEDED" => ExecutionMode::Superseded,
        "QUEUED" => ExecutionMode::Queued,
        "PARALLEL" => ExecutionMode::Parallel,
        other => panic!("no execution mode is called {other}"),
    }
}

fn action_detail(action: &mut ActionDeclaration, text: &str) {
    let (what, value) = text.split_once(' ').expect("a property and its value");
    let pair = || value.split_once('=').expect("a name, `=`, a value");
    match what {
        "in" => action.input_artifacts.push(InputArtifact {
            name: value.to_owned(),
        }),
        "out" => action.output_artifacts.push(OutputArtifact {
            name: value.to_owned(),
            files: Vec::new(),
        }),
        "namespace" => action.namespace = Some(value.to_owned()),
        "timeout" => action.timeout_in_minutes = Some(value.parse().expect("minutes")),
        "command" => action.commands.push(value.to_owned()),
        "set" => {
            let (key, value) = pair();
            action.configuration.insert(key.into(), value.into());
        }
        "env" => {
            let (name, value) = pair();
            action.environment_variables.push(EnvironmentVariable {
                name: name.into(),
                value: value.into(),
                kind: EnvironmentVariableType::Plaintext,
            });
        }
        "kind" => {
            let (category, provider) = value.split_once('/').expect("category/provider");
            action.action_type_id.category = match category {
                "Deploy" => ActionCategory::Deploy,
                "Test" => ActionCategory::Test,
                "Compute" => ActionCategory::Compute,
                "Source" => ActionCategory::Source,
                other => panic!("no category is called {other} here"),
            };
            provider.clone_into(&mut action.action_type_id.provider);
        }
        other => panic!("an action has no `{other}` here"),
    }
}
