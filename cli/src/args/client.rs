//! What the commands take that speak to a server: where it is, and who asks.

use std::time::Duration;

use clap::Args;

use super::{assignment, duration};

/// Which endpoint, and with whose key: the AWS CLI's own options, variables and files.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Connection")]
pub struct Connection {
    /// The server; AWS itself when nothing names one
    #[arg(long, global = true, value_name = "URL")]
    pub endpoint_url: Option<String>,

    /// The profile of ~/.aws/config and ~/.aws/credentials
    #[arg(long, global = true, value_name = "NAME")]
    pub profile: Option<String>,

    #[arg(long, global = true, value_name = "REGION")]
    pub region: Option<String>,
}

#[derive(Clone, Debug, Args)]
pub struct StartArgs {
    /// The pipeline
    pub name: String,

    /// The value of a pipeline variable; may be repeated
    #[arg(short = 'V', long = "variable", value_name = "NAME=VALUE", value_parser = assignment)]
    pub variables: Vec<(String, String)>,

    /// The revision that a source action takes, instead of the newest; may be repeated
    #[arg(long = "revision", value_name = "ACTION=REVISION", value_parser = assignment)]
    pub revisions: Vec<(String, String)>,

    /// Wait until the execution has ended; the exit code says how
    #[arg(long)]
    pub wait: bool,

    /// Wait, and print the logs of all actions as they are written
    #[arg(long)]
    pub logs: bool,

    /// How long to wait: 90s, 20m (or 20), 2h; the execution goes on after that
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub timeout: Option<Duration>,

    #[command(flatten)]
    pub connection: Connection,
}

/// An execution, as people name it.
#[derive(Clone, Debug, Args)]
pub struct TargetArgs {
    /// A pipeline, for its newest execution; or the id of an execution, or how it begins
    #[arg(value_name = "NAME|EXECUTION")]
    pub target: String,

    /// The pipeline of that execution, so that it need not be looked for
    #[arg(long, value_name = "NAME")]
    pub pipeline: Option<String>,
}

#[derive(Clone, Debug, Args)]
pub struct WatchArgs {
    #[command(flatten)]
    pub target: TargetArgs,

    /// How long to watch: 90s, 20m (or 20), 2h; the execution goes on after that
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub timeout: Option<Duration>,

    #[command(flatten)]
    pub connection: Connection,
}

#[derive(Clone, Debug, Args)]
pub struct WaitArgs {
    #[command(flatten)]
    pub target: TargetArgs,

    /// How long to wait: 90s, 20m (or 20), 2h; the execution goes on after that
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub timeout: Option<Duration>,

    /// When a newer execution takes its place, wait for that one
    #[arg(long)]
    pub follow_superseding: bool,

    #[command(flatten)]
    pub connection: Connection,
}

#[derive(Clone, Debug, Args)]
pub struct LogsArgs {
    #[command(flatten)]
    pub target: TargetArgs,

    /// Go on until the execution has ended
    #[arg(short, long)]
    pub follow: bool,

    /// The log of this action only
    #[arg(long, value_name = "STAGE/ACTION")]
    pub action: Option<String>,

    /// Only lines with this text in them
    #[arg(long, value_name = "TEXT")]
    pub grep: Option<String>,

    #[command(flatten)]
    pub connection: Connection,
}

#[derive(Clone, Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct ApprovalsArgs {
    #[command(subcommand)]
    pub verb: Option<ApprovalsVerb>,

    #[command(flatten)]
    pub connection: Connection,
}

#[derive(Clone, Copy, Debug, clap::Subcommand)]
pub enum ApprovalsVerb {
    /// What waits for an answer, in all pipelines
    List,
}

#[derive(Clone, Debug, Args)]
pub struct AnswerArgs {
    /// The pipeline, and which of its approvals when several wait
    #[arg(value_name = "NAME[/STAGE/ACTION]")]
    pub approval: String,

    /// Why; it is kept with the answer
    #[arg(short, long, value_name = "TEXT", default_value = "")]
    pub message: String,

    /// The execution that is meant, when several wait
    #[arg(long, value_name = "EXECUTION")]
    pub execution: Option<String>,

    #[command(flatten)]
    pub connection: Connection,
}

#[derive(Clone, Debug, Args)]
pub struct AwsArgs {
    #[command(flatten)]
    pub connection: Connection,

    /// What the AWS CLI is given: `codepipeline list-pipelines`
    #[arg(
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "ARGUMENTS"
    )]
    pub arguments: Vec<std::ffi::OsString>,
}
