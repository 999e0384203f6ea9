//! What scanners say, and the lists by which projects have them pass something over.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use super::input::{can_be_shown, is_plain, parts, text};
use crate::finding::Vulnerability;
use crate::oci::Platform;
use crate::scan::packages::Packages;
use crate::scan::trivy::Vulnerabilities;
use crate::scan::{Error, gitleaks, syft, trivy};

/// Reads gitleaks' reports on a tree and on its history, and a `.gitleaksignore`.
pub fn gitleaks_report(bytes: &[u8]) {
    let [tree, past, ignored] = parts(bytes);
    match gitleaks::fuzzing::leaks(tree, past, ignored) {
        Err(error) => can_be_shown(&error),
        Ok((leaks, _)) => {
            for leak in &leaks {
                assert!(leak.line >= 1);
                [&leak.rule, &leak.description, &leak.file, &leak.fingerprint].into_iter().for_each(can_be_shown);
            }
            let places: BTreeSet<_> = leaks.iter().collect();
            assert_eq!(places.len(), leaks.len(), "a leak is told once");
        }
    }
}

/// Reads a `.gitleaks.toml`, and a path that its rules are asked about.
pub fn gitleaks_lists(bytes: &[u8]) {
    let [rules, path] = parts(bytes);
    if let Err(error) = gitleaks::fuzzing::rules(rules, path) {
        assert!(matches!(error, Error::LeakRules { .. }), "{error}");
    }
}

/// Reads trivy's report and its log.
pub fn trivy_report(bytes: &[u8]) {
    let [report, log] = parts(bytes);
    let Some(platform) = "linux/amd64".parse::<Platform>().ok() else { return };
    match trivy::fuzzing::read(report, &text(log), &platform) {
        Err(error) => can_be_shown(&error),
        Ok(found) => are_told(&found),
    }
}

fn are_told(found: &Vulnerabilities) {
    for vulnerability in &found.findings {
        let Vulnerability { id, title, package, installed, fixed, target, url, .. } = vulnerability;
        [id, title, package, installed, target].into_iter().chain(fixed).chain(url).for_each(can_be_shown);
    }
    assert!(found.findings.is_sorted_by(|one, other| one.severity >= other.severity), "the worst come first");
    for gap in &found.gaps {
        [&gap.name, &gap.why].into_iter().for_each(can_be_shown);
    }
    found.warnings.iter().for_each(can_be_shown);
    found.suppressions.iter().for_each(|suppression| can_be_shown(&suppression.id));
    nothing_is_missing_of_itself(&found.list);
}

/// Reads syft's SBOM, and compares its packages with those of another.
pub fn sbom(bytes: &[u8]) {
    let [ours, theirs] = parts(bytes);
    let (ours, theirs) = match (syft::fuzzing::read(ours), syft::fuzzing::read(theirs)) {
        (Ok(ours), Ok(theirs)) => (ours, theirs),
        (Err(error), _) | (_, Err(error)) => return can_be_shown(&error),
    };
    nothing_is_missing_of_itself(&ours);
    let missing = ours.missing(&theirs, &BTreeSet::new(), &[]);
    for shortfall in missing.unjudged.iter().chain(&ours.refused(&theirs)) {
        is_plain(&shortfall.name);
        is_plain(&shortfall.why);
    }
    for package in missing.by_name.iter() {
        assert!(!package.version().is_empty(), "what has no version is not looked up by name");
        assert!(package.names().len() <= 8);
    }
}

fn nothing_is_missing_of_itself(packages: &Packages) {
    let missing = packages.missing(packages, &BTreeSet::new(), &[]);
    assert!(missing.unjudged.is_empty() && missing.by_name.is_empty(), "a list lacks what is on it");
    assert!(packages.refused(packages).is_empty());
}

/// Reads a `.trivyignore.yaml`, and the same text as a `.trivyignore`: what trivy is handed says the same when it is read.
pub fn trivy_lists(bytes: &[u8]) {
    for name in trivy::ignore::FILES {
        let Some((handed, warnings)) = handed(name, bytes) else { continue };
        warnings.iter().for_each(can_be_shown);
        let Some(handed) = handed else { continue };
        // It is written as JSON, and trivy reads YAML.
        let (written, read) = (serde_json::from_str::<Value>(&handed), serde_yaml::from_str::<Value>(&handed));
        assert_eq!(read.ok(), written.ok(), "trivy reads other entries");
    }
}

/// What trivy is handed of a list, and the warnings about it; `None` where it is refused.
fn handed(name: &str, bytes: &[u8]) -> Option<(Option<String>, Vec<String>)> {
    let root = tempfile::tempdir().ok()?;
    fs::write(root.path().join(name), bytes).ok()?;
    match trivy::fuzzing::handed(root.path()) {
        Ok(handed) => Some(handed),
        Err(Error::IgnoreFile { reason, .. }) => {
            can_be_shown(&reason);
            None
        }
        Err(error) => unreachable!("{error}"),
    }
}
