//! What a run is for follows from its event: where it goes, and whether anything is published. What a stranger may cause
//! publishes nothing.

use std::collections::BTreeSet;
use std::path::Path;

use doubles::github::{Call, GitHub, Options};
use serde_json::Value;

use crate::support::job::{clean, commit, faulty, in_job};
use crate::support::{self, Delivery, Source};

const MAIN: &str = "refs/heads/main";
const QUEUE: &str = "refs/heads/gh-readonly-queue/main/pr-7-6113728f27ae82c7b1a177c8d03f9e96e0adf246";
const PULL: &str = "refs/pull/7/merge";
const FORK: &str = "refs/pull/12/merge";

fn payload(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("fixtures/events/{name}.json")).display().to_string()
}

fn happens(delivery: Delivery, event: &str, payload_name: &str, reference: &str) -> Delivery {
    let delivery = delivery.variable("GITHUB_EVENT_NAME", event).variable("GITHUB_REF", reference);
    delivery.variable("GITHUB_EVENT_PATH", &payload(payload_name))
}

#[test]
fn the_environment_is_the_branchs_and_only_who_may_write_publishes() {
    let source = clean();
    for (event, payload, reference, environment, publish) in [
        ("push", "push-development", "refs/heads/development", "dev", true),
        ("push", "push-main", MAIN, "prod", true),
        ("push", "push-tag", "refs/tags/v1.2.3", "prod", true),
        ("release", "release", "refs/tags/v1.2.3", "prod", true),
        ("workflow_dispatch", "workflow-dispatch", MAIN, "prod", true),
        ("schedule", "schedule", MAIN, "prod", true),
        ("pull_request", "pull-request", PULL, "prod", false),
        ("pull_request", "pull-request-fork", FORK, "prod", false),
        ("pull_request_target", "pull-request-fork", MAIN, "prod", false),
        ("merge_group", "merge-group", QUEUE, "prod", false),
        ("workflow_run", "schedule", MAIN, "prod", false),
        ("issue_comment", "schedule", MAIN, "prod", false),
    ] {
        let plan = source.run("plan").variable("GITHUB_ACTIONS", "true").variable("GITHUB_SHA", &commit(&source));
        let ended = happens(plan, event, payload, reference).ends_with(0);
        let plan: Value = serde_json::from_str(&ended.stdout).unwrap();
        assert_eq!(
            (plan["environment"].as_str(), plan["publish"].as_bool()),
            (Some(environment), Some(publish)),
            "{event} {payload}"
        );
    }
}

#[test]
fn a_branch_without_an_environment_is_an_error_for_its_pushes_and_for_changes_to_it() {
    let source = clean();
    let plan = source.run("plan").variable("GITHUB_ACTIONS", "true");
    happens(plan.clone(), "push", "push-feature", "refs/heads/feature/greet-in-german")
        .ends_with(2)
        .says("feature/greet-in-german");
    let to_feature = std::fs::read_to_string(payload("pull-request")).unwrap().replace("\"ref\": \"main\"", "\"ref\": \"next\"");
    std::fs::write(source.beside("event.json"), to_feature).unwrap();
    let ended = happens(plan, "pull_request", "pull-request", PULL)
        .variable("GITHUB_EVENT_PATH", source.beside("event.json").to_str().unwrap())
        .ends_with(2);
    ended.says("a change for the branch next maps to no environment");
}

#[test]
fn a_release_tag_gives_the_version_tag_too() {
    let source = clean();
    let delivery = in_job(&source, vec![]);
    happens(delivery, "push", "push-tag", "refs/tags/v1.2.3").flag("--environment", "dev").ends_with(0);
    let sha = &commit(&source)[..7];
    // A set: where the commit's id stands among them differs from commit to commit.
    let tags: BTreeSet<_> = source.image().tags().into_keys().collect();
    assert_eq!(tags, BTreeSet::from(["1.2.3".to_owned(), sha.to_owned(), format!("dev-{sha}")]));
}

/// A pull request's job, which has inputs for AWS as the pushes have and no way to it.
fn proposal(source: &Source, github: Vec<(String, String)>, payload: &str, reference: &str) -> Delivery {
    let delivery = happens(in_job(source, github), "pull_request", payload, reference).without("--destination");
    let delivery = delivery.flag("--ecr-repository", "team/app").flag("--aws-region", "eu-central-1");
    let delivery = delivery.flag("--role-to-assume", "arn:aws:iam::012345678901:role/deliver");
    // Nothing listens there.
    delivery.variable("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
}

#[test]
fn a_pull_request_is_judged_as_its_branch_is_and_shown_at_its_own_commit() {
    let source = faulty();
    let head = "b8c4d3fd3ef3a2dd6d6f8f0ae3f0f3ed4b1a3e5b";
    let text = std::fs::read_to_string(payload("pull-request")).unwrap();
    let event: Value = serde_json::from_str(&text).unwrap();
    let text = text.replace(event["pull_request"]["head"]["sha"].as_str().unwrap(), head);
    std::fs::write(source.beside("event.json"), text).unwrap();
    let repository = GitHub::start().repository(Options::default().commit(&commit(&source)).commit(head));
    let delivery = proposal(&source, repository.environment(), "pull-request", PULL);
    let delivery = delivery.variable("GITHUB_EVENT_PATH", source.beside("event.json").to_str().unwrap());
    delivery.ends_with(3).says("BLOCKED for prod").says("Nothing was published");
    let analyses = repository.analyses();
    assert!(!analyses.is_empty() && analyses.iter().all(|analysis| analysis.reference == PULL), "{analyses:?}");
    assert_eq!(repository.check_runs()[0].commit, head);
}

#[test]
fn a_forks_pull_request_needs_no_aws_and_no_right_to_write() {
    let source = faulty();
    let repository = GitHub::start().repository(Options::default().commit(&commit(&source)).permissions(&[]));
    let ended = proposal(&source, repository.environment(), "pull-request-fork", FORK).ends_with(3);
    ended.says("BLOCKED for prod").does_not_say("warning: The findings are not in the Security tab");
    assert!(ended.stdout.lines().any(|line| line.starts_with("::error file=Dockerfile")), "{ended}");

    let clean = clean();
    let repository = GitHub::start().repository(Options::default().commit(&commit(&clean)).permissions(&[]));
    let ended = proposal(&clean, repository.environment(), "pull-request-fork", FORK).ends_with(0);
    ended.says("a pull request is never published");
    assert_eq!(clean.record()["result"], "skipped");
    assert_eq!((repository.count(Call::ListCheckRuns), repository.check_runs().len()), (1, 0), "it is tried, and refused");
}

#[test]
fn asking_for_it_does_not_publish_a_pull_request() {
    let source = clean();
    let delivery = happens(in_job(&source, vec![]), "pull_request_target", "pull-request-fork", MAIN);
    delivery.flag("--environment", "dev").flag("--publish", "true").ends_with(0).says("a pull request target is never published");
    assert!(!source.beside("image").exists());
}

#[test]
fn the_commits_of_a_pull_request_are_all_scanned() {
    let source = clean();
    let base = commit(&source);
    source.write("leak.env", &format!("TOKEN={}\n", support::secret()));
    source.commit("a leak");
    std::fs::remove_file(source.context().join("leak.env")).unwrap();
    source.commit("removed again");
    let text = std::fs::read_to_string(payload("pull-request")).unwrap();
    let event: Value = serde_json::from_str(&text).unwrap();
    let text = text.replace(event["pull_request"]["base"]["sha"].as_str().unwrap(), &base);
    std::fs::write(source.beside("event.json"), text).unwrap();
    let delivery = happens(in_job(&source, vec![]), "pull_request", "pull-request", PULL);
    let ended = delivery.variable("GITHUB_EVENT_PATH", source.beside("event.json").to_str().unwrap()).ends_with(3);
    ended.says("1 leak in the working tree and 3 commits");
}
