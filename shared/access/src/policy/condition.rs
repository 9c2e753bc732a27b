//! Conditions: what else must be true of a request.

use std::{collections::BTreeMap, net::IpAddr};

use jiff::Timestamp as Instant;

use super::matches;

/// One operator over one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    pub quantifier: Quantifier,
    /// It holds, too, for a request that does not have the key.
    pub if_exists: bool,
    /// The key, in lower case: `aws:sourceip`.
    pub key: String,
    pub operator: Operator,
}

/// How the values of a key with many are taken together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantifier {
    /// `ForAnyValue:`, and what is meant without a word.
    Any,
    /// `ForAllValues:`
    All,
}

/// What a value is compared with; any one of those given is enough.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operator {
    StringEquals(Vec<String>),
    StringNotEquals(Vec<String>),
    StringEqualsIgnoreCase(Vec<String>),
    StringLike(Vec<String>),
    StringNotLike(Vec<String>),
    Bool(bool),
    IpAddress(Vec<Network>),
    NotIpAddress(Vec<Network>),
    DateLessThan(Instant),
    DateGreaterThan(Instant),
    /// Whether the key must be absent.
    Null(bool),
}

/// Addresses with the same beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    pub address: IpAddr,
    pub bits: u8,
}

impl Condition {
    /// Whether it holds; none when that cannot be told.
    pub(super) fn holds(&self, context: &BTreeMap<String, Vec<String>>) -> Option<bool> {
        let values = context.get(&self.key).map_or(&[][..], Vec::as_slice);
        if let Operator::Null(absent) = self.operator {
            return Some(values.is_empty() == absent);
        }
        if values.is_empty() {
            return match (self.if_exists, self.quantifier) {
                // ForAllValues is true of no values, as IAM has it.
                (true, _) | (_, Quantifier::All) => Some(true),
                (false, Quantifier::Any) if self.operator.is_negative() => Some(true),
                (false, Quantifier::Any) => Some(false),
            };
        }
        let mut outcomes = values.iter().map(|value| self.operator.holds(value));
        match self.quantifier {
            // A negative operator must hold for every value: one that matches is enough against it.
            Quantifier::Any if !self.operator.is_negative() => any(&mut outcomes),
            Quantifier::Any | Quantifier::All => all(&mut outcomes),
        }
    }
}

/// Like `Iterator::any`, where one that cannot be told leaves the whole in doubt unless another holds.
fn any(outcomes: &mut dyn Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut result = Some(false);
    for outcome in outcomes {
        match outcome {
            Some(true) => return Some(true),
            Some(false) => {}
            None => result = None,
        }
    }
    result
}

fn all(outcomes: &mut dyn Iterator<Item = Option<bool>>) -> Option<bool> {
    any(&mut outcomes.map(|outcome| outcome.map(|holds| !holds))).map(|fails| !fails)
}

impl Operator {
    fn is_negative(&self) -> bool {
        match self {
            Self::StringNotEquals(_) | Self::StringNotLike(_) | Self::NotIpAddress(_) => true,
            Self::StringEquals(_)
            | Self::StringEqualsIgnoreCase(_)
            | Self::StringLike(_)
            | Self::Bool(_)
            | Self::IpAddress(_)
            | Self::DateLessThan(_)
            | Self::DateGreaterThan(_)
            | Self::Null(_) => false,
        }
    }

    fn holds(&self, value: &str) -> Option<bool> {
        let is_one = |given: &[String]| given.iter().any(|given| given == value);
        let is_like = |given: &[String]| given.iter().any(|given| matches(given, value));
        let is_within = |networks: &[Network]| {
            let address: IpAddr = value.parse().ok()?;
            Some(networks.iter().any(|network| network.contains(address)))
        };
        match self {
            Self::StringEquals(given) => Some(is_one(given)),
            Self::StringNotEquals(given) => Some(!is_one(given)),
            Self::StringEqualsIgnoreCase(given) => Some(
                given
                    .iter()
                    .any(|given| given.to_lowercase() == value.to_lowercase()),
            ),
            Self::StringLike(given) => Some(is_like(given)),
            Self::StringNotLike(given) => Some(!is_like(given)),
            Self::Bool(wanted) => boolean(value).map(|value| value == *wanted),
            Self::IpAddress(networks) => is_within(networks),
            Self::NotIpAddress(networks) => is_within(networks).map(|within| !within),
            Self::DateLessThan(then) => value.parse().ok().map(|at: Instant| at < *then),
            Self::DateGreaterThan(then) => value.parse().ok().map(|at: Instant| at > *then),
            Self::Null(absent) => Some(!absent),
        }
    }
}

pub(super) fn boolean(text: &str) -> Option<bool> {
    match text {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

impl Network {
    /// Reads `10.0.0.0/8`, or one address.
    pub(super) fn read(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Some(most), |bits| bits.parse().ok())?;
        (bits <= most).then_some(Self { address, bits })
    }

    fn contains(&self, address: IpAddr) -> bool {
        // An IPv4 client of an IPv6 listener comes as `::ffff:a.b.c.d`.
        let number = |address: IpAddr| match address.to_canonical() {
            IpAddr::V4(v4) => (u128::from(v4.to_bits()) << 96, true),
            IpAddr::V6(v6) => (v6.to_bits(), false),
        };
        let ((ours, is_v4), (theirs, theirs_v4)) = (number(self.address), number(address));
        let differing = (ours ^ theirs).leading_zeros();
        is_v4 == theirs_v4 && (self.bits == 0 || differing >= u32::from(self.bits))
    }
}
