//! The adapters of one machine, put together into a [`ports::World`] around one data directory.

use std::{
    collections::BTreeMap,
    error::Error,
    path::{Path, PathBuf},
    sync::Arc,
};

use embedded::{
    Builds, BuildsOptions, DataDir, DataDirError, GitRepositories, Isolation, Logs, Objects,
    OsRandom, Secrets, Store, SystemClock,
    logs::LOG_BYTES,
    repositories::{Kind, Source},
    secrets::SecretsError,
    store::OpenError,
};
use ports::{Account, Clock, PipelineStore, Repositories as _, World};
use providers::Catalogue;

use crate::{
    exit::Exit,
    failure::{Failure, chain},
    machine::{Machine, Wiring},
    state,
};

/// The names in the ARNs of a machine that is no cloud.
pub const ACCOUNT: &str = "000000000000";
pub const REGION: &str = "us-east-1";

/// What a machine is made with.
#[derive(Debug)]
pub struct LocalOptions {
    pub data: PathBuf,
    pub isolation: Isolation,
    pub repositories: BTreeMap<String, Source>,
    /// What any other name of a repository means.
    pub fallback: Option<Source>,
    /// A folder of bare repositories, for the names that are not listed.
    pub pushed: Option<PathBuf>,
    /// Repositories that builds may clone.
    pub cloned: Vec<String>,
    /// Directories that belong to no source.
    pub hidden: Vec<PathBuf>,
    pub secrets: Option<PathBuf>,
    /// Whether finished builds leave their files.
    pub keep: bool,
}

/// A machine that does nothing yet: what it would do can be looked at, and added to.
pub struct Local {
    pub world: World,
    pub objects: Objects,
    pub logs: Logs,
    pub repositories: GitRepositories,
    pub builds: Builds,
    /// Looked at for whether the state can still be written.
    pub store: Arc<Store>,
    wiring: Wiring,
    /// Locked for as long as this process uses it.
    pub directory: DataDir,
}

impl Local {
    /// Opens the data directory, or makes it.
    pub async fn open(options: LocalOptions) -> Result<Self, Failure> {
        let given = options.data.display().to_string();
        // Git and the builds run in folders of their own, where a relative path means another one.
        let data = std::path::absolute(&options.data).unwrap_or_else(|_| options.data.clone());
        let options = LocalOptions { data, ..options };
        let directory = DataDir::open(&options.data).map_err(|error| refused(&error))?;
        let store = Store::open(&directory).map_err(|error| unopened(&error, &given))?;
        let store = Arc::new(store);
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let objects = Objects::open(&directory.objects(), Arc::clone(&clock))
            .map_err(|error| unfit(&error, &given))?;
        let repositories = repositories(&options);
        let wiring = Wiring::default();
        let account = Arc::new(Account {
            id: ACCOUNT.to_owned(),
            region: REGION.to_owned(),
        });
        let builds = Builds::open(BuildsOptions {
            data: options.data.clone(),
            agent: agent()?,
            account: Arc::clone(&account),
            clock: Arc::clone(&clock),
            objects: Arc::new(objects.clone()),
            isolation: options.isolation,
            secrets: Arc::new(secrets(options.secrets.as_deref())?),
            repositories: clone_urls(&repositories, &options.cloned).await,
            concurrency: None,
            keep: options.keep,
            log_bytes: LOG_BYTES,
            on_line: wiring.on_log(),
            on_end: wiring.on_build_end(),
        })
        .map_err(|error| Failure::system("make ready for builds", &error))?;
        let logs = builds.logs().clone();
        let world = World {
            account,
            clock,
            random: Arc::new(OsRandom),
            pipelines: Arc::clone(&store) as Arc<dyn PipelineStore>,
            objects: Arc::new(objects.clone()),
            queues: wiring.queues(),
            bus: wiring.bus(),
            builds: Arc::new(builds.clone()),
            projects: Arc::clone(&store) as Arc<dyn ports::ProjectStore>,
            repositories: Arc::new(repositories.clone()),
        };
        Ok(Self {
            world,
            objects,
            logs,
            repositories,
            builds,
            store,
            wiring,
            directory,
        })
    }

    /// Starts the loops; whatever an earlier process left behind goes on.
    pub fn start(self) -> Result<Running, Failure> {
        let machine = Machine::start(self.world.clone(), self.wiring, Catalogue::standard())
            .map_err(|error| Failure::system("start the loops", &error))?;
        Ok(Running {
            world: self.world,
            objects: self.objects,
            logs: self.logs,
            machine,
            _directory: self.directory,
        })
    }
}

fn unopened(error: &OpenError, data: &str) -> Failure {
    let help = match error {
        OpenError::Damaged { .. } => {
            format!("nothing in {data} was changed; move it away to begin anew")
        }
        OpenError::OtherVersion { .. } => {
            format!("nothing in {data} was changed; use the version that wrote it, or --data DIR")
        }
        OpenError::Unavailable { .. } => {
            format!("the state is as it was; look whether {data} is full, or closed to you")
        }
    };
    let message = format!("failed to open the state: {}", chain(error));
    Failure::new(Exit::Internal, message).with_help(help)
}

/// What lies in the data directory is not what can be worked with; no defect of this program.
pub fn unfit(error: &(dyn Error + 'static), data: &str) -> Failure {
    let help = format!("look whether {data} is full, closed to you or damaged");
    Failure::new(Exit::Internal, chain(error)).with_help(help)
}

/// A machine at work.
pub struct Running {
    pub world: World,
    pub objects: Objects,
    pub logs: Logs,
    pub machine: Machine,
    _directory: DataDir,
}

/// The repositories, without the folders that belong to no source.
fn repositories(options: &LocalOptions) -> GitRepositories {
    let snapshots = options.data.join("snapshots");
    let mut repositories = GitRepositories::new(options.repositories.clone(), &snapshots);
    if let Some(fallback) = &options.fallback {
        repositories = repositories.with_fallback(fallback.clone());
    }
    if let Some(folder) = &options.pushed {
        repositories = repositories.with_folder(folder);
    }
    std::iter::once(&options.data)
        .chain(&options.hidden)
        .map(|folder| std::path::absolute(folder).unwrap_or_else(|_| folder.clone()))
        .map(|folder| folder.canonicalize().unwrap_or(folder))
        .fold(repositories, |repositories, folder| {
            repositories.hiding(&folder)
        })
}

async fn clone_urls(repositories: &GitRepositories, names: &[String]) -> Vec<String> {
    let mut urls = Vec::new();
    for name in names {
        // An action that cannot clone says why when it runs.
        urls.extend(repositories.clone_url(name).await.ok());
    }
    urls
}

fn agent() -> Result<PathBuf, Failure> {
    std::env::current_exe()
        .map_err(|error| Failure::system("find this program, which runs builds", &error))
}

/// The values of secrets, from a file that only its owner reads; none without a file.
pub fn secrets(path: Option<&Path>) -> Result<Secrets, Failure> {
    let Some(path) = path else {
        return Ok(Secrets::none());
    };
    Secrets::open(path).map_err(|error| {
        let exit = match &error {
            SecretsError::Read { .. } => Exit::NotFound,
            SecretsError::Exposed { .. }
            | SecretsError::TooLarge { .. }
            | SecretsError::Malformed { .. } => Exit::Invalid,
        };
        Failure::new(exit, chain(&error))
    })
}

/// Why the data directory cannot be had; somebody else's use of it is no defect.
fn refused(error: &DataDirError) -> Failure {
    let failure = match error {
        DataDirError::InUse { .. } => Failure::usage(chain(error)),
        DataDirError::Create { source, .. } | DataDirError::Lock { source, .. } => {
            Failure::new(state::exit_of(source), chain(error))
        }
    };
    failure.with_help("name a directory of its own: --data DIR")
}

/// What lies at a path: a bare repository, a working tree, or a folder without git.
pub fn source_at(path: &Path) -> Source {
    let is_bare = path.join("HEAD").is_file() && path.join("objects").is_dir();
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let absolute = absolute.canonicalize().unwrap_or(absolute);
    let kind = if is_bare {
        Kind::Repository
    } else if absolute
        .ancestors()
        .any(|folder| folder.join(".git").exists())
    {
        Kind::WorkingTree {
            include_uncommitted: true,
        }
    } else {
        Kind::Directory
    };
    Source {
        path: absolute,
        kind,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_is_wrong_with_a_data_directory_is_no_defect_and_is_named() {
        let root = tempfile::tempdir().expect("a folder");
        let file = root.path().join("file");
        fs::write(&file, "x").expect("write");
        let error = DataDir::open(&file).expect_err("it is a file");
        let failure = refused(&error);
        assert_eq!(failure.exit, Exit::Usage);
        assert!(failure.to_string().contains(&file.display().to_string()));
        let data = DataDir::open(root.path()).expect("nobody else has it");
        let failure = refused(&DataDir::open(root.path()).expect_err("it is held"));
        assert_eq!(failure.exit, Exit::Usage);
        fs::write(data.database(), "no database".repeat(100)).expect("write");
        let error = Store::open(&data).err().expect("it is damaged");
        let failure = unopened(&error, "DATA");
        assert_eq!(failure.exit, Exit::Internal);
        assert!(failure.to_string().contains("pipewright.db"), "{failure}");
        fs::create_dir(data.objects()).expect("make");
        fs::write(data.objects().join("sha256"), "x").expect("write");
        let error = Objects::open(&data.objects(), Arc::new(SystemClock)).err();
        let failure = unfit(&error.expect("in the way"), "DATA");
        assert_eq!(failure.exit, Exit::Internal);
        assert!(failure.to_string().contains("/objects"), "{failure}");
    }

    #[test]
    fn what_lies_at_a_path_is_recognised() {
        let root = tempfile::tempdir().expect("a folder");
        assert_eq!(source_at(root.path()).kind, Kind::Directory);
        fs::create_dir_all(root.path().join("tree/.git")).expect("make");
        fs::create_dir_all(root.path().join("tree/sub")).expect("make");
        let tree = Kind::WorkingTree {
            include_uncommitted: true,
        };
        assert_eq!(source_at(&root.path().join("tree")).kind, tree);
        assert_eq!(source_at(&root.path().join("tree/sub")).kind, tree);
        let bare = root.path().join("bare.git");
        fs::create_dir_all(bare.join("objects")).expect("make");
        fs::write(bare.join("HEAD"), "ref: refs/heads/main\n").expect("write");
        assert_eq!(source_at(&bare).kind, Kind::Repository);
    }
}
