use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::*;
use crate::answers::{Answer, clients};

const BUILD: &str = "11111111-1111-1111-1111-111111111111";

/// A cluster that answers as a test says, and the names of what it was asked for.
fn tasks(
    answer: impl Fn(&str, &Value, usize) -> Answer + Send + Sync + 'static,
) -> (Tasks, Arc<Mutex<Vec<String>>>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let all = Arc::clone(&asked);
    let clients = clients(move |operation, body| {
        let mut asked = all.lock().expect("no test panics in it");
        asked.push(operation.to_owned());
        let nth = asked.iter().filter(|it| *it == operation).count();
        answer(operation, body, nth)
    });
    let settings = [
        ("PIPEWRIGHT_TASK_DEFINITION", "build:1"),
        ("PIPEWRIGHT_TASK_CONTAINER", "build"),
        ("PIPEWRIGHT_CLUSTER", "c"),
        ("PIPEWRIGHT_SUBNETS", "s1, s2"),
        ("PIPEWRIGHT_PUBLIC_IP", "ENABLED"),
        ("PIPEWRIGHT_URL", "https://api"),
    ];
    let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let tasks = Tasks::new(&clients, &Settings::of(settings));
    (tasks.expect("it is whole"), asked)
}

async fn told(
    answer: impl Fn(&str, &Value, usize) -> Answer + Send + Sync + 'static,
) -> (String, String) {
    let (tasks, asked) = tasks(answer);
    let began = match tasks.run(BUILD, 0, "token", None).await {
        Ok(Began::Task(task)) => task,
        Ok(Began::Lost) => "lost".to_owned(),
        Ok(Began::NoCapacity(why)) => format!("no capacity: {why}"),
        Err(Trouble::Refused(why)) => format!("refused: {why}"),
        Err(Trouble::Passing(why)) => format!("passing: {why}"),
    };
    let asked = asked.lock().expect("no test panics in it").join(" ");
    (began, asked)
}

fn listed(tasks: &[&str]) -> Answer {
    Answer::Done(json!({ "taskArns": tasks }))
}

fn failed(reason: &str) -> Answer {
    Answer::Done(json!({"tasks": [], "failures": [{"reason": reason, "arn": "a"}]}))
}

#[tokio::test]
async fn a_task_is_begun_with_the_build_as_its_token_and_little_else() {
    let (began, asked) = told(|_, body, _| {
        assert_eq!(
            (&body["clientToken"], &body["startedBy"]),
            (&json!(BUILD), &json!(BUILD))
        );
        let container = &body["overrides"]["containerOverrides"][0];
        assert_eq!(container["environment"].as_array().map(Vec::len), Some(3));
        assert!(body["overrides"].to_string().len() < 8_192);
        let network = &body["networkConfiguration"]["awsvpcConfiguration"];
        assert_eq!(network["subnets"], json!(["s1", "s2"]));
        assert_eq!(network["assignPublicIp"], "ENABLED");
        Answer::Done(json!({"tasks": [{"taskArn": "t1"}], "failures": []}))
    })
    .await;
    assert_eq!((began.as_str(), asked.as_str()), ("t1", "RunTask"));
}

#[tokio::test]
async fn an_answer_that_was_lost_is_looked_for_before_another_task_is_begun() {
    let there = told(|operation, _, _| match operation {
        "RunTask" => Answer::Silence,
        _ => listed(&["t1"]),
    });
    let (began, asked) = there.await;
    assert_eq!(
        (began.as_str(), asked.as_str()),
        ("t1", "RunTask ListTasks")
    );

    let nowhere = told(|operation, _, nth| match (operation, nth) {
        ("RunTask", 1) => Answer::Failed(500, "ServerException"),
        ("RunTask", _) => Answer::Done(json!({"tasks": [{"taskArn": "t2"}], "failures": []})),
        _ => listed(&[]),
    });
    let (began, asked) = nowhere.await;
    assert_eq!(began, "t2");
    assert_eq!(asked, "RunTask ListTasks ListTasks RunTask");

    let never = told(|operation, _, _| match operation {
        "RunTask" => Answer::Silence,
        _ => listed(&[]),
    });
    let (began, asked) = never.await;
    assert_eq!(began, "lost");
    assert_eq!(asked.matches("RunTask").count(), SENDS_MAX);
}

#[tokio::test]
async fn a_client_token_that_was_used_names_the_task() {
    let used = told(|_, _, _| {
        let said = json!({
            "__type": "ConflictException",
            "message": "The provided clientToken is already in use",
            "resourceIds": ["t1"],
        });
        Answer::Said(400, said)
    });
    assert_eq!(used.await.0, "t1");
}

#[tokio::test]
async fn what_passes_is_told_from_what_does_not() {
    for reason in ["RESOURCE:MEMORY", "Capacity is unavailable at this time."] {
        let (began, asked) = told(move |_, _, _| failed(reason)).await;
        assert_eq!(began, format!("no capacity: {reason}"));
        assert_eq!(asked, "RunTask");
    }
    let (began, _) = told(|_, _, _| failed("LOCATION")).await;
    assert_eq!(began, "refused: ECS starts no task: LOCATION");
    let (began, asked) = told(|_, _, _| Answer::Failed(400, "ThrottlingException")).await;
    assert!(began.starts_with("no capacity"), "{began}");
    assert_eq!(
        asked, "RunTask",
        "whoever asks for the build orders it again"
    );
    for code in ["AccessDeniedException", "InvalidParameterException"] {
        let (began, _) = told(move |_, _, _| Answer::Failed(400, code)).await;
        assert!(began.starts_with("refused: ECS starts no task"), "{began}");
    }
}

#[tokio::test]
async fn tasks_are_told_by_where_they_stand() {
    let task = |status: &str| {
        json!({
            "lastStatus": status,
            "startedAt": 1_700_000_000.5,
            "stoppedAt": 1_700_000_001.0,
            "stopCode": "EssentialContainerExited",
            "stoppedReason": "it exited",
            "containers": [{"name": "sidecar"}, {"name": "build", "exitCode": 3}],
        })
    };
    let look = |said: Value| async move {
        let (tasks, _) = tasks(move |_, _, _| Answer::Done(said.clone()));
        format!("{:?}", tasks.look("t").await)
    };
    let missing = json!({"tasks": [], "failures": [{"reason": "MISSING"}]});
    assert_eq!(look(missing).await, "Ok(Unknown)");
    for status in ["PROVISIONING", "PENDING", "ACTIVATING"] {
        assert_eq!(
            look(json!({"tasks": [task(status)]})).await,
            "Ok(Beginning)"
        );
    }
    for status in ["RUNNING", "DEACTIVATING", "STOPPING"] {
        let told = look(json!({"tasks": [task(status)]})).await;
        assert_eq!(told, "Ok(Running(Some(Timestamp(1700000000500))))");
    }
    let told = look(json!({"tasks": [task("STOPPED")]})).await;
    assert!(told.contains("exit_code: Some(3)"), "{told}");
    let (tasks, _) = tasks(|_, _, _| Answer::Failed(400, "InvalidParameterException"));
    assert!(tasks.stop("t", "why").await.is_ok(), "it has ended");
}
