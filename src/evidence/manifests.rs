//! What an image is made of, before anything is looked for beside each part of it.

use oci_spec::image::Descriptor;

use super::place::Place;
use crate::oci::manifest::Document;
use crate::oci::registry::{self, Manifest};
use crate::oci::{bounds, layout};

/// The manifests that an index lists; `None` for an image of its own.
///
/// # Errors
/// It is neither, or lists more than any image has.
pub(crate) fn listed_manifests<'a>(
    place: impl Into<Place<'a>>,
    image: &Manifest,
) -> Result<Option<Vec<Descriptor>>, registry::Error> {
    let place = place.into();
    let Document::Index(index) = place.document(image)? else { return Ok(None) };
    bounds::index(&index).map_err(|error| match place {
        Place::Repository(client) => registry::Error::Malformed {
            host: client.repository().registry().to_owned(),
            subject: registry::Subject::Manifest(image.digest.to_string()),
            reason: error.to_string(),
        },
        Place::Folder(_) => layout::Error::from(error).into(),
    })?;
    Ok(Some(index.manifests().clone()))
}
