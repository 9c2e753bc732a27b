//! The buildspecs that a file holds: they are parsed with it, so that a slip in one is not found
//! only after minutes of running. One that is named by its path is read when it is needed, because
//! it comes with the source.

use buildspec::parse;
use model::declaration::{
    problem::{Exception, Place},
    reference::has_reference,
};

use super::PipelineFile;
use crate::failure::Finding;

/// Everything to be said about the buildspecs in the file.
pub(super) fn check(file: &PipelineFile) -> Vec<Finding> {
    let mut findings = Vec::new();
    for project in &file.resources.projects {
        let project = &project.value;
        if let Some(text) = &project.source.buildspec {
            let place = file
                .resources
                .buildspecs
                .get(&project.name)
                .copied()
                .unwrap_or_default();
            let what = format!("the buildspec of project `{}`", project.name);
            check_one(file, text, place, &what, &mut findings);
        }
    }
    for stage in &file.declaration.stages {
        for action in &stage.actions {
            let Some(text) = action.configuration.get("BuildspecOverride") else {
                continue;
            };
            // What a variable will hold is not known yet.
            if action.action_type_id.provider == "CodeBuild" && !has_reference(text) {
                let fields = &["configuration", "BuildspecOverride"];
                let place = file.place_of_action(&stage.name, &action.name, fields);
                let what = format!("the buildspec override of {}/{}", stage.name, action.name);
                check_one(file, text, place, &what, &mut findings);
            }
        }
    }
    findings
}

fn check_one(
    file: &PipelineFile,
    text: &str,
    place: Place,
    what: &str,
    findings: &mut Vec<Finding>,
) {
    if !parse::is_inline(text) {
        return;
    }
    let say = |problem: &parse::Problem, finding: fn(String) -> Finding| match within(
        &file.source.text,
        text,
        place,
        problem,
    ) {
        Some(exact) => finding(format!("{what}: {}", problem.message)).at(&file.source, exact),
        None => finding(format!("{what}, {problem}")).at(&file.source, place),
    };
    match parse::buildspec(text) {
        Ok((_, warnings)) => findings.extend(warnings.iter().map(|w| say(w, Finding::warning))),
        Err(problems) => findings.extend(problems.iter().map(|problem| Finding {
            exception: Some(Exception::Validation.name()),
            ..say(problem, Finding::error)
        })),
    }
}

/// Where a place of an inline text is in the file, when the text stands there line by line.
fn within(whole: &str, text: &str, start: Place, problem: &parse::Problem) -> Option<Place> {
    let first = text.lines().position(|line| !line.trim().is_empty())?;
    let opening = text.lines().nth(first)?;
    let (begin, indent) = whole
        .lines()
        .enumerate()
        .skip(start.line.saturating_sub(1))
        .find_map(|(number, line)| line.strip_suffix(opening).map(|indent| (number, indent)))?;
    if !indent.chars().all(|c| c == ' ') {
        return None;
    }
    let line = begin + (problem.line.checked_sub(1 + first)?);
    let wanted = text.lines().nth(problem.line - 1)?;
    let is_there = whole.lines().nth(line)?.strip_prefix(indent) == Some(wanted);
    let column = indent.len() + problem.column;
    is_there.then(|| Place::at(line + 1, column))
}

#[cfg(test)]
mod tests {
    use std::{path::PathBuf, sync::Arc};

    use expect_test::{Expect, expect};
    use model::declaration::read::Format;

    use super::*;
    use crate::{diagnostics, failure::Source, file::tests::MINIMAL};

    fn check(resources: &str, expected: &Expect) {
        let text = format!("{MINIMAL}{resources}");
        let source = Arc::new(Source {
            name: "p.yml".into(),
            text,
        });
        let findings = match PipelineFile::of_source(&source, Format::Yaml, PathBuf::from(".")) {
            Ok(file) => file.warnings(),
            Err(failure) => failure.findings,
        };
        let shown: Vec<_> = findings
            .iter()
            .map(|f| diagnostics::text(f, false, 100))
            .collect();
        expected.assert_eq(&shown.join("\n"));
    }

    #[test]
    fn a_slip_in_an_inline_buildspec_is_shown_where_it_stands() {
        check(
            "
resources:
  projects:
    - name: compile
      source:
        buildspec: |
          version: 0.2
          phases:
            biuld:
              commands: [make]
",
            &expect![[r#"
                error: the buildspec of project `compile`: invalid buildspec phase name found: biuld. Expecting: BUILD,INSTALL,POST_BUILD,PRE_BUILD   [ValidationException]
                  --> p.yml:24:13
                   |
                24 |             biuld:
                   |             ^"#]],
        );
    }

    #[test]
    fn a_folded_buildspec_is_shown_at_its_beginning() {
        check(
            r#"
resources:
  projects:
    - name: compile
      source: {buildspec: "version: 0.2\nphases: 7\n"}
"#,
            &expect![[r#"
                error: the buildspec of project `compile`, line 2, column 9: phases is a mapping, not a single value   [ValidationException]
                  --> p.yml:20:27
                   |
                20 |       source: {buildspec: "version: 0.2\nphases: 7\n"}
                   |                           ^^^^^^^^^^^^^^^^^^^^^^^^^^^"#]],
        );
    }

    #[test]
    fn a_buildspec_by_path_is_not_looked_for() {
        check(
            "
resources:
  projects:
    - {name: compile, source: {buildspec: not/there.yml}}
",
            &expect![[""]],
        );
    }
}
