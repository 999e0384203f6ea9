//! What a client attaches to a build session, and what can go wrong with it.

use std::io;
use std::path::PathBuf;

use super::glob::BadPattern;

/// Something that a build asked for could not be given.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A folder that is to be served can't be opened.
    #[error("{}: {source}", path.display())]
    Folder {
        /// The folder, as it was given.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file or folder in the context can't be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// Its path in the context.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file was there when the context was listed, and is gone or no regular file when it is to be read.
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
}
