//! A pipeline `web` in a world of real adapters, and servers that take what is sent to them.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use access::link::LinkKey;
use embedded::{Cursors, GitRepositories, ManualClock, Objects, SeededRandom, Store};
use model::{
    ActionOutput, AttemptKey, ExecutionId, Input, PipelineDeclaration, PipelineState, Timestamp,
    declaration::read::Format,
    derive,
    input::{ApprovalDecision, Start},
    job::{ActionResult, ErrorDetails},
    state::{SourceRevision, Trigger, TriggerType},
};
use notification::{Config, Links, Notifier, rules::Lookup};
use ports::{Account, Decision, Request, World, nobody::Nobody, update};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};
use uuid::Uuid;

pub(crate) const NOW: Timestamp = Timestamp(1_547_106_937_250);

/// What webhooks are signed with.
pub(crate) const SECRET: &str = "0123456789abcdef";

pub(crate) struct Bench {
    pub(crate) world: World,
    pub(crate) clock: ManualClock,
    pub(crate) cursors: Arc<Cursors>,
    pub(crate) key: LinkKey,
    pub(crate) store: Store,
    pub(crate) folder: TempDir,
}

impl Bench {
    /// With a pipeline whose approval has this configuration, and no execution.
    pub(crate) async fn with(configuration: &str) -> Self {
        let clock = ManualClock::new(NOW);
        let store = Store::in_memory().expect("it can be opened");
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let world = World {
            account: Arc::new(Account {
                id: "000000000000".to_owned(),
                region: "us-east-1".to_owned(),
            }),
            objects: Arc::new(Objects::temporary(Arc::new(clock.clone())).expect("it opens")),
            clock: Arc::new(clock.clone()),
            random: Arc::new(SeededRandom::new(1)),
            pipelines: Arc::new(store.clone()),
            queues: Arc::new(Nobody),
            bus: Arc::new(Nobody),
            builds: Arc::new(Nobody),
            projects: Arc::new(store.clone()),
            repositories: Arc::new(GitRepositories::new(BTreeMap::new(), folder.path())),
        };
        let bench = Self {
            world,
            clock,
            cursors: Arc::new(Cursors::in_memory().expect("they open")),
            key: LinkKey::new([7; 32]),
            store,
            folder,
        };
        let declaration = Arc::new(declaration(configuration));
        bench.step(&Input::DefinitionChanged { declaration }).await;
        bench
    }

    pub(crate) async fn new() -> Self {
        Self::with("{}").await
    }

    /// A notifier with these rules, whose targets begin here.
    pub(crate) async fn notifier(&self, rules: &str) -> Notifier {
        let notifier = self.notifier_as_it_was(rules);
        notifier.begin().await.expect("it begins");
        notifier
    }

    pub(crate) fn notifier_as_it_was(&self, rules: &str) -> Notifier {
        let secret = |name: &str| (name == "hook").then(|| SECRET.to_owned());
        let lookup = Lookup {
            secret: &secret,
            env: &|_| None,
        };
        let config = Config::read(rules, Format::Yaml, &lookup);
        let config = config.unwrap_or_else(|problems| panic!("{problems:?}"));
        let links = Links {
            base: "https://ci.example.org".to_owned(),
            key: self.key.clone(),
        };
        Notifier::new(self.world.clone(), self.cursors.clone(), links, config)
    }

    /// Commits what the engine makes of an input.
    pub(crate) async fn step(&self, input: &Input) {
        let request = Request {
            create: true,
            ..Request::default()
        };
        let decide = |state: &mut PipelineState, now| {
            let effects = engine::step(state, input, now)?;
            let deadline = engine::deadline(state);
            Ok(Decision { effects, deadline })
        };
        let updated = update(&self.world, "web", request, decide).await;
        updated.expect("the input is accepted");
    }

    /// An execution begins: three changes in one commit.
    pub(crate) async fn start(&self, number: u128) -> ExecutionId {
        let execution = ExecutionId(Uuid::from_u128(number));
        let start = Start {
            execution,
            secret: Uuid::from_u128(2),
            trigger: Trigger {
                kind: TriggerType::StartPipelineExecution,
                detail: "arn:aws:iam::000000000000:user/ann".to_owned(),
            },
            variables: BTreeMap::new(),
            overrides: Vec::new(),
        };
        self.step(&Input::Start(Box::new(start))).await;
        execution
    }

    /// The source is fetched, and the approval asked for; or it fails.
    pub(crate) async fn fetch(&self, execution: ExecutionId, summary: Result<&str, &str>) {
        let key = AttemptKey {
            pipeline: "web".to_owned(),
            execution,
            stage: "Source".to_owned(),
            action: "Fetch".to_owned(),
            attempt: 1,
            token: derive::attempt_token(Uuid::from_u128(2), "Source", "Fetch", 1),
        };
        let result = match summary {
            Ok(summary) => ActionResult::Succeeded(ActionOutput {
                revision: Some(SourceRevision {
                    revision_id: "c0ffee".to_owned(),
                    revision_summary: Some(summary.to_owned()),
                    revision_url: None,
                    revision_change_identifier: None,
                    created: None,
                }),
                ..ActionOutput::default()
            }),
            Err(why) => ActionResult::Failed {
                error: ErrorDetails::job_failed(why),
                output: ActionOutput::default(),
            },
        };
        self.step(&Input::ActionFinished { key, result }).await;
    }

    pub(crate) async fn approve(&self) {
        let decision = ApprovalDecision {
            stage: "Release".to_owned(),
            action: "Approve".to_owned(),
            token: token(),
            approved: true,
            summary: String::new(),
            by: "ann".to_owned(),
        };
        self.step(&Input::ApprovalDecided(decision)).await;
    }
}

/// What the approval is answered with.
pub(crate) fn token() -> Uuid {
    derive::attempt_token(Uuid::from_u128(2), "Release", "Approve", 1)
}

fn declaration(configuration: &str) -> PipelineDeclaration {
    let json = format!(
        r#"{{"name": "web", "pipelineType": "V2",
            "roleArn": "arn:aws:iam::000000000000:role/pipeline",
            "artifactStore": {{"type": "S3", "location": "artifacts"}},
            "stages": [{{"name": "Source", "actions": [{{"name": "Fetch", "actionTypeId":
                {{"category": "Source", "owner": "AWS", "provider": "S3", "version": "1"}}}}]}},
              {{"name": "Release", "actions": [{{"name": "Approve", "actionTypeId":
                {{"category": "Approval", "owner": "AWS", "provider": "Manual", "version": "1"}},
                "configuration": {configuration}}}]}}]}}"#
    );
    serde_json::from_str(&json).expect("it is a declaration")
}

/// An answer that does not come: after this time the connection is closed.
pub(crate) const HANG: &str = "hang";
pub(crate) const HANG_TIME: Duration = Duration::from_secs(2);

/// A request as a webhook's server gets it: header names in lower case.
#[derive(Clone, Debug, Default)]
pub(crate) struct Got {
    pub(crate) line: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

/// A webhook's server: answers with the scripted statuses, and then with 204.
#[derive(Clone, Default)]
pub(crate) struct Hook {
    got: Arc<Mutex<Vec<Got>>>,
    answers: Arc<Mutex<VecDeque<String>>>,
    pub(crate) port: u16,
}

fn guard<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Hook {
    pub(crate) async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("it has an address").port();
        let hook = Self {
            port,
            ..Self::default()
        };
        let serving = hook.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                serving.serve(stream).await;
            }
        });
        hook
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook", self.port)
    }

    /// The rest of the answer's head, from the status on.
    pub(crate) fn answer(&self, answers: &[&str]) {
        guard(&self.answers).extend(answers.iter().map(|answer| (*answer).to_owned()));
    }

    pub(crate) fn got(&self) -> Vec<Got> {
        std::mem::take(&mut *guard(&self.got))
    }

    /// The state in each event that came.
    pub(crate) fn states(&self) -> Vec<String> {
        let state = |got: Got| {
            let event: serde_json::Value = serde_json::from_str(&got.body).expect("it is JSON");
            let detail = &event["detail"];
            let of = detail["action"].as_str().or(detail["stage"].as_str());
            format!(
                "{} {}",
                of.unwrap_or("web"),
                detail["state"].as_str().expect("a state")
            )
        };
        self.got().into_iter().map(state).collect()
    }

    async fn serve(&self, stream: TcpStream) {
        let mut stream = BufReader::new(stream);
        let mut got = Got::default();
        let mut line = String::new();
        while stream.read_line(&mut line).await.is_ok_and(|read| read > 2) {
            match line.trim_end().split_once(": ") {
                Some((name, value)) => {
                    got.headers.insert(name.to_lowercase(), value.to_owned());
                }
                None => line.trim_end().clone_into(&mut got.line),
            }
            line.clear();
        }
        let length = got
            .headers
            .get("content-length")
            .map_or(Ok(0), |n| n.parse());
        let mut body = vec![0; length.expect("it is a number")];
        stream.read_exact(&mut body).await.expect("the body comes");
        got.body = String::from_utf8(body).expect("it is text");
        guard(&self.got).push(got);
        let answer = guard(&self.answers).pop_front();
        if answer.as_deref() == Some(HANG) {
            return tokio::time::sleep(HANG_TIME).await;
        }
        let answer = answer.unwrap_or_else(|| "204 No Content\r\n\r\n".to_owned());
        let answer = format!("HTTP/1.1 {answer}");
        // Whoever sent it may have left.
        let _ = stream.get_mut().write_all(answer.as_bytes()).await;
        let _ = stream.get_mut().shutdown().await;
    }
}

/// A mail as the server gets it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Mail {
    pub(crate) from: String,
    pub(crate) to: Vec<String>,
    pub(crate) data: String,
}

/// A mail server that keeps what it gets.
#[derive(Clone, Default)]
pub(crate) struct MailServer {
    mails: Arc<Mutex<Vec<Mail>>>,
    /// Whether it takes mail now.
    pub(crate) is_full: Arc<std::sync::atomic::AtomicBool>,
    pub(crate) port: u16,
}

impl MailServer {
    pub(crate) async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("it has an address").port();
        let server = Self {
            port,
            ..Self::default()
        };
        let serving = server.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let _ = serving.serve(stream).await;
            }
        });
        server
    }

    /// The rules' part about it.
    pub(crate) fn smtp(&self) -> String {
        format!(
            "smtp: {{host: 127.0.0.1, port: {}, tls: none, from: Pipewright <ci@example.org>}}\n",
            self.port
        )
    }

    pub(crate) fn mails(&self) -> Vec<Mail> {
        std::mem::take(&mut *guard(&self.mails))
    }

    async fn serve(&self, stream: TcpStream) -> std::io::Result<()> {
        let mut stream = BufReader::new(stream);
        stream.get_mut().write_all(b"220 sink\r\n").await?;
        let (mut mail, mut line) = (Mail::default(), String::new());
        while stream.read_line(&mut line).await? > 0 {
            let command = line.trim_end().to_owned();
            line.clear();
            let verb = command
                .split([' ', ':'])
                .next()
                .unwrap_or_default()
                .to_uppercase();
            let argument = command.split_once(':').map_or("", |(_, argument)| argument);
            let reply: &[u8] = match verb.as_str() {
                "EHLO" | "HELO" => b"250-sink\r\n250 8BITMIME\r\n",
                "MAIL" => {
                    argument.clone_into(&mut mail.from);
                    b"250 ok\r\n"
                }
                "RCPT" => {
                    mail.to.push(argument.to_owned());
                    b"250 ok\r\n"
                }
                "DATA" if self.is_full.load(std::sync::atomic::Ordering::SeqCst) => {
                    b"452 the disk is full\r\n"
                }
                "DATA" => {
                    stream.get_mut().write_all(b"354 go on\r\n").await?;
                    while stream.read_line(&mut line).await? > 0 && line != ".\r\n" {
                        mail.data.push_str(&line);
                        line.clear();
                    }
                    line.clear();
                    guard(&self.mails).push(std::mem::take(&mut mail));
                    b"250 taken\r\n"
                }
                "QUIT" => {
                    stream.get_mut().write_all(b"221 bye\r\n").await?;
                    return Ok(());
                }
                _ => b"250 ok\r\n",
            };
            stream.get_mut().write_all(reply).await?;
        }
        Ok(())
    }
}

/// Whether a pause after so many failures is as long as it should be.
pub(crate) fn is_about(pause: Duration, whole: Duration) -> bool {
    (whole / 2..=whole).contains(&pause)
}
