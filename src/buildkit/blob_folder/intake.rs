//! Blobs that arrive: each is written beside its place and takes it in one step, if it is what it was said to be.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{AtFlags, Mode, OFlags, openat, renameat, unlinkat};

use super::BLOBS;
use crate::beneath::Root;
use crate::buildkit::id::random_id;
use crate::oci::digest::Hasher;
use crate::oci::{Digest, disk};
use crate::text;

/// How the name of a file begins until it is whole. One that is left is of a process that was killed.
pub(crate) const INCOMING: &str = ".incoming-";

/// Where blobs arrive.
#[derive(Debug)]
pub(crate) struct Intake {
    path: PathBuf,
    folder: OwnedFd,
    /// How many bytes may still arrive.
    room: AtomicU64,
    /// How many are left free for others, in bytes.
    left_free: u64,
}

/// A blob that arrives; dropped, it leaves nothing behind.
#[derive(Debug)]
pub(crate) struct Incoming {
    intake: Arc<Intake>,
    name: String,
    file: File,
    hasher: Hasher,
    size: u64,
}

impl Intake {
    /// That of the layout in a root, for so many bytes at `most`, and no more than leave `left_free` of the disk.
    ///
    /// # Errors
    /// The layout has no folder for blobs.
    pub(crate) fn open(root: &Root, most: u64, left_free: u64) -> io::Result<Self> {
        let folder = root.folder(Path::new(BLOBS))?;
        Ok(Self { path: root.path().to_owned(), folder, room: AtomicU64::new(most), left_free })
    }

    /// Begins a blob that is said to have `size` bytes.
    ///
    /// # Errors
    /// There is no room for it.
    pub(crate) fn begin(self: &Arc<Self>, size: u64) -> io::Result<Incoming> {
        disk::has_room(&self.path, size.saturating_add(self.left_free)).map_err(full)?;
        let name = format!("{INCOMING}{}", random_id());
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = openat(&self.folder, name.as_str(), flags, Mode::RUSR | Mode::WUSR)?;
        Ok(Incoming { intake: Arc::clone(self), name, file: file.into(), hasher: Hasher::new(), size: 0 })
    }

    fn take(&self, bytes: u64) -> io::Result<()> {
        let taken = self.room.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |room| room.checked_sub(bytes));
        let more = || full(format!("it would hold more than it may, with {} more", text::size(bytes)));
        taken.map(drop).map_err(|_| more())
    }
}

fn full(why: impl std::fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::StorageFull, why.to_string())
}

impl Incoming {
    /// How many bytes it has so far.
    #[must_use]
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// There is no room for them, or they can't be written.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.intake.take(bytes.len() as u64)?;
        self.file.write_all(bytes)?;
        self.hasher.update(bytes);
        self.size += bytes.len() as u64;
        Ok(())
    }

    /// Puts it into its place.
    ///
    /// # Errors
    /// It is not `expected`, or it can't be put there; nothing of it is kept then.
    pub(crate) fn keep(self, expected: &Digest) -> io::Result<()> {
        let actual = self.hasher.clone().finish();
        if actual != *expected {
            let why = format!("what arrived as {expected} is {actual}");
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
        let folder = &self.intake.folder;
        Ok(renameat(folder, self.name.as_str(), folder, expected.hex())?)
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        // What was kept is not there any more.
        let _ = unlinkat(&self.intake.folder, self.name.as_str(), AtFlags::empty());
    }
}
