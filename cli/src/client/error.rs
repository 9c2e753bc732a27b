//! Why a call was not answered as it was meant: refused by the service, or never answered at all.

use serde_json::Value;

use crate::{
    exit::Exit,
    failure::{Failure, Finding},
    terminal::harmless,
};

/// The longest answer that is no error of the API and is shown.
const SHOWN_CHARACTERS_MAX: usize = 200;

/// What came of a call that was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ApiError {
    /// The service says no, with the name of an exception.
    Refused {
        name: String,
        message: String,
        operation: &'static str,
        status: u16,
    },
    /// Nobody answers.
    Unreachable {
        endpoint: String,
        why: String,
        /// Whether the request cannot have been received.
        unsent: bool,
    },
    /// Something answers that does not speak the API.
    Foreign { endpoint: String, what: String },
    /// The endpoint is no URL that can be asked.
    Endpoint { endpoint: String, why: String },
}

/// Every name that a finding may carry: a name from elsewhere is part of the message instead.
const KNOWN: [&str; 44] = [
    "AccessDeniedException",
    "AccountLimitExceededException",
    "ActionExecutionNotFoundException",
    "ActionNotFoundException",
    "ApprovalAlreadyCompletedException",
    "ConcurrentModificationException",
    "ConcurrentPipelineExecutionsLimitExceededException",
    "ConflictException",
    "DuplicatedStopRequestException",
    "ExpiredTokenException",
    "IncompleteSignatureException",
    "InternalFailure",
    "InvalidActionDeclarationException",
    "InvalidApprovalTokenException",
    "InvalidArnException",
    "InvalidBlockerDeclarationException",
    "InvalidInputException",
    "InvalidNextTokenException",
    "InvalidSignatureException",
    "InvalidStageDeclarationException",
    "InvalidStructureException",
    "InvalidTagsException",
    "LimitExceededException",
    "MalformedPolicyDocumentException",
    "MissingAuthenticationTokenException",
    "NoSuchEntityException",
    "NotLatestPipelineExecutionException",
    "PipelineExecutionNotFoundException",
    "PipelineExecutionNotStoppableException",
    "PipelineNameInUseException",
    "PipelineNotFoundException",
    "PipelineVersionNotFoundException",
    "RequestEntityTooLargeException",
    "ResourceAlreadyExistsException",
    "ResourceNotFoundException",
    "SerializationException",
    "ServiceUnavailableException",
    "StageNotFoundException",
    "StageNotRetryableException",
    "ThrottlingException",
    "TooManyTagsException",
    "UnknownOperationException",
    "UnreadableKeyException",
    "UnrecognizedClientException",
];
/// Names with which a service asks to be asked again, later.
///
/// Not one that is unavailable: it may have done what it was asked to do.
const BUSY: [&str; 4] = [
    "ThrottlingException",
    "TooManyRequestsException",
    "RequestLimitExceeded",
    "ConcurrentModificationException",
];

impl ApiError {
    /// What an answer says that is not a success.
    pub fn of_answer(operation: &'static str, endpoint: &str, status: u16, body: &[u8]) -> Self {
        let document: Option<Value> = serde_json::from_slice(body).ok();
        let text = |keys: &[&str]| {
            let document = document.as_ref()?;
            let value = keys.iter().find_map(|key| document.get(key)?.as_str());
            value.map(str::to_owned)
        };
        let Some(name) = text(&["__type", "code"]) else {
            let said = String::from_utf8_lossy(body);
            let is_page = ["<!doctype html", "<html"]
                .iter()
                .any(|start| said.trim_start().to_ascii_lowercase().starts_with(start));
            let said = if is_page { "" } else { said.as_ref() };
            let said: String = harmless(said).chars().take(SHOWN_CHARACTERS_MAX).collect();
            let what = format!("HTTP {status} {said}").trim_end().to_owned();
            let endpoint = endpoint.to_owned();
            return Self::Foreign { endpoint, what };
        };
        // `namespace#Name:uri` is what some services send.
        let name = name.rsplit('#').next().unwrap_or_default();
        let name = name.split(':').next().unwrap_or_default();
        Self::Refused {
            name: name.to_owned(),
            message: text(&["message", "Message"]).unwrap_or_default(),
            operation,
            status,
        }
    }

    /// The name of the exception, when there is one.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Refused { name, .. } => Some(name),
            Self::Unreachable { .. } | Self::Foreign { .. } | Self::Endpoint { .. } => None,
        }
    }

    /// Whether something that was named is not there.
    pub fn is_not_found(&self) -> bool {
        self.name().is_some_and(|name| {
            name.ends_with("NotFoundException") || name == "NoSuchEntityException"
        })
    }

    /// Whether the server does not know the operation. Some say so in their own way: with a status
    /// and no error of the API.
    pub fn is_unknown_operation(&self) -> bool {
        if let Self::Foreign { what, .. } = self {
            let statuses = ["HTTP 400", "HTTP 404", "HTTP 405", "HTTP 501"];
            return statuses.iter().any(|status| what.starts_with(status));
        }
        matches!(
            self.name(),
            Some("UnknownOperationException" | "InvalidAction")
        )
    }

    /// Whether the same request may succeed later; `is_harmless` says that it may be done twice.
    pub fn is_passing(&self, is_harmless: bool) -> bool {
        match self {
            Self::Refused { name, status, .. } => {
                BUSY.contains(&name.as_str()) || (*status >= 500 && is_harmless)
            }
            Self::Unreachable { unsent, .. } => *unsent || is_harmless,
            Self::Foreign { what, .. } => is_harmless && what.starts_with("HTTP 5"),
            Self::Endpoint { .. } => false,
        }
    }

    /// Whether the server may be away only for a while: one that is being started again.
    pub fn is_outage(&self) -> bool {
        match self {
            Self::Refused { name, status, .. } => *status >= 500 || name == "ThrottlingException",
            Self::Unreachable { .. } => true,
            Self::Foreign { what, .. } => what.starts_with("HTTP 5"),
            Self::Endpoint { .. } => false,
        }
    }

    fn exit(&self) -> Exit {
        let Self::Refused { name, status, .. } = self else {
            return match self {
                Self::Endpoint { .. } => Exit::Usage,
                _ => Exit::Unreachable,
            };
        };
        match name.as_str() {
            _ if self.is_not_found() => Exit::NotFound,
            "AccessDeniedException"
            | "AccessDenied"
            | "UnrecognizedClientException"
            | "InvalidClientTokenId"
            | "InvalidSignatureException"
            | "SignatureDoesNotMatch"
            | "IncompleteSignatureException"
            | "IncompleteSignature"
            | "MissingAuthenticationTokenException"
            | "MissingAuthenticationToken"
            | "ExpiredTokenException"
            | "ExpiredToken" => Exit::NotAuthorised,
            "InvalidStructureException"
            | "InvalidStageDeclarationException"
            | "InvalidActionDeclarationException"
            | "InvalidBlockerDeclarationException"
            | "MalformedPolicyDocumentException" => Exit::Invalid,
            _ if *status >= 500 => Exit::Internal,
            _ => Exit::Usage,
        }
    }

    /// What can be done about it, where there is something to say.
    fn help(&self) -> Option<String> {
        let help = match self {
            Self::Refused { message, .. } if message.contains("AssumeRole") => {
                "name a role that exists there and trusts the service: `roleArn`"
            }
            Self::Refused {
                name, operation, ..
            } => match name.as_str() {
                "PipelineNotFoundException" => "pipewright pipeline list",
                "PipelineNameInUseException" => {
                    "`pipewright pipeline apply` changes the one that is there"
                }
                "AccessDeniedException" | "AccessDenied" => {
                    "whoever manages the keys can allow it: pipewright key policy KEY FILE"
                }
                "UnrecognizedClientException" | "InvalidClientTokenId" => {
                    "check which key and endpoint are used: --profile and --endpoint-url"
                }
                "InvalidSignatureException" | "SignatureDoesNotMatch" => {
                    "check the secret access key and this machine's clock"
                }
                "ExpiredTokenException" | "ExpiredToken" => "get a new key",
                "UnknownOperationException" => {
                    return Some(format!(
                        "the endpoint does not offer {operation}; is it a newer Pipewright's?"
                    ));
                }
                "ThrottlingException" => "wait a little and try again",
                "ServiceUnavailableException" => "the server fails; its own output says why",
                "ConcurrentPipelineExecutionsLimitExceededException" => {
                    "wait until some have ended, or stop one: pipewright exec stop"
                }
                _ => return None,
            },
            Self::Unreachable { endpoint, .. } if is_loopback(endpoint) => {
                "start the server: pipewright serve"
            }
            Self::Unreachable { .. } => "check the endpoint, the region and the network",
            Self::Foreign { .. } => "check the endpoint: --endpoint-url URL",
            Self::Endpoint { .. } => "an endpoint is written like http://127.0.0.1:7780",
        };
        Some(help.to_owned())
    }
}

/// Whether the URL names this machine.
pub(super) fn is_loopback(endpoint: &str) -> bool {
    let host = endpoint
        .split_once("://")
        .map_or(endpoint, |(_, rest)| rest);
    ["127.", "localhost", "[::1]"]
        .iter()
        .any(|start| host.starts_with(start))
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        let message = match &error {
            ApiError::Refused {
                name,
                message,
                operation,
                ..
            } => {
                let said = if message.is_empty() {
                    format!("{operation} was refused")
                } else {
                    harmless(message)
                };
                let is_known = KNOWN.contains(&name.as_str());
                if is_known || name == "ValidationException" {
                    said
                } else {
                    format!("{said} ({})", harmless(name))
                }
            }
            ApiError::Unreachable { endpoint, why, .. } => {
                format!("nothing answers at {endpoint}: {why}")
            }
            ApiError::Foreign { endpoint, what } => {
                format!("what answers at {endpoint} does not speak the API: {what}")
            }
            ApiError::Endpoint { endpoint, why } => {
                format!("`{endpoint}` is no endpoint: {why}")
            }
        };
        let mut finding = Finding::error(message);
        finding.help = error.help();
        finding.exception = match error.name() {
            Some("ValidationException") => Some("ValidationException"),
            Some(name) => KNOWN.into_iter().find(|known| *known == name),
            None => None,
        };
        Failure::of(error.exit(), finding)
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::diagnostics;

    fn check(status: u16, body: &str, expected: &Expect) {
        let error = ApiError::of_answer("GetPipeline", "http://h", status, body.as_bytes());
        let failure = Failure::from(error);
        let text = diagnostics::text(&failure.findings[0], false, 100);
        expected.assert_eq(&format!("{} {text}", failure.exit.code()));
    }

    #[test]
    fn what_is_not_there_is_not_found() {
        check(
            400,
            r#"{"__type":"PipelineNotFoundException","message":"Account '0' does not have a pipeline with name 'x'"}"#,
            &expect![[r#"
                4 error: Account '0' does not have a pipeline with name 'x'   [PipelineNotFoundException]
                  help: pipewright pipeline list"#]],
        );
        check(
            400,
            r#"{"__type":"ns#StageNotFoundException:http://x","Message":"no"}"#,
            &expect!["4 error: no   [StageNotFoundException]"],
        );
    }

    #[test]
    fn who_may_not_is_not_authorised() {
        check(
            400,
            r#"{"__type":"AccessDeniedException","message":"User: u is not authorized"}"#,
            &expect![[r#"
                5 error: User: u is not authorized   [AccessDeniedException]
                  help: whoever manages the keys can allow it: pipewright key policy KEY FILE"#]],
        );
        check(
            400,
            r#"{"__type":"InvalidSignatureException","message":"Signature expired"}"#,
            &expect![[r#"
                5 error: Signature expired   [InvalidSignatureException]
                  help: check the secret access key and this machine's clock"#]],
        );
        for name in [
            "UnrecognizedClientException",
            "ExpiredTokenException",
            "MissingAuthenticationTokenException",
            "IncompleteSignatureException",
        ] {
            let body = format!(r#"{{"__type":"{name}"}}"#);
            let error = ApiError::of_answer("GetPipeline", "http://h", 400, body.as_bytes());
            assert_eq!(Failure::from(error).exit, Exit::NotAuthorised, "{name}");
        }
    }

    #[test]
    fn a_declaration_that_is_refused_is_invalid_and_other_requests_are_misuse() {
        check(
            400,
            r#"{"__type":"InvalidStructureException","message":"too few stages"}"#,
            &expect!["3 error: too few stages   [InvalidStructureException]"],
        );
        check(
            400,
            r#"{"__type":"ValidationException","message":"1 validation error detected"}"#,
            &expect!["2 error: 1 validation error detected   [ValidationException]"],
        );
        check(
            400,
            r#"{"__type":"TeapotException"}"#,
            &expect!["2 error: GetPipeline was refused (TeapotException)"],
        );
        check(
            400,
            r#"{"__type":"UnknownOperationException","message":"unknown"}"#,
            &expect![[r#"
                2 error: unknown   [UnknownOperationException]
                  help: the endpoint does not offer GetPipeline; is it a newer Pipewright's?"#]],
        );
    }

    #[test]
    fn a_server_that_fails_is_told_from_one_that_is_none() {
        check(
            500,
            r#"{"__type":"InternalFailure","message":"oops"}"#,
            &expect!["70 error: oops   [InternalFailure]"],
        );
        check(
            404,
            "<Error>\u{1b}[31mno</Error>",
            &expect![[r#"
                9 error: what answers at http://h does not speak the API: HTTP 404 <Error>no</Error>
                  help: check the endpoint: --endpoint-url URL"#]],
        );
    }

    #[test]
    fn a_web_page_is_not_shown_as_text() {
        check(
            500,
            "\n<!DOCTYPE html><html lang=en>Internal Server Error",
            &expect![[r#"
                9 error: what answers at http://h does not speak the API: HTTP 500
                  help: check the endpoint: --endpoint-url URL"#]],
        );
        check(
            400,
            r#"{"__type":"InvalidStructureException","message":"not authorized to perform AssumeRole on role r"}"#,
            &expect![[r#"
                3 error: not authorized to perform AssumeRole on role r   [InvalidStructureException]
                  help: name a role that exists there and trusts the service: `roleArn`"#]],
        );
    }

    #[test]
    fn a_server_that_fails_was_reached() {
        check(
            503,
            r#"{"__type":"ServiceUnavailableException","message":"the audit trail cannot be written"}"#,
            &expect![[r#"
                70 error: the audit trail cannot be written   [ServiceUnavailableException]
                  help: the server fails; its own output says why"#]],
        );
    }

    #[test]
    fn nobody_at_home_says_how_to_start_a_server() {
        for (endpoint, help) in [
            (
                "http://127.0.0.1:7780",
                "start the server: pipewright serve",
            ),
            ("http://localhost", "start the server: pipewright serve"),
            (
                "https://codepipeline.x.amazonaws.com",
                "check the endpoint, the region and the network",
            ),
        ] {
            let error = ApiError::Unreachable {
                endpoint: endpoint.into(),
                why: "connection refused".into(),
                unsent: true,
            };
            assert!(error.is_passing(false) && error.is_outage());
            let failure = Failure::from(error);
            assert_eq!(failure.exit, Exit::Unreachable);
            assert_eq!(failure.findings[0].help.as_deref(), Some(help));
        }
    }

    #[test]
    fn what_may_be_tried_again_depends_on_what_it_does() {
        let of = |status, name: &str| {
            let body = format!(r#"{{"__type":"{name}"}}"#);
            ApiError::of_answer("GetPipeline", "http://h", status, body.as_bytes())
        };
        assert!(of(400, "ThrottlingException").is_passing(false));
        assert!(of(500, "InternalFailure").is_passing(true));
        assert!(!of(500, "InternalFailure").is_passing(false));
        assert!(!of(503, "ServiceUnavailableException").is_passing(false));
        assert!(!of(400, "ValidationException").is_passing(true));
        assert!(of(500, "InternalFailure").is_outage());
        assert!(of(400, "UnknownOperationException").is_unknown_operation());
        assert!(!of(400, "ValidationException").is_unknown_operation());
        let other = ApiError::of_answer("GetActionLog", "http://h", 404, b"<Error/>");
        assert!(other.is_unknown_operation());
        let proxy = ApiError::of_answer("GetPipeline", "http://h", 502, b"bad gateway");
        assert!(!proxy.is_unknown_operation());
        assert!(proxy.is_passing(true) && !proxy.is_passing(false) && proxy.is_outage());
    }
}
