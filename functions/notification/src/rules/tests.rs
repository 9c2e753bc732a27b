use std::os::unix::fs::PermissionsExt;

use expect_test::{Expect, expect};

use super::*;

fn read(text: &str, format: Format) -> Result<Config, Vec<Problem>> {
    let secret = |name: &str| match name {
        "hook" => Some("0123456789abcdef".to_owned()),
        "short" => Some("hunter2".to_owned()),
        "empty" => Some(String::new()),
        _ => None,
    };
    let env = |name: &str| (name == "SMTP_PASSWORD").then(|| "hunter2".to_owned());
    let lookup = Lookup {
        secret: &secret,
        env: &env,
    };
    Config::read(text, format, &lookup)
}

const FILE: &str = "
rules:
  - name: failures
    pattern:
      source: [aws.codepipeline]
      detail: {state: [FAILED, {prefix: STOP}], version: [{numeric: ['>=', 1.5]}]}
    targets:
      - webhook: {url: 'https://ci.example.org/hook', secret: {secret: hook}}
      - webhook: {url: 'http://10.0.0.1:8080/', secret: {secret: hook}, allow_private: true}
      - email: {to: [team@example.org, 'Ann <ann@example.org>']}
      - command: {argv: [page, --now]}
smtp:
  host: mail.example.org
  from: Pipewright <ci@example.org>
  username: ci
  password: {env: SMTP_PASSWORD}
approvals:
  email: [ann@example.org, bob@example.org]
  command: {argv: [ask]}
topics:
  arn:aws:sns:us-east-1:000000000000:releases:
    - email: {to: [release@example.org], from: other@example.org}
";

#[test]
fn a_file_says_who_is_told_of_what() {
    let config = read(FILE, Format::Yaml).expect("it is valid");
    let [rule] = config.rules.as_slice() else {
        panic!("{:?}", config.rules);
    };
    assert_eq!(rule.name, "failures");
    let event = |state: &str, version: f64| serde_json::json!({"source": "aws.codepipeline", "detail": {"state": state, "version": version}});
    assert!(rule.pattern.matches(&event("STOPPED", 2.0)));
    assert!(!rule.pattern.matches(&event("STOPPED", 1.0)));
    assert_eq!(rule.targets.len(), 4);
    let Channel::Webhook(private) = &rule.targets[1] else {
        panic!("{:?}", rule.targets);
    };
    assert!(private.allow_private);
    let Channel::Email(email) = &rule.targets[2] else {
        panic!("{:?}", rule.targets);
    };
    assert_eq!(email.from.to_string(), "Pipewright <ci@example.org>");
    assert_eq!(email.to.len(), 2);
    assert_eq!(config.approvals.len(), 2);
    let smtp = config.smtp.as_ref().expect("there is a server");
    assert_eq!((smtp.port, smtp.tls), (587, Tls::StartTls));
    let topic = &config.topics["arn:aws:sns:us-east-1:000000000000:releases"];
    let Channel::Email(email) = &topic[0] else {
        panic!("{topic:?}");
    };
    assert_eq!(email.from.to_string(), "other@example.org");
    let shown = format!("{config:?}");
    assert!(
        !shown.contains("hunter2") && !shown.contains("0123456789"),
        "{shown}"
    );
}

#[test]
fn a_file_may_be_json_and_may_say_nothing() {
    let json = r#"{"rules": [{"name": "all", "pattern": {"source": ["aws.codepipeline"]},
        "targets": [{"command": {"argv": ["true"]}}]}]}"#;
    assert_eq!(
        read(json, Format::Json).expect("it is valid").rules.len(),
        1
    );
    let nothing = read("{}", Format::Yaml).expect("it is valid");
    assert!(nothing.rules.is_empty() && nothing.approvals.is_empty());
}

#[test]
fn the_port_follows_from_the_encryption() {
    for (tls, port) in [("none", 25), ("starttls", 587), ("tls", 465)] {
        let config = read(&format!("smtp: {{host: h, tls: {tls}}}"), Format::Yaml);
        assert_eq!(
            config.expect("it is valid").smtp.map(|smtp| smtp.port),
            Some(port)
        );
    }
    let text = "smtp: {host: h, port: 2525}";
    let config = read(text, Format::Yaml).expect("it is valid");
    assert_eq!(config.smtp.map(|smtp| smtp.port), Some(2_525));
}

#[track_caller]
fn refused(text: &str, expected: &Expect) {
    let problems = read(text, Format::Yaml).expect_err("it is refused");
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    let text = lines.join("\n");
    assert!(!text.contains("hunter2"), "{text}");
    expected.assert_eq(&text);
}

#[test]
fn everything_that_is_wrong_is_told_with_its_place() {
    refused(
        "
rules:
  - name: a b
    pattern: {source: aws.codepipeline, detial: {state: [{prefx: F}]}}
    targets: []
  - name: same
    pattern: {source: [x]}
    target: []
    targets: [{webhok: {}}, {}, {command: {argv: [x]}, email: {to: [a@example.org]}}]
  - name: same
    pattern: []
    targets: [{command: {argv: []}}, {command: {argv: ['']}}, {command: {}}]
retries: 5
",
        &expect![[r#"
            3:11: rules[0].name: the name of a rule is letters, digits, `-`, `_` and `.` [ValidationException]; help: write one to 64 of them
            4:23: rules[0].pattern.source: the value is a string, where a list is expected [ValidationException]; help: write ["aws.codepipeline"]
            4:58: rules[0].pattern.detial.state[0]: there is no matcher `prefx` here [ValidationException]; help: did you mean `prefix`?
            5:14: rules[0].targets: Value '[]' at 'rules[0].targets' failed to satisfy constraint: Member must have length greater than or equal to 1 [ValidationException]; help: leave the field out, or add an item
            8:5: rules[1].target: unknown field `target` [ValidationException]; help: remove it; the fields here are name, pattern, targets
            9:16: rules[1].targets[0].webhok: unknown field `webhok` [ValidationException]; help: did you mean `webhook`?
            9:29: rules[1].targets[1]: a target is one thing, and here 0 are named [ValidationException]; help: write one of: webhook, email, command
            9:33: rules[1].targets[2]: a target is one thing, and here 2 are named [ValidationException]; help: write one of: webhook, email, command
            9:63: rules[1].targets[2].email: mail needs a server [ValidationException]; help: add `smtp: {host: …, from: …}`
            11:14: rules[2].pattern: the pattern is a list, where an object is expected [ValidationException]; help: write it like the event, with a list at each leaf: {"source": ["aws.codepipeline"]}
            12:32: rules[2].targets[0].command.argv: Value '[]' at 'rules[2].targets[0].command.argv' failed to satisfy constraint: Member must have length greater than or equal to 1 [ValidationException]; help: leave the field out, or add an item
            12:55: rules[2].targets[1].command.argv: this is no program with its arguments [ValidationException]; help: write up to 64 texts of up to 4096 bytes, the program first
            12:73: rules[2].targets[2].command.argv: `rules[2].targets[2].command.argv` is missing [ValidationException]; help: add `argv`
            13:1: retries: unknown field `retries` [ValidationException]; help: remove it; the fields here are smtp, rules, approvals, topics"#]],
    );
}

#[test]
fn two_rules_do_not_share_a_name() {
    let rule = "{name: same, pattern: {a: [x]}, targets: [{command: {argv: [x]}}]}";
    refused(
        &format!("rules: [{rule}, {rule}]"),
        &expect![
            "1:84: rules[1].name: two rules have the name `same` [ValidationException]; help: give each rule a name of its own"
        ],
    );
}

#[test]
fn targets_are_checked_before_anything_is_sent() {
    refused(
        "
smtp: {host: mail.example.org}
rules:
  - name: a
    pattern: {source: [x]}
    targets:
      - webhook: {url: 'http://example.org/', secret: {secret: hook}}
      - webhook: {url: 'ftp://example.org/', secret: {secret: hook}, allow_private: true}
      - webhook: {url: 'https://user:hunter2@example.org/', secret: {secret: hook}}
      - webhook: {url: '/path', secret: {secret: hook}}
      - webhook: {url: 'not a url', secret: {secret: hook}}
      - webhook: {url: 'https://example.org/', secret: {secret: short}}
      - webhook: {url: 'https://example.org/', secret: {secret: nowhere}}
      - webhook: {url: 'https://example.org/', secret: {env: NOWHERE}}
      - webhook: {url: 'https://example.org/', secret: {secret: empty}}
      - webhook: {url: 'https://example.org/', secret: {file: /nowhere/at/all}}
      - webhook: {url: 'https://example.org/', secret: {env: A, secret: hook}}
      - webhook: {url: 'https://example.org/', secret: hunter2}
      - webhook: {url: 'https://example.org/', secret: {value: hunter2}}
      - email: {to: [nobody]}
      - email: {to: [a@example.org]}
      - email: {to: []}
",
        &expect![[r#"
            7:24: rules[0].targets[0].webhook.url: the URL is not encrypted [ValidationException]; help: write https://HOST/PATH, or http:// with `allow_private: true` for one of your own network
            8:24: rules[0].targets[1].webhook.url: the URL is not of the web [ValidationException]; help: write https://HOST/PATH, or http:// with `allow_private: true` for one of your own network
            9:24: rules[0].targets[2].webhook.url: the URL holds a name or password [ValidationException]; help: write https://HOST/PATH, or http:// with `allow_private: true` for one of your own network
            10:24: rules[0].targets[3].webhook.url: the URL names no host [ValidationException]; help: write https://HOST/PATH, or http:// with `allow_private: true` for one of your own network
            11:24: rules[0].targets[4].webhook.url: this is no URL [ValidationException]; help: write https://HOST/PATH, or http:// with `allow_private: true` for one of your own network
            12:56: rules[0].targets[5].webhook.secret: the secret of a webhook is too short [ValidationException]; help: take one of 16 bytes or more
            13:56: rules[0].targets[6].webhook.secret: the secrets file has no secret `nowhere` [ValidationException]; help: write {secret: NAME} of the secrets file, {env: NAME} or {file: PATH}
            14:56: rules[0].targets[7].webhook.secret: the environment has no variable `NOWHERE` [ValidationException]; help: write {secret: NAME} of the secrets file, {env: NAME} or {file: PATH}
            15:56: rules[0].targets[8].webhook.secret: the secret is empty [ValidationException]; help: write {secret: NAME} of the secrets file, {env: NAME} or {file: PATH}
            16:56: rules[0].targets[9].webhook.secret: `/nowhere/at/all` cannot be read: No such file or directory (os error 2) [ValidationException]; help: write {secret: NAME} of the secrets file, {env: NAME} or {file: PATH}
            17:56: rules[0].targets[10].webhook.secret: a secret is named in one of three ways [ValidationException]; help: write {secret: NAME} of the secrets file, {env: NAME} or {file: PATH}
            18:56: rules[0].targets[11].webhook.secret: `rules[0].targets[11].webhook.secret` is a string, where a map is expected [SerializationException]
            19:57: rules[0].targets[12].webhook.secret.value: unknown field `value` [ValidationException]; help: remove it; the fields here are secret, env, file
            20:16: rules[0].targets[13].email: the mail has no sender [ValidationException]; help: add `from` here or to `smtp`
            20:22: rules[0].targets[13].email.to[0]: `nobody` is no address [ValidationException]; help: write ann@example.org or Ann <ann@example.org>
            21:16: rules[0].targets[14].email: the mail has no sender [ValidationException]; help: add `from` here or to `smtp`
            22:16: rules[0].targets[15].email: the mail has no sender [ValidationException]; help: add `from` here or to `smtp`
            22:21: rules[0].targets[15].email.to: Value '[]' at 'rules[0].targets[15].email.to' failed to satisfy constraint: Member must have length greater than or equal to 1 [ValidationException]; help: leave the field out, or add an item"#]],
    );
}

#[test]
fn a_mail_server_is_not_told_a_password_in_the_clear() {
    refused(
        "smtp: {host: mail.example.org, tls: none, username: ci, password: {env: SMTP_PASSWORD}}",
        &expect![
            "1:7: smtp: the password would be sent in the clear [ValidationException]; help: write both, or none of them, and `tls: starttls` or `tls: tls`"
        ],
    );
    refused(
        "smtp: {host: mail.example.org, username: ci}",
        &expect![
            "1:7: smtp: a username and a password go together [ValidationException]; help: write both, or none of them, and `tls: starttls` or `tls: tls`"
        ],
    );
    refused(
        "smtp: {host: mail.example.org, password: {env: SMTP_PASSWORD}}",
        &expect![
            "1:7: smtp: a username and a password go together [ValidationException]; help: write both, or none of them, and `tls: starttls` or `tls: tls`"
        ],
    );
    refused(
        "smtp: {host: h, port: 0, tls: ssl}",
        &expect![[r#"
        1:7: smtp: there is no such port [ValidationException]; help: write 1 to 65535
        1:31: smtp.tls: Value 'ssl' at 'smtp.tls' failed to satisfy constraint: Member must satisfy enum value set: [none, starttls, tls] [ValidationException]; help: write one of: none, starttls, tls"#]],
    );
    refused(
        "approvals: {email: [ann@example.org]}",
        &expect![
            "1:20: approvals.email: mail needs a server [ValidationException]; help: add `smtp: {host: …, from: …}`"
        ],
    );
    let local = "smtp: {host: localhost, tls: none, username: ci, password: {env: SMTP_PASSWORD}}";
    assert!(read(local, Format::Yaml).is_ok());
}

#[test]
fn a_file_has_a_bounded_number_of_targets() {
    let targets = vec!["{command: {argv: [x]}}"; TARGETS_MAX + 1].join(", ");
    let text = format!("rules: [{{name: a, pattern: {{a: [x]}}, targets: [{targets}]}}]");
    refused(
        &text,
        &expect![
            "1:1: document: the file has 257 targets, and the most is 256 [ValidationException]; help: let one command tell several"
        ],
    );
    let to = vec!["a@example.org"; 51].join(", ");
    refused(
        &format!("smtp: {{host: h, from: a@example.org}}\napprovals: {{email: [{to}]}}"),
        &expect![
            "2:20: approvals.email: there are more than 50 recipients [ValidationException]; help: write to a mailing list"
        ],
    );
}

#[test]
fn a_secret_in_a_file_is_read_when_nobody_else_can_read_it() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let path = folder.path().join("secret");
    let text = format!(
        "rules: [{{name: a, pattern: {{a: [x]}}, targets: [{{webhook: {{url: 'https://example.org/', \
         secret: {{file: '{}'}}}}}}]}}]",
        path.display()
    );
    let put = |value: &str, mode: u32| {
        std::fs::write(&path, value).expect("it is written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("it is set");
        read(&text, Format::Yaml)
    };
    let config = put("0123456789abcdef\n", 0o600).expect("it is valid");
    let Channel::Webhook(webhook) = &config.rules[0].targets[0] else {
        panic!("{config:?}");
    };
    assert_eq!(webhook.secret.reveal(), "0123456789abcdef");
    for (value, mode, why) in [
        ("0123456789abcdef", 0o644, "others can read"),
        (&*"x".repeat(5_000), 0o600, "takes more than 4096 bytes"),
        ("\n", 0o600, "the secret is empty"),
    ] {
        let problems = put(value, mode).expect_err("it is refused");
        assert!(problems[0].message.contains(why), "{problems:?}");
    }
}

#[test]
fn an_unreadable_text_is_one_problem() {
    for (text, format) in [
        ("rules: [", Format::Yaml),
        ("{", Format::Json),
        ("- a", Format::Yaml),
    ] {
        assert_eq!(read(text, format).expect_err("it is refused").len(), 1);
    }
}
