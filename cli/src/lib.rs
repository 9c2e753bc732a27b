//! The command line: a skin over the operations, with everything else in the same process.
//!
//! * [`args`]: what may be asked for; [`command`]: one file for each command that does it.
//! * [`file`](mod@file): the pipeline file; [`select`]: the part of it that is wanted.
//! * [`machine`]: the loops that call the handlers; [`local`]: the adapters around them.
//! * [`progress`]: what is known of an execution; the tree, the lines and the screen.
//! * [`client`]: a server, as the commands that speak the public API see it.
//! * [`serve`]: a server: its listener, and what stands behind it.
//! * [`plan`]: what a pipeline would do, as text, JSON, DOT and SVG.
//! * [`failure`], [`diagnostics`], [`exit`]: what went wrong, as people and programs read it.
//!
//! Standard output is data; everything for people goes to standard error. No command has a rule of
//! its own about pipelines: those are the model's and the engine's.

#![cfg_attr(
    test,
    expect(
        clippy::needless_raw_string_hashes,
        clippy::too_many_lines,
        reason = "expect-test writes the snapshots, with hashes and as long as they are"
    )
)]

pub mod agent;
pub mod args;
pub mod client;
pub mod clock;
pub mod command;
pub mod diagnostics;
pub mod exit;
pub mod failure;
pub mod file;
pub mod local;
pub mod machine;
pub mod plan;
pub mod progress;
pub mod select;
pub mod serve;
pub mod state;
pub mod terminal;

use std::{
    ffi::OsString,
    panic::{self, AssertUnwindSafe},
    process::ExitCode,
};

use clap::Parser as _;
use serde_json::json;

use args::{Cli, Output};
use exit::Exit;
use failure::Failure;
use terminal::{Surroundings, Terminal};

/// A step makes many small allocations; the system's allocator took 40 % of the engine loop's time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Does what the command line asks for.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Nobody is left to tell when the stream is closed.
            let _ = error.print();
            let exit = if error.use_stderr() {
                Exit::Usage
            } else {
                Exit::Succeeded
            };
            return exit.into();
        }
    };
    let terminal = Terminal::new(&cli.display, Surroundings::of_process());
    // The panic itself was told by then; the code tells programs that it was no failed execution.
    match panic::catch_unwind(AssertUnwindSafe(|| command::run(cli.command, terminal))) {
        Ok(Ok(code)) => code,
        Ok(Err(failure)) => report(&failure, terminal).into(),
        Err(_) => {
            let failure = Failure::new(Exit::Internal, "a defect of Pipewright ended it")
                .with_help("please report what was said before this");
            report(&failure, terminal).into()
        }
    }
}

/// Says why a command failed, to people and, when they asked for data, to programs.
fn report(failure: &Failure, terminal: Terminal) -> Exit {
    let (width, _) = terminal.size();
    for finding in &failure.findings {
        terminal.insist(&diagnostics::text(finding, terminal.colour, width));
    }
    if terminal.output != Output::Text {
        let findings: Vec<_> = failure.findings.iter().map(diagnostics::json).collect();
        let code = failure.exit.code();
        let document = json!({"v": 1, "type": "error", "exitCode": code, "problems": findings});
        // The exit code still tells when standard output is closed.
        let _ = terminal::print(&format!("{document}\n"));
    }
    failure.exit
}
