//! The emulator's S3, empty at the beginning of each test.

use std::{
    path::PathBuf,
    sync::{Arc, LazyLock},
};

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        interceptors::{Intercept, context::BeforeTransmitInterceptorContextMut},
        runtime_components::RuntimeComponents,
    },
};
use aws_smithy_types::config_bag::ConfigBag;
use pipewright_aws::{Clients, Objects, Settings};
use pipewright_tests::{emulator::Emulator, http::Message};
use ports::{ObjectStore, contract::objects::Harness};
use tempfile::TempDir;
use tokio::sync::{Mutex, MutexGuard};

/// The contract has buckets of fixed names, and an account's buckets are all listed: so one test
/// has the emulator at a time.
static TURN: LazyLock<Mutex<()>> = LazyLock::new(Mutex::default);

pub(crate) struct Emulated {
    folder: TempDir,
    objects: Objects,
    _turn: MutexGuard<'static, ()>,
}

impl Emulated {
    pub(crate) async fn new() -> Self {
        let turn = TURN.lock().await;
        reset();
        Self {
            folder: tempfile::tempdir().expect("a temporary folder can be made"),
            objects: objects(),
            _turn: turn,
        }
    }

    pub(crate) fn objects(&self) -> &Objects {
        &self.objects
    }

    /// A file with that content.
    pub(crate) fn file(&self, content: &[u8]) -> PathBuf {
        let path = self.folder.path().join("file");
        std::fs::write(&path, content).expect("the folder can be written");
        path
    }
}

pub(crate) fn settings(endpoint: &str) -> Settings {
    Settings::of(
        [
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("AWS_ENDPOINT_URL", endpoint),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned())),
    )
}

/// A client that stands for whoever else uses the bucket.
pub(crate) fn client() -> Client {
    let settings = settings(&Emulator::shared().endpoint());
    let clients = Clients::new(&settings).expect("everything is there");
    let client = clients.s3();
    let config = client.config().to_builder().interceptor(OpenToAcls);
    Client::from_conf(config.build())
}

fn objects() -> Objects {
    let counts_tags = false; // The emulator says so to GET, as S3 does, and not to HEAD.
    Objects::of(&client(), counts_tags)
}

/// S3 makes buckets whose objects have no lists of rights, and the contract puts one with a list:
/// the buckets of these tests are made as those of old.
#[derive(Debug)]
struct OpenToAcls;

impl Intercept for OpenToAcls {
    fn name(&self) -> &'static str {
        "OpenToAcls"
    }

    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let request = context.request_mut();
        let path = request.uri().split("://").last().unwrap_or_default();
        let path = path.split_once('/').map_or("", |(_, path)| path);
        let is_bucket = !path.trim_end_matches('/').contains(['/', '?']);
        if request.method() == "PUT" && is_bucket {
            let headers = request.headers_mut();
            headers.insert("x-amz-object-ownership", "ObjectWriter");
        }
        Ok(())
    }
}

fn reset() {
    let request = Message {
        first: "POST /_ministack/reset HTTP/1.1".to_owned(),
        headers: vec![("Host".to_owned(), "localhost".to_owned())],
        body: Vec::new(),
    };
    let answer = request.send(([127, 0, 0, 1], Emulator::shared().port()).into());
    assert_eq!(answer.expect("the emulator answers").status(), 200);
}

#[async_trait]
impl Harness for Emulated {
    fn store(&self) -> Arc<dyn ObjectStore> {
        Arc::new(self.objects.clone())
    }

    async fn reopen(&mut self) {
        self.objects = objects();
    }

    fn folder(&self) -> PathBuf {
        self.folder.path().to_owned()
    }
}
