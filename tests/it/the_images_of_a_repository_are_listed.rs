//! The images of a repository of Amazon ECR are listed with what ECR found in them and what claims to sign them; what is no
//! result, was not asked for or may not be seen is said.

use std::process::Command;

use doubles::aws::{Call, Fault, ImageScan, ShelfImage, Times, World};
use serde_json::{Value, json};

use crate::support::Ended;
use crate::support::keyless::{run, source};

const ALL: [&str; 3] = ["ecr:DescribeImages", "ecr:DescribeImageScanFindings", "ecr:DescribeImageSigningStatus"];
const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

fn images(world: &World, arguments: &[&str]) -> Ended {
    let home = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_gp-deliver"));
    command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", home.path()).envs(world.variables());
    command.args(["images", &world.repository(), "--role-to-assume", &world.role()]);
    Ended::from(command.args(arguments).output().unwrap())
}

fn listed(world: &World, arguments: &[&str]) -> (Option<i32>, Value) {
    let ended = images(world, &[arguments, &["--json"]].concat());
    (ended.code, serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("{ended}")))
}

/// A world whose ECR has scanned and signed.
fn world() -> World {
    let world = World::options().start();
    world.allow(&ALL);
    world.scan(ImageScan::basic().finds("CVE-1", "LOW", "a").finds("CVE-2", "CRITICAL", "a").finds("CVE-3", "LOW", "b"));
    let profile =
        json!({"signingProfileArn": "arn:aws:signer:eu-central-1:012345678901:/signing-profiles/p", "status": "COMPLETE"});
    world.answer("DescribeImageSigningStatus", json!({"signingStatuses": [profile]}));
    world
}

#[test]
fn each_image_is_listed_with_its_scan_and_with_what_claims_to_sign_it() {
    let world = world();
    let app = ShelfImage::new("app", &["v1", "prod"], 2.0);
    let old = ShelfImage::new("old", &["v0"], 9.0).archived(1.0);
    let signature = ShelfImage::new("signature", &[], 2.0).of(&app).artifact(BUNDLE);
    let list = ShelfImage::new("sbom", &[], 2.0).of(&app).artifact("application/spdx+json");
    let by_tag = ShelfImage::new("by tag", &[&format!("{}.sig", old.digest().replace(':', "-"))], 8.0);
    world.shelve([old.clone(), signature, list, app.clone(), by_tag.clone()]);
    let (code, seen) = listed(&world, &[]);
    let rows = seen["images"].as_array().unwrap();
    let digests: Vec<_> = rows.iter().map(|row| row["digest"].as_str().unwrap().to_owned()).collect();
    assert_eq!((code, digests), (Some(0), vec![app.digest(), by_tag.digest(), old.digest()]), "the newest first: {seen:#}");
    assert_eq!(rows[0]["tags"], json!(["v1", "prod"]));
    assert_eq!(rows[0]["size"], 1_000_000);
    assert_eq!(rows[0]["scan"]["found"]["counts"], json!({"CRITICAL": 1, "LOW": 2}));
    assert_eq!(rows[0]["referrers"], json!({BUNDLE: 1, "application/spdx+json": 1}));
    let profile = "arn:aws:signer:eu-central-1:012345678901:/signing-profiles/p";
    assert_eq!(rows[0]["managed-signing"], json!({"profiles": {profile: "COMPLETE"}}));
    assert_eq!(rows[1]["referrers"], json!({}));
    let named = json!({"application/vnd.dev.cosign.simplesigning.v1+json": 1});
    assert_eq!((&rows[2]["archived"], &rows[2]["referrers"]), (&json!(true), &named));
    let table = images(&world, &[]);
    for says in ["v1, prod", &app.digest(), "1 CRITICAL and 2 LOW", "1 signature or attestation, 1 other and COMPLETE by arn:aws"]
    {
        assert!(table.stdout.contains(says), "{says}: {table}");
    }
}

#[test]
fn a_scan_that_is_no_result_is_never_nothing_found() {
    let world = world();
    world.shelve([ShelfImage::new("app", &["v1"], 2.0)]);
    for status in ["FAILED", "UNSUPPORTED_IMAGE", "IN_PROGRESS", "SOMETHING_NEW"] {
        world.scan(ImageScan::basic().status(status));
        let table = images(&world, &[]);
        let says = format!("no result: its state is {status}");
        assert!(table.stdout.contains(&says) && !table.stdout.contains("nothing found"), "{table}");
    }
    world.scan(ImageScan::basic());
    assert!(images(&world, &[]).stdout.contains("nothing found"));
}

#[test]
fn every_page_is_read_and_what_was_not_asked_for_is_said() {
    let world = world();
    world.shelve((0..2_345).map(|at| ShelfImage::new(&format!("{at}"), &[&format!("a{at}")], 1.0 + f64::from(at))));
    let (code, seen) = listed(&world, &["--details", "2"]);
    let rows = seen["images"].as_array().unwrap();
    assert_eq!((code, rows.len(), world.count(Call::DescribeImages)), (Some(0), 2_345, 3));
    assert_eq!(world.count(Call::OtherEcr), 4, "of two images, two requests each");
    assert_eq!((&rows[0]["tags"], &rows[2]["scan"]), (&json!(["a0"]), &json!("not-asked")));
    assert!(images(&world, &["--details", "0"]).stdout.contains("were not asked for of the 2345 oldest"));
}

#[test]
fn what_the_role_may_not_see_is_a_word_in_the_list_and_a_list_that_it_may_not_see_is_an_error() {
    for without in ALL {
        let world = world();
        world.shelve([ShelfImage::new("app", &["v1"], 2.0)]);
        let allowed: Vec<&str> = ALL.into_iter().filter(|action| *action != without).collect();
        world.allow(&allowed);
        let ended = images(&world, &[]);
        assert_eq!(ended.code, Some(1), "{ended}");
        if without == "ecr:DescribeImages" {
            ended.says("AWS does not allow ecr:DescribeImages in team/app");
        } else {
            assert!(ended.stdout.contains("v1") && ended.stdout.contains(&format!("The role lacks {without}.")), "{ended}");
        }
    }
    let world = World::options().no_repository().start();
    world.allow(&ALL);
    let ended = images(&world, &[]);
    assert_eq!(ended.code, Some(1), "{ended}");
    ended.says("There is no repository team/app in eu-central-1");
}

#[test]
fn a_fault_that_lasts_ends_the_list() {
    for call in [Call::DescribeImages, Call::OtherEcr] {
        let world = world();
        world.shelve([ShelfImage::new("app", &["v1"], 2.0)]);
        world.fail(call, Times::Once, Fault::Status(503));
        assert_eq!(images(&world, &[]).code, Some(0), "{call:?}");
        world.fail(call, Times::Always, Fault::Status(503));
        let ended = images(&world, &[]);
        assert_eq!(ended.code, Some(1), "{ended}");
        ended.says("Amazon ECR reports an internal error");
    }
}

#[test]
fn the_policy_that_is_printed_for_it_is_enough_for_the_list() {
    let world = world();
    let source = source();
    let flags = run(&world, &source, "policy").flag("--aws-account-id", &world.account());
    let printed = Ended::from(flags.command().arg("images").output().unwrap());
    world.set_role_policy(&serde_json::from_str(&printed.stdout).unwrap_or_else(|_| panic!("{printed}")));
    world.shelve([ShelfImage::new("app", &["v1"], 2.0)]);
    assert_eq!(listed(&world, &[]).0, Some(0));
}
