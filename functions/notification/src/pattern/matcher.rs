//! What one entry in a pattern's list accepts.

use std::{cmp::Ordering, net::IpAddr};

use serde_json::{Number, Value};

#[derive(Clone, Debug)]
pub(super) enum Matcher {
    /// Exactly this value, which is neither object nor list.
    Is(Value),
    Exists(bool),
    Text(TextTest),
    /// Any value that is there and that none of these accepts.
    AnythingBut(Vec<Self>),
    Numeric(Vec<(Comparison, f64)>),
    Cidr(Cidr),
}

#[derive(Clone, Debug)]
pub(super) enum TextTest {
    Prefix(String),
    Suffix(String),
    /// These three hold their text folded.
    PrefixIgnoreCase(String),
    SuffixIgnoreCase(String),
    EqualsIgnoreCase(String),
    /// The texts between the stars.
    Wildcard(Vec<String>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// A range of addresses.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cidr {
    pub(super) address: IpAddr,
    /// How many of its bits count.
    pub(super) bits: u32,
}

impl Matcher {
    /// Whether a value is acceptable; `None` where there is none.
    pub(super) fn accepts(&self, value: Option<&Value>) -> bool {
        let Some(value) = value else {
            return matches!(self, Self::Exists(false));
        };
        match self {
            Self::Is(Value::Number(wanted)) => value.as_number().is_some_and(|n| same(wanted, n)),
            Self::Is(wanted) => wanted == value,
            Self::Exists(exists) => *exists,
            Self::Text(test) => value.as_str().is_some_and(|text| test.accepts(text)),
            Self::AnythingBut(these) => !these.iter().any(|one| one.accepts(Some(value))),
            Self::Numeric(comparisons) => value.as_number().is_some_and(|number| {
                comparisons
                    .iter()
                    .all(|(comparison, than)| comparison.holds(number, *than))
            }),
            Self::Cidr(range) => {
                let address = value.as_str().and_then(|text| text.parse().ok());
                address.is_some_and(|address| range.contains(address))
            }
        }
    }
}

/// Whether two numbers have the same value; whole ones to the last digit.
fn same(one: &Number, other: &Number) -> bool {
    one == other || ((one.is_f64() || other.is_f64()) && compare(one, other.as_f64()).is_eq())
}

/// Like `Ordering`, for numbers of which one may not be a number.
struct Compared(Option<Ordering>);

impl Compared {
    fn is_eq(&self) -> bool {
        self.0 == Some(Ordering::Equal)
    }
}

fn compare(one: &Number, other: Option<f64>) -> Compared {
    Compared(one.as_f64().and_then(|one| one.partial_cmp(&other?)))
}

impl Comparison {
    fn holds(self, number: &Number, than: f64) -> bool {
        let Some(order) = compare(number, Some(than)).0 else {
            return false;
        };
        match self {
            Self::Equal => order.is_eq(),
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
        }
    }
}

impl TextTest {
    fn accepts(&self, text: &str) -> bool {
        match self {
            Self::Prefix(prefix) => text.starts_with(prefix),
            Self::Suffix(suffix) => text.ends_with(suffix),
            Self::PrefixIgnoreCase(prefix) => fold(text).starts_with(prefix),
            Self::SuffixIgnoreCase(suffix) => fold(text).ends_with(suffix),
            Self::EqualsIgnoreCase(whole) => fold(text) == *whole,
            Self::Wildcard(parts) => is_like(text, parts),
        }
    }
}

/// The text without the difference between upper and lower case.
pub(super) fn fold(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).collect()
}

/// Whether the parts stand in the text in this order, the first at its start and the last at its
/// end. Taking each at its first place is enough: what is between them may be anything.
fn is_like(text: &str, parts: &[String]) -> bool {
    let [first, middle @ .., last] = parts else {
        return parts.first().is_some_and(|only| only == text);
    };
    let Some(mut rest) = text.strip_prefix(first.as_str()) else {
        return false;
    };
    for part in middle {
        let Some(at) = rest.find(part.as_str()) else {
            return false;
        };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last.as_str())
}

impl Cidr {
    fn contains(self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let differs = network.to_bits() ^ address.to_bits();
                differs.leading_zeros() >= self.bits
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let differs = network.to_bits() ^ address.to_bits();
                differs.leading_zeros() >= self.bits
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}
