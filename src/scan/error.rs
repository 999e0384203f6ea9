//! What can go wrong with a scan.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::database_age::MaxAge;
use super::database_kind::Kind;
use crate::git;
use crate::oci::{layer, layout};
use crate::process::{self, Output};
use crate::scanner::Tool;

/// A scan did not happen, or not completely.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The program is missing, hung, crashed or wrote too much.
    #[error(transparent)]
    Program(#[from] process::Error),
    /// The scanner says that it failed.
    #[error("{tool} ended with code {code}")]
    Failed {
        /// The program.
        tool: Tool,
        /// Its exit code.
        code: i32,
        /// Its last lines, or the ones that say why.
        last: Vec<String>,
    },
    /// The scanner's report is missing or is not what it should be.
    #[error("{tool}: {reason}")]
    InvalidOutput {
        /// The program.
        tool: Tool,
        /// What is wrong.
        reason: String,
        /// Its last lines.
        last: Vec<String>,
    },
    /// git, which reads the history for gitleaks, says that it failed.
    #[error("git ended with code {code}")]
    Git {
        /// Its exit code.
        code: i32,
        /// Its last lines.
        last: Vec<String>,
    },
    /// git's answer is not what it should be.
    #[error("git: {reason}")]
    GitAnswer {
        /// What is wrong.
        reason: String,
    },
    /// Files of the working tree that gitleaks could not read.
    #[error("{} files were not scanned", .0.len())]
    Unread(Vec<String>),
    /// Files of the build context that changed while they were sent and looked through.
    #[error("{} files changed", .0.len())]
    Changed(Vec<String>),
    /// gitleaks did not see all of the files.
    #[error("{scanned} of {expected:?} bytes of files were scanned")]
    PartialTree {
        /// The bytes that gitleaks counted.
        scanned: u64,
        /// The bytes that there are; absent where gitleaks ended before it was known.
        expected: Option<u64>,
        /// gitleaks' last lines.
        last: Vec<String>,
    },
    /// gitleaks did not see all of the history.
    #[error("{scanned} of {expected:?} bytes of history were scanned")]
    PartialHistory {
        /// The bytes that the commits add, as gitleaks counted them.
        scanned: u64,
        /// The same, as git tells it; absent where gitleaks ended before that was known.
        expected: Option<u64>,
        /// gitleaks' last lines.
        last: Vec<String>,
    },
    /// The clone leaves out a part of the history that is to be scanned.
    #[error("the clone is shallow")]
    ShallowHistory,
    /// The project's `.gitleaks.toml` can't be used.
    #[error(".gitleaks.toml: {reason}")]
    LeakRules {
        /// What is wrong with it.
        reason: String,
    },
    /// The project's `.trivyignore` or `.trivyignore.yaml` can't be used.
    #[error("{}: {reason}", path.display())]
    IgnoreFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// No mirror has a database that may be judged by, and the cached one, if any, is too old.
    #[error("no {} from any of {} mirrors", kind.name(), failures.len())]
    Database {
        /// The vulnerability or the Java database.
        kind: Kind,
        /// The mirrors in order, each with the reason.
        failures: Vec<(String, String)>,
        /// When the advisories of the cached one were gathered.
        cached: Option<Timestamp>,
        /// The age that it may have, where there is a limit.
        limit: Option<MaxAge>,
    },
    /// The file system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The image can't be read.
    #[error(transparent)]
    Image(#[from] layout::Error),
    /// A layer of the image was not looked through.
    #[error(transparent)]
    Layer(#[from] layer::Error),
}

impl From<git::Error> for Error {
    fn from(error: git::Error) -> Self {
        match error {
            git::Error::Process(error) => Self::Program(error),
            git::Error::Refused { code, last, .. } => Self::Git { code, last },
            git::Error::Io { path, source } => Self::Io { path, source },
            git::Error::Missing { path } => {
                // In git's words and with its code: it is not asked where there is nothing to ask about.
                Self::Git { code: 128, last: vec![format!("fatal: not a git repository: {}", path.display())] }
            }
            other => Self::GitAnswer { reason: other.to_string() },
        }
    }
}

impl Error {
    pub(super) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        move |source| Self::Io { path: path.to_owned(), source }
    }

    pub(super) fn failed(tool: Tool, output: &Output) -> Self {
        Self::Failed { tool, code: output.code, last: output.last_lines() }
    }

    pub(super) fn git(output: &Output) -> Self {
        Self::Git { code: output.code, last: output.last_lines() }
    }

    pub(super) fn invalid_output(tool: Tool, reason: impl fmt::Display, output: &Output) -> Self {
        Self::InvalidOutput { tool, reason: reason.to_string(), last: output.last_lines() }
    }
}
