//! Layout folders that others have made.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::input::{all_parts, can_be_shown};
use crate::oci::annotations::Annotations;
use crate::oci::layout::digest_of;
use crate::oci::{Digest, Image, Layout};

/// More blobs than an input needs.
const BLOBS: usize = 8;

/// Reads a layout: what marks it, its index, and its blobs. In the index and in each blob `@D2` stands for the digest of the
/// blob with that number, from 0, and `@S2` for its size, so that a change in one leaves the others reachable.
pub fn layout(bytes: &[u8]) {
    let Ok(folder) = tempfile::tempdir() else { return };
    let root = folder.path().join("image");
    if write(bytes, &root).is_err() {
        return;
    }
    let opened = match Layout::open(&root) {
        Ok(layout) => layout,
        Err(error) => return can_be_shown_but_for(&error.to_string(), &root),
    };
    let Ok(index) = opened.index() else { return };
    assert!(opened.tags().is_ok_and(|tags| tags.len() <= index.manifests().len()));
    for descriptor in index.manifests() {
        match Image::open(opened.clone(), descriptor.clone()) {
            Ok(image) => is_what_it_says(&image),
            Err(error) => can_be_shown_but_for(&error.to_string(), &root),
        }
    }
}

fn write(bytes: &[u8], root: &Path) -> std::io::Result<()> {
    let blobs = root.join("blobs/sha256");
    fs::create_dir_all(&blobs)?;
    let mut parts = all_parts(bytes);
    let (mark, index) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let mut named = Vec::new();
    for blob in parts.take(BLOBS) {
        let blob = filled_in(blob, &named);
        let digest = Digest::of(&blob);
        fs::write(blobs.join(digest.hex()), &blob)?;
        named.push((digest.to_string(), blob.len().to_string()));
    }
    fs::write(root.join("oci-layout"), mark)?;
    fs::write(root.join("index.json"), filled_in(index, &named))
}

/// A text with the digests and sizes of the blobs that it names; what is no text stays as it is.
fn filled_in(bytes: &[u8], named: &[(String, String)]) -> Vec<u8> {
    let Ok(text) = std::str::from_utf8(bytes) else { return bytes.to_vec() };
    let mut text = text.to_owned();
    for (number, (digest, size)) in named.iter().enumerate() {
        text = text.replace(&format!("@D{number}"), digest).replace(&format!("\"@S{number}\""), size);
    }
    text.into_bytes()
}

/// Words that name a file of the folder.
fn can_be_shown_but_for(words: &str, root: &Path) {
    can_be_shown(&words.replace(&*root.to_string_lossy(), ""));
}

fn is_what_it_says(image: &Image) {
    assert!(!image.platforms.is_empty());
    let descriptors = image.descriptors();
    let digests: BTreeSet<_> = descriptors.iter().map(|descriptor| descriptor.digest().to_string()).collect();
    assert_eq!(digests.len(), descriptors.len(), "what is sent is sent once");
    let mut slugs = BTreeSet::new();
    let mut manifests = BTreeSet::new();
    for platform in &image.platforms {
        let config = image.layout.read(&platform.config_descriptor).map(|config| Digest::of(&config));
        assert_eq!(config.ok(), digest_of(&platform.config_descriptor).ok(), "a configuration is what its digest says");
        let slug = image.slug(platform);
        assert!(!slug.contains('/') && !slug.starts_with('.'), "{slug:?} leads to another folder");
        slugs.insert(slug);
        manifests.insert(platform.digest);
    }
    assert_eq!(slugs.len(), manifests.len(), "no file about a platform takes another's place");
    let parts = image.parts().unwrap_or_default();
    let again = Image::assemble(image.layout.clone(), &parts, &Annotations::default());
    let again = again.unwrap_or_else(|error| unreachable!("its own parts are refused: {error}"));
    let layers = |image: &Image| -> Vec<_> {
        image.platforms.iter().map(|platform| (platform.platform.clone(), platform.layers.len())).collect()
    };
    assert_eq!(layers(&again), layers(image), "it is put together from its parts");
}
