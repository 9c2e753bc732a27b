//! Builds in containers. They need an engine that answers and an image with a shell and this
//! machine's C library, which `PIPEWRIGHT_TEST_IMAGE` names; elsewhere they say so and pass.

use std::{
    env,
    process::{Command, Stdio},
};

use embedded::{Isolation, sandbox::Engine, sandbox::probe};
use model::build::{BuildOrder, BuildStatus};
use ports::BuildRunner;

use super::{
    become_so,
    site::{Site, order, project_of},
};

fn image() -> Option<String> {
    let image = env::var("PIPEWRIGHT_TEST_IMAGE").ok();
    match (&image, probe::engine(Engine::Docker)) {
        (Some(_), Ok(_)) => image,
        (None, _) => {
            eprintln!("SKIPPED in a container: PIPEWRIGHT_TEST_IMAGE names no image");
            None
        }
        (Some(_), Err(why)) => {
            eprintln!("SKIPPED in a container: {why}");
            None
        }
    }
}

fn order_in(image: &str, commands: &str) -> BuildOrder {
    let spec = format!("{{version: 0.2, phases: {{build: {{commands: ['{commands}']}}}}}}");
    let mut order = order("b1", &spec);
    project_of(&mut order).environment.image = Some(image.to_owned());
    order.outputs.clear();
    order
}

fn containers() -> usize {
    let output = Command::new("docker")
        .args(["ps", "--all", "--quiet", "--filter", "name=pipewright-b1"])
        .output()
        .unwrap();
    output.stdout.split(|byte| *byte == b'\n').count() - 1
}

#[tokio::test]
async fn a_build_in_a_container_begins_with_what_the_image_sets() {
    let Some(image) = image() else { return };
    let site = Site::new(Isolation::Auto);
    site.put("in/source.txt", b"x").await;
    let script = "test -f source.txt && echo $CODEBUILD_SRC_DIR; ls -d /pipewright/*; \
                  echo $PATH; echo x > made; cat /proc/1/environ; echo BROKEN >/proc/1/fd/1; true";
    let mut order = order_in(&image, script);
    order.outputs = super::site::order("b1", "").outputs;
    let spec = &mut project_of(&mut order).source.buildspec;
    let with_artifacts = spec
        .take()
        .unwrap()
        .replace("version: 0.2,", "version: 0.2, artifacts: {files: [made]},");
    *spec = Some(with_artifacts);
    let report = site.run(order).await;
    let log = site.log("b1");
    assert_eq!(report.status, BuildStatus::Succeeded, "{log}");
    assert_eq!(report.isolation, "docker");
    assert!(log.contains("\n/codebuild/output/src\n"), "{log}");
    assert!(!log.contains(env::var("PATH").unwrap().as_str()), "{log}");
    assert!(site.get("out/app").await.is_some());
    assert!(become_so(|| containers() == 0));
}

#[tokio::test]
async fn an_image_that_cannot_be_had_fails_the_build_and_says_so() {
    if image().is_none() {
        return;
    }
    let site = Site::new(Isolation::Docker);
    site.put("in/source.txt", b"x").await;
    let report = site
        .run(order_in("localhost:1/there-is-none:1", "true"))
        .await;
    assert_eq!(report.status, BuildStatus::Failed);
    let failed = report.phases.last().unwrap();
    assert_eq!(failed.phase_type, "PROVISIONING");
    let code = failed.status_code.as_deref();
    assert_eq!(code, Some("BUILD_CONTAINER_UNABLE_TO_PULL_IMAGE"));
}

#[tokio::test]
async fn a_container_ends_with_its_build() {
    let Some(image) = image() else { return };
    let site = Site::new(Isolation::Docker);
    site.put("in/source.txt", b"x").await;
    let endless = order_in(&image, "setsid sleep 1000 & echo ready; sleep 1000");
    site.builds.start(endless).await.unwrap();
    site.wait_for_line("ready").await;
    site.builds.stop("b1").await.unwrap();
    assert_eq!(site.finished("b1").await.status, BuildStatus::Stopped);
    assert!(become_so(|| containers() == 0));
}

#[test]
fn a_container_ends_with_its_runner() {
    let Some(image) = image() else { return };
    let mut runner = Command::new(env::current_exe().unwrap())
        .args([
            "--exact",
            "container::runs_in_a_container_for_ever",
            "--ignored",
        ])
        .env("PIPEWRIGHT_TEST_IMAGE", image)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    assert!(become_so(|| containers() == 1));
    runner.kill().unwrap();
    runner.wait().unwrap();
    assert!(become_so(|| containers() == 0), "it still runs");
}

#[tokio::test]
#[ignore = "it is the inner part of another test and is killed by it"]
async fn runs_in_a_container_for_ever() {
    let Some(image) = image() else { return };
    let site = Site::new(Isolation::Docker);
    site.put("in/source.txt", b"x").await;
    site.run(order_in(&image, "sleep 1000")).await;
}
