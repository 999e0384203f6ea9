//! What is made from the types and kept in the repository: the schema of `record.json` and examples of it. With
//! `GP_DELIVER_BLESS=1` the tests write them.

use std::path::Path;

use super::fixture;
use crate::record::Record;

fn assert_kept(path: &str, made: &impl serde::Serialize) {
    let made = String::from_utf8(super::json(made)).unwrap();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("GP_DELIVER_BLESS").is_some_and(|value| value == "1") {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, &made).unwrap();
    }
    let kept = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(kept == made, "{path} is not up to date: run the tests with GP_DELIVER_BLESS=1");
}

#[test]
fn the_schema_in_the_docs_is_that_of_the_record() {
    let mut schema = schemars::schema_for!(Record);
    schema.insert("title".to_owned(), "gp-deliver record.json".into());
    assert_kept("docs/record.schema.json", &schema);
}

#[test]
fn the_example_records_are_those_of_today() {
    for (name, record) in [
        ("delivered", fixture::delivered()),
        ("advised", fixture::advised()),
        ("blocked", fixture::blocked()),
        ("failed", fixture::failed()),
    ] {
        assert_kept(&format!("fixtures/records/{name}.json"), &record);
    }
}
