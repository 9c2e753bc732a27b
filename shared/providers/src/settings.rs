//! The configuration of an action, read by key.

use std::collections::BTreeMap;

use model::job::ErrorDetails;

/// An action's configuration.
#[derive(Clone, Copy)]
pub(crate) struct Settings<'a> {
    configuration: &'a BTreeMap<String, String>,
}

impl<'a> Settings<'a> {
    /// The configuration, if all of its keys are among those that the provider knows: what is not
    /// understood is not ignored.
    pub(crate) fn of(
        configuration: &'a BTreeMap<String, String>,
        known: &[&str],
    ) -> Result<Self, ErrorDetails> {
        let mut keys = configuration.keys();
        match keys.find(|key| !known.contains(&key.as_str())) {
            None => Ok(Self { configuration }),
            Some(key) => Err(ErrorDetails::configuration(format!(
                "the configuration has the unknown key `{key}`; known are {}",
                known.join(", ")
            ))),
        }
    }

    /// The value, if there is one that is not empty.
    pub(crate) fn optional(self, key: &str) -> Option<&'a str> {
        let value = self.configuration.get(key).map(String::as_str);
        value.filter(|value| !value.is_empty())
    }

    pub(crate) fn required(self, key: &str) -> Result<&'a str, ErrorDetails> {
        self.optional(key)
            .ok_or_else(|| ErrorDetails::configuration(format!("the configuration has no `{key}`")))
    }

    /// `true` or `false` in any case (spec 60, reading key).
    pub(crate) fn flag(self, key: &str) -> Result<Option<bool>, ErrorDetails> {
        let Some(value) = self.optional(key) else {
            return Ok(None);
        };
        if value.eq_ignore_ascii_case("true") {
            Ok(Some(true))
        } else if value.eq_ignore_ascii_case("false") {
            Ok(Some(false))
        } else {
            Err(ErrorDetails::configuration(format!(
                "`{key}` must be `true` or `false`, not `{value}`"
            )))
        }
    }

    /// The value, if it is one of `allowed`.
    pub(crate) fn one_of(
        self,
        key: &str,
        allowed: &[&str],
    ) -> Result<Option<&'a str>, ErrorDetails> {
        match self.optional(key) {
            Some(value) if !allowed.contains(&value) => Err(ErrorDetails::configuration(format!(
                "`{key}` must be one of {}, not `{value}`",
                allowed.join(", ")
            ))),
            value => Ok(value),
        }
    }

    /// Refuses keys that CodePipeline knows and Pipewright does nothing with.
    pub(crate) fn refuse(self, keys: &[&str], why: &str) -> Result<(), ErrorDetails> {
        let given = keys.iter().find(|key| self.optional(key).is_some());
        given.map_or(Ok(()), |key| {
            let text = format!("`{key}` is not supported: {why}");
            Err(ErrorDetails::configuration(text))
        })
    }
}
