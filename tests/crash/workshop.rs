//! The workshop is a folder with a pipeline whose builds can leave marks in it.

use std::{fs, path::PathBuf};

use serde_json::{Value, json};

/// A folder with a pipeline in it, and room for its state.
pub(crate) struct Workshop {
    folder: tempfile::TempDir,
}

impl Workshop {
    /// A pipeline that takes its own folder as its source and then runs the stages.
    pub(crate) fn new(stages: &[Value]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let workshop = Self { folder };
        fs::create_dir(workshop.path("source")).expect("a folder");
        fs::write(workshop.path("source/file.txt"), "content\n").expect("a file");
        workshop.declare(stages);
        workshop
    }

    /// Writes the pipeline anew.
    pub(crate) fn declare(&self, stages: &[Value]) {
        let source = json!({
            "name": "checkout",
            "actionTypeId": {
                "category": "Source", "owner": "AWS", "provider": "CodeCommit", "version": "1"
            },
            "configuration": {"RepositoryName": "source", "BranchName": "main"},
            "outputArtifacts": [{"name": "Source"}],
        });
        let mut all = vec![json!({"name": "Source", "actions": [source]})];
        all.extend_from_slice(stages);
        let file = json!({
            "pipeline": {"name": "workshop", "pipelineType": "V2", "stages": all},
            "resources": {"repositories": {"source": "source"}},
        });
        fs::write(self.path("pipeline.json"), file.to_string()).expect("a file");
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The arguments that run the pipeline with its state kept in the folder.
    ///
    /// Builds are plain processes, so that they can leave marks in the folder.
    pub(crate) fn arguments(&self, more: &[&str]) -> Vec<String> {
        let path = |name| self.path(name).to_string_lossy().into_owned();
        let fixed = [
            "run".to_owned(),
            path("pipeline.json"),
            "--data".to_owned(),
            path("data"),
        ];
        let process = ["--runner", "process"];
        fixed
            .into_iter()
            .chain(process.iter().chain(more).map(|word| (*word).to_owned()))
            .collect()
    }
}

/// A stage of actions that run shell commands side by side.
pub(crate) fn stage(name: &str, actions: &[(&str, &[&str])]) -> Value {
    let actions: Vec<Value> = actions
        .iter()
        .map(|(name, commands)| {
            json!({
                "name": name,
                "actionTypeId": {
                    "category": "Compute", "owner": "AWS", "provider": "Commands", "version": "1"
                },
                "commands": commands,
                "inputArtifacts": [{"name": "Source"}],
            })
        })
        .collect();
    json!({"name": name, "actions": actions})
}
