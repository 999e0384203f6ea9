//! What a build leaves in a builder reaches builds of the same repository that are trusted as far, and no others.

use std::fs;
use std::process::Command;

use doubles::github::{Options, Repository};

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

/// A Dockerfile that plants something in the cache mount of an ID, and then takes the very steps of [`takes`].
fn plants(id: &str) -> String {
    let mount = format!("--mount=type=cache,id={id},target=/c");
    let takes = takes(id);
    let step = takes.lines().nth(1).unwrap();
    format!(
        "FROM {BASE} AS planting\nRUN {mount} echo planted > /c/lib; echo planted > /planted\n\
         FROM {BASE} AS build\n{step}\n\
         FROM scratch\nCOPY --from=planting /planted /\nCOPY --from=build /lib.bin /\n"
    )
}

/// A delivery by a push to a branch, for an environment.
fn push(source: &Source, repository: &Repository, engine: &Engine, environment: &str) -> Delivery {
    job::push(source, repository, environment).on(engine).flag("--sbom-formats", "spdx-json").flag("--secrets-history", "none")
}

/// A run for a fork's pull request for `main`: by the rules of prod, and never published.
fn pull_request(source: &Source, repository: &Repository, engine: &Engine) -> Delivery {
    let head = job::commit(source);
    let side = |branch: &str, id: u32| format!(r#"{{"ref":"{branch}","sha":"{head}","repo":{{"id":{id}}}}}"#);
    let event = source.beside("event.json");
    fs::write(&event, format!(r#"{{"pull_request":{{"number":1,"head":{},"base":{}}}}}"#, side("x", 2), side("main", 1)))
        .unwrap();
    push(source, repository, engine, "prod")
        .variable("GITHUB_EVENT_NAME", "pull_request")
        .variable("GITHUB_EVENT_PATH", event.to_str().unwrap())
        .variable("GITHUB_REF", "refs/pull/1/merge")
}

/// What the delivered image took from the cache mount.
fn taken(source: &Source) -> String {
    String::from_utf8(source.image().files()["lib.bin"].clone()).unwrap().trim().to_owned()
}

/// A source whose Dockerfile [`takes`], the ID of its cache mount, and its repository at GitHub.
fn taking() -> (Source, String, Repository) {
    let source = Source::in_git(&[("Dockerfile", "FROM scratch\n")]);
    let id = source.context().parent().unwrap().file_name().unwrap().to_string_lossy().replace('.', "");
    source.write("Dockerfile", &takes(&id));
    source.commit("takes");
    let repository = job::repository(&source, Options::default());
    (source, id, repository)
}

#[test]
fn nothing_that_a_pull_request_leaves_in_a_cache_mount_gets_into_prods_image() {
    for engine in engines() {
        let (source, id, repository) = taking();
        source.write("Dockerfile", &plants(&id));
        source.commit("plants");
        pull_request(&source, &repository, &engine).ends_with(0);
        source.write("Dockerfile", &takes(&id));
        source.commit("takes again");
        push(&source, &repository, &engine, "prod").ends_with(0);
        assert_eq!(taken(&source), "own", "{}", engine.name);
    }
}

#[test]
fn a_branch_that_is_not_prods_leaves_nothing_for_prod_and_neither_does_another_repository() {
    for engine in engines() {
        let (source, id, repository) = taking();
        let other = job::repository(&source, Options::default());
        source.write("Dockerfile", &plants(&id));
        source.commit("plants");
        push(&source, &repository, &engine, "dev").ends_with(0);
        push(&source, &repository, &engine, "prod").flag("--publish", "false").ends_with(0);
        push(&source, &other, &engine, "prod").ends_with(0);
        source.write("Dockerfile", &takes(&id));
        source.commit("takes again");
        push(&source, &repository, &engine, "prod").ends_with(0);
        assert_eq!(taken(&source), "own", "{}", engine.name);
    }
}

#[test]
fn builds_of_the_same_repository_and_environment_share_a_cache_mount() {
    for engine in engines() {
        let (source, id, repository) = taking();
        source.write("Dockerfile", &plants(&id));
        source.commit("plants");
        push(&source, &repository, &engine, "prod").ends_with(0);
        source.write("Dockerfile", &takes(&id).replace("cp /c/lib", "true; cp /c/lib"));
        source.commit("takes otherwise");
        push(&source, &repository, &engine, "prod").ends_with(0);
        assert_eq!(taken(&source), "planted", "{}", engine.name);
    }
}

#[test]
fn a_shared_cache_is_everybodys_by_choice() {
    let (source, id, repository) = taking();
    source.write("Dockerfile", &plants(&id));
    source.commit("plants");
    pull_request(&source, &repository, &engine()).flag("--builder-cache", "shared").ends_with(0);
    source.write("Dockerfile", &takes(&id));
    source.commit("takes again");
    push(&source, &repository, &engine(), "prod").flag("--builder-cache", "shared").ends_with(0);
    assert_eq!(taken(&source), "planted");
}

#[test]
fn a_namespace_that_the_project_names_leads_to_no_other_owners_cache() {
    for engine in engines() {
        let (source, id, repository) = taking();
        let named = |delivery: Delivery| delivery.flag("--build-args", "BUILDKIT_CACHE_MOUNT_NS=ours");
        source.write("Dockerfile", &plants(&id));
        source.commit("plants");
        named(pull_request(&source, &repository, &engine)).ends_with(0);
        source.write("Dockerfile", &takes(&id));
        source.commit("takes again");
        named(push(&source, &repository, &engine, "prod")).ends_with(0);
        assert_eq!(taken(&source), "own", "{}", engine.name);
    }
}

#[test]
fn a_file_that_a_pull_request_sent_is_not_taken_for_prods_of_the_same_size_and_time() {
    for engine in engines() {
        let source = Source::in_git(&[("Dockerfile", "FROM scratch\nCOPY lib.bin /\n"), ("lib.bin", "planted")]);
        let repository = job::repository(&source, Options::default());
        let date = || run(Command::new("touch").args(["--date", "2024-05-06 07:08:09"]).arg(source.context().join("lib.bin")));
        date();
        pull_request(&source, &repository, &engine).ends_with(0);
        source.write("lib.bin", "prods  ");
        date();
        source.commit("the same size");
        push(&source, &repository, &engine, "prod").ends_with(0);
        assert_eq!(taken(&source), "prods", "{}", engine.name);
    }
}

#[test]
fn a_frontend_that_may_know_no_owner_is_refused_where_strangers_build_and_where_gates_block() {
    let dockerfile = |syntax: &str| format!("{syntax}\nFROM scratch\nCOPY a /\n");
    for syntax in
        ["# syntax=127.0.0.1:1/evil:1", "# check=skip=all\n# syntax=docker/dockerfile:1.0-experimental", "// syntax=evil"]
    {
        let source = Source::in_git(&[("Dockerfile", &dockerfile(syntax)), ("a", "1")]);
        let repository = job::repository(&source, Options::default());
        let what = "The Dockerfile's frontend is not known to keep builds apart";
        pull_request(&source, &repository, &engine()).ends_with(1).says(what).says("builder-cache: shared");
        push(&source, &repository, &engine(), "dev").ends_with(1).says(what);
        source.deliver().flag("--environment", "prod").ends_with(1).says(what);
    }
    let source = Source::in_git(&[("Dockerfile", &dockerfile("# a comment")), ("a", "1")]);
    let repository = job::repository(&source, Options::default());
    let evil = push(&source, &repository, &engine(), "prod").flag("--build-args", "BUILDKIT_SYNTAX=evil/x");
    evil.ends_with(1).says("BUILDKIT_SYNTAX");
    pull_request(&source, &repository, &engine()).ends_with(0);
}
