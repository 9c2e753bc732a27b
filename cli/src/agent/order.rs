//! From the runner's envelope to the order that the buildspec library takes.

use std::{collections::BTreeMap, fs::File, io::Read, path::Path};

use anyhow::{Context, ensure};
use buildspec::build::{Commands, Input, Order, Output, Variable, VariableType};
use model::build::{ENVELOPE_VERSION, Envelope, EnvelopeInput, EnvelopeOutput, EnvelopeWork};
use model::project::{BuildVariable, BuildVariableType};

use super::{first, remote};

/// The largest envelope: a buildspec inline and all variables fit many times.
const ENVELOPE_BYTES: u64 = 16 << 20;

pub(super) fn open(path: &Path) -> anyhow::Result<Envelope> {
    let mut text = Vec::new();
    File::open(path)
        .and_then(|file| file.take(ENVELOPE_BYTES).read_to_end(&mut text))
        .with_context(|| format!("failed to read the envelope `{}`", path.display()))?;
    let envelope: Envelope = serde_json::from_slice(&text)
        .with_context(|| format!("`{}` is no envelope of a build", path.display()))?;
    let version = envelope.version;
    ensure!(
        version == ENVELOPE_VERSION,
        "this agent understands envelopes of version {ENVELOPE_VERSION}, not {version}"
    );
    Ok(envelope)
}

pub(super) fn order(envelope: &Envelope) -> Order {
    let (buildspec, commands) = match &envelope.work {
        EnvelopeWork::Buildspec(buildspec) => (buildspec.clone(), None),
        EnvelopeWork::Commands {
            commands,
            output_variables,
            files,
        } => {
            let commands = Commands {
                commands: commands.clone(),
                output_variables: output_variables.clone(),
                files: files.clone(),
            };
            (None, Some(commands))
        }
    };
    Order {
        project_name: envelope.project.clone(),
        build_id: envelope.build_id.clone(),
        build_arn: Some(envelope.build_arn.clone()),
        project_arn: project_arn(envelope),
        build_number: Some(envelope.build_number),
        build_image: envelope.image.clone(),
        initiator: Some(envelope.initiator.clone()),
        region: envelope.region.clone(),
        inputs: envelope.inputs.iter().enumerate().map(input).collect(),
        outputs: envelope.outputs.iter().map(output).collect(),
        environment_variables: envelope.variables.iter().map(variable).collect(),
        buildspec,
        commands,
        work: envelope.directory.clone(),
        cache: envelope.cache.clone(),
        path: std::env::var("PATH").unwrap_or_default(),
        image_environment: image_environment(envelope),
        timeout_seconds: envelope.timeout_seconds,
        log_max_bytes: Some(envelope.log_max_bytes),
        auto_retry_number: envelope.retry,
        ..Order::default()
    }
}

/// The project's ARN follows from the build's: `…:build/<project>:<id>` (spec 70 §4.9).
fn project_arn(envelope: &Envelope) -> Option<String> {
    let (names, _) = envelope.build_arn.split_once(":build/")?;
    Some(format!("{names}:project/{}", envelope.project))
}

/// What the image sets, when the agent runs in one (spec 70 §4.1).
fn image_environment(envelope: &Envelope) -> BTreeMap<String, String> {
    if !envelope.inherits_environment {
        return BTreeMap::new();
    }
    std::env::vars_os()
        .filter(|(name, _)| name != first::SECOND && !remote::is_kept_back(name))
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

fn input((index, input): (usize, &EnvelopeInput)) -> Input {
    Input {
        name: input.name.clone(),
        location: input.path.clone(),
        file_name: Some(input.file_name.clone()),
        primary: index == 0,
        source_version: Some(input.source_version.clone()),
        resolved_source_version: input.revision.clone(),
        ..Input::default()
    }
}

fn output(output: &EnvelopeOutput) -> Output {
    Output {
        name: output.name.clone(),
        location: output.path.clone(),
    }
}

fn variable(variable: &BuildVariable) -> Variable {
    Variable {
        name: variable.name.clone(),
        value: variable.value.clone(),
        kind: match variable.kind {
            BuildVariableType::Plaintext => VariableType::Plaintext,
            BuildVariableType::ParameterStore => VariableType::ParameterStore,
            BuildVariableType::SecretsManager => VariableType::SecretsManager,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(version: u32) -> String {
        format!(
            r#"{{"version":{version},"project":"p","buildId":"p:1","buildArn":"a","buildNumber":1,
            "initiator":"codepipeline/x","region":"r","work":{{"buildspec":null}},
            "inputs":[{{"name":"s","path":"/in/0","fileName":"f","sourceVersion":"v"}}],
            "outputs":[{{"name":"o","path":"/out/0.zip"}}],
            "variables":[{{"name":"A","value":"1","type":"SECRETS_MANAGER"}}],
            "directory":"/w","timeoutSeconds":5,"logMaxBytes":9,"retry":2,
            "inheritsEnvironment":false,"ownProcessNamespace":true}}"#
        )
    }

    #[test]
    fn an_envelope_becomes_an_order() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("envelope.json");
        std::fs::write(&path, text(ENVELOPE_VERSION)).unwrap();
        let order = order(&open(&path).unwrap());
        assert!(order.inputs[0].primary);
        assert_eq!(order.inputs[0].location, Path::new("/in/0"));
        assert_eq!(order.outputs[0].location, Path::new("/out/0.zip"));
        assert_eq!(
            order.environment_variables[0].kind,
            VariableType::SecretsManager
        );
        assert_eq!((order.timeout_seconds, order.auto_retry_number), (5, 2));
    }

    #[test]
    fn an_envelope_of_another_time_and_what_is_none_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("envelope.json");
        assert!(open(&path).is_err());
        std::fs::write(&path, text(ENVELOPE_VERSION + 1)).unwrap();
        assert!(open(&path).unwrap_err().to_string().contains("version"));
        std::fs::write(&path, "{}").unwrap();
        assert!(open(&path).unwrap_err().to_string().contains("no envelope"));
    }
}
