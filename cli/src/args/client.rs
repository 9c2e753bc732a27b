//! What the commands take that speak to a server: where it is, and who asks.

use std::time::Duration;

use clap::Args;

use super::{assignment, duration};

/// Which endpoint, and with whose key: the AWS CLI's own options, variables and files.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Connection")]
pub struct Connection {
    /// The server [default: the one whose data is in .pipewright here, else AWS]
    #[arg(long, global = true, value_name = "URL")]
    pub endpoint_url: Option<String>,

    /// The profile of ~/.aws/config and ~/.aws/credentials
    #[arg(long, global = true, value_name = "NAME")]
    pub profile: Option<String>,

    /// The region that requests are signed for, and part of the name of AWS's own endpoints
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

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use crate::args::{ApprovalsVerb, Cli, Command, ExecVerb};

    fn parse(line: &str) -> Result<Command, clap::Error> {
        let words = std::iter::once("pipewright").chain(line.split(' '));
        Cli::try_parse_from(words).map(|cli| cli.command)
    }

    #[test]
    fn the_connection_may_stand_before_and_behind_the_verb() {
        for line in [
            "exec --region r list p --endpoint-url http://h",
            "exec list p --region r --endpoint-url http://h",
        ] {
            let Ok(Command::Exec(args)) = parse(line) else {
                panic!("{line}");
            };
            assert_eq!(args.connection.region.as_deref(), Some("r"));
            assert_eq!(args.connection.endpoint_url.as_deref(), Some("http://h"));
            assert!(matches!(args.verb, ExecVerb::List(_)));
        }
    }

    #[test]
    fn whatever_follows_aws_is_for_the_aws_cli() {
        let line = "aws --profile p codepipeline list-pipelines --max-items 3 -o x";
        let Ok(Command::Aws(args)) = parse(line) else {
            panic!("{line}");
        };
        assert_eq!(args.connection.profile.as_deref(), Some("p"));
        assert_eq!(args.arguments.len(), 6);
        assert!(parse("aws").is_err());
    }

    #[test]
    fn approvals_are_listed_with_and_without_saying_so() {
        for (line, is_said) in [("approvals", false), ("approvals list", true)] {
            let Ok(Command::Approvals(args)) = parse(line) else {
                panic!("{line}");
            };
            assert_eq!(matches!(args.verb, Some(ApprovalsVerb::List)), is_said);
        }
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for line in [
            "start",
            "start p -V novalue",
            "start p --timeout 3d",
            "stage disable p s",
            "exec list p -n 0",
            "key issue u --admin --policy f",
            "key policy k",
            "pipeline show p --version 0",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
