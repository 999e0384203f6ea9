//! What a builder's own checks say of a Dockerfile is told at its lines, and one that asks to fail on them fails with their words.

use doubles::github::Options;

use crate::support::job::{push, repository};
use crate::support::{Source, engines};

const DOCKERFILE: &str = "FROM scratch as one\nCOPY a /\nFROM one\nCOPY b /\n";

fn source(before: &str) -> Source {
    let dockerfile = format!("{before}{DOCKERFILE}");
    Source::in_git(&[("app/Dockerfile", &dockerfile), ("app/a", "a"), ("app/b", "b"), ("app/.gitleaksignore", "")])
}

#[test]
fn what_a_check_says_is_in_the_log_the_summary_the_record_and_at_its_line() {
    for engine in engines().into_iter().skip(1) {
        let source = source("");
        let github = repository(&source, Options::default());
        let context = source.context().join("app");
        let ended = push(&source, &github, "dev").on(&engine).flag("--build-context", context.to_str().unwrap()).ends_with(0);
        ended.says("app/Dockerfile line 1: FromAsCasing: ");
        assert!(source.summary().contains("FromAsCasing"), "{}", engine.name);
        let record = source.record();
        let [check] = record["build_checks"].as_array().unwrap().as_slice() else { panic!("{}", record["build_checks"]) };
        let told = (&check["file"], &check["line"], &check["rule"], &check["fails"]);
        assert_eq!(told, (&"app/Dockerfile".into(), &1.into(), &"FromAsCasing".into(), &false.into()), "{}", engine.name);
        let annotations = github.check_runs()[0].annotations.clone();
        let [annotation] = annotations.as_slice() else { panic!("{annotations:?}") };
        assert_eq!((&annotation["path"], &annotation["start_line"]), (&"app/Dockerfile".into(), &1.into()), "{}", engine.name);
        assert_eq!(annotation["annotation_level"], "warning");
        assert!(annotation["title"].as_str().unwrap().contains("FromAsCasing"), "{annotation}");
    }
}

#[test]
fn a_dockerfile_that_asks_to_fail_on_its_checks_fails_with_their_words_and_passes_without_the_rule() {
    for engine in engines().into_iter().skip(1) {
        let source = source("# check=error=true\n");
        let github = repository(&source, Options::default());
        let context = source.context().join("app");
        let deliver = || push(&source, &github, "dev").on(&engine).flag("--build-context", context.to_str().unwrap());
        let ended = deliver().ends_with(1);
        ended.says("does not pass its build checks").says("app/Dockerfile line 2: FromAsCasing: ").says("check=skip=RULE");
        let record = source.record();
        assert_eq!((&record["build_checks"][0]["line"], &record["build_checks"][0]["fails"]), (&2.into(), &true.into()));
        let annotations = github.check_runs()[0].annotations.clone();
        assert!(annotations.iter().any(|one| one["start_line"] == 2 && one["annotation_level"] == "failure"), "{annotations:?}");
        source.write("app/Dockerfile", &format!("# check=skip=FromAsCasing;error=true\n{DOCKERFILE}"));
        source.commit("skip");
        push(&source, &github, "dev").on(&engine).flag("--build-context", context.to_str().unwrap()).ends_with(0);
        assert!(source.record().get("build_checks").is_none(), "{}", engine.name);
    }
}

#[test]
fn a_builder_without_checks_says_that_it_has_none_where_the_dockerfile_asks_for_them() {
    let source = source("# check=error=true\n");
    let context = source.context().join("app");
    let ended = source.deliver().on(&engines()[0]).flag("--build-context", context.to_str().unwrap()).ends_with(0);
    ended.says("knows no build checks");
}
