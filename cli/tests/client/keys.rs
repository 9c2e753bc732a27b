//! Who may ask, and what they are told when they may not.

use std::net::TcpListener;

use crate::bench::{Bench, Ended};

const READ_ONLY: &str = r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow",
    "Action": ["codepipeline:Get*", "codepipeline:List*"], "Resource": "*"}]}"#;

/// Calls the program with that key.
fn call(bench: &Bench, key: &(String, String), arguments: &[&str]) -> Ended {
    let output = bench
        .command(arguments)
        .env("AWS_ACCESS_KEY_ID", &key.0)
        .env("AWS_SECRET_ACCESS_KEY", &key.1)
        .env("AWS_CONFIG_FILE", bench.path(".pipewright/config"))
        .env("AWS_PROFILE", "pipewright")
        .output()
        .expect("it runs");
    Ended {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

fn issued(ended: &Ended) -> (String, String) {
    let key = &ended.json()["accessKey"];
    let text = |name: &str| key[name].as_str().expect("a text").to_owned();
    (text("accessKeyId"), text("secretAccessKey"))
}

#[test]
fn a_key_may_do_what_its_policy_says_until_it_is_taken_back() {
    let bench = Bench::start();
    bench.write("read.json", READ_ONLY);
    bench.call(&["pipeline", "create", "ship.yml"]).expect(0);
    let key = bench
        .call(&["key", "issue", "ci", "--policy", "read.json", "-o", "json"])
        .expect(0);
    let key = issued(&key);
    call(&bench, &key, &["pipeline", "list"])
        .expect(0)
        .says(&["ship"]);
    call(&bench, &key, &["start", "ship"])
        .expect(5)
        .says(&["AccessDeniedException", "pipewright key policy"]);
    bench.call(&["key", "list"]).expect(0).says(&[
        &key.0,
        "ci",
        "codepipeline:Get*",
        "administrator",
    ]);
    bench
        .call(&["key", "disable", "ci"])
        .expect(4)
        .says(&["`ci` is a user; name the key instead: ", &key.0]);
    bench.call(&["key", "disable", &key.0]).expect(0);
    call(&bench, &key, &["pipeline", "list"]).expect(5);
    bench.call(&["key", "enable", &key.0]).expect(0);
    call(&bench, &key, &["pipeline", "list"]).expect(0);
    bench.write(
        "all.json",
        &READ_ONLY.replace("codepipeline:Get*", "codepipeline:Start*"),
    );
    bench.call(&["key", "policy", &key.0, "all.json"]).expect(0);
    call(&bench, &key, &["start", "ship"]).expect(0);
    let new = issued(
        &bench
            .call(&["key", "rotate", &key.0, "-o", "json"])
            .expect(0),
    );
    assert_ne!(new.0, key.0);
    call(&bench, &new, &["pipeline", "list"]).expect(0);
    bench
        .call(&["key", "delete", &key.0])
        .expect(2)
        .says(&["--yes"]);
    bench.call(&["key", "delete", &key.0, "--yes"]).expect(0);
    call(&bench, &key, &["pipeline", "list"]).expect(5);
    bench
        .call(&["key", "delete", "PWNOSUCHKEY000000000", "--yes"])
        .expect(4)
        .says(&["pipewright key list"]);
    let wrong = (new.0.clone(), "not the secret".to_owned());
    call(&bench, &wrong, &["pipeline", "list"])
        .expect(5)
        .says(&["InvalidSignatureException", "check the secret access key"]);
}

#[test]
fn nobody_at_the_endpoint_and_nothing_of_that_name() {
    let bench = Bench::start();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let nobody = format!("http://{}", listener.local_addr().expect("an address"));
    drop(listener);
    bench
        .call(&["pipeline", "list", "--endpoint-url", &nobody])
        .expect(9)
        .says(&["nothing answers at ", "pipewright serve"]);
    bench.call(&["pipeline", "create", "ship.yml"]).expect(0);
    bench
        .call(&["start", "shp"])
        .expect(4)
        .says(&["did you mean `ship`?"]);
    bench
        .call(&["watch", "0123abcd"])
        .expect(4)
        .says(&["no execution has an id"]);
    bench
        .call(&["start", "ship", "-V", "Nope=1"])
        .expect(2)
        .says(&["ValidationException"]);
    bench
        .call(&["start", "ship", "--timeout", "5s"])
        .expect(2)
        .says(&["add --wait or --logs"]);
    let error = bench.call(&["start", "shp", "-o", "json"]).expect(4).json();
    assert_eq!(error["exitCode"], 4);
    assert_eq!(
        error["problems"][0]["exception"],
        "PipelineNotFoundException"
    );
    bench
        .call(&["exec", "list", "ship", "-o", "yaml"])
        .expect(2)
        .says(&["only `pipeline show` writes YAML"]);
}

/// What somebody needs who does nothing but answer.
const ANSWERER: &str = r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow",
    "Action": ["codepipeline:GetPipelineState", "codepipeline:PutApprovalResult"],
    "Resource": "*"}]}"#;

#[test]
fn whoever_may_see_the_state_and_answer_can_approve() {
    let bench = Bench::start();
    bench.write("answer.json", ANSWERER);
    bench.call(&["pipeline", "create", "ship.yml"]).expect(0);
    let key = issued(
        &bench
            .call(&[
                "key",
                "issue",
                "boss",
                "--policy",
                "answer.json",
                "-o",
                "json",
            ])
            .expect(0),
    );
    bench.until(&["approvals"], |ended| {
        ended.stdout.contains("ship/Approve")
    });
    call(&bench, &key, &["approve", "ship", "-m", "fine"])
        .expect(0)
        .says(&["Approved ship/Approve/ok of execution "]);
    bench.call(&["wait", "ship", "--timeout", "60s"]).expect(0);
}
