//! What each environment demands, and how one is chosen.

use serde_json::Value;

use crate::support::{Delivery, Source};

fn source() -> Source {
    Source::in_git(&[("Dockerfile", "FROM scratch\nCOPY . /\n")])
}

fn plan(delivery: &Delivery) -> Value {
    serde_json::from_str(&delivery.ends_with(0).stdout).unwrap()
}

fn in_actions(source: &Source, reference: &str) -> Delivery {
    source.run("plan").variable("GITHUB_ACTIONS", "true").variable("GITHUB_REF", reference).variable("GITHUB_EVENT_NAME", "push")
}

#[test]
fn every_row_of_the_table_is_what_plan_shows() {
    for (environment, gate, sarif) in [
        ("local", "advisory", false),
        ("dev", "advisory", false),
        ("test", "blocking", true),
        ("staging", "blocking", true),
        ("prod", "blocking", true),
    ] {
        let plan = plan(&source().run("plan").flag("--environment", environment));
        assert_eq!(plan["environment"], environment);
        assert_eq!((&plan["gates"]["secrets"], &plan["gates"]["vulnerabilities"]), (&gate.into(), &gate.into()), "{environment}");
        assert_eq!(plan["gates"]["sarif_upload"], sarif, "{environment}");
    }
}

#[test]
fn auto_is_local_on_a_laptop_also_when_it_is_empty() {
    for value in ["auto", ""] {
        assert_eq!(plan(&source().run("plan").flag("--environment", value))["environment"], "local");
    }
}

#[test]
fn auto_follows_the_ref_in_actions() {
    for (reference, environment) in [("refs/heads/development", "dev"), ("refs/heads/main", "prod"), ("refs/tags/v1.2.3", "prod")]
    {
        assert_eq!(plan(&in_actions(&source(), reference))["environment"], environment, "{reference}");
    }
}

#[test]
fn a_ref_that_maps_to_no_environment_is_an_error_that_names_it() {
    for reference in ["refs/heads/feature/x", "refs/heads/Main", "refs/tags/1.2.3", "refs/pull/1/merge", ""] {
        let ended = in_actions(&source(), reference).ends_with(2);
        ended.says(if reference.is_empty() { "unknown ref" } else { reference }).says("name an environment");
    }
}

#[test]
fn an_unknown_environment_is_an_error_and_never_a_weaker_gate() {
    for name in ["production", "PROD", "qa"] {
        source().run("plan").flag("--environment", name).ends_with(2).says("environment").says(name);
    }
}

#[test]
fn all_wrong_inputs_are_named_at_once() {
    let source = source();
    let delivery = source.run("plan").flag("--environment", "qa").flag("--platforms", "Linux").flag("--tags", "{nope}");
    let delivery =
        delivery.flag("--severity-threshold", "AWFUL").flag("--publish", "maybe").flag("--destination", "https://r.example/x");
    let ended = delivery.flag("--build-secrets", "id=a").flag("--version", "one").flag("--compression", "lzma").ends_with(2);
    for input in [
        "environment",
        "platforms",
        "tags",
        "severity-threshold",
        "publish",
        "destination",
        "build-secrets",
        "version",
        "compression",
    ] {
        ended.says(input);
    }
    for value in ["qa", "Linux", "{nope}", "AWFUL", "maybe", "id=a", "lzma"] {
        ended.says(value);
    }
}

#[test]
fn a_tag_that_no_registry_takes_is_an_error_before_the_build() {
    source().deliver().flag("--tags", "-{sha}").ends_with(2).says("tags").does_not_say("#1 ");
}

#[test]
fn planning_writes_nothing() {
    let source = source();
    plan(&source.run("plan"));
    assert!(!source.beside("report").exists() && !source.beside("image").exists());
}

#[test]
fn every_template_that_is_wrong_is_named_at_once() {
    let ended = source().run("plan").flag("--tags", "a b,{sha},{x}").flag("--platforms", "linux,Linux/x").ends_with(2);
    ended.says("tags: \"a b\"").says("tags: \"{x}\"").says("platforms: \"linux\"").says("platforms: \"Linux/x\"");
}

#[test]
fn only_what_builds_asks_for_a_dockerfile() {
    let source = Source::in_git(&[("README.md", "No image here.\n")]);
    let asked = |command: &str| {
        let run = source.run(command).variable("GITHUB_REPOSITORY", "acme/app").flag("--environment", "prod");
        let run = run.flag("--ecr-repository", "team/app").flag("--aws-region", "eu-central-1").without("--destination");
        run.flag("--role-to-assume", "arn:aws:iam::012345678901:role/deliver")
    };
    let policies = asked("policy").ends_with(0).stdout;
    assert!(policies.contains("sts:AssumeRoleWithWebIdentity"), "{policies}");
    let examined = source.run("doctor").ends_with(0).stdout;
    assert!(examined.contains("no ecr-repository is given"), "{examined}");
    asked("plan").ends_with(2).says("dockerfile-path");
}
