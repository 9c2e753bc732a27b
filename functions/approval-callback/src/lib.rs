//! Somebody followed an approval link: GET shows a page, POST decides.
//!
//! The link is the proof: whoever has it may answer in the name of whom it was sent to (see
//! `access::link`). Programs open links, too: mail scanners, previews, prefetchers. So nothing but a
//! POST with a decision in it changes anything (RELIABILITY S1), and a link works until the approval
//! is answered (S2).
//!
//! The pages need no script and allow none (RELIABILITY §6.9).

mod foreign;
mod form;
#[cfg(feature = "lambda")]
pub mod lambda;
mod page;
mod standing;

use access::{
    Caller,
    link::{ApprovalLink, LinkError, LinkKey},
};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use model::Rejection;
use operations::{OperationError, PutApprovalResult, put_approval_result};
use ports::{StoreError, World};

use form::Form;
use page::Page;
use standing::Standing;

/// Where the pages are.
pub const PATH: &str = "/approvals/";

/// What may be done with a page.
const ALLOWED: &str = "GET, HEAD, POST";

/// What the handler needs.
#[derive(Clone)]
pub struct Callback {
    pub world: World,
    /// What links were signed with.
    pub key: LinkKey,
    /// Where this server is found from outside, without a slash at its end:
    /// `https://ci.example.org`.
    pub origin: String,
}

/// Answers a request for `/approvals/…`.
pub async fn handle(callback: &Callback, request: Request<Bytes>) -> Response<Bytes> {
    let is_head = request.method() == Method::HEAD;
    let (status, page) = answer(callback, &request).await;
    let mut response = respond(status, page);
    if is_head {
        *response.body_mut() = Bytes::new();
    }
    response
}

async fn answer(callback: &Callback, request: &Request<Bytes>) -> (StatusCode, Page) {
    let shows = [Method::GET, Method::HEAD].contains(request.method());
    if !shows && request.method() != Method::POST {
        return (StatusCode::METHOD_NOT_ALLOWED, Page::NotAllowed);
    }
    let token = request.uri().path().strip_prefix(PATH).unwrap_or_default();
    let link = match callback.key.verify(token, callback.world.clock.now()) {
        Ok(link) => link,
        Err(LinkError::NotOurs) => return (StatusCode::NOT_FOUND, Page::NotFound),
        Err(LinkError::Expired) => return (StatusCode::GONE, Page::Expired),
    };
    let result = if shows {
        show(callback, link).await
    } else {
        decide(callback, request, link).await
    };
    result.unwrap_or((StatusCode::SERVICE_UNAVAILABLE, Page::Unavailable))
}

/// The page of a link; reads, and can do nothing else.
async fn show(callback: &Callback, link: ApprovalLink) -> Result<(StatusCode, Page), StoreError> {
    let standing = standing::of(&callback.world, &link).await?;
    let status = match &standing {
        Standing::Open(_) | Standing::Answered(_) => StatusCode::OK,
        Standing::Over => StatusCode::GONE,
        Standing::Unknown => StatusCode::NOT_FOUND,
    };
    Ok((status, Page::of(standing, link)))
}

/// Answers the approval with what stands in the form.
async fn decide(
    callback: &Callback,
    request: &Request<Bytes>,
    link: ApprovalLink,
) -> Result<(StatusCode, Page), StoreError> {
    if foreign::is_foreign(request.headers(), &callback.origin) {
        return Ok((StatusCode::FORBIDDEN, Page::Foreign));
    }
    let form = match Form::read(request) {
        Ok(form) => form,
        Err(wrong) => return Ok((wrong.status(), Page::WrongForm(wrong))),
    };
    let question = match standing::of(&callback.world, &link).await? {
        Standing::Open(question) => question,
        other => return Ok(refused(other, link)),
    };
    let account = &callback.world.account.id;
    let who = format!("arn:aws:iam::{account}:approval-link/{}", link.recipient);
    let result = PutApprovalResult {
        pipeline: link.pipeline.clone(),
        stage: link.stage.clone(),
        action: link.action.clone(),
        token: question.token,
        approved: form.approved,
        summary: form.comment,
        by: Caller::owner(who),
    };
    match put_approval_result(&callback.world, result).await {
        Ok(_) => Ok((StatusCode::OK, Page::Done(form.approved, link))),
        Err(OperationError::Rejected(Rejection::Validation(what))) => {
            Ok((StatusCode::BAD_REQUEST, Page::Rejected(what)))
        }
        // Somebody was faster: with an answer, a stop or a newer execution.
        Err(OperationError::Rejected(_)) => {
            let standing = standing::of(&callback.world, &link).await?;
            Ok(refused(standing, link))
        }
        Err(OperationError::Store(error)) => Err(error),
        Err(
            OperationError::Busy
            | OperationError::Defect(_)
            | OperationError::Denied(_)
            | OperationError::Invalid(_),
        ) => Ok((StatusCode::SERVICE_UNAVAILABLE, Page::Unavailable)),
    }
}

/// What somebody is told whose answer came too late.
fn refused(standing: Standing, link: ApprovalLink) -> (StatusCode, Page) {
    match standing {
        Standing::Answered(_) => (StatusCode::CONFLICT, Page::of(standing, link)),
        Standing::Unknown => (StatusCode::NOT_FOUND, Page::NotFound),
        // Open, and yet refused: its time is over, and nobody has noted it.
        Standing::Over | Standing::Open(_) => (StatusCode::GONE, Page::Over(link)),
    }
}

fn respond(status: StatusCode, page: Page) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(page.render()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    for (name, value) in page::security_headers() {
        headers.insert(name, value);
    }
    if status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(header::ALLOW, http::HeaderValue::from_static(ALLOWED));
    }
    response
}
