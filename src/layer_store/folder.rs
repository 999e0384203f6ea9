//! The folder of the store: ours, nobody else's to write to, and without links.
//!
//! `layers/NAMESPACE/blobs` has the blobs by their digests, `layers/NAMESPACE/known` what is said of them.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::fs::{Mode, OFlags, open};

use super::entry::{Entry, Key};
use crate::document;
use crate::oci::{Digest, disk};
use crate::ownership::{self, Purpose, Standing, is_private, make_private};

/// The folder in the cache.
pub(super) const NAME: &str = "layers";
/// What is said of blobs.
pub(super) const KNOWN: &str = "known";
/// The blobs.
pub(super) const BLOBS: &str = "blobs";
/// What undoes the dating of a layer is no longer, in bytes: that of a hundred thousand files is 3.7 MB.
pub(super) const MAX_CHANGES: u64 = 4 << 20;
/// What is said of a blob is no longer.
const MAX_ENTRY: u64 = MAX_CHANGES + 4096;

/// The part of the store that one namespace has.
#[derive(Debug)]
pub(super) struct Folder {
    root: PathBuf,
    known: PathBuf,
    blobs: PathBuf,
}

impl Folder {
    /// Opens it, or makes it; the reason where neither is possible.
    pub(super) fn open(cache: &Path, namespace: &str) -> Result<Self, String> {
        let root = cache.join(NAME);
        let failed = |error: io::Error| format!("{}: {error}", root.display());
        fs::create_dir_all(cache).map_err(failed)?;
        if root.is_symlink() {
            return Err(format!("{} is a link", root.display()));
        }
        match ownership::look(&root, Purpose::Layers).map_err(|stranger| stranger.to_string())? {
            Standing::Own(_) => {}
            Standing::Empty => ownership::mark(&root, Purpose::Layers, &[]).map_err(failed)?,
            Standing::Absent => {
                make_private(&root).map_err(failed)?;
                ownership::mark(&root, Purpose::Layers, &[]).map_err(failed)?;
            }
        }
        let place = root.join(namespace);
        let (known, blobs) = (place.join(KNOWN), place.join(BLOBS));
        for folder in [&place, &known, &blobs] {
            make_private(folder).map_err(failed)?;
        }
        if let Some(folder) = [&root, &place, &known, &blobs].into_iter().find(|folder| !is_private(folder)) {
            return Err(format!("{} is a link, or others may write to it", folder.display()));
        }
        Ok(Self { root, known, blobs })
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// What is said to be the blob that is looked for, and that file. It is in use from now on.
    pub(super) fn find(&self, key: &Key) -> Option<(Entry, File)> {
        let file = opened(&self.known.join(key.name())).ok()?;
        let mut text = Vec::new();
        (&file).take(MAX_ENTRY).read_to_end(&mut text).ok()?;
        let entry: Entry = document::read(&text).ok()?;
        let blob = opened(&self.blob(&entry.digest)).ok()?;
        // What was used last goes last. Where that can't be noted it goes earlier.
        let _ = file.set_modified(SystemTime::now());
        Some((entry, blob))
    }

    /// Takes in a blob by another name of the same file, else by a copy.
    pub(super) fn put(&self, key: &Key, entry: &Entry, from: &Path) -> io::Result<()> {
        let blob = self.blob(&entry.digest);
        let is_there = || blob.symlink_metadata().is_ok_and(|file| file.is_file() && file.len() == entry.size);
        if !is_there() {
            let _ = fs::remove_file(&blob);
            if fs::hard_link(from, &blob).is_err() && !is_there() {
                self.copy(from, &blob, entry.size)?;
            }
        }
        let mut file = tempfile::Builder::new().prefix(".incoming-").tempfile_in(&self.known)?;
        serde_json::to_writer(&mut file, entry)?;
        file.persist(self.known.join(key.name()))?;
        Ok(())
    }

    fn copy(&self, from: &Path, to: &Path, size: u64) -> io::Result<()> {
        disk::has_room(&self.blobs, size).map_err(io::Error::other)?;
        let mut file = tempfile::Builder::new().prefix(".incoming-").tempfile_in(&self.blobs)?;
        io::copy(&mut File::open(from)?, &mut file)?;
        file.persist(to)?;
        Ok(())
    }

    /// Removes what is not what it should be.
    pub(super) fn remove(&self, key: &Key, entry: &Entry) {
        let _ = fs::remove_file(self.known.join(key.name()));
        let _ = fs::remove_file(self.blob(&entry.digest));
    }

    fn blob(&self, digest: &Digest) -> PathBuf {
        self.blobs.join(digest.hex())
    }
}

/// Opens a file that is no link; what is no file at all holds nothing up.
fn opened(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(open(path, flags, Mode::empty())?);
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::ErrorKind::InvalidData.into()) }
}
