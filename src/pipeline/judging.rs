//! The gate.

use super::scanning::Vulnerabilities;
use super::{Delivery, Ending, count};
use crate::environment::Environment;
use crate::error::Error;
use crate::finding::{Finding, Tool};
use crate::oci::{Digest, Image};
use crate::policy::{self, Cleared, Decision, Evidence, Scan};
use crate::record::StageName;
use crate::scan::gitleaks::Leaks;

/// Judges the image by what the scans found; `vulnerabilities` is absent where they were not looked for. None: it is blocked.
pub(super) async fn judge(
    delivery: &Delivery,
    image: &Image,
    leaks: &Leaks,
    vulnerabilities: Option<&Vulnerabilities>,
) -> Result<Option<Cleared>, Error> {
    let leaks = leaks.findings.iter().cloned().map(Finding::Leak);
    let vulnerable = vulnerabilities.into_iter().flat_map(|found| found.findings.iter().cloned().map(Finding::Vulnerability));
    let findings: Vec<_> = leaks.chain(vulnerable).collect();
    let scan = if vulnerabilities.is_some() { Scan::Complete } else { Scan::Missing };
    delivery
        .stage(StageName::Decision, async |_| {
            let config = &delivery.config;
            let evidence = Evidence { image: image.digest, secrets: Scan::Complete, vulnerabilities: scan, findings: &findings };
            match policy::decide(config.environment.requirements(), config.threshold, &evidence) {
                Decision::Cleared(cleared) => Ok((Some(cleared), clear(delivery, &findings))),
                Decision::Blocked(shut) => Ok((None, Ending::Block(blocked(&shut)))),
                Decision::Undecided(tool) => Err(Error::Undecided(tool)),
            }
        })
        .await
}

/// The leave to set the missing tags of an image that this environment's delivery published: where the gates only advise,
/// it needs no new scan. None: the image is judged anew.
pub(super) fn without_scans(delivery: &Delivery, image: Digest) -> Option<Cleared> {
    let evidence = Evidence { image, secrets: Scan::Missing, vulnerabilities: Scan::Missing, findings: &[] };
    match policy::decide(delivery.config.environment.requirements(), delivery.config.threshold, &evidence) {
        Decision::Cleared(cleared) => Some(cleared),
        Decision::Blocked(_) | Decision::Undecided(_) => None,
    }
}

fn clear(delivery: &Delivery, findings: &[Finding]) -> Ending {
    let environment = delivery.config.environment;
    match findings.iter().filter(|finding| delivery.config.threshold.counts_finding(finding)).count() {
        0 => Ending::Pass(format!("cleared for {environment}")),
        counting => {
            let (findings, first) = (count(counting, "finding"), Environment::first_blocking());
            Ending::Advise(format!("cleared for {environment}; {findings} would block from {first} up"))
        }
    }
}

fn blocked(shut: &[(Tool, usize)]) -> String {
    let gates: Vec<_> = shut
        .iter()
        .map(|(tool, findings)| match tool {
            Tool::Gitleaks => count(*findings, "leak"),
            Tool::Trivy if *findings == 1 => "1 vulnerability".to_owned(),
            Tool::Trivy => format!("{findings} vulnerabilities"),
        })
        .collect();
    format!("blocked by {}", gates.join(" and "))
}
