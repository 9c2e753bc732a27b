//! The `pipeline` member of a request.

use model::{
    PipelineDeclaration,
    declaration::{
        node::Value as Tree,
        read::{Format, read_member, tree},
    },
};

use crate::error::ApiError;

/// Reads the declaration in a body that was found to be JSON and to have one.
pub(super) fn declaration(body: &str) -> Result<PipelineDeclaration, ApiError> {
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
