//! Findings and an environment, and what follows: the gate.
//!
//! [`decide`] is the only place that makes a [`Cleared`], and publishing takes one: publishing an image that was not judged
//! does not compile.

use crate::environment::Requirements;
use crate::finding::{Finding, Severity, Vulnerability};
use crate::oci::Digest;
use crate::scanner::Tool;

/// Permission to publish one image: the proof that it was judged.
#[derive(Debug)]
pub(crate) struct Cleared {
    digest: Digest,
}

impl Cleared {
    /// The digest of the image that may be published, and of no other.
    #[must_use]
    pub(crate) fn digest(&self) -> Digest {
        self.digest
    }
}

/// The evidence that the gate goes by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Evidence<'a> {
    /// The image that was scanned.
    pub(crate) image: Digest,
    /// The scanners that ran to their end, on every platform, and whose findings are all at hand.
    pub(crate) complete: &'a [Tool],
    /// What was found, suppressed findings left out.
    pub(crate) findings: &'a [Finding],
}

/// Which vulnerabilities count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Threshold {
    /// The mildest severity that counts.
    pub(crate) severity: Severity,
    /// Whether vulnerabilities without a fix are left out.
    pub(crate) ignore_unfixed: bool,
}

/// What follows from the evidence.
#[derive(Debug)]
pub(crate) enum Decision {
    /// The image may be published.
    Cleared(Cleared),
    /// It may not, and this is why: the tools whose gate is shut, each with the number of findings that shut it.
    Blocked(Vec<(Tool, usize)>),
    /// A scan whose gate is blocking did not happen, so nothing can be decided: a failure, not a finding.
    Undecided(Tool),
}

impl Threshold {
    /// Whether a vulnerability counts against the gate.
    #[must_use]
    pub(crate) fn counts(self, vulnerability: &Vulnerability) -> bool {
        // An advisory without a severity may be any: unknown counts as the worst.
        let severe = vulnerability.severity == Severity::Unknown || vulnerability.severity >= self.severity;
        severe && !(self.ignore_unfixed && vulnerability.fixed.is_none())
    }

    /// Whether a finding of either kind counts against its gate.
    #[must_use]
    pub(crate) fn counts_finding(self, finding: &Finding) -> bool {
        match finding {
            Finding::Leak(_) => true,
            Finding::Vulnerability(vulnerability) => self.counts(vulnerability),
        }
    }
}

/// Decides about an image.
#[must_use]
pub(crate) fn decide(requirements: Requirements, threshold: Threshold, evidence: &Evidence<'_>) -> Decision {
    let mut shut = Vec::new();
    for tool in Tool::judging().filter(|tool| tool.blocks(requirements)) {
        if !evidence.complete.contains(&tool) {
            return Decision::Undecided(tool);
        }
        let counting =
            evidence.findings.iter().filter(|finding| finding.tool() == tool && threshold.counts_finding(finding)).count();
        if counting > 0 {
            shut.push((tool, counting));
        }
    }
    if shut.is_empty() { Decision::Cleared(Cleared { digest: evidence.image }) } else { Decision::Blocked(shut) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::{Environment, Gate};
    use crate::finding::Leak;

    const THRESHOLD: Threshold = Threshold { severity: Severity::High, ignore_unfixed: false };

    fn leak() -> Finding {
        let text = String::new;
        Finding::Leak(Leak {
            rule: text(),
            description: text(),
            file: text(),
            layer: None,
            line: 1,
            commit: None,
            fingerprint: text(),
            tool: Tool::GITLEAKS,
        })
    }

    fn vulnerability(severity: Severity, fixed: Option<&str>) -> Finding {
        Finding::Vulnerability(Vulnerability {
            id: "CVE-2020-14343".to_owned(),
            severity,
            title: String::new(),
            package: "PyYAML".to_owned(),
            installed: "5.3".to_owned(),
            fixed: fixed.map(str::to_owned),
            target: String::new(),
            url: None,
            platform: "linux/amd64".parse().unwrap(),
            layer: None,
            instruction: None,
            tool: Tool::TRIVY,
        })
    }

    fn judge(environment: Environment, threshold: Threshold, findings: &[Finding]) -> Decision {
        let image = Digest::of(b"image");
        let evidence = Evidence { image, complete: &[Tool::GITLEAKS, Tool::TRIVY], findings };
        decide(environment.requirements(), threshold, &evidence)
    }

    #[test]
    fn findings_block_exactly_the_blocking_environments() {
        for finding in [leak(), vulnerability(Severity::Critical, None)] {
            for environment in Environment::ALL {
                let blocked = matches!(judge(environment, THRESHOLD, std::slice::from_ref(&finding)), Decision::Blocked(_));
                assert_eq!(blocked, environment.requirements().secrets == Gate::Blocking, "{environment}: {finding:?}");
            }
        }
    }

    #[test]
    fn what_is_milder_than_the_threshold_does_not_block() {
        assert!(matches!(judge(Environment::Prod, THRESHOLD, &[vulnerability(Severity::Medium, None)]), Decision::Cleared(_)));
        assert!(matches!(judge(Environment::Prod, THRESHOLD, &[vulnerability(Severity::High, None)]), Decision::Blocked(_)));
    }

    #[test]
    fn an_unknown_severity_blocks() {
        let mildest_but_critical = Threshold { severity: Severity::Critical, ignore_unfixed: false };
        assert!(matches!(
            judge(Environment::Prod, mildest_but_critical, &[vulnerability(Severity::Unknown, None)]),
            Decision::Blocked(_)
        ));
    }

    #[test]
    fn unfixed_vulnerabilities_are_left_out_only_where_that_is_asked_for() {
        let lenient = Threshold { ignore_unfixed: true, ..THRESHOLD };
        assert!(matches!(judge(Environment::Prod, lenient, &[vulnerability(Severity::Critical, None)]), Decision::Cleared(_)));
        assert!(matches!(
            judge(Environment::Prod, lenient, &[vulnerability(Severity::Critical, Some("5.4"))]),
            Decision::Blocked(_)
        ));
    }

    #[test]
    fn a_scan_that_did_not_happen_never_clears_a_blocking_environment() {
        for environment in Environment::ALL {
            for complete in [Tool::TRIVY, Tool::GITLEAKS] {
                let evidence = Evidence { image: Digest::of(b"image"), complete: &[complete], findings: &[] };
                let decision = decide(environment.requirements(), THRESHOLD, &evidence);
                let undecided = matches!(decision, Decision::Undecided(_));
                assert_eq!(undecided, environment.requirements().secrets == Gate::Blocking, "{environment}");
            }
        }
    }

    #[test]
    fn what_is_cleared_is_the_image_that_was_scanned() {
        let Decision::Cleared(cleared) = judge(Environment::Prod, THRESHOLD, &[]) else { panic!("not cleared") };
        assert_eq!(cleared.digest(), Digest::of(b"image"));
    }
}
