//! sigstore-python and sigstore-js check what the product signs. That is worth something only if they take what cosign signed,
//! and refuse it as soon as anything about it is another's.

use std::path::{Path, PathBuf};
use std::process::Command;

use doubles::aws::World;
use doubles::aws::stranger::digest_of;
use doubles::program::{Installer, program};

use crate::part;

const PREDICATE: &str = "https://example.com/predicate";
const WORKFLOW: &str = "https://github.com/octo-org/octo-repo/.github/workflows/deliver.yml@refs/heads/main";

/// What a verifier is asked.
#[derive(Clone)]
struct Question {
    bundle: PathBuf,
    root: PathBuf,
    digest: String,
    identity: String,
    issuer: String,
}

impl Question {
    /// What the verifier says to it: the predicate type, or why not.
    fn ask(&self, verifier: &str, more: &[&str]) -> Result<String, String> {
        let mut command = Command::new(program(Installer::Validators, verifier));
        command.args([&self.bundle, &self.root]).args([&self.digest, &self.identity, &self.issuer]).args(more);
        let output = command.output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }
}

/// Has cosign attest to some content by a signing configuration, and gives what is to be asked about it. The first entry of a
/// log has the index 0, which JSON leaves out and sigstore-python wants to see: the second is taken then.
fn attested(cosign: &str, folder: &Path, configuration: &str) -> Question {
    let question = attest(cosign, folder, configuration);
    let bundle: serde_json::Value = serde_json::from_slice(&std::fs::read(&question.bundle).unwrap()).unwrap();
    let entries = bundle["verificationMaterial"]["tlogEntries"].as_array().into_iter().flatten();
    let first = entries.into_iter().any(|entry| entry.get("logIndex").is_none());
    if first { attest(cosign, folder, configuration) } else { question }
}

fn attest(cosign: &str, folder: &Path, configuration: &str) -> Question {
    let sigstore = PathBuf::from(part("SIGSTORE"));
    let token = World::options().issued_by(&sigstore).token_service().token("sigstore");
    let (content, predicate, bundle) = (folder.join("content"), folder.join("predicate"), folder.join("bundle.json"));
    std::fs::write(&content, "content").unwrap();
    std::fs::write(&predicate, "{}").unwrap();
    let root = sigstore.join("trusted_root.json");
    let output = Command::new(cosign)
        .args(["attest-blob", "--yes", "--type", PREDICATE, "--identity-token", &token, "--trusted-root"])
        .arg(&root)
        .arg("--signing-config")
        .arg(sigstore.join(configuration))
        .arg("--predicate")
        .arg(&predicate)
        .arg("--bundle")
        .arg(&bundle)
        .arg(&content)
        .env("HOME", folder)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Question { bundle, root, digest: digest_of(b"content"), identity: WORKFLOW.to_owned(), issuer: part("ISSUER") }
}

/// cosign, where it is built.
fn cosign() -> Option<String> {
    std::env::var("GP_DELIVER_TEST_COSIGN").ok()
}

#[test]
fn what_cosign_signs_is_taken_and_nothing_else() {
    let Some(cosign) = cosign() else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut configurations = vec!["signing_config.json"];
    if std::env::var_os("GP_DELIVER_TEST_REKOR1").is_some() {
        configurations.push("signing_config_v1.json");
    }
    for configuration in configurations {
        let right = attested(&cosign, folder.path(), configuration);
        let spoilt = folder.path().join("spoilt");
        let bundle = std::fs::read_to_string(&right.bundle).unwrap();
        let payload = bundle.split("\"payload\":\"").nth(1).unwrap().split('"').next().unwrap();
        let other = payload.replacen("ey", "eyA", 1);
        std::fs::write(&spoilt, bundle.replacen(payload, &other[..payload.len()], 1)).unwrap();
        let wrong = [
            ("identity", Question { identity: WORKFLOW.replace("main", "mai"), ..right.clone() }),
            ("identity's pattern", Question { identity: WORKFLOW.replace("octo-org", ".*"), ..right.clone() }),
            ("issuer", Question { issuer: "https://token.actions.githubusercontent.com".to_owned(), ..right.clone() }),
            ("digest", Question { digest: digest_of(b"other"), ..right.clone() }),
            ("payload", Question { bundle: spoilt, ..right.clone() }),
        ];
        for verifier in ["sigstore-python", "sigstore-js"] {
            assert_eq!(right.ask(verifier, &[]).as_deref(), Ok(PREDICATE), "{verifier}, {configuration}");
            for (what, question) in &wrong {
                let said = question.ask(verifier, &[]);
                assert!(said.is_err(), "{verifier}, {configuration}: another {what} is taken");
            }
        }
    }
}

#[test]
fn what_is_in_no_log_is_taken_only_where_that_is_asked_for() {
    let Some(cosign) = cosign() else { return };
    let folder = tempfile::tempdir().unwrap();
    let question = attested(&cosign, folder.path(), "signing_config_no_log.json");
    assert!(question.ask("sigstore-python", &[]).is_err());
    assert!(question.ask("sigstore-js", &[]).is_err());
    assert_eq!(question.ask("sigstore-js", &["no-log"]).as_deref(), Ok(PREDICATE));
}

/// Whether `gh attestation verify` takes a bundle about a file, and its complaint.
fn gh(program: &str, question: &Question, repository: &str) -> (bool, String) {
    let folder = question.bundle.parent().unwrap();
    // It takes several roots, a line each.
    let roots = folder.join("roots.jsonl");
    let root: serde_json::Value = serde_json::from_slice(&std::fs::read(&question.root).unwrap()).unwrap();
    std::fs::write(&roots, format!("{root}\n")).unwrap();
    let output = Command::new(program)
        .args(["attestation", "verify", "--bundle"])
        .arg(&question.bundle)
        .arg("--custom-trusted-root")
        .arg(&roots)
        .args(["--cert-oidc-issuer", &question.issuer, "--cert-identity", &question.identity])
        .args(["--repo", repository, "--predicate-type", PREDICATE])
        .arg(folder.join("content"))
        .env("HOME", folder)
        .env("GH_TOKEN", "none")
        .output()
        .unwrap();
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn gh_takes_what_the_repository_and_its_workflow_signed() {
    let (Some(cosign), Ok(program)) = (cosign(), std::env::var("GP_DELIVER_TEST_GH")) else { return };
    let folder = tempfile::tempdir().unwrap();
    let right = attested(&cosign, folder.path(), "signing_config.json");
    assert_eq!(gh(&program, &right, "octo-org/octo-repo"), (true, String::new()));
    assert!(!gh(&program, &right, "octo-org/other").0, "another repository is taken");
    let wrong = Question { identity: WORKFLOW.replace("main", "mai"), ..right };
    assert!(!gh(&program, &wrong, "octo-org/octo-repo").0, "another identity is taken");
}
