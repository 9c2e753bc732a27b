//! An API over a store in memory, a caller with a key, and a trail that remembers.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    path::Path,
    sync::{Arc, Mutex},
};

use access::{
    Authenticator,
    keys::{Holder, Keys, KeysError, Secret},
    policy::Policy,
    sigv4::{Credentials, Request, Scope, sign},
};
use api::{Api, Options};
use async_trait::async_trait;
use bytes::Bytes;
use embedded::{GitRepositories, ManualClock, Objects, SeededRandom, Store};
use model::{PipelineDeclaration, Timestamp};
use operations::{Caller, CreatePipeline, create_pipeline};
use ports::{
    Account, World,
    audit::{AuditError, AuditRecord, AuditTrail},
    nobody::Nobody,
};
use serde_json::Value;

/// The time that the server has.
pub(crate) const NOW: Timestamp = Timestamp(1_547_106_937_000);

pub(crate) const EVERYTHING: &str = r#"{"Version": "2012-10-17", "Statement":
    [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}"#;

pub(crate) const READING: &str = r#"{"Version": "2012-10-17", "Statement":
    [{"Effect": "Allow", "Action": "codepipeline:Get*", "Resource": "*"}]}"#;

pub(crate) const KEY: &str = "PWKAEXAMPLE234567ABC";
pub(crate) const SECRET: &str = "a secret that nobody else has";

/// One request, as a file has it: the event of an HTTP API.
#[derive(Clone)]
pub(crate) struct Sample {
    pub(crate) method: String,
    path: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

pub(crate) struct Bench {
    api: Api,
    trail: Arc<Trail>,
}

/// The one key that there is.
pub(crate) struct OneKey(pub(crate) Arc<Holder>);

#[async_trait]
impl Keys for OneKey {
    async fn holder(&self, access_key: &str) -> Result<Option<Arc<Holder>>, KeysError> {
        let is_it = access_key == self.0.access_key;
        Ok(is_it.then(|| Arc::clone(&self.0)))
    }
}

#[derive(Default)]
pub(crate) struct Trail {
    pub(crate) records: Mutex<Vec<AuditRecord>>,
    /// Nothing can be written any more.
    pub(crate) is_full: Mutex<bool>,
    /// It has been tried.
    is_known_to_be_full: Mutex<bool>,
}

const FULL: &str = "the disk is full";

#[async_trait]
impl AuditTrail for Trail {
    async fn record(&self, record: AuditRecord) -> Result<(), AuditError> {
        if *self.is_full.lock().expect("nobody panicked") {
            *self.is_known_to_be_full.lock().expect("nobody panicked") = true;
            return Err(AuditError::Unavailable(FULL.to_owned()));
        }
        self.records.lock().expect("nobody panicked").push(record);
        Ok(())
    }

    async fn record_durably(&self, record: AuditRecord) -> Result<(), AuditError> {
        self.record(record).await
    }

    async fn flush(&self) -> Result<(), AuditError> {
        let is_full = *self.is_full.lock().expect("nobody panicked");
        let full = || Err(AuditError::Unavailable(FULL.to_owned()));
        if is_full { full() } else { Ok(()) }
    }

    fn trouble(&self) -> Option<String> {
        let is_known = *self.is_known_to_be_full.lock().expect("nobody panicked");
        is_known.then(|| FULL.to_owned())
    }
}

impl Bench {
    /// A server with the pipeline `web`, for a caller with that policy.
    pub(crate) async fn new(policy: &str) -> Self {
        let world = world();
        create(&world).await;
        let holder = holder(policy);
        let trail = Arc::new(Trail::default());
        let told = api::trail::Trail::new(
            Arc::clone(&trail) as Arc<dyn AuditTrail>,
            Arc::clone(&world.account),
            Arc::clone(&world.clock),
            Arc::clone(&world.random),
        );
        let api = Api::new(Options {
            world,
            authenticator: Arc::new(Authenticator::new(Arc::new(OneKey(Arc::new(holder))))),
            trail: Arc::new(told),
            page_key: [7; 32],
            more: Vec::new(),
        });
        Self { api, trail }
    }

    pub(crate) fn sample(name: &str) -> Sample {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events/api");
        let json = fs::read_to_string(path.join(format!("{name}.json"))).expect("it exists");
        let event: Value = serde_json::from_str(&json).expect("the sample is JSON");
        let field = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Sample {
            method: field(&event["requestContext"]["http"]["method"]),
            path: field(&event["rawPath"]),
            headers: serde_json::from_value(event["headers"].clone()).expect("it has headers"),
            body: field(&event["body"]),
        }
    }

    /// Signs the sample at that time and shows the answer.
    pub(crate) async fn send(&self, sample: &Sample, at: Timestamp) -> String {
        let request = signed(sample, at, SECRET);
        self.answer(request).await
    }

    /// Shows what is answered to a request.
    pub(crate) async fn answer(&self, request: http::Request<Bytes>) -> String {
        let response = self.api.handle(request, "127.0.0.1").await;
        assert!(response.headers().contains_key("x-amzn-requestid"));
        let body = String::from_utf8(response.body().to_vec()).expect("it is a text");
        let mut shown = format!("{}\n", response.status().as_u16());
        match serde_json::from_str::<Value>(&body) {
            Ok(json) => {
                let text = serde_json::to_string_pretty(&json).expect("it is JSON");
                let _ = writeln!(shown, "{text}");
            }
            Err(_) => {
                let _ = writeln!(shown, "{body:?}");
            }
        }
        shown
    }

    /// What the trail has: who, what, and how it ended.
    pub(crate) fn trail(&self) -> String {
        let records = self.trail.records.lock().expect("nobody panicked");
        let mut shown = String::new();
        for record in records.iter() {
            let document = record.document();
            let _ = writeln!(
                shown,
                "{} {} {} {}",
                document["userIdentity"]["arn"]
                    .as_str()
                    .or(document["userIdentity"]["accessKeyId"].as_str())
                    .unwrap_or("nobody"),
                document["eventName"].as_str().unwrap_or_default(),
                document["requestParameters"],
                document["errorCode"].as_str().unwrap_or("done"),
            );
        }
        shown
    }

    pub(crate) fn fill_the_trail(&self) {
        *self.trail.is_full.lock().expect("nobody panicked") = true;
    }
}

/// Whoever has the key, with that policy.
pub(crate) fn holder(policy: &str) -> Holder {
    Holder {
        access_key: KEY.to_owned(),
        secret: Secret::new(SECRET),
        arn: "arn:aws:iam::111122223333:user/ann".to_owned(),
        policies: vec![Policy::read(policy).expect("it is a policy")],
        session: None,
    }
}

/// The sample as a client with that secret would send it.
pub(crate) fn signed(sample: &Sample, at: Timestamp, secret: &str) -> http::Request<Bytes> {
    let headers: Vec<(String, String)> = sample.headers.clone().into_iter().collect();
    let request = Request {
        method: &sample.method,
        path: &sample.path,
        query: "",
        headers: &headers,
        body: sample.body.as_bytes(),
    };
    let credentials = Credentials {
        access_key: KEY,
        secret,
        session_token: None,
    };
    let scope = Scope {
        region: "us-east-1",
        service: "codepipeline",
    };
    let added = sign(&request, &credentials, scope, at);
    let mut request = http::Request::builder()
        .method(sample.method.as_str())
        .uri(&sample.path);
    for (name, value) in headers.into_iter().chain(added) {
        request = request.header(name, value);
    }
    let body = Bytes::from(sample.body.clone());
    request.body(body).expect("it is a request")
}

pub(crate) fn world() -> World {
    let clock = Arc::new(ManualClock::new(NOW));
    let store = Arc::new(Store::in_memory().expect("it opens"));
    let nowhere = tempfile::tempdir().expect("a folder");
    World {
        account: Arc::new(Account {
            id: "111122223333".to_owned(),
            region: "us-east-1".to_owned(),
        }),
        objects: Arc::new(Objects::temporary(clock.clone()).expect("it opens")),
        clock,
        random: Arc::new(SeededRandom::new(1)),
        pipelines: store.clone(),
        queues: Arc::new(Nobody),
        bus: Arc::new(Nobody),
        builds: Arc::new(Nobody),
        projects: store,
        repositories: Arc::new(GitRepositories::new(BTreeMap::new(), nowhere.path())),
    }
}

pub(crate) async fn create(world: &World) {
    let json = r#"{"name": "web", "roleArn": "arn:aws:iam::111122223333:role/pipeline",
        "artifactStore": {"type": "S3", "location": "artifacts"},
        "stages": [
          {"name": "Source", "actions": [{"name": "Fetch",
            "actionTypeId": {"category": "Source", "owner": "ThirdParty",
                             "provider": "GitHub", "version": "1"},
            "configuration": {"Owner": "ann", "Repo": "web", "Branch": "main",
                              "OAuthToken": "secret"},
            "outputArtifacts": [{"name": "Out"}]}]},
          {"name": "Release", "actions": [{"name": "Approve",
            "actionTypeId": {"category": "Approval", "owner": "AWS",
                             "provider": "Manual", "version": "1"}}]}]}"#;
    let declaration: PipelineDeclaration = serde_json::from_str(json).expect("it is one");
    let request = CreatePipeline {
        declaration,
        tags: Vec::new(),
        starts: false,
        by: Caller::owner("test"),
    };
    create_pipeline(world, request).await.expect("it is valid");
}
