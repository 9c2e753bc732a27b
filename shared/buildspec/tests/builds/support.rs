//! A bench: a directory for one build, an order to change, and what came of it.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use pipewright_buildspec::{
    archive::{self, Limits},
    build::{
        self, Input, Order, Output, PhaseReport, PhaseType, Report, SecretError, SecretReference,
        Secrets, Sink, Status, StopFlag,
    },
};

pub(crate) struct Bench {
    pub(crate) root: tempfile::TempDir,
    pub(crate) order: Order,
    pub(crate) known: Known,
    builds: usize,
}

/// Parameters and secrets by name.
#[derive(Default)]
pub(crate) struct Known(pub(crate) BTreeMap<String, String>);

impl Secrets for Known {
    fn parameter(&self, name: &str) -> Result<String, SecretError> {
        self.0.get(name).cloned().ok_or(SecretError::NotFound)
    }

    fn secret(&self, reference: &SecretReference) -> Result<String, SecretError> {
        self.0
            .get(&reference.id)
            .cloned()
            .ok_or(SecretError::NotFound)
    }
}

/// Keeps the lines, and raises a flag at one of them.
#[derive(Default)]
pub(crate) struct Lines {
    pub(crate) kept: Vec<String>,
    pub(crate) stop_at: Option<(String, StopFlag)>,
    pub(crate) phases: Vec<(PhaseType, Option<Status>)>,
}

impl Sink for Lines {
    fn line(&mut self, line: &str) {
        if let Some((text, flag)) = &self.stop_at
            && line == text
        {
            flag.raise();
        }
        self.kept.push(line.to_owned());
    }

    fn phase(&mut self, phase: &PhaseReport) {
        self.phases.push((phase.phase_type, phase.phase_status));
    }
}

pub(crate) struct Built {
    pub(crate) report: Report,
    pub(crate) lines: Vec<String>,
    pub(crate) phases: Vec<(PhaseType, Option<Status>)>,
}

impl Bench {
    pub(crate) fn new(buildspec: &str) -> Self {
        let root = tempfile::tempdir().expect("a directory");
        fs::create_dir(root.path().join("source")).expect("a directory");
        fs::create_dir(root.path().join("out")).expect("a directory");
        let order = Order {
            project_name: "demo".to_owned(),
            build_id: "demo:6f0f8a3e".to_owned(),
            region: "us-east-1".to_owned(),
            inputs: vec![Input {
                name: "Source".to_owned(),
                location: root.path().join("source"),
                primary: true,
                ..Input::default()
            }],
            buildspec: Some(buildspec.to_owned()),
            path: std::env::var("PATH").unwrap_or_default(),
            timeout_seconds: 120,
            ..Order::default()
        };
        Self {
            root,
            order,
            known: Known::default(),
            builds: 0,
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    pub(crate) fn source(&self, name: &str, content: &str) {
        write(&self.path("source").join(name), content);
    }

    pub(crate) fn output(&mut self, name: &str) {
        let location = self.path("out").join(format!("{name}.zip"));
        self.order.outputs.push(Output {
            name: name.to_owned(),
            location,
        });
    }

    /// Builds in a work directory of its own.
    pub(crate) fn build(&mut self) -> Built {
        self.build_with(Lines::default(), &StopFlag::new())
    }

    pub(crate) fn build_with(&mut self, mut lines: Lines, stop: &StopFlag) -> Built {
        self.builds += 1;
        self.order.work = self.path(&format!("work{}", self.builds));
        fs::create_dir(&self.order.work).expect("a directory");
        let report = build::run(&self.order, &self.known, &mut lines, stop);
        Built {
            report,
            lines: lines.kept,
            phases: lines.phases,
        }
    }

    /// The directory into which an output is unpacked.
    pub(crate) fn unpacked(&self, name: &str) -> PathBuf {
        let into = self.path(&format!("unpacked-{name}"));
        let archive = self.path("out").join(format!("{name}.zip"));
        archive::extract(&archive, &into, &Limits::default()).expect("a good archive");
        into
    }
}

pub(crate) fn write(path: &Path, content: &str) {
    fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
    fs::write(path, content).expect("a file");
}

/// All files and links below a directory, `name` or `name -> target`.
pub(crate) fn tree(path: &Path) -> Vec<String> {
    let mut names = Vec::new();
    walk(path, path, &mut names);
    names.sort();
    names
}

fn walk(root: &Path, path: &Path, names: &mut Vec<String>) {
    for entry in fs::read_dir(path).expect("a directory") {
        let path = entry.expect("an entry").path();
        let name = path
            .strip_prefix(root)
            .expect("below the root")
            .display()
            .to_string();
        if let Ok(target) = fs::read_link(&path) {
            names.push(format!("{name} -> {}", target.display()));
        } else if path.is_dir() {
            walk(root, &path, names);
        } else {
            names.push(name);
        }
    }
}

impl Built {
    /// What the commands printed: the log without the lines of the build itself.
    pub(crate) fn printed(&self) -> Vec<&str> {
        let own = |line: &&str| !line.is_empty() && !line.starts_with("[Container] ");
        self.lines.iter().map(String::as_str).filter(own).collect()
    }

    /// The lines of the build itself, without their time.
    pub(crate) fn said(&self) -> Vec<&str> {
        self.lines
            .iter()
            .filter_map(|line| line.strip_prefix("[Container] "))
            .map(|line| line.splitn(3, ' ').nth(2).unwrap_or_default())
            .collect()
    }

    /// `PHASE STATUS` or `PHASE STATUS CODE: message`, one a line.
    pub(crate) fn transcript(&self) -> String {
        let mut text = String::new();
        for phase in &self.report.phases {
            text.push_str(phase.phase_type.as_str());
            if let Some(status) = phase.phase_status {
                text.push(' ');
                text.push_str(status.as_str());
            }
            for context in phase
                .contexts
                .iter()
                .filter(|context| !context.message.is_empty())
            {
                let _ = write!(text, " {}: {}", context.status_code, context.message);
            }
            text.push('\n');
        }
        let _ = writeln!(text, "=> {}", self.report.build_status.as_str());
        text
    }

    pub(crate) fn exported(&self) -> BTreeMap<&str, &str> {
        let variables = &self.report.exported_variables;
        variables
            .iter()
            .map(|v| (v.name.as_str(), v.value.as_str()))
            .collect()
    }
}
