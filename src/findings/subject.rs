//! What is scanned: an image of one platform. An index is none.

use crate::evidence;
use crate::oci::layout::digest_of;
use crate::oci::registry::{self, Client, Manifest};
use crate::oci::{Digest, Image, Platform};

/// An image of one platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Subject {
    /// The platform; absent where its manifest is named alone.
    pub(crate) platform: Option<Platform>,
    /// The digest of its manifest.
    pub(crate) digest: Digest,
}

impl From<&Image> for Vec<Subject> {
    fn from(image: &Image) -> Self {
        let subject =
            |part: &crate::oci::image::PlatformImage| Subject { platform: Some(part.platform.clone()), digest: part.digest };
        image.platforms.iter().map(subject).collect()
    }
}

/// The images that a manifest names: those of an index, or the one that it is of.
///
/// # Errors
/// It is neither, or lists more than any image has.
pub(crate) fn subjects(client: &Client, manifest: &Manifest) -> Result<Vec<Subject>, registry::Error> {
    let Some(listed) = evidence::listed_manifests(client, manifest)? else {
        return Ok(vec![Subject { platform: None, digest: manifest.digest }]);
    };
    let mut subjects = Vec::new();
    for descriptor in &listed {
        let named = descriptor.platform().as_ref().map(|platform| {
            let variant = platform.variant().as_ref().map(|variant| format!("/{variant}")).unwrap_or_default();
            format!("{}/{}{variant}", platform.os(), platform.architecture())
        });
        // What a builder says of an image stands beside it under this name, and runs nowhere.
        if named.as_deref() == Some("unknown/unknown") {
            continue;
        }
        subjects.push(Subject { platform: named.and_then(|named| named.parse().ok()), digest: digest_of(descriptor)? });
    }
    Ok(subjects)
}
