//! `RetryBuild`.

use access::Caller;
use ports::build_records::{BuildOwner, BuildToken};

use super::{Build, CodeBuild, CodeBuildError, invalid, start_build};

#[derive(Clone, Debug)]
pub struct RetryBuild {
    pub id: String,
    /// The token and a digest of the request: the same twice starts one build.
    pub token: Option<(String, String)>,
    pub by: Caller,
}

/// Asks for a build with the settings of an earlier one, of the same version of the source.
pub async fn retry_build(
    codebuild: &CodeBuild,
    request: RetryBuild,
) -> Result<Build, CodeBuildError> {
    let earlier = codebuild
        .build(&request.by, "RetryBuild", &request.id)
        .await?;
    match earlier.owner {
        BuildOwner::Caller => {}
        BuildOwner::Pipeline => {
            return Err(invalid(format!(
                "the build is an action's of {}; retry the stage of the pipeline",
                earlier.initiator
            )));
        }
    }
    let mut settings = earlier.settings;
    settings.source_version = earlier.resolved_source_version.or(settings.source_version);
    let token = request.token.map(|(token, request)| BuildToken {
        token: format!("{} {token}", settings.name),
        request,
    });
    start_build::begin(codebuild, settings, token, &request.by).await
}
