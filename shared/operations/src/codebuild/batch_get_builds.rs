//! `BatchGetBuilds`.

use access::Caller;

use super::{Build, CodeBuild, CodeBuildError, authorise_all, build_of};

#[derive(Clone, Debug)]
pub struct BatchGetBuilds {
    /// Ids or ARNs.
    pub ids: Vec<String>,
    pub by: Caller,
}

/// The builds of those ids, and the ids that no build has.
pub async fn batch_get_builds(
    codebuild: &CodeBuild,
    request: BatchGetBuilds,
) -> Result<(Vec<Build>, Vec<String>), CodeBuildError> {
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    for given in request.ids {
        let Some((project, id)) = build_of(&given) else {
            authorise_all(&request.by, "BatchGetBuilds")?;
            missing.push(given);
            continue;
        };
        codebuild
            .authorise(&request.by, "BatchGetBuilds", project, &[])
            .await?;
        let record = codebuild.builds.build(id).await?;
        match record.filter(|record| record.project() == project) {
            Some(record) => found.push(codebuild.look(record).await?),
            None => missing.push(given),
        }
    }
    Ok((found, missing))
}
