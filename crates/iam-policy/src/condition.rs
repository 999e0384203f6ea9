//! Conditions of a statement (IAM User Guide, "IAM JSON policy elements: Condition").

use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap as _, Serializer};

use crate::element::{self, Scalar};

/// One condition: an operator, a key, and the values that are compared with what the request has under that key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// The operator as it is written, with prefix and suffix: `StringEquals`, `ForAnyValue:StringLikeIfExists`, …
    pub operator: String,
    /// The condition key as it is written: `token.actions.githubusercontent.com:sub`, `aws:SourceIp`, …
    pub key: String,
    /// The values. One that matches is enough; under a negated operator none may match.
    pub values: Vec<String>,
}

/// The element `Condition`: keys under operators. All of them must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Conditions(pub(crate) Vec<Condition>);

impl Conditions {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'de> Deserialize<'de> for Conditions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Operators)
    }
}

struct Operators;

impl<'de> Visitor<'de> for Operators {
    type Value = Conditions;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("operators with keys and values")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Conditions, A::Error> {
        let mut conditions = Vec::<Condition>::new();
        let mut seen = Vec::new();
        while let Some(operator) = map.next_key::<String>()? {
            // IAM refuses a policy that says one thing twice: which of the two would hold?
            if seen.contains(&operator) {
                return Err(A::Error::custom(format_args!("duplicate operator `{operator}`")));
            }
            conditions.extend(map.next_value_seed(Keys(&operator))?);
            seen.push(operator);
        }
        Ok(Conditions(conditions))
    }
}

struct Keys<'a>(&'a str);

impl<'de> DeserializeSeed<'de> for Keys<'_> {
    type Value = Vec<Condition>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Vec<Condition>, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Keys<'_> {
    type Value = Vec<Condition>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("keys with values")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Vec<Condition>, A::Error> {
        let mut conditions = Vec::<Condition>::new();
        while let Some(key) = map.next_key::<String>()? {
            if conditions.iter().any(|condition| condition.key == key) {
                return Err(A::Error::custom(format_args!("duplicate key `{key}`")));
            }
            let values = map.next_value_seed(Values)?;
            conditions.push(Condition { operator: self.0.to_owned(), key, values });
        }
        Ok(conditions)
    }
}

struct Values;

impl<'de> DeserializeSeed<'de> for Values {
    type Value = Vec<String>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Vec<String>, D::Error> {
        Ok(element::read_list::<Scalar, D>(deserializer)?.into_iter().map(|value| value.0).collect())
    }
}

impl Serialize for Conditions {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut operators: Vec<&str> = Vec::new();
        for condition in &self.0 {
            if !operators.contains(&&*condition.operator) {
                operators.push(&condition.operator);
            }
        }
        let mut map = serializer.serialize_map(Some(operators.len()))?;
        for operator in operators {
            map.serialize_entry(operator, &Under(operator, &self.0))?;
        }
        map.end()
    }
}

/// The keys under one operator.
struct Under<'a>(&'a str, &'a [Condition]);

impl Serialize for Under<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for condition in self.1.iter().filter(|condition| condition.operator == self.0) {
            map.serialize_entry(&condition.key, &OneOrMany(&condition.values))?;
        }
        map.end()
    }
}

struct OneOrMany<'a>(&'a [String]);

impl Serialize for OneOrMany<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        element::write_list(self.0, serializer)
    }
}
