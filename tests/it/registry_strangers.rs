//! Credentials are shown to the registry and its token server, and to nobody else.

use std::sync::Arc;

use doubles::front::{ALWAYS, Demand, Fault, Front, basic, rule};
use doubles::registry::{Options, Registry, USER};
use gp_deliver::oci::Image;
use gp_deliver::oci::registry::{self as client, Client, Credentials, Selector, Store, UrlRole};
use gp_deliver::publish::{self, Error, Event};
use gp_deliver::record::Publication;
use gp_deliver::secret::Secret;
use oci_spec::image::Descriptor;
use tokio_util::sync::CancellationToken;

use crate::support::image;

/// What `docker login` leaves for these addresses.
fn login(folder: &std::path::Path, addresses: &[&str]) -> Store {
    let entry = serde_json::json!({"username": USER.0, "password": USER.1});
    let auths: serde_json::Map<_, _> = addresses.iter().map(|address| ((*address).to_owned(), entry.clone())).collect();
    let config = folder.join("config.json");
    std::fs::write(&config, serde_json::json!({ "auths": auths }).to_string()).unwrap();
    Store::at(config)
}

async fn deliver(address: &str, store: &Store, image: &Image) -> Result<Publication, Error> {
    let target = publish::preflight(&format!("{address}/app").parse().unwrap(), store).await?;
    let (cleared, tags) = (image::cleared(image), image::tags(&["v1"]));
    publish::publish(&cleared, image, &target, &tags, &CancellationToken::new(), &(Arc::new(|_: Event| {}) as _)).await
}

fn client_of(front: &Front) -> Client {
    let auth = client::credentials::Auth::Basic { username: USER.0.to_owned(), password: Secret::new(USER.1) };
    let credentials = Credentials { auth, origin: client::credentials::Origin::Given };
    Client::new(format!("{}/app", front.address).parse().unwrap(), credentials).unwrap()
}

fn layer(image: &Image) -> &Descriptor {
    &image.platforms[0].layers[1].descriptor
}

#[tokio::test]
async fn an_upload_elsewhere_is_sent_without_credentials() {
    let (registry, folder) = (Registry::start(Options::default()), tempfile::tempdir().unwrap());
    let image = image::image(&folder.path().join("image"), 1, &["amd64"], 1 << 16);
    let stranger = Front::start(&registry.address, Demand::Nothing, vec![]).await;
    let rules = vec![rule("POST", "/blobs/uploads/", ALWAYS, Fault::Relocate(stranger.address.clone()))];
    let front = Front::start(&registry.address, Demand::Basic, rules).await;
    deliver(&front.address, &login(folder.path(), &[&front.address]), &image).await.unwrap();
    let seen = stranger.seen();
    assert_eq!(seen.len(), 4);
    assert!(seen.iter().all(|request| request.header("authorization").is_none()));
    assert!(front.seen().iter().any(|request| request.header("authorization") == Some(&basic())));
}

#[tokio::test]
async fn content_elsewhere_is_fetched_without_credentials() {
    let (registry, folder) = (Registry::start(Options::default()), tempfile::tempdir().unwrap());
    let image = image::image(&folder.path().join("image"), 1, &["amd64"], 1 << 16);
    deliver(&registry.address, &Store::at("/nowhere"), &image).await.unwrap();
    let stranger = Front::start(&registry.address, Demand::Nothing, vec![]).await;
    let digest = layer(&image).digest().to_string();
    let place = format!("http://{}/v2/app/blobs/{digest}?signature=x", stranger.address);
    let rules = vec![rule("GET", "/blobs/", ALWAYS, Fault::Answer(307, "", Some(("Location", place))))];
    let front = Front::start(&registry.address, Demand::Bearer, rules).await;
    let mut content = Vec::new();
    client_of(&front).pull_blob(layer(&image), &mut content, &|_| {}).await.unwrap();
    assert_eq!(content, std::fs::read(image.layout.blob(&digest.parse().unwrap())).unwrap());
    assert_eq!(stranger.count("GET", "signature=x"), 1);
    assert!(stranger.seen().iter().all(|request| request.header("authorization").is_none()));
}

#[tokio::test]
async fn a_token_is_fetched_with_the_password_and_the_password_shown_nowhere_else() {
    let (registry, folder) = (Registry::start(Options::default()), tempfile::tempdir().unwrap());
    let image = image::image(&folder.path().join("image"), 1, &["amd64", "arm64"], 1 << 16);
    let front = Front::start(&registry.address, Demand::Bearer, vec![]).await;
    deliver(&front.address, &login(folder.path(), &[&front.address]), &image).await.unwrap();
    let tokens: Vec<_> = front.seen().into_iter().filter(|request| request.path.starts_with("/token")).collect();
    assert_eq!(tokens.len(), 1, "{tokens:?}");
    assert!(tokens[0].path.contains("service=front&scope=repository%3Aapp%3Apull%2Cpush"), "{}", tokens[0].path);
    let others = front.seen().into_iter().filter(|request| !request.path.starts_with("/token"));
    assert_eq!(others.filter(|request| request.header("authorization") == Some(&basic())).count(), 0);
}

#[tokio::test]
async fn a_token_server_over_plain_http_beyond_this_machine_is_shown_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let front = Front::start("127.0.0.1:1", Demand::BearerOf("http://auth.invalid/token?secret".to_owned()), vec![]).await;
    let destination = format!("{}/app", front.address).parse().unwrap();
    let Err(Error::Registry(error)) = publish::preflight(&destination, &login(folder.path(), &[&front.address])).await else {
        panic!("not refused")
    };
    let client::Error::ForbiddenUrl { role, url, .. } = error else { panic!("{error}") };
    assert_eq!((role, url.as_str()), (UrlRole::Realm, "http://auth.invalid/token"));
}

#[tokio::test]
async fn an_upload_is_one_request_of_known_length_that_waits_for_nothing() {
    let (registry, folder) = (Registry::start(Options::default()), tempfile::tempdir().unwrap());
    let image = image::image(&folder.path().join("image"), 1, &["amd64"], 3 << 20);
    let front = Front::start(&registry.address, Demand::Nothing, vec![]).await;
    deliver(&front.address, &Store::at("/nowhere"), &image).await.unwrap();
    let puts: Vec<_> = front.seen().into_iter().filter(|r| r.method == "PUT" && r.path.contains("/uploads/")).collect();
    assert_eq!(puts.len(), 4);
    let sizes = puts.iter().map(|put| put.header("content-length").unwrap().parse::<u64>().unwrap());
    assert_eq!(sizes.sum::<u64>() + image.root.size(), image.size());
    // The registry's own query is as it was, and the digest comes after it.
    assert!(puts.iter().all(|put| put.path.contains("?_state=") && put.path.contains("&digest=sha256%3A")));
    assert!(puts.iter().all(|put| put.header("expect").is_none()));
    assert_eq!(front.count("PATCH", ""), 0);
}

#[tokio::test]
async fn a_fetch_that_is_cut_goes_on_where_it_was_cut() {
    let (registry, folder) = (Registry::start(Options::default()), tempfile::tempdir().unwrap());
    let image = image::image(&folder.path().join("image"), 1, &["amd64"], 1 << 20);
    deliver(&registry.address, &Store::at("/nowhere"), &image).await.unwrap();
    let front =
        Front::start(&registry.address, Demand::Nothing, vec![rule("GET", "/blobs/", 2, Fault::CutAnswer(300_000))]).await;
    let mut content = Vec::new();
    client_of(&front).pull_blob(layer(&image), &mut content, &|_| {}).await.unwrap();
    let ranges: Vec<_> = front.seen().iter().filter_map(|r| r.header("range").map(str::to_owned)).collect();
    assert_eq!(ranges, ["bytes=300000-", "bytes=600000-"]);
    assert_eq!(content.len() as u64, layer(&image).size());
}

#[tokio::test]
async fn content_that_is_not_what_was_asked_for_is_refused() {
    let (registry, folder) = (Registry::start(Options::default()), tempfile::tempdir().unwrap());
    let image = image::image(&folder.path().join("image"), 1, &["amd64"], 1 << 16);
    deliver(&registry.address, &Store::at("/nowhere"), &image).await.unwrap();
    let front = Front::start(&registry.address, Demand::Nothing, vec![rule("GET", "/app/", ALWAYS, Fault::Corrupt)]).await;
    let client = client_of(&front);
    let blob = client.pull_blob(layer(&image), &mut Vec::new(), &|_| {}).await.unwrap_err();
    assert!(matches!(blob, client::Error::DigestMismatch(_)), "{blob}");
    for which in [Selector::Digest(image.digest), Selector::Tag("v1".parse().unwrap())] {
        let manifest = client.pull_manifest(&which).await.unwrap_err();
        assert!(matches!(manifest, client::Error::DigestMismatch(_)), "{manifest}");
    }
    let mut shorter = layer(&image).clone();
    shorter.set_size(100);
    let longer = client.pull_blob(&shorter, &mut Vec::new(), &|_| {}).await.unwrap_err();
    assert!(matches!(longer, client::Error::TooLarge { limit: 100, .. }), "{longer}");
}
