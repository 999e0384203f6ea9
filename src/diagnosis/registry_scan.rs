//! The words for a gate that waits for the registry's own scan in vain.

use super::{Diagnosis, sentences};
use crate::text::Line;

/// The images that have no result, each with the reason; and whether one of them never has one.
pub(super) fn no_result(images: &[(String, Line)], unsupported: bool) -> Diagnosis {
    let whys: Vec<_> = images.iter().map(|(image, why)| format!("{image}: {why}")).collect();
    let clause = "`ecr-scan` is `gate`, and what was not scanned is not clean.".to_owned();
    let whys: Vec<_> = [clause].into_iter().chain(whys).collect();
    let what = "Nothing can be decided without Amazon ECR's own scan";
    if unsupported {
        return Diagnosis::new(
            what,
            sentences(&whys),
            "Amazon ECR can't scan an image that has no distribution, or one that it does not know, and never has a result for it. \
             Build it on a base image that ECR scans; set `ecr-scan` to `report`; or have this environment take such an image by \
             trivy's scan alone, with a line of `accept-unscanned` and a reason that the report shows:",
        )
        .with_copy("ecr-scan: WHY AN IMAGE MAY GO OUT THAT AMAZON ECR CAN'T SCAN");
    }
    Diagnosis::new(
        what,
        sentences(&whys),
        "Where there is no scan, switch on scan on push (`gp-deliver repository ensure NAME --scan-on-push`) or enhanced scanning, and \
         give it time with `ecr-scan-wait`.",
    )
}
