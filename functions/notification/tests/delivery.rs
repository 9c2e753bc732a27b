//! What happens in a pipeline gets to those who want to know: webhooks, mail, commands.

#![expect(
    clippy::needless_raw_string_hashes,
    reason = "expect-test writes texts with them"
)]

#[path = "delivery/bench.rs"]
mod bench;
#[path = "delivery/feed.rs"]
mod feed;
#[cfg(feature = "lambda")]
#[path = "delivery/lambda.rs"]
mod lambda;
#[path = "delivery/mail.rs"]
mod mail;
#[path = "delivery/questions.rs"]
mod questions;

use std::time::Duration;

use bench::{Bench, HANG, HANG_TIME, Hook, NOW, SECRET, is_about};
use expect_test::expect;
use hmac::{Hmac, KeyInit, Mac};
use model::Timestamp;
use notification::{ATTEMPTS_MAX, Moved, Next, Notifier, PAUSE_MAX, Ran, Trouble};
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
async fn a_cursor_beyond_the_journal_is_moved_to_its_end() {
    let (bench, hook) = (Bench::new().await, Hook::new().await);
    let notifier = bench.notifier(&rules(&hook, ALL)).await;
    let name = notifier.name(0).to_owned();
    let end = bench.cursors.get(&name).await.expect("it can be read");
    let end = end.expect("the target began");
    bench.cursors.set(&name, end).await.expect("it can be set");
    assert_eq!(
        notifier.begin().await.expect("it begins"),
        [],
        "the end itself is no place beyond it"
    );
    // The store was restored from a backup, and the cursors were not.
    let beyond = end + 1_000;
    let set = bench.cursors.set(&name, beyond).await;
    set.expect("it can be set");
    let notifier = bench.notifier_as_it_was(&rules(&hook, ALL));
    let moved = notifier.begin().await.expect("it begins");
    let expected = Moved {
        target: name.clone(),
        from: beyond,
        to: end,
    };
    assert_eq!(moved, [expected]);
    let text = moved[0].to_string();
    assert!(text.contains(&name) && text.contains(&beyond.to_string()));
    bench.start(1).await;
    let ran = run(&notifier, 0).await;
    assert!(ran.delivered > 0, "what comes after it is told: {ran:?}");
}
