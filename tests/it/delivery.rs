//! The main job on real input: what is planted is found, what is clean passes, and what is published is what was scanned.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::support::{self, Source, engines, part, released, run, secret, tool, validator};

const BASE: &str = "debian:bookworm-slim";

/// A package with a critical advisory in `fixtures/advisories`, and the version that repairs it.
const VULNERABLE: &str = "5.3";
const REPAIRED: &str = "5.4";

fn source(version: &str) -> Source {
    let metadata = format!("Metadata-Version: 2.1\nName: PyYAML\nVersion: {version}\n");
    Source::in_git(&[
        ("Dockerfile", &format!("FROM {BASE}\n\nLABEL a=b\nCOPY vendor /app/vendor\nCMD [\"true\"]\n")),
        (&format!("vendor/PyYAML-{version}.dist-info/METADATA"), &metadata),
    ])
}

fn vulnerabilities(record: &Value) -> Vec<&Value> {
    record["findings"].as_array().unwrap().iter().filter(|finding| finding["kind"] == "vulnerability").collect()
}

#[test]
fn a_planted_advisory_is_found_and_traced_to_its_instruction_on_every_engine() {
    for engine in engines() {
        let source = source(VULNERABLE);
        source.deliver().on(&engine).flag("--environment", "dev").ends_with(0);
        let record = source.record();
        let planted = vulnerabilities(&record).into_iter().find(|finding| finding["id"] == "CVE-2020-14343").unwrap().clone();
        assert_eq!(
            (&planted["severity"], &planted["installed"], &planted["fixed"]),
            (&"CRITICAL".into(), &"5.3".into(), &"5.4".into())
        );
        assert_eq!(
            (&planted["instruction"]["line"], &planted["instruction"]["file"]),
            (&4.into(), &"Dockerfile".into()),
            "{}",
            engine.name
        );
        let layers = source.image().config()["rootfs"]["diff_ids"].clone();
        assert!(layers.as_array().unwrap().contains(&planted["layer"]), "{planted}");
        let of_the_base: Vec<_> =
            vulnerabilities(&record).into_iter().filter(|finding| finding["id"] != "CVE-2020-14343").cloned().collect();
        assert!(
            !of_the_base.is_empty() && of_the_base.iter().all(|finding| finding["instruction"]["line"] == 1),
            "{of_the_base:?}"
        );
    }
}

#[test]
fn findings_are_advice_at_dev_and_block_at_prod() {
    let source = source(VULNERABLE);
    let delivery = source.deliver();
    let blocked = delivery.clone().flag("--environment", "prod").ends_with(3);
    blocked.says("BLOCKED").says("PyYAML").says("5.4");
    assert!(!source.beside("image").exists(), "nothing is published");
    assert_eq!(source.record()["result"], "blocked");
    assert!(source.summary().contains("CVE-2020-14343") && source.summary().contains("5.4"));
    delivery.flag("--environment", "dev").ends_with(0);
    assert_eq!(source.record()["result"], "delivered");
}

#[test]
fn a_clean_source_passes_at_prod() {
    let source = source(REPAIRED);
    let ended = source.deliver().path(&released()).flag("--environment", "prod").ends_with(0);
    ended.says("DELIVERED");
    let sha = &source.git(&["rev-parse", "HEAD"])[..7];
    let tags = source.image().tags();
    assert_eq!(tags.keys().cloned().collect::<Vec<_>>(), [sha.to_owned(), format!("prod-{sha}")]);
    assert!(source.beside("report/sarif/trivy.sarif").exists() && source.beside("report/sarif/gitleaks.sarif").exists());
}

#[test]
fn a_leak_that_a_later_commit_removed_blocks_and_is_never_shown() {
    let source = source(REPAIRED);
    let secret = secret();
    source.write("settings.env", &format!("TOKEN={secret}\n"));
    source.commit("settings");
    fs::remove_file(source.context().join("settings.env")).unwrap();
    source.commit("no settings");
    let ended = source.deliver().flag("--environment", "prod").ends_with(3);
    ended.says("settings.env").does_not_say(&secret);
    let leaks: Vec<_> =
        source.record()["findings"].as_array().unwrap().iter().filter(|finding| finding["kind"] == "leak").cloned().collect();
    assert_eq!((leaks.len(), &leaks[0]["file"]), (1, &"settings.env".into()), "{leaks:?}");
    for file in files(&source.beside("report")) {
        assert!(!String::from_utf8_lossy(&fs::read(&file).unwrap()).contains(&secret), "{}", file.display());
    }
}

#[test]
fn a_shallow_clone_is_said_to_hide_commits() {
    let whole = source(REPAIRED);
    whole.commit("second");
    let source = Source::new(&[]);
    fs::remove_dir(source.context()).unwrap();
    run(Command::new("git")
        .args(["clone", "--quiet", "--depth=1"])
        .arg(format!("file://{}", whole.context().display()))
        .arg(source.context()));
    source.deliver().ends_with(0).says("shallow");
    assert!(source.summary().contains("shallow"), "{}", source.summary());
}

#[test]
fn what_the_project_suppresses_is_counted() {
    let source = source(VULNERABLE);
    source.write(".trivyignore", "CVE-2020-14343\n");
    source.commit("let it through");
    source.deliver().flag("--environment", "prod").ends_with(0);
    let suppressed = source.record()["suppressions"][0].clone();
    assert_eq!(
        (&suppressed["by"], &suppressed["id"], &suppressed["count"]),
        (&".trivyignore".into(), &"CVE-2020-14343".into(), &1.into())
    );
    assert!(source.summary().contains(".trivyignore"), "{}", source.summary());
}

#[test]
fn the_published_digest_is_what_an_independent_reader_finds() {
    for (number, engine) in engines().into_iter().enumerate() {
        let source = source(REPAIRED);
        // A moving tag does not go from one source to another.
        let repository = format!("{}/delivery/{}-{number}", part("REGISTRY"), std::process::id());
        source.deliver().on(&engine).flag("--destination", &repository).flag("--tags", "{sha},latest").ends_with(0);
        let digest = source.record()["image"]["digest"].as_str().unwrap().to_owned();
        assert_eq!(source.record()["publication"]["digest"], digest);
        let sha = &source.git(&["rev-parse", "HEAD"])[..7];
        for tag in [sha, "latest"] {
            let found = run(Command::new(tool("crane")).args(["digest", "--insecure", &format!("{repository}:{tag}")]));
            assert_eq!(found.trim(), digest, "{}: {tag}", engine.name);
        }
        run(Command::new(tool("crane")).args(["validate", "--insecure", "--remote", &format!("{repository}@{digest}")]));
    }
}

#[test]
fn a_second_delivery_to_a_registry_sends_nothing_again() {
    let source = source(REPAIRED);
    let repository = format!("{}/again/{}", part("REGISTRY"), std::process::id());
    let delivery = source.deliver().flag("--destination", &repository);
    delivery.ends_with(0);
    delivery.flag("--tags", "other").ends_with(0);
    let publication = source.record()["publication"].clone();
    let layers = source.record()["image"]["platforms"][0]["layers"].as_u64().unwrap();
    assert!(publication["blobs_present"].as_u64().unwrap() >= layers, "{publication}");
}

#[test]
fn other_tags_of_a_layout_stay() {
    let source = source(REPAIRED);
    source.deliver().flag("--tags", "one").ends_with(0);
    let before = source.image().tags()["one"].clone();
    source.write("vendor/more", "x");
    source.commit("more");
    source.deliver().flag("--tags", "two").ends_with(0);
    let tags = source.image().tags();
    assert_eq!((tags.len(), &tags["one"]), (2, &before));
    assert_ne!(tags["two"], before);
}

#[test]
fn without_publishing_the_image_is_judged_and_goes_nowhere() {
    let source = source(REPAIRED);
    source.deliver().flag("--publish", "false").ends_with(0);
    assert_eq!(source.record()["result"], "skipped");
    assert!(!source.beside("image").exists());
}

#[test]
fn sboms_are_valid_and_name_the_packages() {
    let source = source(VULNERABLE);
    source.deliver().path(&released()).ends_with(0);
    let sboms = files(&source.beside("report/sbom"));
    assert_eq!(sboms.len(), 2, "{sboms:?}");
    for sbom in sboms {
        assert!(fs::read_to_string(&sbom).unwrap().contains("PyYAML"), "{}", sbom.display());
        if sbom.to_string_lossy().contains("spdx") {
            run(Command::new(validator("pyspdxtools")).arg("-i").arg(&sbom));
        } else {
            run(Command::new(validator("cyclonedx-validate")).arg(&sbom));
        }
    }
}

#[test]
fn sarif_passes_githubs_rules_and_the_record_its_schema() {
    let source = source(VULNERABLE);
    source.write("settings.env", &format!("TOKEN={}\n", secret()));
    source.commit("settings");
    source.deliver().flag("--environment", "prod").ends_with(3);
    for tool in ["gitleaks", "trivy"] {
        let sarif = source.beside(&format!("report/sarif/{tool}.sarif"));
        run(Command::new(validator("sarif-validate")).arg(&sarif));
        let run = &support::read_json(&sarif)["runs"][0];
        assert!(!run["results"].as_array().unwrap().is_empty(), "{tool}");
        assert!(run["results"][0]["partialFingerprints"].is_object(), "{tool}");
    }
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/record.schema.json");
    run(Command::new(validator("check-jsonschema")).arg("--schemafile").arg(schema).arg(source.beside("report/record.json")));
}

#[test]
fn outputs_are_what_a_workflow_reads() {
    let source = source(REPAIRED);
    let file = source.beside("github_output");
    fs::write(&file, "").unwrap();
    source.deliver().variable("GITHUB_OUTPUT", file.to_str().unwrap()).ends_with(0);
    let text = fs::read_to_string(&file).unwrap();
    let digest = source.record()["image"]["digest"].as_str().unwrap().to_owned();
    for expected in ["result<<", "delivered", "environment<<", "local", "digest<<", &digest, "tags<<", "summary-path<<"] {
        assert!(text.contains(expected), "no {expected}: {text}");
    }
}

#[test]
fn a_buildkitd_over_mutual_tls_builds_and_one_without_our_certificate_refuses() {
    let source = source(REPAIRED);
    let delivery = source.deliver().flag("--buildkit-host", &part("BUILDKITD_TCP"));
    delivery.clone().flag("--buildkit-certificates", &part("BUILDKITD_CERTS")).ends_with(0);
    let bare = source.beside("bare");
    fs::create_dir_all(&bare).unwrap();
    fs::copy(Path::new(&part("BUILDKITD_CERTS")).join("ca.pem"), bare.join("ca.pem")).unwrap();
    delivery.flag("--buildkit-certificates", bare.to_str().unwrap()).ends_with(1).says("buildkit");
}

#[test]
fn a_source_outside_git_is_delivered_without_a_commit_in_its_tags() {
    let source = Source::new(&[("Dockerfile", "FROM scratch\nCOPY a /\n"), ("a", "1")]);
    source.deliver().flag("--tags", "{sha},{env}-{sha},{env}").ends_with(0).says("{sha} is skipped");
    assert_eq!(source.image().tags().keys().collect::<Vec<_>>(), ["local"]);
    source.deliver().flag("--destination", &format!("{}/x/y", part("REGISTRY"))).ends_with(2).says("no tag is left");
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}
