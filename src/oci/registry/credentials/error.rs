//! What can go wrong with credentials.

use std::io;
use std::path::PathBuf;

use crate::text::Line;

/// Credentials could not be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The file can't be read.
    #[error("{}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The file is not what Docker writes.
    #[error("{}: {reason}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong with it; never its content.
        reason: String,
    },
    /// The helper that the file names failed.
    #[error("{program}: {reason}")]
    Helper {
        /// `docker-credential-NAME`.
        program: String,
        /// The file that names it.
        config: PathBuf,
        /// What it said, or what became of it.
        reason: Line,
    },
    /// The issuer failed.
    #[error(transparent)]
    Issuer(Box<dyn std::error::Error + Send + Sync>),
}
