//! YAML within bounds.

use serde_json::Value;

use super::input::{can_be_shown, text};
use crate::document::yaml::{MAX_WRITTEN_OUT, read_yaml};

/// Reads a document: what it comes to is bounded, however few lines it has.
pub fn yaml(bytes: &[u8]) {
    match read_yaml::<Value>(&text(bytes)) {
        Ok(read) => assert!(texts(&read) <= MAX_WRITTEN_OUT, "its aliases come to more than they may"),
        Err(error) => can_be_shown(&error),
    }
}

/// The bytes of all texts.
fn texts(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(elements) => elements.iter().map(texts).sum(),
        Value::Object(entries) => entries.iter().map(|(key, value)| key.len() + texts(value)).sum(),
        _ => 0,
    }
}
