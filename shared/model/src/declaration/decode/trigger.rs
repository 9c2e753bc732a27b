//! Readers of triggers and their filters (spec 20 §8).

use super::{
    super::{
        FilterCriteria, GitConfiguration, GitPullRequestFilter, GitPushFilter,
        PipelineTriggerDeclaration, PullRequestEvent, node::Node, path::Path,
    },
    Decoder,
};

const EVENTS: &[(&str, PullRequestEvent)] = &[
    ("OPEN", PullRequestEvent::Open),
    ("UPDATED", PullRequestEvent::Updated),
    ("CLOSED", PullRequestEvent::Closed),
];

pub(super) fn trigger(
    d: &mut Decoder,
    node: &Node,
    path: &Path,
) -> Option<PipelineTriggerDeclaration> {
    d.object(node, path, |f| PipelineTriggerDeclaration {
        provider_type: f.text("providerType"),
        git_configuration: f.required("gitConfiguration", git).unwrap_or_else(|| {
            GitConfiguration {
                source_action_name: String::new(),
                push: vec![],
                pull_request: vec![],
            }
        }),
    })
}

fn git(d: &mut Decoder, node: &Node, path: &Path) -> Option<GitConfiguration> {
    d.object(node, path, |f| GitConfiguration {
        source_action_name: f.text("sourceActionName"),
        push: f.some("push", |d, node, path| {
            d.object(node, path, |f| GitPushFilter {
                tags: f.optional("tags", criteria),
                branches: f.optional("branches", criteria),
                file_paths: f.optional("filePaths", criteria),
            })
        }),
        pull_request: f.some("pullRequest", |d, node, path| {
            d.object(node, path, |f| GitPullRequestFilter {
                events: f.some("events", |d, node, path| d.choice(node, path, EVENTS)),
                branches: f.optional("branches", criteria),
                file_paths: f.optional("filePaths", criteria),
            })
        }),
    })
}

fn criteria(d: &mut Decoder, node: &Node, path: &Path) -> Option<FilterCriteria> {
    d.object(node, path, |f| FilterCriteria {
        includes: f.some("includes", Decoder::text),
        excludes: f.some("excludes", Decoder::text),
    })
}
