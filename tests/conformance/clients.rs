//! Boto3 and the AWS CLI in a folder of their own, in the versions of `requirements.txt`.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use crate::host::finish;

/// How long an installation may take: it fetches some twenty megabytes.
const INSTALLED_WITHIN: Duration = Duration::from_mins(10);

/// The clients, where they are installed.
pub(crate) struct Clients {
    folder: PathBuf,
}

impl Clients {
    /// Installs the clients, unless these versions are there already.
    ///
    /// Panics, with what to do, where there is no Python or no package index.
    pub(crate) fn installed(requirements: &Path) -> Self {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let target = target.parent().expect("it lies in the target folder");
        let folder = target.join("conformance");
        fs::create_dir_all(&folder).expect("a folder");
        // Two runs at once make it one after the other.
        let lock = File::create(folder.join("lock")).expect("a file");
        lock.lock().expect("the lock is free in the end");
        let wanted = fs::read_to_string(requirements).expect("it lies beside the suites");
        let marker = folder.join("installed.txt");
        if fs::read_to_string(&marker).unwrap_or_default() != wanted {
            let clients = Self { folder };
            clients.install(requirements);
            fs::write(marker, wanted).expect("a file");
            return clients;
        }
        Self { folder }
    }

    fn install(&self, requirements: &Path) {
        let mut make = Command::new("python3");
        make.args(["-m", "venv"]).arg(&self.folder);
        self.run(make);
        let mut install = Command::new(self.python());
        install
            .args(["-m", "pip", "install", "--quiet", "--requirement"])
            .arg(requirements);
        self.run(install);
    }

    fn run(&self, command: Command) {
        let shown = format!("{command:?}");
        let ran = finish(command, &self.folder.join("told"), INSTALLED_WITHIN);
        assert!(
            ran.is_success,
            "{shown}\n{}\nThis test needs python3 with venv (Debian: apt-get install python3-venv) \
             and, the first time, a package index that pip reaches",
            ran.told
        );
    }

    /// The interpreter that finds the clients.
    pub(crate) fn python(&self) -> PathBuf {
        self.folder.join("bin/python")
    }
}
