//! A sandbox keeps a build apart from the machine that it runs on.
//!
//! * [`Isolation`] is what a person asks for; [`Kind`] is what a build gets.
//! * [`probe`] finds out what this machine can do, by doing it.
//! * `visible`: which files of this machine a build may see, in bubblewrap.
//! * `bubblewrap`, `container`: how an agent is started in each.
//! * [`process`]: what a process has started, and how all of it ends.
//!
//! In every kind the agent gets its envelope as a file and talks over stdin and stdout; the build
//! sees neither the data directory nor the environment of this process, and ends with it.

use std::{
    ffi::{OsStr, OsString},
    fmt,
    path::{Path, PathBuf},
    process::Command,
    str::FromStr,
};

mod bubblewrap;
mod closed;
pub(crate) mod container;
pub mod probe;
pub mod process;
pub(crate) mod program;
mod visible;

pub use probe::Unavailable;

/// How a build is to be kept apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Isolation {
    /// A container when the project names an image and an engine is there; else bubblewrap; else
    /// a plain process.
    #[default]
    Auto,
    Bubblewrap,
    Docker,
    Podman,
    Process,
}

impl FromStr for Isolation {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "bubblewrap" => Ok(Self::Bubblewrap),
            "docker" => Ok(Self::Docker),
            "podman" => Ok(Self::Podman),
            "process" => Ok(Self::Process),
            _ => Err(format!(
                "`{text}` is no isolation: there are auto, bubblewrap, docker, podman, process"
            )),
        }
    }
}

/// How one build is kept apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Bubblewrap,
    Container(Engine),
    /// Not at all, but for its directory and environment.
    Process,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Bubblewrap => "bubblewrap",
            Self::Container(engine) => engine.program(),
            Self::Process => "process",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A container engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    Docker,
    Podman,
}

impl Engine {
    pub fn program(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Podman => "podman",
        }
    }
}

/// Where things are that a build sees under another name than the runner.
pub(crate) const ROOM: &str = "/codebuild";
const AGENT: &str = "/pipewright/agent";
const ENVELOPE: &str = "/pipewright/envelope.json";

/// What an agent is started with.
pub(crate) struct Launch<'a> {
    /// The directory that the build may write, with its sources and results.
    pub(crate) room: &'a Path,
    /// What the build sees as `/tmp`.
    pub(crate) tmp: &'a Path,
    /// Below the room, and mounted there.
    pub(crate) cache: Option<&'a Path>,
    pub(crate) envelope: &'a Path,
    pub(crate) agent: &'a Path,
    pub(crate) ambient: &'a Ambient,
    /// What nobody inside may see even if it is in a place that is visible.
    pub(crate) hidden: &'a [PathBuf],
    /// What containers are called, and the data directory that they belong to.
    pub(crate) name: &'a str,
    pub(crate) label: &'a str,
    pub(crate) image: Option<&'a str>,
}

/// The name under which the build sees a path of its room.
pub(crate) fn inside(kind: Kind, room: &Path, path: &Path) -> PathBuf {
    match (kind, path.strip_prefix(room)) {
        (Kind::Bubblewrap | Kind::Container(_), Ok(below)) => Path::new(ROOM).join(below),
        (Kind::Process, _) | (_, Err(_)) => path.to_owned(),
    }
}

/// The command that starts the agent.
pub(crate) fn command(kind: Kind, launch: &Launch<'_>) -> Command {
    match kind {
        Kind::Bubblewrap => bubblewrap::command(launch),
        Kind::Container(engine) => container::command(engine, launch),
        Kind::Process => {
            let mut command = Command::new(launch.agent);
            command
                .arg("agent")
                .arg(launch.envelope)
                .current_dir(launch.room)
                .env_clear()
                .envs(launch.ambient.environment())
                .env("TMPDIR", launch.tmp);
            command
        }
    }
}

/// What of this process's environment a build is given (spec 70 §8), and what of the home
/// directory matters to it.
#[derive(Clone, Debug, Default)]
pub struct Ambient {
    pub path: OsString,
    pub lang: Option<OsString>,
    pub home: Option<PathBuf>,
    pub rustup_home: Option<PathBuf>,
}

/// Where programs are when the environment does not say.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

impl Ambient {
    /// What this process was started with.
    pub fn of_this_process() -> Self {
        let home = std::env::var_os("HOME").map(PathBuf::from);
        // The shims of rustup look below HOME, which is another one in a build.
        let rustup_home = std::env::var_os("RUSTUP_HOME")
            .map(PathBuf::from)
            .or_else(|| home.as_ref().map(|home| home.join(".rustup")))
            .filter(|path| path.is_dir());
        Self {
            path: std::env::var_os("PATH").unwrap_or_else(|| DEFAULT_PATH.into()),
            lang: std::env::var_os("LANG"),
            home,
            rustup_home,
        }
    }

    fn environment(&self) -> Vec<(&'static str, &OsStr)> {
        let mut all = vec![("PATH", self.path.as_os_str())];
        all.extend(self.lang.as_deref().map(|lang| ("LANG", lang)));
        all.extend(
            self.rustup_home
                .as_deref()
                .map(|path| ("RUSTUP_HOME", path.as_os_str())),
        );
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_isolation_is_read_by_name() {
        assert_eq!("podman".parse(), Ok(Isolation::Podman));
        let error = "vm".parse::<Isolation>().unwrap_err();
        assert!(error.contains("bubblewrap"), "{error}");
    }

    #[test]
    fn a_build_gets_a_path_a_language_and_rustups_home_and_nothing_else() {
        let ambient = Ambient {
            path: "/bin".into(),
            lang: Some("C.UTF-8".into()),
            home: Some("/home/ann".into()),
            rustup_home: Some("/opt/rustup".into()),
        };
        let names: Vec<_> = ambient.environment().into_iter().map(|(n, _)| n).collect();
        assert_eq!(names, ["PATH", "LANG", "RUSTUP_HOME"]);
    }

    #[test]
    fn a_path_of_the_room_has_another_name_inside() {
        let (room, path) = (Path::new("/data/1/room"), Path::new("/data/1/room/in/0"));
        let name = |kind| inside(kind, room, path);
        assert_eq!(name(Kind::Bubblewrap), Path::new("/codebuild/in/0"));
        assert_eq!(name(Kind::Process), path);
    }
}
