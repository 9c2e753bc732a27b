//! A probe tries what this machine can do to keep builds apart.

use std::{io, sync::OnceLock, time::Duration};

use ports::builds::BuildError;
use thiserror::Error;

use super::{Ambient, Engine, Isolation, Kind, bubblewrap, container, program};

/// How long the trial of a sandbox may take; usually it is a hundredth of a second.
const TRIAL_WITHIN: Duration = Duration::from_secs(10);

/// Why an isolation is not to be had here, with what to do.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Unavailable {
    #[error("`{0}` is not installed")]
    NotInstalled(&'static str),
    /// It is there, and the kernel does not let it.
    #[error(
        "bubblewrap is installed but may not make a sandbox (it says: {0}): AppArmor restricts \
         user namespaces on Ubuntu since 23.10 (`sysctl kernel.apparmor_restrict_unprivileged_userns`), \
         and the default seccomp profile of containers forbids them"
    )]
    Forbidden(String),
    #[error("{engine} does not answer (it says: {said})")]
    Silent { engine: &'static str, said: String },
}

/// Makes a sandbox and ends it.
pub fn bubblewrap() -> Result<(), Unavailable> {
    let mut command = bubblewrap::trial(&Ambient::of_this_process());
    match program::run(&mut command, TRIAL_WITHIN) {
        Ok(answer) if answer.status.success() => Ok(()),
        Ok(answer) => Err(Unavailable::Forbidden(answer.complaint())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(Unavailable::NotInstalled("bwrap"))
        }
        Err(error) => Err(Unavailable::Forbidden(error.to_string())),
    }
}

/// Asks an engine for its version.
pub fn engine(engine: Engine) -> Result<String, Unavailable> {
    if !is_on_path(engine.program()) {
        return Err(Unavailable::NotInstalled(engine.program()));
    }
    container::version(engine).map_err(|said| Unavailable::Silent {
        engine: engine.program(),
        said,
    })
}

fn is_on_path(program: &str) -> bool {
    let path = Ambient::of_this_process().path;
    std::env::split_paths(&path).any(|directory| directory.join(program).is_file())
}

/// What was found out, each thing once and when it is first asked for.
#[derive(Debug, Default)]
pub struct Probes {
    bubblewrap: OnceLock<Result<(), Unavailable>>,
    docker: OnceLock<Result<String, Unavailable>>,
    podman: OnceLock<Result<String, Unavailable>>,
}

/// What a build gets, and what its log says about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    pub kind: Kind,
    pub notes: Vec<String>,
}

impl Probes {
    fn bubblewrap(&self) -> Result<(), Unavailable> {
        self.bubblewrap.get_or_init(bubblewrap).clone()
    }

    fn engine(&self, which: Engine) -> Result<(), Unavailable> {
        let cell = match which {
            Engine::Docker => &self.docker,
            Engine::Podman => &self.podman,
        };
        cell.get_or_init(|| engine(which)).clone().map(|_| ())
    }

    /// What a build gets when it is to have `wanted` and its project names this image.
    pub fn choose(&self, wanted: Isolation, image: Option<&str>) -> Result<Choice, BuildError> {
        let refused = |why: Unavailable| BuildError::Refused(format!("cannot run builds: {why}"));
        let ignored = image
            .map(|image| format!("The image {image} is not used; these are this machine's tools."));
        match wanted {
            Isolation::Auto => Ok(self.best(image)),
            Isolation::Process => Ok(Choice {
                kind: Kind::Process,
                notes: ignored.into_iter().collect(),
            }),
            Isolation::Bubblewrap => self.bubblewrap().map_err(refused).map(|()| Choice {
                kind: Kind::Bubblewrap,
                notes: ignored.into_iter().collect(),
            }),
            Isolation::Docker => self.container(Engine::Docker, image),
            Isolation::Podman => self.container(Engine::Podman, image),
        }
    }

    fn container(&self, engine: Engine, image: Option<&str>) -> Result<Choice, BuildError> {
        if image.is_none() {
            return Err(BuildError::Refused(format!(
                "cannot run builds in {}: the project names no image (`environment.image`)",
                engine.program()
            )));
        }
        match self.engine(engine) {
            Ok(()) => Ok(Choice {
                kind: Kind::Container(engine),
                notes: Vec::new(),
            }),
            Err(why) => Err(BuildError::Refused(format!("cannot run builds: {why}"))),
        }
    }

    fn best(&self, image: Option<&str>) -> Choice {
        let mut notes = Vec::new();
        if let Some(image) = image {
            for engine in [Engine::Docker, Engine::Podman] {
                match self.engine(engine) {
                    Ok(()) => {
                        return Choice {
                            kind: Kind::Container(engine),
                            notes,
                        };
                    }
                    Err(why) => notes.push(format!("WARNING: {why}.")),
                }
            }
            notes.push(format!(
                "WARNING: The image {image} is not used; these are this machine's tools."
            ));
        }
        let kind = match self.bubblewrap() {
            Ok(()) => Kind::Bubblewrap,
            Err(why) => {
                notes.push(format!("WARNING: No sandbox: {why}."));
                Kind::Process
            }
        };
        Choice { kind, notes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probes(bubblewrap: bool, docker: bool, podman: bool) -> Probes {
        let engine = |is_there: bool, engine: &'static str| {
            if is_there {
                Ok("1".to_owned())
            } else {
                Err(Unavailable::NotInstalled(engine))
            }
        };
        let forbidden = || Unavailable::Forbidden("no permissions".to_owned());
        Probes {
            bubblewrap: OnceLock::from(bubblewrap.then_some(()).ok_or_else(forbidden)),
            docker: OnceLock::from(engine(docker, "docker")),
            podman: OnceLock::from(engine(podman, "podman")),
        }
    }

    fn chosen(probes: &Probes, wanted: Isolation, image: Option<&str>) -> String {
        match probes.choose(wanted, image) {
            Ok(choice) => format!("{} {}", choice.kind, choice.notes.join(" ")),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn auto_takes_the_image_when_an_engine_is_there_and_the_best_sandbox_otherwise() {
        let image = Some("rust:1.95");
        let all = probes(true, true, true);
        assert_eq!(chosen(&all, Isolation::Auto, image), "docker ");
        assert_eq!(chosen(&all, Isolation::Auto, None), "bubblewrap ");
        let some = probes(true, false, true);
        assert!(chosen(&some, Isolation::Auto, image).starts_with("podman WARNING: `docker` is"));
        let none = probes(true, false, false);
        let text = chosen(&none, Isolation::Auto, image);
        assert!(text.starts_with("bubblewrap "), "{text}");
        assert!(text.contains("The image rust:1.95 is not used"), "{text}");
    }

    #[test]
    fn auto_without_a_sandbox_is_a_plain_process_and_says_why() {
        let text = chosen(&probes(false, false, false), Isolation::Auto, None);
        assert!(text.starts_with("process WARNING: No sandbox"), "{text}");
        assert!(
            text.contains("AppArmor") && text.contains("seccomp"),
            "{text}"
        );
    }

    #[test]
    fn what_is_asked_for_by_name_is_given_or_refused() {
        let none = probes(false, false, false);
        let refused = |wanted, image| chosen(&none, wanted, image);
        assert!(refused(Isolation::Bubblewrap, None).contains("may not make a sandbox"));
        assert!(refused(Isolation::Docker, Some("x")).contains("`docker` is not installed"));
        assert!(refused(Isolation::Podman, None).contains("names no image"));
        assert_eq!(chosen(&none, Isolation::Process, None), "process ");
        let all = probes(true, true, true);
        assert_eq!(chosen(&all, Isolation::Podman, Some("x")), "podman ");
        assert!(chosen(&all, Isolation::Bubblewrap, Some("x")).contains("is not used"));
    }
}
