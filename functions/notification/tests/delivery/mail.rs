//! Told by mail.

use expect_test::expect;
use std::sync::atomic::Ordering;

use crate::{
    ALL,
    bench::{Bench, MailServer, SECRET},
    rule, run, whys,
};

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
pub(crate) fn plain(data: &str) -> String {
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
