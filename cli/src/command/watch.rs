//! `watch`: an execution while it goes on, wherever it runs.

pub(super) mod finish;
pub(super) mod follow;
mod interrupt;
pub(super) mod logs;
pub(super) mod waits;

use std::time::Duration;

use crate::{
    args::{TargetArgs, WatchArgs},
    client::{Client, find, find::Found},
    exit::Exit,
    failure::Failure,
    terminal::{Terminal, Volume},
};

use follow::{Follower, Manner};

pub(super) fn run(args: &WatchArgs, terminal: Terminal) -> Result<Exit, Failure> {
    let client = Client::open(&args.connection)?;
    let found = find::execution(&client, &args.target)?;
    let manner = Manner {
        timeout: args.timeout,
        ..Manner::default()
    };
    follow(&client, found, manner, terminal)
}

/// Follows an execution to its end and tells of it.
pub(super) fn follow(
    client: &Client,
    found: Found,
    manner: Manner,
    terminal: Terminal,
) -> Result<Exit, Failure> {
    let terminal = if manner.with_logs {
        Terminal {
            volume: Volume::Verbose,
            ..terminal
        }
    } else {
        terminal
    };
    let mut follower = Follower::begin(client, found, manner, terminal)?;
    let ending = follower.follow()?;
    finish::finish(follower, ending)
}

/// Waits without showing anything but the end.
pub(super) fn wait(
    client: &Client,
    target: &TargetArgs,
    timeout: Option<Duration>,
    follow_superseding: bool,
    terminal: Terminal,
) -> Result<Exit, Failure> {
    let found = find::execution(client, target)?;
    let manner = Manner {
        timeout,
        follow_superseding,
        is_silent: true,
        ..Manner::default()
    };
    follow(client, found, manner, terminal)
}
