//! The logs of all actions of an execution, each read on from where it was read to.

use std::collections::BTreeMap;

use model::ActionCategory;

use crate::{
    client::{
        ApiError, Client,
        log::{GOES_MAX, Log, Of},
    },
    progress::{ActionRow, Status},
};

/// The logs that were read of, by the ids of the attempts.
#[derive(Debug, Default)]
pub(in crate::command) struct Logs {
    read: BTreeMap<String, Log>,
    /// Whether the endpoint does not have our own operation: it is AWS, or somebody like it.
    is_foreign: bool,
    /// Whether CloudWatch had a log.
    has_events: bool,
}

impl Logs {
    /// Whether the endpoint gives no logs.
    pub(in crate::command) fn is_absent(&self) -> bool {
        self.is_foreign && !self.has_events
    }

    /// Whether an action writes a log at all.
    pub(in crate::command) fn has_log(category: ActionCategory) -> bool {
        match category {
            ActionCategory::Build | ActionCategory::Test | ActionCategory::Compute => true,
            ActionCategory::Source
            | ActionCategory::Deploy
            | ActionCategory::Invoke
            | ActionCategory::Approval => false,
        }
    }

    /// Whether there may be lines of that action which were not read.
    pub(super) fn is_wanted(&self, row: &ActionRow) -> bool {
        let Some(id) = row.id else { return false };
        let is_complete = self
            .read
            .get(&id.to_string())
            .is_some_and(|log| log.is_complete);
        !is_complete && Self::has_log(row.kind.category) && row.status != Status::NotRun
    }

    /// Reads on; whether all that was there has been read.
    pub(in crate::command) fn read(
        &mut self,
        client: &Client,
        of: Of<'_>,
        each: &mut dyn FnMut(&str),
    ) -> Result<bool, ApiError> {
        let log = self.read.entry(of.action_execution.to_owned()).or_default();
        if log.is_complete {
            return Ok(true);
        }
        if !self.is_foreign {
            match log.read(client, of, each) {
                Err(error) if error.is_unknown_operation() => self.is_foreign = true,
                read => return settled(log, read),
            }
        }
        let Some(build) = of.build else {
            log.is_complete = of.is_over;
            return Ok(true);
        };
        let read = log.read_events(client, build, of.is_over, each);
        self.has_events |= read.is_ok();
        // A build that has begun may have no log yet.
        match read {
            Err(error) if error.is_not_found() && !of.is_over => Ok(true),
            read => settled(log, read),
        }
    }

    /// Reads a log that will not grow any more to its end, of which [`Logs::tail`] then tells.
    pub(super) fn read_to_end(&mut self, client: &Client, of: Of<'_>) -> Result<(), ApiError> {
        for _ in 0..GOES_MAX {
            if self.read(client, of, &mut |_| {})? {
                break;
            }
        }
        Ok(())
    }

    /// Whether nothing more will come of that log.
    pub(in crate::command) fn is_complete(&self, id: &str) -> bool {
        self.read.get(id).is_some_and(|log| log.is_complete)
    }

    /// The last lines that were read of an attempt's log.
    pub(super) fn tail(&self, id: &str) -> Vec<String> {
        let log = self.read.get(id);
        log.map_or_else(Vec::new, |log| log.tail.iter().cloned().collect())
    }
}

/// A log that is not there is complete: the action wrote none.
fn settled(log: &mut Log, read: Result<bool, ApiError>) -> Result<bool, ApiError> {
    match read {
        Err(error) if error.is_not_found() => {
            log.is_complete = true;
            Ok(true)
        }
        read => read,
    }
}
