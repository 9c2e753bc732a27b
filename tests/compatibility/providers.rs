//! The action types that CodePipeline publishes, and which of them run here.

use model::declaration::{
    ActionTypeId,
    catalogue::{ACTION_TYPES, ActionType, Count, VERSION},
};
use providers::Catalogue;

use crate::table;

pub(crate) fn section() -> String {
    let catalogue = Catalogue::standard();
    let runs = |known: &&ActionType| {
        let id = ActionTypeId {
            category: known.category,
            owner: known.owner,
            provider: known.provider.to_owned(),
            version: VERSION.to_owned(),
        };
        catalogue.find(&id).is_ok()
    };
    let row = |known: &ActionType| {
        vec![
            format!("{:?}", known.category),
            format!("`{}`", known.provider),
            count(known.inputs),
            count(known.outputs),
            if known.v2_only { "V2" } else { "V1, V2" }.to_owned(),
            keys(known),
        ]
    };
    let (running, refused): (Vec<_>, Vec<_>) = ACTION_TYPES.iter().partition(runs);
    let rows: Vec<_> = running.into_iter().map(row).collect();
    let head = [
        "category",
        "provider",
        "inputs",
        "outputs",
        "pipelines",
        "configuration",
    ];
    let table = table(&head, &rows);
    let mut others: Vec<String> = refused
        .iter()
        .map(|known| format!("{:?} `{}`", known.category, known.provider))
        .collect();
    others.sort();
    format!(
        "## Actions\n\n{table}\nRequired keys are bold. A declaration may name the other {} published \
         action types; such an action fails when it begins, with `ConfigurationError`: {}.\n",
        others.len(),
        others.join(", ")
    )
}

fn count(count: Count) -> String {
    if count.min == count.max {
        count.min.to_string()
    } else {
        format!("{}–{}", count.min, count.max)
    }
}

fn keys(known: &ActionType) -> String {
    let required = known.required.iter().map(|key| format!("**`{key}`**"));
    let optional = known.optional.iter().map(|key| format!("`{key}`"));
    required.chain(optional).collect::<Vec<_>>().join(", ")
}
