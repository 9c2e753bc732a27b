//! Secrets are the values that builds name and a local file knows: what Secrets Manager and
//! Parameter Store are on one machine.
//!
//! ```yaml
//! secrets:
//!   docker-login: {user: ann, password: hunter2}   # named `docker-login:password` (spec 70 §4.2)
//!   api-key: 0123
//! parameters:
//!   /app/greeting: hello
//! ```
//!
//! A value goes to the agent that asked for it and nowhere else.

use std::{
    collections::BTreeMap,
    fmt,
    fs::File,
    io::{self, Read},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use model::build::{RunnerMessage, SecretNeed};
use saphyr::{ScalarStyle, ScanError, Yaml, YamlLoader};
use saphyr_parser::Parser;
use serde_json::{Map, Value};
use thiserror::Error;

/// The largest file of secrets.
const FILE_BYTES: u64 = 1 << 20;

/// The permission bits of a file that others than its owner could read or change.
const OTHERS: u32 = 0o077;

/// An ARN of a secret ends with `-` and six characters after the name.
const ARN_SUFFIX: usize = 7;

/// The values of one file.
#[derive(Clone, Default)]
pub struct Secrets {
    path: Option<PathBuf>,
    managed: BTreeMap<String, String>,
    parameters: BTreeMap<String, String>,
}

#[derive(Debug, Error)]
pub enum SecretsError {
    #[error("failed to read the secrets in `{path}`")]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the secrets in `{path}` can be read by others: run `chmod 600 {path}`")]
    Exposed { path: PathBuf },
    #[error("the secrets in `{path}` take more than {FILE_BYTES} bytes")]
    TooLarge { path: PathBuf },
    /// The text never quotes the file.
    #[error("`{path}` is no file of secrets: {problem}")]
    Malformed { path: PathBuf, problem: String },
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secrets")
            .field("path", &self.path)
            .field("secrets", &self.managed.len())
            .field("parameters", &self.parameters.len())
            .finish()
    }
}

impl Secrets {
    /// Knows nothing.
    pub fn none() -> Self {
        Self::default()
    }

    /// Reads a file, which only its owner may be able to read.
    pub fn open(path: &Path) -> Result<Self, SecretsError> {
        let read = |source| SecretsError::Read {
            path: path.to_owned(),
            source,
        };
        let file = File::open(path).map_err(read)?;
        let metadata = file.metadata().map_err(read)?;
        if metadata.mode() & OTHERS != 0 {
            return Err(SecretsError::Exposed {
                path: path.to_owned(),
            });
        }
        let mut text = String::new();
        file.take(FILE_BYTES + 1)
            .read_to_string(&mut text)
            .map_err(read)?;
        if text.len() as u64 > FILE_BYTES {
            return Err(SecretsError::TooLarge {
                path: path.to_owned(),
            });
        }
        let mut secrets = parse(&text).map_err(|problem| SecretsError::Malformed {
            path: path.to_owned(),
            problem,
        })?;
        secrets.path = Some(path.to_owned());
        Ok(secrets)
    }

    /// The file that the values came from; builds must not see it.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// What an agent that asks is told.
    pub(crate) fn answer(&self, need: &SecretNeed) -> RunnerMessage {
        let found = match need {
            SecretNeed::Parameter(name) => self.parameter(name),
            SecretNeed::Secret {
                id,
                version_stage,
                version_id,
            } => {
                let is_current = version_stage.as_deref().is_none_or(|s| s == "AWSCURRENT");
                if !is_current || version_id.is_some() {
                    return RunnerMessage::Refused(
                        "a local file of secrets has only the version AWSCURRENT".to_owned(),
                    );
                }
                self.secret(id)
            }
        };
        found.map_or(RunnerMessage::Missing, |value| {
            RunnerMessage::Value(value.to_owned())
        })
    }

    fn parameter(&self, name: &str) -> Option<&str> {
        let found = self.parameters.get(name).or_else(|| {
            // arn:aws:ssm:<region>:<account>:parameter/<name>, where the name's own `/` at the
            // front is the one after `parameter`.
            let (_, name) = name.split_once(":parameter/")?;
            self.parameters
                .get(name)
                .or_else(|| self.parameters.get(&format!("/{name}")))
        });
        found.map(String::as_str)
    }

    /// The value of the secret with that name or ARN.
    pub fn secret(&self, id: &str) -> Option<&str> {
        let found = self.managed.get(id).or_else(|| {
            let (_, name) = id.split_once(":secret:")?;
            self.managed.get(name).or_else(|| {
                let end = name.len().checked_sub(ARN_SUFFIX)?;
                self.managed
                    .get(name.get(..end).filter(|_| name[end..].starts_with('-'))?)
            })
        });
        found.map(String::as_str)
    }
}

fn parse(text: &str) -> Result<Secrets, String> {
    // JSON goes its own way: the YAML parser refuses some of it (surrogate pairs).
    let top = match serde_json::from_str(text) {
        Ok(value) => value,
        Err(_) => yaml(text)?,
    };
    let top = match top {
        Value::Object(top) => top,
        Value::Null => Map::new(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            return Err("it must have the keys `secrets` and `parameters`".to_owned());
        }
    };
    let mut secrets = Secrets::default();
    for (key, values) in top {
        let into = match key.as_str() {
            "secrets" => &mut secrets.managed,
            "parameters" => &mut secrets.parameters,
            _ => return Err("its only keys are `secrets` and `parameters`".to_owned()),
        };
        let Value::Object(values) = values else {
            return Err("`secrets` and `parameters` map names to values".to_owned());
        };
        for (name, value) in values {
            let value = match value {
                Value::String(text) => text,
                Value::Bool(_) | Value::Number(_) => value.to_string(),
                Value::Object(_) if key == "secrets" => value.to_string(),
                Value::Object(_) | Value::Array(_) | Value::Null => {
                    return Err(format!("the value of `{name}` is not a text"));
                }
            };
            into.insert(name, value);
        }
    }
    Ok(secrets)
}

/// Reads YAML without interpreting its scalars: `0123` and `1e9` may be somebody's password.
fn yaml(text: &str) -> Result<Value, String> {
    let malformed = |error: &ScanError| {
        let at = error.marker();
        format!(
            "it is not YAML at line {}, column {}",
            at.line(),
            at.col() + 1
        )
    };
    let mut loader = YamlLoader::<Yaml<'_>>::default();
    loader.early_parse(false);
    Parser::new_from_str(text)
        .load(&mut loader, true)
        .map_err(|error| malformed(&error))?;
    if let Some(error) = loader.error() {
        return Err(malformed(error));
    }
    match loader.into_documents().as_slice() {
        [] => Ok(Value::Null),
        [document] => value(document),
        [_, _, ..] => Err("it has more than one document".to_owned()),
    }
}

fn value(node: &Yaml<'_>) -> Result<Value, String> {
    match node {
        Yaml::Representation(text, ScalarStyle::Plain, None)
            if matches!(text.as_ref(), "" | "~" | "null") =>
        {
            Ok(Value::Null)
        }
        Yaml::Representation(text, _, None) => Ok(Value::from(text.as_ref())),
        Yaml::Mapping(entries) => {
            let mut object = Map::new();
            for (key, entry) in entries {
                let Value::String(key) = value(key)? else {
                    return Err("a name is not a text".to_owned());
                };
                let entry = value(entry)?;
                if object.insert(key.clone(), entry).is_some() {
                    return Err(format!("the name `{key}` occurs twice"));
                }
            }
            Ok(Value::Object(object))
        }
        Yaml::Sequence(items) => items.iter().map(value).collect(),
        Yaml::Representation(..)
        | Yaml::Value(_)
        | Yaml::Tagged(..)
        | Yaml::Alias(_)
        | Yaml::BadValue => Err("it uses a YAML tag".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use super::*;

    const FILE: &str = "
secrets:
  db: {user: ann, port: 5432}
  key: 0123
  json: '{\"a\": 1}'
parameters:
  /app/name: demo
  plain: 7
";

    fn told(secrets: &Secrets, need: &SecretNeed) -> String {
        match secrets.answer(need) {
            RunnerMessage::Value(value) => value,
            RunnerMessage::Missing => "missing".to_owned(),
            RunnerMessage::Refused(why) => why,
            RunnerMessage::Stop => panic!("no answer"),
        }
    }

    fn secret(id: &str, stage: Option<&str>) -> SecretNeed {
        SecretNeed::Secret {
            id: id.to_owned(),
            version_stage: stage.map(str::to_owned),
            version_id: None,
        }
    }

    #[test]
    fn a_secret_is_found_by_name_and_by_arn() {
        let secrets = parse(FILE).unwrap();
        assert_eq!(told(&secrets, &secret("key", None)), "0123");
        assert_eq!(told(&secrets, &secret("key", Some("AWSCURRENT"))), "0123");
        assert_eq!(told(&secrets, &secret("json", None)), "{\"a\": 1}");
        assert_eq!(
            told(&secrets, &secret("db", None)),
            "{\"port\":\"5432\",\"user\":\"ann\"}"
        );
        let arn = "arn:aws:secretsmanager:us-east-1:111122223333:secret:key-AbCdEf";
        assert_eq!(told(&secrets, &secret(arn, None)), "0123");
        assert_eq!(told(&secrets, &secret("nothing", None)), "missing");
        assert_eq!(
            told(&secrets, &secret("key", Some("AWSPREVIOUS"))),
            "a local file of secrets has only the version AWSCURRENT"
        );
    }

    #[test]
    fn a_parameter_is_found_by_name_and_by_arn() {
        let secrets = parse(FILE).unwrap();
        let named = |name: &str| told(&secrets, &SecretNeed::Parameter(name.to_owned()));
        assert_eq!(named("/app/name"), "demo");
        assert_eq!(named("plain"), "7");
        assert_eq!(named("arn:aws:ssm:us-east-1:1:parameter/app/name"), "demo");
        assert_eq!(named("arn:aws:ssm:us-east-1:1:parameter/plain"), "7");
        assert_eq!(named("db"), "missing");
    }

    #[test]
    fn what_is_no_file_of_secrets_is_refused_without_quoting_it() {
        for text in [
            "hunter2",
            "secret: {a: hunter2}",
            "secrets: hunter2",
            "secrets: {a: [hunter2]}",
            "secrets: {a: ~}",
            "parameters: {a: {b: hunter2}}",
            "secrets: {a: b, 'a': hunter2}",
            "secrets: {a: !x hunter2}",
            "secrets: {hunter2",
            "secrets: {a: b}\n---\nsecrets: {a: hunter2}",
        ] {
            let problem = parse(text).expect_err(text);
            assert!(!problem.contains("hunter2"), "{problem}");
        }
    }

    #[test]
    fn a_file_may_be_json() {
        let secrets = parse(r#"{"secrets": {"k": "\ud83d\ude00", "n": 5432}}"#).unwrap();
        assert_eq!(told(&secrets, &secret("k", None)), "😀");
        assert_eq!(told(&secrets, &secret("n", None)), "5432");
        assert_eq!(told(&parse("").unwrap(), &secret("n", None)), "missing");
    }

    #[test]
    fn a_file_that_others_can_read_is_refused_with_the_fix() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secrets.yml");
        fs::write(&path, FILE).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let error = Secrets::open(&path).unwrap_err();
        assert!(matches!(error, SecretsError::Exposed { .. }));
        assert!(error.to_string().contains("chmod 600"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let secrets = Secrets::open(&path).unwrap();
        assert_eq!(secrets.path(), Some(path.as_path()));
        assert!(!format!("{secrets:?}").contains("ann"));
    }

    #[test]
    fn a_file_that_is_absent_or_too_large_or_broken_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secrets.yml");
        assert!(matches!(
            Secrets::open(&path),
            Err(SecretsError::Read { .. })
        ));
        for (text, is_large) in [("x".repeat(2 << 20), true), ("[]".to_owned(), false)] {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            let error = Secrets::open(&path).unwrap_err();
            assert_eq!(matches!(error, SecretsError::TooLarge { .. }), is_large);
            assert_eq!(matches!(error, SecretsError::Malformed { .. }), !is_large);
        }
    }
}
