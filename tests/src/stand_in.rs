//! A stand-in for Fargate, where no container engine can be started: it watches the emulator's
//! tasks and runs for each of them the same agent that the build image has, as a process.
//!
//! The emulator keeps such tasks `RUNNING` and does nothing else. The process has the environment
//! that the task's overrides name and nothing else but `PATH`; what it prints goes to the stream
//! that the `awslogs` driver would write, and when it has ended the task is stopped. When somebody
//! stops the task, the process gets SIGTERM, and SIGKILL half a minute later.

use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader, Read},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use access::sigv4;
use model::Timestamp;
use serde_json::{Value, json};

use crate::http::Message;

/// How often tasks are looked for.
const LOOK: Duration = Duration::from_millis(200);

/// How long a task that is stopped gets: ECS's own default.
const STOP_WITHIN: Duration = Duration::from_secs(30);

/// The prefix of streams where a task definition names none.
const STREAM_PREFIX: &str = "build";

/// How many tasks one answer describes.
const DESCRIBED_MAX: usize = 100;

/// How many lines are sent at once.
const LINES_MAX: usize = 1_000;

/// Runs until it is dropped; then its processes are killed.
pub struct StandIn {
    is_over: Arc<AtomicBool>,
    watcher: Option<JoinHandle<()>>,
    ran: Arc<Mutex<Vec<String>>>,
}

/// Watches the cluster; the agent is `<binary> agent`, and its log goes to that group.
pub fn start(endpoint: &str, cluster: &str, agent_binary: &Path, log_group: &str) -> StandIn {
    let address = endpoint
        .strip_prefix("http://")
        .and_then(|address| address.trim_end_matches('/').parse().ok());
    let site = Site {
        address: address.unwrap_or_else(|| panic!("`{endpoint}` is no http://<address>:<port>")),
        cluster: cluster.to_owned(),
        agent: agent_binary.to_owned(),
        log_group: log_group.to_owned(),
    };
    let is_over = Arc::new(AtomicBool::new(false));
    let ran = Arc::new(Mutex::new(Vec::new()));
    let (over, all) = (Arc::clone(&is_over), Arc::clone(&ran));
    let watcher = thread::spawn(move || watch(&Arc::new(site), &over, &all));
    StandIn {
        is_over,
        watcher: Some(watcher),
        ran,
    }
}

impl StandIn {
    /// What the output of a test says of where its builds ran.
    pub const NAME: &str =
        "stand-in: no container engine can be started here, so builds run as processes";

    /// The ARNs of the tasks that it ran so far.
    pub fn tasks(&self) -> Vec<String> {
        let ran = self.ran.lock().unwrap_or_else(PoisonError::into_inner);
        ran.clone()
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(watcher) = self.watcher.take() {
            // It has said already what went wrong with it.
            let _ = watcher.join();
        }
    }
}

/// The emulator takes it for the account's owner.
const OWNER: sigv4::Credentials<'_> = sigv4::Credentials {
    access_key: "test",
    secret: "test",
    session_token: None,
};

struct Site {
    address: SocketAddr,
    cluster: String,
    agent: PathBuf,
    log_group: String,
}

impl Site {
    /// Calls an operation; an emulator that does not answer is asked again by the next look.
    fn call(&self, target: &str, body: &Value) -> Option<Value> {
        let service = if target.starts_with("Logs") {
            "logs"
        } else {
            "ecs"
        };
        let body = body.to_string();
        let headers = [
            ("host", self.address.to_string()),
            ("x-amz-target", target.to_owned()),
            ("content-type", "application/x-amz-json-1.1".to_owned()),
        ];
        let headers = headers.map(|(name, value)| (name.to_owned(), value));
        let unsigned = sigv4::Request {
            method: "POST",
            path: "/",
            query: "",
            headers: &headers,
            body: body.as_bytes(),
        };
        let scope = sigv4::Scope {
            region: "us-east-1",
            service,
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
        let now = Timestamp(now.as_millis().try_into().ok()?);
        let signature = sigv4::sign(&unsigned, &OWNER, scope, now);
        let request = Message {
            first: "POST / HTTP/1.1".to_owned(),
            headers: headers.into_iter().chain(signature).collect(),
            body: body.into_bytes(),
        };
        let answer = request.send(self.address).ok()?;
        let body = serde_json::from_slice(&answer.body).ok()?;
        (answer.status() == 200).then_some(body)
    }

    fn ecs(&self, operation: &str, mut body: Value) -> Option<Value> {
        body["cluster"] = json!(self.cluster);
        let target = format!("AmazonEC2ContainerServiceV20141113.{operation}");
        self.call(&target, &body)
    }

    /// The tasks that run, as they are described.
    fn running(&self) -> Vec<Value> {
        let listed = self.ecs("ListTasks", json!({"desiredStatus": "RUNNING"}));
        let arns = listed.map_or_else(Vec::new, |mut listed| {
            serde_json::from_value::<Vec<String>>(listed["taskArns"].take()).unwrap_or_default()
        });
        let described = arns
            .chunks(DESCRIBED_MAX)
            .filter_map(|arns| self.ecs("DescribeTasks", json!({"tasks": arns})));
        described
            .flat_map(|mut described| match described["tasks"].take() {
                Value::Array(tasks) => tasks,
                _ => Vec::new(),
            })
            .collect()
    }

    fn is_running(&self, arn: &str) -> bool {
        let described = self.ecs("DescribeTasks", json!({"tasks": [arn]}));
        // An emulator that does not answer has stopped nothing.
        described.is_none_or(|described| described["tasks"][0]["desiredStatus"] == "RUNNING")
    }

    fn stream_prefix(&self, definition: &Value) -> String {
        let body = json!({"taskDefinition": definition});
        let described = self.ecs("DescribeTaskDefinition", body).unwrap_or_default();
        let containers = &described["taskDefinition"]["containerDefinitions"];
        let options = &containers[0]["logConfiguration"]["options"];
        let prefix = options["awslogs-stream-prefix"].as_str();
        prefix.unwrap_or(STREAM_PREFIX).to_owned()
    }

    fn log(&self, operation: &str, mut body: Value) {
        body["logGroupName"] = json!(self.log_group);
        // What is there already is refused, and a log that is lost fails the test that reads it.
        let _ = self.call(&format!("Logs_20140328.{operation}"), &body);
    }
}

fn watch(site: &Arc<Site>, is_over: &Arc<AtomicBool>, ran: &Mutex<Vec<String>>) {
    let (mut seen, mut runs) = (BTreeSet::new(), Vec::new());
    while !is_over.load(Ordering::Relaxed) {
        for task in site.running() {
            let arn = task["taskArn"].as_str().unwrap_or_default().to_owned();
            if seen.insert(arn.clone()) {
                ran.lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(arn.clone());
                let (site, is_over) = (Arc::clone(site), Arc::clone(is_over));
                runs.push(thread::spawn(move || run(&site, &arn, &task, &is_over)));
            }
        }
        thread::sleep(LOOK);
    }
    for run in runs {
        // A run that panicked has told so.
        let _ = run.join();
    }
}

fn run(site: &Arc<Site>, arn: &str, task: &Value, is_over: &AtomicBool) {
    // An image of a project's own comes after the container that brings the agent.
    let container = &task["overrides"]["containerOverrides"][0];
    let name = container["name"].as_str().unwrap_or("build");
    let id = arn.rsplit('/').next().unwrap_or(arn);
    let prefix = site.stream_prefix(&task["taskDefinitionArn"]);
    let stream = format!("{prefix}/{name}/{id}");
    site.log("CreateLogGroup", json!({}));
    site.log("CreateLogStream", json!({"logStreamName": stream}));
    let mut command = Command::new(&site.agent);
    command
        .arg("agent")
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    for variable in container["environment"].as_array().into_iter().flatten() {
        let text = |key: &str| variable[key].as_str().unwrap_or_default().to_owned();
        command.env(text("name"), text("value"));
    }
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => {
            let reason = format!("CannotStartContainerError: {error}");
            site.ecs("StopTask", json!({"task": arn, "reason": reason}));
            return;
        }
    };
    let (say, lines) = mpsc::channel();
    read(child.stdout.take(), say.clone());
    read(child.stderr.take(), say);
    let carrier = {
        let site = Arc::clone(site);
        thread::spawn(move || carry(&site, &stream, &lines))
    };
    wait(site, arn, &mut child, is_over);
    // It ends with the pipes, which everything that the agent started has closed.
    let _ = carrier.join();
    let reason = "Essential container in task exited";
    site.ecs("StopTask", json!({"task": arn, "reason": reason}));
}

/// Waits for the process, and ends it when its task is stopped.
fn wait(site: &Site, arn: &str, child: &mut Child, is_over: &AtomicBool) {
    let mut kill_at = None;
    loop {
        if !matches!(child.try_wait(), Ok(None)) {
            return;
        }
        let is_late = kill_at.is_some_and(|at| Instant::now() >= at);
        if is_late || is_over.load(Ordering::Relaxed) {
            let _ = child.kill();
            let _ = child.wait();
            return;
        }
        if kill_at.is_none() && !site.is_running(arn) {
            kill_at = Some(Instant::now() + STOP_WITHIN);
            let pid = child.id().to_string();
            let _ = Command::new("kill").args(["-TERM", &pid]).status();
        }
        thread::sleep(LOOK);
    }
}

fn read(from: Option<impl Read + Send + 'static>, say: mpsc::Sender<String>) {
    let Some(from) = from else { return };
    thread::spawn(move || {
        for line in BufReader::new(from).split(b'\n').map_while(Result::ok) {
            if say
                .send(String::from_utf8_lossy(&line).into_owned())
                .is_err()
            {
                return;
            }
        }
    });
}

/// Writes lines as the driver does: each is an event, and those that come together are one request.
fn carry(site: &Site, stream: &str, lines: &mpsc::Receiver<String>) {
    while let Ok(first) = lines.recv() {
        let more = lines.try_iter().take(LINES_MAX - 1);
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let at = since.map_or(0, |since| since.as_millis());
        let at = u64::try_from(at).unwrap_or_default();
        let events: Vec<Value> = std::iter::once(first)
            .chain(more)
            // CloudWatch Logs takes no empty message, and the driver sends none.
            .filter(|line| !line.is_empty())
            .map(|line| json!({"timestamp": at, "message": line}))
            .collect();
        if !events.is_empty() {
            let body = json!({"logStreamName": stream, "logEvents": events});
            site.log("PutLogEvents", body);
        }
    }
}
