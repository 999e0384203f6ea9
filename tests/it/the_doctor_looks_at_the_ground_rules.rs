//! What a blocking environment's promises rest on, at GitHub and at AWS: the doctor says whether it is there, and what it
//! could not read is not said to be.

use std::process::Command;

use doubles::aws::{self, Mutability, World};
use doubles::github::{Branches, GitHub, Options, Repository};
use serde_json::json;

use crate::support::keyless::{run, source};
use crate::support::{Delivery, Ended, Source, run as tool_run, tool};

const MAIN_AND_RELEASES: [(&str, bool); 2] = [("main", false), ("v*", true)];

fn selected(patterns: &[(&str, bool)]) -> Branches {
    Branches::Selected(patterns.iter().map(|(name, tags)| ((*name).to_owned(), *tags)).collect())
}

fn github(branches: Branches) -> Repository {
    GitHub::start().repository(Options::default().permissions(&["actions: read"]).environment("prod", branches))
}

/// A world whose rules are as they have to be, for jobs of a repository.
fn world(github: &Repository) -> aws::Options {
    let world = World::options().claim("sub", format!("repo:{}:environment:prod", github.slug()));
    world.also_allow(&["ecr:DescribeRepositories"]).tags(Mutability::ImmutableWithExclusion, &["latest"])
}

/// The doctor, in a job for prod, with a file that has the role's trust policy.
fn doctor(world: &World, source: &Source, github: &Repository) -> Delivery {
    let file = source.beside("trust.json");
    if !file.exists() {
        std::fs::write(&file, world.trust_of(&world.subject()).to_string()).unwrap();
    }
    let doctor = run(world, source, "doctor").flag("--environment", "prod").flag("--trust-policy", file.to_str().unwrap());
    github.environment().into_iter().fold(doctor, |doctor, (name, value)| doctor.variable(&name, &value))
}

/// The line of a row, and those below it.
#[track_caller]
fn row(ended: &Ended, name: &str) -> String {
    let begins = |line: &&str| line.len() > 8 && !line.starts_with("   ") && line[8..].starts_with(name);
    let at = ended.stdout.lines().position(|line| begins(&line)).unwrap_or_else(|| panic!("no {name}: {ended}"));
    let lines: Vec<_> = ended.stdout.lines().skip(at).collect();
    let more = lines.iter().skip(1).take_while(|line| line.starts_with("   ") || !line.starts_with("  ")).count();
    lines[..=more].join("\n")
}

#[test]
fn where_all_rules_are_there_all_is_well() {
    let (source, github) = (source(), github(selected(&MAIN_AND_RELEASES)));
    let ended = doctor(&world(&github).start(), &source, &github).ends_with(0);
    assert!(row(&ended, "environment").starts_with("  ok "), "{ended}");
    assert!(row(&ended, "environment").contains("only the branch main and the tag v* deploy"), "{ended}");
    assert!(row(&ended, "trust   ").contains("lets in only jobs of the environment prod"), "{ended}");
    assert!(row(&ended, "immutability").contains("tags stay where they are, except latest"), "{ended}");
    assert!(row(&ended, "sharing").starts_with("  note "), "{ended}");
}

#[test]
fn an_environment_that_lets_in_any_branch_is_wrong_and_the_commands_are_shown() {
    let source = source();
    for (branches, words) in [
        (Branches::Any, "is open to every branch and tag"),
        (selected(&[("main", false), ("*", false)]), "is open to any name"),
        (selected(&[("main", false), ("*/*", true)]), "is open to any name"),
    ] {
        let github = github(branches);
        let ended = doctor(&world(&github).start(), &source, &github).ends_with(1);
        let row = row(&ended, "environment");
        assert!(row.starts_with("  FAIL") && row.contains(words), "{ended}");
        assert!(
            ended.stdout.contains(&format!("repos/{}/environments/prod/deployment-branch-policies", github.slug())),
            "{ended}"
        );
    }
    let none = GitHub::start().repository(Options::default().permissions(&["actions: read"]));
    let ended = doctor(&world(&none).start(), &source, &none).ends_with(1);
    assert!(row(&ended, "environment").contains("There is no environment prod at GitHub"), "{ended}");
}

#[test]
fn what_could_not_be_read_is_named_with_what_it_needs_and_is_not_well() {
    let source = source();
    let blind = GitHub::start().repository(Options::default().environment("prod", selected(&MAIN_AND_RELEASES)));
    let world = world(&blind).without("ecr:DescribeRepositories").start();
    let ended = doctor(&world, &source, &blind).without("--trust-policy").ends_with(1);
    for (name, needs) in [
        ("environment", "`permissions: actions: read`"),
        ("trust   ", "--trust-policy FILE"),
        ("immutability", "ecr:DescribeRepositories"),
    ] {
        let row = row(&ended, name);
        assert!(row.starts_with("  ?  ") && row.contains("could not be read: needs") && row.contains(needs), "{name}: {ended}");
    }
    let ended = doctor(&world, &source, &blind).variable("INPUT_GITHUB-TOKEN", "").output();
    assert!(row(&ended, "environment").starts_with("  ?  "), "{ended}");
    let protected = github(Branches::Protected);
    let ended = doctor(&world, &source, &protected).output();
    assert!(row(&ended, "environment").contains("where no branch is protected, GitHub lets all in"), "{ended}");
}

#[test]
fn a_trust_policy_that_does_not_ask_for_the_environment_alone_is_wrong() {
    let (source, github) = (source(), github(selected(&MAIN_AND_RELEASES)));
    let (world, slug) = (world(&github).start(), github.slug());
    let owner = slug.split('/').next().unwrap();
    for (subject, who) in [
        (format!("repo:{slug}:*"), "jobs of any branch"),
        (format!("repo:{slug}:environment:*"), "jobs of another environment"),
        (format!("repo:{slug}*"), "pull requests"),
        (format!("repo:{owner}/*:environment:prod"), "another repository's environment"),
        (format!("repo:{slug}:ref:refs/heads/main"), "jobs of `main` that name no environment"),
    ] {
        std::fs::write(source.beside("trust.json"), world.trust_of(&subject).to_string()).unwrap();
        let ended = doctor(&world, &source, &github).ends_with(1);
        let row = row(&ended, "trust   ");
        assert!(row.starts_with("  FAIL") && row.contains(who), "{subject}: {ended}");
    }
}

#[test]
fn a_repository_whose_fixed_tags_may_be_set_again_is_wrong() {
    let (source, github) = (source(), github(selected(&MAIN_AND_RELEASES)));
    for (mutability, filters, words) in [
        (Mutability::Mutable, &[][..], "lets tags be set to another image"),
        (Mutability::MutableWithExclusion, &["latest"], "lets tags be set to another image"),
        (Mutability::ImmutableWithExclusion, &["latest", "prod-*"], "filters let fixed tags be set to another image"),
        (Mutability::ImmutableWithExclusion, &["*"], "filters let fixed tags be set to another image"),
        (Mutability::Immutable, &[], "lets a moving tag move no more"),
    ] {
        let world = world(&github).tags(mutability, filters).start();
        let ended = doctor(&world, &source, &github).ends_with(1);
        let row = row(&ended, "immutability");
        assert!(row.starts_with("  FAIL") && row.contains(words), "{mutability:?} {filters:?}: {ended}");
        let command = "--image-tag-mutability IMMUTABLE_WITH_EXCLUSION";
        assert!(ended.stdout.contains(command) && ended.stdout.contains("filterType=WILDCARD,filter=latest"), "{ended}");
    }
}

#[test]
fn an_advisory_environment_rests_on_none_of_them() {
    let (world, source) = (World::options().start(), source());
    let ended = run(&world, &source, "doctor").ends_with(0);
    for name in ["environment ", "immutability", "sharing"] {
        assert!(!ended.stdout.contains(name), "{ended}");
    }
}

#[test]
fn a_repository_with_another_environments_tags_is_said_and_wrong_where_images_are_taken_at_their_word() {
    let (source, github) = (source(), github(selected(&MAIN_AND_RELEASES)));
    let world = world(&github).also_allow(&["ecr:ListImages"]).start();
    let made = Source::in_git(&[("Dockerfile", "FROM scratch\nCOPY a /a\n"), ("a", "1")]);
    made.deliver().flag("--tags", "one").ends_with(0);
    let push = |tag: &str| {
        let image = format!("{}/{}:{tag}", world.registry(), world.repository());
        tool_run(Command::new(tool("crane")).args(["push", "--insecure"]).arg(made.beside("image")).arg(image));
    };
    // Names that only begin as another environment's do are nobody's.
    for tag in ["prod-1234567", "latest", "development", "testing-1"] {
        push(tag);
    }
    let ended = doctor(&world, &source, &github).ends_with(0);
    assert!(row(&ended, "sharing").contains("no tag there is another environment's"), "{ended}");
    push("dev-1234567");
    let ended = doctor(&world, &source, &github).ends_with(0);
    let noted = row(&ended, "sharing");
    assert!(
        noted.starts_with("  note ") && noted.contains("dev-1234567") && noted.contains("takes only what is proven"),
        "{ended}"
    );
    let ended = doctor(&world, &source, &github).flag("--reuse", "claimed").ends_with(1);
    let wrong = row(&ended, "sharing");
    assert!(wrong.starts_with("  FAIL") && wrong.contains("dev-1234567") && wrong.contains("Set `reuse` to proven"), "{ended}");
}

#[test]
fn what_is_wrong_at_aws_is_mended_by_lines_of_the_terraform_module_too() {
    let (source, github) = (source(), github(selected(&MAIN_AND_RELEASES)));
    let world = world(&github).tags(Mutability::Mutable, &[]).start();
    let ended = doctor(&world, &source, &github).ends_with(1);
    let lines = ended.stdout.split("The same by gp-deliver's Terraform module:").nth(1).unwrap_or_else(|| panic!("{ended}"));
    assert!(lines.contains("module \"delivery\" {") && lines.contains("//terraform?ref="), "{ended}");
    let environment = "prod = { repository = \"team/app\", role_name = \"delivery\", read_settings = true }";
    assert!(lines.contains(environment) && lines.contains(&format!("# In the account {}", world.account())), "{ended}");
    // Where nothing is wrong there, there is nothing to mend.
    let world = self::world(&github).start();
    assert!(!doctor(&world, &self::source(), &github).ends_with(0).stdout.contains("Terraform"));
}

#[test]
fn a_build_cache_in_amazon_ecr_has_a_repository_whose_tags_may_move_or_that_is_said() {
    let (source, github) = (source(), github(selected(&MAIN_AND_RELEASES)));
    let world = world(&github).start();
    for (name, mutability, filters) in [
        ("cache/prod", Mutability::Mutable, &[][..]),
        ("cache/filtered-prod", Mutability::ImmutableWithExclusion, &["prod-*"]),
        ("cache/kept-prod", Mutability::Immutable, &[]),
        ("cache/others-prod", Mutability::ImmutableWithExclusion, &["latest"]),
    ] {
        world.create_repository(name, mutability, filters);
    }
    world.set_role_policy(&json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Resource": "*",
        "Action": ["ecr:GetAuthorizationToken", "ecr:DescribeRepositories", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
    }]}));
    let asked = |repository: &str| {
        let repository = format!("{}/{repository}", world.host());
        let to = format!("{}/{}", world.host(), world.repository());
        let asked = doctor(&world, &source, &github).without("--ecr-repository").flag("--ecr-repository", &to);
        asked.flag("--cache", "registry").flag("--cache-repository", &repository)
    };
    for name in ["cache/{env}", "cache/filtered-{env}"] {
        let ended = asked(name).ends_with(0);
        assert!(row(&ended, "build cache").starts_with("  ok ") && row(&ended, "build cache").contains("may move"), "{ended}");
    }
    for (name, words) in [
        ("cache/kept-{env}", "keeps tags where they are"),
        ("cache/others-{env}", "keeps tags where they are"),
        ("cache/absent-{env}", "cache/absent-prod"),
    ] {
        let ended = asked(name).ends_with(1);
        assert!(row(&ended, "build cache").starts_with("  FAIL") && row(&ended, "build cache").contains(words), "{ended}");
    }
    // One that is elsewhere, or not used, is nothing to ask Amazon ECR about.
    let elsewhere = doctor(&world, &source, &github).flag("--cache", "registry").flag("--cache-repository", "r.example/cache");
    for ended in [elsewhere.ends_with(0), asked("cache/absent-{env}").flag("--cache", "gha").ends_with(0)] {
        assert!(!ended.stdout.contains("build cache"), "{ended}");
    }
}
