use serde_json::{Value, json};

use super::*;
use crate::document::Reason;

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";

fn descriptor(media_type: &str, content: &str) -> Value {
    json!({"mediaType": media_type, "digest": Digest::of(content.as_bytes()).to_string(), "size": content.len()})
}

fn manifest(media_type: Option<&str>) -> Value {
    let mut manifest = json!({"schemaVersion": 2, "config": descriptor("c", "c"), "layers": [descriptor("l", "l")]});
    manifest.as_object_mut().unwrap().extend(media_type.map(|own| ("mediaType".to_owned(), own.into())));
    manifest
}

fn index(media_type: Option<&str>) -> Value {
    let mut index = json!({"schemaVersion": 2, "manifests": [descriptor(MANIFEST, "m")]});
    index.as_object_mut().unwrap().extend(media_type.map(|own| ("mediaType".to_owned(), own.into())));
    index
}

fn with(mut document: Value, key: &str, value: Value) -> Value {
    document[key] = value;
    document
}

fn reading(document: &Value, declared: &str) -> Result<Document, Fault> {
    read(document.to_string().as_bytes(), &declared.into())
}

fn refusal(document: &str, declared: &str) -> Fault {
    read(document.as_bytes(), &declared.into()).unwrap_err()
}

#[test]
fn an_index_and_a_manifest_of_each_maker_are_read() {
    for (document, declared) in [(index(None), INDEX), (index(Some(INDEX)), INDEX), (index(Some(DOCKER_LIST)), DOCKER_LIST)] {
        assert_eq!(reading(&document, declared).unwrap().index().unwrap().manifests().len(), 1);
    }
    let of_docker = manifest(Some(DOCKER_MANIFEST));
    for (document, declared) in [(manifest(None), MANIFEST), (manifest(Some(MANIFEST)), MANIFEST), (of_docker, DOCKER_MANIFEST)] {
        assert_eq!(reading(&document, declared).unwrap().manifest().unwrap().layers().len(), 1);
    }
    assert_eq!(reading(&index(None), INDEX).unwrap().manifest(), Err(Fault::Unwanted("the manifest of one image")));
    assert_eq!(reading(&manifest(None), MANIFEST).unwrap().index(), Err(Fault::Unwanted("an index")));
}

#[test]
fn a_document_is_of_the_type_that_names_it() {
    for (document, declared) in [
        (index(Some(INDEX)), MANIFEST),
        (index(Some(INDEX)), DOCKER_LIST),
        (manifest(Some(MANIFEST)), INDEX),
        (manifest(Some(MANIFEST)), DOCKER_MANIFEST),
        (manifest(Some("application/json")), MANIFEST),
    ] {
        let own = document["mediaType"].as_str().unwrap();
        let fault = Fault::MediaType { own: text::words(own), declared: text::words(declared) };
        assert_eq!(reading(&document, declared), Err(fault), "{own} {declared}");
    }
    let of = |document: Value, declared| media_type(document.to_string().as_bytes(), declared);
    assert_eq!(of(index(Some(INDEX)), None), Ok(MediaType::ImageIndex));
    assert_eq!(of(index(None), Some(INDEX)), Ok(MediaType::ImageIndex));
    assert_eq!(of(index(None), None), Err(Fault::Unstated));
    assert_eq!(of(manifest(None), Some(DOCKER_MANIFEST)), Err(Fault::Unstated), "Docker's have to say it");
    assert_eq!(of(index(None), Some(DOCKER_LIST)), Err(Fault::Unstated));
    assert_eq!(of(json!({"a": 1}), Some("text/x")), Ok(MediaType::Other("text/x".to_owned())), "a tag may name anything");
    assert_eq!(reading(&json!({"a": 1}), "text/x"), Err(Fault::Unknown("text/x".into())));
}

#[test]
fn a_document_of_two_kinds_is_refused() {
    for (document, declared, one, other) in [
        (with(index(Some(INDEX)), "layers", json!([])), INDEX, "manifests", "layers"),
        (with(index(None), "layers", Value::Null), INDEX, "manifests", "layers"),
        (with(index(None), "config", json!({})), INDEX, "manifests", "config"),
        (with(manifest(Some(MANIFEST)), "manifests", json!([])), MANIFEST, "manifests", "layers"),
        (with(manifest(None), "fsLayers", json!([])), MANIFEST, "layers", "fsLayers"),
        (with(index(None), "blobs", json!([])), INDEX, "manifests", "blobs"),
    ] {
        assert_eq!(reading(&document, declared), Err(Fault::Mixed { one, other }), "{document}");
        assert!(Fault::Mixed { one, other }.is_ambiguous());
    }
    for key in ["Manifests", "MANIFESTS", "manife\u{17f}ts"] {
        let fault = reading(&with(manifest(None), key, json!([])), MANIFEST).unwrap_err();
        assert!(matches!(&fault, Fault::Document(error) if matches!(error.reason, Reason::Spelled { .. })), "{key}: {fault}");
    }
}

#[test]
fn a_key_with_two_readings_is_refused_wherever_it_is() {
    let entry = descriptor(MANIFEST, "m").to_string();
    let spelled = |entry: &str| format!(r#"{{"schemaVersion":2,"manifests":[{entry}]}}"#);
    for document in [
        format!(r#"{{"schemaVersion":2,"manifests":[{entry}],"Manifests":[]}}"#),
        format!(r#"{{"schemaVersion":2,"manifests":[],"manifests":[{entry}]}}"#),
        format!(r#"{{"schemaVersion":2,"mediaType":"{INDEX}","MediaType":"{MANIFEST}","manifests":[{entry}]}}"#),
        spelled(&entry.replace(r#""size""#, r#""Digest":"x","size""#)),
        spelled(&entry.replace(r#""size""#, r#""size":3,"size""#)),
        spelled(&entry.replace(r#""size""#, r#""\u0064igest":"x","size""#)),
        spelled(&entry.replace(r#""size""#, r#""platform":{"os":"linux","OS":"windows","architecture":"amd64"},"size""#)),
        spelled(&entry.replace(r#""size""#, r#""foo":{"a":1,"A":2},"size""#)),
        spelled(&entry.replace(r#""size""#, r#""annotations":{"a":"1","a":"2"},"size""#)),
    ] {
        let fault = refusal(&document, INDEX);
        assert!(fault.is_ambiguous() && matches!(fault, Fault::Document(_)), "{document}: {fault}");
    }
    let annotated = spelled(&entry.replace(r#""size""#, r#""annotations":{"a":"1","A":"2"},"size""#));
    assert!(read(annotated.as_bytes(), &INDEX.into()).is_ok(), "annotations have the keys that someone gave them");
}

#[test]
fn what_is_no_manifest_is_said_to_be_none() {
    for (document, declared) in [
        ("<html>", MANIFEST),
        ("", MANIFEST),
        ("null", MANIFEST),
        ("[]", INDEX),
        (r#"{"schemaVersion":2}"#, INDEX),
        (r#"{"schemaVersion":2,"manifests":null}"#, INDEX),
        (r#"{"schemaVersion":2,"manifests":[{"digest":"sha256:x","size":1}]}"#, INDEX),
        (r#"{"schemaVersion":2,"manifests":[]} {}"#, INDEX),
        (r#"{"schemaVersion":2,"layers":[]}"#, MANIFEST),
    ] {
        let fault = refusal(document, declared);
        assert!(matches!(fault, Fault::Document(_)) && !fault.is_ambiguous(), "{document}: {fault}");
    }
    assert_eq!(refusal(r#"{"schemaVersion":1,"manifests":[]}"#, INDEX), Fault::Version(1));
}

#[test]
fn content_in_a_descriptor_is_what_the_descriptor_names() {
    let held = |data: &str| {
        let config = with(descriptor("c", "content"), "data", data.into());
        reading(&with(manifest(None), "config", config), MANIFEST)
    };
    assert!(held("Y29udGVudA==").is_ok());
    for data in ["b3RoZXI=", "Y29udGVudA", "", "Y29udGVudHM="] {
        assert!(matches!(held(data), Err(Fault::Embedded { .. })), "{data}");
    }
    let listed = with(descriptor(MANIFEST, "m"), "data", "bg==".into());
    assert!(matches!(reading(&with(index(None), "manifests", json!([listed])), INDEX), Err(Fault::Embedded { .. })));
}
