//! Python packages in pinned versions, in folders of their own below `target/`.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
};

use crate::metadata;

/// An environment that has what a file of requirements names.
#[derive(Clone, Debug)]
pub struct Python {
    folder: PathBuf,
}

impl Python {
    /// Installs the packages into `target/<name>`, unless these versions are there already.
    ///
    /// Panics, with what to do, where there is no Python or no package index.
    pub fn with(name: &str, requirements: &Path) -> Self {
        let target = metadata()["target_directory"].as_str().map(PathBuf::from);
        let folder = target.expect("cargo has a target folder").join(name);
        fs::create_dir_all(&folder).expect("a folder");
        // Two runs at once make it one after the other.
        let lock = File::create(folder.join("lock")).expect("a file");
        lock.lock().expect("the lock is free in the end");
        let wanted = fs::read_to_string(requirements).expect("the requirements can be read");
        let python = Self { folder };
        let marker = python.folder.join("installed.txt");
        if fs::read_to_string(&marker).unwrap_or_default() != wanted {
            let mut make = Command::new("python3");
            make.args(["-m", "venv", "--clear"])
                .arg(python.folder.join("venv"));
            run(make);
            let mut install = python.program("python");
            install
                .args([
                    "-m",
                    "pip",
                    "install",
                    "--quiet",
                    "--disable-pip-version-check",
                ])
                .arg("--requirement")
                .arg(requirements);
            run(install);
            fs::write(marker, wanted).expect("a file");
        }
        python
    }

    /// The path of a program of this environment.
    pub fn path(&self, program: &str) -> PathBuf {
        self.folder.join("venv/bin").join(program)
    }

    /// A command that runs a program of this environment.
    pub fn program(&self, program: &str) -> Command {
        Command::new(self.path(program))
    }
}

fn run(mut command: Command) {
    let output = command.output();
    let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?}: {}\nThis test needs python3 with venv (Debian: apt-get install python3-venv) \
         and, the first time, a package index that pip reaches",
        String::from_utf8_lossy(&output.stderr)
    );
}
