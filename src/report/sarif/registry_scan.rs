//! What the registry's own scan knows and trivy does not: what both know is trivy's alert, and one is enough.

use super::{Alerts, COMPRESSED, RESULTS, category, fitted, vulnerabilities};
use crate::finding::Vulnerability;
use crate::oci::Platform;
use crate::record::Record;
use crate::registry_scan::{RegistryFinding, RegistryScan};
use crate::scanner::{Driver, Tool};
use crate::sink::Redacted;

/// What its file, and its category, are called.
pub(crate) const NAME: &str = "ecr";

/// Amazon ECR as SARIF names it.
const DRIVER: Driver =
    Driver { name: "Amazon ECR", information_uri: "https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-scanning.html" };

/// The SARIF file, with no results where it found nothing more. `None` where an image has no result.
#[must_use]
pub(crate) fn render(record: &Record) -> Option<Redacted> {
    let scan = record.registry_scan.as_ref().filter(|scan| scan.is_complete())?;
    let found = alone(scan);
    let merged = vulnerabilities::merged(&found);
    let alerts: Alerts<'_> = vulnerabilities::alerts_of(&merged);
    Some(Redacted::of_json(&fitted(&DRIVER, &category(record, NAME), &alerts, (RESULTS, COMPRESSED))))
}

/// What trivy does not know and nothing lets through.
fn alone(scan: &RegistryScan) -> Vec<Vulnerability> {
    let alone = scan.findings.iter().filter(|finding| finding.by_trivy != Some(true) && finding.let_through.is_none());
    alone.map(vulnerability).collect()
}

fn vulnerability(finding: &RegistryFinding) -> Vulnerability {
    let platform = || Platform { os: "linux".to_owned(), architecture: "unknown".to_owned(), variant: None };
    Vulnerability {
        id: finding.id.clone(),
        severity: finding.severity,
        title: finding.title.clone(),
        package: finding.package.clone(),
        installed: finding.installed.clone(),
        fixed: finding.fixed.clone(),
        target: "the image, by Amazon ECR's scan".to_owned(),
        url: finding.url.clone(),
        platform: finding.platform.clone().unwrap_or_else(platform),
        layer: None,
        instruction: None,
        // It says what the finding is, not who found it: the same advisory in the same package has one fingerprint.
        tool: Tool::TRIVY,
    }
}
