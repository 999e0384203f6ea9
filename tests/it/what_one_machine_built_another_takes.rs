//! A build takes the steps that another machine has run from a cache that both know, comes to the same image by them, and is
//! neither ended nor changed by a cache that is down, slow, spoilt or somebody else's.

use std::fs;

use doubles::aws::{Call, Mutability, World};
use doubles::proxy::{ALWAYS, Challenge, Fault, Proxy, Rule, rule};
use doubles::registry::{Options, Registry, crane};
use serde_json::Value;

use crate::support::buildkitd::Buildkitd;
use crate::support::machines::{self, as_pull_request, cache, digest, hits, machines, source};
use crate::support::{Delivery, Ended, Engine, Source, engines, keyless, secret};

const BASE: &str = "debian:bookworm-slim";

/// A delivery with a cache in a repository.
fn push(source: &Source, engine: &Engine, environment: &str, repository: &str) -> Delivery {
    let delivery = machines::push(source, engine, environment);
    delivery.flag("--cache", "registry").flag("--cache-repository", repository)
}

/// The tags of a registry's repository.
fn tags(registry: &Registry, repository: &str) -> String {
    crane(&["ls", "--insecure", &format!("{}/{repository}", registry.address)])
}

#[test]
fn the_second_builder_runs_no_step_and_comes_to_the_same_image() {
    let registry = Registry::start(Options::default());
    let [one, two] = machines();
    for (number, (first, second)) in [(&one, &two), (&two, &one)].into_iter().enumerate() {
        let repository = format!("{}/cache-{number}", registry.address);
        let source = source();
        push(&source, first, "dev", &repository).ends_with(0);
        assert_eq!((&cache(&source)["read"], &cache(&source)["written"]), (&"empty".into(), &"written".into()));
        assert_eq!(hits(&source).0, 0, "{}", cache(&source));
        let built = digest(&source);

        push(&source, second, "dev", &repository).ends_with(0).says("build cache: 4 of 4 steps there");
        assert_eq!((&cache(&source)["read"], &cache(&source)["written"]), (&"read".into(), &"unchanged".into()));
        assert_eq!((digest(&source), hits(&source)), (built, (4, 4)), "{}", second.name);
        assert!(source.summary().contains("4 of 4 steps there, and left as it is"), "{}", source.summary());
    }
}

#[test]
fn what_is_new_is_run_and_goes_to_the_cache_beside_what_was_there() {
    let registry = Registry::start(Options::default());
    let repository = format!("{}/cache", registry.address);
    let [one, two] = machines();
    let source = source();
    push(&source, &one, "dev", &repository).ends_with(0);
    let built = source.image().files()["built"].clone();
    source.write("file", "another\n");
    source.commit("another");
    push(&source, &two, "dev", &repository).ends_with(0);
    assert_eq!((hits(&source), &cache(&source)["written"]), ((3, 4), &"written".into()));
    assert_eq!((&source.image().files()["built"], &source.image().files()["file"]), (&built, &b"another\n".to_vec()));
}

#[test]
fn the_manifest_of_a_cache_is_one_that_amazon_ecr_takes() {
    let registry = Registry::start(Options::default());
    let source = source();
    push(&source, &machines()[0], "dev", &format!("{}/cache", registry.address)).ends_with(0);
    let tags = tags(&registry, "cache");
    let tag = tags.lines().next().unwrap();
    assert!(tag.starts_with("dev-") && tag.ends_with("-linux-amd64"), "{tag}");
    let manifest = crane(&["manifest", "--insecure", &format!("{}/cache:{tag}", registry.address)]);
    let manifest: Value = serde_json::from_str(&manifest).unwrap();
    assert_eq!(manifest["mediaType"], "application/vnd.oci.image.manifest.v1+json");
    let types = manifest["layers"].as_array().unwrap().iter().map(|layer| layer["mediaType"].as_str().unwrap());
    assert!(types.clone().all(|kind| kind.starts_with("application/vnd.oci.image.layer.v1.tar")), "{manifest}");
    assert!(types.clone().any(|kind| kind.ends_with("+zstd")), "what is in no image is compressed: {manifest}");
}

#[test]
fn in_amazon_ecr_it_is_read_and_written_by_sessions_that_may_do_nothing_else() {
    let [one, two] = machines();
    let world = World::options().start();
    world.create_repository("cache/dev", Mutability::Mutable, &[]);
    let source = source();
    let cached_at = format!("{}/cache/{{env}}", world.host());
    let to = format!("{}/{}", world.host(), world.repository());
    // The role has what `policy` prints for it, which knows the cache where that is in Amazon ECR.
    let policy = |backend: &str, repository: &str| {
        let asked = keyless::run(&world, &source, "policy").without("--ecr-repository").flag("--ecr-repository", &to);
        let asked = asked.flag("--environment", "dev").flag("--cache", backend);
        let asked = Ended::from(asked.flag("--cache-repository", repository).command().arg("role").output().unwrap());
        serde_json::from_str::<Value>(&asked.stdout).unwrap_or_else(|_| panic!("{asked}"))
    };
    for (backend, repository) in [("gha", &*cached_at), ("off", &cached_at), ("registry", "registry.example/cache")] {
        assert!(!policy(backend, repository).to_string().contains("KeepBuildCache"), "{backend} {repository}");
    }
    let printed = policy("registry", &cached_at);
    assert!(printed.to_string().contains(":repository/cache/dev\""), "{printed}");
    world.set_role_policy(&printed);
    let deliver = |engine: &Engine| {
        source.commit("again");
        let delivery = keyless::deliver(&world, &source).without("--ecr-repository").flag("--ecr-repository", &to).on(engine);
        let delivery = delivery.flag("--environment", "dev").flag("--builder-cache", "own").flag("--cache", "registry");
        delivery.flag("--cache-repository", &cached_at).ends_with(0)
    };
    let ended = deliver(&one);
    assert_eq!(cache(&source)["written"], "written", "{}\n{ended}", cache(&source));
    let ended = deliver(&two);
    assert_eq!((&cache(&source)["read"], hits(&source)), (&"read".into(), (4, 4)), "{ended}");
    let asked = world.calls();
    let policies = asked.iter().filter(|entry| entry.call == Call::AssumeRole).filter_map(|entry| entry.parameter("Policy"));
    let policies: Vec<_> = policies.collect();
    assert!(
        policies.iter().all(|policy| policy.contains(":repository/cache/dev\"") && !policy.contains("team/app")),
        "{policies:?}"
    );
    let writing = policies.iter().filter(|policy| policy.contains("ecr:PutImage")).count();
    assert!(writing == 1 && policies.len() == 3, "one of them writes: {policies:?}");
}

#[test]
fn a_pull_request_takes_what_its_base_has_left_and_leaves_nothing() {
    let registry = Registry::start(Options::default());
    let repository = format!("{}/{{env}}", registry.address);
    let [one, two] = machines();
    for environment in ["dev", "prod"] {
        let source = source();
        push(&source, &one, environment, &repository).ends_with(0);
        let (left, built) = (tags(&registry, environment), digest(&source));

        as_pull_request(&source, push(&source, &two, environment, &repository)).ends_with(0);
        assert_eq!((hits(&source), digest(&source)), ((4, 4), built.clone()), "{environment}: {}", cache(&source));
        source.write("file", "the change\n");
        source.commit("a change");
        as_pull_request(&source, push(&source, &two, environment, &repository)).ends_with(0);
        assert_eq!((hits(&source), &cache(&source)["written"]), ((3, 4), &Value::Null), "{environment}");
        assert_eq!(tags(&registry, environment), left);
        // Nor does a run that publishes nothing in a job that could.
        push(&source, &two, environment, &repository).flag("--publish", "false").ends_with(0).says("publishes nothing");
        assert_eq!((&cache(&source)["place"], tags(&registry, environment)), (&Value::Null, left));
    }
}

#[test]
fn a_blocking_environment_takes_from_a_repository_of_its_own_alone() {
    let registry = Registry::start(Options::default());
    let [one, two] = machines();
    let (all, own) = (format!("{}/cache", registry.address), format!("{}/{{env}}", registry.address));
    let source = source();
    // What is written for one environment is not what another reads.
    push(&source, &one, "dev", &own).ends_with(0);
    push(&source, &two, "test", &own).ends_with(0);
    assert_eq!((&cache(&source)["read"], hits(&source).0), (&"empty".into(), 0));
    push(&source, &one, "test", &own).ends_with(0);
    assert_eq!((&cache(&source)["read"], hits(&source)), (&"read".into(), (4, 4)));

    let source = machines::source();
    push(&source, &one, "prod", &all).ends_with(0).says("takes nothing from it");
    assert_eq!((&cache(&source)["read"], &cache(&source)["written"]), (&"withheld".into(), &"written".into()));
    let built = digest(&source);
    push(&source, &two, "prod", &all).ends_with(0).says("takes nothing from it");
    assert_eq!((&cache(&source)["read"], hits(&source).0), (&"withheld".into(), 0));
    assert_ne!(digest(&source), built, "its steps were run");
    assert!(source.summary().contains("takes nothing from it"), "{}", source.summary());
}

#[test]
fn a_builder_that_others_use_is_given_nothing_of_a_cache_and_leaves_nothing_in_it() {
    let registry = Registry::start(Options::default());
    let repository = format!("{}/cache", registry.address);
    let [one, two] = machines();
    let source = source();
    push(&source, &one, "dev", &repository).ends_with(0);
    let left = tags(&registry, "cache");
    for owner in ["isolated", "auto"] {
        source.commit("again");
        let delivery = push(&source, &two, "dev", &repository).flag("--builder-cache", owner);
        delivery.ends_with(0).says("not known to be this job's alone");
        assert_eq!((&cache(&source)["place"], &cache(&source)["read"]), (&Value::Null, &"withheld".into()));
        assert_eq!(tags(&registry, "cache"), left);
    }
}

/// A source whose cache is there by the first of the machines, and the second.
fn cached(repository: &str) -> (Source, Engine) {
    let [one, two] = machines();
    let source = source();
    push(&source, &one, "dev", repository).ends_with(0);
    (source, two)
}

/// A proxy before a registry in which something goes wrong.
async fn broken(registry: &Registry, rules: Vec<Rule>) -> Proxy {
    Proxy::start(&registry.address, Challenge::Nothing, rules).await
}

/// What the first of the machines has left is read through something in which it goes wrong.
async fn read_through(rule: Rule) {
    let registry = Registry::start(Options::default());
    let (source, two) = cached(&format!("{}/cache", registry.address));
    let proxy = broken(&registry, vec![rule]).await;
    source.commit("again");
    let ended = push(&source, &two, "dev", &format!("{}/cache", proxy.address)).ends_with(0);
    assert!(proxy.count("GET", "/manifests/") + proxy.count("HEAD", "/manifests/") > 0, "{ended}");
    let files = source.image().files();
    assert!(files["file"].starts_with(&fs::read(source.context().join("file")).unwrap()), "{ended}");
    assert!(files.contains_key("built") && files.contains_key("own"), "{ended}");
    assert_eq!(source.record()["result"], "delivered", "{ended}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cache_whose_manifests_fail_makes_a_build_slower_and_nothing_else() {
    read_through(rule("GET", "/manifests/", ALWAYS, Fault::Answer(500, "UNKNOWN", None))).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: make faults"]
async fn a_cache_that_nobody_may_see_makes_a_build_slower_and_nothing_else() {
    read_through(rule("GET", "/manifests/", ALWAYS, Fault::Answer(403, "DENIED", None))).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: make faults"]
async fn a_cache_whose_manifests_are_spoilt_makes_a_build_slower_and_nothing_else() {
    read_through(rule("GET", "/manifests/", ALWAYS, Fault::Corrupt)).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: make faults"]
async fn what_is_no_cache_makes_a_build_slower_and_nothing_else() {
    let kind = "application/vnd.oci.image.manifest.v1+json";
    let image = format!(r#"{{"schemaVersion":2,"mediaType":"{kind}","config":{{}},"layers":[]}}"#);
    read_through(rule("GET", "/manifests/", ALWAYS, Fault::Content(kind, image.into_bytes()))).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: make faults"]
async fn a_cache_that_has_lost_its_contents_makes_a_build_slower_and_nothing_else() {
    read_through(rule("GET", "/blobs/", ALWAYS, Fault::Answer(404, "BLOB_UNKNOWN", None))).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: make faults"]
async fn a_cache_that_breaks_off_makes_a_build_slower_and_nothing_else() {
    read_through(rule("GET", "/blobs/", ALWAYS, Fault::CutAnswer(10))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cache_whose_contents_are_spoilt_makes_a_build_slower_and_nothing_else() {
    read_through(rule("GET", "/blobs/", ALWAYS, Fault::Corrupt)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cache_that_does_not_answer_is_given_up_and_the_image_is_built_without() {
    let registry = Registry::start(Options::default());
    let (source, two) = cached(&format!("{}/cache", registry.address));
    let (_open, held) = tokio::sync::watch::channel(false);
    let held = |method| rule(method, "/manifests/", ALWAYS, Fault::Hold(held.clone()));
    let proxy = broken(&registry, vec![held("GET"), held("HEAD")]).await;
    source.commit("again");
    let ended = push(&source, &two, "dev", &format!("{}/cache", proxy.address)).ends_with(0);
    ended.says("the cache does not answer").says("nothing was written to it either");
    assert_eq!((&cache(&source)["read"], &cache(&source)["written"]), (&"failed".into(), &Value::Null), "{ended}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cache_that_can_not_be_written_is_said_and_takes_nothing_back() {
    let registry = Registry::start(Options::default());
    let proxy = broken(&registry, vec![rule("POST", "/blobs/uploads/", ALWAYS, Fault::Answer(403, "DENIED", None))]).await;
    let source = source();
    let ended = push(&source, &machines()[0], "dev", &format!("{}/cache", proxy.address)).ends_with(0);
    ended.says("the cache could not be written");
    assert_eq!(cache(&source)["written"], "failed");
    assert_eq!(source.record()["result"], "delivered");
}

#[test]
fn what_is_blocked_goes_to_no_cache() {
    let registry = Registry::start(Options::default());
    let source = source();
    source.write("file", &format!("TOKEN={}\n", secret()));
    source.commit("a leak");
    let repository = format!("{}/{{env}}", registry.address);
    push(&source, &machines()[0], "prod", &repository).ends_with(3);
    assert_eq!(cache(&source)["written"], Value::Null);
    assert_eq!(crane(&["catalog", "--insecure", &registry.address]), "");
}

#[test]
fn an_engine_that_writes_to_no_cache_says_so_once_and_goes_on() {
    let registry = Registry::start(Options::default());
    let source = source();
    let ended = push(&source, &engines()[0], "dev", &format!("{}/cache", registry.address)).ends_with(0);
    let said = ended.stderr.matches("can't write to such a cache").count();
    assert_eq!((said, &cache(&source)["written"]), (1, &"failed".into()), "{ended}");
    let source = machines::source();
    push(&source, &engines()[0], "dev", "r.example/c").flag("--cache", "gha").ends_with(0).says("the runner names none");
}

#[test]
fn check_stages_and_each_platform_have_caches_of_their_own() {
    let registry = Registry::start(Options::default());
    let repository = format!("{}/cache", registry.address);
    let daemons = [Buildkitd::start(), Buildkitd::start()];
    let [one, two] = [daemons[0].engine(), daemons[1].engine()];
    let id: u64 = rand::random();
    let dockerfile = format!("FROM {BASE} AS lint\nRUN echo {id} > /lint\nFROM scratch\nCOPY file /file\nCOPY file /{id}\n");
    let source = Source::in_git(&[("Dockerfile", &dockerfile), ("file", "1\n")]);
    let deliver = |engine: &Engine| {
        // Builders of one kind date alike.
        let delivery = push(&source, engine, "dev", &repository).without("--reproducible").flag("--check-targets", "lint");
        delivery.flag("--platforms", "linux/amd64,linux/arm64").ends_with(0)
    };
    deliver(&one);
    assert_eq!(tags(&registry, "cache").lines().count(), 3, "{}", tags(&registry, "cache"));
    let built = digest(&source);
    let ended = deliver(&two);
    assert_eq!((hits(&source), digest(&source)), ((4, 4), built), "{ended}");
    assert_eq!(ended.stderr.matches("does not match result platform").count(), 0, "{ended}");
    let linted = ended.stderr.lines().find(|line| line.contains("RUN echo")).unwrap();
    let number = linted.split('#').nth(1).unwrap().split(' ').next().unwrap();
    ended.says(&format!("#{number} CACHED"));
}
