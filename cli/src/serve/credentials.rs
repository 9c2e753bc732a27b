//! The administrator's key, and the files with which the AWS CLI finds this server.
//!
//! `DATA/credentials` and `DATA/config` are in the AWS shared-file format, profile `pipewright`.

use std::{
    fs,
    io::{self, Write as _},
    net::SocketAddr,
    path::{Path, PathBuf},
};

use crate::{exit::Exit, failure::Failure};
use keyring::{Issue, Keyring, KeyringError};

/// The profile in both files.
pub const PROFILE: &str = "pipewright";

/// Whoever may do everything.
const ADMINISTRATOR: &str = "administrator";
const EVERYTHING: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;

/// The files of one server.
pub struct Files {
    pub credentials: PathBuf,
    pub config: PathBuf,
}

impl Files {
    pub fn of(data: &Path) -> Self {
        Self {
            credentials: data.join("credentials"),
            config: data.join("config"),
        }
    }

    /// The lines that make the AWS CLI and every SDK use this server.
    pub fn exports(&self) -> String {
        let (config, credentials) = (self.config.display(), self.credentials.display());
        format!(
            "export AWS_CONFIG_FILE={config} AWS_SHARED_CREDENTIALS_FILE={credentials}\n\
             export AWS_PROFILE={PROFILE}\n"
        )
    }
}

/// Gives out the administrator's key on the first start, and writes where this server is each time.
pub async fn prepare(
    keyring: &Keyring,
    data: &Path,
    address: SocketAddr,
    region: &str,
) -> Result<Files, Failure> {
    let files = Files::of(data);
    let keys = keyring.list("", 1).await.map_err(|error| refused(&error))?;
    // The config is written last: without both files a crash ended the first start, and nobody was
    // ever told the secret of a key that may be there.
    let is_lost = !files.credentials.exists() && !files.config.exists();
    if keys.is_empty() || is_lost {
        let issue = Issue {
            user: ADMINISTRATOR.to_owned(),
            policies: vec![EVERYTHING.to_owned()],
            description: Some("made on the first start".to_owned()),
            lifetime: None,
        };
        let issued = keyring.issue(issue).await;
        let issued = issued.map_err(|error| refused(&error))?;
        let text = format!(
            "[{PROFILE}]\naws_access_key_id = {}\naws_secret_access_key = {}\n",
            issued.id,
            issued.secret.reveal()
        );
        write(&files.credentials, &text)?;
    }
    let text = format!(
        "[profile {PROFILE}]\nregion = {region}\nendpoint_url = http://{address}\n\
         s3 =\n    addressing_style = path\n    signature_version = s3v4\n"
    );
    write(&files.config, &text)?;
    Ok(files)
}

fn refused(error: &KeyringError) -> Failure {
    Failure::new(Exit::Internal, crate::failure::chain(error))
}

/// Writes a file that only its owner reads, whole or not at all.
fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let place = || -> io::Result<()> {
        let folder = path.parent().unwrap_or(Path::new("."));
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        // A temporary file is its owner's alone.
        file.persist(path).map_err(|error| error.error)?;
        fs::File::open(folder)?.sync_all()
    };
    place().map_err(|error| {
        let doing = format!("write {}", path.display());
        Failure::system(&doing, &error)
    })
}
