//! `docs/record.schema.json` is made from the types, and this holds the two equal.

use std::path::Path;

use crate::record::Record;

#[test]
fn the_schema_in_the_docs_is_that_of_the_record() {
    let mut schema = schemars::schema_for!(Record);
    schema.insert("title".to_owned(), "gp-deliver record.json".into());
    let generated = format!("{}\n", serde_json::to_string_pretty(&schema).unwrap());
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/record.schema.json");
    if std::env::var_os("GP_DELIVER_BLESS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &generated).unwrap();
    }
    let documented = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(documented == generated, "docs/record.schema.json is not up to date: run the tests with GP_DELIVER_BLESS=1");
}
