//! What lets a finding through and comes with the same change as the finding is new: it is named, and at prod it does not count.

use std::fs;

use serde_json::Value;

use crate::support::job::{commit, in_job};
use crate::support::{Delivery, Source, secret};

const LISTED: &str = "leak.env:github-pat:1\n";

fn source() -> Source {
    Source::in_git(&[("Dockerfile", "FROM scratch\nCOPY readme /\n"), ("readme", "1\n")])
}

/// Brings a secret, and something that lets it through.
fn excuse(source: &Source, by: &str) {
    let (comment, file, text) = match by {
        "gitleaks:allow" => (" # gitleaks:allow", "readme", "2\n".to_owned()),
        ".gitleaksignore" => ("", by, LISTED.to_owned()),
        _ => ("", by, "[extend]\nuseDefault = true\n[[allowlists]]\npaths = ['^leak']\n".to_owned()),
    };
    source.write("leak.env", &format!("TOKEN={}{comment}\n", secret()));
    source.write(file, &text);
}

fn event(source: &Source, payload: &str) -> Delivery {
    let path = source.beside("event.json");
    fs::write(&path, payload).unwrap();
    let delivery = in_job(source, vec![]).flag("--environment", "prod").flag("--sbom-formats", "");
    delivery.variable("GITHUB_EVENT_PATH", path.to_str().unwrap())
}

fn push(source: &Source, before: &str) -> Delivery {
    event(source, &format!(r#"{{"before":"{before}"}}"#))
}

fn pull_request(source: &Source, base: &str) -> Delivery {
    let side = |branch: &str, sha: &str| format!(r#"{{"ref":"{branch}","sha":"{sha}","repo":{{"id":1}}}}"#);
    let (head, base) = (side("feature", &commit(source)), side("main", base));
    let delivery = event(source, &format!(r#"{{"pull_request":{{"number":1,"head":{head},"base":{base}}}}}"#));
    delivery.variable("GITHUB_EVENT_NAME", "pull_request").variable("GITHUB_REF", "refs/pull/1/merge")
}

fn standings(source: &Source) -> Vec<(String, Option<String>)> {
    let word = |value: &Value| value.as_str().map(str::to_owned);
    let suppressions = source.record()["suppressions"].as_array().unwrap().clone();
    suppressions.iter().map(|it| (word(&it["by"]).unwrap(), word(&it["standing"]))).collect()
}

#[test]
fn what_a_pull_request_brings_to_let_its_own_secret_through_does_not_count_and_is_named() {
    for by in [".gitleaksignore", ".gitleaks.toml", "gitleaks:allow"] {
        let source = source();
        let base = commit(&source);
        excuse(&source, by);
        source.commit("leak and excuse");
        pull_request(&source, &base).ends_with(3).says("leak.env");
        assert_eq!(standings(&source), [(by.to_owned(), Some("refused".to_owned()))]);
        assert!(source.summary().contains("Not let through"), "{}", source.summary());

        // By choice it counts, and it is new all the same.
        pull_request(&source, &base).flag("--suppressions", "head").ends_with(0).says("new with this change");
        assert_eq!(standings(&source), [(by.to_owned(), Some("new".to_owned()))]);
        assert!(source.summary().contains("**new with this change**"), "{}", source.summary());
    }
}

#[test]
fn rules_of_a_pull_request_that_can_not_be_run_neither_fail_it_nor_let_anything_through() {
    let many = (0..1500).map(|number| format!("[[rules]]\nid = 'x{number}'\nregex = 'x{number}'\n"));
    let many = many.collect::<Vec<_>>().concat();
    for rules in ["[[rules", &many] {
        let source = source();
        let base = commit(&source);
        source.write(".gitleaks.toml", rules);
        source.commit("rules");
        pull_request(&source, &base).ends_with(0).says("could not be compared");
        source.write("leak.env", &format!("TOKEN={}\n", secret()));
        source.commit("leak");
        pull_request(&source, &base).ends_with(3).says("leak.env").says("could not be compared");
    }
}

#[test]
fn what_the_branch_has_that_a_pull_request_is_for_counts_and_is_not_new() {
    for by in [".gitleaksignore", ".gitleaks.toml", "gitleaks:allow"] {
        let source = source();
        excuse(&source, by);
        let base = source.commit("leak and excuse");
        source.write("other", "1\n");
        source.commit("other");
        pull_request(&source, &base).ends_with(0);
        assert_eq!(standings(&source), [(by.to_owned(), None)]);
    }
}

#[test]
fn a_push_that_was_held_back_does_not_excuse_the_next() {
    let source = source();
    let zero = commit(&source);
    excuse(&source, ".gitleaksignore");
    let excused = source.commit("leak and excuse");
    push(&source, &zero).ends_with(3);
    source.write("readme", "3\n");
    source.commit("readme");
    push(&source, &excused).ends_with(3).says("Set `suppressions`");
    // Somebody has looked at the list of that commit, or takes the list as it is.
    push(&source, &excused).flag("--suppressions", &excused).ends_with(0);
    fs::remove_dir_all(source.beside("image")).unwrap();
    push(&source, &excused).flag("--suppressions", "head").ends_with(0);
}

#[test]
fn a_list_of_vulnerabilities_that_came_with_the_change_does_not_count() {
    let source = Source::in_git(&[
        ("Dockerfile", "FROM scratch\nCOPY vendor /app/vendor\n"),
        ("vendor/PyYAML-5.3.dist-info/METADATA", "Metadata-Version: 2.1\nName: PyYAML\nVersion: 5.3\n"),
    ]);
    let base = commit(&source);
    source.write(".trivyignore", "CVE-2020-14343\n");
    let listed = source.commit("list");
    pull_request(&source, &base).ends_with(3).says("What is new in .trivyignore does not count");
    source.write("other", "1\n");
    source.commit("other");
    let ended = pull_request(&source, &listed).ends_with(0);
    ended.does_not_say("does not count");
}
