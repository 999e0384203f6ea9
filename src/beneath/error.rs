//! Why something beneath a root can't be read.

use std::fmt;
use std::io;
use std::path::PathBuf;

use rustix::fs::FileType;

/// A file or folder could not be opened, or is not one that is read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A link leads out of the root, to another file system, or to a file of the kernel.
    #[error("the link {} leads out, to {}", link.display(), target.display())]
    LeadsOut {
        /// The link, from the root.
        link: PathBuf,
        /// Where it leads, as it is written.
        target: PathBuf,
    },
    /// It is not a regular file.
    #[error("it is {0}, and a regular file is expected")]
    Kind(Kind),
    /// It is larger than such a file may be.
    #[error("it has more than {limit} bytes")]
    Size {
        /// The most bytes.
        limit: u64,
    },
    /// The system refuses.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// What is there instead of a regular file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A folder.
    Folder,
    /// A symbolic link, where none is followed.
    Link,
    /// A pipe that has a name.
    Pipe,
    /// A socket.
    Socket,
    /// A device.
    Device,
    /// A file of the kernel's: what is in it is about processes and devices.
    Kernel,
}

impl Kind {
    /// What it is, where it is not a regular file.
    pub(super) fn of(kind: FileType) -> Option<Self> {
        match kind {
            FileType::RegularFile => None,
            FileType::Directory => Some(Self::Folder),
            FileType::Symlink => Some(Self::Link),
            FileType::Fifo => Some(Self::Pipe),
            FileType::Socket => Some(Self::Socket),
            _ => Some(Self::Device),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Folder => "a folder",
            Self::Link => "a link",
            Self::Pipe => "a pipe",
            Self::Socket => "a socket",
            Self::Device => "a device",
            Self::Kernel => "a file of the kernel",
        })
    }
}
