//! How much the store may hold: what was not used for longest goes first.

use std::collections::BTreeMap;
use std::fs::{self, DirEntry};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::entry::Entry;
use super::folder::{BLOBS, KNOWN};
use crate::document;
use crate::oci::disk;

/// The most bytes of all blobs, of all namespaces together.
pub(crate) const MAX_BYTES: u64 = 10_000_000_000;

/// What is left free of the disk for others, in bytes: with less, the store gives up what it has.
pub(crate) const LEFT_FREE: u64 = 2_000_000_000;

/// A blob, with all that goes with it.
#[derive(Default)]
struct Kept {
    files: Vec<PathBuf>,
    size: u64,
}

/// Removes what was not used for longest until the rest is within the bounds.
pub(super) fn make(root: &Path) {
    within(root, MAX_BYTES, |root| disk::has_room(root, LEFT_FREE).is_ok());
}

fn within(root: &Path, most: u64, has_room: impl Fn(&Path) -> bool) {
    let mut by_age: BTreeMap<(SystemTime, PathBuf), Kept> = BTreeMap::new();
    for namespace in entries(root) {
        collect(&namespace.path(), &mut by_age);
    }
    let mut held: u64 = by_age.values().map(|kept| kept.size).sum();
    for kept in by_age.into_values() {
        if held <= most && has_room(root) {
            return;
        }
        for file in &kept.files {
            let _ = fs::remove_file(file);
        }
        held = held.saturating_sub(kept.size);
    }
}

/// The blobs of a namespace by when they were used last; one that nothing is said of by when it was written.
fn collect(namespace: &Path, by_age: &mut BTreeMap<(SystemTime, PathBuf), Kept>) {
    let mut said: BTreeMap<String, (SystemTime, Vec<PathBuf>)> = BTreeMap::new();
    for entry in entries(&namespace.join(KNOWN)) {
        let text = entry.metadata().ok().filter(fs::Metadata::is_file).and_then(|_| fs::read(entry.path()).ok());
        // What can't be read goes with the first.
        let name = text.and_then(|text| document::read::<Entry>(&text).ok()).map(|entry| entry.digest.hex()).unwrap_or_default();
        let (used, files) = said.entry(name).or_insert((SystemTime::UNIX_EPOCH, Vec::new()));
        *used = time(&entry).max(*used);
        files.push(entry.path());
    }
    for blob in entries(&namespace.join(BLOBS)) {
        let name = blob.file_name().to_string_lossy().into_owned();
        let (used, mut files) = said.remove(&name).unwrap_or_else(|| (time(&blob), Vec::new()));
        files.push(blob.path());
        let size = blob.metadata().map_or(0, |blob| blob.len());
        by_age.insert((used, blob.path()), Kept { files, size });
    }
    for (name, (_, files)) in said {
        by_age.insert((SystemTime::UNIX_EPOCH, namespace.join(name)), Kept { files, size: 0 });
    }
}

fn time(entry: &DirEntry) -> SystemTime {
    entry.metadata().and_then(|found| found.modified()).unwrap_or(SystemTime::UNIX_EPOCH)
}

fn entries(folder: &Path) -> impl Iterator<Item = DirEntry> {
    fs::read_dir(folder).into_iter().flatten().flatten()
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::time::Duration;

    use super::*;
    use crate::oci::Digest;

    /// A store with blobs of 10 bytes, the first the oldest, each with what is said of it.
    fn store(count: u8) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for number in 0..count {
            let place = root.path().join(format!("namespace{}", number % 2));
            let (known, blobs) = (place.join(KNOWN), place.join(BLOBS));
            fs::create_dir_all(&known).unwrap();
            fs::create_dir_all(&blobs).unwrap();
            let digest = Digest::of(&[number]);
            fs::write(blobs.join(digest.hex()), "0123456789").unwrap();
            let entry = Entry { digest, size: 10, content: None, changes: None };
            let path = known.join(format!("{number}"));
            fs::write(&path, serde_json::to_string(&entry).unwrap()).unwrap();
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1000 + u64::from(number));
            File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
        }
        root
    }

    fn left(root: &Path) -> Vec<u8> {
        let is_left = |number: &u8| {
            let place = root.join(format!("namespace{}", number % 2));
            let (blob, said) = (place.join(BLOBS).join(Digest::of(&[*number]).hex()), place.join(KNOWN).join(number.to_string()));
            assert_eq!(blob.exists(), said.exists(), "{number}");
            blob.exists()
        };
        (0..10).filter(is_left).collect()
    }

    #[test]
    fn what_was_not_used_for_longest_goes_first_in_all_namespaces() {
        let root = store(6);
        within(root.path(), 60, |_| true);
        assert_eq!(left(root.path()), [0, 1, 2, 3, 4, 5]);
        within(root.path(), 35, |_| true);
        assert_eq!(left(root.path()), [3, 4, 5]);
    }

    #[test]
    fn a_disk_without_room_takes_it_all() {
        let root = store(4);
        within(root.path(), u64::MAX, |_| false);
        assert_eq!(left(root.path()), [0; 0]);
    }
}
