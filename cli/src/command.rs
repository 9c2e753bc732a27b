//! The commands, one file each.

mod completions;
mod doctor;
mod plan;
mod run;
mod sources;
mod validate;

use std::process::ExitCode;

use crate::{agent, args::Command, exit::Exit, failure::Failure, terminal::Terminal};

/// Does one command; the code says how it ended.
pub fn run(command: Command, terminal: Terminal) -> Result<ExitCode, Failure> {
    let exit: Exit = match command {
        Command::Run(args) => run::run(&args, terminal)?,
        Command::Validate(args) => validate::run(&args, terminal)?,
        Command::Plan(args) => plan::run(&args, terminal)?,
        Command::Doctor(args) => doctor::run(&args, terminal)?,
        Command::Completions(args) => completions::run(&args)?,
        Command::Agent(args) => return Ok(agent::run(&args.envelope)),
    };
    Ok(exit.into())
}
