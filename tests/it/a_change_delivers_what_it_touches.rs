//! `plan --matrix` leaves out the images that a change does not touch: as against the branch that it is for, or against the commit that
//! somebody whose word counts has cleared. What is not known for certain is delivered, and no change takes its own delivery away.

use std::collections::BTreeSet;
use std::path::PathBuf;

use doubles::aws::World;
use serde_json::{Value, json};

use crate::support::{Delivery, Ended, Source, part};

const DECLARATION: &str = ".gp-deliver/matrix.yaml";
const SAID: &str = "inputs:\n  services/api: [libs/common]\nunrelated: [docs, '*.md']\n";
const WORKFLOW: &str = "octo-org/gp-deliver/.github/workflows/_build-and-release.yml@refs/tags/v1";

/// A repository with two images, and what they share.
fn repository() -> Source {
    let dockerfile = "FROM scratch\nCOPY . /app/\n";
    Source::in_git(&[
        ("services/api/Dockerfile", dockerfile),
        ("services/api/main", "1\n"),
        ("services/web/Dockerfile", dockerfile),
        ("services/web/main", "1\n"),
        ("libs/common/shared", "1\n"),
        ("docs/guide", "1\n"),
        ("README.md", "1\n"),
        (DECLARATION, SAID),
    ])
}

fn head(source: &Source) -> String {
    source.git(&["rev-parse", "HEAD"])
}

/// A plan by the run of an event.
fn plan(source: &Source, event: &str, payload: &Value) -> Delivery {
    let file = source.beside("event.json");
    std::fs::write(&file, payload.to_string()).unwrap();
    let run = source.run("plan").without("--build-context").without("--destination").flag("--matrix", "services/*");
    let run = run.in_folder(&source.context()).flag("--environment", "prod").variable("GITHUB_ACTIONS", "true");
    let run = run.variable("GITHUB_EVENT_NAME", event).variable("GITHUB_REF", "refs/heads/main");
    let run = run.variable("GITHUB_SHA", &head(source)).variable("GITHUB_EVENT_PATH", &file.to_string_lossy());
    let run = run.variable("GITHUB_STEP_SUMMARY", &source.beside("summary").to_string_lossy());
    run.variable("GITHUB_OUTPUT", &source.beside("outputs").to_string_lossy()).variable("GITHUB_REPOSITORY", "octo-org/octo-repo")
}

/// A plan for a pull request to a branch whose tip is `base`.
fn proposed(source: &Source, base: &str) -> Ended {
    let side = |sha: &str| json!({ "ref": "main", "sha": sha, "repo": { "id": 1 } });
    let payload = json!({ "pull_request": { "number": 1, "head": side(&head(source)), "base": side(base) } });
    plan(source, "pull_request", &payload).variable("GITHUB_REF", "refs/pull/1/merge").ends_with(0)
}

/// The images that are delivered.
fn delivered(ended: &Ended) -> BTreeSet<String> {
    let matrix: Value = serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("{ended}"));
    matrix["include"].as_array().unwrap().iter().map(|job| job["name"].as_str().unwrap().to_owned()).collect()
}

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

#[test]
fn a_proposal_is_planned_for_the_images_that_it_touches() {
    let source = repository();
    for (path, touched) in [
        ("services/api/main", &["api"][..]),
        ("services/web/new", &["web"]),
        ("libs/common/shared", &["api"]),
        ("docs/guide", &[]),
        ("README.md", &[]),
        ("libs/other/file", &["api", "web"]),
        ("Makefile", &["api", "web"]),
        (".trivyignore", &["api", "web"]),
        (".github/workflows/delivery.yml", &["api", "web"]),
    ] {
        let base = head(&source);
        source.write(path, &format!("changed after {base}\n"));
        source.commit("change");
        let ended = proposed(&source, &base);
        assert_eq!(delivered(&ended), names(touched), "{path}: {ended}");
        for name in ["api", "web"].into_iter().filter(|name| !touched.contains(name)) {
            ended.says(&format!("services/{name}: not touched: nothing of it has changed since {}", &base[..7]));
        }
        for name in touched {
            ended.says(&format!("services/{name}: to deliver: {path} has changed since {}", &base[..7]));
        }
    }
    // The run's page says it, and the next job has it.
    let summary = std::fs::read_to_string(source.beside("summary")).unwrap();
    assert!(summary.contains("## Images of this run") && summary.contains("not touched was not judged in this run"), "{summary}");
    let outputs = std::fs::read_to_string(source.beside("outputs")).unwrap();
    assert!(outputs.contains("{\"include\":[]}") && outputs.contains("services/api"), "{outputs}");
}

#[test]
fn no_change_takes_its_own_delivery_away() {
    let source = repository();
    let all = names(&["api", "web"]);
    // It says of what it changes that it belongs to no image, or no longer to this one.
    for said in [
        "inputs:\n  services/api: [libs/common]\nunrelated: [docs, '*.md', 'libs/**', 'services/**', '**']\n",
        "unrelated: [libs]\n",
        "",
    ] {
        source.git(&["reset", "--quiet", "--hard", "HEAD"]);
        let base = head(&source);
        source.write(DECLARATION, said);
        source.write("libs/common/shared", &format!("worse than {base}\n"));
        source.commit("nothing to see here");
        assert_eq!(delivered(&proposed(&source, &base)), all, "{said}");
    }
    source.git(&["rm", "--quiet", DECLARATION]);
    let base = head(&source);
    source.commit("said no more");
    assert_eq!(delivered(&proposed(&source, &base)), all);
    // A file that moves from one image to another touches both; one that goes, too.
    source.write(DECLARATION, SAID);
    let base = source.commit("said");
    source.git(&["mv", "services/api/main", "services/web/moved"]);
    source.commit("moved");
    assert_eq!(delivered(&proposed(&source, &base)), all);
    let base = head(&source);
    source.git(&["rm", "--quiet", "services/web/moved"]);
    source.commit("gone");
    assert_eq!(delivered(&proposed(&source, &base)), names(&["web"]));
    // An image that is taken away, or reached by a link from now on, takes nothing else with it.
    let base = head(&source);
    source.git(&["mv", "services/api/Dockerfile", "libs/common/Dockerfile"]);
    std::os::unix::fs::symlink("../../libs/common/Dockerfile", source.context().join("services/api/Dockerfile")).unwrap();
    let linked = source.commit("a link");
    assert!(delivered(&proposed(&source, &base)).contains("api"));
    source.write("docs/guide", "2\n");
    source.commit("docs");
    let ended = proposed(&source, &linked);
    assert_eq!(delivered(&ended), names(&["api"]), "what is reached by a link is always delivered: {ended}");
    ended.says("services/api/Dockerfile is a link");
    // What says nothing that makes sense ends the plan.
    source.write(DECLARATION, "unrelated: [docs]\nunrelated: [services]\n");
    source.commit("twice");
    let ended = plan(&source, "pull_request", &json!({})).output();
    assert_eq!(ended.code, Some(2), "{ended}");
    ended.says(DECLARATION).says("unrelated");
}

#[test]
fn what_can_not_be_compared_for_certain_is_delivered_and_it_is_said() {
    let source = repository();
    let all = names(&["api", "web"]);
    let first = head(&source);
    source.write("docs/guide", "2\n");
    let second = source.commit("docs");
    assert_eq!(delivered(&proposed(&source, &first)), BTreeSet::new());
    for (base, says) in [
        ("0123456789012345678901234567890123456789", "the clone does not have it (fetch-depth: 0)"),
        ("main", "the event does not say what the change is for"),
        ("", "the event does not say what the change is for"),
    ] {
        let ended = proposed(&source, base);
        assert_eq!(delivered(&ended), all, "{base}");
        ended.says(says);
    }
    // The branch was moved to another line: what it is compared with is not what came before.
    source.git(&["checkout", "--quiet", "-b", "other", &first]);
    source.write("services/web/main", "other\n");
    let other = source.commit("other");
    source.git(&["checkout", "--quiet", "main"]);
    let ended = proposed(&source, &other);
    assert_eq!(delivered(&ended), all);
    ended.says("this commit did not come after it");
    // Of these events none is about what changed.
    for (event, reference, says) in [
        ("pull_request_target", "refs/heads/main", "is not about a change"),
        ("workflow_dispatch", "refs/heads/main", "is not about a change"),
        ("schedule", "refs/heads/main", "is not about a change"),
        ("push", "refs/tags/v1.2.3", "a tag is given to every image"),
        ("push", "refs/heads/main", "matrix-cleared does not say where its image is"),
    ] {
        let ended = plan(&source, event, &json!({ "before": first })).variable("GITHUB_REF", reference).ends_with(0);
        assert_eq!(delivered(&ended), all, "{event}");
        ended.says(says);
    }
    // The checkout is another one, or not as its commit.
    let payload = json!({ "pull_request": { "number": 1, "head": { "ref": "x", "sha": second, "repo": { "id": 1 } },
        "base": { "ref": "main", "sha": first, "repo": { "id": 1 } } } });
    let ended = plan(&source, "pull_request", &payload).variable("GITHUB_SHA", &first).ends_with(0);
    assert_eq!(delivered(&ended), all);
    ended.says("the commit that is checked out is not the run's");
    source.write("services/web/main", "not in the commit\n");
    let ended = proposed(&source, &first);
    assert_eq!(delivered(&ended), all);
    ended.says("the checkout is not as its commit");
}

/// A delivery of an image of the repository to a registry, signed for its environment.
fn deliver(source: &Source, name: &str, environment: &str) -> Delivery {
    let commit = head(source);
    let job = World::options().issued_by(&PathBuf::from(part("SIGSTORE"))).environment(environment);
    let job = job.claim("job_workflow_ref", WORKFLOW).claim("sha", commit.clone()).claim("workflow_sha", commit.clone());
    let service = Box::leak(Box::new(job.token_service()));
    let context = source.context().join("services").join(name);
    let delivery = source.deliver().flag("--build-context", &context.to_string_lossy());
    let delivery = service.variables().into_iter().fold(delivery, |delivery, (name, value)| delivery.variable(&name, &value));
    let delivery = delivery.variable("GITHUB_SHA", &commit).flag("--destination", &image(source, name));
    let delivery = delivery.flag("--environment", environment).flag("--code-scanning", "off").flag("--tags", "{env}");
    delivery
        .flag("--sigstore-signing-config", &document("signing_config.json"))
        .flag("--sigstore-trusted-root", &document("trusted_root.json"))
}

fn document(name: &str) -> String {
    format!("{}/{name}", part("SIGSTORE"))
}

/// The repository of an image: one registry is for all tests.
fn image(source: &Source, name: &str) -> String {
    let own = source.context().parent().unwrap().file_name().unwrap().to_string_lossy().to_lowercase().replace(['.', '_'], "-");
    format!("{}/{own}/{name}", part("REFERRERS_REGISTRY"))
}

/// A plan for a push to main.
fn pushed(source: &Source) -> Delivery {
    let run = plan(source, "push", &json!({ "before": "0123456789012345678901234567890123456789" }));
    let run = run.flag("--matrix-cleared", &format!("{}:prod", image(source, "{name}")));
    let run = run.flag("--identity", &format!("https://github.com/{WORKFLOW}"));
    run.flag("--sigstore-trusted-root", &document("trusted_root.json")).flag("--issuer", &part("ISSUER"))
}

#[test]
fn a_push_is_planned_against_what_was_cleared_and_not_against_what_was_pushed_before() {
    let source = repository();
    let all = names(&["api", "web"]);
    let ended = pushed(&source).ends_with(0);
    assert_eq!(delivered(&ended), all, "nothing was delivered yet");
    ended.says("can't be looked at");
    for name in ["api", "web"] {
        deliver(&source, name, "prod").ends_with(0);
    }
    let ended = pushed(&source).ends_with(0);
    assert_eq!(delivered(&ended), BTreeSet::new(), "{ended}");
    ended.says("nothing of it has changed since").says("cleared for prod as");
    // A push whose delivery failed: the next push has it still.
    source.write("services/api/main", "2\n");
    source.commit("never delivered");
    source.write("services/web/main", "2\n");
    source.commit("another image");
    assert_eq!(delivered(&pushed(&source).ends_with(0)), all);
    deliver(&source, "web", "prod").ends_with(0);
    assert_eq!(delivered(&pushed(&source).ends_with(0)), names(&["api"]));
    // Whose word does not count has cleared nothing; nor has another repository's run of the same workflow, nor another
    // environment's delivery.
    for (flag, value) in [("--identity", "https://github.com/another/workflow@refs/heads/main"), ("--identity", "")] {
        assert_eq!(delivered(&pushed(&source).flag(flag, value).ends_with(0)), all, "{value}");
    }
    let ended = pushed(&source).variable("GITHUB_REPOSITORY", "another/repository").ends_with(0);
    assert_eq!(delivered(&ended), all);
    assert_eq!(delivered(&pushed(&source).flag("--environment", "staging").ends_with(0)), all);
    // An image that is another's is no image of this folder.
    let ended = pushed(&source).flag("--matrix-cleared", &format!("{}:prod", image(&source, "web"))).ends_with(0);
    assert_eq!(delivered(&ended), names(&["api"]));
    ended.says("is the image of");
    // What this commit did not come after is not what it is compared with.
    let cleared = head(&source);
    source.git(&["checkout", "--quiet", "--detach", &format!("{cleared}~1")]);
    let ended = pushed(&source).ends_with(0);
    assert_eq!(delivered(&ended), all);
    ended.says("this commit did not come after it");
}
