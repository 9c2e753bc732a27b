//! `ListActionTypes` (spec 10).

use std::collections::BTreeMap;

use access::Caller;
use model::declaration::{
    ActionOwner,
    catalogue::{ACTION_TYPES, ActionType},
};
use ports::World;

use crate::{OperationError, Page, Resource, authorise};

/// How many action types are on one page (spec 10 §5, our choice).
const PAGE: usize = 100;

#[derive(Clone, Debug)]
pub struct ListActionTypes {
    pub owner: Option<ActionOwner>,
    /// How many of them were on the pages before.
    pub skip: usize,
    pub by: Caller,
}

/// The action types that a declaration may name.
pub async fn list_action_types(
    world: &World,
    request: ListActionTypes,
) -> Result<Page<&'static ActionType, usize>, OperationError> {
    let none = BTreeMap::new();
    authorise(world, &request.by, "ListActionTypes", Resource::None, &none).await?;
    let owner = request.owner;
    let selected = ACTION_TYPES
        .iter()
        .filter(|known| owner.is_none_or(|owner| known.owner == owner));
    let items: Vec<_> = selected.clone().skip(request.skip).take(PAGE).collect();
    let seen = request.skip + items.len();
    let next = (selected.count() > seen).then_some(seen);
    Ok(Page { items, next })
}
