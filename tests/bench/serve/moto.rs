//! moto's server, which answers the same calls and keeps nothing, measured beside us.

use std::{
    env,
    error::Error,
    fs::{self, File},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    Effort,
    client::{self, Ask, Connection},
    figures::{Row, say},
    key::{Key, Signable},
    process::free_address,
};

/// How long it may take until it answers.
const START_WITHIN: Duration = Duration::from_mins(1);

/// How many pipelines it gets at most: each takes it some milliseconds.
const PIPELINES_MAX: usize = 1_000;

/// The process, which ends with the measurement.
struct Moto(Child);

impl Drop for Moto {
    fn drop(&mut self) {
        // It may have ended; then there is nothing to kill.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Measures the calls that moto has; `MOTO` names its program.
pub(crate) fn measure(
    effort: &Effort,
    folder: &Path,
    rows: &mut Vec<Row>,
) -> Result<(), Box<dyn Error>> {
    let Some(program) = env::var_os("MOTO") else {
        say("moto was not measured: MOTO names no moto_server");
        return Ok(());
    };
    let address = free_address()?;
    let log = File::create(folder.join("moto.log"))?;
    let began = Instant::now();
    let child = Command::new(program)
        .args(["-H", "127.0.0.1", "-p", &address.port().to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()?;
    let moto = Moto(child);
    let mut connection = loop {
        if let Ok(connection) = Connection::open(address) {
            break connection;
        }
        if began.elapsed() > START_WITHIN {
            return Err("moto does not listen".into());
        }
        thread::sleep(Duration::from_millis(10));
    };
    let ready = began.elapsed();
    rows.push(Row::millis("moto: start to listening", ready, None));
    let key = Key {
        id: "testing".to_owned(),
        secret: "testing".to_owned(),
    };
    let role = role(&mut connection, address, &key)?;
    for number in 0..effort.pipelines.min(PIPELINES_MAX) {
        let input = json!({"pipeline": pipeline(&format!("p{number}"), &role)});
        let request = Signable::operation(address, "CreatePipeline", &input);
        connection.ask(&request.signed(&key))?;
    }
    calls(effort, address, &key, rows)?;
    rows.push(Row::megabytes(
        "moto: memory afterwards",
        memory_mb(&moto.0)?,
        None,
    ));
    Ok(())
}

fn calls(
    effort: &Effort,
    address: SocketAddr,
    key: &Key,
    rows: &mut Vec<Row>,
) -> Result<(), Box<dyn Error>> {
    let name = json!({"name": "p0"});
    for (operation, input) in [
        ("GetPipelineState", name.clone()),
        ("GetPipeline", name.clone()),
        ("ListPipelineExecutions", json!({"pipelineName": "p0"})),
        ("ListPipelines", json!({})),
        ("StartPipelineExecution", name),
    ] {
        let what = format!("moto: {operation}");
        let request = Signable::operation(address, operation, &input).signed(key);
        let answered = Connection::open(address)?.ask(&request);
        if let Err(error) = answered {
            let first = error.to_string();
            let first = first.lines().next().unwrap_or_default().to_owned();
            rows.push(Row::absent(&what, &first));
            continue;
        }
        let ask = Ask { address, request };
        let measured = client::measure(&ask, effort.alone.min(300), effort.throughput)?;
        rows.push(Row::millis(&format!("{what}, p50"), measured.p50, None));
        rows.push(Row::millis(&format!("{what}, p99"), measured.p99, None));
        rows.push(Row::rate(
            &format!("{what}, calls/s"),
            measured.per_second,
            None,
        ));
    }
    Ok(())
}

/// The role without which moto takes no pipeline.
fn role(
    connection: &mut Connection,
    address: SocketAddr,
    key: &Key,
) -> Result<String, Box<dyn Error>> {
    let policy = "%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%7B%22Effect%22%3A\
                  %22Allow%22%2C%22Principal%22%3A%7B%22Service%22%3A\
                  %22codepipeline.amazonaws.com%22%7D%2C%22Action%22%3A%22sts%3AAssumeRole%22%7D\
                  %5D%7D";
    let body = format!(
        "Action=CreateRole&Version=2010-05-08&RoleName=pipelines&AssumeRolePolicyDocument={policy}"
    );
    let mut request = Signable::target(address, "", body.as_bytes());
    request.headers.retain(|(name, _)| name == "host");
    let form = "application/x-www-form-urlencoded";
    request
        .headers
        .push(("content-type".to_owned(), form.to_owned()));
    "iam".clone_into(&mut request.service);
    let answer = connection.ask(&request.signed(key))?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (_, rest) = answer.split_once("<Arn>").ok_or("moto made no role")?;
    let (arn, _) = rest.split_once("</Arn>").ok_or("moto made no role")?;
    Ok(arn.to_owned())
}

/// Five actions, as ours have.
fn pipeline(name: &str, role: &str) -> Value {
    let action = |name: &str, category: &str, provider: &str, inputs: Value, outputs: Value| {
        json!({
            "name": name,
            "actionTypeId": {
                "category": category, "owner": "AWS", "provider": provider, "version": "1"
            },
            "runOrder": 1,
            "configuration": {"S3Bucket": "sources", "S3ObjectKey": "app.zip"},
            "inputArtifacts": inputs,
            "outputArtifacts": outputs,
        })
    };
    let (none, app, built) = (
        json!([]),
        json!([{"name": "App"}]),
        json!([{"name": "Built"}]),
    );
    json!({
        "name": name,
        "roleArn": role,
        "version": 1,
        "artifactStore": {"type": "S3", "location": "codepipeline-us-east-1-1"},
        "stages": [
            {"name": "Source", "actions": [
                action("source", "Source", "S3", none.clone(), app.clone()),
            ]},
            {"name": "Check", "actions": [
                action("build", "Build", "CodeBuild", app.clone(), built.clone()),
                action("test", "Test", "CodeBuild", app, none.clone()),
            ]},
            {"name": "Approve", "actions": [
                action("approve", "Test", "CodeBuild", built.clone(), none.clone()),
            ]},
            {"name": "Deploy", "actions": [action("deploy", "Deploy", "S3", built, none)]},
        ],
    })
}

/// `VmRSS` of the process, in MB.
fn memory_mb(child: &Child) -> Result<f64, Box<dyn Error>> {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id()))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let line = line.ok_or("there is no VmRSS")?;
    let kilobytes: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kilobytes * 1024.0 / 1e6)
}
