//! A fourth scanner, and nothing but its row: wherever scanners are gone through, it is not silent.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::made_up::{MADE_UP, MadeUp};
use super::*;
use crate::annotation::Level;
use crate::coverage::Coverage;
use crate::diagnosis::Diagnosis;
use crate::environment::Environment;
use crate::error::Error;
use crate::finding::Finding;
use crate::oci::Digest;
use crate::policy::{self, Decision, Evidence, Scan, Threshold, Undecided};
use crate::process::{self, Demand, Launcher};
use crate::record::{Record, RunResult, StageOutcome};
use crate::report::catalogue::threshold;
use crate::report::{self, RunnerFiles, annotations, console, fixture, outputs, sarif, summary};
use crate::scan;

/// The program's report in all its forms.
struct Told {
    headline: String,
    summary: String,
    closing: String,
    findings: String,
    sarif: Vec<String>,
}

fn told(record: &Record) -> Told {
    let outputs = outputs::of(record, Path::new("report"));
    let findings = outputs.into_iter().find(|(name, _)| *name == "findings").unwrap().1;
    let folder = tempfile::tempdir().unwrap();
    let reports = report::open(folder.path(), &[]).unwrap();
    // What an earlier delivery left.
    fs::create_dir(folder.path().join("sarif")).unwrap();
    Tool::judging().for_each(|tool| fs::write(folder.path().join(format!("sarif/{tool}.sarif")), "").unwrap());
    report::write(record, &reports, &RunnerFiles::default()).unwrap();
    let files = fs::read_dir(folder.path().join("sarif")).unwrap();
    let mut sarif: Vec<_> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    sarif.sort();
    Told {
        headline: report::headline(record),
        summary: summary::render(record, summary::LIMIT),
        closing: console::closing::lines(record, None).into_iter().map(|(_, line)| line + "\n").collect(),
        findings,
        sarif,
    }
}

fn outcome(record: &mut Record, outcome: &StageOutcome) {
    let stages = record.stages.iter_mut().filter(|stage| stage.name == MADE_UP.stage);
    stages.for_each(|stage| stage.outcome = outcome.clone());
}

/// All that the others found in a delivery that they hold back, as if the fourth had found it.
fn findings() -> Vec<Finding> {
    let mut findings = fixture::blocked().findings;
    for finding in &mut findings {
        match finding {
            Finding::Leak(leak) => leak.tool = MADE_UP,
            Finding::Vulnerability(vulnerability) => vulnerability.tool = MADE_UP,
        }
    }
    findings
}

/// The fourth has findings, and no other has.
fn found() -> Record {
    let mut record = fixture::delivered();
    (record.result, record.publication, record.findings) = (Some(RunResult::Blocked), None, findings());
    outcome(&mut record, &StageOutcome::Blocked);
    record
}

fn decide(findings: &[Finding], complete: &[Tool]) -> Decision {
    let scans: Vec<_> = complete.iter().map(|tool| Scan { tool: *tool, coverage: &Coverage::Complete }).collect();
    let evidence = Evidence { image: Digest::of(b"image"), scans: &scans, findings };
    let threshold: Threshold = threshold(&found());
    policy::decide(Environment::Local.requirements(), threshold, &evidence)
}

#[test]
fn findings_of_a_fourth_scanner_shut_its_gate() {
    let others = [Tool::GITLEAKS, Tool::TRIVY];
    assert!(matches!(decide(&findings(), &others), Decision::Cleared(_)), "without its row it is no scanner");
    let _made_up = MadeUp::added();
    let all: Vec<_> = Tool::judging().collect();
    let Decision::Blocked(shut) = decide(&findings(), &all) else { panic!("not blocked") };
    assert_eq!(shut, [(MADE_UP, 7)]);
    assert!(matches!(decide(&[], &all), Decision::Cleared(_)));
}

#[test]
fn a_fourth_scanner_that_nobody_ran_leaves_nothing_decided() {
    let _made_up = MadeUp::added();
    let Decision::Undecided(Undecided::NotScanned(tool)) = decide(&[], &[Tool::GITLEAKS, Tool::TRIVY]) else { panic!("decided") };
    assert_eq!(tool, MADE_UP);
    assert_eq!(Diagnosis::from(&Error::NotScanned(tool)).what, "Nothing can be decided without made-up");
}

#[test]
fn findings_of_a_fourth_scanner_are_in_every_report() {
    let _made_up = MadeUp::added();
    let told = told(&found());
    let counted = "2 rotten spots and 4 rotten spots rated HIGH or worse (3 CRITICAL, 1 HIGH)";
    assert_eq!(told.headline, format!("Blocked for prod: {counted}. Nothing was published."));
    for part in [
        &*format!("## ⛔ Blocked for prod: {counted}."),
        "## What to do\n",
        "## 2 rotten spots\n",
        "## 3 rotten spots with a fix\n",
        "## 1 rotten spot without a fix\n",
        "No fix exists for 1 rotten spot in",
        "its line for <code>.made-up-ignore</code>",
        "let the advisory through in <code>.made-up-ignore</code>",
    ] {
        assert!(told.summary.contains(part), "{part}: {}", told.summary);
    }
    for part in [&*format!("BLOCKED for prod: {counted}."), &format!("findings    {counted}"), "No fix exists for 1 rotten spot"]
    {
        assert!(told.closing.contains(part), "{part}: {}", told.closing);
    }
    let expected = r#"{"gitleaks":{"total":0},"made-up":{"CRITICAL":3,"HIGH":1,"MEDIUM":1,"total":7},"trivy":{"total":0}}"#;
    assert_eq!(told.findings, expected);
    assert_eq!(told.sarif, ["gitleaks.sarif", "made-up.sarif", "trivy.sarif"]);
}

#[test]
fn findings_of_a_fourth_scanner_go_to_the_security_tab_and_beside_the_lines() {
    let _made_up = MadeUp::added();
    let files: Vec<_> = sarif::files(&found()).collect();
    let (_, sarif) = files.iter().find(|(tool, _)| *tool == MADE_UP).unwrap();
    let sarif: serde_json::Value = serde_json::from_slice(sarif.as_ref().unwrap().bytes()).unwrap();
    let run = &sarif["runs"][0];
    let driver = &run["tool"]["driver"];
    assert_eq!((&driver["name"], &driver["informationUri"]), (&"Made Up".into(), &"https://made-up.example/scanner".into()));
    assert_eq!(run["automationDetails"]["id"], "gp-deliver/made-up/team/hello/");
    let results = run["results"].as_array().unwrap();
    assert_eq!(results.len(), 7);
    for result in results {
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(driver["rules"][index]["id"], result["ruleId"]);
    }
    let leak = driver["rules"].as_array().unwrap().iter().find(|rule| rule["name"] == "LeakedSecret").unwrap();
    assert_eq!(leak["shortDescription"]["text"], "Rotten spot: aws-access-token");
    assert!(leak["help"]["text"].as_str().unwrap().contains(".made-up-ignore"));
    for (tool, sarif) in files.iter().filter(|(tool, _)| *tool != MADE_UP) {
        let sarif: serde_json::Value = serde_json::from_slice(sarif.as_ref().unwrap().bytes()).unwrap();
        assert!(sarif["runs"][0]["results"].as_array().unwrap().is_empty(), "{tool} found nothing");
    }
    // It blocks where the others only advise.
    let mut record = Record { demands: Some(Environment::Dev.requirements()), ..found() };
    record.findings.extend(fixture::blocked().findings);
    let annotations = annotations::of(&record);
    let (of_it, of_others): (Vec<_>, Vec<_>) = annotations.iter().partition(|annotation| annotation.level == Level::Failure);
    assert!(of_it.iter().any(|annotation| annotation.title == "Rotten spot: aws-access-token"), "{of_it:?}");
    assert!(of_it.iter().any(|annotation| annotation.title == "PyYAML 5.3: 1 rotten spot, the worst CRITICAL"), "{of_it:?}");
    assert_eq!(of_it.len(), of_others.len());
    assert!(of_others.iter().all(|annotation| !annotation.title.to_lowercase().contains("rotten")), "{of_others:?}");
}

#[test]
fn two_scanners_that_find_the_same_are_both_told() {
    let _made_up = MadeUp::added();
    let mut record = fixture::blocked();
    outcome(&mut record, &StageOutcome::Blocked);
    record.findings.extend(findings());
    let told = told(&record);
    let rated = "rated HIGH or worse (3 CRITICAL, 1 HIGH)";
    let counted = format!("2 leaked secrets, 4 vulnerabilities {rated}, 2 rotten spots and 4 rotten spots {rated}");
    assert_eq!(told.headline, format!("Blocked for prod: {counted}. Nothing was published."));
    for part in ["## 3 vulnerabilities with a fix\n", "## 3 rotten spots with a fix\n"] {
        assert!(told.summary.contains(part), "{part}: {}", told.summary);
    }
}

#[test]
fn a_fourth_scanner_that_did_not_run_is_missed() {
    let mut record = fixture::delivered();
    outcome(&mut record, &StageOutcome::Skipped("nothing ran it".to_owned()));
    assert!(report::is_flawless(&record), "nobody misses what has no row");
    let _made_up = MadeUp::added();
    assert!(!report::is_flawless(&record));
    let told = told(&record);
    assert_eq!(told.headline, "Delivered with advice to prod: rotten spots were not scanned for.");
    for text in [&told.summary, &told.closing] {
        assert!(text.contains("rotten spots were not scanned for"), "{text}");
    }
    assert_eq!(told.sarif, ["gitleaks.sarif", "trivy.sarif"], "an empty file would be a lie");
    assert_eq!(told.findings, r#"{"gitleaks":{"total":0},"trivy":{"total":0}}"#);
}

#[test]
fn a_fourth_scanner_that_failed_is_told_by_its_name() {
    let _made_up = MadeUp::added();
    let failed = scan::Error::Failed { tool: MADE_UP, code: 2, last: Vec::new() };
    let invalid = scan::Error::InvalidOutput { tool: MADE_UP, reason: "no report".to_owned(), last: Vec::new() };
    for (error, what) in [
        (failed, "made-up failed, so nothing is known about rotten spots in the image"),
        (invalid, "made-up gave no usable answer, so nothing is known about rotten spots in the image"),
    ] {
        let diagnosis = Diagnosis::from(&error);
        assert_eq!(diagnosis.what, what);
        let mut record = Record { result: Some(RunResult::Failed), publication: None, ..fixture::delivered() };
        outcome(&mut record, &StageOutcome::Failed(diagnosis.what.clone()));
        record.failure = Some(diagnosis);
        let told = told(&record);
        for text in [&told.headline, &told.summary, &told.closing] {
            assert!(text.contains(what), "{text}");
        }
        assert!(told.closing.contains("rotten spots were not scanned for"), "{}", told.closing);
        assert_eq!(told.sarif, ["gitleaks.sarif", "trivy.sarif"]);
        assert!(!told.findings.contains("made-up"), "{}", told.findings);
    }
}

#[tokio::test]
async fn a_delivery_and_the_version_ask_for_a_fourth_program() {
    let folder = tempfile::tempdir().unwrap();
    for tool in Tool::all() {
        let program = folder.path().join(tool.name());
        fs::write(&program, "").unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let launcher = Launcher::new("/proc/self/exe", folder.path().as_os_str(), Demand::Auto);
    assert!(scan::find_all(&launcher).is_ok(), "all are there");
    let _made_up = MadeUp::added();
    let error = scan::find_all(&launcher).unwrap_err();
    assert!(matches!(&error, process::Error::Missing { program, .. } if program == "made-up"), "{error:?}");
    assert!(Diagnosis::from(&scan::Error::from(error)).what.contains("made-up"));
    let versions = scan::versions(&Launcher::new("/proc/self/exe", OsStr::new(""), Demand::Auto)).await;
    let names: Vec<_> = versions.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["gitleaks", "trivy", "syft", "made-up"]);
    assert!(versions.iter().all(|(_, version)| matches!(version, Err(process::Error::Missing { .. }))), "{versions:?}");
}

#[test]
fn a_record_says_who_found_what_and_reads_back() {
    let _made_up = MadeUp::added();
    let mut record = found();
    record.findings.extend(fixture::blocked().findings);
    let json = serde_json::to_string(&record).unwrap();
    assert_eq!(json.matches(r#""tool":"made-up""#).count(), 8, "the others can be told by the kind of their findings");
    let read: Record = serde_json::from_str(&json).unwrap();
    assert_eq!(read.findings, record.findings);
    for stranger in ["stranger", "syft"] {
        let error = serde_json::from_str::<Record>(&json.replace("made-up", stranger)).unwrap_err().to_string();
        assert!(error.contains(&format!("{stranger:?} is no scanner that finds anything")), "{error}");
    }
}

/// The places outside of the code that have to name a scanner, and how each does: `{}` is its program, `[]` the argument for
/// its version.
const PLACES: [(&str, &str); 13] = [
    ("Dockerfile", r"(?m)^COPY tools/{} tools/{}$"),
    ("Dockerfile", r"(?m)^RUN .*scripts/tools .*\b{}\b"),
    ("Dockerfile", r#"(?m)^RUN \["{}", "[]"\]$"#),
    ("Makefile", r"scripts/tools .*\b{}\b"),
    ("scripts/tools", r"(?m)^ +{}\) +module="),
    ("scripts/image", r"for scanner in [^;]*\b{}\b"),
    ("scripts/image", r"target/tools/bin/\{[^}]*\b{}\b"),
    ("scripts/prepare", r"\b{}:\d+"),
    ("scripts/test-parts", r"scripts/tools .*\b{}\b"),
    ("tools/images/Dockerfile", r"COPY --from={} "),
    ("tools/{}/go.mod", r"(?m)^tool .*\b{}\b"),
    (".github/dependabot.yml", r"- /tools/{}\b"),
    (".github/workflows/release.yml", r"scripts/tools .*\b{}\b"),
];

/// The places that do not name a scanner.
fn unnamed(tool: Tool) -> Vec<&'static str> {
    let names = |(file, pattern): &(&str, &str)| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let text = fs::read_to_string(root.join(file.replace("{}", tool.name()))).unwrap_or_default();
        let pattern = pattern.replace("{}", tool.name()).replace("[]", tool.version_argument);
        regex::Regex::new(&pattern).unwrap().is_match(&text)
    };
    PLACES.iter().filter(|place| !names(place)).map(|(file, _)| *file).collect()
}

#[test]
fn every_scanner_is_built_and_is_in_the_image() {
    for tool in Tool::all() {
        assert_eq!(unnamed(tool), [""; 0], "{tool}");
    }
    assert_eq!(unnamed(MADE_UP).len(), PLACES.len(), "a place that names what there is not holds nothing");
}
