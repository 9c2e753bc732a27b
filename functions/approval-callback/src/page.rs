//! The pages. They are whole without script, fonts or images.

mod style;

use std::sync::LazyLock;

use access::link::ApprovalLink;
use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderName, HeaderValue, header};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use model::{Timestamp, state::SourceRevision};
use sha2::{Digest, Sha256};

use crate::{
    form::WrongForm,
    standing::{Answer, Question, Standing},
};

/// The longest comment, as the API has it.
const COMMENT_CHARACTERS_MAX: u32 = 512;

/// How much of the id of a revision is shown; all of it stands in its title.
const SHORT: usize = 12;

pub(crate) enum Page {
    Ask(Box<Question>, ApprovalLink),
    Answered(Answer, ApprovalLink),
    Done(bool, ApprovalLink),
    Over(ApprovalLink),
    Expired,
    NotFound,
    NotAllowed,
    Foreign,
    WrongForm(WrongForm),
    /// The API refused the answer, in these words.
    Rejected(String),
    Unavailable,
}

/// One style, named by its hash: no other one is applied.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let hash = STANDARD.encode(Sha256::digest(style::STYLE));
    format!(
        "default-src 'none'; style-src 'sha256-{hash}'; form-action 'self'; base-uri 'none'; \
         frame-ancestors 'none'; require-trusted-types-for 'script'"
    )
});

/// What every answer carries (RELIABILITY §6.9).
pub(crate) fn security_headers() -> impl Iterator<Item = (HeaderName, HeaderValue)> {
    let fixed = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // The link is in the address.
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
        (HeaderName::from_static("x-robots-tag"), "noindex"),
    ];
    let policy = HeaderValue::from_str(&POLICY).ok();
    let policy = policy.map(|value| (header::CONTENT_SECURITY_POLICY, value));
    let fixed = fixed.map(|(name, value)| (name, HeaderValue::from_static(value)));
    fixed.into_iter().chain(policy)
}

impl Page {
    pub(crate) fn of(standing: Standing, link: ApprovalLink) -> Self {
        match standing {
            Standing::Open(question) => Self::Ask(question, link),
            Standing::Answered(answer) => Self::Answered(answer, link),
            Standing::Over => Self::Over(link),
            Standing::Unknown => Self::NotFound,
        }
    }

    pub(crate) fn render(self) -> String {
        match self {
            Self::Ask(question, link) => ask(&question, &link),
            Self::Answered(answer, link) => answered(&answer, &link),
            Self::Done(approved, link) => done(approved, &link),
            Self::Over(link) => over(&link),
            Self::Expired => note(
                "This link has expired",
                "The time for an answer is over. If the approval was retried, a new link was sent.",
            ),
            Self::NotFound => note(
                "This link leads nowhere",
                "It is not one that this server made, or what it was about is gone. Check that all \
                 of it was copied from the mail.",
            ),
            Self::NotAllowed => note(
                "That cannot be done here",
                "An approval page can be looked at, and its form can be sent.",
            ),
            Self::Foreign => note(
                "The answer came from another site",
                "Nothing was decided. Open the link from your mail and answer on its page.",
            ),
            Self::WrongForm(WrongForm::TooLarge) => note(
                "The comment is too long",
                "Nothing was decided. Go back, and say it in 512 characters.",
            ),
            Self::WrongForm(WrongForm::NoForm | WrongForm::NoDecision) => note(
                "There was no decision in the form",
                "Nothing was decided. Go back, and press Approve or Reject.",
            ),
            Self::Rejected(what) => note(
                "The answer was not taken",
                &format!("Nothing was decided: {what}. Go back and try again."),
            ),
            Self::Unavailable => note(
                "The answer could not be stored",
                "Nothing was decided, as far as this server knows. Open the link again in a minute.",
            ),
        }
        .into_string()
    }
}

fn frame(title: &str, content: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · Pipewright" }
                style { (PreEscaped(style::STYLE)) }
            }
            body {
                header { "Pipewright" }
                main { (content) }
            }
        }
    }
}

fn note(title: &str, text: &str) -> Markup {
    frame(title, &html! { h1 { (title) } p { (text) } })
}

/// Which approval it is about; never more than the link itself says.
fn subject(link: &ApprovalLink) -> Markup {
    html! {
        div { dt { "Pipeline" } dd { (link.pipeline) } }
        div { dt { "Stage" } dd { (link.stage) } }
        div { dt { "Action" } dd { (link.action) } }
        div { dt { "Execution" } dd { code { (link.execution) } } }
    }
}

fn ask(question: &Question, link: &ApprovalLink) -> Markup {
    let configured = |key: &str| {
        let value = question.job.configuration.get(key);
        value.filter(|value| !value.is_empty())
    };
    let title = format!("{} waits for your approval", link.pipeline);
    let content = html! {
        p.status.waiting { "Waiting for an answer" }
        h1 { (title) }
        @if question.waiting > 0 {
            p.notice {
                @if question.waiting == 1 {
                    "A newer execution waits behind this one."
                } @else {
                    (question.waiting) " newer executions wait behind this one."
                }
                " Your answer is about the revisions below."
            }
        }
        dl {
            (subject(link))
            @for (action, found) in &question.execution.revisions {
                div { dt { "Source " (action) } dd { (revision(found)) } }
            }
            @if let Some(data) = configured("CustomData") {
                div { dt { "Comments" } dd.text { (data) } }
            }
            @if let Some(link) = configured("ExternalEntityLink") {
                div { dt { "To review" } dd { (address(link)) } }
            }
            div { dt { "Answer until" } dd { (time(question.job.until)) } }
            div { dt { "You answer as" } dd { (link.recipient) } }
        }
        form method="post" autocomplete="off" {
            label for="comment" { "Comment" }
            textarea #comment name="comment" rows="3" maxlength=(COMMENT_CHARACTERS_MAX) {}
            div.buttons {
                button.approve type="submit" name="decision" value="approve" { "Approve" }
                button.reject type="submit" name="decision" value="reject" { "Reject" }
            }
        }
    };
    frame(&title, &content)
}

fn answered(answer: &Answer, link: &ApprovalLink) -> Markup {
    let (class, word) = outcome(answer.approved);
    let content = html! {
        p.status.(class) { (word) }
        h1 { "This was already answered" }
        dl {
            (subject(link))
            div { dt { "Answer" } dd { (word) } }
            div { dt { "By" } dd { (who(&answer.by)) } }
            div { dt { "At" } dd { (time(answer.at)) } }
            @if let Some(comment) = &answer.comment {
                div { dt { "Comment" } dd.text { (comment) } }
            }
        }
    };
    frame("Already answered", &content)
}

fn done(approved: bool, link: &ApprovalLink) -> Markup {
    let (class, word) = outcome(approved);
    let content = html! {
        p.status.(class) { (word) }
        h1 { "Thank you" }
        p {
            @if approved { "The pipeline goes on." }
            @else { "The pipeline stops here, and the stage has failed." }
        }
        dl {
            (subject(link))
            div { dt { "Answered as" } dd { (link.recipient) } }
        }
    };
    frame(word, &content)
}

fn over(link: &ApprovalLink) -> Markup {
    let content = html! {
        p.status.over { "Over" }
        h1 { "No answer is needed any more" }
        p { "The execution has moved on without one: it was stopped, overtaken or ran out of time, or its pipeline was changed." }
        dl { (subject(link)) }
    };
    frame("Over", &content)
}

fn outcome(approved: bool) -> (&'static str, &'static str) {
    if approved {
        ("approved", "Approved")
    } else {
        ("rejected", "Rejected")
    }
}

/// A person's part of an ARN.
fn who(arn: &str) -> &str {
    match arn.split_once(":approval-link/") {
        Some((_, recipient)) => recipient,
        None => arn,
    }
}

fn revision(found: &SourceRevision) -> Markup {
    let id = &found.revision_id;
    let short: String = id.chars().take(SHORT).collect();
    html! {
        code title=(id) { (short) }
        @if let Some(summary) = &found.revision_summary { " " span.text { (summary) } }
        @if let Some(url) = &found.revision_url { " " (address(url)) }
    }
}

/// A link where the address is one of the web; any other is shown and leads nowhere (S25).
fn address(url: &str) -> Markup {
    let lower = url.to_ascii_lowercase();
    let is_web = lower.starts_with("https://") || lower.starts_with("http://");
    html! {
        @if is_web { a href=(url) rel="noopener noreferrer" { (url) } } @else { (url) }
    }
}

fn time(at: Timestamp) -> Markup {
    // No clock tells a time that is out of range; a damaged row may.
    let at = jiff::Timestamp::from_millisecond(at.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    html! {
        time datetime=(at.strftime("%Y-%m-%dT%H:%M:%SZ")) {
            (at.strftime("%Y-%m-%d %H:%M UTC"))
        }
    }
}
