//! The settings of a repository of Amazon ECR are shown, compared with what a file or flags want, and changed where they are not
//! so: each once, and no image is deleted.

use std::path::Path;
use std::process::Command;

use doubles::aws::{Call, Fault, Mutability, PUSH, ShelfImage, Times, World};
use serde_json::{Value, json};

use crate::support::Ended;
use crate::support::keyless::{deliver, run, source};

/// What `ensure` asks for where all is changed of a repository.
const ENSURE: [&str; 15] = [
    "ecr:GetRepositoryPolicy",
    "ecr:SetRepositoryPolicy",
    "ecr:DeleteRepositoryPolicy",
    "ecr:ListTagsForResource",
    "ecr:TagResource",
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

const ROLE: &str = "arn:aws:iam::111122223333:role/deploy";
const OTHER: &str = "444455556666";
/// All that a file can want.
const EVERYTHING: &str = "\
scan-on-push: true
immutable-tags: true
lifecycle-preset: environments-safe
encryption: aes256
pullers: ['444455556666', 'arn:aws:iam::111122223333:role/deploy']
pushers: ['arn:aws:iam::111122223333:role/deploy']
resource-tags: { team: web, cost center: '7' }
registry-scanning:
  type: enhanced
  rules: [{ frequency: continuous-scan, filters: ['team/*', other] }]
";

/// Lets the role do all that `ensure` asks for, of the whole registry too, but for these.
fn allow_all_but(world: &World, without: &[&str]) {
    let of = |actions: &[&str], resource: &str| {
        let actions: Vec<&&str> = actions.iter().filter(|action| !without.contains(action)).collect();
        json!({"Effect": "Allow", "Action": actions, "Resource": resource})
    };
    let registry =
        ["ecr:GetRegistryScanningConfiguration", "ecr:PutRegistryScanningConfiguration", "ecr:GetSigningConfiguration"];
    let statements = [of(&ENSURE, &world.repository_arn()), of(&registry, "*")];
    world.set_role_policy(&json!({"Version": "2012-10-17", "Statement": statements}));
}

fn named(world: &World) -> Value {
    json!({"repositoryName": world.repository()})
}

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
        assert!(!printed.stdout.contains("BatchDelete") && !printed.stdout.contains("DeleteRepository\""), "{printed}");
        // What is read of the registry has no ARN; all else is allowed on the one repository.
        assert_eq!((printed.stdout.matches('*').count(), printed.stdout.matches("Registry").count()), (1, 2), "{printed}");
        world.set_role_policy(&serde_json::from_str(&printed.stdout).unwrap_or_else(|_| panic!("{printed}")));
        let folder = folder(EVERYTHING);
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

#[test]
fn who_may_pull_and_push_resource_tags_and_the_registrys_scanning_are_brought_to_what_is_wanted_and_the_rest_stays() {
    let world = World::options().start();
    allow_all_but(&world, &[]);
    let tag = json!([{"Key": "owner", "Value": "platform"}, {"Key": "team", "Value": "before"}]);
    world.ecr("TagResource", &json!({"resourceArn": world.repository_arn(), "tags": tag}));
    let folder = folder(EVERYTHING);
    let run = |verb: &str| repository(&world, folder.path(), verb, &["--registry", "--json"]);
    let all = ["scan-on-push", "tags", "lifecycle", "access", "resource-tags", "registry-scanning"];
    let diff = run("diff");
    assert_eq!((diff.code, settings(&json(&diff)["different"])), (Some(3), all.to_vec()), "{diff}");
    assert!(world.calls().len() <= 12, "{} requests: {:?}", world.calls().len(), world.calls());
    assert_eq!(world.count(Call::PutLifecyclePolicy) + world.count(Call::OtherEcr), 0, "a difference is looked at alone");
    let ensured = run("ensure");
    assert_eq!((ensured.code, settings(&json(&ensured)["changed"])), (Some(0), all.to_vec()), "{ensured}");
    for verb in ["diff", "ensure"] {
        let before = (world.count(Call::OtherEcr), world.count(Call::PutLifecyclePolicy));
        let again = run(verb);
        assert_eq!(
            (again.code, &json(&again)["different"], &json(&again)["changed"]),
            (Some(0), &json!([]), &json!([])),
            "{again}"
        );
        assert_eq!((world.count(Call::OtherEcr), world.count(Call::PutLifecyclePolicy)), before, "{verb}");
    }
    let policy: Value =
        serde_json::from_str(world.ecr("GetRepositoryPolicy", &named(&world))["policyText"].as_str().unwrap()).unwrap();
    let statements = policy["Statement"].as_array().unwrap();
    assert_eq!((&statements[0]["Sid"], &statements[0]["Principal"]["AWS"]), (&json!("PullImages"), &json!([OTHER, ROLE])));
    assert_eq!((&statements[1]["Sid"], &statements[1]["Principal"]["AWS"]), (&json!("PushImages"), &json!(ROLE)));
    let tags = world.ecr("ListTagsForResource", &json!({"resourceArn": world.repository_arn()})).to_string();
    for tag in ["platform", "web", "cost center"] {
        assert!(tags.contains(tag) && !tags.contains("before"), "{tags}");
    }
    let scanning = &world.ecr("GetRegistryScanningConfiguration", &json!({}))["scanningConfiguration"];
    assert_eq!((&scanning["scanType"], &scanning["rules"][0]["scanFrequency"]), (&json!("ENHANCED"), &json!("CONTINUOUS_SCAN")));
    // Nobody is wanted any more.
    let nobody = self::folder("pullers: []\npushers: []\n");
    for (verb, code) in [("diff", 3), ("ensure", 0), ("diff", 0)] {
        assert_eq!(repository(&world, nobody.path(), verb, &[]).code, Some(code), "{verb}");
    }
    let shown = repository(&world, nobody.path(), "show", &[]);
    for line in ["nobody may pull, nobody may push", "team=web", "enhanced; team/* and other continuously"] {
        assert!(shown.stdout.contains(line), "{line}: {shown}");
    }
}

#[test]
fn what_is_set_for_the_whole_registry_is_shown_and_changed_only_where_that_is_asked_for() {
    let world = World::options().start();
    allow_all_but(&world, &[]);
    let folder = folder("registry-scanning: { type: basic, rules: [{ frequency: scan-on-push, filters: ['*'] }] }\n");
    for verb in ["diff", "ensure"] {
        let ended = repository(&world, folder.path(), verb, &[]);
        let says = "basic; no rule; wanted: basic; * when an image is pushed (of the whole registry: it counts with --registry)";
        assert!(ended.code == Some(0) && ended.stdout.contains(says), "{ended}");
    }
    assert_eq!(world.count(Call::OtherEcr), 0);
    for (verb, code) in [("diff", 3), ("ensure", 0), ("diff", 0)] {
        let ended = repository(&world, folder.path(), verb, &["--registry"]);
        assert_eq!(ended.code, Some(code), "{ended}");
    }
    assert_eq!(world.count(Call::OtherEcr), 1);
    let profile = "arn:aws:signer:eu-central-1:012345678901:/signing-profiles/p";
    let rule = json!({"signingProfileArn": profile, "repositoryFilters": [{"filter": "team/*", "filterType": "WILDCARD_MATCH"}]});
    assert!(repository(&world, folder.path(), "show", &[]).stdout.contains("managed signing    no rule"));
    world.answer("GetSigningConfiguration", json!({"signingConfiguration": {"rules": [rule]}}));
    let shown = repository(&world, folder.path(), "show", &[]);
    assert!(shown.stdout.contains(&format!("managed signing    team/* by {profile}")), "{shown}");
    // A registry of another account's is not the one that would be changed.
    let mut command = Command::new(env!("CARGO_BIN_EXE_gp-deliver"));
    command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", folder.path()).current_dir(folder.path());
    let elsewhere = "999988887777.dkr.ecr.eu-central-1.amazonaws.com/team/app";
    command.envs(world.variables()).args(["repository", "ensure", elsewhere, "--registry", "--role-to-assume", &world.role()]);
    let elsewhere = Ended::from(command.output().unwrap());
    assert_eq!((elsewhere.code, world.count(Call::OtherEcr)), (Some(2), 1), "{elsewhere}");
    elsewhere.says("a repository of the credentials' own account is expected");
}

#[test]
fn a_repositorys_policy_with_statements_of_others_is_left_alone_and_told() {
    let world = World::options().start();
    allow_all_but(&world, &[]);
    let deny = json!({"Sid": "NoStranger", "Effect": "Deny", "Principal": "*", "Action": "ecr:*",
                      "Condition": {"StringNotEquals": {"aws:PrincipalOrgID": "o-1"}}});
    let text = json!({"Version": "2012-10-17", "Statement": [deny]}).to_string();
    world.ecr("SetRepositoryPolicy", &json!({"repositoryName": world.repository(), "policyText": text}));
    let before = world.ecr("GetRepositoryPolicy", &named(&world))["policyText"].clone();
    let folder = folder(&format!("pullers: ['{OTHER}']\n"));
    let ensured = repository(&world, folder.path(), "ensure", &[]);
    assert_eq!(ensured.code, Some(3), "{ensured}");
    let says = "nobody may pull, nobody may push, and another statement of the policy says more; wanted: 444455556666 may pull";
    assert!(ensured.stdout.contains(says) && ensured.stdout.contains("what else the policy says is not known here"), "{ensured}");
    assert_eq!(world.ecr("GetRepositoryPolicy", &named(&world))["policyText"], before);
}

#[test]
fn each_call_that_aws_refuses_is_told_by_its_permission() {
    let folder = folder(EVERYTHING);
    // What may not be seen is said beside the rest; what may not be changed ends it.
    for action in
        ["ecr:GetLifecyclePolicy", "ecr:GetRepositoryPolicy", "ecr:ListTagsForResource", "ecr:GetRegistryScanningConfiguration"]
    {
        let world = World::options().start();
        allow_all_but(&world, &[action]);
        let ended = repository(&world, folder.path(), "diff", &["--registry"]);
        assert!(ended.code == Some(1) && ended.stdout.contains(&format!("the role lacks {action}")), "{action}: {ended}");
    }
    for action in [
        "ecr:DescribeRepositories",
        "ecr:PutImageScanningConfiguration",
        "ecr:PutImageTagMutability",
        "ecr:PutLifecyclePolicy",
        "ecr:SetRepositoryPolicy",
        "ecr:TagResource",
        "ecr:PutRegistryScanningConfiguration",
    ] {
        let world = World::options().start();
        allow_all_but(&world, &[action]);
        let ended = repository(&world, folder.path(), "ensure", &["--registry"]);
        assert_eq!(ended.code, Some(1), "{action}: {ended}");
        ended.says(&format!("AWS does not allow {action}"));
        assert_eq!(world.count(Call::CreateRepository), 0, "{action}");
    }
    let world = World::options().no_repository().start();
    allow_all_but(&world, &["ecr:CreateRepository"]);
    repository(&world, folder.path(), "ensure", &[]).says("AWS does not allow ecr:CreateRepository");
    let world = World::options().start();
    allow_all_but(&world, &["ecr:DeleteRepositoryPolicy", "ecr:GetSigningConfiguration"]);
    assert_eq!(repository(&world, folder.path(), "ensure", &[]).code, Some(0));
    let nobody = self::folder("pullers: []\npushers: []\n");
    repository(&world, nobody.path(), "ensure", &[]).says("AWS does not allow ecr:DeleteRepositoryPolicy");
    let shown = repository(&world, nobody.path(), "show", &[]);
    assert!(shown.stdout.contains("managed signing    not known: the role lacks ecr:GetSigningConfiguration"), "{shown}");
}

#[test]
fn what_lets_everyone_in_or_makes_no_sense_is_refused_before_anyone_is_asked() {
    let world = World::options().start();
    allow_all_but(&world, &[]);
    let folder = folder(&format!("pullers: ['{OTHER}']\nresource-tags: {{ 'aws:x': y }}\n"));
    let ended = repository(&world, folder.path(), "ensure", &[]);
    assert_eq!((ended.code, world.calls().len()), (Some(2), 0), "{ended}");
    ended.says("resource-tags: \"aws:x=y\"");
    let wrong = self::folder(
        "pullers: ['*']\npushers: [lambda.amazonaws.com]\n\
         registry-scanning: { type: basic, rules: [{ frequency: continuous-scan, filters: [] }] }\n",
    );
    let ended = repository(&world, wrong.path(), "ensure", &[]);
    assert_eq!((ended.code, world.calls().len()), (Some(2), 0), "{ended}");
    for said in ["pullers: \"*\"", "pushers: \"lambda.amazonaws.com\"", "type: enhanced is expected", "at least one filter"] {
        ended.says(said);
    }
}

#[test]
fn faults_that_pass_are_overcome_and_those_that_last_are_said() {
    let reads = [Call::GetRepositoryPolicy, Call::ListTagsForResource, Call::GetRegistryScanning, Call::GetSigningConfiguration];
    let folder = folder(EVERYTHING);
    for call in reads.into_iter().chain([Call::OtherEcr]) {
        let world = World::options().start();
        allow_all_but(&world, &[]);
        let verb = if call == Call::OtherEcr { "ensure" } else { "show" };
        let flags: &[&str] = if call == Call::OtherEcr { &["--registry"] } else { &[] };
        world.fail(call, Times::Always, Fault::Status(503));
        let ended = repository(&world, folder.path(), verb, flags);
        assert_eq!(ended.code, Some(1), "{call:?}: {ended}");
        ended.says("Amazon ECR reports an internal error");
        world.mend(call);
        // What was done and not answered is done again, and comes to the same.
        for fault in [Fault::Throttle, Fault::Cut, Fault::Silence] {
            world.fail(call, Times::Once, fault);
        }
        let ended = repository(&world, folder.path(), verb, flags);
        assert_eq!(ended.code, Some(0), "{call:?}: {ended}");
        assert_eq!(repository(&world, folder.path(), "ensure", &["--registry"]).code, Some(0));
        assert_eq!(repository(&world, folder.path(), "diff", &["--registry"]).code, Some(0));
    }
}

#[test]
fn a_delivery_creates_a_repository_as_the_checkout_says_where_that_is_no_looser_and_changes_none_that_is_there() {
    let world = World::options().no_repository().start();
    let more = ["ecr:CreateRepository", "ecr:DescribeRepositories"];
    world.allow(&[&PUSH[..], &ENSURE, &more].concat());
    let source = source();
    let say = |text: &str| {
        source.write(".gp-deliver/repository.yaml", text);
        source.commit("the repository's settings");
    };
    let delivery = || deliver(&world, &source).flag("--create-repository", "true").flag("--tags", "{sha}");
    say("encryption: arn:aws:kms:eu-central-1:999988887777:key/1\n");
    delivery().ends_with(2).says("a delivery creates no repository with a key that the checkout names");
    assert_eq!(world.count(Call::CreateRepository), 0);
    say(&format!("{EVERYTHING}moving-tags: [prod]\n"));
    let created = delivery().ends_with(0);
    created.says("is created as .gp-deliver/repository.yaml says").says("tags: all stay but prod");
    created.says("A delivery does not set `lifecycle-preset`, `pullers`, `pushers`, `resource-tags` and `registry-scanning`");
    let described = &world.ecr("DescribeRepositories", &json!({"repositoryNames": [world.repository()]}))["repositories"][0];
    assert_eq!(described["imageTagMutability"], "IMMUTABLE_WITH_EXCLUSION");
    assert_eq!(described["imageScanningConfiguration"]["scanOnPush"], true);
    let asked = |world: &World| world.count(Call::OtherEcr) + world.count(Call::PutLifecyclePolicy);
    assert_eq!(asked(&world), 0, "nobody is let in, and nothing is to be deleted");
    assert_eq!(world.ecr("ListTagsForResource", &json!({"resourceArn": world.repository_arn()}))["tags"], json!([]));
    // What a later commit says of a repository that is there is not looked at.
    say("immutable-tags: false\nscan-on-push: false\npushers: ['*']\n");
    delivery().ends_with(0);
    assert_eq!((asked(&world), world.count(Call::CreateRepository)), (0, 1));
}
