//! A secret that a delivery knows is in nothing that leaves it: not in the log, not in a report, not in what GitHub is sent,
//! in whatever form a build step prints it. And credentials are sent to nobody whom others listen to.

use std::fs;
use std::path::Path;

use doubles::aws::{Call, Fault, Times, World};
use doubles::github::{GitHub, Options, Repository};

use crate::support::job::{commit, in_job};
use crate::support::{Delivery, Ended, Source, keyless, script};

const SECRET: &str = "Sup3r/S3cret+Value~42";
const FILE: &str = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\nQmFzZTY0IGlzIG5vdCBhIHNlY3JldCE=\n-----END KEY-----\n";

/// What a step does with the secret in `/run/secrets/t`; each prints it in another way.
const WAYS: [&str; 19] = [
    "cat /run/secrets/t",
    "sed 's/./&\\x01/g' /run/secrets/t",
    "sed 's/./&\\x1b[0m/g' /run/secrets/t",
    "sed 's/./&\\x1b]0;t\\x07/g' /run/secrets/t",
    "sed 's/./&\\xcc\\x81/g' /run/secrets/t",
    "sed 's/./&\\xef\\xb8\\x8f/g' /run/secrets/t",
    "sed 's/./&\\xe2\\x80\\x8b/g' /run/secrets/t",
    "sed 's/./& /g' /run/secrets/t",
    "sed 's/./&\\r/g' /run/secrets/t",
    "base64 /run/secrets/t",
    "(printf x; cat /run/secrets/t) | base64 -w0",
    "(printf xy; cat /run/secrets/t; printf z) | base64 -w0 | tr +/ -_",
    "base32 /run/secrets/t",
    "od -An -v -tx1 -w64 /run/secrets/t",
    "sed '/\\n/!G;s/\\(.\\)\\(.*\\n\\)/&\\2\\1/;//D;s/.//' /run/secrets/t",
    "tr a-z A-Z < /run/secrets/t",
    "(head -c 9 /run/secrets/t; sleep 0.2; tail -c +10 /run/secrets/t)",
    "(printf %01990d 0; cat /run/secrets/t)",
    "(head -c 4085 /dev/zero | tr '\\0' '\\1'; cat /run/secrets/t)",
];

/// A text as somebody reads it who looks past what is between its letters.
fn read(text: &str) -> String {
    let mut read = String::new();
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        let skipped = ["\\u00", "<U+"].iter().find_map(|mark| {
            let end = rest.strip_prefix(mark)?.find(|c: char| !c.is_ascii_hexdigit())?;
            Some(mark.len() + end + usize::from(mark.starts_with('<')))
        });
        if skipped.is_none() && character.is_ascii_graphic() {
            read.push(character.to_ascii_lowercase());
        }
        rest = &rest[skipped.unwrap_or(character.len_utf8())..];
    }
    read
}

/// What of the secret would be read: itself, backwards, and as digits wherever it stands.
#[expect(clippy::format_collect, reason = "a short text")]
fn shapes() -> Vec<String> {
    let hex: String = SECRET.bytes().map(|byte| format!("{byte:02x}")).collect();
    let mut shapes = vec![SECRET.to_owned(), SECRET.chars().rev().collect(), hex];
    // The middle of each base64, by coreutils.
    shapes.extend(
        ["dXAzci9TM2NyZXQrVmFsdWV-", "cDNyL1MzY3JldCtWYWx1", "N1cDNyL1MzY3JldCtWYWx1", "VwM3IvUzNjcmV0K1ZhbHVl"]
            .map(str::to_owned),
    );
    shapes.push("KN2XAM3SF5JTGY3SMV2CWVTBNR2WK7RU".to_owned());
    shapes.push(SECRET[..12].to_owned());
    shapes.into_iter().map(|shape| read(&shape)).collect()
}

/// All that left: what was said, all files of the report and of the runner, all that GitHub was sent.
fn left(source: &Source, ended: &Ended, repository: &Repository) -> Vec<(String, String)> {
    let masked = |line: &&str| !line.starts_with("::add-mask::");
    let said: Vec<_> = ended.stdout.lines().filter(masked).collect();
    let mut left = vec![("stdout".to_owned(), said.join("\n")), ("stderr".to_owned(), ended.stderr.clone())];
    for file in ["output", "step-summary"] {
        left.push((file.to_owned(), fs::read_to_string(source.beside(file)).unwrap_or_default()));
    }
    collect(&source.beside("report"), &mut left);
    left.extend(repository.journal().iter().map(|entry| (entry.path.clone(), entry.document.to_string())));
    left.extend(repository.analyses().iter().map(|analysis| (analysis.tool.clone(), analysis.sarif.to_string())));
    left
}

fn collect(folder: &Path, left: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, left);
        } else {
            left.push((path.display().to_string(), String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned()));
        }
    }
}

#[track_caller]
fn is_nowhere(shapes: &[String], left: &[(String, String)]) {
    assert!(left.len() > 6, "{left:?}");
    for (place, text) in left {
        let text = read(text);
        for shape in shapes {
            let at = text.find(shape);
            assert!(at.is_none(), "{shape} is in {place}: {}", &text[at.unwrap().saturating_sub(60)..][..120]);
        }
    }
}

/// A delivery in a job whose build has secrets and prints them.
fn printing(steps: &str, environment: &str) -> (Source, Repository, crate::support::Delivery) {
    let source = Source::in_git(&[("Dockerfile", &format!("FROM debian:bookworm-slim\n{steps}"))]);
    fs::write(source.beside("file"), FILE).unwrap();
    let repository = GitHub::start().repository(Options::default().branch("main", &commit(&source)));
    let secrets = format!("id=t,env=BUILD_TOKEN\nid=f,src={}", source.beside("file").display());
    let delivery = in_job(&source, repository.environment()).flag("--environment", environment);
    let delivery = delivery.variable("BUILD_TOKEN", SECRET).flag("--build-secrets", &secrets).variable("GP_DELIVER_LOG", "trace");
    let delivery = delivery.variable("GITHUB_OUTPUT", source.beside("output").to_str().unwrap());
    let delivery = delivery.variable("GITHUB_STEP_SUMMARY", source.beside("step-summary").to_str().unwrap());
    (source, repository, delivery)
}

#[test]
fn a_step_that_prints_its_secret_in_any_usual_form_shows_it_nowhere() {
    let ways: Vec<_> = WAYS.iter().enumerate().map(|(number, way)| format!("echo 'way {number}'; {way}; echo")).collect();
    let steps = format!("RUN --mount=type=secret,id=t {}; exit 3\n", ways.join("; "));
    let (source, repository, delivery) = printing(&steps, "dev");
    let ended = delivery.ends_with(1);
    for number in 0..WAYS.len() {
        ended.says(&format!("way {number}"));
    }
    ended.says("***");
    is_nowhere(&shapes(), &left(&source, &ended, &repository));
}

#[test]
fn a_file_that_is_a_secret_is_masked_line_by_line_and_as_a_whole() {
    let steps = "RUN --mount=type=secret,id=f cat /run/secrets/f; sed -n 2p /run/secrets/f; base64 -w0 /run/secrets/f; echo; \
                 sed 's/$/\\r/' /run/secrets/f; tr '\\n' ' ' < /run/secrets/f; echo; exit 3\n";
    let (source, repository, delivery) = printing(steps, "dev");
    let ended = delivery.ends_with(1);
    let shapes = [
        "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC",
        "QmFzZTY0IGlzIG5vdCBhIHNlY3JldCE=",
        "TUlJRXZRSUJBREFOQmdrcWhraUc5dzBCQVFFRkFBU0M",
        "SUlFdlFJQkFEQU5CZ2txaGtpRzl3MEJBUUVGQUFTQ",
    ];
    is_nowhere(&shapes.map(read), &left(&source, &ended, &repository));
    for line in FILE.lines() {
        assert!(ended.stdout.contains(&format!("::add-mask::{line}\n")), "{ended}");
    }
}

#[test]
fn what_is_delivered_all_the_same_shows_no_secret_to_github_and_its_digest_is_whole() {
    let steps = format!("RUN --mount=type=secret,id=t {}; echo\nCOPY vendor /app/vendor\n", WAYS[1]);
    let (source, repository, delivery) = printing(&steps, "dev");
    // A package whose name is the secret is in the image; what is said of it is not.
    source.write(
        "vendor/PyYAML-5.3.dist-info/METADATA",
        &format!("Metadata-Version: 2.1\nName: PyYAML\nVersion: 5.3\nSummary: {SECRET}\n"),
    );
    source.commit("second");
    let delivery = delivery.variable("GITHUB_SHA", &commit(&source)).flag("--code-scanning", "off");
    let ended = delivery.ends_with(0);
    let left: Vec<_> = left(&source, &ended, &repository).into_iter().filter(|(place, _)| !place.contains("/sbom/")).collect();
    is_nowhere(&shapes(), &left);
    let digest = source.image().index()["manifests"][0]["digest"].as_str().unwrap().to_owned();
    assert!(fs::read_to_string(source.beside("output")).unwrap().contains(&digest));
}

#[test]
fn a_secret_that_is_too_short_or_that_everyone_knows_is_said_and_spoils_nothing() {
    let source = Source::in_git(&[("Dockerfile", "FROM scratch\nCOPY . /\n")]);
    let commit = commit(&source);
    let delivery = in_job(&source, vec![]).flag("--environment", "dev").variable("A", "a").variable("B", &commit);
    let ended = delivery.flag("--build-secrets", "id=short,env=A\nid=commit,env=B").ends_with(0);
    ended.says("The build secret short has fewer than 4 characters").says("The build secret commit is what everyone knows");
    ended.says("published").does_not_say("***");
    assert_eq!(source.record()["source"]["commit"], commit);
}

/// A key that AWS does not know, and what it says of it.
const KEY: &str = "K3y/of+a-person/that-nobody-has-0001";
const REFUSAL: &str = "K3y/of+a-person/that-nobody-has-0001 is no key of this account";

/// A delivery by a key that the SDK's own chain finds, and that AWS says again.
fn by_chain(source: &Source, found: impl FnOnce(&Path, Delivery) -> Delivery) -> (World, Delivery) {
    let world = World::options().start();
    world.fail(Call::GetCallerIdentity, Times::Always, Fault::Denial(REFUSAL));
    let folder = source.beside("home/.aws");
    fs::create_dir_all(&folder).unwrap();
    let delivery = keyless::deliver(&world, source).without("--role-to-assume");
    (world, found(&folder, delivery))
}

#[test]
fn a_key_that_the_chain_of_the_sdk_finds_is_known_before_aws_can_say_it_again() {
    let profile = |folder: &Path, delivery: Delivery| {
        let text = format!("[someone]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = {KEY}\n");
        fs::write(folder.join("credentials"), text).unwrap();
        delivery.variable("AWS_PROFILE", "someone")
    };
    let process = |folder: &Path, delivery: Delivery| {
        let answer = format!(r#"{{"Version": 1, "AccessKeyId": "AKIAIOSFODNN7EXAMPLE", "SecretAccessKey": "{KEY}"}}"#);
        script(&folder.join("process"), &format!("#!/bin/sh\necho '{answer}'\n"));
        fs::write(folder.join("config"), format!("[default]\ncredential_process = {}\n", folder.join("process").display()))
            .unwrap();
        delivery
    };
    for found in [&profile as &dyn Fn(&Path, Delivery) -> Delivery, &process] {
        let source = keyless::source();
        let (_world, delivery) = by_chain(&source, found);
        let ended = delivery.ends_with(1);
        ended.says("*** is no key of this account");
        let masked = format!("::add-mask::{KEY}");
        assert!(ended.stdout.lines().any(|line| line == masked), "{ended}");
        let rest: Vec<_> = ended.stdout.lines().filter(|line| *line != masked).collect();
        let mut left = vec![("standard output".to_owned(), rest.join("\n")), ("standard error".to_owned(), ended.stderr)];
        collect(&source.beside("report"), &mut left);
        for (place, text) in left {
            assert!(!text.contains(KEY), "{place}: {text}");
        }
    }
}

#[test]
fn a_token_of_github_is_not_sent_over_plain_http_to_another_machine() {
    let source = Source::in_git(&[("Dockerfile", "FROM scratch\nCOPY . /\n")]);
    for address in ["http://github.invalid/api/v3", "http://10.255.255.1:1", "http://127.0.0.1.invalid"] {
        let variables = vec![
            ("GITHUB_REPOSITORY".to_owned(), "o/r".to_owned()),
            ("GITHUB_API_URL".to_owned(), address.to_owned()),
            ("INPUT_GITHUB-TOKEN".to_owned(), "token-of-the-job".to_owned()),
        ];
        let ended = in_job(&source, variables).flag("--environment", "prod").ends_with(1);
        ended.says("could read the credentials").does_not_say("took too long");
        assert!(!source.beside("image").exists(), "{ended}");
    }
}
