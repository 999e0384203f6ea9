//! What a layout's index lists besides images: manifests that are about them. The index is where a reader of a folder looks for
//! both (image-spec, `image-layout.md`, "index.json file").

use std::collections::{BTreeSet, HashSet};

use oci_spec::image::{Descriptor, MediaType};

use crate::oci::layout::digest_of;
use crate::oci::manifest::Document;
use crate::oci::{Digest, Layout};

/// By what cosign knows the image in a folder that it looks at (`cosign verify --local-image`).
const KIND: &str = "kind";
const IMAGE: &str = "dev.cosignproject.cosign/image";
const INDEX: &str = "dev.cosignproject.cosign/imageIndex";

/// The entries of an index: each manifest that is about an image once, and only where that image or the index that has it is
/// listed. What is about an image that lost its last tag goes with that tag.
pub(super) fn listed(layout: &Layout, entries: Vec<Descriptor>) -> Vec<Descriptor> {
    let (about, mut images): (Vec<_>, Vec<_>) = entries.into_iter().partition(|entry| entry.artifact_type().is_some());
    let known: BTreeSet<Digest> = images.iter().flat_map(|image| manifests(layout, image)).collect();
    let (mut subjects, mut seen) = (BTreeSet::new(), HashSet::new());
    let mut kept = Vec::new();
    for entry in about {
        let Some(subject) = subject(layout, &entry).filter(|subject| known.contains(subject)) else { continue };
        if seen.insert(entry.digest().to_string()) {
            subjects.insert(subject);
            kept.push(entry);
        }
    }
    for image in &mut images {
        let is_signed = digest_of(image).is_ok_and(|digest| subjects.contains(&digest));
        mark(image, is_signed);
    }
    [images, kept].concat()
}

/// An image, and the images of its platforms.
fn manifests(layout: &Layout, image: &Descriptor) -> Vec<Digest> {
    let parts = match layout.read_manifest(image) {
        Ok(Document::Index(index)) => index.manifests().iter().filter_map(|part| digest_of(part).ok()).collect(),
        _ => Vec::new(),
    };
    digest_of(image).into_iter().chain(parts).collect()
}

/// What a manifest is about; `None` where it can't be read, or says nothing of that.
fn subject(layout: &Layout, entry: &Descriptor) -> Option<Digest> {
    let manifest = layout.read_manifest(entry).ok()?.manifest().ok()?;
    digest_of(manifest.subject().as_ref()?).ok()
}

/// Says of what kind an image is that something is signed about.
fn mark(image: &mut Descriptor, is_signed: bool) {
    let kind = if matches!(image.media_type(), MediaType::ImageIndex) { INDEX } else { IMAGE };
    let mut annotations = image.annotations().clone().unwrap_or_default();
    annotations.remove(KIND);
    annotations.extend(is_signed.then(|| (KIND.to_owned(), kind.to_owned())));
    image.set_annotations(Some(annotations).filter(|annotations| !annotations.is_empty()));
}
