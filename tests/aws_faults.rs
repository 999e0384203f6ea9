//! Whatever call of a delivery fails: once, and it is delivered in the end; always, and nothing is visible. Killed at any
//! stage and run again, it is delivered, and nothing is there twice.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "support/aws/mod.rs"]
mod aws;
#[path = "support/keyless.rs"]
mod keyless;
#[path = "support/registry.rs"]
mod registry;
mod support;

use std::process::Stdio;

use aws::{Call, Fault, Times, World};
use keyless::{deliver, sha, source};
use support::Source;

/// Every call that a delivery makes.
const CALLS: [Call; 13] = [
    Call::IdToken,
    Call::AssumeRole,
    Call::GetAuthorizationToken,
    Call::DescribeRepositories,
    Call::Ping,
    Call::ManifestGet,
    Call::ManifestHead,
    Call::BlobHead,
    Call::UploadStart,
    Call::UploadPut,
    Call::ManifestPutByDigest,
    Call::ManifestPutTag,
    Call::BlobGet,
];

/// A world in which a first commit is delivered, and a second waits.
fn begun() -> (World, Source) {
    let world = World::options().also_allow(&["ecr:DescribeRepositories", "ecr:BatchDeleteImage"]).start();
    let source = source();
    deliver(&world, &source).ends_with(0);
    source.write("file", "2\n");
    source.commit("second");
    (world, source)
}

fn delivered(world: &World, source: &Source) {
    let (sha, tags) = (sha(source), world.tags());
    let digest = &tags[&sha];
    assert_eq!((&tags[&format!("dev-{sha}")], &tags["latest"]), (digest, digest), "{tags:?}");
    assert_eq!(tags.len(), 5, "{tags:?}");
}

fn every_call_overcomes(faults: &[Fault]) {
    for fault in faults {
        for call in CALLS {
            let (world, source) = begun();
            world.fail(call, Times::Once, *fault);
            let ended = deliver(&world, &source).output();
            assert_eq!(ended.code, Some(0), "{call:?} {fault:?}: {ended}");
            delivered(&world, &source);
        }
    }
}

#[test]
fn a_service_that_fails_once_is_overcome() {
    every_call_overcomes(&[Fault::Status(503)]);
}

#[test]
fn a_service_that_wants_fewer_requests_once_is_overcome() {
    every_call_overcomes(&[Fault::Throttle]);
}

#[test]
fn an_answer_that_is_lost_once_is_overcome() {
    every_call_overcomes(&[Fault::Silence]);
}

#[test]
fn an_answer_that_is_cut_once_is_overcome() {
    every_call_overcomes(&[Fault::Cut]);
}

#[test]
fn a_call_that_always_fails_leaves_no_new_tag_and_moves_none() {
    for call in CALLS {
        let (world, source) = begun();
        let before = world.tags();
        world.fail(call, Times::Always, Fault::Status(503));
        let ended = deliver(&world, &source).output();
        if ended.code == Some(0) {
            // What a new commit does not need: the configuration of an image that is there.
            assert!(matches!(call, Call::BlobGet), "{call:?}: {ended}");
            continue;
        }
        assert_eq!(ended.code, Some(1), "{call:?}: {ended}");
        assert_eq!(world.tags(), before, "{call:?}: {ended}");
    }
}

#[test]
fn content_that_is_changed_on_the_way_is_never_believed() {
    for call in [Call::ManifestGet, Call::BlobGet] {
        let (world, source) = begun();
        world.fail(call, Times::Always, Fault::Corrupt);
        let before = world.tags();
        if deliver(&world, &source).output().code == Some(1) {
            assert_eq!(world.tags(), before);
        }
    }
}

#[test]
fn a_delivery_that_is_killed_at_any_stage_is_delivered_when_it_is_run_again() {
    let stages = [
        (Call::IdToken, 1),
        (Call::AssumeRole, 1),
        (Call::GetAuthorizationToken, 1),
        (Call::ManifestGet, 1),
        (Call::UploadStart, 1),
        (Call::UploadPut, 1),
        (Call::ManifestPutByDigest, 1),
        (Call::ManifestPutTag, 1),
        (Call::ManifestPutTag, 2),
        (Call::ManifestPutTag, 3),
    ];
    for (call, nth) in stages {
        let (world, source) = begun();
        let held = world.hold(call, world.count(call) + nth);
        let mut process = deliver(&world, &source).command().stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        held.arrived();
        process.kill().unwrap();
        process.wait().unwrap();
        held.release();
        let ended = deliver(&world, &source).output();
        assert_eq!(ended.code, Some(0), "{call:?} {nth}: {ended}");
        delivered(&world, &source);
    }
}
