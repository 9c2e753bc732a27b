//! Resources: what the actions of a pipeline name and a cloud would have, in the services' words.
//!
//! ```yaml
//! resources:
//!   projects:                  # CodeBuild projects
//!     - name: unit-tests
//!       source: {buildspec: buildspec/test.yml}
//!       environment: {image: 'rust:1.95', environmentVariables: [{name: A, value: b}]}
//!       cache: {type: LOCAL}
//!       timeoutInMinutes: 20
//!   repositories: {my-repo: ../path}              # CodeCommit repositories
//!   buckets: {incoming: {app.zip: ./app.zip}}     # objects put before the run
//!   secrets: ./secrets.yml
//! ```

use std::{collections::BTreeMap, path::PathBuf};

use model::{
    declaration::{
        decode::{Decoder, Fields},
        node::Node,
        path::Path,
        problem::{Exception, Place, Problem, rule},
    },
    project::{
        BuildVariable, BuildVariableType, CacheType, Project, ProjectCache, ProjectEnvironment,
        ProjectSource,
    },
};

/// How long a build may run, in minutes: CodeBuild's own bounds.
const TIMEOUT_MINUTES: std::ops::RangeInclusive<u32> = 5..=2160;
const DEFAULT_TIMEOUT_MINUTES: u32 = 60;

/// A value and where it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located<T> {
    pub value: T,
    pub place: Place,
}

/// What a pipeline file declares beside the pipeline.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resources {
    pub projects: Vec<Located<Project>>,
    /// The paths of repositories, as they are written.
    pub repositories: BTreeMap<String, Located<PathBuf>>,
    /// Files to put into buckets before the run, by bucket and key.
    pub buckets: BTreeMap<String, BTreeMap<String, Located<PathBuf>>>,
    /// The file with the values of secrets and parameters.
    pub secrets: Option<Located<PathBuf>>,
    /// Where each inline buildspec or path of a project stands, by the project's name.
    pub buildspecs: BTreeMap<String, Place>,
}

impl Resources {
    /// The project of that name.
    pub fn project(&self, name: &str) -> Option<&Project> {
        self.projects
            .iter()
            .map(|project| &project.value)
            .find(|project| project.name == name)
    }
}

pub(super) fn read(d: &mut Decoder, node: &Node, path: &Path) -> Option<Resources> {
    let mut resources = d.object(node, path, |f| Resources {
        projects: f.any("projects", project),
        repositories: f
            .optional("repositories", |d, node, path| d.map(node, path, file))
            .unwrap_or_default(),
        buckets: f
            .optional("buckets", |d, node, path| {
                d.map(node, path, |d, node, path| d.map(node, path, file))
            })
            .unwrap_or_default(),
        secrets: f.optional("secrets", file),
        buildspecs: BTreeMap::new(),
    })?;
    let list = node.entry("projects").map(|entry| &entry.node);
    for (at, project) in resources.projects.iter().enumerate() {
        let name = &project.value.name;
        if resources.projects[..at]
            .iter()
            .any(|other| other.value.name == *name)
        {
            let message = format!("more than one project has the name `{name}`");
            let path = path.field("projects").index(at).field("name");
            let problem = Problem::new(rule::READING, Exception::Validation, path, message);
            d.report(
                problem
                    .at(project.place)
                    .with_help("give each project its own name"),
            );
        }
        let spec = Path::document()
            .index(at)
            .field("source")
            .field("buildspec");
        if let Some(list) = list.filter(|_| project.value.source.buildspec.is_some()) {
            resources
                .buildspecs
                .insert(name.clone(), list.place_of(&spec));
        }
    }
    Some(resources)
}

/// A path of this machine.
fn file(d: &mut Decoder, node: &Node, path: &Path) -> Option<Located<PathBuf>> {
    let text = d.text(node, path)?;
    if text.is_empty() {
        let problem = Problem::new(
            rule::READING,
            Exception::Validation,
            path.clone(),
            format!("`{path}` is empty, where a path is expected"),
        );
        d.report(
            problem
                .at(node.place)
                .with_help("write a path, relative to this file"),
        );
        return None;
    }
    Some(Located {
        value: PathBuf::from(text),
        place: node.place,
    })
}

fn project(d: &mut Decoder, node: &Node, path: &Path) -> Option<Located<Project>> {
    let project = d.object(node, path, |f| Project {
        name: f.text("name"),
        description: f.optional_text("description"),
        source: f.optional("source", source).unwrap_or_default(),
        environment: f.optional("environment", environment).unwrap_or_default(),
        cache: f.optional("cache", cache).unwrap_or_default(),
        timeout_in_minutes: timeout(f),
    })?;
    let place = node.place_of(&Path::document().field("name"));
    Some(Located {
        value: project,
        place,
    })
}

fn timeout(f: &mut Fields<'_>) -> u32 {
    f.optional("timeoutInMinutes", |d, node, path| {
        let minutes = d.integer(node, path)?;
        if !TIMEOUT_MINUTES.contains(&minutes) {
            let (least, most) = (TIMEOUT_MINUTES.start(), TIMEOUT_MINUTES.end());
            let message = format!("a build may run {least} to {most} minutes, not {minutes}");
            let problem = Problem::new(rule::SHAPE, Exception::Validation, path.clone(), message);
            d.report(problem.at(node.place));
        }
        Some(minutes)
    })
    .unwrap_or(DEFAULT_TIMEOUT_MINUTES)
}

fn source(d: &mut Decoder, node: &Node, path: &Path) -> Option<ProjectSource> {
    d.object(node, path, |f| ProjectSource {
        buildspec: f.optional_text("buildspec"),
    })
}

fn environment(d: &mut Decoder, node: &Node, path: &Path) -> Option<ProjectEnvironment> {
    d.object(node, path, |f| ProjectEnvironment {
        image: f.optional_text("image"),
        environment_variables: f.any("environmentVariables", variable),
    })
}

fn variable(d: &mut Decoder, node: &Node, path: &Path) -> Option<BuildVariable> {
    const KINDS: &[(&str, BuildVariableType)] = &[
        ("PLAINTEXT", BuildVariableType::Plaintext),
        ("PARAMETER_STORE", BuildVariableType::ParameterStore),
        ("SECRETS_MANAGER", BuildVariableType::SecretsManager),
    ];
    d.object(node, path, |f| BuildVariable {
        name: f.text("name"),
        value: f.text("value"),
        kind: f
            .optional("type", |d, node, path| d.choice(node, path, KINDS))
            .unwrap_or_default(),
    })
}

fn cache(d: &mut Decoder, node: &Node, path: &Path) -> Option<ProjectCache> {
    const KINDS: &[(&str, CacheType)] = &[
        ("NO_CACHE", CacheType::NoCache),
        ("S3", CacheType::S3),
        ("LOCAL", CacheType::Local),
    ];
    d.object(node, path, |f| ProjectCache {
        kind: f
            .optional("type", |d, node, path| d.choice(node, path, KINDS))
            .unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use model::declaration::{
        decode::UnknownFields,
        read::{Format, tree},
    };

    use super::*;

    fn decode(text: &str) -> (Option<Resources>, Vec<Problem>) {
        let root = tree(text, Format::Yaml).expect("YAML");
        let mut decoder = Decoder::new(UnknownFields::Refuse);
        let resources = read(&mut decoder, &root, &Path::document().field("resources"));
        (resources, decoder.into_problems())
    }

    fn check(text: &str, expected: &Expect) {
        let lines: Vec<_> = decode(text).1.iter().map(ToString::to_string).collect();
        expected.assert_eq(&lines.join("\n"));
    }

    #[test]
    fn a_project_is_written_in_codebuilds_words() {
        let text = "
projects:
  - name: unit-tests
    source: {buildspec: buildspec/test.yml}
    environment:
      image: rust:1.95
      environmentVariables: [{name: TOKEN, value: t, type: SECRETS_MANAGER}]
    cache: {type: LOCAL}
    timeoutInMinutes: 20
repositories: {my-repo: ../path}
buckets: {incoming: {app.zip: ./app.zip}, site: {}}
secrets: ./secrets.yml
";
        let (resources, problems) = decode(text);
        assert_eq!(problems, []);
        let resources = resources.expect("resources");
        let project = resources.project("unit-tests").expect("the project");
        assert_eq!(project.environment.image.as_deref(), Some("rust:1.95"));
        assert_eq!(project.cache.kind, CacheType::Local);
        assert_eq!(project.timeout_in_minutes, 20);
        assert_eq!(
            resources.repositories["my-repo"].value,
            PathBuf::from("../path")
        );
        assert_eq!(
            resources.buckets["incoming"]["app.zip"].value,
            PathBuf::from("./app.zip")
        );
        assert!(resources.buckets["site"].is_empty());
        assert_eq!(resources.secrets.expect("secrets").place.line, 12);
        assert_eq!(resources.buildspecs["unit-tests"].line, 4);
    }

    #[test]
    fn every_slip_is_reported_with_its_place() {
        let text = "
projects:
  - name: a
    environment: {privileged: true}
    timeoutInMinutes: 4
  - name: a
    cache: {type: local}
  - source: {}
repositories: [x]
secrets: ''
";
        check(
            text,
            &expect![[r#"
            4:19: resources.projects[0].environment.privileged: unknown field `privileged` [ValidationException]; help: remove it; the fields here are image, environmentVariables
            5:23: resources.projects[0].timeoutInMinutes: a build may run 5 to 2160 minutes, not 4 [ValidationException]
            6:11: resources.projects[1].name: more than one project has the name `a` [ValidationException]; help: give each project its own name
            7:19: resources.projects[1].cache.type: Value 'local' at 'resources.projects[1].cache.type' failed to satisfy constraint: Member must satisfy enum value set: [NO_CACHE, S3, LOCAL] [ValidationException]; help: did you mean `LOCAL`?
            8:5: resources.projects[2].name: `resources.projects[2].name` is missing [ValidationException]; help: add `name`
            9:15: resources.repositories: `resources.repositories` is a list, where a map is expected [SerializationException]
            10:10: resources.secrets: `resources.secrets` is empty, where a path is expected [ValidationException]; help: write a path, relative to this file"#]],
        );
    }
}
