//! A check run shows the report beside the commit, and findings on the lines that they come from.

use std::collections::BTreeSet;

use doubles::github::{Call, Fault, Moment, Options, Times};

use crate::support::job::{clean, commit, faulty, push, repository};
use crate::support::{Source, secret};

/// A source with more leaks than a request may have annotations.
fn many_leaks(number: usize) -> Source {
    let source = clean();
    let secret = secret();
    let lines = (0..number).fold(String::new(), |lines, n| lines + &format!("TOKEN_{n}={secret}\n"));
    source.write("deploy/staging.env", &lines);
    source.commit("leaks");
    source
}

#[test]
fn what_counts_is_on_its_line_and_the_report_is_the_summary() {
    let source = faulty();
    let repository = repository(&source, Options::default());
    push(&source, &repository, "test").ends_with(3);
    let [check] = &*repository.check_runs() else { panic!("{:?}", repository.check_runs()) };
    assert_eq!((check.commit.as_str(), check.status.as_str()), (commit(&source).as_str(), "completed"));
    assert_eq!(check.conclusion.as_deref(), Some("failure"));
    assert!(check.title.as_ref().unwrap().starts_with("Blocked for test: 1 leaked secret and 1 vulnerability"), "{check:?}");
    assert!(check.summary.as_ref().unwrap().contains("### What to do"), "{check:?}");
    let places: BTreeSet<_> =
        check.annotations.iter().map(|a| (a["path"].as_str().unwrap(), a["start_line"].as_u64().unwrap())).collect();
    assert_eq!(places, BTreeSet::from([("Dockerfile", 3), ("deploy/staging.env", 1)]));
    assert!(check.annotations.iter().all(|annotation| annotation["annotation_level"] == "failure"));
}

#[test]
fn the_conclusion_follows_the_gate() {
    for (source, environment, code, conclusion) in
        [(clean(), "prod", 0, "success"), (faulty(), "dev", 0, "neutral"), (faulty(), "prod", 3, "failure")]
    {
        let repository = repository(&source, Options::default());
        push(&source, &repository, environment).ends_with(code);
        assert_eq!(repository.check_runs()[0].conclusion.as_deref(), Some(conclusion), "{environment}");
    }
}

#[test]
fn many_annotations_go_in_batches_and_each_is_there_once() {
    let source = many_leaks(120);
    let repository = repository(&source, Options::default());
    push(&source, &repository, "dev").ends_with(0);
    let check = &repository.check_runs()[0];
    let lines: BTreeSet<_> = check.annotations.iter().map(|annotation| annotation["start_line"].as_u64().unwrap()).collect();
    assert_eq!((check.annotations.len(), lines.len()), (120, 120));
    assert_eq!((repository.count(Call::CreateCheckRun), repository.count(Call::UpdateCheckRun)), (1, 2));
}

#[test]
fn an_answer_that_is_lost_shows_nothing_twice() {
    for (call, fault) in [
        (Call::CreateCheckRun, Fault::Silence),
        (Call::CreateCheckRun, Fault::Cut),
        (Call::CreateCheckRun, Fault::Status(502)),
        (Call::UpdateCheckRun, Fault::Silence),
        (Call::UpdateCheckRun, Fault::Cut),
        (Call::UpdateCheckRun, Fault::Haste { status: 403, retry_after: Some(1) }),
        (Call::ListCheckRuns, Fault::Refused),
    ] {
        let source = many_leaks(70);
        let repository = repository(&source, Options::default());
        repository.fail(call, Times::First(1), fault);
        push(&source, &repository, "dev").ends_with(0);
        let checks = repository.check_runs();
        assert_eq!((checks.len(), checks[0].annotations.len()), (1, 70), "{call:?} {fault:?}");
        assert_eq!(checks[0].status, "completed", "{call:?} {fault:?}");
    }
}

#[test]
fn a_job_that_runs_again_on_the_same_commit_adds_nothing() {
    let source = clean();
    let repository = repository(&source, Options::default());
    push(&source, &repository, "test").ends_with(0);
    push(&source, &repository, "test").ends_with(0);
    assert_eq!((repository.check_runs().len(), repository.count(Call::CreateCheckRun)), (1, 1));
}

#[test]
fn where_the_token_may_not_write_checks_the_runner_shows_the_first_of_them() {
    let source = faulty();
    let repository = repository(&source, Options::default().permissions(&["security-events: write"]));
    let ended = push(&source, &repository, "test").ends_with(3);
    ended.does_not_say("check run");
    let commands: Vec<_> = ended.stdout.lines().filter(|line| line.starts_with("::error file=")).collect();
    assert_eq!(commands.len(), 2, "{ended}");
    assert!(
        commands.iter().any(|line| line.starts_with("::error file=Dockerfile,line=3,endLine=3,title=PyYAML 5.3%3A 1 vuln")),
        "{ended}"
    );
}

#[test]
fn a_github_that_is_down_changes_nothing_of_the_delivery() {
    let source = clean();
    let repository = repository(&source, Options::default());
    repository.fail(Call::ListCheckRuns, Times::Always, Fault::Status(500));
    push(&source, &repository, "dev").ends_with(0).says("warning: The check run could not be shown");
    assert_eq!(source.image().tags().len(), 2);
}

#[test]
fn a_signal_while_it_is_shown_ends_the_wait_and_not_the_delivery() {
    let source = clean();
    let repository = repository(&source, Options::default());
    let held = repository.hold(Call::ListCheckRuns, 1, Moment::Before);
    let running = push(&source, &repository, "dev").spawn();
    held.arrived();
    let id = rustix::process::Pid::from_child(&running);
    rustix::process::kill_process(id, rustix::process::Signal::INT).unwrap();
    held.gone();
    let output = running.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(source.record()["result"], "delivered");
}
