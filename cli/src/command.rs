//! The commands, one file each.

mod approvals;
mod ask;
mod audit;
mod aws;
mod completions;
mod doctor;
mod exec;
mod key;
mod logs;
mod pipeline;
mod plan;
mod project;
mod run;
mod serve;
mod sources;
mod stage;
mod start;
mod validate;
mod wait;
mod watch;

use std::process::ExitCode;

use crate::{
    agent,
    args::{Command, Output, PipelineVerb},
    exit::Exit,
    failure::Failure,
    terminal::Terminal,
};

/// Does one command; the code says how it ended.
pub fn run(command: Command, terminal: Terminal) -> Result<ExitCode, Failure> {
    refuse_yaml(&command, terminal)?;
    let exit: Exit = match command {
        Command::Run(args) => run::run(&args, terminal)?,
        Command::Serve(args) => serve::run(&args, terminal)?,
        Command::Validate(args) => validate::run(&args, terminal)?,
        Command::Plan(args) => plan::run(&args, terminal)?,
        Command::Start(args) => start::run(&args, terminal)?,
        Command::Watch(args) => watch::run(&args, terminal)?,
        Command::Wait(args) => wait::run(&args, terminal)?,
        Command::Logs(args) => logs::run(&args, terminal)?,
        Command::Pipeline(args) => pipeline::run(&args, terminal)?,
        Command::Exec(args) => exec::run(&args, terminal)?,
        Command::Stage(args) => stage::run(&args, terminal)?,
        Command::Approvals(args) => approvals::list(&args, terminal)?,
        Command::Approve(args) => approvals::approve(&args, terminal)?,
        Command::Reject(args) => approvals::reject(&args, terminal)?,
        Command::Key(args) => key::run(&args, terminal)?,
        Command::Audit(args) => audit::run(&args, terminal)?,
        Command::Project(args) => project::run(&args, terminal)?,
        Command::Aws(args) => aws::run(&args)?,
        Command::Doctor(args) => doctor::run(&args, terminal)?,
        Command::Completions(args) => completions::run(&args)?,
        Command::Agent(args) => return Ok(agent::run(args.envelope.as_deref())),
    };
    Ok(exit.into())
}

/// Only a definition is worth writing down as YAML.
fn refuse_yaml(command: &Command, terminal: Terminal) -> Result<(), Failure> {
    let is_definition = matches!(
        command,
        Command::Pipeline(args) if matches!(args.verb, PipelineVerb::Show(_))
    );
    if terminal.output != Output::Yaml || is_definition {
        return Ok(());
    }
    Err(Failure::usage("only `pipeline show` writes YAML").with_help("use -o json"))
}
