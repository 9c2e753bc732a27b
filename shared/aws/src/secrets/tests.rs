use serde_json::{Value, json};

use super::*;
use crate::answers::{Answer, clients};

const MASTER: &str = "arn:aws:secretsmanager:us-east-1:1:secret:master-AbCdEf";

fn secrets(answer: impl Fn(&str, &Value) -> Answer + Send + Sync + 'static) -> Secrets {
    let named = ("PIPEWRIGHT_MASTER_SECRET".to_owned(), MASTER.to_owned());
    Secrets::new(&clients(answer), &Settings::of([named])).expect("it is named")
}

fn secret(id: &str) -> SecretNeed {
    SecretNeed::Secret {
        id: id.to_owned(),
        version_stage: None,
        version_id: None,
    }
}

fn parameter(name: &str) -> SecretNeed {
    SecretNeed::Parameter(name.to_owned())
}

async fn told(answer: fn() -> Answer, need: &SecretNeed) -> String {
    match secrets(move |_, _| answer()).answer(need).await {
        Ok(RunnerMessage::Value(value)) => format!("value {value}"),
        Ok(RunnerMessage::Missing) => "missing".to_owned(),
        Ok(RunnerMessage::Refused(why)) => format!("refused: {why}"),
        Ok(RunnerMessage::Stop) => panic!("no answer"),
        Err(error) => format!("unavailable: {error}"),
    }
}

#[tokio::test]
async fn what_is_asked_for_is_what_the_build_named() {
    let secrets = secrets(|operation, asked| match operation {
        "GetSecretValue" => Answer::Done(json!({"ARN": "arn", "SecretString": asked.to_string()})),
        _ => Answer::Done(json!({"Parameter": {"Value": asked.to_string()}})),
    });
    let staged = SecretNeed::Secret {
        id: "s".to_owned(),
        version_stage: Some("AWSPREVIOUS".to_owned()),
        version_id: Some("v".to_owned()),
    };
    let asked = json!({"SecretId": "s", "VersionStage": "AWSPREVIOUS", "VersionId": "v"});
    for (need, expected) in [
        (staged, asked),
        (secret("s"), json!({"SecretId": "s"})),
        (
            parameter("/p"),
            json!({"Name": "/p", "WithDecryption": true}),
        ),
    ] {
        let Ok(RunnerMessage::Value(asked)) = secrets.answer(&need).await else {
            panic!("it is there");
        };
        let asked: Value = serde_json::from_str(&asked).expect("it is JSON");
        assert_eq!(asked, expected);
    }
}

#[tokio::test]
async fn absent_denied_refused_and_unavailable_are_told_apart() {
    for need in [secret("s"), parameter("p")] {
        let absent = told(|| Answer::Failed(400, "ResourceNotFoundException"), &need).await;
        assert_eq!(absent, "missing");
        let denied = told(|| Answer::Failed(400, "AccessDeniedException"), &need).await;
        assert!(denied.starts_with("refused: "), "{denied}");
        assert!(
            denied.contains("does not let Pipewright read it: allow "),
            "{denied}"
        );
        let refused = told(|| Answer::Failed(400, "InvalidRequestException"), &need).await;
        assert!(refused.contains("refused to read it: "), "{refused}");
        assert!(refused.contains("InvalidRequestException"), "{refused}");
        for unavailable in [
            told(|| Answer::Failed(400, "ThrottlingException"), &need).await,
            told(|| Answer::Failed(500, "InternalServiceError"), &need).await,
            told(|| Answer::Silence, &need).await,
        ] {
            assert!(unavailable.starts_with("unavailable: "), "{unavailable}");
        }
    }
    for code in ["ParameterNotFound", "ParameterVersionNotFound"] {
        assert!(ABSENT.contains(&code));
    }
    let empty = told(|| Answer::Done(json!({})), &parameter("p")).await;
    assert_eq!(empty, "missing");
}

#[tokio::test]
async fn no_build_gets_the_master_secret_however_it_is_named() {
    for id in [
        MASTER,
        "master",
        "arn:aws:secretsmanager:us-east-1:1:secret:master",
    ] {
        let answer = || Answer::Done(json!({"ARN": MASTER, "Name": "master", "SecretString": "x"}));
        let refused = told(answer, &secret(id)).await;
        assert!(refused.contains("Pipewright's own"), "{refused}");
    }
    for name in [
        "/aws/reference/secretsmanager/master",
        "arn:aws:ssm:us-east-1:1:parameter/aws/reference/secretsmanager/master",
    ] {
        let answer = || Answer::Done(json!({"Parameter": {"Value": "x"}}));
        let refused = told(answer, &parameter(name)).await;
        assert!(refused.contains("name it as one"), "{refused}");
    }
}

#[tokio::test]
async fn a_value_that_is_no_text_or_too_long_is_refused() {
    let bytes = || Answer::Done(json!({"ARN": "arn", "SecretBinary": "aGk="}));
    let refused = told(bytes, &secret("s")).await;
    assert_eq!(refused, "refused: it holds bytes and no text");
    let long = || {
        let text = "x".repeat(VALUE_BYTES_MAX + 1);
        Answer::Done(json!({"ARN": "arn", "SecretString": text}))
    };
    let refused = told(long, &secret("s")).await;
    assert_eq!(refused, "refused: it takes more than 65536 bytes");
}

#[test]
fn it_is_never_printed_and_needs_to_know_what_is_not_to_be_told() {
    let clients = clients(|_, _| Answer::Silence);
    assert!(Secrets::new(&clients, &Settings::default()).is_err());
    let secrets = secrets(|_, _| Answer::Silence);
    assert_eq!(format!("{secrets:?}"), "Secrets { .. }");
}
