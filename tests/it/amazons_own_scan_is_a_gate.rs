//! With `ecr-scan`, Amazon ECR's own scan of exactly the image that was pushed is waited for and told beside trivy's; as a gate
//! it decides before a tag can be seen, and what is no result is never taken for a clean one.

use std::process::Command;

use doubles::aws::{Call, Fault, ImageScan, PUSH, Times, World};
use serde_json::{Value, json};

use crate::support::keyless::{deliver, run, source};
use crate::support::{Delivery, Ended, Source};

/// What a reader of the findings may do besides a push.
const READ: &str = "ecr:DescribeImageScanFindings";

fn world() -> World {
    World::options().also_allow(&[READ]).start()
}

/// A delivery to where vulnerabilities block.
fn gated(world: &World, source: &Source) -> Delivery {
    deliver(world, source).flag("--environment", "prod").flag("--ecr-scan", "gate").flag("--ecr-scan-wait", "1s")
}

/// The images that were asked for, and how many tags were set before the first of them.
fn asked(world: &World) -> (Vec<String>, usize) {
    let calls = world.calls();
    let is_scan = |document: &str| serde_json::from_str::<Value>(document).is_ok_and(|asked| asked["maxResults"].is_u64());
    let scans = calls.iter().enumerate().filter(|(_, entry)| entry.call == Call::OtherEcr && is_scan(&entry.document));
    let scans: Vec<_> = scans.collect();
    let first = scans.first().map_or(calls.len(), |(at, _)| *at);
    let tagged = calls[..first].iter().filter(|entry| entry.call == Call::ManifestPutTag).count();
    let digest = |document: &str| serde_json::from_str::<Value>(document).unwrap()["imageId"]["imageDigest"].clone();
    (scans.iter().map(|(_, entry)| digest(&entry.document).as_str().unwrap().to_owned()).collect(), tagged)
}

fn sarif(source: &Source) -> Value {
    let sarif = std::fs::read_to_string(source.beside("report/sarif/ecr.sarif")).unwrap();
    serde_json::from_str::<Value>(&sarif).unwrap()["runs"][0].clone()
}

#[test]
fn a_gate_waits_for_the_scan_of_exactly_what_was_pushed() {
    let (world, source) = (world(), source());
    world.scan(ImageScan::basic().after(1, 1).finds("CVE-2026-1", "MEDIUM", "zlib"));
    gated(&world, &source).flag("--ecr-scan-wait", "1m").flag("--platforms", "linux/amd64,linux/arm64").ends_with(0);
    let record = source.record();
    let images: Vec<_> =
        record["image"]["platforms"].as_array().unwrap().iter().map(|one| one["digest"].as_str().unwrap().to_owned()).collect();
    let (mut asked, tagged) = asked(&world);
    assert_eq!((asked.len(), tagged), (6, 0), "each is asked for three times, before a tag is there");
    asked.sort();
    asked.dedup();
    assert_eq!(asked.len(), 2);
    assert!(asked.iter().all(|digest| images.contains(digest)), "{asked:?} {images:?}");
    assert_eq!(world.tags().len(), 3);
    let scan = &record["registry_scan"];
    assert_eq!((&scan["images"][0]["result"], &scan["findings"][0]["by-trivy"]), (&json!("basic"), &json!(false)), "{scan}");
    assert_eq!(scan["findings"][0]["counts"], false, "{scan}");
    assert!(source.summary().contains("CVE-2026-1") && source.summary().contains("ECR alone"));
    let run = sarif(&source);
    assert_eq!((&run["results"][0]["ruleId"], run["results"].as_array().unwrap().len()), (&json!("CVE-2026-1"), 1));
    assert_eq!(run["automationDetails"]["id"], "gp-deliver/ecr/team/app/");
}

#[test]
fn what_the_scan_finds_blocks_where_vulnerabilities_do_and_no_tag_can_be_seen() {
    let (world, source) = (world(), source());
    for scan in [
        ImageScan::basic().finds("CVE-2026-2", "HIGH", "zlib"),
        ImageScan::basic().finds("CVE-2026-2", "UNDEFINED", "zlib"),
        ImageScan::enhanced().finds("CVE-2026-2", "UNTRIAGED", "zlib"),
        // Read to the last page, where the one that counts is.
        ImageScan::enhanced().pages_of(2).finds("CVE-1", "LOW", "a").finds("CVE-1", "LOW", "b").finds(
            "CVE-2026-2",
            "CRITICAL",
            "c",
        ),
    ] {
        world.scan(scan);
        gated(&world, &source).ends_with(3).says("1 vulnerability rated HIGH or worse by Amazon ECR's scan");
        assert_eq!(world.tags().len(), 0);
        let record = source.record();
        assert_eq!((&record["result"], &record["registry_scan"]["findings"][0]["id"]), (&json!("blocked"), &json!("CVE-2026-2")));
        assert_eq!(record["publication"], Value::Null);
        assert_eq!(sarif(&source)["results"][0]["ruleId"], "CVE-2026-2");
    }
    // Where they only advise, so does this.
    gated(&world, &source)
        .flag("--environment", "dev")
        .ends_with(0)
        .says("by Amazon ECR's scan would block it at test, staging and prod");
    assert_eq!(world.tags().len(), 3);
    // An image that is there, and lacks a tag, is held against it too.
    let before = asked(&world).0.len();
    gated(&world, &source).flag("--environment", "dev").flag("--tags", "{sha},{env}-{sha},latest,more").ends_with(0);
    assert!(asked(&world).0.len() > before && source.record()["registry_scan"]["findings"][0]["by-trivy"] == Value::Null);
}

#[test]
fn what_is_no_result_fails_the_delivery_with_no_tag_visible_and_is_never_clean() {
    let (world, source) = (world(), source());
    let states = [
        "UNSUPPORTED_IMAGE",
        "FAILED",
        "LIMIT_EXCEEDED",
        "SCAN_ELIGIBILITY_EXPIRED",
        "FINDINGS_UNAVAILABLE",
        "IMAGE_ARCHIVED",
        "IMAGE_SIZE_EXCEEDED",
        "SOMETHING_NEW",
    ];
    let states = states.map(|state| (ImageScan::enhanced().status(state), state));
    let others = [
        (ImageScan::basic().after(usize::MAX, 0), "Amazon ECR knows of no scan of it"),
        (ImageScan::enhanced().after(0, 1000), "PENDING"),
        (ImageScan::enhanced().unended(), "its first scan has not ended"),
        (ImageScan::basic().days_ago(3), "start another one"),
        (ImageScan::basic().unended(), "answers without the time of the scan"),
        (ImageScan::basic().counts(1), "answers without all the findings that it counts"),
        (ImageScan::basic().of_another(), "answers without the image that was asked for"),
    ];
    for (scan, words) in states.into_iter().chain(others) {
        world.scan(scan);
        gated(&world, &source).ends_with(1).says(words);
        assert_eq!(world.tags().len(), 0, "{words}");
        let scan = &source.record()["registry_scan"];
        assert_eq!((&scan["images"][0]["result"], &scan["findings"]), (&json!("none"), &json!([])), "{words}");
        assert!(source.summary().contains("it is not clean"), "{words}");
        assert!(!source.beside("report/sarif/ecr.sarif").exists(), "{words}");
    }
    // A role that may not ask is told what it lacks, and the policy that it is told lets it.
    world.scan(ImageScan::basic());
    world.allow(&PUSH);
    gated(&world, &source)
        .ends_with(1)
        .says("AWS does not allow ecr:DescribeImageScanFindings in team/app")
        .says("ReadScanFindings");
    assert_eq!(world.tags().len(), 0);
    let mut command = run(&world, &source, "policy").flag("--ecr-scan", "gate").command();
    let policy = Ended::from(command.arg("role").output().unwrap());
    let policy: Value = serde_json::from_str(&policy.stdout).unwrap_or_else(|_| panic!("{policy}"));
    assert!(policy.to_string().contains("inspector2:ListFindings"), "{policy}");
    world.set_role_policy(&policy);
    gated(&world, &source).ends_with(0);
    assert_eq!(world.tags().len(), 3);
}

#[test]
fn an_image_that_ecr_can_not_scan_goes_out_only_where_that_is_accepted_by_name() {
    let (world, source) = (world(), source());
    let accepted = || gated(&world, &source).flag("--accept-unscanned", "ecr-scan: from scratch, and trivy has judged it all");
    // What else is no result is not accepted with it.
    for scan in [
        ImageScan::enhanced().status("FAILED"),
        ImageScan::basic().after(usize::MAX, 0),
        ImageScan::basic().days_ago(3),
        ImageScan::basic().of_another(),
    ] {
        world.scan(scan);
        accepted().ends_with(1);
        assert_eq!(world.tags().len(), 0);
    }
    world.scan(ImageScan::basic().status("UNSUPPORTED_IMAGE"));
    let refused = gated(&world, &source).ends_with(1);
    refused.says("Build it on a base image that ECR scans").says("ecr-scan: WHY AN IMAGE MAY GO OUT THAT AMAZON ECR CAN'T SCAN");
    assert_eq!(world.tags().len(), 0);
    // A file of that name, and a pattern, are no such line.
    gated(&world, &source).flag("--accept-unscanned", "ecr-*: whatever it is").ends_with(1);
    assert_eq!(world.tags().len(), 0);
    let words = "Amazon ECR's scan has no result for 1 image, which `accept-unscanned` accepts";
    accepted().ends_with(0).says(words);
    assert_eq!(world.tags().len(), 3);
    let image = source.record()["registry_scan"]["images"][0].clone();
    assert_eq!((&image["result"], &image["unsupported"]), (&json!("none"), &json!(true)), "{image}");
    assert_eq!(image["accepted"], "from scratch, and trivy has judged it all");
    let summary = source.summary();
    assert!(summary.contains("**no result**") && summary.contains("accepted: from scratch"), "{summary}");
    // What ECR can scan is held against the gate all the same, and the line is of no use.
    world.scan(ImageScan::basic().finds("CVE-2026-6", "HIGH", "zlib"));
    accepted().flag("--tags", "{sha},other").ends_with(3).says("and Amazon ECR can scan the image: take the line out");
}

#[test]
fn an_ecr_that_fails_while_it_is_asked_leaves_nothing_visible() {
    let (world, source) = (world(), source());
    world.scan(ImageScan::basic());
    for fault in [Fault::Refused, Fault::Status(500), Fault::Throttle, Fault::Wrong, Fault::Cut] {
        world.fail(Call::OtherEcr, Times::Always, fault);
        gated(&world, &source).ends_with(1);
        assert_eq!(world.tags().len(), 0, "{fault:?}");
        assert_eq!(source.record()["registry_scan"]["images"][0]["result"], "none", "{fault:?}");
        world.mend(Call::OtherEcr);
    }
    world.fail(Call::OtherEcr, Times::Once, Fault::Status(503));
    gated(&world, &source).ends_with(0);
}

#[test]
fn the_projects_lists_let_the_same_advisories_through() {
    let source = Source::in_git(&[
        ("Dockerfile", "FROM scratch\nCOPY . /app/\n"),
        (".dockerignore", ".git\n"),
        (".trivyignore.yaml", "vulnerabilities:\n  - id: CVE-2026-3\n    statement: not reached\n"),
    ]);
    let world = world();
    world.scan(ImageScan::basic().finds("CVE-2026-3", "CRITICAL", "zlib"));
    // On a push to where vulnerabilities block, a change's own list is nobody's word, as with trivy.
    gated(&world, &source).ends_with(3);
    let excused = || gated(&world, &source).flag("--suppressions", "head");
    excused().ends_with(0);
    let finding = source.record()["registry_scan"]["findings"][0].clone();
    assert_eq!((&finding["counts"], &finding["let-through"]), (&json!(false), &json!(".trivyignore.yaml: not reached")));
    assert!(source.summary().contains("not reached"));
    world.scan(ImageScan::basic().finds("CVE-2026-3", "CRITICAL", "zlib").finds("CVE-2026-33", "CRITICAL", "zlib"));
    excused().ends_with(3);
}

#[test]
fn a_report_comes_after_the_tags_and_fails_nothing() {
    let (world, source) = (world(), source());
    let reported = || gated(&world, &source).flag("--ecr-scan", "report");
    let hostile = "CVE-9\n::error::x\u{1b}[31m<script>|`";
    world.scan(ImageScan::basic().finds(hostile, "CRITICAL", "zlib").finds("CVE-2026-4", "LOW", "x](https://evil.example)"));
    let ended = reported().ends_with(0);
    ended.says("by Amazon ECR's scan");
    assert_eq!((asked(&world).1, world.tags().len()), (3, 3), "the tags were there before it was asked");
    assert_eq!(source.record()["registry_scan"]["findings"].as_array().unwrap().len(), 2);
    let summary = source.summary();
    for said in [&summary, &ended.stdout, &ended.stderr] {
        assert!(!said.lines().any(|line| line.starts_with("::error")) && !said.contains('\u{1b}'), "{said}");
    }
    assert!(!summary.contains("<script") && !summary.contains("](https://evil"), "{summary}");
    world.scan(ImageScan::basic().status("UNSUPPORTED_IMAGE"));
    reported().ends_with(0).says("no result for 1 image");
    world.allow(&PUSH);
    reported().ends_with(0).says("AWS does not allow ecr:DescribeImageScanFindings");
    assert_eq!(source.record()["result"], "delivered");
    // Nothing is asked where nothing is wanted, and ECR alone is asked.
    let before = asked(&world).0.len();
    deliver(&world, &source).ends_with(0);
    assert_eq!(asked(&world).0.len(), before);
    let elsewhere = source.run("deliver").flag("--ecr-scan", "gate");
    elsewhere.ends_with(2).says("only Amazon ECR is asked for its scan");
}

/// What ECR knows of a tag.
fn findings(world: &World, source: &Source, tag: &str, flags: &[&str]) -> Ended {
    let token = source.beside("token");
    std::fs::write(&token, world.token("sts.amazonaws.com")).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_gp-deliver"));
    command.env_clear().env("HOME", source.beside("home")).envs(world.variables());
    command.env("AWS_ROLE_ARN", world.role()).env("AWS_WEB_IDENTITY_TOKEN_FILE", &token);
    command.args(["findings", &format!("{}:{tag}", world.repository())]).args(flags);
    Ended::from(command.output().unwrap())
}

#[test]
fn findings_says_at_any_time_what_ecr_knows_and_what_it_does_not() {
    let (world, source) = (world(), source());
    deliver(&world, &source).ends_with(0);
    let used = json!({"resources": [{"details": {"awsEcrContainerImage": {"inUseCount": 4, "lastInUseAt": 1_790_000_000}}}]});
    world.scan(ImageScan::enhanced().finds_with("CVE-2026-5", "HIGH", "zlib", &used));
    let ended = findings(&world, &source, "latest", &["--json"]);
    assert_eq!(ended.code, Some(0), "{ended}");
    let found: Value = serde_json::from_str(&ended.stdout).unwrap();
    let finding = &found["findings"][0];
    assert_eq!(
        (&finding["id"], &finding["in-use"], &finding["counts"]),
        (&json!("CVE-2026-5"), &json!(4), &json!(false)),
        "{found}"
    );
    assert!(finding["last-in-use-at"].as_str().unwrap().starts_with("2026-09-"), "{found}");
    assert!(found["image"].as_str().unwrap().ends_with(&world.tags()["latest"]), "{found}");
    for (severity, code) in [("HIGH", 3), ("MEDIUM", 3), ("CRITICAL", 0), ("BAD", 2)] {
        let ended = findings(&world, &source, "latest", &["--severity", severity]);
        assert_eq!(ended.code, Some(code), "{severity}: {ended}");
    }
    let ended = findings(&world, &source, "latest", &[]);
    assert!(ended.stdout.contains("CVE-2026-5") && ended.stdout.contains("in use 4 times"), "{ended}");
    for scan in [ImageScan::enhanced().status("UNSUPPORTED_IMAGE"), ImageScan::basic().after(usize::MAX, 0)] {
        world.scan(scan);
        let ended = findings(&world, &source, "latest", &[]);
        assert_eq!(ended.code, Some(1), "{ended}");
        assert!(ended.stdout.contains("no result") && ended.stdout.contains("nothing is known"), "{ended}");
    }
    assert_eq!(findings(&world, &source, "absent", &[]).code, Some(1));
    world.allow(&PUSH);
    let ended = findings(&world, &source, "latest", &[]);
    assert_eq!(ended.code, Some(1), "{ended}");
    ended.says("AWS does not allow ecr:DescribeImageScanFindings").says("inspector2:ListFindings");
}
