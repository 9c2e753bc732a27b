//! The way of records into the audit trail: refusals of requests that nobody valid signed cost
//! their senders nothing, so only so many of them get a record of their own.

use std::sync::Arc;

use model::Timestamp;
use ports::{
    Account, Clock, Random,
    audit::{AuditError, AuditRecord, AuditTrail, RefusalLimit, UserIdentity},
};
use serde_json::Value;

/// How long a text in a record may be; what is longer is cut.
const TEXT_CHARACTERS_MAX: usize = 1_024;

/// The audit trail of a server, for everything that answers requests.
pub struct Trail {
    audit: Arc<dyn AuditTrail>,
    account: Arc<Account>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    refusals: RefusalLimit,
}

/// What those hear who want something changed that could not be recorded. Why it cannot is for the
/// log: whoever asks may be a stranger.
pub const UNTOLD: &str = "the audit trail cannot be written, and the server's log says why; this request \
                          changed nothing, but if it was sent before, look what became of that";

/// What is answered when a request was carried out, or refused, and the record of that is not written.
pub const fn unrecorded(was_changed: bool) -> &'static str {
    if was_changed {
        "what was asked for was done, but the audit trail cannot be written, and the server's log says \
         why: look before you ask again"
    } else {
        "the audit trail cannot be written, and the server's log says why; nothing is answered before \
         it can"
    }
}

/// One request and what became of it.
#[derive(Clone, Debug)]
pub struct Entry {
    pub user: UserIdentity,
    /// `codepipeline`
    pub service: String,
    pub operation: String,
    pub source: String,
    pub agent: String,
    pub parameters: Value,
    /// The exception and its message.
    pub error: Option<(String, String)>,
    pub request_id: String,
    pub only_reads: bool,
    pub additional: Value,
}

impl Entry {
    /// Whether something is now as it was not before.
    pub fn was_changed(&self) -> bool {
        !self.only_reads && self.error.is_none()
    }
}

impl Trail {
    pub fn new(
        audit: Arc<dyn AuditTrail>,
        account: Arc<Account>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Self {
        Self {
            audit,
            account,
            clock,
            random,
            refusals: RefusalLimit::default(),
        }
    }

    /// Whether nothing can be taken now: nothing may be changed then, and the answer is [`UNTOLD`].
    pub fn is_in_trouble(&self) -> bool {
        self.audit.trouble().is_some()
    }

    /// Takes an entry; a change that was made is on disk when this returns.
    pub async fn tell(&self, entry: Entry) -> Result<(), AuditError> {
        let now = self.clock.now();
        if matches!(entry.user, UserIdentity::Unknown { .. }) && !self.is_recorded(now).await? {
            return Ok(());
        }
        let was_changed = entry.was_changed();
        let cut = |text: &str| -> String { text.chars().take(TEXT_CHARACTERS_MAX).collect() };
        let record = AuditRecord {
            at: now,
            user: entry.user,
            event_source: format!("{}.amazonaws.com", entry.service),
            event_name: cut(&entry.operation),
            region: self.account.region.clone(),
            account: self.account.id.clone(),
            source_ip_address: entry.source,
            user_agent: cut(&entry.agent),
            request_parameters: entry.parameters,
            response_elements: Value::Null,
            error: entry.error.map(|(code, message)| (code, cut(&message))),
            request_id: entry.request_id,
            event_id: self.random.uuid().to_string(),
            read_only: entry.only_reads,
            is_service_event: false,
            additional: entry.additional,
        };
        if was_changed {
            self.audit.record_durably(record).await
        } else {
            self.audit.record(record).await
        }
    }

    /// Whether a refusal gets a record of its own; says first how many before it got none.
    async fn is_recorded(&self, now: Timestamp) -> Result<bool, AuditError> {
        let refused = self.refusals.refused(now);
        if let Some(left_out) = refused.left_out {
            let Account { id, region } = &*self.account;
            self.audit.record(left_out.record(now, id, region)).await?;
        }
        Ok(refused.is_recorded)
    }
}
