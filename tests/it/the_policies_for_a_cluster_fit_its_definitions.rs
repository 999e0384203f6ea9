//! The examples of `docs/admission.md` are resources as the admission controllers define them: each field is one that is known, of its
//! type. That they do in a cluster what the document says is not shown here.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::support::validator;

/// The definitions that `scripts/crds` has fetched; where it could not, that is said on the terminal itself.
pub fn definitions() -> Vec<PathBuf> {
    // Beside the programs that `scripts/validators` installs.
    let folder = validator("crd-validate").ancestors().nth(3).unwrap().join("crds");
    let files = fs::read_dir(folder).into_iter().flatten().flatten().map(|file| file.path());
    let found: Vec<_> =
        files.filter(|path| path.extension().is_some_and(|extension| extension == "yaml" || extension == "json")).collect();
    if found.is_empty() {
        let said = b"WITHOUT DEFINITIONS: the policies of docs/admission.md and the manifests of examples/ are NOT TESTED (scripts/crds)\n";
        std::io::stderr().write_all(said).unwrap();
    }
    found
}

fn example(name: &str) -> String {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/admission.md")).unwrap();
    let (_, rest) = text.split_once(&format!("<!-- {name} -->\n```yaml\n")).unwrap();
    rest.split_once("```\n").unwrap().0.to_owned()
}

/// What is wrong with a resource.
pub fn complaints(resource: &str, definitions: &[PathBuf]) -> Option<String> {
    let mut child =
        Command::new(validator("crd-validate")).args(definitions).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(resource.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    (!output.status.success()).then(|| String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn each_field_is_one_that_the_controller_knows() {
    let definitions = definitions();
    if definitions.is_empty() {
        return;
    }
    for (name, field, spoilt) in [
        ("kyverno", "attestors:", "attestor:"),
        ("kyverno", "required: true", "required: 'yes'"),
        ("kyverno", "kind: ImageValidatingPolicy", "kind: ImageValidatedPolicy"),
        ("policy-controller", "predicateType:", "predicate:"),
        ("policy-controller", "signatureFormat: bundle", "signatureFormat: [bundle]"),
    ] {
        let example = example(name);
        assert_eq!(complaints(&example, &definitions), None, "{name}");
        assert!(example.contains("https://gp-deliver.dev/verdict/v1") && example.contains(field));
        assert!(complaints(&example.replacen(field, spoilt, 1), &definitions).is_some(), "{name}: {spoilt} is taken");
    }
}
