//! JSON with one reading: each way to read a document comes to the same, and so does another reader.

use std::collections::BTreeMap;
use std::io::BufReader;

use serde::Deserialize;
use serde_json::Value;

use super::go::Node;
use super::input::can_be_shown;
use crate::document::{self, Error};

/// A document with one of each kind of thing.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sample {
    digest: Option<String>,
    media_type: Option<String>,
    size: Option<u64>,
    kind: Option<Kind>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    parts: Vec<Sample>,
    next: Option<Box<Sample>>,
}

#[derive(Debug, PartialEq, Deserialize)]
enum Kind {
    Plain,
    Named { kind: String },
    One(Box<Sample>),
}

/// Reads a document, whatever it is and as a type.
pub fn json(bytes: &[u8]) {
    read_in_each_way::<Value>(bytes);
    if let Some(sample) = read_in_each_way::<Sample>(bytes) {
        let node = other_reading(bytes);
        for (field, ours) in [("digest", &sample.digest), ("mediaType", &sample.media_type)] {
            assert_eq!(node.field(field).and_then(Node::text), ours.as_deref(), "{field}");
        }
        assert_eq!(node.field("parts").map_or(0, |parts| parts.elements().len()), sample.parts.len());
    }
    let Ok(read) = document::read::<Value>(bytes) else { return };
    assert!(document::is_json(bytes), "what is read is JSON");
    assert!(other_reading(bytes).has_each_key_once(), "a key is there twice");
    let written = read.to_string();
    let again = document::read::<Value>(written.as_bytes());
    // The last digit of a fraction may be another.
    assert_eq!(again.map(|again| shape(&again)).ok(), Some(shape(&read)), "{written}");
}

/// What a document is read as, which is the same in each way to read it.
fn read_in_each_way<T: serde::de::DeserializeOwned + std::fmt::Debug + PartialEq>(bytes: &[u8]) -> Option<T> {
    let told = |read: Result<T, Error>| read.inspect_err(can_be_shown).ok();
    let read = told(document::read::<T>(bytes));
    assert_eq!(read, told(document::stream::<T>(BufReader::with_capacity(7, bytes))), "as a whole, and as it comes");
    if let Some(shared) = told(document::read_shared::<T>(bytes)) {
        assert_eq!(Some(shared), read, "what others read too is read more strictly, and not as something else");
    }
    read
}

fn other_reading(bytes: &[u8]) -> Node {
    serde_json::from_slice(bytes).unwrap_or_else(|error| unreachable!("a parser less strict refuses it: {error}"))
}

/// A document without its fractions.
fn shape(value: &Value) -> Value {
    match value {
        Value::Number(number) if number.is_f64() => Value::Null,
        Value::Array(elements) => elements.iter().map(shape).collect(),
        Value::Object(entries) => entries.iter().map(|(key, value)| (key.clone(), shape(value))).collect(),
        other => other.clone(),
    }
}
