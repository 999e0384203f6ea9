//! What no limit of the kernel's bounds: all files of a program together, and the memory of all its processes.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::time::Duration;

use super::confinement::{Confinement, Within};
use crate::machine;

/// How often it looks. A disk takes some hundred megabytes meanwhile.
pub(super) const EVERY: Duration = Duration::from_millis(200);

/// Files and folders that no scanner needs more of.
const MAX_ENTRIES: u64 = 1 << 20;

/// What is to stay free in the file system that a program writes to, in bytes.
const RESERVE: u64 = 256 << 20;

/// Watches over a run.
pub(super) struct Watch {
    folders: Vec<PathBuf>,
    files: u64,
    memory: u64,
}

impl Watch {
    /// Over a run that is held to this; none where nothing is to be watched.
    pub(super) fn over(confinement: &Confinement) -> Option<Self> {
        let Confinement::Within(Within { reach, .. }) = confinement else { return None };
        Some(Self { folders: reach.writes.clone(), files: reach.limits.files, memory: reach.limits.memory })
    }

    /// Why the run has to end, if it has to. `processes` are all of it.
    pub(super) fn breach(&self, processes: &[u32]) -> Option<String> {
        let memory: u64 = processes.iter().filter_map(|process| machine::memory_of(*process)).sum();
        if memory > self.memory {
            return Some(format!("its processes took more than {} bytes of memory", self.memory));
        }
        let mut taken = Taken::default();
        for folder in &self.folders {
            if let Err(error) = taken.add(folder.clone()) {
                return Some(format!("{} can't be looked through: {error}", folder.display()));
            }
            if taken.bytes > self.files {
                return Some(format!("it wrote more than {} bytes", self.files));
            }
            let free = rustix::fs::statvfs(folder).map_or(u64::MAX, |system| system.f_bavail.saturating_mul(system.f_frsize));
            if free < RESERVE && taken.bytes > RESERVE {
                return Some(format!("it wrote {} bytes, and the disk is nearly full", taken.bytes));
            }
        }
        None
    }
}

#[derive(Default)]
struct Taken {
    bytes: u64,
    entries: u64,
}

impl Taken {
    fn add(&mut self, folder: PathBuf) -> io::Result<()> {
        let mut folders = vec![folder];
        while let Some(folder) = folders.pop() {
            let entries = match fs::read_dir(&folder) {
                Ok(entries) => entries,
                // Programs remove what they made.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            for entry in entries {
                let entry = entry?;
                self.entries += 1;
                if self.entries > MAX_ENTRIES {
                    return Err(io::Error::other(format!("it has more than {MAX_ENTRIES} entries")));
                }
                match entry.metadata() {
                    Ok(metadata) if metadata.is_dir() => folders.push(entry.path()),
                    Ok(metadata) => self.bytes = self.bytes.saturating_add(metadata.blocks().saturating_mul(512)),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_files_of_a_folder_count_together() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a", "b"] {
            fs::create_dir(folder.path().join(name)).unwrap();
            fs::write(folder.path().join(name).join("file"), vec![1; 600 << 10]).unwrap();
        }
        let watch = |files| Watch { folders: vec![folder.path().to_owned()], files, memory: u64::MAX };
        assert_eq!(watch(2 << 20).breach(&[]), None);
        assert_eq!(watch(1 << 20).breach(&[]).unwrap(), "it wrote more than 1048576 bytes");
    }

    #[test]
    fn a_process_that_takes_too_much_is_seen_and_one_that_is_gone_takes_nothing() {
        let watch = Watch { folders: Vec::new(), files: 0, memory: 1 };
        assert!(watch.breach(&[std::process::id()]).unwrap().contains("memory"));
        assert_eq!(watch.breach(&[u32::MAX]), None);
    }
}
