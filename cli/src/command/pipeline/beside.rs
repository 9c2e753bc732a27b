//! What a file declares beside its pipeline: a definition does not carry it, and an execution that
//! begins without it fails. So it is looked at before the definition is sent.

use serde_json::Value;

use crate::{
    client::{Client, Service},
    command::project::{self, definition},
    exit::Exit,
    failure::Failure,
    file::PipelineFile,
    terminal::Terminal,
};

/// Makes sure that the projects of the file are there, or makes those that are missing, and says
/// what else of the file stays behind.
///
/// # Errors
///
/// Projects are missing and nobody said that they are to be created; or they cannot be created.
pub(super) fn prepare(
    file: &PipelineFile,
    with_projects: bool,
    client: &Client,
    terminal: Terminal,
) -> Result<(), Failure> {
    for line in others(file) {
        terminal.say(&line);
    }
    let projects = &file.resources.projects;
    if projects.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = projects.iter().map(|p| p.value.name.clone()).collect();
    let known = match project::describe(client, &names) {
        Ok(known) => known,
        // A key that may change pipelines need not be one that may look at projects.
        Err(error) if !with_projects => {
            let why = Failure::from(error);
            terminal.insist(&format!(
                "warning: whether the projects of the file are there is not known ({}): {why}",
                names.join(", ")
            ));
            return Ok(());
        }
        Err(error) => return Err(error.into()),
    };
    let missing = missing(&names, &known);
    if missing.is_empty() {
        return Ok(());
    }
    if !with_projects {
        return Err(refused(&file.source.name, &missing));
    }
    for project in projects {
        let name = &project.value.name;
        if missing.contains(&name.as_str()) {
            let input = definition::complete(&project.value)?;
            client.ask(Service::CodeBuild, "CreateProject", &input)?;
            terminal.say(&format!("Created project {name}"));
        }
    }
    Ok(())
}

fn missing<'a>(names: &'a [String], known: &[Value]) -> Vec<&'a str> {
    let is_known = |name: &str| known.iter().any(|project| project["name"] == name);
    let names = names.iter().map(String::as_str);
    names.filter(|name| !is_known(name)).collect()
}

fn refused(file: &str, missing: &[&str]) -> Failure {
    let names = missing.join(", ");
    let (noun, pronoun) = if missing.len() == 1 {
        ("project", "it")
    } else {
        ("projects", "them")
    };
    let message =
        format!("the {noun} {names} of {file} are no part of the pipeline, and not on the server");
    let message = if missing.len() == 1 {
        message.replace(" are no part", " is no part")
    } else {
        message
    };
    let help = format!(
        "create {pronoun} first: pipewright project create {file} {}\n\
         or in one go: add --with-projects",
        missing.join(" ")
    );
    Failure::new(Exit::NotFound, message).with_help(help)
}

/// What the server must get in another way.
fn others(file: &PipelineFile) -> Vec<String> {
    let resources = &file.resources;
    let mut lines = Vec::new();
    if !resources.repositories.is_empty() {
        let repositories = resources.repositories.iter();
        let options: Vec<String> = repositories
            .map(|(name, path)| format!("--repository {name}={}", path.value.display()))
            .collect();
        lines.push(format!(
            "The file's repositories are no part of the pipeline. If the server has none of that \
             name, push there, or: pipewright serve {}",
            options.join(" ")
        ));
    }
    if !resources.buckets.is_empty() {
        let buckets = resources.buckets.keys();
        let commands: Vec<String> = buckets
            .map(|name| format!("aws s3 mb s3://{name}"))
            .collect();
        lines.push(format!(
            "The file's buckets and what is in them are no part of the pipeline. If the server \
             has none of that name: {}",
            commands.join("; ")
        ));
    }
    lines
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use serde_json::json;

    use super::*;
    use crate::diagnostics;

    #[test]
    fn missing_projects_are_named_with_what_to_do() {
        let names = ["one".to_owned(), "two".to_owned()];
        let known = [json!({"name": "one"})];
        assert_eq!(missing(&names, &known), ["two"]);
        assert_eq!(missing(&names, &[]), ["one", "two"]);
        let shown = |missing: &[&str]| {
            let failure = refused("p.yml", missing);
            assert_eq!(failure.exit, Exit::NotFound);
            diagnostics::text(&failure.findings[0], false, 100)
        };
        expect![[r#"
            error: the project two of p.yml is no part of the pipeline, and not on the server
              help: create it first: pipewright project create p.yml two
                    or in one go: add --with-projects"#]]
        .assert_eq(&shown(&["two"]));
        expect![[r#"
            error: the projects one, two of p.yml are no part of the pipeline, and not on the server
              help: create them first: pipewright project create p.yml one two
                    or in one go: add --with-projects"#]]
        .assert_eq(&shown(&["one", "two"]));
    }
}
