//! Rules of triggers (37–39, 48).

use std::collections::BTreeSet;

use super::{
    super::{
        ActionCategory, FilterCriteria, GitPullRequestFilter, GitPushFilter, PipelineDeclaration,
        path::Path,
        problem::{Problem, nearest},
    },
    places, structure,
};

const CONNECTION: &str = "CodeStarSourceConnection";
/// The largest `triggers`, serialised (spec 20 §8).
const TRIGGERS_BYTES_MAX: usize = 200 * 1024;
const COMBINATION: &str = "The trigger configuration for the source action is not valid. Make \
                           sure to choose valid filter combinations.";

pub(super) fn check(declaration: &PipelineDeclaration, problems: &mut Vec<Problem>) {
    let triggers = Path::pipeline().field("triggers");
    // Serialising cannot fail: the keys of all maps are strings.
    let bytes = serde_json::to_vec(&declaration.triggers).map_or(0, |text| text.len());
    if bytes > TRIGGERS_BYTES_MAX {
        let message = format!(
            "The triggers have {bytes} bytes as JSON, which is more than {TRIGGERS_BYTES_MAX}"
        );
        problems.push(structure(48, triggers.clone(), message).with_help("use fewer patterns"));
    }
    let sources: BTreeSet<&str> = places::actions(declaration)
        .filter(|at| {
            let id = &at.action.action_type_id;
            id.category == ActionCategory::Source && id.provider == CONNECTION
        })
        .map(|at| at.action.name.as_str())
        .collect();
    let mut seen = BTreeSet::new();
    for (place, trigger) in declaration.triggers.iter().enumerate() {
        let git = &trigger.git_configuration;
        let path = triggers.index(place).field("gitConfiguration");
        let source = git.source_action_name.as_str();
        let named = path.field("sourceActionName");
        if !sources.contains(source) {
            let message =
                "Triggers for connections must reference a CodeStarSourceConnection action.";
            let help = match nearest(source, sources.iter().copied()) {
                Some(name) => format!("did you mean `{name}`?"),
                None => "name a source action whose provider is CodeStarSourceConnection".into(),
            };
            problems.push(structure(37, named.clone(), message).with_help(help));
        }
        if !seen.insert(source) {
            let message = format!("Source action '{source}' has more than one trigger");
            let help = "put all filters into one `gitConfiguration`";
            problems.push(structure(38, named, message).with_help(help));
        }
        push(&git.push, &path.field("push"), problems);
        pull_request(&git.pull_request, &path.field("pullRequest"), problems);
    }
}

fn is_there(criteria: Option<&FilterCriteria>) -> bool {
    criteria.is_some_and(|c| !c.includes.is_empty() || !c.excludes.is_empty())
}

fn push(filters: &[GitPushFilter], path: &Path, problems: &mut Vec<Problem>) {
    for (place, filter) in filters.iter().enumerate() {
        let path = path.index(place);
        let tags = is_there(filter.tags.as_ref());
        let branches = is_there(filter.branches.as_ref());
        let files = is_there(filter.file_paths.as_ref());
        if !matches!(
            (tags, branches, files),
            (true, false, false) | (false, true, _)
        ) {
            let help = "a push filter is `tags`, or `branches`, or `branches` and `filePaths`; \
                        write two filters for tags and branches";
            problems.push(structure(39, path.clone(), COMBINATION).with_help(help));
        }
        let same = |other: &GitPushFilter| sorted_push(other) == sorted_push(filter);
        if filters[..place].iter().any(same) {
            problems.push(twice(path));
        }
    }
}

fn pull_request(filters: &[GitPullRequestFilter], path: &Path, problems: &mut Vec<Problem>) {
    for (place, filter) in filters.iter().enumerate() {
        let path = path.index(place);
        let branches = is_there(filter.branches.as_ref());
        let files = is_there(filter.file_paths.as_ref());
        let only_events = !filter.events.is_empty() && !files;
        if !branches && !only_events {
            let help = "a pull-request filter is `events`, or `branches`, or `branches` and \
                        `filePaths`";
            problems.push(structure(39, path.clone(), COMBINATION).with_help(help));
        }
        let same = |other: &GitPullRequestFilter| sorted_request(other) == sorted_request(filter);
        if filters[..place].iter().any(same) {
            problems.push(twice(path));
        }
    }
}

fn twice(path: Path) -> Problem {
    let message = "Two filters of the trigger are equal";
    structure(48, path, message).with_help("remove one of them")
}

fn sorted(criteria: Option<&FilterCriteria>) -> Option<FilterCriteria> {
    let mut criteria = criteria
        .filter(|criteria| is_there(Some(criteria)))?
        .clone();
    criteria.includes.sort();
    criteria.excludes.sort();
    Some(criteria)
}

fn sorted_push(filter: &GitPushFilter) -> GitPushFilter {
    GitPushFilter {
        tags: sorted(filter.tags.as_ref()),
        branches: sorted(filter.branches.as_ref()),
        file_paths: sorted(filter.file_paths.as_ref()),
    }
}

fn sorted_request(filter: &GitPullRequestFilter) -> GitPullRequestFilter {
    let mut events = filter.events.clone();
    events.sort();
    GitPullRequestFilter {
        events,
        branches: sorted(filter.branches.as_ref()),
        file_paths: sorted(filter.file_paths.as_ref()),
    }
}
