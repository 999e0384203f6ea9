//! Whatever a registry does to a delivery, it ends with all of its tags set or with the tags as they were.

use std::collections::BTreeMap;
use std::path::Path;

use doubles::proxy::{ALWAYS, Challenge, Fault, Proxy, Rule, rule};
use doubles::registry::{Options, Registry};
use futures_util::future::join_all;
use tokio_util::sync::CancellationToken;

use crate::diagnosis::Diagnosis;
use crate::oci::{Image, sample};
use crate::publish::Error;
use crate::publish::tests::{cleared, deliver, look, publish, silent};
use crate::record::Publication;

const BEFORE: [&str; 3] = ["v0", "main-latest", "latest"];
const TAGS: [&str; 4] = ["v1", "dev-v1", "main-latest", "latest"];

/// Delivers a second image through a proxy that breaks `rules`: the result, and the tags before and after.
async fn deliver_through(registry: &Registry, [old, new]: &[Image; 2], name: &str, rules: Vec<Rule>) -> Outcome {
    deliver(&format!("{}/{name}", registry.address), old, &BEFORE).await.unwrap();
    let before = registry.tags(name).await;
    let proxy = Proxy::start(&registry.address, Challenge::Nothing, rules).await;
    let result = deliver(&format!("{}/{name}", proxy.address), new, &TAGS).await;
    Outcome { result, before, after: registry.tags(name).await, new: new.digest.to_string(), proxy }
}

struct Outcome {
    result: Result<Publication, Error>,
    before: BTreeMap<String, String>,
    after: BTreeMap<String, String>,
    new: String,
    proxy: Proxy,
}

fn images(folder: &Path) -> [Image; 2] {
    [1, 2].map(|seed| sample::random(&folder.join(seed.to_string()), seed, &["amd64", "arm64"], 1 << 17))
}

fn answer(status: u16, code: &'static str) -> Fault {
    Fault::Answer(status, code, None)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_that_stays_leaves_every_tag_as_it_was() {
    let (registry, folder) = (Registry::start(Options::default()), tempfile::tempdir().unwrap());
    let images = images(folder.path());
    let wrong = format!("sha256:{}", "0".repeat(64));
    let faults = [
        ("GET", "/v2/", answer(404, "UNSUPPORTED")),
        ("HEAD", "/blobs/", answer(401, "UNAUTHORIZED")),
        ("HEAD", "/blobs/", answer(403, "DENIED")),
        ("POST", "/blobs/uploads/", answer(401, "UNAUTHORIZED")),
        ("POST", "/blobs/uploads/", answer(403, "DENIED")),
        ("POST", "/blobs/uploads/", answer(404, "NAME_UNKNOWN")),
        ("POST", "/blobs/uploads/", answer(429, "TOOMANYREQUESTS")),
        ("POST", "/blobs/uploads/", Fault::Answer(503, "UNAVAILABLE", Some(("Retry-After", "86400".to_owned())))),
        ("PUT", "/blobs/uploads/", answer(400, "DIGEST_INVALID")),
        ("PUT", "/blobs/uploads/", answer(500, "UNKNOWN")),
        ("PUT", "/blobs/uploads/", Fault::CutRequest(70_000)),
        ("POST", "/blobs/uploads/", Fault::Relocate("registry.invalid".to_owned())),
        ("PUT", "/manifests/sha256:", answer(403, "DENIED")),
        ("PUT", "/manifests/v1", answer(400, "TAG_INVALID")),
        ("PUT", "/manifests/dev-v1", answer(403, "DENIED")),
        ("PUT", "/manifests/main-latest", answer(401, "UNAUTHORIZED")),
        ("PUT", "/manifests/latest", answer(500, "UNKNOWN")),
        ("GET", "/manifests/latest", Fault::Header("docker-content-digest", wrong)),
        ("GET", "/manifests/latest", Fault::Corrupt),
        ("GET", "/manifests/dev-v1", answer(403, "DENIED")),
    ];
    let trials = faults.into_iter().enumerate().map(|(number, (method, holds, fault))| {
        let (registry, images) = (&registry, &images);
        async move {
            let what = format!("{method} {holds}: {fault:?}");
            let outcome =
                deliver_through(registry, images, &format!("app{number}"), vec![rule(method, holds, ALWAYS, fault)]).await;
            let error = outcome.result.expect_err(&what);
            assert!(!matches!(error, Error::LeftOver { .. }), "{what}: {error}");
            assert_eq!(outcome.before, outcome.after, "{what}");
            assert_plain(&Diagnosis::from(&error), &what);
        }
    });
    join_all(trials).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_that_the_registry_sets_and_never_says_so_is_found_by_a_look() {
    let (registry, folder) = (Registry::start(Options::default()), tempfile::tempdir().unwrap());
    let silence = rule("PUT", "/manifests/latest", ALWAYS, Fault::Silence);
    let outcome = deliver_through(&registry, &images(folder.path()), "silent", vec![silence]).await;
    assert!(outcome.result.unwrap().tags.iter().any(|tag| tag.as_str() == "latest"));
    assert_ne!(outcome.before, outcome.after);
}

/// What a person reads is whole sentences that name the registry, not our types.
fn assert_plain(diagnosis: &Diagnosis, what: &str) {
    assert!(!diagnosis.why.is_empty() && !diagnosis.remedy.is_empty(), "{what}: {diagnosis:?}");
    for ours in ["Selector", "Some(", "None", "{", "reqwest", "hyper"] {
        let text = format!("{} {} {}", diagnosis.what, diagnosis.why, diagnosis.remedy);
        assert!(!text.contains(ours), "{what}: {text}");
    }
    assert!(diagnosis.what.contains("127.0.0.1"), "{what}: {}", diagnosis.what);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_that_passes_is_overcome() {
    let (registry, folder) = (Registry::start(Options::default()), tempfile::tempdir().unwrap());
    let images = images(folder.path());
    let faults = [
        ("GET", "/v2/", answer(503, "UNAVAILABLE")),
        ("HEAD", "/blobs/", answer(502, "UNKNOWN")),
        ("POST", "/blobs/uploads/", Fault::Answer(429, "TOOMANYREQUESTS", Some(("Retry-After", "0".to_owned())))),
        ("PUT", "/blobs/uploads/", answer(500, "UNKNOWN")),
        ("PUT", "/blobs/uploads/", answer(504, "UNKNOWN")),
        ("PUT", "/blobs/uploads/", Fault::CutRequest(70_000)),
        ("PUT", "/manifests/latest", answer(503, "UNAVAILABLE")),
        ("PUT", "/manifests/latest", Fault::Silence),
        ("PUT", "/blobs/uploads/", Fault::Silence),
        ("POST", "/blobs/uploads/", Fault::Silence),
        ("GET", "/manifests/latest", Fault::CutAnswer(0)),
    ];
    let trials = faults.into_iter().enumerate().map(|(number, (method, holds, fault))| {
        let (registry, images) = (&registry, &images);
        async move {
            let what = format!("{method} {holds}: {fault:?}");
            let outcome = deliver_through(registry, images, &format!("app{number}"), vec![rule(method, holds, 1, fault)]).await;
            assert!(outcome.result.is_ok(), "{what}: {:?}", outcome.result);
            for tag in TAGS {
                assert_eq!(outcome.after[tag], outcome.new, "{what}: {tag}");
            }
        }
    });
    join_all(trials).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_not_asked_for_again() {
    let (registry, folder) = (Registry::start(Options::default()), tempfile::tempdir().unwrap());
    let images = images(folder.path());
    for (number, status) in [401, 403, 404].into_iter().enumerate() {
        let rules = vec![rule("PUT", "/manifests/v1", ALWAYS, answer(status, "DENIED"))];
        let outcome = deliver_through(&registry, &images, &format!("app{number}"), rules).await;
        let Err(Error::Registry(error)) = outcome.result else { panic!("{:?}", outcome.result) };
        assert_eq!(error.status().map(|status| status.as_u16()), Some(status));
        assert_eq!(outcome.proxy.count("PUT", "/manifests/v1"), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_that_the_registry_will_not_remove_are_named_with_the_way_to_remove_them() {
    let (registry, folder) =
        (Registry::start(Options { keeps_everything: true, ..Options::default() }), tempfile::tempdir().unwrap());
    let images = images(folder.path());
    let outcome =
        deliver_through(&registry, &images, "app", vec![rule("PUT", "/manifests/latest", ALWAYS, answer(403, "DENIED"))]).await;
    let error = outcome.result.unwrap_err();
    let Error::LeftOver { leftovers, .. } = &error else { panic!("{error}") };
    let left: Vec<_> = leftovers.iter().map(|leftover| leftover.tag.as_str()).collect();
    assert_eq!(left, ["v1", "dev-v1"]);
    // What moved could be put back.
    for tag in BEFORE {
        assert_eq!(outcome.before[tag], outcome.after[tag]);
    }
    let remedy = Diagnosis::from(&error).to_copy.join("\n");
    assert!(remedy.contains("crane delete") && remedy.contains(":dev-v1"), "{remedy}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_among_the_tags_puts_them_back() {
    let (registry, folder) = (Registry::start(Options::default()), tempfile::tempdir().unwrap());
    let [old, new] = images(folder.path());
    deliver(&format!("{}/app", registry.address), &old, &BEFORE).await.unwrap();
    let before = registry.tags("app").await;
    for (number, moment) in ["/manifests/dev-v1", "/manifests/main-latest", "/manifests/latest"].into_iter().enumerate() {
        let (sender, mut reached) = tokio::sync::mpsc::unbounded_channel();
        let proxy = Proxy::start(&registry.address, Challenge::Nothing, vec![rule("PUT", moment, 1, Fault::Tell(sender))]).await;
        let target = look(&format!("{}/app", proxy.address)).await.unwrap();
        let (cleared, cancel, listener) = (cleared(&new), CancellationToken::new(), silent());
        let publishing = publish(&cleared, &new, &target, &TAGS, &cancel, &listener);
        let cancelling = async {
            reached.recv().await.unwrap();
            cancel.cancel();
        };
        let (result, ()) = tokio::join!(publishing, cancelling);
        assert!(matches!(result, Err(Error::Cancelled)), "{number}: {result:?}");
        assert_eq!(registry.tags("app").await, before, "{moment}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_that_is_dropped_among_the_tags_puts_them_back() {
    let (registry, folder) = (Registry::start(Options::default()), tempfile::tempdir().unwrap());
    let [old, new] = images(folder.path());
    deliver(&format!("{}/app", registry.address), &old, &BEFORE).await.unwrap();
    let before = registry.tags("app").await;
    let (sender, mut reached) = tokio::sync::mpsc::unbounded_channel();
    let rules = vec![rule("PUT", "/manifests/main-latest", 1, Fault::Tell(sender))];
    let proxy = Proxy::start(&registry.address, Challenge::Nothing, rules).await;
    let destination = format!("{}/app", proxy.address);
    let publishing = tokio::spawn(async move { deliver(&destination, &new, &TAGS).await });
    reached.recv().await.unwrap();
    publishing.abort();
    // Putting back is on its way, and nobody is left to say when it is done.
    for _ in 0..1000 {
        if registry.tags("app").await == before {
            return;
        }
    }
    panic!("still {:?}", registry.tags("app").await);
}

#[tokio::test]
async fn an_address_where_nobody_listens_is_told_at_the_preflight() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let Err(error) = look(&format!("{address}/app")).await else { panic!("someone listens") };
    assert!(matches!(&error, Error::Registry(error) if error.is_refused()), "{error}");
    assert_plain(&Diagnosis::from(&error), "refused");
}
