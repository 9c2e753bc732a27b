//! The command line: what may be asked for, and how it is spelt.

mod audit;
mod client;
mod keys;
mod pipelines;
mod serve;

use std::{path::PathBuf, time::Duration};

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum, ValueHint};

use crate::exit;

pub use audit::*;
pub use client::*;
pub use keys::*;
pub use pipelines::*;
pub use serve::*;

/// The longest time that an execution may be given.
const TIMEOUT_SECONDS_MAX: u64 = 36_000_000;

/// The whole command line.
#[derive(Debug, Parser)]
#[command(
    name = "pipewright",
    version,
    about = "The CodePipeline that you own: pipelines that really run, on one machine.",
    after_help = exit::help(),
    disable_help_subcommand = true,
    max_term_width = 100
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,

    #[command(flatten)]
    pub display: Display,
}

/// How the program talks; every command takes these.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Output")]
pub struct Display {
    /// What goes to standard output; everything for people goes to standard error
    #[arg(
        short,
        long,
        global = true,
        value_enum,
        default_value_t,
        value_name = "FORMAT"
    )]
    pub output: Output,

    /// When to use colours; `NO_COLOR` is honoured
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    pub color: Color,

    /// Say less: problems and the result only
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,

    /// Say more: the log of every action as it is written
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,

    /// Print one line per change, on a terminal too; CI=true does the same
    #[arg(long, global = true)]
    pub no_progress: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// Lines for people
    #[default]
    Text,
    /// One JSON document at the end
    Json,
    /// One JSON object per line, as things happen
    Jsonl,
    /// A definition as a file: `pipeline show` only
    Yaml,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    #[default]
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a pipeline here and now
    Run(Box<RunArgs>),
    /// Serve the API, the buckets and the repositories, and run what is started
    Serve(Box<ServeArgs>),
    /// Say everything that is wrong with pipeline files
    Validate(ValidateArgs),
    /// Show what a pipeline would do, without running it
    Plan(PlanArgs),
    /// Start an execution on a server
    Start(StartArgs),
    /// Show an execution while it goes on
    Watch(WatchArgs),
    /// Wait until an execution has ended; the exit code says how
    Wait(WaitArgs),
    /// Print the logs of an execution
    Logs(LogsArgs),
    /// Create, change, show and delete pipelines
    Pipeline(PipelineArgs),
    /// List, show, stop and retry executions
    Exec(ExecArgs),
    /// Open and close the way into a stage
    Stage(StageArgs),
    /// List what waits for an answer
    Approvals(ApprovalsArgs),
    /// Approve what waits for an answer
    Approve(AnswerArgs),
    /// Reject what waits for an answer
    Reject(AnswerArgs),
    /// Issue and withdraw access keys
    Key(KeyArgs),
    /// Check and show the audit trail of a server
    Audit(AuditArgs),
    /// Create, change and build CodeBuild projects
    Project(ProjectArgs),
    /// Call the AWS CLI with this endpoint and key
    Aws(AwsArgs),
    /// Check what this machine has for running pipelines
    Doctor(DoctorArgs),
    /// Print a completion script for a shell
    Completions(CompletionsArgs),
    /// Run one build; Pipewright calls this itself
    #[command(hide = true)]
    Agent(AgentArgs),
}

#[derive(Clone, Debug, Args)]
pub struct RunArgs {
    /// The pipeline, YAML or JSON
    #[arg(value_hint = ValueHint::FilePath)]
    pub file: PathBuf,

    /// The value of a pipeline variable; may be repeated
    #[arg(short = 'V', long = "variable", value_name = "NAME=VALUE", value_parser = assignment)]
    pub variables: Vec<(String, String)>,

    /// Where a source action gets its source: a directory, a file, or a git revision
    #[arg(long = "source", value_name = "ACTION=DIR|REV", value_parser = assignment)]
    pub sources: Vec<(String, String)>,

    /// What happens at an approval [default: prompt on a terminal, fail otherwise]
    #[arg(long, value_enum, value_name = "HOW")]
    pub approve: Option<Approve>,

    /// Run one stage or one action, and the sources that it needs
    #[arg(long, value_name = "STAGE[/ACTION]", conflicts_with_all = ["from", "until"])]
    pub only: Option<String>,

    /// Leave out the stages before this one, but for the sources
    #[arg(long, value_name = "STAGE")]
    pub from: Option<String>,

    /// Leave out the stages after this one
    #[arg(long, value_name = "STAGE")]
    pub until: Option<String>,

    /// Check everything and show what would run; run nothing
    #[arg(long)]
    pub dry_run: bool,

    /// Keep the state in .pipewright, so that the execution can be resumed
    #[arg(long)]
    pub keep: bool,

    /// Keep the state in this directory
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub data: Option<PathBuf>,

    /// Continue an execution of a kept state, after Pipewright or the machine was killed
    #[arg(
        long,
        value_name = "EXECUTION",
        conflicts_with_all = ["variables", "sources", "only", "from", "until", "dry_run"]
    )]
    pub resume: Option<String>,

    /// How builds are kept apart from this machine
    #[arg(long, value_enum, default_value_t, value_name = "ISOLATION")]
    pub runner: Runner,

    /// Abandon the execution when it takes longer: 90s, 20m (or 20), 2h
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub timeout: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Approve {
    /// Approve everything
    Auto,
    /// Ask
    Prompt,
    /// End with exit code 7
    Fail,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Runner {
    /// A container where an image is asked for, else bubblewrap, else (not with `serve`) a plain process
    #[default]
    Auto,
    Bubblewrap,
    Docker,
    Podman,
    /// No isolation
    Process,
}

#[derive(Clone, Debug, Args)]
pub struct ValidateArgs {
    /// Pipeline files, YAML or JSON
    #[arg(required = true, value_hint = ValueHint::FilePath)]
    pub files: Vec<PathBuf>,
}

#[derive(Clone, Debug, Args)]
pub struct PlanArgs {
    /// The pipeline, YAML or JSON
    #[arg(value_hint = ValueHint::FilePath)]
    pub file: PathBuf,

    /// The form of the plan [default: text, or json with --output json]
    #[arg(long, value_enum, value_name = "FORM")]
    pub format: Option<PlanFormat>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PlanFormat {
    Text,
    Json,
    /// Graphviz
    Dot,
    Svg,
}

#[derive(Clone, Debug, Args)]
pub struct DoctorArgs {
    /// The state directory that is looked at
    #[arg(long, value_name = "DIR", default_value = crate::state::DEFAULT_DIRECTORY)]
    pub data: PathBuf,
}

#[derive(Clone, Debug, Args)]
pub struct CompletionsArgs {
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

#[derive(Clone, Debug, Args)]
pub struct AgentArgs {
    /// The envelope of the build; without one the environment says whom to ask for it
    pub envelope: Option<PathBuf>,
}

/// A number of seconds (`s`), minutes (`m`, or nothing) or hours (`h`).
fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let seconds = match &text[digits.len()..] {
        "s" => 1,
        "m" | "" => 60,
        "h" => 3_600,
        unit => return Err(format!("`{unit}` is no unit of time: there are s, m and h")),
    };
    let seconds = digits
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(seconds));
    match seconds {
        Some(seconds) if (1..=TIMEOUT_SECONDS_MAX).contains(&seconds) => {
            Ok(Duration::from_secs(seconds))
        }
        Some(_) | None => Err("expected a time from 1s to 10000h".to_owned()),
    }
}

/// `NAME=VALUE`; the value may hold more of `=`.
fn assignment(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        Some(_) | None => Err("expected a name, `=` and a value".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn help_lists_what_exists_and_hides_the_agent() {
        let help = Cli::command().render_long_help().to_string();
        for name in [
            "run",
            "validate",
            "plan",
            "doctor",
            "completions",
            "Exit codes:",
        ] {
            assert!(help.contains(name), "{name}");
        }
        assert!(!help.contains("agent"));
    }

    #[test]
    fn a_value_may_hold_an_equals_sign_and_a_name_may_not_be_empty() {
        assert_eq!(assignment("a=b=c"), Ok(("a".into(), "b=c".into())));
        assert_eq!(assignment("a="), Ok(("a".into(), String::new())));
        assert!(assignment("=b").is_err());
        assert!(assignment("b").is_err());
    }

    #[test]
    fn a_time_has_a_unit_or_is_minutes() {
        let seconds = |text| duration(text).map(|time| time.as_secs()).ok();
        assert_eq!(seconds("90s"), Some(90));
        assert_eq!(seconds("20"), Some(1_200));
        assert_eq!(seconds("20m"), Some(1_200));
        assert_eq!(seconds("2h"), Some(7_200));
        for wrong in [
            "",
            "0",
            "s",
            "-1",
            "1d",
            "10001h",
            "99999999999999999999h",
            "1.5h",
        ] {
            assert_eq!(seconds(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_cannot_go_together_is_refused() {
        let refused = [
            ["run", "f", "--only", "a", "--from", "b"],
            ["run", "f", "--resume", "a", "--until", "b"],
        ];
        for arguments in refused {
            let line = ["pipewright"].into_iter().chain(arguments);
            assert!(Cli::try_parse_from(line).is_err(), "{arguments:?}");
        }
        assert!(Cli::try_parse_from(["pipewright", "validate"]).is_err());
        assert!(Cli::try_parse_from(["pipewright", "-q", "-v", "doctor"]).is_err());
    }
}
