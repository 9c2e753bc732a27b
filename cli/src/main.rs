//! `pipewright`, the program: everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    pipewright::run(std::env::args_os())
}
