//! What `pipewright serve` takes.

use std::{
    net::{SocketAddr, ToSocketAddrs as _},
    path::PathBuf,
    time::Duration,
};

use clap::{Args, ValueEnum, ValueHint};

use super::{Runner, assignment, duration};

#[derive(Clone, Debug, Args)]
pub struct ServeArgs {
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7780", value_parser = address)]
    pub listen: SocketAddr,

    /// Where the state is kept
    #[arg(
        long,
        value_name = "DIR",
        default_value = crate::state::DEFAULT_DIRECTORY,
        value_hint = ValueHint::DirPath
    )]
    pub data: PathBuf,

    /// The address under which others reach this server, for links in messages
    #[arg(long, value_name = "URL", value_parser = base_url)]
    pub base_url: Option<String>,

    /// Listen beyond this machine without encryption: only behind a proxy that has it
    #[arg(long)]
    pub plain_http: bool,

    /// A git repository by the name that source actions use; may be repeated
    #[arg(long = "repository", value_name = "NAME=PATH", value_parser = assignment)]
    pub repositories: Vec<(String, String)>,

    /// The file with the values of secrets
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub secrets: Option<PathBuf>,

    /// Who is told what: rules for webhooks, e-mail and commands
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub notifications: Option<PathBuf>,

    /// How builds are kept apart from this machine; `process` is not at all, and must be asked for
    #[arg(long, value_enum, default_value_t, value_name = "ISOLATION")]
    pub runner: Runner,

    /// How long running builds get to end when the server is stopped
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "20s")]
    pub grace: Duration,

    /// How often sources are looked at
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "10s")]
    pub poll: Duration,

    /// How the log is written
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub log: LogFormat,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    #[default]
    Text,
    Json,
}

/// An address with a port; a name is looked up, and its first address taken.
fn address(text: &str) -> Result<SocketAddr, String> {
    let found = text.to_socket_addrs().ok().and_then(|mut all| all.next());
    found.ok_or_else(|| "expected an address and a port, like 127.0.0.1:7780".to_owned())
}

/// `https://ci.example.org`: where a server is, and nothing behind it.
fn base_url(text: &str) -> Result<String, String> {
    let wrong = || "expected something like https://ci.example.org, without a path".to_owned();
    let uri: http::Uri = text.parse().map_err(|_| wrong())?;
    let is_web = matches!(uri.scheme_str(), Some("http" | "https"));
    let is_bare = uri.path() == "/" && uri.query().is_none() && !text.contains('#');
    let host = uri.authority().filter(|host| !host.as_str().contains('@'));
    match (host, is_web && is_bare) {
        (Some(_), true) => Ok(text.trim_end_matches('/').to_owned()),
        _ => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_may_be_a_name_and_has_a_port() {
        let port = |text| address(text).map(|address| address.port()).ok();
        assert_eq!(port("localhost:7780"), Some(7780));
        assert_eq!(port("[::1]:0"), Some(0));
        assert_eq!(port("7780"), None);
        assert_eq!(port("localhost"), None);
    }

    #[test]
    fn a_base_url_is_a_place_and_no_path() {
        let read = |text| base_url(text).ok();
        assert_eq!(
            read("https://ci.example.org").as_deref(),
            Some("https://ci.example.org")
        );
        assert_eq!(
            read("http://10.0.0.1:80/").as_deref(),
            Some("http://10.0.0.1:80")
        );
        for wrong in [
            "ci.example.org",
            "ftp://a",
            "https://a/b",
            "https://a?b",
            "https://a#b",
            "https://u@a",
            "",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
