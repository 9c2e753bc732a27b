//! The logs of all actions of an execution, each read on from where it was read to.

use std::collections::BTreeMap;

use model::ActionCategory;

use crate::{
    client::{
        ApiError, Client,
        log::{Log, Of},
    },
    progress::{ActionRow, Status},
};

/// The logs that were read of, by the ids of the attempts.
#[derive(Debug, Default)]
pub(in crate::command) struct Logs {
    read: BTreeMap<String, Log>,
    /// Whether the endpoint has no logs to give.
    is_absent: bool,
}

impl Logs {
    /// Whether the endpoint gives no logs.
    pub(in crate::command) fn is_absent(&self) -> bool {
        self.is_absent
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
        !self.is_absent
            && !is_complete
            && Self::has_log(row.kind.category)
            && row.status != Status::NotRun
    }

    /// Reads on; whether all that was there has been read.
    pub(in crate::command) fn read(
        &mut self,
        client: &Client,
        of: Of<'_>,
        each: &mut dyn FnMut(&str),
    ) -> Result<bool, ApiError> {
        if self.is_absent {
            return Ok(true);
        }
        let log = self.read.entry(of.action_execution.to_owned()).or_default();
        if log.is_complete {
            return Ok(true);
        }
        match log.read(client, of, each) {
            Err(error) if error.is_unknown_operation() => {
                self.is_absent = true;
                Ok(true)
            }
            // An action that wrote none.
            Err(error) if error.is_not_found() => {
                log.is_complete = true;
                Ok(true)
            }
            read => read,
        }
    }

    /// Whether nothing more will come of that log.
    pub(in crate::command) fn is_complete(&self, id: &str) -> bool {
        self.is_absent || self.read.get(id).is_some_and(|log| log.is_complete)
    }

    /// The last lines that were read of an attempt's log.
    pub(super) fn tail(&self, id: &str) -> Vec<String> {
        let log = self.read.get(id);
        log.map_or_else(Vec::new, |log| log.tail.iter().cloned().collect())
    }
}
