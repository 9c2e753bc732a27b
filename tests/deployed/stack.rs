//! The stack: the functions built and zipped, and the real template deployed beside them.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use pipewright_tests::{
    emulator::Emulator,
    proxy::Proxy,
    python::Python,
    root,
    stand_in::{self, StandIn},
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    cli::Cli,
    release::{RELEASES, SOURCES},
    roles,
};

/// The folders of `functions/`, each with a program of that name.
pub(crate) const FUNCTIONS: [&str; 6] = [
    "action-worker",
    "api",
    "approval-callback",
    "notification",
    "source-trigger",
    "stage-transition",
];

/// The program that builds run.
const AGENT: &str = "pipewright";

/// The name of the stack.
const NAME: &str = "pipewright";

/// The emulator takes it for the root user of the account.
const ROOT_KEY: (&str, &str) = ("test", "test");

/// A stack on an emulator of its own. Everything of it ends when it is dropped.
pub(crate) struct Stack {
    pub(crate) proxy: Proxy,
    /// AWS, as the owner of the account.
    pub(crate) aws: Cli,
    /// CodePipeline and CodeBuild: Pipewright's, with the first access key.
    pub(crate) pipewright: Cli,
    pub(crate) outputs: BTreeMap<String, String>,
    /// The name that each function got, by the name of its folder.
    pub(crate) functions: BTreeMap<&'static str, String>,
    emulator: Emulator,
    /// Runs the builds.
    _stand_in: StandIn,
    pub(crate) folder: TempDir,
}

impl Stack {
    pub(crate) fn deploy() -> Self {
        let programs = build();
        let folder = TempDir::new().expect("a folder");
        // With AUTH it checks every signature and every role.
        let emulator = Emulator::start(&[("AUTH", "true")]);
        let proxy = Proxy::start(emulator.port(), emulator.process());
        let aws = Cli::new(folder.path(), &proxy.url(), &proxy.url(), ROOT_KEY);
        lay_out(folder.path(), &programs);
        let buckets = [SOURCES, RELEASES].map(|bucket| format!("arn:aws:s3:::{bucket}"));
        let parameters = [
            format!("AwsEndpointUrl={}", proxy.url()),
            format!(
                "PublicUrlSuffix=execute-api.localhost:{}",
                proxy.address().port()
            ),
            format!("PipelineBuckets={}", buckets.join(",")),
        ];
        sam_deploy(folder.path(), &aws, NAME, &parameters);
        let outputs = outputs(&aws, NAME);
        let functions = functions(&aws);
        roles::allow_misjudged(&aws, &functions);
        let key = first_key(&aws, &functions["api"], folder.path());
        let key = key.unwrap_or_else(|error| panic!("{error}\n{:#?}", proxy.denied()));
        let pipewright = aws.with(&outputs["Endpoint"], (&key.0, &key.1));
        let clusters = aws.run(&["ecs", "list-clusters"]);
        let cluster = clusters["clusterArns"][0].as_str().expect("a cluster");
        let agent = &programs[AGENT];
        eprintln!("{}", StandIn::NAME);
        let stand_in = stand_in::start(&emulator.endpoint(), cluster, agent, &outputs["BuildLogs"]);
        Self {
            _stand_in: stand_in,
            proxy,
            aws,
            pipewright,
            outputs,
            functions,
            emulator,
            folder,
        }
    }

    /// What the schedules do each minute, now. A function that dies of it is called again, later.
    pub(crate) fn sweep(&self) {
        let sweeps = [
            ("stage-transition", json!({"sweep": {"everything": true}})),
            ("action-worker", json!({"settle": true})),
        ];
        for (function, payload) in sweeps {
            let name = &self.functions[function];
            if let Err(error) = invoke(&self.aws, name, self.folder.path(), &payload) {
                eprintln!("the sweep of {function} failed: {error}");
            }
        }
    }

    /// All log lines of a function so far.
    pub(crate) fn log(&self, function: &str) -> Vec<String> {
        let group = format!("/pipewright/{NAME}/{function}");
        let found = self
            .aws
            .ask(&["logs", "filter-log-events", "--log-group-name", &group]);
        let found = found.unwrap_or_default();
        let events = found["events"].as_array().cloned().unwrap_or_default();
        let messages = events.iter().filter_map(|event| event["message"].as_str());
        messages.map(str::to_owned).collect()
    }
}

/// Builds the functions, and the agent, as the tests are built; `make build` builds them small.
pub(crate) fn build() -> BTreeMap<&'static str, PathBuf> {
    let features = FUNCTIONS.map(|name| format!("{name}/lambda")).join(",");
    let mut command = Command::new(env!("CARGO"));
    command.current_dir(root());
    command.args([
        "build",
        "--locked",
        "--message-format",
        "json-render-diagnostics",
        "--bins",
    ]);
    for name in FUNCTIONS.into_iter().chain([AGENT]) {
        command.args(["--package", name]);
    }
    command.args(["--features", &features]);
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{command:?} failed");
    let mut programs = BTreeMap::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let line: Value = serde_json::from_str(line).unwrap_or_default();
        let name = FUNCTIONS
            .into_iter()
            .chain([AGENT])
            .find(|name| line["target"]["name"] == *name);
        if let (Some(name), Some(program)) = (name, line["executable"].as_str()) {
            programs.insert(name, PathBuf::from(program));
        }
    }
    assert_eq!(programs.len(), FUNCTIONS.len() + 1, "{programs:?}");
    programs
}

/// A folder with the template, byte for byte, and the zips where it looks for them.
pub(crate) fn lay_out(folder: &Path, programs: &BTreeMap<&'static str, PathBuf>) {
    for file in ["template.yaml", "infra/watch.yaml", "LICENSE", "README.md"] {
        let copy = folder.join(file);
        fs::create_dir_all(copy.parent().expect("it is in a folder")).expect("a folder");
        fs::copy(root().join(file), copy).expect("a part of the template");
    }
    for name in FUNCTIONS {
        let program = &programs[name];
        let place = folder.join("target/lambda").join(name);
        fs::create_dir_all(&place).expect("a folder");
        let bootstrap = place.join("bootstrap");
        strip(program, &bootstrap);
        let mut zip = Command::new("python3");
        zip.current_dir(&place);
        zip.args(["-m", "zipfile", "-c", "bootstrap.zip", "bootstrap"]);
        assert!(zip.status().expect("python3 is here").success(), "{zip:?}");
    }
}

/// Debug information makes a zip ten times as long; without `strip` it stays that long.
fn strip(program: &Path, to: &Path) {
    let stripped = Command::new("strip")
        .arg("-o")
        .arg(to)
        .arg(program)
        .status();
    if !stripped.is_ok_and(|status| status.success()) {
        fs::copy(program, to).expect("the program was built a moment ago");
    }
}

pub(crate) fn sam_deploy(folder: &Path, aws: &Cli, name: &str, parameters: &[String]) {
    let output = sam(aws)
        .current_dir(folder)
        .args([
            "deploy",
            "--template-file",
            "template.yaml",
            "--stack-name",
            name,
        ])
        .args(["--resolve-s3", "--no-confirm-changeset", "--no-progressbar"])
        .args(["--capabilities", "CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"])
        .arg("--parameter-overrides")
        .args(parameters)
        // Who deploys has no say in what the functions were built for.
        .arg(format!(
            "Architecture={}",
            if cfg!(target_arch = "x86_64") {
                "x86_64"
            } else {
                "arm64"
            }
        ))
        .output()
        .expect("python was installed a moment ago");
    assert!(
        output.status.success(),
        "sam deploy:\n{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

pub(crate) fn sam(aws: &Cli) -> Command {
    let python = Python::with("sam", &root().join("tests/emulator/deploy.txt"));
    let mut sam = python.program("python");
    sam.arg(python.path("sam"));
    aws.environment(&mut sam);
    sam.env("SAM_CLI_TELEMETRY", "0");
    sam
}

pub(crate) fn outputs(aws: &Cli, stack: &str) -> BTreeMap<String, String> {
    let stacks = aws.run(&["cloudformation", "describe-stacks", "--stack-name", stack]);
    let outputs = stacks["Stacks"][0]["Outputs"].as_array();
    let outputs = outputs.into_iter().flatten();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let outputs = outputs.map(|output| (text(&output["OutputKey"]), text(&output["OutputValue"])));
    outputs.collect()
}

fn functions(aws: &Cli) -> BTreeMap<&'static str, String> {
    let found = aws.run(&["lambda", "list-functions"]);
    let found = found["Functions"].as_array().cloned().unwrap_or_default();
    let names: Vec<&str> = found
        .iter()
        .filter_map(|one| one["FunctionName"].as_str())
        .collect();
    let is = |name: &str, folder: &str| {
        let plain = |text: &str| text.replace('-', "").to_ascii_lowercase();
        plain(name).contains(&plain(folder))
    };
    let mut functions = BTreeMap::new();
    for folder in FUNCTIONS {
        let name = names
            .iter()
            .find(|name| is(&name.replacen(NAME, "", 1), folder));
        let name = name.unwrap_or_else(|| panic!("no function {folder} in {names:?}"));
        functions.insert(folder, (*name).to_owned());
    }
    functions
}

/// Has the function `api` issue the first access key: its id and its secret.
pub(crate) fn first_key(aws: &Cli, api: &str, folder: &Path) -> Result<(String, String), String> {
    let answer = invoke(
        aws,
        api,
        folder,
        &json!({"bootstrap": {"user": "administrator"}}),
    )?;
    let text = |name: &str| answer[name].as_str().map(str::to_owned);
    let key = text("accessKeyId").zip(text("secretAccessKey"));
    key.ok_or_else(|| format!("no key: {answer}"))
}

/// Calls a function directly, as only the account's owner may; an error that it ends with is one.
fn invoke(aws: &Cli, function: &str, folder: &Path, payload: &Value) -> Result<Value, String> {
    let file = folder.join("answer.json");
    let path = file.to_string_lossy();
    let payload = payload.to_string();
    let told = aws.ask(&[
        "lambda",
        "invoke",
        "--function-name",
        function,
        "--payload",
        &payload,
        &path,
    ])?;
    let answer = fs::read_to_string(&file).expect("the CLI wrote it");
    if !told["FunctionError"].is_null() {
        return Err(format!("{function}: {answer}"));
    }
    Ok(serde_json::from_str(&answer).unwrap_or_default())
}

impl Drop for Stack {
    /// A test that failed shows what the functions logged last.
    fn drop(&mut self) {
        const SHOWN: usize = 30;
        if !std::thread::panicking() {
            return;
        }
        eprintln!("what roles did not allow: {:#?}", self.proxy.denied());
        for function in FUNCTIONS {
            let lines = self.log(function);
            eprintln!("--- {function}");
            for line in &lines[lines.len().saturating_sub(SHOWN)..] {
                eprintln!("{}", line.trim_end());
            }
        }
        let log = fs::read_to_string(self.emulator.log()).unwrap_or_default();
        let log: Vec<&str> = log.lines().collect();
        eprintln!("--- the emulator");
        for line in &log[log.len().saturating_sub(SHOWN)..] {
            eprintln!("{line}");
        }
    }
}
