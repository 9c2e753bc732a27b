//! Every sample request through `handle`, and whatever else may be done with a link.

#[path = "events/bench.rs"]
mod bench;
#[cfg(feature = "lambda")]
#[path = "events/lambda.rs"]
mod lambda;

use std::{collections::BTreeSet, fmt::Write, fs, path::PathBuf};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bench::{Bench, EXECUTION, EXPIRES, link, text};
use bytes::Bytes;
use http::{Method, Request};
use model::{ActionStatus, ExecutionId, ExecutionStatus, Input, declaration::RetryMode};
use serde_json::Value;
use uuid::Uuid;

const SAMPLES: [(&str, u16, ActionStatus); 7] = [
    ("approve", 200, ActionStatus::Succeeded),
    ("look", 200, ActionStatus::InProgress),
    ("other-method", 405, ActionStatus::InProgress),
    ("reject", 200, ActionStatus::Failed),
    ("reject-from-another-site", 403, ActionStatus::InProgress),
    ("scanner", 200, ActionStatus::InProgress),
    ("unknown-link", 404, ActionStatus::InProgress),
];

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../events/approval-callback")
}

/// What is in the event of an HTTP API.
fn sample(name: &str) -> Request<Bytes> {
    let json = fs::read_to_string(folder().join(format!("{name}.json"))).expect("it exists");
    let json: Value = serde_json::from_str(&json).expect("the sample is JSON");
    let field = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut request = Request::builder()
        .method(field(&json["requestContext"]["http"]["method"]).as_str())
        .uri(field(&json["rawPath"]));
    for (name, value) in json["headers"].as_object().expect("it has headers") {
        request = request.header(name, value.as_str().expect("a header is a text"));
    }
    let body = field(&json["body"]);
    let body = if json["isBase64Encoded"] == true {
        BASE64_STANDARD.decode(body).expect("it is base64")
    } else {
        body.into_bytes()
    };
    let body = Bytes::from(body);
    request.body(body).expect("the sample is a request")
}

#[tokio::test]
async fn each_sample_does_what_it_should_and_no_more() {
    for (name, status, action) in SAMPLES {
        let bench = Bench::new().await;
        let before = bench.everything().await;
        let response = bench.send(sample(name)).await;
        assert_eq!(response.status().as_u16(), status, "{name}");
        assert_eq!(bench.status().await, action, "{name}");
        let changed = bench.everything().await != before;
        assert_eq!(changed, action != ActionStatus::InProgress, "{name}");
    }
}

#[test]
fn no_sample_is_left_out() {
    let files = fs::read_dir(folder()).expect("there are samples");
    let names: BTreeSet<String> = files
        .map(|file| file.expect("it can be read").path())
        .filter_map(|path| Some(path.file_stem()?.to_string_lossy().into_owned()))
        .collect();
    assert_eq!(names, SAMPLES.map(|(name, _, _)| name.to_owned()).into());
}

#[tokio::test]
async fn the_page_says_what_is_approved() {
    let bench = Bench::new().await;
    let second = ExecutionId(Uuid::from_u128(9));
    bench.begin(second, "Another change").await;
    let (status, page) = bench.get(&bench.token()).await;
    assert_eq!(status, 200);
    for part in [
        "web waits for your approval",
        "Release",
        "Approve",
        &EXECUTION.to_string(),
        "c0ffee012345",
        "Repair the login",
        "Version 7, see the notes",
        "<a href=\"https://example.org/notes/7\"",
        "2019-01-17 07:55 UTC",
        "ann@example.org",
        "A newer execution waits behind this one.",
        "maxlength=\"512\"",
        "value=\"approve\"",
        "value=\"reject\"",
    ] {
        assert!(page.contains(part), "{part} is not in {page}");
    }
    assert!(!page.contains("Another change"));
}

#[tokio::test]
async fn whatever_looks_at_a_link_changes_nothing() {
    let bench = Bench::new().await;
    let path = format!("/approvals/{}", bench.token());
    let before = bench.everything().await;
    for round in 0..1_000 {
        for method in [Method::GET, Method::HEAD, Method::OPTIONS] {
            let request = Request::builder().method(method.clone()).uri(&path);
            let request = request.header("user-agent", format!("scanner {}", round % 7));
            // Nor does it matter what they send along.
            let request = request.header("content-type", "application/x-www-form-urlencoded");
            let request = request.body(Bytes::from("decision=approve"));
            let response = bench.send(request.expect("a request")).await;
            let allowed = method != Method::OPTIONS;
            assert_eq!(response.status().as_u16(), if allowed { 200 } else { 405 });
            assert_eq!(response.body().is_empty(), method == Method::HEAD);
        }
    }
    assert_eq!(bench.everything().await, before);
    assert_eq!(bench.post(&bench.token(), "decision=approve").await.0, 200);
}

#[tokio::test]
async fn every_answer_keeps_browsers_from_doing_more_than_showing_it() {
    let bench = Bench::new().await;
    let paths = [
        format!("/approvals/{}", bench.token()),
        "/approvals/x".to_owned(),
        "/approvals/".to_owned(),
        "/elsewhere".to_owned(),
    ];
    for path in paths {
        for method in ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"] {
            let request = Request::builder().method(method).uri(&path);
            let request = request.body(Bytes::new()).expect("a request");
            let response = bench.send(request).await;
            let header = |name: &str| {
                let value = response.headers().get(name);
                value.map_or("", |value| value.to_str().expect("it is a text"))
            };
            let policy = header("content-security-policy");
            assert!(
                policy.starts_with("default-src 'none'; style-src 'sha256-"),
                "{policy}"
            );
            assert!(!policy.contains("unsafe"), "{policy}");
            for part in [
                "form-action 'self'",
                "base-uri 'none'",
                "frame-ancestors 'none'",
            ] {
                assert!(policy.contains(part), "{policy}");
            }
            assert_eq!(header("x-content-type-options"), "nosniff");
            assert_eq!(header("referrer-policy"), "no-referrer");
            assert_eq!(header("cache-control"), "no-store");
            assert_eq!(header("content-type"), "text/html; charset=utf-8");
            let is_known = ["GET", "HEAD", "POST"].contains(&method);
            assert_eq!(
                header("allow"),
                if is_known { "" } else { "GET, HEAD, POST" }
            );
            let (_, page) = text(&response);
            assert!(
                !page.contains("<script") && !page.contains(" style="),
                "{page}"
            );
        }
    }
}

#[tokio::test]
async fn an_answer_is_kept_with_who_gave_it() {
    let bench = Bench::new().await;
    let (status, page) = bench
        .post(&bench.token(), "comment=ship+it&decision=approve")
        .await;
    assert_eq!(status, 200);
    assert!(page.contains("The pipeline goes on."), "{page}");
    assert_eq!(bench.execution().await.status, ExecutionStatus::Succeeded);
    let store = &bench.callback.world.pipelines;
    let attempts = store.action_executions("web", EXECUTION).await;
    let attempts = attempts.expect("they can be read");
    let update = attempts[1].update.as_ref().expect("it was answered");
    let who = "arn:aws:iam::000000000000:approval-link/ann@example.org";
    assert_eq!(update.by.as_deref(), Some(who));
    assert_eq!(update.output.summary.as_deref(), Some("ship it"));
    let journal = store.journal(0, 100).await.expect("it can be read");
    let audit = &journal.last().expect("there is an entry").audit;
    assert_eq!(
        (audit.by.as_str(), audit.cause.as_str()),
        (who, "PutApprovalResult")
    );
}

#[tokio::test]
async fn a_rejection_fails_the_stage_and_says_so() {
    let bench = Bench::new().await;
    let (status, page) = bench
        .post(&bench.token(), "decision=reject&comment=not+on+a+Friday")
        .await;
    assert_eq!(status, 200);
    assert!(page.contains("the stage has failed"), "{page}");
    assert_eq!(bench.execution().await.status, ExecutionStatus::Failed);
}

#[tokio::test]
async fn the_second_use_of_a_link_is_told_of_the_first() {
    let bench = Bench::new().await;
    let token = bench.token();
    bench.post(&token, "decision=reject&comment=no").await;
    let before = bench.everything().await;
    let mut other = link();
    "bob@example.org".clone_into(&mut other.recipient);
    let other = bench.callback.key.sign(&other);
    for token in [&token, &other] {
        for body in ["decision=approve", "decision=reject"] {
            let (status, page) = bench.post(token, body).await;
            assert_eq!(status, 409);
            for part in [
                "already answered",
                "Rejected",
                "ann@example.org",
                "2019-01-10 07:55 UTC",
            ] {
                assert!(page.contains(part), "{part} is not in {page}");
            }
        }
        let (status, page) = bench.get(token).await;
        assert_eq!(status, 200);
        assert!(
            page.contains("already answered") && !page.contains("<form"),
            "{page}"
        );
    }
    assert_eq!(bench.everything().await, before);
}

#[tokio::test]
async fn of_two_answers_at_once_one_counts() {
    let bench = Bench::new().await;
    let token = bench.token();
    let (one, other) = tokio::join!(
        bench.post(&token, "decision=approve"),
        bench.post(&token, "decision=reject"),
    );
    let mut statuses = [one.0, other.0];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409]);
    let approved = bench.status().await == ActionStatus::Succeeded;
    assert_eq!(approved, one.0 == 200);
}

#[tokio::test]
async fn a_retried_approval_needs_a_new_link() {
    let bench = Bench::new().await;
    bench.post(&bench.token(), "decision=reject").await;
    let retry = Input::RetryRequested {
        stage: "Release".to_owned(),
        execution: EXECUTION,
        mode: RetryMode::FailedActions,
    };
    bench.step(&retry).await;
    assert_eq!(bench.status().await, ActionStatus::InProgress);
    let (status, page) = bench.post(&bench.token(), "decision=approve").await;
    assert_eq!(status, 409, "{page}");
    assert_eq!(bench.status().await, ActionStatus::InProgress);
    let mut second = link();
    second.attempt = 2;
    let second = bench.callback.key.sign(&second);
    assert_eq!(bench.post(&second, "decision=approve").await.0, 200);
    assert_eq!(bench.status().await, ActionStatus::Succeeded);
}

#[tokio::test]
async fn an_execution_that_has_moved_on_needs_no_answer() {
    let bench = Bench::new().await;
    let stop = Input::StopRequested {
        execution: EXECUTION,
        abandon: true,
        reason: None,
        by: "ann".to_owned(),
    };
    bench.step(&stop).await;
    bench.step(&Input::Tick).await;
    let before = bench.everything().await;
    let (status, page) = bench.get(&bench.token()).await;
    assert_eq!(status, 410);
    assert!(page.contains("No answer is needed any more"), "{page}");
    let (status, page) = bench.post(&bench.token(), "decision=approve").await;
    assert_eq!(status, 410);
    assert!(page.contains("No answer is needed any more"), "{page}");
    assert_eq!(bench.everything().await, before);
}

#[tokio::test]
async fn a_link_expires_with_the_approval() {
    let bench = Bench::new().await;
    bench.clock.set(EXPIRES);
    let before = bench.everything().await;
    for (status, page) in [
        bench.get(&bench.token()).await,
        bench.post(&bench.token(), "decision=approve").await,
    ] {
        assert_eq!(status, 410);
        assert!(page.contains("This link has expired"), "{page}");
    }
    // One that was made out for longer is too late all the same.
    let mut longer = link();
    longer.expires.0 += 1;
    let longer = bench.callback.key.sign(&longer);
    let (status, page) = bench.post(&longer, "decision=approve").await;
    assert_eq!(status, 410);
    assert!(page.contains("No answer is needed any more"), "{page}");
    assert_eq!(bench.everything().await, before);
}

#[tokio::test]
async fn a_link_to_another_attempt_is_no_link_to_this_one() {
    let bench = Bench::new().await;
    let before = bench.everything().await;
    let edits: [fn(&mut access::link::ApprovalLink); 6] = [
        |link| "other".clone_into(&mut link.pipeline),
        |link| link.execution = ExecutionId(Uuid::from_u128(5)),
        |link| "Source".clone_into(&mut link.stage),
        |link| "Other".clone_into(&mut link.action),
        |link| link.attempt = 2,
        |link| {
            "Source".clone_into(&mut link.stage);
            "Fetch".clone_into(&mut link.action);
        },
    ];
    for (place, edit) in edits.into_iter().enumerate() {
        let mut other = link();
        edit(&mut other);
        let token = bench.callback.key.sign(&other);
        let (status, _) = bench.post(&token, "decision=approve").await;
        assert!([404, 410].contains(&status), "{place}: {status}");
    }
    assert_eq!(bench.everything().await, before);
}

#[tokio::test]
async fn a_tampered_link_is_refused() {
    let bench = Bench::new().await;
    let token = bench.token();
    let before = bench.everything().await;
    let letters: Vec<u8> = (b'0'..=b'9')
        .chain(b'A'..=b'Z')
        .chain(b'a'..=b'z')
        .collect();
    let mut refused = 0;
    for round in 0..10_000_usize {
        let mut bytes = token.clone().into_bytes();
        let at = round % bytes.len();
        let letter = letters[(round / bytes.len() + round) % letters.len()];
        if bytes[at] == letter {
            continue;
        }
        bytes[at] = letter;
        let token = String::from_utf8(bytes).expect("letters");
        let request = Request::post(format!("/approvals/{token}"))
            .header("content-type", "application/x-www-form-urlencoded");
        let request = request
            .body(Bytes::from("decision=approve"))
            .expect("a request");
        assert_eq!(bench.send(request).await.status().as_u16(), 404);
        refused += 1;
    }
    assert!(refused > 9_000);
    for cut in 0..token.len() {
        assert_eq!(bench.post(&token[..cut], "decision=approve").await.0, 404);
    }
    for longer in [
        format!("{token}A"),
        format!("{token}/"),
        "a".repeat(100_000),
    ] {
        let request = Request::post(format!("/approvals/{longer}"));
        if let Ok(request) = request.body(Bytes::new()) {
            assert_eq!(bench.send(request).await.status().as_u16(), 404);
        }
    }
    assert_eq!(bench.everything().await, before);
}

#[tokio::test]
async fn a_form_that_is_not_understood_decides_nothing() {
    let bench = Bench::new().await;
    let before = bench.everything().await;
    let long = format!("decision=approve&comment={}", "x".repeat(513));
    let (status, page) = bench.post(&bench.token(), &long).await;
    assert_eq!(status, 400);
    assert!(page.contains("512 characters"), "{page}");
    let larger = format!("decision=approve&comment={}", "x".repeat(10_000));
    assert_eq!(bench.post(&bench.token(), &larger).await.0, 413);
    assert_eq!(bench.post(&bench.token(), "decision=perhaps").await.0, 400);
    let path = format!("/approvals/{}", bench.token());
    let request = Request::post(path).body(Bytes::from("decision=approve"));
    let response = bench.send(request.expect("a request")).await;
    assert_eq!(response.status().as_u16(), 415);
    assert_eq!(bench.everything().await, before);
}

#[tokio::test]
async fn nothing_in_a_page_is_taken_for_markup() {
    let hostile = [
        "<script>alert(1)</script>",
        "\"><img src=x onerror=alert(1)>",
        "</title><svg onload=alert(1)>",
        "</style><script>alert(1)</script>",
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "data:text/html,<script>alert(1)</script>",
        "' autofocus onfocus=alert(1) '",
        "https://example.org/\" onmouseover=\"alert(1)",
        "\u{202e}<b>",
    ];
    for text in hostile {
        let configuration = serde_json::json!({"CustomData": text, "ExternalEntityLink": text});
        let bench = Bench::with(&configuration.to_string(), text).await;
        let mut link = link();
        text.clone_into(&mut link.recipient);
        let token = bench.callback.key.sign(&link);
        let (_, page) = bench.get(&token).await;
        check_harmless(&page);
        let mut comment = String::new();
        for byte in text.bytes() {
            let _ = write!(comment, "%{byte:02x}");
        }
        let (status, page) = bench
            .post(&token, &format!("decision=reject&comment={comment}"))
            .await;
        assert_eq!(status, 200);
        check_harmless(&page);
        check_harmless(&bench.get(&token).await.1);
    }
}

/// Every tag is one of ours, and every link leads to the web.
fn check_harmless(page: &str) {
    let (_, body) = page.split_once("</style>").expect("it has a style");
    for tag in body.split('<').skip(1) {
        let (tag, _) = tag.split_once('>').expect("a tag ends");
        let name = tag
            .trim_start_matches('/')
            .split(' ')
            .next()
            .unwrap_or_default();
        let ours = [
            "head", "body", "html", "header", "main", "h1", "p", "dl", "div", "dt", "dd", "code",
            "span", "a", "form", "label", "textarea", "button", "time",
        ];
        assert!(ours.contains(&name), "<{tag}> in {body}");
        let attributes = tag.split('"').step_by(2).collect::<String>();
        assert!(!attributes.contains(" on"), "<{tag}>");
        if let Some((_, url)) = tag.split_once("href=\"") {
            assert!(url.starts_with("https://"), "<{tag}>");
        }
    }
}

#[tokio::test]
async fn a_store_that_is_closed_is_an_error_of_ours() {
    let bench = Bench::new().await;
    let token = bench.token();
    bench.crash();
    let (status, page) = bench.get(&token).await;
    assert_eq!(status, 503);
    assert!(page.contains("could not be stored"), "{page}");
    assert_eq!(bench.post(&token, "decision=approve").await.0, 503);
}
