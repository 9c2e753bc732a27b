//! The parts of a deployed stack, for a function to be made of: each takes those that it needs, so
//! that a start makes no client, and the program has no code, that nothing uses.

use std::{num::ParseIntError, sync::Arc, time::Duration};

use ports::{Account, Clock, EventBus, ObjectStore, Random, World};
use serde_json::Value;
use thiserror::Error;

use crate::{
    AccessKeyStore, Agents, BuildHistory, Builds, Bus, Clients, Leases, Logs, NoRepositories,
    Objects, Projects, Punctual, Queues, Settings, SettingsError, Store, SystemClock, SystemRandom,
    Table, Telemetry, Until, absent::Absent, telemetry::Counted,
};

/// What keys are derived from the master secret for, by those who need the same one.
pub const APPROVAL_LINKS: &str = "approval links";
pub const NEXT_PAGES: &str = "tokens of next pages";

/// How many days history is kept, unless the template says otherwise.
const HISTORY_DAYS: u32 = 365;

const DAY: Duration = Duration::from_hours(24);

/// What a function of the stack is made of.
#[derive(Clone)]
pub struct Stack {
    pub settings: Settings,
    pub clients: Clients,
    pub telemetry: Telemetry,
    /// When the call that is handled now is over.
    pub until: Until,
    pub account: Arc<Account>,
    pub clock: Arc<dyn Clock>,
    pub random: Arc<dyn Random>,
    history_days: u32,
}

/// A call of a function, as Lambda's context has it.
#[derive(Clone, Copy, Debug)]
pub struct Called<'a> {
    pub request_id: &'a str,
    pub trace_id: Option<&'a str>,
    /// When it is over, in milliseconds since 1970.
    pub until: u64,
}

/// What a function answers to a call.
pub type Handled = Result<Value, Box<dyn std::error::Error + Send + Sync>>;

#[derive(Debug, Error)]
pub enum StackError {
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error("PIPEWRIGHT_HISTORY_DAYS is no number of days")]
    HistoryDays(#[from] ParseIntError),
}

impl Stack {
    /// The stack that this process is a function of: `api`.
    pub fn of_environment(function: &'static str) -> Result<Self, StackError> {
        Self::new(function, Settings::of_environment())
    }

    pub fn new(function: &'static str, settings: Settings) -> Result<Self, StackError> {
        let clients = Clients::new(&settings)?;
        let days = settings.get("PIPEWRIGHT_HISTORY_DAYS").map(str::parse);
        Ok(Self {
            telemetry: Telemetry::new(function, clients.meter().clone()),
            account: Arc::new(settings.account()?),
            until: Until::default(),
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom),
            history_days: days.transpose()?.unwrap_or(HISTORY_DAYS),
            clients,
            settings,
        })
    }

    /// Handles one call of Lambda, and says what became of it.
    pub async fn call<F>(&self, called: Called<'_>, handled: F) -> Handled
    where
        F: Future<Output = Handled>,
    {
        self.until.set(called.until);
        self.telemetry.begin(called.request_id, called.trace_id);
        let result = handled.await;
        let outcome = result.as_ref().map(drop).map_err(|error| &**error);
        self.telemetry.end(outcome);
        result
    }

    pub fn table(&self) -> Result<Table, StackError> {
        let name = self.settings.require("PIPEWRIGHT_TABLE")?;
        let meter = self.clients.meter().clone();
        Ok(Table::new(self.clients.dynamodb(), name, meter))
    }

    /// A world with pipelines and projects; everything else in it answers that it is not there.
    pub fn world(&self) -> Result<World, StackError> {
        let table = self.table()?;
        Ok(World {
            account: Arc::clone(&self.account),
            clock: Arc::clone(&self.clock),
            random: Arc::clone(&self.random),
            pipelines: Arc::new(Punctual {
                store: Arc::new(Store::new(table.clone()).with_history_days(self.history_days)),
                leases: Leases::new(table.clone()),
                clock: Arc::clone(&self.clock),
                random: Arc::clone(&self.random),
                until: self.until.clone(),
            }),
            objects: Arc::new(Absent),
            queues: Arc::new(Absent),
            bus: Arc::new(Absent),
            builds: Arc::new(Absent),
            projects: Arc::new(Projects::new(table)),
            repositories: Arc::new(NoRepositories),
        })
    }

    pub fn queues(&self) -> Result<Arc<Queues>, StackError> {
        Ok(Arc::new(Queues::new(&self.clients, &self.settings)?))
    }

    /// The bus; what goes over it is told and counted.
    pub fn bus(&self) -> Result<Arc<dyn EventBus>, StackError> {
        Ok(Arc::new(Counted {
            bus: Bus::new(&self.clients, &self.settings)?,
            telemetry: self.telemetry.clone(),
        }))
    }

    pub fn objects(&self) -> Arc<dyn ObjectStore> {
        Arc::new(Objects::new(&self.clients))
    }

    pub fn access_keys(&self) -> Result<Arc<AccessKeyStore>, StackError> {
        let clock = Arc::clone(&self.clock);
        Ok(Arc::new(AccessKeyStore::new(self.table()?, clock)))
    }

    pub fn projects(&self) -> Result<Arc<Projects>, StackError> {
        Ok(Arc::new(Projects::new(self.table()?)))
    }

    /// What runs builds.
    pub fn builds(&self) -> Result<Arc<Builds>, StackError> {
        let clock = Arc::clone(&self.clock);
        let (clients, settings) = (&self.clients, &self.settings);
        Ok(Arc::new(Builds::new(
            clients,
            settings,
            self.table()?,
            clock,
        )?))
    }

    /// What the agents of builds ask for.
    pub fn agents(&self) -> Result<Arc<Agents>, StackError> {
        let clock = Arc::clone(&self.clock);
        let (clients, settings) = (&self.clients, &self.settings);
        Ok(Arc::new(Agents::new(
            clients,
            settings,
            self.table()?,
            clock,
        )?))
    }

    /// What builds printed.
    pub fn logs(&self) -> Result<Arc<Logs>, StackError> {
        let (clients, settings) = (&self.clients, &self.settings);
        Ok(Arc::new(Logs::new(clients, settings, self.table()?)?))
    }

    /// The records of builds.
    pub fn build_history(&self) -> Result<Arc<BuildHistory>, StackError> {
        let clock = Arc::clone(&self.clock);
        let kept = DAY * self.history_days;
        Ok(Arc::new(BuildHistory::new(self.table()?, clock, kept)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(more: &[(&str, &str)]) -> Settings {
        let always = [
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "a"),
            ("AWS_SECRET_ACCESS_KEY", "b"),
            ("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
            ("PIPEWRIGHT_ACCOUNT", "000000000000"),
        ];
        let all = always.iter().chain(more);
        Settings::of(all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    #[test]
    fn what_a_part_needs_and_the_environment_lacks_is_named() {
        let stack = Stack::new("api", settings(&[])).expect("it has an account");
        let error = stack.world().err().expect("it has no table").to_string();
        assert!(error.contains("PIPEWRIGHT_TABLE"), "{error}");
        let error = stack.queues().err().expect("it has no queues").to_string();
        assert!(error.contains("PIPEWRIGHT_INPUTS_QUEUE"), "{error}");
        let error = stack.bus().err().expect("it has no bus").to_string();
        assert!(error.contains("PIPEWRIGHT_BUS"), "{error}");
        let error = Stack::new("api", settings(&[("PIPEWRIGHT_HISTORY_DAYS", "many")]));
        assert!(matches!(error.err(), Some(StackError::HistoryDays(_))));
    }

    #[test]
    fn a_world_is_made_without_asking_anybody() {
        let stack = Stack::new("api", settings(&[("PIPEWRIGHT_TABLE", "t")]));
        assert!(stack.expect("it has an account").world().is_ok());
    }
}
