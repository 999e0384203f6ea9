//! The gate.

use jiff::Timestamp;

use super::reuse::ExistingImage;
use super::vulnerabilities::Vulnerabilities;
use super::{Delivery, Ending};
use crate::coverage::Coverage;
use crate::environment::Environment;
use crate::error::Error;
use crate::finding::Finding;
use crate::oci::Image;
use crate::policy::{self, Cleared, Decision, Evidence, Scan, Undecided};
use crate::record::StageName;
use crate::scan::gitleaks::Leaks;
use crate::scanner::Tool;
use crate::text;

/// Judges the image by what the scans found and by what of it they judged; `vulnerabilities` is absent where they were not
/// scanned for. A scan whose coverage is not known counts as none. None: it is blocked.
pub(super) async fn judge(
    delivery: &Delivery,
    image: &Image,
    leaks: &Leaks,
    vulnerabilities: Option<(&Vulnerabilities, Option<&Coverage>)>,
) -> Result<Option<Cleared>, Error> {
    let leaks = leaks.findings.iter().cloned().map(Finding::Leak);
    let vulnerable =
        vulnerabilities.into_iter().flat_map(|(found, _)| found.findings.iter().cloned().map(Finding::Vulnerability));
    let findings: Vec<_> = leaks.chain(vulnerable).collect();
    // gitleaks reads all that it is given, or its scan is an error.
    let secrets = Scan { tool: Tool::GITLEAKS, coverage: &Coverage::Complete };
    let packages = vulnerabilities.and_then(|(_, coverage)| coverage).map(|coverage| Scan { tool: Tool::TRIVY, coverage });
    let scans: Vec<_> = [secrets].into_iter().chain(packages).collect();
    delivery
        .stage(StageName::Decision, async |_| {
            let config = &delivery.config;
            let evidence = Evidence { image: image.digest, scans: &scans, findings: &findings };
            match policy::decide(config.environment.requirements(), config.threshold, &evidence) {
                Decision::Cleared(cleared) => Ok((Some(cleared), clear(delivery, &findings))),
                Decision::Blocked(shut) => Ok((None, Ending::Block(blocked(&shut)))),
                Decision::Undecided(Undecided::NotScanned(tool)) => Err(Error::NotScanned(tool)),
                Decision::Undecided(Undecided::NotJudged(gaps)) => Err(Error::NotJudged(gaps)),
            }
        })
        .await
}

/// Whether an image that is there already is judged, though it says that this environment's delivery has published it: where the
/// gates block, and where it is signed, since nobody signs what was not looked at.
pub(super) fn judges_what_is_there(delivery: &Delivery) -> bool {
    delivery.config.environment.is_blocking() || delivery.config.signing.is_on()
}

/// The `Cleared` to set the missing tags of an image that this environment's delivery published: where the gates only advise,
/// it needs no new scan; where they block, a verdict does that is proven, and fresh. `None` if the image has to be judged again.
pub(super) fn before(delivery: &Delivery, existing: &ExistingImage) -> Option<Cleared> {
    let proof = existing.proof.as_ref().filter(|proof| proof.is_of_the_same_workflow());
    if let (Some(proof), Some(limit)) = (proof, delivery.config.database_max_age) {
        let (environment, threshold) = (delivery.config.environment, delivery.config.threshold);
        let (inputs, now) = (delivery.config.leniency(), Timestamp::now());
        let cleared = policy::follow(&proof.precedent(), environment, threshold, inputs, limit.into(), now);
        if let Some(cleared) = cleared.filter(|cleared| cleared.digest() == existing.manifest.digest) {
            delivery.recorder.write(|record| {
                (record.precedent, record.signer) = (Some(proof.at()), Some(proof.signer().clone()));
            });
            return Some(cleared);
        }
    }
    if judges_what_is_there(delivery) {
        return None;
    }
    let evidence = Evidence { image: existing.manifest.digest, scans: &[], findings: &[] };
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
            let (findings, first) = (text::count(counting, "finding"), Environment::first_blocking());
            Ending::Advise(format!("cleared for {environment}; {findings} would block from {first} up"))
        }
    }
}

fn blocked(shut: &[(Tool, usize)]) -> String {
    let noun = |tool: Tool| tool.finds.as_ref().map_or(tool.noun(), |finds| finds.short_noun);
    let gates: Vec<_> = shut.iter().map(|(tool, findings)| text::count(*findings, noun(*tool))).collect();
    format!("blocked by {}", gates.join(" and "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scanner::made_up::MADE_UP;

    #[test]
    fn each_scanner_that_blocks_is_counted_in_its_own_words() {
        let shut = [(Tool::GITLEAKS, 1), (Tool::TRIVY, 2), (MADE_UP, 3)];
        assert_eq!(blocked(&shut), "blocked by 1 leak and 2 vulnerabilities and 3 spots");
        assert_eq!(blocked(&[(Tool::TRIVY, 1)]), "blocked by 1 vulnerability");
    }
}
