//! Announced changes, as a journal row holds them: what the changes of one commit share stands
//! once, and what follows from the rest is left out. Half of all bytes were changes before.

use std::borrow::Cow;

use model::{
    Change, ExecutionId, Subject, Timestamp,
    change::{ActionChange, EventState},
    declaration::{ActionCategory, ActionOwner, ActionTypeId},
    derive,
    job::{ActionOutput, ErrorDetails, JobArtifact},
    state::Trigger,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Changes of one execution that follow each other.
#[derive(Serialize, Deserialize)]
struct Group<'a> {
    #[serde(rename = "p")]
    pipeline: Cow<'a, str>,
    #[serde(rename = "e")]
    execution: ExecutionId,
    /// The number of the first; the others count on.
    #[serde(rename = "n")]
    first: u32,
    #[serde(rename = "t")]
    at: Timestamp,
    #[serde(rename = "v")]
    pipeline_version: u32,
    #[serde(rename = "r")]
    attempt: u32,
    #[serde(rename = "c")]
    changes: Vec<(Timestamp, Told<'a>)>,
}

/// What changed, beside when it had started.
#[derive(Serialize, Deserialize)]
enum Told<'a> {
    #[serde(rename = "p")]
    Pipeline(EventState, Option<Cow<'a, Trigger>>, Option<Cow<'a, str>>),
    #[serde(rename = "s")]
    Stage(Cow<'a, str>, EventState, Option<Timestamp>),
    #[serde(rename = "a")]
    Action(Box<OfAction<'a>>),
}

#[derive(Serialize, Deserialize)]
struct OfAction<'a> {
    #[serde(rename = "s")]
    stage: Cow<'a, str>,
    #[serde(rename = "a")]
    action: Cow<'a, str>,
    #[serde(rename = "n")]
    attempt: u32,
    #[serde(rename = "x")]
    state: EventState,
    #[serde(rename = "y")]
    action_type: (ActionCategory, ActionOwner, Cow<'a, str>, Cow<'a, str>),
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    region: Option<Cow<'a, str>>,
    #[serde(rename = "f", default, skip_serializing_if = "is_empty")]
    artifacts: Cow<'a, [JobArtifact]>,
    #[serde(rename = "e", default, skip_serializing_if = "Option::is_none")]
    error: Option<Cow<'a, ErrorDetails>>,
    #[serde(rename = "o", default, skip_serializing_if = "Option::is_none")]
    output: Option<Cow<'a, ActionOutput>>,
}

fn is_empty(artifacts: &[JobArtifact]) -> bool {
    artifacts.is_empty()
}

pub(super) fn serialize<S: Serializer>(
    changes: &[Change],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for change in changes {
        let told = (change.started, told(&change.subject));
        match groups
            .last_mut()
            .filter(|group| group.is_followed_by(change))
        {
            Some(group) => group.changes.push(told),
            None => groups.push(Group {
                pipeline: Cow::Borrowed(&change.pipeline),
                execution: change.execution,
                first: change.sequence,
                at: change.at,
                pipeline_version: change.pipeline_version,
                attempt: change.attempt,
                changes: vec![told],
            }),
        }
    }
    groups.serialize(serializer)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<Change>, D::Error> {
    let groups: Vec<Group<'_>> = Vec::deserialize(deserializer)?;
    Ok(groups.into_iter().flat_map(Group::ungrouped).collect())
}

impl Group<'_> {
    fn is_followed_by(&self, change: &Change) -> bool {
        let count = u32::try_from(self.changes.len()).unwrap_or(u32::MAX);
        self.execution == change.execution
            && self.first.saturating_add(count) == change.sequence
            && self.at == change.at
            && self.pipeline_version == change.pipeline_version
            && self.attempt == change.attempt
            && self.pipeline == change.pipeline
    }

    fn ungrouped(self) -> Vec<Change> {
        let sequences = self.first..;
        let each = sequences
            .zip(self.changes)
            .map(|(sequence, (started, told))| Change {
                pipeline: self.pipeline.to_string(),
                execution: self.execution,
                sequence,
                at: self.at,
                pipeline_version: self.pipeline_version,
                attempt: self.attempt,
                started,
                subject: subject(self.execution, told),
            });
        each.collect()
    }
}

fn told(subject: &Subject) -> Told<'_> {
    match subject {
        Subject::Pipeline {
            state,
            trigger,
            comment,
        } => Told::Pipeline(
            *state,
            trigger.as_ref().map(Cow::Borrowed),
            comment.as_deref().map(Cow::Borrowed),
        ),
        Subject::Stage {
            stage,
            state,
            last_retry,
        } => Told::Stage(Cow::Borrowed(stage), *state, *last_retry),
        Subject::Action(change) => {
            let ActionTypeId {
                category,
                owner,
                provider,
                version,
            } = &change.action_type;
            Told::Action(Box::new(OfAction {
                stage: Cow::Borrowed(&change.stage),
                action: Cow::Borrowed(&change.action),
                attempt: change.attempt,
                state: change.state,
                action_type: (
                    *category,
                    *owner,
                    Cow::Borrowed(provider),
                    Cow::Borrowed(version),
                ),
                region: change.region.as_deref().map(Cow::Borrowed),
                artifacts: Cow::Borrowed(&change.artifacts),
                error: change.error.as_ref().map(Cow::Borrowed),
                output: change.output.as_ref().map(Cow::Borrowed),
            }))
        }
    }
}

fn subject(execution: ExecutionId, told: Told<'_>) -> Subject {
    match told {
        Told::Pipeline(state, trigger, comment) => Subject::Pipeline {
            state,
            trigger: trigger.map(Cow::into_owned),
            comment: comment.map(Cow::into_owned),
        },
        Told::Stage(stage, state, last_retry) => Subject::Stage {
            stage: stage.into_owned(),
            state,
            last_retry,
        },
        Told::Action(told) => {
            let (stage, action) = (told.stage.into_owned(), told.action.into_owned());
            let (category, owner, provider, version) = told.action_type;
            let id = derive::action_execution_id(execution, &stage, &action, told.attempt);
            Subject::Action(Box::new(ActionChange {
                stage,
                action,
                attempt: told.attempt,
                state: told.state,
                action_execution_id: id,
                action_type: ActionTypeId {
                    category,
                    owner,
                    provider: provider.into_owned(),
                    version: version.into_owned(),
                },
                region: told.region.map(Cow::into_owned),
                artifacts: told.artifacts.into_owned(),
                error: told.error.map(Cow::into_owned),
                output: told.output.map(Cow::into_owned),
            }))
        }
    }
}

#[cfg(test)]
mod tests {
    use model::{job::FailureType, state::TriggerType};
    use uuid::Uuid;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Row(#[serde(with = "super")] Vec<Change>);

    fn change(execution: u128, sequence: u32, subject: Subject) -> Change {
        Change {
            pipeline: "web".to_owned(),
            execution: ExecutionId(Uuid::from_u128(execution)),
            sequence,
            at: Timestamp(9),
            pipeline_version: 2,
            attempt: 1,
            started: Timestamp(i64::from(sequence)),
            subject,
        }
    }

    fn action(execution: u128, error: Option<ErrorDetails>) -> Subject {
        let id = ExecutionId(Uuid::from_u128(execution));
        Subject::Action(Box::new(ActionChange {
            stage: "Build".to_owned(),
            action: "compile".to_owned(),
            attempt: 3,
            state: EventState::Failed,
            action_execution_id: derive::action_execution_id(id, "Build", "compile", 3),
            action_type: ActionTypeId {
                category: ActionCategory::Build,
                owner: ActionOwner::Aws,
                provider: "CodeBuild".to_owned(),
                version: "1".to_owned(),
            },
            region: Some("eu-west-1".to_owned()),
            artifacts: vec![JobArtifact {
                name: "Out".to_owned(),
                bucket: "b".to_owned(),
                key: "k".to_owned(),
                revision: None,
                files: Vec::new(),
            }],
            error,
            output: Some(ActionOutput::default()),
        }))
    }

    #[test]
    fn changes_are_read_as_they_were_written() {
        let trigger = Trigger {
            kind: TriggerType::Webhook,
            detail: "d".to_owned(),
        };
        let error = ErrorDetails {
            code: FailureType::JobFailed,
            message: "m".to_owned(),
        };
        let started = Subject::Pipeline {
            state: EventState::Started,
            trigger: Some(trigger),
            comment: Some("c".to_owned()),
        };
        let stage = Subject::Stage {
            stage: "Build".to_owned(),
            state: EventState::Resumed,
            last_retry: Some(Timestamp(4)),
        };
        let row = Row(vec![
            change(1, 5, started),
            change(1, 6, stage.clone()),
            change(2, 1, action(2, Some(error))),
            change(1, 8, stage),
            change(1, 9, action(1, None)),
        ]);
        let text = serde_json::to_string(&row).unwrap();
        assert_eq!(serde_json::from_str::<Row>(&text).unwrap(), row);
        assert_eq!(
            text.matches("\"p\":\"web\"").count(),
            3,
            "what is shared stands once: {text}"
        );
    }
}
