//! Releases while messages, answers and functions get lost.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use pipewright_tests::proxy::{Faults, Rates};
use serde_json::{Value, json};

use crate::{
    cli::wait,
    release::{self, Pipeline, RELEASES, SOURCES},
    stack::Stack,
};

const PIPELINE: &str = "faults";
const KEY: &str = "faults.zip";

/// How long all executions may take, sweeps included. A result that was in an emptied queue is
/// taken again when FIFO queues have forgotten it, after five minutes.
const END_WITHIN: Duration = Duration::from_mins(8);

/// The schedules sweep each minute; a test has less time.
const SWEPT_EVERY: Duration = Duration::from_secs(10);

const VISIBLE_AGAIN: &str = "VisibilityTimeout=15";

/// Of 1,000 calls.
const RATES: Rates = Rates {
    doubled: 150,
    lost: 100,
    throttled: 40,
    unanswered: 40,
    killed: 40,
};

/// Starts `executions` at once while things go wrong, empties the queues, and checks that
/// each execution that was accepted succeeded, once.
pub(crate) fn releases(stack: &Stack, executions: usize, seed: u64) {
    release::upload(&stack.aws, stack.folder.path(), SOURCES, KEY);
    Pipeline {
        name: PIPELINE,
        source_bucket: SOURCES,
        source_key: KEY,
        mode: "PARALLEL",
        is_built: true,
        topic: None,
        release: json!({
            "BucketName": RELEASES,
            "Extract": "false",
            "ObjectKey": "faults/#{codepipeline.PipelineExecutionId}.zip",
        }),
    }
    .make(&stack.pipewright, &stack.outputs["Bucket"]);
    hurry_queues(stack);
    stack.proxy.break_things(Faults::new(seed, RATES));
    let mut accepted = BTreeSet::new();
    for _ in 0..executions {
        // One that is refused was not accepted; nothing is promised about it.
        let told = stack.pipewright.ask(&[
            "codepipeline",
            "start-pipeline-execution",
            "--name",
            PIPELINE,
        ]);
        match told {
            Ok(told) => {
                accepted.extend(told["pipelineExecutionId"].as_str().map(str::to_owned));
            }
            Err(error) => eprintln!("not accepted: {error}"),
        }
    }
    empty_queues(stack);
    eprintln!(
        "{} of {executions} were accepted; the queues were emptied",
        accepted.len()
    );
    assert!(!accepted.is_empty(), "nothing was accepted");
    let mut swept = Instant::now();
    wait("end of all executions", END_WITHIN, || {
        if swept.elapsed() > SWEPT_EVERY {
            stack.sweep();
            swept = Instant::now();
        }
        let all = release::executions(&stack.pipewright, PIPELINE);
        let open = all
            .iter()
            .filter(|one| one["status"] == "InProgress")
            .count();
        (open == 0 && all.len() >= accepted.len()).then_some(())
    });
    let happened = stack.proxy.heal();
    eprintln!("what went wrong, with seed {seed}: {happened:?}");
    check(stack, &accepted);
}

/// The queues of the stack, dead letters included.
fn queues(stack: &Stack) -> Vec<String> {
    let queues = stack.aws.run(&["sqs", "list-queues"]);
    let queues = queues["QueueUrls"].as_array().into_iter().flatten();
    queues
        .filter_map(|queue| queue.as_str().map(str::to_owned))
        .collect()
}

/// What a function that died had taken is seen again soon. In the template it takes six times the
/// function's time, minutes in which a pipeline stands still.
fn hurry_queues(stack: &Stack) {
    for queue in queues(stack) {
        stack.aws.run(&[
            "sqs",
            "set-queue-attributes",
            "--queue-url",
            &queue,
            "--attributes",
            VISIBLE_AGAIN,
        ]);
    }
}

/// Empties every queue, as an operator would who must.
fn empty_queues(stack: &Stack) {
    for queue in queues(stack) {
        stack
            .aws
            .run(&["sqs", "purge-queue", "--queue-url", &queue]);
    }
}

fn check(stack: &Stack, accepted: &BTreeSet<String>) {
    let all = release::executions(&stack.pipewright, PIPELINE);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let listed: BTreeSet<String> = all
        .iter()
        .map(|one| text(&one["pipelineExecutionId"]))
        .collect();
    assert_eq!(
        listed.len(),
        all.len(),
        "an execution is listed twice: {all:?}"
    );
    let lost: Vec<_> = accepted.difference(&listed).collect();
    assert!(lost.is_empty(), "accepted, and lost: {lost:?}");
    for one in &all {
        assert_eq!(one["status"], "Succeeded", "{one}");
        let id = text(&one["pipelineExecutionId"]);
        let succeeded = ["Build", "Deploy", "Source"];
        let succeeded = succeeded.map(|name| (name.to_owned(), "Succeeded".to_owned()));
        let actions = release::actions(&stack.pipewright, PIPELINE, &id);
        assert_eq!(actions, succeeded, "execution {id}");
        let versions = stack.aws.run(&[
            "s3api",
            "list-object-versions",
            "--bucket",
            RELEASES,
            "--prefix",
            &format!("faults/{id}"),
        ]);
        // A message that came twice may deploy twice, and then deploys the very same.
        let versions = versions["Versions"].as_array().cloned().unwrap_or_default();
        let releases: BTreeSet<String> = versions.iter().map(|one| text(&one["ETag"])).collect();
        assert_eq!(
            releases.len(),
            1,
            "the release of execution {id}: {versions:?}"
        );
    }
}
