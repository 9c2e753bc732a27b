//! The results of a run as plain files, in a folder that outlives its state:
//!
//! ```text
//! .pipewright/runs/5f1c9e7a/
//! ├── result.json                what `-o json` prints
//! ├── logs/Build.compile.log     one file an attempt
//! ├── artifacts/Program.zip
//! └── deployed/BUCKET/…          what was deployed, as files
//! ```

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use model::{ActionCategory, ActionStatus};
use ports::{ObjectStore as _, store::ActionExecution};

use crate::{
    failure::{Failure, chain},
    local::Running,
    progress::Progress,
    state,
};

/// How many runs keep their results; the oldest go.
const RUNS_KEPT: usize = 20;
/// Marks a folder as one of ours, so that nothing else is ever removed.
const RESULT: &str = "result.json";

/// What a run left.
#[derive(Clone, Debug, Default)]
pub(super) struct Results {
    pub(super) folder: PathBuf,
    /// Logs, with the stage and action that wrote them.
    pub(super) logs: Vec<Log>,
    pub(super) artifacts: Vec<Artifact>,
    pub(super) deployed: Vec<Deployed>,
    /// What could not be written, which does not change how the run went.
    pub(super) troubles: Vec<String>,
    /// Deployments that could not be written: a run that keeps no state has them nowhere.
    pub(super) lost: Vec<String>,
}

#[derive(Clone, Debug)]
pub(super) struct Log {
    pub(super) stage: String,
    pub(super) action: String,
    pub(super) attempt: u32,
    pub(super) path: PathBuf,
}

#[derive(Clone, Debug)]
pub(super) struct Artifact {
    pub(super) name: String,
    pub(super) path: PathBuf,
    pub(super) bytes: u64,
}

#[derive(Clone, Debug)]
pub(super) struct Deployed {
    pub(super) bucket: String,
    pub(super) folder: PathBuf,
    pub(super) files: usize,
    /// The file that a person would open first.
    pub(super) first: Option<PathBuf>,
}

/// Makes the folder that the results will go to: better to fail now than after the run.
pub(super) fn prepare(base: &Path) -> Result<(), Failure> {
    let made = state::make(base).and_then(|()| fs::create_dir_all(base.join("runs")));
    made.map_err(|error| {
        let doing = format!("make the folder of the results, {}", base.display());
        Failure::system(doing, &error)
            .with_help("run it in a folder that you may write to, or name one with --data")
    })
}

/// Writes the results of an execution below `base`.
pub(super) async fn write(
    base: &Path,
    running: &Running,
    progress: &Progress,
) -> Result<Results, Failure> {
    let id = progress.execution.to_string();
    let runs = base.join("runs");
    let folder = runs.join(&id[..8]);
    let failed = |error: io::Error| Failure::system("make the folder of the results", &error);
    state::make(base).map_err(failed)?;
    fs::create_dir_all(&folder).map_err(failed)?;
    let records = running
        .world
        .pipelines
        .action_executions(&progress.pipeline, progress.execution)
        .await
        .map_err(|error| Failure::system("read what the actions did", &error))?;
    let mut results = Results {
        folder,
        ..Results::default()
    };
    logs(&mut results, running, &records);
    artifacts(&mut results, running, &records).await;
    deployed(&mut results, running, &records).await;
    prune(&runs, &results.folder);
    Ok(results)
}

fn logs(results: &mut Results, running: &Running, records: &[ActionExecution]) {
    let folder = results.folder.join("logs");
    for record in records {
        let key = &record.job.key;
        let output = record
            .update
            .as_ref()
            .and_then(|update| update.output.log_stream.clone());
        let stream = output.unwrap_or_else(|| record.job.action_execution_id.to_string());
        let Ok(from) = running.logs.path(&stream) else {
            continue;
        };
        if !from.is_file() {
            continue;
        }
        let attempt = if key.attempt > 1 {
            format!(".{}", key.attempt)
        } else {
            String::new()
        };
        let path = folder.join(format!("{}.{}{attempt}.log", key.stage, key.action));
        let copied = fs::create_dir_all(&folder).and_then(|()| fs::copy(&from, &path));
        match copied {
            Ok(_) => results.logs.push(Log {
                stage: key.stage.clone(),
                action: key.action.clone(),
                attempt: key.attempt,
                path,
            }),
            Err(error) => results
                .troubles
                .push(format!("failed to keep a log: {error}")),
        }
    }
}

fn succeeded(record: &ActionExecution) -> bool {
    record
        .update
        .as_ref()
        .is_some_and(|update| update.status == ActionStatus::Succeeded)
}

async fn artifacts(results: &mut Results, running: &Running, records: &[ActionExecution]) {
    let folder = results.folder.join("artifacts");
    for record in records.iter().filter(|record| succeeded(record)) {
        for output in &record.job.outputs {
            // Most artifacts are ZIPs; what is none is still opened by its content.
            let path = folder.join(format!("{}.zip", output.name));
            let made = fs::create_dir_all(&folder).map_err(|error| error.to_string());
            let got = match made {
                Ok(()) => {
                    let got = running
                        .objects
                        .get(&output.bucket, &output.key, None, &path)
                        .await;
                    got.map_err(|error| chain(&error))
                }
                Err(error) => Err(error),
            };
            match got {
                Ok(info) => results.artifacts.push(Artifact {
                    name: output.name.clone(),
                    path,
                    bytes: info.size,
                }),
                Err(error) => {
                    results
                        .troubles
                        .push(format!("failed to keep artifact {}: {error}", output.name));
                }
            }
        }
    }
}

async fn deployed(results: &mut Results, running: &Running, records: &[ActionExecution]) {
    let is_deployment = |record: &&ActionExecution| {
        let id = &record.job.action_type;
        id.category == ActionCategory::Deploy && id.provider == "S3" && succeeded(record)
    };
    let buckets: BTreeSet<&String> = records
        .iter()
        .filter(is_deployment)
        .filter_map(|record| record.job.configuration.get("BucketName"))
        .collect();
    for bucket in buckets {
        let folder = results.folder.join("deployed").join(bucket);
        match running.objects.export(bucket, &folder).await {
            Ok(files) => {
                let index = files.iter().find(|file| file.path.ends_with("index.html"));
                let first = index.or(files.first()).map(|file| file.path.clone());
                results.deployed.push(Deployed {
                    bucket: bucket.clone(),
                    folder,
                    files: files.len(),
                    first,
                });
            }
            Err(error) => {
                let why = chain(&error);
                results.lost.push(format!(
                    "bucket `{bucket}` into {}: {why}",
                    folder.display()
                ));
            }
        }
    }
}

/// Writes the document that ends the run.
pub(super) fn seal(results: &mut Results, document: &serde_json::Value) {
    if let Err(error) = fs::write(results.folder.join(RESULT), format!("{document:#}\n")) {
        results
            .troubles
            .push(format!("failed to write {RESULT}: {error}"));
    }
}

/// Removes the results of old runs; what is not certainly one of them stays.
fn prune(runs: &Path, newest: &Path) {
    let Ok(entries) = fs::read_dir(runs) else {
        return;
    };
    let mut found: Vec<(SystemTime, PathBuf)> = entries
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|path| path != newest)
        .filter_map(|path| {
            let time = fs::symlink_metadata(path.join(RESULT))
                .ok()?
                .modified()
                .ok()?;
            Some((time, path))
        })
        .collect();
    found.sort();
    let many = found.len().saturating_sub(RUNS_KEPT - 1);
    for (_, path) in found.into_iter().take(many) {
        // What cannot be removed now is tried again after the next run.
        let _ = fs::remove_dir_all(path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_results_go_and_everything_else_stays() {
        let root = tempfile::tempdir().expect("a folder");
        let runs = root.path();
        for number in 0..RUNS_KEPT + 5 {
            let folder = runs.join(format!("{number:08}"));
            fs::create_dir(&folder).expect("make");
            fs::write(folder.join(RESULT), "{}").expect("write");
            let file = fs::File::options()
                .write(true)
                .open(folder.join(RESULT))
                .expect("open");
            let at = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(number as u64);
            file.set_modified(at).expect("set");
        }
        fs::create_dir(runs.join("mine")).expect("make");
        let newest = runs.join(format!("{:08}", RUNS_KEPT + 4));
        prune(runs, &newest);
        let left = fs::read_dir(runs).expect("list").count();
        assert_eq!(left, RUNS_KEPT + 1);
        assert!(runs.join("mine").is_dir() && newest.is_dir());
        assert!(!runs.join("00000004").exists() && runs.join("00000005").is_dir());
    }
}
