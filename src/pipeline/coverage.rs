//! What of an image was judged: what trivy says that it could not read, and what it saw less of than syft.

use std::collections::BTreeSet;

use tokio::sync::oneshot;

use super::Delivery;
use crate::coverage::{self, Coverage, Gap, GapKind};
use crate::record::{Contribution, Record};
use crate::scan::packages::Packages;
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

/// Finds out what was not judged, waits for syft's list for that, and writes it into the record. Without a scan for
/// vulnerabilities there is nothing to find out.
pub(super) async fn find(delivery: &Delivery, scanned: Option<&[Scanned]>, listing: Listing) -> Option<Coverage> {
    let scanned = scanned?;
    let lists = listing.0.await.ok();
    let (mut gaps, mut empty) = (Vec::new(), Vec::new());
    for (index, scanned) in scanned.iter().enumerate() {
        let listed = lists.as_ref().and_then(|lists| lists.get(index));
        gaps.extend(scanned.gaps.iter().cloned());
        gaps.extend(listed.into_iter().flat_map(|listed| unseen(scanned, listed)));
        if scanned.list.is_empty() && listed.is_some_and(Packages::is_empty) {
            empty.push(scanned.platform.to_string());
        }
    }
    let accepted = &delivery.config.accepted;
    let unused = coverage::accept(&mut gaps, accepted).into_iter().map(|acceptance| acceptance.name.clone()).collect();
    let coverage = Coverage::of(gaps);
    delivery.recorder.accept(&Found { coverage: &coverage, unused, empty, counts: counts(delivery) });
    Some(coverage)
}

/// What was scanned of one platform.
pub(super) struct Scanned {
    pub(super) platform: crate::oci::Platform,
    pub(super) list: Packages,
    pub(super) gaps: Vec<Gap>,
}

/// What syft lists and trivy did not see.
fn unseen(scanned: &Scanned, listed: &Packages) -> Vec<Gap> {
    let mut known: BTreeSet<&str> =
        scanned.gaps.iter().filter(|gap| gap.kind == GapKind::List).map(|gap| gap.name.as_str()).collect();
    // Where the packages of the distribution are not judged at all, that is told once.
    let is_told = scanned.gaps.iter().any(|gap| gap.kind == GapKind::Distribution);
    if is_told && !scanned.list.shares_distribution(listed) {
        known.extend(crate::scan::packages::OF_DISTRIBUTIONS);
    }
    let shortfalls = scanned.list.shortfalls(listed, &known).into_iter();
    let gap = |(kind, why): (&str, String)| Gap {
        tool: Tool::TRIVY,
        kind: GapKind::Packages,
        name: kind.to_owned(),
        why,
        platform: scanned.platform.clone(),
        accepted: None,
    };
    shortfalls.map(|shortfall| gap((shortfall.kind, shortfall.why))).collect()
}

/// What was found out.
struct Found<'a> {
    coverage: &'a Coverage,
    /// What was accepted and is not there.
    unused: Vec<String>,
    /// The platforms that hold no packages by both counts.
    empty: Vec<String>,
    /// Whether what was not judged holds the delivery back: then it is no warning.
    counts: bool,
}

impl Contribution for Found<'_> {
    fn enter(&self, record: &mut Record) {
        record.unscanned.extend(self.coverage.gaps().iter().cloned());
        let open = self.coverage.open().filter(|_| !self.counts);
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
