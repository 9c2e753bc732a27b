//! One item: its attributes, and how a value becomes one.

use std::{
    collections::HashMap,
    fmt::Display,
    io::{Read, Write as _},
};

use aws_sdk_dynamodb::{primitives::Blob, types::AttributeValue};
use flate2::{Compression, read::ZlibDecoder, write::ZlibEncoder};
use ports::StoreError;
use serde::{Serialize, de::DeserializeOwned};

use crate::keys::{AT, EXPIRES, Key, PK, SK, WORK, Work};

/// From this size on JSON is deflated: a write unit is 1 KB, and below it nothing would be saved.
const DEFLATED_FROM: usize = 1_000;

/// The most bytes that a deflated value inflates to. Ours are far below; a damaged one may claim more.
const INFLATED_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// An item of the table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Item {
    attributes: HashMap<String, AttributeValue>,
}

impl Item {
    pub fn new(key: Key) -> Self {
        Self::default().text(PK, key.pk).text(SK, key.sk)
    }

    pub(super) fn of(attributes: HashMap<String, AttributeValue>) -> Self {
        Self { attributes }
    }

    pub(crate) fn into_attributes(self) -> HashMap<String, AttributeValue> {
        self.attributes
    }

    /// The same item at another place.
    #[must_use]
    pub fn at(self, key: Key) -> Self {
        self.text(PK, key.pk).text(SK, key.sk)
    }

    #[must_use]
    pub fn with(mut self, name: &str, value: AttributeValue) -> Self {
        self.attributes.insert(name.to_owned(), value);
        self
    }

    /// With a text; DynamoDB takes an empty one for everything but keys.
    #[must_use]
    pub fn text(self, name: &str, text: impl Into<String>) -> Self {
        self.with(name, AttributeValue::S(text.into()))
    }

    /// With a set of texts; DynamoDB has no empty set, so an empty one is absent.
    #[must_use]
    pub fn texts(self, name: &str, texts: Vec<String>) -> Self {
        if texts.is_empty() {
            return self;
        }
        self.with(name, AttributeValue::Ss(texts))
    }

    #[must_use]
    pub fn number(self, name: &str, number: u64) -> Self {
        self.with(name, AttributeValue::N(number.to_string()))
    }

    #[must_use]
    pub fn blob(self, name: &str, bytes: Vec<u8>) -> Self {
        self.with(name, AttributeValue::B(Blob::new(bytes)))
    }

    /// With a place in the index of what is to be done.
    #[must_use]
    pub fn work(self, work: Work, shard: u64, at: impl Into<String>) -> Self {
        self.text(WORK, work.shard(shard)).text(AT, at)
    }

    /// With the time, in seconds since 1970, from which on DynamoDB may remove it.
    #[must_use]
    pub fn expires(self, seconds: u64) -> Self {
        self.number(EXPIRES, seconds)
    }

    /// With a value as JSON. `what` names it in errors: `execution 7…`.
    ///
    /// [`StoreError::TooLarge`] when the JSON has more than `limit` bytes, deflated or not, so that
    /// what is refused does not depend on how well it deflates.
    pub fn json<T: Serialize + ?Sized>(
        self,
        name: &str,
        value: &T,
        what: impl Fn() -> String,
        limit: usize,
    ) -> Result<Self, StoreError> {
        Ok(self.with(name, encoded(value, what, limit)?))
    }

    pub fn has(&self, name: &str) -> bool {
        self.attributes.contains_key(name)
    }

    pub fn get(&self, name: &str) -> Option<&AttributeValue> {
        self.attributes.get(name)
    }

    pub fn get_text(&self, name: &str) -> Result<&str, StoreError> {
        let text = self.attributes.get(name).and_then(|it| it.as_s().ok());
        text.map(String::as_str)
            .ok_or_else(|| self.corrupt(format!("it has no text `{name}`")))
    }

    pub fn get_number(&self, name: &str) -> Result<u64, StoreError> {
        let number = self.attributes.get(name).and_then(|it| it.as_n().ok());
        number
            .and_then(|number| number.parse().ok())
            .ok_or_else(|| self.corrupt(format!("it has no number `{name}`")))
    }

    pub fn get_blob(&self, name: &str) -> Result<&[u8], StoreError> {
        let bytes = self.attributes.get(name).and_then(|it| it.as_b().ok());
        bytes
            .map(Blob::as_ref)
            .ok_or_else(|| self.corrupt(format!("it has no bytes `{name}`")))
    }

    /// The value that was written as JSON.
    pub fn get_json<T: DeserializeOwned>(&self, name: &str) -> Result<T, StoreError> {
        let value = self.find_json(name)?;
        value.ok_or_else(|| self.corrupt(format!("it has no `{name}`")))
    }

    /// The value that was written as JSON, if there is one.
    pub fn find_json<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, StoreError> {
        let decoded = match self.attributes.get(name) {
            None => return Ok(None),
            Some(AttributeValue::S(json)) => serde_json::from_str(json).map_err(|e| e.to_string()),
            Some(AttributeValue::B(bytes)) => inflated(bytes.as_ref())
                .map_err(|error| error.to_string())
                .and_then(|json| serde_json::from_slice(&json).map_err(|e| e.to_string())),
            Some(_) => Err("its type is another one".to_owned()),
        };
        decoded
            .map(Some)
            .map_err(|why| self.corrupt(format!("`{name}`: {why}")))
    }

    /// The item's place; every item that was read has one.
    pub fn key(&self) -> Key {
        let part = |name: &str| self.get_text(name).unwrap_or_default().to_owned();
        Key::new(part(PK), part(SK))
    }

    /// The error of an item that cannot be understood.
    pub fn corrupt(&self, why: impl Display) -> StoreError {
        let key = self.key();
        StoreError::Corrupt {
            what: format!("item `{}` `{}`", key.pk, key.sk),
            why: why.to_string(),
        }
    }

    /// How many bytes DynamoDB counts for it, or a few more.
    pub fn bytes(&self) -> usize {
        let each = self.attributes.iter();
        each.map(|(name, value)| name.len() + bytes_of(value)).sum()
    }
}

/// How many bytes DynamoDB counts for a value, or a few more.
pub fn bytes_of(value: &AttributeValue) -> usize {
    match value {
        AttributeValue::S(text) => text.len(),
        AttributeValue::Ss(texts) => texts.iter().map(String::len).sum(),
        // Two digits a byte, one for the exponent and one for the sign.
        AttributeValue::N(digits) => digits.len() / 2 + 3,
        AttributeValue::B(bytes) => bytes.as_ref().len(),
        _ => 1,
    }
}

/// JSON as an attribute: text that people can read in the console while it is short, deflated from
/// then on where that makes it smaller.
pub(crate) fn encoded<T: Serialize + ?Sized>(
    value: &T,
    what: impl Fn() -> String,
    limit: usize,
) -> Result<AttributeValue, StoreError> {
    let corrupt = |why: String| StoreError::Corrupt { what: what(), why };
    let json = serde_json::to_string(value).map_err(|error| corrupt(error.to_string()))?;
    if json.len() > limit {
        return Err(StoreError::TooLarge {
            what: what(),
            bytes: json.len(),
            limit,
        });
    }
    if json.len() < DEFLATED_FROM {
        return Ok(AttributeValue::S(json));
    }
    let deflated = deflated(json.as_bytes()).map_err(|error| corrupt(error.to_string()))?;
    Ok(if deflated.len() < json.len() {
        AttributeValue::B(Blob::new(deflated))
    } else {
        AttributeValue::S(json)
    })
}

fn deflated(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes)?;
    encoder.finish()
}

fn inflated(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut inflated = Vec::new();
    ZlibDecoder::new(bytes)
        .take(INFLATED_BYTES_MAX)
        .read_to_end(&mut inflated)?;
    Ok(inflated)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of<T: Serialize + ?Sized>(value: &T) -> Item {
        let item = Item::new(Key::new("p", "s"));
        item.json("body", value, || "value".to_owned(), 1 << 20)
            .expect("it fits")
    }

    #[test]
    fn json_is_read_as_it_was_written_long_or_short() {
        for text in ["short".to_owned(), "long".repeat(9_000)] {
            let item = of(&text);
            assert_eq!(item.get_json::<String>("body").unwrap(), text);
            assert!(item.bytes() < 1_000, "{}", item.bytes());
        }
        assert!(
            of("short").get("body").unwrap().is_s(),
            "people can read it"
        );
    }

    #[test]
    fn what_is_too_large_is_refused_by_name_however_well_it_deflates() {
        let item = Item::new(Key::new("p", "s"));
        let error = item.json("body", &"x".repeat(2_000), || "value".to_owned(), 1_999);
        let error = error.unwrap_err().to_string();
        assert_eq!(error, "value takes 2002 bytes, and the most is 1999");
    }

    #[test]
    fn what_cannot_be_read_says_where_it_is() {
        let item = Item::new(Key::new("p", "s"))
            .text("cut", "{\"a\":")
            .blob("noise", vec![1, 2, 3])
            .text("word", "seven");
        for name in ["cut", "noise"] {
            let error = item.get_json::<Vec<u8>>(name).unwrap_err().to_string();
            assert!(error.contains("item `p` `s` cannot be read"), "{error}");
        }
        assert!(item.get_number("word").is_err());
        assert!(item.get_text("absent").is_err());
        assert!(item.get_blob("word").is_err());
        assert!(item.get_json::<u8>("absent").is_err());
        assert_eq!(item.find_json::<u8>("absent").unwrap(), None);
    }
}
