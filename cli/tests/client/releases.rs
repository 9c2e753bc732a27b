//! A pipeline from its creation to its end, by the commands that a person would type.

use crate::bench::{Bench, SHIP};

#[test]
fn a_release_from_the_creation_of_its_pipeline_to_its_deletion() {
    let bench = Bench::start();
    bench
        .call(&["pipeline", "create", "ship.yml", "--tag", "team=web"])
        .expect(0)
        .says(&[
            "Created ship v1 (V2, SUPERSEDED) · 3 stages · 3 actions",
            "pipewright watch ship",
        ]);
    bench
        .call(&["pipeline", "create", "ship.yml"])
        .expect(2)
        .says(&["PipelineNameInUseException", "pipewright pipeline apply"]);
    let waits = |name: &'static str| move |ended: &crate::bench::Ended| ended.stdout.contains(name);
    bench
        .until(&["approvals"], waits("ship/Approve/ok"))
        .says(&["Ship it?", "pipewright approve ship/Approve/ok -m TEXT"]);
    bench
        .call(&["pipeline", "show", "ship"])
        .expect(0)
        .says(&["Approve  ok      Manual    Waiting"]);
    bench
        .call(&["watch", "ship", "--timeout", "1s"])
        .expect(7)
        .says(&["Waiting", "pipewright approve ship/Approve/ok"]);
    bench
        .call(&["approve", "ship", "-m", "looks good"])
        .expect(0)
        .says(&["Approved ship/Approve/ok of execution "]);
    let ended = bench.call(&["wait", "ship", "--timeout", "60s"]).expect(0);
    assert!(
        ended.stdout.starts_with("Succeeded  in "),
        "{}",
        ended.stdout
    );
    bench
        .call(&["approve", "ship"])
        .expect(4)
        .says(&["no approval of `ship` waits"]);
    let list = bench
        .call(&["exec", "list", "ship", "-o", "json"])
        .expect(0);
    let executions = list.json()["executions"].clone();
    assert_eq!(executions[0]["status"], "Succeeded");
    let id = executions[0]["pipelineExecutionId"]
        .as_str()
        .expect("an id");
    bench.call(&["exec", "show", &id[..8]]).expect(0).says(&[
        "variable   Folder=v1",
        "looks good",
        "Succeeded",
    ]);
    bench
        .call(&["pipeline", "delete", "ship"])
        .expect(2)
        .says(&["--yes"]);
    bench
        .call(&["pipeline", "delete", "ship", "--yes"])
        .expect(0);
    bench.call(&["pipeline", "show", "ship"]).expect(4);
}

#[test]
fn a_rejection_fails_the_execution_and_a_retry_asks_again() {
    let bench = Bench::start();
    bench.call(&["pipeline", "apply", "ship.yml"]).expect(0);
    bench.until(&["reject", "ship", "-m", "not today"], |ended| {
        ended.code == 0
    });
    bench
        .call(&["watch", "ship", "--timeout", "60s"])
        .expect(1)
        .says(&["Approve/ok failed", "pipewright exec retry "]);
    bench
        .call(&["exec", "retry", "ship"])
        .expect(0)
        .says(&["Retrying Approve of "]);
    bench.until(&["approve", "ship"], |ended| ended.code == 0);
    bench.call(&["wait", "ship", "--timeout", "60s"]).expect(0);
}

#[test]
fn a_definition_is_compared_shown_and_applied() {
    let bench = Bench::start();
    bench
        .call(&["pipeline", "diff", "ship.yml"])
        .expect(1)
        .says(&["ship does not exist"]);
    bench.call(&["pipeline", "apply", "ship.yml"]).expect(0);
    bench
        .call(&["pipeline", "apply", "ship.yml"])
        .expect(0)
        .says(&["ship v1 says the same; nothing was changed"]);
    for form in ["yaml", "json"] {
        let shown = bench
            .call(&["pipeline", "show", "ship", "-o", form])
            .expect(0);
        let file = format!("shown.{form}");
        bench.write(&file, &shown.stdout);
        bench
            .call(&["pipeline", "diff", &file])
            .expect(0)
            .says(&["says the same"]);
    }
    bench.write(
        "ship.yml",
        &SHIP.replace("defaultValue: v1", "defaultValue: v2"),
    );
    let change = "~ variables/Folder  defaultValue: v1 → v2";
    bench
        .call(&["pipeline", "diff", "ship.yml"])
        .expect(1)
        .says(&[change]);
    let document = bench
        .call(&["pipeline", "diff", "ship.yml", "-o", "json"])
        .expect(1)
        .json();
    assert_eq!(document["same"], false);
    assert_eq!(document["differences"][0]["after"], "v2");
    bench
        .call(&["pipeline", "update", "ship.yml"])
        .expect(0)
        .says(&["Updated ship v2", change]);
    bench
        .call(&["pipeline", "show", "ship", "--version", "1", "-o", "yaml"])
        .expect(0)
        .says(&["defaultValue: v1"]);
    bench
        .call(&["pipeline", "list", "--latest"])
        .expect(0)
        .says(&["NAME  VERSION", "ship  2"]);
}

#[test]
fn a_definition_that_is_wrong_is_shown_where_and_one_of_another_name_is_not_updated() {
    let bench = Bench::start();
    bench.call(&["pipeline", "apply", "ship.yml"]).expect(0);
    bench.write("broken.yml", &SHIP.replace("S3ObjectKey", "S3ObjectKy"));
    bench
        .call(&["pipeline", "update", "broken.yml"])
        .expect(3)
        .says(&["broken.yml:", "S3ObjectKey"]);
    bench.write("other.yml", &SHIP.replace("name: ship", "name: other"));
    bench
        .call(&["pipeline", "update", "other.yml"])
        .expect(4)
        .says(&[
            "there is no pipeline `other` to update",
            "pipewright pipeline create other.yml",
        ]);
}

#[test]
fn a_change_says_which_executions_end_with_it() {
    let bench = Bench::start();
    bench.call(&["pipeline", "apply", "ship.yml"]).expect(0);
    bench.until(&["approvals"], |ended| {
        ended.stdout.contains("ship/Approve")
    });
    bench
        .call(&["exec", "show", "ship"])
        .expect(0)
        .says(&["Approve/ok waits for an approval\n  pipewright approve ship/Approve/ok\n"]);
    let list = bench.call(&["exec", "list", "ship", "-o", "json"]).json();
    let id = list["executions"][0]["pipelineExecutionId"].clone();
    let id = id.as_str().expect("an id");
    bench.write(
        "ship.yml",
        &SHIP.replace("defaultValue: v1", "defaultValue: v2"),
    );
    let line = format!(
        "1 execution ends with this change: {} (waits in Approve)\nStart again: pipewright start ship\n",
        &id[..8]
    );
    bench
        .call(&["pipeline", "apply", "ship.yml", "-q"])
        .expect(0)
        .says(&[&line]);
    bench
        .call(&["wait", id, "--timeout", "60s"])
        .expect(6)
        .says(&["the pipeline was changed or deleted while it ran"]);
    bench
        .call(&["pipeline", "update", "ship.yml"])
        .expect(0)
        .says(&["Start it: pipewright start ship"]);
    // Who is behind whom is told, too.
    bench.call(&["start", "ship"]).expect(0);
    bench.until(&["approvals"], |ended| {
        ended.stdout.contains("ship/Approve")
    });
    let behind = bench.call(&["start", "ship"]).expect(0).line();
    bench.until(&["exec", "show", &behind], |ended| {
        ended.stderr.contains("It waits before Approve, behind ")
            && ended
                .stderr
                .contains("which waits for an approval\n  pipewright approve ship/Approve/ok")
    });
}
