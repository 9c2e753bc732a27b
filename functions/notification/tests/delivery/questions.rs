//! Approvals: who is asked, how, and how often.

use access::link::ApprovalLink;
use expect_test::expect;
use model::Input;
use model::Timestamp;
use notification::Ran;
use serde_json::Value;
use std::fs;

use crate::{
    bench::{Bench, Hook, MailServer, NOW, token},
    hook_target,
    mail::plain,
    run,
};

const APPROVAL: &str = r#"{"CustomData": "Version 7 <b>&", "ExternalEntityLink": "https://example.org/7",
    "NotificationArn": "arn:aws:sns:us-east-1:000000000000:releases"}"#;

/// The link in a text.
fn link(bench: &Bench, text: &str) -> ApprovalLink {
    let (_, rest) = text
        .split_once("https://ci.example.org/approvals/")
        .expect("a link");
    let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_');
    let token = &rest[..end.unwrap_or(rest.len())];
    bench.key.verify(token, NOW).expect("it is ours")
}

#[tokio::test]
async fn each_person_is_asked_with_a_link_of_their_own() {
    let (bench, server) = (Bench::with(APPROVAL).await, MailServer::new().await);
    let rules = format!(
        "{}approvals: {{email: [ann@example.org, bob@example.org]}}",
        server.smtp()
    );
    let notifier = bench.notifier(&rules).await;
    assert_eq!(notifier.targets(), 2);
    let execution = bench.start(1).await;
    bench.fetch(execution, Ok("Repair <the> login")).await;
    bench.start(2).await;
    let mut asked = Vec::new();
    for target in [0, 1] {
        assert_eq!(run(&notifier, target).await.delivered, 1);
        let [mail] = server.mails().try_into().expect("one mail");
        let text = plain(&mail.data);
        let link = link(&bench, &text);
        assert_eq!(mail.to, [format!("<{}>", link.recipient)]);
        let expected = ApprovalLink {
            pipeline: "web".to_owned(),
            execution,
            stage: "Release".to_owned(),
            action: "Approve".to_owned(),
            attempt: 1,
            recipient: link.recipient.clone(),
            expires: Timestamp(NOW.0 + 7 * 24 * 60 * 60 * 1_000),
        };
        assert_eq!(link, expected);
        for part in [
            "Subject: APPROVAL NEEDED: AWS CodePipeline web for action Approve",
            "Auto-Submitted: auto-generated",
            "Source Fetch: c0ffee: Repair <the> login",
            "c0ffee: Repair &lt;the&gt; login",
            "Comments: Version 7 <b>&",
            "Version 7 &lt;b&gt;&amp;",
            "To review: https://example.org/7",
            "<a href=\"https://example.org/7\"",
            "Answer until: 2019-01-17 07:55 UTC",
        ] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
        asked.push(link.recipient);
    }
    assert_eq!(asked, ["ann@example.org", "bob@example.org"]);
}

#[tokio::test]
async fn a_command_is_asked_with_the_message_that_aws_sends() {
    let bench = Bench::with(APPROVAL).await;
    let path = bench.folder.path().join("asked");
    let rules = format!(
        "approvals: {{command: {{argv: [sh, -c, 'cat > {}']}}}}",
        path.display()
    );
    let notifier = bench.notifier(&rules).await;
    let execution = bench.start(1).await;
    bench.fetch(execution, Ok("Repair the login")).await;
    assert_eq!(run(&notifier, 0).await.delivered, 1);
    let asked = fs::read_to_string(&path).expect("it was asked");
    let link = link(&bench, &asked);
    assert_eq!(link.recipient, "command");
    let (before, _) = asked.split_once("/approvals/").expect("a link");
    expect![[r#"{"region":"us-east-1","approval":{"pipelineName":"web","stageName":"Release","actionName":"Approve","token":"3619d5df-6d37-4965-a616-c1f6f3d3949e","expires":"2019-01-17T07:55Z","externalEntityLink":"https://example.org/7","approvalReviewLink":"https://ci.example.org"#]].assert_eq(before);
    let message: Value = serde_json::from_str(&asked).expect("it is JSON");
    assert_eq!(message["approval"]["token"], token().to_string());
    assert_eq!(message["approval"]["customData"], "Version 7 <b>&");
}

#[tokio::test]
async fn what_is_not_configured_is_left_out_of_the_message() {
    let bench = Bench::with(r#"{"CustomData": ""}"#).await;
    let path = bench.folder.path().join("asked");
    let rules = format!(
        "approvals: {{command: {{argv: [sh, -c, 'cat > {}']}}}}",
        path.display()
    );
    let notifier = bench.notifier(&rules).await;
    let execution = bench.start(1).await;
    bench.fetch(execution, Ok("Repair the login")).await;
    assert_eq!(run(&notifier, 0).await.delivered, 1);
    let asked = fs::read_to_string(&path).expect("it was asked");
    let message: Value = serde_json::from_str(&asked).expect("it is JSON");
    let members = message["approval"].as_object().expect("it is an object");
    let members: Vec<&str> = members.keys().map(String::as_str).collect();
    let expected = [
        "actionName",
        "approvalReviewLink",
        "expires",
        "pipelineName",
        "stageName",
        "token",
    ];
    assert_eq!(members, expected);
}

#[tokio::test]
async fn a_topic_is_asked_about_its_own_approvals() {
    let (bench, hook, other) = (
        Bench::with(APPROVAL).await,
        Hook::new().await,
        Hook::new().await,
    );
    let rules = format!(
        "topics:\n  arn:aws:sns:us-east-1:000000000000:releases: [{}]\n  \
         arn:aws:sns:us-east-1:000000000000:others: [{}]\n",
        hook_target(&hook),
        hook_target(&other),
    );
    let notifier = bench.notifier(&rules).await;
    let execution = bench.start(1).await;
    bench.fetch(execution, Ok("Repair the login")).await;
    let mut delivered = 0;
    for target in 0..notifier.targets() {
        let ran = run(&notifier, target).await;
        assert_eq!(ran.troubles, []);
        delivered += ran.delivered;
    }
    assert_eq!(delivered, 1);
    let [got] = hook.got().try_into().expect("one request");
    assert_eq!(link(&bench, &got.body).recipient, "webhook");
    assert!(got.headers.contains_key("x-pipewright-signature"));
    assert!(other.got().is_empty());
}

#[tokio::test]
async fn an_approval_that_names_a_topic_which_nobody_knows_is_a_trouble() {
    let bench = Bench::with(APPROVAL).await;
    let notifier = bench.notifier("{}").await;
    let execution = bench.start(1).await;
    bench.fetch(execution, Ok("Repair the login")).await;
    let ran = run(&notifier, 0).await;
    let [trouble] = ran.troubles.as_slice() else {
        panic!("{:?}", ran.troubles);
    };
    assert!(
        trouble.given_up && trouble.why.starts_with("nobody is asked"),
        "{trouble}"
    );
    // One that names none is for whoever looks at the pipeline.
    let bench = Bench::new().await;
    let notifier = bench.notifier("{}").await;
    let execution = bench.start(1).await;
    bench.fetch(execution, Ok("Repair the login")).await;
    assert_eq!(run(&notifier, 0).await, Ran::default());
}

#[tokio::test]
async fn nobody_is_asked_what_was_answered_or_is_too_late() {
    let rules = "approvals: {command: {argv: ['false']}}";
    let bench = Bench::new().await;
    let notifier = bench.notifier(rules).await;
    let execution = bench.start(1).await;
    bench.fetch(execution, Ok("Repair the login")).await;
    assert_eq!(run(&notifier, 0).await.troubles.len(), 1);
    bench.approve().await;
    assert_eq!(run(&notifier, 0).await, Ran::default());
    // The next question has all of its attempts.
    let execution = bench.start(2).await;
    bench.fetch(execution, Ok("Repair it again")).await;
    assert_eq!(run(&notifier, 0).await.troubles[0].attempt, 1);
    let late = Bench::new().await;
    let notifier = late.notifier(rules).await;
    let execution = late.start(1).await;
    late.fetch(execution, Ok("Repair the login")).await;
    late.clock.set(Timestamp(NOW.0 + 8 * 24 * 60 * 60 * 1_000));
    assert_eq!(run(&notifier, 0).await, Ran::default());
    late.step(&Input::Tick).await;
    assert_eq!(run(&notifier, 0).await, Ran::default());
}
