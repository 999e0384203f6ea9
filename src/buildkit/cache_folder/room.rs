//! How much a cache's folder holds: the entries that were written last, and what they name.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, unlinkat};

use super::entries::{self, Entry};
use super::place::Place;
use super::{LEFT_FREE, MAX_BYTES, lock};
use crate::beneath::{Root, names_in, stat_in};
use crate::buildkit::blob_folder::{BLOBS, BlobFolder, INCOMING};
use crate::oci::{Digest, disk};

/// The most blobs of all entries.
const MAX_BLOBS: usize = 100_000;

/// Removes the entries that were written first until the rest is within the bounds, and all that none of the others names. Nothing is
/// done where somebody uses the folder.
pub(super) fn make(place: &Place, blobs: &BlobFolder) -> Result<(), String> {
    within(place, blobs, MAX_BYTES, |path| disk::has_room(path, LEFT_FREE).is_ok())
}

pub(super) fn within(place: &Place, blobs: &BlobFolder, most: u64, has_room: impl Fn(&Path) -> bool) -> Result<(), String> {
    let Some(_alone) = lock::alone(&place.root) else { return Ok(()) };
    let _lock = lock::index(&place.root)?;
    let mut found = place.begin()?;
    let mut kept = Kept::default();
    for entry in found.newest_first() {
        kept.add(entry, blobs, most);
    }
    kept.remove_others(place).map_err(|error| error.to_string())?;
    // A disk without room takes the rest too, the oldest first. The index is last: where nothing can be written, files can go all
    // the same, and an entry that is not whole is not taken.
    while !has_room(place.root.path()) && kept.drop_oldest() {
        kept.remove_others(place).map_err(|error| error.to_string())?;
    }
    if found.keep(|entry| kept.entries.iter().any(|(kept, _)| kept == entry)) { place.write(&found) } else { Ok(()) }
}

/// The entries that have room, the newest first, each with the blobs that none before it names.
#[derive(Default)]
struct Kept {
    entries: Vec<(Entry, Vec<Digest>)>,
    named: BTreeSet<Digest>,
    bytes: u64,
    /// The manifests of entries that were not taken.
    refused: BTreeSet<Digest>,
}

impl Kept {
    /// Takes an entry where all of it is there and has room. Of several by one manifest nothing is read twice.
    fn add(&mut self, entry: &Entry, blobs: &BlobFolder, most: u64) {
        if self.named.contains(&entry.manifest) {
            self.entries.push((entry.clone(), Vec::new()));
        } else if !self.refused.contains(&entry.manifest) && self.add_new(entry, blobs, most).is_none() {
            self.refused.insert(entry.manifest);
        }
    }

    fn add_new(&mut self, entry: &Entry, blobs: &BlobFolder, most: u64) -> Option<()> {
        let manifest = blobs.document(&entry.manifest).ok().flatten()?;
        let parts = entries::parts(&manifest).ok()?;
        let is_there = |(digest, size): &(Digest, u64)| blobs.size(digest).is_ok_and(|found| found == Some(*size));
        if !parts.iter().all(is_there) {
            return None;
        }
        let all = parts.into_iter().chain([(entry.manifest, manifest.len() as u64)]);
        let new: BTreeMap<Digest, u64> = all.filter(|(digest, _)| !self.named.contains(digest)).collect();
        let bytes = new.values().fold(self.bytes, |sum, size| sum.saturating_add(*size));
        if bytes > most || self.named.len() + new.len() > MAX_BLOBS {
            return None;
        }
        self.bytes = bytes;
        self.named.extend(new.keys());
        self.entries.push((entry.clone(), new.into_keys().collect()));
        Some(())
    }

    /// Leaves out the entry that was written first; whether there was one.
    fn drop_oldest(&mut self) -> bool {
        let Some((_, own)) = self.entries.pop() else { return false };
        for digest in own {
            self.named.remove(&digest);
        }
        true
    }

    /// Removes the files that none of them names.
    fn remove_others(&self, place: &Place) -> io::Result<()> {
        let named: HashSet<String> = self.named.iter().map(Digest::hex).collect();
        remove(&place.root.folder(Path::new(BLOBS))?, |name| !named.contains(name))?;
        remove(&place.root.folder(Path::new(""))?, |name| name.starts_with(INCOMING))
    }
}

fn remove(folder: &OwnedFd, is_unwanted: impl Fn(&str) -> bool) -> io::Result<()> {
    for name in names_in(folder.as_fd())?.into_iter().filter(|name| name.to_str().is_none_or(&is_unwanted)) {
        // What is no file stays.
        let _ = unlinkat(folder, &*name, AtFlags::empty());
    }
    Ok(())
}

/// How many bytes all blobs have, also those that are to be removed.
pub(super) fn held(root: &Root) -> u64 {
    let Ok(folder) = root.folder(Path::new(BLOBS)) else { return 0 };
    let names = names_in(folder.as_fd()).unwrap_or_default();
    let size = |name| stat_in(folder.as_fd(), Path::new(name)).ok().and_then(|found| u64::try_from(found.st_size).ok());
    names.iter().filter_map(size).fold(0, u64::saturating_add)
}
