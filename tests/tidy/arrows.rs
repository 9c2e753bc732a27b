//! Which crate may know which: the arrows of the architecture, as Cargo sees them.

use std::collections::{BTreeMap, BTreeSet};

use pipewright_tests::{cargo, metadata, root, source_files};
use serde_json::Value;

/// Every arrow between our crates. A new one is a decision, and so is its line here.
const ARROWS: [(&str, &[&str]); 18] = [
    (
        "pipewright",
        &[
            "action-worker",
            "api",
            "approval-callback",
            "notification",
            "pipewright-access",
            "pipewright-buildspec",
            "pipewright-embedded",
            "pipewright-keyring",
            "pipewright-model",
            "pipewright-operations",
            "pipewright-ports",
            "pipewright-providers",
            "pipewright-s3",
            "source-trigger",
            "stage-transition",
        ],
    ),
    (
        "action-worker",
        &[
            "pipewright-aws",
            "pipewright-model",
            "pipewright-operations",
            "pipewright-ports",
            "pipewright-providers",
        ],
    ),
    (
        "api",
        &[
            "pipewright-access",
            "pipewright-aws",
            "pipewright-keyring",
            "pipewright-model",
            "pipewright-operations",
            "pipewright-ports",
        ],
    ),
    (
        "approval-callback",
        &[
            "pipewright-access",
            "pipewright-aws",
            "pipewright-model",
            "pipewright-operations",
            "pipewright-ports",
        ],
    ),
    (
        "notification",
        &[
            "pipewright-access",
            "pipewright-aws",
            "pipewright-model",
            "pipewright-ports",
        ],
    ),
    (
        "source-trigger",
        &[
            "pipewright-aws",
            "pipewright-model",
            "pipewright-operations",
            "pipewright-ports",
        ],
    ),
    (
        "stage-transition",
        &[
            "pipewright-aws",
            "pipewright-engine",
            "pipewright-model",
            "pipewright-operations",
            "pipewright-ports",
        ],
    ),
    (
        "pipewright-operations",
        &[
            "pipewright-access",
            "pipewright-engine",
            "pipewright-model",
            "pipewright-ports",
        ],
    ),
    (
        "pipewright-keyring",
        &["pipewright-access", "pipewright-model", "pipewright-ports"],
    ),
    ("pipewright-access", &["pipewright-model"]),
    (
        "pipewright-s3",
        &["pipewright-access", "pipewright-model", "pipewright-ports"],
    ),
    (
        "pipewright-providers",
        &["pipewright-model", "pipewright-ports"],
    ),
    (
        "pipewright-embedded",
        &["pipewright-model", "pipewright-ports"],
    ),
    ("pipewright-aws", &["pipewright-model", "pipewright-ports"]),
    ("pipewright-ports", &["pipewright-model"]),
    ("pipewright-engine", &["pipewright-model"]),
    ("pipewright-model", &[]),
    ("pipewright-buildspec", &[]),
];

/// How many crates may stand on each other, from the command line down.
const DEPTH_MAX: usize = 5;

/// The crate of the end-to-end tests, which may know every other.
const TESTS: &str = "pipewright-tests";

type Graph = BTreeMap<String, BTreeSet<String>>;

/// Our crates with those of ours that each is built on; what only their tests use is left out.
fn graph() -> Graph {
    let metadata = metadata();
    let packages = members(&metadata);
    let names: BTreeSet<&str> = packages
        .iter()
        .filter_map(|package| package["name"].as_str())
        .collect();
    let edges = |package: &Value| -> BTreeSet<String> {
        let dependencies = package["dependencies"].as_array().into_iter().flatten();
        let ours = dependencies.filter(|one| one["kind"].as_str() != Some("dev"));
        let ours = ours
            .filter_map(|one| one["name"].as_str())
            .filter(|name| names.contains(name));
        ours.map(str::to_owned).collect()
    };
    let named = |package: &&Value| {
        package["name"]
            .as_str()
            .expect("a package has a name")
            .to_owned()
    };
    packages
        .iter()
        .map(|package| (named(package), edges(package)))
        .collect()
}

fn members(metadata: &Value) -> Vec<&Value> {
    let ids: BTreeSet<&str> = metadata["workspace_members"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let packages = metadata["packages"].as_array().into_iter().flatten();
    packages
        .filter(|package| package["id"].as_str().is_some_and(|id| ids.contains(id)))
        .collect()
}

#[test]
fn the_crates_know_each_other_as_the_architecture_says() {
    let mut graph = graph();
    assert!(graph.remove(TESTS).is_some(), "the tests are a crate");
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let expected: Graph = ARROWS
        .iter()
        .map(|(name, arrows)| ((*name).to_owned(), owned(arrows)))
        .collect();
    assert_eq!(graph, expected);
}

#[test]
fn nothing_knows_the_tests() {
    let known = graph()
        .into_iter()
        .filter(|(_, arrows)| arrows.contains(TESTS));
    assert_eq!(
        known.map(|(name, _)| name).collect::<Vec<_>>(),
        Vec::<String>::new()
    );
}

#[test]
fn no_more_than_five_crates_stand_on_each_other() {
    fn depth(graph: &Graph, name: &str) -> usize {
        1 + graph[name]
            .iter()
            .map(|below| depth(graph, below))
            .max()
            .unwrap_or(0)
    }
    let depth = depth(&graph(), "pipewright");
    assert!(depth <= DEPTH_MAX, "{depth} crates stand on each other");
}

#[test]
fn the_engine_knows_neither_time_nor_chance_nor_the_world() {
    let tree = cargo(&[
        "tree",
        "--offline",
        "-p",
        "pipewright-engine",
        "-e",
        "normal",
        "--prefix",
        "none",
    ]);
    for line in tree.lines() {
        let name = line.split(' ').next().unwrap_or_default();
        let banned = [
            "tokio",
            "rusqlite",
            "reqwest",
            "rand",
            "getrandom",
            "tracing",
        ];
        assert!(!banned.contains(&name), "the engine is built with {name}");
    }
}

#[test]
fn the_default_build_needs_neither_an_aws_sdk_nor_the_lambda_runtime() {
    let tree = cargo(&[
        "tree",
        "--offline",
        "-p",
        "pipewright",
        "-e",
        "normal,build",
        "--prefix",
        "none",
    ]);
    assert!(tree.starts_with("pipewright "), "{tree}");
    for line in tree.lines() {
        let name = line.split(' ').next().unwrap_or_default();
        let banned = name.starts_with("aws-sdk") || name.starts_with("aws-smithy");
        assert!(
            !banned && !name.starts_with("lambda"),
            "the default build compiles {name}"
        );
    }
}

#[test]
fn every_function_has_a_sample_event() {
    let files = source_files();
    for folder in std::fs::read_dir(root().join("functions")).expect("there are functions") {
        let name = folder.expect("there are functions").file_name();
        let events = format!("events/{}/", name.to_string_lossy());
        let has = files
            .iter()
            .any(|file| file.path.starts_with(&events) && file.is_a("json"));
        assert!(has, "{events} holds no event");
    }
}

#[test]
fn the_readme_names_every_crate() {
    let readme = std::fs::read_to_string(root().join("README.md")).expect("there is a README");
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).expect("there is a manifest");
    let members = manifest
        .split_once("members = [")
        .expect("a workspace has members")
        .1;
    let members = members.split_once(']').expect("the list ends").0;
    for member in members
        .split(',')
        .map(|member| member.trim().trim_matches('"'))
    {
        let named = member.is_empty() || readme.contains(&format!("`{member}`"));
        assert!(named, "the code map lacks `{member}`");
    }
}
