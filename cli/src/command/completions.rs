//! `completions`: a script that teaches a shell the command line.

use clap::CommandFactory as _;

use crate::{
    args::{Cli, CompletionsArgs},
    exit::Exit,
    failure::Failure,
    terminal,
};

pub(super) fn run(args: &CompletionsArgs) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "pipewright", &mut script);
    let script = String::from_utf8_lossy(&script);
    terminal::print(&script).map_err(|error| Failure::system("write the script", &error))?;
    Ok(Exit::Succeeded)
}
