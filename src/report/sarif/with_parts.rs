//! Tests with the double of GitHub, with Prism before it, and with a validator: however much is found, GitHub takes it. Each of
//! its limits is kept to, the worst findings first.

use std::process::Command;
use std::time::SystemTime;

use doubles::github::{GitHub, Options, Repository};
use doubles::program::{Installer, program};
use serde_json::Value;

use super::render;
use crate::diagnosis::Diagnosis;
use crate::finding::{Finding, Instruction, Severity, Vulnerability};
use crate::github::code_scanning::{self, Accepted, Analysis};
use crate::github::{Access, Api, Credential};
use crate::record::Record;
use crate::scanner::Tool;
use crate::secret::Secret;
use crate::sink::Redacted;

const COMMIT: &str = "a1b2c3d4e5f60718293a4b5c6d7e8f9012345678";
const MAIN: &str = "refs/heads/main";
const HOSTILE: &str =
    "\u{1b}[31m</td><script>|\n::error::x\r##[error] {0} [x](https://evil.example) %2e%2e/..\\ \u{202e}\u{0}é🚀";

/// A record of `fixtures`.
fn example(name: &str) -> Value {
    let path = format!("{}/fixtures/records/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn blocked() -> Record {
    serde_json::from_value(example("blocked")).unwrap()
}

/// Text that does not get smaller when it is compressed.
fn noise(length: usize) -> String {
    use rand::distr::{Alphanumeric, SampleString as _};
    Alphanumeric.sample_string(&mut rand::rng(), length)
}

/// `number` findings, each with an advisory of its own, changed by `change`.
fn many(number: usize, change: impl Fn(usize, &mut Vulnerability)) -> Record {
    let mut record = blocked();
    let model = record.findings.iter().find_map(|finding| match finding {
        Finding::Vulnerability(vulnerability) => Some(vulnerability.clone()),
        Finding::Leak(_) => None,
    });
    let model = model.unwrap();
    record.findings = (0..number)
        .map(|n| {
            let mut vulnerability = model.clone();
            vulnerability.id = format!("CVE-2026-{n:06}");
            change(n, &mut vulnerability);
            Finding::Vulnerability(vulnerability)
        })
        .collect();
    record
}

fn repository() -> Repository {
    GitHub::start().repository(Options::default().branch("main", COMMIT))
}

fn upload(repository: &Repository, sarif: &[u8]) -> Result<Accepted, code_scanning::Error> {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let slug = repository.slug();
    let (owner, name) = slug.split_once('/').unwrap();
    let credential = Some(Credential::Token(Secret::new(repository.token())));
    let access = Access { api: repository.api(), owner: owner.to_owned(), repository: name.to_owned(), credential };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let api = Api::open(&access).unwrap().unwrap();
        let started_at = SystemTime::now().try_into().unwrap();
        let sarif = &Redacted::of_json(sarif);
        code_scanning::upload(&api, &Analysis { sarif, commit: COMMIT, reference: MAIN, started_at }).await
    })
}

#[test]
fn more_results_and_rules_than_github_takes_are_cut_to_the_worst() {
    let record = many(30_000, |n, vulnerability| {
        vulnerability.severity = if n % 30 == 29 { Severity::Critical } else { Severity::Low };
    });
    let repository = repository();
    assert_eq!(upload(&repository, &render(&record, Tool::TRIVY).unwrap()).unwrap(), Accepted::Processed);
    let alerts = repository.alerts(MAIN);
    assert_eq!(alerts.len(), 5000);
    assert_eq!(alerts.iter().filter(|alert| alert.severity.unwrap() > 9.0).count(), 1000);
}

#[test]
fn a_file_over_the_size_is_cut_to_it() {
    let record = many(5000, |_, vulnerability| {
        vulnerability.title = noise(900);
        vulnerability.instruction = vulnerability.instruction.take().map(|place| Instruction { file: noise(4000), ..place });
    });
    let repository = repository();
    assert_eq!(upload(&repository, &render(&record, Tool::TRIVY).unwrap()).unwrap(), Accepted::Processed);
    let alerts = repository.alerts(MAIN).len();
    assert!((500..5000).contains(&alerts), "{alerts}");
}

#[test]
fn leaks_without_number_are_accepted_too() {
    let mut record = blocked();
    let model = record.findings.iter().find(|finding| finding.tool() == Tool::GITLEAKS).unwrap().clone();
    record.findings = (0..12_000)
        .map(|n| {
            let mut finding = model.clone();
            let Finding::Leak(leak) = &mut finding else { unreachable!() };
            (leak.file, leak.line) = (format!("file-{n}.env"), 7);
            finding
        })
        .collect();
    let repository = repository();
    assert_eq!(upload(&repository, &render(&record, Tool::GITLEAKS).unwrap()).unwrap(), Accepted::Processed);
    assert_eq!(repository.alerts(MAIN).len(), 5000);
}

#[test]
fn hostile_words_are_accepted_and_stay_words() {
    let hostile = "\u{1b}[31m::error::x\n{0} [a](javascript:x) \u{202e}<script>alert(1)</script> %0A\0";
    let record = many(20, |_, vulnerability| {
        vulnerability.title = hostile.to_owned();
        vulnerability.package = hostile.to_owned();
        vulnerability.id = format!("{hostile}{}", noise(4));
        vulnerability.url = Some("javascript:alert(1)".to_owned());
    });
    let repository = repository();
    assert_eq!(upload(&repository, &render(&record, Tool::TRIVY).unwrap()).unwrap(), Accepted::Processed);
    for alert in repository.alerts(MAIN) {
        assert!(!alert.message.contains(['\u{1b}', '\n', '\0', '{']) && !alert.message.contains("]("), "{alert:?}");
    }
}

#[test]
fn what_github_can_not_process_is_told_in_its_own_words() {
    let repository = repository();
    let twice = {
        let mut log: Value = serde_json::from_slice(&render(&blocked(), Tool::TRIVY).unwrap()).unwrap();
        let run = log["runs"][0].clone();
        log["runs"].as_array_mut().unwrap().push(run);
        log.to_string()
    };
    let Err(code_scanning::Error::Rejected(errors)) = upload(&repository, twice.as_bytes()) else { panic!("accepted") };
    let words = Diagnosis::from(&code_scanning::Error::Rejected(errors.clone())).why;
    assert!(!errors.is_empty() && words.contains(&errors[0]), "{errors:?}");
    assert!(repository.alerts(MAIN).is_empty());
}

/// Puts hostile words into every text of the findings that a scanner or a project writes.
fn hostile(mut record: Value) -> Value {
    let make = |text: &mut Value| {
        if let Value::String(text) = text {
            *text = format!("{text}{HOSTILE}{}", "A".repeat(10_000));
        }
    };
    for finding in record["findings"].as_array_mut().unwrap() {
        for name in ["id", "title", "package", "installed", "fixed", "target", "url", "rule", "description", "file", "commit"] {
            finding.get_mut(name).into_iter().for_each(make);
        }
        for name in ["file", "text"] {
            finding.get_mut("instruction").and_then(|instruction| instruction.get_mut(name)).into_iter().for_each(make);
        }
    }
    make(&mut record["destination"]);
    record
}

#[test]
fn github_takes_our_sarif_whatever_was_found() {
    let folder = tempfile::tempdir().unwrap();
    for (name, record) in
        [("delivered", example("delivered")), ("blocked", example("blocked")), ("hostile", hostile(example("blocked")))]
    {
        let record: Record = serde_json::from_value(record).unwrap();
        for tool in Tool::judging() {
            let path = folder.path().join(format!("{name}-{tool}.sarif"));
            std::fs::write(&path, render(&record, tool).unwrap()).unwrap();
            let output = Command::new(program(Installer::Validators, "sarif-validate")).arg(&path).output().unwrap();
            let [stdout, stderr] = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
            assert!(output.status.success(), "{name} {tool}: {stdout}{stderr}");
        }
    }
}
