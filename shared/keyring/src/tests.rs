use std::fs;

use embedded::{AccessKeyStore, DataDir, ManualClock, OsRandom};
use ports::access_keys::{AccessKeysError, NEW};
use tempfile::TempDir;

use super::*;

const SEALING_KEY: [u8; 32] = [1; 32];

const EVERYTHING: &str = r#"{"Version":"2012-10-17","Statement":
    {"Effect":"Allow","Action":"*","Resource":"*"}}"#;

const READING: &str = r#"{"Version":"2012-10-17","Statement":
    {"Effect":"Allow","Action":"codepipeline:Get*","Resource":"*"}}"#;

const MINUTE: Duration = Duration::from_mins(1);

/// Something that somebody does to a stored key.
type Change = Box<dyn Fn(&mut AccessKey)>;

struct Rig {
    folder: TempDir,
    store: Arc<AccessKeyStore>,
    clock: ManualClock,
    ring: Keyring,
}

impl Rig {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("there is room");
        let data = DataDir::open(folder.path()).expect("nobody else has it");
        let store = Arc::new(AccessKeyStore::open(&data).expect("it is new"));
        let clock = ManualClock::new(Timestamp(1_700_000_000_000));
        let ring = ring(&store, &clock, &SEALING_KEY);
        Self {
            folder,
            store,
            clock,
            ring,
        }
    }

    async fn issued(&self, policy: &str) -> Issued {
        self.ring.issue(issue(policy)).await.expect("it is issued")
    }

    async fn temporary(&self) -> Issued {
        let issue = Issue {
            lifetime: Some(MINUTE),
            ..issue(READING)
        };
        self.ring.issue(issue).await.expect("it is issued")
    }

    async fn holder(&self, id: &str) -> Option<Arc<Holder>> {
        self.ring.holder(id).await.expect("the store reads")
    }

    async fn is_good(&self, id: &str) -> bool {
        self.holder(id).await.is_some()
    }

    /// Changes a stored key behind the back of the ring.
    async fn tamper(&self, id: &str, change: impl FnOnce(&mut AccessKey)) {
        let stored = self.store.get(id).await.expect("the store reads");
        let StoredKey { mut key, version } = stored.expect("it is there");
        change(&mut key);
        self.store
            .put(&key, version)
            .await
            .expect("the store writes");
    }

    /// A ring that remembers nothing.
    fn another(&self, sealing_key: &[u8; 32]) -> Keyring {
        ring(&self.store, &self.clock, sealing_key)
    }
}

fn ring(store: &Arc<AccessKeyStore>, clock: &ManualClock, sealing_key: &[u8; 32]) -> Keyring {
    Keyring::new(KeyringOptions {
        keys: Arc::clone(store) as Arc<dyn AccessKeys>,
        clock: Arc::new(clock.clone()),
        random: Arc::new(OsRandom),
        account: "000000000000".to_owned(),
        sealing_key: *sealing_key,
    })
}

fn issue(policy: &str) -> Issue {
    Issue {
        user: "ann".to_owned(),
        policies: vec![policy.to_owned()],
        description: Some("of the build server".to_owned()),
        lifetime: None,
    }
}

fn is_sealed(result: &Result<Option<Arc<Holder>>, KeysError>) -> bool {
    let Err(KeysError(error)) = result else {
        return false;
    };
    matches!(error.downcast_ref(), Some(KeyringError::Sealed(_)))
}

#[tokio::test]
async fn a_key_that_was_issued_has_its_holder() {
    let rig = Rig::new();
    let issued = rig.issued(READING).await;
    let temporary = rig.temporary().await;
    for ring in [&rig.ring, &rig.another(&SEALING_KEY)] {
        let holder = ring.holder(&issued.id).await.unwrap().unwrap();
        assert_eq!(holder.access_key, issued.id);
        assert_eq!(holder.secret, issued.secret);
        assert_eq!(holder.arn, "arn:aws:iam::000000000000:user/ann");
        assert_eq!(holder.policies, [Policy::read(READING).unwrap()]);
        assert!(holder.session.is_none());
        let holder = ring.holder(&temporary.id).await.unwrap().unwrap();
        let session = holder.session.clone().unwrap();
        let (token, expires) = temporary.session.clone().unwrap();
        assert_eq!((session.token, session.expires), (token, expires));
        assert_eq!(expires, rig.clock.now().plus(MINUTE));
    }
    assert!(!rig.is_good("PWKAAAAAAAAAAAAAAAAA").await);
    assert!(!rig.is_good("no id").await);
}

#[tokio::test]
async fn a_copy_of_the_store_holds_no_secret() {
    let rig = Rig::new();
    let (key, temporary) = (rig.issued(EVERYTHING).await, rig.temporary().await);
    let rotated = rig.ring.rotate(&key.id, Some(MINUTE)).await.unwrap();
    rig.ring.rewrap(&[2; 32]).await.unwrap();
    let secrets = [
        key.secret,
        rotated.secret,
        temporary.secret,
        temporary.session.unwrap().0,
    ];
    let mut bytes = Vec::new();
    for entry in fs::read_dir(rig.folder.path()).unwrap() {
        bytes.extend(fs::read(entry.unwrap().path()).unwrap());
    }
    let has = |text: &[u8]| bytes.windows(text.len()).any(|part| part == text);
    assert!(has(key.id.as_bytes()), "the files were read");
    for secret in secrets {
        // Not even a part of it.
        for part in secret.reveal().as_bytes().windows(12) {
            assert!(!has(part));
        }
    }
}

#[tokio::test]
async fn what_was_sealed_cannot_be_changed_or_moved() {
    let rig = Rig::new();
    let (one, two) = (rig.issued(READING).await, rig.issued(READING).await);
    let temporary = rig.temporary().await;
    let sealed = async |id: &str| rig.store.get(id).await.unwrap().unwrap().key;
    let (first, second) = (sealed(&one.id).await, sealed(&two.id).await);
    let cases: [(&str, Change); 9] = [
        ("a bit", Box::new(|key| key.sealed_secret[30] ^= 1)),
        ("the nonce", Box::new(|key| key.sealed_secret[1] ^= 1)),
        ("the version", Box::new(|key| key.sealed_secret[0] = 2)),
        ("too short", Box::new(|key| key.sealed_secret.truncate(20))),
        ("nothing", Box::new(|key| key.sealed_secret.clear())),
        (
            "of another key",
            Box::new(move |key| key.sealed_secret.clone_from(&second.sealed_secret)),
        ),
        ("the user", Box::new(|key| key.user = "root".to_owned())),
        (
            "the rights",
            Box::new(|key| key.policies = vec![EVERYTHING.to_owned()]),
        ),
        (
            "the end",
            Box::new(|key| key.disabled_at = Some(Timestamp(0))),
        ),
    ];
    for (what, change) in cases {
        rig.tamper(&one.id, change).await;
        let read = rig.another(&SEALING_KEY).holder(&one.id).await;
        assert!(is_sealed(&read), "{what}: {read:?}");
        rig.tamper(&one.id, |key| key.clone_from(&first)).await;
        assert!(
            rig.another(&SEALING_KEY)
                .holder(&one.id)
                .await
                .unwrap()
                .is_some()
        );
    }
    rig.tamper(&temporary.id, |key| {
        let session = key.session.as_mut().expect("it is temporary");
        session.expires = Timestamp(i64::MAX);
    })
    .await;
    assert!(is_sealed(&rig.ring.holder(&temporary.id).await));
    rig.tamper(&temporary.id, |key| key.session = None).await;
    assert!(is_sealed(&rig.ring.holder(&temporary.id).await));
}

#[tokio::test]
async fn a_token_is_no_secret_of_the_same_key() {
    let rig = Rig::new();
    let temporary = rig.temporary().await;
    rig.tamper(&temporary.id, |key| {
        let token = key.session.as_ref().expect("it is temporary");
        key.sealed_secret.clone_from(&token.sealed_token);
    })
    .await;
    assert!(is_sealed(&rig.ring.holder(&temporary.id).await));
}

#[tokio::test]
async fn another_master_key_opens_nothing() {
    let rig = Rig::new();
    let id = rig.issued(READING).await.id;
    let other = rig.another(&[2; 32]);
    assert!(is_sealed(&other.holder(&id).await));
    let refused = other.disable(&id, false).await.unwrap_err();
    assert!(
        refused
            .to_string()
            .contains("the master key is another one")
    );
    // What nobody can open can still be removed.
    other.delete(&id, false).await.unwrap();
}

#[tokio::test]
async fn a_key_that_was_disabled_is_not_known_until_it_is_enabled() {
    let rig = Rig::new();
    let id = rig.issued(READING).await.id;
    assert!(rig.is_good(&id).await);
    for _ in 0..2 {
        rig.ring.disable(&id, false).await.unwrap();
        assert!(!rig.is_good(&id).await);
    }
    let info = rig.ring.get(&id).await.unwrap();
    assert_eq!(
        (info.is_enabled, info.disabled_at),
        (false, Some(rig.clock.now()))
    );
    rig.ring.enable(&id).await.unwrap();
    assert!(rig.is_good(&id).await);
    let info = rig.ring.get(&id).await.unwrap();
    assert_eq!((info.is_enabled, info.disabled_at), (true, None));
    rig.ring.delete(&id, false).await.unwrap();
    assert!(!rig.is_good(&id).await);
    for refused in [
        rig.ring.enable(&id).await,
        rig.ring.disable(&id, false).await,
        rig.ring.delete(&id, false).await,
        rig.ring.get(&id).await.map(drop),
        rig.ring.rotate(&id, None).await.map(drop),
        rig.ring.set_policies(&id, Vec::new(), true).await,
        rig.ring
            .note_use("PWKA")
            .await
            .and(Err(KeyringError::NotFound(id.clone()))),
    ] {
        assert!(
            matches!(refused, Err(KeyringError::NotFound(_))),
            "{refused:?}"
        );
    }
}

#[tokio::test]
async fn new_policies_count_from_the_next_request_on() {
    let rig = Rig::new();
    let id = rig.issued(READING).await.id;
    assert_eq!(rig.holder(&id).await.unwrap().policies.len(), 1);
    rig.ring.set_policies(&id, Vec::new(), false).await.unwrap();
    assert_eq!(rig.holder(&id).await.unwrap().policies, []);
    let another = rig.another(&SEALING_KEY).holder(&id).await.unwrap();
    assert_eq!(another.unwrap().policies, []);
}

#[tokio::test]
async fn every_policy_that_is_wrong_is_told() {
    let rig = Rig::new();
    let id = rig.issued(READING).await.id;
    let documents = vec!["{".to_owned(), READING.to_owned(), "{}".to_owned()];
    let wrong = Issue {
        policies: documents.clone(),
        ..issue(READING)
    };
    for refused in [
        rig.ring.issue(wrong).await.map(drop),
        rig.ring.set_policies(&id, documents, false).await,
    ] {
        let error = refused.unwrap_err();
        let KeyringError::Policies(problems) = &error else {
            panic!("{error}");
        };
        let places: Vec<usize> = problems.iter().map(|problem| problem.document).collect();
        assert_eq!(places, [0, 2]);
        assert!(
            error
                .to_string()
                .starts_with("policy 1: policy: it is not JSON"),
            "{error}"
        );
        assert!(error.to_string().contains("; policy 3: Version"), "{error}");
    }
    let many = vec![READING.to_owned(); POLICIES_MAX + 1];
    let refused = rig.ring.set_policies(&id, many, false).await;
    assert!(matches!(refused, Err(KeyringError::TooManyPolicies(11))));
    assert_eq!(rig.holder(&id).await.unwrap().policies.len(), 1);
}

#[tokio::test]
async fn what_cannot_be_issued_is_refused() {
    let rig = Rig::new();
    let with = |change: &dyn Fn(&mut Issue)| {
        let mut changed = issue(READING);
        change(&mut changed);
        changed
    };
    for user in ["", "a b", "a/b", "\u{fc}", &"x".repeat(65)] {
        let refused = rig.ring.issue(with(&|it| it.user = user.to_owned())).await;
        assert!(matches!(refused, Err(KeyringError::User(_))), "{user}");
    }
    let long = with(&|it| it.description = Some("x".repeat(1_001)));
    let refused = rig.ring.issue(long).await;
    assert!(matches!(refused, Err(KeyringError::Description(1_001))));
    for lifetime in [Duration::ZERO, LIFETIME_MAX + Duration::from_secs(1)] {
        let refused = rig
            .ring
            .issue(with(&|it| it.lifetime = Some(lifetime)))
            .await;
        assert!(matches!(refused, Err(KeyringError::Lifetime)));
    }
    assert_eq!(rig.ring.list("", 9).await.unwrap(), []);
}

#[tokio::test]
async fn a_rotated_key_gives_way_to_the_new_one() {
    let rig = Rig::new();
    let old = rig.issued(READING).await;
    let new = rig.ring.rotate(&old.id, None).await.unwrap();
    assert_ne!((&old.id, &old.secret), (&new.id, &new.secret));
    assert!(rig.is_good(&old.id).await && rig.is_good(&new.id).await);
    let [info, before] = [&new.id, &old.id].map(|id| rig.ring.get(id));
    let (info, before) = (info.await.unwrap(), before.await.unwrap());
    assert_eq!((info.user, info.policies), (before.user, before.policies));
    rig.ring.rotate(&new.id, Some(MINUTE)).await.unwrap();
    assert!(rig.is_good(&new.id).await);
    rig.ring.rotate(&new.id, Some(MINUTE * 9)).await.unwrap();
    // No change is needed for it to end, even if it is remembered.
    rig.clock.advance(MINUTE);
    assert!(!rig.is_good(&new.id).await);
    assert!(!rig.ring.get(&new.id).await.unwrap().is_enabled);
    let refused = rig.ring.rotate(&new.id, None).await;
    assert!(matches!(refused, Err(KeyringError::NotEnabled(_))));
    assert!(rig.is_good(&old.id).await);
    let temporary = rig.temporary().await.id;
    for refused in [
        rig.ring.rotate(&temporary, None).await.map(drop),
        rig.ring.set_policies(&temporary, Vec::new(), false).await,
    ] {
        assert!(matches!(refused, Err(KeyringError::Temporary(_))));
    }
}

#[tokio::test]
async fn the_last_key_that_may_do_everything_stays_unless_that_is_forced() {
    let rig = Rig::new();
    let id = rig.issued(EVERYTHING).await.id;
    rig.issued(READING).await;
    let denied = r#"{"Version":"2012-10-17","Statement":
        [{"Effect":"Allow","Action":"*","Resource":"*"},
         {"Effect":"Deny","Action":"x:Y","Resource":"*"}]}"#;
    let sometimes = EVERYTHING.replace("\"*\"}}", "\"*\",\"Condition\":{\"Bool\":{\"a\":true}}}}");
    let all_but = EVERYTHING.replace("\"Action\":\"*\"", "\"NotAction\":\"*\"");
    for policy in [denied, &sometimes, &all_but] {
        rig.issued(policy).await;
    }
    let full_but_temporary = Issue {
        lifetime: Some(MINUTE),
        ..issue(EVERYTHING)
    };
    rig.ring.issue(full_but_temporary).await.unwrap();
    for refused in [
        rig.ring.disable(&id, false).await,
        rig.ring.delete(&id, false).await,
        rig.ring
            .set_policies(&id, vec![READING.to_owned()], false)
            .await,
    ] {
        assert!(
            matches!(refused, Err(KeyringError::LastFullRights(_))),
            "{refused:?}"
        );
    }
    let still = vec![READING.to_owned(), EVERYTHING.to_owned()];
    rig.ring.set_policies(&id, still, false).await.unwrap();
    let other = rig.ring.rotate(&id, Some(MINUTE)).await.unwrap().id;
    // The old one ends soon, so it is no way in any more.
    let refused = rig.ring.delete(&other, false).await;
    assert!(matches!(refused, Err(KeyringError::LastFullRights(_))));
    rig.ring.disable(&id, false).await.unwrap();
    rig.ring.delete(&other, true).await.unwrap();
}

#[tokio::test]
async fn everything_is_sealed_again_with_a_new_master_key() {
    let rig = Rig::new();
    let (key, temporary) = (rig.issued(READING).await, rig.temporary().await);
    let disabled = rig.issued(READING).await.id;
    rig.ring.disable(&disabled, false).await.unwrap();
    assert_eq!(rig.ring.rewrap(&[2; 32]).await.unwrap(), 3);
    assert_eq!(rig.another(&SEALING_KEY).rewrap(&[2; 32]).await.unwrap(), 3);
    let fresh = rig.another(&[2; 32]);
    for ring in [&rig.ring, &fresh] {
        for issued in [&key, &temporary] {
            let holder = ring.holder(&issued.id).await.unwrap().unwrap();
            assert_eq!(holder.secret, issued.secret);
        }
    }
    fresh.enable(&disabled).await.unwrap();
    assert!(is_sealed(&rig.another(&SEALING_KEY).holder(&key.id).await));
    rig.ring.issue(issue(READING)).await.unwrap();
}

#[tokio::test]
async fn sealing_again_ends_half_way_and_goes_on_later() {
    let rig = Rig::new();
    let mut all = [rig.issued(READING).await, rig.issued(READING).await];
    all.sort_by(|one, other| one.id.cmp(&other.id));
    let [first, second] = all;
    let whole = rig.store.get(&second.id).await.unwrap().unwrap().key;
    rig.tamper(&second.id, |key| key.sealed_secret[9] ^= 1)
        .await;
    let refused = rig.ring.rewrap(&[2; 32]).await.unwrap_err();
    assert!(matches!(refused, KeyringError::Sealed(id) if id == second.id));
    rig.tamper(&second.id, |key| key.clone_from(&whole)).await;
    // This ring knows both keys now, and one that begins anew finishes the work.
    for id in [&first.id, &second.id] {
        assert!(rig.is_good(id).await);
    }
    assert_eq!(rig.another(&SEALING_KEY).rewrap(&[2; 32]).await.unwrap(), 2);
    for id in [&first.id, &second.id] {
        assert!(rig.another(&[2; 32]).holder(id).await.unwrap().is_some());
    }
}

#[tokio::test]
async fn temporary_credentials_are_removed_when_they_are_over() {
    let rig = Rig::new();
    let (key, temporary) = (rig.issued(READING).await.id, rig.temporary().await.id);
    assert_eq!(rig.ring.remove_expired().await.unwrap(), 0);
    rig.clock.advance(MINUTE);
    assert!(!rig.ring.get(&temporary).await.unwrap().is_enabled);
    assert_eq!(rig.ring.remove_expired().await.unwrap(), 1);
    let left = rig.ring.list("", 9).await.unwrap();
    assert_eq!(left.into_iter().map(|it| it.id).collect::<Vec<_>>(), [key]);
}

#[tokio::test]
async fn the_use_of_a_key_is_noted_now_and_then() {
    let rig = Rig::new();
    let id = rig.issued(READING).await.id;
    let noted = async || {
        rig.ring.note_use(&id).await.unwrap();
        rig.ring.get(&id).await.unwrap().last_used
    };
    assert_eq!(noted().await, None, "nobody asked for it yet");
    assert!(rig.is_good(&id).await);
    let first = rig.clock.now();
    assert_eq!(noted().await, Some(first));
    rig.clock.advance(MINUTE);
    assert_eq!(noted().await, Some(first));
    rig.clock.advance(USE_STEP);
    assert_eq!(noted().await, Some(rig.clock.now()));
    assert!(
        rig.another(&SEALING_KEY)
            .holder(&id)
            .await
            .unwrap()
            .is_some()
    );
}

/// A store that cannot be used, or in which every id is taken.
struct Broken {
    is_full: bool,
}

#[async_trait]
impl AccessKeys for Broken {
    async fn put(&self, _key: &AccessKey, expected: u64) -> Result<u64, AccessKeysError> {
        assert_eq!(expected, NEW);
        Err(if self.is_full {
            AccessKeysError::Conflict
        } else {
            broken()
        })
    }

    async fn get(&self, _id: &str) -> Result<Option<StoredKey>, AccessKeysError> {
        Err(broken())
    }

    async fn list(&self, _after: &str, _limit: usize) -> Result<Vec<StoredKey>, AccessKeysError> {
        Err(broken())
    }

    async fn delete(&self, _id: &str, _expected: u64) -> Result<(), AccessKeysError> {
        Err(broken())
    }
}

fn broken() -> AccessKeysError {
    AccessKeysError::Unavailable {
        doing: "read".to_owned(),
        source: "no disk".into(),
    }
}

#[tokio::test]
async fn a_store_that_fails_is_no_unknown_key() {
    for is_full in [false, true] {
        let ring = Keyring::new(KeyringOptions {
            keys: Arc::new(Broken { is_full }),
            clock: Arc::new(ManualClock::new(Timestamp(0))),
            random: Arc::new(OsRandom),
            account: "1".to_owned(),
            sealing_key: SEALING_KEY,
        });
        assert!(ring.holder("PWKAAAAAAAAAAAAAAAAA").await.is_err());
        assert!(ring.list("", 1).await.is_err());
        let refused = ring.issue(issue(READING)).await.unwrap_err();
        assert_eq!(matches!(refused, KeyringError::NoFreeId), is_full);
        assert_eq!(matches!(refused, KeyringError::Store(_)), !is_full);
    }
}

#[test]
fn nothing_prints_a_secret() {
    let text = format!("{:?}", Sealer::new(&SEALING_KEY));
    assert_eq!(text, "Sealer(****)");
}
