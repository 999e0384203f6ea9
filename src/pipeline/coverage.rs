//! What of an image was judged: what trivy says that it could not read, and what it did not see of what syft lists.

use tokio::sync::oneshot;

use super::advisories::Advisories;
use super::preflight::Ready;
use super::vulnerabilities::{Scanned, Vulnerabilities};
use super::{Delivery, suppressions};
use crate::coverage::{self, Coverage, Gap, GapKind};
use crate::diagnosis::Diagnosis;
use crate::error::Error;
use crate::finding::{Finding, Suppression, Vulnerability};
use crate::oci::Image;
use crate::record::{Contribution, Record};
use crate::scan::packages::{Missing, Packages, Shortfall};
use crate::scan::{self, trivy};
use crate::scanner::Tool;
use crate::text;

/// Hands on what syft lists, a list a platform, before its files are complete in the report.
pub(super) struct PackageLists(oneshot::Sender<Vec<Packages>>);

/// Waits for what syft lists.
pub(super) struct Listing(oneshot::Receiver<Vec<Packages>>);

/// The two ends of that.
pub(super) fn lists() -> (PackageLists, Listing) {
    let (sender, receiver) = oneshot::channel();
    (PackageLists(sender), Listing(receiver))
}

impl PackageLists {
    pub(super) fn give(self, lists: Vec<Packages>) {
        // Where vulnerabilities are not scanned for, nobody waits.
        let _ = self.0.send(lists);
    }
}

/// Whether vulnerabilities hold this delivery back, so that what was not judged does too.
pub(super) fn counts(delivery: &Delivery) -> bool {
    delivery.is_held_back_by(Tool::TRIVY)
}

/// What the SBOM's list of packages came to.
pub(super) struct Judged {
    /// What of the image was judged, all in all.
    pub(super) coverage: Coverage,
    /// The vulnerabilities in what trivy had not seen.
    pub(super) findings: Vec<Vulnerability>,
}

/// Has trivy judge what it did not see of what syft lists, finds out what is not judged even so, and writes both into the
/// record. It waits for syft's list. Without a scan for vulnerabilities there is nothing to find out.
pub(super) async fn find(
    delivery: &Delivery,
    ready: &Ready,
    image: &Image,
    scanned: Option<(&Vulnerabilities, &Advisories)>,
    listing: Listing,
) -> Result<Option<Judged>, Error> {
    let Some((vulnerabilities, Advisories::Known(database))) = scanned else { return Ok(None) };
    let lists = listing.0.await.ok();
    let mut found = Found { counts: counts(delivery), ..Found::default() };
    for (index, (scanned, platform)) in vulnerabilities.platforms.iter().zip(&image.platforms).enumerate() {
        found.gaps.extend(scanned.gaps.iter().cloned());
        let Some(listed) = lists.as_ref().and_then(|lists| lists.get(index)) else { continue };
        if scanned.list.is_empty() && listed.is_empty() {
            found.empty.push(scanned.platform.to_string());
        }
        let Missing { unjudged, by_name } = scanned.missing(listed);
        found.gaps.extend(unjudged.into_iter().map(|shortfall| scanned.gap(shortfall)));
        if !by_name.is_empty() {
            let judged = vulnerabilities.judge(delivery, (image, platform), database, &by_name);
            // Not a scan that failed: what it was to judge is not judged, and may be accepted.
            let judged = delivery.cancel.run_until_cancelled(judged).await.ok_or(Error::Cancelled)?;
            found.add(scanned, &by_name, judged);
        }
    }
    suppressions::mark_new(delivery, ready, &mut found.suppressions).await?;
    let unused = coverage::accept(&mut found.gaps, &delivery.config.accepted);
    found.unused = unused.into_iter().map(|acceptance| acceptance.name.clone()).collect();
    delivery.recorder.accept(&found);
    Ok(Some(Judged { coverage: Coverage::of(found.gaps), findings: found.findings }))
}

impl Scanned {
    /// What syft lists and trivy did not see, as far as that is not told already.
    fn missing(&self, listed: &Packages) -> Missing {
        trivy::unseen(&self.list, &self.gaps, listed)
    }

    fn gap(&self, Shortfall { name, why }: Shortfall) -> Gap {
        Gap { tool: Tool::TRIVY, kind: GapKind::Packages, name, why, platform: self.platform.clone(), accepted: None }
    }
}

/// What was found out.
#[derive(Default)]
struct Found {
    gaps: Vec<Gap>,
    findings: Vec<Vulnerability>,
    suppressions: Vec<Suppression>,
    warnings: Vec<String>,
    /// What was accepted and is not there.
    unused: Vec<String>,
    /// The platforms that hold no packages by both counts.
    empty: Vec<String>,
    /// Whether what was not judged holds the delivery back: then it is no warning.
    counts: bool,
}

impl Found {
    /// Adds what came of handing packages to trivy by name.
    fn add(&mut self, scanned: &Scanned, handed: &Packages, judged: Result<trivy::Vulnerabilities, scan::Error>) {
        let (judged, failure) = match judged {
            Ok(judged) => (judged, None),
            Err(error) => (trivy::Vulnerabilities::default(), Some(Diagnosis::from(&error))),
        };
        for mut shortfall in judged.list.refused(handed) {
            if let Some(Diagnosis { what, .. }) = &failure {
                shortfall.why = format!("{} (looked up by name: {what})", shortfall.why);
            }
            self.gaps.push(scanned.gap(shortfall));
        }
        if !judged.findings.is_empty() {
            self.warnings.push(format!(
                "{}: trivy does not see {} that the SBOM lists in the image; looked up by name, {} found in them.",
                scanned.platform,
                text::count(handed.iter().count(), "package"),
                match judged.findings.len() {
                    1 => "1 vulnerability was".to_owned(),
                    several => format!("{several} vulnerabilities were"),
                }
            ));
        }
        self.gaps.extend(judged.gaps);
        self.findings.extend(judged.findings);
        self.suppressions.extend(judged.suppressions);
        self.warnings.extend(judged.warnings);
    }
}

impl Contribution for Found {
    fn enter(&self, record: &mut Record) {
        record.findings.extend(self.findings.iter().cloned().map(Finding::Vulnerability));
        record.suppressions.extend(self.suppressions.iter().cloned());
        record.warnings.extend(self.warnings.iter().cloned());
        record.unscanned.extend(self.gaps.iter().cloned());
        let open = self.gaps.iter().filter(|gap| gap.accepted.is_none() && !self.counts);
        record.warnings.extend(open.map(|gap| format!("Not judged: {gap}.")));
        record.warnings.extend(self.unused.iter().map(|name| {
            format!("`accept-unscanned` names {name}, and nothing of that name was left unjudged: take the line out.")
        }));
        if !self.empty.is_empty() {
            record.warnings.push(format!(
                "The image holds no packages for {}, neither by trivy's count nor by the SBOM's: there was nothing to judge.",
                text::list(&self.empty)
            ));
        }
    }
}
