//! A site is a cluster of the emulator with everything that builds on it need: a table, a bucket, a
//! queue, a log group, the API's routes for agents on loopback, and something that runs tasks.

use std::{
    io::{BufReader, Write},
    net::{TcpListener, TcpStream},
    path::PathBuf,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicI64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use aws_sdk_ecs::types::{
    Compatibility, ContainerDefinition, LogConfiguration, LogDriver, NetworkMode,
};
use bytes::Bytes;
use model::{
    Timestamp,
    build::{BuildInput, BuildKind, BuildOrder, BuildReport, BuildState},
    job::JobArtifact,
    project::{BuildVariable, BuildVariableType},
};
use pipewright_aws::{Agents, Builds, Clients, Logs, Objects, Settings, SystemClock, Table};
use pipewright_tests::{
    cargo,
    emulator::Emulator,
    engine::Engine,
    http::Message,
    metadata,
    stand_in::{self, StandIn},
};
use ports::{
    BuildRunner, Clock, ObjectStore,
    objects::{ObjectMetadata, PutObject},
};
use tempfile::TempDir;
use tokio::runtime::Handle;
use uuid::Uuid;

/// How long a build of these tests may take, on a machine that does other things, too.
const ENDS_WITHIN: Duration = Duration::from_mins(2);

const LOOK: Duration = Duration::from_millis(100);

/// The image of the tests' task definition.
pub(crate) const IMAGE: &str = "pipewright/build:latest";

pub(crate) const BUCKET_KEY: &str = "p/in/hello.txt";

/// The time of day, and what a test adds to it.
#[derive(Clone, Default)]
pub(crate) struct Ahead(Arc<AtomicI64>);

impl Ahead {
    pub(crate) fn by(&self, ahead: Duration) {
        let ahead = i64::try_from(ahead.as_millis()).expect("tests are short");
        self.0.fetch_add(ahead, Ordering::Relaxed);
    }
}

impl Clock for Ahead {
    fn now(&self) -> Timestamp {
        Timestamp(SystemClock.now().0 + self.0.load(Ordering::Relaxed))
    }
}

pub(crate) struct Site {
    pub(crate) clients: Clients,
    pub(crate) builds: Builds,
    pub(crate) logs: Logs,
    pub(crate) objects: Objects,
    pub(crate) ahead: Ahead,
    pub(crate) cluster: String,
    pub(crate) bucket: String,
    pub(crate) family: String,
    pub(crate) url: String,
    jobs: String,
    folder: TempDir,
    _runs: Option<StandIn>,
}

/// Where tasks run.
struct Ground {
    /// None: it is the one that all share.
    emulator: Option<Emulator>,
    _engine: Option<Engine>,
}

impl Ground {
    /// The ground of this process: an engine where there is one.
    fn shared() -> &'static Self {
        static SHARED: OnceLock<Ground> = OnceLock::new();
        SHARED.get_or_init(|| match Self::with_engine() {
            Ok(ground) => {
                println!("{}", Engine::NAME);
                ground
            }
            Err(why) => {
                println!("{} ({why})", StandIn::NAME);
                Self {
                    emulator: None,
                    _engine: None,
                }
            }
        })
    }

    fn with_engine() -> Result<Self, String> {
        let engine = Engine::start()?;
        engine.import(&agent(), IMAGE)?;
        let emulator = Emulator::start(&[("DOCKER_HOST", &engine.host())]);
        Ok(Self {
            emulator: Some(emulator),
            _engine: Some(engine),
        })
    }
}

impl Site {
    /// One whose tasks run: in containers where an engine can be started, as processes elsewhere.
    pub(crate) async fn new() -> Self {
        let ground = Ground::shared();
        if let Some(emulator) = &ground.emulator {
            return Self::on(emulator).await;
        }
        let emulator = Emulator::shared();
        let site = Self::on(emulator).await;
        let group = format!("/builds/{}", site.cluster);
        let runs = stand_in::start(&emulator.endpoint(), &site.cluster, &agent(), &group);
        Self {
            _runs: Some(runs),
            ..site
        }
    }

    /// One whose tasks are said to run, and do nothing.
    pub(crate) async fn idle() -> Self {
        Self::on(Emulator::shared()).await
    }

    async fn on(emulator: &Emulator) -> Self {
        let name = format!("builds-{}", Uuid::new_v4());
        let of = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("loopback is there");
        let port = listener.local_addr().expect("it is bound").port();
        let mut variables = vec![
            of("AWS_REGION", "us-east-1"),
            of("AWS_ACCESS_KEY_ID", "test"),
            of("AWS_SECRET_ACCESS_KEY", "test"),
            of("AWS_ENDPOINT_URL", &emulator.endpoint()),
            of("PIPEWRIGHT_TABLE", &name),
            of("PIPEWRIGHT_CLUSTER", &name),
            of("PIPEWRIGHT_TASK_DEFINITION", &name),
            of("PIPEWRIGHT_TASK_CONTAINER", "build"),
            of("PIPEWRIGHT_SUBNETS", "subnet-1,subnet-2"),
            of("PIPEWRIGHT_MASTER_SECRET", "pipewright-master"),
            of("PIPEWRIGHT_BUILD_LOG_GROUP", &format!("/builds/{name}")),
            of("PIPEWRIGHT_INPUTS_QUEUE", "none"),
            // A name below `localhost`, as the emulator gives them to APIs.
            of("PIPEWRIGHT_URL", &format!("http://api.localhost:{port}")),
        ];
        let clients = Clients::new(&Settings::of(variables.clone())).expect("it is whole");
        let queue = clients.sqs().create_queue().queue_name(&name).send().await;
        let jobs = queue.expect("the emulator makes it").queue_url;
        let jobs = jobs.expect("it has a URL");
        variables.push(of("PIPEWRIGHT_JOBS_QUEUE", &jobs));
        let settings = Settings::of(variables);
        let table = Table::of(&clients, &settings).expect("it is named");
        table.create().await.expect("the emulator makes it");
        make_cluster(&clients, &name).await;
        let objects = Objects::new(&clients);
        objects.create_bucket(&name).await.expect("it is made");
        let ahead = Ahead::default();
        let clock: Arc<dyn Clock> = Arc::new(ahead.clone());
        let (t, c) = (table.clone(), Arc::clone(&clock));
        let agents = Agents::new(&clients, &settings, t, c).expect("it is whole");
        serve(listener, agents);
        let builds = Builds::new(&clients, &settings, table.clone(), clock);
        Self {
            builds: builds.expect("it is whole"),
            logs: Logs::new(&clients, &settings, table).expect("it is whole"),
            url: format!("http://127.0.0.1:{port}"),
            bucket: name.clone(),
            family: name.clone(),
            cluster: name,
            folder: tempfile::tempdir().expect("there is room"),
            _runs: None,
            clients,
            objects,
            ahead,
            jobs,
        }
    }

    pub(crate) async fn put(&self, key: &str, text: &str) {
        let from = self.folder.path().join("to-put");
        std::fs::write(&from, text).expect("there is room");
        let object = PutObject {
            bucket: &self.bucket,
            key,
            from: &from,
            metadata: ObjectMetadata::default(),
            create_only: false,
        };
        self.objects.put(object).await.expect("it is stored");
    }

    pub(crate) async fn get(&self, key: &str) -> Option<Vec<u8>> {
        let to = self.folder.path().join("got");
        self.objects.get(&self.bucket, key, None, &to).await.ok()?;
        std::fs::read(to).ok()
    }

    /// Commands over the one input, with the output `out.txt`.
    pub(crate) fn order(&self, commands: &[&str]) -> BuildOrder {
        let artifact = |name: &str, key: &str| JobArtifact {
            name: name.to_owned(),
            bucket: self.bucket.clone(),
            key: key.to_owned(),
            revision: None,
            files: vec!["out.txt".to_owned()],
        };
        BuildOrder {
            id: Uuid::new_v4().to_string(),
            initiator: "codepipeline/p".to_owned(),
            pipeline: "p".to_owned(),
            what: BuildKind::Commands {
                commands: commands.iter().map(ToString::to_string).collect(),
                output_variables: vec!["ANSWER".to_owned()],
            },
            inputs: vec![BuildInput::from(artifact("in", BUCKET_KEY))],
            outputs: vec![artifact("out", &format!("p/out/{}.zip", Uuid::new_v4()))],
            environment_variables: vec![BuildVariable {
                name: "PASSWORD".to_owned(),
                value: format!("login-{}", self.cluster),
                kind: BuildVariableType::SecretsManager,
            }],
            timeout_seconds: 60,
            number: None,
            overwrites: false,
        }
    }

    /// Asks for a build until it is over.
    pub(crate) async fn end(&self, id: &str) -> BuildReport {
        let until = Instant::now() + ENDS_WITHIN;
        while Instant::now() < until {
            match self.builds.state(id).await.expect("it answers") {
                BuildState::Finished(report) => return *report,
                BuildState::Running | BuildState::Unknown => tokio::time::sleep(LOOK).await,
            }
        }
        panic!("build {id} does not end");
    }

    /// Waits until the log has a line.
    pub(crate) async fn wait_for(&self, id: &str, line: &str) {
        use ports::BuildLogs;
        let until = Instant::now() + ENDS_WITHIN;
        while Instant::now() < until {
            let (lines, _) = self.logs.lines(id, 0, 10_000).await.expect("it is read");
            if lines.iter().any(|it| it.contains(line)) {
                return;
            }
            tokio::time::sleep(LOOK).await;
        }
        panic!("build {id} prints no `{line}`");
    }

    /// How many tasks there were for a build.
    pub(crate) async fn tasks(&self, id: &str) -> Vec<String> {
        let ecs = self.clients.ecs();
        let mut tasks = Vec::new();
        for status in ["RUNNING", "STOPPED"] {
            let listed = ecs
                .list_tasks()
                .cluster(&self.cluster)
                .started_by(id)
                .desired_status(status.into())
                .send()
                .await;
            tasks.extend(listed.expect("it answers").task_arns.unwrap_or_default());
        }
        tasks
    }

    /// What the workers were told.
    pub(crate) async fn jobs(&self) -> Vec<String> {
        let sqs = self.clients.sqs();
        let received = sqs
            .receive_message()
            .queue_url(&self.jobs)
            .max_number_of_messages(10)
            .send()
            .await;
        let messages = received.expect("it answers").messages.unwrap_or_default();
        let bodies = messages.into_iter().filter_map(|message| message.body);
        bodies.collect()
    }

    /// The token that a build's task was given.
    pub(crate) async fn token(&self, id: &str) -> String {
        let task = self.tasks(id).await.remove(0);
        let ecs = self.clients.ecs();
        let described = ecs.describe_tasks().cluster(&self.cluster).tasks(task);
        let described = described.send().await.expect("it answers");
        let overrides = described.tasks()[0].overrides().expect("it has some");
        let variables = overrides.container_overrides()[0].environment();
        let token = variables
            .iter()
            .find(|it| it.name() == Some("PIPEWRIGHT_AGENT_TOKEN"));
        token
            .and_then(|it| it.value())
            .expect("it has a token")
            .to_owned()
    }

    /// The status of a request of an agent.
    pub(crate) fn ask(&self, id: &str, token: &str) -> u16 {
        let request = Message {
            first: format!("GET /agent/builds/{id} HTTP/1.1"),
            headers: vec![("Authorization".to_owned(), format!("Bearer {token}"))],
            body: Vec::new(),
        };
        let address = self.url.strip_prefix("http://").expect("it is one");
        let answer = request.send(address.parse().expect("it is one"));
        answer.expect("it answers").status()
    }
}

async fn make_cluster(clients: &Clients, name: &str) {
    let ecs = clients.ecs();
    let made = ecs.create_cluster().cluster_name(name).send().await;
    made.expect("the emulator makes it");
    let log = LogConfiguration::builder()
        .log_driver(LogDriver::Awslogs)
        .options("awslogs-group", format!("/builds/{name}"))
        .options("awslogs-stream-prefix", "build")
        .build();
    let container = ContainerDefinition::builder()
        .name("build")
        .image(IMAGE)
        .log_configuration(log.expect("it has a driver"))
        .build();
    let registered = ecs
        .register_task_definition()
        .family(name)
        .requires_compatibilities(Compatibility::Fargate)
        // Loopback is the machine's own in the engine's containers, too.
        .network_mode(NetworkMode::Host)
        .cpu("256")
        .memory("512")
        .container_definitions(container)
        .send()
        .await;
    registered.expect("the emulator makes it");
    let secret = clients.secrets().create_secret();
    let secret = secret
        .name(format!("login-{name}"))
        .secret_string("hunter2-of-builds");
    secret.send().await.expect("the emulator makes it");
    let group = clients.logs().create_log_group();
    let group = group.log_group_name(format!("/builds/{name}"));
    group.send().await.expect("the emulator makes it");
}

/// Serves the routes of agents, as the function `api` does.
fn serve(listener: TcpListener, agents: Agents) {
    let account = ports::Account {
        id: "000000000000".to_owned(),
        region: "us-east-1".to_owned(),
    };
    let agents = api::Agents::new(Arc::new(agents), Arc::new(account), Vec::new());
    let (agents, runtime) = (Arc::new(agents), Handle::current());
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let (agents, runtime) = (Arc::clone(&agents), runtime.clone());
            thread::spawn(move || {
                // A connection that ends early is its client's affair.
                let _ = answer(&stream, &agents, &runtime);
            });
        }
    });
}

fn answer(stream: &TcpStream, agents: &api::Agents, runtime: &Handle) -> std::io::Result<()> {
    let (mut reader, mut writer) = (BufReader::new(stream), stream);
    while let Some(request) = Message::read_request(&mut reader, &mut writer)? {
        let (method, path) = request.request_line();
        let mut asked = http::Request::builder().method(method).uri(path);
        for (name, value) in &request.headers {
            asked = asked.header(name, value);
        }
        let asked = asked.body(Bytes::from(request.body.clone()));
        let asked = asked.map_err(std::io::Error::other)?;
        let answer = runtime.block_on(agents.handle(asked));
        if let Some(trouble) = answer.extensions().get::<api::agents::Trouble>() {
            println!("agents: {}", trouble.0);
        }
        let body = String::from_utf8_lossy(answer.body());
        Message::answer(answer.status().as_u16(), &body).write(&mut writer, false)?;
        writer.flush()?;
    }
    Ok(())
}

/// The program with the agent, built as the tests are.
pub(crate) fn agent() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let built = BUILT.get_or_init(|| {
        cargo(&["build", "--quiet", "--offline", "--package", "pipewright"]);
        let target = metadata()["target_directory"].as_str().map(PathBuf::from);
        let target = target.expect("cargo has a target folder");
        target.join("debug/pipewright")
    });
    built.clone()
}
