//! The words for a gate that waits for the registry's own scan in vain.

use super::{Diagnosis, sentences};
use crate::text::Line;

/// The images that have no result, each with the reason.
pub(super) fn no_result(images: &[(String, Line)]) -> Diagnosis {
    let whys: Vec<_> = images.iter().map(|(image, why)| format!("{image}: {why}")).collect();
    let clause = "`ecr-scan` is `gate`, and what was not scanned is not clean.".to_owned();
    let whys: Vec<_> = [clause].into_iter().chain(whys).collect();
    Diagnosis::new(
        "Nothing can be decided without Amazon ECR's own scan",
        sentences(&whys),
        "Where there is no scan, switch on scan on push (`gp-deliver repository ensure NAME --scan-on-push`) or enhanced scanning, and \
         give it time with `ecr-scan-wait`. An image that Amazon ECR can't scan (from scratch, or of a distribution that it does not \
         know) has no result ever: set `ecr-scan` to `report` for it.",
    )
}
