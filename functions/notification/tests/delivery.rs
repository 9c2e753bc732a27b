//! What happens in a pipeline gets to those who want to know: webhooks, mail, commands.

#![expect(
    clippy::needless_raw_string_hashes,
    reason = "expect-test writes texts with them"
)]

#[path = "delivery/bench.rs"]
mod bench;

use std::{fs, sync::atomic::Ordering, time::Duration};

use access::link::ApprovalLink;
use bench::{Bench, HANG, HANG_TIME, Hook, MailServer, NOW, SECRET, is_about, token};
use expect_test::expect;
use hmac::{Hmac, KeyInit, Mac};
use model::{Input, Timestamp};
use notification::{ATTEMPTS_MAX, Next, Notifier, PAUSE_MAX, Ran, Trouble};
use ports::Cursors as _;
use serde_json::Value;
use sha2::Sha256;

const ALL: &str = "{source: [aws.codepipeline]}";

fn rule(name: &str, pattern: &str, targets: &str) -> String {
    format!("  - {{name: {name}, pattern: {pattern}, targets: [{targets}]}}\n")
}

fn hook_target(hook: &Hook) -> String {
    let url = hook.url();
    format!("{{webhook: {{url: '{url}', secret: {{secret: hook}}, allow_private: true}}}}")
}

/// One rule with one webhook.
fn rules(hook: &Hook, pattern: &str) -> String {
    format!("rules:\n{}", rule("all", pattern, &hook_target(hook)))
}

async fn run(notifier: &Notifier, target: usize) -> Ran {
    notifier.run_once(target).await.expect("the store answers")
}

fn whys(ran: &Ran) -> Vec<&str> {
    ran.troubles.iter().map(|trouble| &*trouble.why).collect()
}

#[tokio::test]
async fn a_webhook_is_told_in_order_and_can_check_who_tells_it() {
    let (bench, hook) = (Bench::new().await, Hook::new().await);
    let notifier = bench.notifier(&rules(&hook, ALL)).await;
    let execution = bench.start(1).await;
    bench.fetch(execution, Err("no such object")).await;
    let ran = run(&notifier, 0).await;
    assert_eq!((ran.delivered, ran.next), (6, Next::OnCommit));
    assert_eq!(ran.troubles, []);
    let got = hook.got();
    let first: Value = serde_json::from_str(&got[0].body).expect("it is JSON");
    assert_eq!(first["detail"]["state"], "STARTED");
    assert!(got[0].body.contains("\"version\":1.0"), "{}", got[0].body);
    for one in &got {
        assert_eq!(one.line, "POST /hook HTTP/1.1");
        let event: Value = serde_json::from_str(&one.body).expect("it is JSON");
        assert_eq!(one.headers["x-pipewright-event-id"], event["id"]);
        assert_eq!(one.headers["content-type"], "application/json");
        let timestamp = &one.headers["x-pipewright-timestamp"];
        assert_eq!(timestamp, "1547106937");
        let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("a key");
        mac.update(format!("{timestamp}.{}", one.body).as_bytes());
        let signature = format!("sha256={}", hex::encode(mac.finalize().into_bytes()));
        assert_eq!(one.headers["x-pipewright-signature"], signature);
    }
    // Nothing is told twice.
    assert_eq!(run(&notifier, 0).await, Ran::default());
    assert!(hook.got().is_empty());
}

#[tokio::test]
async fn a_pattern_chooses() {
    let (bench, hook) = (Bench::new().await, Hook::new().await);
    let failed = "{detail: {state: [FAILED], stage: [{exists: true}]}}";
    let notifier = bench.notifier(&rules(&hook, failed)).await;
    let execution = bench.start(1).await;
    bench.fetch(execution, Err("no such object")).await;
    assert_eq!(run(&notifier, 0).await.delivered, 2);
    assert_eq!(hook.states(), ["Fetch FAILED", "Source FAILED"]);
}

#[tokio::test]
async fn what_fails_is_tried_again_before_anything_newer() {
    let (bench, hook) = (Bench::new().await, Hook::new().await);
    let notifier = bench.notifier(&rules(&hook, ALL)).await;
    bench.start(1).await;
    let busy = "503 Service Unavailable\r\nContent-Length: 5\r\n\r\nbusy\n";
    hook.answer(&["204 No Content\r\n\r\n", busy, busy, busy]);
    let ran = run(&notifier, 0).await;
    assert_eq!(
        (ran.delivered, whys(&ran)),
        (1, vec!["the receiver answered 503: busy"])
    );
    let Next::After(first) = ran.next else {
        panic!("{:?}", ran.next);
    };
    assert!(is_about(first, Duration::from_secs(1)), "{first:?}");
    let ran = run(&notifier, 0).await;
    let [trouble] = ran.troubles.as_slice() else {
        panic!("{:?}", ran.troubles);
    };
    assert_eq!((trouble.attempt, trouble.given_up), (2, false));
    let Next::After(second) = ran.next else {
        panic!("{:?}", ran.next);
    };
    assert!(is_about(second, Duration::from_secs(2)), "{second:?}");
    assert_eq!(run(&notifier, 0).await.troubles[0].attempt, 3);
    assert_eq!(hook.got().len(), 4);
    let ran = run(&notifier, 0).await;
    assert_eq!((ran.delivered, ran.next), (2, Next::OnCommit));
    assert_eq!(hook.states(), ["Source STARTED", "Fetch STARTED"]);
}

#[tokio::test]
async fn one_target_that_does_not_answer_holds_up_no_other() {
    let (bench, broken, hook) = (Bench::new().await, Hook::new().await, Hook::new().await);
    let targets = format!("{}, {}", hook_target(&broken), hook_target(&hook));
    let notifier = bench
        .notifier(&format!("rules:\n{}", rule("a", ALL, &targets)))
        .await;
    bench.start(1).await;
    broken.answer(&["500 No\r\n\r\n"; 5]);
    for _ in 0..5 {
        assert_eq!(run(&notifier, 0).await.delivered, 0);
    }
    assert_eq!(run(&notifier, 1).await.delivered, 3);
    assert_eq!(run(&notifier, 0).await.delivered, 3);
}

#[tokio::test]
async fn an_event_that_nobody_takes_is_given_up_and_the_next_one_comes() {
    let (bench, hook) = (Bench::new().await, Hook::new().await);
    let notifier = bench.notifier(&rules(&hook, ALL)).await;
    bench.start(1).await;
    hook.answer(&vec!["500 No\r\n\r\n"; ATTEMPTS_MAX as usize]);
    let mut pauses = Vec::new();
    for attempt in 1..ATTEMPTS_MAX {
        let ran = run(&notifier, 0).await;
        assert_eq!(ran.troubles[0].attempt, attempt);
        assert!(!ran.troubles[0].given_up);
        let Next::After(pause) = ran.next else {
            panic!("{:?}", ran.next);
        };
        pauses.push(pause);
    }
    assert!(is_about(pauses[10], PAUSE_MAX), "{pauses:?}");
    let ran = run(&notifier, 0).await;
    assert_eq!((ran.delivered, ran.next), (2, Next::OnCommit));
    let [Trouble { given_up: true, .. }] = ran.troubles.as_slice() else {
        panic!("{:?}", ran.troubles);
    };
    let text = ran.troubles[0].to_string();
    assert!(
        text.contains("at attempt 12: the receiver answered 500; it is given up"),
        "{text}"
    );
    assert!(!text.contains("127.0.0.1"), "{text}");
}

#[tokio::test]
async fn what_is_old_is_offered_once() {
    let (bench, hook) = (Bench::new().await, Hook::new().await);
    let notifier = bench.notifier(&rules(&hook, ALL)).await;
    bench.start(1).await;
    bench.clock.set(Timestamp(NOW.0 + 61 * 60 * 1_000));
    hook.answer(&["500 No\r\n\r\n", "204 Yes\r\n\r\n", "500 No\r\n\r\n"]);
    let ran = run(&notifier, 0).await;
    assert_eq!((ran.delivered, ran.next), (1, Next::OnCommit));
    assert!(ran.troubles.iter().all(|trouble| trouble.given_up));
    assert_eq!(ran.troubles.len(), 2);
}

#[tokio::test]
async fn the_next_process_goes_on_where_the_last_one_was() {
    let (bench, hook) = (Bench::new().await, Hook::new().await);
    let rules = rules(&hook, ALL);
    let notifier = bench.notifier(&rules).await;
    let execution = bench.start(1).await;
    assert_eq!(run(&notifier, 0).await.delivered, 3);
    bench.fetch(execution, Err("no")).await;
    // A cursor that was lost in a crash only repeats.
    let name = notifier.name(0).to_owned();
    drop(notifier);
    hook.got();
    let notifier = bench.notifier(&rules).await;
    assert_eq!(notifier.name(0), name);
    assert_eq!(run(&notifier, 0).await.delivered, 3);
    assert_eq!(
        hook.states(),
        ["Fetch FAILED", "Source FAILED", "web FAILED"]
    );
    bench.cursors.set(&name, 1).await.expect("it is set");
    let notifier = bench.notifier(&rules).await;
    assert_eq!(run(&notifier, 0).await.delivered, 6);
}

#[tokio::test]
async fn a_run_that_is_dropped_is_taken_up_where_it_was() {
    let (bench, hook) = (Bench::new().await, Hook::new().await);
    let notifier = bench.notifier(&rules(&hook, ALL)).await;
    bench.start(1).await;
    // The second event is answered by nobody: the run waits for it until it is dropped.
    hook.answer(&["204 Yes\r\n\r\n", HANG]);
    let dropped = tokio::time::timeout(HANG_TIME / 4, notifier.run_once(0)).await;
    assert!(dropped.is_err());
    for _ in 0..10 {
        if run(&notifier, 0).await.next == Next::OnCommit {
            break;
        }
    }
    // What was on its way is told again, and nothing is left out.
    let mut states = hook.states();
    states.dedup();
    assert_eq!(states, ["web STARTED", "Source STARTED", "Fetch STARTED"]);
}

#[tokio::test]
async fn a_new_target_begins_now_and_one_that_is_gone_is_forgotten() {
    let (bench, hook) = (Bench::new().await, Hook::new().await);
    bench.start(1).await;
    let notifier = bench.notifier(&rules(&hook, ALL)).await;
    assert_eq!(run(&notifier, 0).await, Ran::default());
    let name = notifier.name(0).to_owned();
    assert!(
        bench
            .cursors
            .get(&name)
            .await
            .expect("it is read")
            .is_some()
    );
    let second = bench.start(2).await;
    let notifier = bench.notifier("rules: []").await;
    assert_eq!(bench.cursors.get(&name).await.expect("it is read"), None);
    assert_eq!(notifier.targets(), 1, "the one that finds lost approvals");
    assert_eq!(run(&notifier, 9).await, Ran::default());
    // Back again: what happened meanwhile is not told.
    let notifier = bench.notifier(&rules(&hook, ALL)).await;
    bench.fetch(second, Err("no")).await;
    assert!(run(&notifier, 0).await.delivered < 6);
}

#[tokio::test]
async fn the_end_of_a_journal_of_any_length_is_found() {
    for length in [0, 1, 2, 3, 7, 8, 9, 30] {
        let (bench, hook) = (Bench::new().await, Hook::new().await);
        for number in 0..length {
            bench.start(number + 1).await;
        }
        let notifier = bench.notifier(&rules(&hook, ALL)).await;
        assert_eq!(run(&notifier, 0).await, Ran::default());
        bench.start(100).await;
        let ran = run(&notifier, 0).await;
        assert!((1..=3).contains(&ran.delivered), "{length}: {ran:?}");
    }
}

#[tokio::test]
async fn a_long_backlog_is_told_in_parts() {
    let (bench, hook) = (Bench::new().await, Hook::new().await);
    let started = "{detail-type: [{wildcard: '*Pipeline Execution*'}], detail: {state: [STARTED]}}";
    let notifier = bench.notifier(&rules(&hook, started)).await;
    for number in 1..=250 {
        bench.start(number).await;
    }
    let mut parts = Vec::new();
    for _ in 0..10 {
        let ran = run(&notifier, 0).await;
        parts.push(ran.delivered);
        if ran.next == Next::OnCommit {
            break;
        }
        assert_eq!(ran.next, Next::Now);
    }
    assert_eq!(parts.iter().sum::<usize>(), 250);
    assert!(parts.iter().all(|part| *part <= 100), "{parts:?}");
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_a_long_answer_not_read() {
    let (bench, hook, other) = (Bench::new().await, Hook::new().await, Hook::new().await);
    let notifier = bench.notifier(&rules(&hook, ALL)).await;
    bench.start(1).await;
    let to_other = format!("302 Found\r\nLocation: {}\r\n\r\n", other.url());
    let long = format!("500 No\r\n\r\n{}", "x".repeat(1 << 20));
    hook.answer(&[&to_other, &long]);
    let ran = run(&notifier, 0).await;
    let why = "the receiver answered 302, and redirects are not followed";
    assert_eq!(whys(&ran), [why]);
    let ran = run(&notifier, 0).await;
    assert!(whys(&ran)[0].len() < 300, "{ran:?}");
    assert!(other.got().is_empty());
}

#[tokio::test]
async fn an_address_that_is_never_connected_to_is_given_up_at_once() {
    let (bench, hook) = (Bench::new().await, Hook::new().await);
    let metadata = "{webhook: {url: 'http://169.254.169.254/', secret: {secret: hook}, \
        allow_private: true}}";
    let private = hook_target(&hook)
        .replace("http:", "https:")
        .replace(", allow_private: true", "");
    let targets = format!("{metadata}, {private}");
    let notifier = bench
        .notifier(&format!("rules:\n{}", rule("a", ALL, &targets)))
        .await;
    bench.start(1).await;
    for (target, why) in [
        (0, "told about themselves"),
        (1, "`allow_private` is not set"),
    ] {
        let ran = run(&notifier, target).await;
        assert_eq!(
            (ran.delivered, ran.troubles.len(), ran.next),
            (0, 3, Next::OnCommit)
        );
        for trouble in &ran.troubles {
            assert!(trouble.given_up && trouble.why.contains(why), "{trouble}");
        }
    }
    assert!(hook.got().is_empty());
}

#[tokio::test]
async fn mail_tells_what_happened() {
    let (bench, server) = (Bench::new().await, MailServer::new().await);
    let failed = "{detail-type: [CodePipeline Action Execution State Change], \
        detail: {state: [FAILED]}}";
    let to = "{email: {to: [team@example.org, Ann <ann@example.org>]}}";
    let rules = format!("{}rules:\n{}", server.smtp(), rule("a", failed, to));
    let notifier = bench.notifier(&rules).await;
    let execution = bench.start(1).await;
    bench.fetch(execution, Err("no such object")).await;
    server.is_full.store(true, Ordering::SeqCst);
    let ran = run(&notifier, 0).await;
    assert!(whys(&ran)[0].contains("the disk is full"), "{ran:?}");
    server.is_full.store(false, Ordering::SeqCst);
    assert_eq!(run(&notifier, 0).await.delivered, 1);
    let [mail] = server.mails().try_into().expect("one mail");
    assert_eq!(mail.from.split(' ').next(), Some("<ci@example.org>"));
    assert_eq!(mail.to, ["<team@example.org>", "<ann@example.org>"]);
    let text = without_date(&mail.data);
    expect![[r#"
        From: Pipewright <ci@example.org>
        Subject: [pipewright] web Source/Fetch: FAILED
        Message-ID: <c6377a21-18e5-4f57-ba74-8d168c5352c2@pipewright>
        Auto-Submitted: auto-generated
        To: team@example.org, Ann <ann@example.org>
        MIME-Version: 1.0
        Content-Type: text/plain; charset=utf-8
        Content-Transfer-Encoding: 7bit

        Pipeline: web
        Execution: 00000000-0000-0000-0000-000000000001
        State: FAILED
        At: 2019-01-10 07:55 UTC
        Stage: Source
        Action: Fetch
        Summary: no such object


    "#]]
    .assert_eq(&text);
}

#[tokio::test]
async fn mail_is_never_sent_in_the_clear_where_it_should_be_encrypted() {
    for tls in ["starttls", "tls"] {
        let (bench, server) = (Bench::new().await, MailServer::new().await);
        let smtp = server.smtp().replace("tls: none", &format!("tls: {tls}"));
        let smtp = smtp.replace('}', ", username: ci, password: {secret: hook}}");
        let to = "{email: {to: [team@example.org]}}";
        let rules = format!("{smtp}rules:\n{}", rule("a", ALL, to));
        let notifier = bench.notifier(&rules).await;
        bench.start(1).await;
        let ran = run(&notifier, 0).await;
        let [trouble] = ran.troubles.as_slice() else {
            panic!("{:?}", ran.troubles);
        };
        assert!(
            !trouble.given_up && !trouble.why.contains(SECRET),
            "{trouble}"
        );
        assert!(server.mails().is_empty());
    }
}

fn without_date(data: &str) -> String {
    let lines = data.lines().filter(|line| !line.starts_with("Date: "));
    lines.map(|line| line.to_owned() + "\n").collect()
}

/// The parts of a mail, with what the encoding did to their lines undone.
fn plain(data: &str) -> String {
    let joined = data.replace("=\r\n", "");
    let mut text = String::new();
    let mut rest = joined.as_str();
    while let Some((before, after)) = rest.split_once('=') {
        text.push_str(before);
        let byte = after
            .get(..2)
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        if let Some(byte) = byte.filter(u8::is_ascii) {
            text.push(char::from(byte));
            rest = &after[2..];
        } else {
            text.push('=');
            rest = after;
        }
    }
    text + rest
}

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
    expect![[r#"{"region":"us-east-1","consoleLink":"https://ci.example.org/view/web","approval":{"pipelineName":"web","stageName":"Release","actionName":"Approve","token":"3619d5df-6d37-4965-a616-c1f6f3d3949e","expires":"2019-01-17T07:55Z","externalEntityLink":"https://example.org/7","approvalReviewLink":"https://ci.example.org"#]].assert_eq(before);
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

#[tokio::test]
async fn two_targets_that_are_alike_have_cursors_of_their_own() {
    let (bench, hook) = (Bench::new().await, Hook::new().await);
    let targets = format!("{0}, {0}", hook_target(&hook));
    let notifier = bench
        .notifier(&format!("rules:\n{}", rule("a", ALL, &targets)))
        .await;
    assert_eq!(notifier.name(1), format!("{}/2", notifier.name(0)));
    assert!(!notifier.name(0).contains("127.0.0.1"));
    assert_eq!(notifier.name(7), "");
}

#[tokio::test]
async fn a_store_that_does_not_answer_is_an_error() {
    let (bench, hook) = (Bench::new().await, Hook::new().await);
    let notifier = bench.notifier(&rules(&hook, ALL)).await;
    bench.start(1).await;
    drop(bench.store.clone().crash().expect("it can be opened again"));
    assert!(notifier.run_once(0).await.is_err());
    let other = format!("rules:\n{}", rule("other", ALL, &hook_target(&hook)));
    assert!(bench.notifier_as_it_was(&other).begin().await.is_err());
}

#[tokio::test]
async fn the_feed_gives_everything_in_order_from_any_place_on() {
    let bench = Bench::new().await;
    let empty = notification::feed(&bench.world, None, 10)
        .await
        .expect("it is read");
    assert!(empty.events.is_empty() && !empty.more);
    for number in 1..=5 {
        let execution = bench.start(number).await;
        if number == 1 {
            bench.fetch(execution, Err("no")).await;
        }
    }
    let all = notification::feed(&bench.world, None, 1_000)
        .await
        .expect("it is read");
    let all = all.events;
    let mut ids: Vec<&str> = all
        .iter()
        .filter_map(|(_, event)| event["id"].as_str())
        .collect();
    assert!(ids.len() >= 10, "{all:?}");
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all.len());
    let texts: Vec<String> = all
        .iter()
        .map(|(position, _)| position.to_string())
        .collect();
    assert!(texts.is_sorted());
    for (place, text) in texts.iter().enumerate() {
        let since = text.parse().expect("it is a place");
        assert_eq!(since, all[place].0);
        let part = notification::feed(&bench.world, Some(since), 1_000).await;
        let part = part.expect("it is read");
        assert_eq!(part.events, all[place + 1..]);
        assert!(!part.more);
    }
    for limit in [0, 1, 2, 3, 7] {
        let (mut gathered, mut since) = (Vec::new(), None);
        for _ in 0..100 {
            let part = notification::feed(&bench.world, since, limit).await;
            let part = part.expect("it is read");
            assert!(part.events.len() <= limit.max(1));
            since = part.next;
            gathered.extend(part.events);
            if !part.more {
                break;
            }
        }
        assert_eq!(gathered, all);
    }
    let far = "999999999999.0".parse().expect("it is a place");
    let part = notification::feed(&bench.world, Some(far), 9)
        .await
        .expect("it is read");
    assert_eq!((part.events.len(), part.next), (0, Some(far)));
}

#[test]
fn a_place_is_two_numbers_and_nothing_else() {
    let place: notification::Position = "12.3".parse().expect("it is a place");
    assert_eq!(place.to_string(), "000000000012.0003");
    assert_eq!("000000000012.0003".parse(), Ok(place));
    for text in [
        "",
        "12",
        "12.",
        ".3",
        "+12.3",
        "12.+3",
        "12.3.4",
        " 12.3",
        "12.-1",
        "a.b",
        "18446744073709551616.0",
        "1.4294967296",
        "1,2",
        "１.２",
    ] {
        let error = text.parse::<notification::Position>().expect_err(text);
        assert!(error.to_string().contains("COMMIT.INDEX"));
    }
}
