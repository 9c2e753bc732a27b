//! Whoever asks for something, and what they may ask for.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    keys::Holder,
    policy::{self, Decision},
};

/// Somebody whose identity was proven, or who needs no proof.
#[derive(Clone, Debug)]
pub struct Caller {
    arn: String,
    rights: Rights,
    /// Condition keys of the request in lower case, with their values.
    context: Arc<BTreeMap<String, Vec<String>>>,
}

#[derive(Clone, Debug)]
enum Rights {
    /// Whoever sits at the machine and could do everything anyway.
    Everything,
    OfKey(Arc<Holder>),
}

impl Caller {
    /// The owner of the machine: nothing is forbidden.
    pub fn owner(arn: impl Into<String>) -> Self {
        Self {
            arn: arn.into(),
            rights: Rights::Everything,
            context: Arc::default(),
        }
    }

    /// The holder of a key, whose request was verified.
    pub fn of_key(holder: Arc<Holder>, context: BTreeMap<String, Vec<String>>) -> Self {
        Self {
            arn: holder.arn.clone(),
            rights: Rights::OfKey(holder),
            context: Arc::new(context),
        }
    }

    pub fn arn(&self) -> &str {
        &self.arn
    }

    /// The id of the key that the request was signed with.
    pub fn access_key(&self) -> Option<&str> {
        match &self.rights {
            Rights::Everything => None,
            Rights::OfKey(holder) => Some(&holder.access_key),
        }
    }

    /// What the policies say of `action` (`codepipeline:GetPipeline`) on `resource` (an ARN, or `*`
    /// where the operation has none), with condition keys that only the operation knows.
    pub fn decide(
        &self,
        action: &str,
        resource: &str,
        more: &BTreeMap<String, Vec<String>>,
    ) -> Decision {
        let holder = match &self.rights {
            Rights::Everything => return Decision::Allowed,
            Rights::OfKey(holder) => holder,
        };
        let joined;
        let context = if more.is_empty() {
            &*self.context
        } else {
            let mut both = (*self.context).clone();
            both.extend(more.clone());
            joined = both;
            &joined
        };
        let request = policy::Request {
            action,
            resource,
            context,
        };
        policy::decide(&holder.policies, &request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{keys::Secret, policy::Policy};

    fn holder(policy: &str) -> Arc<Holder> {
        Arc::new(Holder {
            access_key: "PWKEY".to_owned(),
            secret: Secret::new("secret"),
            arn: "arn:aws:iam::000000000000:user/ann".to_owned(),
            policies: vec![Policy::read(policy).expect("a policy")],
            session: None,
        })
    }

    #[test]
    fn the_owner_may_everything_and_a_key_what_its_policies_say() {
        let none = BTreeMap::new();
        let owner = Caller::owner("owner");
        assert_eq!(owner.decide("any:Thing", "*", &none), Decision::Allowed);
        assert_eq!(owner.access_key(), None);
        let policy = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow",
            "Action":"codepipeline:Get*","Resource":"*",
            "Condition":{"StringEquals":{"aws:ResourceTag/team":"web"}}}]}"#;
        let ann = Caller::of_key(holder(policy), BTreeMap::new());
        let tagged = BTreeMap::from([("aws:resourcetag/team".to_owned(), vec!["web".to_owned()])]);
        let get = "codepipeline:GetPipeline";
        assert_eq!(ann.decide(get, "*", &tagged), Decision::Allowed);
        assert_eq!(ann.decide(get, "*", &none), Decision::NotAllowed);
        let start = "codepipeline:StartPipelineExecution";
        assert_eq!(ann.decide(start, "*", &tagged), Decision::NotAllowed);
        assert_eq!(ann.access_key(), Some("PWKEY"));
        assert_eq!(ann.arn(), "arn:aws:iam::000000000000:user/ann");
    }
}
