//! The variables of a build: what the service sets, what the buildspec asks for and what the
//! order overrides (spec 70 §4).

use std::{collections::BTreeMap, env, path::Path};

use super::{
    order::{Order, Variable, VariableType},
    secrets::{SecretError, SecretReference, Secrets, json_key},
    source::Tree,
};
use crate::document::Env;

/// Names whose values are credentials by themselves (spec 70 §4.3).
const CREDENTIALS: [&str; 3] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
];

/// The variables of a build, with the secrets among them.
#[derive(Default)]
pub(super) struct Environment {
    pub(super) variables: BTreeMap<String, String>,
    /// Values to hide.
    pub(super) secrets: Vec<String>,
    /// Variables that hold one, which no build exports (spec 70 §4.5).
    pub(super) secret_names: Vec<String>,
    pub(super) warnings: Vec<String>,
}

/// What could not be resolved: `CLIENT_ERROR` with this message.
pub(super) struct Unresolved(pub(super) String);

impl Environment {
    /// What the service sets (spec 70 §4.9). The environment of the agent is not handed on, save
    /// `RUSTUP_HOME`: the tools that rustup puts on `PATH` look for their toolchains in the home
    /// directory, and a build has a fresh one.
    pub(super) fn of_service(order: &Order, tree: &Tree, now_ms: i64) -> Self {
        let mut environment = Self::default();
        environment.set("LANG", "C");
        for (name, value) in &order.image_environment {
            environment.set(name, value);
        }
        environment.set("PATH", &order.path);
        environment.set("HOME", &tree.home.display().to_string());
        if let Some(rustup) = rustup_home() {
            environment.set("RUSTUP_HOME", &rustup);
        }
        environment.set("AWS_DEFAULT_REGION", &order.region);
        environment.set("AWS_REGION", &order.region);
        environment.set("CODEBUILD_CI", "true");
        environment.set("CODEBUILD_BUILD_ID", &order.build_id);
        environment.set("CODEBUILD_BUILD_SUCCEEDING", "1");
        let start = order.start_time_ms.unwrap_or(now_ms);
        environment.set("CODEBUILD_START_TIME", &start.to_string());
        let stream = order.build_id.rsplit(':').next().unwrap_or_default();
        environment.set("CODEBUILD_LOG_PATH", stream);
        let number = order.build_number.map(|number| number.to_string());
        for (name, value) in [
            ("CODEBUILD_BUILD_ARN", &order.build_arn),
            ("CODEBUILD_BUILD_NUMBER", &number),
            ("CODEBUILD_BUILD_IMAGE", &order.build_image),
            ("CODEBUILD_BUILD_URL", &order.build_url),
            ("CODEBUILD_PUBLIC_BUILD_URL", &order.public_build_url),
            ("CODEBUILD_PROJECT_ARN", &order.project_arn),
            ("CODEBUILD_INITIATOR", &order.initiator),
            ("CODEBUILD_KMS_KEY_ID", &order.kms_key_id),
        ] {
            environment.set_some(name, value.as_deref());
        }
        environment.sources(tree);
        environment.webhook(order);
        environment
    }

    fn set(&mut self, name: &str, value: &str) {
        self.variables.insert(name.to_owned(), value.to_owned());
    }

    fn set_some(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.set(name, value);
        }
    }

    fn sources(&mut self, tree: &Tree) {
        for source in &tree.sources {
            let directory = source.directory.display().to_string();
            let url = source.repo_url.as_deref().unwrap_or_default();
            let version = source.version.as_deref();
            if source.is_primary {
                self.set("CODEBUILD_SRC_DIR", &directory);
                self.set("CODEBUILD_SOURCE_REPO_URL", url);
                self.set_some("CODEBUILD_SOURCE_VERSION", version);
                let resolved = source.resolved_version.as_deref();
                self.set_some("CODEBUILD_RESOLVED_SOURCE_VERSION", resolved);
                continue;
            }
            // A name may hold `-`, which no shell can spell after a `$`; it stands there as
            // written and with every such character replaced (spec 70 §4.9).
            let spelled = spelled_for_a_shell(&source.name);
            // Another input may have that very name: its own variables stay its own.
            let is_taken = tree.sources.iter().any(|other| other.name == spelled);
            let spelled = Some(&spelled).filter(|_| !is_taken);
            for name in [Some(&source.name), spelled].into_iter().flatten() {
                self.set(&format!("CODEBUILD_SRC_DIR_{name}"), &directory);
                self.set(&format!("CODEBUILD_SOURCE_REPO_URL_{name}"), url);
                self.set_some(&format!("CODEBUILD_SOURCE_VERSION_{name}"), version);
            }
        }
    }

    fn webhook(&mut self, order: &Order) {
        let Some(webhook) = &order.webhook else {
            return;
        };
        for (name, value) in [
            ("ACTOR_ACCOUNT_ID", &webhook.actor_account_id),
            ("BASE_REF", &webhook.base_ref),
            ("EVENT", &webhook.event),
            ("HEAD_REF", &webhook.head_ref),
            ("MERGE_COMMIT", &webhook.merge_commit),
            ("PREV_COMMIT", &webhook.prev_commit),
            ("TRIGGER", &webhook.trigger),
        ] {
            self.set_some(&format!("CODEBUILD_WEBHOOK_{name}"), value.as_deref());
        }
    }

    /// Adds the buildspec's `env` and, over it, the variables of the order (spec 70 §4.1).
    pub(super) fn add(
        &mut self,
        env: &Env,
        overrides: &[Variable],
        secrets: &dyn Secrets,
    ) -> Result<(), Unresolved> {
        let plain = env
            .variables
            .iter()
            .map(|(n, v)| (n, v, VariableType::Plaintext));
        let parameters = env
            .parameter_store
            .iter()
            .map(|(n, v)| (n, v, VariableType::ParameterStore));
        let managed = env
            .secrets_manager
            .iter()
            .map(|(n, v)| (n, v, VariableType::SecretsManager));
        // Of several with one name the last counts; what is overridden is not asked for.
        let mut wanted: BTreeMap<&str, (&str, VariableType)> = BTreeMap::new();
        for (name, value, kind) in plain.chain(parameters).chain(managed) {
            wanted.insert(name, (value, kind));
        }
        for variable in overrides {
            let name = variable.name.as_str();
            if name.starts_with("CODEBUILD_") || name.is_empty() || name.contains(['=', '\0']) {
                self.warnings.push(format!(
                    "the variable {name:?} is ignored: its name is reserved"
                ));
            } else {
                wanted.insert(name, (&variable.value, variable.kind));
            }
        }
        for (name, (value, kind)) in wanted {
            let value = match kind {
                VariableType::Plaintext => value.to_owned(),
                VariableType::ParameterStore => self.secret(name, parameter(value, secrets)?),
                VariableType::SecretsManager => self.secret(name, managed_secret(value, secrets)?),
            };
            if value.contains('\0') {
                return Err(Unresolved(format!("the value of {name} contains a NUL")));
            }
            if CREDENTIALS.contains(&name) {
                self.secrets.push(value.clone());
            }
            self.set(name, &value);
        }
        Ok(())
    }

    fn secret(&mut self, name: &str, value: String) -> String {
        self.secret_names.push(name.to_owned());
        self.secrets.push(value.clone());
        value
    }
}

fn parameter(name: &str, secrets: &dyn Secrets) -> Result<String, Unresolved> {
    secrets.parameter(name).map_err(|error| match error {
        SecretError::NotFound => Unresolved(format!("Parameter does not exist: {name}")),
        error => Unresolved(format!("the parameter {name} cannot be used: {error}")),
    })
}

fn managed_secret(text: &str, secrets: &dyn Secrets) -> Result<String, Unresolved> {
    let reference = SecretReference::parse(text)
        .map_err(|error| Unresolved(format!("the secret reference {text:?}: {error}")))?;
    let value = secrets
        .secret(&reference)
        .and_then(|secret| match &reference.json_key {
            Some(key) => json_key(&secret, key),
            None => Ok(secret),
        });
    value.map_err(|error| match error {
        SecretError::NotFound => Unresolved(format!(
            "Secrets Manager can't find the specified secret: {}",
            reference.id
        )),
        error => Unresolved(format!(
            "the secret {} cannot be used: {error}",
            reference.id
        )),
    })
}

fn spelled_for_a_shell(name: &str) -> String {
    name.chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect()
}

fn rustup_home() -> Option<String> {
    let named = env::var("RUSTUP_HOME").ok().filter(|home| !home.is_empty());
    let usual = || env::var("HOME").ok().map(|home| format!("{home}/.rustup"));
    named.or_else(usual).filter(|home| Path::new(home).is_dir())
}
