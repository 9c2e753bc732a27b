//! What `pipeline`, `exec` and `stage` take.

use std::{path::PathBuf, time::Duration};

use clap::{Args, Subcommand, ValueHint};

use super::{Connection, TargetArgs, assignment, duration};

#[derive(Clone, Debug, Args)]
pub struct PipelineArgs {
    #[command(subcommand)]
    pub verb: PipelineVerb,

    #[command(flatten)]
    pub connection: Connection,
}

#[derive(Clone, Debug, Subcommand)]
pub enum PipelineVerb {
    /// Create a pipeline; its first execution begins at once
    Create(CreateArgs),
    /// Replace the definition of a pipeline
    Update(UpdateArgs),
    /// Create the pipeline, or update it if anything differs
    Apply(CreateArgs),
    /// Show a definition and how its stages stand; -o yaml and -o json give it as a file
    Show(ShowArgs),
    /// List the pipelines
    List(ListArgs),
    /// Delete a pipeline and its history
    Delete(DeleteArgs),
    /// Say what differs between a file and the stored definition; exit code 1 if anything does
    Diff(PipelineFileArgs),
}

#[derive(Clone, Debug, Args)]
pub struct PipelineFileArgs {
    /// The pipeline, YAML or JSON; `-` is standard input
    #[arg(value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
}

#[derive(Clone, Debug, Args)]
pub struct CreateArgs {
    /// The pipeline, YAML or JSON; `-` is standard input
    #[arg(value_hint = ValueHint::FilePath)]
    pub file: PathBuf,

    /// A tag of the pipeline, when it is created; may be repeated
    #[arg(long = "tag", value_name = "KEY=VALUE", value_parser = assignment)]
    pub tags: Vec<(String, String)>,

    /// Create the projects of the file that are not there yet, before the pipeline
    #[arg(long)]
    pub with_projects: bool,
}

#[derive(Clone, Debug, Args)]
pub struct UpdateArgs {
    /// The pipeline, YAML or JSON; `-` is standard input
    #[arg(value_hint = ValueHint::FilePath)]
    pub file: PathBuf,

    /// Create the projects of the file that are not there yet, before the pipeline is changed
    #[arg(long)]
    pub with_projects: bool,
}

#[derive(Clone, Debug, Args)]
pub struct ShowArgs {
    /// The pipeline
    pub name: String,

    /// An earlier version of the definition
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    pub version: Option<u32>,
}

#[derive(Clone, Debug, Args)]
pub struct ListArgs {
    /// Also the newest execution of each, which takes a call more for each
    #[arg(short, long)]
    pub latest: bool,
}

#[derive(Clone, Debug, Args)]
pub struct DeleteArgs {
    /// The name
    pub name: String,

    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
}

#[derive(Clone, Debug, Args)]
pub struct ExecArgs {
    #[command(subcommand)]
    pub verb: ExecVerb,

    #[command(flatten)]
    pub connection: Connection,
}

#[derive(Clone, Debug, Subcommand)]
pub enum ExecVerb {
    /// List the executions of a pipeline, the newest first
    List(ExecListArgs),
    /// Show an execution and its actions
    Show(TargetArgs),
    /// Stop an execution when its actions have ended
    Stop(StopArgs),
    /// Run the failed actions of a stage again
    Retry(RetryArgs),
}

#[derive(Clone, Debug, Args)]
pub struct ExecListArgs {
    /// The pipeline
    pub name: String,

    /// How many at most
    #[arg(
        short = 'n',
        long,
        value_name = "NUMBER",
        default_value_t = 20,
        value_parser = clap::value_parser!(u32).range(1..=10_000)
    )]
    pub limit: u32,
}

#[derive(Clone, Debug, Args)]
pub struct StopArgs {
    #[command(flatten)]
    pub target: TargetArgs,

    /// Do not wait for the actions that are in progress
    #[arg(long)]
    pub abandon: bool,

    /// Why; it is kept with the execution
    #[arg(short, long, value_name = "REASON")]
    pub message: Option<String>,
}

#[derive(Clone, Debug, Args)]
pub struct RetryArgs {
    #[command(flatten)]
    pub target: TargetArgs,

    /// The stage [default: the one that failed or was stopped]
    #[arg(long, value_name = "STAGE")]
    pub stage: Option<String>,

    /// Run all actions of the stage again, not only those that failed
    #[arg(long)]
    pub all_actions: bool,

    /// Wait until the execution has ended; the exit code says how
    #[arg(long)]
    pub wait: bool,

    /// How long to wait: 90s, 20m (or 20), 2h; the execution goes on after that
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub timeout: Option<Duration>,
}

#[derive(Clone, Debug, Args)]
pub struct StageArgs {
    #[command(subcommand)]
    pub verb: StageVerb,

    #[command(flatten)]
    pub connection: Connection,
}

#[derive(Clone, Debug, Subcommand)]
pub enum StageVerb {
    /// Let executions into a stage again
    Enable(TransitionArgs),
    /// Let no execution into a stage; what runs in it goes on
    Disable(DisableArgs),
}

#[derive(Clone, Debug, Args)]
pub struct TransitionArgs {
    /// The pipeline
    pub name: String,

    pub stage: String,

    /// The transition out of the stage, not into it
    #[arg(long)]
    pub outbound: bool,
}

#[derive(Clone, Debug, Args)]
pub struct DisableArgs {
    #[command(flatten)]
    pub transition: TransitionArgs,

    /// Why; everybody who looks at the pipeline sees it
    #[arg(short, long, value_name = "REASON")]
    pub message: String,
}
