//! The vulnerability database: from the first mirror that has it, once, and not from what only looks like it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};

use doubles::program::{Installer, program};
use doubles::proxy::{Challenge, Fault, Proxy, rule};
use doubles::registry::{Options, Registry, crane};

use super::digests::Digests;
use super::{Database, GRACE, Keys, Kind, MaxAge, Mirror, Request};
use crate::diagnosis::Diagnosis;
use crate::oci::registry::Store;
use crate::oci::{Digest, Layout};
use crate::scan::Error;
use jiff::{SignedDuration, Timestamp};

/// The two databases, as layouts in `folder`, from the advisories of `fixtures`.
pub(in crate::scan) fn databases(folder: &Path) {
    let advisories = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join("advisories");
    let mut make = Command::new(program(Installer::Tools, "trivy-db"));
    make.arg("--advisories").arg(advisories);
    make.arg("--output").arg(folder.join("trivy-db")).arg("--java-output").arg(folder.join("trivy-java-db"));
    assert!(make.status().unwrap().success());
}

struct World {
    folder: tempfile::TempDir,
    received: AtomicU64,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        databases(folder.path());
        Self { folder, received: AtomicU64::new(0) }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn mirror(&self, name: &str) -> String {
        format!("oci:{}", self.path(name).display())
    }

    async fn fetch(&self, mirrors: &[String]) -> Result<Database, Error> {
        self.fetch_not_older(mirrors, None).await
    }

    async fn fetch_not_older(&self, mirrors: &[String], max_age: Option<MaxAge>) -> Result<Database, Error> {
        let mirrors: Vec<Mirror> = mirrors.iter().map(|mirror| mirror.parse().unwrap()).collect();
        let (cache, credentials) = (self.path("cache"), Store::at(self.path("config.json")));
        let kind = Kind::Vulnerabilities;
        let keys = Keys::of(&credentials);
        let request = Request { kind, mirrors: &mirrors, cache: &cache, keys, max_age, grace: GRACE };
        let result = super::fetch(&request, &|bytes| self.received.store(bytes, Ordering::Relaxed)).await;
        if let Err(error) = &result {
            let Diagnosis { what, why, excerpt, .. } = error.into();
            assert!(what.contains("vulnerability database") && !why.is_empty() && excerpt.len() == mirrors.len());
        }
        result
    }
}

/// A database of this age, which says that a new one is due on a day to come.
fn make(folder: &Path, age: SignedDuration) {
    let updated_at = (Timestamp::now() - age).strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let advisories = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join("advisories");
    let mut make = Command::new(program(Installer::Tools, "trivy-db"));
    make.arg("--advisories").arg(advisories).arg("--output").arg(folder).arg("--updated-at").arg(updated_at);
    assert!(make.status().unwrap().success());
}

/// Makes the cached database one that was to be renewed some hours ago.
fn age(database: &Database, hours: i64) {
    let next = Timestamp::now() - SignedDuration::from_hours(hours);
    date(database, &next.to_string(), &next.to_string());
}

/// Gives the cached database other times, as if it had been fetched with them.
fn date(database: &Database, updated_at: &str, next_update: &str) {
    let text = format!(r#"{{"Version":2,"NextUpdate":"{next_update}","UpdatedAt":"{updated_at}"}}"#);
    fs::write(database.folder.join("metadata.json"), &text).unwrap();
    let mut digests = Digests::read(&database.folder).unwrap();
    digests.0.insert("metadata.json".to_owned(), Digest::of(text.as_bytes()));
    fs::remove_file(database.folder.join("digests.json")).unwrap();
    digests.write(&database.folder).unwrap();
}

fn remains(cache: &Path) -> Vec<String> {
    let names = fs::read_dir(cache.join("trivy-db")).unwrap().flatten().map(|entry| entry.file_name().into_string().unwrap());
    names.filter(|name| name != "current.json").collect()
}

#[tokio::test]
async fn a_database_in_a_folder_is_unpacked_and_described() {
    let world = World::new();
    let database = world.fetch(&[world.mirror("trivy-db")]).await.unwrap();
    assert!(database.folder.join("trivy.db").metadata().unwrap().len() > 1000);
    assert_eq!((database.record.repository.clone(), database.warnings.len()), (world.mirror("trivy-db"), 0));
    assert_eq!(remains(&world.path("cache")), [database.record.digest.hex()]);
    assert_eq!(world.fetch(&[format!("{}:2", world.mirror("trivy-db"))]).await.unwrap().record.digest, database.record.digest);
}

#[tokio::test]
async fn a_registry_is_asked_once_until_the_database_is_to_be_renewed() {
    let world = World::new();
    let registry = Registry::start(Options::default());
    let name = format!("{}/mirror/trivy-db", registry.address);
    crane(&["push", "--insecure", world.path("trivy-db").to_str().unwrap(), &format!("{name}:2")]);
    let first = world.fetch(std::slice::from_ref(&name)).await.unwrap();
    assert_eq!(first.record.repository, name);
    assert!(world.received.swap(0, Ordering::Relaxed) > 1000);
    drop(registry);
    // Nobody is there to be asked any more.
    let again = world.fetch(std::slice::from_ref(&name)).await.unwrap();
    assert_eq!((&again, world.received.load(Ordering::Relaxed)), (&first, 0));

    age(&first, 23);
    let stale = world.fetch(std::slice::from_ref(&name)).await.unwrap();
    assert!(stale.warnings.iter().any(|warning| warning.contains("23 hours old")), "{:?}", stale.warnings);
    age(&first, 25);
    let Err(Error::Database { failures, cached, .. }) = world.fetch(std::slice::from_ref(&name)).await else { panic!("too old") };
    assert_eq!((failures.len(), failures[0].0.clone(), cached.is_some()), (1, name, true));
}

#[tokio::test]
async fn a_folder_that_was_renewed_is_noticed_at_once() {
    let world = World::new();
    let first = world.fetch(&[world.mirror("trivy-db")]).await.unwrap();
    let layout = Layout::open(world.path("trivy-db")).unwrap();
    let mut index = layout.index().unwrap();
    let mut manifest: serde_json::Value = serde_json::from_slice(&layout.read(&index.manifests()[0]).unwrap()).unwrap();
    manifest["annotations"]["renewed"] = "yes".into();
    let mut renewed = layout.write_document(index.manifests()[0].media_type().clone(), &manifest).unwrap();
    renewed.set_annotations(index.manifests()[0].annotations().clone());
    index.set_manifests(vec![renewed]);
    layout.set_index(&index).unwrap();
    assert_ne!(world.fetch(&[world.mirror("trivy-db")]).await.unwrap().record.digest, first.record.digest);
}

#[tokio::test]
async fn the_next_mirror_is_asked_when_one_fails_and_that_is_said() {
    let world = World::new();
    let mirrors = ["oci:/nowhere".to_owned(), world.mirror("trivy-java-db"), world.mirror("trivy-db")];
    let database = world.fetch(&mirrors).await.unwrap();
    assert_eq!(database.record.repository, mirrors[2]);
    assert_eq!(database.warnings.len(), 2);
    assert!(database.warnings[0].contains("/nowhere") && database.warnings[1].contains("no tag 2"), "{:?}", database.warnings);
}

#[tokio::test]
async fn what_only_looks_like_a_database_is_refused_and_leaves_nothing() {
    let world = World::new();
    // The Java database under the tag of the other one; a layer that was changed; a manifest that was.
    let java = format!("{}:1", world.mirror("trivy-java-db"));
    let layout = Layout::open(world.path("trivy-db")).unwrap();
    let manifest: serde_json::Value =
        serde_json::from_slice(&layout.read(&layout.index().unwrap().manifests()[0]).unwrap()).unwrap();
    let layer: Digest = manifest["layers"][0]["digest"].as_str().unwrap().parse().unwrap();
    let mut bytes = fs::read(layout.blob(&layer)).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(layout.blob(&layer), bytes).unwrap();
    let Err(Error::Database { failures, cached: None, .. }) = world.fetch(&[java, world.mirror("trivy-db")]).await else {
        panic!("taken")
    };
    assert!(failures[0].1.contains("media type") && failures[1].1.contains("hashes to"), "{failures:?}");
    assert_eq!(remains(&world.path("cache")), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_that_is_busy_or_breaks_off_is_waited_for() {
    let world = World::new();
    let registry = Registry::start(Options::default());
    crane(&["push", "--insecure", world.path("trivy-db").to_str().unwrap(), &format!("{}/trivy-db:2", registry.address)]);
    let busy = Fault::Answer(429, "TOOMANYREQUESTS", Some(("Retry-After", "0".to_owned())));
    let rules = vec![
        rule("GET", "/manifests/2", 1, busy),
        rule("GET", "/blobs/", 1, Fault::Answer(503, "UNAVAILABLE", None)),
        rule("GET", "/blobs/", 1, Fault::CutAnswer(100)),
    ];
    let proxy = Proxy::start(&registry.address, Challenge::Nothing, rules).await;
    let first = format!("{}/trivy-db", proxy.address);
    let database = world.fetch(&[first.clone(), world.mirror("trivy-db")]).await.unwrap();
    assert_eq!((database.record.repository, database.warnings), (first, vec![]));
    assert!(proxy.count("GET", "/blobs/") >= 3 && proxy.count("GET", "/manifests/2") >= 2);
}

const HOUR: SignedDuration = SignedDuration::from_hours(1);

#[tokio::test]
async fn an_old_database_is_refused_and_the_next_mirror_is_asked() {
    let world = World::new();
    make(&world.path("old"), HOUR * 49);
    make(&world.path("of-tomorrow"), HOUR * -24);
    let mirrors = [world.mirror("old"), world.mirror("of-tomorrow"), world.mirror("trivy-db")];
    let database = world.fetch_not_older(&mirrors, Some(MaxAge::BLOCKING)).await.unwrap();
    assert_eq!(database.record.repository, mirrors[2]);
    let [old, of_tomorrow] = database.warnings.as_slice() else { panic!("{:?}", database.warnings) };
    assert!(old.contains("/old") && old.contains("2 days old"), "{old}");
    assert!(of_tomorrow.contains("in the future"), "{of_tomorrow}");

    let Err(Error::Database { failures, limit: Some(_), .. }) =
        World::new().fetch_not_older(&mirrors[..2], Some(MaxAge::BLOCKING)).await
    else {
        panic!("judged by")
    };
    assert_eq!(failures.len(), 2, "each mirror is told with its age: {failures:?}");
    // Where an old one is better than none, it is used with a word.
    let database = World::new().fetch(&mirrors[..1]).await.unwrap();
    assert!(database.warnings.iter().any(|warning| warning.contains("old, so newer advisories are missing")), "{database:?}");
}

#[tokio::test]
async fn the_newest_of_several_mirrors_counts_and_no_mirror_takes_the_cached_one_back() {
    let world = World::new();
    make(&world.path("older"), HOUR * 40);
    make(&world.path("newer"), HOUR * 30);
    let mirrors = [world.mirror("older"), world.mirror("newer")];
    let limit = Some(MaxAge::BLOCKING);
    // Both are due, so neither is taken without asking the other.
    assert_eq!(world.fetch_not_older(&mirrors, limit).await.unwrap().record.repository, mirrors[1]);
    make(&world.path("newer"), HOUR * 45);
    let kept = world.fetch_not_older(&mirrors, limit).await.unwrap();
    let age = Timestamp::now().duration_since(kept.record.updated_at);
    assert!(age < HOUR * 31, "the mirror now has an older one than before: {kept:?}");
    assert!(kept.warnings.iter().any(|warning| warning.contains("a newer one is known")), "{:?}", kept.warnings);
}

#[tokio::test]
async fn a_promise_of_a_renewal_far_away_makes_no_database_younger() {
    let world = World::new();
    let registry = Registry::start(Options::default());
    let name = format!("{}/mirror/trivy-db", registry.address);
    crane(&["push", "--insecure", world.path("trivy-db").to_str().unwrap(), &format!("{name}:2")]);
    let first = world.fetch(std::slice::from_ref(&name)).await.unwrap();
    date(&first, &(Timestamp::now() - HOUR * 49).to_string(), "2099-01-01T00:00:00Z");
    drop(registry);
    let Err(Error::Database { cached: Some(_), .. }) = world.fetch_not_older(&[name], Some(MaxAge::BLOCKING)).await else {
        panic!("judged by")
    };
}

#[tokio::test]
async fn a_cached_database_that_was_changed_is_fetched_again() {
    for file in ["trivy.db", "metadata.json"] {
        let world = World::new();
        let mirrors = [world.mirror("trivy-db")];
        let first = world.fetch(&mirrors).await.unwrap();
        let path = first.folder.join(file);
        let whole = fs::read(&path).unwrap();
        let changed = String::from_utf8_lossy(&whole).replace("pyyaml", "pyyamk").replace("20", "21");
        fs::write(&path, changed).unwrap();
        let again = world.fetch(&mirrors).await.unwrap();
        assert!(again.warnings.iter().any(|warning| warning.contains("it was changed")), "{file}: {:?}", again.warnings);
        assert_eq!((again.record, fs::read(&path).unwrap() == whole), (first.record, true), "{file}");
        assert_eq!(world.fetch(&mirrors).await.unwrap().warnings, Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_cached_database_that_was_changed_is_not_used_where_no_mirror_answers() {
    let world = World::new();
    let registry = Registry::start(Options::default());
    let name = format!("{}/mirror/trivy-db", registry.address);
    crane(&["push", "--insecure", world.path("trivy-db").to_str().unwrap(), &format!("{name}:2")]);
    let first = world.fetch(std::slice::from_ref(&name)).await.unwrap();
    drop(registry);
    fs::write(first.folder.join("trivy.db"), b"").unwrap();
    assert!(matches!(world.fetch(&[name]).await, Err(Error::Database { cached: None, .. })));
}
