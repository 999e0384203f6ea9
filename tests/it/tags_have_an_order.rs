//! A moving tag goes forward alone, by commits and by versions; a fixed tag is one image's; and after a cancel it is known, or
//! said not to be known, what became of each.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};

use doubles::proxy::{ALWAYS, Challenge, Fault, Proxy, rule};
use doubles::registry::{Options, Registry, crane};
use tokio::sync::{mpsc, watch};

use crate::support::{Delivery, Source, run};

/// A source whose every commit gives another image, and a registry for it.
struct Stage {
    source: Source,
    registry: Registry,
}

impl Stage {
    fn set() -> Self {
        let files = [("Dockerfile", "FROM scratch\nCOPY . /app/\n"), (".dockerignore", ".git\n")];
        Self { source: Source::in_git(&files), registry: Registry::start(Options::default()) }
    }

    fn deliver(&self, tags: &str) -> Delivery {
        self.deliver_by(&self.registry.address, tags)
    }

    fn deliver_by(&self, address: &str, tags: &str) -> Delivery {
        let delivery = self.source.deliver().flag("--destination", &format!("{address}/team/app"));
        delivery.flag("--environment", "prod").flag("--tags", tags)
    }

    fn version(&self, version: &str) -> Delivery {
        self.deliver("{version},{major},{major}.{minor}").flag("--version", version)
    }

    fn commit(&self, text: &str) -> String {
        self.source.write("version", text);
        self.source.commit(text)[..7].to_owned()
    }

    fn digest(&self, tag: &str) -> String {
        crane(&["digest", "--insecure", &format!("{}/team/app:{tag}", self.registry.address)])
    }

    fn tags(&self) -> BTreeSet<String> {
        crane(&["ls", "--insecure", &format!("{}/team/app", self.registry.address)]).lines().map(str::to_owned).collect()
    }
}

#[test]
fn an_older_commit_that_is_delivered_for_the_first_time_does_not_take_a_moving_tag_back() {
    let stage = Stage::set();
    let (old, new) = (stage.commit("1"), stage.commit("2"));
    stage.deliver("{sha},latest").ends_with(0);
    let newer = stage.digest(&new);
    stage.source.git(&["checkout", "--quiet", &old]);
    stage
        .deliver("{sha},latest")
        .ends_with(0)
        .says("The tag latest names another image")
        .says("not one that this one came after");
    assert_eq!(stage.digest("latest"), newer);
    assert_ne!(stage.digest(&old), newer);
    assert_eq!(stage.source.record()["publication"]["tags"], serde_json::json!([old]));
    // The next one is after both.
    stage.source.git(&["checkout", "--quiet", &new]);
    let newest = stage.commit("3");
    stage.deliver("{sha},latest").ends_with(0);
    assert_eq!(stage.digest("latest"), stage.digest(&newest));
}

#[test]
fn a_tag_that_follows_versions_is_not_moved_back_by_an_older_version() {
    let stage = Stage::set();
    stage.commit("a");
    stage.version("1.2.3").ends_with(0);
    stage.commit("b");
    stage.version("1.3.0").ends_with(0);
    assert_eq!((stage.digest("1"), stage.digest("1.3")), (stage.digest("1.3.0"), stage.digest("1.3.0")));
    // A later commit, and an older version: its own line moves, the other does not.
    stage.commit("c");
    stage.version("1.2.4").ends_with(0).says("The tag 1 names another image").says("of version 1.3.0, and this is 1.2.4");
    assert_eq!((stage.digest("1"), stage.digest("1.2")), (stage.digest("1.3.0"), stage.digest("1.2.4")));
    // Once more, as a run is repeated.
    let _ = stage.version("1.2.4").output();
    assert_eq!(stage.digest("1"), stage.digest("1.3.0"));
    stage.commit("d");
    stage.version("1.3.1").ends_with(0);
    assert_eq!((stage.digest("1"), stage.digest("1.2")), (stage.digest("1.3.1"), stage.digest("1.2.4")));
    // A tag that names no version is moved by the order of commits, and not back to an older version either.
    stage.version("1.3.1").flag("--tags", "latest").ends_with(0);
    stage.commit("e");
    stage.deliver("{version},latest").flag("--version", "1.2.5").ends_with(0).says("The tag latest names another image");
    assert_eq!(stage.digest("latest"), stage.digest("1.3.1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_registry_lists_no_tags_git_says_which_version_an_image_is_of() {
    let stage = Stage::set();
    let rules = vec![rule("GET", "/tags/list", ALWAYS, Fault::Answer(403, "DENIED", None))];
    let proxy = Proxy::start(&stage.registry.address, Challenge::Nothing, rules).await;
    let version = |version: &str| stage.deliver_by(&proxy.address, "{version},{major}").flag("--version", version);
    stage.commit("a");
    stage.source.git(&["tag", "v1.3.0"]);
    version("1.3.0").ends_with(0);
    stage.commit("b");
    version("1.2.9").ends_with(0).says("of version 1.3.0, and this is 1.2.9");
    version("1.4.0").flag("--reuse", "never").ends_with(0);
    assert_eq!(stage.digest("1"), stage.digest("1.4.0"));
    // Nobody says which version this one was.
    stage.commit("c");
    version("1.5.0").ends_with(0).says("no tag and no annotation says which version it is of");
    assert_eq!(stage.digest("1"), stage.digest("1.4.0"));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_deliveries_of_one_commit_are_not_both_delivered_with_images_of_their_own() {
    let stage = Stage::set();
    let sha = stage.commit("1");
    let (mut running, mut gates, mut proxies) = (Vec::new(), Vec::new(), Vec::new());
    for side in ["a", "b"] {
        let ((open, closed), (tell, reached)) = (watch::channel(false), mpsc::unbounded_channel());
        let rules = vec![rule("PUT", format!("/manifests/{sha}"), ALWAYS, Fault::HoldAndTell(closed, tell))];
        let proxy = Proxy::start(&stage.registry.address, Challenge::Nothing, rules).await;
        let delivery = stage.deliver_by(&proxy.address, "{sha},{env}-{sha}").flag("--labels", &format!("side={side}"));
        let report = stage.source.beside(side);
        let delivery = delivery.flag("--report-dir", report.to_str().unwrap());
        running.push(delivery.command().stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        gates.push((open, reached));
        proxies.push(proxy);
    }
    // Both have seen that the tags are free, and both set the first.
    for (_, reached) in &mut gates {
        reached.recv().await.unwrap();
    }
    for (open, _) in &gates {
        open.send(true).unwrap();
    }
    let ended: Vec<_> = running.iter_mut().map(|delivery| delivery.wait().unwrap().code().unwrap()).collect();
    assert!(ended.contains(&1) && ended.iter().all(|code| [0, 1].contains(code)), "{ended:?}");
    for (side, code) in ["a", "b"].into_iter().zip(ended) {
        let record = crate::support::read_json(&stage.source.beside(side).join("record.json"));
        if code == 0 {
            let digest = record["publication"]["digest"].as_str().unwrap().to_owned();
            assert_eq!((stage.digest(&sha), stage.digest(&format!("prod-{sha}"))), (digest.clone(), digest));
        } else {
            let why = record["failure"]["why"].as_str().unwrap();
            assert!(why.matches("sha256:").count() >= 2 && why.contains(&sha), "{why}");
        }
    }
    drop(proxies);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_while_a_tag_is_on_its_way_does_not_say_that_nothing_was_published() {
    let stage = Stage::set();
    let sha = stage.commit("1");
    for slow in [sha.clone(), format!("prod-{sha}"), "latest".to_owned()] {
        let ((open, closed), (tell, mut told)) = (watch::channel(false), mpsc::unbounded_channel());
        let rules = vec![rule("PUT", format!("/manifests/{slow}"), 1, Fault::HoldWhole(closed, tell))];
        let proxy = Proxy::start(&stage.registry.address, Challenge::Nothing, rules).await;
        let mut running = stage.deliver_by(&proxy.address, "{sha},{env}-{sha},latest").spawn();
        told.recv().await.unwrap();
        run(Command::new("kill").args(["-INT".to_owned(), running.id().to_string()]));
        assert_eq!(running.wait().unwrap().code(), Some(1), "{slow}");
        let (record, summary) = (stage.source.record(), stage.source.summary());
        assert_eq!(record["leftovers"], serde_json::json!([slow]), "{record}");
        assert!(!summary.contains("Nothing was published") && summary.contains(&format!("The tag {slow} may name")), "{summary}");
        assert!(record["failure"]["to_copy"][0].as_str().unwrap().contains(&slow), "{record}");
        // It arrives, as the report says it may.
        open.send(true).unwrap();
        told.recv().await.unwrap();
        assert_eq!(stage.tags(), BTreeSet::from([slow.clone()]));
        let digest = stage.digest(&slow);
        crane(&["delete", "--insecure", &format!("{}/team/app@{digest}", stage.registry.address)]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_that_puts_all_back_says_that_nothing_was_published() {
    let stage = Stage::set();
    let sha = stage.commit("1");
    let (tell, mut told) = mpsc::unbounded_channel();
    let rules = vec![rule("PUT", format!("/manifests/prod-{sha}"), 1, Fault::Tell(tell))];
    let proxy = Proxy::start(&stage.registry.address, Challenge::Nothing, rules).await;
    let mut running = stage.deliver_by(&proxy.address, "{sha},{env}-{sha}").spawn();
    told.recv().await.unwrap();
    run(Command::new("kill").args(["-TERM".to_owned(), running.id().to_string()]));
    let (code, said_nothing) = (running.wait().unwrap().code(), stage.source.summary().contains("Nothing was published"));
    let (in_doubt, tags) = (!stage.source.record()["leftovers"].as_array().is_none_or(Vec::is_empty), stage.tags().len());
    match code {
        // What was done by the time that the signal came is delivered.
        Some(0) => assert_eq!((tags, in_doubt, said_nothing), (2, false, false)),
        Some(143) => assert_eq!((tags, in_doubt, said_nothing), (0, false, true)),
        // A machine that is so busy that no answer came in the time that is left.
        other => assert_eq!((other, in_doubt, said_nothing), (Some(1), true, false)),
    }
}
