//! Approval, Manual: a person is asked, and nobody works on it (spec 60 §3).
//!
//! The engine asks through the event bus and takes the answer; what is told to the person is
//! [`message`].

use std::time::Duration;

use async_trait::async_trait;
use model::{ActionOutput, Job, Timestamp, effect::ApprovalRequest};
use ports::{Account, World};
use serde::Serialize;

use crate::{Progress, Provider};

/// How often a worker that was given an approval looks whether it still is one.
const LOOK_AGAIN: Duration = Duration::from_hours(1);

/// An approval is a person's to finish: a worker that is given one waits and reports nothing.
pub struct Manual;

#[async_trait]
impl Provider for Manual {
    async fn start(&self, _world: &World, _job: &Job) -> Progress {
        waiting()
    }

    async fn poll(&self, _world: &World, _job: &Job) -> Progress {
        waiting()
    }

    async fn stop(&self, _world: &World, _job: &Job) {}
}

fn waiting() -> Progress {
    Progress::Running {
        output: ActionOutput::default(),
        ask_again: LOOK_AGAIN,
    }
}

/// Where the person can look and answer.
#[derive(Clone, Copy, Debug)]
pub struct Links<'a> {
    pub console: &'a str,
    pub review: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Message<'a> {
    region: &'a str,
    console_link: &'a str,
    approval: Question<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Question<'a> {
    pipeline_name: &'a str,
    stage_name: &'a str,
    action_name: &'a str,
    token: String,
    expires: String,
    external_entity_link: Option<&'a str>,
    approval_review_link: &'a str,
    custom_data: Option<&'a str>,
}

/// The body of the notification, as CodePipeline sends it to the action's SNS topic (spec 60 §3).
pub fn message(
    account: &Account,
    request: &ApprovalRequest,
    links: Links<'_>,
) -> Result<String, serde_json::Error> {
    let key = &request.key;
    let approval = Question {
        pipeline_name: &key.pipeline,
        stage_name: &key.stage,
        action_name: &key.action,
        token: key.token.to_string(),
        expires: to_the_minute(request.expires),
        external_entity_link: request.external_entity_link.as_deref(),
        approval_review_link: links.review,
        custom_data: request.custom_data.as_deref(),
    };
    let message = Message {
        region: &account.region,
        console_link: links.console,
        approval,
    };
    serde_json::to_string(&message)
}

/// `2016-07-07T20:22Z`.
fn to_the_minute(at: Timestamp) -> String {
    let at = jiff::Timestamp::from_millisecond(at.0).unwrap_or(jiff::Timestamp::MAX);
    at.strftime("%Y-%m-%dT%H:%MZ").to_string()
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use model::{AttemptKey, ExecutionId};
    use uuid::Uuid;

    use super::*;

    #[test]
    fn the_message_has_codepipelines_form() {
        let account = Account {
            id: "000000000000".to_owned(),
            region: "us-east-1".to_owned(),
        };
        let request = ApprovalRequest {
            key: AttemptKey {
                pipeline: "web".to_owned(),
                execution: ExecutionId(Uuid::from_u128(1)),
                stage: "Release".to_owned(),
                action: "Approve".to_owned(),
                attempt: 1,
                token: Uuid::from_u128(2),
            },
            expires: Timestamp(1_467_922_920_000),
            custom_data: Some("look at the \"diff\"".to_owned()),
            external_entity_link: None,
            notification_arn: None,
        };
        let links = Links {
            console: "http://localhost/web",
            review: "http://localhost/web/review",
        };
        expect![[r#"{"region":"us-east-1","consoleLink":"http://localhost/web","approval":{"pipelineName":"web","stageName":"Release","actionName":"Approve","token":"00000000-0000-0000-0000-000000000002","expires":"2016-07-07T20:22Z","externalEntityLink":null,"approvalReviewLink":"http://localhost/web/review","customData":"look at the \"diff\""}}"#]]
            .assert_eq(&message(&account, &request, links).unwrap());
    }
}
