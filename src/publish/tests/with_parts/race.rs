//! Of two deliveries that set the same fixed tags at the same time, not both end as delivered with images of their own, and
//! the tags name what the delivered one says.

use std::sync::Arc;

use doubles::proxy::{ALWAYS, Challenge, Fault, Proxy, Rule, rule};
use doubles::registry::{Options, Registry};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::diagnosis::Diagnosis;
use crate::oci::{Image, sample};
use crate::publish::tests::deliver;
use crate::publish::{Error, Listener, PublishEvent, tests};
use crate::record::Publication;

const TAGS: [&str; 2] = ["abc1234", "prod-abc1234"];

/// A registry that two deliveries reach by lines of their own.
struct Course {
    registry: Registry,
    folder: tempfile::TempDir,
}

/// A delivery that is under way.
struct Racer {
    image: Image,
    ended: JoinHandle<Result<Publication, Error>>,
}

/// A request that waits for its turn.
struct Gate {
    reached: mpsc::UnboundedReceiver<()>,
    open: watch::Sender<bool>,
}

impl Gate {
    fn new() -> (Self, watch::Receiver<bool>, mpsc::UnboundedSender<()>) {
        let ((open, closed), (tell, reached)) = (watch::channel(false), mpsc::unbounded_channel());
        (Self { reached, open }, closed, tell)
    }
}

impl Course {
    fn new() -> Self {
        Self { registry: Registry::start(Options::default()), folder: tempfile::tempdir().unwrap() }
    }

    async fn line(&self, rules: Vec<Rule>) -> Proxy {
        Proxy::start(&self.registry.address, Challenge::Nothing, rules).await
    }

    fn start(&self, seed: u8, line: &Proxy, names: &'static [&'static str]) -> Racer {
        let image = sample::random(&self.folder.path().join(seed.to_string()), seed, &["amd64"], 1 << 10);
        let (racing, destination) = (image.clone(), format!("{}/app", line.address));
        Racer { image, ended: tokio::spawn(async move { deliver(&destination, &racing, names).await }) }
    }

    async fn tag(&self, name: &str) -> Option<String> {
        self.registry.tags("app").await.get(name).cloned()
    }
}

/// A line on which the request that sets `tag` waits until the gate is open, and says that it is there.
async fn held(course: &Course, tag: &str) -> (Proxy, Gate) {
    let (gate, closed, tell) = Gate::new();
    let line = course.line(vec![rule("PUT", format!("/manifests/{tag}"), ALWAYS, Fault::HoldAndTell(closed, tell))]).await;
    (line, gate)
}

/// Asserts that the delivery gave way to the other image, and that whoever reads it can tell.
fn gave_way(ended: Result<Publication, Error>, tag: &str, ours: &Image, theirs: &Image) {
    let error = ended.expect_err("it gives way");
    let shown = Diagnosis::from(&error);
    let text = format!("{} {}", shown.what, shown.why);
    for part in [tag, &ours.digest.to_string(), &theirs.digest.to_string()] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_tag_of_both_on_its_way_at_once_makes_one_give_way_in_either_order() {
    for first_in in [0, 1] {
        let course = Course::new();
        let (lines, mut gates): (Vec<_>, Vec<_>) =
            [held(&course, TAGS[0]).await, held(&course, TAGS[0]).await].into_iter().unzip();
        let racers = [course.start(1, &lines[0], &TAGS), course.start(2, &lines[1], &TAGS)];
        for gate in &mut gates {
            gate.reached.recv().await.unwrap();
        }
        let [one, two] = racers;
        let (mut early, mut late) = (one, two);
        if first_in == 1 {
            std::mem::swap(&mut early, &mut late);
            gates.swap(0, 1);
        }
        // Each has seen that the tag is free. The early one goes all the way before the late one's request arrives.
        gates[0].open.send(true).unwrap();
        early.ended.await.unwrap().unwrap();
        gates[1].open.send(true).unwrap();
        let ended = late.ended.await.unwrap();
        gave_way(ended, TAGS[1], &late.image, &early.image);
        assert_eq!(course.tag(TAGS[1]).await, Some(early.image.digest.to_string()));
        assert_ne!(course.tag(TAGS[0]).await, Some(late.image.digest.to_string()), "what it overwrote is not left as its own");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_tag_that_is_overwritten_while_the_second_is_on_its_way_makes_one_give_way() {
    let course = Course::new();
    // The slow one has its first tag; the quick one looked before that, and sets both while the second is held.
    let (slow_line, mut slow_gate) = held(&course, TAGS[1]).await;
    let (quick_line, mut quick_gate) = held(&course, TAGS[0]).await;
    let quick = course.start(2, &quick_line, &TAGS);
    quick_gate.reached.recv().await.unwrap();
    let slow = course.start(1, &slow_line, &TAGS);
    slow_gate.reached.recv().await.unwrap();
    quick_gate.open.send(true).unwrap();
    quick.ended.await.unwrap().unwrap();
    slow_gate.open.send(true).unwrap();
    gave_way(slow.ended.await.unwrap(), TAGS[0], &slow.image, &quick.image);
    assert_eq!(course.tag(TAGS[0]).await, Some(quick.image.digest.to_string()));
    // The request that came after all was over is taken back; it never stays as another image's.
    assert_ne!(course.tag(TAGS[1]).await, Some(slow.image.digest.to_string()));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_tag_in_common_is_read_again_after_as_long_as_it_took() {
    let course = Course::new();
    let only = &TAGS[..1];
    let (slow_line, mut slow_gate) = held(&course, TAGS[0]).await;
    let (quick_line, mut quick_gate) = held(&course, TAGS[0]).await;
    let slow = course.start(1, &slow_line, only);
    slow_gate.reached.recv().await.unwrap();
    let quick = course.start(2, &quick_line, only);
    quick_gate.reached.recv().await.unwrap();
    // The first takes its time.
    for seed in 3..6 {
        let image = sample::random(&course.folder.path().join(seed.to_string()), seed, &["amd64"], 1 << 10);
        deliver(&format!("{}/other", course.registry.address), &image, &[&format!("v{seed}")]).await.unwrap();
    }
    // Both are out; the second arrives when the first has read its own back, within the time that the first had taken.
    slow_gate.open.send(true).unwrap();
    while course.tag(TAGS[0]).await.is_none() {}
    quick_gate.open.send(true).unwrap();
    let (slow_ended, quick_ended) = (slow.ended.await.unwrap(), quick.ended.await.unwrap());
    let delivered: Vec<_> = [&slow_ended, &quick_ended].into_iter().flatten().map(|done| done.digest.to_string()).collect();
    assert!(delivered.len() < 2, "both are delivered: {delivered:?}");
    for digest in delivered {
        assert_eq!(course.tag(TAGS[0]).await, Some(digest));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_keeps_to_conditions_lets_the_second_see_that_it_is_second() {
    let course = Course::new();
    let other = course.start(1, &course.line(Vec::new()).await, &TAGS);
    let theirs = other.image.clone();
    other.ended.await.unwrap().unwrap();
    // The tags are free when it looks; by the time that it asks, the registry says no.
    let line = course
        .line(vec![
            rule("GET", format!("/manifests/{}", TAGS[0]), 1, Fault::Answer(404, "MANIFEST_UNKNOWN", None)),
            rule("GET", format!("/manifests/{}", TAGS[1]), 1, Fault::Answer(404, "MANIFEST_UNKNOWN", None)),
            rule("PUT", format!("/manifests/{}", TAGS[0]), ALWAYS, Fault::Answer(412, "DENIED", None)),
        ])
        .await;
    let second = course.start(2, &line, &TAGS);
    let ours = second.image.clone();
    gave_way(second.ended.await.unwrap(), TAGS[0], &ours, &theirs);
    let asked = line.seen().into_iter().find(|request| request.method == "PUT" && request.path.ends_with(TAGS[0])).unwrap();
    assert_eq!(asked.header("if-none-match"), Some("*"));
    assert_eq!(course.tag(TAGS[0]).await, Some(theirs.digest.to_string()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_that_someone_set_to_the_same_image_meanwhile_is_set() {
    let course = Course::new();
    let line = course.line(Vec::new()).await;
    course.start(1, &line, &TAGS).ended.await.unwrap().unwrap();
    // As immutable tags have it: what is set can't be set again, not even to the same.
    let rules = [TAGS[0], TAGS[1]].into_iter().flat_map(|tag| {
        let path = format!("/manifests/{tag}");
        [
            rule("GET", path.clone(), 1, Fault::Answer(404, "MANIFEST_UNKNOWN", None)),
            rule("PUT", path, ALWAYS, Fault::Answer(400, "TAG_INVALID", None)),
        ]
    });
    let line = course.line(rules.collect()).await;
    let folder = tempfile::tempdir().unwrap();
    let same = sample::random(folder.path(), 1, &["amd64"], 1 << 10);
    let published = deliver(&format!("{}/app", line.address), &same, &TAGS).await.unwrap();
    assert_eq!(course.tag(TAGS[0]).await, Some(published.digest.to_string()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_moving_tag_that_has_moved_on_is_told_and_fails_nothing() {
    let course = Course::new();
    let first = course.line(Vec::new()).await;
    let newer = course.start(2, &first, &["other"]);
    let theirs = newer.image.clone();
    newer.ended.await.unwrap().unwrap();
    // Right after it is read back, the tag is given to the newer image.
    let (sender, receiver) = std::sync::mpsc::channel();
    let address = course.registry.address.clone();
    let listener: Listener = Arc::new(move |event: PublishEvent| match event {
        PublishEvent::Tagged(tag) if tag.as_str() == "latest" => {
            doubles::registry::crane(&["tag", "--insecure", &format!("{address}/app:other"), "latest"]);
        }
        event if event.is_warning() => sender.send(event).unwrap(),
        _ => {}
    });
    let image = sample::random(&course.folder.path().join("1"), 1, &["amd64"], 1 << 10);
    let target = tests::look(&format!("{}/app", course.registry.address)).await.unwrap();
    let cancel = tokio_util::sync::CancellationToken::new();
    tests::publish(&tests::cleared(&image), &image, &target, &["v1", "latest"], &cancel, &listener).await.unwrap();
    drop(listener);
    let expected = PublishEvent::MovedOn { tag: "latest".parse().unwrap(), names: Some(theirs.digest) };
    assert_eq!(receiver.iter().collect::<Vec<_>>(), [expected]);
}
