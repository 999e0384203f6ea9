//! What can be wrong with a source.

use std::path::PathBuf;

use crate::dockerfile;
use crate::git;

/// The source could not be read, or is not one that may be delivered.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Its repository could not be read.
    #[error(transparent)]
    Git(#[from] git::Error),
    /// The folder can't be read.
    #[error("{}: {reason}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The system's error.
        reason: String,
    },
    /// A link of the checkout leads out of it.
    #[error("{} leads out of {}", link.display(), root.display())]
    LeadsOut {
        /// The link.
        link: PathBuf,
        /// The checkout.
        root: PathBuf,
        /// Where it leads.
        target: PathBuf,
    },
    /// A link of the build context leads out of it, for a file that the builder reads in the context alone.
    #[error("{} leads out of {}", link.display(), context.display())]
    LeadsOutOfContext {
        /// The link.
        link: PathBuf,
        /// The build context.
        context: PathBuf,
        /// Where it leads.
        target: PathBuf,
    },
    /// A file or folder that is built, or says how, is not one that is read.
    #[error("{}: {reason}", path.display())]
    Unusable {
        /// The file or folder, as it was given.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A context is a folder that is no part of what is delivered, where there are named ones: nobody looks at its history.
    #[error("{} is not in {}", folder.display(), root.display())]
    OutsideOfSource {
        /// What the Dockerfile calls it; absent for the build context itself.
        name: Option<String>,
        /// The folder, as it was given.
        folder: PathBuf,
        /// The checkout.
        root: PathBuf,
    },
    /// The Dockerfile goes beyond a limit.
    #[error("{}: {error}", path.display())]
    Dockerfile {
        /// The Dockerfile, as it was given.
        path: PathBuf,
        /// The line, and the limit.
        error: dockerfile::Error,
    },
    /// The gate is blocking, and there is no repository: no commit that is delivered, and no history to scan.
    #[error("{} is in no git repository", context.display())]
    NoRepository {
        /// The build context.
        context: PathBuf,
        /// Folders around it with a `.git` that leads nowhere.
        strays: Vec<PathBuf>,
    },
    /// The gate is blocking, and the repository has no commit yet.
    #[error("{} has no commit", root.display())]
    NoCommit {
        /// The checkout.
        root: PathBuf,
    },
    /// The commit that is checked out is not the one that the run is of.
    #[error("{} is at {commit}, the run is of {run}", root.display())]
    OtherCommit {
        /// The checkout.
        root: PathBuf,
        /// The commit that is checked out.
        commit: String,
        /// The commit that the run is of, as its event says; may be empty.
        run: String,
    },
    /// The clone is a partial one, and lacks objects that a scan of the history needs.
    #[error("{missing} objects are not in the clone")]
    Partial {
        /// The clone's filter; empty where it is not known.
        filter: String,
        /// How many objects are not there.
        missing: usize,
    },
}
