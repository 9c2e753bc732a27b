//! What a source action watches, and how it wants to learn of changes.

use std::{collections::BTreeSet, fmt};

use crate::{
    ActionDeclaration, PipelineDeclaration,
    declaration::{ActionCategory, ActionOwner},
    state::{RevisionType, SourceRevisionOverride},
};

/// The place that a source action takes its revision from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watched<'a> {
    Object {
        bucket: &'a str,
        key: &'a str,
    },
    Branch {
        repository: &'a str,
        branch: &'a str,
    },
}

/// A source action with what it watches.
pub struct Watcher<'a> {
    pub action: &'a ActionDeclaration,
    pub watched: Watched<'a>,
    /// It is looked at; otherwise events tell of it (spec 90 §7, §9).
    pub polls: bool,
}

/// The source actions that watch a place that is known here; they are in the first stage.
pub fn watchers(definition: &PipelineDeclaration) -> impl Iterator<Item = Watcher<'_>> {
    let first = definition.stages.first().into_iter();
    first.flat_map(|stage| &stage.actions).filter_map(watcher)
}

fn watcher(action: &ActionDeclaration) -> Option<Watcher<'_>> {
    let id = &action.action_type_id;
    if (id.category, id.owner) != (ActionCategory::Source, ActionOwner::Aws) {
        return None;
    }
    let of = |key: &str| action.configuration.get(key).map(String::as_str);
    let watched = match id.provider.as_str() {
        "S3" => Watched::Object {
            bucket: of("S3Bucket")?,
            key: of("S3ObjectKey")?,
        },
        "CodeCommit" => Watched::Branch {
            repository: of("RepositoryName")?,
            branch: of("BranchName")?,
        },
        _ => return None,
    };
    // An action that says nothing polls (spec 90 §7).
    let says_no = |value: &str| value.eq_ignore_ascii_case("false");
    Some(Watcher {
        action,
        watched,
        polls: !of("PollForSourceChanges").is_some_and(says_no),
    })
}

/// What a pipeline with a source that is looked at is found by, among the places of [`places`].
pub const POLLS: &str = "poll";

/// Everything that a store finds a pipeline by which watches something: each place that an event can
/// tell of, and [`POLLS`] when a source of it is looked at.
pub fn places(definition: &PipelineDeclaration) -> BTreeSet<String> {
    let place = |watcher: Watcher<'_>| {
        if watcher.polls {
            POLLS.to_owned()
        } else {
            watcher.watched.to_string()
        }
    };
    watchers(definition).map(place).collect()
}

impl fmt::Display for Watched<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Object { bucket, key } => write!(f, "s3://{bucket}/{key}"),
            Self::Branch { repository, branch } => write!(f, "codecommit://{repository}/{branch}"),
        }
    }
}

impl Watcher<'_> {
    /// The order to build exactly that revision.
    pub fn pinned(&self, revision: &str) -> SourceRevisionOverride {
        SourceRevisionOverride {
            action_name: self.action.name.clone(),
            revision_type: match self.watched {
                Watched::Object { .. } => RevisionType::S3ObjectVersionId,
                Watched::Branch { .. } => RevisionType::CommitId,
            },
            revision_value: revision.to_owned(),
        }
    }
}
