//! The settings of a repository of Amazon ECR are shown, compared with what a file or flags want, and changed where they are not
//! so: each once, and no image is deleted.

use std::path::Path;
use std::process::Command;

use doubles::aws::{Call, Mutability, ShelfImage, World};
use serde_json::{Value, json};

use crate::support::Ended;
use crate::support::keyless::{run, source};

/// What `ensure` asks for where all is changed.
const ENSURE: [&str; 10] = [
    "ecr:DescribeRepositories",
    "ecr:CreateRepository",
    "ecr:PutImageScanningConfiguration",
    "ecr:PutImageTagMutability",
    "ecr:GetLifecyclePolicy",
    "ecr:PutLifecyclePolicy",
    "ecr:DescribeImages",
    "ecr:BatchGetImage",
    "ecr:StartLifecyclePolicyPreview",
    "ecr:GetLifecyclePolicyPreview",
];

const WANTED: &str = "\
scan-on-push: true
immutable-tags: true
moving-tags: [prod, '*-latest']
lifecycle-preset: environments-safe
";

/// A run of `repository`, in a job of the world and in a folder.
fn repository(world: &World, folder: &Path, verb: &str, arguments: &[&str]) -> Ended {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gp-deliver"));
    command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", folder).current_dir(folder);
    command.envs(world.variables()).args(["repository", verb, &world.repository(), "--role-to-assume", &world.role()]);
    Ended::from(command.args(arguments).output().unwrap())
}

/// A folder with the file that says what is wanted.
fn folder(wanted: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join(".gp-deliver")).unwrap();
    std::fs::write(folder.path().join(".gp-deliver/repository.yaml"), wanted).unwrap();
    folder
}

fn json(ended: &Ended) -> Value {
    serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("{ended}"))
}

fn settings(changes: &Value) -> Vec<&str> {
    changes.as_array().unwrap().iter().map(|change| change["setting"].as_str().unwrap()).collect()
}

/// Requests to ECR's API.
fn requests(world: &World) -> usize {
    world.calls().iter().filter(|entry| !matches!(entry.call, Call::IdToken | Call::Discovery | Call::AssumeRole)).count()
}

#[test]
fn what_is_not_as_wanted_is_shown_then_changed_once_and_then_all_is_as_wanted() {
    let world = World::options().start();
    world.allow(&ENSURE);
    let folder = folder(WANTED);
    let run = |verb: &str| repository(&world, folder.path(), verb, &["--json"]);
    let all = ["scan-on-push", "tags", "lifecycle"];
    let diff = run("diff");
    assert_eq!((diff.code, settings(&json(&diff)["different"])), (Some(3), all.to_vec()), "{diff}");
    assert!(requests(&world) <= 12, "{}", requests(&world));
    assert_eq!(world.count(Call::PutLifecyclePolicy) + world.count(Call::OtherEcr), 0, "a difference is looked at alone");
    let ensured = run("ensure");
    assert_eq!((ensured.code, settings(&json(&ensured)["changed"])), (Some(0), all.to_vec()), "{ensured}");
    for verb in ["diff", "ensure"] {
        let before = world.calls().len();
        let again = run(verb);
        assert_eq!(
            (again.code, &json(&again)["different"], &json(&again)["changed"]),
            (Some(0), &json!([]), &json!([])),
            "{again}"
        );
        let asked = &world.calls()[before..];
        let changing = [Call::OtherEcr, Call::PutLifecyclePolicy, Call::CreateRepository, Call::BatchDeleteImage];
        assert!(!asked.iter().any(|entry| changing.contains(&entry.call)), "{asked:?}");
    }
    let shown = repository(&world, folder.path(), "show", &[]);
    for line in ["each image when it is pushed", "AES-256", "all stay but prod and *-latest", "the preset environments-safe"] {
        assert!(shown.stdout.contains(line), "{line}: {shown}");
    }
}

#[test]
fn a_repository_that_is_not_there_is_created_as_wanted() {
    let world = World::options().no_repository().start();
    world.allow(&ENSURE);
    let folder = folder(WANTED);
    let shown = repository(&world, folder.path(), "show", &[]);
    assert_eq!(shown.code, Some(1), "{shown}");
    shown.says("There is no repository team/app");
    assert_eq!(repository(&world, folder.path(), "diff", &[]).code, Some(3));
    assert_eq!(world.count(Call::CreateRepository), 0);
    let ensured = repository(&world, folder.path(), "ensure", &[]);
    assert_eq!(ensured.code, Some(0), "{ensured}");
    assert_eq!(repository(&world, folder.path(), "diff", &[]).code, Some(0));
    assert_eq!(world.count(Call::CreateRepository), 1);
}

#[test]
fn a_lifecycle_policy_that_takes_what_has_to_stay_is_not_put_in_force() {
    let world = World::options().start();
    world.allow(&ENSURE);
    world.shelve([ShelfImage::new("live", &["prod"], 90.0)]);
    world.shelve((0..12).map(|at| ShelfImage::new(&format!("{at}"), &[&format!("a{at}")], 1.0 + f64::from(at))));
    let folder = folder("lifecycle-preset: simple\n");
    let ensured = repository(&world, folder.path(), "ensure", &[]);
    assert_eq!((ensured.code, world.count(Call::PutLifecyclePolicy)), (Some(3), 0), "{ensured}");
    assert!(
        ensured.stdout.contains("The lifecycle policy is not put in force") && ensured.stdout.contains("the tag prod names it"),
        "{ensured}"
    );
    assert_eq!(repository(&world, folder.path(), "ensure", &["--force", "prod"]).code, Some(0));
    assert_eq!(world.count(Call::PutLifecyclePolicy), 1);
}

#[test]
fn what_a_policy_that_is_put_in_force_takes_later_is_said() {
    let world = World::options().start();
    world.allow(&ENSURE);
    world.shelve([ShelfImage::new("live", &["prod"], 0.5)]);
    let folder = folder("lifecycle-policy: policy.json\n");
    let rule = r#"{"rulePriority":1,"selection":{"tagStatus":"any","countType":"sinceImagePushed","countUnit":"days","countNumber":1},"action":{"type":"expire"}}"#;
    std::fs::write(folder.path().join(".gp-deliver/policy.json"), format!(r#"{{"rules":[{rule}]}}"#)).unwrap();
    let ensured = repository(&world, folder.path(), "ensure", &[]);
    assert_eq!((ensured.code, world.count(Call::PutLifecyclePolicy)), (Some(0), 1), "{ensured}");
    assert!(ensured.stdout.contains("The image that the tag prod names is not safe"), "{ensured}");
}

#[test]
fn what_a_file_of_gitops_names_is_not_taken_by_the_policy_that_is_wanted() {
    let world = World::options().start();
    world.allow(&ENSURE);
    let live = ShelfImage::new("live", &["v1"], 90.0);
    world.shelve([live.clone()]);
    world.shelve((0..12).map(|at| ShelfImage::new(&format!("{at}"), &[&format!("a{at}")], 1.0 + f64::from(at))));
    let folder = folder("lifecycle-preset: simple\n");
    std::fs::write(folder.path().join("app.yaml"), format!("image: team/app@{}\n", live.digest())).unwrap();
    let ended = repository(&world, folder.path(), "ensure", &["--keep-from", "app.yaml"]);
    assert_eq!((ended.code, world.count(Call::PutLifecyclePolicy)), (Some(3), 0), "{ended}");
    assert!(ended.stdout.contains("and app.yaml names it"), "{ended}");
}

#[test]
fn the_policy_that_is_printed_for_it_is_enough_to_create_and_to_change() {
    for world in [World::options().no_repository().start(), World::options().start()] {
        let source = source();
        let flags = run(&world, &source, "policy").flag("--aws-account-id", &world.account());
        let printed = Ended::from(flags.command().arg("settings").output().unwrap());
        assert!(!printed.stdout.contains("Delete") && !printed.stdout.contains('*'), "{printed}");
        world.set_role_policy(&serde_json::from_str(&printed.stdout).unwrap_or_else(|_| panic!("{printed}")));
        let folder = folder(WANTED);
        assert_eq!(repository(&world, folder.path(), "diff", &[]).code, Some(3));
        for _ in 0..2 {
            let ended = repository(&world, folder.path(), "ensure", &[]);
            assert_eq!(ended.code, Some(0), "{ended}");
        }
        assert_eq!(repository(&world, folder.path(), "show", &[]).code, Some(0));
    }
}

#[test]
fn all_repositories_of_the_registry_are_listed_with_their_settings() {
    let world = World::options().start();
    for name in ["team/b", "other/app", "team/c", "team/d"] {
        world.create_repository(name, Mutability::Immutable, &[]);
    }
    let allowed = json!({"Effect": "Allow", "Action": "ecr:DescribeRepositories", "Resource": "*"});
    world.set_role_policy(&json!({"Version": "2012-10-17", "Statement": [allowed]}));
    let list = |arguments: &[&str]| {
        let home = tempfile::tempdir().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_gp-deliver"));
        command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", home.path()).current_dir(home.path());
        command.envs(world.variables()).args(["repository", "list", "--role-to-assume", &world.role()]);
        Ended::from(command.args(arguments).output().unwrap())
    };
    let seen = json(&list(&["--json"]));
    let names: Vec<_> = seen["repositories"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["other/app", "team/app", "team/b", "team/c", "team/d"], "from three pages");
    assert_eq!(seen["repositories"][0]["tags"], "all stay");
    let table = list(&[]);
    let other = "other/app  no image by itself  AES-256     all stay";
    assert!(table.code == Some(0) && table.stdout.contains(other), "{table}");
    world.allow(&[]);
    let refused = list(&[]);
    assert_eq!(refused.code, Some(1), "{refused}");
    refused.says("AWS does not allow ecr:DescribeRepositories");
}

#[test]
fn flags_count_before_the_file_and_what_nobody_says_is_left_alone() {
    let world = World::options().tags(Mutability::Immutable, &[]).start();
    world.allow(&ENSURE);
    let (empty, said) = (folder("{}\n"), folder("immutable-tags: false\n"));
    assert_eq!(repository(&world, empty.path(), "diff", &[]).code, Some(0));
    assert_eq!(repository(&world, said.path(), "diff", &[]).code, Some(3));
    assert_eq!(repository(&world, said.path(), "diff", &["--immutable-tags"]).code, Some(0));
    // It is set once.
    let ensured = repository(&world, empty.path(), "ensure", &["--encryption", "kms"]);
    assert_eq!(ensured.code, Some(3), "{ensured}");
    assert!(ensured.stdout.contains("AES-256; wanted: AWS KMS, AWS's own key (it is set once, at creation)"), "{ensured}");
}

#[test]
fn what_the_role_may_not_see_or_change_is_said() {
    let world = World::options().start();
    let folder = folder(WANTED);
    let without = |action: &str| {
        let allowed: Vec<&str> = ENSURE.into_iter().filter(|one| *one != action).collect();
        world.allow(&allowed);
    };
    without("ecr:GetLifecyclePolicy");
    let diff = repository(&world, folder.path(), "diff", &["--scan-on-push=false", "--immutable-tags=false", "--moving-tag=x"]);
    assert_eq!(diff.code, Some(2), "{diff}");
    diff.says("all other tags move anyway");
    let unseen = repository(&world, folder.path(), "ensure", &[]);
    assert_eq!(unseen.code, Some(1), "{unseen}");
    assert!(unseen.stdout.contains("not known:  the role lacks ecr:GetLifecyclePolicy"), "{unseen}");
    for action in ["ecr:DescribeRepositories", "ecr:PutLifecyclePolicy"] {
        without(action);
        let ended = repository(&world, folder.path(), "ensure", &[]);
        assert_eq!(ended.code, Some(1), "{ended}");
        ended.says(&format!("AWS does not allow {action}"));
    }
}

#[test]
fn all_that_is_wrong_with_what_is_wanted_is_said_before_anyone_is_asked() {
    let world = World::options().start();
    let wrong =
        "scan-on-push: true\nencryption: rot13\nimmutable-tags: true\nmoving-tags: ['a*b*c*', 'x y']\nlifecycle-preset: none\n";
    let ended = repository(&world, folder(wrong).path(), "ensure", &[]);
    assert_eq!(ended.code, Some(2), "{ended}");
    for said in ["encryption: \"rot13\"", "moving-tags: \"a*b*c*\"", "moving-tags: \"x y\"", "lifecycle-preset: \"none\""] {
        ended.says(said);
    }
    for wrong in ["scan-on-push: true\nscan-on-push: false\n", "scan_on_push: true\n", "other: 1\n", "- a\n"] {
        assert_eq!(repository(&world, folder(wrong).path(), "diff", &[]).code, Some(2), "{wrong}");
    }
    assert!(world.calls().is_empty());
}
