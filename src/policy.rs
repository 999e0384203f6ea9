//! Findings and an environment, and what follows: the gate.
//!
//! [`decide`] is the only place that makes a [`Cleared`], and publishing takes one: publishing an image that was not judged
//! does not compile.

use jiff::{SignedDuration, Timestamp};

use crate::coverage::{Coverage, Gap};
use crate::environment::{Environment, Gate, Requirements};
use crate::finding::{Finding, Severity, Vulnerability};
use crate::oci::Digest;
use crate::scanner::Tool;

/// How far ahead another machine's clock may be.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_mins(10);

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
    /// The scans that ran to their end, on every platform, and whose findings are all at hand.
    pub(crate) scans: &'a [Scan<'a>],
    /// What was found, suppressed findings left out.
    pub(crate) findings: &'a [Finding],
}

/// A scan that ran to its end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scan<'a> {
    /// The scanner.
    pub(crate) tool: Tool,
    /// What it judged: that it found nothing says nothing of the rest.
    pub(crate) coverage: &'a Coverage,
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
    /// Nothing was found that shuts a gate, and not all was looked at: a failure, not a finding.
    Undecided(Undecided),
}

/// What a blocking gate lacks.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Undecided {
    /// The scan did not happen.
    NotScanned(Tool),
    /// The scan has gaps that nobody accepted.
    NotJudged(Vec<Gap>),
}

impl Threshold {
    /// Whether a vulnerability counts against the gate.
    #[must_use]
    pub(crate) fn counts(self, vulnerability: &Vulnerability) -> bool {
        self.counts_rated(vulnerability.severity, Some(vulnerability.fixed.is_some()))
    }

    /// Whether something of this severity counts. Where nobody says whether there is a fix, there may be one.
    #[must_use]
    pub(crate) fn counts_rated(self, severity: Severity, fixable: Option<bool>) -> bool {
        // An advisory without a severity may be any: unknown counts as the worst.
        let severe = severity == Severity::Unknown || severity >= self.severity;
        severe && !(self.ignore_unfixed && fixable == Some(false))
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

/// Decides about an image. A finding blocks, whatever else was not judged.
#[must_use]
pub(crate) fn decide(requirements: Requirements, threshold: Threshold, evidence: &Evidence<'_>) -> Decision {
    let (mut shut, mut open) = (Vec::new(), Vec::new());
    for tool in Tool::judging().filter(|tool| tool.blocks(requirements)) {
        let Some(scan) = evidence.scans.iter().find(|scan| scan.tool == tool) else {
            return Decision::Undecided(Undecided::NotScanned(tool));
        };
        let counting =
            evidence.findings.iter().filter(|finding| finding.tool() == tool && threshold.counts_finding(finding)).count();
        if counting > 0 {
            shut.push((tool, counting));
        }
        open.extend(scan.coverage.open().cloned());
    }
    match (shut.is_empty(), open.is_empty()) {
        (false, _) => Decision::Blocked(shut),
        (true, false) => Decision::Undecided(Undecided::NotJudged(open)),
        (true, true) => Decision::Cleared(Cleared { digest: evidence.image }),
    }
}

/// What was decided about an image before, by one whose word counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Precedent {
    /// The image.
    pub(crate) image: Digest,
    /// The environment that it was judged for.
    pub(crate) environment: Environment,
    /// Whether it was cleared there, and not let pass with advice.
    pub(crate) cleared: bool,
    /// What a leaked secret did there.
    pub(crate) secrets: Gate,
    /// What a vulnerability that counted did there.
    pub(crate) vulnerabilities: Gate,
    /// Which ones counted.
    pub(crate) threshold: Threshold,
    /// The digest of the inputs that decide what else is let pass.
    pub(crate) inputs: Digest,
    /// When it was decided, by somebody else's clock.
    pub(crate) at: Timestamp,
    /// When the advisories were gathered that it went by; absent where none were.
    pub(crate) advisories_of: Option<Timestamp>,
}

impl Precedent {
    /// Whether it lets the image pass here, by what was demanded then: whatever the advisories of today say.
    #[must_use]
    pub(crate) fn suffices(&self, environment: Environment, threshold: Threshold, inputs: Digest) -> bool {
        (self.cleared || !environment.is_blocking()) && self.demanded(environment, threshold, inputs)
    }

    /// Whether what was demanded then is at least what is demanded now.
    fn demanded(&self, environment: Environment, threshold: Threshold, inputs: Digest) -> bool {
        let requirements = environment.requirements();
        let as_strict = |then: Gate, now: Gate| then == Gate::Blocking || now == Gate::Advisory;
        // Which of two sets of inputs is the stricter is not known.
        self.environment == environment
            && self.inputs == inputs
            && as_strict(self.secrets, requirements.secrets)
            && as_strict(self.vulnerabilities, requirements.vulnerabilities)
            && self.threshold.severity <= threshold.severity
            && (threshold.ignore_unfixed || !self.threshold.ignore_unfixed)
    }

    /// Whether it and the advisories that it went by are of the time before `now` that `limit` allows.
    fn is_fresh(&self, limit: SignedDuration, now: Timestamp) -> bool {
        let fresh = |time: Timestamp| (-CLOCK_SKEW..=limit).contains(&now.duration_since(time));
        fresh(self.at) && self.advisories_of.is_some_and(fresh)
    }
}

/// The leave to publish an image that was judged before, if that was for this environment, demanded no less, and is not older
/// than advisories may be. Whose word it was is for the caller to have looked at.
#[must_use]
pub(crate) fn follow(
    precedent: &Precedent,
    environment: Environment,
    threshold: Threshold,
    inputs: Digest,
    limit: SignedDuration,
    now: Timestamp,
) -> Option<Cleared> {
    let follows = precedent.cleared && precedent.demanded(environment, threshold, inputs) && precedent.is_fresh(limit, now);
    follows.then_some(Cleared { digest: precedent.image })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coverage::GapKind;
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
        let found = Vulnerability::example("CVE-2020-14343", "PyYAML", "5.3", severity);
        Finding::Vulnerability(Vulnerability { fixed: fixed.map(str::to_owned), ..found })
    }

    fn judge(environment: Environment, threshold: Threshold, findings: &[Finding]) -> Decision {
        let scans = [Tool::GITLEAKS, Tool::TRIVY].map(|tool| Scan { tool, coverage: &Coverage::Complete });
        let evidence = Evidence { image: Digest::of(b"image"), scans: &scans, findings };
        decide(environment.requirements(), threshold, &evidence)
    }

    fn gap(accepted: Option<&str>) -> Gap {
        Gap {
            tool: Tool::TRIVY,
            kind: GapKind::List,
            name: "app/METADATA".to_owned(),
            why: "trivy can't read it".to_owned(),
            platform: "linux/amd64".parse().unwrap(),
            accepted: accepted.map(str::to_owned),
        }
    }

    fn judge_partly(environment: Environment, gaps: &[Gap], findings: &[Finding]) -> Decision {
        let coverage = Coverage::of(gaps.to_vec());
        let scans =
            [Scan { tool: Tool::GITLEAKS, coverage: &Coverage::Complete }, Scan { tool: Tool::TRIVY, coverage: &coverage }];
        let evidence = Evidence { image: Digest::of(b"image"), scans: &scans, findings };
        decide(environment.requirements(), THRESHOLD, &evidence)
    }

    #[test]
    fn what_was_not_judged_is_neither_clean_nor_found_unless_it_is_accepted() {
        for environment in Environment::ALL {
            let blocking = environment.requirements().vulnerabilities == Gate::Blocking;
            let decision = judge_partly(environment, &[gap(Some("known")), gap(None)], &[]);
            let undecided = matches!(&decision, Decision::Undecided(Undecided::NotJudged(open)) if *open == [gap(None)]);
            assert_eq!(undecided, blocking, "{environment}: {decision:?}");
            assert!(matches!(judge_partly(environment, &[gap(Some("known"))], &[]), Decision::Cleared(_)), "{environment}");
        }
    }

    #[test]
    fn a_finding_blocks_even_where_not_all_was_judged() {
        assert!(matches!(judge_partly(Environment::Prod, &[gap(None)], &[leak()]), Decision::Blocked(_)));
    }

    fn precedent(change: fn(&mut Precedent)) -> bool {
        let now: Timestamp = "2026-11-27T12:00:00Z".parse().unwrap();
        let mut precedent = Precedent {
            image: Digest::of(b"image"),
            environment: Environment::Prod,
            cleared: true,
            secrets: Gate::Blocking,
            vulnerabilities: Gate::Blocking,
            threshold: THRESHOLD,
            inputs: Digest::of(b"inputs"),
            at: now - SignedDuration::from_hours(1),
            advisories_of: Some(now - SignedDuration::from_hours(6)),
        };
        change(&mut precedent);
        let inputs = Digest::of(b"inputs");
        follow(&precedent, Environment::Prod, THRESHOLD, inputs, SignedDuration::from_hours(48), now).is_some()
    }

    #[test]
    fn a_fresh_verdict_of_this_environment_is_followed() {
        assert!(precedent(|_| ()));
        assert!(precedent(|verdict| verdict.threshold.severity = Severity::Low));
        assert!(precedent(|verdict| verdict.at += SignedDuration::from_mins(61)));
    }

    #[test]
    fn a_verdict_that_is_old_lenient_or_another_environments_is_not_followed() {
        assert!(!precedent(|verdict| verdict.cleared = false));
        assert!(!precedent(|verdict| verdict.environment = Environment::Staging));
        assert!(!precedent(|verdict| verdict.secrets = Gate::Advisory));
        assert!(!precedent(|verdict| verdict.vulnerabilities = Gate::Advisory));
        assert!(!precedent(|verdict| verdict.threshold.severity = Severity::Critical));
        assert!(!precedent(|verdict| verdict.threshold.ignore_unfixed = true));
        assert!(!precedent(|verdict| verdict.inputs = Digest::of(b"others")));
        assert!(!precedent(|verdict| verdict.at -= SignedDuration::from_hours(48)));
        assert!(!precedent(|verdict| verdict.at += SignedDuration::from_hours(2)));
        assert!(!precedent(|verdict| verdict.advisories_of = Some(verdict.at - SignedDuration::from_hours(48))));
        assert!(!precedent(|verdict| verdict.advisories_of = None));
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
                let scans = [Scan { tool: complete, coverage: &Coverage::Complete }];
                let evidence = Evidence { image: Digest::of(b"image"), scans: &scans, findings: &[] };
                let decision = decide(environment.requirements(), THRESHOLD, &evidence);
                let undecided = matches!(decision, Decision::Undecided(Undecided::NotScanned(_)));
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
