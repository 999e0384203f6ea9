//! Of an image in Amazon ECR, `verify` says what ECR itself knows: whether the tag may be moved, what ECR's scan found, whether
//! ECR has signed it. What is no result is said, and where ECR was asked for, it fails.

use std::process::Command;

use doubles::aws::{Call, Fault, ImageScan, PUSH, ShelfImage, Times, World};
use serde_json::{Value, json};

use crate::support::Source;
use crate::support::keyless::{deliver, sha, source};
use crate::support::{Ended, part};
use crate::what_is_delivered_is_signed::SIGNER;

/// What the rows need besides a push.
const ROWS: [&str; 4] =
    ["ecr:DescribeRepositories", "ecr:DescribeImageScanFindings", "ecr:DescribeImageSigningStatus", "ecr:GetLifecyclePolicy"];

/// Looks at what a tag names, by a role at AWS.
fn verify(world: &World, source: &Source, tag: &str, flags: &[&str]) -> (Option<i32>, Value) {
    let token = source.beside("token");
    std::fs::write(&token, world.token("sts.amazonaws.com")).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_gp-deliver"));
    command.env_clear().env("HOME", source.beside("home")).envs(world.variables());
    command.env("AWS_ROLE_ARN", world.role()).env("AWS_WEB_IDENTITY_TOKEN_FILE", &token);
    command.args(["verify", &format!("{}/{}:{tag}", world.host(), world.repository()), "--json", "--identity", SIGNER]);
    command.args(["--sigstore-trusted-root", &format!("{}/trusted_root.json", part("SIGSTORE"))]);
    let ended = Ended::from(command.args(flags).output().unwrap());
    let table = serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("{flags:?}: {ended}"));
    (ended.code, table)
}

fn row<'a>(table: &'a Value, check: &str) -> (&'a str, &'a str) {
    let row = table["rows"].as_array().unwrap().iter().find(|row| row["check"] == check);
    let row = row.unwrap_or_else(|| panic!("{check}: {table}"));
    (row["state"].as_str().unwrap(), row["says"].as_str().unwrap())
}

#[test]
fn what_ecr_knows_of_an_image_is_said() {
    let world = World::options().tags(doubles::aws::Mutability::ImmutableWithExclusion, &["latest"]).start();
    let source = source();
    world.allow(&[&PUSH[..], &ROWS].concat());
    deliver(&world, &source).ends_with(0);
    let suppressed = json!({ "status": "SUPPRESSED" });
    let scan = ImageScan::enhanced().finds("CVE-1", "LOW", "a").finds("CVE-2", "CRITICAL", "a").finds("CVE-1", "LOW", "b");
    // To the last page, as the gate reads it.
    world.scan(scan.finds_with("CVE-3", "HIGH", "a", &suppressed).pages_of(1));
    let failed = json!({
        "signingProfileArn": "arn:aws:signer:eu-central-1:012345678901:/signing-profiles/p", "status": "FAILED",
        "failureCode": "AccessDenied", "failureReason": "not allowed",
    });
    world.answer("DescribeImageSigningStatus", json!({ "signingStatuses": [failed] }));
    let (_, table) = verify(&world, &source, &sha(&source), &["--ecr"]);
    let (state, says) = row(&table, "tag");
    assert!(state == "holds" && says.contains("is fixed") && says.contains("but latest"), "{says}");
    let (state, says) = row(&table, "ECR scan");
    let found = "1 CRITICAL and 2 LOW found by ECR's enhanced scan, and 1 that Amazon Inspector does not have as open, 20";
    assert!(state == "note" && says.starts_with(found), "{says}");
    let (state, says) = row(&table, "ECR signing");
    assert!(state == "fails" && says.contains("signer:SignPayload"), "{says}");
    assert_eq!(row(&table, "lifecycle"), ("note", "the repository has no policy: the image does not expire"));
    let (_, table) = verify(&world, &source, "latest", &["--ecr"]);
    let (state, says) = row(&table, "tag");
    assert!(state == "note" && says.contains("may be moved"), "{says}");
    // Where that may not be.
    let policy = source.beside("policy.yaml");
    std::fs::write(&policy, "ecr:\n  immutable-tag: true\n").unwrap();
    let (code, table) = verify(&world, &source, "latest", &["--policy", policy.to_str().unwrap()]);
    assert_eq!((code, row(&table, "tag").0), (Some(3), "fails"), "{table}");
}

#[test]
fn it_is_said_which_rule_of_the_repositorys_policy_takes_the_image_and_when() {
    let world = World::options().start();
    let source = source();
    let shows = ["ecr:DescribeImages", "ecr:BatchGetImage"];
    world.allow(&[&PUSH[..], &ROWS, &shows].concat());
    deliver(&world, &source).ends_with(0);
    let digest = world.tags()[&sha(&source)].clone();
    let policy = |kind: &str, unit: Value| {
        let mut selection = json!({"tagStatus": "any", "countType": kind, "countNumber": 3});
        if unit != Value::Null {
            selection["countUnit"] = unit;
        }
        json!({"rules": [{"rulePriority": 7, "action": {"type": "expire"}, "selection": selection}]}).to_string()
    };
    world.set_lifecycle_policy(&policy("imageCountMoreThan", Value::Null));
    let says = || {
        let (_, table) = verify(&world, &source, &sha(&source), &["--ecr"]);
        let (state, says) = row(&table, "lifecycle");
        format!("{state}: {says}")
    };
    assert!(says().starts_with("fails: not known") && says().contains("Amazon ECR does not list the image"), "{}", says());
    world.shelve([ShelfImage::new("delivered", &["v1"], 5.0).under(&digest)]);
    assert_eq!(says(), "note: kept by rule 7; goes after 3 more images that it selects");
    world.set_lifecycle_policy(&policy("sinceImagePushed", "days".into()));
    assert_eq!(says(), "fails: deleted by rule 7");
    world.allow(&[&PUSH[..], &ROWS].concat());
    assert!(says().starts_with("fails: the image may expire, and when is not known"), "{}", says());
}

#[test]
fn what_is_no_result_of_ecrs_is_said_and_fails_where_ecr_was_asked_for() {
    let world = World::options().start();
    let source = source();
    world.allow(&[&PUSH[..], &ROWS].concat());
    deliver(&world, &source).ends_with(0);
    world.answer("DescribeImageSigningStatus", json!({ "signingStatuses": [] }));
    for status in ["FAILED", "UNSUPPORTED_IMAGE", "SCAN_ELIGIBILITY_EXPIRED", "IN_PROGRESS", "PENDING", "SOMETHING_NEW"] {
        world.scan(ImageScan::enhanced().status(status));
        let (_, table) = verify(&world, &source, "latest", &["--ecr"]);
        let (state, says) = row(&table, "ECR scan");
        assert!(state == "fails" && says.contains("no result") && says.contains(status), "{status}: {says}");
    }
    // What is no result to a gate is none here.
    for (scan, words) in [
        (ImageScan::enhanced().unended(), "its first scan has not ended"),
        (ImageScan::basic().unended(), "the time of the scan"),
        (ImageScan::basic().counts(1), "all the findings that it counts"),
        (ImageScan::basic().of_another(), "the image that was asked for"),
    ] {
        world.scan(scan);
        let (_, table) = verify(&world, &source, "latest", &["--ecr"]);
        let (state, says) = row(&table, "ECR scan");
        assert!(state == "fails" && says.contains("no result") && says.contains(words), "{words}: {says}");
    }
    // A role that may not ask.
    world.allow(&PUSH);
    let (_, table) = verify(&world, &source, "latest", &["--ecr"]);
    for check in ["tag", "ECR scan", "ECR signing", "lifecycle"] {
        let (state, says) = row(&table, check);
        assert!(state == "fails" && says.contains("not") && !says.contains("nothing found"), "{check}: {says}");
    }
    // By the address it is nobody's: it is not asked, and nothing is said.
    let calls = world.calls().len();
    let mut command = Command::new(env!("CARGO_BIN_EXE_gp-deliver"));
    command.env_clear().env("HOME", source.beside("home")).envs(world.variables());
    let image = format!("{}/{}:latest", world.host(), world.repository());
    let ended = Ended::from(command.args(["verify", &image, "--identity", SIGNER]).output().unwrap());
    assert_eq!(ended.code, Some(1), "{ended}");
    assert!(!ended.stdout.contains("ECR") && world.calls().len() > calls, "{ended}");
}

#[test]
fn an_ecr_that_fails_has_said_nothing() {
    let world = World::options().start();
    let source = source();
    world.allow(&[&PUSH[..], &ROWS].concat());
    deliver(&world, &source).ends_with(0);
    world.scan(ImageScan::basic());
    world.answer("DescribeImageSigningStatus", json!({ "signingStatuses": [] }));
    for fault in [Fault::Refused, Fault::Status(500), Fault::Throttle, Fault::Wrong, Fault::Cut] {
        let calls = [Call::OtherEcr, Call::GetLifecyclePolicy];
        calls.iter().for_each(|call| world.fail(*call, Times::Always, fault));
        let (_, table) = verify(&world, &source, "latest", &["--ecr"]);
        for check in ["ECR scan", "ECR signing", "lifecycle"] {
            let (state, says) = row(&table, check);
            assert!(state == "fails" && !says.contains("nothing found"), "{fault:?}: {check}: {says}");
        }
        calls.iter().for_each(|call| world.mend(*call));
    }
    let (_, table) = verify(&world, &source, "latest", &["--ecr"]);
    let (state, says) = row(&table, "ECR scan");
    assert!(state == "note" && says.starts_with("nothing found by ECR's basic scan, 20"), "{says}");
}
