//! Who uses a cache's folder (flock(2), which ends with the process): those that read or write it, side by side, and whoever
//! changes its index, alone.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags, openat};

use crate::beneath::Root;

/// The file that is locked by whoever uses the folder.
pub(super) const IN_USE: &str = "in-use.lock";
/// The file that is locked by whoever changes the index.
pub(super) const INDEX: &str = "index.lock";

/// How long the index may be another's. It is written in no time.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often one looks.
const INTERVAL: Duration = Duration::from_millis(50);

/// That the folder is in use. Where that can't be said, what is needed may be gone, and is done without.
#[derive(Debug)]
pub(super) struct Shared(Option<File>);

impl Shared {
    /// Says so.
    pub(super) fn hold(root: &Root) -> Self {
        let file = root.file(Path::new(IN_USE)).ok();
        Self(file.filter(|file| file.try_lock_shared().is_ok()))
    }

    /// Says that it is in use by this one no more.
    pub(super) fn leave(&self) {
        if let Some(file) = &self.0 {
            let _ = file.unlock();
        }
    }
}

/// Makes the files that are locked.
pub(super) fn make(root: &Root) -> io::Result<()> {
    [IN_USE, INDEX].into_iter().try_for_each(|name| opened(root, name).map(drop))
}

/// Holds the folder as the only one that uses it; nothing where it is not.
pub(super) fn alone(root: &Root) -> Option<File> {
    opened(root, IN_USE).ok().filter(|file| file.try_lock().is_ok())
}

/// Holds the index.
pub(super) fn index(root: &Root) -> Result<File, String> {
    let file = opened(root, INDEX).map_err(|error| format!("{INDEX}: {error}"))?;
    let began = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(error)) => return Err(format!("{INDEX}: {error}")),
            Err(TryLockError::WouldBlock) if began.elapsed() > PATIENCE => {
                return Err("another process does not let go of the index".to_owned());
            }
            Err(TryLockError::WouldBlock) => std::thread::sleep(INTERVAL),
        }
    }
}

fn opened(root: &Root, name: &str) -> io::Result<File> {
    let folder = root.folder(Path::new(""))?;
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    Ok(openat(&folder, name, flags, Mode::RUSR | Mode::WUSR)?.into())
}
