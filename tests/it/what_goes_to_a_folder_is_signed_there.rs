//! An image that is delivered to a layout folder has what is signed about it there, listed by the folder's own index as OCI has it:
//! gp-deliver and others' programs read it without a registry.

use std::path::{Path, PathBuf};
use std::process::Command;

use doubles::aws::World;
use serde_json::Value;

use crate::support::{Delivery, Ended, part};
use crate::what_is_delivered_is_signed::{SIGNER, Scene, slow_part};

const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

fn folder(scene: &Scene) -> PathBuf {
    scene.source.beside("image")
}

fn deliver(scene: &Scene) -> Delivery {
    scene.deliver("prod").flag("--destination", &format!("oci:{}", folder(scene).display()))
}

/// What the folder's index lists: the images, and what is about them.
fn listed(scene: &Scene) -> (Vec<Value>, Vec<Value>) {
    let index: Value = serde_json::from_slice(&std::fs::read(folder(scene).join("index.json")).unwrap()).unwrap();
    index["manifests"].as_array().unwrap().iter().cloned().partition(|listed| listed["artifactType"].is_null())
}

#[track_caller]
fn verify(scene: &Scene, what: &str, flags: &[&str], code: i32) -> Ended {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gp-deliver"));
    command.env_clear().env("HOME", scene.source.beside("home")).args(["verify", what]).args(flags);
    let ended = Ended::from(command.output().unwrap());
    assert_eq!(ended.code, Some(code), "{flags:?}: {ended}");
    ended
}

fn root() -> String {
    format!("{}/trusted_root.json", part("SIGSTORE"))
}

/// By the certificate of the workflow.
#[track_caller]
fn verified(scene: &Scene, code: i32) -> Ended {
    let (image, root, issuer) = (format!("oci:{}", folder(scene).display()), root(), part("ISSUER"));
    let flags = ["--sigstore-trusted-root", &root, "--issuer", &issuer, "--identity", SIGNER, "--environment", "prod"];
    verify(scene, &image, &flags, code)
}

fn blob(folder: &Path, digest: &Value) -> Value {
    serde_json::from_slice(&std::fs::read(folder.join("blobs/sha256").join(&digest.as_str().unwrap()[7..])).unwrap()).unwrap()
}

#[test]
fn what_is_signed_about_an_image_is_listed_beside_it_and_a_second_delivery_adds_nothing() {
    let scene = Scene::set();
    deliver(&scene).flag("--platforms", "linux/amd64,linux/arm64").ends_with(0).says("11 statements");
    let says = verified(&scene, 0).stdout;
    for says_so in ["✓ signature", "✓ content", "cleared for prod", "2 of 2 platforms have one", "✓ provenance"] {
        assert!(says.contains(says_so), "{says_so}: {says}");
    }
    let (images, about) = listed(&scene);
    assert_eq!(about.len(), 11);
    let index = blob(&folder(&scene), &images[0]["digest"]);
    let parts = index["manifests"].as_array().unwrap().iter().map(|part| &part["digest"]);
    let subjects: Vec<_> = parts.chain([&images[0]["digest"]]).collect();
    for entry in &about {
        let manifest = blob(&folder(&scene), &entry["digest"]);
        assert!(subjects.contains(&&manifest["subject"]["digest"]), "{manifest}");
        let types = [&entry["artifactType"], &manifest["artifactType"], &manifest["layers"][0]["mediaType"]];
        assert!(types.iter().all(|found| *found == BUNDLE), "{entry}");
        assert_eq!(entry["annotations"], manifest["annotations"], "who lists them need not open each");
    }
    let summary = scene.source.summary();
    assert!(summary.contains(&format!("gp-deliver verify oci:{}@sha256:", folder(&scene).display())), "{summary}");
    let again = deliver(&scene).flag("--platforms", "linux/amd64,linux/arm64").ends_with(0);
    again.says("all of it is there already");
    assert_eq!(listed(&scene), (images, about));
    verified(&scene, 0);
}

#[test]
fn cosign_reads_it_there() {
    let scene = Scene::set();
    deliver(&scene).flag("--tags", "v1").ends_with(0);
    let Some(cosign) = slow_part("COSIGN") else { return };
    let holds = |identity: &str| {
        let mut command = Command::new(&cosign);
        command.env_clear().env("HOME", scene.source.beside("home")).args(["verify", "--local-image"]).arg(folder(&scene));
        command.args(["--certificate-oidc-issuer", &part("ISSUER"), "--certificate-identity-regexp", identity]);
        let said = command.args(["--trusted-root", &root()]).output().unwrap();
        (said.status.success(), String::from_utf8_lossy(&said.stderr).into_owned())
    };
    let (held, said) = holds("^https://github.com/octo-org/gp-deliver/");
    assert!(held, "{said}");
    assert!(!holds("^https://github.com/evil/").0);
}

#[test]
fn what_is_about_an_image_goes_with_its_last_tag() {
    let scene = Scene::set();
    let tagged = |tags: &str| deliver(&scene).flag("--tags", tags).ends_with(0);
    tagged("v1,{env}-latest");
    let (images, first) = listed(&scene);
    assert_eq!((images.len(), first.len()), (2, 6));
    scene.source.write("file", "2");
    scene.source.commit("more");
    tagged("{env}-latest");
    let (images, both) = listed(&scene);
    assert_eq!((images.len(), both.len()), (2, 12), "the first image has a tag yet");
    scene.source.write("file", "3");
    scene.source.commit("more");
    tagged("v1,{env}-latest");
    let (images, about) = listed(&scene);
    assert_eq!((images.len(), about.len()), (2, 6));
    assert!(about.iter().all(|entry| !both.contains(entry)), "{about:?}");
    verified(&scene, 0);
}

#[test]
fn a_signature_that_can_not_be_made_leaves_the_folder_as_it_was() {
    let scene = Scene::set();
    let fails = || {
        let file = format!("{}/signing_config.json", part("SIGSTORE"));
        let mut config: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
        config["rekorTlogUrls"][0]["url"] = "http://127.0.0.1:9/nobody".into();
        deliver(&scene).flag("--sigstore-signing-config", &config.to_string()).ends_with(1).says("can't be reached");
    };
    fails();
    assert!(!folder(&scene).exists());
    deliver(&scene).ends_with(0);
    let before = std::fs::read(folder(&scene).join("index.json")).unwrap();
    scene.source.write("file", "2");
    scene.source.commit("more");
    fails();
    assert_eq!(std::fs::read(folder(&scene).join("index.json")).unwrap(), before);
    verified(&scene, 0);
}

#[test]
fn nobody_who_has_not_asked_writes_into_a_log_for_a_folder() {
    let scene = Scene::set();
    let auto = deliver(&scene).without("--sigstore-signing-config").without("--sigstore-trusted-root");
    auto.ends_with(0).says("the image goes to a folder");
    assert_eq!((listed(&scene).0.is_empty(), listed(&scene).1.len()), (false, 0));
}

#[test]
fn a_key_signs_there_too() {
    let (scene, world) = (Scene::set(), World::options().start());
    let key = world.create_key(None);
    let allowed = serde_json::json!({ "Effect": "Allow", "Action": "kms:*", "Resource": "*" });
    world.set_role_policy(&serde_json::json!({ "Version": "2012-10-17", "Statement": [allowed] }));
    let run = world.variables().into_iter().fold(deliver(&scene), |run, (name, value)| run.variable(&name, &value));
    let run = run.without("--sigstore-signing-config").without("--sigstore-trusted-root");
    run.flag("--role-to-assume", &world.role()).flag("--sign", "kms").flag("--kms-key", &key).ends_with(0).says("6 statements");
    let public = scene.source.beside("prod.pem");
    std::fs::write(&public, world.public_key(&key)).unwrap();
    let (image, public) = (format!("oci:{}", folder(&scene).display()), public.to_str().unwrap().to_owned());
    verify(&scene, &image, &["--key", &format!("prod={public}"), "--environment", "prod"], 0);
    verify(&scene, &image, &["--key", &format!("dev={public}"), "--environment", "prod"], 3);
}
