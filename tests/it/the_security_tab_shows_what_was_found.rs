//! Findings go to the Security tab before a tag can be seen, once, and what keeps them from it is said.

use doubles::github::{self, Call, CodeScanning, Fault, Moment, Options, Repository, Times};

use crate::support::job::{clean, commit, faulty, in_job, push, repository};
use crate::support::{Ended, Source};

const MAIN: &str = "refs/heads/main";

/// The tools of the accepted analyses, in order.
fn tools(repository: &Repository) -> Vec<String> {
    let mut tools: Vec<_> = repository.analyses().iter().map(|analysis| analysis.tool.clone()).collect();
    tools.sort();
    tools
}

/// That nothing was published.
#[track_caller]
fn nothing_is_visible(source: &Source, ended: &Ended) {
    assert!(!source.beside("image/index.json").exists(), "{ended}");
    assert_eq!(source.record()["publication"], serde_json::Value::Null, "{ended}");
}

#[test]
fn each_tool_has_one_analysis_of_the_commit_in_a_category_of_its_own() {
    let source = clean();
    let repository = repository(&source, Options::default().pending(2));
    push(&source, &repository, "test").ends_with(0).says("code scanning passed");
    let analyses = repository.analyses();
    assert_eq!(tools(&repository), ["Trivy", "gitleaks"]);
    for analysis in &analyses {
        assert_eq!((analysis.commit.as_str(), analysis.reference.as_str()), (commit(&source).as_str(), MAIN));
    }
    assert_ne!(analyses[0].category, analyses[1].category);
}

#[test]
fn no_tag_can_be_seen_while_the_upload_is_under_way() {
    let source = clean();
    let repository = repository(&source, Options::default());
    let held = repository.hold(Call::UploadSarif, 2, Moment::Before);
    let running = push(&source, &repository, "prod").spawn();
    held.arrived();
    assert!(!source.beside("image/index.json").exists());
    held.release();
    let output = running.wait_with_output().unwrap();
    assert!(output.status.success());
    assert_eq!(source.image().tags().len(), 2);
}

#[test]
fn a_blocked_delivery_shows_what_blocked_it() {
    let source = faulty();
    let repository = repository(&source, Options::default());
    let ended = push(&source, &repository, "test").ends_with(3);
    nothing_is_visible(&source, &ended);
    let alerts = repository.alerts(MAIN);
    let rules: Vec<_> = alerts.iter().map(|alert| (alert.rule.as_str(), alert.path.as_str(), alert.line)).collect();
    assert!(rules.contains(&("CVE-2020-14343", "Dockerfile", 3)), "{rules:?}");
    assert!(rules.contains(&("github-pat", "deploy/staging.env", 1)), "{rules:?}");
}

#[test]
fn a_blocked_delivery_stays_blocked_where_the_upload_fails() {
    let source = faulty();
    let repository = repository(&source, Options::default());
    repository.fail(Call::UploadSarif, Times::Always, Fault::Status(503));
    push(&source, &repository, "test").ends_with(3).says("could not be uploaded to the Security tab");
}

#[test]
fn below_test_nothing_is_uploaded() {
    let source = faulty();
    let repository = repository(&source, Options::default());
    push(&source, &repository, "dev").ends_with(0).does_not_say("code scanning");
    assert_eq!(repository.count(Call::UploadSarif), 0);
}

#[test]
fn a_job_that_runs_again_shows_nothing_twice() {
    let source = faulty();
    let repository = repository(&source, Options::default());
    for _ in 0..2 {
        push(&source, &repository, "test").ends_with(3);
    }
    let alerts = repository.alerts(MAIN);
    let mut fingerprints: Vec<_> = alerts.iter().map(|alert| alert.fingerprint.clone().unwrap()).collect();
    fingerprints.sort();
    fingerprints.dedup();
    assert_eq!(fingerprints.len(), alerts.len());
    assert_eq!(repository.analyses().len(), 4, "each replaces the one before it");
    assert_eq!(alerts.iter().filter(|alert| alert.rule == "github-pat").count(), 1);
}

#[test]
fn what_passes_is_overcome() {
    for (call, fault) in [
        (Call::UploadSarif, Fault::Status(502)),
        (Call::UploadSarif, Fault::Haste { status: 429, retry_after: Some(1) }),
        (Call::UploadSarif, Fault::Haste { status: 403, retry_after: None }),
        (Call::UploadSarif, Fault::Limit { status: 403, reset_in: 1 }),
        (Call::UploadSarif, Fault::Refused),
        (Call::UploadSarif, Fault::Silence),
        (Call::UploadSarif, Fault::Cut),
        (Call::SarifStatus, Fault::Status(503)),
        (Call::SarifStatus, Fault::Cut),
    ] {
        let source = clean();
        let repository = repository(&source, Options::default());
        repository.fail(call, Times::First(2), fault);
        let ended = push(&source, &repository, "test").ends_with(0);
        assert_eq!(tools(&repository).iter().filter(|tool| *tool == "Trivy").count().min(1), 1, "{call:?} {fault:?}: {ended}");
        assert_eq!(source.image().tags().len(), 2, "{call:?} {fault:?}: {ended}");
    }
}

#[test]
fn an_upload_that_keeps_failing_fails_the_delivery_with_nothing_visible() {
    for (fault, words) in [
        (Fault::Status(503), "GitHub has an outage"),
        (Fault::Refused, "GitHub does not answer"),
        (Fault::Haste { status: 403, retry_after: Some(3600) }, "Run the job again in 3600 s"),
    ] {
        let source = clean();
        let repository = repository(&source, Options::default());
        repository.fail(Call::UploadSarif, Times::Always, fault);
        let ended = push(&source, &repository, "prod").ends_with(1);
        ended.says("could not be uploaded to the Security tab").says(words);
        nothing_is_visible(&source, &ended);
    }
}

#[test]
fn another_commit_than_the_run_s_is_shown_for_no_branch_and_delivered_to_no_environment() {
    let source = clean();
    let repository = repository(&source, Options::default());
    let other = |environment: &str| push(&source, &repository, environment).variable("GITHUB_SHA", &"0".repeat(40));
    for environment in ["dev", "test"] {
        let ended = other(environment).ends_with(1);
        ended.says("is at another commit than the run");
        nothing_is_visible(&source, &ended);
    }
    other("test").flag("--publish", "false").ends_with(0);
    assert_eq!(repository.count(Call::UploadSarif), 0);
}

#[test]
fn a_commit_that_github_does_not_have_fails_the_delivery() {
    let source = clean();
    let elsewhere = github::GitHub::start().repository(Options::default());
    let ended = push(&source, &elsewhere, "test").ends_with(1);
    ended.says("commit not found");
    nothing_is_visible(&source, &ended);
}

/// How a repository without code scanning says so.
const WITHOUT: [CodeScanning; 3] = [CodeScanning::WithoutCodeSecurity, CodeScanning::WithoutAdvancedSecurity, CodeScanning::Off];

#[test]
fn a_repository_without_code_scanning_by_githubs_own_words_is_a_warning_that_names_the_setting() {
    for code_scanning in WITHOUT {
        let source = clean();
        let repository = repository(&source, Options::default().code_scanning(code_scanning));
        let ended = push(&source, &repository, "prod").ends_with(0);
        ended.says("warning: The findings are not in the Security tab").says("switch code scanning on");
        assert!(source.summary().contains("The findings are not in the Security tab"), "{ended}");
        assert_eq!((source.image().tags().len(), repository.count(Call::UploadSarif) <= 2), (2, true), "{ended}");
    }
}

#[test]
fn a_token_without_the_right_fails_a_blocking_delivery_before_a_tag_can_be_seen_and_no_other() {
    let without_the_right = [
        Options::default().permissions(&["checks: write"]),
        Options::default().permissions(&["security-events: read"]),
        // GitHub says 404 and not why: that is no word of code scanning.
        Options::default().invisible(),
        Options::default().archived(),
    ];
    for options in without_the_right {
        let source = clean();
        let repository = repository(&source, options);
        let ended = push(&source, &repository, "prod").ends_with(1);
        ended.says("The findings are not in the Security tab").says("security-events: write").says("`code-scanning: off`");
        nothing_is_visible(&source, &ended);
        push(&source, &repository, "dev").ends_with(0);
    }
    // What is blocked is blocked, shown or not.
    let source = faulty();
    let repository = repository(&source, Options::default().permissions(&["checks: write"]));
    push(&source, &repository, "prod").ends_with(3).says("warning: The findings are not in the Security tab");
}

#[test]
fn where_code_scanning_is_required_every_failure_fails_in_any_environment() {
    let required = |source: &Source, repository: &Repository, environment: &str| {
        push(source, repository, environment).flag("--code-scanning", "required")
    };
    for environment in ["dev", "prod"] {
        for options in WITHOUT.map(|without| Options::default().code_scanning(without)) {
            let source = clean();
            let repository = repository(&source, options);
            let ended = required(&source, &repository, environment).ends_with(1);
            ended.says("switch code scanning on");
            nothing_is_visible(&source, &ended);
        }
        let source = clean();
        let repository = repository(&source, Options::default());
        let ended = required(&source, &repository, environment).variable("INPUT_GITHUB-TOKEN", "").ends_with(1);
        ended.says("The findings can't be shown in the Security tab").says("gives no github-token");
        required(&source, &repository, environment).ends_with(0);
        assert_eq!(tools(&repository), ["Trivy", "gitleaks"], "{environment}");
    }
    let source = clean();
    let ended = source.deliver().flag("--environment", "dev").flag("--code-scanning", "required").ends_with(1);
    ended.says("this is not a job of GitHub Actions");
    nothing_is_visible(&source, &ended);
}

#[test]
fn where_code_scanning_is_off_nothing_is_uploaded_and_the_report_says_so() {
    let source = clean();
    let repository = repository(&source, Options::default());
    push(&source, &repository, "prod").flag("--code-scanning", "off").ends_with(0).says("code-scanning is off");
    assert_eq!((repository.count(Call::UploadSarif), source.image().tags().len()), (0, 2));
    push(&source, &repository, "prod").flag("--code-scanning", "on").ends_with(2).says("auto, required or off is expected");
}

#[test]
fn a_token_that_is_none_fails_and_one_that_is_not_given_is_said() {
    let source = clean();
    let repository = repository(&source, Options::default());
    let ended = push(&source, &repository, "test").variable("INPUT_GITHUB-TOKEN", "ghs_wrong").ends_with(1);
    ended.says("Bad credentials").says("github-token");
    push(&source, &repository, "test").variable("INPUT_GITHUB-TOKEN", "").ends_with(0).says("gives no github-token");
}

#[test]
fn an_enterprise_server_is_spoken_to_at_its_own_address() {
    let source = clean();
    let repository = repository(&source, Options::default());
    in_job(&source, repository.enterprise()).flag("--environment", "test").ends_with(0);
    assert_eq!(tools(&repository), ["Trivy", "gitleaks"]);
    assert_eq!(repository.check_runs().len(), 1);
}

#[test]
fn the_token_is_masked_and_is_nowhere_else() {
    let source = clean();
    let repository = repository(&source, Options::default());
    let ended = push(&source, &repository, "test").variable("GP_DELIVER_LOG", "trace").ends_with(0);
    assert!(ended.stdout.starts_with(&format!("::add-mask::{}\n", repository.token())), "{ended}");
    assert!(!ended.stderr.contains(&repository.token()));
    for file in ["record.json", "summary.md", "outputs"] {
        assert!(!std::fs::read_to_string(source.beside("report").join(file)).unwrap().contains(&repository.token()), "{file}");
    }
}
