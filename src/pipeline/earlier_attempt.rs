//! What an earlier attempt of a run has made of its jobs' images. Builds that are run again may come to other bytes, and a commit
//! has one image: the one that its tags name stays, where it is proven to be this run's as any is.

use std::collections::BTreeSet;

use futures_util::future::join_all;

use super::proven_part::{Assembler, ProvenPart};
use crate::error::Error;
use crate::oci::layout::digest_of;
use crate::oci::manifest::Document;
use crate::oci::registry::{Client, Manifest, Selector};
use crate::oci::{Digest, Platform, Tag};
use crate::tags::PlannedTag;

/// The images of these platforms that a fixed tag names together, and the tag; none where no tag names such.
///
/// # Errors
/// The registry can't be asked.
pub(super) async fn parts(
    assembler: &Assembler<'_>,
    client: &Client,
    tags: &[PlannedTag],
    platforms: &[&Platform],
) -> Result<Option<(Tag, Vec<ProvenPart>)>, Error> {
    let mut seen = BTreeSet::new();
    for planned in tags.iter().filter(|planned| !planned.moving) {
        let Some(there) = client.find_manifest(&Selector::Tag(planned.tag.clone())).await? else { continue };
        let Some(images) = images(client, &there, platforms).filter(|_| seen.insert(there.digest)) else { continue };
        let proven = join_all(images.into_iter().map(|(platform, image)| assembler.prove(platform, image))).await;
        match proven.into_iter().collect() {
            Ok(parts) => return Ok(Some((planned.tag.clone(), parts))),
            // Whose it is instead is told when the tag is to be set.
            Err(Error::Unproven(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// The images of exactly these platforms that something names; none where it names others, or is nothing of the kind.
fn images<'p>(client: &Client, there: &Manifest, platforms: &[&'p Platform]) -> Option<Vec<(&'p Platform, Digest)>> {
    match (client.document(there).ok()?, platforms) {
        (Document::Manifest(_), [one]) => Some(vec![(*one, there.digest)]),
        (Document::Index(index), several) if index.manifests().len() == several.len() => several
            .iter()
            .map(|platform| {
                let of =
                    |named: &oci_spec::image::Descriptor| named.platform().as_ref().is_some_and(|named| platform.is_of(named));
                let named = index.manifests().iter().find(|named| of(named))?;
                Some((*platform, digest_of(named).ok()?))
            })
            .collect(),
        _ => None,
    }
}
