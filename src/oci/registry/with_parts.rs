//! Tests of the client with a registry: what it fetches is what was asked for, and is fetched to its end.

use std::sync::Arc;

use bytes::Bytes;
use doubles::proxy::{ALWAYS, Challenge, Fault, Proxy, rule};
use doubles::registry::{Options, Registry, USER};
use oci_spec::image::Descriptor;

use super::credentials::{Auth, Origin};
use super::{Client, Credentials, Error, Progress, Selector};
use crate::oci::layout::digest_of;
use crate::oci::{Image, sample};
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
