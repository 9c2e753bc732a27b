//! A container engine of the tests' own: `dockerd` on a private socket, with its own data, without a
//! bridge and without rules in the machine's firewall; containers have the machine's network.
//!
//! It comes out of Debian's packages, unpacked below `target/` and not installed. Where it cannot be
//! started, because this is not Debian, not root or not Linux as it needs it, there is none, and
//! whoever asked says what stands in for it.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    os::unix::fs::{PermissionsExt, chown, symlink},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::metadata;

/// The packages that it is made of.
const PACKAGES: [&str; 3] = ["docker.io", "containerd", "runc"];

/// How long it may take to answer.
const ANSWERS_WITHIN: Duration = Duration::from_secs(30);

/// How long it may take to end.
const ENDS_WITHIN: Duration = Duration::from_secs(20);

const LOOK: Duration = Duration::from_millis(50);

/// The programs that the tests' image has besides the agent.
const PROGRAMS: [&str; 13] = [
    "bash", "sh", "cat", "cp", "env", "grep", "id", "ls", "mkdir", "mkfifo", "rm", "sleep", "tar",
];

/// The user of the image, as in `infra/build-image/Dockerfile`.
const USER: u32 = 1_000;

/// A running engine. It ends, with all its containers, when this is dropped, and when this process
/// ends, however it ends.
pub struct Engine {
    process: Child,
    folder: PathBuf,
    programs: PathBuf,
}

impl Engine {
    /// What the output of a test says of where its builds ran.
    pub const NAME: &str = "engine: builds run as containers of the build image";

    /// Starts one; the error says why there is none. `PIPEWRIGHT_ENGINE=none` wants none.
    pub fn start() -> Result<Self, String> {
        if std::env::var("PIPEWRIGHT_ENGINE").is_ok_and(|wanted| wanted == "none") {
            return Err("PIPEWRIGHT_ENGINE says so".to_owned());
        }
        let programs = programs()?;
        let folder = std::env::temp_dir().join(format!("pipewright-engine-{}", std::process::id()));
        fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
        let log = File::create(folder.join("log")).map_err(|error| error.to_string())?;
        let errors = log.try_clone().map_err(|error| error.to_string())?;
        // The shell ends the engine when its standard input closes, because its parent is gone, and
        // clears up. What runs in the background would have no standard input of its own.
        let script = "exec 3<&0; folder=$1; shift; \"$@\" & engine=$!; \
                      (cat <&3 > /dev/null; kill -TERM $engine) & wait $engine; \
                      umount \"$folder\"/exec/netns/* 2> /dev/null; rm -rf \"$folder\"";
        let in_folder = |name: &str| folder.join(name).into_os_string();
        let process = Command::new("sh")
            .args(["-c", script, "engine"])
            .arg(&folder)
            .arg(programs.join("usr/sbin/dockerd"))
            .arg("--data-root")
            .arg(in_folder("data"))
            .arg("--exec-root")
            .arg(in_folder("exec"))
            .arg("--pidfile")
            .arg(in_folder("pid"))
            .arg("--host")
            .arg(format!("unix://{}", folder.join("socket").display()))
            // Nothing of the machine's network is changed, and no file system is mounted.
            .args(["--iptables=false", "--ip6tables=false", "--bridge=none"])
            .args(["--storage-driver", "vfs"])
            .env("PATH", search_path(&programs))
            .stdin(Stdio::piped())
            .stdout(log)
            .stderr(errors)
            .spawn()
            .map_err(|error| error.to_string())?;
        let mut engine = Self {
            process,
            folder,
            programs,
        };
        let until = Instant::now() + ANSWERS_WITHIN;
        while Instant::now() < until && matches!(engine.process.try_wait(), Ok(None)) {
            if engine.docker(&["version"]).is_ok() {
                return Ok(engine);
            }
            thread::sleep(LOOK);
        }
        let log = fs::read_to_string(engine.folder.join("log")).unwrap_or_default();
        let last = log.lines().last().unwrap_or_default();
        Err(format!("dockerd did not answer: {last}"))
    }

    /// What `DOCKER_HOST` says.
    pub fn host(&self) -> String {
        format!("unix://{}", self.folder.join("socket").display())
    }

    /// Makes an image with the agent in it: its entry point, its user and its room are those of
    /// `infra/build-image/Dockerfile`; its programs are this machine's.
    pub fn import(&self, agent: &Path, name: &str) -> Result<(), String> {
        let root = self.folder.join("image");
        fill(&root, agent).map_err(|error| format!("the image's files: {error}"))?;
        let archive = self.folder.join("image.tar");
        let mut pack = Command::new("tar");
        pack.arg("-C").arg(&root).arg("-cf").arg(&archive).arg(".");
        run(&mut pack)?;
        let archive = archive.to_string_lossy().into_owned();
        self.docker(&[
            "import",
            "--change",
            "ENTRYPOINT [\"/usr/local/bin/pipewright\",\"agent\"]",
            "--change",
            &format!("USER {USER}"),
            "--change",
            "ENV PATH=/usr/local/bin:/usr/bin HOME=/home/build PIPEWRIGHT_AGENT_ROOM=/codebuild",
            &archive,
            name,
        ])
        .map(drop)
    }

    /// Calls the engine's own client.
    pub fn docker(&self, arguments: &[&str]) -> Result<String, String> {
        let mut docker = Command::new(self.programs.join("usr/bin/docker"));
        docker.args(arguments).env("DOCKER_HOST", self.host());
        run(&mut docker)
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let until = Instant::now() + ENDS_WITHIN;
        while Instant::now() < until && matches!(self.process.try_wait(), Ok(None)) {
            thread::sleep(LOOK);
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// The folder with the engine's programs, which are fetched the first time.
fn programs() -> Result<PathBuf, String> {
    let user = run(Command::new("id").arg("-u"))?;
    if user.trim() != "0" {
        return Err("an engine of its own needs the user root".to_owned());
    }
    let target = metadata()["target_directory"].as_str().map(PathBuf::from);
    let folder = target.expect("cargo has a target folder").join("engine");
    fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    // Two runs at once fetch it one after the other.
    let lock = File::create(folder.join("lock")).map_err(|error| error.to_string())?;
    lock.lock().map_err(|error| error.to_string())?;
    let root = folder.join("root");
    if root.join("usr/sbin/dockerd").exists() {
        return Ok(root);
    }
    let packages = folder.join("packages");
    let _ = fs::remove_dir_all(&packages);
    fs::create_dir_all(&packages).map_err(|error| error.to_string())?;
    let mut fetch = Command::new("apt-get");
    fetch
        .args(["--quiet", "--quiet", "download"])
        .args(PACKAGES);
    run(fetch.current_dir(&packages))?;
    // It is there when all of it is there.
    let partial = folder.join("partial");
    for package in fs::read_dir(&packages).map_err(|error| error.to_string())? {
        let package = package.map_err(|error| error.to_string())?.path();
        let mut unpack = Command::new("dpkg-deb");
        run(unpack.arg("--extract").arg(package).arg(&partial))?;
    }
    fs::rename(&partial, &root).map_err(|error| error.to_string())?;
    Ok(root)
}

/// Its own programs before the machine's.
fn search_path(programs: &Path) -> String {
    let (bin, sbin) = (programs.join("usr/bin"), programs.join("usr/sbin"));
    let machine = std::env::var("PATH").unwrap_or_default();
    format!("{}:{}:{machine}", bin.display(), sbin.display())
}

fn fill(root: &Path, agent: &Path) -> Result<(), String> {
    let said = |error: std::io::Error| error.to_string();
    for folder in [
        "usr/bin",
        "usr/local/bin",
        "etc",
        "tmp",
        "codebuild",
        "home/build",
    ] {
        fs::create_dir_all(root.join(folder)).map_err(said)?;
    }
    symlink("usr/bin", root.join("bin")).map_err(said)?;
    let mut needed = BTreeSet::new();
    for program in PROGRAMS {
        let found = run(Command::new("sh").args(["-c", "command -v \"$0\"", program]))?;
        let found = fs::canonicalize(found.trim()).map_err(said)?;
        fs::copy(&found, root.join("usr/bin").join(program)).map_err(said)?;
        needed.extend(libraries(&found));
    }
    let there = root.join("usr/local/bin/pipewright");
    fs::copy(agent, &there).map_err(said)?;
    needed.extend(libraries(agent));
    for library in needed {
        let to = root.join(library.trim_start_matches('/'));
        fs::create_dir_all(to.parent().unwrap_or(root)).map_err(said)?;
        fs::copy(&library, to).map_err(said)?;
    }
    let user = format!("build:x:{USER}:{USER}::/home/build:/usr/bin/bash\n");
    fs::write(root.join("etc/passwd"), user).map_err(said)?;
    fs::set_permissions(root.join("tmp"), fs::Permissions::from_mode(0o1777)).map_err(said)?;
    for owned in ["codebuild", "home/build"] {
        chown(root.join(owned), Some(USER), Some(USER)).map_err(said)?;
    }
    Ok(())
}

/// The shared libraries of a program, by their absolute names; none of what is no such program.
fn libraries(program: &Path) -> Vec<String> {
    let listed = run(Command::new("ldd").arg(program)).unwrap_or_default();
    let words = listed
        .split_whitespace()
        .filter(|word| word.starts_with('/'));
    words.map(str::to_owned).collect()
}

/// What a program printed; the error is its complaint.
fn run(command: &mut Command) -> Result<String, String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!(
        "{program}: {}",
        said.lines().last().unwrap_or_default()
    ))
}
