//! The keys of a server, and the trail of what they were used for.

use std::{path::PathBuf, sync::Arc, time::Duration};

use embedded::{
    AccessKeyStore, AuditLog, MasterKey, MasterKeyError,
    audit::{self, AuditOptions},
};
use keyring::{Keyring, KeyringOptions};
use tokio::{sync::watch, time::sleep};

use super::log::{Level, Log};
use crate::{
    exit::Exit,
    failure::{Failure, chain},
    local::{Local, unfit},
};

/// How often what is over is removed.
const HOUSEKEEPING: Duration = Duration::from_hours(1);

/// What nobody else may have.
pub struct Secured {
    pub master: MasterKey,
    pub keyring: Arc<Keyring>,
    pub audit: AuditLog,
    data: PathBuf,
}

impl Secured {
    /// Opens them, or makes them on the first start.
    pub fn open(local: &Local) -> Result<Self, Failure> {
        let world = &local.world;
        let data = local.directory.path().display().to_string();
        let master =
            MasterKey::open(&local.directory, &*world.random).map_err(|error| keyless(&error))?;
        let options = AuditOptions {
            key: master.for_audit(),
            clock: Arc::clone(&world.clock),
            account: Arc::clone(&world.account),
            file_bytes_max: audit::FILE_BYTES_MAX,
        };
        let audit =
            AuditLog::open(&local.directory, options).map_err(|error| unfit(&error, &data))?;
        // After the trail: that their file is there tells it that it is not the first one.
        let keys = AccessKeyStore::open(&local.directory).map_err(|error| unfit(&error, &data))?;
        let keyring = Arc::new(Keyring::new(KeyringOptions {
            keys: Arc::new(keys),
            clock: Arc::clone(&world.clock),
            random: Arc::clone(&world.random),
            account: world.account.id.clone(),
            sealing_key: master.for_access_keys(),
        }));
        Ok(Self {
            master,
            keyring,
            audit,
            data: local.directory.path().to_owned(),
        })
    }

    /// Says what was found wrong when the trail was opened, and how its last file is: the whole of
    /// it may be too long to read at every start.
    pub fn report(&self, log: Log) {
        if self.audit.began_anew() {
            let message = "the audit trail begins anew although this server had been in use: what \
                           came before is gone";
            log.write(Level::Warning, message, []);
        }
        if let Some(recovery) = self.audit.recovery() {
            let text = format!("{recovery:?}");
            let message =
                "the audit trail was not as it should be; `pipewright audit verify` says more";
            log.write(Level::Warning, message, [("found", text.into())]);
        }
        let directory = audit::directory(&self.data);
        let found = audit::verify_last_file(&directory, &self.master.for_audit());
        match found.as_ref().map(|found| (found, found.wrong.first())) {
            Ok((found, None)) => {
                let records = ("records", found.records.into());
                log.write(
                    Level::Info,
                    "the last file of the audit trail is whole",
                    [records],
                );
            }
            Ok((_, Some(wrong))) => {
                let message = "the last file of the audit trail is not as it was written; \
                               `pipewright audit verify` says more";
                log.write(
                    Level::Warning,
                    message,
                    [("found", wrong.to_string().into())],
                );
            }
            Err(error) => {
                let message = "the last file of the audit trail cannot be verified";
                log.write(Level::Warning, message, [("why", chain(error).into())]);
            }
        }
    }
}

/// Why there is no master key; each message says what to do.
fn keyless(error: &MasterKeyError) -> Failure {
    let exit = match error {
        MasterKeyError::Lost { .. } => Exit::NotFound,
        MasterKeyError::Read { .. }
        | MasterKeyError::Write { .. }
        | MasterKeyError::Exposed { .. }
        | MasterKeyError::Malformed { .. } => Exit::Internal,
    };
    Failure::new(exit, chain(error))
}

/// Says when the trail cannot be written any more and why, and when it can be again; not for each
/// request that is refused meanwhile.
pub async fn tell_of_trouble(mut trouble: watch::Receiver<Option<String>>, log: Log) {
    let mut was_told = false;
    loop {
        let now = trouble.borrow_and_update().clone();
        let is_trouble = now.is_some();
        if let Some(why) = now {
            let message = "the audit trail cannot be written, so requests are refused";
            log.write(Level::Error, message, [("why", why.into())]);
        } else if was_told {
            log.write(Level::Info, "the audit trail can be written again", []);
        }
        was_told = is_trouble;
        if trouble.changed().await.is_err() {
            return;
        }
    }
}

/// Removes temporary credentials that are over, until it is dropped.
pub async fn remove_expired(keyring: Arc<Keyring>) {
    loop {
        // What cannot be removed now is good for nothing, and there the next time.
        let _ = keyring.remove_expired().await;
        sleep(HOUSEKEEPING).await;
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use embedded::{DataDir, OsRandom};

    use super::*;

    #[test]
    fn a_master_key_that_is_missing_or_none_is_no_defect_and_is_named() {
        let folder = tempfile::tempdir().expect("there is room");
        let data = DataDir::open(folder.path()).expect("nobody else has it");
        let failure = || {
            let error = MasterKey::open(&data, &OsRandom).expect_err("there is no key");
            let failure = keyless(&error);
            assert!(failure.to_string().contains("master.key"), "{failure}");
            failure.exit
        };
        fs::write(data.access_keys(), "").expect("there is room");
        assert_eq!(failure(), Exit::NotFound);
        fs::create_dir(data.master_key()).expect("there is room");
        assert_eq!(failure(), Exit::Internal);
    }
}
