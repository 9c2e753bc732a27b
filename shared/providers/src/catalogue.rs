//! Which provider runs which action type.

use std::{collections::BTreeMap, sync::Arc};

use model::{
    ActionCategory,
    declaration::{ActionOwner, ActionTypeId},
    job::ErrorDetails,
};

use crate::{
    Provider, codebuild::CodeBuild, codecommit::CodeCommit, commands::Commands, manual::Manual,
    s3_deploy::S3Deploy, s3_source::S3Source,
};

/// The one version that every action type of AWS's has (spec 20 §5).
const VERSION: &str = "1";

/// The providers of this service, by category, owner and name.
#[derive(Clone, Default)]
pub struct Catalogue {
    providers: BTreeMap<(ActionCategory, ActionOwner, String), Arc<dyn Provider>>,
}

impl Catalogue {
    /// A catalogue that has none yet.
    pub fn empty() -> Self {
        Self::default()
    }

    /// Every provider that Pipewright has.
    pub fn standard() -> Self {
        Self::empty()
            .with(ActionCategory::Source, "S3", Arc::new(S3Source))
            .with(ActionCategory::Source, "CodeCommit", Arc::new(CodeCommit))
            .with(ActionCategory::Build, "CodeBuild", Arc::new(CodeBuild))
            .with(ActionCategory::Test, "CodeBuild", Arc::new(CodeBuild))
            .with(ActionCategory::Compute, "Commands", Arc::new(Commands))
            .with(ActionCategory::Approval, "Manual", Arc::new(Manual))
            .with(ActionCategory::Deploy, "S3", Arc::new(S3Deploy))
    }

    /// Adds a provider of AWS's, or replaces the one of that name.
    #[must_use]
    pub fn with(
        mut self,
        category: ActionCategory,
        name: &str,
        provider: Arc<dyn Provider>,
    ) -> Self {
        self.providers
            .insert((category, ActionOwner::Aws, name.to_owned()), provider);
        self
    }

    /// The provider of an action type.
    ///
    /// What nobody here can run fails the action with the provider's name; it never passes.
    pub fn find(&self, id: &ActionTypeId) -> Result<&Arc<dyn Provider>, ErrorDetails> {
        let key = (id.category, id.owner, id.provider.clone());
        let found = self.providers.get(&key).filter(|_| id.version == VERSION);
        found.ok_or_else(|| {
            let ActionTypeId {
                category,
                owner,
                provider,
                version,
            } = id;
            ErrorDetails::configuration(format!(
                "provider `{provider}` (category {category:?}, owner {}, version {version}) is \
                 not supported; supported are {} (owner AWS, version {VERSION})",
                spelled(*owner),
                self.supported()
            ))
        })
    }

    fn supported(&self) -> String {
        let keys = self.providers.keys();
        let names: Vec<String> = keys
            .map(|(category, _, name)| format!("{category:?}/{name}"))
            .collect();
        names.join(", ")
    }
}

/// The owner as declarations spell it.
fn spelled(owner: ActionOwner) -> &'static str {
    match owner {
        ActionOwner::Aws => "AWS",
        ActionOwner::ThirdParty => "ThirdParty",
        ActionOwner::Custom => "Custom",
    }
}

#[cfg(test)]
mod tests {
    use model::job::FailureType;

    use super::*;

    fn id(category: ActionCategory, owner: ActionOwner, provider: &str) -> ActionTypeId {
        ActionTypeId {
            category,
            owner,
            provider: provider.to_owned(),
            version: "1".to_owned(),
        }
    }

    #[test]
    fn the_standard_catalogue_finds_each_of_its_own() {
        let catalogue = Catalogue::standard();
        for (category, name) in [
            (ActionCategory::Source, "S3"),
            (ActionCategory::Source, "CodeCommit"),
            (ActionCategory::Build, "CodeBuild"),
            (ActionCategory::Test, "CodeBuild"),
            (ActionCategory::Compute, "Commands"),
            (ActionCategory::Approval, "Manual"),
            (ActionCategory::Deploy, "S3"),
        ] {
            let id = id(category, ActionOwner::Aws, name);
            assert!(catalogue.find(&id).is_ok(), "{id:?}");
        }
    }

    #[test]
    fn anything_else_is_refused_with_its_name_and_what_there_is() {
        let catalogue = Catalogue::standard();
        let error = catalogue
            .find(&id(ActionCategory::Deploy, ActionOwner::Aws, "ECS"))
            .err()
            .unwrap();
        assert_eq!(error.code, FailureType::ConfigurationError);
        assert_eq!(
            error.message,
            "provider `ECS` (category Deploy, owner AWS, version 1) is not supported; supported \
             are Source/CodeCommit, Source/S3, Build/CodeBuild, Deploy/S3, Test/CodeBuild, \
             Approval/Manual, Compute/Commands (owner AWS, version 1)"
        );
        let custom = id(ActionCategory::Deploy, ActionOwner::Custom, "S3");
        assert!(catalogue.find(&custom).is_err());
        let mut newer = id(ActionCategory::Deploy, ActionOwner::Aws, "S3");
        newer.version = "2".to_owned();
        assert!(catalogue.find(&newer).is_err());
    }
}
