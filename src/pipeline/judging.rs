//! The gate.

use super::{Delivery, Ending, count};
use crate::diagnosis::Diagnosis;
use crate::error::Error;
use crate::finding::{Finding, Tool};
use crate::oci::Image;
use crate::policy::{self, Cleared, Decision, Evidence, Scan};
use crate::record::StageName;

/// Judges the image. None: it is blocked.
pub(super) fn judge(delivery: &Delivery, image: &Image, secrets: Scan, vulnerabilities: Scan) -> Result<Option<Cleared>, Error> {
    let stage = delivery.recorder.stage(StageName::Decision);
    let config = &delivery.config;
    let findings = delivery.recorder.write(|record| record.findings.clone());
    let evidence = Evidence { image: image.digest, secrets, vulnerabilities, findings: &findings };
    let (cleared, ending) = match policy::decide(config.environment.demands(), config.threshold, &evidence) {
        Decision::Cleared(cleared) => (Some(cleared), clear(delivery, &findings)),
        Decision::Blocked(shut) => (None, Ending::Block(blocked(&shut))),
        Decision::Undecided(tool) => {
            let error = Error::Undecided(tool);
            stage.fail(Diagnosis::from(&error).what);
            return Err(error);
        }
    };
    match ending {
        Ending::Advise(detail) => stage.advise(detail),
        Ending::Block(detail) => stage.block(detail),
        Ending::Pass(detail) | Ending::Skip(detail) => stage.pass(detail),
    }
    Ok(cleared)
}

fn clear(delivery: &Delivery, findings: &[Finding]) -> Ending {
    let environment = delivery.config.environment;
    match findings.iter().filter(|finding| delivery.config.threshold.counts_finding(finding)).count() {
        0 => Ending::Pass(format!("cleared for {environment}")),
        counting => Ending::Advise(format!("cleared for {environment}; {} would block from test up", count(counting, "finding"))),
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
