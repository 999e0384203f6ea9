//! A fixed tag names one image for good, and where claims are taken a commit is built once: what a registry holds of a commit is
//! recognised, completed, promoted or left alone. What claims are not good for is in
//! `what_an_image_says_of_itself_is_no_evidence`.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use doubles::proxy::{ALWAYS, Challenge, Fault, Proxy, rule};
use doubles::registry::{Options, Registry, crane};
use tokio::sync::watch;

use crate::support::{Delivery, Source, advisories_without_one, run, secret, tool};

/// A package with a critical advisory in `fixtures/advisories`.
const METADATA: &str = "Metadata-Version: 2.1\nName: PyYAML\nVersion: 5.3\n";

/// A source whose every commit gives another image, and a registry for it.
struct Stage {
    source: Source,
    registry: Registry,
}

impl Stage {
    fn set(extra: &[(&str, &str)]) -> Self {
        let mut files = vec![("Dockerfile", "FROM scratch\nCOPY . /app/\n"), (".dockerignore", ".git\n")];
        files.extend(extra);
        Self { source: Source::in_git(&files), registry: Registry::start(Options::default()) }
    }

    fn repository(&self) -> String {
        format!("{}/team/app", self.registry.address)
    }

    fn deliver(&self, environment: &str) -> Delivery {
        let delivery = self.source.deliver().flag("--destination", &self.repository());
        delivery.flag("--environment", environment).flag("--tags", "{sha},{env}-{sha},{env}-latest")
    }

    fn commit(&self, text: &str) -> String {
        self.source.write("version", text);
        self.source.commit(text)[..7].to_owned()
    }

    fn digest(&self, tag: &str) -> String {
        crane(&["digest", "--insecure", &format!("{}:{tag}", self.repository())])
    }

    fn tags(&self) -> BTreeSet<String> {
        crane(&["ls", "--insecure", &self.repository()]).lines().map(str::to_owned).collect()
    }

    fn reuse(&self) -> serde_json::Value {
        self.source.record()["reuse"].clone()
    }

    fn outcome(&self, stage: &str) -> String {
        let record = self.source.record();
        let stages = record["stages"].as_array().unwrap();
        let stage = stages.iter().find(|candidate| candidate["name"] == stage);
        stage.map_or("none", |stage| stage["outcome"]["is"].as_str().unwrap()).to_owned()
    }
}

/// A database that does not know the advisory yet.
fn database_before(source: &Source) -> String {
    let folder = advisories_without_one(source);
    let (database, java) = (source.beside("before"), source.beside("before-java"));
    let mut make = Command::new(tool("trivy-db"));
    run(make.arg("--advisories").arg(&folder).arg("--output").arg(&database).arg("--java-output").arg(&java));
    format!("oci:{}:2", database.display())
}

#[test]
fn a_commit_that_is_delivered_is_not_built_again() {
    let stage = Stage::set(&[]);
    let sha = stage.commit("1");
    stage.deliver("dev").ends_with(0);
    let digest = stage.digest(&sha);
    // A build that can't succeed is not begun in earnest.
    stage.deliver("dev").flag("--check-targets", "no-such-stage").ends_with(0).says("DELIVERED to dev before");
    assert_eq!(stage.reuse()["is"], "delivered");
    assert_eq!((stage.outcome("build").as_str(), stage.outcome("publish").as_str()), ("skipped", "skipped"));
    assert_eq!(stage.source.record()["publication"]["digest"], digest.as_str());
    assert_eq!(stage.tags(), BTreeSet::from([sha.clone(), format!("dev-{sha}"), "dev-latest".to_owned()]));
    assert_eq!(stage.digest(&sha), digest);
}

/// Waits for a line that tells the end of each of these stages.
fn await_ends(log: std::process::ChildStderr, stages: &[&str]) {
    let mut left: Vec<_> = stages.to_vec();
    let mut lines = BufReader::new(log).lines();
    while !left.is_empty() {
        let line = lines.next().expect("the stages end").unwrap();
        left.retain(|stage| !line.contains(&format!("{stage} passed")) && !line.contains(&format!("{stage} advice")));
    }
    std::thread::spawn(move || lines.for_each(drop));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_called_off_leaves_nothing_in_the_report_however_slow_the_registry_is() {
    let stage = Stage::set(&[("settings.env", &format!("TOKEN={}\n", secret()))]);
    stage.commit("1");
    stage.deliver("dev").ends_with(0);
    assert_eq!(stage.source.record()["findings"].as_array().unwrap().len(), 1, "there is something to leave");

    let (release, held) = watch::channel(false);
    let rules = vec![rule("GET", "/manifests/", ALWAYS, Fault::Hold(held))];
    let proxy = Proxy::start(&stage.registry.address, Challenge::Nothing, rules).await;
    let slow = stage.deliver("dev").flag("--destination", &format!("{}/team/app", proxy.address));
    let mut delivery = slow.command().stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    // The registry answers when all that runs beside the question has ended.
    await_ends(delivery.stderr.take().unwrap(), &["secrets scan", "build", "vulnerability database"]);
    release.send(true).unwrap();
    assert_eq!(delivery.wait().unwrap().code(), Some(0));

    let record = stage.source.record();
    assert_eq!((&record["reuse"]["is"], &record["findings"]), (&"delivered".into(), &serde_json::json!([])));
    assert_eq!((&record["database"], &record["warnings"]), (&serde_json::Value::Null, &serde_json::json!([])));
    for name in ["secrets", "build", "database"] {
        assert_eq!(stage.outcome(name), "skipped", "{name}");
    }
    let sarif = fs::read_dir(stage.source.beside("report/sarif")).into_iter().flatten().count();
    assert_eq!(sarif, 0, "there is a SARIF file");
    let summary = stage.source.summary();
    assert!(!summary.contains("Revoke") && summary.contains("nothing was done"), "{summary}");
}

#[test]
fn a_tag_that_is_missing_is_set_without_a_build() {
    let stage = Stage::set(&[]);
    let sha = stage.commit("1");
    stage.deliver("dev").flag("--tags", "{sha}").ends_with(0);
    let digest = stage.digest(&sha);
    stage.deliver("dev").ends_with(0).says("the tags that were missing are set");
    assert_eq!(stage.reuse()["is"], "completed");
    assert_eq!(stage.outcome("build"), "skipped");
    for tag in [format!("dev-{sha}"), "dev-latest".to_owned()] {
        assert_eq!(stage.digest(&tag), digest, "{tag}");
    }
}

#[test]
fn a_tag_that_is_missing_in_a_blocking_environment_is_set_after_the_image_is_judged() {
    let stage = Stage::set(&[("PyYAML-5.3.dist-info/METADATA", METADATA)]);
    let sha = stage.commit("1");
    let before = database_before(&stage.source);
    let prod = || stage.deliver("prod").flag("--reuse", "claimed");
    prod().flag("--tags", "{sha}").flag("--trivy-db-repository", &before).ends_with(0);
    prod().ends_with(3);
    assert_eq!(stage.tags(), BTreeSet::from([sha]));
    prod().flag("--trivy-db-repository", &before).ends_with(0);
    assert_eq!((stage.reuse()["is"].as_str(), stage.outcome("decision").as_str()), (Some("completed"), "passed"));
    assert_eq!(stage.tags().len(), 3);
}

#[test]
fn one_image_goes_through_the_environments_and_each_judges_it() {
    let stage = Stage::set(&[("PyYAML-5.3.dist-info/METADATA", METADATA)]);
    let sha = stage.commit("1");
    let before = database_before(&stage.source);
    stage.deliver("dev").flag("--trivy-db-repository", &before).ends_with(0);
    let digest = stage.digest(&sha);
    let claimed = |environment: &str| stage.deliver(environment).flag("--reuse", "claimed");
    claimed("test").flag("--trivy-db-repository", &before).ends_with(0).says("the image that dev has");
    assert_eq!(stage.reuse(), serde_json::json!({"is": "promoted", "from": "dev"}));
    assert_eq!((stage.outcome("build").as_str(), stage.outcome("promotion").as_str()), ("skipped", "passed"));
    assert_eq!(stage.digest(&format!("test-{sha}")), digest);
    // Once more: this environment has its own tag now, and judges again what it names.
    claimed("test").flag("--trivy-db-repository", &before).ends_with(0).says("this commit's image was there and is judged again");
    // The advisory is out, and the gates look with today's database.
    claimed("test").ends_with(3);
    claimed("prod").ends_with(3);
    assert_eq!(
        stage.tags(),
        BTreeSet::from([
            sha.clone(),
            format!("dev-{sha}"),
            "dev-latest".to_owned(),
            format!("test-{sha}"),
            "test-latest".to_owned()
        ])
    );
    claimed("prod").flag("--trivy-db-repository", &before).ends_with(0);
    assert_eq!(stage.digest(&format!("prod-{sha}")), digest);
    assert!(stage.source.record()["image"]["platforms"][0]["sboms"][0].is_string());
}

#[test]
fn a_fixed_tag_of_another_commit_is_an_error_before_the_build() {
    let stage = Stage::set(&[]);
    stage.commit("1");
    stage.deliver("dev").flag("--version", "1.0.0").flag("--tags", "{version}").ends_with(0);
    let first = stage.source.record()["source"]["commit"].as_str().unwrap().to_owned();
    let digest = stage.digest("1.0.0");
    stage.commit("2");
    let ended = stage.deliver("dev").flag("--version", "1.0.0").flag("--tags", "{version},{sha}").ends_with(1);
    ended.says("The tag 1.0.0").says(&digest).says(&first);
    assert_eq!((stage.tags(), stage.digest("1.0.0")), (BTreeSet::from(["1.0.0".to_owned()]), digest));
}

#[test]
fn a_fixed_tag_of_an_image_that_does_not_say_where_it_is_from_is_an_error_before_the_build() {
    let stage = Stage::set(&[]);
    let sha = stage.commit("1");
    let other = format!("oci:{}", stage.source.beside("other").display());
    stage.deliver("dev").flag("--destination", &other).flag("--tags", "other").ends_with(0);
    let stripped = format!("{}:{sha}", stage.repository());
    crane(&["push", "--insecure", stage.source.beside("other").to_str().unwrap(), &stripped]);
    // An image of the same content whose labels are another's.
    crane(&["mutate", "--insecure", "--label", "gp-deliver.environment=prod", "--tag", &stripped, &stripped]);
    stage.deliver("dev").ends_with(1).says(&format!("The tag {sha}")).says(&stage.digest(&sha));
}

#[test]
fn a_tree_with_changes_that_are_in_no_commit_is_not_the_commit() {
    let stage = Stage::set(&[]);
    let sha = stage.commit("1");
    stage.source.write("version", "changed");
    stage.deliver("dev").ends_with(0).says("changes that are in no commit");
    stage.deliver("dev").ends_with(1).says(&format!("{sha} names sha256:")).says("-dirty");
}

#[test]
fn what_is_there_is_built_anew_where_that_is_asked_for() {
    let stage = Stage::set(&[]);
    let sha = stage.commit("1");
    stage.deliver("dev").ends_with(0);
    let digest = stage.digest(&sha);
    stage.deliver("dev").flag("--reuse", "never").ends_with(0);
    assert_eq!((stage.outcome("build").as_str(), stage.reuse()), ("passed", serde_json::Value::Null));
    // A tag stays what it is, also where something else comes of it.
    let ended = stage.deliver("dev").flag("--reuse", "never").flag("--labels", "a=b").ends_with(1);
    ended
        .says(&format!("{sha} names {digest}"))
        .says("remove the tag")
        .says(stage.source.record()["image"]["digest"].as_str().unwrap());
    assert_eq!(stage.digest(&sha), digest);
}

#[test]
fn a_delivery_that_is_repeated_does_not_take_a_moving_tag_back() {
    let stage = Stage::set(&[]);
    let old = stage.commit("1");
    stage.deliver("dev").ends_with(0);
    let new = stage.commit("2");
    stage.deliver("dev").ends_with(0);
    stage.source.git(&["checkout", "--quiet", &old]);
    stage.deliver("dev").ends_with(0).says("The tag dev-latest names another image").says("before");
    assert_eq!(stage.digest("dev-latest"), stage.digest(&new));
    // A delivery that ended between its tags is completed: what the moving tag names is older.
    crane(&["tag", "--insecure", &format!("{}:{old}", stage.repository()), "dev-latest"]);
    stage.source.git(&["checkout", "--quiet", &new]);
    stage.deliver("dev").ends_with(0).says("the tags that were missing are set");
    assert_eq!(stage.digest("dev-latest"), stage.digest(&new));
}

/// go-containerregistry's own registry, which knows referrers and keeps all in memory; it ends when this is dropped.
struct CraneRegistry {
    process: std::process::Child,
    address: String,
}

impl CraneRegistry {
    fn start() -> Self {
        let mut process = Command::new(tool("crane"))
            .args(["registry", "serve", "--address", "127.0.0.1:0"])
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let address = loop {
            let line = lines.next().unwrap().unwrap();
            if let Some((_, port)) = line.rsplit_once("serving on port ") {
                break format!("127.0.0.1:{}", port.trim());
            }
        };
        std::thread::spawn(move || lines.for_each(drop));
        Self { process, address }
    }
}

impl Drop for CraneRegistry {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn another_registry_with_referrers_is_delivered_to_and_recognised_all_the_same() {
    let registry = CraneRegistry::start();
    let mut stage = Stage::set(&[]);
    stage.registry.address.clone_from(&registry.address);
    let sha = stage.commit("1");
    stage.deliver("dev").ends_with(0);
    stage.deliver("dev").ends_with(0).says("DELIVERED to dev before");
    stage.deliver("test").flag("--reuse", "claimed").ends_with(0).says("the image that dev has");
    assert_eq!(stage.digest(&format!("test-{sha}")), stage.digest(&sha));
}
