//! The GitHub that other tests report to is checked by strangers: GitHub's own library, a plain client, and Prism.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that can't go on has failed")]

#[path = "support/github/mod.rs"]
mod github;

use github::stranger::{Client, delivery, octokit};
use github::{Call, Fault, GitHub, Options, Repository, Times};
use serde_json::{Value, json};

const COMMIT: &str = "4b6472266afd7b471e86085a6659e8c7f2b119da";
const MAIN: &str = "refs/heads/main";

fn repository(options: Options) -> Repository {
    GitHub::start().repository(options.branch("main", COMMIT))
}

fn result(fingerprint: &str) -> Value {
    json!({
        "ruleId": "CVE-2026-0001", "message": {"text": "busybox has a hole"},
        "locations": [{"physicalLocation": {"artifactLocation": {"uri": "Dockerfile"}, "region": {"startLine": 1}}}],
        "partialFingerprints": {"primaryLocationLineHash": fingerprint},
    })
}

fn run(category: &str, results: &[Value]) -> Value {
    json!({
        "tool": {"driver": {"name": "trivy", "rules": [{"id": "CVE-2026-0001", "properties": {"security-severity": "9.8"}}]}},
        "automationDetails": {"id": format!("{category}/")}, "results": results,
    })
}

fn log(runs: &[Value]) -> Value {
    json!({"version": "2.1.0", "runs": runs})
}

fn annotation(line: usize) -> Value {
    json!({"path": "Dockerfile", "start_line": line, "end_line": line, "annotation_level": "warning", "message": "look"})
}

fn check_run(annotations: &[Value]) -> Value {
    json!({"name": "gp-deliver", "head_sha": COMMIT, "output": {"title": "t", "summary": "s", "annotations": annotations}})
}

#[test]
fn githubs_own_library_uploads_an_analysis_and_sees_it_processed() {
    let repository = repository(Options::default().pending(1));
    let upload = delivery(COMMIT, MAIN, &log(&[run("image", &[result("a")])]));
    let (owner, repo) = (json!("octo-org"), json!(repository.slug().split_once('/').unwrap().1));
    let mut parameters = json!({"owner": owner, "repo": repo, "checkout_uri": "file:///github/workspace/"});
    parameters.as_object_mut().unwrap().extend(upload.as_object().unwrap().clone());
    let said = octokit(&repository, &json!([["POST /repos/{owner}/{repo}/code-scanning/sarifs", parameters]]));
    assert_eq!(said[0]["status"], 202, "{said:?}");
    let id = &said[0]["data"]["id"];
    let poll =
        json!(["GET /repos/{owner}/{repo}/code-scanning/sarifs/{sarif_id}", {"owner": owner, "repo": repo, "sarif_id": id}]);
    let list = json!(["GET /repos/{owner}/{repo}/code-scanning/analyses", {"owner": owner, "repo": repo, "ref": MAIN}]);
    let said = octokit(&repository, &json!([poll, poll, list]));
    assert_eq!(said[0]["data"]["processing_status"], "pending");
    assert_eq!((&said[1]["data"]["processing_status"], &said[1]["data"]["errors"]), (&json!("complete"), &Value::Null));
    assert_eq!((&said[2]["data"][0]["category"], &said[2]["data"][0]["results_count"]), (&json!("image"), &json!(1)));
    let alerts = repository.alerts(MAIN);
    assert_eq!((alerts[0].fingerprint.as_deref(), alerts[0].severity), (Some("a"), Some(9.8)));
    let shown = repository.journal();
    assert!(shown.iter().all(|entry| entry.header("authorization").is_none()), "{shown:?}");
    assert_eq!(shown.iter().map(|entry| entry.status).collect::<Vec<_>>(), [Some(202), Some(200), Some(200), Some(200)]);
}

#[test]
fn a_check_run_is_made_filled_in_batches_and_found_again() {
    let repository = repository(Options::default());
    let client = Client::of(&repository);
    let annotations: Vec<Value> = (1..=50).map(annotation).collect();
    let made = client.post("/check-runs", &check_run(&annotations));
    assert_eq!((made.status, &made.document()["output"]["annotations_count"]), (201, &json!(50)), "{made:?}");
    let id = made.document()["id"].as_u64().unwrap();
    let more = json!({"conclusion": "neutral", "status": "completed", "output": {"title": "t", "summary": "u", "annotations": [annotation(51)]}});
    let changed = client.patch(&format!("/check-runs/{id}"), &more).document();
    assert_eq!((&changed["output"]["annotations_count"], &changed["status"]), (&json!(51), &json!("completed")));
    assert_eq!(client.post("/check-runs", &check_run(&[])).status, 201);
    let listed = |query: &str| client.get(&format!("/commits/{COMMIT}/check-runs?{query}")).document();
    assert_eq!(listed("check_name=gp-deliver&filter=latest")["check_runs"][0]["id"], id + 1);
    assert_eq!(listed("check_name=gp-deliver&filter=all")["total_count"], 2);
    assert_eq!(listed("check_name=another")["total_count"], 0);
    assert_eq!(client.get("/commits/main/check-runs").document()["total_count"], 1);
    let runs = repository.check_runs();
    assert_eq!((runs[0].annotations.len(), runs[0].summary.as_deref()), (51, Some("u")));
}

#[test]
fn prism_finds_a_request_that_github_does_not_describe() {
    let repository = repository(Options::default());
    let said = Client::of(&repository).post("/code-scanning/sarifs", &json!({"commit_sha": COMMIT, "ref": "main", "sarif": ""}));
    assert_eq!(said.status, 422, "{said:?}");
    let found = repository.take_violations();
    assert!(found[0].contains("ref must match pattern"), "{found:?}");
}

#[test]
fn prism_finds_an_answer_that_github_does_not_describe() {
    let repository = repository(Options::default());
    repository.fail(Call::CreateCheckRun, Times::Nth(1), Fault::Malformed);
    let said = Client::of(&repository).post("/check-runs", &check_run(&[]));
    assert_eq!(said.status, 500, "{said:?}");
    let found = repository.take_violations();
    assert!(found[0].contains("id"), "{found:?}");
}

#[test]
fn a_violation_that_nobody_looks_at_fails_the_test() {
    let repository = repository(Options::default());
    Client::of(&repository).post("/check-runs", &json!({"name": 1}));
    let dropped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(repository)));
    let said = *dropped.unwrap_err().downcast::<String>().unwrap();
    assert!(said.contains("head_sha"), "{said}");
}
