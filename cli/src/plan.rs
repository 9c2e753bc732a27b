//! A plan is what a pipeline would do, in order, without doing it: stages, groups of actions that
//! run together, the artifacts and variables that pass between them, and what this program cannot
//! run.

mod dot;
mod json;
mod svg;
mod text;

use std::collections::BTreeMap;

use model::{
    ActionDeclaration, ExecutionMode, PipelineDeclaration, PipelineType,
    declaration::{ActionCategory, ActionTypeId},
};

use crate::args::PlanFormat;

/// The longest detail of an action that is shown.
const DETAIL_CHARACTERS_MAX: usize = 60;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    pub name: String,
    pub kind: PipelineType,
    pub mode: ExecutionMode,
    pub variables: Vec<Variable>,
    pub stages: Vec<PlannedStage>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    pub name: String,
    /// None: a value must be given.
    pub default: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedStage {
    pub name: String,
    /// Actions of one group run at the same time; the next group follows when all succeeded.
    pub groups: Vec<Vec<PlannedAction>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedAction {
    pub name: String,
    pub kind: ActionTypeId,
    pub run_order: u32,
    pub inputs: Vec<String>,
    pub outputs: Vec<String>,
    pub namespace: Option<String>,
    /// What it works on, in a few words.
    pub detail: String,
    /// Whether this program has a provider for it; otherwise the action would fail.
    pub supported: bool,
}

impl Plan {
    /// The plan of a declaration; `is_supported` tells what can be run here.
    pub fn of(
        declaration: &PipelineDeclaration,
        is_supported: impl Fn(&ActionTypeId) -> bool,
    ) -> Self {
        let stages = declaration.stages.iter().map(|stage| {
            let mut groups: BTreeMap<u32, Vec<PlannedAction>> = BTreeMap::new();
            for action in &stage.actions {
                let supported = is_supported(&action.action_type_id);
                groups
                    .entry(action.run_order)
                    .or_default()
                    .push(planned(action, supported));
            }
            PlannedStage {
                name: stage.name.clone(),
                groups: groups.into_values().collect(),
            }
        });
        let variables = declaration.variables.iter().map(|variable| Variable {
            name: variable.name.clone(),
            default: variable.default_value.clone(),
        });
        Self {
            name: declaration.name.clone(),
            kind: declaration.pipeline_type,
            mode: declaration.execution_mode,
            variables: variables.collect(),
            stages: stages.collect(),
        }
    }

    /// The plan in that form, with a line break at its end.
    pub fn render(&self, format: PlanFormat) -> String {
        match format {
            PlanFormat::Text => text::render(self),
            PlanFormat::Json => json::render(self),
            PlanFormat::Dot => dot::render(self),
            PlanFormat::Svg => svg::render(self),
        }
    }

    /// All actions with their stages, in order.
    pub fn actions(&self) -> impl Iterator<Item = (&PlannedStage, &PlannedAction)> {
        self.stages.iter().flat_map(|stage| {
            stage
                .groups
                .iter()
                .flatten()
                .map(move |action| (stage, action))
        })
    }

    /// `V2, QUEUED`.
    fn kind_and_mode(&self) -> String {
        format!("{}, {}", kind(self.kind), mode(self.mode))
    }
}

impl PlannedAction {
    /// `Build CodeBuild`, with the owner where it is not AWS.
    fn provider(&self) -> String {
        format!("{:?} {}", self.kind.category, self.kind.provider)
    }
}

/// The type of a pipeline, as the API spells it.
pub fn kind(kind: PipelineType) -> &'static str {
    match kind {
        PipelineType::V1 => "V1",
        PipelineType::V2 => "V2",
    }
}

/// The mode of a pipeline, as the API spells it.
pub fn mode(mode: ExecutionMode) -> &'static str {
    match mode {
        ExecutionMode::Superseded => "SUPERSEDED",
        ExecutionMode::Queued => "QUEUED",
        ExecutionMode::Parallel => "PARALLEL",
    }
}

fn planned(action: &ActionDeclaration, supported: bool) -> PlannedAction {
    PlannedAction {
        name: action.name.clone(),
        kind: action.action_type_id.clone(),
        run_order: action.run_order,
        inputs: action
            .input_artifacts
            .iter()
            .map(|input| input.name.clone())
            .collect(),
        outputs: action
            .output_artifacts
            .iter()
            .map(|output| output.name.clone())
            .collect(),
        namespace: action.namespace.clone(),
        detail: cut(&detail(action), DETAIL_CHARACTERS_MAX),
        supported,
    }
}

fn detail(action: &ActionDeclaration) -> String {
    let of = |key: &str| action.configuration.get(key).map_or("", String::as_str);
    let id = &action.action_type_id;
    match (id.category, id.provider.as_str()) {
        (ActionCategory::Source, "CodeCommit") => {
            format!("{} @ {}", of("RepositoryName"), of("BranchName"))
        }
        (ActionCategory::Source, "S3") => format!("s3://{}/{}", of("S3Bucket"), of("S3ObjectKey")),
        (ActionCategory::Build | ActionCategory::Test, "CodeBuild") => {
            format!("project {}", of("ProjectName"))
        }
        (ActionCategory::Compute, "Commands") => action.commands.join("; "),
        (ActionCategory::Approval, _) => of("CustomData").to_owned(),
        (ActionCategory::Deploy, "S3") => {
            format!("s3://{}/{}", of("BucketName"), of("ObjectKey"))
        }
        (
            ActionCategory::Source
            | ActionCategory::Build
            | ActionCategory::Test
            | ActionCategory::Compute
            | ActionCategory::Deploy
            | ActionCategory::Invoke,
            _,
        ) => String::new(),
    }
}

/// The text in one line and not longer than that, cut at its end.
pub fn cut(text: &str, characters: usize) -> String {
    let line = text.lines().next().unwrap_or_default();
    if line.chars().count() <= characters && line.len() == text.trim_end().len() {
        return line.to_owned();
    }
    let mut short: String = line.chars().take(characters.saturating_sub(1)).collect();
    short.push('…');
    short
}

#[cfg(test)]
pub(super) mod tests {
    use expect_test::expect;
    use model::declaration::read::{Format, read};

    use super::*;

    pub(super) const PIPELINE: &str = "
name: web-shop
roleArn: arn:aws:iam::000000000000:role/r
pipelineType: V2
executionMode: QUEUED
variables:
- {name: Environment, defaultValue: dev}
- {name: Version}
stages:
- name: Source
  actions:
  - name: checkout
    actionTypeId: {category: Source, owner: AWS, provider: CodeCommit, version: '1'}
    configuration: {RepositoryName: shop, BranchName: main}
    outputArtifacts: [{name: Code}]
    namespace: Src
- name: Build
  actions:
  - name: compile
    actionTypeId: &build {category: Build, owner: AWS, provider: CodeBuild, version: '1'}
    configuration: {ProjectName: compile}
    inputArtifacts: [{name: Code}]
    outputArtifacts: [{name: Program}]
  - {name: lint, actionTypeId: *build, configuration: {ProjectName: lint}, inputArtifacts: [{name: Code}]}
  - name: scan
    runOrder: 2
    actionTypeId: {category: Invoke, owner: AWS, provider: Lambda, version: '1'}
    inputArtifacts: [{name: Program}]
- name: Deploy
  actions:
  - name: approve
    actionTypeId: {category: Approval, owner: AWS, provider: Manual, version: '1'}
    configuration: {CustomData: 'Ship #{Src.CommitId}?'}
  - name: ship
    runOrder: 2
    actionTypeId: {category: Deploy, owner: AWS, provider: S3, version: '1'}
    configuration: {BucketName: site, ObjectKey: 'v<1>', Extract: 'true'}
    inputArtifacts: [{name: Program}]
";

    pub(super) fn plan() -> Plan {
        let document = read(PIPELINE, Format::Yaml, &[]).expect("a pipeline");
        Plan::of(&document.declaration, |id| id.provider != "Lambda")
    }

    #[test]
    fn actions_of_one_run_order_are_a_group() {
        let plan = plan();
        let sizes: Vec<Vec<usize>> = plan
            .stages
            .iter()
            .map(|stage| stage.groups.iter().map(Vec::len).collect())
            .collect();
        assert_eq!(sizes, [vec![1], vec![2, 1], vec![1, 1]]);
    }

    #[test]
    fn text_shows_the_order_and_the_flow() {
        expect![[r#"
            Pipeline  web-shop (V2, QUEUED) · 3 stages · 6 actions
            Variable  Environment = dev
            Variable  Version must be given

            1. Source
                1 ─ checkout  Source CodeCommit  shop @ main  ·  → Code  ·  variables #{Src.…}

            2. Build
                1 ┬ compile   Build CodeBuild    project compile  ·  Code → Program
                  └ lint      Build CodeBuild    project lint  ·  Code →
                2 ─ scan      Invoke Lambda      Program →

            3. Deploy
                1 ─ approve   Approval Manual    Ship #{Src.CommitId}?
                2 ─ ship      Deploy S3          s3://site/v<1>  ·  Program →

            Not supported by this build; these actions would fail:
               Build/scan  Invoke Lambda
        "#]]
        .assert_eq(&plan().render(PlanFormat::Text));
    }

    #[test]
    fn json_has_a_version_and_every_part() {
        expect![[r#"
            {
              "pipeline": {
                "executionMode": "QUEUED",
                "name": "web-shop",
                "pipelineType": "V2",
                "variables": [
                  {
                    "defaultValue": "dev",
                    "name": "Environment"
                  },
                  {
                    "defaultValue": null,
                    "name": "Version"
                  }
                ]
              },
              "stages": [
                {
                  "groups": [
                    [
                      {
                        "category": "Source",
                        "detail": "shop @ main",
                        "inputArtifacts": [],
                        "name": "checkout",
                        "namespace": "Src",
                        "outputArtifacts": [
                          "Code"
                        ],
                        "provider": "CodeCommit",
                        "runOrder": 1,
                        "supported": true
                      }
                    ]
                  ],
                  "name": "Source"
                },
                {
                  "groups": [
                    [
                      {
                        "category": "Build",
                        "detail": "project compile",
                        "inputArtifacts": [
                          "Code"
                        ],
                        "name": "compile",
                        "namespace": null,
                        "outputArtifacts": [
                          "Program"
                        ],
                        "provider": "CodeBuild",
                        "runOrder": 1,
                        "supported": true
                      },
                      {
                        "category": "Build",
                        "detail": "project lint",
                        "inputArtifacts": [
                          "Code"
                        ],
                        "name": "lint",
                        "namespace": null,
                        "outputArtifacts": [],
                        "provider": "CodeBuild",
                        "runOrder": 1,
                        "supported": true
                      }
                    ],
                    [
                      {
                        "category": "Invoke",
                        "detail": "",
                        "inputArtifacts": [
                          "Program"
                        ],
                        "name": "scan",
                        "namespace": null,
                        "outputArtifacts": [],
                        "provider": "Lambda",
                        "runOrder": 2,
                        "supported": false
                      }
                    ]
                  ],
                  "name": "Build"
                },
                {
                  "groups": [
                    [
                      {
                        "category": "Approval",
                        "detail": "Ship #{Src.CommitId}?",
                        "inputArtifacts": [],
                        "name": "approve",
                        "namespace": null,
                        "outputArtifacts": [],
                        "provider": "Manual",
                        "runOrder": 1,
                        "supported": true
                      }
                    ],
                    [
                      {
                        "category": "Deploy",
                        "detail": "s3://site/v<1>",
                        "inputArtifacts": [
                          "Program"
                        ],
                        "name": "ship",
                        "namespace": null,
                        "outputArtifacts": [],
                        "provider": "S3",
                        "runOrder": 2,
                        "supported": true
                      }
                    ]
                  ],
                  "name": "Deploy"
                }
              ],
              "v": 1
            }
        "#]]
        .assert_eq(&plan().render(PlanFormat::Json));
    }

    #[test]
    fn dot_draws_stages_as_clusters_and_artifacts_as_edges() {
        expect![[r#"
            digraph "web-shop" {
              rankdir=LR; compound=true; fontname="sans-serif";
              node [shape=box, style=rounded, fontname="sans-serif"];
              edge [fontname="sans-serif", fontsize=10];
              subgraph cluster_0 {
                label="Source";
                "Source/checkout" [label="checkout\nSource CodeCommit"];
              }
              subgraph cluster_1 {
                label="Build";
                "Build/compile" [label="compile\nBuild CodeBuild"];
                "Build/lint" [label="lint\nBuild CodeBuild"];
                "Build/scan" [label="scan\nInvoke Lambda", style="rounded,dashed"];
              }
              subgraph cluster_2 {
                label="Deploy";
                "Deploy/approve" [label="approve\nApproval Manual"];
                "Deploy/ship" [label="ship\nDeploy S3"];
              }
              "Source/checkout" -> "Build/compile" [style=dotted, arrowhead=none];
              "Source/checkout" -> "Build/lint" [style=dotted, arrowhead=none];
              "Build/compile" -> "Build/scan" [style=dotted, arrowhead=none];
              "Build/lint" -> "Build/scan" [style=dotted, arrowhead=none];
              "Build/scan" -> "Deploy/approve" [style=dotted, arrowhead=none];
              "Deploy/approve" -> "Deploy/ship" [style=dotted, arrowhead=none];
              "Source/checkout" -> "Build/compile" [label="Code"];
              "Source/checkout" -> "Build/lint" [label="Code"];
              "Build/compile" -> "Build/scan" [label="Program"];
              "Build/compile" -> "Deploy/ship" [label="Program"];
            }
        "#]]
        .assert_eq(&plan().render(PlanFormat::Dot));
    }

    #[test]
    fn a_long_or_broken_line_is_cut() {
        assert_eq!(cut("short", 10), "short");
        assert_eq!(cut("much too long", 6), "much …");
        assert_eq!(cut("two\nlines", 20), "two…");
        assert_eq!(cut("one\n", 20), "one");
    }
}
