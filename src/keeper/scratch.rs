//! The folder for what the worker and its children keep for a moment. It goes with the keeper; where that was killed, with the
//! next one.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::process::geteuid;

use crate::process;

/// How the names of folders begin that are in use, or were.
const PREFIX: &str = "gp-deliver-scratch-";
/// And of one that is about to be.
const NEW: &str = "gp-deliver-new-";

/// The folder; it is removed when this is dropped.
pub(super) struct Scratch {
    folder: PathBuf,
    /// Tells other keepers that it is in use (flock(2), which ends with the process).
    _lock: File,
}

impl Scratch {
    /// Makes one where temporary files are, and removes those that killed keepers have left there. All may look for a name in it
    /// that they know, and nobody else sees which there are.
    ///
    /// # Errors
    /// It can't be made.
    pub(super) fn create() -> io::Result<Self> {
        Self::create_in(&std::env::temp_dir())
    }

    fn create_in(temporary: &Path) -> io::Result<Self> {
        sweep(temporary);
        let new = tempfile::Builder::new().prefix(NEW).permissions(Permissions::from_mode(0o711)).tempdir_in(temporary)?;
        let lock = File::open(new.path())?;
        lock.try_lock()?;
        // It has its name once it is locked, so that nobody takes it for one that was left.
        let name = new.path().file_name().unwrap_or_default().to_string_lossy().replacen(NEW, PREFIX, 1);
        let folder = new.path().with_file_name(name);
        fs::rename(new.path(), &folder)?;
        let _ = new.keep();
        Ok(Self { folder, _lock: lock })
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        remove(&self.folder);
    }
}

/// Removes a folder that nobody writes to any more. What can't be removed now is tried again by the next keeper.
fn remove(folder: &Path) {
    process::flatten(folder);
    let _ = fs::remove_dir_all(folder);
}

/// Removes what keepers of this user have left and nobody holds. Others may write here too, and give such a name to anything.
fn sweep(temporary: &Path) {
    let entries = fs::read_dir(temporary).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX)) {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let Ok(folder) = openat(CWD, entry.path(), flags, Mode::empty()).map(File::from) else { continue };
        let is_ours = folder.metadata().is_ok_and(|found| found.uid() == geteuid().as_raw());
        if is_ours && folder.try_lock().is_ok() {
            remove(&entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_keeper_left_is_removed_and_what_is_in_use_or_of_another_kind_stays() {
        let temporary = tempfile::tempdir().unwrap();
        let at = |name: &str| temporary.path().join(name);
        fs::create_dir_all(at("gp-deliver-scratch-left").join("layout")).unwrap();
        fs::create_dir(at("another")).unwrap();
        fs::write(at("gp-deliver-scratch-file"), "x").unwrap();
        std::os::unix::fs::symlink(at("another"), at("gp-deliver-scratch-link")).unwrap();
        rustix::fs::mknodat(CWD, at("gp-deliver-scratch-pipe"), rustix::fs::FileType::Fifo, Mode::RWXU, 0).unwrap();
        let one = Scratch::create_in(temporary.path()).unwrap();
        let other = Scratch::create_in(temporary.path()).unwrap();
        assert!(!at("gp-deliver-scratch-left").exists());
        assert!(one.path().exists() && other.path().exists() && at("another").exists());
        for name in ["gp-deliver-scratch-file", "gp-deliver-scratch-link", "gp-deliver-scratch-pipe"] {
            assert!(at(name).symlink_metadata().is_ok(), "{name}");
        }
        let path = one.path().to_owned();
        drop(one);
        assert!(!path.exists() && other.path().exists());
    }
}
