//! How large an image may be. Whoever wrote its manifests says how large it is, and what follows from that (connections, disks,
//! scanners) is ours.

use oci_spec::image::{Descriptor, ImageIndex, ImageManifest};

/// The most manifests of an index: official images have some thirty, attestations included, and each is scanned by itself.
pub(crate) const MAX_MANIFESTS: usize = 100;
/// The most layers of a manifest: engines run images of up to 128.
pub(crate) const MAX_LAYERS: usize = 500;
/// The most bytes of an image, as it is stored and sent.
pub(crate) const MAX_BYTES: u64 = 100_000_000_000;

/// An image is larger than any may be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TooLarge {
    /// By its manifests.
    #[error("Its index lists {0} manifests; {MAX_MANIFESTS} is the most")]
    Manifests(usize),
    /// By the layers of a manifest.
    #[error("One of its manifests lists {0} layers; {MAX_LAYERS} is the most")]
    Layers(usize),
    /// By its bytes.
    #[error("It has {} or more; {} is the most", crate::text::size(*.0), crate::text::size(MAX_BYTES))]
    Bytes(u64),
}

/// Looks at an index before its manifests are.
///
/// # Errors
/// It lists too many.
pub(crate) fn index(index: &ImageIndex) -> Result<(), TooLarge> {
    within(index.manifests().len(), MAX_MANIFESTS).map_err(TooLarge::Manifests)
}

/// Looks at a manifest before its layers are.
///
/// # Errors
/// It lists too many.
pub(crate) fn manifest(manifest: &ImageManifest) -> Result<(), TooLarge> {
    within(manifest.layers().len(), MAX_LAYERS).map_err(TooLarge::Layers)
}

/// Looks at what an image comes to before it is fetched or sent.
///
/// # Errors
/// It comes to too much.
pub(crate) fn size<'a>(blobs: impl IntoIterator<Item = &'a Descriptor>) -> Result<u64, TooLarge> {
    // What a descriptor says may be anything, and so may the sum of what several say.
    let bytes = blobs.into_iter().fold(0_u64, |bytes, blob| bytes.saturating_add(blob.size()));
    if bytes > MAX_BYTES { Err(TooLarge::Bytes(bytes)) } else { Ok(bytes) }
}

fn within(number: usize, most: usize) -> Result<(), usize> {
    if number > most { Err(number) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use oci_spec::image::MediaType;

    use super::*;
    use crate::oci::layout::{descriptor, index_of};
    use crate::oci::{Digest, Image, Layout, layout, sample};

    #[test]
    fn an_image_with_more_parts_than_any_has_is_refused_before_they_are_looked_at() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::create(folder.path().join("image")).unwrap();
        // None of these is there, and that is not what is said.
        let absent = |size| descriptor(MediaType::ImageManifest, Digest::of(b"absent"), size);
        let many = index_of(vec![absent(1); MAX_MANIFESTS + 1]).unwrap();
        let root = layout.write_document(MediaType::ImageIndex, &many).unwrap();
        let refused = Image::open(layout.clone(), root).unwrap_err();
        assert!(matches!(refused, layout::Error::TooLarge(TooLarge::Manifests(101))), "{refused}");

        let image = sample::image(layout.root(), &["amd64"], &[vec![("a", b"1".to_vec())]]);
        let layer = image.platforms[0].layers[0].descriptor.clone();
        let config = image.platforms[0].config_descriptor.clone();
        let of_layers = |layers: Vec<Descriptor>| {
            let manifest = serde_json::json!({
                "schemaVersion": 2, "mediaType": MediaType::ImageManifest, "config": config, "layers": layers,
            });
            layout.write_document(MediaType::ImageManifest, &manifest).unwrap()
        };
        let refused = Image::open(layout.clone(), of_layers(vec![layer.clone(); MAX_LAYERS + 1])).unwrap_err();
        assert!(matches!(refused, layout::Error::TooLarge(TooLarge::Layers(501))), "{refused}");
        let huge = descriptor(layer.media_type().clone(), Digest::of(b"huge"), MAX_BYTES);
        let refused = Image::open(layout.clone(), of_layers(vec![huge])).unwrap_err();
        assert!(matches!(refused, layout::Error::TooLarge(TooLarge::Bytes(_))), "{refused}");
    }

    #[test]
    fn sizes_that_no_sum_can_hold_are_too_large() {
        let blob = descriptor(MediaType::ImageLayerGzip, Digest::of(b""), u64::MAX);
        assert_eq!(size([&blob, &blob]), Err(TooLarge::Bytes(u64::MAX)));
        assert_eq!(size([]), Ok(0));
    }
}
