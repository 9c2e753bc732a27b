//! What the settings of a project may be, beyond the shapes of their members.

use std::collections::BTreeSet;

use model::project::{
    Artifacts, ArtifactsType, BuildVariable, CacheType, Packaging, Settings, Source, SourceType,
    Tag,
};

use super::{CodeBuildError, invalid};

/// The longest name of a project (spec 70 §10).
const NAME_BYTES_MAX: usize = 150;

/// How many tags a project may have.
const TAGS_MAX: usize = 50;

const BUCKET_ARN: &str = "arn:aws:s3:::";

/// Refuses settings that no build could run with, or that would not mean here what they say.
pub(super) fn check(settings: &Settings) -> Result<(), CodeBuildError> {
    check_name(&settings.name)?;
    check_source(&settings.source)?;
    check_artifacts(&settings.artifacts)?;
    let by_pipeline = [
        settings.source.kind == SourceType::CodePipeline,
        settings.artifacts.kind == ArtifactsType::CodePipeline,
    ];
    if by_pipeline == [true, false] || by_pipeline == [false, true] {
        return Err(invalid(
            "source.type and artifacts.type must both be CODEPIPELINE, or neither of them",
        ));
    }
    let has_version = settings.source_version.as_ref();
    if has_version.is_some_and(|version| !version.is_empty()) {
        match settings.source.kind {
            SourceType::CodeCommit | SourceType::S3 => {}
            SourceType::CodePipeline | SourceType::NoSource => {
                return Err(invalid(
                    "sourceVersion names a version of a source of type CODECOMMIT or S3",
                ));
            }
        }
    }
    let cache = settings.cache.as_ref();
    if cache.is_some_and(|cache| cache.kind == CacheType::S3 && cache.location.is_none()) {
        return Err(invalid("cache.location is needed when cache.type is S3"));
    }
    if settings.environment.privileged_mode {
        return Err(unsupported(
            "environment.privilegedMode true: no build gets rights beyond its own",
        ));
    }
    if settings.concurrent_build_limit == Some(0) {
        return Err(invalid("concurrentBuildLimit must be at least 1"));
    }
    check_variables(&settings.environment.environment_variables)?;
    check_tags(&settings.tags)
}

/// What would be taken for something that is not done here.
fn unsupported(what: &str) -> CodeBuildError {
    invalid(format!("not supported yet: {what}"))
}

fn check_name(name: &str) -> Result<(), CodeBuildError> {
    let first = name.bytes().next();
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    let is_name = (2..=NAME_BYTES_MAX).contains(&name.len())
        && first.is_some_and(|b| b.is_ascii_alphanumeric())
        && name.bytes().all(allowed);
    if is_name {
        return Ok(());
    }
    Err(invalid(format!(
        "Invalid project name: `{name}` is not 2 to {NAME_BYTES_MAX} letters, digits, - and _ that \
         begin with a letter or a digit"
    )))
}

fn check_source(source: &Source) -> Result<(), CodeBuildError> {
    let location = source.location.as_deref().filter(|it| !it.is_empty());
    let buildspec = source.buildspec.as_deref().filter(|it| !it.is_empty());
    match source.kind {
        SourceType::NoSource if buildspec.is_none() => {
            return Err(invalid(
                "source.buildspec is needed when source.type is NO_SOURCE: there is no file to \
                 take it from",
            ));
        }
        SourceType::CodePipeline | SourceType::NoSource => {}
        SourceType::S3 => {
            let Some(location) = location else {
                return Err(invalid("source.location is needed when source.type is S3"));
            };
            object_of(location)?;
        }
        SourceType::CodeCommit => {
            let Some(location) = location else {
                return Err(invalid(
                    "source.location is needed when source.type is CODECOMMIT",
                ));
            };
            repository_of(location)?;
        }
    }
    match source.insecure_ssl {
        Some(true) => Err(unsupported("source.insecureSsl true")),
        _ => Ok(()),
    }
}

/// The bucket and the key in `bucket/key`, or in an object's ARN.
pub(super) fn object_of(location: &str) -> Result<(&str, &str), CodeBuildError> {
    let path = location.strip_prefix(BUCKET_ARN).unwrap_or(location);
    match path.split_once('/') {
        Some((_, key)) if key.ends_with('/') => Err(unsupported(
            "a folder in a bucket as source; name an object, a ZIP for many files",
        )),
        Some((bucket, key)) if !bucket.is_empty() && !key.is_empty() => Ok((bucket, key)),
        _ => Err(invalid(format!(
            "source.location is `<bucket>/<key>` for a source of type S3, not `{location}`"
        ))),
    }
}

/// The repository that a clone URL ends with.
pub(super) fn repository_of(location: &str) -> Result<&str, CodeBuildError> {
    let path = location.trim_end_matches('/');
    let name = path.rsplit('/').next().unwrap_or_default();
    let name = name.strip_suffix(".git").unwrap_or(name);
    if name.is_empty() || name.contains(':') {
        return Err(invalid(format!(
            "source.location is the URL of a repository for a source of type CODECOMMIT, and \
             `{location}` ends with no name"
        )));
    }
    Ok(name)
}

fn check_artifacts(artifacts: &Artifacts) -> Result<(), CodeBuildError> {
    if artifacts.override_artifact_name == Some(true) {
        return Err(unsupported("artifacts.overrideArtifactName true"));
    }
    match artifacts.kind {
        ArtifactsType::CodePipeline | ArtifactsType::NoArtifacts => return Ok(()),
        ArtifactsType::S3 => {}
    }
    let location = artifacts.location.as_deref().unwrap_or_default();
    if location.is_empty() {
        return Err(invalid(
            "artifacts.location is needed when artifacts.type is S3",
        ));
    }
    match artifacts.packaging {
        Some(Packaging::Zip) => Ok(()),
        Some(Packaging::None) | None => Err(unsupported(
            "artifacts.packaging NONE (the default) for artifacts of type S3; say ZIP",
        )),
    }
}

/// The bucket of artifacts of type S3.
pub(super) fn bucket_of(location: &str) -> &str {
    location.strip_prefix(BUCKET_ARN).unwrap_or(location)
}

pub(super) fn check_variables(variables: &[BuildVariable]) -> Result<(), CodeBuildError> {
    let mut names = BTreeSet::new();
    for BuildVariable { name, .. } in variables {
        if name.is_empty() || name.contains(['=', '\0']) {
            return Err(invalid(format!(
                "`{}` is no name of an environment variable",
                name.escape_debug()
            )));
        }
        if !names.insert(name) {
            return Err(invalid(format!(
                "the environment variable `{name}` is there twice; name each once"
            )));
        }
    }
    Ok(())
}

fn check_tags(tags: &[Tag]) -> Result<(), CodeBuildError> {
    let mut keys = BTreeSet::new();
    for Tag { key, .. } in tags {
        if key.to_lowercase().starts_with("aws:") {
            return Err(invalid(format!(
                "the tag `{key}` is not yours to set: keys that begin with aws: are the system's"
            )));
        }
        if !keys.insert(key) {
            return Err(invalid(format!(
                "the tag `{key}` is there twice; name each key once"
            )));
        }
    }
    if tags.len() > TAGS_MAX {
        return Err(invalid(format!(
            "a project has at most {TAGS_MAX} tags, not {}",
            tags.len()
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use model::project::{BuildVariableType, Cache};

    use super::*;

    fn settings() -> Settings {
        let json = r#"{"name": "web", "source": {"type": "NO_SOURCE", "buildspec": "version: 0.2"},
            "artifacts": {"type": "NO_ARTIFACTS"}, "environment": {}}"#;
        serde_json::from_str(json).expect("they are settings")
    }

    /// Why the settings are refused after that change.
    fn why(change: impl FnOnce(&mut Settings)) -> String {
        let mut settings = settings();
        change(&mut settings);
        check(&settings).expect_err("they are refused").to_string()
    }

    #[test]
    fn settings_without_a_slip_are_taken() {
        assert!(check(&settings()).is_ok());
    }

    #[test]
    fn every_slip_is_told_by_the_name_of_its_member() {
        let refusals = [
            (why(|s| s.name = "-a".to_owned()), "Invalid project name"),
            (why(|s| s.name = "x".to_owned()), "Invalid project name"),
            (why(|s| s.name = "n".repeat(151)), "Invalid project name"),
            (why(|s| s.source.buildspec = None), "source.buildspec"),
            (why(|s| s.source.kind = SourceType::S3), "source.location"),
            (
                why(|s| s.source.kind = SourceType::CodeCommit),
                "source.location",
            ),
            (why(|s| s.source.kind = SourceType::CodePipeline), "both be"),
            (why(|s| s.source.insecure_ssl = Some(true)), "insecureSsl"),
            (
                why(|s| s.source_version = Some("v".to_owned())),
                "sourceVersion",
            ),
            (
                why(|s| s.artifacts.kind = ArtifactsType::S3),
                "artifacts.location",
            ),
            (
                why(|s| {
                    s.artifacts.kind = ArtifactsType::S3;
                    s.artifacts.location = Some("b".to_owned());
                }),
                "artifacts.packaging NONE",
            ),
            (
                why(|s| s.artifacts.override_artifact_name = Some(true)),
                "overrideArtifactName",
            ),
            (
                why(|s| s.environment.privileged_mode = true),
                "privilegedMode",
            ),
            (
                why(|s| s.concurrent_build_limit = Some(0)),
                "concurrentBuildLimit",
            ),
            (
                why(|s| {
                    s.cache = Some(Cache {
                        kind: CacheType::S3,
                        location: None,
                        modes: None,
                    });
                }),
                "cache.location",
            ),
        ];
        for (text, expected) in refusals {
            assert!(text.contains(expected), "{text}");
        }
    }

    #[test]
    fn variables_and_tags_have_names_of_their_own() {
        let variable = |name: &str| BuildVariable {
            name: name.to_owned(),
            value: String::new(),
            kind: BuildVariableType::Plaintext,
        };
        let tag = |key: &str| Tag {
            key: key.to_owned(),
            value: String::new(),
        };
        for names in [&["A=B"][..], &[""], &["A", "A"]] {
            let variables: Vec<_> = names.iter().map(|name| variable(name)).collect();
            assert!(check_variables(&variables).is_err(), "{names:?}");
        }
        for keys in [&["aws:x"][..], &["a", "a"]] {
            let tags: Vec<_> = keys.iter().map(|key| tag(key)).collect();
            assert!(check_tags(&tags).is_err(), "{keys:?}");
        }
        let many: Vec<_> = (0..=TAGS_MAX).map(|at| tag(&at.to_string())).collect();
        assert!(check_tags(&many[1..]).is_ok());
        assert!(check_tags(&many).is_err());
    }

    #[test]
    fn places_are_read_out_of_locations() {
        for location in ["b/k/x.zip", "arn:aws:s3:::b/k/x.zip"] {
            assert_eq!(object_of(location).ok(), Some(("b", "k/x.zip")));
        }
        for location in ["", "b", "b/", "/k", "b/k/"] {
            assert!(object_of(location).is_err(), "{location}");
        }
        for location in [
            "https://git-codecommit.us-east-1.amazonaws.com/v1/repos/web",
            "http://127.0.0.1:1/git/web.git",
            "web",
        ] {
            assert_eq!(repository_of(location).ok(), Some("web"));
        }
        for location in ["", "/", "codecommit::us-east-1:", "x/.git"] {
            assert!(repository_of(location).is_err(), "{location}");
        }
    }
}
