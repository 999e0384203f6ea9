//! What can go wrong with git.

use std::io;
use std::path::{Path, PathBuf};

use crate::process;

/// A repository could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// git could not be run.
    #[error(transparent)]
    Process(#[from] process::Error),
    /// git refused.
    #[error("git {arguments} ended with code {code}")]
    Refused {
        /// git's arguments.
        arguments: String,
        /// Its exit code.
        code: i32,
        /// Its last lines.
        last: Vec<String>,
    },
    /// git's answer is not what it should be.
    #[error("git {arguments}: unexpected answer")]
    Answer {
        /// git's arguments.
        arguments: String,
    },
    /// The repository is of a format that this program does not know (gitrepository-layout(5), "extensions").
    #[error("{}: extensions.{name}", path.display())]
    Extension {
        /// The repository.
        path: PathBuf,
        /// The extension's name.
        name: String,
    },
    /// No folder around has a repository.
    #[error("{} is in no repository", path.display())]
    Missing {
        /// The folder.
        path: PathBuf,
    },
    /// The file system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}

impl Error {
    pub(super) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        move |source| Self::Io { path: path.to_owned(), source }
    }
}
