//! The administrator's key, and the files with which the AWS CLI finds this server.
//!
//! `DATA/credentials` and `DATA/config` are in the AWS shared-file format, profile `pipewright`.

use std::{
    fs,
    io::{self, Write as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
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
        let (config, credentials) = (quoted(&self.config), quoted(&self.credentials));
        format!(
            "export AWS_CONFIG_FILE={config} AWS_SHARED_CREDENTIALS_FILE={credentials}\n\
             export AWS_PROFILE={PROFILE}\n"
        )
    }
}

/// A path as a shell reads it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+,:@%".contains(c);
    if text.chars().all(is_plain) {
        return text;
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// An address that can be asked: a server that listens everywhere is found on this machine.
pub fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        other => other,
    };
    SocketAddr::new(ip, address.port())
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
    let address = reachable(address);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_the_paths_as_they_are() {
        assert_eq!(
            quoted(Path::new("/home/ann/.pipewright/config")),
            "/home/ann/.pipewright/config"
        );
        assert_eq!(quoted(Path::new("/a b/it's")), r"'/a b/it'\''s'");
    }

    #[test]
    fn a_server_that_listens_everywhere_is_found_here() {
        let of = |text: &str| reachable(text.parse().expect("an address")).to_string();
        assert_eq!(of("0.0.0.0:80"), "127.0.0.1:80");
        assert_eq!(of("[::]:80"), "[::1]:80");
        assert_eq!(of("10.0.0.1:80"), "10.0.0.1:80");
    }
}
