//! What `key` and `project` take.

use std::{path::PathBuf, time::Duration};

use clap::{Args, Subcommand, ValueHint};

use super::{Connection, DeleteArgs, assignment, duration};

#[derive(Clone, Debug, Args)]
pub struct KeyArgs {
    #[command(subcommand)]
    pub verb: KeyVerb,

    #[command(flatten)]
    pub connection: Connection,
}

#[derive(Clone, Debug, Subcommand)]
pub enum KeyVerb {
    /// Issue an access key; its secret is shown once
    Issue(IssueArgs),
    /// List the access keys, without their secrets
    List,
    /// Let a key be used no more; it can be enabled again
    Disable(KeyForceArgs),
    /// Let a key be used again
    Enable(KeyIdArgs),
    /// Issue a new key with the same rights; the old one stays until it is deleted
    Rotate(RotateArgs),
    /// Delete a key for good
    Delete(KeyDeleteArgs),
    /// Replace what a key may do
    Policy(KeyPolicyArgs),
}

#[derive(Clone, Debug, Args)]
pub struct IssueArgs {
    /// Whose key it is: a name that the audit trail shows
    pub user: String,

    /// What the key may do: an IAM policy document; may be repeated
    #[arg(long = "policy", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub policies: Vec<PathBuf>,

    /// The key may do everything
    #[arg(long, conflicts_with = "policies")]
    pub admin: bool,

    /// How long the key is good for: 90s, 20m (or 20), 2h [default: until it is deleted]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub duration: Option<Duration>,

    /// Print lines that a shell can evaluate
    #[arg(long)]
    pub export: bool,
}

#[derive(Clone, Debug, Args)]
pub struct KeyIdArgs {
    /// The id of the key
    pub key: String,
}

#[derive(Clone, Debug, Args)]
pub struct KeyForceArgs {
    /// The id of the key
    pub key: String,

    /// Even if it is the last key that may do everything
    #[arg(long)]
    pub force: bool,
}

#[derive(Clone, Debug, Args)]
pub struct KeyDeleteArgs {
    #[command(flatten)]
    pub key: KeyForceArgs,

    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
}

#[derive(Clone, Debug, Args)]
pub struct RotateArgs {
    /// The id of the key
    pub key: String,

    /// Disable the old key after that time: 90s, 20m (or 20), 2h
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub grace: Option<Duration>,

    /// Print lines that a shell can evaluate
    #[arg(long)]
    pub export: bool,
}

#[derive(Clone, Debug, Args)]
pub struct KeyPolicyArgs {
    /// The id of the key
    pub key: String,

    /// IAM policy documents, which replace those that it has
    #[arg(required = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub policies: Vec<PathBuf>,

    /// Even if it is the last key that may do everything
    #[arg(long)]
    pub force: bool,
}

#[derive(Clone, Debug, Args)]
pub struct ProjectArgs {
    #[command(subcommand)]
    pub verb: ProjectVerb,

    #[command(flatten)]
    pub connection: Connection,
}

#[derive(Clone, Debug, Subcommand)]
pub enum ProjectVerb {
    /// Create the projects of a pipeline file's `resources`, or the one of a JSON file
    Create(ProjectFileArgs),
    /// Replace what projects say with what the file says
    Update(ProjectFileArgs),
    /// Show a project
    Show(ProjectNameArgs),
    /// List the projects
    List,
    /// Delete a project
    Delete(DeleteArgs),
    /// Start a build of a project
    Build(BuildArgs),
    /// List the builds of a project, the newest first
    Builds(BuildsArgs),
}

#[derive(Clone, Debug, Args)]
pub struct ProjectFileArgs {
    /// A pipeline file with `resources.projects`, or JSON as `aws codebuild create-project` takes it
    #[arg(value_hint = ValueHint::FilePath)]
    pub file: PathBuf,

    /// Only the projects of these names
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
}

#[derive(Clone, Debug, Args)]
pub struct ProjectNameArgs {
    /// The project
    pub name: String,
}

#[derive(Clone, Debug, Args)]
pub struct BuildArgs {
    /// The project
    pub name: String,

    /// The value of an environment variable; may be repeated
    #[arg(short = 'V', long = "variable", value_name = "NAME=VALUE", value_parser = assignment)]
    pub variables: Vec<(String, String)>,

    /// The version of the source
    #[arg(long, value_name = "VERSION")]
    pub source_version: Option<String>,

    /// Wait until the build has ended; the exit code says how
    #[arg(long)]
    pub wait: bool,

    /// Wait, and print the log as it is written
    #[arg(long)]
    pub logs: bool,

    /// How long to wait: 90s, 20m (or 20), 2h; the build goes on after that
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub timeout: Option<Duration>,
}

#[derive(Clone, Debug, Args)]
pub struct BuildsArgs {
    /// The project
    pub name: String,

    /// How many at most
    #[arg(
        short = 'n',
        long,
        value_name = "NUMBER",
        default_value_t = 20,
        value_parser = clap::value_parser!(u32).range(1..=100)
    )]
    pub limit: u32,
}
