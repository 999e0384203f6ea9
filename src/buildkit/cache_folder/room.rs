//! How much a cache's folder holds: the entries that were written last, and what they name.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, unlinkat};

use super::entries::{self, Entries, Entry};
use super::place::Place;
use super::{LEFT_FREE, MAX_BYTES, lock};
use crate::beneath::{Root, names_in, stat_in};
use crate::buildkit::blob_folder::{BLOBS, BlobFolder, INCOMING};
use crate::oci::{Digest, disk};

/// Removes the entries that were written first until the rest is within the bounds, and all that none of the others names. Nothing is
/// done where somebody uses the folder.
pub(super) fn make(place: &Place, blobs: &BlobFolder) -> Result<(), String> {
    within(place, blobs, MAX_BYTES, |path| disk::has_room(path, LEFT_FREE).is_ok())
}

pub(super) fn within(place: &Place, blobs: &BlobFolder, most: u64, has_room: impl Fn(&Path) -> bool) -> Result<(), String> {
    let Some(_alone) = lock::alone(&place.root) else { return Ok(()) };
    let _lock = lock::index(&place.root)?;
    let mut found = place.begin()?;
    let mut named = named_within(&found, blobs, most);
    keep(place, &mut found, &named)?;
    // A disk without room takes the rest too.
    while !has_room(place.root.path()) && named.pop().is_some() {
        keep(place, &mut found, &named)?;
    }
    Ok(())
}

/// The entries that have room, the newest first, each with the blobs that it names.
fn named_within(found: &Entries, blobs: &BlobFolder, most: u64) -> Vec<(Entry, BTreeMap<Digest, u64>)> {
    let (mut kept, mut sizes) = (Vec::new(), BTreeMap::new());
    for entry in found.newest_first() {
        // What can't be read is of no use.
        let Some(parts) = blobs.document(&entry.manifest).ok().flatten().and_then(|manifest| {
            let parts = entries::parts(&manifest).ok()?;
            Some(parts.into_iter().chain([(entry.manifest, manifest.len() as u64)]).collect::<BTreeMap<_, _>>())
        }) else {
            continue;
        };
        let mut with = sizes.clone();
        with.extend(&parts);
        if with.values().fold(0_u64, |sum, size| sum.saturating_add(*size)) <= most {
            sizes = with;
            kept.push((entry.clone(), parts));
        }
    }
    kept
}

/// Leaves these entries in the index, and then removes the files that none of them names.
fn keep(place: &Place, found: &mut Entries, named: &[(Entry, BTreeMap<Digest, u64>)]) -> Result<(), String> {
    if found.keep(|entry| named.iter().any(|(kept, _)| kept == entry)) {
        place.write(found)?;
    }
    let is_named = |name: &str| named.iter().any(|(_, parts)| parts.keys().any(|digest| digest.hex() == name));
    let failed = |error: io::Error| error.to_string();
    remove(&place.root.folder(Path::new(BLOBS)).map_err(failed)?, |name| !is_named(name)).map_err(failed)?;
    remove(&place.root.folder(Path::new("")).map_err(failed)?, |name| name.starts_with(INCOMING)).map_err(failed)
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
