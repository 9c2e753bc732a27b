//! `wait`: until an execution has ended; nothing is shown but the end, and the exit code says how.

use crate::{args::WaitArgs, client::Client, exit::Exit, failure::Failure, terminal::Terminal};

pub(super) fn run(args: &WaitArgs, terminal: Terminal) -> Result<Exit, Failure> {
    let client = Client::open(&args.connection)?;
    super::watch::wait(
        &client,
        &args.target,
        args.timeout,
        args.follow_superseding,
        terminal,
    )
}
