//! The schema of `.gp-deliver/repository.yaml`, made from its types and kept in the docs. With `GP_DELIVER_BLESS=1` the test writes
//! it.

use std::path::Path;

use serde_json::Value;

use super::wanted::{FILE, Said};

/// A member that is there has a value: null is refused.
fn without_null(schema: &mut Value) {
    match schema {
        Value::Array(all) => {
            all.retain(|one| *one != serde_json::json!({"type": "null"}));
            all.iter_mut().for_each(without_null);
        }
        Value::Object(members) => {
            members.retain(|name, value| name != "default" || !value.is_null());
            if let Some(Value::Array(types)) = members.get_mut("type") {
                types.retain(|name| name != "null");
                if let [one] = &types[..] {
                    let one = one.clone();
                    members.insert("type".to_owned(), one);
                }
            }
            members.values_mut().for_each(without_null);
        }
        _ => {}
    }
}

#[test]
fn the_schema_in_the_docs_is_that_of_the_file() {
    let mut schema = schemars::schema_for!(Said).to_value();
    without_null(&mut schema);
    schema["title"] = FILE.into();
    let made = format!("{}\n", serde_json::to_string_pretty(&schema).unwrap());
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/repository.schema.json");
    if std::env::var_os("GP_DELIVER_BLESS").is_some_and(|value| value == "1") {
        std::fs::write(&file, &made).unwrap();
    }
    let kept = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(kept == made, "docs/repository.schema.json is not up to date: run the tests with GP_DELIVER_BLESS=1");
    assert!(!made.contains("null"), "{made}");
}
