//! Which addresses are connected to (RELIABILITY S19).
//!
//! A name is looked up once, every address that it has is checked, and the connection goes to one
//! of those: a second answer of the name server is never asked for. Addresses that tell machines in
//! clouds their credentials are refused whatever the configuration says.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use thiserror::Error;
use ureq::{
    config::Config,
    http::Uri,
    unversioned::{
        resolver::{ResolvedSocketAddrs, Resolver},
        transport::NextTimeout,
    },
};

/// Why an address is not connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum Forbidden {
    #[error("{0} is where machines are told about themselves, and is never connected to")]
    Metadata(IpAddr),
    #[error("{0} is no address of a machine")]
    NoMachine(IpAddr),
    #[error("{0} is on this machine or in a private network, and `allow_private` is not set")]
    Private(IpAddr),
}

/// Whether the address may be connected to.
pub(crate) fn check(address: IpAddr, allow_private: bool) -> Result<(), Forbidden> {
    let inner = unwrapped(address);
    if is_metadata(inner) {
        return Err(Forbidden::Metadata(address));
    }
    let is_nothing = match inner {
        IpAddr::V4(v4) => v4.octets()[0] == 0 || v4.is_broadcast(),
        IpAddr::V6(v6) => v6.is_unspecified(),
    };
    if is_nothing || inner.is_multicast() {
        return Err(Forbidden::NoMachine(address));
    }
    if !allow_private && !is_public(inner) {
        return Err(Forbidden::Private(address));
    }
    Ok(())
}

/// The IPv4 address inside an IPv6 address of one of the ways to write one in the other: mapped,
/// compatible, NAT64, 6to4.
fn unwrapped(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else {
        return address;
    };
    let bits = v6.to_bits();
    let [low, of_6to4] = [bits, bits >> 80].map(|bits| {
        let [.., a, b, c, d] = bits.to_be_bytes();
        IpAddr::V4(Ipv4Addr::new(a, b, c, d))
    });
    match v6.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => address,
        [0, 0, 0, 0, 0, 0 | 0xffff, ..]
        | [0, 0, 0, 0, 0xffff, 0, ..]
        | [0x64, 0xff9b, 0, 0, 0, 0, ..] => low,
        [0x2002, ..] => of_6to4,
        _ => address,
    }
}

/// The addresses under which clouds tell machines about themselves.
fn is_metadata(address: IpAddr) -> bool {
    /// Alibaba's, Azure's and Oracle's; everybody else's is link-local.
    const V4: [Ipv4Addr; 3] = [
        Ipv4Addr::new(100, 100, 100, 200),
        Ipv4Addr::new(168, 63, 129, 16),
        Ipv4Addr::new(192, 0, 0, 192),
    ];
    match address {
        IpAddr::V4(v4) => v4.is_link_local() || V4.contains(&v4),
        // fd00:ec2::254 and its neighbours are AWS's, fd20:ce::254 is Google's.
        IpAddr::V6(v6) => match v6.segments() {
            [0xfd00, 0xec2, ..] | [0xfd20, 0xce, ..] => true,
            [first, ..] => first & 0xffc0 == 0xfe80,
        },
    }
}

/// Whether the address belongs to the Internet at large.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v4(v4: Ipv4Addr) -> bool {
    let [a, b, c, _] = v4.octets();
    let is_shared = a == 100 && (64..128).contains(&b);
    let is_protocol = a == 192 && b == 0 && c == 0;
    let is_benchmark = a == 198 && (18..20).contains(&b);
    !(v4.is_private()
        || v4.is_loopback()
        || v4.is_documentation()
        || is_shared
        || is_protocol
        || is_benchmark
        || a >= 240)
}

/// What was given out so far is in `2000::/3`.
fn is_public_v6(v6: Ipv6Addr) -> bool {
    match v6.segments() {
        // Teredo tunnels lead elsewhere; 2001:db8::/32 is for documentation.
        [0x2001, 0 | 0xdb8, ..] => false,
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

/// Looks names up, and refuses those with any address that is not connected to.
#[derive(Debug)]
pub(crate) struct Checked<R> {
    pub(crate) names: R,
    pub(crate) allow_private: bool,
}

impl<R: Resolver> Resolver for Checked<R> {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let found = self.names.resolve(uri, config, timeout)?;
        for address in &found {
            check(address.ip(), self.allow_private)
                .map_err(|forbidden| ureq::Error::Other(Box::new(forbidden)))?;
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(address: &str, allow_private: bool) -> &'static str {
        match check(address.parse().expect(address), allow_private) {
            Ok(()) => "ok",
            Err(Forbidden::Metadata(_)) => "metadata",
            Err(Forbidden::NoMachine(_)) => "nothing",
            Err(Forbidden::Private(_)) => "private",
        }
    }

    #[test]
    fn metadata_is_never_connected_to_however_it_is_written() {
        for address in [
            "169.254.169.254",
            "169.254.170.2",
            "169.254.0.1",
            "::ffff:169.254.169.254",
            "::ffff:0:169.254.169.254",
            "::169.254.169.254",
            "64:ff9b::169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "2002:a9fe:a9fe::1",
            "fe80::1",
            "febf::1",
            "fd00:ec2::254",
            "fd20:ce::254",
            "100.100.100.200",
            "168.63.129.16",
            "192.0.0.192",
        ] {
            assert_eq!(verdict(address, true), "metadata", "{address}");
            assert_eq!(verdict(address, false), "metadata", "{address}");
        }
    }

    #[test]
    fn private_addresses_need_the_word() {
        for address in [
            "127.0.0.1",
            "127.255.0.1",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "100.64.0.1",
            "198.18.0.1",
            "192.0.2.1",
            "240.0.0.1",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.1.2.3",
            "64:ff9b::10.0.0.1",
            "2002:7f00:1::",
            "fc00::1",
            "fdff::1",
            "fec0::1",
            "2001:db8::1",
            "2001::1",
            "64:ff9b:1::1",
            "100::1",
        ] {
            assert_eq!(verdict(address, false), "private", "{address}");
            assert_eq!(verdict(address, true), "ok", "{address}");
        }
    }

    #[test]
    fn what_is_no_machine_is_refused_and_the_internet_is_not() {
        for address in [
            "0.0.0.0",
            "0.1.2.3",
            "255.255.255.255",
            "224.0.0.1",
            "::",
            "ff02::1",
            "::ffff:0.0.0.0",
        ] {
            assert_eq!(verdict(address, true), "nothing", "{address}");
        }
        for address in [
            "1.1.1.1",
            "172.32.0.1",
            "100.128.0.1",
            "192.0.1.1",
            "223.255.255.255",
            "2606:4700::1111",
            "2002:101:101::1",
            "64:ff9b::8.8.8.8",
        ] {
            assert_eq!(verdict(address, false), "ok", "{address}");
        }
    }
}
