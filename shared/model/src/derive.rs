//! Ids and tokens that follow from what they name, so that a replay gives the same ones.

use uuid::{Builder, Uuid};

use crate::ExecutionId;

/// The id of one attempt of an action.
pub fn action_execution_id(
    execution: ExecutionId,
    stage: &str,
    action: &str,
    attempt: u32,
) -> Uuid {
    derive(execution.0, &["action", stage, action], attempt)
}

/// What a worker must show with the result of an attempt; also the token of an approval.
///
/// It follows from the execution's secret, so knowing the ids is not enough to compute it.
pub fn attempt_token(secret: Uuid, stage: &str, action: &str, attempt: u32) -> Uuid {
    derive(secret, &["token", stage, action], attempt)
}

/// The id of an execution's n-th announced change.
pub fn change_id(execution: ExecutionId, sequence: u32) -> Uuid {
    derive(execution.0, &["change"], sequence)
}

/// Where an attempt stores an output artifact:
/// `<pipeline, 20 characters>/<artifact, 10 characters>/<7 characters>` (spec 20 §6).
pub fn artifact_key(
    pipeline: &str,
    execution: ExecutionId,
    stage: &str,
    action: &str,
    attempt: u32,
    artifact: &str,
) -> String {
    let id = derive(execution.0, &["artifact", stage, action, artifact], attempt);
    let suffix: String = id
        .as_bytes()
        .iter()
        .take(SUFFIX)
        .map(|byte| alphanumeric(*byte))
        .collect();
    format!(
        "{}/{}/{suffix}",
        cut(pipeline, PIPELINE_CUT),
        cut(artifact, ARTIFACT_CUT)
    )
}

const PIPELINE_CUT: usize = 20;
const ARTIFACT_CUT: usize = 10;
const SUFFIX: usize = 7;

fn cut(text: &str, characters: usize) -> &str {
    text.char_indices()
        .nth(characters)
        .map_or(text, |(at, _)| &text[..at])
}

fn alphanumeric(byte: u8) -> char {
    const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    char::from(ALPHABET[usize::from(byte) % ALPHABET.len()])
}

/// Hashes the parts (separated, so that no two lists read alike) into a UUID of version 4's form.
fn derive(namespace: Uuid, parts: &[&str], number: u32) -> Uuid {
    let mut name = parts.join("\n");
    name.push('\n');
    name.push_str(&number.to_string());
    let hashed = Uuid::new_v5(&namespace, name.as_bytes());
    // Clients check for version 4 (spec 10 §1), so the derived bytes take its form.
    Builder::from_random_bytes(*hashed.as_bytes()).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_attempt_has_the_same_id_and_another_one_has_not() {
        let execution = ExecutionId(Uuid::from_u128(7));
        let id = action_execution_id(execution, "Build", "compile", 1);
        assert_eq!(id, action_execution_id(execution, "Build", "compile", 1));
        assert_ne!(id, action_execution_id(execution, "Build", "compile", 2));
        assert_ne!(id, action_execution_id(execution, "Build\ncompile", "", 1));
        assert_eq!(id.get_version_num(), 4);
    }

    #[test]
    fn an_artifact_key_has_codepipelines_form() {
        let execution = ExecutionId(Uuid::from_u128(7));
        let key = artifact_key(
            "a-pipeline-with-a-long-name",
            execution,
            "S",
            "A",
            1,
            "SourceArtifact",
        );
        let parts: Vec<_> = key.split('/').collect();
        assert_eq!(parts[..2], ["a-pipeline-with-a-lo", "SourceArti"]);
        assert!(parts[2].len() == 7 && parts[2].chars().all(|c| c.is_ascii_alphanumeric()));
    }
}
