//! A verdict names the commit that brought what lets findings through, where that can be told without doubt, and the record that
//! it was made from, byte for byte.

use std::fs;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use doubles::aws::stranger::digest_of;
use doubles::registry::crane;
use serde_json::{Value, json};

use crate::support::Source;
use crate::what_is_delivered_is_signed::Scene;

const ID: &str = "CVE-2020-14343";
const ENTRY: &str =
    "vulnerabilities:\n  - id: CVE-2020-14343\n    paths:\n      - app/**\n    statement: yaml.load is not called\n";

fn set_in(source: &Source) -> Value {
    let delivery = source.deliver().flag("--environment", "dev").flag("--suppressions", "head").flag("--sbom-formats", "");
    delivery.ends_with(0);
    let suppressions = source.record()["suppressions"].clone();
    let [one] = &suppressions.as_array().unwrap()[..] else { panic!("{suppressions}") };
    assert_eq!(one["id"], ID);
    one["set_in"].clone()
}

fn source(list: &str, text: &str) -> Source {
    let source = Source::in_git(&[
        ("Dockerfile", "FROM scratch\nCOPY vendor /app/vendor\n"),
        ("vendor/PyYAML-5.3.dist-info/METADATA", "Metadata-Version: 2.1\nName: PyYAML\nVersion: 5.3\n"),
    ]);
    source.write(list, text);
    source
}

/// What is signed about an image of a type, as the registry has it.
fn predicate(scene: &Scene, digest: &str, of: &str) -> Value {
    let index = scene.listed(digest);
    let mut listed = index["manifests"].as_array().unwrap().iter();
    let listed = listed.find(|one| one["annotations"]["dev.sigstore.bundle.predicateType"] == of).unwrap();
    let of = |digest: &Value| format!("{}@{}", scene.repository(), digest.as_str().unwrap());
    let manifest: Value = serde_json::from_str(&crane(&["manifest", "--insecure", &of(&listed["digest"])])).unwrap();
    let bundle: Value = serde_json::from_str(&crane(&["blob", "--insecure", &of(&manifest["layers"][0]["digest"])])).unwrap();
    let payload = STANDARD.decode(bundle["dsseEnvelope"]["payload"].as_str().unwrap()).unwrap();
    serde_json::from_slice::<Value>(&payload).unwrap()["predicate"].clone()
}

#[test]
fn the_commit_that_brought_an_entry_is_named_and_one_that_came_beside_it_is_not() {
    for (list, text, more) in [
        (".trivyignore", "CVE-2020-14343\n", "CVE-1999-0001\nCVE-2020-14343\n"),
        (".trivyignore.yaml", ENTRY, &format!("{ENTRY}  - id: CVE-1999-0001\n    statement: as CVE-2020-14343\n")),
    ] {
        let source = source(list, text);
        let brought = source.commit("entry");
        assert_eq!(set_in(&source), brought, "{list}");
        source.write(list, more);
        source.commit("another");
        assert_eq!(set_in(&source), brought, "{list}");
        assert!(source.summary().contains(&brought[..7]), "{}", source.summary());
        // What is in no commit was brought by none.
        source.write(list, &format!("{more}\n"));
        assert_eq!(set_in(&source), Value::Null, "{list}");
    }
}

#[test]
fn whoever_has_an_entry_let_more_through_is_not_covered_by_who_wrote_it() {
    let source = source(".trivyignore.yaml", ENTRY);
    source.commit("entry");
    source.write(".trivyignore.yaml", &ENTRY.replace("    paths:\n      - app/**\n", ""));
    source.commit("taken away");
    assert_eq!(set_in(&source), Value::Null);
    assert!(source.summary().contains("not known"), "{}", source.summary());
}

#[test]
fn a_clone_whose_history_ends_before_the_entry_knows_nobody() {
    let source = source(".trivyignore", "CVE-2020-14343\n");
    let brought = source.commit("entry");
    source.write("other", "1");
    source.commit("other");
    assert_eq!(set_in(&source), brought);
    let (whole, cut) = (source.context(), source.beside("cut"));
    let from = format!("file://{}", whole.display());
    let clone = Command::new("git").args(["clone", "--quiet", "--depth", "1", &from]).arg(&cut).status().unwrap();
    assert!(clone.success());
    fs::remove_dir_all(&whole).unwrap();
    fs::rename(&cut, &whole).unwrap();
    assert_eq!(set_in(&source), Value::Null);
}

#[test]
fn the_verdict_names_who_set_what_it_lets_through_and_the_bytes_of_the_record_that_it_is_of() {
    let scene = Scene::set();
    scene.source.write("PyYAML-5.3.dist-info/METADATA", "Metadata-Version: 2.1\nName: PyYAML\nVersion: 5.3\n");
    scene.source.write(".trivyignore", "CVE-2020-14343\n");
    let brought = scene.source.commit("entry");
    scene.deliver("prod").flag("--suppressions", "head").flag("--tags", "one-{sha}").ends_with(0);
    let record = scene.source.record();
    let verdict = predicate(&scene, record["publication"]["digest"].as_str().unwrap(), "https://gp-deliver.dev/verdict/v1");
    assert_eq!(verdict["suppressions"][0]["setIn"], brought, "{verdict}");

    let kept = fs::read(scene.source.beside("report/record.signed.json")).unwrap();
    assert_eq!(verdict["record"], digest_of(&kept));
    assert_eq!(record["signed"], verdict["record"]);
    let signed: Value = serde_json::from_slice(&kept).unwrap();
    assert_eq!((&signed["publication"], &signed["image"]), (&Value::Null, &record["image"]));
    assert_eq!(signed["suppressions"], json!(record["suppressions"]));
    let outputs = fs::read_to_string(scene.source.beside("report/outputs")).unwrap();
    assert!(outputs.contains("record.signed.json"), "{outputs}");

    // A verdict that is there already is of another run's record, and this one has none to show.
    scene.deliver("prod").flag("--suppressions", "head").flag("--tags", "one-{sha},two-{sha}").ends_with(0);
    assert!(!scene.source.beside("report/record.signed.json").exists());
    assert_eq!(scene.source.record()["signed"], Value::Null);
}
