//! A delivery that is ended among its tags knows what became of each, or says that it does not.

use doubles::proxy::{ALWAYS, Challenge, Fault, Proxy, Rule, rule};
use doubles::registry::{Options, Registry};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::diagnosis::Diagnosis;
use crate::oci::{Image, sample};
use crate::publish::Error;
use crate::publish::tests::{cleared, deliver, look, publish, silent};
use crate::record::Publication;

const TAGS: [&str; 3] = ["v1", "dev-v1", "latest"];

/// A delivery to a registry that takes its time over one tag, and is cancelled meanwhile.
struct Cancelled {
    registry: Registry,
    image: Image,
    result: Result<Publication, Error>,
    /// Lets the request through.
    open: watch::Sender<bool>,
    /// Tells that it came, and then that it is done.
    told: mpsc::UnboundedReceiver<()>,
    _folder: tempfile::TempDir,
    _proxy: Proxy,
}

impl Cancelled {
    /// Cancels when the request for `slow` is there. It is let through at once, if `through`; else when the delivery is over.
    async fn at(slow: &str, through: bool, options: Options) -> Self {
        let (registry, folder) = (Registry::start(options), tempfile::tempdir().unwrap());
        let [old, image] = [1, 2].map(|seed| sample::random(&folder.path().join(seed.to_string()), seed, &["amd64"], 1 << 10));
        deliver(&format!("{}/app", registry.address), &old, &["v0", "latest"]).await.unwrap();
        let ((open, closed), (tell, mut told)) = (watch::channel(false), mpsc::unbounded_channel());
        let rules: Vec<Rule> = vec![rule("PUT", format!("/manifests/{slow}"), 1, Fault::HoldWhole(closed, tell))];
        let proxy = Proxy::start(&registry.address, Challenge::Nothing, rules).await;
        let target = look(&format!("{}/app", proxy.address)).await.unwrap();
        let (cleared, cancel, listener) = (cleared(&image), CancellationToken::new(), silent());
        let publishing = publish(&cleared, &image, &target, &TAGS, &cancel, &listener);
        let cancelling = async {
            told.recv().await.unwrap();
            cancel.cancel();
            if through {
                open.send(true).unwrap();
            }
        };
        let (result, ()) = tokio::join!(publishing, cancelling);
        Self { registry, image, result, open, told, _folder: folder, _proxy: proxy }
    }

    fn leftovers(&self) -> Vec<String> {
        let Err(Error::LeftOver { leftovers, .. }) = &self.result else { panic!("{:?}", self.result) };
        leftovers.iter().map(|left| left.tag.to_string()).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_that_is_on_its_way_at_the_cancel_and_arrives_is_put_back() {
    for slow in TAGS {
        let cancelled = Cancelled::at(slow, true, Options::default()).await;
        assert!(matches!(cancelled.result, Err(Error::Cancelled)), "{slow}: {:?}", cancelled.result);
        let tags = cancelled.registry.tags("app").await;
        assert_eq!(tags.keys().collect::<Vec<_>>(), ["latest", "v0"], "{slow}");
        assert!(!tags.values().any(|digest| *digest == cancelled.image.digest.to_string()), "{slow}: {tags:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_that_is_on_its_way_when_nobody_can_wait_any_more_is_named() {
    for slow in TAGS {
        let mut cancelled = Cancelled::at(slow, false, Options::default()).await;
        assert_eq!(cancelled.leftovers(), [slow]);
        let shown = Diagnosis::from(cancelled.result.as_ref().unwrap_err());
        assert!(shown.why.contains(&format!("whether it has set {slow}")), "{shown:?}");
        assert!(shown.to_copy.iter().any(|command| command.contains(slow) && command.starts_with("crane ")), "{shown:?}");
        // And it does arrive: as it was said, and nothing else of the delivery is there.
        cancelled.open.send(true).unwrap();
        cancelled.told.recv().await.unwrap();
        let tags = cancelled.registry.tags("app").await;
        let ours: Vec<_> = tags.iter().filter(|(_, digest)| **digest == cancelled.image.digest.to_string()).collect();
        assert_eq!(ours.iter().map(|(tag, _)| tag.as_str()).collect::<Vec<_>>(), [slow], "{tags:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_cut_off_and_arrives_late_is_named() {
    let (registry, folder) = (Registry::start(Options::default()), tempfile::tempdir().unwrap());
    let image = sample::random(folder.path(), 1, &["amd64"], 1 << 10);
    // The manifest never gets there whole, as far as anyone knows.
    let rules = vec![rule("PUT", "/manifests/dev-v1", ALWAYS, Fault::CutRequest(10))];
    let proxy = Proxy::start(&registry.address, Challenge::Nothing, rules).await;
    let error = deliver(&format!("{}/app", proxy.address), &image, &TAGS).await.unwrap_err();
    let Error::LeftOver { leftovers, .. } = &error else { panic!("{error}") };
    assert_eq!(leftovers.iter().map(|left| (left.tag.as_str(), left.pending)).collect::<Vec<_>>(), [("dev-v1", true)]);
    assert_eq!(registry.tags("app").await.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_that_another_tag_names_is_not_deleted_with_the_tags() {
    let (registry, folder) = (Registry::start(Options::default()), tempfile::tempdir().unwrap());
    let image = sample::random(folder.path(), 1, &["amd64"], 1 << 10);
    let (tell, mut told) = mpsc::unbounded_channel();
    let (open, closed) = watch::channel(false);
    let rules = vec![
        rule("PUT", "/manifests/dev-v1", 1, Fault::HoldAndTell(closed, tell)),
        rule("PUT", "/manifests/latest", ALWAYS, Fault::Answer(403, "DENIED", None)),
        // As registries do that remove manifests alone.
        rule("DELETE", "/manifests/v1", ALWAYS, Fault::Answer(405, "UNSUPPORTED", None)),
        rule("DELETE", "/manifests/dev-v1", ALWAYS, Fault::Answer(405, "UNSUPPORTED", None)),
    ];
    let proxy = Proxy::start(&registry.address, Challenge::Nothing, rules).await;
    let destination = format!("{}/app", proxy.address);
    let publishing = deliver(&destination, &image, &TAGS);
    let meanwhile = async {
        told.recv().await.unwrap();
        // Another delivery of the same image, under a tag of its own.
        deliver(&format!("{}/app", registry.address), &image, &["theirs"]).await.unwrap();
        open.send(true).unwrap();
    };
    let (result, ()) = tokio::join!(publishing, meanwhile);
    let Err(Error::LeftOver { leftovers, .. }) = result else { panic!("{result:?}") };
    assert_eq!(leftovers.iter().map(|left| left.tag.as_str()).collect::<Vec<_>>(), ["v1", "dev-v1"]);
    assert_eq!(registry.tags("app").await["theirs"], image.digest.to_string());
}
