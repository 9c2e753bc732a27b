//! Inputs on their way in.

use std::{fs::File, io::Read, path::Path, thread, time::Duration};

use model::build::{AgentInput, BuildStatus, Envelope, Failure, RemoteInput};
use serde::Deserialize;

use super::{
    broken,
    stop::Stop,
    transfer::{self, TransferError},
};

/// How often an object is fetched that does not come.
const TRIES_MAX: u32 = 4;

const PAUSE: Duration = Duration::from_millis(500);

/// The largest artifact that may be a reference to a commit instead of the files themselves.
const REFERENCE_BYTES: u64 = 64 << 10;

/// What a `CODEBUILD_CLONE_REF` artifact holds (spec 60 §1.2).
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CloneReference {
    #[serde(rename = "repositoryUrl")]
    _repository_url: String,
    #[serde(rename = "commitId")]
    _commit_id: String,
}

/// Puts all inputs where the envelope says.
pub(super) fn fetch(
    inputs: &[AgentInput],
    envelope: &Envelope,
    stop: &Stop,
) -> Result<(), Failure> {
    for (input, wanted) in inputs.iter().zip(&envelope.inputs) {
        let unreadable = |status, why: &str| {
            let name = &wanted.name;
            let message = format!("the input artifact `{name}` cannot be read: {why}");
            Failure::source(status, message)
        };
        let input = match input {
            AgentInput::Get(input) => input,
            AgentInput::Unreadable(why) => return Err(unreadable(BuildStatus::Failed, why)),
        };
        match get(input, &wanted.path, stop) {
            Ok(()) => {}
            Err(TransferError::Stopped) => return Err(Failure::stopped()),
            Err(error @ TransferError::Refused(_)) => {
                return Err(unreadable(BuildStatus::Failed, &error.to_string()));
            }
            Err(error @ TransferError::Broken(_)) => {
                return Err(unreadable(BuildStatus::Fault, &error.to_string()));
            }
            Err(error @ TransferError::File(_)) => {
                return Err(broken(&format!("keep `{}`", wanted.name), &error));
            }
        }
        if is_reference(&wanted.path) {
            let why = "it refers to a commit instead of holding the files, and a container has no \
                       access to repositories: let the source action put out CODE_ZIP";
            return Err(unreadable(BuildStatus::Failed, why));
        }
    }
    Ok(())
}

fn get(input: &RemoteInput, to: &Path, stop: &Stop) -> Result<(), TransferError> {
    let mut pause = PAUSE;
    for _ in 1..TRIES_MAX {
        match transfer::get(input, to, stop) {
            Err(TransferError::Broken(_)) => {
                thread::sleep(pause);
                pause *= 2;
            }
            got => return got,
        }
    }
    transfer::get(input, to, stop)
}

fn is_reference(path: &Path) -> bool {
    let Ok(file) = File::open(path) else {
        return false;
    };
    if file.metadata().is_ok_and(|it| it.len() > REFERENCE_BYTES) {
        return false;
    }
    let mut text = Vec::new();
    let read = file.take(REFERENCE_BYTES).read_to_end(&mut text);
    read.is_ok() && serde_json::from_slice::<CloneReference>(&text).is_ok()
}
