//! What the SBOM lists and trivy did not see, as far as trivy does not say that by itself.

use std::collections::BTreeSet;

use crate::coverage::{Gap, GapKind};
use crate::scan::packages::{Missing, OF_DISTRIBUTIONS, Packages};

/// The types of package that trivy says itself that it can't judge, by the name of the type: their database can't be read,
/// or it has no advisories.
const TOLD_AS_LISTS: [&str; 2] = ["rpm", "conda"];

/// What of `listed` trivy, which has looked up `list` and says itself that it has `gaps`, did not see.
#[must_use]
pub(crate) fn unseen(list: &Packages, gaps: &[Gap], listed: &Packages) -> Missing {
    let lists = gaps.iter().filter(|gap| gap.kind == GapKind::List).map(|gap| gap.name.as_str());
    let unread: BTreeSet<&str> = lists.collect();
    let mut told: Vec<&str> = TOLD_AS_LISTS.into_iter().filter(|kind| unread.contains(kind)).collect();
    // Where the packages of the distribution are not judged at all, that is told once.
    let is_told = gaps.iter().any(|gap| gap.kind == GapKind::Distribution);
    if is_told && !list.shares_distribution(listed) {
        told.extend(OF_DISTRIBUTIONS);
    }
    list.missing(listed, &unread, &told)
}
