//! A disk that fails under an open store: what was accepted stays, nothing more is accepted.

use std::{env, fs, path::Path, process::Command};

use pipewright_embedded::{DataDir, Store};
use ports::{
    PipelineStore, StoreError,
    contract::pipelines::fixture::{blank, new_pipeline},
};

/// Tells this program that it is the process whose disk fails, and where.
const FOLDER: &str = "PIPEWRIGHT_TEST_DISK";

const PIPELINE: &str = "p";

/// After how many blocks of 512 bytes writes to a file fail.
const FILE_BLOCKS: u32 = 800;

/// More commits than fit.
const COMMITS_MAX: usize = 10_000;

#[test]
fn what_was_accepted_before_the_disk_failed_is_there_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let program = env::current_exe().unwrap();
    // The shell makes writes beyond the limit fail instead of killing the process.
    let script = format!("trap '' XFSZ; ulimit -f {FILE_BLOCKS}; exec \"$0\" \"$@\"");
    let ended = Command::new("sh")
        .args(["-c", &script])
        .arg(program)
        .args(["--exact", "the_process_whose_disk_fails", "--ignored"])
        .env(FOLDER, folder.path())
        .output()
        .unwrap();
    assert!(
        ended.status.success(),
        "{}",
        String::from_utf8_lossy(&ended.stdout)
    );
    let accepted: u64 = fs::read_to_string(folder.path().join("accepted"))
        .unwrap()
        .parse()
        .unwrap();
    assert!(accepted > 10);
    let data = DataDir::open(folder.path()).unwrap();
    let store = Store::open(&data).unwrap();
    let runtime = runtime();
    let loaded = runtime.block_on(store.load(PIPELINE, None)).unwrap();
    let version = loaded.unwrap().version;
    // The last one may be there, too: its answer was that nobody knows.
    assert!(
        (accepted..=accepted + 1).contains(&version),
        "{accepted}, {version}"
    );
    let journal = runtime.block_on(store.journal(0, COMMITS_MAX)).unwrap();
    assert_eq!(journal.len() as u64, version);
}

#[test]
#[ignore = "another test runs it, in a process of its own"]
fn the_process_whose_disk_fails() {
    let folder = env::var_os(FOLDER).unwrap();
    let folder = Path::new(&folder);
    let store = Store::open(&DataDir::open(folder).unwrap()).unwrap();
    let (accepted, error) = runtime().block_on(commit_until_it_fails(&store));
    assert!(
        matches!(
            error,
            StoreError::Ambiguous | StoreError::Unavailable { .. }
        ),
        "{error:?}"
    );
    assert!(store.is_broken());
    runtime().block_on(async {
        let loaded = store.load(PIPELINE, None).await.unwrap().unwrap();
        assert_eq!(loaded.version, accepted, "reading goes on");
        let refused = store.commit(blank(&loaded)).await.unwrap_err();
        assert_eq!(
            refused.to_string(),
            "failed to write: the database is read-only now"
        );
    });
    fs::write(folder.join("accepted"), accepted.to_string()).unwrap();
}

async fn commit_until_it_fails(store: &Store) -> (u64, StoreError) {
    store
        .commit(new_pipeline(PIPELINE))
        .await
        .expect("there is room");
    for accepted in 1.. {
        assert!(accepted < COMMITS_MAX, "the disk never failed");
        let loaded = store.load(PIPELINE, None).await.expect("the store reads");
        let mut commit = blank(&loaded.expect("it was created"));
        commit.audit.cause = "x".repeat(5_000);
        if let Err(error) = store.commit(commit).await {
            return (accepted as u64, error);
        }
    }
    unreachable!("the loop ends by its own assertion")
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a thread is there")
}
