//! What `pipewright serve` takes.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::{Args, ValueEnum, ValueHint};

use super::{Runner, assignment, duration};

#[derive(Clone, Debug, Args)]
pub struct ServeArgs {
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7780")]
    pub listen: SocketAddr,

    /// Where the state is kept
    #[arg(
        long,
        value_name = "DIR",
        default_value = crate::state::DEFAULT_DIRECTORY,
        value_hint = ValueHint::DirPath
    )]
    pub data: PathBuf,

    /// The address under which others reach this server, for links in messages
    #[arg(long, value_name = "URL")]
    pub base_url: Option<String>,

    /// Listen beyond this machine without encryption: only behind a proxy that has it
    #[arg(long)]
    pub plain_http: bool,

    /// A git repository by the name that source actions use; may be repeated
    #[arg(long = "repository", value_name = "NAME=PATH", value_parser = assignment)]
    pub repositories: Vec<(String, String)>,

    /// The file with the values of secrets
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub secrets: Option<PathBuf>,

    /// Who is told what: rules for webhooks, e-mail and commands
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub notifications: Option<PathBuf>,

    /// How builds are kept apart from this machine; `process` is not at all, and must be asked for
    #[arg(long, value_enum, default_value_t, value_name = "ISOLATION")]
    pub runner: Runner,

    /// How long running builds get to end when the server is stopped
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "20s")]
    pub grace: Duration,

    /// How often sources are looked at
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "10s")]
    pub poll: Duration,

    /// How the log is written
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub log: LogFormat,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    #[default]
    Text,
    Json,
}
