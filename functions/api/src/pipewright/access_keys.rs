//! Access keys: given out, listed, changed and taken back by whoever may.

use std::{collections::BTreeMap, time::Duration};

use access::Caller;
use keyring::{Issue, Issued, KeyInfo, KeyringError};
use operations::allow;
use serde_json::{Value, json};

use super::Pipewright;
use crate::{
    encode,
    error::ApiError,
    service::Call,
    shape::{self, Kind, Member},
};

/// How many keys one page has.
const PAGE: usize = 100;

const KEY: Member = shape::required("accessKeyId", shape::text(1, 128));
const FORCE: Member = shape::optional("force", Kind::Flag);
static POLICY: Kind = shape::text(1, 64 * 1024);
const POLICIES: Kind = Kind::List(0, 10, &POLICY);

pub(super) async fn create(service: &Pipewright, call: Call<'_>) -> Result<Value, ApiError> {
    static SHAPE: &[Member] = &[
        shape::required("userName", shape::text(1, 64)),
        shape::required("policies", POLICIES),
        shape::optional("description", shape::text(0, 1000)),
        shape::optional("durationSeconds", Kind::Integer(1, 129_600)),
    ];
    shape::check(&call.input, SHAPE)?;
    may(service, &call.caller, "CreateAccessKey")?;
    let user = call.input["userName"].as_str().unwrap_or_default();
    let issue = Issue {
        user: user.to_owned(),
        policies: policies(&call.input),
        description: call.input["description"].as_str().map(str::to_owned),
        lifetime: call.input["durationSeconds"]
            .as_u64()
            .map(Duration::from_secs),
    };
    let issued = service.keyring.issue(issue).await;
    answer(service, issued.map_err(|error| refused(&error))?).await
}

pub(super) async fn list(service: &Pipewright, call: Call<'_>) -> Result<Value, ApiError> {
    static SHAPE: &[Member] = &[shape::optional("nextToken", shape::text(1, 128))];
    shape::check(&call.input, SHAPE)?;
    may(service, &call.caller, "ListAccessKeys")?;
    let after = call.input["nextToken"].as_str().unwrap_or_default();
    let found = service.keyring.list(after, PAGE).await;
    let found = found.map_err(|error| refused(&error))?;
    let next = found.get(PAGE - 1).map(|last| last.id.clone());
    let keys: Value = found.iter().map(shown).collect();
    Ok(encode::object([
        ("accessKeys", keys),
        ("nextToken", json!(next)),
    ]))
}

pub(super) async fn update(service: &Pipewright, call: Call<'_>) -> Result<Value, ApiError> {
    static SHAPE: &[Member] = &[
        KEY,
        shape::required("status", Kind::OneOf(&["Active", "Inactive"])),
        FORCE,
    ];
    shape::check(&call.input, SHAPE)?;
    may(service, &call.caller, "UpdateAccessKey")?;
    let changed = if call.input["status"] == "Active" {
        service.keyring.enable(id(&call.input)).await
    } else {
        service
            .keyring
            .disable(id(&call.input), force(&call.input))
            .await
    };
    changed.map_err(|error| refused(&error))?;
    Ok(json!({}))
}

pub(super) async fn rotate(service: &Pipewright, call: Call<'_>) -> Result<Value, ApiError> {
    static SHAPE: &[Member] = &[
        KEY,
        shape::optional("graceSeconds", Kind::Integer(0, 2_592_000)),
    ];
    shape::check(&call.input, SHAPE)?;
    may(service, &call.caller, "RotateAccessKey")?;
    let grace = call.input["graceSeconds"].as_u64().map(Duration::from_secs);
    let issued = service.keyring.rotate(id(&call.input), grace).await;
    answer(service, issued.map_err(|error| refused(&error))?).await
}

pub(super) async fn delete(service: &Pipewright, call: Call<'_>) -> Result<Value, ApiError> {
    static SHAPE: &[Member] = &[KEY, FORCE];
    shape::check(&call.input, SHAPE)?;
    may(service, &call.caller, "DeleteAccessKey")?;
    let deleted = service
        .keyring
        .delete(id(&call.input), force(&call.input))
        .await;
    deleted.map_err(|error| refused(&error))?;
    Ok(json!({}))
}

pub(super) async fn put_policies(service: &Pipewright, call: Call<'_>) -> Result<Value, ApiError> {
    static SHAPE: &[Member] = &[KEY, shape::required("policies", POLICIES), FORCE];
    shape::check(&call.input, SHAPE)?;
    may(service, &call.caller, "PutAccessKeyPolicies")?;
    let (id, force) = (id(&call.input), force(&call.input));
    let put = service
        .keyring
        .set_policies(id, policies(&call.input), force)
        .await;
    put.map_err(|error| refused(&error))?;
    Ok(json!({}))
}

fn may(service: &Pipewright, caller: &Caller, operation: &str) -> Result<(), ApiError> {
    let action = format!("pipewright:{operation}");
    allow(caller, &action, "*", &BTreeMap::new()).map_err(|error| service.error(&error))
}

fn id(input: &Value) -> &str {
    input["accessKeyId"].as_str().unwrap_or_default()
}

fn force(input: &Value) -> bool {
    input["force"].as_bool().unwrap_or(false)
}

fn policies(input: &Value) -> Vec<String> {
    let listed = input["policies"].as_array().cloned().unwrap_or_default();
    let texts = listed
        .iter()
        .filter_map(|policy| policy.as_str().map(str::to_owned));
    texts.collect()
}

/// A key that was given out: the one time that its secret is told.
async fn answer(service: &Pipewright, issued: Issued) -> Result<Value, ApiError> {
    let info = service.keyring.get(&issued.id).await;
    let mut key = shown(&info.map_err(|error| refused(&error))?);
    key["secretAccessKey"] = json!(issued.secret.reveal());
    if let Some((token, _)) = &issued.session {
        key["sessionToken"] = json!(token.reveal());
    }
    Ok(json!({"accessKey": key}))
}

fn shown(key: &KeyInfo) -> Value {
    let status = if key.is_enabled { "Active" } else { "Inactive" };
    encode::object([
        ("accessKeyId", json!(key.id)),
        ("userName", json!(key.user)),
        ("status", json!(status)),
        ("createDate", encode::time(key.created)),
        ("policies", json!(key.policies)),
        ("description", json!(key.description)),
        (
            "disabledAt",
            key.disabled_at.map_or(Value::Null, encode::time),
        ),
        ("lastUsed", key.last_used.map_or(Value::Null, encode::time)),
        ("expiration", key.expires.map_or(Value::Null, encode::time)),
    ])
}

fn refused(error: &KeyringError) -> ApiError {
    let exception = match error {
        KeyringError::NotFound(_) => "NoSuchEntityException",
        KeyringError::User(_)
        | KeyringError::Description(_)
        | KeyringError::TooManyPolicies(_)
        | KeyringError::Lifetime => "ValidationException",
        KeyringError::Policies(_) => "MalformedPolicyDocumentException",
        KeyringError::LastFullRights(_)
        | KeyringError::NotEnabled(_)
        | KeyringError::Temporary(_) => "ConflictException",
        KeyringError::Sealed(_) => "UnreadableKeyException",
        KeyringError::NoFreeId | KeyringError::Store(_) => {
            return ApiError::unavailable(
                "access keys cannot be read or written now; nothing was changed, try again",
            );
        }
    };
    ApiError::new(exception, error.to_string())
}
