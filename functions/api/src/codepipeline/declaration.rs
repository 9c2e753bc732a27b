//! The `pipeline` member of a request.

use model::{
    PipelineDeclaration,
    declaration::{
        node::{DOCUMENT_BYTES_MAX, Value as Tree},
        read::{Format, read_member, tree},
    },
};

use crate::error::ApiError;

/// Reads the declaration in a body that was found to be JSON and to have one.
pub(super) fn declaration(body: &str) -> Result<PipelineDeclaration, ApiError> {
    // It is JSON, and longer than any declaration may be: what is wrong with it is its size.
    if body.len() > DOCUMENT_BYTES_MAX {
        let bytes = body.len();
        let message = format!(
            "The request has {bytes} bytes, and a pipeline has {DOCUMENT_BYTES_MAX} at the very \
             most (move long values into files of the source)"
        );
        return Err(ApiError::new("InvalidStructureException", message));
    }
    let refused = |problems: Vec<_>| ApiError::of_problems(&problems);
    let root = tree(body, Format::Json).map_err(refused)?;
    let Tree::Map(entries) = root.value else {
        return Err(ApiError::serialization("the body is not an object"));
    };
    let member = entries.into_iter().find(|entry| entry.key == "pipeline");
    let node = member.map(|entry| entry.node);
    let node = node.ok_or_else(|| ApiError::serialization("the body has no pipeline"))?;
    read_member(&node).map_err(refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_is_too_long_is_no_matter_of_its_syntax() {
        let long = format!(r#"{{"pipeline": "{}"}}"#, "a".repeat(DOCUMENT_BYTES_MAX));
        let refused = declaration(&long).expect_err("it is too long");
        assert_eq!(refused.exception, "InvalidStructureException");
        assert!(refused.message.contains("bytes"), "{}", refused.message);
        let refused = declaration("{}").expect_err("there is none");
        assert_eq!(refused.exception, "SerializationException");
    }
}
