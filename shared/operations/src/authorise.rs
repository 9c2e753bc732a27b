//! The first thing that every operation does: may the caller do this?

use std::{collections::BTreeMap, sync::Arc};

use access::{Caller, policy::Decision};
use ports::{Account, World};

use crate::OperationError;

/// What an operation touches, for policies (spec 10 §4).
#[derive(Clone, Copy, Debug)]
pub(crate) enum Resource<'a> {
    Pipeline(&'a str),
    Stage(&'a str, &'a str),
    Action(&'a str, &'a str, &'a str),
    /// An ARN that the caller gave.
    Arn(&'a str),
    /// The operation has none.
    None,
}

impl Resource<'_> {
    fn arn(self, account: &Account) -> String {
        let Account { id, region } = account;
        let arn = |tail: String| format!("arn:aws:codepipeline:{region}:{id}:{tail}");
        match self {
            Self::Pipeline(pipeline) => arn(pipeline.to_owned()),
            Self::Stage(pipeline, stage) => arn(format!("{pipeline}/{stage}")),
            Self::Action(pipeline, stage, action) => arn(format!("{pipeline}/{stage}/{action}")),
            Self::Arn(arn) => arn.to_owned(),
            Self::None => "*".to_owned(),
        }
    }

    fn pipeline(&self) -> Option<&str> {
        match self {
            Self::Pipeline(pipeline) | Self::Stage(pipeline, _) | Self::Action(pipeline, _, _) => {
                Some(pipeline)
            }
            Self::Arn(arn) => arn.rsplit(':').next(),
            Self::None => None,
        }
    }
}

/// The ARN of a pipeline.
pub fn pipeline_arn(account: &Account, pipeline: &str) -> String {
    Resource::Pipeline(pipeline).arn(account)
}

/// Lets the caller pass, or says why not. Policies may ask for the tags of the pipeline
/// (`aws:ResourceTag/…`), and for those in the request (`aws:RequestTag/…`, `aws:TagKeys`).
pub(crate) async fn authorise(
    world: &World,
    caller: &Caller,
    operation: &str,
    resource: Resource<'_>,
    request_tags: &BTreeMap<String, String>,
) -> Result<(), OperationError> {
    // Whoever may do everything is asked nothing.
    let Some(_) = caller.access_key() else {
        return Ok(());
    };
    let mut context: BTreeMap<String, Vec<String>> = BTreeMap::new();
    if let Some(pipeline) = resource.pipeline() {
        let seen = world.pipelines.glance(pipeline).await?;
        let tags = seen.map_or_else(Arc::default, |seen| seen.tags);
        for (key, value) in tags.iter() {
            // Keys that differ in case alone are one condition key with both values.
            let key = format!("aws:resourcetag/{}", key.to_lowercase());
            context.entry(key).or_default().push(value.clone());
        }
    }
    for (key, value) in request_tags {
        let name = format!("aws:requesttag/{}", key.to_lowercase());
        context.entry(name).or_default().push(value.clone());
    }
    if !request_tags.is_empty() {
        let keys = request_tags.keys().cloned().collect();
        context.insert("aws:tagkeys".to_owned(), keys);
    }
    allow(
        caller,
        &format!("codepipeline:{operation}"),
        &resource.arn(&world.account),
        &context,
    )
}

/// Lets the caller pass where there is no pipeline to look at.
pub fn allow(
    caller: &Caller,
    action: &str,
    resource: &str,
    context: &BTreeMap<String, Vec<String>>,
) -> Result<(), OperationError> {
    let because = match caller.decide(action, resource, context) {
        Decision::Allowed => return Ok(()),
        Decision::NotAllowed => format!("because no policy of the key allows {action}"),
        Decision::Denied(None) => "with an explicit deny in a policy of the key".to_owned(),
        Decision::Denied(Some(sid)) => {
            format!("with an explicit deny in the statement `{sid}` of a policy of the key")
        }
    };
    Err(OperationError::Denied(format!(
        "User: {} is not authorized to perform: {action} on resource: {resource} {because}",
        caller.arn()
    )))
}
