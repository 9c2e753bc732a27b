//! The plain AWS CLI, with an endpoint and keys, and nothing of its user's files.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use pipewright_tests::{python::Python, root};
use serde_json::Value;

/// How often something is looked at until it is as it should be.
const LOOK: Duration = Duration::from_millis(300);

pub(crate) struct Cli {
    python: Python,
    /// Of the machine: a program that finds its files through it finds none.
    home: PathBuf,
    variables: Vec<(String, String)>,
}

impl Cli {
    /// A client of `endpoint`, through `proxy`, with a key: its id and its secret.
    pub(crate) fn new(home: &Path, endpoint: &str, proxy: &str, key: (&str, &str)) -> Self {
        let variables = [
            ("AWS_ACCESS_KEY_ID", key.0),
            ("AWS_SECRET_ACCESS_KEY", key.1),
            ("AWS_ENDPOINT_URL", endpoint),
            ("AWS_DEFAULT_REGION", "us-east-1"),
            ("HTTP_PROXY", proxy),
            ("http_proxy", proxy),
            ("NO_PROXY", ""),
            ("no_proxy", ""),
        ];
        let variables = variables.iter();
        let variables = variables.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Self::of(home, variables.collect())
    }

    /// A client of AWS itself, with what the environment of this process says of it.
    pub(crate) fn of_account(home: &Path) -> Self {
        const TAKEN: [&str; 5] = ["AWS_", "HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy"];
        let variables = std::env::vars();
        let is_taken = |name: &str| TAKEN.iter().any(|taken| name.starts_with(taken));
        Self::of(home, variables.filter(|(name, _)| is_taken(name)).collect())
    }

    fn of(home: &Path, mut variables: Vec<(String, String)>) -> Self {
        for (name, value) in [("AWS_PAGER", ""), ("AWS_EC2_METADATA_DISABLED", "true")] {
            variables.push((name.to_owned(), value.to_owned()));
        }
        // The very versions that the conformance suite speaks with.
        let requirements = root().join("tests/conformance/requirements.txt");
        Self {
            python: Python::with("aws-cli", &requirements),
            home: home.to_owned(),
            variables,
        }
    }

    /// The same client with another endpoint and another key.
    pub(crate) fn with(&self, endpoint: &str, key: (&str, &str)) -> Self {
        let own = [
            ("AWS_ENDPOINT_URL", endpoint),
            ("AWS_ACCESS_KEY_ID", key.0),
            ("AWS_SECRET_ACCESS_KEY", key.1),
            // A key of ours is no session.
            ("AWS_SESSION_TOKEN", ""),
        ];
        let is_own = |name: &str| own.iter().any(|(own, _)| *own == name) || name == "AWS_PROFILE";
        let mut variables = self.variables.clone();
        variables.retain(|(name, _)| !is_own(name));
        let set = own.iter().filter(|(_, value)| !value.is_empty());
        variables.extend(set.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        Self {
            python: self.python.clone(),
            home: self.home.clone(),
            variables,
        }
    }

    fn variable(&self, name: &str) -> Option<&str> {
        let found = self.variables.iter().find(|(is, _)| is == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Puts a program into the environment of this client.
    pub(crate) fn environment(&self, command: &mut Command) {
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", &self.home)
            .envs(self.variables.iter().map(|(name, value)| (name, value)));
    }

    /// What a command answers, or what it says on its standard error.
    pub(crate) fn ask(&self, arguments: &[&str]) -> Result<Value, String> {
        let mut command = self.python.program("python");
        command.arg(self.python.path("aws"));
        command.args(["--output", "json"]).args(arguments);
        // The variable alone is no endpoint for SQS.
        let endpoint = self.variable("AWS_ENDPOINT_URL");
        if let Some(endpoint) = endpoint {
            command.args(["--endpoint-url", endpoint]);
        }
        self.environment(&mut command);
        let output = command.output().expect("python was installed a moment ago");
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        if !output.status.success() {
            return Err(format!("aws {}: {said}", arguments.join(" ")));
        }
        let answer = String::from_utf8_lossy(&output.stdout).into_owned();
        if answer.trim().is_empty() {
            return Ok(Value::Null);
        }
        // Some answers are no JSON: what `s3 cp` prints.
        Ok(serde_json::from_str(&answer).unwrap_or(Value::String(answer)))
    }

    /// What a command answers that must succeed.
    pub(crate) fn run(&self, arguments: &[&str]) -> Value {
        self.ask(arguments)
            .unwrap_or_else(|error| panic!("{error}"))
    }
}

/// Looks until there is something to return, no longer than `within`; what it is called goes into
/// the panic.
pub(crate) fn wait<T>(what: &str, within: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + within;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < until, "after {within:?}: no {what}");
        std::thread::sleep(LOOK);
    }
}
