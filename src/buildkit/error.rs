//! What can go wrong with a builder.

use std::path::PathBuf;

use tonic::{Code, Status};

use super::session::{self, OpenError};
use crate::finding::Instruction;
use crate::oci::{Digest, layout};

/// A build that did not yield an image.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// No engine answers where one was looked for.
    #[error("no engine answers at {tried:?}: {reason}")]
    NoEngine {
        /// The addresses, in the order in which they were tried.
        tried: Vec<String>,
        /// Why the last one did not answer.
        reason: String,
    },
    /// The engine has no BuildKit, or one that can't be spoken to.
    #[error("engine {version} (API {api}) is too old")]
    EngineTooOld {
        /// The engine's version.
        version: String,
        /// Its API's version.
        api: String,
    },
    /// A file for TLS can't be used.
    #[error("{}: {reason}", path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The builder refused or broke off a call.
    #[error("{call}: {message}")]
    Call {
        /// The call, as a verb phrase: `open a session`.
        call: &'static str,
        /// The builder's message.
        message: String,
    },
    /// The connection ended in the middle.
    #[error("connection lost: {reason}")]
    Lost {
        /// The cause, as far as it is known.
        reason: String,
    },
    /// A step failed.
    #[error("{}", .0.message)]
    Step(Box<StepFailure>),
    /// The Dockerfile can't be understood.
    #[error("{message}")]
    Dockerfile {
        /// The builder's message.
        message: String,
        /// Where in the Dockerfile, if the builder says so.
        at: Option<Instruction>,
    },
    /// Something that the build asked for could not be provided.
    #[error(transparent)]
    Session(#[from] session::error::Error),
    /// The builder's answer is not what its protocol says.
    #[error("{0}")]
    Protocol(String),
    /// A layer's content is not what the image's configuration says.
    #[error("layer {expected} has content {actual}")]
    LayerMismatch {
        /// The diff id in the configuration.
        expected: Digest,
        /// The diff id of what was received.
        actual: Digest,
    },
    /// The layout can't be written.
    #[error(transparent)]
    Layout(#[from] layout::Error),
}

/// A step of the Dockerfile that failed.
#[derive(Debug)]
pub(crate) struct StepFailure {
    /// The step's name as the builder shows it: `[build 2/3] RUN make`.
    pub(crate) step: String,
    /// The builder's message.
    pub(crate) message: String,
    /// The instruction in the Dockerfile.
    pub(crate) at: Option<Instruction>,
    /// The last lines that it printed.
    pub(crate) lines: Vec<String>,
}

impl Error {
    /// A refused call.
    pub(super) fn call(call: &'static str, status: &Status) -> Self {
        match status.code() {
            Code::Unavailable => Self::Lost { reason: status.message().to_owned() },
            _ => Self::Call { call, message: status.message().to_owned() },
        }
    }
}

impl From<OpenError> for Error {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Refused(status) => Self::call("open a session", &status),
            error @ OpenError::Header { .. } => Self::Protocol(error.to_string()),
        }
    }
}
