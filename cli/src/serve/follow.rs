//! Taking note of what happens: for the log, the metrics, and whoever waits for news.

use std::sync::Arc;

use model::{Change, Subject};
use serde_json::{Value, json};
use tokio::sync::{
    broadcast::{Receiver, error::RecvError},
    watch,
};

use super::{
    log::{Level, Log},
    metrics::Metrics,
};
use crate::machine::Notice;

/// Whoever is told.
pub struct Follower {
    pub log: Log,
    pub metrics: Arc<Metrics>,
    /// Moved with every change.
    pub news: watch::Sender<u64>,
    /// Whether notifications go out.
    pub tells: bool,
}

impl Follower {
    /// Follows until it is dropped.
    pub async fn follow(self, mut notices: Receiver<Notice>) {
        loop {
            match notices.recv().await {
                Ok(Notice::Change(change)) => self.note(&change),
                Ok(Notice::Trouble(text)) => {
                    let fields = [("error", text.into())];
                    self.log.write(Level::Warning, "trouble", fields);
                }
                Ok(Notice::Ask(request)) => {
                    if let Some(topic) = request.notification_arn
                        && !self.tells
                    {
                        let message = "an approval names a topic, and nobody is told: there is \
                                       no --notifications file";
                        let fields = [
                            ("pipeline", request.key.pipeline.into()),
                            ("topic", topic.into()),
                        ];
                        self.log.write(Level::Warning, message, fields);
                    }
                }
                Ok(Notice::Log { .. }) => {}
                // Whoever waits for news looks at the journal, which has everything.
                Err(RecvError::Lagged(_)) => self.news.send_modify(|count| *count += 1),
                Err(RecvError::Closed) => return,
            }
        }
    }

    fn note(&self, change: &Change) {
        let (subject, state) = match &change.subject {
            Subject::Pipeline { state, .. } => ("pipeline", *state),
            Subject::Stage { state, .. } => ("stage", *state),
            Subject::Action(action) => ("action", action.state),
        };
        let (stage, action) = match &change.subject {
            Subject::Pipeline { .. } => (Value::Null, Value::Null),
            Subject::Stage { stage, .. } => (stage.clone().into(), Value::Null),
            Subject::Action(it) => (it.stage.clone().into(), it.action.clone().into()),
        };
        let state = json!(state);
        let name = state.as_str().unwrap_or_default().to_owned();
        self.metrics.change(subject, name);
        let fields = [
            ("pipeline", change.pipeline.clone().into()),
            ("execution_id", change.execution.to_string().into()),
            ("stage", stage),
            ("action", action),
            ("state", state),
        ];
        self.log.write(Level::Info, "change", fields);
        self.news.send_modify(|count| *count += 1);
    }
}
