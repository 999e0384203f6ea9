//! Reports are what others read them as: SARIF by its schema and by GitHub's rules of ingestion, the record by our schema.

use std::path::{Path, PathBuf};
use std::process::Command;

use gp_deliver::record::Record;
use gp_deliver::report::sarif;
use gp_deliver::scanner::Tool;
use serde_json::Value;

const HOSTILE: &str =
    "\u{1b}[31m</td><script>|\n::error::x\r##[error] {0} [x](https://evil.example) %2e%2e/..\\ \u{202e}\u{0}é🚀";

/// A program of `scripts/validators`, beside the tools of the tests.
fn validator(name: &str) -> PathBuf {
    let tools = std::env::var_os("GP_DELIVER_TEST_TOOLS").map(PathBuf::from);
    let tools = tools.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/bin"));
    let validator = tools.join("../validators/bin").join(name);
    assert!(validator.exists(), "{} is missing: scripts/validators installs it", validator.display());
    validator
}

fn assert_passes(command: &mut Command) {
    let output = command.output().unwrap();
    let [stdout, stderr] = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    assert!(output.status.success(), "{command:?}: {stdout}{stderr}");
}

fn example(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("fixtures/records/{name}.json"));
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// Puts hostile words into every text of the findings that a scanner or a project writes.
fn hostile(mut record: Value) -> Value {
    let make = |text: &mut Value| {
        if let Value::String(text) = text {
            *text = format!("{text}{HOSTILE}{}", "A".repeat(10_000));
        }
    };
    for finding in record["findings"].as_array_mut().unwrap() {
        for name in ["id", "title", "package", "installed", "fixed", "target", "url", "rule", "description", "file", "commit"] {
            finding.get_mut(name).into_iter().for_each(make);
        }
        for name in ["file", "text"] {
            finding.get_mut("instruction").and_then(|instruction| instruction.get_mut(name)).into_iter().for_each(make);
        }
    }
    make(&mut record["destination"]);
    record
}

#[test]
fn github_takes_our_sarif_whatever_was_found() {
    let folder = tempfile::tempdir().unwrap();
    for (name, record) in
        [("delivered", example("delivered")), ("blocked", example("blocked")), ("hostile", hostile(example("blocked")))]
    {
        let record: Record = serde_json::from_value(record).unwrap();
        for tool in Tool::judging() {
            let path = folder.path().join(format!("{name}-{tool}.sarif"));
            std::fs::write(&path, sarif::render(&record, tool).unwrap()).unwrap();
            assert_passes(Command::new(validator("sarif-validate")).arg(&path));
        }
    }
}

#[test]
fn a_record_fits_the_schema_in_the_docs() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for name in ["delivered", "advised", "blocked", "failed"] {
        assert_passes(
            Command::new(validator("check-jsonschema"))
                .arg("--schemafile")
                .arg(root.join("docs/record.schema.json"))
                .arg(root.join(format!("fixtures/records/{name}.json"))),
        );
    }
}
