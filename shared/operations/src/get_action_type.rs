//! `GetActionType` (spec 10).

use std::collections::BTreeMap;

use access::Caller;
use model::{
    Rejection,
    declaration::{
        ActionOwner, ActionTypeId,
        catalogue::{self, ActionType},
    },
};
use ports::World;

use crate::{OperationError, Resource, authorise};

#[derive(Clone, Debug)]
pub struct GetActionType {
    pub id: ActionTypeId,
    pub by: Caller,
}

/// One action type.
pub async fn get_action_type(
    world: &World,
    request: GetActionType,
) -> Result<&'static ActionType, OperationError> {
    let id = &request.id;
    let owner = match id.owner {
        ActionOwner::Aws => "AWS",
        ActionOwner::ThirdParty => "ThirdParty",
        ActionOwner::Custom => "Custom",
    };
    let name = format!("{owner}/{:?}/{}/{}", id.category, id.provider, id.version);
    let arn = format!(
        "arn:aws:codepipeline:{}:{}:actiontype:{name}",
        world.account.region, world.account.id
    );
    let (resource, none) = (Resource::Arn(&arn), BTreeMap::new());
    authorise(world, &request.by, "GetActionType", resource, &none).await?;
    Ok(catalogue::find(id).ok_or(Rejection::ActionTypeNotFound(name))?)
}
