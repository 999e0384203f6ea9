//! Layers of images that were not built here.

use std::collections::HashSet;
use std::fs;
use std::io::Read as _;
use std::path::Path;

use super::engine_archive::mended;
use crate::oci::dated::{Dated, Dates, Undone};
use crate::oci::layer::fuzzing::{MOST, extract};

/// Writes the files of a layer: an archive as it is (with the sums of its headers made right), or whatever the bytes are packed
/// in.
pub fn layer(bytes: &[u8]) {
    let mended = mended(bytes);
    for content in [&*mended, bytes] {
        let Ok(folder) = tempfile::tempdir() else { return };
        let files = folder.path().join("files");
        if fs::create_dir(&files).is_err() {
            return;
        }
        dated_and_back(content);
        let ended = extract(content, folder.path(), &files);
        stays_inside(folder.path(), &files);
        if ended.is_ok() {
            assert!(content.len() >= 1024 || content.iter().all(|byte| *byte == 0), "the smallest archive is two blocks");
        }
        if content == bytes && &*mended == bytes {
            return;
        }
    }
}

/// What is dated is dated once and for all, and comes back as it was by what is kept of it.
fn dated_and_back(content: &[u8]) {
    let dates = Dates { date: 1_700_000_000, kept: 5 };
    let read = |content: &[u8]| {
        let (mut bytes, mut reader) = (Vec::new(), Dated::new(content, dates));
        reader.read_to_end(&mut bytes).ok().map(|_| (bytes, reader.changes()))
    };
    let Some((after, changes)) = read(content) else { return };
    assert_eq!(read(&after).map(|(again, _)| again).as_ref(), Some(&after));
    let Some(changes) = changes else { return };
    let mut before = Vec::new();
    let undone = Undone::new(&*after, &changes).read_to_end(&mut before);
    assert!(undone.is_ok() && before == content, "{changes:?}");
}

/// There is nothing but plain files and folders, and no more of them than was allowed.
fn stays_inside(folder: &Path, files: &Path) {
    let beside: HashSet<_> = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(beside, ["files", "layout"].map(Into::into).into(), "something was written beside the folder");
    let mut bytes = 0;
    for entry in walkdir::WalkDir::new(files).into_iter().flatten() {
        let kind = entry.file_type();
        assert!(kind.is_dir() || kind.is_file(), "{} is neither a file nor a folder", entry.path().display());
        let name = entry.file_name().to_string_lossy();
        assert!(!name.eq_ignore_ascii_case(".git") && !name.to_lowercase().contains("gitleaks"), "{name}");
        bytes += entry.metadata().map_or(0, |metadata| if kind.is_file() { metadata.len() } else { 0 });
    }
    assert!(bytes <= MOST, "{bytes} bytes were written");
}
