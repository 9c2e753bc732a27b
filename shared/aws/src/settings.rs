//! What the environment of a function says: set by Lambda, or by `template.yaml`.

use std::collections::BTreeMap;

use ports::Account;
use thiserror::Error;

/// The variables of a function. Each function is given those that it needs; asking for one that is
/// not there is an error that names it.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    variables: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("the function's environment has no {0}: deploy it with the project's template.yaml")]
pub struct SettingsError(pub String);

impl Settings {
    /// What the environment of this process says; a variable without a value counts as absent.
    pub fn of_environment() -> Self {
        Self::of(std::env::vars())
    }

    pub fn of(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let variables = variables.into_iter();
        Self {
            variables: variables.filter(|(_, value)| !value.is_empty()).collect(),
        }
    }

    /// The value of a variable that may be absent.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    /// The value of a variable that must be there.
    pub fn require(&self, name: &str) -> Result<&str, SettingsError> {
        self.get(name).ok_or_else(|| SettingsError(name.to_owned()))
    }

    /// The account and region whose pipelines these are.
    pub fn account(&self) -> Result<Account, SettingsError> {
        Ok(Account {
            id: self.require("PIPEWRIGHT_ACCOUNT")?.to_owned(),
            region: self.require("AWS_REGION")?.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_variable_is_absent_and_an_absent_one_is_named() {
        let settings = Settings::of([("A".to_owned(), String::new())]);
        assert_eq!(settings.get("A"), None);
        let error = settings.require("A").expect_err("it is empty");
        assert!(error.to_string().contains("no A:"), "{error}");
    }

    #[test]
    fn the_account_is_what_the_template_and_lambda_say() {
        let of = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let settings = Settings::of([of("PIPEWRIGHT_ACCOUNT", "1"), of("AWS_REGION", "r")]);
        let account = settings.account().expect("both are there");
        assert_eq!((account.id.as_str(), account.region.as_str()), ("1", "r"));
    }
}
