use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use async_trait::async_trait;
use model::{
    Timestamp,
    build::{AgentInput, AgentOrder, BuildInput, BuildKind, BuildOrder, BuildStatus, RemoteInput},
    job::JobArtifact,
    project::{BuildVariable, BuildVariableType},
};
use serde_json::Value;

use super::*;

const ID: &str = "11111111-1111-1111-1111-111111111111";

/// What a runner keeps, in memory.
#[derive(Default)]
struct Kept {
    is_over: bool,
    is_broken: bool,
    phases: Vec<BuildPhase>,
    report: Option<BuildReport>,
    woken: Vec<String>,
}

struct Shelf(Mutex<Kept>);

impl Shelf {
    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn order() -> BuildOrder {
    let artifact = |name: &str| JobArtifact {
        name: name.to_owned(),
        bucket: "b".to_owned(),
        key: format!("p/{name}/x.zip"),
        revision: Some("r".to_owned()),
        files: Vec::new(),
    };
    BuildOrder {
        id: ID.to_owned(),
        initiator: "codepipeline/p".to_owned(),
        pipeline: "p".to_owned(),
        what: BuildKind::Commands {
            commands: vec!["true".to_owned()],
            output_variables: Vec::new(),
        },
        inputs: vec![BuildInput::from(artifact("in"))],
        outputs: vec![artifact("out")],
        environment_variables: vec![
            variable("A", "/p/one", BuildVariableType::ParameterStore),
            variable("B", "login:password", BuildVariableType::SecretsManager),
            variable("C", "/p/plain", BuildVariableType::Plaintext),
        ],
        timeout_seconds: 60,
        number: None,
        overwrites: false,
    }
}

fn variable(name: &str, value: &str, kind: BuildVariableType) -> BuildVariable {
    BuildVariable {
        name: name.to_owned(),
        value: value.to_owned(),
        kind,
    }
}

#[async_trait]
impl ports::Agents for Shelf {
    async fn build(&self, id: &str) -> Result<Option<AgentBuild>, StoreError> {
        let kept = self.kept();
        if kept.is_broken {
            return Err(StoreError::Unavailable {
                doing: "read a build".to_owned(),
                source: "table 7 is on fire".into(),
            });
        }
        Ok((id == ID).then(|| AgentBuild {
            tokens: ["first", "second"]
                .map(|token| Sha256::digest(token.as_bytes()).into())
                .to_vec(),
            number: 7,
            phases: Vec::new(),
            is_stopping: true,
            is_over: kept.is_over,
        }))
    }

    async fn order(&self, _id: &str) -> Result<Option<BuildOrder>, StoreError> {
        Ok(Some(order()))
    }

    async fn tell(&self, _id: &str, phases: &[BuildPhase]) -> Result<(), StoreError> {
        self.kept().phases = phases.to_vec();
        Ok(())
    }

    async fn end(&self, _id: &str, report: &BuildReport) -> Result<(), StoreError> {
        let mut kept = self.kept();
        kept.is_over = true;
        kept.report = Some(report.clone());
        Ok(())
    }

    async fn wake(&self, id: &str) -> Result<(), StoreError> {
        self.kept().woken.push(id.to_owned());
        Err(StoreError::Conflict)
    }

    async fn input(&self, input: &BuildInput) -> Result<RemoteInput, ObjectError> {
        Ok(RemoteInput {
            url: format!("https://s3/{}", input.artifact.key),
            size: 3,
            sha256: None,
        })
    }

    async fn output(
        &self,
        output: &JobArtifact,
        offer: &AgentOffer,
        _overwrites: bool,
    ) -> Result<AgentPlace, ObjectError> {
        if offer.size == 0 {
            return Err(ObjectError::Exists {
                bucket: output.bucket.clone(),
                key: output.key.clone(),
            });
        }
        Ok(AgentPlace::Put {
            url: format!("https://s3/{}", output.key),
            headers: BTreeMap::new(),
        })
    }

    async fn secret(&self, _need: &SecretNeed) -> Result<RunnerMessage, StoreError> {
        Ok(RunnerMessage::Value("hunter2".to_owned()))
    }
}

struct Bench {
    shelf: Arc<Shelf>,
    agents: Agents,
}

impl Bench {
    fn new() -> Self {
        let shelf = Arc::new(Shelf(Mutex::default()));
        let account = Account {
            id: "111122223333".to_owned(),
            region: "r".to_owned(),
        };
        let open = vec!["/open/*".to_owned(), "shared".to_owned()];
        Self {
            agents: Agents::new(shelf.clone(), Arc::new(account), open),
            shelf,
        }
    }

    async fn ask(&self, token: &str, method: &str, path: &str, body: &str) -> (u16, String) {
        let request = http::Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", token)
            .body(Bytes::from(body.to_owned()))
            .expect("it is a request");
        let answer = self.agents.handle(request).await;
        let status = answer.status().as_u16();
        assert_eq!(
            status == 503,
            answer.extensions().get::<Trouble>().is_some()
        );
        assert_eq!(answer.headers()[CACHE_CONTROL], "no-store");
        let text = String::from_utf8(answer.into_body().to_vec());
        (status, text.expect("it is text"))
    }

    /// As the build's agent.
    async fn post(&self, what: &str, body: &str) -> (u16, String) {
        let path = format!("{PATH}{ID}/{what}");
        self.ask("Bearer second", "POST", &path, body).await
    }
}

fn report() -> String {
    let phase = |kind: &str| BuildPhase {
        phase_type: kind.to_owned(),
        phase_status: String::new(),
        started: Timestamp(1),
        ended: None,
        status_code: None,
        message: None,
    };
    let report = BuildReport {
        status: BuildStatus::Succeeded,
        phases: vec![phase("BUILD"), phase("LUNCH")],
        exported_variables: BTreeMap::new(),
        test_reports: Vec::new(),
        isolation: "ecs".to_owned(),
        log_stream: "../../etc".to_owned(),
        retries_wanted: None,
    };
    serde_json::to_string(&report).expect("it is JSON")
}

#[tokio::test]
async fn nobody_learns_whether_a_build_is_there() {
    let bench = Bench::new();
    let mine = format!("{PATH}{ID}");
    let other = format!("{PATH}22222222-2222-2222-2222-222222222222");
    let nothing = bench.ask("Bearer second", "GET", &other, "").await;
    assert_eq!(nothing.0, 404);
    for token in ["", "Bearer ", "Bearer third", "second", "Basic second"] {
        assert_eq!(bench.ask(token, "GET", &mine, "").await, nothing, "{token}");
    }
    let long = format!("Bearer {}", "x".repeat(TOKEN_BYTES_MAX + 1));
    assert_eq!(bench.ask(&long, "GET", &mine, "").await, nothing);
    for path in ["/agent/builds/", "/agent/builds/..", "/agent", "/"] {
        assert_eq!(bench.ask("Bearer second", "GET", path, "").await, nothing);
    }
    let (status, text) = bench.ask("Bearer first", "GET", &mine, "").await;
    assert_eq!(status, 200, "{text}");
    assert_eq!(bench.post("lunch", "{}").await, nothing, "no such route");
    assert_eq!(bench.ask("Bearer first", "POST", &mine, "").await, nothing);
}

#[tokio::test]
async fn an_agent_is_told_its_order_with_places_in_its_own_room() {
    let bench = Bench::new();
    let path = format!("{PATH}{ID}");
    let (_, text) = bench.ask("Bearer first", "GET", &path, "").await;
    let order: AgentOrder = serde_json::from_str(&text).expect("it is an order");
    let envelope = order.envelope;
    assert_eq!(envelope.build_id, format!("p:{ID}"));
    assert_eq!(envelope.build_number, 7);
    assert_eq!(
        envelope.inputs[0].source_version,
        "arn:aws:s3:::b/p/in/x.zip"
    );
    assert_eq!(envelope.inputs[0].file_name, "x.zip");
    let paths = [
        &envelope.inputs[0].path,
        &envelope.outputs[0].path,
        &envelope.directory,
    ];
    assert!(paths.iter().all(|path| path.is_relative()), "{paths:?}");
    assert!(matches!(&order.inputs[0], AgentInput::Get(input) if input.size == 3));
}

#[tokio::test]
async fn only_what_the_order_names_is_told_and_what_is_open_to_all() {
    let bench = Bench::new();
    let parameter = |name: &str| format!(r#"{{"parameter":"{name}"}}"#);
    let secret = |id: &str| format!(r#"{{"secret":{{"id":"{id}"}}}}"#);
    let told = [
        parameter("/p/one"),
        secret("login"),
        parameter("/open/x"),
        secret("shared"),
    ];
    for need in told {
        let (status, text) = bench.post("secret", &need).await;
        assert_eq!(
            (status, text.as_str()),
            (200, r#"{"value":"hunter2"}"#),
            "{need}"
        );
    }
    let refused = [
        parameter("/p/on"),
        parameter("/p/plain"),
        parameter("login"),
        secret("log"),
        secret("shared2"),
        secret(""),
    ];
    for need in refused {
        let (status, text) = bench.post("secret", &need).await;
        assert!(
            status == 200 && text.contains("BuildSecrets"),
            "{need}: {text}"
        );
    }
    assert_eq!(bench.post("secret", "{}").await.0, 400);
}

#[tokio::test]
async fn an_output_has_a_place_when_it_is_one_of_the_orders() {
    let bench = Bench::new();
    let offer = |index: u64, size: u64, sha256: &str| {
        json!({"index": index, "size": size, "sha256": sha256}).to_string()
    };
    let digest = "ab".repeat(32);
    let (status, text) = bench.post("outputs", &offer(0, 5, &digest)).await;
    let place: Value = serde_json::from_str(&text).expect("it is JSON");
    assert_eq!(
        (status, &place["put"]["url"]),
        (200, &json!("https://s3/p/out/x.zip"))
    );
    for (index, size, digest) in [(1, 5, digest.as_str()), (0, 5, "AB"), (0, 5, "")] {
        assert_eq!(
            bench.post("outputs", &offer(index, size, digest)).await.0,
            400
        );
    }
    for size in [0, OUTPUT_BYTES_MAX + 1] {
        let (status, text) = bench.post("outputs", &offer(0, size, &digest)).await;
        assert!(status == 200 && text.contains("refused"), "{text}");
    }
}

#[tokio::test]
async fn a_report_ends_the_build_and_its_token() {
    let bench = Bench::new();
    let (status, text) = bench.post("phases", "[]").await;
    assert_eq!((status, text.as_str()), (200, r#"{"isStopping":true}"#));
    assert_eq!(bench.post("report", "{}").await.0, 400);
    let too_long = " ".repeat(REPORT_BYTES_MAX + 1);
    assert_eq!(bench.post("report", &too_long).await.0, 413);
    assert_eq!(
        bench.post("report", &report()).await.0,
        200,
        "a lost wake is no loss"
    );
    {
        let kept = bench.shelf.kept();
        let report = kept.report.as_ref().expect("it was kept");
        assert_eq!(report.log_stream, ID, "an agent says what it likes");
        assert_eq!(report.phases.len(), 1);
        assert_eq!(kept.woken, [ID]);
    }
    for what in ["phases", "report", "secret", "outputs"] {
        assert_eq!(bench.post(what, &report()).await.0, 404, "{what}");
    }
}

#[tokio::test]
async fn trouble_is_told_to_the_log_and_not_to_the_asker() {
    let bench = Bench::new();
    bench.shelf.kept().is_broken = true;
    let (status, text) = bench.post("phases", "[]").await;
    assert_eq!(status, 503);
    assert!(!text.contains("fire"), "{text}");
}
