//! What an image is made of, before anything is looked for beside each part of it.

use oci_spec::image::Descriptor;

use crate::oci::bounds;
use crate::oci::manifest::Document;
use crate::oci::registry::{self, Client, Manifest};

/// The manifests that an index lists; `None` for an image of its own.
///
/// # Errors
/// It is neither, or lists more than any image has.
pub(crate) fn listed_manifests(client: &Client, image: &Manifest) -> Result<Option<Vec<Descriptor>>, registry::Error> {
    let Document::Index(index) = client.document(image)? else { return Ok(None) };
    bounds::index(&index).map_err(|error| registry::Error::Malformed {
        host: client.repository().registry().to_owned(),
        subject: registry::Subject::Manifest(image.digest.to_string()),
        reason: error.to_string(),
    })?;
    Ok(Some(index.manifests().clone()))
}
