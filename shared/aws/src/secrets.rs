//! Values that builds name: secrets of Secrets Manager and parameters of Parameter Store.
//!
//! What may be read is what the function's role lets it read, without the master secret: whatever a
//! build can name, that one is none of it. A value goes to the agent that asked and nowhere else.

#[cfg(test)]
mod tests;

use std::fmt;

use aws_sdk_secretsmanager::error::{ProvideErrorMetadata, SdkError};
use model::build::{RunnerMessage, SecretNeed};
use thiserror::Error;

use crate::{
    Clients, Settings, SettingsError,
    failed::{Asked, HasStatus, asked, said},
};

/// The longest value, in bytes: what Secrets Manager takes.
const VALUE_BYTES_MAX: usize = 64 * 1024;

/// Parameters of this name are secrets of Secrets Manager.
const OTHER_SERVICE: &str = "aws/reference/secretsmanager";

/// Codes that say that there is nothing of that name, or no such version of it.
const ABSENT: [&str; 3] = [
    "ResourceNotFoundException",
    "ParameterNotFound",
    "ParameterVersionNotFound",
];

/// The secrets and parameters of the account.
#[derive(Clone)]
pub struct Secrets {
    managed: aws_sdk_secretsmanager::Client,
    parameters: aws_sdk_ssm::Client,
    /// The name or ARN of the master secret.
    master: String,
}

/// Nobody knows now whether there is such a value: it is to be asked for again.
#[derive(Debug, Error)]
#[error("{service} cannot be asked now: {said}")]
pub struct SecretsUnavailable {
    /// `Secrets Manager` or `Parameter Store`
    pub service: &'static str,
    pub said: String,
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secrets").finish_non_exhaustive()
    }
}

impl Secrets {
    pub fn new(clients: &Clients, settings: &Settings) -> Result<Self, SettingsError> {
        Ok(Self {
            managed: clients.secrets(),
            parameters: clients.ssm(),
            master: settings.require("PIPEWRIGHT_MASTER_SECRET")?.to_owned(),
        })
    }

    /// What an agent that asks is told.
    pub async fn answer(&self, need: &SecretNeed) -> Result<RunnerMessage, SecretsUnavailable> {
        let answer = match need {
            SecretNeed::Parameter(name) => self.parameter(name).await,
            SecretNeed::Secret {
                id,
                version_stage,
                version_id,
            } => {
                self.secret(id, version_stage.clone(), version_id.clone())
                    .await
            }
        }?;
        Ok(match answer {
            RunnerMessage::Value(value) if value.len() > VALUE_BYTES_MAX => {
                RunnerMessage::Refused(format!("it takes more than {VALUE_BYTES_MAX} bytes"))
            }
            answer => answer,
        })
    }

    async fn parameter(&self, name: &str) -> Result<RunnerMessage, SecretsUnavailable> {
        if name.contains(OTHER_SERVICE) {
            let why = "it is a secret of Secrets Manager: name it as one";
            return Ok(RunnerMessage::Refused(why.to_owned()));
        }
        let asked_for = self.parameters.get_parameter();
        let found = asked_for.name(name).with_decryption(true).send().await;
        match found {
            Ok(found) => {
                let parameter = found.parameter.and_then(|parameter| parameter.value);
                Ok(parameter.map_or(RunnerMessage::Missing, RunnerMessage::Value))
            }
            Err(error) => told("Parameter Store", "ssm:GetParameter", &error),
        }
    }

    async fn secret(
        &self,
        id: &str,
        stage: Option<String>,
        version: Option<String>,
    ) -> Result<RunnerMessage, SecretsUnavailable> {
        let asked_for = self.managed.get_secret_value().secret_id(id);
        let asked_for = asked_for.set_version_stage(stage).set_version_id(version);
        let found = match asked_for.send().await {
            Ok(found) => found,
            Err(error) => return told("Secrets Manager", "secretsmanager:GetSecretValue", &error),
        };
        // By what it is and not by how it was named: a name, an ARN and a part of one are the same.
        if [found.arn(), found.name()].contains(&Some(&self.master)) {
            let why = "it is Pipewright's own, and no build may have it";
            return Ok(RunnerMessage::Refused(why.to_owned()));
        }
        Ok(found.secret_string.map_or_else(
            || RunnerMessage::Refused("it holds bytes and no text".to_owned()),
            RunnerMessage::Value,
        ))
    }
}

/// What an error means to whoever asked; `right` is what a role needs to read the value.
fn told<E, R>(
    service: &'static str,
    right: &str,
    error: &SdkError<E, R>,
) -> Result<RunnerMessage, SecretsUnavailable>
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: HasStatus + fmt::Debug,
{
    let code = error.code().unwrap_or_default();
    if ABSENT.contains(&code) {
        return Ok(RunnerMessage::Missing);
    }
    if code == "AccessDeniedException" {
        return Ok(RunnerMessage::Refused(format!(
            "{service} does not let Pipewright read it: allow {right} on it, and kms:Decrypt on its \
             key, to the role of the function `api`"
        )));
    }
    match asked(error) {
        Asked::Refused => Ok(RunnerMessage::Refused(format!(
            "{service} refused to read it: {}",
            said(error)
        ))),
        Asked::Throttled | Asked::Unsent | Asked::Unknown => Err(SecretsUnavailable {
            service,
            said: said(error),
        }),
    }
}
