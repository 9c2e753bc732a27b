//! Approval requests: what a person is asked, as the message that AWS sends to an SNS topic
//! (spec 30 §14) and as a mail.

use std::fmt::Write;

use access::link::{ApprovalLink, LinkKey};
use maud::{DOCTYPE, Markup, html};
use model::{
    ActionCategory, Change, ExecutionId, Subject, Timestamp,
    change::{ActionChange, EventState},
    derive,
    state::SourceRevision,
};
use ports::{StoreError, World};
use serde::Serialize;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{channel::mail::Letter, time};

/// How much of a hash tells two recipients apart.
const HASH_CHARACTERS: usize = 16;

const WARNING: &str = "The link is yours: whoever has it can answer in your name.";

/// Where this server is found from outside, and what its links are signed with.
#[derive(Clone, Debug)]
pub struct Links {
    /// Without a slash at its end: `https://ci.example.org`.
    pub base: String,
    pub key: LinkKey,
}

/// An approval that waits for an answer.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    /// Of the event with which it began.
    pub(crate) event: Uuid,
    pub(crate) topic: Option<String>,
    region: String,
    pipeline: String,
    execution: ExecutionId,
    stage: String,
    action: String,
    attempt: u32,
    token: Uuid,
    expires: Timestamp,
    external_entity_link: Option<String>,
    custom_data: Option<String>,
    trigger: String,
    /// What the source actions found, by their names.
    revisions: Vec<(String, SourceRevision)>,
    /// How many newer executions wait behind this one.
    waiting: usize,
}

/// The SNS message, with its members in AWS's order; `consoleLink` is left out, as there is no
/// console for it to lead to.
#[derive(Serialize)]
struct Message<'a> {
    region: &'a str,
    approval: Approval<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_field_names, reason = "they are AWS's")]
struct Approval<'a> {
    pipeline_name: &'a str,
    stage_name: &'a str,
    action_name: &'a str,
    token: Uuid,
    expires: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    external_entity_link: Option<&'a str>,
    approval_review_link: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    custom_data: Option<&'a str>,
}

/// An attempt of an approval that began.
#[derive(Clone, Debug)]
pub(crate) struct Begun<'a> {
    pub(crate) pipeline: &'a str,
    pub(crate) execution: ExecutionId,
    pub(crate) action_execution_id: Uuid,
    /// The id of the event that said so.
    pub(crate) event: Uuid,
}

/// The start of an approval, if that is what changed.
pub(crate) fn started(change: &Change) -> Option<&ActionChange> {
    match &change.subject {
        Subject::Action(action)
            if action.state == EventState::Started
                && action.action_type.category == ActionCategory::Approval =>
        {
            Some(action)
        }
        Subject::Action(_) | Subject::Pipeline { .. } | Subject::Stage { .. } => None,
    }
}

/// The question behind a change; nothing when the change is no start of an approval, or nobody
/// waits for the answer any more.
pub(crate) async fn question(
    world: &World,
    change: &Change,
) -> Result<Option<Question>, StoreError> {
    let Some(action) = started(change) else {
        return Ok(None);
    };
    let begun = Begun {
        pipeline: &change.pipeline,
        execution: change.execution,
        action_execution_id: action.action_execution_id,
        event: derive::change_id(change.execution, change.sequence),
    };
    asked(world, begun).await
}

/// The question behind an attempt; nothing when nobody waits for the answer any more.
pub(crate) async fn asked(world: &World, begun: Begun<'_>) -> Result<Option<Question>, StoreError> {
    let Begun {
        pipeline,
        execution: id,
        action_execution_id,
        event,
    } = begun;
    let store = &world.pipelines;
    let attempts = store.action_executions(pipeline, id).await?;
    let begun = attempts
        .into_iter()
        .map(|attempt| attempt.job)
        .find(|job| job.action_execution_id == action_execution_id);
    let Some(job) = begun else { return Ok(None) };
    if job.until <= world.clock.now() || !store.is_open(&job.key).await? {
        return Ok(None);
    }
    let Some(execution) = store.execution(pipeline, id).await? else {
        return Ok(None);
    };
    let head = store.load(pipeline, None).await?.map(|it| it.state.head);
    let waiting = head.and_then(|head| Some(head.stages.get(&job.key.stage)?.inbound.len()));
    let of = |key: &str| {
        let value = job.configuration.get(key);
        value.filter(|value| !value.is_empty()).cloned()
    };
    let revisions = execution.revisions.iter();
    Ok(Some(Question {
        event,
        topic: of("NotificationArn"),
        region: world.account.region.clone(),
        pipeline: pipeline.to_owned(),
        execution: id,
        stage: job.key.stage.clone(),
        action: job.key.action.clone(),
        attempt: job.key.attempt,
        token: job.key.token,
        expires: job.until,
        external_entity_link: of("ExternalEntityLink"),
        custom_data: of("CustomData"),
        trigger: format!("{:?}", execution.trigger.kind),
        revisions: revisions.map(|(n, r)| (n.clone(), r.clone())).collect(),
        waiting: waiting.unwrap_or_default(),
    }))
}

impl Question {
    /// The link on which one recipient can answer.
    fn link(&self, links: &Links, recipient: &str) -> String {
        let token = links.key.sign(&ApprovalLink {
            pipeline: self.pipeline.clone(),
            execution: self.execution,
            stage: self.stage.clone(),
            action: self.action.clone(),
            attempt: self.attempt,
            recipient: recipient.to_owned(),
            expires: self.expires,
        });
        format!("{}/approvals/{token}", links.base)
    }

    /// What subscriptions of a topic may filter by.
    #[cfg(feature = "lambda")]
    pub(crate) fn attributes(&self) -> Vec<(&'static str, String)> {
        vec![
            ("pipeline", self.pipeline.clone()),
            ("stage", self.stage.clone()),
            ("action", self.action.clone()),
            ("execution_id", self.execution.to_string()),
        ]
    }

    pub(crate) fn to_json(&self, links: &Links, recipient: &str) -> String {
        let message = Message {
            region: &self.region,
            approval: Approval {
                pipeline_name: &self.pipeline,
                stage_name: &self.stage,
                action_name: &self.action,
                token: self.token,
                expires: time::minutes(self.expires),
                external_entity_link: self.external_entity_link.as_deref(),
                approval_review_link: self.link(links, recipient),
                custom_data: self.custom_data.as_deref(),
            },
        };
        serde_json::to_string(&message).unwrap_or_default()
    }

    pub(crate) fn to_letter(&self, links: &Links, recipient: &str) -> Letter {
        let link = self.link(links, recipient);
        Letter {
            // The links of two recipients differ, so their mails are two.
            id: format!("{}.{}", self.event, short_hash(recipient)),
            subject: format!(
                "APPROVAL NEEDED: AWS CodePipeline {} for action {}",
                self.pipeline, self.action
            ),
            text: self.text(&link),
            html: Some(self.page(&link).into_string()),
        }
    }

    /// What is known of the approval, in the order in which it is read.
    fn facts(&self) -> Vec<(String, String)> {
        let fact = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let mut facts = vec![
            fact("Pipeline", &self.pipeline),
            fact("Stage", &self.stage),
            fact("Action", &self.action),
            fact("Execution", &self.execution.to_string()),
            fact("Started by", &self.trigger),
        ];
        for (action, revision) in &self.revisions {
            let id = &revision.revision_id;
            let what = match &revision.revision_summary {
                Some(summary) if !summary.is_empty() => format!("{id}: {summary}"),
                _ => id.clone(),
            };
            facts.push((format!("Source {action}"), what));
        }
        if let Some(data) = &self.custom_data {
            facts.push(fact("Comments", data));
        }
        if let Some(link) = &self.external_entity_link {
            facts.push(fact("To review", link));
        }
        if self.waiting > 0 {
            let newer = match self.waiting {
                1 => "1 newer execution waits behind this one".to_owned(),
                more => format!("{more} newer executions wait behind this one"),
            };
            facts.push(fact("Note", &newer));
        }
        facts.push(fact("Answer until", &time::people(self.expires)));
        facts
    }

    fn text(&self, link: &str) -> String {
        let mut text = format!("{} waits for your approval.\n\n", self.pipeline);
        for (name, value) in self.facts() {
            let _ = writeln!(text, "{name}: {value}");
        }
        let _ = writeln!(text, "\nApprove or reject:\n{link}\n\n{WARNING}");
        text
    }

    fn page(&self, link: &str) -> Markup {
        html! {
            (DOCTYPE)
            html lang="en" {
                head { meta charset="utf-8"; title { "Approval needed" } }
                body style="font:14px/20px system-ui,sans-serif;color:#1b2733;background:#ffffff" {
                    p { strong { (self.pipeline) } " waits for your approval." }
                    table style="border-collapse:collapse" {
                        @for (name, value) in self.facts() {
                            tr {
                                th style="text-align:left;vertical-align:top;font-weight:400;color:#5b6875;padding:2px 16px 2px 0" { (name) }
                                td style="white-space:pre-wrap" { (linked(&name, &value)) }
                            }
                        }
                    }
                    p {
                        a href=(link) style="display:inline-block;padding:8px 16px;border-radius:6px;background:#0f5e5b;color:#ffffff;text-decoration:none" {
                            "Review and answer"
                        }
                    }
                    p style="color:#5b6875" { (WARNING) }
                }
            }
        }
    }
}

fn short_hash(text: &str) -> String {
    let hash = hex::encode(Sha256::digest(text.as_bytes()));
    hash[..HASH_CHARACTERS].to_owned()
}

/// The value; as a link where it is one of the web, and never of another kind (S25).
fn linked(name: &str, value: &str) -> Markup {
    let lower = value.to_ascii_lowercase();
    let is_web = lower.starts_with("https://") || lower.starts_with("http://");
    html! {
        @if is_web && name == "To review" {
            a href=(value) rel="noreferrer" { (value) }
        } @else {
            (value)
        }
    }
}
