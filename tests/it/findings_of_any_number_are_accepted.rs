//! However much is found, GitHub takes it: each of its limits is kept to, the worst findings first.

use std::time::SystemTime;

use doubles::github::{GitHub, Options, Repository};
use gp_deliver::finding::{Finding, Instruction, Severity};
use gp_deliver::github::code_scanning::{self, Accepted, Analysis};
use gp_deliver::github::{Access, Api};
use gp_deliver::record::Record;
use gp_deliver::report::sarif;
use gp_deliver::scanner::Tool;
use gp_deliver::secret::Secret;

const COMMIT: &str = "a1b2c3d4e5f60718293a4b5c6d7e8f9012345678";
const MAIN: &str = "refs/heads/main";

/// A blocked delivery, as `fixtures` has it.
fn blocked() -> Record {
    serde_json::from_str(include_str!("../../fixtures/records/blocked.json")).unwrap()
}

/// Text that does not get smaller when it is compressed.
fn noise(length: usize) -> String {
    use rand::distr::{Alphanumeric, SampleString as _};
    Alphanumeric.sample_string(&mut rand::rng(), length)
}

/// `number` findings, each with an advisory of its own, changed by `change`.
fn many(number: usize, change: impl Fn(usize, &mut gp_deliver::finding::Vulnerability)) -> Record {
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
    let token = Some(Secret::new(repository.token()));
    let access = Access { api: repository.api(), owner: owner.to_owned(), repository: name.to_owned(), token };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let api = Api::open(&access).unwrap().unwrap();
        let started_at = SystemTime::now().try_into().unwrap();
        code_scanning::upload(&api, &Analysis { sarif, commit: COMMIT, reference: MAIN, started_at }).await
    })
}

#[test]
fn more_results_and_rules_than_github_takes_are_cut_to_the_worst() {
    let record = many(30_000, |n, vulnerability| {
        vulnerability.severity = if n % 30 == 29 { Severity::Critical } else { Severity::Low };
    });
    let repository = repository();
    assert_eq!(upload(&repository, &sarif::render(&record, Tool::TRIVY).unwrap()).unwrap(), Accepted::Processed);
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
    assert_eq!(upload(&repository, &sarif::render(&record, Tool::TRIVY).unwrap()).unwrap(), Accepted::Processed);
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
    assert_eq!(upload(&repository, &sarif::render(&record, Tool::GITLEAKS).unwrap()).unwrap(), Accepted::Processed);
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
    assert_eq!(upload(&repository, &sarif::render(&record, Tool::TRIVY).unwrap()).unwrap(), Accepted::Processed);
    for alert in repository.alerts(MAIN) {
        assert!(!alert.message.contains(['\u{1b}', '\n', '\0', '{']) && !alert.message.contains("]("), "{alert:?}");
    }
}

#[test]
fn what_github_can_not_process_is_told_in_its_own_words() {
    let repository = repository();
    let twice = {
        let mut log: serde_json::Value = serde_json::from_slice(&sarif::render(&blocked(), Tool::TRIVY).unwrap()).unwrap();
        let run = log["runs"][0].clone();
        log["runs"].as_array_mut().unwrap().push(run);
        log.to_string()
    };
    let Err(code_scanning::Error::Rejected(errors)) = upload(&repository, twice.as_bytes()) else { panic!("accepted") };
    let words = gp_deliver::diagnosis::Diagnosis::from(&code_scanning::Error::Rejected(errors.clone())).why;
    assert!(!errors.is_empty() && words.contains(&errors[0]), "{errors:?}");
    assert!(repository.alerts(MAIN).is_empty());
}
