//! How anyone can check what was published, without gp-deliver.

use crate::record::Publication;

/// A command that shows what the registry holds under the digest that was published, and fails where it holds nothing. None
/// for a folder.
#[must_use]
pub(crate) fn command(publication: &Publication) -> Option<String> {
    let Publication { destination, digest, .. } = publication;
    // All its parts are checked where they are read: none of them means anything to a shell.
    (!destination.starts_with("oci:")).then(|| format!("docker buildx imagetools inspect {destination}@{digest}"))
}
