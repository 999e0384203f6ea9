//! What a run of a program may reach of the machine.

use std::path::PathBuf;

use super::Limits;

/// What a run may reach: these files and folders, this much memory and room, itself and its libraries. No network, no other
/// process, no device. There is no run without one, but for an [`Exception`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reach {
    /// Files, and folders with all that is in them.
    pub(super) reads: Vec<PathBuf>,
    /// Folders that it may read and write. Files in them are no programs, and no links, pipes or sockets are made there.
    pub(super) writes: Vec<PathBuf>,
    /// Other programs that it may start.
    pub(super) executes: Vec<PathBuf>,
    pub(super) limits: Limits,
}

impl Reach {
    /// No file but itself and its libraries.
    #[must_use]
    pub(crate) fn nothing(limits: Limits) -> Self {
        Self { reads: Vec::new(), writes: Vec::new(), executes: Vec::new(), limits }
    }

    /// Lets it read a file, or a folder with all that is in it. What is not there is no error.
    #[must_use]
    pub(crate) fn reads(mut self, path: impl Into<PathBuf>) -> Self {
        self.reads.push(absolute(path.into()));
        self
    }

    /// Lets it read and write a folder.
    #[must_use]
    pub(crate) fn writes(mut self, folder: impl Into<PathBuf>) -> Self {
        self.writes.push(absolute(folder.into()));
        self
    }

    /// Lets it start another program.
    #[must_use]
    pub(crate) fn executes(mut self, program: impl Into<PathBuf>) -> Self {
        self.executes.push(absolute(program.into()));
        self
    }
}

/// The program is started in another folder.
fn absolute(path: PathBuf) -> PathBuf {
    std::path::absolute(&path).unwrap_or(path)
}

/// The programs that no sandbox is for, all of them. They too have a cleared environment, no descriptors, a deadline, and
/// nothing that they start outlives them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exception {
    /// A helper that holds credentials (`docker-credential-…`): it belongs to whoever runs gp-deliver, who named it in Docker's
    /// own settings, and asks key rings, agents and servers.
    CredentialHelper,
}

/// What a run was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Allowance {
    Reach(Reach),
    Exception(Exception),
}
