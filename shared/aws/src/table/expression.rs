//! Writes in the words of DynamoDB.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;

use super::{Condition, Write, write::What};
use crate::keys::{Key, PK, SK};

type Attributes = HashMap<String, AttributeValue>;

pub(super) fn attributes(key: Key) -> Attributes {
    let of = |name: &str, value| (name.to_owned(), AttributeValue::S(value));
    HashMap::from([of(PK, key.pk), of(SK, key.sk)])
}

/// A write in the words of DynamoDB.
pub(super) struct Expressed {
    pub(super) item: Option<Attributes>,
    pub(super) key: Option<Attributes>,
    pub(super) update: Option<String>,
    pub(super) condition: Option<String>,
    pub(super) names: Option<HashMap<String, String>>,
    pub(super) values: Option<Attributes>,
}

/// Names and values that an expression refers to; so no name can be a reserved word.
#[derive(Default)]
struct Names {
    names: HashMap<String, String>,
    values: Attributes,
}

impl Names {
    fn name(&mut self, name: &str) -> String {
        let short = format!("#{name}");
        self.names.insert(short.clone(), name.to_owned());
        short
    }

    fn value(&mut self, value: AttributeValue) -> String {
        let short = format!(":v{}", self.values.len());
        self.values.insert(short.clone(), value);
        short
    }

    fn equals(&mut self, name: &str, value: AttributeValue) -> String {
        let short = self.value(value);
        format!("{} = {short}", self.name(name))
    }

    fn condition(&mut self, condition: Condition) -> Option<String> {
        Some(match condition {
            Condition::Any => return None,
            Condition::Absent => format!("attribute_not_exists({})", self.name(PK)),
            Condition::Has(name) => format!("attribute_exists({})", self.name(name)),
            Condition::Equals(values) => {
                let each = values.into_iter().map(|(n, v)| self.equals(n, v));
                each.collect::<Vec<_>>().join(" AND ")
            }
            Condition::AbsentOrNot(name, value) => {
                let equals = self.equals(name, value);
                format!("attribute_not_exists({}) OR NOT {equals}", self.name(PK))
            }
            Condition::AbsentOrBelow(name, number) => {
                let short = self.value(AttributeValue::N(number.to_string()));
                let (absent, below) = (self.name(PK), self.name(name));
                format!("attribute_not_exists({absent}) OR {below} < {short}")
            }
        })
    }
}

impl Write {
    pub(super) fn expressed(self) -> Expressed {
        let mut names = Names::default();
        let condition = names.condition(self.condition);
        let (mut update, mut item, mut key) = (String::new(), None, None);
        match self.what {
            What::Put(put) => item = Some(put.into_attributes()),
            What::Delete(deleted) => key = Some(deleted),
            What::Update {
                key: updated,
                set,
                remove,
            } => {
                key = Some(updated);
                let set: Vec<_> = set.into_iter().map(|(n, v)| names.equals(n, v)).collect();
                let remove: Vec<_> = remove.into_iter().map(|name| names.name(name)).collect();
                for (verb, clauses) in [("SET", set), ("REMOVE", remove)] {
                    if !clauses.is_empty() {
                        update = format!("{update} {verb} {}", clauses.join(", "));
                    }
                }
            }
        }
        Expressed {
            item,
            key: key.map(attributes),
            update: (!update.is_empty()).then(|| update.trim_start().to_owned()),
            condition,
            names: (!names.names.is_empty()).then_some(names.names),
            values: (!names.values.is_empty()).then_some(names.values),
        }
    }
}
