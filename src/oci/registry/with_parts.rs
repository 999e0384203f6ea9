//! Tests of the client with a registry: what it fetches is what was asked for, and is fetched to its end.

use std::sync::Arc;

use bytes::Bytes;
use doubles::proxy::{ALWAYS, Challenge, Fault, Proxy, rule};
use doubles::registry::{Options, Registry, USER};
use oci_spec::image::{Descriptor, MediaType};

use super::credentials::{Auth, Origin};
use super::{Client, Credentials, Error, Progress, Selector};
use crate::oci::layout::digest_of;
use crate::oci::manifest::Fault as Refusal;
use crate::oci::{Digest, Image, layout, sample};
use crate::secret::Secret;

fn stranger(address: &str) -> Client {
    Client::new(format!("{address}/app").parse().unwrap(), Credentials::anonymous()).unwrap()
}

/// Pushes an image under some tags.
async fn push(address: &str, image: &Image, tags: &[&str]) {
    let (client, platform) = (stranger(address), &image.platforms[0]);
    let progress: Progress = Arc::new(|_| {});
    let layers = platform.layers.iter().map(|layer| &layer.descriptor);
    for blob in layers.chain([&platform.config_descriptor]) {
        client.push_blob(blob, &image.layout.blob(&digest_of(blob).unwrap()), None, &progress).await.unwrap();
    }
    let manifest = Bytes::from(image.layout.read(&image.root).unwrap());
    for tag in tags {
        client.put_manifest(&Selector::Tag(tag.parse().unwrap()), image.root.media_type(), &manifest).await.unwrap();
    }
}

fn client_of(proxy: &Proxy) -> Client {
    let auth = Auth::Basic { username: USER.0.to_owned(), password: Secret::new(USER.1) };
    let credentials = Credentials { auth, origin: Origin::Given };
    Client::new(format!("{}/app", proxy.address).parse().unwrap(), credentials).unwrap()
}

fn layer(image: &Image) -> &Descriptor {
    &image.platforms[0].layers[1].descriptor
}

#[tokio::test]
async fn content_elsewhere_is_fetched_without_credentials() {
    let (registry, folder) = (Registry::start(Options::default()), tempfile::tempdir().unwrap());
    let image = sample::random(&folder.path().join("image"), 1, &["amd64"], 1 << 16);
    push(&registry.address, &image, &["v1"]).await;
    let stranger = Proxy::start(&registry.address, Challenge::Nothing, vec![]).await;
    let digest = layer(&image).digest().to_string();
    let place = format!("http://{}/v2/app/blobs/{digest}?signature=x", stranger.address);
    let rules = vec![rule("GET", "/blobs/", ALWAYS, Fault::Answer(307, "", Some(("Location", place))))];
    let proxy = Proxy::start(&registry.address, Challenge::Bearer, rules).await;
    let mut content = Vec::new();
    client_of(&proxy).pull_blob(layer(&image), &mut content, &|_| {}).await.unwrap();
    assert_eq!(content, std::fs::read(image.layout.blob(&digest.parse().unwrap())).unwrap());
    assert_eq!(stranger.count("GET", "signature=x"), 1);
    assert!(stranger.seen().iter().all(|request| request.header("authorization").is_none()));
}

#[tokio::test]
async fn a_fetch_that_is_cut_goes_on_where_it_was_cut() {
    let (registry, folder) = (Registry::start(Options::default()), tempfile::tempdir().unwrap());
    let image = sample::random(&folder.path().join("image"), 1, &["amd64"], 1 << 20);
    push(&registry.address, &image, &["v1"]).await;
    let proxy =
        Proxy::start(&registry.address, Challenge::Nothing, vec![rule("GET", "/blobs/", 2, Fault::CutAnswer(300_000))]).await;
    let mut content = Vec::new();
    client_of(&proxy).pull_blob(layer(&image), &mut content, &|_| {}).await.unwrap();
    let ranges: Vec<_> = proxy.seen().iter().filter_map(|r| r.header("range").map(str::to_owned)).collect();
    assert_eq!(ranges, ["bytes=300000-", "bytes=600000-"]);
    assert_eq!(content.len() as u64, layer(&image).size());
}

#[tokio::test]
async fn content_that_is_not_what_was_asked_for_is_refused() {
    let (registry, folder) = (Registry::start(Options::default()), tempfile::tempdir().unwrap());
    let image = sample::random(&folder.path().join("image"), 1, &["amd64"], 1 << 16);
    push(&registry.address, &image, &["v1"]).await;
    let proxy = Proxy::start(&registry.address, Challenge::Nothing, vec![rule("GET", "/app/", ALWAYS, Fault::Corrupt)]).await;
    let client = client_of(&proxy);
    let blob = client.pull_blob(layer(&image), &mut Vec::new(), &|_| {}).await.unwrap_err();
    assert!(matches!(blob, Error::DigestMismatch(_)), "{blob}");
    for which in [Selector::Digest(image.digest), Selector::Tag("v1".parse().unwrap())] {
        let manifest = client.pull_manifest(&which).await.unwrap_err();
        assert!(matches!(manifest, Error::DigestMismatch(_)), "{manifest}");
    }
    let mut shorter = layer(&image).clone();
    shorter.set_size(100);
    let longer = client.pull_blob(&shorter, &mut Vec::new(), &|_| {}).await.unwrap_err();
    assert!(matches!(longer, Error::TooLarge { limit: 100, .. }), "{longer}");
}

/// What a registry may answer, and whether a client takes it for a manifest.
fn answers() -> Vec<(&'static str, &'static str, &'static [u8], bool)> {
    const INDEX: &str = "application/vnd.oci.image.index.v1+json";
    const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
    const DOCKER: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
    vec![
        ("an index", INDEX, br#"{"schemaVersion":2,"manifests":[]}"#, true),
        (
            "an index with a charset",
            "application/vnd.oci.image.index.v1+json; charset=utf-8",
            br#"{"schemaVersion":2,"manifests":[]}"#,
            true,
        ),
        ("something else", "application/vnd.example+json", br#"{"a":1}"#, true),
        ("two lists", INDEX, br#"{"schemaVersion":2,"manifests":[],"Manifests":[]}"#, false),
        ("one list twice", INDEX, br#"{"schemaVersion":2,"manifests":[],"manifests":[]}"#, false),
        ("a list in capitals", INDEX, br#"{"schemaVersion":2,"MANIFESTS":[]}"#, false),
        ("a long s", INDEX, "{\"schemaVersion\":2,\"manifests\":[],\"manife\u{17f}ts\":[]}".as_bytes(), false),
        ("two kinds", INDEX, br#"{"schemaVersion":2,"manifests":[],"config":{},"layers":[]}"#, false),
        (
            "another type",
            MANIFEST,
            br#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}"#,
            false,
        ),
        ("another kind", MANIFEST, br#"{"schemaVersion":2,"manifests":[]}"#, false),
        ("Docker's without a type", DOCKER, br#"{"schemaVersion":2,"manifests":[]}"#, false),
        ("two documents", INDEX, br#"{"schemaVersion":2,"manifests":[]}{}"#, false),
        ("a mark before it", INDEX, b"\xef\xbb\xbf{\"schemaVersion\":2,\"manifests\":[]}", false),
        ("broken text", INDEX, b"{\"schemaVersion\":2,\"manifests\":[],\"x\":\"\xff\"}", false),
        ("half a pair", INDEX, br#"{"schemaVersion":2,"manifests":[],"x":"\ud800"}"#, false),
        ("something else with two readings", "application/vnd.example+json", br#"{"a":1,"A":2}"#, false),
        ("a page", "text/html", b"<html>", false),
        ("nothing", INDEX, b"", false),
    ]
}

/// A registry that has this one manifest, under all tags and digests.
async fn serving(media_type: &'static str, content: &[u8]) -> Proxy {
    let manifest = rule("GET", "/manifests/", ALWAYS, Fault::Content(media_type, content.to_vec()));
    let api = rule("GET", "/v2/", ALWAYS, Fault::Content("application/json", b"{}".to_vec()));
    Proxy::start("127.0.0.1:1", Challenge::Nothing, vec![manifest, api]).await
}

#[tokio::test]
async fn a_manifest_with_two_readings_is_refused_by_tag_and_by_digest_and_said_to_be_one() {
    for (name, media_type, content, taken) in answers() {
        let client = stranger(&serving(media_type, content).await.address);
        for which in [Selector::Tag("v1".parse().unwrap()), Selector::Digest(Digest::of(content))] {
            let (pulled, found) = (client.pull_manifest(&which).await, client.find_manifest(&which).await);
            assert_eq!((pulled.is_ok(), found.is_ok()), (taken, taken), "{name}: {pulled:?}");
            if let Err(error) = pulled {
                assert!(matches!(error, Error::Document { .. }), "{name}: {error}");
            }
        }
    }
}

#[tokio::test]
async fn a_manifest_is_what_the_index_says_that_lists_it() {
    let manifest = br#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}"#;
    let client = stranger(&serving("application/vnd.oci.image.index.v1+json", manifest).await.address);
    let listed = |media_type, size| layout::descriptor(media_type, Digest::of(manifest), size);
    let size = manifest.len() as u64;
    assert!(client.pull_listed(&listed(MediaType::ImageIndex, size)).await.is_ok());
    let other_type = client.pull_listed(&listed(MediaType::ImageManifest, size)).await.unwrap_err();
    let Error::Document { fault, .. } = other_type else { panic!("{other_type}") };
    assert!(matches!(*fault, Refusal::MediaType { .. }), "{fault}");
    let other_size = client.pull_listed(&listed(MediaType::ImageIndex, size + 1)).await.unwrap_err();
    assert!(matches!(other_size, Error::Layout(layout::Error::SizeMismatch { .. })), "{other_size}");
}

#[tokio::test]
async fn the_tags_of_a_repository_are_listed_and_one_that_is_not_there_has_none() {
    let (registry, folder) = (Registry::start(Options::default()), tempfile::tempdir().unwrap());
    let client = stranger(&registry.address);
    assert!(client.tags().await.unwrap().is_empty());
    let image = sample::random(folder.path(), 1, &["amd64"], 1 << 10);
    push(&registry.address, &image, &["v1", "latest"]).await;
    let tags: Vec<String> = client.tags().await.unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(tags, ["latest", "v1"]);
}
