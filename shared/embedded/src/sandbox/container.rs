//! A container of an image that the project names, run by Docker or podman.

use std::{path::Path, process::Command, time::Duration};

use super::{AGENT, ENVELOPE, Engine, Launch, ROOM, program};

/// How long an image may take to arrive.
const PULL_WITHIN: Duration = Duration::from_mins(30);

/// How long an engine may take to say something.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// How many processes and threads a build may have at a time.
const PROCESSES_MAX: &str = "8192";

/// The label that containers carry: its value is the data directory that they belong to.
const LABEL: &str = "pipewright.data";

/// A call of the engine with this process's environment: where it is (`DOCKER_HOST`) and who may
/// pull is set there, and nothing of it gets into the container.
fn call(engine: Engine) -> Command {
    Command::new(engine.program())
}

pub(super) fn command(engine: Engine, launch: &Launch<'_>) -> Command {
    let mut command = call(engine);
    command
        .args(["run", "--rm", "--interactive", "--pull", "never"])
        .args(["--security-opt", "label=disable"])
        .args(["--name", &container(launch.name)])
        .args(["--label", &format!("{LABEL}={}", launch.label)])
        .args(["--workdir", ROOM, "--entrypoint", AGENT]);
    // A rootless podman may not have the controller for it, and then refuses to start.
    if engine == Engine::Docker {
        command.args(["--pids-limit", PROCESSES_MAX]);
    }
    let mut mount = |source: &Path, target: &Path, options: &str| {
        let (source, target) = (source.display(), target.display());
        command.args([
            "--mount",
            &format!("type=bind,source={source},target={target}{options}"),
        ]);
    };
    mount(launch.room, Path::new(ROOM), "");
    if let Some(cache) = launch.cache {
        mount(cache, &Path::new(ROOM).join("cache"), "");
    }
    mount(launch.agent, Path::new(AGENT), ",readonly");
    mount(launch.envelope, Path::new(ENVELOPE), ",readonly");
    command.args(launch.image).args(["agent", ENVELOPE]);
    command
}

/// Whether a path can be named in a mount: the engine splits what it is given at commas.
pub(crate) fn can_mount(path: &Path) -> bool {
    path.to_str().is_some_and(|text| !text.contains([',', '"']))
}

fn container(name: &str) -> String {
    format!("pipewright-{name}")
}

/// The version of the engine that answers.
pub(super) fn version(engine: Engine) -> Result<String, String> {
    let format = match engine {
        Engine::Docker => "{{.Server.Version}}",
        Engine::Podman => "{{.Version.Version}}",
    };
    let what = match engine {
        Engine::Docker => "version",
        Engine::Podman => "info",
    };
    match program::run(call(engine).args([what, "--format", format]), ANSWER_WITHIN) {
        Ok(answer) if answer.status.success() => Ok(answer.stdout.trim().to_owned()),
        Ok(answer) => Err(answer.complaint()),
        Err(error) => Err(error.to_string()),
    }
}

/// Makes sure that the image is there; the error is what the engine says.
pub(crate) fn pull(engine: Engine, image: &str) -> Result<(), String> {
    let have = program::run(
        call(engine).args(["image", "inspect", "--format", "{{.Id}}", image]),
        ANSWER_WITHIN,
    );
    if have.is_ok_and(|answer| answer.status.success()) {
        return Ok(());
    }
    match program::run(call(engine).args(["pull", "--quiet", image]), PULL_WITHIN) {
        Ok(answer) if answer.status.success() => Ok(()),
        Ok(answer) => Err(answer.complaint()),
        Err(error) => Err(error.to_string()),
    }
}

/// Ends the container of a build, if there is one.
pub(crate) fn remove(engine: Engine, name: &str) {
    // What is not there need not be removed, and there is nobody to tell anything else.
    let _ = program::run(
        call(engine).args(["rm", "--force", &container(name)]),
        ANSWER_WITHIN,
    );
}

/// Whether an image's name can stand where an option could.
pub(crate) fn is_image_name(image: &str) -> bool {
    !image.is_empty() && !image.starts_with('-') && image.bytes().all(|b| b.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use expect_test::expect;

    use super::*;
    use crate::sandbox::Ambient;

    #[test]
    fn a_container_gets_the_room_the_agent_and_nothing_of_the_environment() {
        let ambient = Ambient::default();
        let launch = Launch {
            room: Path::new("/data/builds/b1/room"),
            tmp: Path::new("/data/builds/b1/tmp"),
            cache: Some(Path::new("/data/builds/.cache/p")),
            envelope: Path::new("/data/builds/b1/envelope.json"),
            agent: Path::new("/usr/bin/pipewright"),
            ambient: &ambient,
            hidden: &[PathBuf::from("/data")],
            name: "b1",
            label: "/data",
            image: Some("rust:1.95"),
        };
        let command = command(Engine::Podman, &launch);
        let words: Vec<_> = command.get_args().map(|a| a.to_string_lossy()).collect();
        expect![[r"
            run --rm --interactive --pull never
            --security-opt label=disable
            --name pipewright-b1
            --label pipewright.data=/data
            --workdir /codebuild
            --entrypoint /pipewright/agent
            --mount type=bind,source=/data/builds/b1/room,target=/codebuild
            --mount type=bind,source=/data/builds/.cache/p,target=/codebuild/cache
            --mount type=bind,source=/usr/bin/pipewright,target=/pipewright/agent,readonly
            --mount type=bind,source=/data/builds/b1/envelope.json,target=/pipewright/envelope.json,readonly rust:1.95 agent /pipewright/envelope.json"]]
        .assert_eq(
            &["--security", "--name", "--label", "--workdir", "--entrypoint", "--mount"]
                .iter()
                .fold(words.join(" "), |text, option| {
                    text.replace(&format!(" {option}"), &format!("\n{option}"))
                }),
        );
    }

    #[test]
    fn names_that_the_engine_would_take_apart_are_known() {
        assert!(can_mount(Path::new("/data/a b")));
        assert!(!can_mount(Path::new("/data/a,readonly")));
        assert!(is_image_name("public.example/x/y:1@sha256:00"));
        assert!(!is_image_name("--privileged"));
        assert!(!is_image_name("a b"));
    }
}
