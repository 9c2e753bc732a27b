//! The audit trail in CloudWatch Logs passes the contract of every audit trail.

use std::{sync::Arc, thread};

use async_trait::async_trait;
use pipewright_aws::{AuditLog, Clients, Settings, SystemClock, SystemRandom};
use pipewright_tests::emulator::Emulator;
use ports::{AuditTrail, contract::audit::Harness};
use serde_json::Value;
use tokio::runtime;
use uuid::Uuid;

/// The most events that one answer has.
const PAGE: i32 = 10_000;

struct InLogs {
    clients: Clients,
    settings: Settings,
    group: String,
    log: Arc<AuditLog>,
    /// In the order in which they were begun.
    streams: Vec<String>,
}

impl InLogs {
    async fn new() -> Self {
        let group = format!("audit-{}", Uuid::new_v4());
        let settings = Settings::of(
            [
                ("AWS_REGION", "us-east-1"),
                ("AWS_ACCESS_KEY_ID", "test"),
                ("AWS_SECRET_ACCESS_KEY", "test"),
                ("AWS_ENDPOINT_URL", &Emulator::shared().endpoint()),
                ("PIPEWRIGHT_AUDIT_LOG_GROUP", &group),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned())),
        );
        let clients = Clients::new(&settings).expect("everything is there");
        let made = clients.logs().create_log_group().log_group_name(&group);
        made.send().await.expect("the emulator makes it");
        let log = opened(&clients, &settings).await;
        Self {
            streams: vec![log.stream().to_owned()],
            log: Arc::new(log),
            clients,
            settings,
            group,
        }
    }

    async fn events(&self) -> Vec<Value> {
        let mut records = Vec::new();
        for stream in &self.streams {
            let events = self.clients.logs().get_log_events();
            let events = events
                .log_group_name(&self.group)
                .log_stream_name(stream)
                .start_from_head(true)
                .limit(PAGE);
            let events = events.send().await.expect("the stream is there");
            let record = |text: &str| serde_json::from_str(text).expect("it is JSON");
            let texts = events.events().iter().filter_map(|event| event.message());
            records.extend(texts.map(record).collect::<Vec<Value>>());
        }
        records
    }
}

async fn opened(clients: &Clients, settings: &Settings) -> AuditLog {
    let log = AuditLog::open(clients, settings, Arc::new(SystemClock), &SystemRandom);
    let log = log.await.expect("its group is named");
    assert_eq!(log.trouble(), None);
    log
}

#[async_trait]
impl Harness for InLogs {
    fn trail(&self) -> Arc<dyn AuditTrail> {
        Arc::clone(&self.log) as Arc<dyn AuditTrail>
    }

    /// Goes on in another execution environment: what the first one kept is gone.
    async fn reopen(&mut self) {
        self.log = Arc::new(opened(&self.clients, &self.settings).await);
        self.streams.push(self.log.stream().to_owned());
    }

    fn records(&self) -> Vec<Value> {
        // The contract asks in the middle of a future.
        thread::scope(|scope| {
            let read = || {
                let mut runtime = runtime::Builder::new_current_thread();
                let runtime = runtime.enable_all().build().expect("a runtime");
                runtime.block_on(self.events())
            };
            scope.spawn(read).join().expect("they are read")
        })
    }
}

ports::audit_trail_contract!(InLogs::new().await);
