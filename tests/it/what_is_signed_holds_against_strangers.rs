//! Whoever may push to the repository of an image may put anything beside it, and whoever may run a workflow has certificates of
//! their own. Nothing of that counts, and none of it brings a delivery down.

use std::process::Command;

use doubles::proxy::{ALWAYS, Challenge, Fault, Proxy, rule};
use doubles::registry::crane;
use serde_json::{Value, json};

use crate::support::stranger::Stranger;
use crate::support::{Ended, part};
use crate::what_is_delivered_is_signed::{SIGNER, Scene};

const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
const VERDICT: &str = "https://gp-deliver.dev/verdict/v1";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

fn ran(record: &Value, name: &str) -> bool {
    let mut stages = record["stages"].as_array().unwrap().iter();
    stages.any(|stage| stage["name"] == name && stage["outcome"]["is"] == "passed")
}

/// What is no bundle, or one that takes much to find that out.
fn spoilt() -> Vec<Vec<u8>> {
    let small_values = format!("{{\"mediaType\":\"{BUNDLE}\",\"x\":[{}0]}}", "0,".repeat(2 << 20));
    vec![b"x".to_vec(), b"{}".to_vec(), format!("{{\"mediaType\":\"{BUNDLE}\"}}").into(), small_values.into()]
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_stranger_puts_beside_an_image_hides_no_proof_and_ends_no_delivery() {
    for scene in [Scene::set(), Scene::without_referrers()] {
        scene.deliver("staging").ends_with(0);
        let digest = scene.digest(&scene.sha);
        let stranger = Stranger::to(&scene.repository());
        let mut listed = scene.listed(&digest)["manifests"].as_array().unwrap().clone();
        for content in spoilt() {
            listed.push(stranger.put_beside(&digest, VERDICT, &content).await);
        }
        // A registry without the API lists whatever somebody writes.
        if scene.get(&format!("referrers/{digest}")).is_none() {
            let mut lying = listed.last().unwrap().clone();
            lying["size"] = json!(1);
            listed.push(lying);
            listed.extend(listed.clone());
            let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": listed }).to_string();
            assert!(stranger.push_manifest(&digest.replace(':', "-"), INDEX, index.as_bytes()).await);
        }
        // The proof is found among all that.
        scene.deliver("staging").ends_with(0);
        assert!(scene.source.record()["precedent"].is_string(), "{}", scene.source.record());
        // Another environment signs its own beside it.
        scene.deliver("prod").ends_with(0);
        scene.verify(&scene.sha, &["--identity", SIGNER, "--environment", "prod"], 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_for_lists_that_names_something_else_ends_no_delivery() {
    let scene = Scene::without_referrers();
    scene.deliver("prod").flag("--sign", "off").ends_with(0);
    let digest = scene.digest(&scene.sha);
    crane(&["tag", "--insecure", &scene.image(&scene.sha), &digest.replace(':', "-")]);
    scene.deliver("prod").ends_with(0).says("6 statements");
    scene.verify(&scene.sha, &["--identity", SIGNER, "--environment", "prod"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_manifest_that_a_list_still_names_ends_no_delivery() {
    let scene = Scene::without_referrers();
    scene.deliver("staging").ends_with(0);
    let digest = scene.digest(&scene.sha);
    let list = digest.replace(':', "-");
    let listed = scene.get(&format!("manifests/{list}")).unwrap()["manifests"].as_array().unwrap().clone();
    crane(&["delete", "--insecure", &format!("{}@{}", scene.repository(), listed[0]["digest"].as_str().unwrap())]);
    scene.deliver("prod").ends_with(0);
    scene.verify(&scene.sha, &["--identity", SIGNER, "--environment", "prod"], 0);
    // What nobody has deleted stays.
    let after = scene.get(&format!("manifests/{list}")).unwrap()["manifests"].as_array().unwrap().clone();
    assert!(listed[1..].iter().all(|kept| after.contains(kept)) && !after.contains(&listed[0]), "{after:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_without_end_or_too_long_to_read_ends_no_delivery() {
    let long = format!("{{\"schemaVersion\":2,\"mediaType\":\"{INDEX}\",\"manifests\":[],\"x\":\"{}\"}}", "x".repeat(17 << 20));
    for fault in [
        Fault::Header("link", "<?n=1>; rel=\"next\"".to_owned()),
        Fault::Content(INDEX, long.into_bytes()),
        Fault::Content(INDEX, b"{\"manifests\":[],\"Manifests\":[]}".to_vec()),
    ] {
        let rules = vec![rule("GET", "/referrers/", ALWAYS, fault)];
        let proxy = Proxy::start(&part("REFERRERS_REGISTRY"), Challenge::Nothing, rules).await;
        let scene = Scene::at(&proxy.address);
        scene.deliver("prod").ends_with(0).says("6 statements");
    }
}

#[test]
fn a_verdict_that_was_told_to_let_more_pass_is_not_gone_by() {
    let scene = Scene::set();
    for (flag, value) in [
        ("--accept-unscanned", "app/x.jar: it is ours"),
        ("--suppressions", "head"),
        ("--secrets-history", "none"),
        ("--database-max-age", "9000d"),
    ] {
        scene.deliver("prod").flag(flag, value).ends_with(0);
    }
    scene.deliver("prod").ends_with(0);
    let record = scene.source.record();
    assert_eq!((&record["precedent"], ran(&record, "vulnerabilities")), (&Value::Null, true), "{record}");
    // Its own verdict is written beside the others, and found among them.
    scene.deliver("prod").ends_with(0);
    assert!(scene.source.record()["precedent"].is_string(), "{}", scene.source.record());
}

#[test]
fn what_another_branch_has_signed_does_not_stand_for_this_ones_signature() {
    let mine = "octo-org/octo-repo/.github/workflows/deliver.yml@refs/heads/mine";
    let theirs = Scene::set().claim("ref", "refs/heads/mine").claim("workflow_ref", mine);
    theirs.deliver("prod").ends_with(0);
    let scene = theirs.without_claims();
    let main = ["--identity", SIGNER, "--environment", "prod", "--ref", "refs/heads/main"];
    scene.verify(&scene.sha, &main, 3);
    scene.deliver("prod").ends_with(0);
    assert_eq!(scene.source.record()["precedent"], Value::Null);
    scene.verify(&scene.sha, &main, 0);
}

/// `verify` of an image of another name than the scene's.
fn verify(scene: &Scene, image: &str, flags: &[&str]) -> Ended {
    let root = format!("{}/trusted_root.json", part("SIGSTORE"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_gp-deliver"));
    command.env_clear().env("HOME", scene.source.beside("home")).args(["verify", image, "--sigstore-trusted-root", &root]);
    Ended::from(command.args(flags).output().unwrap())
}

#[test]
fn an_age_that_is_asked_for_asks_for_a_verdict() {
    let scene = Scene::set();
    scene.deliver("prod").ends_with(0);
    let digest = scene.digest(&scene.sha);
    // The same image elsewhere, with its signature and nothing else.
    let copy = format!("{}-copy", scene.repository());
    crane(&["copy", "--insecure", &scene.image(&scene.sha), &format!("{copy}:v1")]);
    let listed = scene.listed(&digest);
    let signature = listed["manifests"]
        .as_array()
        .unwrap()
        .iter()
        .find(|listed| listed["annotations"]["dev.sigstore.bundle.predicateType"] == "https://sigstore.dev/cosign/sign/v1");
    let signature = signature.unwrap()["digest"].as_str().unwrap();
    crane(&["copy", "--insecure", &format!("{}@{signature}", scene.repository()), &format!("{copy}:signature")]);
    let issuer = part("ISSUER");
    let signed = ["--identity", SIGNER, "--issuer", &issuer];
    let image = format!("{copy}:v1");
    let verified = verify(&scene, &image, &signed);
    assert_eq!(verified.code, Some(0), "{verified}");
    let verified = verify(&scene, &image, &[&signed[..], &["--max-age", "48h"]].concat());
    assert_eq!(verified.code, Some(3), "{verified}");
}

#[test]
fn what_is_asked_of_an_identity_is_not_passed_over_where_a_policy_names_it() {
    let scene = Scene::set();
    scene.source.write("policy.yml", &format!("signers:\n  - identity: \"{SIGNER}\"\n"));
    let policy = scene.source.context().join("policy.yml");
    for (flag, value) in [("--repository", "octo-org/other"), ("--ref", "refs/heads/x"), ("--issuer", "https://x.example")] {
        let verified = verify(&scene, &scene.image("v1"), &["--policy", policy.to_str().unwrap(), flag, value]);
        assert_eq!(verified.code, Some(2), "{verified}");
    }
}

#[test]
fn whoever_takes_an_image_at_its_word_proves_it_to_nobody() {
    let scene = Scene::set();
    // Nobody has signed it: it could be anyone's.
    scene.deliver("dev").ends_with(0);
    scene.deliver("staging").flag("--reuse", "claimed").ends_with(0);
    assert_eq!(scene.source.record()["reuse"]["is"], "promoted", "{}", scene.source.record());
    scene.deliver("prod").ends_with(0);
    let record = scene.source.record();
    assert_eq!((&record["reuse"], ran(&record, "build")), (&Value::Null, true), "{record}");
    // What was built is proven from then on.
    scene.deliver("staging").ends_with(0);
    assert!(!ran(&scene.source.record(), "build"), "{}", scene.source.record());
}

#[test]
fn what_was_there_before_anything_was_signed_is_signed_where_that_is_asked_for() {
    let scene = Scene::set();
    scene.deliver("dev").ends_with(0);
    // All its tags are there, and nobody has signed it.
    scene.deliver("dev").flag("--sign", "keyless").ends_with(0);
    scene.verify(&scene.sha, &["--identity", SIGNER, "--environment", "dev"], 0);
}
