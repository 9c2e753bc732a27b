//! The feed: every event, in the order of the commits, from any place on.

use std::{fmt, str::FromStr};

use ports::{StoreError, World};
use serde_json::Value;
use thiserror::Error;

use crate::Event;

/// How many events are given at once at most.
pub const FEED_MAX: usize = 1_000;

/// How many entries of the journal are read at once, and how often, for one answer: commits without
/// events must not make it take for ever.
const PAGE: usize = 500;
const PAGES_MAX: usize = 20;

/// The place of an event: its commit, and its number in that from 0.
///
/// Written `000000000012.0003`, so that texts sort as places do; read with or without the zeros.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    pub commit: u64,
    pub index: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a place in the feed is COMMIT.INDEX, as it stands beside each event")]
pub struct NoPosition;

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:012}.{:04}", self.commit, self.index)
    }
}

impl FromStr for Position {
    type Err = NoPosition;

    fn from_str(text: &str) -> Result<Self, NoPosition> {
        let (commit, index) = text.split_once('.').ok_or(NoPosition)?;
        Ok(Self {
            commit: number(commit)?,
            index: number(index)?,
        })
    }
}

/// Digits alone: no sign and no blank.
fn number<T: FromStr>(digits: &str) -> Result<T, NoPosition> {
    let are_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
    let number = digits.parse().map_err(|_| NoPosition)?;
    are_digits.then_some(number).ok_or(NoPosition)
}

/// A part of the feed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Part {
    pub events: Vec<(Position, Value)>,
    /// Where to go on: `since` of the next call. Nothing, when nothing was ever committed.
    pub next: Option<Position>,
    /// Whether there may be more already.
    pub more: bool,
}

/// Up to `limit` events, but at least one, after `since`, oldest first; from the beginning when that is not given.
pub async fn feed(
    world: &World,
    since: Option<Position>,
    limit: usize,
) -> Result<Part, StoreError> {
    let limit = limit.clamp(1, FEED_MAX);
    let mut part = Part {
        events: Vec::new(),
        next: since,
        more: true,
    };
    // The commit of `since` may hold more events.
    let mut commit = since.map_or(0, |since| since.commit.saturating_sub(1));
    for _ in 0..PAGES_MAX {
        let page = world.pipelines.journal(commit, PAGE).await?;
        if page.is_empty() {
            part.more = false;
            break;
        }
        for entry in page {
            commit = entry.commit;
            for (index, change) in (0..).zip(&entry.changes) {
                let position = Position { commit, index };
                if since.is_some_and(|since| position <= since) {
                    continue;
                }
                if part.events.len() == limit {
                    return Ok(part);
                }
                let event = Event::of(change, &world.account).to_value();
                part.events.push((position, event));
                part.next = Some(position);
            }
            // A commit that was passed whole need not be read again.
            let last = u32::try_from(entry.changes.len()).unwrap_or(u32::MAX);
            let end = Position {
                commit,
                index: last.saturating_sub(1),
            };
            part.next = part.next.max(Some(end));
        }
    }
    Ok(part)
}
