//! What Amazon ECR's own scan found in an image, finding by finding (Amazon ECR API reference, `DescribeImageScanFindings`):
//! that of its basic scan, or of Amazon Inspector's (enhanced scanning).

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ecr::operation::describe_image_scan_findings::DescribeImageScanFindingsOutput;
use aws_sdk_ecr::types::{EnhancedImageScanFinding, ImageScanFinding, ImageScanFindings, ScanStatus};
use iam_policy::{Document, Statement, Version};
use jiff::{SignedDuration, Timestamp};

use super::images::timestamp;
use super::permissions::statement;
use super::{Repository, state};
use crate::aws::{Call, Error, RepositoryArn};
use crate::oci::Digest;
use crate::text::{self, Line};

/// The most findings of a page (Amazon ECR API reference, `maxResults`).
pub(crate) const PAGE: i32 = 1000;
/// The most pages that are read of one image.
pub(crate) const MAX_PAGES: usize = 100;
/// How far ahead another machine's clock may be.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_mins(10);
/// The severities that AWS knows, the worst first.
const SEVERITIES: [&str; 7] = ["CRITICAL", "HIGH", "MEDIUM", "LOW", "INFORMATIONAL", "UNTRIAGED", "UNDEFINED"];
/// What Amazon Inspector writes in place of a version where there is no fix.
const NO_VERSION: &str = "NotAvailable";

/// Where a scan is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Scan {
    /// It has a result.
    Found(ScanFindings),
    /// It has none yet, and this is where it is.
    Waiting(Line),
    /// It has none, and this is why.
    Nothing(Line),
    /// It never has one, since ECR can't scan such an image, and this is how it says so.
    Unsupported(Line),
}

/// Why a scan has no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NoResult {
    /// In one line.
    pub(crate) why: Line,
    /// Whether ECR can't scan such an image at all.
    pub(crate) is_unsupported: bool,
}

impl Scan {
    /// Its result. This is the one rule for what is one: the findings of a scan that has ended, read to the last of them, and of
    /// no time to come. A basic scan that is older than `limit` says nothing of today: nobody looks again by itself, as an
    /// enhanced one does.
    ///
    /// # Errors
    /// There is none, and why. What has no result is not clean.
    pub(crate) fn result(self, limit: Option<SignedDuration>, now: Timestamp) -> Result<ScanFindings, NoResult> {
        let nothing = |why| Err(NoResult { why, is_unsupported: false });
        let found = match self {
            Self::Found(found) => found,
            Self::Waiting(why) | Self::Nothing(why) => return nothing(why),
            Self::Unsupported(why) => return Err(NoResult { why, is_unsupported: true }),
        };
        let age = now.duration_since(found.at);
        if age < -CLOCK_SKEW {
            return nothing(text::words(&format!("it says that it is of {}, which is in the future", text::time(found.at))));
        }
        match limit {
            Some(limit) if !found.enhanced && age > limit => {
                let (at, hours) = (text::time(found.at), limit.as_hours());
                nothing(text::words(&format!(
                    "its basic scan is of {at}, where at most {hours} hours are allowed (`database-max-age`): start another one \
                     with `aws ecr start-image-scan`"
                )))
            }
            _ => Ok(found),
        }
    }
}

/// The result of a scan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ScanFindings {
    /// Whether Amazon Inspector has looked.
    pub(crate) enhanced: bool,
    /// When it ended.
    pub(crate) at: Timestamp,
    /// All that it found.
    pub(crate) findings: Vec<ScanFinding>,
}

/// A vulnerability, and the packages that have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ScanFinding {
    /// The advisory.
    pub(crate) id: Line,
    /// How bad it is, in AWS's word.
    pub(crate) severity: Line,
    /// Its title; may be empty.
    pub(crate) title: Line,
    /// Where to read about it.
    pub(crate) url: Option<Line>,
    /// Whether there is a fix; absent where AWS does not say.
    pub(crate) fixable: Option<bool>,
    /// The packages; none where AWS names none.
    pub(crate) packages: Vec<FoundPackage>,
    /// AWS's word for a finding that is not open: suppressed by a rule of the account's, or closed.
    pub(crate) set_aside: Option<Line>,
    /// How many tasks and pods run the image, where AWS says.
    pub(crate) in_use: Option<u64>,
    /// When one did last.
    pub(crate) last_in_use_at: Option<Timestamp>,
}

/// A package that has a vulnerability.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FoundPackage {
    /// Its name; may be empty.
    pub(crate) name: Line,
    /// Its version; may be empty.
    pub(crate) version: Line,
    /// The version that has the fix, where AWS says it.
    pub(crate) fixed: Option<Line>,
}

impl ScanFindings {
    /// How many open findings there are of each severity, in AWS's words, the worst first.
    #[must_use]
    pub(crate) fn counts(&self) -> Vec<(Line, usize)> {
        let mut counts: BTreeMap<(usize, &Line), usize> = BTreeMap::new();
        for finding in self.findings.iter().filter(|finding| finding.set_aside.is_none()) {
            // A word that is not known may be the worst.
            let rank = SEVERITIES.iter().position(|known| **known == *finding.severity).unwrap_or_default();
            *counts.entry((rank, &finding.severity)).or_default() += 1;
        }
        counts.into_iter().map(|((_, severity), count)| (severity.clone(), count)).collect()
    }
}

impl Repository {
    /// Where the scan of the image with exactly this digest is. No other state than that of a scan that has ended is a result,
    /// and a result is read to its last page or is none.
    ///
    /// # Errors
    /// ECR refuses, can't be reached, or answers what makes no sense.
    pub(crate) async fn scan(&self, image: Digest) -> Result<Scan, Error> {
        let call = Call::DescribeImageScanFindings;
        let malformed = |missing| Error::Malformed { call, missing };
        let mut read: Option<Read> = None;
        let (mut next, mut tokens) = (None::<String>, BTreeSet::new());
        for _ in 0..MAX_PAGES {
            let request = self.ecr.describe_image_scan_findings().registry_id(self.arn.account.as_str());
            let request = request.repository_name(&self.arn.name).image_id(state::named(image));
            let answer = match request.max_results(PAGE).set_next_token(next).send().await {
                Ok(answer) => answer,
                Err(error) => match self.failed(call, &error) {
                    // It begins a moment after the push, or never.
                    Error::Call(failure) if failure.code.as_deref() == Some("ScanNotFoundException") => {
                        return Ok(Scan::Waiting("Amazon ECR knows of no scan of it".into()));
                    }
                    error => return Err(error),
                },
            };
            let said = answer.image_id.as_ref().and_then(|id| id.image_digest.as_deref());
            if said.and_then(|digest| digest.parse().ok()) != Some(image) {
                return Err(malformed("the image that was asked for"));
            }
            let token = answer.next_token.clone();
            let page = match page(answer)? {
                Ok(page) => page,
                Err(other) => return Ok(other),
            };
            match &mut read {
                None => read = Some(page),
                // What is read before and after is of two scans.
                Some(read) if (read.enhanced, read.at) != (page.enhanced, page.at) => {
                    return Ok(Scan::Waiting("it was scanned anew while the findings were read".into()));
                }
                Some(read) => read.findings.extend(page.findings),
            }
            let Some(token) = token else {
                let Some(Read { enhanced, at, counted, findings }) = read else { break };
                // Findings that are counted and not listed are findings that nobody has seen.
                if counted > findings.len() {
                    return Err(malformed("all the findings that it counts"));
                }
                return Ok(Scan::Found(ScanFindings { enhanced, at, findings }));
            };
            if !tokens.insert(token.clone()) {
                return Err(malformed("a page that is new"));
            }
            next = Some(token);
        }
        Err(malformed("an end"))
    }
}

/// A page of a result.
struct Read {
    enhanced: bool,
    at: Timestamp,
    counted: usize,
    findings: Vec<ScanFinding>,
}

/// Reads a page; the inner error is the state of a scan that has no result.
fn page(answer: DescribeImageScanFindingsOutput) -> Result<Result<Read, Scan>, Error> {
    let malformed = |missing| Error::Malformed { call: Call::DescribeImageScanFindings, missing };
    let (status, description) = answer.image_scan_status.map(|state| (state.status, state.description)).unwrap_or_default();
    let said = || {
        let status = status.as_ref().map_or("unknown", ScanStatus::as_str);
        text::words(format!("its state is {status}: {}", description.as_deref().unwrap_or_default()).trim_end_matches([':', ' ']))
    };
    match status {
        Some(ScanStatus::Complete | ScanStatus::Active) => {}
        Some(ScanStatus::InProgress | ScanStatus::Pending) => return Ok(Err(Scan::Waiting(said()))),
        Some(ScanStatus::UnsupportedImage) => return Ok(Err(Scan::Unsupported(said()))),
        _ => return Ok(Err(Scan::Nothing(said()))),
    }
    let found = answer.image_scan_findings.unwrap_or_else(|| ImageScanFindings::builder().build());
    let is_active = status == Some(ScanStatus::Active);
    let enhanced = is_active || found.enhanced_findings.is_some();
    let at = match found.image_scan_completed_at {
        Some(at) => timestamp(at).ok_or_else(|| malformed("a time"))?,
        // An enhanced scan is active before it has ended the first time.
        None if is_active => return Ok(Err(Scan::Waiting("its first scan has not ended".into()))),
        None => return Err(malformed("the time of the scan")),
    };
    let counts = found.finding_severity_counts.unwrap_or_default().into_values().map(usize::try_from);
    let counted = counts.sum::<Result<usize, _>>().map_err(|_| malformed("a number of findings"))?;
    let basic = found.findings.iter().flatten().map(of_basic);
    let of_inspector = found.enhanced_findings.unwrap_or_default().into_iter().map(of_enhanced);
    Ok(Ok(Read { enhanced, at, counted, findings: basic.chain(of_inspector).collect() }))
}

fn words(text: Option<&str>) -> Line {
    text::words(text.unwrap_or_default())
}

/// A text that says something.
fn filled(text: Option<&str>) -> Option<Line> {
    text.map(text::words).filter(|text| !text.is_empty())
}

fn named(id: Option<&str>) -> Line {
    // One without a name is there all the same.
    filled(id).unwrap_or_else(|| "(no id)".into())
}

fn rated(severity: Option<&str>) -> Line {
    filled(severity).unwrap_or_else(|| "UNDEFINED".into())
}

fn of_basic(finding: &ImageScanFinding) -> ScanFinding {
    let attribute = |name: &str| {
        let attributes = finding.attributes.iter().flatten();
        attributes.filter(|attribute| attribute.key == name).find_map(|attribute| attribute.value.as_deref())
    };
    let package =
        FoundPackage { name: words(attribute("package_name")), version: words(attribute("package_version")), fixed: None };
    ScanFinding {
        id: named(finding.name.as_deref()),
        severity: rated(finding.severity.as_ref().map(aws_sdk_ecr::types::FindingSeverity::as_str)),
        title: Line::default(),
        url: filled(finding.uri.as_deref()),
        fixable: None,
        packages: vec![package],
        set_aside: None,
        in_use: None,
        last_in_use_at: None,
    }
}

fn of_enhanced(finding: EnhancedImageScanFinding) -> ScanFinding {
    let details = finding.package_vulnerability_details;
    let packages = details.iter().filter_map(|details| details.vulnerable_packages.as_deref()).flatten();
    let packages = packages.map(|package| FoundPackage {
        name: words(package.name.as_deref()),
        version: words(package.version.as_deref()),
        fixed: filled(package.fixed_in_version.as_deref()).filter(|version| **version != *NO_VERSION),
    });
    let fixable = match finding.fix_available.as_deref() {
        Some("YES" | "PARTIAL") => Some(true),
        Some("NO") => Some(false),
        _ => None,
    };
    let resources = finding.resources.unwrap_or_default();
    let images = resources.iter().filter_map(|resource| resource.details.as_ref()?.aws_ecr_container_image.as_ref());
    let images: Vec<_> = images.collect();
    ScanFinding {
        id: named(details.as_ref().and_then(|details| details.vulnerability_id.as_deref())),
        severity: rated(finding.severity.as_deref()),
        title: words(finding.title.as_deref()),
        url: filled(details.as_ref().and_then(|details| details.source_url.as_deref())),
        fixable,
        packages: packages.collect(),
        // A state that is not known is open.
        set_aside: filled(finding.status.as_deref()).filter(|status| ["SUPPRESSED", "CLOSED"].contains(&&**status)),
        in_use: images.iter().filter_map(|image| u64::try_from(image.in_use_count?).ok()).max(),
        last_in_use_at: images.iter().filter_map(|image| timestamp(image.last_in_use_at?)).max(),
    }
}

/// What a role has to be allowed to do to read what ECR's scan found. Where Amazon Inspector scans, ECR asks that in the role's
/// name (Amazon ECR User Guide, "IAM permissions required for enhanced scanning"); Inspector knows no resource by repository.
#[must_use]
pub(crate) fn findings_statements(repository: &RepositoryArn) -> [Statement; 2] {
    let mut inspector = statement("ReadInspectorFindings", &[], "*");
    inspector.actions =
        iam_policy::Scope::Only(["inspector2:ListCoverage", "inspector2:ListFindings"].map(str::to_owned).to_vec());
    [statement("ReadScanFindings", &["DescribeImageScanFindings"], &repository.to_string()), inspector]
}

/// The smallest policy that gives that.
#[must_use]
pub(crate) fn findings_policy(repository: &RepositoryArn) -> Document {
    Document { version: Version::V2012, id: None, statements: findings_statements(repository).to_vec() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_basic_scan_that_is_old_is_no_result_and_an_enhanced_one_goes_on() {
        let now: Timestamp = "2026-11-28T12:00:00Z".parse().unwrap();
        let of = |at: &str, enhanced| Scan::Found(ScanFindings { enhanced, at: at.parse().unwrap(), findings: Vec::new() });
        let limit = Some(SignedDuration::from_hours(48));
        let is_result = |at: &str, enhanced, limit| of(at, enhanced).result(limit, now).is_ok();
        assert!(is_result("2026-11-26T12:00:00Z", false, limit));
        assert!(!is_result("2026-11-26T11:59:59Z", false, limit));
        assert!(is_result("2026-01-01T00:00:00Z", true, limit) && is_result("2026-01-01T00:00:00Z", false, None));
        for limit in [limit, None] {
            assert!(!is_result("2027-01-01T00:00:00Z", true, limit) && is_result("2026-11-28T12:05:00Z", false, limit));
        }
    }

    #[test]
    fn what_has_not_ended_or_never_will_is_no_result() {
        let result = |scan: Scan| scan.result(None, Timestamp::UNIX_EPOCH);
        for scan in [Scan::Waiting("x".into()), Scan::Nothing("x".into())] {
            assert_eq!(result(scan), Err(NoResult { why: "x".into(), is_unsupported: false }));
        }
        assert_eq!(result(Scan::Unsupported("x".into())), Err(NoResult { why: "x".into(), is_unsupported: true }));
    }
}
