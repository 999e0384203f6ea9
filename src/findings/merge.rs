//! What ECR's scan found, beside what trivy found and what the project lets through.

use std::collections::BTreeSet;

use super::subject::Subject;
use super::wait::Looked;
use crate::aws::ecr::{FoundPackage, NoResult, ScanFinding};
use crate::finding::{Severity, Vulnerability};
use crate::policy::Threshold;
use crate::registry_scan::{Advisory, Demand, RegistryFinding, RegistryScan, ScanResult, ScannedImage};
use crate::text::Line;

/// What findings are held against.
pub(crate) struct Judge<'a> {
    /// What trivy found; absent where it did not look.
    pub(crate) trivy: Option<&'a [Vulnerability]>,
    /// What counts.
    pub(crate) threshold: Threshold,
    /// What of the project lets an advisory through.
    pub(crate) lets_through: &'a dyn Fn(&str) -> Option<String>,
    /// Why an image may be without a result that ECR can't scan; absent where it may not.
    pub(crate) accepted: Option<&'a str>,
}

/// All of it as one. A finding is the same as trivy's where advisory and package are.
#[must_use]
pub(crate) fn merged(demand: Demand, looked: Vec<(Subject, Looked)>, judge: &Judge<'_>) -> RegistryScan {
    let mut findings = Vec::new();
    let mut images = Vec::new();
    for (subject, looked) in looked {
        let result = match looked {
            Ok(found) => {
                let rows = found.findings.iter().flat_map(|finding| rows(finding, &subject, judge));
                rows.for_each(|row| {
                    if !findings.contains(&row) {
                        findings.push(row);
                    }
                });
                if found.enhanced { ScanResult::Enhanced { at: found.at } } else { ScanResult::Basic { at: found.at } }
            }
            Err(NoResult { why, is_unsupported: unsupported }) => {
                let accepted = judge.accepted.filter(|_| unsupported).map(str::to_owned);
                ScanResult::None { why: why.into(), unsupported, accepted }
            }
        };
        images.push(ScannedImage { platform: subject.platform, digest: subject.digest, result });
    }
    findings.sort_by(|one: &RegistryFinding, other| {
        let key = |finding: &RegistryFinding| (finding.counts, finding.severity);
        key(other).cmp(&key(one)).then_with(|| (&one.id, &one.package).cmp(&(&other.id, &other.package)))
    });
    let only_trivy = judge.trivy.map(|trivy| only_trivy(trivy, &images, &findings));
    RegistryScan { demand, images, findings, only_trivy }
}

/// The same where nothing could be asked.
#[must_use]
pub(crate) fn unread(demand: Demand, subjects: &[Subject], why: &str) -> RegistryScan {
    let image = |subject: &Subject| ScannedImage {
        platform: subject.platform.clone(),
        digest: subject.digest,
        result: ScanResult::None { why: why.to_owned(), unsupported: false, accepted: None },
    };
    RegistryScan { demand, images: subjects.iter().map(image).collect(), findings: Vec::new(), only_trivy: None }
}

/// A finding is a row for each package that it names, and one where it names none.
fn rows(finding: &ScanFinding, subject: &Subject, judge: &Judge<'_>) -> Vec<RegistryFinding> {
    let nowhere = [FoundPackage { name: Line::default(), version: Line::default(), fixed: None }];
    let packages = if finding.packages.is_empty() { &nowhere[..] } else { &finding.packages };
    packages.iter().map(|package| row(finding, package, subject, judge)).collect()
}

fn row(finding: &ScanFinding, package: &FoundPackage, subject: &Subject, judge: &Judge<'_>) -> RegistryFinding {
    let of_trivy = judge.trivy.map(|trivy| trivy.iter().find(|one| is_same(one, subject, &finding.id, &package.name)));
    let known = of_trivy.flatten();
    let fixed = package.fixed.clone().map(String::from).or_else(|| known.and_then(|known| known.fixed.clone()));
    let said = [finding.fixable, known.map(|known| known.fixed.is_some()), fixed.is_some().then_some(true)];
    let fixable = if said.contains(&Some(true)) { Some(true) } else { said.into_iter().flatten().next() };
    let severity = severity(&finding.severity);
    let by_inspector = || Some(format!("Amazon Inspector has it as {}", finding.set_aside.as_ref()?));
    let let_through = (judge.lets_through)(&finding.id).or_else(by_inspector);
    let text = |line: &Line| line.to_string();
    RegistryFinding {
        id: text(&finding.id),
        severity,
        rating: text(&finding.severity),
        title: text(&finding.title),
        package: text(&package.name),
        installed: text(&package.version),
        counts: let_through.is_none() && judge.threshold.counts_rated(severity, fixable),
        fixed,
        fixable,
        url: finding.url.as_ref().map(text),
        image: subject.digest,
        platform: subject.platform.clone(),
        by_trivy: of_trivy.map(|known| known.is_some()),
        let_through,
        in_use: finding.in_use,
        last_in_use_at: finding.last_in_use_at,
    }
}

/// AWS's word for how bad it is (Amazon ECR API reference, `ImageScanFinding`, and Amazon Inspector's, `Finding`). What AWS rates
/// as information is milder than all else; what it has not rated, and a word that is not known, may be anything.
fn severity(word: &str) -> Severity {
    match word {
        "INFORMATIONAL" => Severity::Low,
        known => known.parse().unwrap_or(Severity::Unknown),
    }
}

fn is_same(one: &Vulnerability, subject: &Subject, id: &str, package: &str) -> bool {
    let of_platform = subject.platform.as_ref().is_none_or(|platform| *platform == one.platform);
    of_platform && one.id == id && one.package == package
}

/// What trivy found in the images that have a result, and ECR's scan did not.
fn only_trivy(trivy: &[Vulnerability], images: &[ScannedImage], findings: &[RegistryFinding]) -> Vec<Advisory> {
    let looked_at = |one: &Vulnerability| {
        let mut with_result = images.iter().filter(|image| image.result.missing().is_none());
        with_result.any(|image| image.platform.as_ref().is_none_or(|platform| *platform == one.platform))
    };
    let found = |one: &Vulnerability| findings.iter().any(|finding| finding.id == one.id && finding.package == one.package);
    let only = trivy.iter().filter(|one| looked_at(one) && !found(one));
    let only: BTreeSet<_> = only.map(|one| Advisory { id: one.id.clone(), package: one.package.clone() }).collect();
    only.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::ecr::ScanFindings;
    use crate::oci::Digest;

    const HIGH: Threshold = Threshold { severity: Severity::High, ignore_unfixed: false };

    fn subject() -> Subject {
        Subject { platform: Some("linux/amd64".parse().unwrap()), digest: Digest::of(b"image") }
    }

    fn finding(id: &'static str, severity: &'static str, package: &'static str) -> ScanFinding {
        ScanFinding {
            id: id.into(),
            severity: severity.into(),
            title: Line::default(),
            url: None,
            fixable: None,
            packages: vec![FoundPackage { name: package.into(), version: "1".into(), fixed: None }],
            set_aside: None,
            in_use: None,
            last_in_use_at: None,
        }
    }

    fn vulnerability(id: &str, package: &str, fixed: Option<&str>) -> Vulnerability {
        let found = Vulnerability::example(id, package, "1", Severity::Low);
        Vulnerability { fixed: fixed.map(str::to_owned), ..found }
    }

    fn scan(findings: Vec<ScanFinding>, trivy: Option<&[Vulnerability]>, threshold: Threshold) -> RegistryScan {
        let found = ScanFindings { enhanced: false, at: jiff::Timestamp::UNIX_EPOCH, findings };
        let lets_through = |id: &str| (id == "CVE-9").then(|| "a list".to_owned());
        let judge = Judge { trivy, threshold, lets_through: &lets_through, accepted: None };
        merged(Demand::Gate, vec![(subject(), Ok(found))], &judge)
    }

    #[test]
    fn what_aws_has_not_rated_and_a_word_that_is_not_known_count_as_the_worst() {
        for (word, counts) in [
            ("CRITICAL", true),
            ("HIGH", true),
            ("MEDIUM", false),
            ("LOW", false),
            ("INFORMATIONAL", false),
            ("UNDEFINED", true),
            ("UNTRIAGED", true),
            ("SOMETHING_NEW", true),
            ("", true),
        ] {
            assert_eq!(scan(vec![finding("CVE-1", word, "p")], None, HIGH).findings[0].counts, counts, "{word}");
        }
    }

    #[test]
    fn what_both_know_is_one_finding_and_what_only_one_knows_is_told() {
        let trivy = [vulnerability("CVE-1", "p", Some("2")), vulnerability("CVE-3", "p", None)];
        let found = vec![finding("CVE-1", "HIGH", "p"), finding("CVE-1", "HIGH", "q"), finding("CVE-2", "HIGH", "p")];
        let scan = scan(found, Some(&trivy), HIGH);
        let told: Vec<_> =
            scan.findings.iter().map(|one| (&*one.id, &*one.package, one.by_trivy, one.fixed.as_deref())).collect();
        assert_eq!(
            told,
            [("CVE-1", "p", Some(true), Some("2")), ("CVE-1", "q", Some(false), None), ("CVE-2", "p", Some(false), None)]
        );
        assert_eq!(scan.only_trivy, Some(vec![Advisory { id: "CVE-3".to_owned(), package: "p".to_owned() }]));
    }

    #[test]
    fn where_nobody_says_that_there_is_no_fix_there_may_be_one() {
        let lenient = Threshold { ignore_unfixed: true, ..HIGH };
        let unfixable = || ScanFinding { fixable: Some(false), ..finding("CVE-1", "HIGH", "p") };
        let counts = |found, trivy: &[Vulnerability]| scan(vec![found], Some(trivy), lenient).findings[0].counts;
        assert!(counts(finding("CVE-1", "HIGH", "p"), &[]), "a basic scan does not say");
        assert!(!counts(unfixable(), &[]));
        assert!(!counts(finding("CVE-1", "HIGH", "p"), &[vulnerability("CVE-1", "p", None)]), "trivy says it");
        assert!(counts(unfixable(), &[vulnerability("CVE-1", "p", Some("2"))]), "trivy knows better");
    }

    #[test]
    fn what_is_let_through_is_told_and_does_not_count() {
        let suppressed = ScanFinding { set_aside: Some("SUPPRESSED".into()), ..finding("CVE-1", "HIGH", "p") };
        let scan = scan(vec![suppressed, finding("CVE-9", "HIGH", "p"), finding("CVE-2", "HIGH", "p")], None, HIGH);
        let told: Vec<_> = scan.findings.iter().map(|one| (&*one.id, one.counts, one.let_through.as_deref())).collect();
        assert_eq!(
            told,
            [
                ("CVE-2", true, None),
                ("CVE-1", false, Some("Amazon Inspector has it as SUPPRESSED")),
                ("CVE-9", false, Some("a list")),
            ]
        );
        assert_eq!(scan.counting().len(), 1);
    }

    #[test]
    fn only_an_image_that_ecr_can_not_scan_is_accepted_without_a_result() {
        let of = |is_unsupported, accepted| {
            let looked = vec![(subject(), Err(NoResult { why: "as it is".into(), is_unsupported }))];
            let judge = Judge { trivy: None, threshold: HIGH, lets_through: &|_| None, accepted };
            let scan = merged(Demand::Gate, looked, &judge);
            (scan.missing().count(), scan.unaccepted().count())
        };
        assert_eq!(of(true, Some("why")), (1, 0));
        assert_eq!([of(false, Some("why")), of(true, None), of(false, None)], [(1, 1); 3]);
    }

    #[test]
    fn a_finding_that_names_no_package_counts_all_the_same() {
        let nowhere = ScanFinding { packages: Vec::new(), ..finding("CVE-1", "HIGH", "p") };
        assert_eq!(scan(vec![nowhere], None, HIGH).counting().len(), 1);
    }
}
