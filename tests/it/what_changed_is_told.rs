//! What changed since the image of before is told, by what this workflow itself has signed about that image, and holds nothing
//! back.

use std::fs;

use doubles::aws::World;
use doubles::registry::{Options, Registry};
use serde_json::{Value, json};

use crate::support::{Delivery, Source, keyless};
use crate::what_is_delivered_is_signed::Scene;

const OTHER: &str = "octo-org/octo-repo/.github/workflows/other.yml@refs/heads/mine";
const OURS: &str = "https://github.com/octo-org/gp-deliver/.github/workflows/_build-and-release.yml@refs/tags/v1";

/// A package with a critical advisory in `fixtures/advisories`.
const CRITICAL: &str = "Metadata-Version: 2.1\nName: PyYAML\nVersion: 5.3\n";

fn write_package(source: &Source, name: &str, version: &str) {
    let metadata = format!("Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n");
    source.write(&format!("{name}.dist-info/METADATA"), &metadata);
}

/// A delivery to dev that is signed and has a moving tag.
fn deliver(scene: &Scene) -> Delivery {
    scene.deliver("dev").flag("--sign", "keyless").flag("--tags", "{sha},{env}-latest")
}

fn since(scene: &Scene) -> Value {
    scene.source.record()["since"].clone()
}

#[test]
fn packages_findings_and_layers_are_compared_with_what_the_moving_tag_named_before() {
    let scene = Scene::set();
    deliver(&scene).ends_with(0);
    assert_eq!(since(&scene), Value::Null, "there was no image before");
    let first = scene.digest("dev-latest");

    fs::remove_dir_all(scene.source.context().join("six-1.16.0.dist-info")).unwrap();
    write_package(&scene.source, "six", "1.17.0");
    write_package(&scene.source, "attrs", "1.0");
    scene.source.write("PyYAML-5.3.dist-info/METADATA", CRITICAL);
    scene.source.commit("more");
    deliver(&scene).ends_with(0);
    let told = since(&scene);
    assert_eq!(told["image"]["tag"], "dev-latest");
    assert_eq!(told["image"]["digest"], first);
    assert_eq!(told["image"]["by"], json!([OURS]));
    let [platform] = &told["platforms"].as_array().unwrap()[..] else { panic!("{told}") };
    let packages = &platform["packages"];
    let names = |list: &Value| list.as_array().unwrap().iter().map(|one| one["name"].clone()).collect::<Vec<_>>();
    assert_eq!(names(&packages["added"]), ["pypi/attrs", "pypi/pyyaml"], "{packages}");
    assert_eq!(packages["changed"], json!([{ "name": "pypi/six", "from": ["1.16.0"], "to": ["1.17.0"] }]));
    assert_eq!(packages["removed"], json!([]));
    assert_eq!(platform["findings"]["new"][0]["id"], "CVE-2020-14343", "{platform}");
    assert_eq!(platform["findings"]["gone"], json!([]));
    let layers = &platform["layers"];
    assert_eq!((layers["added"].as_array().unwrap().len(), &layers["common"]), (1, &json!(0)), "{layers}");
    assert!(told["sources"].is_object() && told["unknown"] == json!([]), "{told}");
    let summary = scene.source.summary();
    for words in
        ["Changed since <code>dev-latest</code>", "2 packages added, 0 removed, 1 in another version", "1 finding new, 0 gone"]
    {
        assert!(summary.contains(words), "{words}: {summary}");
    }

    // Once it is let through it is not gone.
    scene.source.write(".trivyignore", "CVE-2020-14343\n");
    scene.source.commit("ignored");
    deliver(&scene).flag("--suppressions", "head").ends_with(0);
    assert_eq!(since(&scene)["platforms"][0]["findings"], json!({ "new": [], "gone": [] }));
    fs::remove_dir_all(scene.source.context().join("PyYAML-5.3.dist-info")).unwrap();
    fs::remove_file(scene.source.context().join(".trivyignore")).unwrap();
    scene.source.commit("without");
    deliver(&scene).ends_with(0);
    assert_eq!(names(&since(&scene)["platforms"][0]["packages"]["removed"]), ["pypi/pyyaml"]);
}

#[test]
fn a_list_that_somebody_else_has_signed_says_nothing_here() {
    let scene = Scene::set().claim("job_workflow_ref", OTHER);
    deliver(&scene).ends_with(0);
    let scene = scene.without_claims();
    write_package(&scene.source, "attrs", "1.0");
    scene.source.commit("more");
    deliver(&scene).ends_with(0);
    let told = since(&scene);
    let platform = &told["platforms"][0];
    assert_eq!((&platform["packages"], &platform["findings"], &told["sources"]), (&Value::Null, &Value::Null, &Value::Null));
    assert_eq!(told["image"]["by"], json!([]));
    // What its manifest says is what the tag names.
    assert_eq!(platform["layers"]["added"].as_array().unwrap().len(), 1);
    assert!(scene.source.summary().contains("that this workflow has signed or made"), "{}", scene.source.summary());
    assert!(!scene.source.summary().contains("packages added"));
}

#[test]
fn without_a_moving_tag_it_is_the_image_of_the_last_commit_that_was_delivered_there() {
    let scene = Scene::set();
    let deliver = || scene.deliver("dev").flag("--sign", "keyless");
    deliver().ends_with(0);
    for text in ["1", "2"] {
        scene.source.write("file", text);
        scene.source.commit(text);
    }
    deliver().ends_with(0);
    let told = since(&scene);
    assert_eq!(told["image"]["tag"], format!("dev-{}", scene.sha), "{told}");
    assert_eq!(told["image"]["digest"], scene.digest(&scene.sha));
}

/// A run for a pull request, which publishes nothing.
fn propose(delivery: Delivery, source: &Source, fork: bool) -> Delivery {
    let head = if fork { 2 } else { 1 };
    let payload = json!({ "pull_request": {
        "number": 1,
        "head": { "ref": "feature", "sha": source.git(&["rev-parse", "HEAD"]), "repo": { "id": head } },
        "base": { "ref": "main", "sha": source.git(&["rev-parse", "HEAD^"]), "repo": { "id": 1 } },
    }});
    let path = source.beside("event.json");
    fs::write(&path, payload.to_string()).unwrap();
    delivery
        .variable("GITHUB_ACTIONS", "true")
        .variable("GITHUB_EVENT_NAME", "pull_request")
        .variable("GITHUB_REF", "refs/pull/1/merge")
        .variable("GITHUB_EVENT_PATH", path.to_str().unwrap())
}

#[test]
fn a_pull_request_is_compared_with_the_image_of_the_environment_that_it_is_for() {
    let scene = Scene::set();
    deliver(&scene).ends_with(0);
    write_package(&scene.source, "attrs", "1.0");
    scene.source.commit("more");
    propose(deliver(&scene), &scene.source, false).ends_with(0).says("never published");
    let told = since(&scene);
    assert_eq!(told["platforms"][0]["packages"]["added"][0]["name"], "pypi/attrs", "{told}");
    assert_eq!(told["image"]["tag"], "dev-latest");
    // Nobody says which workflow a fork's job is of: the layers alone are compared.
    let of_fork = propose(deliver(&scene), &scene.source, true).variable("ACTIONS_ID_TOKEN_REQUEST_URL", "");
    of_fork.variable("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "").ends_with(0);
    let told = since(&scene);
    assert_eq!((&told["platforms"][0]["packages"], &told["image"]["by"]), (&Value::Null, &json!([])), "{told}");
    assert!(scene.source.summary().contains("nobody's word"), "{}", scene.source.summary());
}

#[test]
fn a_pull_request_asks_amazon_ecr_where_its_run_has_an_identity_there() {
    let (world, source) = (World::options().start(), keyless::source());
    keyless::deliver(&world, &source).ends_with(0);
    source.write("file", "2\n");
    source.commit("more");
    let change = |fork| propose(keyless::deliver(&world, &source), &source, fork);
    let propose = || change(false);
    let (tags, told) = (world.tags(), || source.record()["since"].clone());
    propose().ends_with(0).says("never published");
    assert_eq!((&told()["image"]["tag"], &told()["image"]["digest"]), (&json!("latest"), &json!(tags["latest"])), "{}", told());
    assert_eq!(told()["platforms"][0]["layers"]["added"].as_array().unwrap().len(), 1, "{}", told());
    assert_eq!(world.tags(), tags);
    // Without a token nobody is known there, and nobody is asked.
    let before = world.calls().len();
    let without = propose().variable("ACTIONS_ID_TOKEN_REQUEST_URL", "").variable("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "");
    without.ends_with(0);
    assert_eq!((&told()["image"], world.calls().len()), (&Value::Null, before), "{}", told());
    let unknown = told()["unknown"].to_string();
    assert!(unknown.contains("has no identity at AWS") && unknown.contains("id-token: write"), "{unknown}");
    // Nor is anybody where a stranger has caused the run, whatever it has been granted.
    change(true).ends_with(0);
    assert_eq!((&told()["image"], world.calls().len()), (&Value::Null, before), "{}", told());
    assert!(told()["unknown"].to_string().contains("a stranger may cause"), "{}", told());
    // Who may not read is told so, and the change is judged all the same.
    world.set_role_policy(&json!({ "Version": "2012-10-17", "Statement": [] }));
    propose().ends_with(0);
    assert!(told()["unknown"].to_string().contains("ecr:GetAuthorizationToken"), "{}", told());
}

#[test]
fn where_the_image_of_before_can_not_be_read_that_is_a_line_and_ends_nothing() {
    let scene = Scene::set();
    scene.source.write("file", "1");
    scene.source.commit("more");
    let registry = Registry::start(Options::default());
    let address = registry.address.clone();
    drop(registry);
    let run = propose(deliver(&scene), &scene.source, false).flag("--destination", &format!("{address}/team/app"));
    run.ends_with(0);
    assert_eq!(since(&scene)["image"], Value::Null);
    assert!(scene.source.summary().contains("What changed since the image of before is not known"), "{}", scene.source.summary());
}
