//! The function as Lambda calls it: signed requests through a gateway, agents, and the first key.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use access::{
    Authenticator,
    keys::Keys,
    sigv4::{Credentials, Request, Scope, sign},
};
use api::{
    Agents, Api, Options,
    lambda::{Builds, FreshKeys, Function},
};
use async_trait::async_trait;
use aws::{Meter, Telemetry};
use embedded::{AccessKeyStore, DataDir};
use keyring::{Keyring, KeyringOptions};
use model::build::{
    AgentOffer, AgentPlace, BuildInput, BuildOrder, BuildPhase, BuildReport, RemoteInput,
    RunnerMessage, SecretNeed,
};
use model::job::JobArtifact;
use ports::{StoreError, World, agents::AgentBuild, objects::ObjectError};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::bench::{self, Bench, EVERYTHING, KEY, NOW, OneKey, SECRET};

/// What is not for the API.
const OF_OTHERS: [&str; 3] = [
    "agent-with-a-wrong-token",
    "bootstrap",
    "signed-get-pipeline",
];

/// No build has an agent.
struct NoBuilds;

#[async_trait]
impl ports::Agents for NoBuilds {
    async fn build(&self, _: &str) -> Result<Option<AgentBuild>, StoreError> {
        Ok(None)
    }

    async fn order(&self, _: &str) -> Result<Option<BuildOrder>, StoreError> {
        Ok(None)
    }

    async fn tell(&self, _: &str, _: &[BuildPhase]) -> Result<(), StoreError> {
        Err(StoreError::Conflict)
    }

    async fn end(&self, _: &str, _: &BuildReport) -> Result<(), StoreError> {
        Err(StoreError::Conflict)
    }

    async fn wake(&self, _: &str) -> Result<(), StoreError> {
        Err(StoreError::Conflict)
    }

    async fn input(&self, _: &BuildInput) -> Result<RemoteInput, ObjectError> {
        Err(ObjectError::NoSuchBucket(String::new()))
    }

    async fn output(
        &self,
        _: &JobArtifact,
        _: &AgentOffer,
        _: bool,
    ) -> Result<AgentPlace, ObjectError> {
        Err(ObjectError::NoSuchBucket(String::new()))
    }

    async fn secret(&self, _: &SecretNeed) -> Result<RunnerMessage, StoreError> {
        Err(StoreError::Conflict)
    }
}

/// How often the worker was told to look at builds.
#[derive(Default)]
struct Told(AtomicUsize);

#[async_trait]
impl Builds for Told {
    async fn settle(&self) -> Result<(), StoreError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

struct House {
    function: Function,
    trail: Arc<bench::Trail>,
    told: Arc<Told>,
    keys: Arc<AccessKeyStore>,
    world: World,
    _folder: TempDir,
}

impl House {
    /// With the pipeline `web`, for whoever has the key of the samples, or for those on a ring.
    async fn new(has_ring: bool) -> Self {
        let folder = tempfile::tempdir().expect("there is room");
        let data = DataDir::open(folder.path()).expect("nobody else has it");
        let keys = Arc::new(AccessKeyStore::open(&data).expect("it opens"));
        let world = bench::world();
        bench::create(&world).await;
        let trail = Arc::new(bench::Trail::default());
        let told_of = Arc::new(api::trail::Trail::new(
            trail.clone(),
            Arc::clone(&world.account),
            Arc::clone(&world.clock),
            Arc::clone(&world.random),
        ));
        let known: Arc<dyn Keys> = if has_ring {
            let (keys, world) = (keys.clone(), world.clone());
            Arc::new(FreshKeys::new(move || ring(&keys, &world)))
        } else {
            Arc::new(OneKey(Arc::new(bench::holder(EVERYTHING))))
        };
        let told = Arc::new(Told::default());
        let function = Function {
            api: Api::new(Options {
                world: world.clone(),
                authenticator: Arc::new(Authenticator::new(known)),
                trail: told_of.clone(),
                page_key: [7; 32],
                more: Vec::new(),
            }),
            agents: Agents::new(Arc::new(NoBuilds), Arc::clone(&world.account), Vec::new()),
            keyring: Arc::new(ring(&keys, &world)),
            trail: told_of,
            audit: trail.clone(),
            nudged: Arc::new(AtomicBool::new(false)),
            builds: told.clone(),
            telemetry: Telemetry::new("api", Meter::default()),
            world: world.clone(),
        };
        Self {
            function,
            trail,
            told,
            keys,
            world,
            _folder: folder,
        }
    }
}

/// A ring as a process has it that only just started.
fn ring(keys: &Arc<AccessKeyStore>, world: &World) -> Keyring {
    Keyring::new(KeyringOptions {
        keys: keys.clone(),
        clock: Arc::clone(&world.clock),
        random: Arc::clone(&world.random),
        account: world.account.id.clone(),
        sealing_key: [9; 32],
    })
}

fn event(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events/api");
    let json = fs::read_to_string(path.join(format!("{name}.json"))).expect("it exists");
    serde_json::from_str(&json).expect("the sample is JSON")
}

/// The event as the gateway sends it for a request that was signed with a key.
fn signed(mut event: Value, access_key: &str, secret: &str) -> Value {
    let headers: BTreeMap<String, String> =
        serde_json::from_value(event["headers"].clone()).expect("it has headers");
    let headers: Vec<(String, String)> = headers.into_iter().collect();
    let field = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (method, path) = (
        field(&event["requestContext"]["http"]["method"]),
        field(&event["rawPath"]),
    );
    let body = field(&event["body"]);
    let request = Request {
        method: &method,
        path: &path,
        query: "",
        headers: &headers,
        body: body.as_bytes(),
    };
    let credentials = Credentials {
        access_key,
        secret,
        session_token: None,
    };
    let scope = Scope {
        region: "us-east-1",
        service: "codepipeline",
    };
    for (name, value) in sign(&request, &credentials, scope, NOW) {
        event["headers"][name.to_lowercase()] = json!(value);
    }
    event
}

#[tokio::test]
async fn a_request_that_was_signed_before_the_gateway_is_taken() {
    let house = House::new(false).await;
    let answer = house.function.handle(event("signed-get-pipeline")).await;
    let answer = answer.expect("it is handled");
    assert_eq!(answer["statusCode"], 200, "{answer}");
    let body = answer["body"].as_str().expect("it is a text");
    let body: Value = serde_json::from_str(body).expect("it is JSON");
    assert_eq!(body["pipeline"]["name"], "web");
    let records = house.trail.records.lock().expect("nobody panicked");
    let record = records.last().expect("it is recorded").document();
    assert_eq!(record["sourceIPAddress"], "192.0.2.7");
}

#[tokio::test]
async fn a_signature_over_anything_else_is_refused() {
    for (place, value) in [
        ("rawPath", json!("//")),
        ("rawQueryString", json!("a=b")),
        ("body", json!("e30=")),
    ] {
        let house = House::new(false).await;
        let mut other = event("signed-get-pipeline");
        other[place] = value;
        let answer = house.function.handle(other).await.expect("it is handled");
        let expected = if place == "rawPath" { 404 } else { 403 };
        assert!(
            [expected, 400].contains(&answer["statusCode"].as_u64().unwrap_or_default()),
            "{place}: {answer}"
        );
    }
}

#[tokio::test]
async fn every_sample_is_answered_as_by_a_server() {
    for name in crate::SAMPLES {
        if OF_OTHERS.contains(&name) {
            continue;
        }
        let house = House::new(false).await;
        let answer = house
            .function
            .handle(signed(event(name), KEY, SECRET))
            .await;
        let answer = answer.unwrap_or_else(|error| panic!("{name}: {error}"));
        let server = Bench::new(EVERYTHING).await;
        let expected = server.send(&Bench::sample(name), NOW).await;
        let status = answer["statusCode"].to_string();
        assert!(expected.starts_with(&status), "{name}: {answer}");
        // Nobody who signed nothing gets anything.
        let unsigned = house
            .function
            .handle(event(name))
            .await
            .expect("it is handled");
        let status = unsigned["statusCode"].as_u64().unwrap_or_default();
        assert!([400, 403, 404].contains(&status), "{name}: {unsigned}");
    }
}

#[tokio::test]
async fn an_agent_without_the_token_of_its_build_learns_nothing() {
    let house = House::new(false).await;
    let answer = house
        .function
        .handle(event("agent-with-a-wrong-token"))
        .await;
    assert_eq!(answer.expect("it is handled")["statusCode"], 404);
}

#[tokio::test]
async fn the_first_key_is_given_out_once_and_works() {
    let house = House::new(true).await;
    let key = house.function.handle(event("bootstrap")).await;
    let key = key.expect("there is none yet");
    let of = |name: &str| key[name].as_str().unwrap_or_default().to_owned();
    let (id, secret) = (of("accessKeyId"), of("secretAccessKey"));
    let request = || signed(event("get-pipeline"), &id, &secret);
    let answer = house
        .function
        .handle(request())
        .await
        .expect("it is handled");
    assert_eq!(answer["statusCode"], 200, "{answer}");
    let again = house.function.handle(event("bootstrap")).await;
    let error = again.expect_err("there is one").to_string();
    assert!(error.contains("\"again\": true"), "{error}");
    let mut insisted = event("bootstrap");
    insisted["bootstrap"]["again"] = json!(true);
    let other = house
        .function
        .handle(insisted)
        .await
        .expect("it was insisted");
    assert_ne!(other["accessKeyId"], key["accessKeyId"]);
    let records = house.trail.records.lock().expect("nobody panicked");
    let given = records
        .iter()
        .filter(|it| it.event_name == "CreateAccessKey");
    let given: Vec<String> = given.map(|it| it.document().to_string()).collect();
    assert_eq!(given.len(), 2);
    assert!(given.iter().all(|record| !record.contains(&secret)));
}

#[tokio::test]
async fn a_key_that_another_process_took_back_counts_no_longer() {
    let house = House::new(true).await;
    let key = house.function.handle(event("bootstrap")).await;
    let key = key.expect("there is none yet");
    let of = |name: &str| key[name].as_str().unwrap_or_default().to_owned();
    let request = || {
        signed(
            event("get-pipeline"),
            &of("accessKeyId"),
            &of("secretAccessKey"),
        )
    };
    let answer = house
        .function
        .handle(request())
        .await
        .expect("it is handled");
    assert_eq!(answer["statusCode"], 200, "{answer}");
    let elsewhere = ring(&house.keys, &house.world);
    let disabled = elsewhere.disable(&of("accessKeyId"), true).await;
    disabled.expect("it is disabled");
    let answer = house
        .function
        .handle(request())
        .await
        .expect("it is handled");
    assert_ne!(answer["statusCode"], 200, "{answer}");
}

#[tokio::test]
async fn whoever_asks_for_a_build_has_the_worker_told() {
    let house = House::new(false).await;
    for (nudged, told) in [(false, 0), (true, 1), (false, 1)] {
        house.function.nudged.store(nudged, Ordering::Relaxed);
        let request = signed(event("list-pipelines"), KEY, SECRET);
        house.function.handle(request).await.expect("it is handled");
        assert_eq!(house.told.0.load(Ordering::Relaxed), told);
    }
}

#[tokio::test]
async fn what_cannot_be_recorded_is_not_answered() {
    let house = House::new(false).await;
    *house.trail.is_full.lock().expect("nobody panicked") = true;
    let answer = house
        .function
        .handle(signed(event("get-pipeline"), KEY, SECRET))
        .await;
    let answer = answer.expect("it is handled");
    assert_eq!(answer["statusCode"], 503, "{answer}");
    assert!(!answer["body"].to_string().contains("stages"));
}

#[tokio::test]
async fn what_is_no_request_fails_the_call() {
    let house = House::new(false).await;
    for event in [json!({}), json!({"bootstrap": {}}), json!({"Records": []})] {
        assert!(
            house.function.handle(event.clone()).await.is_err(),
            "{event}"
        );
    }
}
