//! The answer, as a browser sends it: `decision=approve&comment=…`.

use bytes::Bytes;
use http::{Request, StatusCode, header};

/// The longest form: a comment of 512 characters takes twelve bytes for each at most.
const FORM_BYTES_MAX: usize = 8 * 1024;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Form {
    pub(crate) approved: bool,
    pub(crate) comment: String,
}

/// Why a form is not understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WrongForm {
    TooLarge,
    NoForm,
    NoDecision,
}

impl WrongForm {
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::NoForm => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::NoDecision => StatusCode::BAD_REQUEST,
        }
    }
}

impl Form {
    pub(crate) fn read(request: &Request<Bytes>) -> Result<Self, WrongForm> {
        if request.body().len() > FORM_BYTES_MAX {
            return Err(WrongForm::TooLarge);
        }
        let kind = request.headers().get(header::CONTENT_TYPE);
        let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let essence = kind.split(';').next().unwrap_or_default().trim();
        if !essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Err(WrongForm::NoForm);
        }
        fields(request.body()).ok_or(WrongForm::NoDecision)
    }
}

/// Each field once at most, and no other.
fn fields(body: &[u8]) -> Option<Form> {
    let (mut decision, mut comment) = (None, None);
    for pair in body.split(|byte| *byte == b'&') {
        let equals = pair.iter().position(|byte| *byte == b'=')?;
        let (name, value) = (&pair[..equals], decoded(&pair[equals + 1..])?);
        let before = match name {
            b"decision" => decision.replace(value),
            b"comment" => comment.replace(value),
            _ => return None,
        };
        if before.is_some() {
            return None;
        }
    }
    let approved = match decision?.as_str() {
        "approve" => true,
        "reject" => false,
        _ => return None,
    };
    // Browsers end the lines of a form with two characters, and count one.
    let comment = comment.unwrap_or_default().replace("\r\n", "\n");
    Some(Form {
        approved,
        comment: comment.trim().to_owned(),
    })
}

fn decoded(value: &[u8]) -> Option<String> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.iter().copied();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                u8::try_from(digit()? * 16 + digit()?).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(kind: &str, body: impl Into<Bytes>) -> Result<Form, WrongForm> {
        let request = Request::post("/approvals/x").header("content-type", kind);
        Form::read(&request.body(body.into()).expect("a request"))
    }

    fn form(body: &'static str) -> Result<Form, WrongForm> {
        read("application/x-www-form-urlencoded", body)
    }

    #[test]
    fn a_form_is_read_as_browsers_write_it() {
        let read = form("comment=ship+it%21%0D%0A%C3%BC+%26+more%0D%0A&decision=approve");
        let comment = "ship it!\nü & more".to_owned();
        let approved = true;
        assert_eq!(read, Ok(Form { approved, comment }));
        let rejected = Form {
            approved: false,
            comment: String::new(),
        };
        assert_eq!(form("decision=reject"), Ok(rejected.clone()));
        assert_eq!(form("decision=reject&comment="), Ok(rejected));
    }

    #[test]
    fn what_is_no_decision_decides_nothing() {
        for body in [
            "",
            "decision",
            "decision=",
            "decision=Approve",
            "decision=yes",
            "comment=approve",
            "decision=approve&decision=reject",
            "decision=approve&comment=a&comment=b",
            "decision=approve&token=1",
            "decision=approve&comment=%ff",
            "decision=approve&comment=%",
            "decision=approve&comment=%4",
            "decision=approve&comment=%+1",
            "decision=approve&",
            "decision=approve;comment=a",
        ] {
            assert_eq!(form(body), Err(WrongForm::NoDecision), "{body}");
        }
    }

    #[test]
    fn other_bodies_are_refused_unread() {
        let json = read("application/json", "{\"decision\": \"approve\"}");
        assert_eq!(json, Err(WrongForm::NoForm));
        assert_eq!(
            read("text/plain", "decision=approve"),
            Err(WrongForm::NoForm)
        );
        assert_eq!(read("", "decision=approve"), Err(WrongForm::NoForm));
        let charset = "application/X-WWW-form-urlencoded; charset=UTF-8";
        assert!(read(charset, "decision=approve").is_ok());
        let large = format!("decision=approve&comment={}", "x".repeat(FORM_BYTES_MAX));
        let large = read("application/x-www-form-urlencoded", large);
        assert_eq!(large, Err(WrongForm::TooLarge));
        assert_eq!(WrongForm::TooLarge.status(), 413);
        assert_eq!(WrongForm::NoForm.status(), 415);
        assert_eq!(WrongForm::NoDecision.status(), 400);
    }
}
