//! `key`: access keys, which say who may ask a server and what.

use std::{fs, path::Path};

use model::Timestamp;
use serde_json::{Value, json};

use crate::{
    args::{IssueArgs, KeyArgs, KeyDeleteArgs, KeyPolicyArgs, KeyVerb, Output, RotateArgs},
    client::{
        ApiError, Client, Service, answer,
        api::now,
        table::{Table, status},
        when,
    },
    clock,
    command::ask::confirm,
    exit::Exit,
    failure::Failure,
    terminal::Terminal,
};

/// How many keys are listed.
const KEYS_MAX: usize = 10_000;
/// The longest policy document that is read: the server's limit is far below.
const POLICY_BYTES_MAX: u64 = 128 * 1024;
/// What the actions of the services that a server has begin with.
const SERVICES: [&str; 6] = [
    "codepipeline:",
    "codebuild:",
    "codecommit:",
    "s3:",
    "logs:",
    "pipewright:",
];
/// What `--admin` means.
const EVERYTHING: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;

pub(super) fn run(args: &KeyArgs, terminal: Terminal) -> Result<Exit, Failure> {
    let open = || Client::open(&args.connection);
    match &args.verb {
        KeyVerb::Issue(args) => issue(args, open, terminal),
        KeyVerb::List => list(&open()?, terminal),
        KeyVerb::Disable(args) => set(&open()?, &args.key, "Inactive", args.force, terminal),
        KeyVerb::Enable(args) => set(&open()?, &args.key, "Active", false, terminal),
        KeyVerb::Rotate(args) => rotate(&open()?, args, terminal),
        KeyVerb::Delete(args) => delete(&open()?, args, terminal),
        KeyVerb::Policy(args) => policy(args, open, terminal),
    }
}

fn ask(client: &Client, operation: &'static str, input: &Value) -> Result<Value, Failure> {
    client
        .ask(Service::Pipewright, operation, input)
        .map_err(refused)
}

/// Like [`ask`], about the key that the input names: somebody may have written a user's name instead.
fn ask_of(client: &Client, operation: &'static str, input: &Value) -> Result<Value, Failure> {
    let asked = client.ask(Service::Pipewright, operation, input);
    let error = match asked {
        Ok(answer) => return Ok(answer),
        Err(error) => error,
    };
    let user = input["accessKeyId"].as_str().unwrap_or_default();
    let keys = match keys(client) {
        Ok(keys) if !error.is_unknown_operation() => keys,
        Ok(_) | Err(_) => return Err(refused(error)),
    };
    match keys_of(&keys, user) {
        Some(own) => Err(Failure::from(error)
            .with_help(format!("`{user}` is a user; name the key instead: {own}"))),
        None => Err(refused(error)),
    }
}

/// The keys of a user, `PW1, PW2 (Inactive)`.
fn keys_of(keys: &[Value], user: &str) -> Option<String> {
    let own = keys.iter().filter(|key| key["userName"] == user);
    let own: Vec<String> = own
        .filter_map(|key| {
            let id = key["accessKeyId"].as_str()?;
            match key["status"].as_str() {
                Some("Active") | None => Some(id.to_owned()),
                Some(other) => Some(format!("{id} ({other})")),
            }
        })
        .collect();
    (!own.is_empty()).then(|| own.join(", "))
}

/// Says what a policy names that nothing here is: it would allow nothing, or forbid nothing.
fn warn(policies: &[String], terminal: Terminal) {
    for warning in policies.iter().flat_map(|policy| unknown(policy)) {
        terminal.insist(&format!("warning: {warning}"));
    }
}

/// Actions of services that are not here, and resources that cannot be any.
fn unknown(policy: &str) -> Vec<String> {
    // Whether it can be read at all is for the server to say.
    let policy: Value = serde_json::from_str(policy).unwrap_or_default();
    let mut warnings = Vec::new();
    for statement in one_or_many(&policy["Statement"]) {
        let named = |key: &'static str| {
            let named = one_or_many(&statement[key]).into_iter();
            named.filter_map(Value::as_str)
        };
        for action in named("Action").chain(named("NotAction")) {
            let is_known = SERVICES.iter().any(|service| {
                let prefix = action.get(..service.len()).unwrap_or_default();
                prefix.eq_ignore_ascii_case(service)
            });
            if !is_known && action != "*" {
                warnings.push(format!(
                    "the action `{action}` is of no service that a server has ({}…)",
                    SERVICES.join("…, ")
                ));
            }
        }
        for resource in named("Resource").chain(named("NotResource")) {
            if resource != "*" && !resource.starts_with("arn:") {
                warnings.push(format!(
                    "the resource `{resource}` is neither `*` nor an ARN, so it is none"
                ));
            }
        }
    }
    warnings
}

/// Keys are no part of the AWS API.
fn refused(error: ApiError) -> Failure {
    let is_elsewhere = error.is_unknown_operation();
    let is_missing = error.is_not_found();
    let failure = Failure::from(error);
    if is_elsewhere {
        return failure.with_help("keys are a Pipewright server's own; on AWS they are IAM's");
    }
    if is_missing {
        return failure.with_help("pipewright key list");
    }
    failure
}

fn issue(
    args: &IssueArgs,
    open: impl FnOnce() -> Result<Client, Failure>,
    terminal: Terminal,
) -> Result<Exit, Failure> {
    let policies = if args.admin {
        vec![EVERYTHING.to_owned()]
    } else {
        documents(&args.policies)?
    };
    if policies.is_empty() {
        return Err(Failure::usage(
            "nothing says what the key may do, and without a policy it is nothing",
        )
        .with_help("name a policy document with --policy FILE, or allow all with --admin"));
    }
    let mut input = json!({"userName": args.user, "policies": policies});
    if let Some(duration) = args.duration {
        input["durationSeconds"] = json!(duration.as_secs());
    }
    let client = open()?;
    warn(&policies, terminal);
    let answer = ask(&client, "CreateAccessKey", &input)?;
    issued(&client, &answer, args.export, terminal)?;
    Ok(Exit::Succeeded)
}

/// Reads policy documents, far enough to say which file is none.
fn documents(paths: &[impl AsRef<Path>]) -> Result<Vec<String>, Failure> {
    paths.iter().map(|path| document(path.as_ref())).collect()
}

fn document(path: &Path) -> Result<String, Failure> {
    let shown = path.display();
    let size = fs::metadata(path).map(|metadata| metadata.len());
    let text = match size {
        Ok(size) if size > POLICY_BYTES_MAX => {
            let message = format!("{shown} is longer than {POLICY_BYTES_MAX} bytes");
            return Err(Failure::new(Exit::Invalid, message)
                .with_help("a policy document is short; check that this is one"));
        }
        Ok(_) => fs::read_to_string(path),
        Err(error) => Err(error),
    };
    let text = text.map_err(|error| {
        Failure::not_found(format!("failed to read {shown}: {error}"))
            .with_help("name a file with an IAM policy document in it")
    })?;
    let read: Result<Value, _> = serde_json::from_str(&text);
    match read {
        Ok(document) if document["Statement"].is_null() => Err(Failure::new(
            Exit::Invalid,
            format!("{shown} is no policy document: it has no `Statement`"),
        )
        .with_help(format!("a policy document looks like {EVERYTHING}"))),
        Ok(_) => Ok(text),
        Err(error) => Err(
            Failure::new(Exit::Invalid, format!("{shown} is not JSON: {error}"))
                .with_help(format!("a policy document looks like {EVERYTHING}")),
        ),
    }
}

/// Shows a key with its secret, which nobody can ever show again.
fn issued(
    client: &Client,
    answer: &Value,
    export: bool,
    terminal: Terminal,
) -> Result<(), Failure> {
    let key = &answer["accessKey"];
    if terminal.output == Output::Text {
        let place = Place {
            endpoint: client.settings.endpoint(Service::Pipewright),
            region: client.settings.region.clone(),
        };
        answer::text(&credentials(key, &place, export))?;
        if !export {
            let user = key["userName"].as_str().unwrap_or_default();
            terminal.say(&format!(
                "Put it into ~/.aws/config, which only you should be able to read, and name it: \
                 --profile {0}, or AWS_PROFILE={0}.",
                quoted(user)
            ));
        }
        terminal.say("The secret is shown this once only.");
        return Ok(());
    }
    answer::one(terminal, &json!({"v": 1, "accessKey": key}))
}

/// Where a key is good.
struct Place {
    endpoint: String,
    region: String,
}

fn credentials(key: &Value, place: &Place, export: bool) -> String {
    let text = |name: &str| key[name].as_str().unwrap_or_default();
    let mut pairs = vec![
        ("AWS_ACCESS_KEY_ID", text("accessKeyId")),
        ("AWS_SECRET_ACCESS_KEY", text("secretAccessKey")),
    ];
    if !text("sessionToken").is_empty() {
        pairs.push(("AWS_SESSION_TOKEN", text("sessionToken")));
    }
    if export {
        pairs.push(("AWS_ENDPOINT_URL", &place.endpoint));
        pairs.push(("AWS_REGION", &place.region));
        // Older clients know the region by this name only.
        pairs.push(("AWS_DEFAULT_REGION", &place.region));
        let line = |(name, value): &(&str, &str)| format!("export {name}={}\n", quoted(value));
        return pairs.iter().map(line).collect();
    }
    let line = |(name, value): &(&str, &str)| {
        let name = name.to_ascii_lowercase();
        format!("{name} = {value}\n")
    };
    // The form of a configuration file, so that it can be put into one.
    let lines: String = pairs.iter().map(line).collect();
    let Place { endpoint, region } = place;
    format!(
        "[profile {}]\n{lines}region = {region}\nendpoint_url = {endpoint}\n",
        text("userName")
    )
}

/// The text as one word of a shell's command line.
fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "=_-./:@,+".contains(c);
    if text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

fn rotate(client: &Client, args: &RotateArgs, terminal: Terminal) -> Result<Exit, Failure> {
    let mut input = json!({"accessKeyId": args.key});
    if let Some(grace) = args.grace {
        input["graceSeconds"] = json!(grace.as_secs());
    }
    let answer = ask_of(client, "RotateAccessKey", &input)?;
    issued(client, &answer, args.export, terminal)?;
    terminal.say(&match args.grace {
        Some(grace) => format!("The old key is good for {} more.", clock::duration(grace)),
        None => format!(
            "The old key is still good. When the new one is in use: pipewright key delete {}",
            args.key
        ),
    });
    Ok(Exit::Succeeded)
}

fn keys(client: &Client) -> Result<Vec<Value>, ApiError> {
    client.list(
        Service::Pipewright,
        "ListAccessKeys",
        &json!({}),
        "accessKeys",
        KEYS_MAX,
    )
}

fn list(client: &Client, terminal: Terminal) -> Result<Exit, Failure> {
    let keys = keys(client).map_err(refused)?;
    if terminal.output == Output::Text {
        answer::text(&table(&keys, now()).render(terminal.colour))?;
    } else {
        answer::list(terminal, "accessKeys", keys)?;
    }
    Ok(Exit::Succeeded)
}

fn table(keys: &[Value], now: Timestamp) -> Table {
    let mut table = Table::new(&["KEY", "USER", "STATUS", "CREATED", "EXPIRES", "MAY"]);
    for key in keys {
        let text = |name: &str| key[name].as_str().unwrap_or_default();
        let expires = when::timestamp(&key["expiration"]).map_or_else(
            || "never".to_owned(),
            |at| {
                if at < now {
                    format!("expired {}", when::ago(at, now))
                } else {
                    format!("in {}", clock::between(now, at))
                }
            },
        );
        table.row(vec![
            text("accessKeyId").into(),
            text("userName").into(),
            status(text("status")),
            when::ago_value(&key["createDate"], now).into(),
            expires.into(),
            rights(&key["policies"]).into(),
        ]);
    }
    table
}

/// What the policies of a key allow, in a few words; the documents are in `-o json`.
fn rights(policies: &Value) -> String {
    let none = Vec::new();
    let policies = policies.as_array().unwrap_or(&none);
    let mut words = Vec::new();
    for policy in policies {
        let read: Option<Value> = match policy {
            Value::String(text) => serde_json::from_str(text).ok(),
            other => Some(other.clone()),
        };
        let statements = read.map_or(Value::Null, |policy| policy["Statement"].clone());
        for statement in one_or_many(&statements) {
            let is_deny = statement["Effect"] == "Deny";
            for action in one_or_many(&statement["Action"]) {
                let action = action.as_str().unwrap_or("?");
                words.push(format!("{}{action}", if is_deny { "not " } else { "" }));
            }
        }
    }
    if words.is_empty() {
        return "nothing".to_owned();
    }
    crate::plan::cut(&words.join(", "), 60)
}

fn one_or_many(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(many) => many.iter().collect(),
        Value::Null => Vec::new(),
        one => vec![one],
    }
}

fn set(
    client: &Client,
    key: &str,
    status: &str,
    force: bool,
    terminal: Terminal,
) -> Result<Exit, Failure> {
    let input = json!({"accessKeyId": key, "status": status, "force": force});
    ask_of(client, "UpdateAccessKey", &input)?;
    let line = if status == "Active" {
        format!("Enabled {key}")
    } else {
        format!("Disabled {key}. Enable it again: pipewright key enable {key}")
    };
    let document = json!({"accessKeyId": key, "status": status});
    answer::done(terminal, &line, document)?;
    Ok(Exit::Succeeded)
}

fn delete(client: &Client, args: &KeyDeleteArgs, terminal: Terminal) -> Result<Exit, Failure> {
    let key = &args.key.key;
    let question = format!("Delete key {key} for good? Whoever uses it is refused from now on.");
    confirm(&question, args.yes, terminal)?;
    let input = json!({"accessKeyId": key, "force": args.key.force});
    ask_of(client, "DeleteAccessKey", &input)?;
    let document = json!({"deleted": key});
    answer::done(terminal, &format!("Deleted {key}"), document)?;
    Ok(Exit::Succeeded)
}

fn policy(
    args: &KeyPolicyArgs,
    open: impl FnOnce() -> Result<Client, Failure>,
    terminal: Terminal,
) -> Result<Exit, Failure> {
    let policies = documents(&args.policies)?;
    let count = policies.len();
    let input = json!({"accessKeyId": args.key, "policies": policies, "force": args.force});
    let client = open()?;
    warn(&policies, terminal);
    ask_of(&client, "PutAccessKeyPolicies", &input)?;
    let ending = if count == 1 { "y" } else { "ies" };
    let line = format!("{} has {count} polic{ending} now", args.key);
    answer::done(
        terminal,
        &line,
        json!({"accessKeyId": args.key, "policies": count}),
    )?;
    Ok(Exit::Succeeded)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn a_key_can_be_put_into_a_file_or_a_shell() {
        let key = json!({"accessKeyId": "PW1", "secretAccessKey": "a b'c", "userName": "ci",
                         "sessionToken": "t"});
        let place = Place {
            endpoint: "http://127.0.0.1:7780".into(),
            region: "us-east-1".into(),
        };
        expect![[r#"
            [profile ci]
            aws_access_key_id = PW1
            aws_secret_access_key = a b'c
            aws_session_token = t
            region = us-east-1
            endpoint_url = http://127.0.0.1:7780
        "#]]
        .assert_eq(&credentials(&key, &place, false));
        expect![[r#"
            export AWS_ACCESS_KEY_ID=PW1
            export AWS_SECRET_ACCESS_KEY='a b'\''c'
            export AWS_SESSION_TOKEN=t
            export AWS_ENDPOINT_URL=http://127.0.0.1:7780
            export AWS_REGION=us-east-1
            export AWS_DEFAULT_REGION=us-east-1
        "#]]
        .assert_eq(&credentials(&key, &place, true));
    }

    #[test]
    fn what_a_policy_names_that_is_nothing_is_said() {
        assert_eq!(unknown(EVERYTHING), Vec::<String>::new());
        assert_eq!(unknown("no JSON"), Vec::<String>::new());
        let policy = r#"{"Statement": [
            {"Effect": "Allow", "Action": ["CodePipeline:Get*", "pipeline:Get*", "é"],
             "Resource": ["arn:aws:codepipeline:*", "web"]},
            {"Effect": "Deny", "NotAction": "ec2:*", "NotResource": "*"}]}"#;
        expect![[r#"
            the action `pipeline:Get*` is of no service that a server has (codepipeline:…, codebuild:…, codecommit:…, s3:…, logs:…, pipewright:…)
            the action `é` is of no service that a server has (codepipeline:…, codebuild:…, codecommit:…, s3:…, logs:…, pipewright:…)
            the resource `web` is neither `*` nor an ARN, so it is none
            the action `ec2:*` is of no service that a server has (codepipeline:…, codebuild:…, codecommit:…, s3:…, logs:…, pipewright:…)"#]]
        .assert_eq(&unknown(policy).join("\n"));
    }

    #[test]
    fn a_user_has_keys() {
        let keys = [
            json!({"accessKeyId": "PW1", "userName": "ci", "status": "Active"}),
            json!({"accessKeyId": "PW2", "userName": "ci", "status": "Inactive"}),
        ];
        assert_eq!(keys_of(&keys, "ci").as_deref(), Some("PW1, PW2 (Inactive)"));
        assert_eq!(keys_of(&keys, "PW1"), None);
    }

    #[test]
    fn a_list_says_what_each_key_may() {
        let now = Timestamp(1_800_000_000_000);
        let keys = [
            json!({"accessKeyId": "PW1", "userName": "administrator", "status": "Active",
                   "createDate": 1_799_000_000, "policies": [EVERYTHING]}),
            json!({"accessKeyId": "PW2", "userName": "ci", "status": "Inactive",
                   "createDate": 1_799_999_999, "expiration": 1_800_003_600, "policies": [
                {"Statement": {"Effect": "Allow", "Action": ["codepipeline:Get*"]}},
                {"Statement": [{"Effect": "Deny", "Action": "codepipeline:Delete*"}]}]}),
            json!({"accessKeyId": "PW3", "userName": "old", "status": "Active",
                   "expiration": 1_799_990_000}),
        ];
        expect![[r#"
            KEY  USER           STATUS    CREATED   EXPIRES         MAY
            PW1  administrator  Active    11d ago   never           *
            PW2  ci             Inactive  just now  in 1h 00m       codepipeline:Get*, not codepipeline:Delete*
            PW3  old            Active    -         expired 2h ago  nothing
        "#]].assert_eq(&table(&keys, now).render(false));
    }

    #[test]
    fn a_file_that_is_no_policy_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("p.json");
        assert_eq!(document(&path).expect_err("not there").exit, Exit::NotFound);
        for (text, exit) in [("{", Exit::Invalid), ("{}", Exit::Invalid)] {
            fs::write(&path, text).expect("write");
            assert_eq!(document(&path).expect_err("no policy").exit, exit);
        }
        fs::write(&path, EVERYTHING).expect("write");
        assert_eq!(document(&path).expect("a policy"), EVERYTHING);
        let long = usize::try_from(POLICY_BYTES_MAX).expect("small") + 1;
        fs::write(&path, vec![b' '; long]).expect("write");
        assert_eq!(document(&path).expect_err("long").exit, Exit::Invalid);
    }

    #[test]
    fn aws_has_no_such_operation() {
        let error = ApiError::Refused {
            name: "UnknownOperationException".into(),
            message: String::new(),
            operation: "ListAccessKeys",
            status: 400,
        };
        assert_eq!(
            refused(error).findings[0].help.as_deref(),
            Some("keys are a Pipewright server's own; on AWS they are IAM's")
        );
    }
}
