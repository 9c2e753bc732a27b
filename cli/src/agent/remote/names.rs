//! How names of machines become addresses.

use std::net::{Ipv4Addr, SocketAddr};

use ureq::{
    config::Config,
    http::Uri,
    unversioned::{
        resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver},
        transport::NextTimeout,
    },
};

/// As the system looks them up, but for those below `localhost`: they are this machine (RFC 6761),
/// which not every system knows.
#[derive(Debug, Default)]
pub(super) struct Names(DefaultResolver);

impl Resolver for Names {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        if uri.host().is_none_or(|host| !is_here(host)) {
            return self.0.resolve(uri, config, timeout);
        }
        let port = uri.port_u16().unwrap_or(80);
        let mut addresses = self.empty();
        addresses.push(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        Ok(addresses)
    }
}

/// Whether the name is below `localhost`.
pub(super) fn is_here(host: &str) -> bool {
    host.to_ascii_lowercase().ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_below_localhost_are_here() {
        assert!(is_here("abc.execute-api.LOCALHOST"));
        for host in [
            "localhost.example.org",
            "localhost",
            "notlocalhost",
            "10.0.0.1",
        ] {
            assert!(!is_here(host), "{host}");
        }
    }
}
