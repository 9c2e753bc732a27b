//! Signing keys that were derived: they are good for a day, and each takes four hashes.

use std::{
    collections::HashMap,
    sync::{PoisonError, RwLock},
};

use crate::{
    keys::Secret,
    sigv4::{Scope, SigningKey},
};

/// How many signing keys are kept; when there are more, all are forgotten and derived again.
const KEYS_MAX: usize = 1_000;

/// By id of the access key; what else a key was derived from stands beside it.
#[derive(Default)]
pub(super) struct SigningKeys {
    keys: RwLock<HashMap<String, Vec<Derived>>>,
}

struct Derived {
    secret: Secret,
    day: String,
    region: String,
    service: String,
    key: SigningKey,
}

/// How many signing keys of one access key are kept: one for each service around midnight.
const KEYS_OF_ONE_MAX: usize = 8;

impl Derived {
    fn is_of(&self, secret: &str, day: &str, scope: Scope<'_>) -> bool {
        self.day == day
            && self.region == scope.region
            && self.service == scope.service
            && self.secret.reveal() == secret
    }
}

impl SigningKeys {
    /// The key that is derived from the secret; of a scope and a day that were checked, so that
    /// nobody fills this with what he makes up.
    pub(super) fn get(&self, id: &str, secret: &str, day: &str, scope: Scope<'_>) -> SigningKey {
        {
            let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
            let of_one = keys.get(id).map_or(&[][..], Vec::as_slice);
            let found = of_one.iter().find(|it| it.is_of(secret, day, scope));
            if let Some(found) = found {
                return found.key.clone();
            }
        }
        let key = SigningKey::derive(secret, day, scope);
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        if keys.len() >= KEYS_MAX {
            keys.clear();
        }
        let of_one = keys.entry(id.to_owned()).or_default();
        if of_one.len() >= KEYS_OF_ONE_MAX {
            of_one.clear();
        }
        of_one.push(Derived {
            secret: Secret::new(secret),
            day: day.to_owned(),
            region: scope.region.to_owned(),
            service: scope.service.to_owned(),
            key: key.clone(),
        });
        key
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCOPE: Scope<'_> = Scope {
        region: "us-east-1",
        service: "codepipeline",
    };

    fn counts(keys: &SigningKeys) -> (usize, usize) {
        let keys = keys.keys.read().expect("nobody panicked");
        (keys.len(), keys.values().map(Vec::len).sum())
    }

    #[test]
    fn a_key_is_derived_once_for_each_thing_that_it_depends_on() {
        let keys = SigningKeys::default();
        let other = Scope {
            service: "codebuild",
            ..SCOPE
        };
        for _ in 0..2 {
            let derived = [
                keys.get("A", "secret", "20260830", SCOPE),
                keys.get("A", "other", "20260830", SCOPE),
                keys.get("A", "secret", "20260831", SCOPE),
                keys.get("A", "secret", "20260830", other),
                keys.get("B", "secret", "20260830", SCOPE),
            ];
            assert_eq!(format!("{:?}", derived[0]), "SigningKey(****)");
        }
        assert_eq!(counts(&keys), (2, 5));
    }

    #[test]
    fn it_does_not_grow_without_end() {
        let keys = SigningKeys::default();
        for number in 0..=KEYS_MAX {
            keys.get(&number.to_string(), "secret", "20260830", SCOPE);
        }
        assert_eq!(counts(&keys), (1, 1));
        for day in 0..=KEYS_OF_ONE_MAX {
            keys.get("A", "secret", &day.to_string(), SCOPE);
        }
        assert_eq!(counts(&keys), (2, 2));
    }
}
