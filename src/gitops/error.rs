//! Why the repository that a cluster is brought to does not name the image.

use super::refusal::Refusal;
use crate::git_server;
use crate::github::api;
use crate::text::Line;

/// An update that did not happen. Nothing of it is seen on the branch.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A call to GitHub failed.
    #[error(transparent)]
    Api(#[from] api::Error),
    /// The git server does not do what it is asked.
    #[error(transparent)]
    Git(#[from] git_server::Error),
    /// There is neither a token for the repository nor a GitHub App.
    #[error("no token")]
    NoToken,
    /// The image is in no registry, so no cluster can fetch it.
    #[error("{destination} is no registry")]
    NoRegistry {
        /// Where it is.
        destination: String,
    },
    /// There is no such branch.
    #[error("no branch {branch}")]
    NoBranch {
        /// The branch.
        branch: String,
    },
    /// GitHub does not list all the files.
    #[error("the list of files is cut short")]
    Truncated,
    /// No file is at this path, or matches this pattern.
    #[error("no file is {place}")]
    NoFile {
        /// What was asked for.
        place: String,
    },
    /// What is at the path is no file, or lies behind what is none.
    #[error("{path} is {kind}")]
    NoRegularFile {
        /// The path.
        path: Line,
        /// What it is.
        kind: &'static str,
    },
    /// More files match than are read.
    #[error("{count} files match")]
    TooMany {
        /// How many.
        count: usize,
    },
    /// No file names the image.
    #[error("the image is named nowhere")]
    NotNamed {
        /// The files that were read.
        files: Vec<Line>,
    },
    /// A file is not edited.
    #[error("{path}: {refusal}")]
    Refused {
        /// The file.
        path: Line,
        /// Why.
        refusal: Refusal,
    },
    /// It is not known whether what is there is newer.
    #[error("{there} or {ours}: {reason}")]
    Undecided {
        /// The commit that the branch has an image of.
        there: Line,
        /// The commit that is delivered.
        ours: String,
        /// Why it is not known.
        reason: String,
    },
    /// Others were faster each time.
    #[error("the branch moved {times} times")]
    Overrun {
        /// How often it was tried.
        times: usize,
    },
    /// GitHub took too long over it.
    #[error("it took too long")]
    TooLong,
    /// What it names can't be told, and nothing was to be written.
    #[error("it is not read: {0}")]
    Unread(Box<Self>),
    /// The branch takes no commit of this token.
    #[error("{branch} takes no commit: {message}")]
    Protected {
        /// The branch.
        branch: String,
        /// GitHub's words.
        message: Line,
    },
    /// The git server takes no commit for the branch.
    #[error("{branch} takes no commit: {reason}")]
    Rejected {
        /// The branch.
        branch: String,
        /// The server's words.
        reason: Line,
    },
    /// Only GitHub is asked for a pull request.
    #[error("no pull requests there")]
    NoPullRequests,
    /// The branch for the pull request has a commit that is not a delivery's.
    #[error("{branch} is someone else's")]
    Foreign {
        /// The branch.
        branch: String,
    },
    /// A secret of this run is in a file that would be written.
    #[error("a secret is in {path}")]
    Secret {
        /// The file.
        path: Line,
    },
}
