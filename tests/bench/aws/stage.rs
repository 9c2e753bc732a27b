//! A table, queues and a bus of their own, with the functions' handlers around them.

use std::{
    collections::BTreeMap,
    error::Error,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use action_worker::Worker;
use async_trait::async_trait;
use aws::{Settings, Stack};
use model::{
    ActionCategory, ActionOutput, Change, ExecutionStatus, Job,
    effect::ApprovalRequest,
    job::ActionResult,
    state::{Trigger, TriggerType},
};
use operations::{
    Caller, CreatePipeline, PutApprovalResult, StartPipelineExecution, create_pipeline,
    put_approval_result, start_pipeline_execution,
};
use pipewright_tests::emulator::Emulator;
use ports::{EventBus, StoreError, World};
use providers::{Catalogue, Progress, Provider};
use serde_json::{Value, json};

use crate::ledger::Ledger;

const PIPELINE: &str = "p5";

/// An execution that takes more messages is stuck.
const MESSAGES_MAX: usize = 200;

/// How long a queue is asked for more, in seconds.
const WAIT_SECONDS: i32 = 1;

pub(crate) struct Stage {
    world: World,
    worker: Worker,
    stack: Stack,
    heard: Arc<Heard>,
    /// Whose calls are not counted: what stands for Lambda's own polling.
    poller: aws_sdk_sqs::Client,
    inputs: String,
    jobs: String,
}

impl Stage {
    pub(crate) async fn set() -> Result<Self, Box<dyn Error>> {
        let endpoint = Emulator::shared().endpoint();
        let of = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let mut variables = vec![
            of("AWS_REGION", "us-east-1"),
            of("AWS_ACCESS_KEY_ID", "test"),
            of("AWS_SECRET_ACCESS_KEY", "test"),
            of("AWS_ENDPOINT_URL", &endpoint),
            of("PIPEWRIGHT_ACCOUNT", "000000000000"),
            of("PIPEWRIGHT_TABLE", "pipewright"),
            of("PIPEWRIGHT_BUS", "pipewright"),
        ];
        let bare = aws::Clients::new(&Settings::of(variables.clone()))?;
        let poller = bare.sqs();
        let fifo = BTreeMap::from([("FifoQueue", "true")]);
        let inputs = queue(&poller, "p5.fifo", &fifo).await?;
        let jobs = queue(&poller, "p5", &BTreeMap::new()).await?;
        bare.eventbridge()
            .create_event_bus()
            .name("pipewright")
            .send()
            .await?;
        variables.push(of("PIPEWRIGHT_INPUTS_QUEUE", &inputs));
        variables.push(of("PIPEWRIGHT_JOBS_QUEUE", &jobs));
        let stack = Stack::new("p5", Settings::of(variables))?;
        stack.table()?.create().await?;
        let heard = Arc::new(Heard {
            bus: Arc::new(aws::Bus::new(&stack.clients, &stack.settings)?),
            questions: Mutex::default(),
            events: Mutex::default(),
        });
        let world = World {
            queues: stack.queues()?,
            bus: heard.clone(),
            objects: stack.objects(),
            ..stack.world()?
        };
        let idle: Arc<dyn Provider> = Arc::new(Idle);
        let catalogue = Catalogue::empty()
            .with(ActionCategory::Source, "S3", idle.clone())
            .with(ActionCategory::Build, "CodeBuild", idle.clone())
            .with(ActionCategory::Test, "CodeBuild", idle.clone())
            .with(ActionCategory::Deploy, "S3", idle);
        let worker = Worker::new(world.clone(), catalogue);
        create(&world).await?;
        Ok(Self {
            world,
            worker,
            stack,
            heard,
            poller,
            inputs,
            jobs,
        })
    }

    /// One execution to its end, step by step.
    pub(crate) async fn execute(&self) -> Result<Vec<(String, Ledger)>, Box<dyn Error>> {
        self.stack.clients.meter().take();
        let mut steps = Vec::new();
        let request = StartPipelineExecution {
            pipeline: PIPELINE.to_owned(),
            trigger: Trigger {
                kind: TriggerType::StartPipelineExecution,
                detail: "arn:aws:iam::000000000000:user/p5".to_owned(),
            },
            variables: BTreeMap::new(),
            source_revisions: Vec::new(),
            client_request_token: None,
            by: Caller::owner("p5"),
        };
        let id = start_pipeline_execution(&self.world, request).await?;
        steps.push(self.step("StartPipelineExecution", Way::Called));
        for _ in 0..MESSAGES_MAX {
            let execution = self.world.pipelines.execution(PIPELINE, id).await?;
            self.stack.clients.meter().take();
            let status = execution.map(|execution| execution.status);
            if status == Some(ExecutionStatus::Succeeded) {
                return Ok(steps);
            }
            if let Some(job) = self.receive(&self.jobs).await? {
                let mut job: Value = serde_json::from_str(&job)?;
                let name = work(&job);
                // What counts hops is for the function around the worker.
                job.as_object_mut().and_then(|job| job.remove("hops"));
                self.worker.handle(serde_json::from_value(job)?).await?;
                steps.push(self.step(&name, Way::Standard));
            } else if let Some(input) = self.receive(&self.inputs).await? {
                let input: Value = serde_json::from_str(&input)?;
                let event = json!({"inputs": {"pipeline": PIPELINE, "inputs": [input["input"]]}});
                stage_transition::handle(&self.world, serde_json::from_value(event)?).await?;
                steps.push(self.step("its result", Way::Fifo));
            } else if let Some(question) = self.heard.question() {
                self.answer(question).await?;
                steps.push(self.step("PutApprovalResult", Way::Called));
            } else {
                return Err(format!("execution {id} is stuck: {status:?}").into());
            }
        }
        Err(format!("execution {id} takes more than {MESSAGES_MAX} messages").into())
    }

    async fn answer(&self, question: ApprovalRequest) -> Result<(), Box<dyn Error>> {
        let key = question.key;
        let result = PutApprovalResult {
            pipeline: key.pipeline,
            stage: key.stage,
            action: key.action,
            token: key.token,
            approved: true,
            summary: "p5".to_owned(),
            by: Caller::owner("p5"),
        };
        put_approval_result(&self.world, result).await?;
        Ok(())
    }

    /// What was done since the last step, by one invocation.
    fn step(&self, name: &str, way: Way) -> (String, Ledger) {
        let mut ledger = Ledger {
            invocations: 1,
            events: std::mem::take(&mut *self.heard.events()),
            standard: u64::from(way == Way::Standard),
            fifo: u64::from(way == Way::Fifo),
            ..Ledger::default()
        };
        ledger.count(&self.stack.clients.meter().take());
        (name.to_owned(), ledger)
    }

    /// The next message of a queue, deleted as Lambda does it when it was handled.
    async fn receive(&self, queue: &str) -> Result<Option<String>, Box<dyn Error>> {
        let received = self.poller.receive_message().queue_url(queue);
        let received = received.wait_time_seconds(WAIT_SECONDS).send().await?;
        let Some(message) = received.messages.unwrap_or_default().pop() else {
            return Ok(None);
        };
        let delete = self.poller.delete_message().queue_url(queue);
        let delete = delete.set_receipt_handle(message.receipt_handle);
        delete.send().await?;
        Ok(message.body)
    }
}

/// How a step was caused.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Called,
    Standard,
    Fifo,
}

fn work(job: &Value) -> String {
    let action = job["offered"]["key"]["action"].as_str().unwrap_or("?");
    format!("action `{action}`")
}

async fn queue(
    client: &aws_sdk_sqs::Client,
    name: &str,
    attributes: &BTreeMap<&str, &str>,
) -> Result<String, Box<dyn Error>> {
    let mut request = client.create_queue().queue_name(name);
    for (name, value) in attributes {
        request = request.attributes((*name).into(), *value);
    }
    let created = request.send().await?;
    Ok(created.queue_url.ok_or("a queue has an address")?)
}

async fn create(world: &World) -> Result<(), Box<dyn Error>> {
    let action = |name: &str, type_id: (&str, &str), configuration: Value| {
        json!({
            "name": name,
            "actionTypeId": {
                "category": type_id.0, "owner": "AWS", "provider": type_id.1, "version": "1"
            },
            "configuration": configuration,
            "inputArtifacts": [],
            "outputArtifacts": [],
        })
    };
    let with = |mut action: Value, input: &[&str], output: &[&str]| {
        let named = |names: &[&str]| names.iter().map(|it| json!({"name": it})).collect();
        action["inputArtifacts"] = Value::Array(named(input));
        action["outputArtifacts"] = Value::Array(named(output));
        action
    };
    let source = json!({
        "S3Bucket": "sources", "S3ObjectKey": "app.zip", "PollForSourceChanges": "false",
    });
    let site = json!({"BucketName": "site", "Extract": "true"});
    let project = |name: &str| json!({"ProjectName": name});
    let declaration = json!({
        "name": PIPELINE,
        "roleArn": "arn:aws:iam::000000000000:role/pipewright",
        "artifactStore": {"type": "S3", "location": "artifacts"},
        "stages": [
            {"name": "Source", "actions": [
                with(action("source", ("Source", "S3"), source), &[], &["App"]),
            ]},
            {"name": "Check", "actions": [
                with(action("build", ("Build", "CodeBuild"), project("build")), &["App"], &["Built"]),
                with(action("test", ("Test", "CodeBuild"), project("test")), &["App"], &[]),
            ]},
            {"name": "Approve", "actions": [
                action("approve", ("Approval", "Manual"), json!({})),
            ]},
            {"name": "Deploy", "actions": [
                with(action("deploy", ("Deploy", "S3"), site), &["Built"], &[]),
            ]},
        ],
    });
    let request = CreatePipeline {
        declaration: serde_json::from_value(declaration)?,
        tags: Vec::new(),
        starts: false,
        by: Caller::owner("p5"),
    };
    create_pipeline(world, request).await?;
    Ok(())
}

/// The bus, with an ear on it.
struct Heard {
    bus: Arc<dyn EventBus>,
    questions: Mutex<Vec<ApprovalRequest>>,
    events: Mutex<u64>,
}

impl Heard {
    fn question(&self) -> Option<ApprovalRequest> {
        self.questions().pop()
    }

    fn questions(&self) -> MutexGuard<'_, Vec<ApprovalRequest>> {
        let questions = self.questions.lock();
        questions.unwrap_or_else(PoisonError::into_inner)
    }

    fn events(&self) -> MutexGuard<'_, u64> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl EventBus for Heard {
    async fn publish(&self, changes: &[Change]) -> Result<(), StoreError> {
        *self.events() += u64::try_from(changes.len()).unwrap_or_default();
        self.bus.publish(changes).await
    }

    async fn ask(&self, request: &ApprovalRequest) -> Result<(), StoreError> {
        self.questions().push(request.clone());
        self.bus.ask(request).await
    }
}

/// A provider whose work is done at once.
struct Idle;

#[async_trait]
impl Provider for Idle {
    async fn start(&self, _: &World, _: &Job) -> Progress {
        Progress::Done(ActionResult::Succeeded(ActionOutput::default()))
    }

    async fn poll(&self, world: &World, job: &Job) -> Progress {
        self.start(world, job).await
    }

    async fn stop(&self, _: &World, _: &Job) {}
}
