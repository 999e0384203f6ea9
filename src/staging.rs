//! A folder of our own for the image until it is published: beside the report, so that publishing to a folder there can
//! link instead of copy.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use tempfile::TempDir;

/// How the folders' names begin.
const PREFIX: &str = ".image-";

/// The folder; it is removed when this is dropped.
pub(crate) struct Staging {
    folder: TempDir,
    /// Tells other deliveries that the folder is in use (flock(2), which ends with the process).
    _lock: File,
}

impl Staging {
    /// Makes a folder in `report_dir`, and removes those that killed deliveries have left there.
    ///
    /// # Errors
    /// It can't be made.
    pub(crate) fn create(report_dir: &Path) -> io::Result<Self> {
        let report_dir = report_dir.canonicalize()?;
        sweep(&report_dir);
        let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(&report_dir)?;
        let lock = File::open(folder.path())?;
        lock.try_lock()?;
        Ok(Self { folder, _lock: lock })
    }

    /// The folder's path.
    #[must_use]
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// Removes a folder that a delivery in another process has made here, and could not remove.
pub(crate) fn remove(folder: &Path) {
    let is_ours = folder.file_name().is_some_and(|name| name.to_string_lossy().starts_with(PREFIX));
    if is_ours {
        // What can't be removed now is tried again by the next delivery.
        let _ = fs::remove_dir_all(folder);
    }
}

/// Removes what nobody holds any more. Layers that were not published are of no use, and large.
fn sweep(report_dir: &Path) {
    let entries = fs::read_dir(report_dir).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX)) {
        if File::open(entry.path()).is_ok_and(|folder| folder.try_lock().is_ok()) {
            // What can't be removed now is tried again by the next delivery.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_delivery_left_is_removed_and_what_is_in_use_stays() {
        let report = tempfile::tempdir().unwrap();
        let left = report.path().join(".image-left");
        fs::create_dir_all(left.join("layout")).unwrap();
        fs::create_dir(report.path().join("sarif")).unwrap();
        let one = Staging::create(report.path()).unwrap();
        let other = Staging::create(report.path()).unwrap();
        assert!(!left.exists());
        assert!(one.path().exists() && other.path().exists() && report.path().join("sarif").exists());
        let path = one.path().to_owned();
        drop(one);
        assert!(!path.exists());
        let (of_another, path) = (report.path().join("sarif"), other.path().to_owned());
        remove(&of_another);
        remove(&path);
        assert!(of_another.exists() && !path.exists());
    }
}
