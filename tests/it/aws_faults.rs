//! Whatever call of a delivery fails: once, and it is delivered in the end; always, and nothing is visible. Killed at any
//! stage and run again, it is delivered, and nothing is there twice.

use std::process::Stdio;

use doubles::aws::{Call, Fault, Times, World};

use crate::support::Source;
use crate::support::keyless::{deliver, sha, source};

/// Every call that a delivery makes.
const CALLS: [Call; 14] = [
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
    Call::BlobContent,
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
    assert_eq!(tags.values().filter(|named| *named == digest).count(), 3, "{tags:?}");
}

/// A commit for each call, in one world.
fn every_call_overcomes(fault: Fault) {
    let (world, source) = begun();
    for call in CALLS {
        source.write("file", &format!("{call:?}\n"));
        source.commit("another");
        world.fail(call, Times::Once, fault);
        let ended = deliver(&world, &source).output();
        assert_eq!(ended.code, Some(0), "{call:?} {fault:?}: {ended}");
        delivered(&world, &source);
        world.mend(call);
    }
}

#[test]
fn a_service_that_fails_once_is_overcome() {
    every_call_overcomes(Fault::Status(503));
}

#[test]
fn a_service_that_wants_fewer_requests_once_is_overcome() {
    every_call_overcomes(Fault::Throttle);
}

#[test]
fn an_answer_that_is_lost_once_is_overcome() {
    every_call_overcomes(Fault::Silence);
}

#[test]
fn an_answer_that_is_cut_once_is_overcome() {
    every_call_overcomes(Fault::Cut);
}

#[test]
fn a_call_that_always_fails_leaves_no_new_tag_and_moves_none() {
    let (world, source) = begun();
    let before = world.tags();
    // A new commit needs no content of an image that is there.
    for call in CALLS.into_iter().filter(|call| !matches!(call, Call::BlobGet | Call::BlobContent)) {
        // What an attempt before has sent is there, so each has something of its own to send.
        source.write("file", &format!("{call:?}\n"));
        source.commit("another");
        world.fail(call, Times::Always, Fault::Status(503));
        let ended = deliver(&world, &source).output();
        assert_eq!(ended.code, Some(1), "{call:?}: {ended}");
        assert_eq!(world.tags(), before, "{call:?}");
        world.mend(call);
    }
    deliver(&world, &source).ends_with(0);
    delivered(&world, &source);
}

#[test]
fn a_session_that_is_over_before_its_time_is_replaced_and_one_that_came_in_its_place_is_not() {
    // The registry is logged in to once more after the build.
    let world = World::options().first_password_lifetime(2).start();
    let dockerfile = format!("FROM debian:bookworm-slim\nRUN sleep 3; : {}\nCOPY . /app/\n", world.account());
    let source = Source::in_git(&[("Dockerfile", &dockerfile), ("file", "1\n")]);
    let asked = || [Call::IdToken, Call::AssumeRole, Call::GetAuthorizationToken].map(|call| world.count(call));
    world.fail(Call::GetAuthorizationToken, Times::Once, Fault::Delay(0));
    world.fail(Call::GetAuthorizationToken, Times::Once, Fault::SessionEnds);
    deliver(&world, &source).ends_with(0);
    assert_eq!(asked(), [2, 2, 3]);
    // One that is never good.
    source.write("file", "2\n");
    source.commit("second");
    let before = world.tags();
    world.fail(Call::GetAuthorizationToken, Times::Always, Fault::SessionEnds);
    deliver(&world, &source).ends_with(1).says("The AWS credentials have expired");
    assert_eq!((asked(), world.tags()), ([4, 4, 5], before));
}

#[test]
fn content_that_is_changed_on_the_way_is_never_believed() {
    let (world, source) = begun();
    deliver(&world, &source).ends_with(0);
    let before = world.tags();
    // To another environment: the image is fetched and judged.
    for call in [Call::ManifestGet, Call::BlobContent] {
        world.fail(call, Times::Always, Fault::Corrupt);
        deliver(&world, &source).flag("--environment", "test").ends_with(1).says("hashes to");
        assert_eq!(world.tags(), before, "{call:?}");
        world.mend(call);
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
        // A server does what has arrived as a whole, whoever has gone since; all else ends with the one who asked.
        if call != Call::UploadPut {
            held.gone();
        }
        held.release();
        let ended = deliver(&world, &source).output();
        assert_eq!(ended.code, Some(0), "{call:?} {nth}: {ended}");
        delivered(&world, &source);
    }
}
