//! What a build leaves in a builder reaches builds of the same repository that are trusted as far, and no others.

use std::fs;
use std::process::Command;

use crate::support::{Delivery, Engine, Source, engine, engines, job, run};

const BASE: &str = "debian:bookworm-slim";

/// A Dockerfile whose image is what the cache mount of an ID holds: `own` where it holds nothing yet.
fn takes(id: &str) -> String {
    let mount = format!("--mount=type=cache,id={id},target=/c");
    format!(
        "FROM {BASE} AS build\nRUN {mount} if [ ! -e /c/lib ]; then echo own > /c/lib; fi; cp /c/lib /lib.bin\n\
         FROM scratch\nCOPY --from=build /lib.bin /\n"
    )
}

/// A Dockerfile that plants something in the cache mount of an ID.
fn plants(id: &str) -> String {
    let mount = format!("--mount=type=cache,id={id},target=/c");
    format!(
        "FROM {BASE} AS build\nRUN {mount} echo planted | tee /c/lib > /lib.bin\nFROM scratch\nCOPY --from=build /lib.bin /\n"
    )
}

/// Plants something in a cache mount, and then runs the very steps by which others take from it: their results may be kept too.
fn plant(source: &Source, id: &str, deliver: &dyn Fn() -> Delivery) {
    for dockerfile in [plants(id), takes(id)] {
        source.write("Dockerfile", &dockerfile);
        source.commit("plants");
        deliver().ends_with(0);
    }
}

/// A delivery by a push, for an environment, by a job that knows of no GitHub.
fn push(source: &Source, engine: &Engine, environment: &str) -> Delivery {
    let delivery = job::in_job(source, Vec::new()).flag("--environment", environment).on(engine);
    delivery.flag("--sbom-formats", "spdx-json").flag("--secrets-history", "none")
}

/// A run for a fork's pull request for `main`: by the rules of prod, and never published.
fn pull_request(source: &Source, engine: &Engine) -> Delivery {
    let head = job::commit(source);
    let side = |branch: &str, id: u32| format!(r#"{{"ref":"{branch}","sha":"{head}","repo":{{"id":{id}}}}}"#);
    let event = source.beside("event.json");
    fs::write(&event, format!(r#"{{"pull_request":{{"number":1,"head":{},"base":{}}}}}"#, side("x", 2), side("main", 1)))
        .unwrap();
    push(source, engine, "prod")
        .variable("GITHUB_EVENT_NAME", "pull_request")
        .variable("GITHUB_EVENT_PATH", event.to_str().unwrap())
        .variable("GITHUB_REF", "refs/pull/1/merge")
}

/// What the image of a delivery took from the cache mount; no image of another delivery is there.
fn taken(source: &Source, delivery: &Delivery) -> String {
    let _ = fs::remove_dir_all(source.beside("image"));
    delivery.ends_with(0);
    String::from_utf8(source.image().files()["lib.bin"].clone()).unwrap().trim().to_owned()
}

/// A source whose Dockerfile [`takes`], and the ID of its cache mount.
fn taking() -> (Source, String) {
    let source = Source::in_git(&[("Dockerfile", "FROM scratch\n")]);
    let id = source.context().parent().unwrap().file_name().unwrap().to_string_lossy().replace('.', "");
    source.write("Dockerfile", &takes(&id));
    source.commit("takes");
    (source, id)
}

#[test]
fn nothing_that_a_pull_request_leaves_in_a_cache_mount_or_a_cached_step_gets_into_prods_image() {
    for engine in engines() {
        let (source, id) = taking();
        plant(&source, &id, &|| pull_request(&source, &engine));
        let taken = taken(&source, &push(&source, &engine, "prod"));
        assert_eq!(taken, "own", "{}", engine.name);
    }
}

#[test]
fn what_is_delivered_elsewhere_or_not_published_leaves_nothing_for_prod() {
    for engine in engines() {
        let (source, id) = taking();
        plant(&source, &id, &|| push(&source, &engine, "dev"));
        plant(&source, &id, &|| push(&source, &engine, "prod").flag("--publish", "false"));
        let taken = taken(&source, &push(&source, &engine, "prod"));
        assert_eq!(taken, "own", "{}", engine.name);
    }
}

#[test]
fn another_repository_leaves_nothing_and_the_same_one_does_wherever_it_is_checked_out() {
    for engine in engines() {
        let of = |source: &Source, repository: &str| {
            let delivery = push(source, &engine, "dev").variable("GITHUB_API_URL", "http://127.0.0.1:1");
            delivery.variable("GITHUB_REPOSITORY", repository)
        };
        let ((one, id), (two, _)) = (taking(), taking());
        let (ours, theirs) = (format!("acme/{id}-1"), format!("acme/{id}-2"));
        plant(&one, &id, &|| of(&one, &ours));
        two.write("Dockerfile", &takes(&id));
        two.commit("takes");
        assert_eq!(taken(&two, &of(&two, &theirs)), "own", "{}", engine.name);
        assert_eq!(taken(&two, &of(&two, &ours)), "planted", "{}", engine.name);
    }
}

#[test]
fn a_shared_cache_is_everybodys_by_choice() {
    let (source, id) = taking();
    plant(&source, &id, &|| pull_request(&source, &engine()).flag("--builder-cache", "shared"));
    let delivery = push(&source, &engine(), "prod").flag("--builder-cache", "shared");
    assert_eq!(taken(&source, &delivery), "planted");
}

#[test]
fn a_namespace_that_the_project_names_leads_to_no_other_owners_cache() {
    let (source, id) = taking();
    let named = |delivery: Delivery| delivery.flag("--build-args", "BUILDKIT_CACHE_MOUNT_NS=ours");
    plant(&source, &id, &|| named(pull_request(&source, &engine())));
    assert_eq!(taken(&source, &named(push(&source, &engine(), "prod"))), "own");
}

#[test]
fn a_file_that_a_pull_request_sent_is_not_taken_for_prods_of_the_same_size_and_time() {
    for engine in engines() {
        let source = Source::in_git(&[("Dockerfile", "FROM scratch\nCOPY lib.bin /\n"), ("lib.bin", "planted")]);
        let date = || run(Command::new("touch").args(["--date", "2024-05-06 07:08:09"]).arg(source.context().join("lib.bin")));
        date();
        pull_request(&source, &engine).ends_with(0);
        source.write("lib.bin", "prods  ");
        date();
        source.commit("the same size");
        let taken = taken(&source, &push(&source, &engine, "prod"));
        assert_eq!(taken, "prods", "{}", engine.name);
    }
}

#[test]
fn a_frontend_that_may_know_no_owner_is_refused_where_strangers_build_and_where_gates_block() {
    let dockerfile = |syntax: &str| format!("{syntax}\nFROM scratch\nCOPY a /\n");
    for syntax in
        ["# syntax=127.0.0.1:1/evil:1", "# check=skip=all\n# syntax=docker/dockerfile:1.0-experimental", "// syntax=evil"]
    {
        let source = Source::in_git(&[("Dockerfile", &dockerfile(syntax)), ("a", "1")]);
        let what = "The Dockerfile's frontend is not known to keep builds apart";
        pull_request(&source, &engine()).ends_with(1).says(what).says("builder-cache: shared");
        push(&source, &engine(), "dev").ends_with(1).says(what);
        source.deliver().flag("--environment", "prod").ends_with(1).says(what);
    }
    let source = Source::in_git(&[("Dockerfile", &dockerfile("# a comment")), ("a", "1")]);
    let evil = push(&source, &engine(), "prod").flag("--build-args", "BUILDKIT_SYNTAX=evil/x");
    evil.ends_with(1).says("BUILDKIT_SYNTAX");
    pull_request(&source, &engine()).ends_with(0);
}
