//! Secrets and parameters are read as the services have them.

use model::build::{RunnerMessage, SecretNeed};
use pipewright_aws::{Clients, MasterKey, Secrets, Settings};
use pipewright_tests::emulator::Emulator;
use uuid::Uuid;

fn settings(master: &str) -> Settings {
    Settings::of(
        [
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("AWS_ENDPOINT_URL", &Emulator::shared().endpoint()),
            ("PIPEWRIGHT_MASTER_SECRET", master),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned())),
    )
}

/// A secret of that text; its name and its ARN.
async fn secret(clients: &Clients, text: &str) -> (String, String) {
    let name = format!("secret-{}", Uuid::new_v4());
    let made = clients.secrets().create_secret();
    let made = made.name(&name).secret_string(text).send().await;
    let arn = made.expect("the emulator makes it").arn;
    (name, arn.expect("it has one"))
}

fn named(id: &str, stage: Option<&str>) -> SecretNeed {
    SecretNeed::Secret {
        id: id.to_owned(),
        version_stage: stage.map(str::to_owned),
        version_id: None,
    }
}

async fn told(secrets: &Secrets, need: SecretNeed) -> String {
    match secrets.answer(&need).await.expect("it can be asked") {
        RunnerMessage::Value(value) => value,
        RunnerMessage::Missing => "missing".to_owned(),
        RunnerMessage::Refused(why) => why,
        RunnerMessage::Stop => panic!("no answer"),
    }
}

#[tokio::test]
async fn a_secret_is_found_by_name_by_arn_and_by_stage() {
    let clients = Clients::new(&settings("none")).expect("everything is there");
    let (name, arn) = secret(&clients, "first").await;
    let second = clients.secrets().put_secret_value();
    let second = second.secret_id(&name).secret_string("second").send();
    second.await.expect("the emulator takes it");
    let secrets = Secrets::new(&clients, &settings("none")).expect("it is named");
    assert_eq!(told(&secrets, named(&name, None)).await, "second");
    assert_eq!(
        told(&secrets, named(&arn, Some("AWSCURRENT"))).await,
        "second"
    );
    assert_eq!(
        told(&secrets, named(&name, Some("AWSPREVIOUS"))).await,
        "first"
    );
    assert_eq!(told(&secrets, named("absent", None)).await, "missing");
}

#[tokio::test]
async fn a_parameter_is_found_by_name() {
    let clients = Clients::new(&settings("none")).expect("everything is there");
    let name = format!("/app/{}", Uuid::new_v4());
    let made = clients.ssm().put_parameter().name(&name).value("hello");
    let made = made.r#type(aws_sdk_ssm::types::ParameterType::SecureString);
    made.send().await.expect("the emulator makes it");
    let secrets = Secrets::new(&clients, &settings("none")).expect("it is named");
    assert_eq!(told(&secrets, SecretNeed::Parameter(name)).await, "hello");
    let absent = SecretNeed::Parameter("/absent".to_owned());
    assert_eq!(told(&secrets, absent).await, "missing");
}

#[tokio::test]
async fn the_master_secret_is_a_key_and_nothing_that_a_build_gets() {
    let clients = Clients::new(&settings("none")).expect("everything is there");
    let (name, arn) = secret(&clients, &"x".repeat(64)).await;
    let settings = settings(&arn);
    let key = MasterKey::read(&clients, &settings).await;
    let again = MasterKey::read(&clients, &settings).await;
    let (key, again) = (key.expect("it is long enough"), again.expect("it is there"));
    assert_eq!(key.derive("links"), again.derive("links"));
    let secrets = Secrets::new(&clients, &settings).expect("it is named");
    for id in [name, arn] {
        let refused = told(&secrets, named(&id, None)).await;
        assert!(refused.contains("Pipewright's own"), "{refused}");
    }
}
