//! Statements are signed by a real Sigstore, and what is signed is checked: whole, and spoilt.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use doubles::aws::World;
use serde_json::{Value, json};

use super::*;
use crate::oci::Digest;
use crate::secret::Secret;

const WORKFLOW: &str = "octo-org/gp-deliver/.github/workflows/_build-and-release.yml@refs/tags/v1";

fn part(name: &str) -> String {
    let name = format!("GP_DELIVER_TEST_{name}");
    std::env::var(&name).unwrap_or_else(|_| panic!("{name} is not set: eval \"$(scripts/test-parts env)\""))
}

fn document(name: &str) -> String {
    std::fs::read_to_string(PathBuf::from(part("SIGSTORE")).join(name)).unwrap()
}

fn image() -> Digest {
    Digest::of(b"an image")
}

fn statement() -> Vec<u8> {
    let subject = json!([{ "name": "registry.example/team/app", "digest": { "sha256": image().hex() } }]);
    let statement = json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": subject,
        "predicateType": "https://sigstore.dev/cosign/sign/v1",
        "predicate": {},
    });
    statement.to_string().into_bytes()
}

/// The instance with a log of the second version, of the first, or with none.
fn instance(log: &str) -> Instance {
    match log {
        "two" => Instance::private(&document("signing_config.json"), &document("trusted_root.json")).unwrap(),
        "one" => Instance::private(&document("signing_config_v1.json"), &document("trusted_root.json")).unwrap(),
        _ => Instance::private(&document("signing_config_no_log.json"), &without_log(&document("trusted_root.json"))).unwrap(),
    }
}

/// A trusted root as GitHub's own instance has it: no log of anything.
fn without_log(root: &str) -> String {
    let mut root: Value = serde_json::from_str(root).unwrap();
    root["tlogs"] = json!([]);
    root["ctlogs"] = json!([]);
    root.to_string()
}

fn verifier() -> Verifier {
    Verifier::new(instance("two").root()).unwrap()
}

async fn signer(instance: Instance) -> Result<Signer, Error> {
    let service = World::options()
        .issued_by(&PathBuf::from(part("SIGSTORE")))
        .environment("prod")
        .claim("job_workflow_ref", WORKFLOW)
        .token_service();
    let token = service.token("sigstore");
    let subject = subject_of(&token);
    let verifier = Verifier::new(instance.root()).unwrap();
    Signer::keyless(instance, verifier, &Secret::new(token), &subject).await
}

fn subject_of(token: &str) -> String {
    let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    serde_json::from_slice::<Value>(&claims).unwrap()["sub"].as_str().unwrap().to_owned()
}

async fn bundle(log: &str) -> Value {
    let bundle = signer(instance(log)).await.unwrap().sign(&statement(), &image()).await.unwrap();
    serde_json::from_slice(&bundle.bytes).unwrap()
}

fn verify(bundle: &Value) -> Result<Attested, Error> {
    verifier().verify(bundle.to_string().as_bytes(), &image())
}

#[tokio::test]
async fn what_is_signed_says_by_whom_with_either_version_of_the_log() {
    let logs = if std::env::var("GP_DELIVER_TEST_REKOR1").is_ok() { vec!["two", "one"] } else { vec!["two"] };
    for log in logs {
        let attested = verify(&bundle(log).await).unwrap();
        assert_eq!(attested.statement, statement());
        assert!(attested.at.is_some_and(|at| (jiff::Timestamp::now().as_second() - at.as_second()).abs() < 600));
        let SignedBy::Identity(identity) = attested.by else { panic!("{:?}", attested.by) };
        assert_eq!(identity.subject, format!("https://github.com/{WORKFLOW}"), "{log}");
        assert_eq!(identity.issuer, part("ISSUER"));
        assert_eq!(identity.repository.as_deref(), Some("https://github.com/octo-org/octo-repo"));
        assert_eq!(identity.environment.as_deref(), Some("prod"));
        assert!(identity.commit.is_some() && identity.run.is_some() && identity.repository_id.is_some(), "{identity:?}");
    }
}

#[tokio::test]
async fn one_certificate_is_for_all_statements_of_a_delivery() {
    let signer = signer(instance("two")).await.unwrap();
    let (first, second) = (statement(), statement());
    let image = image();
    let (first, second) = tokio::try_join!(signer.sign(&first, &image), signer.sign(&second, &image)).unwrap();
    let certificate = |bundle: &Bundle| {
        let bundle: Value = serde_json::from_slice(&bundle.bytes).unwrap();
        bundle["verificationMaterial"]["certificate"]["rawBytes"].clone()
    };
    assert_eq!(certificate(&first), certificate(&second));
    assert_ne!(first, second);
}

#[tokio::test]
async fn a_bundle_without_a_log_holds_only_by_a_root_that_knows_none() {
    let bundle = bundle("none").await;
    assert_eq!(bundle["verificationMaterial"]["tlogEntries"], json!([]));
    assert!(matches!(verify(&bundle), Err(Error::Rejected(_))));
    let without = Verifier::new(instance("none").root()).unwrap();
    assert!(without.verify(bundle.to_string().as_bytes(), &image()).is_ok());
}

#[tokio::test]
async fn a_statement_about_another_image_is_not_signed_and_a_bundle_proves_nothing_of_another() {
    let signer = signer(instance("two")).await.unwrap();
    let other = Digest::of(b"another image");
    assert!(matches!(signer.sign(&statement(), &other).await, Err(Error::Unsound(_))));
    let bundle = signer.sign(&statement(), &image()).await.unwrap();
    assert!(matches!(verifier().verify(&bundle.bytes, &other), Err(Error::Rejected(_))));
}

/// Each part of a bundle, changed or taken from another one.
fn spoilt(whole: &Value, other: &Value) -> Vec<(&'static str, Value)> {
    let with = |change: &dyn Fn(&mut Value)| {
        let mut bundle = whole.clone();
        change(&mut bundle);
        bundle
    };
    let flipped = |text: &Value| {
        let mut bytes = STANDARD.decode(text.as_str().unwrap()).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        json!(STANDARD.encode(bytes))
    };
    let material = "verificationMaterial";
    vec![
        ("another payload", with(&|b| b["dsseEnvelope"]["payload"] = json!(STANDARD.encode(b"{\"_type\":1}")))),
        ("a payload changed in a byte", with(&|b| b["dsseEnvelope"]["payload"] = flipped(&b["dsseEnvelope"]["payload"]))),
        ("another payload type", with(&|b| b["dsseEnvelope"]["payloadType"] = json!("application/json"))),
        ("another's signature", with(&|b| b["dsseEnvelope"]["signatures"] = other["dsseEnvelope"]["signatures"].clone())),
        ("no signature", with(&|b| b["dsseEnvelope"]["signatures"] = json!([]))),
        (
            "two signatures",
            with(&|b| {
                let second = other["dsseEnvelope"]["signatures"][0].clone();
                b["dsseEnvelope"]["signatures"].as_array_mut().unwrap().push(second);
            }),
        ),
        ("another's certificate", with(&|b| b[material]["certificate"] = other[material]["certificate"].clone())),
        ("no entry in the log", with(&|b| b[material]["tlogEntries"] = json!([]))),
        ("another's entry in the log", with(&|b| b[material]["tlogEntries"] = other[material]["tlogEntries"].clone())),
        (
            "another body of the entry",
            with(&|b| {
                let entry = &mut b[material]["tlogEntries"][0];
                entry["canonicalizedBody"] = flipped(&entry["canonicalizedBody"]);
            }),
        ),
        // The second version of the log has it in the entry, and the one in the proof is no evidence of anything.
        ("another place in the log", with(&|b| b[material]["tlogEntries"][0]["logIndex"] = json!("999999"))),
        (
            "another checkpoint",
            with(&|b| {
                b[material]["tlogEntries"][0]["inclusionProof"]["checkpoint"] =
                    json!({ "envelope": "rekor.local\n1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n— rekor.local AAAA\n" });
            }),
        ),
        ("no proof of inclusion", with(&|b| b[material]["tlogEntries"][0]["inclusionProof"] = Value::Null)),
        ("no time", with(&|b| b[material]["timestampVerificationData"] = json!({ "rfc3161Timestamps": [] }))),
        (
            "another's time",
            with(&|b| b[material]["timestampVerificationData"] = other[material]["timestampVerificationData"].clone()),
        ),
        ("an older form", with(&|b| b["mediaType"] = json!("application/vnd.dev.sigstore.bundle+json;version=0.2"))),
        ("another form", with(&|b| b["mediaType"] = json!("application/json"))),
        ("nothing", json!({})),
    ]
}

#[tokio::test]
async fn a_bundle_that_is_spoilt_in_any_part_is_refused() {
    let (whole, other) = (bundle("two").await, bundle("two").await);
    assert!(verify(&whole).is_ok() && verify(&other).is_ok());
    for (what, bundle) in spoilt(&whole, &other) {
        assert_ne!(bundle, whole, "{what}");
        let refused = verify(&bundle);
        assert!(matches!(refused, Err(Error::Rejected(_))), "{what}: {refused:?}");
    }
}

#[tokio::test]
async fn a_bundle_with_two_readings_is_refused() {
    let whole = bundle("two").await.to_string();
    let payload = STANDARD.encode(b"{}");
    for (what, from, to) in [
        ("a second payload", "\"payload\":", format!("\"payload\":\"{payload}\",\"payload\":")),
        ("a second envelope", "\"dsseEnvelope\":", "\"dsseEnvelope\":{},\"dsseEnvelope\":".to_owned()),
        ("a second type", "\"mediaType\":", "\"mediaType\":\"x\",\"mediaType\":".to_owned()),
        ("a message too", "\"dsseEnvelope\":", "\"messageSignature\":{},\"dsseEnvelope\":".to_owned()),
        ("a key too", "\"certificate\":", "\"publicKey\":{\"hint\":\"\"},\"certificate\":".to_owned()),
        ("a chain too", "\"certificate\":", "\"x509CertificateChain\":{\"certificates\":[]},\"certificate\":".to_owned()),
    ] {
        let twice = whole.replacen(from, &to, 1);
        assert_ne!(twice, whole, "{what}");
        assert!(matches!(verifier().verify(twice.as_bytes(), &image()), Err(Error::Rejected(_))), "{what}");
    }
    assert!(matches!(verifier().verify(format!("{whole}{{}}").as_bytes(), &image()), Err(Error::Rejected(_))));
}

#[tokio::test]
async fn a_token_for_somebody_else_gets_no_certificate() {
    let service = World::options().issued_by(&PathBuf::from(part("SIGSTORE"))).token_service();
    let token = service.token("sts.amazonaws.com");
    let subject = subject_of(&token);
    let instance = instance("two");
    let verifier = Verifier::new(instance.root()).unwrap();
    let refused = Signer::keyless(instance, verifier, &Secret::new(token), &subject).await.err().unwrap();
    assert!(matches!(refused, Error::Refused { service: ServiceName::CertificateAuthority, .. }), "{refused}");
}

#[tokio::test]
async fn what_others_would_refuse_is_found_out_before_anybody_sees_it() {
    // The root of another instance: as if its keys had been renewed since.
    let instance = Instance::private(&document("signing_config.json"), &document("trusted_root.json")).unwrap();
    let other = Verifier::new(&Root::public_good().unwrap()).unwrap();
    let service = World::options().issued_by(&PathBuf::from(part("SIGSTORE"))).token_service();
    let token = service.token("sigstore");
    let subject = subject_of(&token);
    let signer = Signer::keyless(instance, other, &Secret::new(token), &subject).await.unwrap();
    assert!(matches!(signer.sign(&statement(), &image()).await, Err(Error::Unsound(_))));
}
