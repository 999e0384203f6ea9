//! What a job has made, as the runner lists it for the workflow's attestations (actions/runner, ADR 0039).

use std::path::Path;

use super::Error;
use super::folder::append;
use crate::record::Publication;
use crate::sink::Redacted;

/// Adds an image to the runner's list, by its digest. One in a folder is not a subject that the list knows.
///
/// # Errors
/// The list can't be written.
pub(crate) fn add_artifact(publication: &Publication, list: &Path) -> Result<(), Error> {
    let Publication { destination, digest, .. } = publication;
    if destination.starts_with("oci:") {
        return Ok(());
    }
    append(list, &Redacted::text(&format!("oci://{destination}@{digest}\n")))
}
