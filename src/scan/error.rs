//! What can go wrong with a scan.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::database_kind::Kind;
use crate::oci::layout;
use crate::process::{self, Output};

/// A program that scans, or that a scan needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tool {
    /// Looks for secrets.
    Gitleaks,
    /// Reads the history for gitleaks.
    Git,
    /// Looks for vulnerable packages.
    Trivy,
    /// Lists packages.
    Syft,
}

impl Tool {
    /// The program's name.
    #[must_use]
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Gitleaks => "gitleaks",
            Self::Git => "git",
            Self::Trivy => "trivy",
            Self::Syft => "syft",
        }
    }
}

impl fmt::Display for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A scan did not happen, or not wholly.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The program is missing, hung, crashed or said too much.
    #[error(transparent)]
    Program(#[from] process::Error),
    /// The program says that it failed.
    #[error("{tool} ended with code {code}")]
    Failed {
        /// Which.
        tool: Tool,
        /// Its exit code.
        code: i32,
        /// Its last lines, or the ones that say why.
        last: Vec<String>,
    },
    /// The program's report is missing or is not what it should be.
    #[error("{tool}: {reason}")]
    Rubbish {
        /// Which.
        tool: Tool,
        /// What is wrong.
        reason: String,
        /// Its last lines.
        last: Vec<String>,
    },
    /// Files of the working tree that gitleaks could not read.
    #[error("{} files were not scanned", .0.len())]
    Unread(Vec<String>),
    /// gitleaks did not get all of the history to see.
    #[error("{scanned} of {expected} bytes of history were scanned")]
    PartialHistory {
        /// The bytes that the commits add, as gitleaks counted them.
        scanned: u64,
        /// As git counts them.
        expected: u64,
        /// gitleaks' last lines.
        last: Vec<String>,
    },
    /// The project's `.gitleaks.toml` can't be used.
    #[error(".gitleaks.toml: {reason}")]
    LeakRules {
        /// Why.
        reason: String,
    },
    /// The project's `.trivyignore` or `.trivyignore.yaml` can't be used.
    #[error("{}: {reason}", path.display())]
    IgnoreFile {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// No mirror has the database, and the cached one, if any, is too old.
    #[error("no {} from any of {} mirrors", kind.name(), failures.len())]
    Database {
        /// Which.
        kind: Kind,
        /// The mirrors in order, each with the reason.
        failures: Vec<(String, String)>,
        /// When the advisories of the cached one were gathered.
        cached: Option<Timestamp>,
    },
    /// The file system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The image can't be read.
    #[error(transparent)]
    Image(#[from] layout::Error),
}

impl Error {
    pub(super) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        move |source| Self::Io { path: path.to_owned(), source }
    }

    pub(super) fn failed(tool: Tool, output: &Output) -> Self {
        Self::Failed { tool, code: output.code, last: output.last_lines() }
    }

    pub(super) fn rubbish(tool: Tool, reason: impl fmt::Display, output: &Output) -> Self {
        Self::Rubbish { tool, reason: reason.to_string(), last: output.last_lines() }
    }
}
