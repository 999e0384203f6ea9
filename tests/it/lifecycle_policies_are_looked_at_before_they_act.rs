//! A lifecycle policy deletes what production runs, by rules that look right. So it is looked at first, by our own account and
//! by AWS's, and one that takes what has to stay is refused.

use std::fs;
use std::process::Command;

use doubles::aws::{Call, Fault, ShelfImage, Times, World};
use serde_json::{Value, json};

use crate::support::Ended;
use crate::support::keyless::{run, source};

/// What a preview asks for.
const READ: [&str; 5] = [
    "ecr:DescribeImages",
    "ecr:BatchGetImage",
    "ecr:GetLifecyclePolicy",
    "ecr:StartLifecyclePolicyPreview",
    "ecr:GetLifecyclePolicyPreview",
];

fn world() -> World {
    let world = World::options().start();
    world.allow(&READ);
    world
}

/// A run of `lifecycle`, in a job of the world.
fn lifecycle(world: Option<&World>, arguments: &[&str]) -> Ended {
    let home = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_gp-deliver"));
    command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", home.path()).arg("lifecycle").args(arguments);
    if let Some(world) = world {
        command.envs(world.variables()).args(["--role-to-assume", &world.role()]);
    }
    Ended::from(command.output().unwrap())
}

fn preview(world: &World, arguments: &[&str]) -> Ended {
    let repository = world.repository();
    let arguments: Vec<&str> = ["preview", &repository].into_iter().chain(arguments.iter().copied()).collect();
    lifecycle(Some(world), &arguments)
}

/// The same as JSON, with its exit code.
fn seen(world: &World, arguments: &[&str]) -> (Option<i32>, Value) {
    let arguments: Vec<&str> = arguments.iter().copied().chain(["--json"]).collect();
    let ended = preview(world, &arguments);
    let seen = serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("{ended}"));
    (ended.code, seen)
}

fn row<'a>(seen: &'a Value, image: &ShelfImage) -> &'a Value {
    let rows = seen["images"].as_array().unwrap();
    rows.iter().find(|row| row["digest"] == image.digest()).unwrap_or_else(|| panic!("{seen:#}"))
}

/// A file with a policy; the folder goes with the first.
fn policy(rules: &Value) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("policy.json");
    fs::write(&file, json!({"rules": rules}).to_string()).unwrap();
    let name = file.to_str().unwrap().to_owned();
    (folder, name)
}

fn keep(priority: u32, number: u32) -> Value {
    json!({"rulePriority": priority, "action": {"type": "expire"},
        "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": number}})
}

#[test]
fn each_image_is_shown_with_its_rule_and_when_it_goes_and_aws_says_the_same() {
    let world = world();
    let [old, young, feature] =
        [ShelfImage::new("old", &[], 3.0), ShelfImage::new("young", &[], 0.5), ShelfImage::new("feature", &["feature-a"], 8.0)];
    let amd = ShelfImage::new("amd64", &[], 30.0);
    let index = ShelfImage::index(&["main-1"], 30.0, &[&amd]);
    let signature = ShelfImage::new("signature", &[], 8.0).of(&feature);
    let archived = ShelfImage::new("archived", &["v0"], 300.0).archived(100.0);
    let all = [&old, &young, &feature, &amd, &index, &signature, &archived];
    world.shelve(all.into_iter().cloned());
    let (code, seen) = seen(&world, &["--preset", "environments-safe"]);
    assert_eq!(code, Some(0), "{seen:#}");
    let outcome = |image: &ShelfImage| (row(&seen, image)["outcome"].clone(), row(&seen, image)["rule"].clone());
    assert_eq!(outcome(&old), (json!("deleted"), json!(1)));
    assert_eq!(outcome(&feature), (json!("deleted"), json!(15)));
    assert_eq!(outcome(&signature), (json!("deleted-with-subject"), json!(15)));
    assert_eq!(outcome(&amd), (json!("in-index"), Value::Null), "no rule takes what an index refers to");
    assert_eq!(outcome(&index), (json!("kept"), json!(14)));
    assert_eq!(row(&seen, &index)["after-images"], 5);
    assert_eq!(outcome(&archived), (json!("unselected"), Value::Null), "no rule is for archived images");
    let after: jiff::Timestamp = row(&seen, &young)["after"].as_str().unwrap().parse().unwrap();
    let hours = after.duration_since(jiff::Timestamp::now()).as_hours();
    assert!((11..=12).contains(&hours), "{hours}");
    assert_eq!(seen["frees"], 3_000_000);
    assert_eq!(seen["confirmation"], "same");
    let table = preview(&world, &["--preset", "environments-safe"]);
    assert!(table.stdout.contains("deleted by rule 1\n") && table.stdout.contains("AWS's own preview says the same."), "{table}");
    // Nothing was changed.
    let changing = [Call::BatchDeleteImage, Call::PutLifecyclePolicy, Call::OtherEcr];
    assert!(changing.iter().all(|call| world.count(*call) == 0), "{:?}", world.calls());
}

#[test]
fn what_an_environment_runs_may_not_be_taken_unless_it_is_named() {
    let world = world();
    let live = ShelfImage::new("live", &["prod", "v1.2.0"], 90.0);
    world.shelve([live.clone()]);
    world.shelve((0..12).map(|at| ShelfImage::new(&format!("{at}"), &[&format!("a{at}")], 1.0 + f64::from(at))));
    let ended = preview(&world, &["--preset", "simple"]);
    assert_eq!(ended.code, Some(3), "{ended}");
    let refused = format!("Refused: rule 2 takes {}, and the tag prod names it.", live.digest());
    assert!(ended.stdout.contains(&refused), "{ended}");
    for name in ["prod", "v1.2.0", &live.digest()] {
        let ended = preview(&world, &["--preset", "simple", "--force", name]);
        assert_eq!(ended.code, Some(0), "{name}: {ended}");
        assert!(ended.stdout.contains("Let through: rule 2 takes"), "{ended}");
    }
    assert_eq!(preview(&world, &["--preset", "simple", "--force", "a1"]).code, Some(3));
    assert_eq!(preview(&world, &["--preset", "environments-safe"]).code, Some(0));
    // A tag of the team's own.
    assert_eq!(preview(&world, &["--preset", "simple", "--force", "prod", "--keep", "a11"]).code, Some(3));
}

#[test]
fn what_a_file_or_a_flag_names_by_digest_may_not_be_taken() {
    let world = world();
    let (live, child) = (ShelfImage::new("live", &["v1.2.0"], 90.0), ShelfImage::new("amd64", &[], 80.0));
    let index = ShelfImage::index(&["v1.3.0"], 80.0, &[&child]);
    world.shelve([live.clone(), child.clone(), index.clone()]);
    world.shelve((0..12).map(|at| ShelfImage::new(&format!("{at}"), &[&format!("a{at}")], 1.0 + f64::from(at))));
    assert_eq!(preview(&world, &["--preset", "simple"]).code, Some(0));
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let file = folder.path().join(name);
        fs::write(&file, text).unwrap();
        file.to_str().unwrap().to_owned()
    };
    let (by_flag, elsewhere) = (format!("host/team/app@{}", live.digest()), format!("sha256:{}", "0a".repeat(32)));
    let named = file("app.yaml", &format!("image: host/other@{elsewhere}\nnewer: host/team/app@{}\n", live.digest()));
    let of_child = file("index.yaml", &format!("digest: {}\n", child.digest()));
    for (flag, value, image) in [("--keep", &by_flag, &live), ("--keep-from", &named, &live), ("--keep-from", &of_child, &index)]
    {
        let ended = preview(&world, &["--preset", "simple", flag, value]);
        assert_eq!(ended.code, Some(3), "{ended}");
        let by = if flag == "--keep" { flag } else { value };
        assert!(ended.stdout.contains(&format!("takes {}, and {by} names it.", image.digest())), "{ended}");
    }
    // A file that keeps nothing does not look as if it did.
    let ended = preview(&world, &["--preset", "simple", "--keep-from", &file("tags.yaml", "image: team/app:v1.2.0\n")]);
    assert_eq!(ended.code, Some(2), "{ended}");
    ended.says("a file that names images by their digests is expected");
    assert_eq!(preview(&world, &["--preset", "simple", "--keep-from", "/nowhere"]).code, Some(2));
    for (flag, value) in [("--keep-from", &file("other.yaml", &elsewhere)), ("--keep", &elsewhere)] {
        let stranger = preview(&world, &["--preset", "simple", flag, value, "--keep-from", &named]);
        assert_eq!(stranger.code, Some(2), "{stranger}");
        stranger.says("the digest of an image that the repository has is expected");
    }
}

#[test]
fn where_it_matters_whether_signatures_count_both_readings_are_shown_and_the_guard_holds_to_the_worse() {
    let world = world();
    let (_folder, file) = policy(&json!([keep(1, 2)]));
    let new = ShelfImage::new("new", &["v2"], 1.0);
    let live = ShelfImage::new("live", &["v1", "prod"], 5.0);
    let signature = ShelfImage::new("signature", &[], 1.0).of(&new);
    world.shelve([new.clone(), live.clone()]);
    assert_eq!(preview(&world, &["--policy", &file]).code, Some(0));
    world.shelve([signature]);
    let (code, seen) = seen(&world, &["--policy", &file]);
    assert_eq!((code, &row(&seen, &live)["outcome"], &seen["confirmation"]), (Some(3), &json!("kept"), &json!("same")));
    let refused = &seen["refused"][0];
    assert_eq!((&refused["must-stay"], &refused["if-referrers-count"]), (&json!({"tag": "prod"}), &json!(true)));
    let warnings = seen["warnings"].to_string();
    assert!(warnings.contains("1 entry refers here to an image") && warnings.contains("1 image goes more"), "{warnings}");
    // By age it makes no difference.
    let (_folder, file) = policy(&json!([{
        "rulePriority": 1, "action": {"type": "expire"},
        "selection": {"tagStatus": "any", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 30},
    }]));
    let ended = preview(&world, &["--policy", &file]);
    assert!(ended.code == Some(0) && !ended.stdout.contains("AWS does not say whether"), "{ended}");
}

#[test]
fn what_was_pulled_lately_may_not_be_taken_by_itself_or_by_its_index() {
    let (_folder, file) = policy(&json!([keep(1, 1)]));
    let one_is_pulled = |image: ShelfImage, days: &str| {
        let world = world();
        let child = image.clone();
        world.shelve([ShelfImage::new("new", &["new"], 0.1), ShelfImage::index(&["v1"], 5.0, &[&child]), child]);
        preview(&world, &["--policy", &file, "--pulled-within", days]).code
    };
    let image = || ShelfImage::new("amd64", &[], 5.0);
    assert_eq!(one_is_pulled(image().pulled(2.0), "3d"), Some(3));
    assert_eq!(one_is_pulled(image().pulled(2.0), "24h"), Some(0));
    assert_eq!(one_is_pulled(image(), "3d"), Some(0));
}

#[test]
fn archiving_what_has_to_stay_is_refused_too() {
    let (_folder, file) = policy(&json!([{
        "rulePriority": 1, "action": {"type": "transition", "targetStorageClass": "archive"},
        "selection": {"tagStatus": "any", "countType": "sinceImagePulled", "countUnit": "days", "countNumber": 30},
    }]));
    let world = world();
    world.shelve([ShelfImage::new("live", &["staging-latest"], 90.0)]);
    let ended = preview(&world, &["--policy", &file]);
    assert_eq!(ended.code, Some(3), "{ended}");
    assert!(ended.stdout.contains("archived by rule 1") && ended.stdout.contains("the tag staging-latest names it"), "{ended}");
}

#[test]
fn a_policy_that_aws_would_refuse_is_refused_before_anyone_is_asked_with_all_that_is_wrong() {
    let world = world();
    let mut second = keep(2, 0);
    second["selection"]["countUnit"] = Value::Null;
    let (_folder, file) = policy(&json!([keep(1, 1), second]));
    for ended in [preview(&world, &["--policy", &file]), lifecycle(None, &["check", &file])] {
        assert_eq!(ended.code, Some(2), "{ended}");
        ended.says("rules[0]: a rule for any image acts last");
        ended.says("Rule for tagStatus=ANY must have the lowest priority per storage class");
        ended.says("rules[1].selection.countUnit: null is not the same as leaving it out");
        ended.says("rules[1].selection.countNumber: an integer from 1 to 2147483647 is expected");
    }
    for arguments in
        [&["--preset", "none"][..], &["--preset", "simple", "--policy", &file], &["--pulled-within", "soon"], &["--keep", "a b"]]
    {
        assert_eq!(preview(&world, arguments).code, Some(2), "{arguments:?}");
    }
    assert!(world.calls().is_empty(), "{:?}", world.calls());
}

#[test]
fn without_a_policy_of_its_own_it_is_the_one_that_the_repository_has() {
    let world = world();
    world.shelve([ShelfImage::new("a", &["a"], 2.0), ShelfImage::new("b", &["b"], 1.0)]);
    let (code, none) = seen(&world, &[]);
    assert_eq!((code, &none["policy"], &none["images"][0]["outcome"]), (Some(0), &Value::Null, &json!("unselected")));
    assert_eq!(world.count(Call::StartLifecyclePolicyPreview), 0, "there is nothing to look at");
    world.set_lifecycle_policy(&json!({"rules": [keep(1, 1)]}).to_string());
    let (code, seen) = seen(&world, &[]);
    assert_eq!((code, &seen["images"][0]["outcome"], &seen["images"][0]["tags"]), (Some(0), &json!("deleted"), &json!(["a"])));
    assert_eq!(seen["policy"], "the policy that is in force");
}

#[test]
fn what_aws_says_otherwise_is_said_and_counts() {
    let (_folder, file) = policy(&json!([keep(1, 2)]));
    let world = world();
    let live = ShelfImage::new("live", &["prod"], 3.0);
    world.shelve([live.clone(), ShelfImage::new("b", &["b"], 2.0)]);
    // What AWS sees once the images are read.
    let held = world.hold(Call::StartLifecyclePolicyPreview, 1);
    let (code, seen) = std::thread::scope(|scope| {
        let run = scope.spawn(|| seen(&world, &["--policy", &file]));
        held.arrived();
        world.shelve([ShelfImage::new("c", &["c"], 1.0)]);
        held.release();
        run.join().unwrap()
    });
    let different = &seen["confirmation"]["different"][0];
    assert_eq!(
        (&different["digest"], &different["rule"], &different["rule-by-aws"]),
        (&json!(live.digest()), &Value::Null, &json!(1))
    );
    assert_eq!((code, &seen["refused"][0]["must-stay"]), (Some(3), &json!({"tag": "prod"})), "{seen:#}");
}

#[test]
fn a_role_that_may_not_have_aws_preview_is_told_so_and_still_sees_ours() {
    for without in ["ecr:StartLifecyclePolicyPreview", "ecr:GetLifecyclePolicyPreview"] {
        let world = world();
        world.shelve([ShelfImage::new("a", &["a"], 2.0)]);
        let allowed: Vec<&str> = READ.into_iter().filter(|action| *action != without).collect();
        world.allow(&allowed);
        let ended = preview(&world, &["--preset", "simple"]);
        assert_eq!(ended.code, Some(0), "{ended}");
        assert!(ended.stdout.contains(&format!("does not confirm this: the role lacks {without}.")), "{ended}");
    }
}

#[test]
fn a_role_that_may_not_read_the_images_is_told_which_permission_it_lacks() {
    for without in ["ecr:DescribeImages", "ecr:BatchGetImage", "ecr:GetLifecyclePolicy"] {
        let world = world();
        let child = ShelfImage::new("a", &[], 2.0);
        world.shelve([ShelfImage::index(&["v1"], 2.0, &[&child]), child]);
        let allowed: Vec<&str> = READ.into_iter().filter(|action| *action != without).collect();
        world.allow(&allowed);
        let ended = preview(&world, &[]);
        assert_eq!(ended.code, Some(1), "{ended}");
        ended.says(&format!("AWS does not allow {without} in team/app"));
    }
    let world = World::options().no_repository().start();
    world.allow(&READ);
    let ended = preview(&world, &["--preset", "simple"]);
    assert_eq!(ended.code, Some(1), "{ended}");
    ended.says("There is no repository team/app in eu-central-1");
}

#[test]
fn the_policy_that_is_printed_for_it_is_enough_for_a_preview() {
    let world = World::options().start();
    let source = source();
    let flags = run(&world, &source, "policy").flag("--aws-account-id", &world.account());
    let printed = Ended::from(flags.command().arg("lifecycle").output().unwrap());
    world.set_role_policy(&serde_json::from_str(&printed.stdout).unwrap_or_else(|_| panic!("{printed}")));
    let child = ShelfImage::new("a", &[], 2.0);
    world.shelve([ShelfImage::index(&["v1"], 2.0, &[&child]), child]);
    world.set_lifecycle_policy(&json!({"rules": [keep(1, 1)]}).to_string());
    let (code, seen) = seen(&world, &[]);
    assert_eq!((code, &seen["confirmation"]), (Some(0), &json!("same")));
}

#[test]
fn faults_that_pass_are_overcome_and_those_that_last_are_said() {
    let calls = [Call::DescribeImages, Call::BatchGetImage, Call::StartLifecyclePolicyPreview, Call::GetLifecyclePolicyPreview];
    for call in calls {
        let world = world();
        let child = ShelfImage::new("a", &[], 2.0);
        world.shelve([ShelfImage::index(&["v1"], 2.0, &[&child]), child]);
        for fault in [Fault::Status(503), Fault::Throttle, Fault::Silence] {
            world.fail(call, Times::Once, fault);
            let ended = preview(&world, &["--preset", "simple"]);
            // A start whose answer was lost is asked for again, and then one is being made already.
            assert_eq!(ended.code, Some(0), "{call:?} {fault:?}: {ended}");
            world.mend(call);
            // Where the answer was lost, a preview is still being made.
            let settled = (0..3).any(|_| preview(&world, &["--preset", "simple"]).stdout.contains("says the same"));
            assert!(settled, "{call:?} {fault:?}");
        }
        world.fail(call, Times::Always, Fault::Status(503));
        let ended = preview(&world, &["--preset", "simple"]);
        assert_eq!(ended.code, Some(1), "{call:?}: {ended}");
        ended.says("Amazon ECR reports an internal error");
        world.mend(call);
    }
}

#[test]
fn every_page_is_read() {
    let world = world();
    world.shelve((0..2_345).map(|at| ShelfImage::new(&format!("{at}"), &[&format!("a{at}")], 1.0 + f64::from(at))));
    let (code, seen) = seen(&world, &["--preset", "simple"]);
    let deleted = seen["images"].as_array().unwrap().iter().filter(|row| row["outcome"] == "deleted").count();
    assert_eq!((code, deleted, &seen["confirmation"]), (Some(0), 2_335, &json!("same")));
    assert_eq!(world.count(Call::DescribeImages), 3);
}

#[test]
fn a_preset_is_printed_as_aws_takes_it_with_what_is_to_be_looked_at_beside_it() {
    let listed = lifecycle(None, &["presets"]);
    assert_eq!(listed.code, Some(0), "{listed}");
    for name in ["simple", "environments", "environments-safe"] {
        assert!(listed.stdout.contains(&format!("{name}: ")), "{listed}");
        let printed = lifecycle(None, &["presets", "--print", name]);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("policy.json");
        fs::write(&file, &printed.stdout).unwrap();
        let checked = lifecycle(None, &["check", file.to_str().unwrap(), "--print"]);
        assert_eq!(checked.code, Some(0), "{checked}");
        let json = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        assert_eq!(json(&checked.stdout), json(&printed.stdout));
        assert_eq!(printed.stderr.contains("is not safe"), name != "environments-safe", "{printed}");
    }
    assert_eq!(lifecycle(None, &["presets", "--print", "none"]).code, Some(2));
}
