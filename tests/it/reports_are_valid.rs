//! The examples of records in `fixtures`, which other tests go by, are what our schema describes.

use std::path::Path;
use std::process::Command;

use crate::support::{run, validator};

#[test]
fn a_record_fits_the_schema_in_the_docs() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for name in ["delivered", "advised", "blocked", "failed"] {
        run(Command::new(validator("check-jsonschema"))
            .arg("--schemafile")
            .arg(root.join("docs/record.schema.json"))
            .arg(root.join(format!("fixtures/records/{name}.json"))));
    }
}
