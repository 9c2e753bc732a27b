//! Builds on ECS, from the order to the report: the emulator's tasks are run by the real agent.

#![expect(
    clippy::print_stdout,
    reason = "the output says whether an engine ran the builds or a stand-in"
)]

#[path = "builds/site.rs"]
mod site;

use std::time::Duration;

use model::{
    build::{BuildKind, BuildState, BuildStatus},
    project::{Project, ProjectCache, ProjectEnvironment, ProjectSource},
};
use ports::{BuildLogs, BuildRunner};
use site::{BUCKET_KEY, IMAGE, Site};

#[tokio::test(flavor = "multi_thread")]
async fn a_build_runs_in_a_task_of_its_own_and_reports_through_the_api() {
    let site = Site::new().await;
    site.put(BUCKET_KEY, "hello").await;
    let order = site.order(&[
        "cat hello.txt > out.txt",
        "echo \"the password is $PASSWORD\"",
        "echo \"of the agent's: $(env | grep -c -e PIPEWRIGHT_ -e ECS_)\"",
        "export ANSWER=42",
    ]);
    let id = order.id.clone();
    assert_eq!(site.builds.state(&id).await.unwrap(), BuildState::Unknown);
    site.builds.start(order.clone()).await.unwrap();
    site.builds.start(order.clone()).await.unwrap();
    let token = site.token(&id).await;
    let report = site.end(&id).await;
    assert_eq!(report.status, BuildStatus::Succeeded, "{report:#?}");
    assert_eq!(report.exported_variables["ANSWER"], "42");
    assert_eq!(
        (report.isolation.as_str(), &report.log_stream),
        ("ecs", &id)
    );
    let phases: Vec<_> = report
        .phases
        .iter()
        .map(|it| it.phase_type.as_str())
        .collect();
    assert_eq!(
        phases[..4],
        ["SUBMITTED", "QUEUED", "PROVISIONING", "DOWNLOAD_SOURCE"]
    );
    let stored = site.get(&order.outputs[0].key).await.unwrap();
    assert_eq!(&stored[..2], b"PK");
    assert_eq!(site.ask(&id, &token), 404, "the token is dead");
    assert!(
        site.jobs().await.iter().any(|body| body.contains(&id)),
        "the worker is woken"
    );
    site.wait_for(&id, "the password is ***").await;
    site.wait_for(&id, "of the agent's: 0").await;
    site.builds.start(order).await.unwrap();
    assert_eq!(site.tasks(&id).await.len(), 1, "one task for one attempt");

    let (all, end) = site.logs.lines(&id, 0, 10_000).await.unwrap();
    assert!(!all.iter().any(|line| line.contains("hunter2")), "{all:#?}");
    let (first, next) = site.logs.lines(&id, 0, 2).await.unwrap();
    let (rest, same) = site.logs.lines(&id, next, 10_000).await.unwrap();
    assert_eq!(([first, rest].concat(), same), (all.clone(), end));
    let piece = site.logs.lines_before(&id, u64::MAX, 2).await.unwrap();
    assert_eq!(
        (piece.lines.as_slice(), piece.to),
        (&all[all.len() - 2..], end)
    );
    let before = site
        .logs
        .lines_before(&id, piece.from, 10_000)
        .await
        .unwrap();
    assert_eq!(before.lines, all[..all.len() - 2]);
    assert_eq!(
        site.logs.lines("nobody", 0, 9).await.unwrap(),
        (Vec::new(), 0)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_that_is_stopped_ends_with_its_task() {
    let site = Site::new().await;
    site.put(BUCKET_KEY, "hello").await;
    let order = site.order(&["echo begun", "sleep 600"]);
    let id = order.id.clone();
    site.builds.start(order).await.unwrap();
    site.wait_for(&id, "begun").await;
    site.builds.stop(&id).await.unwrap();
    let report = site.end(&id).await;
    assert_eq!(report.status, BuildStatus::Stopped, "{report:#?}");
    site.builds.stop(&id).await.unwrap();
    site.builds.stop("nobody").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_input_that_is_not_there_fails_the_build_where_sources_are_fetched() {
    let site = Site::new().await;
    let order = site.order(&["true"]);
    let id = order.id.clone();
    site.builds.start(order).await.unwrap();
    let report = site.end(&id).await;
    assert_eq!(report.status, BuildStatus::Failed);
    let last = report.phases.last().unwrap();
    assert_eq!(last.phase_type, "DOWNLOAD_SOURCE", "{report:#?}");
    assert!(
        last.message.as_ref().unwrap().contains("has no object"),
        "{last:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_stops_without_a_report_is_a_fault_after_a_while() {
    let site = Site::idle().await;
    let order = site.order(&["true"]);
    let id = order.id.clone();
    site.builds.start(order).await.unwrap();
    assert_eq!(site.builds.state(&id).await.unwrap(), BuildState::Running);
    assert_eq!(site.builds.phases(&id).await.unwrap().len(), 3);
    let token = site.token(&id).await;
    assert_eq!(site.ask(&id, "another"), 404);
    let task = site.tasks(&id).await.remove(0);
    let ecs = site.clients.ecs();
    let stop = ecs.stop_task().cluster(&site.cluster).task(task);
    stop.reason("Host is gone").send().await.unwrap();
    assert_eq!(site.builds.state(&id).await.unwrap(), BuildState::Running);
    site.ahead.by(Duration::from_secs(11));
    let report = site.end(&id).await;
    assert_eq!(report.status, BuildStatus::Fault);
    let message = report.phases.last().unwrap().message.clone().unwrap();
    assert!(message.contains("Host is gone"), "{message}");
    assert_eq!(site.ask(&id, &token), 404, "a late agent is nobody's");
    assert!(site.builds.phases(&id).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_falls_silent_loses_its_task() {
    let site = Site::idle().await;
    let order = site.order(&["true"]);
    let id = order.id.clone();
    site.builds.start(order).await.unwrap();
    site.ahead.by(Duration::from_mins(11));
    assert_eq!(site.builds.state(&id).await.unwrap(), BuildState::Running);
    site.ahead.by(Duration::from_mins(1));
    let report = site.end(&id).await;
    assert_eq!(report.status, BuildStatus::Fault);
    let message = report.phases.last().unwrap().message.clone().unwrap();
    assert!(message.contains("silent"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_s_image_has_a_task_definition_that_brings_the_agent_along() {
    let site = Site::idle().await;
    for _ in 0..2 {
        let mut order = site.order(&[]);
        order.what = BuildKind::Project {
            project: Box::new(project("docker.io/library/rust:1.95")),
            buildspec_override: None,
        };
        let id = order.id.clone();
        site.builds.start(order).await.unwrap();
        let task = site.tasks(&id).await.remove(0);
        let ecs = site.clients.ecs();
        let described = ecs.describe_tasks().cluster(&site.cluster).tasks(task);
        let described = described.send().await.unwrap();
        let definition = described.tasks()[0].task_definition_arn().unwrap();
        assert!(definition.ends_with(":1"), "made once: {definition}");
        let described = ecs.describe_task_definition().task_definition(definition);
        let described = described.send().await.unwrap().task_definition.unwrap();
        let [brings, runs] = described.container_definitions() else {
            panic!("it has two containers");
        };
        assert_eq!(brings.image(), Some(IMAGE));
        assert_eq!(runs.image(), Some("docker.io/library/rust:1.95"));
        assert_eq!(runs.entry_point(), ["/pipewright/pipewright"]);
        assert!(described.family().unwrap().starts_with(&site.family));
    }
    let mut order = site.order(&[]);
    order.what = BuildKind::Project {
        project: Box::new(project("--privileged")),
        buildspec_override: None,
    };
    let refused = site.builds.start(order).await.unwrap_err().to_string();
    assert!(refused.contains("names no image"), "{refused}");
}

fn project(image: &str) -> Project {
    Project {
        name: "web".to_owned(),
        description: None,
        source: ProjectSource::default(),
        environment: ProjectEnvironment {
            image: Some(image.to_owned()),
            ..ProjectEnvironment::default()
        },
        cache: ProjectCache::default(),
        timeout_in_minutes: 5,
    }
}
