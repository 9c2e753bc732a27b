//! A selection is the part of a pipeline that a person wants to run: some stages or one action, and
//! the sources that they need.
//!
//! It makes a smaller declaration before anything is created, so that the engine knows nothing of
//! it and every rule holds for what is left.

use std::collections::BTreeSet;

use model::{
    ActionDeclaration, PipelineDeclaration, StageDeclaration,
    declaration::{ActionCategory, problem::nearest, reference::references},
};

use crate::{exit::Exit, failure::Failure};

/// Which part is wanted; everything when nothing is named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// `STAGE` or `STAGE/ACTION`.
    pub only: Option<String>,
    pub from: Option<String>,
    pub until: Option<String>,
}

impl Selection {
    /// Whether the whole pipeline is wanted.
    pub fn is_everything(&self) -> bool {
        self.only.is_none() && self.from.is_none() && self.until.is_none()
    }

    /// The declaration with only what is wanted.
    pub fn apply(&self, declaration: &PipelineDeclaration) -> Result<PipelineDeclaration, Failure> {
        if self.is_everything() {
            return Ok(declaration.clone());
        }
        let mut selected = declaration.clone();
        selected.stages = self.stages(declaration)?;
        if selected.stages.is_empty() {
            return Err(Failure::usage("only the sources would be left to run")
                .with_help("name a later stage; the sources run with it"));
        }
        check_needs(declaration, &selected.stages)?;
        let sources = sources(declaration, &selected.stages);
        selected.stages.insert(0, sources);
        Ok(selected)
    }

    /// The wanted stages after the first one, which is the sources'.
    fn stages(&self, declaration: &PipelineDeclaration) -> Result<Vec<StageDeclaration>, Failure> {
        let rest = declaration.stages.iter().enumerate().skip(1);
        if let Some(only) = &self.only {
            let (stage, action) = match only.split_once('/') {
                Some((stage, action)) => (stage, Some(action)),
                None => (only.as_str(), None),
            };
            let at = position(declaration, stage)?;
            let mut wanted = declaration.stages[at].clone();
            if let Some(name) = action {
                wanted.actions = vec![named(&wanted, name)?];
            }
            return Ok(if at == 0 { Vec::new() } else { vec![wanted] });
        }
        let from = self
            .from
            .as_deref()
            .map_or(Ok(0), |name| position(declaration, name))?;
        let last = declaration.stages.len().saturating_sub(1);
        let until = self
            .until
            .as_deref()
            .map_or(Ok(last), |name| position(declaration, name))?;
        if from > until {
            let (from, until) = (
                &declaration.stages[from].name,
                &declaration.stages[until].name,
            );
            let message = format!("stage `{from}` comes after stage `{until}`");
            return Err(Failure::usage(message).with_help("swap --from and --until"));
        }
        Ok(rest
            .filter(|(at, _)| (from..=until).contains(at))
            .map(|(_, s)| s.clone())
            .collect())
    }
}

fn position(declaration: &PipelineDeclaration, name: &str) -> Result<usize, Failure> {
    declaration.stage(name).map(|(at, _)| at).ok_or_else(|| {
        let names = declaration.stages.iter().map(|stage| stage.name.as_str());
        absent(format!("the pipeline has no stage `{name}`"), name, names)
    })
}

fn named(stage: &StageDeclaration, name: &str) -> Result<ActionDeclaration, Failure> {
    stage.action(name).cloned().ok_or_else(|| {
        let names = stage.actions.iter().map(|action| action.name.as_str());
        absent(
            format!("stage `{}` has no action `{name}`", stage.name),
            name,
            names,
        )
    })
}

/// Something of that name is not there, but perhaps another one is.
pub fn absent<'a>(
    message: String,
    name: &str,
    known: impl Iterator<Item = &'a str> + Clone,
) -> Failure {
    let help = match nearest(name, known.clone()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("there are: {}", known.collect::<Vec<_>>().join(", ")),
    };
    Failure::new(Exit::NotFound, message).with_help(help)
}

/// What an action takes from others: artifacts and namespaces of variables.
fn needs(action: &ActionDeclaration) -> (BTreeSet<&str>, BTreeSet<String>) {
    let artifacts = action
        .input_artifacts
        .iter()
        .map(|input| input.name.as_str())
        .collect();
    let texts = action.configuration.values().chain(&action.commands).chain(
        action
            .environment_variables
            .iter()
            .map(|variable| &variable.value),
    );
    let found = texts.flat_map(|text| references(text).unwrap_or_default());
    (
        artifacts,
        found.map(|reference| reference.namespace).collect(),
    )
}

/// Everything that the kept actions take is made by a kept action or by a source.
fn check_needs(
    declaration: &PipelineDeclaration,
    kept: &[StageDeclaration],
) -> Result<(), Failure> {
    let is_kept = |stage: &str, action: &str| {
        kept.iter()
            .any(|s| s.name == stage && s.action(action).is_some())
    };
    let left_out = |made: &dyn Fn(&ActionDeclaration) -> bool| {
        let all = declaration.stages.iter().skip(1);
        all.flat_map(|stage| stage.actions.iter().map(move |action| (stage, action)))
            .find(|(stage, action)| made(action) && !is_kept(&stage.name, &action.name))
            .map(|(stage, action)| (stage.name.clone(), action.name.clone()))
    };
    for stage in kept {
        for action in &stage.actions {
            let (artifacts, namespaces) = needs(action);
            for name in artifacts {
                let makes = |a: &ActionDeclaration| {
                    a.output_artifacts.iter().any(|output| output.name == name)
                };
                if let Some(maker) = left_out(&makes) {
                    return Err(lacks(stage, action, &format!("artifact `{name}`"), &maker));
                }
            }
            for name in namespaces {
                let gives = |a: &ActionDeclaration| a.namespace.as_deref() == Some(name.as_str());
                if let Some(maker) = left_out(&gives) {
                    return Err(lacks(stage, action, &format!("variables `{name}`"), &maker));
                }
            }
        }
    }
    Ok(())
}

fn lacks(
    stage: &StageDeclaration,
    action: &ActionDeclaration,
    what: &str,
    (maker_stage, maker): &(String, String),
) -> Failure {
    let message = format!(
        "stage `{}`, action `{}` needs {what} from {maker_stage}/{maker}, which would not run",
        stage.name, action.name
    );
    Failure::usage(message).with_help(format!("begin earlier: --from {maker_stage}"))
}

/// The sources that the kept stages need; all of them when they need none.
fn sources(declaration: &PipelineDeclaration, kept: &[StageDeclaration]) -> StageDeclaration {
    let mut stage = declaration.stages[0].clone();
    let actions = || kept.iter().flat_map(|stage| &stage.actions);
    let is_needed = |source: &ActionDeclaration| {
        source.action_type_id.category != ActionCategory::Source
            || actions().any(|action| {
                let (artifacts, namespaces) = needs(action);
                let gives = source
                    .output_artifacts
                    .iter()
                    .any(|o| artifacts.contains(&*o.name));
                gives
                    || source
                        .namespace
                        .as_ref()
                        .is_some_and(|name| namespaces.contains(name))
            })
    };
    let needed: Vec<_> = stage
        .actions
        .iter()
        .filter(|source| is_needed(source))
        .cloned()
        .collect();
    if !needed.is_empty() {
        stage.actions = needed;
    }
    stage
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use model::declaration::read::{Format, read};

    use super::*;

    const PIPELINE: &str = "
name: p
roleArn: arn:aws:iam::000000000000:role/r
stages:
- name: Source
  actions:
  - {name: app, actionTypeId: &git {category: Source, owner: AWS, provider: CodeCommit, version: '1'}, outputArtifacts: [{name: App}], namespace: Src}
  - {name: docs, actionTypeId: *git, outputArtifacts: [{name: Docs}]}
- name: Build
  actions:
  - {name: compile, actionTypeId: &build {category: Build, owner: AWS, provider: CodeBuild, version: '1'}, inputArtifacts: [{name: App}], outputArtifacts: [{name: Bin}], namespace: Built}
  - {name: lint, actionTypeId: *build, inputArtifacts: [{name: App}]}
- name: Test
  actions:
  - {name: unit, actionTypeId: *build, inputArtifacts: [{name: App}], configuration: {Note: '#{Src.CommitId}'}}
  - {name: manual, actionTypeId: *build, inputArtifacts: [{name: Docs}]}
- name: Deploy
  actions:
  - {name: ship, actionTypeId: *build, inputArtifacts: [{name: Bin}]}
  - {name: tell, actionTypeId: *build, inputArtifacts: [{name: Docs}], configuration: {Note: '#{Built.Version}'}}
";

    fn select(
        only: Option<&str>,
        from: Option<&str>,
        until: Option<&str>,
    ) -> Result<String, String> {
        let document = read(PIPELINE, Format::Yaml, &[]).expect("a pipeline");
        let own = |name: Option<&str>| name.map(str::to_owned);
        let selection = Selection {
            only: own(only),
            from: own(from),
            until: own(until),
        };
        match selection.apply(&document.declaration) {
            Ok(selected) => Ok(selected
                .stages
                .iter()
                .map(|stage| {
                    let names: Vec<_> = stage.actions.iter().map(|a| a.name.as_str()).collect();
                    format!("{}({})", stage.name, names.join(" "))
                })
                .collect::<Vec<_>>()
                .join(" ")),
            Err(failure) => {
                let finding = &failure.findings[0];
                let help = finding.help.clone().unwrap_or_default();
                Err(format!(
                    "{} {}; help: {help}",
                    failure.exit.code(),
                    finding.message
                ))
            }
        }
    }

    fn check(selected: Result<String, String>, expected: &Expect) {
        expected.assert_eq(&selected.unwrap_or_else(|refused| refused));
    }

    #[test]
    fn nothing_named_means_everything() {
        check(
            select(None, None, None),
            &expect!["Source(app docs) Build(compile lint) Test(unit manual) Deploy(ship tell)"],
        );
    }

    #[test]
    fn one_stage_or_action_runs_with_the_sources_that_it_needs() {
        check(
            select(Some("Build"), None, None),
            &expect!["Source(app) Build(compile lint)"],
        );
        check(
            select(Some("Test/unit"), None, None),
            &expect!["Source(app) Test(unit)"],
        );
        check(
            select(Some("Test/manual"), None, None),
            &expect!["Source(docs) Test(manual)"],
        );
    }

    #[test]
    fn a_range_of_stages_includes_both_ends() {
        check(
            select(None, Some("Build"), Some("Test")),
            &expect!["Source(app docs) Build(compile lint) Test(unit manual)"],
        );
        check(
            select(None, None, Some("Build")),
            &expect!["Source(app) Build(compile lint)"],
        );
        check(
            select(None, Some("Test"), Some("Test")),
            &expect!["Source(app docs) Test(unit manual)"],
        );
    }

    #[test]
    fn what_would_lack_an_artifact_or_a_variable_is_refused() {
        check(
            select(Some("Deploy/ship"), None, None),
            &expect![
                "2 stage `Deploy`, action `ship` needs artifact `Bin` from Build/compile, which would not run; help: begin earlier: --from Build"
            ],
        );
        check(
            select(Some("Deploy/tell"), None, None),
            &expect![
                "2 stage `Deploy`, action `tell` needs variables `Built` from Build/compile, which would not run; help: begin earlier: --from Build"
            ],
        );
    }

    #[test]
    fn a_name_that_is_not_there_is_not_found() {
        check(
            select(Some("Tset"), None, None),
            &expect!["4 the pipeline has no stage `Tset`; help: did you mean `Test`?"],
        );
        check(
            select(Some("Build/x"), None, None),
            &expect!["4 stage `Build` has no action `x`; help: there are: compile, lint"],
        );
        check(
            select(None, Some("Deploy"), Some("Build")),
            &expect!["2 stage `Deploy` comes after stage `Build`; help: swap --from and --until"],
        );
        check(
            select(Some("Source"), None, None),
            &expect![
                "2 only the sources would be left to run; help: name a later stage; the sources run with it"
            ],
        );
    }
}
