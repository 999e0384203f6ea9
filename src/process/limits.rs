//! How much of the machine a program may take.

use std::fs;
use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::machine;

/// Descriptors that a program may have open: scanners need few, and the machine's limit may be a million.
const OPEN_FILES: u64 = 4096;

/// Processes and threads of a user that has no others. Go starts one thread for each processor, and one for each file that it
/// waits for.
const PROCESSES: u64 = 512;

/// How many more processes and threads than the machine has already, where the user has others.
const MORE_PROCESSES: u64 = 1024;

const GIB: u64 = 1 << 30;

/// How much a program may take; what is not here is the same for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Memory for data, in bytes: of each of its processes, and of all together.
    pub(crate) memory: u64,
    /// All that it writes to files, in bytes.
    pub(crate) files: u64,
}

impl Limits {
    /// For git, which reads whole histories and writes nothing.
    pub(crate) const GIT: Self = Self { memory: 4 * GIB, files: 1 << 20 };
    /// For gitleaks, which writes a report alone.
    pub(crate) const GITLEAKS: Self = Self { memory: 4 * GIB, files: GIB };
    /// For trivy, which unpacks what it looks into.
    pub(crate) const TRIVY: Self = Self { memory: 8 * GIB, files: 16 * GIB };
    /// For syft, which unpacks the whole image.
    pub(crate) const SYFT: Self = Self { memory: 8 * GIB, files: 64 * GIB };
    /// For a program that says its version.
    pub(crate) const VERSION: Self = Self { memory: GIB, files: 1 << 20 };

    /// How much what a Go program has in use may grow before it looks for what it can free, in percent (`GOGC`): with Go's own 100 a
    /// scanner spends an eighth of its time on that, to save memory that the machine has. What it is told to make do with comes first.
    pub(crate) const GROWTH: &str = "400";

    /// The memory, in bytes, that a Go program is told to make do with (`GOMEMLIMIT`): it frees what it can rather than take more.
    #[must_use]
    pub(crate) fn for_go(self) -> String {
        (self.of_this_machine().memory / 4 * 3).to_string()
    }

    /// The same, and no more than a machine of this size has to spare.
    pub(super) fn of_this_machine(self) -> Self {
        Self { memory: machine::total_memory().map_or(self.memory, |total| self.memory.min(total / 5 * 4)), ..self }
    }

    /// Holds this process to them, and what it becomes. `alone`: no other process is of its user.
    pub(super) fn apply(self, alone: bool) -> io::Result<()> {
        // Not the address space, of which Go takes more than it uses.
        limit(Resource::Data, self.memory)?;
        limit(Resource::Fsize, self.files)?;
        // The kernel counts by user: where that is the user's own, what runs already counts too.
        limit(Resource::Nproc, if alone { PROCESSES } else { running().saturating_add(MORE_PROCESSES) })
    }
}

/// Holds this process to what no program needs, and what it becomes.
pub(super) fn apply_to_all() -> io::Result<()> {
    forbid_core_files()?;
    limit(Resource::Nofile, OPEN_FILES)
}

/// Has the kernel write no memory of this process to a core file, nor of what it becomes and starts.
pub(crate) fn forbid_core_files() -> io::Result<()> {
    limit(Resource::Core, 0)
}

fn limit(resource: Resource, most: u64) -> io::Result<()> {
    let hard = getrlimit(resource).maximum.map_or(most, |hard| hard.min(most));
    Ok(setrlimit(resource, Rlimit { current: Some(hard), maximum: Some(hard) })?)
}

/// All processes and threads of the machine, of whatever user (`proc_loadavg(5)`).
fn running() -> u64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let total = text.split_whitespace().nth(3).and_then(|counts| counts.split_once('/'));
    total.and_then(|(_, total)| total.parse().ok()).unwrap_or(32_768)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_machine_keeps_some_memory_for_the_delivery() {
        let all = Limits { memory: u64::MAX, files: 1 };
        let held = all.of_this_machine();
        assert!(held.memory < u64::MAX && all.for_go().parse::<u64>().unwrap() < held.memory);
    }
}
