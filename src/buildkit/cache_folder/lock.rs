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

/// How long a lock may be another's. The index is written in no time.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often one looks.
const INTERVAL: Duration = Duration::from_millis(50);

/// That the folder is in use. There is no such word of a folder without the file, into which nobody has written.
#[derive(Debug)]
pub(super) struct Shared(Option<File>);

impl Shared {
    /// Says so, as soon as nobody has it alone, who removes what is needed.
    pub(super) fn hold(root: &Root) -> Result<Self, String> {
        let Ok(file) = root.file(Path::new(IN_USE)) else { return Ok(Self(None)) };
        patiently(IN_USE, || file.try_lock_shared())?;
        Ok(Self(Some(file)))
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
    patiently(INDEX, || file.try_lock())?;
    Ok(file)
}

/// Tries until it succeeds, as long as there is patience.
fn patiently(name: &str, lock: impl Fn() -> Result<(), TryLockError>) -> Result<(), String> {
    let began = Instant::now();
    loop {
        match lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::Error(error)) => return Err(format!("{name}: {error}")),
            Err(TryLockError::WouldBlock) if began.elapsed() > PATIENCE => {
                return Err(format!("another process does not let go of its {name}"));
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
