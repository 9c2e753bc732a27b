//! `project`: CodeBuild projects on a server, and builds of them.

mod builds;
pub(super) mod definition;

use serde_json::{Value, json};

use crate::{
    args::{DeleteArgs, Output, ProjectArgs, ProjectFileArgs, ProjectNameArgs, ProjectVerb},
    client::{ApiError, Client, Service, answer, api::now, table::Table, when},
    command::ask,
    exit::Exit,
    failure::Failure,
    terminal::{Terminal, harmless},
};

/// How many projects are listed.
const PROJECTS_MAX: usize = 10_000;
/// How many projects one call describes: the API's own limit.
const BATCH: usize = 100;

pub(super) fn run(args: &ProjectArgs, terminal: Terminal) -> Result<Exit, Failure> {
    let open = || Client::open(&args.connection);
    match &args.verb {
        ProjectVerb::Create(args) => put(args, true, open, terminal),
        ProjectVerb::Update(args) => put(args, false, open, terminal),
        ProjectVerb::Show(args) => show(&open()?, args, terminal),
        ProjectVerb::List => list(&open()?, terminal),
        ProjectVerb::Delete(args) => delete(&open()?, args, terminal),
        ProjectVerb::Build(args) => builds::build(&open()?, args, terminal),
        ProjectVerb::Builds(args) => builds::list(&open()?, args, terminal),
    }
}

fn ask_codebuild(
    client: &Client,
    operation: &'static str,
    input: &Value,
) -> Result<Value, ApiError> {
    client.ask(Service::CodeBuild, operation, input)
}

fn put(
    args: &ProjectFileArgs,
    is_new: bool,
    open: impl FnOnce() -> Result<Client, Failure>,
    terminal: Terminal,
) -> Result<Exit, Failure> {
    let projects = definition::load(args)?;
    let client = open()?;
    let (operation, done) = if is_new {
        ("CreateProject", "Created")
    } else {
        ("UpdateProject", "Updated")
    };
    for project in projects {
        let name = project["name"].as_str().unwrap_or_default().to_owned();
        let answer = ask_codebuild(&client, operation, &project).map_err(|error| {
            let is_there = error.name() == Some("ResourceAlreadyExistsException");
            let failure = Failure::from(error);
            if is_there {
                let file = args.file.display();
                return failure.with_help(format!(
                    "change it: pipewright project update {file} {name}"
                ));
            }
            failure
        })?;
        let document = json!({"change": done.to_lowercase(), "project": answer["project"]});
        answer::done(terminal, &format!("{done} project {name}"), document)?;
    }
    Ok(Exit::Succeeded)
}

/// The projects of those names, as far as they are there.
pub(super) fn describe(client: &Client, names: &[String]) -> Result<Vec<Value>, ApiError> {
    let mut all = Vec::new();
    for names in names.chunks(BATCH) {
        let mut answer = ask_codebuild(client, "BatchGetProjects", &json!({"names": names}))?;
        if let Value::Array(projects) = answer["projects"].take() {
            all.extend(projects);
        }
    }
    Ok(all)
}

fn names(client: &Client) -> Result<Vec<String>, ApiError> {
    let input = json!({"sortBy": "NAME"});
    let names = client.list(
        Service::CodeBuild,
        "ListProjects",
        &input,
        "projects",
        PROJECTS_MAX,
    )?;
    let text = |name: &Value| name.as_str().map(str::to_owned);
    Ok(names.iter().filter_map(text).collect())
}

/// The project of that name, which must be there.
fn find(client: &Client, name: &str) -> Result<Value, Failure> {
    let mut found = describe(client, &[name.to_owned()])?;
    if found.is_empty() {
        let failure = Failure::not_found(format!("there is no project `{name}`"));
        return Err(failure.with_help("pipewright project list"));
    }
    Ok(found.remove(0))
}

fn show(client: &Client, args: &ProjectNameArgs, terminal: Terminal) -> Result<Exit, Failure> {
    let project = find(client, &args.name)?;
    if terminal.output == Output::Text {
        answer::text(&page(&project))?;
    } else {
        answer::one(terminal, &project)?;
    }
    Ok(Exit::Succeeded)
}

fn page(project: &Value) -> String {
    let text = |value: &Value| harmless(value.as_str().unwrap_or_default());
    let environment = &project["environment"];
    let mut lines = vec![
        ("name", text(&project["name"])),
        ("description", text(&project["description"])),
        ("image", text(&environment["image"])),
        ("source", text(&project["source"]["type"])),
        ("cache", text(&project["cache"]["type"])),
    ];
    if let Some(minutes) = project["timeoutInMinutes"].as_u64() {
        lines.push(("timeout", format!("{minutes}m")));
    }
    let none = Vec::new();
    let variables = environment["environmentVariables"].as_array();
    for variable in variables.unwrap_or(&none) {
        let (name, value) = (text(&variable["name"]), text(&variable["value"]));
        let kind = text(&variable["type"]);
        let kind = if kind.is_empty() || kind == "PLAINTEXT" {
            String::new()
        } else {
            format!(" ({kind})")
        };
        lines.push(("variable", format!("{name}={value}{kind}")));
    }
    let line = |(key, value): &(&str, String)| format!("{key:<13}{value}\n");
    let filled = lines.iter().filter(|(_, value)| !value.is_empty());
    let mut page: String = filled.map(line).collect();
    let buildspec = project["source"]["buildspec"]
        .as_str()
        .unwrap_or("buildspec.yml");
    if buildspec.contains('\n') {
        page.push_str("buildspec\n");
        for line in buildspec.lines() {
            page.push_str("  ");
            page.push_str(&harmless(line));
            page.push('\n');
        }
    } else {
        page.push_str(&line(&("buildspec", harmless(buildspec))));
    }
    page
}

fn list(client: &Client, terminal: Terminal) -> Result<Exit, Failure> {
    let names = names(client)?;
    let projects = describe(client, &names)?;
    if terminal.output != Output::Text {
        answer::list(terminal, "projects", projects)?;
        return Ok(Exit::Succeeded);
    }
    if projects.is_empty() {
        terminal.say("There are no projects yet. Create one: pipewright project create FILE");
        return Ok(Exit::Succeeded);
    }
    let mut table = Table::new(&["NAME", "IMAGE", "TIMEOUT", "CHANGED", "DESCRIPTION"]);
    let now = now();
    for project in &projects {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let minutes = project["timeoutInMinutes"].as_u64();
        table.row(vec![
            text(&project["name"]).into(),
            text(&project["environment"]["image"]).into(),
            minutes
                .map_or_else(|| "-".to_owned(), |minutes| format!("{minutes}m"))
                .into(),
            when::ago_value(&project["lastModified"], now).into(),
            text(&project["description"]).into(),
        ]);
    }
    answer::text(&table.render(terminal.colour))?;
    Ok(Exit::Succeeded)
}

fn delete(client: &Client, args: &DeleteArgs, terminal: Terminal) -> Result<Exit, Failure> {
    let name = &args.name;
    find(client, name)?;
    ask::confirm(&format!("Delete project {name}?"), args.yes, terminal)?;
    ask_codebuild(client, "DeleteProject", &json!({"name": name}))?;
    let line = format!("Deleted project {name}");
    answer::done(terminal, &line, json!({"deleted": name}))?;
    Ok(Exit::Succeeded)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn a_project_shows_what_its_builds_run_with() {
        let project = json!({
            "name": "tests", "timeoutInMinutes": 20, "source": {"type": "CODEPIPELINE",
            "buildspec": "version: 0.2\nphases: {}\n"}, "cache": {"type": "LOCAL"},
            "environment": {"image": "rust:1.95", "environmentVariables": [
                {"name": "A", "value": "b", "type": "PLAINTEXT"},
                {"name": "T", "value": "token", "type": "SECRETS_MANAGER"}]},
        });
        expect![[r#"
            name         tests
            image        rust:1.95
            source       CODEPIPELINE
            cache        LOCAL
            timeout      20m
            variable     A=b
            variable     T=token (SECRETS_MANAGER)
            buildspec
              version: 0.2
              phases: {}
        "#]]
        .assert_eq(&page(&project));
        expect![[r#"
            name         x
            buildspec    buildspec.yml
        "#]]
        .assert_eq(&page(&json!({"name": "x"})));
    }
}
