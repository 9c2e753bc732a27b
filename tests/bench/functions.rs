//! What the functions cost before they do anything: from exec to the first poll of Lambda's runtime
//! API, the most memory until then, and the size of the zip that is uploaded.
//!
//! ```text
//! cargo bench -p pipewright-tests --bench functions               # everything, on a quiet machine
//! cargo bench -p pipewright-tests --bench functions -- --quick    # a look whether it works
//! ```
//!
//! The functions are built first, as they are deployed. Each is started with the environment that
//! the template gives it, except that nobody answers: whatever a function asked of the world before
//! it polls would fail here.

#[path = "functions/runtime.rs"]
mod runtime;

use std::{
    env,
    error::Error,
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
    time::{Duration, Instant},
};

use pipewright_tests::{cargo, metadata};
use runtime::Runtime;

/// The functions, by their packages.
const FUNCTIONS: [&str; 6] = [
    "api",
    "source-trigger",
    "stage-transition",
    "action-worker",
    "approval-callback",
    "notification",
];

/// What a function should need at most.
const START_TARGET: Duration = Duration::from_millis(15);
const MEMORY_TARGET_MB: f64 = 30.0;
const ZIP_TARGET_MB: f64 = 6.0;

/// Above this load somebody else is at work, and no time means anything.
const LOAD_MAX: f64 = 0.5;

const STARTS: usize = 51;
const QUICK_STARTS: usize = 5;

/// The names of the template's variables with values as it makes them.
const ENVIRONMENT: [(&str, &str); 22] = [
    ("AWS_REGION", "us-east-1"),
    ("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE"),
    ("AWS_SECRET_ACCESS_KEY", "example"),
    ("AWS_SESSION_TOKEN", "example"),
    ("AWS_LAMBDA_FUNCTION_NAME", "function"),
    ("AWS_LAMBDA_FUNCTION_VERSION", "1"),
    ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
    ("PIPEWRIGHT_ACCOUNT", "000000000000"),
    ("PIPEWRIGHT_TABLE", "pipewright"),
    (
        "PIPEWRIGHT_INPUTS_QUEUE",
        "https://sqs.us-east-1.amazonaws.com/000000000000/inputs.fifo",
    ),
    (
        "PIPEWRIGHT_JOBS_QUEUE",
        "https://sqs.us-east-1.amazonaws.com/000000000000/jobs",
    ),
    ("PIPEWRIGHT_BUS", "pipewright"),
    ("PIPEWRIGHT_ARTIFACTS", "pipewright-artifacts"),
    (
        "PIPEWRIGHT_TOPIC",
        "arn:aws:sns:us-east-1:000000000000:approvals",
    ),
    (
        "PIPEWRIGHT_MASTER_SECRET",
        "arn:aws:secretsmanager:us-east-1:000000000000:secret:m",
    ),
    (
        "PIPEWRIGHT_URL",
        "https://example.execute-api.us-east-1.amazonaws.com",
    ),
    ("PIPEWRIGHT_AUDIT_LOG_GROUP", "/pipewright/audit"),
    ("PIPEWRIGHT_BUILD_LOG_GROUP", "/pipewright/builds"),
    ("PIPEWRIGHT_CLUSTER", "pipewright"),
    ("PIPEWRIGHT_TASK_DEFINITION", "pipewright-build"),
    ("PIPEWRIGHT_TASK_CONTAINER", "build"),
    ("PIPEWRIGHT_SUBNETS", "subnet-1"),
];

fn main() -> ExitCode {
    let quick = env::args().any(|argument| argument == "--quick");
    match run(if quick { QUICK_STARTS } else { STARTS }) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("functions: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn run(starts: usize) -> Result<(), Box<dyn Error>> {
    let folder = build()?;
    let load = load()?;
    let verdict = if load <= LOAD_MAX {
        "quiet"
    } else {
        "NOT QUIET: these times mean nothing"
    };
    say(&format!(
        "load before: {load:.2} ({verdict}); {starts} starts each\n"
    ));
    say(
        "| function | start p50 / max ms | target | memory MB | target | binary MB | zip MB | target |",
    );
    say("|---|---|---|---|---|---|---|---|");
    for function in FUNCTIONS {
        let program = folder.join(function);
        let mut each = Vec::with_capacity(starts);
        for _ in 0..starts {
            each.push(start(&program)?);
        }
        each.sort_by_key(|start| start.took);
        let millis = |took: Duration| took.as_secs_f64() * 1000.0;
        let middle = each
            .get(starts / 2)
            .map_or(Duration::MAX, |start| start.took);
        let slowest = each.last().map_or(Duration::MAX, |start| start.took);
        let memory = each.iter().map(|start| start.memory_mb).fold(0.0, f64::max);
        let (binary, zip) = (megabytes(fs::metadata(&program)?.len()), zipped(&program)?);
        say(&format!(
            "| {function} | {:.1} / {:.1} | {} | {memory:.1} | {} | {binary:.1} | {zip:.1} | {} |",
            millis(middle),
            millis(slowest),
            met(millis(middle), millis(START_TARGET)),
            met(memory, MEMORY_TARGET_MB),
            met(zip, ZIP_TARGET_MB),
        ));
    }
    Ok(())
}

fn met(figure: f64, target: f64) -> String {
    let verdict = if figure <= target {
        "met"
    } else {
        "**missed**"
    };
    format!("≤ {target} {verdict}")
}

/// Builds the functions as they are deployed; says where they are.
fn build() -> Result<PathBuf, Box<dyn Error>> {
    let mut arguments = vec!["build", "--locked", "--profile", "functions"];
    let features: Vec<String> = FUNCTIONS
        .iter()
        .map(|name| format!("{name}/lambda"))
        .collect();
    let features = features.join(",");
    for function in FUNCTIONS {
        arguments.extend(["--package", function, "--bin", function]);
    }
    arguments.extend(["--features", &features]);
    cargo(&arguments);
    let target = metadata()["target_directory"].as_str().map(PathBuf::from);
    Ok(target
        .ok_or("cargo names no target folder")?
        .join("functions"))
}

/// One start.
struct Start {
    took: Duration,
    memory_mb: f64,
}

/// Starts a function and waits until it polls; then it is ended.
fn start(program: &Path) -> Result<Start, Box<dyn Error>> {
    let runtime = Runtime::listen()?;
    let began = Instant::now();
    let mut process = Command::new(program)
        .env_clear()
        .envs(ENVIRONMENT)
        .env("AWS_LAMBDA_RUNTIME_API", runtime.address())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let polled = runtime.first_poll();
    let took = began.elapsed();
    let memory_mb = most_memory_mb(process.id());
    process.kill()?;
    process.wait()?;
    polled.map_err(|error| format!("{} did not poll: {error}", program.display()))?;
    Ok(Start {
        took,
        memory_mb: memory_mb?,
    })
}

/// The most memory that a process had so far.
fn most_memory_mb(process: u32) -> io::Result<f64> {
    let text = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u32>().ok());
    let kilobytes = kilobytes.ok_or_else(|| io::Error::other("the kernel says no VmHWM"))?;
    Ok(f64::from(kilobytes) / 1024.0)
}

/// The size of the zip that has the program as its `bootstrap`, in MB.
fn zipped(program: &Path) -> Result<f64, Box<dyn Error>> {
    let mut zip = zip::ZipWriter::new(io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().unix_permissions(0o755);
    zip.start_file("bootstrap", options)?;
    zip.write_all(&fs::read(program)?)?;
    let bytes = zip.finish()?.into_inner().len();
    Ok(megabytes(u64::try_from(bytes)?))
}

fn megabytes(bytes: u64) -> f64 {
    let kilobytes = u32::try_from(bytes / 1000).unwrap_or(u32::MAX);
    f64::from(kilobytes) / 1000.0
}

/// How many processes wanted to run in the last minute.
fn load() -> Result<f64, Box<dyn Error>> {
    let text = fs::read_to_string("/proc/loadavg")?;
    Ok(text.split(' ').next().unwrap_or_default().parse()?)
}

fn say(line: &str) {
    // Whoever closed the output does not want the rest.
    let _ = writeln!(io::stdout(), "{line}");
}
