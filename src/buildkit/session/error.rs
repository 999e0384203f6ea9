//! What can go wrong with what a build asks of its client.

use std::io;
use std::path::PathBuf;

use super::glob::BadPattern;

/// Something that a build asked for could not be provided.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A folder that is to be served can't be opened.
    #[error("{}: {source}", path.display())]
    Folder {
        /// The folder, as it was given.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// A file or folder in the context can't be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// Its path in the context.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// A file was listed, and was gone or not a regular file when it was read.
    #[error("{}: changed while it was being sent", path.display())]
    Changed {
        /// Its path in the context.
        path: PathBuf,
    },
    /// The name of a file, or the target of a link, is not UTF-8.
    #[error("{}: the name is not UTF-8", path.display())]
    Name {
        /// Its path in the context.
        path: PathBuf,
    },
    /// A pattern is malformed.
    #[error(transparent)]
    Pattern(#[from] BadPattern),
    /// The file of a build secret can't be read.
    #[error("secret {id}: {}: {source}", path.display())]
    SecretFile {
        /// The secret's id.
        id: String,
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// An image layout that is a named context is not one, does not have what is asked for, or has it falsely.
    #[error("{}: {reason}", folder.display())]
    Layout {
        /// The folder, as it was given.
        folder: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A build secret is too large.
    #[error("secret {id}: larger than {limit} bytes")]
    SecretTooLarge {
        /// The secret's id.
        id: String,
        /// The most bytes that it may have.
        limit: u64,
    },
}
