//! In GitHub Actions a build takes what an earlier run has left in the cache of GitHub Actions, by the run's own token, which
//! nobody but the job's own builder is shown.

use std::fs;

use doubles::actions_cache::{ActionsCache, Fault, Right};
use doubles::aws::Times;
use serde_json::Value;

use crate::support::buildkitd::Buildkitd;
use crate::support::machines::{self, as_pull_request, digest, hits, machines, source};
use crate::support::{Delivery, Engine, Source};

const MAIN: &str = "refs/heads/main";
const PULL: &str = "refs/pull/1/merge";

/// A delivery by a push to main, by a builder that is the job's own, with the token of such a run.
fn push(source: &Source, engine: &Engine, environment: &str, cache: &ActionsCache) -> Delivery {
    with_token(source, engine, environment, cache, &[(MAIN, Right::Write)])
}

fn with_token(source: &Source, engine: &Engine, environment: &str, cache: &ActionsCache, scopes: &[(&str, Right)]) -> Delivery {
    let delivery = machines::push(source, engine, environment);
    let variables = cache.variables(scopes);
    variables.iter().fold(delivery, |delivery, (name, value)| delivery.variable(name, value))
}

/// The same by a fork's pull request for main.
fn pull_request(source: &Source, engine: &Engine, environment: &str, cache: &ActionsCache) -> Delivery {
    let scopes = [(PULL, Right::Write), (MAIN, Right::Read)];
    as_pull_request(source, with_token(source, engine, environment, cache, &scopes))
}

#[test]
fn the_second_builder_runs_no_step_and_comes_to_the_same_image() {
    let cache = ActionsCache::start();
    let [one, two] = machines();
    for (first, second) in [(&one, &two), (&two, &one)] {
        let source = source();
        let ended = push(&source, first, "dev", &cache).ends_with(0);
        assert_eq!(
            (&machines::cache(&source)["place"], &machines::cache(&source)["written"]),
            (&"gha".into(), &"written".into()),
            "{ended}"
        );
        let built = digest(&source);
        push(&source, second, "dev", &cache).ends_with(0);
        assert_eq!((hits(&source), digest(&source)), ((4, 4), built), "{}", second.name);
        assert_eq!(machines::cache(&source)["written"], "unchanged");
    }
}

#[test]
fn each_platform_has_an_entry_of_its_own_and_none_takes_the_place_of_another() {
    let cache = ActionsCache::start();
    let [one, two] = machines();
    let id: u64 = rand::random();
    let source = Source::in_git(&[("Dockerfile", &format!("FROM scratch\nCOPY file /{id}\n")), ("file", &format!("{id}"))]);
    let deliver = |engine| push(&source, engine, "dev", &cache).flag("--platforms", "linux/amd64,linux/arm64").ends_with(0);
    deliver(&one);
    for platform in ["-linux-amd64-1-", "-linux-arm64-1-"] {
        assert!(cache.keys().iter().any(|(_, key)| key.contains(platform)), "{:?}", cache.keys());
    }
    deliver(&two);
    assert_eq!(hits(&source), (2, 2), "{}", machines::cache(&source));
}

#[test]
fn a_pull_request_takes_what_main_has_left_and_leaves_nothing() {
    let cache = ActionsCache::start();
    let [one, two] = machines();
    for environment in ["dev", "prod"] {
        let source = source();
        push(&source, &one, environment, &cache).ends_with(0);
        let (left, built) = (cache.keys(), digest(&source));
        assert!(left.iter().all(|(scope, _)| scope == MAIN));
        pull_request(&source, &two, environment, &cache).ends_with(0);
        assert_eq!((hits(&source), digest(&source)), ((4, 4), built), "{environment}");
        assert_eq!((cache.keys(), &machines::cache(&source)["written"]), (left, &Value::Null));
    }
}

#[test]
fn a_blocking_environment_takes_nothing_from_what_any_job_of_the_branch_may_write() {
    let cache = ActionsCache::start();
    let [one, two] = machines();
    let source = source();
    push(&source, &one, "prod", &cache).ends_with(0);
    let built = digest(&source);
    let asked = cache.count("GetCacheEntryDownloadURL");
    push(&source, &two, "prod", &cache).flag("--publish", "false").ends_with(0);
    assert_eq!(cache.count("GetCacheEntryDownloadURL"), asked, "a run that publishes nothing, in a job that could");
    push(&source, &two, "prod", &cache).ends_with(0).says("prod takes nothing from it");
    assert_eq!((&machines::cache(&source)["read"], hits(&source).0), (&"withheld".into(), 0));
    assert_ne!(digest(&source), built, "its steps were run");
}

#[test]
fn a_run_of_a_tag_leaves_nothing_that_no_other_run_could_read() {
    let cache = ActionsCache::start();
    let source = source();
    source.git(&["tag", "v1.2.3"]);
    let tag = ("refs/tags/v1.2.3", Right::Write);
    let delivery = with_token(&source, &machines()[0], "prod", &cache, &[tag, (MAIN, Right::Read)]);
    delivery.variable("GITHUB_REF", tag.0).ends_with(0);
    assert_eq!(cache.keys(), []);
}

#[test]
fn a_builder_that_others_use_is_not_shown_the_token_and_nobody_else_is() {
    let cache = ActionsCache::start();
    let [one, _] = machines();
    let source = source();
    let delivery = push(&source, &one, "dev", &cache).flag("--builder-cache", "auto");
    delivery.ends_with(0);
    delivery.flag("--cache", "gha").ends_with(0).says("not known to be this job's alone");
    assert_eq!(cache.count(""), 0);

    source.commit("again");
    let delivery = push(&source, &one, "dev", &cache).variable("GP_DELIVER_LOG", "debug");
    let token = delivery.command().get_envs().find(|(name, _)| *name == "ACTIONS_RUNTIME_TOKEN").unwrap().1.unwrap().to_owned();
    let token = token.to_str().unwrap();
    let ended = delivery.ends_with(0);
    assert!(cache.count("CreateCacheEntry") > 0);
    // The runner is told what to mask, and nobody is told anything else of it.
    let told = ended.stdout.lines().chain(ended.stderr.lines()).filter(|line| !line.starts_with("::add-mask::"));
    told.for_each(|line| assert!(!line.contains(token), "{line}"));
    for entry in walk(&source.beside("report")) {
        assert!(!String::from_utf8_lossy(&fs::read(&entry).unwrap()).contains(token), "{}", entry.display());
    }
}

/// All files below a folder.
fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

/// What main has left is read by a builder of its own where looking it up goes wrong.
fn read_badly(times: Times, fault: Fault) -> Source {
    let cache = ActionsCache::start();
    let daemon = Buildkitd::start();
    let source = source();
    push(&source, &machines()[0], "dev", &cache).ends_with(0);
    cache.fail("GetCacheEntryDownloadURL", times, fault);
    let ended = pull_request(&source, &daemon.engine(), "dev", &cache).ends_with(0);
    assert_eq!(source.record()["result"], "skipped", "{ended}");
    source
}

#[test]
fn a_cache_that_has_too_much_to_do_is_waited_for() {
    assert_eq!(hits(&read_badly(Times::Exactly(2), Fault::Haste)), (4, 4));
}

#[test]
fn a_cache_that_is_down_or_silent_is_not_shown_to_the_builder_which_would_wait_for_many_minutes() {
    for (fault, said) in [
        (Fault::Status(500), "it answers 500"),
        (Fault::Refused, "it can't be reached"),
        (Fault::Hang, "it said nothing for 10 s"),
    ] {
        let source = read_badly(Times::Always, fault);
        let cache = machines::cache(&source);
        assert_eq!((&cache["place"], &cache["read"]), (&Value::Null, &"withheld".into()), "{cache}");
        assert!(cache["notes"][0].as_str().unwrap().contains(said), "{cache}");
    }
}

#[test]
#[ignore = "takes minutes: make faults"]
fn a_cache_that_breaks_off_makes_a_build_slower_and_nothing_else() {
    read_badly(Times::Always, Fault::Cut);
}

/// Something goes wrong with what main has left, or with what a push leaves.
fn goes_wrong(what: &str, begin: impl FnOnce(&ActionsCache)) -> (Source, ActionsCache) {
    let cache = ActionsCache::start();
    let daemon = Buildkitd::start();
    let source = source();
    push(&source, &machines()[0], "dev", &cache).ends_with(0);
    begin(&cache);
    source.write("file", what);
    source.commit(what);
    let ended = push(&source, &daemon.engine(), "dev", &cache).ends_with(0);
    assert_eq!(source.image().files()["file"], what.as_bytes(), "{ended}");
    (source, cache)
}

#[test]
fn a_cache_that_has_lost_its_contents_makes_a_build_slower_and_nothing_else() {
    let (source, _) = goes_wrong("lost", |cache| cache.fail("GET /blobs/", Times::Always, Fault::Status(404)));
    assert_eq!(hits(&source).0, 0, "{}", machines::cache(&source));
}

#[test]
#[ignore = "takes minutes: make faults"]
fn a_cache_that_can_not_be_written_is_said_and_takes_nothing_back() {
    let (source, _) = goes_wrong("full", |cache| cache.fail("CreateCacheEntry", Times::Always, Fault::Status(503)));
    assert_eq!(machines::cache(&source)["written"], "failed", "{}", machines::cache(&source));
}

#[test]
fn a_cache_whose_contents_are_spoilt_makes_a_build_slower_and_nothing_else() {
    goes_wrong("spoilt", ActionsCache::spoil);
}

#[test]
fn a_cache_that_forgets_at_once_makes_a_build_slower_and_nothing_else() {
    let (_, cache) = goes_wrong("forgotten", |cache| cache.limit(0));
    assert_eq!(cache.keys().len(), 0);
}

#[test]
fn a_token_that_is_no_more_makes_a_build_slower_and_nothing_else() {
    let cache = ActionsCache::start();
    let daemon = Buildkitd::start();
    let source = source();
    let delivery = push(&source, &daemon.engine(), "dev", &cache);
    cache.expire_tokens();
    let ended = delivery.ends_with(0);
    ended.says("it does not take the run's token");
    assert_eq!(machines::cache(&source)["place"], Value::Null, "{ended}");
    assert_eq!((cache.keys().len(), source.record()["result"].as_str()), (0, Some("delivered")));
}
