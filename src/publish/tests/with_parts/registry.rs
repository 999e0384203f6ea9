//! What is published is what was cleared, and an independent client finds it there.

use doubles::registry::{Options, Registry, USER, crane};
use tokio_util::sync::CancellationToken;

use crate::oci::registry::Store;
use crate::oci::{Digest, Image, Layout, layout, sample};
use crate::publish::tests::{cleared, publish, silent};
use crate::publish::{Error, Target, preflight};
use crate::record::Publication;

async fn target(destination: &str) -> Target {
    crate::publish::tests::look(destination).await.unwrap()
}

async fn deliver(image: &Image, target: &Target, names: &[&str]) -> Result<Publication, Error> {
    publish(&cleared(image), image, target, names, &CancellationToken::new(), &silent()).await
}

#[tokio::test]
async fn crane_finds_the_cleared_image_under_every_tag() {
    let (registry, folder) = (Registry::start(Options::default()), tempfile::tempdir().unwrap());
    for (name, architectures) in [("one", &["amd64"][..]), ("team/several", &["amd64", "arm64"])] {
        let image = sample::random(&folder.path().join(name.replace('/', "-")), 1, architectures, 3 << 20);
        let repository = format!("{}/{name}", registry.address);
        let published = deliver(&image, &target(&repository).await, &["latest", "abc1234", "dev-abc1234"]).await.unwrap();
        assert_eq!(published.tags.iter().map(ToString::to_string).collect::<Vec<_>>(), ["abc1234", "dev-abc1234", "latest"]);
        assert_eq!(published.destination, repository);
        for tag in ["abc1234", "dev-abc1234", "latest"] {
            assert_eq!(crane(&["digest", &format!("{repository}:{tag}")]), image.digest.to_string());
        }
        crane(&["validate", "--remote", &format!("{repository}:latest")]);
    }
}

#[tokio::test]
async fn what_is_there_is_not_sent_again() {
    let (registry, folder) = (Registry::start(Options::default()), tempfile::tempdir().unwrap());
    let target = target(&format!("{}/app", registry.address)).await;
    let first = sample::random(&folder.path().join("1"), 1, &["amd64", "arm64"], 1 << 16);
    let published = deliver(&first, &target, &["v1"]).await.unwrap();
    // Two shared layers, an own one and a config for each of two platforms.
    assert_eq!((published.blobs_sent, published.blobs_present), (6, 0));
    let again = deliver(&first, &target, &["v1", "v2"]).await.unwrap();
    assert_eq!((again.blobs_sent, again.blobs_present, again.bytes_sent), (0, 6, 0));
    let second = sample::random(&folder.path().join("2"), 2, &["amd64"], 1 << 16);
    let next = deliver(&second, &target, &["v3"]).await.unwrap();
    assert_eq!((next.blobs_sent, next.blobs_present), (3, 1));
    assert_eq!(next.bytes_sent + second.platforms[0].layers[0].descriptor.size() + second.root.size(), second.size());
}

#[tokio::test]
async fn layers_of_a_base_image_in_the_same_registry_are_mounted() {
    let (registry, folder) = (Registry::start(Options::default()), tempfile::tempdir().unwrap());
    let image = sample::random(folder.path(), 1, &["amd64"], 1 << 16);
    let base = format!("{}/base", registry.address);
    deliver(&image, &target(&base).await, &["v1"]).await.unwrap();
    let target = target(&format!("{}/app", registry.address)).await.with_siblings(vec![base.parse().unwrap()]);
    let published = deliver(&image, &target, &["v1"]).await.unwrap();
    assert_eq!(published.bytes_sent, 0);
    crane(&["validate", "--remote", &format!("{}/app:v1", registry.address)]);
}

#[tokio::test]
async fn the_password_of_docker_login_opens_the_registry_and_a_wrong_one_is_told_at_the_preflight() {
    let (registry, folder) = (Registry::start(Options { password: true, ..Options::default() }), tempfile::tempdir().unwrap());
    let image = sample::random(&folder.path().join("image"), 1, &["amd64"], 1 << 16);
    let destination = format!("{}/app", registry.address);
    let config = folder.path().join("config.json");
    let login = |password: &str| {
        let entry = serde_json::json!({"auths": {(&registry.address): {"username": USER.0, "password": password}}});
        std::fs::write(&config, entry.to_string()).unwrap();
        Store::at(&config)
    };
    let parsed = destination.parse().unwrap();
    for store in [login("wrong"), Store::at("/nowhere")] {
        let Err(Error::Registry(error)) = preflight(&parsed, &store, &[]).await else { panic!("not refused") };
        assert_eq!(error.status().map(|status| status.as_u16()), Some(401), "{error}");
    }
    let target = preflight(&parsed, &login(USER.1), &[]).await.unwrap();
    let published = deliver(&image, &target, &["v1"]).await.unwrap();
    assert_eq!(published.digest, image.digest);
}

#[tokio::test]
async fn a_tag_that_is_meant_to_stay_is_no_other_images() {
    let (registry, folder) = (Registry::start(Options::default()), tempfile::tempdir().unwrap());
    let target = target(&format!("{}/app", registry.address)).await;
    let [old, new] = [1, 2].map(|seed| sample::random(&folder.path().join(seed.to_string()), seed, &["amd64"], 1 << 10));
    deliver(&old, &target, &["v1", "latest"]).await.unwrap();
    let before = registry.tags("app").await;
    let Err(Error::Taken { taken, digest, .. }) = deliver(&new, &target, &["v1", "latest"]).await else { panic!("not refused") };
    assert_eq!((taken[0].tag.as_str(), taken[0].digest, digest), ("v1", old.digest, Some(new.digest)));
    assert_eq!(registry.tags("app").await, before);
}

#[tokio::test]
async fn an_image_that_was_not_cleared_is_not_published() {
    let (registry, folder) = (Registry::start(Options::default()), tempfile::tempdir().unwrap());
    let [one, other] = [1, 2].map(|seed| sample::random(&folder.path().join(seed.to_string()), seed, &["amd64"], 1 << 10));
    let target = target(&format!("{}/app", registry.address)).await;
    let result = publish(&cleared(&one), &other, &target, &["v1"], &CancellationToken::new(), &silent()).await;
    assert!(matches!(result, Err(Error::NotCleared { cleared, .. }) if cleared == one.digest));
    assert_eq!(registry.tags("app").await.len(), 0);
}

#[tokio::test]
async fn a_layer_that_changed_after_the_scan_is_not_published() {
    let (registry, folder) = (Registry::start(Options::default()), tempfile::tempdir().unwrap());
    let image = sample::random(folder.path(), 1, &["amd64"], 1 << 16);
    let layer: Digest = image.platforms[0].layers[1].descriptor.digest().to_string().parse().unwrap();
    let path = image.layout.blob(&layer);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[100] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let target = target(&format!("{}/app", registry.address)).await;
    let error = deliver(&image, &target, &["v1"]).await.unwrap_err();
    assert!(matches!(&error, Error::Layout(layout::Error::DigestMismatch { expected, .. }) if *expected == layer), "{error}");
    assert_eq!(registry.tags("app").await.len(), 0);
}

#[tokio::test]
async fn an_independent_reader_finds_the_cleared_image_in_a_new_folder() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new/place");
    let image = sample::random(&folder.path().join("image"), 1, &["amd64", "arm64"], 1 << 16);
    let published = crate::publish::tests::deliver(&format!("oci:{}", path.display()), &image, &[]).await.unwrap();
    assert_eq!(published.bytes_sent, image.size());
    // crane reads the folder only in order to push it.
    let registry = Registry::start(Options::default());
    let there = format!("{}/app:v1", registry.address);
    crane(&["push", "--index", path.to_str().unwrap(), &there]);
    let pushed = crane(&["manifest", &there]);
    assert!(pushed.contains(&image.digest.to_string()), "{pushed}");
    crane(&["validate", "--remote", &format!("{}/app@{}", registry.address, image.digest)]);
    let entries = Layout::open(&path).unwrap().index().unwrap().manifests().clone();
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0].digest().to_string(), image.digest.to_string());
}
