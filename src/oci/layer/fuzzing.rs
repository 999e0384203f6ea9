//! A layer of any bytes, within less than an image may have.

use std::collections::HashSet;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use oci_spec::image::MediaType;

use super::{Error, Extraction};
use crate::oci::image::Layer;
use crate::oci::{Digest, Layout};

/// The most bytes that are read and written.
pub(crate) const MOST: u64 = 4 << 20;
const ENTRIES: u64 = 1000;

/// Writes the files of a layer whose blob is `blob` into `files`; the blob itself is put into `folder`.
///
/// # Errors
/// Not all of the layer was written.
pub(crate) fn extract(blob: &[u8], folder: &Path, files: &Path) -> Result<(), Error> {
    let layout = Layout::create(folder.join("layout"))?;
    let descriptor = layout.write(MediaType::ImageLayer, blob)?;
    let (known, stop) = (HashSet::new(), AtomicBool::new(false));
    let mut extraction = Extraction::into(files, &known, "gitleaks:allow", &stop);
    (extraction.bytes_left, extraction.entries_left) = (MOST, ENTRIES);
    extraction.layer(&layout, &Layer { descriptor, diff_id: Digest::of(blob) }, "0")
}
