//! Blobs that arrive: each is written beside its place and takes it in one step, if it is what it was said to be.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{AtFlags, Mode, OFlags, openat, renameat, unlinkat};
use rustix::io::Errno;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::BLOBS;
use crate::beneath::Root;
use crate::buildkit::id::random_id;
use crate::oci::digest::Hasher;
use crate::oci::{Digest, disk, layout};
use crate::text;

/// How many blobs may arrive at once; more wait. A builder gives all that it has side by side, each in pieces of its own.
const AT_ONCE: usize = 8;

/// After how many bytes of a blob one looks again at what is left of the disk.
const LOOK_EVERY: u64 = 64 << 20;

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
    turns: Semaphore,
}

/// A blob that arrives; dropped, it leaves nothing behind.
#[derive(Debug)]
pub(crate) struct Incoming {
    intake: Arc<Intake>,
    name: String,
    file: File,
    hasher: Hasher,
    size: u64,
    /// Up to which size the disk is known to have room.
    looked: u64,
    is_kept: bool,
}

impl Intake {
    /// That of the layout in a root, for so many bytes at `most`, and no more than leave `left_free` of the disk.
    ///
    /// # Errors
    /// The layout has no folder for blobs.
    pub(crate) fn open(root: &Root, most: u64, left_free: u64) -> io::Result<Self> {
        let folder = root.folder(Path::new(BLOBS))?;
        Ok(Self { path: root.path().to_owned(), folder, room: AtomicU64::new(most), left_free, turns: Semaphore::new(AT_ONCE) })
    }

    /// Waits until a blob may arrive, which it may as long as the answer is held.
    pub(crate) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        self.turns.acquire().await.ok()
    }

    /// Begins a blob that is said to have `size` bytes.
    ///
    /// # Errors
    /// There is no room for it.
    pub(crate) fn begin(self: &Arc<Self>, size: u64) -> io::Result<Incoming> {
        self.has_room(size)?;
        let name = format!("{INCOMING}{}", random_id());
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = openat(&self.folder, name.as_str(), flags, Mode::RUSR | Mode::WUSR)?;
        Ok(Incoming {
            intake: Arc::clone(self),
            name,
            file: file.into(),
            hasher: Hasher::new(),
            size: 0,
            looked: size.min(LOOK_EVERY),
            is_kept: false,
        })
    }

    fn has_room(&self, bytes: u64) -> io::Result<()> {
        disk::has_room(&self.path, bytes.saturating_add(self.left_free)).map_err(|error| match error {
            // The builder is told, and of no path of this machine.
            layout::Error::Io { source, .. } => source,
            other => full(other),
        })
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
        // How large it is, is what somebody has said, and others write to the disk too.
        let size = self.size + bytes.len() as u64;
        if size > self.looked {
            self.intake.has_room(LOOK_EVERY)?;
            self.looked = size + LOOK_EVERY;
        }
        self.file.write_all(bytes)?;
        self.hasher.update(bytes);
        self.size = size;
        Ok(())
    }

    /// Puts it into its place.
    ///
    /// # Errors
    /// It is not `expected`, or it can't be put there; nothing of it is kept then.
    pub(crate) fn keep(mut self, expected: &Digest) -> io::Result<()> {
        let actual = self.hasher.clone().finish();
        if actual != *expected {
            let why = format!("what arrived as {expected} is {actual}");
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
        let folder = &self.intake.folder;
        let put = || renameat(folder, self.name.as_str(), folder, expected.hex());
        match put() {
            Err(Errno::ISDIR) => {
                // What is no blob goes aside.
                renameat(folder, expected.hex(), folder, format!("{INCOMING}{}", random_id()))?;
                put()?;
            }
            done => done?,
        }
        self.is_kept = true;
        Ok(())
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if self.is_kept {
            return;
        }
        self.intake.room.fetch_add(self.size, Ordering::Relaxed);
        let _ = unlinkat(&self.intake.folder, self.name.as_str(), AtFlags::empty());
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_disk_that_fills_while_a_blob_arrives_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join(BLOBS)).unwrap();
        let intake = |left_free| Arc::new(Intake::open(&Root::open(folder.path()).unwrap(), u64::MAX, left_free).unwrap());
        let mut incoming = intake(0).begin(0).unwrap();
        incoming.write(b"before").unwrap();
        incoming.intake = intake(u64::MAX / 2);
        let full = (0..=LOOK_EVERY >> 20).find_map(|_| incoming.write(&vec![0; 1 << 20]).err()).unwrap();
        assert_eq!((full.kind(), incoming.size()), (io::ErrorKind::StorageFull, LOOK_EVERY + 6));
    }
}
