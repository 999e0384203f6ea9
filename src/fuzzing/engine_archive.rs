//! The archive that an engine saves an image as.

use std::io::Read as _;

use flate2::read::MultiGzDecoder;

use crate::buildkit::export::docker_archive;
use crate::layer_store::Packing;
use crate::oci::layout::digest_of;
use crate::oci::{Compression, Digest, Layout};

const BLOCK: usize = 512;
/// Where a header has its sum (POSIX, "ustar Interchange Format").
const SUM: std::ops::Range<usize> = 148..156;

/// Reads an archive into a layout. The sums of its headers are made right before: by chance they never are.
pub fn engine_archive(bytes: &[u8]) {
    let Ok(folder) = tempfile::tempdir() else { return };
    let Ok(layout) = Layout::create(folder.path().join("image")) else { return };
    let archive = mended(bytes);
    let read = docker_archive::read(&*archive, &layout, &Packing::alone(Compression::Gzip), &[], &|_| {});
    let Ok(docker_archive::Read::Whole(parts)) = read else { return };
    let config = serde_json::from_slice::<serde_json::Value>(&parts.config).unwrap_or_default();
    let diff_ids = config["rootfs"]["diff_ids"].as_array().cloned().unwrap_or_default();
    let mut held = Vec::new();
    for layer in &parts.layers {
        assert!(layout.verify(layer).is_ok(), "a layer is what its descriptor says");
        let blob = digest_of(layer).map(|digest| std::fs::read(layout.blob(&digest)).unwrap_or_default());
        let mut content = Vec::new();
        let read = MultiGzDecoder::new(&*blob.unwrap_or_default()).read_to_end(&mut content);
        assert!(read.is_ok(), "a layer unpacks");
        held.push(serde_json::Value::from(Digest::of(&content).to_string()));
    }
    assert_eq!(held, diff_ids, "the layers are those that the configuration states");
}

/// An archive whose headers have right sums.
pub(super) fn mended(bytes: &[u8]) -> Vec<u8> {
    let mut archive = bytes.to_vec();
    let mut at = 0_usize;
    while let Some(block) = archive.get_mut(at..at.saturating_add(BLOCK)) {
        if block.iter().all(|byte| *byte == 0) {
            break;
        }
        block[SUM].fill(b' ');
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        block[SUM].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        let mut header = tar::Header::new_old();
        header.as_mut_bytes().copy_from_slice(block);
        let size = header.entry_size().unwrap_or_default();
        let blocks = usize::try_from(size.div_ceil(BLOCK as u64)).unwrap_or(usize::MAX);
        at = at.saturating_add(BLOCK).saturating_add(blocks.saturating_mul(BLOCK));
    }
    archive
}
