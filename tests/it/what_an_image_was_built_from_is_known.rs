//! What an image was built from is known by digest, on every kind of engine, and where it is not, that is said.

use std::process::Command;

use doubles::registry::{Options, Registry};
use serde_json::{Value, json};

use crate::support::{Engine, Source, engines, run, tool};

const BASE: &str = "debian:bookworm-slim";

/// Pushes an image with one file, and says the digest under which the registry serves it.
fn push(reference: &str, content: &str) -> String {
    let made = Source::in_git(&[("Dockerfile", "FROM scratch\nCOPY a /base\n"), ("a", content)]);
    made.deliver().flag("--tags", "one").ends_with(0);
    run(Command::new(tool("crane")).args(["push", "--insecure"]).arg(made.beside("image")).arg(reference));
    let said = Command::new(tool("crane")).args(["digest", "--insecure", reference]).output().unwrap();
    String::from_utf8(said.stdout).unwrap().trim().to_owned()
}

/// What the record says that the image was built from.
fn materials(source: &Source, engine: &Engine) -> Value {
    source.deliver().on(engine).ends_with(0);
    source.record()["image"]["platforms"][0]["materials"].clone()
}

fn image(reference: &str, digest: &str) -> Value {
    json!({"kind": "image", "reference": reference, "digest": digest, "platform": "linux/amd64"})
}

#[test]
fn a_base_that_is_named_by_its_tag_is_known_by_the_digest_that_the_registry_serves() {
    let registry = Registry::start(Options::default());
    let base = format!("{}/team/base:1", registry.address);
    let other = format!("{}/team/other:1", registry.address);
    for engine in engines() {
        let name = engine.name;
        let digests = [push(&base, &format!("{name} base")), push(&other, &format!("{name} other"))];
        let dockerfile =
            format!("FROM {base} AS unused\nFROM {other} AS other\nFROM {base}\nCOPY b /\nCOPY --from=other /base /other\n");
        let source = Source::in_git(&[("Dockerfile", &dockerfile), ("b", "own")]);
        let expected = json!({"named": [image(&base, &digests[0]), image(&other, &digests[1])], "unknown": [], "network": false});
        assert_eq!(materials(&source, &engine), expected, "{name}");
        // The tag moves, and so does what is said of it.
        let moved = push(&base, &format!("{name} moved"));
        assert_eq!(materials(&source, &engine)["named"][0], image(&base, &moved), "{name}");
    }
}

#[test]
fn an_image_that_a_copy_names_is_known_where_the_builder_resolves_it_and_said_to_be_unknown_where_not() {
    let registry = Registry::start(Options::default());
    let other = format!("{}/team/other:1", registry.address);
    for (engine, resolves) in engines().into_iter().zip([false, true, true]) {
        let digest = push(&other, &format!("{} copied", engine.name));
        let source = Source::in_git(&[("Dockerfile", &format!("FROM scratch\nCOPY --from={other} /base /other\n"))]);
        let (digest, unknown) = if resolves {
            (json!(digest), json!([]))
        } else {
            (Value::Null, json!([format!("the builder took the image {other} without a digest of a registry")]))
        };
        let named = json!([{"kind": "image", "reference": other, "digest": digest, "platform": "linux/amd64"}]);
        let expected = json!({"named": named, "unknown": unknown, "network": false});
        assert_eq!(materials(&source, &engine), expected, "{}", engine.name);
    }
}

#[test]
fn what_is_named_without_a_digest_is_listed_and_never_called_known() {
    let registry = Registry::start(Options::default());
    let base = format!("{}/team/base:1", registry.address);
    push(&base, "any");
    let manifest = Command::new(tool("crane")).args(["manifest", "--insecure", &base]).output().unwrap();
    let manifest: Value = serde_json::from_slice(&manifest.stdout).unwrap();
    let url = format!("http://{}/v2/team/base/blobs/{}", registry.address, manifest["config"]["digest"].as_str().unwrap());
    for engine in engines() {
        let source = Source::in_git(&[("Dockerfile", &format!("FROM scratch\nADD {url} /file\n"))]);
        let expected = json!({
            "named": [{"kind": "file", "url": url, "digest": null}],
            "unknown": [format!("the build names no checksum of {url}")],
            "network": false
        });
        assert_eq!(materials(&source, &engine), expected, "{}", engine.name);
    }
}

#[test]
fn a_step_that_reaches_the_network_is_said_to() {
    for (place, engine) in engines().into_iter().enumerate() {
        // Docker 20.10 cuts no step off.
        for (flag, reaches) in [("--network=none", false), ("", true)].into_iter().skip(usize::from(place == 0)) {
            let source = Source::in_git(&[("Dockerfile", &format!("FROM {BASE}\nRUN {flag} true\nCOPY a /\n")), ("a", "1")]);
            assert_eq!(materials(&source, &engine)["network"], reaches, "{} {flag}", engine.name);
        }
    }
}
