//! `StartBuild`.

use access::Caller;
use model::{
    job::JobArtifact,
    project::{Artifacts, ArtifactsType, BuildVariable, Cache, Namespace, Settings, SourceType},
};
use ports::build_records::{BuildOwner, BuildRecord, BuildToken};

use super::{Build, CodeBuild, CodeBuildError, invalid, project_arn, project_of, settings};

/// How many builds may be under way, or wait for their turn, at once.
const OPEN_BUILDS_MAX: u64 = 1_000;

#[derive(Clone, Debug)]
pub struct StartBuild {
    pub project: String,
    pub overrides: Overrides,
    /// The token and a digest of the request: the same twice starts one build.
    pub token: Option<(String, String)>,
    pub by: Caller,
}

/// What is different about one build; what is absent is as the project has it.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    pub source_version: Option<String>,
    pub source_type: Option<SourceType>,
    pub source_location: Option<String>,
    pub artifacts: Option<Artifacts>,
    /// They replace those of the same names and are added to the others.
    pub environment_variables: Vec<BuildVariable>,
    pub git_clone_depth: Option<u32>,
    pub buildspec: Option<String>,
    pub image: Option<String>,
    pub environment_type: Option<String>,
    pub compute_type: Option<String>,
    pub image_pull_credentials_type: Option<String>,
    pub cache: Option<Cache>,
    pub service_role: Option<String>,
    pub timeout_in_minutes: Option<u32>,
    pub queued_timeout_in_minutes: Option<u32>,
    pub encryption_key: Option<String>,
}

/// Asks for a build. It is on disk when this answers, and begins, or begins again, until it has
/// ended.
pub async fn start_build(
    codebuild: &CodeBuild,
    request: StartBuild,
) -> Result<Build, CodeBuildError> {
    let name = project_of(&request.project);
    codebuild
        .authorise(&request.by, "StartBuild", name, &[])
        .await?;
    let Some(project) = codebuild.projects.project_record(name).await? else {
        let arn = project_arn(&codebuild.world.account, name);
        return Err(CodeBuildError::NotFound(format!(
            "Project cannot be found: {arn}"
        )));
    };
    let settings = apply(project.settings, request.overrides)?;
    let token = request.token.map(|(token, request)| BuildToken {
        token: format!("{name} {token}"),
        request,
    });
    begin(codebuild, settings, token, &request.by).await
}

/// Keeps the record of a new build with those settings.
pub(super) async fn begin(
    codebuild: &CodeBuild,
    settings: Settings,
    token: Option<BuildToken>,
    by: &Caller,
) -> Result<Build, CodeBuildError> {
    settings::check(&settings)?;
    if settings.source.kind == SourceType::CodePipeline {
        return Err(invalid(
            "the project's source is CODEPIPELINE, which only a pipeline can give; say another one \
             with sourceTypeOverride and artifactsOverride",
        ));
    }
    let id = codebuild.world.random.uuid().to_string();
    let record = BuildRecord {
        initiator: initiator(by),
        owner: BuildOwner::Caller,
        started: codebuild.world.clock.now(),
        resolved_source_version: None,
        outputs: outputs(&settings, &id),
        is_stopping: false,
        end: None,
        token,
        place: 0,
        number: 0,
        version: 0,
        settings,
        id,
    };
    make_room(codebuild, &record).await?;
    let begun = codebuild.builds.begin_build(&record).await?;
    if begun.id != record.id && begun.token != record.token {
        return Err(invalid(
            "the idempotencyToken came with another request less than five minutes ago; use a new \
             one",
        ));
    }
    (codebuild.nudge)();
    codebuild.look(begun).await
}

/// Refuses a build where there are as many as may be. Two requests at once may pass together.
async fn make_room(codebuild: &CodeBuild, record: &BuildRecord) -> Result<(), CodeBuildError> {
    let limit = record.settings.concurrent_build_limit.map(u64::from);
    let of_project = codebuild.builds.count_open_builds(Some(record.project()));
    if let Some(limit) = limit
        && of_project.await? >= limit
    {
        return Err(CodeBuildError::LimitExceeded(format!(
            "Project-level concurrent build limit cannot exceed {limit}"
        )));
    }
    if codebuild.builds.count_open_builds(None).await? >= OPEN_BUILDS_MAX {
        return Err(CodeBuildError::LimitExceeded(format!(
            "Cannot have more than {OPEN_BUILDS_MAX} builds in queue for the account"
        )));
    }
    Ok(())
}

fn apply(mut settings: Settings, overrides: Overrides) -> Result<Settings, CodeBuildError> {
    settings::check_variables(&overrides.environment_variables)?;
    let source = &mut settings.source;
    if let Some(kind) = overrides.source_type
        && kind != source.kind
    {
        source.kind = kind;
        // The location and the version were those of another kind.
        source.location = None;
        settings.source_version = None;
    }
    source.location = overrides.source_location.or(source.location.take());
    source.git_clone_depth = overrides.git_clone_depth.or(source.git_clone_depth);
    source.buildspec = overrides.buildspec.or(source.buildspec.take());
    settings.source_version = overrides.source_version.or(settings.source_version);
    settings.artifacts = overrides.artifacts.unwrap_or(settings.artifacts);
    settings.cache = overrides.cache.or(settings.cache);
    settings.service_role = overrides.service_role.or(settings.service_role);
    settings.encryption_key = overrides.encryption_key.or(settings.encryption_key);
    settings.timeout_in_minutes = overrides.timeout_in_minutes.or(settings.timeout_in_minutes);
    settings.queued_timeout_in_minutes = overrides
        .queued_timeout_in_minutes
        .or(settings.queued_timeout_in_minutes);
    let environment = &mut settings.environment;
    environment.image = overrides.image.or(environment.image.take());
    environment.kind = overrides.environment_type.or(environment.kind.take());
    environment.image_pull_credentials_type = overrides
        .image_pull_credentials_type
        .or(environment.image_pull_credentials_type.take());
    environment.compute_type = overrides.compute_type.or(environment.compute_type.take());
    for variable in overrides.environment_variables {
        let known = &mut environment.environment_variables;
        match known.iter_mut().find(|it| it.name == variable.name) {
            Some(known) => *known = variable,
            None => known.push(variable),
        }
    }
    Ok(settings)
}

/// Where the artifacts go: `[path/][build id/]name` (spec 70 §6.1).
fn outputs(settings: &Settings, id: &str) -> Vec<JobArtifact> {
    let artifacts = &settings.artifacts;
    match artifacts.kind {
        ArtifactsType::NoArtifacts | ArtifactsType::CodePipeline => return Vec::new(),
        ArtifactsType::S3 => {}
    }
    let path = artifacts.path.as_deref().unwrap_or_default();
    let folder = match artifacts.namespace_type {
        Some(Namespace::BuildId) => id,
        Some(Namespace::None) | None => "",
    };
    let name = artifacts.name.as_deref().unwrap_or(&settings.name);
    let parts = [path, folder, name].map(|part| part.trim_matches('/'));
    let key: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    let location = artifacts.location.as_deref().unwrap_or_default();
    vec![JobArtifact {
        name: "Artifacts".to_owned(),
        bucket: settings::bucket_of(location).to_owned(),
        key: key.join("/"),
        revision: None,
        files: Vec::new(),
    }]
}

/// The name of the user, as CodeBuild shows it.
fn initiator(by: &Caller) -> String {
    let arn = by.arn();
    let tail = arn.rsplit(':').next().unwrap_or(arn);
    tail.strip_prefix("user/").unwrap_or(tail).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(artifacts: &str) -> Settings {
        let json = format!(
            r#"{{"name": "web", "source": {{"type": "S3", "location": "b/k",
                "buildspec": "a.yml"}}, "sourceVersion": "v1", "artifacts": {artifacts},
                "environment": {{"environmentVariables": [{{"name": "A", "value": "1"}},
                {{"name": "B", "value": "2"}}]}}}}"#
        );
        serde_json::from_str(&json).expect("they are settings")
    }

    #[test]
    fn artifacts_go_where_the_project_says() {
        let place = |artifacts: &str| {
            let outputs = outputs(&settings(artifacts), "id");
            outputs
                .first()
                .map(|it| format!("{} {}", it.bucket, it.key))
        };
        assert_eq!(place(r#"{"type": "NO_ARTIFACTS"}"#), None);
        let plain = place(r#"{"type": "S3", "location": "out"}"#);
        assert_eq!(plain.as_deref(), Some("out web"));
        let full = place(
            r#"{"type": "S3", "location": "arn:aws:s3:::out", "path": "/a/b/",
                "namespaceType": "BUILD_ID", "name": "app.zip"}"#,
        );
        assert_eq!(full.as_deref(), Some("out a/b/id/app.zip"));
    }

    #[test]
    fn what_a_build_overrides_wins_and_the_rest_stays() {
        let variable = |name: &str, value: &str| BuildVariable {
            name: name.to_owned(),
            value: value.to_owned(),
            kind: model::project::BuildVariableType::Plaintext,
        };
        let overrides = Overrides {
            environment_variables: vec![variable("B", "3"), variable("C", "4")],
            timeout_in_minutes: Some(9),
            ..Overrides::default()
        };
        let none = r#"{"type": "NO_ARTIFACTS"}"#;
        let applied = apply(settings(none), overrides).expect("they fit");
        let variables = applied.environment.environment_variables.iter();
        let variables: Vec<String> = variables
            .map(|v| format!("{}={}", v.name, v.value))
            .collect();
        assert_eq!(variables, ["A=1", "B=3", "C=4"]);
        assert_eq!(applied.timeout_in_minutes, Some(9));
        assert_eq!(applied.source.location.as_deref(), Some("b/k"));
        assert_eq!(applied.source_version.as_deref(), Some("v1"));
        let overrides = Overrides {
            source_type: Some(SourceType::NoSource),
            ..Overrides::default()
        };
        let applied = apply(settings(none), overrides).expect("they fit");
        assert_eq!(applied.source.location, None);
        assert_eq!(applied.source_version, None);
        assert_eq!(applied.source.buildspec.as_deref(), Some("a.yml"));
        let overrides = Overrides {
            environment_variables: vec![variable("", "3")],
            ..Overrides::default()
        };
        assert!(apply(settings(none), overrides).is_err());
    }

    #[test]
    fn a_user_is_known_by_name() {
        let by = |arn: &str| initiator(&Caller::owner(arn));
        assert_eq!(by("arn:aws:iam::000000000000:user/ann"), "ann");
        assert_eq!(by("arn:aws:sts::0:assumed-role/r/s"), "assumed-role/r/s");
        assert_eq!(by("local"), "local");
    }
}
