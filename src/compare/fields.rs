//! Two documents, field by field.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;

use crate::text;

/// The most fields that are named.
pub(super) const NAMED: usize = 1000;

/// The most characters that are shown of a value.
const SHOWN: usize = 200;

/// A field that is different.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Field {
    /// Where it is: `config.Labels.team`, `history[3].created`.
    pub(super) way: String,
    /// Its value in the first document, as JSON; absent where it is not there.
    pub(super) a: Option<String>,
    /// Its value in the second.
    pub(super) b: Option<String>,
}

/// The fields in which two documents differ, those of `besides` left out: these are told elsewhere. At most [`NAMED`].
pub(super) fn different(a: &Value, b: &Value, besides: &[&str]) -> Vec<Field> {
    let mut found = Vec::new();
    walk(Some(a), Some(b), "", besides, &mut found);
    found
}

fn walk(a: Option<&Value>, b: Option<&Value>, at: &str, besides: &[&str], found: &mut Vec<Field>) {
    if a == b || besides.contains(&at) || found.len() >= NAMED {
        return;
    }
    match (a, b) {
        (Some(Value::Object(a)), Some(Value::Object(b))) => {
            for key in a.keys().chain(b.keys()).collect::<BTreeSet<_>>() {
                let at = if at.is_empty() { key.clone() } else { format!("{at}.{key}") };
                walk(a.get(key), b.get(key), &at, besides, found);
            }
        }
        (Some(Value::Array(a)), Some(Value::Array(b))) => {
            for place in 0..a.len().max(b.len()) {
                walk(a.get(place), b.get(place), &format!("{at}[{place}]"), besides, found);
            }
        }
        (a, b) => {
            let shown = |value: &Value| text::line(&value.to_string(), SHOWN).to_string();
            found.push(Field { way: text::plain(at), a: a.map(shown), b: b.map(shown) });
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_field_is_named_by_its_way_and_what_is_told_elsewhere_is_left_out() {
        let a = json!({"created": "1", "config": {"Labels": {"a": "1", "b": "2"}}, "history": [{"c": 1}], "rootfs": {"diff_ids": [1]}});
        let b = json!({"created": "2", "config": {"Labels": {"a": "1"}, "User": "x"}, "history": [{"c": 1}, 2], "rootfs": {"diff_ids": [2]}});
        let fields = different(&a, &b, &["rootfs.diff_ids"]);
        let told: Vec<_> = fields.iter().map(|one| (&*one.way, one.a.as_deref(), one.b.as_deref())).collect();
        let expected = [
            ("config.Labels.b", Some("\"2\""), None),
            ("config.User", None, Some("\"x\"")),
            ("created", Some("\"1\""), Some("\"2\"")),
            ("history[1]", None, Some("2")),
        ];
        assert_eq!(told, expected);
        assert_eq!(different(&a, &a, &[]), []);
    }

    #[test]
    fn what_is_named_has_an_end() {
        let many = |value: u8| json!(vec![value; NAMED + 10]);
        assert_eq!(different(&many(1), &many(2), &[]).len(), NAMED);
        let long = different(&json!("x".repeat(10_000)), &json!("y"), &[]);
        assert!(long[0].a.as_ref().unwrap().len() < 1000);
    }
}
